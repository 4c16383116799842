#include "reeve/engine/cel/regex.h"

#include <re2/re2.h>

#include <array>
#include <utility>

#include "engine/cel/builders.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/text.h"

namespace reeve::cel {
namespace {

constexpr size_t kMaxGroups = 10;  // The whole and `\1` to `\9`.

re2::StringPiece Piece(std::string_view text) { return {text.data(), text.size()}; }

// Those that this thread compiled last, since the expression of a condition seldom changes from one
// decision to the next.
class Cache {
 public:
  const Regex* Get(std::string_view expression) {
    for (const Entry& entry : entries_) {
      if (entry.regex != nullptr && entry.expression == expression) return entry.regex.get();
    }
    Entry& entry = entries_[next_];
    next_ = (next_ + 1) % entries_.size();
    entry.expression = std::string(expression);
    entry.regex = std::make_unique<const Regex>(expression);
    return entry.regex.get();
  }

 private:
  struct Entry {
    std::string expression;
    std::unique_ptr<const Regex> regex;
  };
  std::array<Entry, 8> entries_;
  size_t next_ = 0;
};

// Null if it does not compile; then *error says why. The price is that of compiling it, whether or
// not this thread has it already: the same request has the same cost everywhere. Valid until the
// next call of this thread.
const Regex* Compile(std::string_view expression, Context& context, Cell* error) {
  if (!context.Charge(256 + expression.size())) {
    *error = context.LimitError();
    return nullptr;
  }
  if (expression.size() > kMaxRegexBytes) {
    *error = Cell::Error(ErrorCode::kBadRegex, "longer than 8192 bytes");
    return nullptr;
  }
  static thread_local Cache cache;
  const Regex* regex = cache.Get(expression);
  if (!context.Charge(regex->compile_cost())) {
    *error = context.LimitError();
    return nullptr;
  }
  if (!regex->error().empty()) {
    // RE2 quotes the expression.
    const Cell detail = context.CopyString(regex->error());
    *error = detail.is_error() ? detail : Cell::Error(ErrorCode::kBadRegex, detail.text());
    return nullptr;
  }
  return regex;
}

// Goes from one match to the next. None is empty where the last one ended. One thread at a time.
class MatchWalk {
 public:
  // `groups` of the matches are wanted.
  MatchWalk(const Regex& regex, std::string_view text, int groups, Context& context)
      : regex_(regex), text_(text), groups_(groups), context_(context) {}

  // Returns false after the last one, and at a limit.
  bool Next() {
    while (from_ <= text_.size()) {
      if (!context_.Charge(regex_.search_cost(text_.size() - from_))) return Fail();
      if (!regex_.Find(text_, from_, absl::MakeSpan(found_.data(), groups_ + 1))) break;
      const size_t last_end = end_;
      const bool is_first = is_first_;
      is_first_ = false;
      begin_ = static_cast<size_t>(found_[0].data() - text_.data());
      end_ = begin_ + found_[0].size();
      from_ = end_;
      if (found_[0].empty()) {
        char32_t code_point;
        from_ += end_ < text_.size() ? DecodeUtf8(text_.substr(end_), &code_point) : 1;
        if (!is_first && begin_ == last_end) continue;
      }
      return true;
    }
    from_ = text_.size() + 1;
    return false;
  }

  bool failed() const { return failed_; }
  // Of the match that Next() found.
  size_t begin() const { return begin_; }
  size_t end() const { return end_; }
  std::string_view group(size_t number) const { return found_[number]; }

 private:
  bool Fail() {
    failed_ = true;
    return false;
  }

  const Regex& regex_;
  const std::string_view text_;
  const int groups_;
  Context& context_;
  std::array<std::string_view, kMaxGroups> found_;
  size_t from_ = 0;
  size_t begin_ = 0;
  size_t end_ = 0;
  bool is_first_ = true;
  bool failed_ = false;
};

// Empty if `replacement` has only `\\` and `\N` of groups that there are.
std::string_view DefectOfReplacement(std::string_view replacement, int groups) {
  for (size_t i = 0; i < replacement.size(); ++i) {
    if (replacement[i] != '\\') continue;
    if (++i == replacement.size()) return "a replacement ends with `\\`";
    if (replacement[i] == '\\') continue;
    if (replacement[i] < '0' || replacement[i] > '9') {
      return "in a replacement a digit or `\\` must follow `\\`";
    }
    if (replacement[i] - '0' > groups) return "a replacement names a group that there is not";
  }
  return {};
}

void AppendReplacement(std::string_view replacement, const MatchWalk& match, TextBuilder& result) {
  size_t copied = 0;
  for (size_t i = 0; i < replacement.size(); ++i) {
    if (replacement[i] != '\\') continue;
    result.Append(replacement.substr(copied, i - copied));
    ++i;
    if (replacement[i] == '\\') {
      result.Append('\\');
    } else {
      result.Append(match.group(static_cast<size_t>(replacement[i] - '0')));
    }
    copied = i + 1;
  }
  result.Append(replacement.substr(copied));
}

// What regex.extract has to say of `arguments` before it searches; null if *error is the answer.
const Regex* CompileForExtract(absl::Span<const Cell> arguments, std::string_view function,
                               Context& context, Cell* error) {
  if (arguments[0].kind() != Kind::kString || arguments[1].kind() != Kind::kString) {
    *error = NoSuchOverload(function);
    return nullptr;
  }
  const Regex* regex = Compile(arguments[1].text(), context, error);
  if (regex != nullptr && regex->groups() > 1) {
    *error = Cell::Error(ErrorCode::kBadArgument, "the expression has more than one group");
    return nullptr;
  }
  return regex;
}

}  // namespace

Regex::Regex(std::string_view expression) {
  if (expression.size() > kMaxRegexBytes) {
    error_ = "longer than 8192 bytes";
    return;
  }
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kRegexMemory);
  auto regex = std::make_unique<const RE2>(Piece(expression), options);
  if (!regex->ok()) {
    error_ = regex->error();
    // It was built up to the limit before it was given up.
    if (regex->error_code() == RE2::ErrorPatternTooLarge) compile_cost_ = kRegexMemory;
    return;
  }
  regex_ = std::move(regex);
  steps_ = static_cast<uint64_t>(regex_->ProgramSize());
  compile_cost_ = steps_ * 32;
  groups_ = regex_->NumberOfCapturingGroups();
}

Regex::~Regex() = default;

uint64_t Regex::search_cost(size_t bytes) const {
  // Most searches take a step for each byte. The worst, in which RE2 gives up its automaton for
  // want of memory, take all steps of the program for each; then a unit buys about 100 ns.
  return TextCost(bytes) * (1 + 4 * steps_);
}

bool Regex::Matches(std::string_view text) const {
  return regex_->Match(Piece(text), 0, text.size(), RE2::UNANCHORED, nullptr, 0);
}

bool Regex::Find(std::string_view text, size_t from, absl::Span<std::string_view> found) const {
  std::array<re2::StringPiece, kMaxGroups> pieces;
  const int count = static_cast<int>(found.size());
  if (!regex_->Match(Piece(text), from, text.size(), RE2::UNANCHORED, pieces.data(), count)) {
    return false;
  }
  for (size_t i = 0; i < found.size(); ++i) found[i] = {pieces[i].data(), pieces[i].size()};
  return true;
}

Cell Matches(const Regex& regex, const Cell& text, Context& context) {
  if (text.kind() != Kind::kString) return NoSuchOverload("matches");
  if (!context.Charge(regex.search_cost(text.text().size()))) return context.LimitError();
  return Cell::Bool(regex.Matches(text.text()));
}

Cell MatchesFunction(absl::Span<const Cell> arguments, Context& context) {
  if (arguments[0].kind() != Kind::kString || arguments[1].kind() != Kind::kString) {
    return NoSuchOverload("matches");
  }
  Cell error;
  const Regex* regex = Compile(arguments[1].text(), context, &error);
  if (regex == nullptr) return error;
  return Matches(*regex, arguments[0], context);
}

Cell RegexReplace(absl::Span<const Cell> arguments, Context& context) {
  for (size_t i = 0; i < 3; ++i) {
    if (arguments[i].kind() != Kind::kString) return NoSuchOverload("regex.replace");
  }
  int64_t limit = -1;
  if (arguments.size() == 4) {
    if (arguments[3].kind() != Kind::kInt) return NoSuchOverload("regex.replace");
    limit = arguments[3].int_value();
  }
  if (limit == 0) return arguments[0];
  const std::string_view text = arguments[0].text();
  const std::string_view replacement = arguments[2].text();
  Cell error;
  const Regex* regex = Compile(arguments[1].text(), context, &error);
  if (regex == nullptr) return error;
  if (!context.Charge(TextCost(replacement.size()))) return context.LimitError();
  const int groups = std::min(regex->groups(), static_cast<int>(kMaxGroups) - 1);
  const std::string_view defect = DefectOfReplacement(replacement, groups);

  TextBuilder result(context);
  size_t copied = 0;
  MatchWalk match(*regex, text, groups, context);
  while (limit != 0 && match.Next()) {
    if (!defect.empty()) return Cell::Error(ErrorCode::kBadArgument, defect);
    result.Append(text.substr(copied, match.begin() - copied));
    AppendReplacement(replacement, match, result);
    copied = match.end();
    if (limit > 0) --limit;
  }
  if (match.failed()) return context.LimitError();
  result.Append(text.substr(copied));
  return result.Build();
}

Cell RegexExtract(absl::Span<const Cell> arguments, Context& context) {
  Cell error;
  const Regex* regex = CompileForExtract(arguments, "regex.extract", context, &error);
  if (regex == nullptr) return error;
  MatchWalk match(*regex, arguments[0].text(), regex->groups(), context);
  const bool found = match.Next();
  if (match.failed()) return context.LimitError();
  if (!found) return Cell::Optional(nullptr, 1);
  const std::string_view text = match.group(static_cast<size_t>(regex->groups()));
  if (regex->groups() == 1 && text.empty()) return Cell::Optional(nullptr, 1);
  return MakeOptional(Cell::String(text), context);
}

Cell RegexExtractAll(absl::Span<const Cell> arguments, Context& context) {
  Cell error;
  const Regex* regex = CompileForExtract(arguments, "regex.extractAll", context, &error);
  if (regex == nullptr) return error;
  ListBuilder result(context);
  MatchWalk match(*regex, arguments[0].text(), regex->groups(), context);
  while (!result.failed() && match.Next()) {
    const std::string_view text = match.group(static_cast<size_t>(regex->groups()));
    if (regex->groups() == 1 && text.empty()) continue;
    result.Add(Cell::String(text));
  }
  if (match.failed()) return context.LimitError();
  return result.Build();
}

}  // namespace reeve::cel
