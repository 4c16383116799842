// Private to this folder: what an established Kerberos context proves.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_CONTEXT_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_CONTEXT_H_

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/gss.h"
#include "reeve/adapters/context/krb5/krb5_options.h"

namespace reeve {

// Options that were checked, and the skew that is not in them.
struct Krb5Rules {
  Krb5Options options;
  absl::Duration skew;
};

// Errors: InvalidArgument, kInternal (krb5.conf cannot be read).
absl::StatusOr<Krb5Rules> MakeKrb5Rules(const Krb5Options& options);

// The context with its principal, as Krb5Package says. `context` is complete, by its maker's word.
// Errors: kMechanism, kExpired, kNotYetValid.
absl::StatusOr<EstablishedContext> DescribeKrb5(GssContext context, Krb5Mechanism mechanism,
                                                const Krb5Rules& rules, absl::Time now);

// The package of that mechanism.
inline std::string_view NameOf(Krb5Mechanism mechanism) {
  return mechanism == Krb5Mechanism::kKrb5 ? "krb5" : "spnego";
}

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_CONTEXT_H_
