#include "reeve/adapters/socket/security/peer_security.h"

#include "reeve/adapters/socket/peer_error.h"

namespace reeve {

absl::StatusOr<PeerSecurity> QueryPeerSecurity(int fd, const sockaddr* peer, socklen_t peer_size,
                                               const PeerOptions& options) {
  const absl::StatusOr<PeerToken> token = PeerToken::FromSocket(fd, peer, peer_size, options);
  PeerSecurity security;
  if (PeerErrorOf(token.status()) == PeerError::kNoToken) return security;
  if (!token.ok()) return token.status();
  security.secured = token->secured();
  security.encrypted = token->encrypted();
  if (token->user() != nullptr) security.user = *token->user();
  if (token->host() != nullptr) security.host = *token->host();
  return security;
}

}  // namespace reeve
