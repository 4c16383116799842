#include "reeve/examples/document_server/lines.h"

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

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

bool SendLine(int fd, std::string_view line) {
  std::string bytes(line);
  bytes += '\n';
  for (size_t sent = 0; sent < bytes.size();) {
    const ssize_t size = send(fd, bytes.data() + sent, bytes.size() - sent, MSG_NOSIGNAL);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0) return false;
    sent += static_cast<size_t>(size);
  }
  return true;
}

LineReader::Result LineReader::Next(std::string* line) {
  for (;;) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos && end <= kMaxLineBytes) {
      line->assign(buffer_, 0, end);
      buffer_.erase(0, end + 1);
      return Result::kLine;
    }
    if (buffer_.size() > kMaxLineBytes) return Result::kTooLong;
    char bytes[kMaxLineBytes];
    const ssize_t size = recv(fd_, bytes, sizeof(bytes), 0);
    if (size < 0 && errno == EINTR) continue;
    if (size <= 0) return Result::kEnd;
    buffer_.append(bytes, static_cast<size_t>(size));
  }
}

}  // namespace document_server
