// The regular expressions of conditions: RE2's, which take linear time. Internal.
#ifndef REEVE_ENGINE_CEL_REGEX_H_
#define REEVE_ENGINE_CEL_REGEX_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/types/span.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace reeve::cel {

inline constexpr size_t kMaxRegexBytes = 8192;        // Of an expression, as written.
inline constexpr int64_t kRegexMemory = 1024 * 1024;  // Of one compiled, as RE2::Options::max_mem.

// A compiled expression, or the reason why there is none. Immutable: any thread.
class Regex {
 public:
  explicit Regex(std::string_view expression);
  ~Regex();
  Regex(const Regex&) = delete;
  Regex& operator=(const Regex&) = delete;

  // Empty if the expression can be used; the rest then may be called.
  const std::string& error() const { return error_; }
  // What it costs to compile it, and to search `bytes` of text once.
  uint64_t compile_cost() const { return compile_cost_; }
  uint64_t search_cost(size_t bytes) const;
  // The size of the compiled expression.
  uint64_t steps() const { return steps_; }
  // Of parentheses that capture.
  int groups() const { return groups_; }

  // Whether it matches somewhere in `text`.
  bool Matches(std::string_view text) const;
  // The first match that begins at byte `from` of `text` or later, into `found`: the whole, then
  // the groups, of which those that took no part have no data(). At most 10. Returns false if there
  // is none.
  bool Find(std::string_view text, size_t from, absl::Span<std::string_view> found) const;

 private:
  std::unique_ptr<const re2::RE2> regex_;
  std::string error_;
  uint64_t compile_cost_ = 0;
  uint64_t steps_ = 0;
  int groups_ = 0;
};

// `text.matches(regex)`, of a regex without error(). kNoSuchOverload unless `text` is a string.
Cell Matches(const Regex& regex, const Cell& text, Context& context);

// The functions that StringFunctions() has from here.
Cell MatchesFunction(absl::Span<const Cell> arguments, Context& context);
Cell RegexReplace(absl::Span<const Cell> arguments, Context& context);
Cell RegexExtract(absl::Span<const Cell> arguments, Context& context);
Cell RegexExtractAll(absl::Span<const Cell> arguments, Context& context);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_REGEX_H_
