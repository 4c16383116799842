#ifndef REEVE_ENGINE_GLOB_H_
#define REEVE_ENGINE_GLOB_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/inlined_vector.h"
#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace reeve {

class GlobView;

// A text with wildcards, which matches whole texts: `*` is any run of characters except `/`, `**`
// any run, `{name}` a run of one or more characters except `/`, which it binds. The rest is
// literal.
//
// Immutable: any thread.
class Glob {
 public:
  struct Binding {
    std::string_view name;   // Points into what the glob consists of.
    std::string_view value;  // Points into the text.
  };

  // InvalidArgument if a brace is not part of a `{name}`, a name is not an identifier or is bound
  // twice, wildcards touch each other, or there are more than kMaxWildcards.
  static absl::StatusOr<Glob> Parse(std::string_view text);

  // A copy of what `view` points at.
  explicit Glob(const GlobView& view);

  // As those of its view.
  bool Matches(std::string_view text) const;
  bool Bind(std::string_view text, Binding* bindings) const;
  std::string_view literal_prefix() const;
  std::vector<std::string_view> binding_names() const;
  bool binds() const;
  bool Binds(std::string_view name) const;

  // As it was written.
  const std::string& text() const { return text_; }

  static constexpr size_t kMaxWildcards = 16;
  // No two literals stand side by side.
  static constexpr size_t kMaxTokens = 2 * kMaxWildcards + 1;

  // Internal to engine/: what stands where in the text.
  struct Token {
    enum class Kind : uint8_t { kLiteral, kSegmentRun, kRun, kBinding };
    // Of a kLiteral what it is, of a kBinding its name, by where it is.
    Kind kind;
    uint32_t begin;
    uint32_t size;
  };
  // Points into this.
  GlobView view() const;

 private:
  std::string text_;
  absl::InlinedVector<Token, 3> tokens_;
};

// What a Glob consists of, wherever it lies: valid as long as that is. A value.
class GlobView {
 public:
  // As Glob::Parse(), without owning anything: the tokens go to `tokens`, which has room for
  // Glob::kMaxTokens. Unless it fails it allocates nothing.
  static absl::StatusOr<GlobView> Parse(std::string_view text, Glob::Token* tokens);

  // `tokens` are those that Parse() made of `text`.
  GlobView(std::string_view text, absl::Span<const Glob::Token> tokens)
      : text_(text), tokens_(tokens) {}

  // Takes time in proportion to the length of `text` times that of the glob. Allocates nothing.
  bool Matches(std::string_view text) const;

  // As Matches(); if it does, the values of the `{name}`s, from left to right, go to `bindings`,
  // which has room for Glob::kMaxWildcards. Where a text can be cut in several ways each wildcard
  // takes the shortest run that lets the rest match, the leftmost first.
  bool Bind(std::string_view text, Glob::Binding* bindings) const;

  // The text before the first wildcard.
  std::string_view literal_prefix() const;
  std::vector<std::string_view> binding_names() const;
  bool binds() const;
  bool Binds(std::string_view name) const;

  // Whether it has no wildcards, and so says nothing but itself.
  bool IsLiteral() const {
    return tokens_.size() == 1 && tokens_[0].kind == Glob::Token::Kind::kLiteral;
  }

  // As it was written.
  std::string_view text() const { return text_; }
  absl::Span<const Glob::Token> tokens() const { return tokens_; }

 private:
  std::string_view TextOf(const Glob::Token& token) const {
    return text_.substr(token.begin, token.size);
  }

  // Whether the whole of `text` matches; `cut`, called with a token and where it ends, tells how
  // far each of them reached: what it was told last of a token counts.
  template <typename Cut>
  bool Walk(std::string_view text, Cut cut) const;

  std::string_view text_;
  absl::Span<const Glob::Token> tokens_;
};

inline GlobView Glob::view() const { return {text_, tokens_}; }
inline bool Glob::Matches(std::string_view text) const { return view().Matches(text); }
inline bool Glob::Bind(std::string_view text, Binding* bindings) const {
  return view().Bind(text, bindings);
}
inline std::string_view Glob::literal_prefix() const { return view().literal_prefix(); }
inline std::vector<std::string_view> Glob::binding_names() const { return view().binding_names(); }
inline bool Glob::binds() const { return view().binds(); }
inline bool Glob::Binds(std::string_view name) const { return view().Binds(name); }

}  // namespace reeve

#endif  // REEVE_ENGINE_GLOB_H_
