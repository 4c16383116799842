// Random conditions, and random facts for them to speak of.
#ifndef REEVE_TESTS_DIFFERENTIAL_GENERATE_CEL_H_
#define REEVE_TESTS_DIFFERENTIAL_GENERATE_CEL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reeve/tests/differential/choices.h"
#include "reeve/tests/reference/cel/evaluate.h"

namespace reeve::differential {

// How large a condition becomes.
struct CelSize {
  uint32_t depth = 4;    // Of operators and calls in each other.
  uint32_t nodes = 40;   // About; what is then left open is closed with literals and names.
  bool entities = true;  // Whether `principal` and isIn() may occur.
};

struct CelVariable {
  const char* name;
  const char* type;  // As the checker's types are written: `map(string, int)`, `dyn`.
};

// The names that an expression of MakeExpression() may use.
const std::vector<CelVariable>& CelVariables();

// A value for each. Maps with keys of one type only; those of strings are sorted by key. The list
// `principal.groups` is partial now and then.
std::map<std::string, reference::RefValue> MakeBindings(Choices& choices);

// A condition, mostly of type bool and mostly well typed. It always parses.
std::string MakeExpression(Choices& choices, const CelSize& size);

}  // namespace reeve::differential

#endif  // REEVE_TESTS_DIFFERENTIAL_GENERATE_CEL_H_
