#include "reeve/adapters/context/jwt/jwk_set.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/json/json_value.h"
#include "reeve/engine/text.h"
#include "reeve/engine/value.h"

namespace reeve {
namespace {

// A certificate chain in a key is depth 4.
constexpr JsonLimits kJsonLimits = {kMaxJwkSetBytes, 16, 64 * 1024};
constexpr size_t kShownBytes = 64;

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

template <typename... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

bool ByKid(const Jwk& a, const Jwk& b) { return a.kid() < b.kid(); }

}  // namespace

absl::StatusOr<std::shared_ptr<const JwkSet>> JwkSet::Parse(std::string_view json, JwkUse use) {
  const JsonValue text = ReadJson(json, kJsonLimits);
  if (text.defect != JsonDefect::kNone) return Wrong("the key set ", View(ToString(text.defect)));
  const Value* const list =
      text.value.kind() == Value::Kind::kMap ? text.value.map_value().Find("keys") : nullptr;
  if (list == nullptr || list->kind() != Value::Kind::kList) {
    return Wrong("the key set is not an object with a list `keys`");
  }
  if (list->list_value().size() > kMaxJwks) {
    return Wrong("the key set has ", list->list_value().size(), " keys, more than ", kMaxJwks);
  }
  std::vector<Jwk> keys;
  std::vector<std::string> ignored;
  for (size_t i = 0; i < list->list_value().size(); ++i) {
    absl::StatusOr<Jwk::Read> read = Jwk::FromJson(list->list_value()[i], use);
    const std::string name = absl::StrCat("key ", i + 1, " ");
    if (!read.ok()) {
      return absl::Status(read.status().code(), absl::StrCat(name, read.status().message()));
    }
    if (read->key.has_value()) {
      keys.push_back(*std::move(read->key));
    } else {
      ignored.push_back(name + read->ignored);
    }
  }
  if (keys.empty()) {
    return Wrong("the key set has no key that verifies tokens",
                 ignored.empty() ? "" : absl::StrCat("; ", ignored[0]));
  }
  std::sort(keys.begin(), keys.end(), ByKid);
  const auto twice = std::adjacent_find(
      keys.begin(), keys.end(), [](const Jwk& a, const Jwk& b) { return a.kid() == b.kid(); });
  if (twice != keys.end()) {
    return Wrong("two keys have the `kid` `", Printable(twice->kid(), kShownBytes),
                 "`; give each its own");
  }
  return std::shared_ptr<const JwkSet>(new JwkSet(std::move(keys), std::move(ignored)));
}

const Jwk* JwkSet::Find(std::string_view kid) const {
  const auto found =
      std::lower_bound(keys_.begin(), keys_.end(), kid,
                       [](const Jwk& key, std::string_view kid) { return key.kid() < kid; });
  return found != keys_.end() && found->kid() == kid ? &*found : nullptr;
}

void JwksInMemory::Replace(std::shared_ptr<const JwkSet> keys) {
  const MutexLock lock(mutex_);
  keys_.swap(keys);
}

absl::StatusOr<std::shared_ptr<const JwkSet>> JwksInMemory::Keys(absl::Time) const {
  const MutexLock lock(mutex_);
  if (keys_ == nullptr) {
    return MakeContextError(ContextError::kNoCredentials, "there are no keys to verify tokens by");
  }
  return keys_;
}

}  // namespace reeve
