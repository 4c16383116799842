// Types of expressions, as far as they can be known before a request is there.
#ifndef REEVE_POLICY_CEL_TYPE_H_
#define REEVE_POLICY_CEL_TYPE_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"

namespace reeve::cel {

enum class TypeKind : uint8_t {
  kDyn,  // known only when it is evaluated
  kError,
  kNull,
  kBool,
  kInt,
  kUint,
  kDouble,
  kString,
  kBytes,
  kTimestamp,
  kDuration,
  kList,       // parameters: the element's
  kMap,        // parameters: the key's, the value's
  kType,       // parameters: the type that it names, or none
  kAbstract,   // name and parameters: optional_type(T), net.IP, net.CIDR
  kParameter,  // name: of a generic function; also the checker's variables
  kRecord,     // name: of a map whose keys and their types an Environment knows
};

// A value type.
struct Type {
  TypeKind kind = TypeKind::kDyn;
  std::string name;
  std::vector<Type> parameters;

  static Type Dyn() { return {}; }
  static Type Of(TypeKind kind) { return {kind, {}, {}}; }
  static Type List(Type element) { return {TypeKind::kList, {}, {std::move(element)}}; }
  static Type Map(Type key, Type value) {
    return {TypeKind::kMap, {}, {std::move(key), std::move(value)}};
  }
  static Type Optional(Type value) {
    return {TypeKind::kAbstract, "optional_type", {std::move(value)}};
  }
  static Type Record(std::string name) { return {TypeKind::kRecord, std::move(name), {}}; }
  static Type Parameter(std::string name) { return {TypeKind::kParameter, std::move(name), {}}; }
};
bool operator==(const Type& a, const Type& b);
inline bool operator!=(const Type& a, const Type& b) { return !(a == b); }

// `list(map(string, dyn))`, `timestamp`, `optional_type(int)`, `net.IP`: as signatures and messages
// write them. ParseType() also takes `type_param(T)` and `abstract(name, …)`, and single capital
// letters as parameters. InvalidArgument if `text` is none.
std::string ToString(const Type& type);
absl::StatusOr<Type> ParseType(std::string_view text);

}  // namespace reeve::cel

#endif  // REEVE_POLICY_CEL_TYPE_H_
