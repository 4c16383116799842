// Makes a few conditions and values for their variables of the bytes, and compares the engine with
// the reference.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/tests/differential/choices.h"
#include "reeve/tests/differential/compare_cel.h"
#include "reeve/tests/differential/generate_cel.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve::differential;  // NOLINT(google-build-using-namespace)
  BytesChoices choices(std::string_view(reinterpret_cast<const char*>(data), size));
  CelSize expression_size;
  expression_size.depth = choices.Below(6) + 1;
  std::vector<std::string> expressions;
  for (uint32_t n = choices.Below(3) + 1; n > 0; --n) {
    expressions.push_back(MakeExpression(choices, expression_size));
  }
  CelComparison comparison(choices);
  CelTally tally;
  if (!comparison.Agree(expressions, &tally)) {
    std::fprintf(stderr, "%s", comparison.failure().c_str());
    std::abort();
  }
  return 0;
}
