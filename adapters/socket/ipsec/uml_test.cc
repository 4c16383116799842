// Runs esp_test in a kernel of its own, User-Mode Linux, which does ESP where this machine's kernel
// may not. See README.md for where it comes from. It reads this machine's files, and writes none.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::TempDirectory;

constexpr int kSeconds = 240;

// Runs a program until it ends, or the time is over; says what it says.
std::string RunProgram(const std::vector<std::string>& command, const std::string& folder) {
  int out[2];
  EXPECT_EQ(pipe2(out, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    // UML is several processes, which end together.
    setsid();
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setenv("TMPDIR", folder.c_str(), 1);
    setenv("HOME", folder.c_str(), 1);
    const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
    dup2(null, STDIN_FILENO);
    dup2(out[1], STDOUT_FILENO);
    dup2(out[1], STDERR_FILENO);
    std::vector<char*> words;
    for (const std::string& word : command) words.push_back(const_cast<char*>(word.c_str()));
    words.push_back(nullptr);
    execv(words[0], words.data());
    _exit(127);
  }
  close(out[1]);
  std::string text;
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  const time_t end = now.tv_sec + kSeconds;
  for (;;) {
    clock_gettime(CLOCK_MONOTONIC, &now);
    pollfd readable = {out[0], POLLIN, 0};
    if (now.tv_sec >= end || poll(&readable, 1, (end - now.tv_sec) * 1000) <= 0) break;
    char buffer[4096];
    const ssize_t size = read(out[0], buffer, sizeof(buffer));
    if (size <= 0) break;
    std::fwrite(buffer, 1, size, stdout);
    std::fflush(stdout);
    text.append(buffer, size);
  }
  kill(-child, SIGKILL);
  waitpid(child, nullptr, 0);
  close(out[0]);
  return text;
}

TEST(UmlTest, EspTestPassesWhereTheKernelDoesEsp) {
  const char* root = std::getenv("REEVE_UML");
  const std::string prefix = root == nullptr ? "" : root;
  const std::string kernel = prefix + "/usr/bin/linux.uml";
  if (access(kernel.c_str(), X_OK) != 0) {
    GTEST_SKIP() << "needs User-Mode Linux; install the package user-mode-linux, or unpack it and "
                    "set REEVE_UML to where";
  }
  REQUIRE_PROGRAM("charon", "strongswan-charon");
  const TempDirectory folder;
  const std::string here = std::filesystem::current_path() / "adapters/socket/ipsec";
  const auto resolved = [&](const char* name) {
    return std::filesystem::canonical(absl::StrCat(here, "/", name)).string();
  };
  const std::string said = RunProgram(
      {kernel, "mem=768M", "rootfstype=hostfs", "rootflags=/", "ro", "quiet", "con=null",
       "con0=null,fd:1", absl::StrCat("init=", resolved("uml_init")),
       absl::StrCat("REEVE_MODULES=", prefix, "/usr/lib/uml/modules"),
       absl::StrCat("REEVE_PROGRAM=", resolved("esp_test")), "REEVE_WORD=esp_test_ended"},
      folder.path());
  EXPECT_TRUE(absl::StrContains(said, "esp_test_ended 0"));
  EXPECT_TRUE(absl::StrContains(said, "[  PASSED  ]"));
  EXPECT_FALSE(absl::StrContains(said, "[  SKIPPED ]"));
}

}  // namespace
}  // namespace reeve
