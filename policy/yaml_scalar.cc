#include "reeve/policy/yaml_scalar.h"

#include <algorithm>
#include <string_view>

#include "reeve/engine/text.h"

namespace reeve {
namespace {

// The decoders below hand the text, piece by piece, to one of two sinks. A piece is a stretch of
// the source as it stands (Copy), or stands for something else in the source (Put).

class TextSink {
 public:
  TextSink(const std::string& source, std::string* out) : source_(source), out_(out) {}
  void Copy(size_t at, size_t length) { out_->append(source_, at, length); }
  void Put(size_t /*at*/, size_t /*source_length*/, std::string_view text) { out_->append(text); }
  bool done() const { return false; }

 private:
  const std::string& source_;
  std::string* out_;
};

// Finds where byte `target` of the text comes from.
class PlaceSink {
 public:
  explicit PlaceSink(size_t target) : target_(target) {}
  void Copy(size_t at, size_t length) {
    if (done()) return;
    if (target_ < length) {
      begin_ = at + target_;
      end_ = begin_ + 1;
      done_ = true;
    } else {
      target_ -= length;
    }
  }
  void Put(size_t at, size_t source_length, std::string_view text) {
    if (done()) return;
    if (target_ < text.size()) {
      begin_ = at;
      end_ = at + source_length;
      done_ = true;
    } else {
      target_ -= text.size();
    }
  }
  bool done() const { return done_; }
  size_t begin() const { return begin_; }
  size_t end() const { return end_; }

 private:
  size_t target_;
  bool done_ = false;
  size_t begin_ = 0;
  size_t end_ = 0;
};

// Goes from source[at], on blanks or a line break, over line breaks to the next line's text, and
// hands on what they mean inside a flow scalar: one break a space, each further one a line feed.
// `place` is where the text before ended.
template <typename Sink>
size_t Fold(const std::string& source, size_t at, size_t place, Sink* sink) {
  size_t breaks = 0;
  while (IsBlank(source[at]) || IsBreak(source[at])) {
    if (IsBreak(source[at])) {
      if (breaks > 0) sink->Put(place, 0, "\n");
      ++breaks;
      at += BreakLength(source, at);
    } else {
      ++at;
    }
  }
  if (breaks == 1) sink->Put(place, 0, " ");
  return at;
}

template <typename Sink>
void DecodePlain(const std::string& source, size_t at, size_t end, Sink* sink) {
  while (at < end && !sink->done()) {
    const size_t begin = at;
    size_t text_end = at;
    for (; at < end && !IsLineEnd(source[at]); ++at) {
      if (!IsBlank(source[at])) text_end = at + 1;
    }
    sink->Copy(begin, text_end - begin);
    if (at < end) at = Fold(source, at, text_end, sink);
  }
}

template <typename Sink>
void DecodeQuoted(const std::string& source, size_t begin, Sink* sink) {
  const char quote = source[begin];
  size_t at = begin + 1;
  while (source[at] != '\0' && !sink->done()) {
    const char c = source[at];
    if (c == quote) {
      if (quote == '"' || source[at + 1] != '\'') return;
      sink->Put(at, 2, "'");
      at += 2;
    } else if (c == '\\' && quote == '"') {
      if (IsBreak(source[at + 1])) {
        // An escaped line break is nothing; empty lines behind it are line feeds still.
        const size_t place = at++;
        at += BreakLength(source, at);
        while (IsBlank(source[at]) || IsBreak(source[at])) {
          if (IsBreak(source[at])) {
            sink->Put(place, 0, "\n");
            at += BreakLength(source, at);
          } else {
            ++at;
          }
        }
        continue;
      }
      char32_t code_point = 0;
      const size_t length = std::max<size_t>(ReadEscape(source, at, &code_point), 1);
      std::string text;
      AppendUtf8(code_point, &text);
      sink->Put(at, length, text);
      at += length;
    } else if (IsBlank(c) || IsBreak(c)) {
      size_t behind = at;
      while (IsBlank(source[behind])) ++behind;
      if (IsBreak(source[behind])) {
        at = Fold(source, at, at, sink);
      } else {
        sink->Copy(at, behind - at);
        at = behind;
      }
    } else {
      const size_t run = at;
      while (source[at] != quote && source[at] != '\\' && !IsBlank(source[at]) &&
             !IsLineEnd(source[at])) {
        ++at;
      }
      if (at == run) ++at;  // A backslash in single quotes.
      sink->Copy(run, at - run);
    }
  }
}

template <typename Sink>
size_t DecodeBlock(const std::string& source, size_t begin, size_t indent, Sink* sink) {
  const bool folded = source[begin] == '>';
  const char chomp = source[begin + 1];  // `-`, `+` or something else.
  size_t place = begin + 1;              // Where the text so far ended.
  size_t at = begin;
  while (!IsLineEnd(source[at])) ++at;
  if (source[at] == '\0') return at;
  at += BreakLength(source, at);

  const auto put_breaks = [&](size_t count) {
    for (; count > 0 && !sink->done(); --count) sink->Put(place, 0, "\n");
  };
  size_t empty_lines = 0;  // Since the last line of text.
  bool any_text = false;
  bool was_spaced = false;  // The last line of text began with a blank.
  bool open_line = false;   // The file ends within the last line of text.
  while (!sink->done()) {
    size_t text = at;
    while (text - at < indent && source[text] == ' ') ++text;
    if (IsBreak(source[text])) {
      ++empty_lines;
      at = text + BreakLength(source, text);
      continue;
    }
    if (source[text] == '\0') {
      at = text;
      break;
    }
    if (text - at < indent || (indent == 0 && IsDocumentMarker(source, at))) break;

    const bool spaced = IsBlank(source[text]);
    // Between two lines that begin with text, folding makes a space of one break and leaves out the
    // first of several. All other breaks stay.
    const bool folds = folded && any_text && !spaced && !was_spaced;
    if (folds && empty_lines == 0) {
      sink->Put(place, 0, " ");
    } else {
      put_breaks(empty_lines + (any_text && !folds ? 1 : 0));
    }
    any_text = true;
    was_spaced = spaced;
    empty_lines = 0;
    size_t end = text;
    while (!IsLineEnd(source[end])) ++end;
    sink->Copy(text, end - text);
    place = end;
    at = end;
    open_line = source[end] == '\0';
    if (open_line) break;
    at += BreakLength(source, end);
  }
  if (chomp == '+') {
    put_breaks(empty_lines + (any_text && !open_line ? 1 : 0));
  } else if (chomp != '-' && any_text && !open_line) {
    put_breaks(1);
  }
  return at;
}

}  // namespace

void AppendPlainText(const std::string& source, size_t begin, size_t end, std::string* out) {
  TextSink sink(source, out);
  DecodePlain(source, begin, end, &sink);
}

void AppendQuotedText(const std::string& source, size_t begin, std::string* out) {
  TextSink sink(source, out);
  DecodeQuoted(source, begin, &sink);
}

size_t AppendBlockText(const std::string& source, size_t begin, size_t indent, std::string* out) {
  TextSink sink(source, out);
  return DecodeBlock(source, begin, indent, &sink);
}

size_t BlockIndent(const std::string& source, size_t begin) {
  size_t at = begin;
  while (!IsLineEnd(source[at])) ++at;
  while (IsBreak(source[at])) {
    at += BreakLength(source, at);
    const size_t line = at;
    while (source[at] == ' ') ++at;
    if (!IsLineEnd(source[at])) return at - line;
  }
  return kNoIndent;
}

size_t ReadEscape(const std::string& source, size_t at, char32_t* code_point) {
  int digits = 0;
  switch (source[at + 1]) {
    case '0':
      *code_point = 0;
      return 2;
    case 'a':
      *code_point = '\a';
      return 2;
    case 'b':
      *code_point = '\b';
      return 2;
    case 't':
    case '\t':
      *code_point = '\t';
      return 2;
    case 'n':
      *code_point = '\n';
      return 2;
    case 'v':
      *code_point = '\v';
      return 2;
    case 'f':
      *code_point = '\f';
      return 2;
    case 'r':
      *code_point = '\r';
      return 2;
    case 'e':
      *code_point = 0x1B;
      return 2;
    case ' ':
    case '"':
    case '/':
    case '\\':
      *code_point = static_cast<unsigned char>(source[at + 1]);
      return 2;
    case 'N':
      *code_point = 0x85;
      return 2;
    case '_':
      *code_point = 0xA0;
      return 2;
    case 'L':
      *code_point = 0x2028;
      return 2;
    case 'P':
      *code_point = 0x2029;
      return 2;
    case 'x':
      digits = 2;
      break;
    case 'u':
      digits = 4;
      break;
    case 'U':
      digits = 8;
      break;
    default:
      return 0;
  }
  char32_t value = 0;
  for (int i = 0; i < digits; ++i) {
    const char c = source[at + 2 + i];
    char32_t digit;
    if (c >= '0' && c <= '9') {
      digit = static_cast<char32_t>(c - '0');
    } else if (c >= 'a' && c <= 'f') {
      digit = static_cast<char32_t>(c - 'a' + 10);
    } else if (c >= 'A' && c <= 'F') {
      digit = static_cast<char32_t>(c - 'A' + 10);
    } else {
      return 0;  // Also at the end of the source: its NUL is no digit.
    }
    value = value << 4 | digit;
  }
  if (value > 0x10FFFF || (value >= 0xD800 && value < 0xE000)) return 0;
  *code_point = value;
  return static_cast<size_t>(digits) + 2;
}

bool IsDocumentMarker(const std::string& source, size_t at) {
  const char c = source[at];
  if (c != '-' && c != '.') return false;
  if (source[at + 1] != c || source[at + 2] != c) return false;
  return IsBlank(source[at + 3]) || IsLineEnd(source[at + 3]);
}

size_t SourceOffset(const YamlTree& tree, const YamlTreeNode& node, size_t text_offset) {
  const bool quoted =
      node.type == YamlTreeNode::kSingleQuoted || node.type == YamlTreeNode::kDoubleQuoted;
  if (node.size == 0) return node.begin + (quoted ? 1 : 0);
  // The place behind the text is the one behind its last byte.
  const bool behind = text_offset >= node.size;
  PlaceSink sink(behind ? node.size - 1 : text_offset);
  switch (node.type) {
    case YamlTreeNode::kPlain:
      // The sink stops the decoder within the scalar.
      DecodePlain(tree.source, node.begin, tree.source.size(), &sink);
      break;
    case YamlTreeNode::kSingleQuoted:
    case YamlTreeNode::kDoubleQuoted:
      DecodeQuoted(tree.source, node.begin, &sink);
      break;
    default:
      DecodeBlock(tree.source, node.begin, BlockIndent(tree.source, node.begin), &sink);
  }
  return behind ? sink.end() : sink.begin();
}

}  // namespace reeve
