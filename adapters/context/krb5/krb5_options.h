// What is asked of a Kerberos context, and what a principal is told of it. The same for those that
// are accepted here and those that are imported.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_OPTIONS_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_OPTIONS_H_

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"

namespace reeve {

// A token of a handshake is no longer, and no side sends more of them.
inline constexpr size_t kMaxKrb5TokenBytes = 65536;
inline constexpr int kMaxKrb5Rounds = 8;

// How Kerberos is spoken.
enum class Krb5Mechanism : uint8_t {
  kKrb5,    // By itself (RFC 4121); the package "krb5".
  kSpnego,  // Negotiated (RFC 4178), as browsers and Windows do; the package "spnego". What is
            // negotiated is Kerberos: nothing else is offered or taken.
};

struct Krb5Options {
  // The realms whose principals are believed; unset, all that the KDC's trust lets in. Realms are
  // compared by case.
  std::optional<std::vector<std::string>> realms;
  // Takes only contexts in which the server proved itself to the client, too.
  bool require_mutual = true;
  // Takes only contexts that protect messages, and find replays and gaps in them. A context without
  // has a session that wraps and unwraps nothing (kNotSupported).
  bool require_integrity = true;
  // The longest that a context is believed, from when it was accepted or opened; it expires with
  // its ticket in any case. More than zero.
  absl::Duration max_lifetime = absl::InfiniteDuration();
  // What MIT Kerberos adds to the end of a ticket for clocks that differ, and is subtracted here:
  // `clockskew` of the krb5.conf of who accepted the context. Unset, of this program's krb5.conf,
  // read when the object is made; 300 s if that says nothing. Not negative.
  std::optional<absl::Duration> skew;
  // Tells the account that the name stands for on this machine, as `auth_to_local` of krb5.conf
  // says (gss_localname(3)); nothing if there is none.
  bool local_name = false;
  // Tells these name attributes, by the attributes of the principal that they become, as bytes:
  // {"urn:mspac:client-info", "pac_client_info"}. For the buffers of a PAC, which the KDC signs.
  // One that is absent, not authenticated or not complete is not told; of several values, the
  // first. They are of the program's own format: nothing here reads them.
  std::map<std::string, std::string> pac;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_OPTIONS_H_
