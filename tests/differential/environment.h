// What the caller of a test can set.
#ifndef REEVE_TESTS_DIFFERENTIAL_ENVIRONMENT_H_
#define REEVE_TESTS_DIFFERENTIAL_ENVIRONMENT_H_

#include <cstdint>
#include <cstdlib>

namespace reeve::differential {

// The number that the environment variable `name` is.
inline uint64_t FromEnvironment(const char* name, uint64_t otherwise) {
  const char* text = std::getenv(name);
  return text == nullptr ? otherwise : std::strtoull(text, nullptr, 10);
}

}  // namespace reeve::differential

#endif  // REEVE_TESTS_DIFFERENTIAL_ENVIRONMENT_H_
