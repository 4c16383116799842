// The entity that a principal of Kerberos is. Nothing here says whether the name is to be believed.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_NAME_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_NAME_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/engine/entity.h"

namespace reeve {

struct Krb5Named {
  EntityId id;
  EntityId realm;  // `realm:EXAMPLE.COM`
};

// The entity of the principal that libkrb5 writes as `text` (krb5_unparse_name(3)). Each has one
// entity, and no two have the same:
//
//   ada@EXAMPLE.COM                         user:ada@EXAMPLE.COM
//   host/web-1.example.com@EXAMPLE.COM      host:web-1.example.com@EXAMPLE.COM
//   http/web-1.example.com@EXAMPLE.COM      service:http/web-1.example.com@EXAMPLE.COM
//   root/admin@EXAMPLE.COM                  service:root/admin@EXAMPLE.COM, for names do not tell
//                                           which instances are of people
//   ldap/dc-1.example.com/example.com@...   service:ldap/dc-1.example.com/example.com@...
//
// Case is kept, as Kerberos does. Windows names machines like users: user:WEB-1$@EXAMPLE.COM.
//
// Errors: kMechanism  the name has no realm; more than three components, or an empty one; an
//                     escape, which stands for a slash, an @, a backslash or a control character
//                     within a component; it is of the reserved WELLKNOWN (RFC 6111), as anonymous
//                     is; or the ids are not well-formed (DefectOf())
absl::StatusOr<Krb5Named> NamedByKrb5(std::string_view text);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_NAME_H_
