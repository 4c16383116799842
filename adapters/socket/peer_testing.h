// Sockets and their peers, for tests of this folder.
#ifndef REEVE_ADAPTERS_SOCKET_PEER_TESTING_H_
#define REEVE_ADAPTERS_SOCKET_PEER_TESTING_H_

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace peer_testing {

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
