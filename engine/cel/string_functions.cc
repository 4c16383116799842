#include <string.h>

#include <algorithm>
#include <limits>

#include "engine/cel/builders.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/regex.h"
#include "reeve/engine/text.h"

namespace reeve::cel {
namespace {

using Arguments = absl::Span<const Cell>;

constexpr size_t kNone = std::string_view::npos;
constexpr int64_t kNoLimit = -1;

bool IsString(const Cell& cell) { return cell.kind() == Kind::kString; }
bool AreStrings(Arguments cells) { return std::all_of(cells.begin(), cells.end(), IsString); }

// Whether it is the first byte of a character.
bool IsLead(char byte) { return (static_cast<unsigned char>(byte) & 0xC0) != 0x80; }

int64_t CodePoints(std::string_view text) {
  return static_cast<int64_t>(std::count_if(text.begin(), text.end(), IsLead));
}

// Where the character of that number begins: the end of `text` for the one after the last, kNone
// for others.
size_t ByteAt(std::string_view text, int64_t index) {
  if (index < 0) return kNone;
  for (size_t byte = 0; byte < text.size(); ++byte) {
    if (IsLead(text[byte]) && index-- == 0) return byte;
  }
  return index == 0 ? text.size() : kNone;
}

// The character that begins at `byte`, of which there is one.
size_t LengthAt(std::string_view text, size_t byte) {
  size_t end = byte + 1;
  while (end < text.size() && !IsLead(text[end])) ++end;
  return end - byte;
}

// Where `part` first begins in `text` at or after byte `from`; kNone. In linear time, which
// std::string_view::find() does not promise.
size_t Find(std::string_view text, std::string_view part, size_t from = 0) {
  if (part.empty()) return from;
  if (part.size() > text.size() - from) return kNone;
  const void* found = memmem(text.data() + from, text.size() - from, part.data(), part.size());
  if (found == nullptr) return kNone;
  return static_cast<size_t>(static_cast<const char*>(found) - text.data());
}

Cell Contains(Arguments arguments, Context& context) {
  if (!AreStrings(arguments)) return NoSuchOverload("contains");
  const std::string_view text = arguments[0].text();
  const std::string_view part = arguments[1].text();
  if (!context.Charge(TextCost(text.size() + part.size()))) return context.LimitError();
  return Cell::Bool(Find(text, part) != kNone);
}

Cell CharAt(Arguments arguments, Context& context) {
  if (!IsString(arguments[0]) || arguments[1].kind() != Kind::kInt) return NoSuchOverload("charAt");
  const std::string_view text = arguments[0].text();
  if (!context.Charge(TextCost(text.size()))) return context.LimitError();
  const size_t byte = ByteAt(text, arguments[1].int_value());
  if (byte == kNone) return Cell::Error(ErrorCode::kIndexOutOfRange);
  if (byte == text.size()) return Cell::String({});
  return Cell::String(text.substr(byte, LengthAt(text, byte)));
}

Cell Substring(Arguments arguments, Context& context) {
  if (!IsString(arguments[0]) || arguments[1].kind() != Kind::kInt ||
      arguments.back().kind() != Kind::kInt) {
    return NoSuchOverload("substring");
  }
  const std::string_view text = arguments[0].text();
  if (!context.Charge(TextCost(text.size()))) return context.LimitError();
  const size_t begin = ByteAt(text, arguments[1].int_value());
  const size_t end = arguments.size() == 3 ? ByteAt(text, arguments[2].int_value()) : text.size();
  if (begin == kNone || end == kNone || begin > end) {
    return Cell::Error(ErrorCode::kIndexOutOfRange);
  }
  return Cell::String(text.substr(begin, end - begin));
}

// `text`, `part` and perhaps an offset.
bool AreForIndexOf(Arguments arguments) {
  return AreStrings(arguments.subspan(0, 2)) &&
         (arguments.size() == 2 || arguments[2].kind() == Kind::kInt);
}

Cell IndexOf(Arguments arguments, Context& context) {
  if (!AreForIndexOf(arguments)) return NoSuchOverload("indexOf");
  const std::string_view text = arguments[0].text();
  const std::string_view part = arguments[1].text();
  const int64_t offset = arguments.size() == 3 ? arguments[2].int_value() : 0;
  if (part.empty()) return Cell::Int(offset);  // As cel-go has it, wherever that lies.
  if (offset < 0) return Cell::Error(ErrorCode::kIndexOutOfRange);
  if (!context.Charge(TextCost(text.size() + part.size()))) return context.LimitError();
  const size_t begin = ByteAt(text, offset);
  if (begin == kNone) return Cell::Int(-1);
  const size_t found = Find(text, part, begin);
  return Cell::Int(found == kNone ? -1 : offset + CodePoints(text.substr(begin, found - begin)));
}

Cell LastIndexOf(Arguments arguments, Context& context) {
  if (!AreForIndexOf(arguments)) return NoSuchOverload("lastIndexOf");
  const std::string_view text = arguments[0].text();
  const std::string_view part = arguments[1].text();
  if (!context.Charge(TextCost(text.size()))) return context.LimitError();
  size_t last = text.size();  // Where it may begin at most.
  if (arguments.size() == 3) {
    const int64_t offset = arguments[2].int_value();
    if (part.empty()) return Cell::Int(offset);  // As cel-go has it, wherever that lies.
    if (offset < 0) return Cell::Error(ErrorCode::kIndexOutOfRange);
    last = ByteAt(text, offset);
    if (last == kNone || last == text.size()) return Cell::Int(-1);
  } else if (part.empty()) {
    return Cell::Int(CodePoints(text));
  }
  if (part.size() > text.size()) return Cell::Int(-1);
  last = std::min(last, text.size() - part.size());
  if (!context.Charge(last * TextCost(part.size()))) return context.LimitError();
  const size_t found = text.rfind(part, last);
  return Cell::Int(found == kNone ? -1 : CodePoints(text.substr(0, found)));
}

// `text` with the letters from `first` to `last` in the other case.
Cell SwapCase(const Cell& text, char first, char last, Context& context) {
  const std::string_view from = text.text();
  const auto is_swapped = [first, last](char c) { return c >= first && c <= last; };
  if (!context.Charge(TextCost(from.size()))) return context.LimitError();
  if (std::none_of(from.begin(), from.end(), is_swapped)) return text;
  char* to = context.Allocate<char>(from.size());
  if (to == nullptr) return context.LimitError();
  std::transform(from.begin(), from.end(), to, [is_swapped](char c) {
    return static_cast<char>(is_swapped(c) ? c ^ ('a' - 'A') : c);
  });
  return Cell::String({to, from.size()});
}

Cell LowerAscii(Arguments arguments, Context& context) {
  if (!AreStrings(arguments)) return NoSuchOverload("lowerAscii");
  return SwapCase(arguments[0], 'A', 'Z', context);
}

Cell UpperAscii(Arguments arguments, Context& context) {
  if (!AreStrings(arguments)) return NoSuchOverload("upperAscii");
  return SwapCase(arguments[0], 'a', 'z', context);
}

// Of an empty `old` one stands before each character and one at the end.
Cell ReplaceText(std::string_view text, std::string_view old, std::string_view replacement,
                 int64_t limit, Context& context) {
  TextBuilder result(context);
  size_t copied = 0;  // Of `text`.
  size_t from = 0;    // Where the next one may begin.
  while (limit != 0 && from <= text.size() && !context.exhausted()) {
    const size_t found = Find(text, old, from);
    if (found == kNone) break;
    result.Append(text.substr(copied, found - copied));
    result.Append(replacement);
    copied = found + old.size();
    from = copied;
    if (old.empty()) from += from < text.size() ? LengthAt(text, from) : 1;
    if (limit > 0) --limit;
  }
  result.Append(text.substr(copied));
  return result.Build();
}

Cell Replace(Arguments arguments, Context& context) {
  if (!AreStrings(arguments.subspan(0, 3)) ||
      (arguments.size() == 4 && arguments[3].kind() != Kind::kInt)) {
    return NoSuchOverload("replace");
  }
  const int64_t limit = arguments.size() == 4 ? arguments[3].int_value() : kNoLimit;
  const std::string_view text = arguments[0].text();
  const std::string_view old = arguments[1].text();
  if (!context.Charge(TextCost(text.size() + old.size()))) return context.LimitError();
  if (limit == 0 || Find(text, old) == kNone) return arguments[0];
  return ReplaceText(text, old, arguments[2].text(), limit, context);
}

// At most `limit` parts, the last of which has the rest. An empty `separator` parts the characters.
Cell SplitText(std::string_view text, std::string_view separator, int64_t limit, Context& context) {
  ListBuilder parts(context);
  if (limit == 0 || (text.empty() && separator.empty())) return parts.Build();
  size_t from = 0;
  while (limit != 1 && !parts.failed()) {
    const size_t end =
        separator.empty() ? from + LengthAt(text, from) : Find(text, separator, from);
    if (end == kNone || (separator.empty() && end == text.size())) break;
    parts.Add(Cell::String(text.substr(from, end - from)));
    from = end + separator.size();
    if (limit > 0) --limit;
  }
  parts.Add(Cell::String(text.substr(from)));
  return parts.Build();
}

Cell Split(Arguments arguments, Context& context) {
  if (!AreStrings(arguments.subspan(0, 2)) ||
      (arguments.size() == 3 && arguments[2].kind() != Kind::kInt)) {
    return NoSuchOverload("split");
  }
  const int64_t limit = arguments.size() == 3 ? arguments[2].int_value() : kNoLimit;
  const std::string_view text = arguments[0].text();
  const std::string_view separator = arguments[1].text();
  if (!context.Charge(TextCost(text.size() + separator.size()))) return context.LimitError();
  return SplitText(text, separator, limit, context);
}

// Unicode's property White_Space.
bool IsSpace(char32_t c) {
  return (c >= 0x09 && c <= 0x0D) || c == 0x20 || c == 0x85 || c == 0xA0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F ||
         c == 0x3000;
}

Cell Trim(Arguments arguments, Context& context) {
  if (!AreStrings(arguments)) return NoSuchOverload("trim");
  std::string_view text = arguments[0].text();
  if (!context.Charge(TextCost(text.size()))) return context.LimitError();
  char32_t code_point;
  while (!text.empty()) {
    const size_t length = DecodeUtf8(text, &code_point);
    if (length == 0 || !IsSpace(code_point)) break;
    text.remove_prefix(length);
  }
  while (!text.empty()) {
    size_t last = text.size() - 1;
    while (last > 0 && !IsLead(text[last])) --last;
    if (DecodeUtf8(text.substr(last), &code_point) == 0 || !IsSpace(code_point)) break;
    text = text.substr(0, last);
  }
  return Cell::String(text);
}

Cell Join(Arguments arguments, Context& context) {
  const Cell& list = arguments[0];
  if (list.kind() != Kind::kList || !AreStrings(arguments.subspan(1))) {
    return NoSuchOverload("join");
  }
  if (list.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  TextBuilder result(context);
  for (size_t i = 0; i < list.list_size(); ++i) {
    if (!context.Charge(1)) return context.LimitError();
    if (i > 0 && arguments.size() == 2) result.Append(arguments[1].text());
    const Cell element = list.At(i);
    if (element.is_error()) return element;
    if (!IsString(element)) return NoSuchOverload("join");
    result.Append(element.text());
  }
  return result.Build();
}

Cell ReverseText(std::string_view text, Context& context) {
  if (!context.Charge(TextCost(text.size()))) return context.LimitError();
  char* reversed = context.Allocate<char>(text.size());
  if (reversed == nullptr) return context.LimitError();
  char* to = reversed + text.size();
  for (size_t byte = 0; byte < text.size();) {
    const size_t length = LengthAt(text, byte);
    to -= length;
    std::copy_n(text.data() + byte, length, to);
    byte += length;
  }
  return Cell::String({reversed, text.size()});
}

Cell Reverse(Arguments arguments, Context& context) {
  const Cell& argument = arguments[0];
  if (IsString(argument)) return ReverseText(argument.text(), context);
  if (argument.kind() != Kind::kList) return NoSuchOverload("reverse");
  if (argument.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  ListBuilder result(context);
  for (size_t i = argument.list_size(); i > 0 && !result.failed(); --i) {
    result.Add(argument.At(i - 1));
  }
  return result.Build();
}

// What stands for the character after a backslash; 0 if it stands for itself.
char EscapeOf(char c) {
  switch (c) {
    case '\a':
      return 'a';
    case '\b':
      return 'b';
    case '\f':
      return 'f';
    case '\n':
      return 'n';
    case '\r':
      return 'r';
    case '\t':
      return 't';
    case '\v':
      return 'v';
    case '\\':
    case '"':
      return c;
    default:
      return 0;
  }
}

Cell Quote(Arguments arguments, Context& context) {
  if (!AreStrings(arguments)) return NoSuchOverload("strings.quote");
  const std::string_view text = arguments[0].text();
  if (!context.Charge(TextCost(text.size()))) return context.LimitError();
  TextBuilder result(context);
  result.Append('"');
  size_t copied = 0;
  for (size_t i = 0; i < text.size() && !context.exhausted(); ++i) {
    const char escape = EscapeOf(text[i]);
    if (escape == 0) continue;
    result.Append(text.substr(copied, i - copied));
    result.Append('\\');
    result.Append(escape);
    copied = i + 1;
  }
  result.Append(text.substr(copied));
  result.Append('"');
  return result.Build();
}

constexpr Function kFunctions[] = {
    {"charAt", 2, 2, CharAt},
    {"contains", 2, 2, Contains},
    {"endsWith", 2, 2,
     [](Arguments arguments, Context& context) {
       return EndsWith(arguments[0], arguments[1], context);
     }},
    {"indexOf", 2, 3, IndexOf},
    {"join", 1, 2, Join, /*costly=*/true},
    {"lastIndexOf", 2, 3, LastIndexOf},
    {"lowerAscii", 1, 1, LowerAscii, /*costly=*/true},
    {"matches", 2, 2, MatchesFunction, /*costly=*/true},
    {"regex.extract", 2, 2, RegexExtract, /*costly=*/true},
    {"regex.extractAll", 2, 2, RegexExtractAll, /*costly=*/true},
    {"regex.replace", 3, 4, RegexReplace, /*costly=*/true},
    {"replace", 3, 4, Replace, /*costly=*/true},
    {"reverse", 1, 1, Reverse, /*costly=*/true},
    {"split", 2, 3, Split, /*costly=*/true},
    {"startsWith", 2, 2,
     [](Arguments arguments, Context& context) {
       return StartsWith(arguments[0], arguments[1], context);
     }},
    {"strings.quote", 1, 1, Quote, /*costly=*/true},
    {"substring", 2, 3, Substring},
    {"trim", 1, 1, Trim},
    {"upperAscii", 1, 1, UpperAscii, /*costly=*/true},
};

}  // namespace

absl::Span<const Function> StringFunctions() { return kFunctions; }

}  // namespace reeve::cel
