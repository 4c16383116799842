#include "reeve/tests/end_to_end/process.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace reeve {
namespace end_to_end {
namespace {

constexpr int kPatienceMs = 60'000;
constexpr char kEnd[] = "<end>";

}  // namespace

WorkDirectory::WorkDirectory() {
  char path[] = "/tmp/reeve-e2e.XXXXXX";
  if (mkdtemp(path) == nullptr || chmod(path, 0711) != 0) std::abort();
  path_ = path;
}

std::string WorkDirectory::Write(const std::string& name, const std::string& text) const {
  const std::filesystem::path file = *this / name;
  std::filesystem::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
  return file;
}

WorkDirectory::~WorkDirectory() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

Process::Process(const std::vector<std::string>& arguments, const std::optional<std::string>& input,
                 const std::function<bool()>& prepare) {
  signal(SIGPIPE, SIG_IGN);  // Say() to a program that has ended is a failure of the test.
  int in[2];
  int out[2];
  if (pipe2(in, O_CLOEXEC) != 0 || pipe2(out, O_CLOEXEC) != 0) std::abort();
  input_ = in[1];
  if (input.has_value()) {
    EXPECT_LE(input->size(), 65536u) << "more than a pipe holds";
    EXPECT_EQ(write(input_, input->data(), input->size()), static_cast<ssize_t>(input->size()));
    EndInput();
  }
  std::vector<char*> argv;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) std::abort();
  if (pid_ == 0) {
    signal(SIGPIPE, SIG_DFL);
    dup2(in[0], STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(out[1], STDERR_FILENO);
    if (prepare != nullptr && !prepare()) _exit(126);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(in[0]);
  close(out[1]);
  output_ = out[0];
}

Process::~Process() {
  if (!waited_) {
    Signal(SIGKILL);
    Wait();
  }
  EndInput();
  close(output_);
}

void Process::Say(const std::string& line) {
  const std::string bytes = line + "\n";
  EXPECT_EQ(write(input_, bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
}

void Process::EndInput() {
  if (input_ >= 0) close(input_);
  input_ = -1;
}

std::string Process::ReadLine() {
  for (;;) {
    if (const size_t end = buffer_.find('\n'); end != std::string::npos) {
      std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return line;
    }
    pollfd readable = {output_, POLLIN, 0};
    const int ready = poll(&readable, 1, kPatienceMs);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) {
      ADD_FAILURE() << "a program said nothing for a minute";
      return kEnd;
    }
    char bytes[4096];
    const ssize_t size = read(output_, bytes, sizeof(bytes));
    if (size <= 0) return kEnd;
    buffer_.append(bytes, static_cast<size_t>(size));
  }
}

std::vector<std::string> Process::ReadThrough(const std::string& prefix) {
  std::vector<std::string> lines;
  do {
    lines.push_back(ReadLine());
    if (lines.back() == kEnd) {
      ADD_FAILURE() << "ended without saying: " << prefix;
      break;
    }
  } while (lines.back().rfind(prefix, 0) != 0);
  return lines;
}

std::vector<std::string> Process::ReadAll() {
  std::vector<std::string> lines;
  for (std::string line = ReadLine(); line != kEnd; line = ReadLine()) lines.push_back(line);
  return lines;
}

void Process::Signal(int signal) {
  if (!waited_) kill(pid_, signal);
}

int Process::Wait() {
  if (waited_) return status_;
  const int pidfd = static_cast<int>(syscall(SYS_pidfd_open, pid_, 0));
  pollfd ended = {pidfd, POLLIN, 0};
  if (pidfd >= 0 && poll(&ended, 1, kPatienceMs) == 0) {
    ADD_FAILURE() << "a program did not end for a minute";
    kill(pid_, SIGKILL);
  }
  if (pidfd >= 0) close(pidfd);
  int status = 0;
  waitpid(pid_, &status, 0);
  waited_ = true;
  status_ = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return status_;
}

}  // namespace end_to_end
}  // namespace reeve
