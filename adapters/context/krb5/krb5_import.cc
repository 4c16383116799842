#include "reeve/adapters/context/krb5/krb5_import.h"

#include <atomic>

#include "reeve/adapters/context/krb5/krb5_import_calls.h"

namespace reeve {
namespace {

std::atomic<uint64_t> calls{0};

}  // namespace

uint64_t Krb5ImportCalls() { return calls.load(std::memory_order_relaxed); }

absl::StatusOr<GssContext> ImportGssContext(std::string_view bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  gss_buffer_desc input = GssView(bytes);
  gss_ctx_id_t context = GSS_C_NO_CONTEXT;
  OM_uint32 minor;
  const OM_uint32 major = gss_import_sec_context(&minor, &input, &context);
  GssContext owned(context);
  if (major != GSS_S_COMPLETE) {
    return GssStatus(ContextError::kMechanism, "import the context", major, minor);
  }
  return owned;
}

absl::StatusOr<GssCredential> ImportGssCredential(std::string_view bytes) {
  calls.fetch_add(1, std::memory_order_relaxed);
  gss_buffer_desc input = GssView(bytes);
  gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
  OM_uint32 minor;
  const OM_uint32 major = gss_import_cred(&minor, &input, &credential);
  GssCredential owned(credential);
  if (major != GSS_S_COMPLETE) {
    return GssStatus(ContextError::kMechanism, "import the client's ticket", major, minor);
  }
  return owned;
}

}  // namespace reeve
