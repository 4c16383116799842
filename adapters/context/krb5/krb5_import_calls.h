// For tests of every folder: what reached libgssapi.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_IMPORT_CALLS_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_IMPORT_CALLS_H_

#include <cstdint>

namespace reeve {

// How often this process has called gss_import_sec_context(3) or gss_import_cred(3), by
// Krb5Package and ImportDelegated(). Bytes that were changed on their way must not make it more.
//
// Thread-safe.
uint64_t Krb5ImportCalls();

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_IMPORT_CALLS_H_
