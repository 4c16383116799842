#include "reeve/adapters/socket/ipsec/charon.h"

#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/engine/text.h"

namespace reeve::socket_internal {
namespace {

// Of all SAs, and of all connections: some twenty thousand of them.
constexpr size_t kMaxListBytes = 32 << 20;

}  // namespace

absl::StatusOr<Charon> Charon::Ask(const std::string& socket_path, const Deadline& deadline) {
  absl::StatusOr<ViciConnection> vici = ViciConnection::Open(socket_path, deadline);
  if (!vici.ok()) return vici.status();
  return Charon(*std::move(vici), deadline);
}

absl::StatusOr<std::vector<IkeSa>> Charon::Sas() {
  std::vector<IkeSa> sas;
  // Without `noblock`, by which charon passes over an SA that is in use just now: what is not
  // listed would be taken for a peer without IPsec.
  absl::Status status = vici_.Stream("list-sas", "list-sa", "", kMaxListBytes, deadline_,
                                     [&sas](std::string_view text) {
                                       std::optional<IkeSa> sa = ParseIkeSa(text);
                                       if (!sa.has_value()) return false;
                                       sas.push_back(*std::move(sa));
                                       return true;
                                     });
  if (!status.ok()) return status;
  return sas;
}

absl::Status Charon::ListConnections() {
  std::vector<IkeConnection> connections;
  absl::Status status = vici_.Stream("list-conns", "list-conn", "", kMaxListBytes, deadline_,
                                     [&connections](std::string_view text) {
                                       std::optional<IkeConnection> connection =
                                           ParseIkeConnection(text);
                                       if (!connection.has_value()) return false;
                                       connections.push_back(*std::move(connection));
                                       return true;
                                     });
  if (status.ok()) connections_ = std::move(connections);
  return status;
}

absl::StatusOr<EntityId> Charon::IdentityOf(const IkeSa& sa, const IkeNameRules& rules) {
  if (!sa.account.empty()) return EntityOfIkeId(sa.account, true, rules);
  if (!connections_.has_value()) {
    if (absl::Status status = ListConnections(); !status.ok()) return status;
  }
  bool found = false;
  bool by_keys_only = true;
  for (const IkeConnection& connection : *connections_) {
    if (connection.name != sa.connection) continue;
    found = true;
    by_keys_only = by_keys_only && connection.by_keys_only();
  }
  if (!found) {
    return MakePeerError(PeerError::kUnproved,
                         absl::StrCat("charon has no connection `", Printable(sa.connection),
                                      "` any more, so how the peer proved itself cannot be told; "
                                      "load it again, or end the connection"));
  }
  return EntityOfIkeId(sa.remote_id, !by_keys_only, rules);
}

}  // namespace reeve::socket_internal
