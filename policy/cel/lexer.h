// An expression's text as words. Internal.
#ifndef REEVE_POLICY_CEL_LEXER_H_
#define REEVE_POLICY_CEL_LEXER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cel/ast.h"

namespace reeve::cel {

enum class TokenKind : uint8_t {
  kEnd,  // an empty place
  kBad,  // of which a defect says all there is to say
  kIdent,
  kQuotedIdent,  // `a-b`, in back-quotes
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kTrue,
  kFalse,
  kNull,
  kIn,
  kEqual,
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kAnd,
  kOr,
  kNot,
  kPlus,
  kMinus,
  kStar,
  kSlash,
  kPercent,
  kQuestion,
  kColon,
  kComma,
  kDot,
  kLeftParen,
  kRightParen,
  kLeftBracket,
  kRightBracket,
  kLeftBrace,
  kRightBrace,
};

struct Token {
  TokenKind kind = TokenKind::kEnd;
  SourceRange place;
  std::string value;  // kString, kBytes: what it stands for
};

// More would not help anybody to mend an expression.
inline constexpr size_t kMaxExprDefects = 20;

// The words of `source`, the last of kind kEnd. Adds to `defects` what is no word; where it is
// clear what was meant (`=` for `==`) the token is what was meant, else kBad.
std::vector<Token> Tokenize(std::string_view source, std::vector<Defect>* defects);

// A word a line, for people and tests: where it stands, "kIdent" and so on without the k, and its
// text or what it stands for. `tokens` are those of `source`.
std::string ToString(std::string_view source, const std::vector<Token>& tokens);

// `source` at `place`, for a message.
std::string Quoted(std::string_view source, SourceRange place);

}  // namespace reeve::cel

#endif  // REEVE_POLICY_CEL_LEXER_H_
