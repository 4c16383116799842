// The three workloads that Cedar was measured with, written anew from their description: documents
// and folders that are shared (gdrive), repositories of organisations (github), lists of tasks
// (tinytodo). Each is entities and requests made by chance, and a handful of rules.
//
// Source: Cutler et al., "Cedar: A New Language for Expressive, Fast, Safe, and Analyzable
// Authorization", OOPSLA 2024, section 5.
#ifndef REEVE_BENCH_WORKLOADS_WORKLOADS_H_
#define REEVE_BENCH_WORKLOADS_WORKLOADS_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/entity.h"
#include "reeve/policy/load.h"

namespace reeve::bench {

enum class Kind { kGdrive, kGithub, kTinyTodo };

inline constexpr Kind kKinds[] = {Kind::kGdrive, Kind::kGithub, Kind::kTinyTodo};

// "gdrive", "github", "tinytodo".
std::string_view ToString(Kind kind);

// One entity, in the terms of no engine.
struct Item {
  EntityId id = {};
  std::vector<EntityId> parents = {};
  // Attributes that name other entities. Which of them are sets is told by IsSet().
  std::map<std::string, std::vector<EntityId>> links = {};
  std::optional<bool> is_public = {};  // Of what may be public.
  int tasks = 0;                       // Of a list.
};

// Whether the attribute names any number of entities, and not one.
bool IsSet(std::string_view link);

struct Store {
  Kind kind;
  std::map<EntityId, Item, bool (*)(const EntityId&, const EntityId&)> items{
      [](const EntityId& a, const EntityId& b) { return EntityView(a) < EntityView(b); }};

  void Add(Item item) {
    EntityId id = item.id;
    items.insert_or_assign(std::move(id), std::move(item));
  }
};

struct Asked {
  EntityId principal;
  std::string action;
  EntityId resource;
  bool allow = false;
};

// `n` of each kind of entity, every link of which is there with a probability of 0.05. The same
// `seed` gives the same store on every machine.
Store MakeStore(Kind kind, int n, uint64_t seed);

// `count` requests of the types that the actions are for, with their answers by Allows().
std::vector<Asked> MakeRequests(const Store& store, int count, uint64_t seed);

// What the rules of the workload say, asked of the store entity by entity: slow and plain, shares
// nothing with an engine.
bool Allows(const Store& store, const Asked& asked);

// A grant that the template variant writes as a rule of its own: who (a user, or a group or team)
// may do `actions` to the resource and what lies in it.
struct Grant {
  EntityId principal;
  std::vector<std::string> actions;
  EntityId resource;
};

// Of gdrive the views, of github the permissions on repositories; tinytodo has none.
std::vector<Grant> GrantsOf(const Store& store);

// The store without what GrantsOf() says.
Store WithoutGrants(const Store& store);

// Policy and entities for LoadPolicy(). With `templates` the grants are rules.
std::vector<SourceFile> ToPolicySet(const Store& store, bool templates);

}  // namespace reeve::bench

#endif  // REEVE_BENCH_WORKLOADS_WORKLOADS_H_
