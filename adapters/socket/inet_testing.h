// TCP and UDP sockets and their peers, for tests of this folder.
#ifndef REEVE_ADAPTERS_SOCKET_INET_TESTING_H_
#define REEVE_ADAPTERS_SOCKET_INET_TESTING_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/peer_testing.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace peer_testing {

// What is done to a socket. The functions here end the process if the kernel refuses.

struct InetAddress {
  sockaddr_storage storage = {};
  socklen_t size = 0;

  // Of an interface, if it is link-local.
  static InetAddress Of(const std::string& ip, uint16_t port = 0, unsigned interface = 0);
  static InetAddress OfSocket(int fd);

  uint16_t port() const;
  InetAddress WithPort(uint16_t port) const;
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&storage); }
  int family() const { return storage.ss_family; }
};

// 127.0.0.1, with a port of the kernel's choice.
InetAddress Loopback();

int MakeSocket(int family, int type, int protocol = 0);
// Made by root as that user, who owns it from then on; of this process, which stays root.
int MakeSocketOf(uid_t uid, int family, int type, int protocol = 0);
void SetOption(int fd, int level, int option, int value);
void Bind(int fd, const InetAddress& address);
void Connect(int fd, const InetAddress& address);
// Begins to connect `fd`, and makes it non-blocking. False if it is refused, with an errno.
bool BeginConnect(int fd, const InetAddress& address);
// Closing `fd` resets the connection.
void ResetOnClose(int fd);
// Waits for one of `events` of poll(2).
void AwaitEvents(int fd, short events);

// The next datagram of `fd`, and who it says that it is from.
InetAddress ReceiveFrom(int fd, std::string* data = nullptr);
void SendTo(int fd, const std::string& data, const InetAddress& to);

// Passes an open descriptor over a socket of AF_UNIX.
void SendDescriptor(int over, int fd);
int ReceiveDescriptor(int over);

// A listening TCP socket.
class TcpListener {
 public:
  explicit TcpListener(const InetAddress& address = Loopback(),
                       const std::function<void(int fd)>& prepare = nullptr);
  ~TcpListener();
  TcpListener(const TcpListener&) = delete;
  TcpListener& operator=(const TcpListener&) = delete;

  int fd() const { return fd_; }
  InetAddress address() const { return InetAddress::OfSocket(fd_); }
  int Accept() const;

 private:
  int fd_;
};

// A process of uid `uid` and gid 2345 that connects, says "connected", and stays until it is let
// go. `prepare` is done to its socket before connect(2), `then` after it has said so.
std::unique_ptr<Child> TcpPeer(
    const InetAddress& to, uid_t uid, const std::function<void(int fd)>& prepare = nullptr,
    const std::function<void(int fd, const Child::Pipes& pipes)>& then = nullptr);

// The whole outcome on one line: "user:uid:1234 [] partial kernel tcp secured uid=1234 inode=N
// peer=127.0.0.1:P groups=partial", or the name of the PeerError. The control group is left out.
std::string Verdict(const absl::StatusOr<PeerToken>& token);
// What Verdict() is of a TCP peer of this uid, whose address is `ip`.
std::string User(uid_t uid, const std::string& ip = "127.0.0.1");

// And of a UDP peer.
std::string WeakUser(uid_t uid, const std::string& ip = "127.0.0.1");

// Of FromSocket(), with kPlain: no names.
std::string VerdictOf(int fd, const PeerOptions& options = kPlain);

// Writes `map` into the uid_map or gid_map of a process that unshared its user namespace.
void WriteIdMap(pid_t pid, const char* file, const std::string& map);

// Fails a test that leaves a descriptor open, but for those that this thread keeps to ask the
// kernel.
class InetPeerTest : public PeerTest {
 protected:
  void SetUp() override;
};

}  // namespace peer_testing
}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_INET_TESTING_H_
