// Private to this folder: the only place that hands exported bytes to libgssapi.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_IMPORT_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_IMPORT_H_

#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/adapters/context/krb5/gss.h"

namespace reeve {

// Errors: kMechanism, whatever libgssapi says of its reason: of a truncated context MIT says
// ENOMEM.
absl::StatusOr<GssContext> ImportGssContext(std::string_view bytes);
absl::StatusOr<GssCredential> ImportGssCredential(std::string_view bytes);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_IMPORT_H_
