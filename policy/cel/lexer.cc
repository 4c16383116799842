#include "policy/cel/lexer.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve::cel {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(TokenKind::kRightBrace) + 1> kKindNames =
    {
        "End",       "Bad",         "Ident",      "QuotedIdent",    "Int",
        "Uint",      "Double",      "String",     "Bytes",          "True",
        "False",     "Null",        "In",         "Equal",          "NotEqual",
        "Less",      "LessOrEqual", "Greater",    "GreaterOrEqual", "And",
        "Or",        "Not",         "Plus",       "Minus",          "Star",
        "Slash",     "Percent",     "Question",   "Colon",          "Comma",
        "Dot",       "LeftParen",   "RightParen", "LeftBracket",    "RightBracket",
        "LeftBrace", "RightBrace",
};

bool IsNameStart(char c) { return absl::ascii_isalpha(c) || c == '_'; }
bool IsNamePart(char c) { return absl::ascii_isalnum(c) || c == '_'; }
bool IsDigit(char c) { return absl::ascii_isdigit(c); }
bool IsHexDigit(char c) { return absl::ascii_isxdigit(c); }

uint32_t HexValue(char c) { return IsDigit(c) ? c - '0' : absl::ascii_tolower(c) - 'a' + 10; }

struct Mark {
  std::string_view text;
  TokenKind kind;
};

// Longer ones before those that they begin with.
constexpr Mark kMarks[] = {
    {"==", TokenKind::kEqual},       {"!=", TokenKind::kNotEqual},
    {"<=", TokenKind::kLessOrEqual}, {">=", TokenKind::kGreaterOrEqual},
    {"&&", TokenKind::kAnd},         {"||", TokenKind::kOr},
    {"<", TokenKind::kLess},         {">", TokenKind::kGreater},
    {"!", TokenKind::kNot},          {"/", TokenKind::kSlash},
};

// Those that are words whatever follows them.
constexpr std::string_view kAlone = ".,()[]{}?:+-*%";
constexpr TokenKind kAloneKinds[] = {
    TokenKind::kDot,        TokenKind::kComma,       TokenKind::kLeftParen,
    TokenKind::kRightParen, TokenKind::kLeftBracket, TokenKind::kRightBracket,
    TokenKind::kLeftBrace,  TokenKind::kRightBrace,  TokenKind::kQuestion,
    TokenKind::kColon,      TokenKind::kPlus,        TokenKind::kMinus,
    TokenKind::kStar,       TokenKind::kPercent};
static_assert(std::size(kAloneKinds) == kAlone.size());

// Operators of other languages. No expression has them, whatever stands around them.
struct Slip {
  std::string_view text;
  std::string_view meant;
  TokenKind kind;
};
constexpr Slip kSlips[] = {
    {"===", "==", TokenKind::kEqual},
    {"!==", "!=", TokenKind::kNotEqual},
    {"<>", "!=", TokenKind::kNotEqual},
    {"=<", "<=", TokenKind::kLessOrEqual},
    {"=>", ">=", TokenKind::kGreaterOrEqual},
    {"≤", "<=", TokenKind::kLessOrEqual},
    {"≥", ">=", TokenKind::kGreaterOrEqual},
    {"≠", "!=", TokenKind::kNotEqual},
    {"−", "-", TokenKind::kMinus},
    {"–", "-", TokenKind::kMinus},
    {"×", "*", TokenKind::kStar},
};
constexpr Slip kHalves[] = {
    {"=", "==", TokenKind::kEqual},
    {"&", "&&", TokenKind::kAnd},
    {"|", "||", TokenKind::kOr},
};

struct Keyword {
  std::string_view text;
  TokenKind kind;
};
constexpr Keyword kKeywords[] = {
    {"in", TokenKind::kIn},
    {"true", TokenKind::kTrue},
    {"false", TokenKind::kFalse},
    {"null", TokenKind::kNull},
};

// Quotation marks that word processors put in the place of `"` and `'`.
bool IsTypographicQuote(char32_t c) {
  return (c >= 0x2018 && c <= 0x201F) || c == 0x2032 || c == 0x2033 || c == 0xAB || c == 0xBB ||
         c == 0xFF02 || c == 0xFF07;
}

class Lexer {
 public:
  Lexer(std::string_view source, std::vector<Defect>* defects)
      : source_(source), defects_(defects) {}

  std::vector<Token> Run() {
    tokens_.reserve(std::min<size_t>(source_.size() / 3 + 2, 16));
    for (;;) {
      SkipSpace();
      if (pos_ == source_.size() || stopped_ || defects_->size() >= kMaxExprDefects) break;
      begin_ = pos_;
      Token token;
      token.kind = Read(&token);
      token.place = Here();
      tokens_.push_back(std::move(token));
    }
    Token end;
    // After too many defects, or where text and quotes may be mixed up, nothing that follows
    // matters.
    if (pos_ < source_.size()) end.kind = TokenKind::kBad;
    end.place = Range(pos_, pos_);
    tokens_.push_back(end);
    if (end.kind == TokenKind::kBad) {
      end.kind = TokenKind::kEnd;
      tokens_.push_back(end);
    }
    return std::move(tokens_);
  }

 private:
  // NUL beyond the end.
  char At(size_t pos) const { return pos < source_.size() ? source_[pos] : '\0'; }
  bool StartsWith(std::string_view text) const {
    // Most differ in the first byte.
    return At(pos_) == text[0] && source_.substr(pos_, text.size()) == text;
  }

  static SourceRange Range(size_t begin, size_t end) {
    return {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
  }
  SourceRange Here() const { return Range(begin_, pos_); }

  TokenKind Bad(SourceRange place, std::string message) {
    if (defects_->size() < kMaxExprDefects) defects_->push_back({place, std::move(message)});
    return TokenKind::kBad;
  }

  void SkipSpace() {
    while (pos_ < source_.size()) {
      const char c = source_[pos_];
      if (c == ' ' || c == '\t' || c == '\n' || c == '\r' || c == '\f') {
        ++pos_;
      } else if (StartsWith("//")) {
        pos_ = std::min(source_.find('\n', pos_), source_.size());
      } else {
        return;
      }
    }
  }

  TokenKind Read(Token* token) {
    const char c = source_[pos_];
    if (IsDigit(c) || (c == '.' && IsDigit(At(pos_ + 1)))) return ReadNumber();
    if (c == '"' || c == '\'') return ReadString(/*raw=*/false, /*bytes=*/false, &token->value);
    if (c == '`') return ReadQuotedIdent();
    if (IsNameStart(c)) return ReadWord(token);
    return ReadMark();
  }

  // A name, a keyword, or a string with letters before its quote.
  TokenKind ReadWord(Token* token) {
    while (IsNamePart(At(pos_))) ++pos_;
    const std::string_view word = source_.substr(begin_, pos_ - begin_);
    if (At(pos_) == '"' || At(pos_) == '\'') {
      const std::string prefix = absl::AsciiStrToLower({word.data(), word.size()});
      const bool raw = prefix == "r" || prefix == "br";
      const bool bytes = prefix == "b" || prefix == "br";
      if (raw || bytes) return ReadString(raw, bytes, &token->value);
      if (prefix == "rb") {
        Bad(Here(), "the letters before raw bytes are `br`, in this order");
        return ReadString(true, true, &token->value);
      }
    }
    for (const Keyword& keyword : kKeywords) {
      if (word == keyword.text) return keyword.kind;
    }
    return TokenKind::kIdent;
  }

  TokenKind ReadQuotedIdent() {
    const size_t end = source_.find_first_of("`\n", pos_ + 1);
    if (end == std::string_view::npos || source_[end] != '`') {
      pos_ = std::min(end, source_.size());
      return Bad(Here(), "the back-quote that ends the name is missing");
    }
    pos_ = end + 1;
    const std::string_view name = source_.substr(begin_ + 1, end - begin_ - 1);
    if (name.empty()) return Bad(Here(), "there is no name between the back-quotes");
    for (size_t i = 0; i < name.size(); ++i) {
      if (IsNamePart(name[i]) || std::string_view(".-/ ").find(name[i]) != std::string_view::npos) {
        continue;
      }
      char32_t code_point;
      const size_t length = DecodeUtf8(name.substr(i), &code_point);
      return Bad(
          Range(begin_ + 1 + i, begin_ + 1 + i + length),
          absl::StrCat("a name in back-quotes cannot hold `", Printable(name.substr(i, length)),
                       "`, only letters of ASCII, digits, and `_`, `.`, `-`, `/` and spaces"));
    }
    return TokenKind::kQuotedIdent;
  }

  TokenKind ReadNumber() {
    TokenKind kind = TokenKind::kInt;
    if (StartsWith("0x") && IsHexDigit(At(pos_ + 2))) {
      for (pos_ += 2; IsHexDigit(At(pos_));) ++pos_;
    } else {
      SkipDigits();
      if (At(pos_) == '.' && IsDigit(At(pos_ + 1))) {
        kind = TokenKind::kDouble;
        ++pos_;
        SkipDigits();
      }
      size_t exponent = pos_ + 1;
      if (At(exponent) == '+' || At(exponent) == '-') ++exponent;
      if ((At(pos_) == 'e' || At(pos_) == 'E') && IsDigit(At(exponent))) {
        kind = TokenKind::kDouble;
        pos_ = exponent;
        SkipDigits();
      }
    }
    if (kind == TokenKind::kInt && (At(pos_) == 'u' || At(pos_) == 'U')) {
      kind = TokenKind::kUint;
      ++pos_;
    }
    // What follows is another word, though no expression has one there but `in`.
    size_t end = pos_;
    while (IsNamePart(At(end))) ++end;
    if (end == pos_ || source_.substr(pos_, end - pos_) == "in") return kind;
    pos_ = end;
    return Bad(Here(), absl::StrCat("`", Quoted(source_, Here()), "` is not a number"));
  }

  void SkipDigits() {
    while (IsDigit(At(pos_))) ++pos_;
  }

  // `pos_` is at the opening quote.
  TokenKind ReadString(bool raw, bool bytes, std::string* value) {
    const TokenKind kind = bytes ? TokenKind::kBytes : TokenKind::kString;
    const char mark = source_[pos_];
    const std::string triple(3, mark);
    const bool multiline = StartsWith(triple);
    const std::string_view quote = multiline ? triple : std::string_view(triple).substr(0, 1);
    pos_ += quote.size();
    while (pos_ < source_.size()) {
      const char c = source_[pos_];
      if (StartsWith(quote)) {
        pos_ += quote.size();
        return kind;
      }
      if (c == '\\' && !raw) {
        ReadEscape(bytes, value);
      } else if (c == '\n' || c == '\r') {
        if (!multiline) break;
        // However the file ends its lines, the text is the same.
        pos_ += StartsWith("\r\n") ? 2 : 1;
        *value += '\n';
      } else {
        *value += c;
        ++pos_;
      }
    }
    stopped_ = true;
    return Bad(Here(), absl::StrCat("the ", std::string(quote), " that ends the string is missing",
                                    pos_ == source_.size() || multiline
                                        ? ""
                                        : "; a string that spans lines stands in three quotes"));
  }

  // Reads an escape sequence, or says what is wrong with it and goes on behind it.
  void ReadEscape(bool bytes, std::string* value) {
    const size_t begin = pos_;
    const char c = At(pos_ + 1);
    pos_ += 2;
    static constexpr std::string_view kCodes = "abfnrtv\\?\"'`";
    static constexpr std::string_view kValues = "\a\b\f\n\r\t\v\\?\"'`";
    const size_t simple = kCodes.find(c);
    if (simple != std::string_view::npos && begin + 1 < source_.size()) {
      *value += kValues[simple];
      return;
    }
    if (c == 'x' || c == 'X') return ReadHexEscape(begin, 2, bytes, value);
    if (c == 'u') return ReadHexEscape(begin, 4, bytes, value);
    if (c == 'U') return ReadHexEscape(begin, 8, bytes, value);
    if (IsDigit(c)) {
      uint32_t code = c - '0';
      bool good = c <= '3';
      for (int i = 0; i < 2 && good; ++i, ++pos_) {
        good = At(pos_) >= '0' && At(pos_) <= '7';
        if (!good) break;
        code = code * 8 + (At(pos_) - '0');
      }
      if (good) return Append(begin, code, bytes, value);
      Bad(Range(begin, pos_),
          "a backslash and a digit begin three octal digits, `\\000` to `\\377`");
      return;
    }
    // The escaped character may be one of several bytes, or missing.
    char32_t code_point;
    pos_ = begin + 1;
    if (pos_ < source_.size() && c != '\n' && c != '\r') {
      pos_ += DecodeUtf8(source_.substr(pos_), &code_point);
    }
    const SourceRange place = Range(begin, pos_);
    if (pos_ == source_.size()) return;  // The missing quote is the defect.
    Bad(place,
        absl::StrCat("`", Quoted(source_, place), "` is not an escape sequence; write `\\\\` for ",
                     "a backslash, or `r` before the string if all of them are meant"));
  }

  void ReadHexEscape(size_t begin, int digits, bool bytes, std::string* value) {
    uint32_t code = 0;
    for (int i = 0; i < digits; ++i, ++pos_) {
      if (!IsHexDigit(At(pos_))) {
        Bad(Range(begin, pos_), absl::StrCat("`", Quoted(source_, Range(begin, begin + 2)),
                                             "` needs ", digits, " hexadecimal digits"));
        return;
      }
      code = code * 16 + HexValue(source_[pos_]);
    }
    if (bytes && digits > 2) {
      Bad(Range(begin, pos_),
          absl::StrCat(
              "`", Quoted(source_, Range(begin, pos_)),
              "` has no meaning in bytes; write the character itself, or its bytes as `\\xHH`"));
      return;
    }
    Append(begin, code, bytes, value);
  }

  void Append(size_t begin, uint32_t code, bool bytes, std::string* value) {
    if (bytes) {
      *value += static_cast<char>(code);
    } else if (code > 0x10FFFF || (code >= 0xD800 && code <= 0xDFFF)) {
      Bad(Range(begin, pos_), absl::StrCat("`", Quoted(source_, Range(begin, pos_)),
                                           "` is not a character of Unicode"));
    } else {
      AppendUtf8(code, value);
    }
  }

  TokenKind ReadMark() {
    if (const size_t alone = kAlone.find(source_[pos_]); alone != std::string_view::npos) {
      ++pos_;
      return kAloneKinds[alone];
    }
    if (TokenKind kind; ReadSlip(kSlips, &kind)) return kind;
    if (StartsWith("=~")) {
      pos_ += 2;
      return Bad(Here(), "`=~` is not an operator; write `text.matches(\"pattern\")`");
    }
    if (StartsWith("/*")) {
      pos_ += 2;
      return Bad(Here(),
                 "`/*` is not the beginning of a comment; `//` is, up to the end of the line");
    }
    for (const Mark& mark : kMarks) {
      if (!StartsWith(mark.text)) continue;
      pos_ += mark.text.size();
      return mark.kind;
    }
    if (TokenKind kind; ReadSlip(kHalves, &kind)) return kind;

    char32_t code_point;
    pos_ += DecodeUtf8(source_.substr(pos_), &code_point);
    if (IsTypographicQuote(code_point)) return ReadTypographicString();
    const std::string character =
        absl::StrCat("`", Printable(source_.substr(begin_, pos_ - begin_)), "`");
    if (code_point == '#') {
      return Bad(Here(), "`#` has no meaning; a comment begins with `//`");
    }
    if (code_point == 0xA0) return Bad(Here(), "this is a no-break space; write a plain one");
    if (code_point == '^' || code_point == '~') {
      return Bad(Here(), absl::StrCat(character, " is not an operator"));
    }
    return Bad(Here(), absl::StrCat(character, " has no meaning outside of a string"));
  }

  template <size_t kCount>
  bool ReadSlip(const Slip (&slips)[kCount], TokenKind* kind) {
    for (const Slip& slip : slips) {
      if (!StartsWith(slip.text)) continue;
      pos_ += slip.text.size();
      Bad(Here(), absl::StrCat("`", std::string(slip.text), "` is not an operator; did you mean `",
                               std::string(slip.meant), "`?"));
      *kind = slip.kind;
      return true;
    }
    return false;
  }

  // “text”: a defect, and then a string like any other.
  TokenKind ReadTypographicString() {
    Bad(Here(),
        absl::StrCat("`", Quoted(source_, Here()), "` does not begin a string; write `\"` or `'`"));
    while (pos_ < source_.size() && source_[pos_] != '\n') {
      char32_t code_point;
      pos_ += DecodeUtf8(source_.substr(pos_), &code_point);
      if (IsTypographicQuote(code_point)) return TokenKind::kString;
    }
    return TokenKind::kBad;
  }

  const std::string_view source_;
  std::vector<Defect>* const defects_;
  std::vector<Token> tokens_;
  size_t begin_ = 0;  // of the token that is being read
  size_t pos_ = 0;
  bool stopped_ = false;
};

}  // namespace

std::vector<Token> Tokenize(std::string_view source, std::vector<Defect>* defects) {
  // Every later step may rely on whole characters.
  for (size_t i = 0; i < source.size();) {
    if (absl::ascii_isascii(static_cast<unsigned char>(source[i]))) {
      ++i;
      continue;
    }
    char32_t code_point;
    const size_t length = DecodeUtf8(source.substr(i), &code_point);
    if (length == 0) {
      const auto begin = static_cast<uint32_t>(i);
      defects->push_back({{begin, begin + 1}, "this byte is not UTF-8"});
      return {{TokenKind::kBad, {begin, begin + 1}, ""},
              {TokenKind::kEnd, {begin + 1, begin + 1}, ""}};
    }
    i += length;
  }
  return Lexer(source, defects).Run();
}

std::string ToString(std::string_view source, const std::vector<Token>& tokens) {
  std::string text;
  for (const Token& token : tokens) {
    absl::StrAppend(&text, token.place.begin, "-", token.place.end, " ",
                    std::string(kKindNames[static_cast<size_t>(token.kind)]));
    switch (token.kind) {
      case TokenKind::kBad:
      case TokenKind::kIdent:
      case TokenKind::kQuotedIdent:
      case TokenKind::kInt:
      case TokenKind::kUint:
      case TokenKind::kDouble:
        absl::StrAppend(&text, " ", Quoted(source, token.place));
        break;
      case TokenKind::kString:
      case TokenKind::kBytes:
        absl::StrAppend(&text, " ", Printable(token.value));
        break;
      default:
        break;
    }
    text += '\n';
  }
  return text;
}

std::string Quoted(std::string_view source, SourceRange place) {
  return Printable(source.substr(place.begin, place.end - place.begin), 40);
}

}  // namespace reeve::cel
