// Finds out what names mean and what types expressions have.
#ifndef REEVE_POLICY_CEL_CHECKER_H_
#define REEVE_POLICY_CEL_CHECKER_H_

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cel/ast.h"
#include "policy/cel/type.h"

namespace reeve::cel {

// One way to call a function.
struct Overload {
  std::vector<Type> arguments;  // Of a member call what stands before the dot is the first.
  Type result;
  bool member = false;
  bool variadic = false;  // The last argument may be repeated.
};

// What an expression may speak of.
class Environment {
 public:
  // The standard functions and the extensions: all that //engine/cel:functions has.
  static const Environment& Standard();

  // A copy of Standard() to add to.
  Environment();

  void AddVariable(std::string name, Type type);  // `a.b.c` may be a name
  // A field that a variable, which is a map, has under a type of its own.
  void AddField(std::string variable, std::string field, Type type);
  // What stands under the names of a Type::Record(name).
  struct Record {
    struct Field {
      Type type;
      bool may_be_missing = false;
    };
    std::map<std::string, Field, std::less<>> fields;
    bool open = false;  // There may be other names, of any type.
    // What a message about another name begins with: "`doc` has no", "none of `doc`, `folder` has".
    std::string lacks;
  };
  // Adds or replaces.
  void AddRecord(std::string name, Record record);
  void AddFunction(std::string name, Overload overload);
  // Names are looked up in it and in those around it first (cel-spec, "Name Resolution"):
  // `com.example`.
  void SetContainer(std::string container);

  // Null if there is none. Valid until the next change.
  const Type* FindVariable(std::string_view name) const;
  const Type* FindField(std::string_view variable, std::string_view field) const;
  const Record* FindRecord(std::string_view name) const;
  const std::vector<Overload>* FindFunction(std::string_view name) const;
  const std::string& container() const { return container_; }
  const std::map<std::string, Type, std::less<>>& variables() const { return variables_; }
  using Functions = std::map<std::string, std::vector<Overload>, std::less<>>;
  const Functions& functions() const { return *functions_; }

 private:
  struct Empty {};
  explicit Environment(Empty) {}

  std::map<std::string, Type, std::less<>> variables_;
  std::map<std::string, std::map<std::string, Type, std::less<>>, std::less<>> fields_;
  std::map<std::string, Record, std::less<>> records_;
  // Copies share them, until one adds to its own.
  std::shared_ptr<const Functions> functions_ = std::make_shared<const Functions>();
  std::string container_;
};

struct CheckOptions {
  // Whether arguments of a wrong type are defects. If not only names are resolved: unknown names
  // and functions, and numbers of arguments that no overload takes, are defects all the same.
  bool check_types = true;
};

// An expression of which every name is known. In `ast`:
// - a chain of selections that names a variable has become one kIdent with the variable's whole
// name
//   (`a.b.c`, without a leading dot);
// - a kIdent is a variable of the environment, a local one of a comprehension (in which case the
//   name is that which the comprehension declares, the innermost of that name), or a type
//   (`type(id)` is then of TypeKind::kType and `is_type[id]` is true, and the name is what
//   `type(x)` gives: `google.protobuf.Timestamp`). Only where a local one of the same name would
//   hide it does a variable of the environment keep a leading dot: `.y`;
// - a kCall that was written `a.b.f(x)` and means the function `a.b.f` has that name and no
// operand.
struct CheckedExpr {
  Ast ast;
  // What nothing determined is kDyn, and so is what is part of a very large type, all if types were
  // not checked, and nodes that are no longer part of the tree.
  const Type& type(ExprId id) const { return types[type_numbers[id]]; }
  const Type& type() const { return type(ast.root); }
  std::vector<Type> types;             // Those that there are.
  std::vector<uint32_t> type_numbers;  // By ExprId, in `types`.
  std::vector<bool> is_type;           // By ExprId.
  // What records may lack and the expression reads without a has() of the same anywhere:
  // "resource.owner". Without it the expression is unknown.
  std::vector<std::string> may_be_missing;
};

// Returns nothing, and all that is wrong, if there is any defect. The messages say what to do:
// "unknown name `princpal`; did you mean `principal`?", "`startsWith` is not made for int.(string);
// it takes string.(string)". In the order of their places; the first hundred or so.
std::optional<CheckedExpr> Check(Ast ast, const Environment& environment,
                                 const CheckOptions& options, std::vector<Defect>* defects);

// Text form: each node on a line, indented, with its type; of comprehensions the range, the initial
// value, the condition, the step and the result. For tests and `reeve eval --trace`.
std::string ToString(const CheckedExpr& checked);

}  // namespace reeve::cel

#endif  // REEVE_POLICY_CEL_CHECKER_H_
