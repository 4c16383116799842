#include "policy/text_template.h"

#include "absl/strings/str_cat.h"

namespace reeve {
namespace {

// Where the expression that begins at `at` ends: at the brace that closes it, or npos.
size_t EndOfFact(std::string_view text, size_t at) {
  size_t open = 0;
  while (at < text.size()) {
    const char c = text[at];
    if (c == '"' || c == '\'') {
      for (++at; at < text.size() && text[at] != c; ++at) {
        if (text[at] == '\\') ++at;
      }
    } else if (c == '{') {
      ++open;
    } else if (c == '}') {
      if (open == 0) return at;
      --open;
    }
    ++at;
  }
  return std::string_view::npos;
}

cel::SourceRange RangeOf(size_t begin, size_t end) {
  return {static_cast<uint32_t>(begin), static_cast<uint32_t>(end)};
}

}  // namespace

std::optional<TextParts> ParseTextTemplate(std::string_view text,
                                           std::vector<cel::Defect>* errors) {
  TextParts parts;
  for (size_t at = 0; at < text.size();) {
    const char c = text[at];
    if (c != '{' && c != '}') {
      parts.text += c;
      ++at;
    } else if (text.substr(at + 1, 1) == std::string_view(&c, 1)) {
      parts.text += c;
      at += 2;
    } else if (c == '}') {
      errors->push_back({RangeOf(at, at + 1), "a `}` that closes nothing; write `}}` for a brace"});
      return std::nullopt;
    } else {
      const size_t end = EndOfFact(text, at + 1);
      if (end == std::string_view::npos) {
        errors->push_back(
            {RangeOf(at, at + 1), "a `{` that nothing closes; write `{{` for a brace"});
        return std::nullopt;
      }
      const size_t first = text.find_first_not_of(" \n\t", at + 1);
      if (first == end) {
        errors->push_back({RangeOf(at, end + 1),
                           "no fact stands between the braces; write one, or "
                           "`{{}}` for braces"});
        return std::nullopt;
      }
      if (parts.facts.size() == kMaxFacts) {
        errors->push_back(
            {RangeOf(at, end + 1), absl::StrCat("the text has more than ", kMaxFacts, " facts")});
        return std::nullopt;
      }
      parts.facts.push_back({parts.text.size(), RangeOf(at + 1, end)});
      at = end + 1;
    }
  }
  return parts;
}

}  // namespace reeve
