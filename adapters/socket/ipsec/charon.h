// What strongSwan's daemon knows of its peers. Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_IPSEC_CHARON_H_
#define REEVE_ADAPTERS_SOCKET_IPSEC_CHARON_H_

#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/ipsec/ike_name.h"
#include "reeve/adapters/socket/ipsec/sa.h"
#include "reeve/adapters/socket/ipsec/vici.h"
#include "reeve/engine/entity.h"

namespace reeve::socket_internal {

// Questions to charon, for one peer and within one time limit.
//
// One thread at a time.
class Charon {
 public:
  // Connects. Errors: as ViciConnection::Open().
  static absl::StatusOr<Charon> Ask(const std::string& socket_path, const Deadline& deadline);

  // All SAs. Errors: kUnavailable.
  absl::StatusOr<std::vector<IkeSa>> Sas();

  // Who is at the other end of `sa`. An id is of a host, or what it looks like, only if each round
  // of the connection's authentication is by a key: charon tells the name of an EAP account as the
  // IKE id if the peer sent the same for both.
  // Errors: kBadName, kUnavailable; kUnproved if charon has the connection no more.
  absl::StatusOr<EntityId> IdentityOf(const IkeSa& sa, const IkeNameRules& rules);

 private:
  Charon(ViciConnection vici, const Deadline& deadline)
      : vici_(std::move(vici)), deadline_(deadline) {}

  absl::Status ListConnections();

  ViciConnection vici_;
  Deadline deadline_;
  std::optional<std::vector<IkeConnection>> connections_;
};

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_IPSEC_CHARON_H_
