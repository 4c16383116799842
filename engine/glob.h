#ifndef REEVE_ENGINE_GLOB_H_
#define REEVE_ENGINE_GLOB_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"

namespace reeve {

// A text with wildcards, which matches whole texts: `*` is any run of characters except `/`, `**`
// any run, `{name}` a run of one or more characters except `/`, which it binds. The rest is
// literal.
//
// Immutable: any thread.
class Glob {
 public:
  struct Binding {
    std::string_view name;   // Points into the Glob.
    std::string_view value;  // Points into the text.
  };

  // InvalidArgument if a brace is not part of a `{name}`, a name is not an identifier or is bound
  // twice, wildcards touch each other, or there are more than kMaxWildcards.
  static absl::StatusOr<Glob> Parse(std::string_view text);

  // Takes time in proportion to the length of `text` times that of the glob. Allocates nothing.
  bool Matches(std::string_view text) const;

  // As Matches(); if it does, the values of the `{name}`s, from left to right, go to `bindings`,
  // which has room for kMaxWildcards. Where a text can be cut in several ways each wildcard takes
  // the shortest run that lets the rest match, the leftmost first.
  bool Bind(std::string_view text, Binding* bindings) const;

  // The text before the first wildcard.
  std::string_view literal_prefix() const;
  std::vector<std::string_view> binding_names() const;
  bool binds() const { return binds_; }
  bool Binds(std::string_view name) const;

  // As it was written.
  const std::string& text() const { return text_; }

  static constexpr size_t kMaxWildcards = 16;

 private:
  enum class Kind : uint8_t { kLiteral, kSegmentRun, kRun, kBinding };
  // Of a kLiteral what it is, of a kBinding its name, by where it stands in text_.
  struct Token {
    Kind kind;
    uint32_t begin;
    uint32_t size;
  };

  std::string_view TextOf(const Token& token) const {
    return std::string_view(text_).substr(token.begin, token.size);
  }

  // Whether the whole of `text` matches; `cut`, called with a token and where it ends, tells how
  // far each of them reached: what it was told last of a token counts.
  template <typename Cut>
  bool Walk(std::string_view text, Cut cut) const;

  std::string text_;
  absl::InlinedVector<Token, 3> tokens_;
  bool binds_ = false;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_GLOB_H_
