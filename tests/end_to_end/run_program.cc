#include "reeve/tests/end_to_end/run_program.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace reeve {
namespace end_to_end {
namespace {

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::abort();
}

struct Pipe {
  Pipe() {
    int fds[2];
    if (pipe2(fds, O_CLOEXEC) != 0) Die("pipe2");
    read_end = fds[0];
    write_end = fds[1];
  }
  int read_end;
  int write_end;
};

// Appends what can be read now. Returns false at the end.
bool ReadSome(int fd, std::string* text) {
  char buffer[4096];
  const ssize_t got = read(fd, buffer, sizeof buffer);
  if (got > 0) text->append(buffer, got);
  return got > 0;
}

}  // namespace

Ended RunProgram(const std::vector<std::string>& arguments, const std::string& input,
                 const std::vector<std::string>& environment) {
  std::signal(SIGPIPE, SIG_IGN);  // a program may end before it has read all
  std::vector<std::string> fixed = {"PATH=/usr/bin:/bin", "LC_ALL=C.UTF-8"};
  fixed.insert(fixed.end(), environment.begin(), environment.end());
  std::vector<char*> argv;
  std::vector<char*> envp;
  for (const std::string& argument : arguments) argv.push_back(const_cast<char*>(argument.c_str()));
  for (const std::string& variable : fixed) envp.push_back(const_cast<char*>(variable.c_str()));
  argv.push_back(nullptr);
  envp.push_back(nullptr);

  Pipe in;
  Pipe out;
  Pipe err;
  const pid_t child = fork();
  if (child < 0) Die("fork");
  if (child == 0) {
    dup2(in.read_end, STDIN_FILENO);
    dup2(out.write_end, STDOUT_FILENO);
    dup2(err.write_end, STDERR_FILENO);
    std::signal(SIGPIPE, SIG_DFL);
    execve(argv[0], argv.data(), envp.data());
    Die(argv[0]);
  }
  close(in.read_end);
  close(out.write_end);
  close(err.write_end);

  Ended ended;
  std::string_view rest = input;
  pollfd fds[] = {{in.write_end, POLLOUT, 0}, {out.read_end, POLLIN, 0}, {err.read_end, POLLIN, 0}};
  const auto finish = [&fds](int i) {
    close(fds[i].fd);
    fds[i].fd = -1;
  };
  if (rest.empty()) finish(0);
  while (fds[1].fd >= 0 || fds[2].fd >= 0) {
    if (poll(fds, 3, -1) < 0 && errno != EINTR) Die("poll");
    if (fds[0].revents != 0 && fds[0].fd >= 0) {
      const ssize_t sent = write(fds[0].fd, rest.data(), std::min<size_t>(rest.size(), 4096));
      if (sent > 0) rest.remove_prefix(sent);
      if (sent < 0 || rest.empty()) finish(0);
    }
    if (fds[1].revents != 0 && !ReadSome(fds[1].fd, &ended.out)) finish(1);
    if (fds[2].revents != 0 && !ReadSome(fds[2].fd, &ended.err)) finish(2);
  }
  if (fds[0].fd >= 0) finish(0);
  int status;
  if (waitpid(child, &status, 0) != child) Die("waitpid");
  ended.status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return ended;
}

}  // namespace end_to_end
}  // namespace reeve
