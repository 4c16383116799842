#include "reeve/adapters/socket/peer.h"

#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/diag/local_peer.h"
#include "reeve/adapters/socket/process_number.h"
#include "reeve/adapters/socket/socket_kind.h"
#include "reeve/adapters/socket/unix/kernel.h"
#include "reeve/adapters/socket/unix/unix_peer.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/text.h"
#include "reeve/engine/value.h"

namespace reeve {
namespace {

using socket_internal::HostName;
using socket_internal::Kernel;
using socket_internal::KernelUser;
using socket_internal::NotASocket;
using socket_internal::OptionOf;
using socket_internal::UnixPeer;
using socket_internal::WrongType;

// Of a refusal's message.
constexpr size_t kMaxEvidenceBytes = 500;

const NameService& NamesOf(const PeerOptions& options) {
  return options.names != nullptr ? *options.names : NameService::System();
}

// The ends of an AF_INET or AF_INET6 socket. `own` is what getsockname(2) told.
absl::StatusOr<SocketPeer> EndsOf(int fd, const sockaddr_storage& own, socklen_t own_size,
                                  const sockaddr* peer, socklen_t peer_size) {
  const absl::StatusOr<int> type = socket_internal::InetTypeOf(fd);
  if (!type.ok()) return type.status();
  SocketPeer ends;
  ends.fd = fd;
  ends.family = own.ss_family;
  ends.type = *type;
  const auto as_endpoint = [](const sockaddr_storage& address, socklen_t size) {
    return IpEndpoint::From(reinterpret_cast<const sockaddr*>(&address), size)
        .value_or(IpEndpoint());
  };
  ends.local = as_endpoint(own, own_size);
  sockaddr_storage connected;
  socklen_t connected_size = sizeof(connected);
  if (getpeername(fd, reinterpret_cast<sockaddr*>(&connected), &connected_size) == 0) {
    ends.peer = as_endpoint(connected, connected_size);
  } else if (*type == SOCK_STREAM) {
    return MakePeerError(
        PeerError::kNotConnected,
        absl::StrCat("fd ", fd, " is not connected: ", std::strerror(errno),
                     "; pass the socket that accept() returned, while the peer is there"));
  } else {
    absl::StatusOr<IpEndpoint> sender = socket_internal::GivenPeer(own.ss_family, peer, peer_size);
    if (!sender.ok()) return sender.status();
    ends.peer = *sender;
  }
  const absl::StatusOr<bool> local = socket_internal::IsLocalAddress(fd, ends.peer.address);
  if (!local.ok()) return local.status();
  ends.peer_is_local = *local;
  return ends;
}

// What the kernel says of a peer on this machine. NotFound where it is not to be asked.
absl::StatusOr<PeerIdentity> AskKernel(const SocketPeer& ends, const PeerOptions& options,
                                       uid_t* uid) {
  const bool stream = ends.type == SOCK_STREAM;
  if (!ends.peer_is_local || !(stream ? options.local_tcp : options.local_udp)) {
    return absl::NotFoundError("the kernel is not asked");
  }
  const absl::StatusOr<socket_internal::LocalPeer> peer =
      stream ? socket_internal::FindTcpPeer(ends) : socket_internal::FindUdpPeer(ends);
  if (!peer.ok()) return peer.status();
  KernelUser user;
  user.uid = *uid = peer->uid;
  absl::StatusOr<Principal> principal = socket_internal::PrincipalOf(&user, NamesOf(options));
  if (!principal.ok()) return principal.status();
  principal->assurance = stream ? Assurance::kKernel : Assurance::kKernelWeak;
  principal->via = stream ? "tcp" : "udp";
  principal->evidence = absl::StrCat(peer->evidence, " groups=partial");
  PeerIdentity identity;
  identity.user = *std::move(principal);
  return identity;
}

}  // namespace

absl::StatusOr<PeerToken> PeerToken::FromUnixPeer(UnixPeer peer, const PeerOptions& options) {
  PeerToken token;
  token.pidfd_ = peer.pidfd;
  token.process_number_ = peer.process_number;
  token.pid_ = peer.pid;
  token.uid_ = peer.user.uid;
  token.gid_ = *peer.user.gid;
  token.secured_ = true;
  if (options.require_live_process && !token.alive().value_or(false)) {
    return MakePeerError(
        PeerError::kStale,
        token.pidfd_ >= 0 || peer.exited
            ? absl::StrCat("the process that connected, pid ", token.pid_,
                           ", has exited; connect from a process that lives on")
            : std::string("this kernel cannot tell whether the process that connected lives; run "
                          "Linux 6.5 or later, or do not require it"));
  }
  absl::StatusOr<Principal> principal = socket_internal::PrincipalOf(&peer.user, NamesOf(options));
  if (!principal.ok()) return principal.status();
  if (peer.user.groups_known) {
    token.unix_identity_ =
        UnixIdentity{token.uid_, token.gid_, {peer.user.groups.begin(), peer.user.groups.end()}};
  }
  principal->assurance = token.pidfd_ >= 0 ? Assurance::kKernel : Assurance::kKernelWeak;
  principal->attributes.Set("pid", Value::Int(token.pid_));
  principal->via = "unix";
  principal->evidence =
      absl::StrCat(peer.evidence, principal->groups_complete ? "" : " groups=partial");
  token.user_ = *std::move(principal);
  return token;
}

absl::Status PeerToken::Take(absl::StatusOr<PeerIdentity> identity) {
  if (absl::IsNotFound(identity.status())) return absl::OkStatus();
  if (!identity.ok()) return identity.status();
  if (identity->user.has_value() && user_.has_value() && identity->user->id != user_->id) {
    return MakePeerError(
        PeerError::kAmbiguous,
        absl::StrCat("the peer is `", ToString(user_->id), "` by ", user_->via, " and `",
                     ToString(identity->user->id), "` by ", identity->user->via,
                     "; map both to one name, or do not ask one of them"));
  }
  if (!user_.has_value()) user_ = std::move(identity->user);
  if (!host_.has_value()) host_ = std::move(identity->host);
  encrypted_ = encrypted_ || identity->encrypted;
  secured_ = true;
  return absl::OkStatus();
}

absl::StatusOr<PeerToken> FromSocketBy(const Kernel& kernel, int fd, const sockaddr* peer,
                                       socklen_t peer_size, const PeerOptions& options) {
  sockaddr_storage own;
  socklen_t own_size = sizeof(own);
  own.ss_family = AF_UNSPEC;
  if (getsockname(fd, reinterpret_cast<sockaddr*>(&own), &own_size) != 0) return NotASocket(fd);
  if (own.ss_family == AF_UNIX) {
    const absl::StatusOr<int> type = OptionOf(fd, SO_TYPE);
    if (!type.ok()) return type.status();
    if (*type == SOCK_DGRAM) {
      return MakePeerError(
          PeerError::kType,
          absl::StrCat("fd ", fd,
                       " is a datagram socket of AF_UNIX, of which each message "
                       "tells its sender; use PassCredentials() and FromMessage()"));
    }
    if (*type != SOCK_STREAM && *type != SOCK_SEQPACKET) return WrongType(fd, *type, 0);
    const bool named = own_size > offsetof(sockaddr_un, sun_path);
    absl::StatusOr<UnixPeer> found = PeerOfUnixSocket(kernel, fd, named, options.origin);
    if (!found.ok()) return found.status();
    return PeerToken::FromUnixPeer(*std::move(found), options);
  }
  if (absl::Status status = socket_internal::CheckInetFamily(fd, own.ss_family); !status.ok()) {
    return status;
  }
  const absl::StatusOr<SocketPeer> ends = EndsOf(fd, own, own_size, peer, peer_size);
  if (!ends.ok()) return ends.status();

  using Mechanism = PeerSource::Mechanism;
  PeerToken token;
  token.secured_ = ends->peer_is_local;
  for (const Mechanism mechanism :
       {Mechanism::kTls, Mechanism::kIpsec, Mechanism::kWireguard, Mechanism::kOther}) {
    for (const PeerSource* source : options.sources) {
      if (source->mechanism() != mechanism) continue;
      if (absl::Status status = token.Take(source->Identify(*ends)); !status.ok()) return status;
    }
  }
  token.uid_forgeable_ = ends->type == SOCK_DGRAM;
  absl::Status status = token.Take(AskKernel(*ends, options, &token.uid_));
  if (!status.ok()) return status;
  if (!token.user_.has_value() && !token.host_.has_value()) {
    return MakePeerError(
        PeerError::kNoToken,
        absl::StrCat("nobody vouches for the peer at ", ends->peer.ToString(),
                     "; connect within this machine, or by TLS with a certificate, IPsec or "
                     "WireGuard, and name that in PeerOptions::sources"));
  }
  return token;
}

absl::StatusOr<PeerToken> PeerToken::FromSocket(int fd, const sockaddr* peer, socklen_t peer_size,
                                                const PeerOptions& options) {
  return FromSocketBy(Kernel::kRunning, fd, peer, peer_size, options);
}

absl::StatusOr<PeerToken> PeerToken::FromSocket(int fd, const PeerOptions& options) {
  return FromSocketBy(Kernel::kRunning, fd, nullptr, 0, options);
}

absl::StatusOr<PeerToken> PeerToken::FromMessage(const msghdr& message,
                                                 const PeerOptions& options) {
  absl::StatusOr<UnixPeer> peer = SenderOfUnixMessage(Kernel::kRunning, message);
  if (!peer.ok()) return peer.status();
  return FromUnixPeer(*std::move(peer), options);
}

PeerToken::PeerToken(PeerToken&& other) noexcept { *this = std::move(other); }

PeerToken& PeerToken::operator=(PeerToken&& other) noexcept {
  if (this == &other) return *this;
  if (pidfd_ >= 0) close(pidfd_);
  user_ = std::move(other.user_);
  host_ = std::move(other.host_);
  secured_ = other.secured_;
  encrypted_ = other.encrypted_;
  uid_ = other.uid_;
  gid_ = other.gid_;
  uid_forgeable_ = other.uid_forgeable_;
  pid_ = other.pid_;
  pidfd_ = std::exchange(other.pidfd_, -1);
  process_number_ = std::exchange(other.process_number_, std::nullopt);
  unix_identity_ = std::move(other.unix_identity_);
  return *this;
}

PeerToken::~PeerToken() {
  if (pidfd_ >= 0) close(pidfd_);
}

std::optional<bool> PeerToken::alive() const {
  if (pidfd_ < 0) return std::nullopt;
  return IsRunning(pidfd_);
}

absl::Status PassCredentials(int fd) {
  const absl::StatusOr<int> family = OptionOf(fd, SO_DOMAIN);
  if (!family.ok()) return family.status();
  if (*family != AF_UNIX) {
    return MakePeerError(PeerError::kType,
                         absl::StrCat("fd ", fd, " is a socket of address family ", *family,
                                      ", which does not tell who sends; pass one of AF_UNIX"));
  }
  const int on = 1;
  if (setsockopt(fd, SOL_SOCKET, SO_PASSCRED, &on, sizeof(on)) != 0 ||
      (setsockopt(fd, SOL_SOCKET, socket_internal::kPassPidfd, &on, sizeof(on)) != 0 &&
       errno != ENOPROTOOPT)) {  // Before Linux 6.5.
    return MakePeerError(PeerError::kType,
                         absl::StrCat("fd ", fd, " cannot tell who sends: ", std::strerror(errno),
                                      "; pass a socket of AF_UNIX"));
  }
  return absl::OkStatus();
}

Principal UnidentifiedPeer(const absl::Status& refusal) {
  const std::optional<PeerError> error = PeerErrorOf(refusal);
  const std::string why =
      error.has_value() ? std::string(ToString(*error)) : absl::StatusCodeToString(refusal.code());
  Principal principal;
  principal.via = "socket";
  principal.host = HostName();
  principal.evidence =
      Printable(absl::StrCat("refused: ", why, ": ", refusal.message()), kMaxEvidenceBytes);
  return principal;
}

}  // namespace reeve
