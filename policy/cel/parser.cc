#include "policy/cel/parser.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "policy/cel/lexer.h"
#include "policy/cel/tree_builder.h"

namespace reeve::cel {
namespace {

// Kept for languages around this one (cel-spec, "Syntax").
constexpr std::string_view kReserved[] = {
    "as",  "break", "const",   "continue",  "else",   "for", "function", "if",    "import",
    "let", "loop",  "package", "namespace", "return", "var", "void",     "while",
};

// From weak to strong.
enum Strength : int { kOrStrength, kAndStrength, kRelation, kAddition, kMultiplication };

struct Operator {
  TokenKind token;
  std::string_view name;
  Strength strength;
};
constexpr Operator kOperators[] = {
    {TokenKind::kOr, op::kOr, kOrStrength},
    {TokenKind::kAnd, op::kAnd, kAndStrength},
    {TokenKind::kEqual, op::kEqual, kRelation},
    {TokenKind::kNotEqual, op::kNotEqual, kRelation},
    {TokenKind::kLess, op::kLess, kRelation},
    {TokenKind::kLessOrEqual, op::kLessOrEqual, kRelation},
    {TokenKind::kGreater, op::kGreater, kRelation},
    {TokenKind::kGreaterOrEqual, op::kGreaterOrEqual, kRelation},
    {TokenKind::kIn, op::kIn, kRelation},
    {TokenKind::kPlus, op::kAdd, kAddition},
    {TokenKind::kMinus, op::kSubtract, kAddition},
    {TokenKind::kStar, op::kMultiply, kMultiplication},
    {TokenKind::kSlash, op::kDivide, kMultiplication},
    {TokenKind::kPercent, op::kModulo, kMultiplication},
};

// Words that are operators elsewhere. Behind an operand they can be nothing else.
struct WordSlip {
  std::string_view word;
  TokenKind meant;
  std::string_view text;
};
constexpr WordSlip kWordSlips[] = {
    {"and", TokenKind::kAnd, "&&"}, {"AND", TokenKind::kAnd, "&&"},  {"or", TokenKind::kOr, "||"},
    {"OR", TokenKind::kOr, "||"},   {"is", TokenKind::kEqual, "=="}, {"IN", TokenKind::kIn, "in"},
};

// Whether an expression may begin with it.
bool BeginsOperand(TokenKind kind) {
  switch (kind) {
    case TokenKind::kIdent:
    case TokenKind::kQuotedIdent:
    case TokenKind::kInt:
    case TokenKind::kUint:
    case TokenKind::kDouble:
    case TokenKind::kString:
    case TokenKind::kBytes:
    case TokenKind::kTrue:
    case TokenKind::kFalse:
    case TokenKind::kNull:
      return true;
    default:
      return false;
  }
}

// Recursive descent; a function for each rule of the grammar. Each returns kNoExpr once the parser
// has failed. What is wrong but leaves no doubt how to go on does not fail it.
class Parser {
 public:
  Parser(std::string_view source, Ast* ast, std::vector<Defect>* defects)
      : source_(source),
        defects_(defects),
        tokens_(Tokenize(source, defects)),
        builder_(ast, tokens_.size(), defects) {}

  ExprId Run() {
    const ExprId root = Expression();
    if (failed() || Is(TokenKind::kEnd)) return root;
    switch (Now().kind) {
      case TokenKind::kRightParen:
      case TokenKind::kRightBracket:
      case TokenKind::kRightBrace:
        return Fail(Now().place, absl::StrCat(Text(), " closes nothing"));
      case TokenKind::kColon:
        return Fail(Now().place, "`:` has no `?` before it");
      default:
        return FailBehindOperand("");
    }
  }

 private:
  const Token& Now() const { return tokens_[pos_]; }
  bool Is(TokenKind kind) const { return Now().kind == kind; }
  // Stays at the end.
  void Next() { pos_ += pos_ + 1 < tokens_.size(); }
  bool Take(TokenKind kind) {
    if (!Is(kind)) return false;
    Next();
    return true;
  }
  std::string_view Word() const { return Word(Now()); }
  std::string_view Word(const Token& token) const {
    return source_.substr(token.place.begin, token.place.end - token.place.begin);
  }
  // As it stands in messages.
  std::string Text() const { return Text(Now()); }
  std::string Text(const Token& token) const {
    // The quotes of a name are enough.
    if (token.kind == TokenKind::kQuotedIdent) return Quoted(source_, token.place);
    return absl::StrCat("`", Quoted(source_, token.place), "`");
  }

  bool failed() const { return failed_ || builder_.full(); }

  void Report(SourceRange place, std::string message) {
    if (defects_->size() < kMaxExprDefects) defects_->push_back({place, std::move(message)});
  }

  ExprId Fail(SourceRange place, std::string message) {
    // Of a bad word, and of a name that is none, a defect says what there is to say.
    const bool known = Is(TokenKind::kBad) || (pos_ > 0 && pos_ - 1 == bad_name_);
    if (!failed() && !known) Report(place, std::move(message));
    failed_ = true;
    return kNoExpr;
  }

  // Where something is missing: before this token, or behind the last.
  SourceRange MissingPlace() const {
    if (!Is(TokenKind::kEnd)) return Now().place;
    const uint32_t end = pos_ > 0 ? tokens_[pos_ - 1].place.end : 0;
    return {end, end};
  }

  ExprId FailOperand() {
    std::string message = "expected an expression";
    if (pos_ > 0) absl::StrAppend(&message, " after ", Text(tokens_[pos_ - 1]));
    if (!Is(TokenKind::kEnd)) absl::StrAppend(&message, ", not ", Text());
    if (pos_ == 0 && Is(TokenKind::kEnd)) message = "there is no expression";
    return Fail(MissingPlace(), std::move(message));
  }

  // What could have stood here instead of an operator is `others`: "`,` or `)`".
  ExprId FailBehindOperand(std::string_view others) {
    if (BeginsOperand(Now().kind)) {
      return Fail(Now().place, absl::StrCat("expected an operator before ", Text()));
    }
    if (Is(TokenKind::kQuestion)) {
      return Fail(Now().place,
                  "a conditional between `?` and `:` needs parentheses: `a ? (b ? c : d) : e`");
    }
    const std::string expected = others.empty() ? "an operator" : std::string(others);
    return Fail(MissingPlace(), Is(TokenKind::kEnd)
                                    ? absl::StrCat("expected ", expected)
                                    : absl::StrCat("expected ", expected, ", not ", Text()));
  }

  // `kind` closes what the token `open` opened.
  bool Close(size_t open, TokenKind kind, std::string_view others) {
    if (failed()) return false;
    if (Take(kind)) return true;
    if (Is(TokenKind::kEnd)) {
      Fail(tokens_[open].place, absl::StrCat(Text(tokens_[open]), " is not closed"));
    } else {
      FailBehindOperand(others);
    }
    return false;
  }

  ExprId Add(Expr&& expr) { return failed() ? kNoExpr : builder_.Add(std::move(expr)); }

  ExprId AddLiteral(SourceRange place, Literal literal) {
    Expr expr;
    expr.kind = ExprKind::kLiteral;
    expr.place = place;
    expr.literal = std::move(literal);
    return Add(std::move(expr));
  }

  ExprId AddCall(SourceRange place, std::string_view name, std::vector<ExprId> args) {
    Expr expr;
    expr.kind = ExprKind::kCall;
    expr.place = place;
    expr.name = name;
    expr.args = std::move(args);
    return Add(std::move(expr));
  }

  // Expr = ConditionalOr ["?" ConditionalOr ":" Expr]
  ExprId Expression() {
    if (failed()) return kNoExpr;
    // All that nests goes through here, parentheses too.
    if (depth_ == kMaxExprDepth) {
      builder_.TooDeep(Now().place);
      return kNoExpr;
    }
    ++depth_;
    ExprId expr = Binary(kOrStrength);
    if (!failed() && Is(TokenKind::kQuestion)) {
      const SourceRange place = Now().place;
      Next();
      const ExprId yes = Binary(kOrStrength);
      if (!failed() && !Take(TokenKind::kColon)) {
        if (Is(TokenKind::kEnd)) return Fail(place, "`?` has no `:`");
        return FailBehindOperand("`:`");
      }
      const ExprId no = Expression();
      expr = AddCall(place, op::kConditional, {expr, yes, no});
    }
    --depth_;
    return expr;
  }

  // The operator that stands here, or null. A slip is reported only if it is taken.
  const Operator* OperatorHere(bool* slip) const {
    *slip = false;
    TokenKind kind = Now().kind;
    if (kind == TokenKind::kIdent) {
      for (const WordSlip& word : kWordSlips) {
        if (Word() == word.word) kind = word.meant;
      }
      *slip = kind != TokenKind::kIdent;
    }
    for (const Operator& candidate : kOperators) {
      if (candidate.token == kind) return &candidate;
    }
    return nullptr;
  }

  void TakeOperator(bool slip) {
    for (const WordSlip& word : kWordSlips) {
      if (!slip || Word() != word.word) continue;
      Report(Now().place, absl::StrCat(Text(), " is not an operator; did you mean `",
                                       std::string(word.text), "`?"));
    }
    Next();
  }

  // Operators of at least strength `least`, all of which group to the left.
  ExprId Binary(int least) {
    ExprId left = Unary();
    bool slip;
    while (!failed()) {
      const Operator* const here = OperatorHere(&slip);
      if (here == nullptr || here->strength < least) break;
      const SourceRange place = Now().place;
      std::vector<ExprId> args;
      args.reserve(2);
      args.push_back(left);
      do {
        TakeOperator(slip);
        args.push_back(Binary(here->strength + 1));
      } while (!failed() && here->strength <= kAndStrength && OperatorHere(&slip) == here);
      left = AddCall(place, here->name, std::move(args));
    }
    return left;
  }

  // Unary = Member | "!" {"!"} Member | "-" {"-"} Member
  ExprId Unary() {
    while (Is(TokenKind::kIdent) && (Word() == "not" || Word() == "NOT") &&
           BeginsOperand(tokens_[pos_ + 1].kind)) {
      Report(Now().place, absl::StrCat(Text(), " is not an operator; did you mean `!`?"));
      Next();
    }
    const TokenKind kind = Now().kind;
    if (kind != TokenKind::kNot && kind != TokenKind::kMinus) return Member();
    const size_t first = pos_;
    // `-1` is a literal, and so is it in `-1.f()` and `!-1`.
    if (SignHere()) return Member();
    while (Is(kind)) Next();
    const size_t last = pos_;
    if ((Is(TokenKind::kNot) || Is(TokenKind::kMinus)) && !SignHere()) {
      return Fail(Now().place, "`!` and `-` cannot stand together; write parentheses: `!(-a)`");
    }
    ExprId operand = Member();
    for (size_t i = last; i-- > first && !failed();) {
      operand =
          AddCall(tokens_[i].place, kind == TokenKind::kNot ? op::kNot : op::kNegate, {operand});
    }
    return operand;
  }

  // Whether the sign of a number stands here.
  bool SignHere() const {
    if (!Is(TokenKind::kMinus)) return false;
    const TokenKind next = tokens_[pos_ + 1].kind;
    return next == TokenKind::kInt || next == TokenKind::kDouble;
  }

  // Member = Primary {"." Selector ["(" [ExprList] ")"] | "[" Expr "]"}
  ExprId Member() {
    ExprId expr = Primary();
    while (!failed()) {
      if (Is(TokenKind::kDot)) {
        expr = Selection(expr);
      } else if (Is(TokenKind::kLeftBracket)) {
        const size_t open = pos_;
        Next();
        const bool optional = Take(TokenKind::kQuestion);
        const ExprId index = Expression();
        Close(open, TokenKind::kRightBracket, "`]`");
        expr =
            AddCall(tokens_[open].place, optional ? op::kOptionalIndex : op::kIndex, {expr, index});
      } else {
        break;
      }
    }
    return expr;
  }

  ExprId Selection(ExprId operand) {
    Expr expr;
    expr.kind = ExprKind::kSelect;
    expr.place = Now().place;
    expr.operand = operand;
    Next();
    expr.optional = Take(TokenKind::kQuestion);
    const SourceRange name_place = Now().place;
    if (!FieldName(&expr.name)) return kNoExpr;
    if (!Is(TokenKind::kLeftParen)) return Add(std::move(expr));
    if (expr.optional) {
      return Fail(Now().place, "`.?` selects a field; it cannot call a function");
    }
    CheckFunctionName(name_place);
    expr.kind = ExprKind::kCall;
    expr.place = name_place;
    if (!Arguments(&expr.args)) return kNoExpr;
    return Add(std::move(expr));
  }

  // The name of a field, where reserved words are names but keywords are not.
  bool FieldName(std::string* name) {
    switch (Now().kind) {
      case TokenKind::kIdent:
        *name = Word();
        break;
      case TokenKind::kQuotedIdent:
        *name = std::string(Word().substr(1, Word().size() - 2));
        break;
      case TokenKind::kTrue:
      case TokenKind::kFalse:
      case TokenKind::kNull:
      case TokenKind::kIn:
        *name = Word();
        Report(Now().place, absl::StrCat(Text(), " is a keyword; as the name of a field it needs ",
                                         "back-quotes around it"));
        break;
      default:
        Fail(MissingPlace(), Is(TokenKind::kEnd)
                                 ? absl::StrCat("expected a name after ", Text(tokens_[pos_ - 1]))
                                 : absl::StrCat("expected a name after ", Text(tokens_[pos_ - 1]),
                                                ", not ", Text()));
        return false;
    }
    Next();
    return true;
  }

  // "(" [Expr {"," Expr}] ")"
  bool Arguments(std::vector<ExprId>* args) {
    const size_t open = pos_;
    Next();
    if (!Is(TokenKind::kRightParen)) {
      do {
        args->push_back(Expression());
      } while (!failed() && Take(TokenKind::kComma));
    }
    return Close(open, TokenKind::kRightParen, "`,` or `)`");
  }

  ExprId Primary() {
    const Token& token = Now();
    switch (token.kind) {
      case TokenKind::kMinus:
        if (!SignHere()) return FailOperand();
        Next();
        return Number(&token);
      case TokenKind::kInt:
      case TokenKind::kUint:
      case TokenKind::kDouble:
        return Number(nullptr);
      case TokenKind::kString:
        Next();
        return AddLiteral(token.place, token.value);
      case TokenKind::kBytes:
        Next();
        return AddLiteral(token.place, BytesLiteral{token.value});
      case TokenKind::kTrue:
      case TokenKind::kFalse:
        Next();
        return AddLiteral(token.place, token.kind == TokenKind::kTrue);
      case TokenKind::kNull:
        Next();
        return AddLiteral(token.place, NullLiteral());
      case TokenKind::kLeftParen: {
        const size_t open = pos_;
        Next();
        const ExprId expr = Expression();
        Close(open, TokenKind::kRightParen, "`)`");
        return failed() ? kNoExpr : expr;
      }
      case TokenKind::kLeftBracket:
        return List();
      case TokenKind::kLeftBrace:
        return Map();
      case TokenKind::kDot:
      case TokenKind::kIdent:
      case TokenKind::kQuotedIdent:
        return Name();
      default:
        return FailOperand();
    }
  }

  ExprId Number(const Token* sign) {
    const Token& token = Now();
    Next();
    SourceRange place = token.place;
    std::string text(Word(token));
    if (token.kind == TokenKind::kUint) text.pop_back();
    const int base = text.size() > 1 && text[1] == 'x' ? 16 : 10;
    if (base == 16) text.erase(0, 2);
    if (sign != nullptr) {
      place.begin = sign->place.begin;
      text.insert(0, "-");
    }
    int64_t int_value;
    uint64_t uint_value;
    double double_value;
    if (token.kind == TokenKind::kInt && ReadInteger(text, base, &int_value)) {
      return AddLiteral(place, int_value);
    }
    if (token.kind == TokenKind::kUint && ReadInteger(text, base, &uint_value)) {
      return AddLiteral(place, uint_value);
    }
    if (token.kind == TokenKind::kDouble && absl::SimpleAtod(text, &double_value) &&
        std::isfinite(double_value)) {
      return AddLiteral(place, double_value);
    }
    Report(place, absl::StrCat("`", Quoted(source_, place), "` does not fit ",
                               token.kind == TokenKind::kInt    ? "an int of 64 bits"
                               : token.kind == TokenKind::kUint ? "a uint of 64 bits"
                                                                : "a double"));
    return AddLiteral(place, NullLiteral());
  }

  template <typename Integer>
  static bool ReadInteger(const std::string& text, int base, Integer* value) {
    return std::from_chars(text.data(), text.data() + text.size(), *value, base).ec == std::errc();
  }

  // "[" [Item {"," Item}] [","] "]", Item = ["?"] Expr
  ExprId List() {
    Expr expr;
    expr.kind = ExprKind::kList;
    expr.place = Now().place;
    const size_t open = pos_;
    Next();
    SkipLoneComma(TokenKind::kRightBracket);
    while (!failed() && !Is(TokenKind::kRightBracket) && !Is(TokenKind::kEnd)) {
      MarkOptional(&expr, expr.args.size());
      expr.args.push_back(Expression());
      if (!Take(TokenKind::kComma)) break;
    }
    if (!Close(open, TokenKind::kRightBracket, "`,` or `]`")) return kNoExpr;
    return Add(std::move(expr));
  }

  // "{" [Entry {"," Entry}] [","] "}", Entry = ["?"] Expr ":" Expr
  ExprId Map() {
    Expr expr;
    expr.kind = ExprKind::kMap;
    expr.place = Now().place;
    Entries(&expr, [this] { return Expression(); });
    return Add(std::move(expr));
  }

  // Reads the entries of a map or a message, and the braces around them.
  template <typename ReadKey>
  void Entries(Expr* expr, ReadKey read_key) {
    const size_t open = pos_;
    Next();
    SkipLoneComma(TokenKind::kRightBrace);
    for (size_t entry = 0; !failed() && !Is(TokenKind::kRightBrace) && !Is(TokenKind::kEnd);
         ++entry) {
      MarkOptional(expr, entry);
      expr->args.push_back(read_key());
      if (failed()) return;
      if (!Take(TokenKind::kColon)) {
        FailBehindOperand("`:` and a value");
        return;
      }
      expr->args.push_back(Expression());
      if (!Take(TokenKind::kComma)) break;
    }
    Close(open, TokenKind::kRightBrace, "`,` or `}`");
  }

  // Of `[,]` and `{,}`, which are empty.
  void SkipLoneComma(TokenKind close) {
    if (Is(TokenKind::kComma) && tokens_[pos_ + 1].kind == close) Next();
  }

  // Takes a `?` before the `index`th item, if there is one.
  void MarkOptional(Expr* expr, size_t index) {
    const bool optional = Take(TokenKind::kQuestion);
    if (!optional && expr->optional_args.empty()) return;
    expr->optional_args.resize(index);
    expr->optional_args.push_back(optional);
  }

  // A variable, a function, or a message: all that begins with a name.
  ExprId Name() {
    const size_t begin = pos_;
    if (MessageFollows()) return Message();
    const bool dot = Take(TokenKind::kDot);
    const Token& token = Now();
    Expr expr;
    expr.kind = ExprKind::kIdent;
    expr.place = {tokens_[begin].place.begin, token.place.end};
    if (token.kind == TokenKind::kIdent) {
      expr.name = Word();
      CheckReserved();
    } else if (token.kind == TokenKind::kQuotedIdent) {
      expr.name = std::string(Word().substr(1, Word().size() - 2));
    } else {
      return FailOperand();
    }
    if (dot) expr.name.insert(0, ".");
    Next();
    if (!Is(TokenKind::kLeftParen)) return Add(std::move(expr));
    CheckFunctionName(expr.place);
    expr.kind = ExprKind::kCall;
    if (!Arguments(&expr.args)) return kNoExpr;
    return Add(std::move(expr));
  }

  // Back-quotes must not make an operator callable: `_-_`, `-_`, `_/_`.
  void CheckFunctionName(SourceRange place) {
    const Token& name = tokens_[pos_ - 1];
    if (name.kind != TokenKind::kQuotedIdent) return;
    for (const char c : Word(name)) {
      if (absl::ascii_isalnum(c)) return;
    }
    Report(place, absl::StrCat(Text(name), " is not the name of a function"));
  }

  void CheckReserved() {
    if (std::find(std::begin(kReserved), std::end(kReserved), Word()) == std::end(kReserved))
      return;
    bad_name_ = pos_;
    Report(Now().place, Word() == "if"
                            ? "`if` is a reserved word; write `condition ? a : b`"
                            : absl::StrCat(Text(), " is a reserved word; choose another name"));
  }

  // Whether names with dots between them and a `{` stand here.
  bool MessageFollows() const {
    size_t pos = pos_ + Is(TokenKind::kDot);
    while (tokens_[pos].kind == TokenKind::kIdent) {
      ++pos;
      if (tokens_[pos].kind == TokenKind::kLeftBrace) return true;
      if (tokens_[pos].kind != TokenKind::kDot) return false;
      ++pos;
    }
    return false;
  }

  ExprId Message() {
    Expr expr;
    expr.kind = ExprKind::kCall;
    expr.name = op::kMessage;
    expr.place = Now().place;
    std::string type;
    for (; !Is(TokenKind::kLeftBrace); Next()) {
      type += Word();
      expr.place.end = Now().place.end;
    }
    expr.args.push_back(AddLiteral(expr.place, std::move(type)));
    Entries(&expr, [this] {
      const SourceRange place = Now().place;
      std::string name;
      return FieldName(&name) ? AddLiteral(place, std::move(name)) : kNoExpr;
    });
    return Add(std::move(expr));
  }

  const std::string_view source_;
  std::vector<Defect>* const defects_;
  const std::vector<Token> tokens_;
  TreeBuilder builder_;
  size_t pos_ = 0;
  size_t bad_name_ = SIZE_MAX;  // the last reserved word that stands where a name must
  int depth_ = 0;
  bool failed_ = false;
};

}  // namespace

std::optional<Ast> Parse(std::string_view source, const ParseOptions& options,
                         std::vector<Defect>* defects) {
  std::vector<Defect> found;
  Ast ast;
  if (source.size() > kMaxExprBytes) {
    const auto limit = static_cast<uint32_t>(kMaxExprBytes);
    found.push_back(
        {{limit, limit}, absl::StrCat("the expression is longer than ", kMaxExprBytes, " bytes")});
  } else {
    ast.root = Parser(source, &ast, &found).Run();
    if (options.expand_macros && ast.root != kNoExpr) ExpandMacros(&ast, &found);
  }
  if (found.empty()) return ast;
  std::stable_sort(found.begin(), found.end(),
                   [](const Defect& a, const Defect& b) { return a.place.begin < b.place.begin; });
  if (found.size() > kMaxExprDefects) found.resize(kMaxExprDefects);
  defects->insert(defects->end(), found.begin(), found.end());
  return std::nullopt;
}

std::vector<SourceRange> FindComments(std::string_view source) {
  std::vector<SourceRange> comments;
  if (source.find("//") == std::string_view::npos) return comments;
  std::vector<Defect> ignored;
  size_t at = 0;  // behind the word before
  for (const Token& token : Tokenize(source, &ignored)) {
    // Between words there are only spaces and comments.
    while ((at = source.find("//", at)) < token.place.begin) {
      const size_t end = std::min(source.find('\n', at), source.size());
      comments.push_back({static_cast<uint32_t>(at), static_cast<uint32_t>(end)});
      at = end;
    }
    at = token.place.end;
  }
  return comments;
}

}  // namespace reeve::cel
