#include "reeve/adapters/socket/ipsec/ike_name.h"

#include <algorithm>
#include <optional>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/engine/text.h"

namespace reeve::socket_internal {
namespace {

absl::Status BadName(std::string_view id, absl::string_view what) {
  return MakePeerError(PeerError::kBadName,
                       absl::StrCat("the IKE identity `", Printable(id), "` ", what));
}

// charon compares host and user names without regard to case, so one name has many spellings, of
// which the peer chooses. This is the one that stands for all.
std::string Lower(std::string_view text) { return absl::AsciiStrToLower(std::string(text)); }

// Of what comes before the `@`: letters, digits, and what is safe in a policy and in a record. Not
// `?` and `*`: charon writes `?` for what it cannot print, and `*` is a pattern.
bool IsAccountName(std::string_view text) {
  return !text.empty() && text.size() <= 256 &&
         std::all_of(text.begin(), text.end(), [](unsigned char c) {
           return absl::ascii_isalnum(c) ||
                  std::string_view("!#$%&'+-.^_`{|}~").find(c) != std::string_view::npos;
         });
}

absl::StatusOr<EntityId> UserOf(std::string_view id, const IkeNameRules& rules) {
  const size_t at = id.find('@');
  const std::string_view name = id.substr(0, at);
  const std::string_view realm =
      at == std::string_view::npos ? rules.default_realm : id.substr(at + 1);
  if (realm.empty()) {
    return BadName(id,
                   "has no realm, and could be mistaken for a user of this machine; set "
                   "default_realm, or use names such as ada@example.com");
  }
  if (!IsAccountName(name) || !IsDomainName(realm)) {
    return BadName(id, "is no name of a user; use one such as ada@example.com");
  }
  std::string canonical_realm = Lower(realm);
  if (rules.realm_in_capitals) absl::AsciiStrToUpper(&canonical_realm);
  return EntityId("user", absl::StrCat(Lower(name), "@", canonical_realm));
}

}  // namespace

bool IsDomainName(std::string_view text) {
  if (text.empty() || text.size() > 253) return false;
  bool in_label = false;
  for (const unsigned char c : text) {
    if (c == '.') {
      if (!in_label) return false;
      in_label = false;
    } else if (absl::ascii_isalnum(c) || c == '-' || c == '_') {
      in_label = true;
    } else {
      return false;
    }
  }
  return in_label;
}

absl::StatusOr<EntityId> EntityOfIkeId(std::string_view id, bool account,
                                       const IkeNameRules& rules) {
  if (account) return UserOf(id, rules);
  // A certificate's subject, before all else: it may have an `@` in it.
  if (id.find('=') != std::string_view::npos) {
    const bool usable = rules.subjects_are_hosts && id.find('?') == std::string_view::npos &&
                        DefectOf({"host", id}).empty();
    if (usable) return EntityId("host", std::string(id));
    return BadName(id,
                   "is a certificate's subject, which a policy does not name; let the peer use "
                   "the DNS name or the mail address in its certificate (`id` in swanctl.conf)");
  }
  if (id.find('@') != std::string_view::npos) return UserOf(id, rules);
  if (const std::optional<IpAddress> address = IpAddress::Parse(id); address.has_value()) {
    // One spelling each; an IPv4 address that is mapped into IPv6 is two.
    std::string canonical = address->ToString();
    if (address->is_v6 == (id.find(':') != std::string_view::npos)) {
      return EntityId("host", std::move(canonical));
    }
  }
  if (!IsDomainName(id)) {
    return BadName(id, "is no name of a host; use a DNS name (`id` in swanctl.conf)");
  }
  return EntityId("host", Lower(id));
}

}  // namespace reeve::socket_internal
