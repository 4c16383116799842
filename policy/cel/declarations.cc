// The standard functions and the extensions: what they take and what they give.
#include <cstdlib>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "policy/cel/checker.h"

namespace reeve::cel {
namespace {

struct Declaration {
  std::string_view name;
  // `(int, int) -> int`, or `string.(string) -> bool` of a member; `(int...) -> int` if the last
  // argument may be repeated. Capital letters are any type. Several are separated by `;`.
  const char* signatures;
};

constexpr char kOrdering[] =
    "(bool, bool) -> bool; (int, int) -> bool; (int, double) -> bool; (int, uint) -> bool;"
    "(uint, uint) -> bool; (uint, double) -> bool; (uint, int) -> bool; (double, double) -> bool;"
    "(double, int) -> bool; (double, uint) -> bool; (string, string) -> bool;"
    "(bytes, bytes) -> bool; (timestamp, timestamp) -> bool; (duration, duration) -> bool";
constexpr char kCalendar[] = "timestamp.() -> int; timestamp.(string) -> int";
constexpr char kClock[] = "timestamp.() -> int; timestamp.(string) -> int; duration.() -> int";
// Several numbers may also be of different types: see Checker::Extreme().
constexpr char kExtreme[] =
    "(int...) -> int; (uint...) -> uint; (double...) -> double; (list(int)) -> int;"
    "(list(uint)) -> uint; (list(double)) -> double";
constexpr char kNumberToItself[] = "(int) -> int; (uint) -> uint; (double) -> double";
constexpr char kBits[] = "(int, int) -> int; (uint, uint) -> uint";
constexpr char kShift[] = "(int, int) -> int; (uint, int) -> uint";
constexpr char kSets[] = "(list(T), list(T)) -> bool";

constexpr Declaration kDeclarations[] = {
    // Operators.
    {op::kAnd, "(bool...) -> bool"},
    {op::kOr, "(bool...) -> bool"},
    {op::kNot, "(bool) -> bool"},
    {op::kConditional, "(bool, A, A) -> A"},
    {op::kEqual, "(A, A) -> bool"},
    {op::kNotEqual, "(A, A) -> bool"},
    {op::kLess, kOrdering},
    {op::kLessOrEqual, kOrdering},
    {op::kGreater, kOrdering},
    {op::kGreaterOrEqual, kOrdering},
    {op::kAdd,
     "(bytes, bytes) -> bytes; (double, double) -> double; (duration, duration) -> duration;"
     "(duration, timestamp) -> timestamp; (timestamp, duration) -> timestamp; (int, int) -> int;"
     "(list(A), list(A)) -> list(A); (string, string) -> string; (uint, uint) -> uint"},
    {op::kSubtract,
     "(double, double) -> double; (duration, duration) -> duration; (int, int) -> int;"
     "(timestamp, duration) -> timestamp; (timestamp, timestamp) -> duration;"
     "(uint, uint) -> uint"},
    {op::kMultiply, "(double, double) -> double; (int, int) -> int; (uint, uint) -> uint"},
    {op::kDivide, "(double, double) -> double; (int, int) -> int; (uint, uint) -> uint"},
    {op::kModulo, "(int, int) -> int; (uint, uint) -> uint"},
    {op::kNegate, "(double) -> double; (int) -> int"},
    {op::kIndex,
     "(list(A), int) -> A; (map(A, B), A) -> B;"
     "(optional_type(list(A)), int) -> optional_type(A);"
     "(optional_type(map(A, B)), A) -> optional_type(B)"},
    {op::kOptionalIndex,
     "(list(A), int) -> optional_type(A); (map(A, B), A) -> optional_type(B);"
     "(optional_type(list(A)), int) -> optional_type(A);"
     "(optional_type(map(A, B)), A) -> optional_type(B)"},
    {op::kIn, "(A, list(A)) -> bool; (A, map(A, B)) -> bool"},
    {op::kNotStrictlyFalse, "(bool) -> bool"},
    {op::kAppend, "(list(A), A) -> list(A)"},
    {op::kPut, "(map(A, B), A, B) -> map(A, B)"},

    // Sizes and conversions.
    {"size",
     "(string) -> int; (bytes) -> int; (list(A)) -> int; (map(A, B)) -> int;"
     "string.() -> int; bytes.() -> int; list(A).() -> int; map(A, B).() -> int"},
    {"type", "(A) -> type(A)"},
    {"dyn", "(A) -> dyn"},
    {"bool", "(bool) -> bool; (string) -> bool"},
    {"bytes", "(bytes) -> bytes; (string) -> bytes"},
    {"double", "(double) -> double; (int) -> double; (uint) -> double; (string) -> double"},
    {"duration", "(duration) -> duration; (string) -> duration"},
    {"int", "(int) -> int; (uint) -> int; (double) -> int; (string) -> int; (timestamp) -> int"},
    {"string",
     "(string) -> string; (int) -> string; (uint) -> string; (double) -> string;"
     "(bool) -> string; (bytes) -> string; (timestamp) -> string; (duration) -> string;"
     "(net.IP) -> string; (net.CIDR) -> string"},
    {"timestamp", "(timestamp) -> timestamp; (int) -> timestamp; (string) -> timestamp"},
    {"uint", "(uint) -> uint; (int) -> uint; (double) -> uint; (string) -> uint"},

    // Times.
    {"getFullYear", kCalendar},
    {"getMonth", kCalendar},
    {"getDayOfYear", kCalendar},
    {"getDayOfMonth", kCalendar},
    {"getDate", kCalendar},
    {"getDayOfWeek", kCalendar},
    {"getHours", kClock},
    {"getMinutes", kClock},
    {"getSeconds", kClock},
    {"getMilliseconds", kClock},

    // Strings.
    {"contains", "string.(string) -> bool"},
    {"endsWith", "string.(string) -> bool"},
    {"startsWith", "string.(string) -> bool"},
    {"matches", "(string, string) -> bool; string.(string) -> bool"},
    {"charAt", "string.(int) -> string"},
    {"indexOf", "string.(string) -> int; string.(string, int) -> int"},
    {"lastIndexOf", "string.(string) -> int; string.(string, int) -> int"},
    {"lowerAscii", "string.() -> string"},
    {"upperAscii", "string.() -> string"},
    {"replace", "string.(string, string) -> string; string.(string, string, int) -> string"},
    {"split", "string.(string) -> list(string); string.(string, int) -> list(string)"},
    {"substring", "string.(int) -> string; string.(int, int) -> string"},
    {"trim", "string.() -> string"},
    {"format", "string.(list(dyn)) -> string"},
    {"join", "list(string).() -> string; list(string).(string) -> string"},
    {"strings.quote", "(string) -> string"},
    {"regex.extract", "(string, string) -> optional_type(string)"},
    {"regex.extractAll", "(string, string) -> list(string)"},
    {"regex.replace",
     "(string, string, string) -> string; (string, string, string, int) -> string"},

    // Numbers.
    {"math.greatest", kExtreme},
    {"math.least", kExtreme},
    {"math.ceil", "(double) -> double"},
    {"math.floor", "(double) -> double"},
    {"math.round", "(double) -> double"},
    {"math.trunc", "(double) -> double"},
    {"math.isInf", "(double) -> bool"},
    {"math.isNaN", "(double) -> bool"},
    {"math.isFinite", "(double) -> bool"},
    {"math.abs", kNumberToItself},
    {"math.sign", kNumberToItself},
    {"math.sqrt", "(double) -> double; (int) -> double; (uint) -> double"},
    {"math.bitAnd", kBits},
    {"math.bitOr", kBits},
    {"math.bitXor", kBits},
    {"math.bitNot", "(int) -> int; (uint) -> uint"},
    {"math.bitShiftLeft", kShift},
    {"math.bitShiftRight", kShift},

    // Lists and sets.
    {"slice", "list(T).(int, int) -> list(T)"},
    {"flatten", "list(list(T)).() -> list(T); list(dyn).(int) -> list(dyn)"},
    {"sort",
     "list(int).() -> list(int); list(uint).() -> list(uint); list(double).() -> list(double);"
     "list(bool).() -> list(bool); list(duration).() -> list(duration);"
     "list(timestamp).() -> list(timestamp); list(string).() -> list(string);"
     "list(bytes).() -> list(bytes)"},
    {op::kSortByKeys,
     "(list(T), list(int)) -> list(T); (list(T), list(uint)) -> list(T);"
     "(list(T), list(double)) -> list(T); (list(T), list(bool)) -> list(T);"
     "(list(T), list(duration)) -> list(T); (list(T), list(timestamp)) -> list(T);"
     "(list(T), list(string)) -> list(T); (list(T), list(bytes)) -> list(T)"},
    {"distinct", "list(T).() -> list(T)"},
    {"reverse", "list(T).() -> list(T); string.() -> string"},
    {"first", "list(T).() -> optional_type(T)"},
    {"last", "list(T).() -> optional_type(T)"},
    {"lists.range", "(int) -> list(int)"},
    {"sets.contains", kSets},
    {"sets.equivalent", kSets},
    {"sets.intersects", kSets},

    // Encoders.
    {"base64.decode", "(string) -> bytes"},
    {"base64.encode", "(bytes) -> string"},

    // Networks.
    {"ip", "(string) -> net.IP; net.CIDR.() -> net.IP"},
    {"cidr", "(string) -> net.CIDR"},
    {"isIP", "(string) -> bool"},
    {"isCIDR", "(string) -> bool"},
    {"ip.isCanonical", "(string) -> bool"},
    {"family", "net.IP.() -> int"},
    {"isUnspecified", "net.IP.() -> bool"},
    {"isLoopback", "net.IP.() -> bool"},
    {"isGlobalUnicast", "net.IP.() -> bool"},
    {"isLinkLocalMulticast", "net.IP.() -> bool"},
    {"isLinkLocalUnicast", "net.IP.() -> bool"},
    {"containsIP", "net.CIDR.(net.IP) -> bool; net.CIDR.(string) -> bool"},
    {"containsCIDR", "net.CIDR.(net.CIDR) -> bool; net.CIDR.(string) -> bool"},
    {"masked", "net.CIDR.() -> net.CIDR"},
    {"prefixLength", "net.CIDR.() -> int"},

    // Optionals.
    {"optional.of", "(V) -> optional_type(V)"},
    {"optional.ofNonZeroValue", "(V) -> optional_type(V)"},
    {"optional.none", "() -> optional_type(V)"},
    {"optional.unwrap", "(list(optional_type(V))) -> list(V)"},
    {"unwrapOpt", "list(optional_type(V)).() -> list(V)"},
    {"value", "optional_type(V).() -> V"},
    {"hasValue", "optional_type(V).() -> bool"},
    {"or", "optional_type(V).(optional_type(V)) -> optional_type(V)"},
    {"orValue", "optional_type(V).(V) -> V"},

    // Entities.
    {"isIn", "map(string, dyn).(string) -> bool; map(string, dyn).(list(string)) -> bool"},
};

// The table is the program's own text: what cannot be read in it is a fault of the build.
Type Read(absl::string_view text) {
  absl::StatusOr<Type> type = ParseType({text.data(), text.size()});
  if (!type.ok()) std::abort();
  return *std::move(type);
}

// The text up to the next comma that stands in no parenthesis; *text is left behind it.
absl::string_view TakeArgument(absl::string_view* text) {
  size_t end = 0;
  for (int depth = 0; end < text->size() && (depth > 0 || (*text)[end] != ','); ++end) {
    depth += (*text)[end] == '(' ? 1 : (*text)[end] == ')' ? -1 : 0;
  }
  const absl::string_view argument = text->substr(0, end);
  *text = end == text->size() ? absl::string_view() : text->substr(end + 1);
  return argument;
}

Overload ReadSignature(absl::string_view text) {
  Overload overload;
  const size_t arrow = text.rfind(") -> ");
  overload.result = Read(text.substr(arrow + 5));
  absl::string_view arguments = text.substr(0, arrow);
  if (const size_t dot = arguments.find(".("); dot != absl::string_view::npos) {
    overload.member = true;
    overload.arguments.push_back(Read(arguments.substr(0, dot)));
    arguments.remove_prefix(dot + 1);
  }
  arguments.remove_prefix(1);
  if (absl::ConsumeSuffix(&arguments, "...")) overload.variadic = true;
  while (!arguments.empty()) overload.arguments.push_back(Read(TakeArgument(&arguments)));
  return overload;
}

}  // namespace

const Environment& Environment::Standard() {
  static const Environment* const standard = [] {
    auto functions = std::make_shared<Functions>();
    for (const Declaration& declaration : kDeclarations) {
      std::vector<Overload>& overloads = (*functions)[std::string(declaration.name)];
      for (const absl::string_view signature : absl::StrSplit(declaration.signatures, ';')) {
        overloads.push_back(ReadSignature(absl::StripAsciiWhitespace(signature)));
      }
    }
    auto* environment = new Environment(Empty());
    environment->functions_ = std::move(functions);
    return environment;
  }();
  return *standard;
}

Environment::Environment() : Environment(Standard()) {}

void Environment::AddVariable(std::string name, Type type) {
  variables_.insert_or_assign(std::move(name), std::move(type));
}

void Environment::AddFunction(std::string name, Overload overload) {
  auto functions = std::make_shared<Functions>(*functions_);
  (*functions)[std::move(name)].push_back(std::move(overload));
  functions_ = std::move(functions);
}

void Environment::SetContainer(std::string container) { container_ = std::move(container); }

void Environment::AddField(std::string variable, std::string field, Type type) {
  fields_[std::move(variable)].insert_or_assign(std::move(field), std::move(type));
}

const Type* Environment::FindField(std::string_view variable, std::string_view field) const {
  const auto fields = fields_.find(variable);
  if (fields == fields_.end()) return nullptr;
  const auto found = fields->second.find(field);
  return found == fields->second.end() ? nullptr : &found->second;
}

void Environment::AddRecord(std::string name, Record record) {
  records_.insert_or_assign(std::move(name), std::move(record));
}

const Environment::Record* Environment::FindRecord(std::string_view name) const {
  const auto found = records_.find(name);
  return found == records_.end() ? nullptr : &found->second;
}

const Type* Environment::FindVariable(std::string_view name) const {
  const auto found = variables_.find(name);
  return found == variables_.end() ? nullptr : &found->second;
}

const std::vector<Overload>* Environment::FindFunction(std::string_view name) const {
  const auto found = functions_->find(name);
  return found == functions_->end() ? nullptr : &found->second;
}

}  // namespace reeve::cel
