#include "reeve/engine/cel/function.h"

#include <algorithm>
#include <vector>

namespace reeve::cel {
namespace {

bool NameLess(const Function& a, const Function& b) { return a.name < b.name; }

std::vector<Function> Merge() {
  std::vector<Function> all;
  for (const absl::Span<const Function> part :
       {ConversionFunctions(), TimeFunctions(), StringFunctions(), FormatFunctions(),
        MathFunctions(), ListFunctions(), EncoderFunctions(), NetworkFunctions(),
        OptionalFunctions(), EntityFunctions()}) {
    all.insert(all.end(), part.begin(), part.end());
  }
  std::sort(all.begin(), all.end(), NameLess);
  return all;
}

}  // namespace

absl::Span<const Function> Functions() {
  static const auto& all = *new std::vector<Function>(Merge());  // outlives the last decision
  return all;
}

const Function* FindFunction(std::string_view name) {
  const absl::Span<const Function> all = Functions();
  Function sought = {};
  sought.name = name;
  const auto* at = std::lower_bound(all.begin(), all.end(), sought, NameLess);
  return at != all.end() && at->name == name ? at : nullptr;
}

}  // namespace reeve::cel
