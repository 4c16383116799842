#include "reeve/policy/format.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "policy/document_reader.h"
#include "policy/file_format.h"
#include "policy/yaml_text.h"
#include "reeve/engine/text.h"
#include "reeve/policy/yaml_document.h"
#include "reeve/policy/yaml_reader.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

// Everything here that recurses goes as deep as collections are nested, which YamlLimits bounds.

struct Comment {
  std::string_view text;  // From `#` on, without blanks at its end.
  bool apart;             // An empty line stands above it.
};

struct Collection;

// An item of a list, or a member of a mapping, with the comments that belong to it.
struct Entry {
  std::optional<YamlNode> key;
  YamlNode value;
  Collection* parent;
  std::unique_ptr<Collection> inside = nullptr;  // Of `value`, if it is a list or a mapping.
  std::vector<Comment> above = {};
  std::optional<std::string_view> beside = std::nullopt;
  bool apart = false;  // An empty line stands above it, below its comments.

  size_t begin() const { return key.has_value() ? key->source_offset() : value.source_offset(); }
};

struct Collection {
  YamlNode node;
  const ValueFormat* format;  // Null if the tables say nothing about it.
  Entry* owner;               // Null for the root.
  bool flow;                  // Whether it is written in brackets.
  int column;                 // From 0, of its entries if it is not.
  std::vector<std::unique_ptr<Entry>> entries = {};
  std::vector<Comment> below = {};  // Behind the last entry.
  bool has_comments = false;        // In it, at any depth.
};

// The format that a value of this kind has.
const ValueFormat* Resolve(const ValueFormat* format, YamlNode node) {
  using Kind = ValueFormat::Kind;
  if (format == nullptr || format->kind != Kind::kAnyOf) return format;
  for (const ValueFormat* alternative : format->alternatives) {
    const bool list = alternative->kind == Kind::kList;
    const bool mapping = alternative->kind == Kind::kMapping || alternative->kind == Kind::kNamed;
    if (list == node.IsSequence() && mapping == node.IsMapping()) return alternative;
  }
  return nullptr;
}

// The format of a member of `collection`, or of an item if there is no key.
const ValueFormat* FormatOf(const ValueFormat* collection, std::optional<YamlNode> key,
                            YamlNode value) {
  if (collection == nullptr) return nullptr;
  if (collection->kind != ValueFormat::Kind::kMapping) return Resolve(collection->item, value);
  const KeyFormat* const known = FindKey(*collection, key->text());
  return known == nullptr ? nullptr : Resolve(known->value, value);
}

// Puts the members of mappings in the order of the tables.
void Sort(Collection* collection) {
  if (collection->format == nullptr || collection->format->kind != ValueFormat::Kind::kMapping) {
    return;
  }
  const absl::Span<const KeyFormat> keys = collection->format->keys;
  const auto place = [keys](const std::unique_ptr<Entry>& entry) {
    return std::find_if(keys.begin(), keys.end(),
                        [&entry](const KeyFormat& key) { return key.name == entry->key->text(); });
  };
  std::stable_sort(collection->entries.begin(), collection->entries.end(),
                   [&](const auto& a, const auto& b) { return place(a) < place(b); });
}

// --- The tree, with its comments ---

// Finds Collection::has_comments, of all that is in it, too.
void CountComments(Collection* collection) {
  collection->has_comments = !collection->below.empty();
  for (const std::unique_ptr<Entry>& entry : collection->entries) {
    collection->has_comments |= !entry->above.empty() || entry->beside.has_value();
    if (entry->inside == nullptr) continue;
    CountComments(entry->inside.get());
    collection->has_comments |= entry->inside->has_comments;
  }
}

class Reader {
 public:
  Reader(const YamlDocument& yaml, const ValueFormat* root) : yaml_(yaml) {
    root_ = Read(yaml.root(), root, nullptr);
    for (const YamlComment& comment : yaml.comments()) Attach(comment);
    SortAll(root_.get());
    CountComments(root_.get());
  }

  std::unique_ptr<Collection> Take() { return std::move(root_); }

 private:
  std::unique_ptr<Collection> Read(YamlNode node, const ValueFormat* format, Entry* owner) {
    const char first = yaml_.source()[node.source_offset()];
    auto collection = std::unique_ptr<Collection>(new Collection{
        node, format, owner, first == '[' || first == '{', node.position().column - 1});
    const auto add = [&](std::optional<YamlNode> key, YamlNode value) {
      auto entry = std::unique_ptr<Entry>(new Entry{key, value, collection.get()});
      entry->apart = !collection->flow && IsBelowEmptyLine(entry->begin());
      order_.push_back(entry.get());
      if (!value.IsScalar()) {
        entry->inside = Read(value, FormatOf(format, key, value), entry.get());
      }
      collection->entries.push_back(std::move(entry));
    };
    if (node.IsMapping()) {
      for (const auto [key, value] : node.members()) add(key, value);
    } else {
      for (const YamlNode item : node.items()) add(std::nullopt, item);
    }
    return collection;
  }

  size_t LineStart(size_t offset) const {
    const size_t end = yaml_.source().rfind('\n', offset == 0 ? 0 : offset - 1);
    return offset == 0 || end == std::string_view::npos ? 0 : end + 1;
  }
  bool IsBelowEmptyLine(size_t offset) const {
    const size_t start = LineStart(offset);
    if (start == 0) return false;
    const size_t above = LineStart(start - 1);
    return absl::StripAsciiWhitespace(View(yaml_.source().substr(above, start - above))).empty();
  }

  static bool IsIn(const Entry* entry, const Collection* collection) {
    for (const Collection* at = entry->parent;; at = at->owner->parent) {
      if (at == collection) return true;
      if (at->owner == nullptr) return false;
    }
  }

  void Attach(const YamlComment& written) {
    const absl::string_view text = absl::StripTrailingAsciiWhitespace(
        View(yaml_.source().substr(written.begin, written.end - written.begin)));
    const Comment comment = {{text.data(), text.size()}, IsBelowEmptyLine(written.begin)};
    const auto next_at =
        std::upper_bound(order_.begin(), order_.end(), size_t{written.begin},
                         [](size_t offset, const Entry* entry) { return offset < entry->begin(); });
    Entry* const next = next_at == order_.end() ? nullptr : *next_at;
    Entry* const last = next_at == order_.begin() ? nullptr : *(next_at - 1);
    const size_t start = LineStart(written.begin);
    const std::string_view before = yaml_.source().substr(start, written.begin - start);
    const bool alone = before.find_first_not_of(' ') == std::string_view::npos;
    // Behind nothing but the signs of items it speaks of the item; and so behind `---`.
    const bool of_item = !alone && before.find_first_not_of(" -") == std::string_view::npos;
    if (last == nullptr || (of_item && next != nullptr)) {
      next->above.push_back(comment);
    } else if (!alone) {
      AttachBeside(written, comment, last);
    } else if (written.flow != UINT32_MAX) {
      AttachInFlow(written, comment, last, next);
    } else {
      AttachAlone(static_cast<int>(before.size()), comment, last, next);
    }
  }

  // A comment behind something on its line.
  static void AttachBeside(const YamlComment& written, const Comment& comment, Entry* last) {
    const auto is_of = [&](const Entry* entry) {
      return entry->inside != nullptr && entry->inside->node.source_offset() == written.flow;
    };
    while (!is_of(last) && last->parent->flow &&
           last->parent->node.source_offset() != written.flow) {
      last = last->parent->owner;
    }
    if (last->beside.has_value()) last->above.push_back({*last->beside, false});
    last->beside = comment.text;
  }

  static void AttachInFlow(const YamlComment& written, const Comment& comment, Entry* last,
                           Entry* next) {
    Entry* owner = last;
    while (owner->inside == nullptr || owner->inside->node.source_offset() != written.flow) {
      owner = owner->parent->owner;
    }
    Collection* const flow = owner->inside.get();
    if (next != nullptr && IsIn(next, flow)) {
      next->above.push_back(comment);
    } else if (flow->entries.empty()) {
      owner->above.push_back(comment);
    } else {
      flow->below.push_back(comment);
    }
  }

  // A comment on a line of its own belongs to what follows, unless it is indented like the entries
  // of a collection that ends here.
  void AttachAlone(int column, const Comment& comment, Entry* last, Entry* next) {
    if (next == nullptr || column > next->parent->column) {
      for (Collection* at = last->inside != nullptr ? last->inside.get() : last->parent;
           at != nullptr; at = at->owner == nullptr ? nullptr : at->owner->parent) {
        if (next != nullptr && IsIn(next, at)) break;
        if (at->flow || at->entries.empty() || at->column > column) continue;
        at->below.push_back(comment);
        return;
      }
    }
    if (next == nullptr) {
      root_->below.push_back(comment);
    } else {
      next->above.push_back(comment);
    }
  }

  // Once all comments have been attached.
  static void SortAll(Collection* collection) {
    Sort(collection);
    for (const std::unique_ptr<Entry>& entry : collection->entries) {
      if (entry->inside != nullptr) SortAll(entry->inside.get());
    }
  }

  const YamlDocument& yaml_;
  std::unique_ptr<Collection> root_;
  std::vector<Entry*> order_;  // As they begin, outer ones first.
};

// --- Writing ---

class Writer {
 public:
  explicit Writer(const YamlDocument& yaml) : yaml_(yaml) {}

  std::string Write(Collection* root) {
    std::string text;
    WriteBlock(root, 0, &text);
    return text;
  }

 private:
  static constexpr int kIndent = 2;

  // Where empty lines are kept, and where they are put.
  static bool IsRoot(const Collection& collection) { return collection.owner == nullptr; }
  static bool IsLoose(const Collection& collection) {
    return IsRoot(collection) || IsRoot(*collection.owner->parent);
  }

  static void WriteComment(std::string_view comment, int indent, std::string* out) {
    out->append(indent, ' ').append(comment).append(1, '\n');
  }

  // The comments that would stand between the sign of an item and what begins on its line.
  static void TakeFirstComments(Collection* collection, std::vector<Comment>* above) {
    while (true) {
      Entry& first = *collection->entries[0];
      above->insert(above->end(), first.above.begin(), first.above.end());
      first.above.clear();
      if (first.key.has_value() || first.inside == nullptr || FlowOf(*first.inside)) return;
      if (first.beside.has_value()) above->push_back({*first.beside, false});
      first.beside.reset();
      collection = first.inside.get();
    }
  }

  void WriteBlock(Collection* collection, int indent, std::string* out) {
    const bool loose = IsLoose(*collection);
    const bool apart = collection->format != nullptr && collection->format->apart;
    bool after_block = false;
    for (size_t i = 0; i < collection->entries.size(); ++i) {
      Entry& entry = *collection->entries[i];
      const int column = indent + (entry.key.has_value() ? 0 : kIndent);
      std::optional<std::string> line = LineOf(entry, column);
      if (!entry.key.has_value() && entry.inside != nullptr && !line.has_value()) {
        if (entry.beside.has_value()) entry.above.push_back({*entry.beside, false});
        entry.beside.reset();
        TakeFirstComments(entry.inside.get(), &entry.above);
        // Without them it may go on a line after all, as it would when it is laid out again.
        CountComments(entry.inside.get());
        line = LineOf(entry, column);
      }
      const bool block = entry.inside != nullptr && !line.has_value();
      const bool has_gap = entry.above.empty() ? entry.apart : entry.above[0].apart;
      if (i > 0 &&
          (apart || (loose && has_gap) || (IsRoot(*collection) && (block || after_block)))) {
        *out += '\n';
      }
      for (size_t j = 0; j < entry.above.size(); ++j) {
        if (j > 0 && loose && entry.above[j].apart) *out += '\n';
        WriteComment(entry.above[j].text, indent, out);
      }
      if (loose && !entry.above.empty() && entry.apart) *out += '\n';
      WriteEntry(&entry, line, indent, out);
      after_block = block;
    }
    for (const Comment& comment : collection->below) {
      if (loose && comment.apart) *out += '\n';
      WriteComment(comment.text, indent, out);
    }
  }

  void WriteEntry(Entry* entry, const std::optional<std::string>& line, int indent,
                  std::string* out) {
    const std::string beside =
        entry->beside.has_value() ? absl::StrCat("  ", View(*entry->beside)) : "";
    std::string head(indent, ' ');
    if (entry->key.has_value()) absl::StrAppend(&head, KeyText(*entry->key), ":");
    if (!entry->key.has_value()) head += '-';
    if (line.has_value()) {
      absl::StrAppend(out, head, line->empty() ? "" : " ", *line, beside, "\n");
    } else if (entry->inside == nullptr) {
      WriteLines(entry->value, head, beside, indent + kIndent, out);
    } else if (entry->key.has_value()) {
      absl::StrAppend(out, head, beside, "\n");
      WriteBlock(entry->inside.get(), indent + kIndent, out);
    } else {
      // The sign of the item takes the place of the spaces before its first line.
      const size_t at = out->size();
      WriteBlock(entry->inside.get(), indent + kIndent, out);
      (*out)[at + indent] = '-';
    }
  }

  // The value on one line, if it goes there; `column` is that of the key, or of the item's value.
  std::optional<std::string> LineOf(const Entry& entry, int column) const {
    if (entry.inside == nullptr) {
      if (HasLines(entry.value)) return std::nullopt;
      return ScalarText(entry.value, /*in_flow=*/false);
    }
    if (!FlowOf(*entry.inside)) return std::nullopt;
    const size_t before =
        column + (entry.key.has_value() ? Columns(KeyText(*entry.key)) + 2 : size_t{0});
    if (entry.inside->entries.empty()) return FlowText(*entry.inside);
    std::string text = FlowText(*entry.inside);
    if (before + Columns(text) > kFormatColumns) return std::nullopt;
    return text;
  }

  // Whether a collection may stand in brackets.
  static bool FlowOf(const Collection& collection) {
    if (collection.entries.empty()) return true;
    if (collection.has_comments || (collection.format != nullptr && collection.format->block)) {
      return false;
    }
    return std::all_of(collection.entries.begin(), collection.entries.end(),
                       [](const std::unique_ptr<Entry>& entry) {
                         return entry->inside == nullptr ? !HasLines(entry->value)
                                                         : FlowOf(*entry->inside);
                       });
  }

  std::string FlowText(const Collection& collection) const {
    const bool mapping = collection.node.IsMapping();
    std::string text = mapping ? "{" : "[";
    for (const std::unique_ptr<Entry>& entry : collection.entries) {
      if (text.size() > 1) text += ", ";
      if (mapping) absl::StrAppend(&text, KeyText(*entry->key), ": ");
      text += entry->inside == nullptr ? ScalarText(entry->value, /*in_flow=*/true)
                                       : FlowText(*entry->inside);
      // Too long for any line, so that the rest need not be looked at.
      if (text.size() > 4 * kFormatColumns) break;
    }
    return text + (mapping ? "}" : "]");
  }

  static size_t Columns(std::string_view text) {
    return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) {
      return (static_cast<unsigned char>(c) & 0xC0) != 0x80;
    }));
  }

  // --- Scalars ---

  static std::string KeyText(YamlNode key) {
    if (IsSpecial(key)) return std::string(key.text());
    return YamlText(key.text(), /*in_flow=*/true);
  }

  // Whether it is written as something else than text: a number, a boolean or null.
  static bool IsSpecial(YamlNode node) { return node.plain() && !IsText(node); }

  static std::string ScalarText(YamlNode node, bool in_flow) {
    if (IsSpecial(node)) return std::string(node.text());
    return YamlText(node.text(), in_flow);
  }

  // Whether an author has cut it into lines, which are kept.
  static bool HasLines(YamlNode node) {
    if (node.style() == YamlStyle::kLiteral || node.style() == YamlStyle::kFolded) {
      const std::string_view text = node.text();
      // Only `+` keeps more than one line feed at the end, or nothing but line feeds.
      return text.find_first_not_of('\n') != std::string_view::npos &&
             !absl::EndsWith(View(text), "\n\n");
    }
    return node.position().line != node.PositionInScalar(node.text().size()).line;
  }

  void WriteLines(YamlNode node, const std::string& head, const std::string& beside, int indent,
                  std::string* out) const {
    const bool block = node.style() == YamlStyle::kLiteral || node.style() == YamlStyle::kFolded;
    std::string_view source = yaml_.source().substr(node.source_offset());
    if (block) {
      const char* const chomp = node.text().back() == '\n' ? "" : "-";
      absl::StrAppend(out, head, " ", View(source.substr(0, 1)), chomp, beside, "\n");
      WriteBlockLines(source.substr(std::min(source.find('\n'), source.size() - 1) + 1), indent,
                      out);
      return;
    }
    source = source.substr(0, node.end_offset() - node.source_offset());
    std::string text;
    while (!source.empty()) {
      const size_t end = std::min(source.find('\n'), source.size());
      const absl::string_view line = absl::StripAsciiWhitespace(View(source.substr(0, end)));
      const bool first = text.empty();
      if (!first) text += '\n';
      if (!line.empty()) {
        if (first) absl::StrAppend(&text, head, " ");
        if (!first) text.append(indent, ' ');
        absl::StrAppend(&text, line);
      }
      source.remove_prefix(std::min(end + 1, source.size()));
    }
    absl::StrAppend(out, text, beside, "\n");
  }

  // The lines of a block of text, indented anew. `source` begins with the first of them.
  static void WriteBlockLines(std::string_view source, int indent, std::string* out) {
    size_t old_indent = std::string_view::npos;
    size_t empty = 0;  // Lines, which count only before others.
    while (!source.empty()) {
      const size_t end = std::min(source.find('\n'), source.size());
      std::string_view line = source.substr(0, end);
      if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
      source.remove_prefix(std::min(end + 1, source.size()));
      const size_t spaces = std::min(line.find_first_not_of(' '), line.size());
      if (old_indent == std::string_view::npos && spaces < line.size()) old_indent = spaces;
      if (spaces == line.size() && (old_indent == std::string_view::npos || spaces <= old_indent)) {
        ++empty;
        continue;
      }
      if (spaces < old_indent) return;
      out->append(empty, '\n').append(indent, ' ');
      absl::StrAppend(out, View(line.substr(old_indent)), "\n");
      empty = 0;
    }
  }

  const YamlDocument& yaml_;
};

// --- What a file means, to compare ---

// Of mappings whose keys the tables know the order does not matter.
void AppendSense(YamlNode node, const ValueFormat* format, std::string* out) {
  const auto append_text = [out](char kind, std::string_view text) {
    absl::StrAppend(out, std::string(1, kind), text.size(), ":", View(text));
  };
  if (node.IsScalar()) return append_text(IsText(node) ? 't' : 'v', node.text());
  std::vector<std::string> parts;
  const auto add = [&](std::optional<YamlNode> key, YamlNode value) {
    std::string part;
    if (key.has_value()) AppendSense(*key, nullptr, &part);
    AppendSense(value, FormatOf(format, key, value), &part);
    parts.push_back(std::move(part));
  };
  if (node.IsMapping()) {
    for (const auto [key, value] : node.members()) add(key, value);
    if (format != nullptr && format->kind == ValueFormat::Kind::kMapping) {
      std::sort(parts.begin(), parts.end());
    }
  } else {
    for (const YamlNode item : node.items()) add(std::nullopt, item);
  }
  *out += node.IsMapping() ? '{' : '[';
  for (const std::string& part : parts) *out += part;
  *out += ')';
}

std::string SenseOf(const YamlDocument& yaml, const ValueFormat* format) {
  std::string sense;
  AppendSense(yaml.root(), format, &sense);
  std::vector<std::string> comments;
  for (const YamlComment& comment : yaml.comments()) {
    const absl::string_view text =
        View(yaml.source().substr(comment.begin, comment.end - comment.begin));
    comments.emplace_back(absl::StripTrailingAsciiWhitespace(text));
  }
  std::sort(comments.begin(), comments.end());
  for (const std::string& comment : comments) absl::StrAppend(&sense, "\n", comment);
  return sense;
}

}  // namespace

FormatResult FormatFile(const SourceFile& file, const LoadLimits& limits) {
  FormatResult result;
  YamlLimits yaml_limits;
  yaml_limits.max_bytes = limits.max_file_bytes;
  const std::optional<YamlDocument> yaml =
      ReadYaml(file.name, file.text, yaml_limits, &result.issues);
  if (yaml.has_value()) {
    Documents ignored;
    ReadDocument(file.name, *yaml, limits, &ignored, &result.issues);
  }
  const auto is_warning = [](const Issue& issue) {
    return issue.severity != Issue::Severity::kError;
  };
  result.issues.erase(std::remove_if(result.issues.begin(), result.issues.end(), is_warning),
                      result.issues.end());
  if (!result.issues.empty()) {
    SortIssues(&result.issues);
    AddLines(file.text, absl::MakeSpan(result.issues));
    return result;
  }
  const ValueFormat* root = nullptr;
  for (const auto [key, value] : yaml->root().members()) {
    for (const FileFormat& format : FileFormats()) {
      // A schema has a key `entities`, too.
      if (key.text() == format.kind && root != &kSchemaFormat) root = format.root;
    }
  }
  std::string text = Writer(*yaml).Write(Reader(*yaml, root).Take().get());
  std::vector<Issue> ignored;
  const std::optional<YamlDocument> again = ReadYaml(file.name, text, yaml_limits, &ignored);
  if (!again.has_value() || SenseOf(*again, root) != SenseOf(*yaml, root)) {
    Issue issue;
    issue.file = file.name;
    issue.message =
        "cannot be laid out without changing what it means, and is left as it is; please report it";
    result.issues.push_back(std::move(issue));
    return result;
  }
  result.text = std::move(text);
  return result;
}

}  // namespace reeve
