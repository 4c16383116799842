#ifndef REEVE_ENGINE_CLOCK_H_
#define REEVE_ENGINE_CLOCK_H_

#include "absl/time/time.h"

namespace reeve {

// Where the engine takes the time from: once for each decision, for conditions and record alike.
//
// Thread-safe: any thread may call Now() at any time.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual absl::Time Now() const = 0;

  // The machine's wall clock (clock_gettime(2), CLOCK_REALTIME). Lives as long as the program.
  static const Clock& System();
};

}  // namespace reeve

#endif  // REEVE_ENGINE_CLOCK_H_
