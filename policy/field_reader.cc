#include "policy/field_reader.h"

#include <algorithm>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"
#include "reeve/policy/spelling.h"
#include "reeve/policy/unicode.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

bool IsName(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  if (!absl::ascii_isalnum(name[0]) && name[0] != '_') return false;
  return std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '-' || c == '.';
  });
}

}  // namespace

void FieldReader::Add(Issue issue) {
  if (issue.severity == Issue::Severity::kError) ++errors_;
  if (reported_ > kMaxIssues) return;
  if (reported_++ == kMaxIssues) issue.message = "there are more problems; mend these first";
  issue.width = std::max(issue.width, 1);
  issues_.push_back(std::move(issue));
}

std::string FieldReader::Suggest(std::string_view word,
                                 const std::vector<std::string_view>& known) {
  constexpr size_t kMaxSuggestions = 100;
  constexpr size_t kMaxKnown = 1000;
  if (suggested_ == kMaxSuggestions || known.size() > kMaxKnown) return {};
  ++suggested_;
  return DidYouMean(word, known);
}

const YamlMember* FieldReader::Fields::Find(std::string_view key) const {
  const auto found = std::find_if(
      begin(), end(), [key](const YamlMember& member) { return member.key.text() == key; });
  return found == end() ? nullptr : &*found;
}

std::optional<FieldReader::Fields> FieldReader::ReadFields(YamlNode node, const std::string& what,
                                                           const ValueFormat& mapping) {
  if (!node.IsMapping()) {
    Report(node.position(), absl::StrCat(what, " is not a mapping of keys to values"));
    return std::nullopt;
  }
  Fields fields;
  fields.reserve(std::min(node.size(), mapping.keys.size()));
  for (const YamlMember member : node.members()) {
    const std::string_view key = member.key.text();
    if (FindKey(mapping, key) != nullptr) {
      fields.push_back(member);
      continue;
    }
    std::vector<std::string_view> known;
    for (const KeyFormat& format : mapping.keys) known.push_back(format.name);
    Report(member.key.position(),
           absl::StrCat("unknown key ", Quoted(key), " in ", what, Suggest(key, known)));
    fields.misspelt.push_back(NearestWord(key, known));
  }
  return fields;
}

std::optional<YamlNode> FieldReader::Find(const Fields& fields, std::string_view key) {
  const YamlMember* const member = fields.Find(key);
  if (member == nullptr) return std::nullopt;
  if (member->value.IsNull()) {
    Report(member->key.position(),
           absl::StrCat("`", View(key), "` has no value; write one or remove the key"));
    return std::nullopt;
  }
  return member->value;
}

std::optional<YamlNode> FieldReader::Require(const Fields& fields, std::string_view key,
                                             YamlNode owner, const std::string& what) {
  if (fields.Find(key) != nullptr) return Find(fields, key);
  const bool reported =
      std::find(fields.misspelt.begin(), fields.misspelt.end(), key) != fields.misspelt.end();
  if (!reported) Report(owner.position(), absl::StrCat(what, " has no `", View(key), "`"));
  return std::nullopt;
}

std::optional<std::string_view> FieldReader::ReadText(YamlNode node, std::string_view what,
                                                      size_t most) {
  if (!node.IsScalar()) {
    Report(node.position(), absl::StrCat(View(what), " is not text"));
    return std::nullopt;
  }
  const std::string_view text = node.text();
  if (node.IsNull() || text.empty()) {
    Report(node.position(), absl::StrCat(View(what), " is empty"));
    return std::nullopt;
  }
  if (node.plain() && (LooksLikeNumber(text) || LooksLikeBool(text))) {
    Report(node.position(), absl::StrCat(View(what), " ", Quoted(text),
                                         " is not text; put it in quotes if it is meant as text"));
    return std::nullopt;
  }
  if (text.size() > most) {
    Report(node.position(), absl::StrCat(View(what), " is longer than ", most, " bytes"));
    return std::nullopt;
  }
  return text;
}

std::optional<std::string_view> FieldReader::ReadVisibleText(YamlNode node, std::string_view what) {
  const std::optional<std::string_view> text = ReadText(node, what, kMaxPatternBytes);
  if (!text.has_value()) return std::nullopt;
  const size_t colon = text->find(':');
  const bool space = text->front() == ' ' || text->back() == ' ' ||
                     (colon != std::string_view::npos && text->substr(colon + 1, 1) == " ");
  if (space) {
    Report(node.position(), absl::StrCat(View(what), " ", Quoted(*text),
                                         " has a space at its beginning, its end or behind the "
                                         "colon; remove it"));
    return std::nullopt;
  }
  for (std::string_view rest = *text; !rest.empty();) {
    if (absl::ascii_isprint(static_cast<unsigned char>(rest[0]))) {
      rest.remove_prefix(1);
      continue;
    }
    char32_t c;
    const size_t length = DecodeUtf8(rest, &c);
    if (length == 0 || !IsVisible(c)) {
      Report(node.position(),
             absl::StrCat(View(what), " ", Quoted(*text), " has the character ", CodePointName(c),
                          ", which cannot be seen or told from a space; remove it"));
      return std::nullopt;
    }
    rest.remove_prefix(length);
  }
  return text;
}

std::optional<std::string_view> FieldReader::ReadName(YamlNode node, std::string_view what) {
  const std::optional<std::string_view> text = ReadText(node, what, kMaxNameBytes);
  if (text.has_value() && !IsName(*text)) {
    Report(node.position(), absl::StrCat(View(what), " ", Quoted(*text),
                                         " is not a name; use letters, digits and `_-.`, and begin "
                                         "with a letter, a digit or `_`"));
    return std::nullopt;
  }
  return text;
}

std::optional<bool> FieldReader::ReadBool(YamlNode node, std::string_view what) {
  if (node.IsScalar() && node.plain() && (node.text() == "true" || node.text() == "false")) {
    return node.text() == "true";
  }
  Report(node.position(), absl::StrCat("`", View(what), "` is neither `true` nor `false`"));
  return std::nullopt;
}

bool FieldReader::CheckList(YamlNode node, std::string_view what, std::string_view if_empty) {
  if (!node.IsSequence()) {
    const std::string shown =
        node.IsScalar() ? absl::StrCat("; write `[", View(node.text().substr(0, 60)), "]`") : "";
    Report(node.position(), absl::StrCat("`", View(what), "` is not a list", shown));
    return false;
  }
  if (node.size() == 0) {
    Report(node.position(), absl::StrCat("`", View(what), "` is empty", View(if_empty)));
    return false;
  }
  if (node.size() > limits_.max_list) {
    Report(node.position(),
           absl::StrCat("`", View(what), "` has more than ", limits_.max_list, " items"));
    return false;
  }
  return true;
}

void FieldReader::ReadAccept(const Fields& fields, std::optional<YamlNode> owner,
                             std::vector<AcceptedWarning>* accepted) {
  const auto list = Find(fields, "accept");
  if (!list.has_value() || !CheckList(*list, "accept", "; name a warning or remove the key")) {
    return;
  }
  if (list->size() > kMaxAccepts) {
    return Report(list->position(), absl::StrCat("`accept` has more than ", kMaxAccepts, " items"));
  }
  AcceptedWarning accept;
  accept.file = file_;
  if (owner.has_value()) {
    accept.begin = owner->position();
    accept.end = owner->EndPosition();
  }
  for (const YamlNode item : list->items()) {
    const auto name = ReadText(item, "the name of a warning", kMaxNameBytes);
    if (!name.has_value()) continue;
    const std::optional<Warning> warning = WarningNamed(*name);
    if (!warning.has_value()) {
      std::vector<std::string_view> names;
      for (const WarningInfo& info : AllWarnings()) names.push_back(info.name);
      const std::string meant = Suggest(*name, names);
      Report(item.position(),
             absl::StrCat(Quoted(*name), " is not a warning",
                          meant.empty() ? "; `reeve lint --list` names them" : meant));
      continue;
    }
    accept.position = item.position();
    accept.warning = *warning;
    accepted->push_back(accept);
  }
}

void FieldReader::CheckDescription(const Fields& fields) {
  if (const auto node = Find(fields, "description")) {
    ReadText(*node, "`description`", kMaxDescriptionBytes);
  }
}

}  // namespace reeve
