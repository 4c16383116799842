// Whatever a key set holds, reading it neither crashes nor makes keys that verify what nobody
// signed.
#include <openssl/err.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/context/jwt/jwk_set.h"
#include "reeve/engine/text.h"

namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckSet(std::string_view text, reeve::JwkUse use) {
  const absl::StatusOr<std::shared_ptr<const reeve::JwkSet>> set = reeve::JwkSet::Parse(text, use);
  if (!set.ok()) {
    const std::string message(set.status().message());
    Check(set.status().code() == absl::StatusCode::kInvalidArgument);
    Check(!message.empty() && message.size() < 1000 && !reeve::HasControlCharacter(message));
    return;
  }
  const std::vector<reeve::Jwk>& keys = (*set)->keys();
  Check(!keys.empty() && keys.size() + (*set)->ignored().size() <= reeve::kMaxJwks);
  for (size_t i = 0; i < keys.size(); ++i) {
    Check(!keys[i].kid().empty() && keys[i].kid().size() <= reeve::kMaxKeyIdBytes);
    Check(i == 0 || keys[i - 1].kid() < keys[i].kid());
    Check((*set)->Find(keys[i].kid()) == &keys[i]);
    // Of a few only: a long key takes long.
    if (i >= 4) continue;
    for (const size_t size : {0, 64, 96, 132, 256}) {
      Check(!keys[i].Verify("text", std::string(size, '\x01')));
    }
  }
  for (const std::string& why : (*set)->ignored()) Check(!reeve::HasControlCharacter(why));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  CheckSet(text, reeve::JwkUse::kSignature);
  CheckSet(text, reeve::JwkUse::kJwtSvid);
  Check(ERR_peek_error() == 0);
  return 0;
}
