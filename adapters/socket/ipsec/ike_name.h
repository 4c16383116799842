// The entity that an identity of IKE names. Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_IPSEC_IKE_NAME_H_
#define REEVE_ADAPTERS_SOCKET_IPSEC_IKE_NAME_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/engine/entity.h"

namespace reeve::socket_internal {

struct IkeNameRules {
  std::string default_realm;
  bool realm_in_capitals = false;
  bool subjects_are_hosts = false;
};

// Dot-separated labels of letters, digits, `-` and `_`, of at most 253 bytes in all.
bool IsDomainName(std::string_view text);

// The entity of an identity as charon writes it. `account`: it is the name of an account (EAP,
// XAuth), so of a user, whatever it looks like. See IpsecPeers for the rules.
// Errors: kBadName.
absl::StatusOr<EntityId> EntityOfIkeId(std::string_view id, bool account,
                                       const IkeNameRules& rules);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_IPSEC_IKE_NAME_H_
