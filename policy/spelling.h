#ifndef REEVE_POLICY_SPELLING_H_
#define REEVE_POLICY_SPELLING_H_

#include <string>
#include <string_view>
#include <vector>

namespace reeve {

// The one of `known` that `word` was probably meant to be: nearest by the number of letters
// changed, added, removed or swapped, and near enough to be a slip. Empty if there is none.
std::string_view NearestWord(std::string_view word, const std::vector<std::string_view>& known);

// "; did you mean `principals`?", or nothing.
std::string DidYouMean(std::string_view word, const std::vector<std::string_view>& known);

}  // namespace reeve

#endif  // REEVE_POLICY_SPELLING_H_
