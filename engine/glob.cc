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

// How many bytes there are before the first wildcard or brace.
size_t LiteralSize(std::string_view text) {
  return FindByte(text, [](uint64_t word) {
    return MarkByte(word, '*') | MarkByte(word, '{') | MarkByte(word, '}');
  });
}

bool StartsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

}  // namespace

absl::StatusOr<Glob> Glob::Parse(std::string_view text) {
  Token tokens[kMaxTokens];
  const absl::StatusOr<GlobView> view = GlobView::Parse(text, tokens);
  if (!view.ok()) return view.status();
  return Glob(*view);
}

Glob::Glob(const GlobView& view)
    : text_(view.text()), tokens_(view.tokens().begin(), view.tokens().end()) {}

absl::StatusOr<GlobView> GlobView::Parse(std::string_view text, Glob::Token* tokens) {
  if (text.empty()) return absl::InvalidArgumentError("the pattern is empty");
  if (text.size() > UINT32_MAX) return absl::InvalidArgumentError("the pattern is too long");
  size_t count = 0;
  size_t wildcards = 0;
  for (size_t at = 0; at < text.size();) {
    const std::string_view rest = text.substr(at);
    if (const size_t size = LiteralSize(rest); size > 0) {
      tokens[count++] = {Kind::kLiteral, static_cast<uint32_t>(at), static_cast<uint32_t>(size)};
      at += size;
      continue;
    }
    Kind kind = Kind::kSegmentRun;
    size_t size = 1;
    std::string_view name;
    if (rest[0] == '{') {
      const size_t end = rest.find('}');
      name = rest.substr(1, end == std::string_view::npos ? end : end - 1);
      if (end == std::string_view::npos || !IsIdentifier(name)) {
        return Malformed(text,
                         "`{` begins the name of a binding, as in `{name}`; for a literal brace "
                         "write {re: …}");
      }
      if (GlobView(text, {tokens, count}).Binds(name)) {
        return Malformed(text, absl::StrCat("`", Printable(name), "` is bound twice"));
      }
      kind = Kind::kBinding;
      size = end + 1;
    } else if (rest[0] == '}') {
      return Malformed(text, "`}` without `{`; for a literal brace write {re: …}");
    } else if (rest.size() > 1 && rest[1] == '*') {
      kind = Kind::kRun;
      size = 2;
    }
    if (count > 0 && tokens[count - 1].kind != Kind::kLiteral) {
      return Malformed(text, "two wildcards touch; put a character between them");
    }
    if (++wildcards > Glob::kMaxWildcards) {
      return Malformed(text, absl::StrCat("more than ", Glob::kMaxWildcards, " wildcards"));
    }
    const size_t begin = kind == Kind::kBinding ? at + 1 : at;
    tokens[count++] = {kind, static_cast<uint32_t>(begin), static_cast<uint32_t>(name.size())};
    at += size;
  }
  return GlobView(text, {tokens, count});
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
