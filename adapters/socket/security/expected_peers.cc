#include "reeve/adapters/socket/security/expected_peers.h"

#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/socket_kind.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

bool IsConnected(int fd) {
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  return getpeername(fd, reinterpret_cast<sockaddr*>(&address), &size) == 0;
}

bool Is(const Principal* principal, const EntityId& name) {
  return principal != nullptr && principal->id == name;
}

}  // namespace

absl::StatusOr<ExpectedPeers::Key> ExpectedPeers::KeyOf(int fd, const sockaddr* peer,
                                                        socklen_t peer_size, bool* stream) {
  const absl::StatusOr<int> family = socket_internal::OptionOf(fd, SO_DOMAIN);
  if (!family.ok()) return family.status();
  uint64_t cookie = 0;
  socklen_t size = sizeof(cookie);
  if (getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size) != 0) {
    return socket_internal::NotASocket(fd);
  }
  if (*family == AF_UNIX) {
    const absl::StatusOr<int> type = socket_internal::OptionOf(fd, SO_TYPE);
    if (!type.ok()) return type.status();
    if (*type != SOCK_STREAM && *type != SOCK_SEQPACKET) {
      return socket_internal::WrongType(fd, *type, 0);
    }
    *stream = true;
    return Key(cookie, "");
  }
  if (absl::Status status = socket_internal::CheckInetFamily(fd, *family); !status.ok()) {
    return status;
  }
  const absl::StatusOr<int> type = socket_internal::InetTypeOf(fd);
  if (!type.ok()) return type.status();
  *stream = *type == SOCK_STREAM;
  if (*stream) return Key(cookie, "");
  const absl::StatusOr<IpEndpoint> endpoint = socket_internal::GivenPeer(*family, peer, peer_size);
  if (!endpoint.ok()) return endpoint.status();
  if (endpoint->address.is_unspecified() || endpoint->port == 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        "`", endpoint->ToString(), "` is the address of no peer; pass the one to send to"));
  }
  return Key(cookie, endpoint->ToString());
}

absl::Status ExpectedPeers::Set(int fd, const sockaddr* peer, socklen_t peer_size, EntityId name) {
  bool stream = false;
  absl::StatusOr<Key> key = KeyOf(fd, peer, peer_size, &stream);
  if (!key.ok()) return key.status();
  if (const std::string_view defect = DefectOf(name); !defect.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        "`", Printable(ToString(name)), "` is the name of no peer: ",
        absl::string_view(defect.data(), defect.size()), "; write `type:id`, such as `user:ada`"));
  }
  if (IsConnected(fd)) {
    return absl::FailedPreconditionError(
        absl::StrCat("fd ", fd, " is connected; say whom to expect before connect()"));
  }
  MutexLock lock(mutex_);
  if (names_.size() >= kMaxExpectations && names_.count(*key) == 0) {
    return absl::ResourceExhaustedError(absl::StrCat(
        "there are ", kMaxExpectations, " expected peers; call Clear() before a socket is closed"));
  }
  names_.insert_or_assign(*std::move(key), std::move(name));
  return absl::OkStatus();
}

absl::Status ExpectedPeers::Clear(int fd, const sockaddr* peer, socklen_t peer_size) {
  bool stream = false;
  const absl::StatusOr<Key> key = KeyOf(fd, peer, peer_size, &stream);
  if (!key.ok()) return key.status();
  MutexLock lock(mutex_);
  names_.erase(*key);
  return absl::OkStatus();
}

absl::StatusOr<PeerToken> ExpectedPeers::Check(int fd, const sockaddr* peer, socklen_t peer_size,
                                               const PeerOptions& options) const {
  bool stream = false;
  const absl::StatusOr<Key> key = KeyOf(fd, peer, peer_size, &stream);
  if (!key.ok()) return key.status();
  std::optional<EntityId> name;
  {
    MutexLock lock(mutex_);
    if (const auto found = names_.find(*key); found != names_.end()) name = found->second;
  }
  absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, peer, peer_size, options);
  if (!name.has_value()) return token;
  if (token.ok() && (Is(token->user(), *name) || Is(token->host(), *name))) return token;
  if (stream) shutdown(fd, SHUT_RDWR);
  const bool unknown = PeerErrorOf(token.status()) == PeerError::kNoToken;
  if (!token.ok() && !unknown) return token.status();
  const std::string who = unknown
                              ? "nobody that is known"
                              : absl::StrCat("`", Printable(ToString(token->principal().id)), "`");
  return MakePeerError(PeerError::kMismatch,
                       absl::StrCat("the peer is ", who, ", and `", ToString(*name),
                                    "` is expected; look who listens at that address"));
}

bool ExpectedPeers::Expects(int fd, const sockaddr* peer, socklen_t peer_size) const {
  bool stream = false;
  const absl::StatusOr<Key> key = KeyOf(fd, peer, peer_size, &stream);
  if (!key.ok()) return false;
  MutexLock lock(mutex_);
  return names_.count(*key) != 0;
}

size_t ExpectedPeers::size() const {
  MutexLock lock(mutex_);
  return names_.size();
}

}  // namespace reeve
