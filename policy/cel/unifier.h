// Types while an expression is checked, with variables for what is found out on the way. Internal
// to the checker.
#ifndef REEVE_POLICY_CEL_UNIFIER_H_
#define REEVE_POLICY_CEL_UNIFIER_H_

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/inlined_vector.h"
#include "absl/types/span.h"
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

  using Parameters = absl::InlinedVector<TypeId, 2>;
  struct Node {
    TypeKind kind = TypeKind::kDyn;
    bool open = false;   // a variable is in it
    uint32_t parts = 1;  // itself and its parameters
    TypeId binding = 0;  // what a variable stands for; itself if it is free or none
    std::string name;
    Parameters parameters;
  };

  Unifier() : simple_(SimpleNodes()) {}

  // Of types without parameters, and of kType.
  static TypeId Of(TypeKind kind) { return static_cast<TypeId>(kind); }
  TypeId List(TypeId element) { return Make(TypeKind::kList, {}, {element}); }
  TypeId Map(TypeId key, TypeId value) { return Make(TypeKind::kMap, {}, {key, value}); }
  TypeId Optional(TypeId value) { return Make(TypeKind::kAbstract, "optional_type", {value}); }
  TypeId TypeOf(TypeId type) { return Make(TypeKind::kType, {}, {type}); }
  TypeId NewVariable();

  // The same parameter becomes the same variable in all calls that share `variables`, which points
  // into the types.
  using Variables = absl::InlinedVector<std::pair<std::string_view, TypeId>, 2>;
  TypeId Import(const Type& type, Variables* variables);
  // Variables that are still free become dyn.
  Type Export(TypeId id) const;

  // What `id` is by now: variables replaced by what they stand for.
  TypeId Resolve(TypeId id);
  const Node& operator[](TypeId id) const {
    return id < kSimple ? simple_[id] : nodes_[id - kSimple];
  }
  // All numbers are below.
  size_t size() const { return kSimple + nodes_.size(); }

  // Whether the one can stand for the other. Variables are bound if so, else left as they were.
  using Pair = std::pair<TypeId, TypeId>;
  bool Assign(TypeId a, TypeId b) {
    const Pair pair = {a, b};
    return Assign(absl::MakeConstSpan(&pair, 1));
  }
  bool Assign(absl::Span<const Pair> pairs);
  // The type of a list that has elements of both types: dyn if they have nothing in common.
  TypeId Join(TypeId a, TypeId b);

 private:
  // What tells a node from others. Points into it.
  struct Key {
    TypeKind kind;
    std::string_view name;
    absl::Span<const TypeId> parameters;

    friend bool operator==(const Key& a, const Key& b) {
      return a.kind == b.kind && a.name == b.name && a.parameters == b.parameters;
    }
    template <typename H>
    friend H AbslHashValue(H hash, const Key& key) {
      return H::combine(std::move(hash), key.kind, key.name, key.parameters);
    }
  };

  static const Node* SimpleNodes();
  Node& AddNode(TypeKind kind);
  TypeId Make(TypeKind kind, std::string_view name, Parameters parameters);
  void Bind(TypeId variable, TypeId type);
  TypeId Resolve(TypeId id, uint32_t* steps);
  Type Export(TypeId id, uint32_t* parts) const;

  bool Step() { return ++steps_ <= kMaxSteps; }
  bool Assignable(TypeId a, TypeId b);
  bool Substitutable(TypeId type, TypeId variable, bool* bound);
  bool OccursIn(TypeId variable, TypeId type);
  bool MoreGeneral(TypeId a, TypeId b) const;

  static constexpr uint32_t kMaxSteps = 1000;
  // The types that Of() gives come first.
  static constexpr TypeId kSimple = static_cast<TypeId>(TypeKind::kType) + 1;

  const Node* const simple_;
  std::deque<Node> nodes_;   // The others. They stay where they are.
  std::vector<Pair> trail_;  // what Bind() changed, to take it back
  absl::flat_hash_map<Key, TypeId> made_;
  uint32_t steps_ = 0;
};

}  // namespace reeve::cel

#endif  // REEVE_POLICY_CEL_UNIFIER_H_
