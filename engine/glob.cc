#include "reeve/engine/glob.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using Kind = Glob::Token::Kind;

bool IsIdentifier(std::string_view name) {
  if (name.empty() || !(absl::ascii_isalpha(name[0]) || name[0] == '_')) return false;
  return std::all_of(name.begin(), name.end(),
                     [](unsigned char c) { return absl::ascii_isalnum(c) || c == '_'; });
}

absl::Status Malformed(std::string_view glob, const std::string& what) {
  return absl::InvalidArgumentError(absl::StrCat("`", Printable(glob), "`: ", what));
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

absl::StatusOr<Glob> Glob::Parse(std::string_view text) {
  if (text.empty()) return absl::InvalidArgumentError("the pattern is empty");
  if (text.size() > UINT32_MAX) return absl::InvalidArgumentError("the pattern is too long");
  Glob glob;
  glob.text_ = text;
  // `part` is of `text`.
  const auto add = [&glob, text](Kind kind, std::string_view part) {
    glob.tokens_.push_back({kind, static_cast<uint32_t>(part.data() - text.data()),
                            static_cast<uint32_t>(part.size())});
  };
  size_t wildcards = 0;
  const auto add_wildcard = [&](Kind kind, std::string_view name) {
    const bool touches = !glob.tokens_.empty() && glob.tokens_.back().kind != Kind::kLiteral;
    add(kind, name);
    ++wildcards;
    return !touches;
  };
  for (std::string_view rest = text; !rest.empty();) {
    bool apart = true;
    if (StartsWith(rest, "**")) {
      apart = add_wildcard(Kind::kRun, rest.substr(0, 0));
      rest.remove_prefix(2);
    } else if (rest[0] == '*') {
      apart = add_wildcard(Kind::kSegmentRun, rest.substr(0, 0));
      rest.remove_prefix(1);
    } else if (rest[0] == '{') {
      const size_t end = rest.find('}');
      const std::string_view name = rest.substr(1, end == std::string_view::npos ? end : end - 1);
      if (end == std::string_view::npos || !IsIdentifier(name)) {
        return Malformed(text,
                         "`{` begins the name of a binding, as in `{name}`; for a literal brace "
                         "write {re: …}");
      }
      for (const std::string_view bound : glob.binding_names()) {
        if (bound == name)
          return Malformed(text, absl::StrCat("`", Printable(name), "` is bound twice"));
      }
      apart = add_wildcard(Kind::kBinding, name);
      rest.remove_prefix(end + 1);
    } else {
      const size_t end = static_cast<size_t>(
          std::find_if(rest.begin(), rest.end(),
                       [](char c) { return c == '*' || c == '{' || c == '}'; }) -
          rest.begin());
      if (end == 0) return Malformed(text, "`}` without `{`; for a literal brace write {re: …}");
      add(Kind::kLiteral, rest.substr(0, end));
      rest.remove_prefix(end);
    }
    if (!apart) return Malformed(text, "two wildcards touch; put a character between them");
    if (wildcards > kMaxWildcards) {
      return Malformed(text, absl::StrCat("more than ", kMaxWildcards, " wildcards"));
    }
  }
  glob.tokens_.shrink_to_fit();
  return glob;
}

// Each wildcard takes as little as it can and grows when what follows does not match. Only the last
// `*` or `{name}`, and the last `**` before it, ever need to grow: what an earlier one could reach
// by growing, the later one reaches as well.
template <typename Cut>
bool GlobView::Walk(std::string_view text, Cut cut) const {
  struct Wildcard {
    size_t token;
    size_t end;  // of what it has taken
  };
  constexpr size_t kNone = std::string_view::npos;
  Wildcard segment = {kNone, 0};
  Wildcard run = {kNone, 0};
  size_t token = 0;
  size_t at = 0;
  while (true) {
    bool matches = token < tokens_.size() || at == text.size();
    if (matches && token == tokens_.size()) return true;
    if (matches) {
      switch (tokens_[token].kind) {
        case Kind::kLiteral:
          matches = StartsWith(text.substr(at), TextOf(tokens_[token]));
          if (matches) at += tokens_[token].size;
          break;
        case Kind::kSegmentRun:
          segment = {token, at};
          break;
        case Kind::kBinding:
          matches = at < text.size() && text[at] != '/';
          if (matches) segment = {token, ++at};
          break;
        case Kind::kRun:
          run = {token, at};
          segment.token = kNone;
          break;
      }
    }
    if (matches) {
      cut(token, at);
      ++token;
      continue;
    }
    if (segment.token != kNone && segment.end < text.size() && text[segment.end] != '/') {
      at = ++segment.end;
      cut(segment.token, at);
      token = segment.token + 1;
      continue;
    }
    if (run.token == kNone || run.end == text.size()) return false;
    ++run.end;
    if (segment.token != kNone) {
      // The text after `**` matched up to a `*` that ran out of its segment. It would again from
      // any later place of the segment in which `**` ends, so go on at that segment's end. This
      // keeps the time linear in the text.
      run.end = std::min(text.find('/', run.end), text.size());
      segment.token = kNone;
    }
    at = run.end;
    cut(run.token, at);
    token = run.token + 1;
  }
}

bool GlobView::Matches(std::string_view text) const {
  return Walk(text, [](size_t, size_t) {});
}

bool GlobView::Bind(std::string_view text, Glob::Binding* bindings) const {
  size_t ends[Glob::kMaxTokens];
  if (!Walk(text, [&ends](size_t token, size_t end) { ends[token] = end; })) return false;
  for (size_t t = 0; t < tokens_.size(); ++t) {
    if (tokens_[t].kind != Kind::kBinding) continue;
    const size_t begin = t == 0 ? 0 : ends[t - 1];
    *bindings++ = {TextOf(tokens_[t]), text.substr(begin, ends[t] - begin)};
  }
  return true;
}

std::string_view GlobView::literal_prefix() const {
  return tokens_[0].kind == Kind::kLiteral ? TextOf(tokens_[0]) : std::string_view();
}

bool GlobView::binds() const {
  return std::any_of(tokens_.begin(), tokens_.end(),
                     [](const Glob::Token& token) { return token.kind == Kind::kBinding; });
}

bool GlobView::Binds(std::string_view name) const {
  return std::any_of(tokens_.begin(), tokens_.end(), [this, name](const Glob::Token& token) {
    return token.kind == Kind::kBinding && TextOf(token) == name;
  });
}

std::vector<std::string_view> GlobView::binding_names() const {
  std::vector<std::string_view> names;
  for (const Glob::Token& token : tokens_) {
    if (token.kind == Kind::kBinding) names.push_back(TextOf(token));
  }
  return names;
}

}  // namespace reeve
