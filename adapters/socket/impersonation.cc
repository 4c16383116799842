#include "reeve/adapters/socket/impersonation.h"

#include "reeve/adapters/socket/impersonate/user_database.h"
#include "reeve/adapters/socket/peer_error.h"

namespace reeve {

const Principal& Impersonation::principal() const {
  static const Principal& nobody = *new Principal();
  return token_.has_value() ? token_->principal() : nobody;
}

absl::StatusOr<UnixIdentity> Impersonation::Identity() const {
  if (!token_.has_value()) {
    return absl::FailedPreconditionError(
        "the impersonation has ended; call ImpersonateSocketPeer() again");
  }
  if (token_->unix_identity().has_value()) return *token_->unix_identity();
  if (token_->uid() == static_cast<uid_t>(-1)) {
    return absl::FailedPreconditionError(
        "the peer is no user of this machine, whom the kernel could act for; decide by its "
        "principal");
  }
  if (token_->uid_forgeable()) {
    return MakePeerError(PeerError::kUnproved,
                         "the peer's user is known by the address of a datagram, which can be "
                         "forged; use a connected socket to act as the user");
  }
  return ResolveUnixIdentity(token_->uid());
}

absl::StatusOr<Impersonation> ImpersonateSocketPeer(int fd, const sockaddr* peer,
                                                    socklen_t peer_size,
                                                    const PeerOptions& options) {
  absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, peer, peer_size, options);
  if (!token.ok()) return token.status();
  return Impersonation(*std::move(token));
}

absl::StatusOr<Impersonation> ImpersonateSender(const msghdr& message, const PeerOptions& options) {
  absl::StatusOr<PeerToken> token = PeerToken::FromMessage(message, options);
  if (!token.ok()) return token.status();
  return Impersonation(*std::move(token));
}

}  // namespace reeve
