// Types while an expression is checked, with variables for what is found out on the way. Internal
// to the checker.
#ifndef REEVE_POLICY_CEL_UNIFIER_H_
#define REEVE_POLICY_CEL_UNIFIER_H_

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "policy/cel/type.h"

namespace reeve::cel {

// The number of a type in a Unifier. Equal types have equal numbers.
using TypeId = uint32_t;

// Makes types equal, or finds that they cannot be, by the rules of cel-go's checker.
//
// Expressions are written by strangers and can make types that double in size with each name
// (`cel.bind(b, {a: a}, ...)`): a type has at most kMaxTypeParts parts, what would be more is dyn;
// and a comparison that takes too many steps finds the types equal, as dyn would. Each call takes
// bounded time.
//
// One thread at a time.
class Unifier {
 public:
  static constexpr uint32_t kMaxTypeParts = 32;

  struct Node {
    TypeKind kind = TypeKind::kDyn;
    std::string name;
    std::vector<TypeId> parameters;
    uint32_t parts = 1;  // itself and its parameters
    bool open = false;   // a variable is in it
  };

  Unifier();

  // Of types without parameters, and of kType.
  static TypeId Of(TypeKind kind) { return static_cast<TypeId>(kind); }
  TypeId List(TypeId element) { return Make(TypeKind::kList, {}, {element}); }
  TypeId Map(TypeId key, TypeId value) { return Make(TypeKind::kMap, {}, {key, value}); }
  TypeId Optional(TypeId value) { return Make(TypeKind::kAbstract, "optional_type", {value}); }
  TypeId TypeOf(TypeId type) { return Make(TypeKind::kType, {}, {type}); }
  TypeId NewVariable();

  // The same parameter becomes the same variable in all calls that share `variables`.
  using Variables = std::map<std::string, TypeId>;
  TypeId Import(const Type& type, Variables* variables);
  // Variables that are still free become dyn.
  Type Export(TypeId id) const;

  // What `id` is by now: variables replaced by what they stand for.
  TypeId Resolve(TypeId id);
  const Node& operator[](TypeId id) const { return nodes_[id]; }

  // `type` with each variable of `from` replaced by that of `to` beside it.
  TypeId Rename(TypeId type, const std::vector<std::pair<TypeId, TypeId>>& renamed);

  // Whether the one can stand for the other. Variables are bound if so, else left as they were.
  bool Assign(TypeId a, TypeId b) { return Assign({{a, b}}); }
  bool Assign(const std::vector<std::pair<TypeId, TypeId>>& pairs);
  // The type of a list that has elements of both types: dyn if they have nothing in common.
  TypeId Join(TypeId a, TypeId b);

 private:
  TypeId Make(TypeKind kind, std::string_view name, std::vector<TypeId> parameters);
  void Bind(TypeId variable, TypeId type);
  TypeId Resolve(TypeId id, uint32_t* steps);
  Type Export(TypeId id, uint32_t* parts) const;

  bool Step() { return ++steps_ <= kMaxSteps; }
  bool Assignable(TypeId a, TypeId b);
  bool Substitutable(TypeId type, TypeId variable, bool* bound);
  bool OccursIn(TypeId variable, TypeId type);
  bool MoreGeneral(TypeId a, TypeId b) const;

  static constexpr uint32_t kMaxSteps = 1000;

  std::deque<Node> nodes_;
  std::vector<TypeId> bindings_;                  // by TypeId; itself if free or no variable
  std::vector<std::pair<TypeId, TypeId>> trail_;  // what Bind() changed, to take it back
  absl::flat_hash_map<std::string, TypeId> made_;
  uint32_t steps_ = 0;
};

}  // namespace reeve::cel

#endif  // REEVE_POLICY_CEL_UNIFIER_H_
