#include "reeve/adapters/context/seal/seal_options.h"

#include "absl/strings/str_cat.h"

namespace reeve {

absl::Status CheckSealOptions(const SealOptions& options) {
  if (options.max_lifetime <= absl::ZeroDuration() || options.max_lifetime > absl::Hours(24)) {
    return absl::InvalidArgumentError(
        absl::StrCat("`max_lifetime` is ", absl::FormatDuration(options.max_lifetime),
                     "; it must be more than nothing and at most a day"));
  }
  if (options.clock_skew < absl::ZeroDuration() || options.clock_skew > absl::Hours(1)) {
    return absl::InvalidArgumentError(absl::StrCat("`clock_skew` is ",
                                                   absl::FormatDuration(options.clock_skew),
                                                   "; it must be from nothing to an hour"));
  }
  return absl::OkStatus();
}

}  // namespace reeve
