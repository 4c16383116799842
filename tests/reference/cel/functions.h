// The functions, by name. For the reference alone.
#ifndef REEVE_TESTS_REFERENCE_CEL_FUNCTIONS_H_
#define REEVE_TESTS_REFERENCE_CEL_FUNCTIONS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "reeve/tests/reference/cel/evaluate.h"

namespace reeve::reference {

// What is left of the bound on steps.
struct Steps {
  uint64_t left = 0;
  bool spent = false;

  // Returns false once all is spent.
  bool Take(uint64_t count) {
    if (spent || count > left) {
      spent = true;
      return false;
    }
    left -= count;
    return true;
  }
};

using Arguments = std::vector<RefValue>;

// Whether there is such a function: `f(x)`, or `x.f()` if `member`. Names may have dots.
bool IsFunction(const std::string& name, bool member);
// Calls it; of a member call what stands before the dot is the first argument. An error if there is
// none, or none of this number of arguments.
Outcome CallFunction(const std::string& name, bool member, const Arguments& arguments,
                     Steps* steps);
// All names: `size`, `.size` for member calls, for tests that want to see each used.
std::vector<std::string> FunctionNames();

// The elements in the order of their keys. Used by sort() and sortBy().
Outcome SortByKeys(const std::vector<RefValue>& elements, const std::vector<RefValue>& keys);

}  // namespace reeve::reference

#endif  // REEVE_TESTS_REFERENCE_CEL_FUNCTIONS_H_
