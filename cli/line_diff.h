#ifndef REEVE_CLI_LINE_DIFF_H_
#define REEVE_CLI_LINE_DIFF_H_

#include <string>
#include <string_view>

namespace reeve {

// What turns `before` into `after`, line by line, as `diff -u` prints it, with `name` for both.
// Empty if they are the same. What is so large and different that comparing its lines would take
// long is printed as replaced as a whole.
std::string UnifiedDiff(std::string_view name, std::string_view before, std::string_view after);

}  // namespace reeve

#endif  // REEVE_CLI_LINE_DIFF_H_
