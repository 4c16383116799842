#include "reeve/adapters/socket/ipsec/vici.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/engine/text.h"

namespace reeve::socket_internal {
namespace {

bool HasName(ViciType type) {
  return type == ViciType::kCommandRequest || type == ViciType::kEventRegister ||
         type == ViciType::kEventUnregister || type == ViciType::kEvent;
}

uint8_t ByteAt(std::string_view text, size_t index) { return static_cast<uint8_t>(text[index]); }

int64_t Now() {
  timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return int64_t{now.tv_sec} * 1000000000 + now.tv_nsec;
}

absl::Status Refused(const std::string& path, absl::string_view what) {
  return MakePeerError(PeerError::kUnavailable, absl::StrCat(Printable(path), ": ", what));
}

absl::Status CheckFile(const std::string& path) {
  struct stat file;
  if (lstat(path.c_str(), &file) != 0) {
    return Refused(path,
                   absl::StrCat("charon's control socket cannot be found: ", std::strerror(errno),
                                "; start charon, or name its socket `charon.plugins.vici."
                                "socket`"));
  }
  if (!S_ISSOCK(file.st_mode)) {
    return Refused(path, "is no socket, or a symbolic link; name charon's control socket itself");
  }
  if (file.st_uid != 0 && file.st_uid != geteuid()) {
    return Refused(path, absl::StrCat("belongs to uid ", file.st_uid,
                                      ", who could say anything; charon's belongs to root"));
  }
  if ((file.st_mode & S_IWOTH) != 0) {
    return Refused(path, "anybody may write to it; run `chmod o-w` on it");
  }
  return absl::OkStatus();
}

absl::Status CheckListener(int fd, const std::string& path) {
  ucred listener = {0, static_cast<uid_t>(-1), static_cast<gid_t>(-1)};
  socklen_t size = sizeof(listener);
  if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) {
    return Refused(path, absl::StrCat("SO_PEERCRED: ", std::strerror(errno)));
  }
  if (listener.uid != 0 && listener.uid != geteuid()) {
    return Refused(path, absl::StrCat("uid ", listener.uid,
                                      " listens at it, who could say anything; charon runs as "
                                      "root"));
  }
  return absl::OkStatus();
}

}  // namespace

std::optional<ViciPacket> ParseViciPacket(std::string_view bytes) {
  if (bytes.empty() || ByteAt(bytes, 0) > static_cast<uint8_t>(ViciType::kEvent)) {
    return std::nullopt;
  }
  ViciPacket packet = {static_cast<ViciType>(ByteAt(bytes, 0)), {}, bytes.substr(1)};
  if (!HasName(packet.type)) return packet;
  if (packet.message.empty()) return std::nullopt;
  const size_t size = ByteAt(packet.message, 0);
  packet.message.remove_prefix(1);
  if (size > packet.message.size()) return std::nullopt;
  packet.name = packet.message.substr(0, size);
  packet.message.remove_prefix(size);
  return packet;
}

std::string MakeViciPacket(ViciType type, std::string_view name, std::string_view message) {
  const size_t size = 1 + (HasName(type) ? 1 + name.size() : 0) + message.size();
  std::string packet;
  for (int shift = 24; shift >= 0; shift -= 8) packet += static_cast<char>(size >> shift);
  packet += static_cast<char>(type);
  if (HasName(type)) {
    packet += static_cast<char>(name.size());
    packet += name;
  }
  packet += message;
  return packet;
}

std::string ViciKeyValue(std::string_view key, std::string_view value) {
  std::string element;
  element += static_cast<char>(ViciReader::Element::kKeyValue);
  element += static_cast<char>(key.size());
  element += key;
  element += static_cast<char>(value.size() >> 8);
  element += static_cast<char>(value.size());
  element += value;
  return element;
}

bool ViciReader::Malformed() {
  malformed_ = true;
  rest_ = {};
  return false;
}

bool ViciReader::TakeName() {
  if (rest_.empty()) return false;
  const size_t size = ByteAt(rest_, 0);
  rest_.remove_prefix(1);
  if (size == 0 || size > rest_.size()) return false;
  name_ = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool ViciReader::TakeValue() {
  if (rest_.size() < 2) return false;
  const size_t size = ByteAt(rest_, 0) << 8 | ByteAt(rest_, 1);
  rest_.remove_prefix(2);
  if (size > rest_.size()) return false;
  value_ = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool ViciReader::Next() {
  if (malformed_) return false;
  if (rest_.empty()) return depth_ == 0 && !in_list_ ? false : Malformed();
  const uint8_t byte = ByteAt(rest_, 0);
  rest_.remove_prefix(1);
  element_ = static_cast<Element>(byte);
  value_ = {};
  // Within a list there are items, and its end; elsewhere everything else.
  const bool of_list = element_ == Element::kListItem || element_ == Element::kListEnd;
  if (of_list != in_list_) return Malformed();
  switch (element_) {
    case Element::kSectionStart:
      if (depth_ == kMaxViciDepth || !TakeName()) return Malformed();
      ++depth_;
      return true;
    case Element::kSectionEnd:
      if (depth_ == 0) return Malformed();
      --depth_;
      name_ = {};
      return true;
    case Element::kKeyValue:
      return TakeName() && TakeValue() ? true : Malformed();
    case Element::kListStart:
      in_list_ = true;
      return TakeName() ? true : Malformed();
    case Element::kListItem:
      return TakeValue() ? true : Malformed();
    case Element::kListEnd:
      in_list_ = false;
      return true;
  }
  return Malformed();
}

Deadline::Deadline(absl::Duration limit)
    : end_nanoseconds_(Now() + absl::ToInt64Nanoseconds(limit)) {}

int Deadline::remaining() const {
  return static_cast<int>(std::max<int64_t>(0, end_nanoseconds_ - Now() + 999999) / 1000000);
}

ViciConnection::ViciConnection(ViciConnection&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      path_(std::move(other.path_)),
      buffer_(std::move(other.buffer_)) {}

ViciConnection::~ViciConnection() {
  if (fd_ >= 0) close(fd_);
}

absl::Status ViciConnection::Unavailable(absl::string_view what) const {
  return Refused(path_, what);
}

absl::StatusOr<ViciConnection> ViciConnection::Open(const std::string& path,
                                                    const Deadline& deadline) {
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof(address.sun_path)) return Refused(path, "is too long for a socket");
  std::memcpy(address.sun_path, path.data(), path.size());
  if (absl::Status status = CheckFile(path); !status.ok()) return status;

  ViciConnection connection(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), path);
  if (connection.fd_ < 0) return connection.Unavailable(std::strerror(errno));
  // charon takes connections one by one, and lets three wait: with more than that connect(2) waits,
  // as long as the socket's send timeout says (unix(7)).
  int connected;
  do {
    const int remaining = deadline.remaining();
    if (remaining == 0) {
      errno = EAGAIN;
      connected = -1;
      break;
    }
    const timeval limit = {remaining / 1000, remaining % 1000 * 1000};
    if (setsockopt(connection.fd_, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) != 0) {
      return connection.Unavailable(std::strerror(errno));
    }
    connected = connect(connection.fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address));
  } while (connected != 0 && errno == EINTR);
  if (connected != 0) {
    return connection.Unavailable(
        errno == EAGAIN
            ? "charon did not answer in time; see whether it hangs"
            : absl::StrCat("charon does not listen: ", std::strerror(errno), "; start it"));
  }
  if (absl::Status status = CheckListener(connection.fd_, path); !status.ok()) return status;
  return connection;
}

absl::Status ViciConnection::Send(std::string_view packet, const Deadline& deadline) {
  while (!packet.empty()) {
    pollfd writable = {fd_, POLLOUT, 0};
    const int remaining = deadline.remaining();
    const int ready = remaining == 0 ? 0 : poll(&writable, 1, remaining);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Unavailable("charon did not answer in time; see whether it hangs");
    const ssize_t sent = send(fd_, packet.data(), packet.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (sent < 0) return Unavailable(absl::StrCat("charon hung up: ", std::strerror(errno)));
    packet.remove_prefix(sent);
  }
  return absl::OkStatus();
}

absl::Status ViciConnection::ReceiveBytes(char* to, size_t size, const Deadline& deadline) {
  while (size > 0) {
    pollfd readable = {fd_, POLLIN, 0};
    const int remaining = deadline.remaining();
    const int ready = remaining == 0 ? 0 : poll(&readable, 1, remaining);
    if (ready < 0 && errno == EINTR) continue;
    if (ready <= 0) return Unavailable("charon did not answer in time; see whether it hangs");
    const ssize_t got = recv(fd_, to, size, MSG_DONTWAIT);
    if (got < 0 && (errno == EINTR || errno == EAGAIN)) continue;
    if (got < 0) return Unavailable(absl::StrCat("charon hung up: ", std::strerror(errno)));
    if (got == 0) return Unavailable("charon hung up; see its log");
    to += got;
    size -= got;
  }
  return absl::OkStatus();
}

absl::StatusOr<ViciPacket> ViciConnection::Receive(const Deadline& deadline) {
  char length[4];
  if (absl::Status status = ReceiveBytes(length, sizeof(length), deadline); !status.ok()) {
    return status;
  }
  size_t size = 0;
  for (const char byte : length) size = size << 8 | static_cast<uint8_t>(byte);
  if (size > kMaxViciPacketBytes) {
    return Unavailable("a packet is too long; see whether charon listens there");
  }
  buffer_.resize(size);
  if (absl::Status status = ReceiveBytes(buffer_.data(), size, deadline); !status.ok()) {
    return status;
  }
  const std::optional<ViciPacket> packet = ParseViciPacket(buffer_);
  if (!packet.has_value()) {
    return Unavailable("a packet is malformed; see whether charon listens there");
  }
  return *packet;
}

absl::Status ViciConnection::Stream(std::string_view command, std::string_view event,
                                    std::string_view arguments, size_t max_bytes,
                                    const Deadline& deadline,
                                    absl::FunctionRef<bool(std::string_view message)> take) {
  // One after the other: were the events not registered yet when the command runs, what it lists
  // would be missing, and nobody would know.
  absl::Status sent = Send(MakeViciPacket(ViciType::kEventRegister, event), deadline);
  if (!sent.ok()) return sent;
  absl::StatusOr<ViciPacket> packet = Receive(deadline);
  if (!packet.ok()) return packet.status();
  const absl::Status nonsense =
      Unavailable("charon's answer makes no sense here; see whether it is strongSwan 5.9 or 6");
  if (packet->type != ViciType::kEventConfirm) return nonsense;
  sent = Send(MakeViciPacket(ViciType::kCommandRequest, command, arguments), deadline);
  if (!sent.ok()) return sent;
  for (size_t total = 0;;) {
    packet = Receive(deadline);
    if (!packet.ok()) return packet.status();
    total += buffer_.size();
    if (total > max_bytes) {
      return Unavailable(absl::StrCat("charon's answer is beyond ", max_bytes,
                                      " bytes; it has too many connections for this"));
    }
    if (packet->type == ViciType::kCommandResponse) break;
    if (packet->type != ViciType::kEvent || packet->name != event || !take(packet->message)) {
      return nonsense;
    }
  }
  // The response is empty, or says how the command failed: {success = no, errmsg = ...}.
  ViciReader reader(packet->message);
  while (reader.Next()) {
    if (reader.element() == ViciReader::Element::kKeyValue && reader.name() == "success" &&
        reader.value() != "yes") {
      return Unavailable("charon could not answer; see its log");
    }
  }
  return reader.malformed() ? nonsense : absl::OkStatus();
}

}  // namespace reeve::socket_internal
