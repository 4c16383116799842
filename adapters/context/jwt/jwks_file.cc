#include "reeve/adapters/context/jwt/jwks_file.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"

namespace reeve {

JwksFile::JwksFile(std::string path, const JwksFileOptions& options)
    : max_key_age_(options.max_key_age),
      file_(std::move(path), kMaxJwkSetBytes, options.check_interval,
            [use = options.use](std::string_view text) { return JwkSet::Parse(text, use); }) {}

absl::StatusOr<std::unique_ptr<JwksFile>> JwksFile::Open(std::string path,
                                                         const JwksFileOptions& options,
                                                         absl::Time now) {
  if (options.check_interval < absl::ZeroDuration() ||
      options.max_key_age <= options.check_interval) {
    return absl::InvalidArgumentError("check_interval is negative, or max_key_age is not above it");
  }
  std::unique_ptr<JwksFile> file(new JwksFile(std::move(path), options));
  if (absl::Status status = file->Reload(now); !status.ok()) return status;
  return file;
}

absl::Status JwksFile::Reload(absl::Time now) { return file_.Read(now); }

absl::StatusOr<std::shared_ptr<const JwkSet>> JwksFile::Keys(absl::Time now) const {
  auto state = file_.Look(now);
  if (now < state.good + max_key_age_) return std::move(state.value);
  return MakeContextError(
      ContextError::kNoCredentials,
      absl::StrCat("the keys were last read at ",
                   absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", state.good, absl::UTCTimeZone()),
                   ", too long ago: ", state.error.message()));
}

JwksFile::State JwksFile::state() const {
  auto state = file_.state();
  return {std::move(state.value), state.good, state.checked, std::move(state.error)};
}

}  // namespace reeve
