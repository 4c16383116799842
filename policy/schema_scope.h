// What a schema says to those who read policies: what rules can be about, and what their conditions
// can speak of.
#ifndef REEVE_POLICY_SCHEMA_SCOPE_H_
#define REEVE_POLICY_SCHEMA_SCOPE_H_

#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "policy/cel/checker.h"
#include "reeve/engine/pattern.h"
#include "reeve/engine/schema.h"

namespace reeve {

// Which requests something can be about: by numbers of types and of actions.
struct Reach {
  std::vector<bool> principals;
  std::vector<bool> resources;
  std::vector<bool> actions;
};
inline bool operator<(const Reach& a, const Reach& b) {
  if (a.principals != b.principals) return a.principals < b.principals;
  return a.resources != b.resources ? a.resources < b.resources : a.actions < b.actions;
}

// Immutable: any thread.
class SchemaScope {
 public:
  // Requires a schema that a snapshot takes.
  explicit SchemaScope(Schema schema);

  const Schema& schema() const { return schema_; }
  std::vector<std::string_view> types() const;
  std::vector<std::string_view> actions() const;
  // Null if it is not declared.
  const Schema::EntityType* FindType(std::string_view name) const;
  bool HasAction(std::string_view name) const;

  Reach Everything() const;
  Reach Nothing() const;

  // Adds the types of which an entity can match `pattern`, which is not a role: for one without
  // wildcards also all that can lie in it, at any distance.
  void AddTypes(const Pattern& pattern, std::vector<bool>* types) const;
  // Adds the actions that match. Returns whether there are any.
  bool AddActions(const Pattern& pattern, std::vector<bool>* actions) const;

  // Leaves what an action brings together. Returns false, and changes nothing, if that is nothing.
  bool Narrow(Reach* reach) const;

  // Declares `principal`, `resource` and `context` as they are within `reach`: a name that one of
  // the types has can be spoken of; it has a type if it is the same in all of them.
  void Declare(const Reach& reach, cel::Environment* environment) const;

  // The fields that the context of one action or another has, of any type if they do not agree.
  std::vector<SchemaField> ContextFields() const;

 private:
  cel::Type ToType(const SchemaType& type, const std::string& name,
                   cel::Environment* environment) const;
  void Join(const std::vector<SchemaField>& fields, bool first,
            std::map<std::string, SchemaField>* joined) const;
  std::map<std::string, SchemaField> JoinContexts(const std::vector<bool>& actions,
                                                  std::vector<std::string>* names) const;
  // Of the types in `types`.
  cel::Environment::Record RecordOf(const std::vector<bool>& types,
                                    cel::Environment* environment) const;

  Schema schema_;
  std::map<std::string, size_t, std::less<>> type_numbers_;
  std::map<std::string, size_t, std::less<>> action_numbers_;
  std::vector<std::vector<bool>> inside_;  // By type: those that can lie in it, and itself.
  size_t anonymous_ = 0;
};

}  // namespace reeve

#endif  // REEVE_POLICY_SCHEMA_SCOPE_H_
