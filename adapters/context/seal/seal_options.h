#ifndef REEVE_ADAPTERS_CONTEXT_SEAL_SEAL_OPTIONS_H_
#define REEVE_ADAPTERS_CONTEXT_SEAL_SEAL_OPTIONS_H_

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace reeve {

// What sealers and openers of every kind are told of time.
struct SealOptions {
  // The longest that a context may be meant to live, from its `not_before` to its `expires`. Looked
  // at when it is sealed and when it is opened, so that neither side alone can lengthen it. More
  // than nothing, at most a day.
  absl::Duration max_lifetime = absl::Seconds(60);
  // How far the clocks of the two sides may differ: an opener takes a context that much before its
  // `not_before` and that much after its `expires`. Nothing is right within one machine, and 30 s
  // between hosts. Sealers do not look at it. Not negative, at most an hour.
  absl::Duration clock_skew = absl::ZeroDuration();
};

// InvalidArgument if a rule stated above is broken.
absl::Status CheckSealOptions(const SealOptions& options);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SEAL_SEAL_OPTIONS_H_
