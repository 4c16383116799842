#include "reeve/policy/yaml_scanner.h"

#include <algorithm>
#include <array>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"
#include "reeve/policy/unicode.h"
#include "reeve/policy/yaml_scalar.h"

namespace reeve {
namespace {

// The most bytes between the start of a key and its `:`; yaml-cpp sees no key in a longer one.
constexpr size_t kYamlMaxKeyBytes = 1024;

bool IsFlowIndicator(char c) { return c == ',' || c == '[' || c == ']' || c == '{' || c == '}'; }

// The bytes at which unquoted text may end, or that count for where it ends.
constexpr std::array<bool, 256> kPlainStops = [] {
  std::array<bool, 256> table = {};
  for (const char c : {'\0', '\n', '\r', ' ', '\t', ':', '#', ',', '[', ']', '{', '}'}) {
    table[static_cast<unsigned char>(c)] = true;
  }
  return table;
}();

std::string Tab() { return "a tab may not separate or indent; use spaces"; }

}  // namespace

bool YamlScanner::Scan() {
  Level document;
  document.document = true;
  levels_.push_back(document);

  bool ok = true;
  bool more = NextLine(&ok);
  if (more && pos_ == line_start_ && Cur() == '%') {
    ok = Fail(pos_,
              absl::StrCat("directive ", RestOfLine(pos_), " is not supported; remove the line"));
  } else if (more && pos_ == line_start_ && Cur() == '-' && IsDocumentMarker(source_, pos_)) {
    pos_ += 3;
    behind_ = Behind::kMarker;
    top().place = pos_;
    ok = SkipBlanks() && (AtLineEnd() ? EndLine() : Content(/*may_open=*/false));
    more = ok && NextLine(&ok);
  }
  while (ok && more) {
    if (pos_ == line_start_ && IsDocumentMarker(source_, pos_)) {
      ok = EndOfDocument();
      break;
    }
    ok = BlockLine();
    more = ok && NextLine(&ok);
  }
  // Also after a failure: what was read is searched for duplicate keys.
  while (!levels_.empty()) ok = Close() && ok;
  return ok;
}

// --- Blocks ---

// From the start of a line to the first character, after indentation, of the next line that says
// something. Returns false at the end of the file or, with *ok false, if it finds a fault.
bool YamlScanner::NextLine(bool* ok) {
  while (true) {
    line_start_ = pos_;
    while (Cur() == ' ') ++pos_;
    if (Cur() == '\t') {
      *ok = Fail(pos_, Tab());
      return false;
    }
    if (Cur() == '#') SkipComment();
    if (Cur() == '\0') return false;
    if (!IsBreak(Cur())) return true;
    pos_ += BreakLength(source_, pos_);
  }
}

bool YamlScanner::EndOfDocument() {
  if (Cur() == '-') {
    return Fail(pos_, "a second document begins here; a file holds exactly one");
  }
  pos_ += 3;
  behind_ = Behind::kMarker;
  bool ok = EndLine();
  if (ok && NextLine(&ok)) {
    return Fail(pos_,
                absl::StrCat(RestOfLine(pos_), " stands behind `...`, the end of the document"));
  }
  return ok;
}

// Reads from the first character of a line.
bool YamlScanner::BlockLine() {
  const int column = static_cast<int>(pos_ - line_start_);
  const bool dash = AtIndicator('-');
  while (top().indent > column) {
    if (!Close()) return false;
  }
  // The items of a sequence may stand straight below the key that it belongs to. Then a line at
  // that indentation which is no item is the mapping's next key.
  if (top().IsSequence() && top().indent == column && !dash &&
      levels_[levels_.size() - 2].indent == column) {
    if (!Close()) return false;
  }
  const Level& level = top();
  const bool items_of_key = level.IsMapping() && level.state == State::kWantNode && dash;
  if (level.indent < column || items_of_key) {
    if (level.state == State::kWantNode) return Content(/*may_open=*/true);
    return Fail(pos_,
                absl::StrCat(RestOfLine(pos_),
                             " is indented differently from all that it could belong to; align "
                             "it with the entries above"));
  }
  // Another entry of the collection.
  if (level.state == State::kWantNode && !AddAbsent()) return false;
  if (top().IsSequence() && !dash) {
    return Fail(pos_, absl::StrCat(RestOfLine(pos_), " is no item of the list that begins at ",
                                   Place(tree_->nodes[top().node].begin),
                                   "; begin it with `- `, or indent it differently"));
  }
  if (top().IsMapping() && dash) {
    return Fail(
        pos_,
        absl::StrCat("a list item, ", RestOfLine(pos_), ", stands among the keys that begin at ",
                     Place(tree_->nodes[top().node].begin), "; indent it differently"));
  }
  return Content(/*may_open=*/true);
}

// Reads the rest of a line, and the lines below it that a scalar or a flow collection goes on to.
// `may_open` says whether a block collection may begin here: after nothing but indentation and `-
// `.
bool YamlScanner::Content(bool may_open) {
  while (true) {
    const int column = static_cast<int>(pos_ - line_start_);
    if (AtIndicator('-')) {
      if (!may_open) {
        return Fail(pos_,
                    "a list item may not begin on this line; begin it on the next one, or quote "
                    "the text");
      }
      const bool next_item = top().IsSequence() && top().state == State::kDone;
      if (!next_item && !Open(YamlTreeNode::kSequence, pos_, column)) return false;
      ++pos_;
      top().state = State::kWantNode;
      top().place = pos_;
      if (!SkipBlanks()) return false;
      if (AtLineEnd()) return EndLine();
      continue;
    }
    if (!SkipProperties(/*in_flow=*/false)) return false;
    if (AtLineEnd()) return EndLine();
    if (Cur() == '|' || Cur() == '>') return BlockScalar();
    if (Cur() == '[' || Cur() == '{') {
      if (!Flow()) return false;
      behind_ = Behind::kBracket;
      size_t at = pos_;
      while (IsBlank(source_[at])) ++at;
      if (AtColon(at, /*in_flow=*/false)) {
        return Fail(at, "a key must be text, not a list or a mapping");
      }
      return EndLine();
    }
    Scalar scalar;
    if (!ReadScalar(/*in_flow=*/false, &scalar)) return false;
    if (!scalar.is_key) return AddScalar(scalar) && EndLine();

    const bool next_key = top().IsMapping() && top().state == State::kDone;
    if (!next_key) {
      if (!may_open) {
        if (top().document) {
          return Fail(scalar.colon,
                      "keys may not begin on the line of `---`; begin on the next line");
        }
        return Fail(scalar.colon,
                    absl::StrCat("`: ` inside the value ", RestOfLine(scalar.begin),
                                 " makes a key of it; put the whole value in quotes"));
      }
      if (!Open(YamlTreeNode::kMapping, scalar.begin, column)) return false;
    }
    if (!AddKey(scalar) || !SkipBlanks()) return false;
    if (AtLineEnd()) return EndLine();
    may_open = false;
  }
}

bool YamlScanner::BlockScalar() {
  const size_t begin = pos_++;
  if (Cur() == '+' || Cur() == '-') ++pos_;
  if (Cur() >= '0' && Cur() <= '9') {
    return Fail(pos_, absl::StrCat("indentation indicator ", Quoted(source_.substr(pos_, 1)),
                                   " is not supported; begin the text's first line without extra "
                                   "spaces, or quote the text"));
  }
  while (IsBlank(Cur())) ++pos_;
  if (!AtLineEnd()) {
    return Fail(pos_, absl::StrCat(RestOfLine(pos_), " stands behind `", source_.substr(begin, 1),
                                   "`; begin the text on the next line, or put the whole value in "
                                   "quotes"));
  }
  SkipComment();

  // Text must be indented more than what it belongs to; a first line that is not belongs elsewhere.
  size_t indent = BlockIndent(source_, begin);
  if (indent != kNoIndent && static_cast<int>(indent) <= top().indent) indent = kNoIndent;
  if (indent != kNoIndent) {
    // The first lines, if empty, must not be longer than the indentation: readers differ on those.
    size_t line = pos_;
    while (true) {
      line += BreakLength(source_, line);
      size_t at = line;
      while (source_[at] == ' ') ++at;
      if (!IsBreak(source_[at])) break;
      if (at - line > indent) {
        return Fail(line,
                    "an empty line with more spaces than the text below it; remove the spaces");
      }
      line = at;
    }
  }
  const size_t header_end = pos_;
  const size_t text = source_.size() + tree_->decoded.size();
  pos_ = AppendBlockText(source_, begin, indent, &tree_->decoded);
  if (Cur() == '\0' && pos_ != header_end && !IsBreak(source_[pos_ - 1]) &&
      source_[begin + 1] != '-') {
    // Readers differ on whether the text then ends in a line feed.
    return Fail(pos_, "the file ends within a block of text; end its last line with a line feed");
  }
  const size_t size = source_.size() + tree_->decoded.size() - text;
  return BeginValue(begin) &&
         AddNode(source_[begin] == '|' ? YamlTreeNode::kLiteral : YamlTreeNode::kFolded, begin,
                 text, size);
}

// Goes from behind a node to the start of the next line; only a comment may stand between.
bool YamlScanner::EndLine() {
  const size_t start = pos_;
  while (IsBlank(Cur())) ++pos_;
  if (!AtLineEnd()) {
    if (Cur() == '#') return Fail(pos_, "a comment begins without a space before the `#`");
    std::string where;
    switch (behind_) {
      case Behind::kQuote:
        where = absl::StrCat(" stands behind the closing quote at ", Place(start - 1),
                             "; put the whole value in quotes, or write it below a `|`");
        break;
      case Behind::kBracket:
        where = absl::StrCat(" stands behind the closing bracket at ", Place(start - 1),
                             "; put the whole value in quotes, or begin a new line");
        break;
      case Behind::kMarker:
        where = absl::StrCat(" stands behind ", Quoted(source_.substr(start - 3, 3)),
                             "; begin a new line");
        break;
      case Behind::kText:
        where = " is not understood here; put the whole value in quotes";
        break;
    }
    return Fail(pos_, absl::StrCat(RestOfLine(pos_), where));
  }
  SkipComment();
  if (IsBreak(Cur())) pos_ += BreakLength(source_, pos_);
  return true;
}

// --- Flow collections ---

// Reads a `[...]` or `{...}` and all that is in it.
bool YamlScanner::Flow() {
  const size_t around = levels_.size();
  const int indent = top().indent;
  if (!OpenFlow()) return false;
  while (levels_.size() > around) {
    const size_t opener = tree_->nodes[top().node].begin;
    if (!SkipFlowSpace(indent, opener)) return false;
    const char c = Cur();
    const State state = top().state;
    if (c == ']' || c == '}') {
      if ((c == ']') != top().IsSequence()) {
        return Fail(pos_, absl::StrCat("`", std::string(1, c), "` does not close the `",
                                       source_.substr(opener, 1), "` at ", Place(opener)));
      }
      ++pos_;
      if (!Close()) return false;
    } else if (c == ',') {
      if (state == State::kWantEntry) {
        return Fail(pos_, "nothing stands before this `,`; remove it");
      }
      if (state == State::kWantNode && !AddAbsent()) return false;
      top().state = State::kWantEntry;
      ++pos_;
    } else if (state == State::kDone) {
      return Fail(pos_, absl::StrCat("no `,` before ", RestOfLine(pos_),
                                     "; write one, or put the whole text in quotes"));
    } else if (!FlowEntry()) {
      return false;
    }
  }
  return true;
}

// Reads a key and its `:`, or an item, or a value, or the opening of one.
bool YamlScanner::FlowEntry() {
  const size_t begin = pos_;
  if (!SkipProperties(/*in_flow=*/true)) return false;
  if (pos_ != begin) return true;
  const bool want_key = top().IsMapping() && top().state == State::kWantEntry;
  if (Cur() == '[' || Cur() == '{') {
    if (want_key) return Fail(pos_, "a key must be text, not a list or a mapping");
    return OpenFlow();
  }
  Scalar scalar;
  if (!ReadScalar(/*in_flow=*/true, &scalar)) return false;
  if (want_key) {
    if (!scalar.is_key) {
      return Fail(scalar.begin,
                  absl::StrCat("key ", Quoted(source_.substr(begin, scalar.end - begin)),
                               " has no value; write `: ` and the value on its line, or put the "
                               "whole text in quotes"));
    }
    return AddKey(scalar);
  }
  if (scalar.is_key) {
    return Fail(
        scalar.colon,
        absl::StrCat("`:` makes a key of ", Quoted(source_.substr(begin, scalar.end - begin)),
                     ", which is not in a `{...}` of its own; put the text in quotes, or the "
                     "key and its value in braces"));
  }
  return AddScalar(scalar);
}

// Goes over blanks, comments and line breaks inside a flow collection.
bool YamlScanner::SkipFlowSpace(int indent, size_t opener) {
  while (true) {
    if (!SkipBlanks()) return false;
    if (Cur() == '#' && !AtLineEnd()) {
      return Fail(pos_, "a comment begins without a space before the `#`");
    }
    SkipComment();
    if (Cur() == '\0') {
      return Fail(opener, absl::StrCat("`", source_.substr(opener, 1), "` is never closed"));
    }
    if (!IsBreak(Cur())) return true;
    pos_ += BreakLength(source_, pos_);
    const size_t line = pos_;
    while (Cur() == ' ') ++pos_;
    if (Cur() == '\t') return Fail(pos_, Tab());
    if (AtLineEnd()) continue;
    if (static_cast<int>(pos_ - line) <= indent || IsDocumentMarker(source_, line)) {
      return Fail(pos_,
                  absl::StrCat(RestOfLine(pos_), " is inside the `", source_.substr(opener, 1),
                               "` at ", Place(opener),
                               "; close that, or indent this line more than the line where its "
                               "key stands"));
    }
  }
}

// --- Scalars ---

// Refuses anchors and tags, and goes on behind them.
bool YamlScanner::SkipProperties(bool in_flow) {
  bool said = false;
  while (Cur() == '&' || Cur() == '!') {
    const size_t begin = pos_;
    while (!IsBlank(Cur()) && !IsLineEnd(Cur()) && !(in_flow && IsFlowIndicator(Cur()))) ++pos_;
    // One report a node: more of them are likely the operators of an expression.
    if (!said) {
      const std::string word = Quoted(std::string_view(source_).substr(begin, pos_ - begin));
      if (source_[begin] == '&') {
        findings_->Add(begin, absl::StrCat("YAML anchor ", word,
                                           " is not supported; write the value out where it is "
                                           "used, or put the whole text in quotes"));
      } else {
        findings_->Add(begin, absl::StrCat("YAML tag ", word,
                                           " is not supported; put the whole text in quotes if the "
                                           "`!` is part of it"));
      }
    }
    said = true;
    if (!SkipBlanks()) return false;
  }
  return true;
}

// Reads a scalar, and looks for the `:` that makes it a key.
bool YamlScanner::ReadScalar(bool in_flow, Scalar* scalar) {
  scalar->begin = pos_;
  scalar->verbatim = true;
  scalar->is_key = false;
  const bool quoted = Cur() == '"' || Cur() == '\'';
  return quoted ? ReadQuoted(in_flow, scalar) : ReadPlain(in_flow, scalar);
}

bool YamlScanner::ReadQuoted(bool in_flow, Scalar* scalar) {
  const char quote = Cur();
  const size_t begin = pos_;
  const int indent = top().indent;
  bool one_line = true;
  size_t at = begin + 1;
  while (true) {
    const char c = source_[at];
    if (c == quote) {
      if (quote == '"' || source_[at + 1] != '\'') break;
      scalar->verbatim = false;
      at += 2;
    } else if (c == '\\' && quote == '"') {
      scalar->verbatim = false;
      at += IsLineEnd(source_[at + 1]) ? 1 : CheckEscape(at);
    } else if (IsLineEnd(c)) {
      scalar->verbatim = false;
      one_line = false;
      size_t line = at;
      while (IsBreak(source_[at])) {
        at += BreakLength(source_, at);
        line = at;
        while (source_[at] == ' ') ++at;
        if (static_cast<int>(at - line) > indent) {
          while (IsBlank(source_[at])) ++at;
        }
      }
      if (source_[at] == '\0' || static_cast<int>(at - line) <= indent ||
          IsDocumentMarker(source_, line)) {
        return Fail(begin,
                    absl::StrCat("no closing quote for ", RestOfLine(begin), " before ", Place(at),
                                 "; close it, or indent the lines that it goes on to"));
      }
    } else {
      ++at;
    }
  }
  scalar->type = quote == '"' ? YamlTreeNode::kDoubleQuoted : YamlTreeNode::kSingleQuoted;
  scalar->end = at + 1;
  pos_ = at + 1;
  behind_ = Behind::kQuote;
  size_t behind = pos_;
  while (IsBlank(source_[behind])) ++behind;
  // In a flow collection the value may touch the `:` of a quoted key, as in JSON.
  if (AtColon(behind, in_flow) || (in_flow && source_[behind] == ':')) {
    if (!one_line) return Fail(begin, "a key must stand on one line");
    scalar->is_key = true;
    scalar->colon = behind;
  }
  return true;
}

// Checks the escape at source_[at] and returns its length.
size_t YamlScanner::CheckEscape(size_t at) {
  char32_t code_point;
  const size_t length = ReadEscape(source_, at, &code_point);
  if (length == 0) {
    size_t end = at + 1;
    if (source_[end] == 'x' || source_[end] == 'u' || source_[end] == 'U') {
      ++end;
      while (end < at + 10 && absl::ascii_isxdigit(source_[end])) ++end;
    } else {
      end += std::max<size_t>(1, DecodeUtf8(std::string_view(source_).substr(end), &code_point));
    }
    findings_->Add(at, absl::StrCat(Quoted(std::string_view(source_).substr(at, end - at)),
                                    " is no escape that YAML knows; for a backslash write `\\\\`, "
                                    "or use single quotes"));
    return 2;
  }
  const CharacterFault fault = FaultOf(code_point);
  if (fault != CharacterFault::kNone) {
    findings_->Add(
        at, absl::StrCat(Quoted(std::string_view(source_).substr(at, length)), " stands for ",
                         fault == CharacterFault::kControl ? "control" : "hidden", " character ",
                         CodePointName(code_point), "; remove it"));
  }
  return length;
}

bool YamlScanner::ReadPlain(bool in_flow, Scalar* scalar) {
  if (!CheckPlainStart(in_flow)) return false;
  scalar->type = YamlTreeNode::kPlain;
  behind_ = Behind::kText;
  size_t stop;
  scalar->end = PlainLineEnd(pos_, in_flow, &stop);
  if (source_[stop] == ':') {
    scalar->is_key = true;
    scalar->colon = stop;
  }
  // In a block it goes on to the lines below that are indented. In a flow collection YAML lets it
  // do so too; there, a `,` is more likely missing, and Reeve does not.
  while (!in_flow && IsBreak(source_[stop])) {
    size_t at = stop;
    size_t line = at;
    while (IsBreak(source_[at])) {
      at += BreakLength(source_, at);
      line = at;
      while (source_[at] == ' ') ++at;
    }
    if (source_[at] == '\0' || source_[at] == '\t' || source_[at] == '#' ||
        static_cast<int>(at - line) <= top().indent || IsDocumentMarker(source_, line)) {
      break;
    }
    scalar->verbatim = false;
    scalar->end = PlainLineEnd(at, in_flow, &stop);
    if (source_[stop] == ':') {
      return Fail(stop, absl::StrCat(RestOfLine(at), " is indented as if it continued the text at ",
                                     Place(scalar->begin),
                                     ", where `: ` may not stand; align it with "
                                     "its keys, or put the whole text in quotes"));
    }
  }
  pos_ = scalar->end;
  return true;
}

// Returns where the plain text at source_[at] ends on its line. *stop is what ends it: the line's
// end, the blank before a comment, a `:` that makes a key, or in a flow collection an indicator.
size_t YamlScanner::PlainLineEnd(size_t at, bool in_flow, size_t* stop) const {
  size_t end = at;
  while (true) {
    const size_t run = at;
    while (!kPlainStops[static_cast<unsigned char>(source_[at])]) ++at;
    if (at != run) end = at;
    const char c = source_[at];
    if (IsLineEnd(c) || (c == ':' && AtColon(at, in_flow)) || (in_flow && IsFlowIndicator(c))) {
      break;
    }
    if (c == '#' && at > end) break;
    ++at;
    if (!IsBlank(c)) end = at;
  }
  *stop = at;
  return end;
}

// Checks that the character at pos_ can begin unquoted text.
bool YamlScanner::CheckPlainStart(bool in_flow) {
  const char c = Cur();
  const std::string_view rest = std::string_view(source_).substr(pos_, 1);
  const char next = source_[pos_ + 1];
  const bool alone = IsBlank(next) || IsLineEnd(next) || (in_flow && IsFlowIndicator(next));
  switch (c) {
    case '-':
      if (alone) {
        return Fail(pos_, "a lone `-` begins a list item, which may not stand here; quote it");
      }
      return true;
    case '?':
      if (alone) {
        return Fail(pos_,
                    "`? ` begins a complex key, which is not supported; write `key: value`, or "
                    "put the whole text in quotes");
      }
      return true;
    case ':':
      if (alone) {
        return Fail(pos_, "no key before this `:`; write one, or put the whole text in quotes");
      }
      return true;
    case '*':
      // Read on as text: the rest of the file can still be looked at.
      if (alone) {
        findings_->Add(pos_,
                       "a bare `*` is a YAML alias; write `\"*\"` in quotes, or `any`, or `**`");
      } else {
        size_t stop;
        const size_t end = PlainLineEnd(pos_, in_flow, &stop);
        findings_->Add(
            pos_,
            absl::StrCat("text that begins with `*` is a YAML alias, which is not supported: ",
                         Quoted(std::string_view(source_).substr(pos_, end - pos_)),
                         "; put it in quotes if it is a pattern, else write the value out"));
      }
      return true;
    case ',':
    case '[':
    case ']':
    case '{':
    case '}':
    case '#':
    case '|':
    case '>':
    case '%':
    case '@':
    case '`':
      return Fail(pos_, absl::StrCat(c == '`' ? "a back-quote" : Quoted(rest),
                                     " may not begin unquoted text; put the whole text in quotes"));
    default:
      return true;
  }
}

// --- The tree ---

bool YamlScanner::Open(YamlTreeNode::Type type, size_t begin, int indent) {
  if (levels_.size() > static_cast<size_t>(limits_.max_depth)) {
    return Fail(begin, absl::StrCat("nested deeper than ", limits_.max_depth, " levels"));
  }
  if (!BeginValue(begin)) return false;
  Level level;
  level.type = type;
  level.node = static_cast<uint32_t>(tree_->nodes.size());
  level.indent = indent;
  level.place = begin;
  if (!AddNode(type, begin, 0, 0)) return false;
  level.state = State::kDone;
  levels_.push_back(level);
  return true;
}

bool YamlScanner::OpenFlow() {
  const bool sequence = Cur() == '[';
  if (!Open(sequence ? YamlTreeNode::kSequence : YamlTreeNode::kMapping, pos_, top().indent)) {
    return false;
  }
  top().state = State::kWantEntry;
  ++pos_;
  return true;
}

// Closes the innermost collection, or the document.
bool YamlScanner::Close() {
  const bool ok = top().state != State::kWantNode || AddAbsent();
  if (!top().document) {
    const auto end = static_cast<uint32_t>(tree_->nodes.size());
    YamlTreeNode& node = tree_->nodes[top().node];
    node.text_or_end = end;
    if (top().IsMapping()) CheckDuplicateKeys(top().node, end);
  }
  levels_.pop_back();
  return ok;
}

// Marks that a node begins, and counts it, where the innermost collection wants one.
bool YamlScanner::BeginValue(size_t begin) {
  Level& level = top();
  if (level.IsMapping() && level.state != State::kWantNode) {
    return Fail(begin,
                absl::StrCat(RestOfLine(begin),
                             " stands where a key is expected; write `key: value`, or indent "
                             "it to continue the line above"));
  }
  if (level.IsSequence()) ++tree_->nodes[level.node].size;
  level.state = State::kDone;
  return true;
}

bool YamlScanner::AddNode(YamlTreeNode::Type type, size_t begin, size_t text, size_t size) {
  if (tree_->nodes.size() >= limits_.max_nodes) {
    return Fail(begin, absl::StrCat("more than ", limits_.max_nodes,
                                    " values in one file; divide it into several"));
  }
  YamlTreeNode node;
  node.begin = static_cast<uint32_t>(begin);
  node.text_or_end = static_cast<uint32_t>(text);
  node.type = type;
  // A text is shorter than the source, whose size the reader has checked.
  node.size = static_cast<uint32_t>(size) & ((uint32_t{1} << 29) - 1);
  tree_->nodes.push_back(node);
  if (node.IsScalar() && size > limits_.max_scalar_bytes) {
    findings_->Add(begin, absl::StrCat("text of ", size, " bytes; at most ",
                                       limits_.max_scalar_bytes, " are allowed"));
  }
  return true;
}

bool YamlScanner::AddScalar(const Scalar& scalar) {
  return BeginValue(scalar.begin) && AddText(scalar);
}

bool YamlScanner::AddText(const Scalar& scalar) {
  const bool plain = scalar.type == YamlTreeNode::kPlain;
  if (scalar.verbatim) {
    const size_t quote = plain ? 0 : 1;
    return AddNode(scalar.type, scalar.begin, scalar.begin + quote,
                   scalar.end - scalar.begin - 2 * quote);
  }
  const size_t text = tree_->decoded.size();
  if (plain) {
    AppendPlainText(source_, scalar.begin, scalar.end, &tree_->decoded);
  } else {
    AppendQuotedText(source_, scalar.begin, &tree_->decoded);
  }
  return AddNode(scalar.type, scalar.begin, source_.size() + text, tree_->decoded.size() - text);
}

bool YamlScanner::AddKey(const Scalar& scalar) {
  const size_t longest = std::min(limits_.max_key_bytes, kYamlMaxKeyBytes);
  if (scalar.colon - scalar.begin > longest) {
    findings_->Add(scalar.begin, absl::StrCat("key of ", scalar.colon - scalar.begin,
                                              " bytes; at most ", longest, " are allowed"));
  }
  if (!AddText(scalar)) return false;
  const YamlTreeNode& node = tree_->nodes.back();
  if (tree_->IsNull(node)) {
    findings_->Add(scalar.begin, absl::StrCat("key ", Quoted(tree_->Text(node)),
                                              " is null; put it in quotes if it is meant as text"));
  } else if (node.type == YamlTreeNode::kPlain && tree_->Text(node) == "<<") {
    findings_->Add(scalar.begin, "merge key `<<` is not supported; write the keys out");
  }
  ++tree_->nodes[top().node].size;
  pos_ = scalar.colon + 1;
  top().state = State::kWantNode;
  top().place = pos_;
  return true;
}

bool YamlScanner::AddAbsent() {
  const size_t place = top().place;
  return BeginValue(place) && AddNode(YamlTreeNode::kPlain, place, place, 0);
}

void YamlScanner::CheckDuplicateKeys(uint32_t mapping, uint32_t end) {
  const std::vector<YamlTreeNode>& nodes = tree_->nodes;
  keys_.clear();
  // The last key may be without a value if the scanner has failed.
  for (uint32_t key = mapping + 1; key < end;) {
    keys_.push_back(key);
    const uint32_t value = key + 1;
    if (value >= end) break;
    key = nodes[value].IsScalar() ? value + 1 : nodes[value].text_or_end;
  }
  const auto report = [&](uint32_t first, uint32_t again) {
    findings_->Add(nodes[again].begin,
                   absl::StrCat("key ", Quoted(tree_->Text(nodes[again])),
                                " is given twice; first at ", Place(nodes[first].begin)));
  };
  // Few keys are compared each with each; many are sorted first.
  constexpr size_t kFew = 8;
  if (keys_.size() <= kFew) {
    for (size_t i = 1; i < keys_.size(); ++i) {
      for (size_t j = 0; j < i; ++j) {
        if (tree_->Text(nodes[keys_[i]]) != tree_->Text(nodes[keys_[j]])) continue;
        report(keys_[j], keys_[i]);
        break;
      }
    }
    return;
  }
  std::sort(keys_.begin(), keys_.end(), [&](uint32_t a, uint32_t b) {
    const int order = tree_->Text(nodes[a]).compare(tree_->Text(nodes[b]));
    return order != 0 ? order < 0 : a < b;
  });
  size_t first = 0;
  for (size_t i = 1; i < keys_.size(); ++i) {
    if (tree_->Text(nodes[keys_[i]]) == tree_->Text(nodes[keys_[first]])) {
      report(keys_[first], keys_[i]);
    } else {
      first = i;
    }
  }
}

// --- Characters ---

// True at a `- `, where `c` is `-`.
bool YamlScanner::AtIndicator(char c) const {
  return Cur() == c && (IsBlank(source_[pos_ + 1]) || IsLineEnd(source_[pos_ + 1]));
}

// True if source_[at] is a `:` that stands behind a key.
bool YamlScanner::AtColon(size_t at, bool in_flow) const {
  if (source_[at] != ':') return false;
  const char next = source_[at + 1];
  return IsBlank(next) || IsLineEnd(next) || (in_flow && IsFlowIndicator(next));
}

// Goes over spaces. Tabs may stand only behind all that the line says.
bool YamlScanner::SkipBlanks() {
  size_t tab = source_.size();
  for (; IsBlank(Cur()); ++pos_) {
    if (Cur() == '\t') tab = std::min(tab, pos_);
  }
  return tab == source_.size() || AtLineEnd() || Fail(tab, Tab());
}

bool YamlScanner::AtLineEnd() const {
  if (IsLineEnd(Cur())) return true;
  if (Cur() != '#') return false;
  return pos_ == 0 || IsBlank(source_[pos_ - 1]) || IsBreak(source_[pos_ - 1]);
}

void YamlScanner::SkipComment() {
  if (Cur() != '#') return;
  const size_t begin = pos_;
  while (!IsLineEnd(Cur())) ++pos_;
  YamlComment comment = {static_cast<uint32_t>(begin), static_cast<uint32_t>(pos_), UINT32_MAX};
  if (!top().document) {
    const uint32_t around = tree_->nodes[top().node].begin;
    if (source_[around] == '[' || source_[around] == '{') comment.flow = around;
  }
  tree_->comments.push_back(comment);
}

std::string YamlScanner::Place(size_t offset) const {
  const Position position = tree_->PositionAt(offset);
  return absl::StrCat(position.line, ":", position.column);
}

// The rest of the line at `at`, without trailing blanks and quoted.
std::string YamlScanner::RestOfLine(size_t at) const {
  // Quoted() shows some 60 characters; no need to look much further.
  constexpr size_t kEnough = 400;
  size_t end = at;
  for (size_t i = at; !IsLineEnd(source_[i]) && i < at + kEnough; ++i) {
    if (!IsBlank(source_[i])) end = i + 1;
  }
  return Quoted(std::string_view(source_).substr(at, end - at));
}

bool YamlScanner::Fail(size_t offset, std::string message) {
  findings_->Add(offset, std::move(message));
  return false;
}

}  // namespace reeve
