#include "reeve/engine/pattern.h"

#include <re2/re2.h>

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/request.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

absl::Status Malformed(std::string_view pattern, std::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("`", Printable(pattern), "`: ", absl::string_view(what.data(), what.size())));
}

absl::Status NeverMatches(std::string_view pattern, std::string_view defect) {
  return Malformed(pattern, absl::StrCat("can never match: ", std::string(defect)));
}

// What the pattern looks like where its wildcards stand for an ordinary letter: as harmless as any
// text that it could match.
std::string Example(std::string_view pattern) {
  std::string example;
  example.reserve(pattern.size());
  for (size_t i = 0; i < pattern.size(); ++i) {
    if (pattern[i] == '*') {
      if (pattern.substr(i, 2) == "**") ++i;
      example += 'x';
    } else if (pattern[i] == '{') {
      i = pattern.find('}', i);
      example += 'x';
    } else {
      example += pattern[i];
    }
  }
  return example;
}

absl::Status NoColon(std::string_view pattern) {
  return Malformed(pattern, "a pattern is `type:id`, as in `group:staff`");
}

}  // namespace

Pattern Pattern::Make(Kind kind, std::string text) {
  return Pattern(std::make_shared<const Content>(Content{kind, std::move(text), {}, nullptr}));
}

Pattern Pattern::Make(Glob glob) {
  return Pattern(
      std::make_shared<const Content>(Content{Kind::kGlob, "", std::move(glob), nullptr}));
}

Pattern Pattern::Any() {
  static const auto* const any = new Pattern(Make(Kind::kAny, "any"));
  return *any;
}

Pattern Pattern::Authenticated() {
  static const auto* const authenticated = new Pattern(Make(Kind::kAuthenticated, "authenticated"));
  return *authenticated;
}

Pattern Pattern::Role(std::string name) { return Make(Kind::kRole, std::move(name)); }

absl::StatusOr<Pattern> Pattern::Parse(std::string_view text,
                                       absl::Status (*check)(const GlobView& glob)) {
  Glob::Token tokens[Glob::kMaxTokens];
  const absl::StatusOr<GlobView> view = GlobView::Parse(text, tokens);
  if (!view.ok()) return view.status();
  if (absl::Status status = check(*view); !status.ok()) return status;
  // One without wildcards names what it says.
  if (view->IsLiteral()) return Make(Kind::kLiteral, std::string(text));
  return Make(Glob(*view));
}

absl::StatusOr<Pattern> Pattern::Entity(std::string_view text) {
  // Said first, for a reader who does not know what a pattern is.
  if (text.find(':') == std::string_view::npos) return NoColon(text);
  return Parse(text, CheckEntity);
}

absl::StatusOr<Pattern> Pattern::Action(std::string_view text) { return Parse(text, CheckAction); }

absl::Status Pattern::CheckEntity(const GlobView& glob) {
  const std::string_view text = glob.text();
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) return NoColon(text);
  if (glob.literal_prefix().size() <= colon) {
    return Malformed(text, "the type before the colon cannot have wildcards");
  }
  // As ids and actions go, a wildcard is as good a text as any that it stands for, unless it is too
  // long.
  std::string_view id = text.substr(colon + 1);
  const std::string example = id.size() > kMaxIdBytes ? Example(id) : std::string();
  if (!example.empty()) id = example;
  const std::string_view defect = DefectOf(EntityView{text.substr(0, colon), id});
  return defect.empty() ? absl::OkStatus() : NeverMatches(text, defect);
}

absl::Status Pattern::CheckAction(const GlobView& glob) {
  std::string_view action = glob.text();
  const std::string example = action.size() > kMaxActionBytes ? Example(action) : std::string();
  if (!example.empty()) action = example;
  const std::string_view defect = DefectOfAction(action);
  return defect.empty() ? absl::OkStatus() : NeverMatches(glob.text(), defect);
}

absl::StatusOr<Pattern> Pattern::Regex(std::string_view expression) {
  RE2::Options options(RE2::Quiet);
  options.set_max_mem(kMaxRegexMemory);
  auto regex =
      std::make_shared<const RE2>(re2::StringPiece(expression.data(), expression.size()), options);
  if (!regex->ok()) return Malformed(expression, regex->error());
  // What can match lies between these two, as bytes: so it can be seen that it is never a
  // `type:id`.
  std::string least;
  std::string most;
  constexpr int kCompared = 16;
  if (regex->PossibleMatchRange(&least, &most, kCompared)) {
    const bool reserved = least.substr(0, 5) == "role:" && most.substr(0, 4) == "role";
    if (most < "A" || least > "z\xff" || reserved) {
      return Malformed(
          expression, "can never match: it is held against the whole `type:id`, as in `doc:/a/.*`");
    }
  }
  return Pattern(std::make_shared<const Content>(
      Content{Kind::kRegex, std::string(expression), {}, std::move(regex)}));
}

size_t Pattern::regex_size() const { return content_->regex->ProgramSize(); }

bool Pattern::RegexMatches(std::string_view text) const {
  return RE2::FullMatch(re2::StringPiece(text.data(), text.size()), *content_->regex);
}

}  // namespace reeve
