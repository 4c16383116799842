#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>

#include "engine/cel/builders.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/notation.h"
#include "reeve/engine/text.h"

namespace reeve::cel {
namespace {

constexpr int kDefaultPrecision = 6;
constexpr int kMaxPrecision = 1000;
// Room for the longest number: 309 digits, a point, a sign and kMaxPrecision digits.
using Digits = std::array<char, 1344>;

Cell BadFormat(std::string_view what) { return Cell::Error(ErrorCode::kBadArgument, what); }

// Returns false if `number` is one that has digits.
bool AppendNamed(double number, TextBuilder& out) {
  if (std::isnan(number)) {
    out.Append("NaN");
  } else if (std::isinf(number)) {
    out.Append(number < 0 ? "-Infinity" : "Infinity");
  } else {
    return false;
  }
  return true;
}

// The fewest digits that read back as `number`, without an exponent.
void AppendShortest(double number, TextBuilder& out) {
  if (AppendNamed(number, out)) return;
  char text[32];
  const char* end =
      std::to_chars(text, text + sizeof(text), number, std::chars_format::scientific).ptr;
  std::string_view rest(text, static_cast<size_t>(end - text));
  if (rest[0] == '-') {
    out.Append('-');
    rest.remove_prefix(1);
  }
  // `d.dddde±xx`: the point moves by the exponent.
  const size_t e = rest.find('e');
  int exponent = 0;
  const char* sign = rest.data() + e + 1;
  std::from_chars(sign + (*sign == '+' ? 1 : 0), end, exponent);
  char digits[32];
  size_t count = 0;
  for (char c : rest.substr(0, e)) {
    if (c != '.') digits[count++] = c;
  }
  const std::string_view all(digits, count);
  if (exponent < 0) {
    out.Append("0.");
    for (int i = exponent + 1; i < 0; ++i) out.Append('0');
    out.Append(all);
    return;
  }
  const size_t whole = static_cast<size_t>(exponent) + 1;
  out.Append(all.substr(0, whole));
  for (size_t i = count; i < whole; ++i) out.Append('0');
  if (count > whole) {
    out.Append('.');
    out.Append(all.substr(whole));
  }
}

// Of an integer, in base 2 to 16.
template <typename Integer>
void AppendInteger(Integer number, int base, bool upper, TextBuilder& out) {
  char text[72];
  char* end = std::to_chars(text, text + sizeof(text), number, base).ptr;
  if (upper) {
    std::transform(text, end, text,
                   [](char c) { return static_cast<char>(c >= 'a' ? c - 'a' + 'A' : c); });
  }
  out.Append({text, static_cast<size_t>(end - text)});
}

// Of any number but the named ones, as printf's %f and %e would, in every locale. `T` holds it
// exactly.
template <typename T>
void AppendPrecise(T number, std::chars_format format, int precision, TextBuilder& out) {
  Digits text;
  const char* end =
      std::to_chars(text.data(), text.data() + text.size(), number, format, precision).ptr;
  out.Append({text.data(), static_cast<size_t>(end - text.data())});
}

void AppendDuration(const Cell& cell, TextBuilder& out) {
  int64_t seconds = cell.seconds();
  double nanos = cell.nanos();
  if (seconds < 0 && nanos > 0) {  // Towards zero, so that both parts have one sign.
    ++seconds;
    nanos -= 1e9;
  }
  AppendShortest(static_cast<double>(seconds) + nanos / 1e9, out);
  out.Append('s');
}

// Bytes that are UTF-8 as they are; U+FFFD for each run of others.
void AppendBytes(std::string_view bytes, TextBuilder& out) {
  bool replaced = false;
  size_t copied = 0;
  for (size_t i = 0; i < bytes.size();) {
    char32_t code_point;
    const size_t length = DecodeUtf8(bytes.substr(i), &code_point);
    if (length > 0) {
      replaced = false;
      i += length;
      continue;
    }
    out.Append(bytes.substr(copied, i - copied));
    if (!replaced) out.Append("\xEF\xBF\xBD");
    replaced = true;
    copied = ++i;
  }
  out.Append(bytes.substr(copied));
}

// Writes the results of the clauses. Each Append returns null or the error that it met.
class Formatter {
 public:
  explicit Formatter(Context& context) : context_(context), out_(context) {}

  TextBuilder& out() { return out_; }

  // `%s`. Recurses to the depth of a cell.
  Cell AppendString(const Cell& cell, TextBuilder& out);
  Cell AppendDecimal(const Cell& cell);                    // %d
  Cell AppendFixed(const Cell& cell, int precision);       // %f
  Cell AppendScientific(const Cell& cell, int precision);  // %e
  Cell AppendBinary(const Cell& cell);                     // %b
  Cell AppendOctal(const Cell& cell);                      // %o
  Cell AppendHexadecimal(const Cell& cell, bool upper);    // %x, %X

 private:
  struct Entry {
    std::string_view key;
    Cell value;
    size_t number;
  };

  Cell AppendList(const Cell& list, TextBuilder& out);
  Cell AppendMap(const Cell& map, TextBuilder& out);
  Cell ReadEntry(const Cell& key, const Cell& value, Entry* entry);

  Context& context_;
  TextBuilder out_;
};

Cell Formatter::AppendString(const Cell& cell, TextBuilder& out) {
  if (!context_.Charge(1)) return context_.LimitError();
  switch (cell.kind()) {
    case Kind::kError:
      return cell;
    case Kind::kNull:
      out.Append("null");
      return Cell();
    case Kind::kBool:
      out.Append(cell.bool_value() ? "true" : "false");
      return Cell();
    case Kind::kInt:
      AppendInteger(cell.int_value(), 10, false, out);
      return Cell();
    case Kind::kUint:
      AppendInteger(cell.uint_value(), 10, false, out);
      return Cell();
    case Kind::kDouble:
      AppendShortest(cell.double_value(), out);
      return Cell();
    case Kind::kString:
    case Kind::kType:
      out.Append(cell.text());
      return Cell();
    case Kind::kBytes:
      if (!context_.Charge(TextCost(cell.text().size()))) return context_.LimitError();
      AppendBytes(cell.text(), out);
      return Cell();
    case Kind::kTimestamp: {
      char text[kMaxNotation];
      out.Append(WriteTimestamp(cell.seconds(), cell.nanos(), text));
      return Cell();
    }
    case Kind::kDuration:
      AppendDuration(cell, out);
      return Cell();
    case Kind::kList:
      return AppendList(cell, out);
    case Kind::kMap:
      return AppendMap(cell, out);
    case Kind::kOptional:
    case Kind::kIp:
    case Kind::kCidr:
      break;
  }
  return BadFormat("%s cannot show this type");
}

Cell Formatter::AppendList(const Cell& list, TextBuilder& out) {
  if (list.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  out.Append('[');
  for (size_t i = 0; i < list.list_size(); ++i) {
    if (i > 0) out.Append(", ");
    const Cell error = AppendString(list.At(i), out);
    if (error.is_error()) return error;
  }
  out.Append(']');
  return Cell();
}

Cell Formatter::ReadEntry(const Cell& key, const Cell& value, Entry* entry) {
  if (key.kind() == Kind::kString) {
    entry->key = key.text();
  } else {
    TextBuilder text(context_);
    const Cell error = AppendString(key, text);
    if (error.is_error()) return error;
    const Cell built = text.Build();
    if (built.is_error()) return built;
    entry->key = built.text();
  }
  entry->value = value;
  return Cell();
}

Cell Formatter::AppendMap(const Cell& map, TextBuilder& out) {
  if (map.form() == Cell::Form::kEntity) {
    const Cell all = map.entity().All(context_);
    return all.is_error() ? all : AppendMap(all, out);
  }
  const bool is_facts = map.form() == Cell::Form::kAttributes;
  const size_t size = is_facts ? map.attributes().size() : map.entries().size;
  Entry* entries = context_.Allocate<Entry>(size);
  // Each is compared with about log(size) others.
  if (entries == nullptr || !context_.Charge(size * 16)) return context_.LimitError();
  for (size_t i = 0; i < size; ++i) {
    entries[i] = Entry();
    entries[i].number = i;
    Cell error;
    if (is_facts) {
      const Attributes::Entry& fact = map.attributes().begin()[static_cast<std::ptrdiff_t>(i)];
      error = ReadEntry(Cell::String(fact.first), Cell::Of(fact.second), &entries[i]);
    } else {
      const MapEntries::Entry& entry = map.entries().entries[i];
      error = ReadEntry(entry.key, entry.value, &entries[i]);
    }
    if (error.is_error()) return error;
    if (!context_.Charge(TextCost(entries[i].key.size()))) return context_.LimitError();
  }
  std::sort(entries, entries + size, [](const Entry& a, const Entry& b) {
    const int order = a.key.compare(b.key);
    return order != 0 ? order < 0 : a.number < b.number;
  });
  out.Append('{');
  for (size_t i = 0; i < size; ++i) {
    if (i > 0) out.Append(", ");
    out.Append(entries[i].key);
    out.Append(": ");
    const Cell error = AppendString(entries[i].value, out);
    if (error.is_error()) return error;
  }
  out.Append('}');
  return Cell();
}

Cell Formatter::AppendDecimal(const Cell& cell) {
  if (!cell.is_number()) return BadFormat("%d is for numbers");
  return AppendString(cell, out_);
}

Cell Formatter::AppendFixed(const Cell& cell, int precision) {
  switch (cell.kind()) {
    case Kind::kInt:
    case Kind::kUint: {
      const Cell error = AppendString(cell, out_);
      if (precision > 0) out_.Append('.');
      for (int i = 0; i < precision; ++i) out_.Append('0');
      return error;
    }
    case Kind::kDouble:
      if (AppendNamed(cell.double_value(), out_)) return Cell();
      AppendPrecise(cell.double_value(), std::chars_format::fixed, precision, out_);
      return Cell();
    default:
      return BadFormat("%f is for numbers");
  }
}

Cell Formatter::AppendScientific(const Cell& cell, int precision) {
  constexpr std::chars_format kFormat = std::chars_format::scientific;
  switch (cell.kind()) {
    case Kind::kInt:
      AppendPrecise(static_cast<long double>(cell.int_value()), kFormat, precision, out_);
      return Cell();
    case Kind::kUint:
      AppendPrecise(static_cast<long double>(cell.uint_value()), kFormat, precision, out_);
      return Cell();
    case Kind::kDouble:
      if (AppendNamed(cell.double_value(), out_)) return Cell();
      AppendPrecise(cell.double_value(), kFormat, precision, out_);
      return Cell();
    default:
      return BadFormat("%e is for numbers");
  }
}

Cell Formatter::AppendBinary(const Cell& cell) {
  switch (cell.kind()) {
    case Kind::kBool:
      out_.Append(cell.bool_value() ? '1' : '0');
      return Cell();
    case Kind::kInt:
      AppendInteger(cell.int_value(), 2, false, out_);
      return Cell();
    case Kind::kUint:
      AppendInteger(cell.uint_value(), 2, false, out_);
      return Cell();
    default:
      return BadFormat("%b is for integers and bools");
  }
}

Cell Formatter::AppendOctal(const Cell& cell) {
  switch (cell.kind()) {
    case Kind::kInt:
      AppendInteger(cell.int_value(), 8, false, out_);
      return Cell();
    case Kind::kUint:
      AppendInteger(cell.uint_value(), 8, false, out_);
      return Cell();
    default:
      return BadFormat("%o is for integers");
  }
}

Cell Formatter::AppendHexadecimal(const Cell& cell, bool upper) {
  switch (cell.kind()) {
    case Kind::kInt:
      AppendInteger(cell.int_value(), 16, upper, out_);
      return Cell();
    case Kind::kUint:
      AppendInteger(cell.uint_value(), 16, upper, out_);
      return Cell();
    case Kind::kString:
    case Kind::kBytes:
      if (!context_.Charge(cell.text().size())) return context_.LimitError();
      for (char c : cell.text()) {
        const char* digits = upper ? "0123456789ABCDEF" : "0123456789abcdef";
        const auto byte = static_cast<unsigned char>(c);
        const char pair[2] = {digits[byte >> 4], digits[byte & 15]};
        out_.Append({pair, 2});
      }
      return Cell();
    default:
      return BadFormat("%x is for integers, strings and bytes");
  }
}

// What stands after a `%`.
struct Clause {
  char letter = 0;
  int precision = kDefaultPrecision;
  size_t size = 0;  // Of all of it.
};

// Null, or what is wrong.
Cell ReadClause(std::string_view text, Clause* clause) {
  size_t at = 0;
  if (at < text.size() && text[at] == '.') {
    const char* end = text.data() + text.size();
    const char* digits = text.data() + 1;
    if (digits == end || *digits < '0' || *digits > '9')
      return BadFormat("a precision needs digits");
    const std::from_chars_result read = std::from_chars(digits, end, clause->precision);
    if (read.ec != std::errc() || clause->precision > kMaxPrecision) {
      return BadFormat("a precision is at most 1000");
    }
    at = static_cast<size_t>(read.ptr - text.data());
  }
  if (at == text.size()) return BadFormat("a format ends within a clause");
  clause->letter = text[at];
  clause->size = at + 1;
  return Cell();
}

Cell AppendClause(const Clause& clause, const Cell& argument, Formatter& formatter) {
  switch (clause.letter) {
    case 's':
      return formatter.AppendString(argument, formatter.out());
    case 'd':
      return formatter.AppendDecimal(argument);
    case 'f':
      return formatter.AppendFixed(argument, clause.precision);
    case 'e':
      return formatter.AppendScientific(argument, clause.precision);
    case 'b':
      return formatter.AppendBinary(argument);
    case 'o':
      return formatter.AppendOctal(argument);
    case 'x':
    case 'X':
      return formatter.AppendHexadecimal(argument, clause.letter == 'X');
    default:
      return BadFormat("a format has an unknown clause");
  }
}

Cell FormatText(std::string_view text, const Cell& list, Context& context) {
  Formatter formatter(context);
  size_t used = 0;  // Of the list.
  while (true) {
    const size_t percent = text.find('%');
    formatter.out().Append(text.substr(0, percent));
    if (percent == std::string_view::npos) return formatter.out().Build();
    text.remove_prefix(percent + 1);
    if (!text.empty() && text[0] == '%') {
      formatter.out().Append('%');
      text.remove_prefix(1);
      continue;
    }
    Clause clause;
    if (const Cell error = ReadClause(text, &clause); error.is_error()) return error;
    text.remove_prefix(clause.size);
    if (used == list.list_size()) return BadFormat("a format has more clauses than arguments");
    const Cell argument = list.At(used++);
    if (argument.is_error()) return argument;
    const Cell error = AppendClause(clause, argument, formatter);
    if (error.is_error()) return error;
  }
}

Cell Format(absl::Span<const Cell> arguments, Context& context) {
  const Cell& list = arguments[1];
  if (arguments[0].kind() != Kind::kString || list.kind() != Kind::kList) {
    return NoSuchOverload("format");
  }
  if (list.is_partial()) return Cell::Error(ErrorCode::kIncomplete);
  const std::string_view text = arguments[0].text();
  if (!context.Charge(TextCost(text.size()))) return context.LimitError();
  const Cell result = FormatText(text, list, context);
  return context.exhausted() ? context.LimitError() : result;
}

constexpr Function kFunctions[] = {{"format", 2, 2, Format, /*costly=*/true}};

}  // namespace

absl::Span<const Function> FormatFunctions() { return kFunctions; }

}  // namespace reeve::cel
