// Other processes, other users and other networks, for tests of this folder and those below it.
#ifndef REEVE_ADAPTERS_SOCKET_PROCESS_TESTING_H_
#define REEVE_ADAPTERS_SOCKET_PROCESS_TESTING_H_

#include <gtest/gtest.h>
#include <sys/types.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/adapters/socket/unix_identity.h"

namespace reeve {
namespace peer_testing {

// A process forked from this one, with a pipe each way. The destructor ends it: its end of file is
// the sign to leave. Make it before any thread.
//
// One thread at a time.
class Child {
 public:
  // What the child has of the pipes.
  struct Pipes {
    int in;   // From the parent; end of file when the parent is done.
    int out;  // To the parent.

    // Writes a whole line; `text` has no newline.
    void Say(const std::string& text) const;
    // Waits for a byte of the parent. False at its end.
    bool Await() const;
  };

  // Runs `body` in a new process, which exits with what it returns.
  explicit Child(const std::function<int(const Pipes&)>& body);
  ~Child();
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  // The next line of the child; empty if it has ended.
  std::string Hear();
  // The next byte of the child; 0 if it has ended.
  char HearByte();
  // Lets Await() return true.
  void Go();
  // Closes the pipe to the child and reaps it: its exit status, or 128 + the signal.
  int Wait();

  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
  int to_child_ = -1;
  int from_child_ = -1;
};

using Identity = UnixIdentity;

// Becomes that user for good, or ends the process. Only in a child.
void Become(const Identity& identity);

// Empty if this process can become other users, else why not.
std::string WhyNoOtherUsers();

// Empty if this process can make network namespaces, else why not.
std::string WhyNoNetworks();
// Empty if such a program is installed (looked for in PATH and the sbin folders), else what to
// install.
std::string WhyNoProgram(std::string_view program, std::string_view package);

// A directory of its own, gone with everything in it at the end.
class TempDirectory {
 public:
  TempDirectory();
  ~TempDirectory();
  TempDirectory(const TempDirectory&) = delete;
  TempDirectory& operator=(const TempDirectory&) = delete;

  const std::string& path() const { return path_; }
  // The path of `name` in it.
  std::string operator/(std::string_view name) const;

 private:
  std::string path_;
};

// A network namespace with its loopback device up, a mount namespace with an empty /run, and a
// process that keeps them until the destructor. Needs root. Make it before any thread.
class Network {
 public:
  Network();
  ~Network();
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  // Runs `body` in a process in there, and returns its exit status, or 128 + the signal. Only the
  // network is another, unless `with_mounts`.
  int Do(const std::function<int()>& body, bool with_mounts = false) const;
  // The same, not waited for.
  std::unique_ptr<Child> Start(const std::function<int(const Child::Pipes&)>& body,
                               bool with_mounts = false) const;
  // Runs a program in there, which must succeed: the test fails, and says what the program said, if
  // it does not. Returns what it wrote to standard output and error.
  std::string Run(const std::vector<std::string>& command) const;
  // The same, of whatever success; its exit status in `*status`.
  std::string Try(const std::vector<std::string>& command, int* status) const;
  // Puts the calling process in there for good; only in a child.
  void Enter(bool with_mounts) const;

  pid_t pid() const;

  // Joins two of them by an Ethernet: `name_a` in `a` and `name_b` in `b`, both up, with these
  // addresses ("10.98.0.1/24").
  static void Join(const Network& a, const std::string& name_a, const std::string& address_a,
                   const Network& b, const std::string& name_b, const std::string& address_b);

 private:
  std::unique_ptr<Child> keeper_;
};

// A daemon in a Network, with its output in a file. The destructor ends it by SIGKILL and reaps it.
class Daemon {
 public:
  Daemon(const Network& network, const std::vector<std::string>& command,
         const std::string& log_path);
  ~Daemon();
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // To it alone. Of SIGSTOP, returns when it has stopped.
  void Signal(int signal) const;
  pid_t pid() const { return pid_; }

 private:
  pid_t pid_ = -1;
};

// Looks until `done` returns true, at most `seconds`; false if it never did. For what other
// programs do in their own time; for nothing that can be waited for.
bool Eventually(const std::function<bool()>& done, int seconds = 20);

#define REQUIRE_NETWORKS()                                                          \
  if (const std::string why = ::reeve::peer_testing::WhyNoNetworks(); !why.empty()) \
  GTEST_SKIP() << why

#define REQUIRE_PROGRAM(program, package)                                                          \
  if (const std::string why = ::reeve::peer_testing::WhyNoProgram(program, package); !why.empty()) \
  GTEST_SKIP() << why

#define REQUIRE_OTHER_USERS()                                                         \
  if (const std::string why = ::reeve::peer_testing::WhyNoOtherUsers(); !why.empty()) \
  GTEST_SKIP() << why

}  // namespace peer_testing
}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_PROCESS_TESTING_H_
