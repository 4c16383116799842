// Whatever the bytes are, reading them neither crashes nor takes more than they warrant; what is
// read can be who a context is of, and is written again as it was read.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "reeve/adapters/context/context_body.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_seal.h"

namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const absl::StatusOr<reeve::ContextBody> body = reeve::DecodeContextBody({data, size});
  if (!body.ok()) {
    Check(reeve::ContextErrorOf(body.status()).has_value());
    return 0;
  }
  Check(size <= reeve::kMaxSealedBodyBytes);
  Check(reeve::DefectOfContextPrincipal(body->principal).empty());
  const absl::StatusOr<reeve::SecretBytes> again = reeve::EncodeContextBody(*body);
  Check(again.ok());
  Check(again->view() == std::string_view(reinterpret_cast<const char*>(data), size));
  return 0;
}
