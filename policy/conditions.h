// Compiles the conditions of one policy file: clauses under `when`, names under `let`.
#ifndef REEVE_POLICY_CONDITIONS_H_
#define REEVE_POLICY_CONDITIONS_H_

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/container/node_hash_map.h"
#include "policy/cel/ast.h"
#include "policy/cel/checker.h"
#include "policy/cel/compiler.h"
#include "policy/schema_scope.h"
#include "reeve/engine/rule.h"

namespace reeve {

// What is wrong with one text.
struct ConditionDefects {
  std::vector<cel::Defect> errors;
  // Of a condition without errors: what it reads itself and, by the schema, a request may lack
  // (CheckedExpr::may_be_missing).
  std::vector<std::string> may_be_missing;
};

// Most that the regular expressions of one file may have, as Regex::steps() and
// Pattern::regex_size().
inline constexpr size_t kMaxRegexSteps = 1'000'000;

// What the conditions of one file are, or were, compiled to, as bytes: see Conditions::Export().
struct ProgramBytes {
  std::string schemas;          // The digest of the schemas that the file is held to; may be empty.
  std::string_view given;       // Of the same file; empty if there is nothing.
  std::string* made = nullptr;  // Null if nobody asks.
};

// One thread at a time.
class Conditions {
 public:
  // `scope` tells the names of this file from those of others.
  // Without a schema (null, else it must outlive this) attributes are of any type.
  explicit Conditions(std::string scope, const SchemaScope* schema = nullptr);

  // From now on conditions are of requests within `reach`; in the beginning of all. Requires a
  // schema. Names under `let` are to be added before.
  void SetReach(const Reach& reach);

  // Whether conditions have a meaning for `name` already: a variable, a type, a reserved word.
  bool IsTaken(std::string_view name) const;

  // Lets the conditions that are compiled from now on use `name` for `text`. Returns false if there
  // are errors; then `name` can be used all the same, and has any type. The names that it uses
  // itself are added to `used`.
  bool AddNamed(const std::string& name, std::string_view text, std::vector<std::string>* used,
                ConditionDefects* defects);

  // Lets conditions use `name`, as something of any type, although what it stands for cannot be
  // read.
  void AddUnreadable(const std::string& name);

  // A clause of a rule whose patterns bind `bindings`. Nothing if there are errors. The names under
  // `let` that it uses are added to `used`.
  std::optional<Condition> Compile(std::string_view text, const std::vector<std::string>& bindings,
                                   std::vector<std::string>* used, ConditionDefects* defects);

  // The same of a fact in a text, whose value `string()` makes a string of.
  std::optional<Condition> CompileFact(std::string_view text,
                                       const std::vector<std::string>& bindings,
                                       std::vector<std::string>* used, ConditionDefects* defects);

  // The conditions that were compiled, without errors, as bytes: the same for the same file and
  // schemas. doc/compiled-sets.md says which byte is what.
  std::string Export(std::string_view schemas) const;
  // Has Compile() and CompileFact() take what Export() of the same file gave rather than compile
  // anew. Of other schemas, or another version of Reeve, nothing is taken. Returns false if the
  // bytes are malformed or have more than kMaxRegexSteps; they may be anyone's, but what they say
  // of a condition is believed.
  bool Import(std::string_view bytes, std::string_view schemas);
  // Whether Import() takes anything of them.
  static bool CanImport(std::string_view bytes, std::string_view schemas);

  // Whether a condition of Compile() or CompileFact() reads `principal.roles`.
  static bool ReadsRoles(const Condition& condition);

 private:
  struct Compiled {
    std::optional<Condition> condition;
    std::vector<std::string> used;
    ConditionDefects defects;
  };

  enum class Kind : uint8_t { kClause = 0, kFact = 1 };  // Stored: never renumber.
  // What a condition is compiled from, with what is in scope.
  struct Key {
    Kind kind;
    uint32_t reach;  // 0: everything.
    std::vector<std::string> bindings;
    std::string text;

    friend bool operator==(const Key& a, const Key& b) {
      return a.kind == b.kind && a.reach == b.reach && a.bindings == b.bindings && a.text == b.text;
    }
    friend bool operator<(const Key& a, const Key& b) {
      return std::tie(a.kind, a.reach, a.bindings, a.text) <
             std::tie(b.kind, b.reach, b.bindings, b.text);
    }
    template <typename H>
    friend H AbslHashValue(H hash, const Key& key) {
      return H::combine(std::move(hash), key.kind, key.reach, key.bindings, key.text);
    }
  };
  std::optional<Condition> Compile(Kind kind, std::string_view text,
                                   const std::vector<std::string>& bindings,
                                   std::vector<std::string>* used, ConditionDefects* defects);
  Compiled Compile(Kind kind, std::string_view text, const std::vector<std::string>& bindings);
  // The same program, of the shape of one of the last if it is like that.
  std::shared_ptr<const cel::Program> ShareShape(std::shared_ptr<const cel::Program> program);
  // Why a name under `let` cannot be used within the reach, although it can elsewhere; empty if it
  // can.
  std::string DefectOfNamed(const std::string& name);
  void FindNamed(const cel::Ast& ast, std::vector<std::string>* used) const;
  // Counts what stands for the names that `ast` uses. Returns nothing if that is too much, having
  // said so if it was not said before; else the nodes of all.
  std::optional<size_t> Expand(const cel::Ast& ast, const std::vector<std::string>& used,
                               std::vector<cel::Defect>* errors);

  std::array<std::shared_ptr<const cel::Program>, 16> recent_;
  size_t next_recent_ = 0;
  const std::string scope_;
  const SchemaScope* const schema_;
  cel::Environment environment_;
  // Of the reach; one for each.
  struct Scoped {
    uint32_t number;
    cel::Environment environment;
    std::map<std::string, std::string> defects;  // Of names under `let`, once asked for.
  };
  std::map<Reach, Scoped> scoped_;
  Scoped* reach_ = nullptr;                   // Null: everything.
  std::map<std::string, std::string> texts_;  // Of named_.
  cel::NamedExprs named_;
  absl::flat_hash_map<std::string, size_t> sizes_;  // Of named_, as Expand() returns them.
  size_t expanded_ = 0;                             // By Expand(), in all.
  absl::node_hash_map<Key, Compiled> compiled_;
};

}  // namespace reeve

#endif  // REEVE_POLICY_CONDITIONS_H_
