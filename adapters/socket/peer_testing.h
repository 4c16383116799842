// Other processes and other users, for tests of this folder.
#ifndef REEVE_ADAPTERS_SOCKET_PEER_TESTING_H_
#define REEVE_ADAPTERS_SOCKET_PEER_TESTING_H_

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/peer.h"

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

struct Identity {
  uid_t uid;
  gid_t gid;
  std::vector<gid_t> groups;
};

// Becomes that user for good, or ends the process. Only in a child.
void Become(const Identity& identity);

// Empty if this process can become other users, else why not.
std::string WhyNoOtherUsers();

// A listening socket with a name of the kernel's choice, which any user may connect to; in the
// abstract namespace, so that no file is left.
class Listener {
 public:
  explicit Listener(int type = SOCK_STREAM);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  int fd() const { return fd_; }
  // A new connection to it, in whichever process; ends the process on error.
  int Connect() const;
  // Connects `fd`.
  void Connect(int fd) const;
  // Waits for a connection.
  int Accept() const;

 private:
  int type_;
  int fd_;
  sockaddr_un address_;
  socklen_t address_size_;
};

// Binds `fd` to a name of the kernel's choice.
void Autobind(int fd);

// A process of `identity` that connects, says "connected", and stays until it is let go.
std::unique_ptr<Child> Connector(const Listener& listener, const Identity& identity);

// The outcome on one line, "user:ada [staff, gid:7] kernel uid=1234 gid=2345 pidfd=N", or the
// error. The pid and the number of the pidfd are left out.
std::string Outcome(const absl::StatusOr<PeerToken>& token);

// "UNAUTHENTICATED" of such an error, "OK" of none.
std::string Code(const absl::StatusOr<PeerToken>& token);

// Options that ask nobody for names.
PeerOptions With(SocketOrigin origin, bool require_live_process = false);
inline const PeerOptions kPlain = With(SocketOrigin::kUnknown);

// The inode of an open descriptor.
ino_t Inode(int fd);

// Whether the running kernel has SO_PEERPIDFD.
bool KernelGivesPidfds();

#define REQUIRE_OTHER_USERS()                                                         \
  if (const std::string why = ::reeve::peer_testing::WhyNoOtherUsers(); !why.empty()) \
  GTEST_SKIP() << why

#define REQUIRE_PIDFDS()                           \
  if (!::reeve::peer_testing::KernelGivesPidfds()) \
  GTEST_SKIP() << "needs a kernel with SO_PEERPIDFD, Linux 6.5"

// Fails a test that leaves a descriptor open.
class PeerTest : public ::testing::Test {
 protected:
  void SetUp() override;
  void TearDown() override;

 private:
  int before_ = 0;
};

}  // namespace peer_testing
}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_PEER_TESTING_H_
