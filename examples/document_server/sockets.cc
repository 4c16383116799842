#include "reeve/examples/document_server/sockets.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <memory>
#include <system_error>

namespace document_server {
namespace {

constexpr mode_t kEveryUser = 0666;
constexpr int kBacklog = 128;

bool AddressOf(const std::string& path, sockaddr_un* address, std::string* error) {
  *address = {};
  address->sun_family = AF_UNIX;
  if (path.empty() || path.size() >= sizeof(address->sun_path)) {
    *error = path + ": the path of a socket has 1 to " +
             std::to_string(sizeof(address->sun_path) - 1) + " bytes";
    return false;
  }
  path.copy(address->sun_path, path.size());
  return true;
}

int Fail(int fd, const std::string& path, std::string* error) {
  *error = path + ": " + std::strerror(errno);
  if (fd >= 0) close(fd);
  return -1;
}

// Removes the socket of a server that is gone. False if the path is in use.
bool RemoveStale(const std::string& path, std::string* error) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) return true;
  if (!S_ISSOCK(info.st_mode)) {
    *error = path + ": is there, and no socket";
    return false;
  }
  const int fd = Connect(path, error);
  if (fd >= 0) {
    close(fd);
    *error = path + ": another server listens there";
    return false;
  }
  if (errno != ECONNREFUSED) return false;
  if (unlink(path.c_str()) == 0) return true;
  Fail(-1, path, error);
  return false;
}

struct Free {
  void operator()(addrinfo* list) const { freeaddrinfo(list); }
};
using Addresses = std::unique_ptr<addrinfo, Free>;

// "[::1]:7000" in two, without the brackets. False if it is not of that form.
bool Split(const std::string& address, std::string* host, std::string* port) {
  const size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size()) return false;
  *port = address.substr(colon + 1);
  unsigned number = 0;
  const char* const end = port->data() + port->size();
  const std::from_chars_result read = std::from_chars(port->data(), end, number);
  if (read.ec != std::errc() || read.ptr != end || number > 65535) return false;
  const bool brackets = address[0] == '[' && address[colon - 1] == ']';
  *host = brackets ? address.substr(1, colon - 2) : address.substr(0, colon);
  return !host->empty() && (brackets || host->find(':') == std::string::npos);
}

// What `address` may mean; null with *error set if nothing.
Addresses Resolve(const std::string& address, int flags, std::string* error) {
  std::string host, port;
  if (!Split(address, &host, &port)) {
    *error = address + ": is not HOST:PORT, such as 127.0.0.1:7000 or [::1]:7000";
    return nullptr;
  }
  addrinfo hints = {};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | flags;
  addrinfo* found = nullptr;
  if (const int why = getaddrinfo(host.c_str(), port.c_str(), &hints, &found); why != 0) {
    *error = address + ": " + gai_strerror(why);
    return nullptr;
  }
  return Addresses(found);
}

// A call that would wait for the answer to this one must not wait for its acknowledgement.
void SendAtOnce(int fd) {
  const int on = 1;
  setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
}

std::string Text(const sockaddr_storage& address, socklen_t size) {
  char host[NI_MAXHOST];
  char port[NI_MAXSERV];
  if (getnameinfo(reinterpret_cast<const sockaddr*>(&address), size, host, sizeof(host), port,
                  sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0) {
    return "?";
  }
  return address.ss_family == AF_INET6 ? "[" + std::string(host) + "]:" + port
                                       : std::string(host) + ":" + port;
}

}  // namespace

int Listen(const std::string& path, std::string* error) {
  sockaddr_un address;
  if (!AddressOf(path, &address, error) || !RemoveStale(path, error)) return -1;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 ||
      chmod(path.c_str(), kEveryUser) != 0 || listen(fd, kBacklog) != 0) {
    return Fail(fd, path, error);
  }
  return fd;
}

int Connect(const std::string& path, std::string* error) {
  sockaddr_un address;
  if (!AddressOf(path, &address, error)) return -1;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0 || connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) {
    const int why = errno;
    Fail(fd, path, error);
    errno = why;
    return -1;
  }
  return fd;
}

int ListenTcp(const std::string& address, std::string* error) {
  const Addresses found = Resolve(address, AI_NUMERICHOST | AI_PASSIVE, error);
  if (found == nullptr) return -1;
  const int fd = socket(found->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  // Else a server that starts again waits for the connections of the one before to be forgotten.
  if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
      bind(fd, found->ai_addr, found->ai_addrlen) != 0 || listen(fd, kBacklog) != 0) {
    return Fail(fd, address, error);
  }
  SendAtOnce(fd);  // Accepted sockets inherit it.
  return fd;
}

int ConnectTcp(const std::string& address, std::string* error) {
  const Addresses found = Resolve(address, 0, error);
  for (const addrinfo* one = found.get(); one != nullptr; one = one->ai_next) {
    const int fd = socket(one->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd >= 0 && connect(fd, one->ai_addr, one->ai_addrlen) == 0) {
      SendAtOnce(fd);
      return fd;
    }
    Fail(fd, address, error);
  }
  return -1;
}

std::string HostOf(const std::string& address) {
  std::string host, port;
  return Split(address, &host, &port) ? host : "";
}

std::string LocalAddress(int fd) {
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "?";
  return Text(address, size);
}

std::string PeerAddress(int fd) {
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) return "?";
  return Text(address, size);
}

}  // namespace document_server
