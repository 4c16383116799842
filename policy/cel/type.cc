#include "policy/cel/type.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

namespace reeve::cel {
namespace {

// Declarations nest a few levels; this only bounds the recursion.
constexpr int kMaxTypeDepth = 64;

struct KindName {
  std::string_view name;
  TypeKind kind;
};
// ToString() takes the first of a kind.
constexpr KindName kSimpleTypes[] = {
    {"dyn", TypeKind::kDyn},
    {"error", TypeKind::kError},
    {"null", TypeKind::kNull},
    {"bool", TypeKind::kBool},
    {"int", TypeKind::kInt},
    {"uint", TypeKind::kUint},
    {"double", TypeKind::kDouble},
    {"string", TypeKind::kString},
    {"bytes", TypeKind::kBytes},
    {"timestamp", TypeKind::kTimestamp},
    {"duration", TypeKind::kDuration},
    {"type", TypeKind::kType},
    {"null_type", TypeKind::kNull},
    {"google.protobuf.Timestamp", TypeKind::kTimestamp},
    {"google.protobuf.Duration", TypeKind::kDuration},
};

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string_view NameOf(const Type& type) {
  switch (type.kind) {
    case TypeKind::kList:
      return "list";
    case TypeKind::kMap:
      return "map";
    case TypeKind::kAbstract:
    case TypeKind::kParameter:
    case TypeKind::kRecord:
      return type.name;
    default:
      break;
  }
  for (const KindName& simple : kSimpleTypes) {
    if (simple.kind == type.kind) return simple.name;
  }
  return {};
}

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

class TypeReader {
 public:
  explicit TypeReader(std::string_view text) : rest_(text) {}

  bool Read(Type* type) { return ReadType(0, type) && rest_.empty(); }

 private:
  bool ReadType(int depth, Type* type) {
    if (depth == kMaxTypeDepth) return false;
    const std::string_view name = ReadName();
    std::vector<Type> parameters;
    const bool listed = !rest_.empty() && rest_.front() == '(';
    std::string_view own_name = name;
    if (listed) {
      rest_.remove_prefix(1);
      if (name == "type_param" || name == "abstract") own_name = ReadName();
      bool first = own_name.data() == name.data();
      while (!Take(')')) {
        if (!first && !Take(',')) return false;
        first = false;
        if (!ReadType(depth + 1, &parameters.emplace_back())) return false;
      }
    }
    SkipSpaces();
    return Make(name, own_name, listed, std::move(parameters), type);
  }

  static bool Make(std::string_view name, std::string_view own_name, bool listed,
                   std::vector<Type> parameters, Type* type) {
    if (own_name.empty() || (listed && name == own_name && parameters.empty())) return false;
    if (name == "type_param") {
      *type = Type::Parameter(std::string(own_name));
      return listed && parameters.empty();
    }
    if (name == "abstract") {
      *type = {TypeKind::kAbstract, std::string(own_name), std::move(parameters)};
      return listed;
    }
    if (name == "list") {
      if (!listed) parameters.resize(1);
      *type = {TypeKind::kList, {}, std::move(parameters)};
      return type->parameters.size() == 1;
    }
    if (name == "map") {
      if (!listed) parameters.resize(2);
      *type = {TypeKind::kMap, {}, std::move(parameters)};
      return type->parameters.size() == 2;
    }
    for (const KindName& simple : kSimpleTypes) {
      if (simple.name != name) continue;
      *type = {simple.kind, {}, std::move(parameters)};
      return !listed || (simple.kind == TypeKind::kType && type->parameters.size() == 1);
    }
    if (!listed && name.size() == 1 && name[0] >= 'A' && name[0] <= 'Z') {
      *type = Type::Parameter(std::string(name));
      return true;
    }
    // A name without a dot and without parameters is more likely a slip than a type of its own.
    *type = {TypeKind::kAbstract, std::string(name), std::move(parameters)};
    return listed || name.find('.') != std::string_view::npos;
  }

  void SkipSpaces() {
    while (!rest_.empty() && rest_.front() == ' ') rest_.remove_prefix(1);
  }
  bool Take(char c) {
    SkipSpaces();
    if (rest_.empty() || rest_.front() != c) return false;
    rest_.remove_prefix(1);
    return true;
  }
  std::string_view ReadName() {
    SkipSpaces();
    size_t size = 0;
    while (size < rest_.size() && IsNameCharacter(rest_[size])) ++size;
    const std::string_view name = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return name;
  }

  std::string_view rest_;
};

}  // namespace

bool operator==(const Type& a, const Type& b) {
  return a.kind == b.kind && a.name == b.name && a.parameters == b.parameters;
}

std::string ToString(const Type& type) {
  std::string text(NameOf(type));
  if (type.parameters.empty()) return text;
  char separator = '(';
  for (const Type& parameter : type.parameters) {
    text += separator;
    if (separator == ',') text += ' ';
    text += ToString(parameter);
    separator = ',';
  }
  text += ')';
  return text;
}

absl::StatusOr<Type> ParseType(std::string_view text) {
  Type type;
  if (TypeReader(text).Read(&type)) return type;
  return absl::InvalidArgumentError(absl::StrCat("`", View(text), "` is no type"));
}

}  // namespace reeve::cel
