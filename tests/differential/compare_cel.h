// Asks the compiled conditions and the reference what expressions are worth.
#ifndef REEVE_TESTS_DIFFERENTIAL_COMPARE_CEL_H_
#define REEVE_TESTS_DIFFERENTIAL_COMPARE_CEL_H_

#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "reeve/tests/differential/choices.h"
#include "reeve/tests/reference/cel/evaluate.h"

namespace reeve::differential {

// What an expression is worth to the engine: as reference::ToString(), or the defects that keep it
// from being compiled. `variables` are some of those of generate_cel.h. Types are not checked.
std::string EngineValueOf(const std::string& expression,
                          const std::map<std::string, reference::RefValue>& variables);

// How often what was met, over all comparisons.
struct CelTally {
  uint64_t expressions = 0;
  uint64_t ill_typed = 0;  // Refused once types are checked.
  uint64_t refused = 0;    // For a constant that its function does not take.
  uint64_t limits = 0;     // Met by one of the two, and so not compared.
  uint64_t errors = 0;     // The following are values of the reference.
  uint64_t true_values = 0;
  uint64_t false_values = 0;
  uint64_t others = 0;
  uint64_t kept = 0;  // Values that the expressions of one decision could share.
};

// Expressions of the variables of generate_cel.h under both. One thread at a time.
class CelComparison {
 public:
  // Makes values for the variables.
  explicit CelComparison(Choices& choices);

  // Evaluates `expressions`: each alone in several ways, then all in one decision, in which they
  // share what conditions of one policy set do. Returns true if the reference agrees; else
  // failure() tells why. All must parse.
  bool Agree(const std::vector<std::string>& expressions, CelTally* tally);

  // How the values differ, and the smallest expressions that show it.
  std::string failure() const { return failure_; }

 private:
  std::map<std::string, reference::RefValue> bindings_;
  // Other values for the variables that change within a decision.
  std::map<std::string, reference::RefValue> changed_;
  std::string failure_;
};

}  // namespace reeve::differential

#endif  // REEVE_TESTS_DIFFERENTIAL_COMPARE_CEL_H_
