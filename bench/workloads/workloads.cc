#include "reeve/bench/workloads/workloads.h"

#include <algorithm>
#include <cstdlib>
#include <iterator>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

namespace reeve::bench {
namespace {

// Not of <random>, whose distributions differ from library to library.
class Chance {
 public:
  explicit Chance(uint64_t seed) : state_(seed) {}

  // SplitMix64.
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  int Below(int n) { return static_cast<int>(Next() % static_cast<uint64_t>(n)); }
  bool Coin() { return Below(2) == 1; }
  bool Link() { return Below(20) == 0; }

 private:
  uint64_t state_;
};

EntityId Nth(const char* type, const char* name, int i) {
  return EntityId(type, absl::StrCat(name, "_", i));
}

EntityId ViewOf(const EntityId& of) { return EntityId("view", absl::StrCat(of.type, " ", of.id)); }

// Adds each of the first `n` of `name` that chance links.
void LinkSome(Chance& chance, const char* type, const char* name, int n,
              std::vector<EntityId>* out) {
  for (int i = 0; i < n; ++i) {
    if (chance.Link()) out->push_back(Nth(type, name, i));
  }
}

Store MakeGdrive(int n, Chance& chance) {
  Store store{Kind::kGdrive};
  std::vector<Item> views;
  for (int i = 0; i < n; ++i) store.Add({Nth("group", "group", i)});
  for (int i = 0; i < n; ++i) {
    views.push_back({ViewOf(Nth("group", "group", i))});
  }
  for (int i = 0; i < n; ++i) {
    Item user{Nth("user", "user", i)};
    LinkSome(chance, "document", "doc", n, &user.links["owned_documents"]);
    LinkSome(chance, "folder", "folder", n, &user.links["owned_folders"]);
    LinkSome(chance, "group", "group", n, &user.parents);
    const EntityId view = ViewOf(user.id);
    user.links["view"] = {view};
    store.Add({view});
    // What a group sees its members see.
    for (Item& group_view : views) {
      for (const EntityId& group : user.parents) {
        if (group_view.id == ViewOf(group)) group_view.parents.push_back(view);
      }
    }
    store.Add(std::move(user));
  }
  for (Item& view : views) store.Add(std::move(view));
  for (const auto& [type, name] : {std::pair("document", "doc"), std::pair("folder", "folder")}) {
    for (int i = 0; i < n; ++i) {
      Item item{Nth(type, name, i)};
      item.is_public = chance.Coin();
      // Folders lie in smaller ones only, so that there is no cycle.
      LinkSome(chance, "folder", "folder", item.id.type == "folder" ? i : n, &item.parents);
      for (const char* of : {"user", "group"}) {
        for (int k = 0; k < n; ++k) {
          if (chance.Link()) item.parents.push_back(ViewOf(Nth(of, of, k)));
        }
      }
      store.Add(std::move(item));
    }
  }
  return store;
}

constexpr const char* kRepositoryLevels[] = {"readers", "triagers", "writers", "maintainers",
                                             "admins"};
constexpr const char* kRepositoryActions[] = {"read", "triage", "write", "maintain", "admin"};
constexpr const char* kOrganisationLevels[] = {"readers", "writers", "admins"};

Store MakeGithub(int n, Chance& chance) {
  Store store{Kind::kGithub};
  const auto link_levels = [&](const char* type, const char* name, auto& levels,
                               std::vector<EntityId>* out, int self) {
    for (int i = 0; i < n; ++i) {
      if (i == self || !chance.Link()) continue;
      const char* level = levels[chance.Below(static_cast<int>(std::size(levels)))];
      out->push_back(EntityId(type, absl::StrCat(name, "_", i, "_", level)));
    }
  };
  for (int i = 0; i < n; ++i) {
    Item organisation{Nth("organization", "org", i)};
    for (const char* level : kOrganisationLevels) {
      const EntityId id("org_permission", absl::StrCat(organisation.id.id, "_", level));
      organisation.links[level] = {id};
      store.Add({id});
    }
    link_levels("org_permission", "org", kOrganisationLevels, &organisation.parents, i);
    store.Add(std::move(organisation));

    Item repository{Nth("repository", "repo", i)};
    for (const char* level : kRepositoryLevels) {
      const EntityId id("repo_permission", absl::StrCat(repository.id.id, "_", level));
      repository.links[level] = {id};
      store.Add({id});
    }
    repository.links["owner"] = {Nth("organization", "org", chance.Below(n))};
    store.Add(std::move(repository));

    Item team{Nth("team", "team", i)};
    LinkSome(chance, "team", "team", i, &team.parents);
    link_levels("repo_permission", "repo", kRepositoryLevels, &team.parents, -1);
    store.Add(std::move(team));

    Item user{Nth("user", "user", i)};
    link_levels("repo_permission", "repo", kRepositoryLevels, &user.parents, -1);
    link_levels("org_permission", "org", kOrganisationLevels, &user.parents, -1);
    LinkSome(chance, "team", "team", n, &user.parents);
    LinkSome(chance, "organization", "org", n, &user.parents);
    store.Add(std::move(user));
  }
  return store;
}

Store MakeTinyTodo(int n, Chance& chance) {
  Store store{Kind::kTinyTodo};
  const EntityId application("application", "TinyTodo");
  store.Add({application});
  for (int i = 0; i < n; ++i) {
    Item user{Nth("user", "user", i), {application}};
    LinkSome(chance, "team", "team", n, &user.parents);
    store.Add(std::move(user));

    Item team{Nth("team", "team", i), {application}};
    LinkSome(chance, "team", "team", i, &team.parents);
    store.Add(std::move(team));

    Item list{Nth("list", "list", i), {application}};
    list.links["owner"] = {Nth("user", "user", chance.Below(n))};
    list.links["readers"] = {Nth("team", "team", chance.Below(n))};
    list.links["editors"] = {Nth("team", "team", chance.Below(n))};
    list.tasks = chance.Below(51);
    store.Add(std::move(list));
  }
  return store;
}

// The entity and all that it lies in.
std::set<std::string> Above(const Store& store, const EntityId& id) {
  std::set<std::string> above = {ToString(id)};
  std::vector<const EntityId*> left = {&id};
  while (!left.empty()) {
    const auto found = store.items.find(*left.back());
    left.pop_back();
    if (found == store.items.end()) continue;
    for (const EntityId& parent : found->second.parents) {
      if (above.insert(ToString(parent)).second) left.push_back(&parent);
    }
  }
  return above;
}

bool IsIn(const Store& store, const EntityId& id, const std::vector<EntityId>& any) {
  const std::set<std::string> above = Above(store, id);
  return std::any_of(any.begin(), any.end(),
                     [&](const EntityId& one) { return above.count(ToString(one)) > 0; });
}

bool Holds(const std::vector<EntityId>& set, const EntityId& id) {
  return std::any_of(set.begin(), set.end(), [&](const EntityId& one) { return one == id; });
}

bool AllowsGdrive(const Store& store, const Asked& asked) {
  const Item& user = store.items.at(asked.principal);
  const Item& resource = store.items.at(asked.resource);
  const std::vector<EntityId>& documents = user.links.at("owned_documents");
  const std::vector<EntityId>& folders = user.links.at("owned_folders");
  const std::string& action = asked.action;
  if (action == "read" &&
      (resource.is_public.value_or(false) || IsIn(store, asked.resource, user.links.at("view")))) {
    return true;
  }
  if (action == "read" || action == "write" || action == "share") {
    return IsIn(store, asked.resource, documents) || IsIn(store, asked.resource, folders);
  }
  if (action == "changeOwner") return Holds(documents, asked.resource);
  return action == "createDocument" && Holds(folders, asked.resource);
}

bool AllowsGithub(const Store& store, const Asked& asked) {
  const Item& repository = store.items.at(asked.resource);
  const Item& owner = store.items.at(repository.links.at("owner")[0]);
  const auto* const end = std::end(kRepositoryActions);
  const auto action =
      static_cast<size_t>(std::find(std::begin(kRepositoryActions), end, asked.action) -
                          std::begin(kRepositoryActions));
  // An action is part of those above it.
  for (size_t level = action; level < std::size(kRepositoryLevels); ++level) {
    if (IsIn(store, asked.principal, repository.links.at(kRepositoryLevels[level]))) return true;
  }
  const auto owned = [&](const char* level) {
    return IsIn(store, asked.principal, owner.links.at(level));
  };
  return (action == 0 && owned("readers")) || (action <= 2 && owned("writers")) ||
         (action <= 4 && owned("admins"));
}

bool AllowsTinyTodo(const Store& store, const Asked& asked) {
  const std::string& action = asked.action;
  if (asked.resource.type == "application") return action == "CreateList" || action == "GetLists";
  const Item& list = store.items.at(asked.resource);
  if (list.links.at("owner")[0] == asked.principal) return true;
  const bool edits = IsIn(store, asked.principal, list.links.at("editors"));
  if (action == "GetList") return edits || IsIn(store, asked.principal, list.links.at("readers"));
  return edits && (action == "UpdateList" || action == "CreateTask" || action == "UpdateTask" ||
                   action == "DeleteTask");
}

constexpr char kGdriveRules[] = R"(reeve: 1
policy: gdrive
rules:
%GRANTS%  - id: read-public
    effect: allow
    principals: [anyone]
    actions: [read]
    resources: [any]
    when: resource.public
  - id: use-owned
    effect: allow
    principals: [anyone]
    actions: [read, write, share]
    resources: [any]
    when: resource.isIn(principal.owned)
  - id: change-owner
    effect: allow
    principals: [anyone]
    actions: [changeOwner]
    resources: ["document:*"]
    when: principal.id in resource.owners
  - id: create
    effect: allow
    principals: [anyone]
    actions: [createDocument]
    resources: ["folder:*"]
    when: principal.id in resource.owners
)";

constexpr char kReadViewed[] = R"(  - id: read-viewed
    effect: allow
    principals: [anyone]
    actions: [read]
    resources: [any]
    when: resource.isIn(principal.view)
)";

constexpr char kGithubRules[] = R"(reeve: 1
policy: github
actions:
  triaging: [read, triage]
  writing: [triaging, write]
  maintaining: [writing, maintain]
  administering: [maintaining, admin]
rules:
%GRANTS%  - id: owner-readers
    effect: allow
    principals: [anyone]
    actions: [read]
    resources: ["repository:*"]
    when: principal.isIn(resource.owner.readers)
  - id: owner-writers
    effect: allow
    principals: [anyone]
    actions: [writing]
    resources: ["repository:*"]
    when: principal.isIn(resource.owner.writers)
  - id: owner-admins
    effect: allow
    principals: [anyone]
    actions: [administering]
    resources: ["repository:*"]
    when: principal.isIn(resource.owner.admins)
)";

constexpr const char* kActionSets[] = {"read", "triaging", "writing", "maintaining",
                                       "administering"};

constexpr char kTinyTodoRules[] = R"(reeve: 1
policy: tinytodo
rules:
  - id: create-and-list
    effect: allow
    principals: [anyone]
    actions: [CreateList, GetLists]
    resources: ["application:TinyTodo"]
  - id: owner
    effect: allow
    principals: [anyone]
    actions: [any]
    resources: ["list:*"]
    when: resource.owner == principal.id
  - id: read
    effect: allow
    principals: [anyone]
    actions: [GetList]
    resources: ["list:*"]
    when: principal.isIn(resource.readers) || principal.isIn(resource.editors)
  - id: edit
    effect: allow
    principals: [anyone]
    actions: [UpdateList, CreateTask, UpdateTask, DeleteTask]
    resources: ["list:*"]
    when: principal.isIn(resource.editors)
)";

std::string Quoted(const EntityId& id) { return absl::StrCat("\"", ToString(id), "\""); }

std::string GrantRules(const Store& store) {
  std::string text;
  int number = 0;
  for (const Grant& grant : GrantsOf(store)) {
    absl::StrAppend(&text, "  - id: grant-", number++, "\n    effect: allow\n    principals: [",
                    Quoted(grant.principal), "]\n    actions: [",
                    absl::StrJoin(grant.actions, ", "), "]\n    resources: [",
                    Quoted(grant.resource), "]\n");
  }
  return text;
}

std::string LevelRules() {
  std::string text;
  for (size_t i = 0; i < std::size(kRepositoryLevels); ++i) {
    absl::StrAppend(&text, "  - id: ", kRepositoryLevels[i],
                    "\n    effect: allow\n    principals: [anyone]\n    actions: [", kActionSets[i],
                    "]\n    resources: [\"repository:*\"]\n    when: principal.isIn(resource.",
                    kRepositoryLevels[i], ")\n");
  }
  return text;
}

std::string PolicyText(const Store& store, bool templates) {
  const std::string grants = templates                     ? GrantRules(store)
                             : store.kind == Kind::kGdrive ? kReadViewed
                                                           : LevelRules();
  std::string text = store.kind == Kind::kGdrive   ? kGdriveRules
                     : store.kind == Kind::kGithub ? kGithubRules
                                                   : kTinyTodoRules;
  const size_t at = text.find("%GRANTS%");
  if (at != std::string::npos) text.replace(at, 8, grants);
  return text;
}

std::string List(const std::vector<EntityId>& ids) {
  return absl::StrCat(
      "[",
      absl::StrJoin(ids, ", ",
                    [](std::string* out, const EntityId& id) { out->append(Quoted(id)); }),
      "]");
}

// The attributes of gdrive are about who owns what: of a user all that is owned, for what lies in
// it; of a document or folder its owners, for what is not inherited.
std::vector<std::string> AttributesOf(const Store& store, const Item& item) {
  std::vector<std::string> all;
  if (item.is_public.has_value()) {
    all.push_back(absl::StrCat("public: ", *item.is_public ? "true" : "false"));
  }
  if (item.id.type == "document" || item.id.type == "folder") {
    std::vector<std::string> owners;
    for (const auto& [id, user] : store.items) {
      if (id.type != "user") continue;
      for (const char* link : {"owned_documents", "owned_folders"}) {
        if (Holds(user.links.at(link), item.id)) owners.push_back(absl::StrCat("\"", id.id, "\""));
      }
    }
    all.push_back(absl::StrCat("owners: [", absl::StrJoin(owners, ", "), "]"));
  }
  std::vector<EntityId> owned;
  for (const auto& [name, ids] : item.links) {
    if (IsSet(name)) {
      owned.insert(owned.end(), ids.begin(), ids.end());
    } else if (name == "owner" && store.kind == Kind::kTinyTodo) {
      all.push_back(absl::StrCat("owner: \"", ids[0].id, "\""));
    } else if (name == "owner") {
      std::vector<std::string> levels;
      for (const auto& [level, permission] : store.items.at(ids[0]).links) {
        levels.push_back(absl::StrCat(level, ": ", Quoted(permission[0])));
      }
      all.push_back(absl::StrCat("owner: {", absl::StrJoin(levels, ", "), "}"));
    } else {
      all.push_back(absl::StrCat(name, ": ", Quoted(ids[0])));
    }
  }
  if (store.kind == Kind::kGdrive && item.id.type == "user") {
    all.push_back(absl::StrCat("owned: ", List(owned)));
  }
  if (item.id.type == "list") {
    std::vector<std::string> tasks;
    for (int i = 0; i < item.tasks; ++i) {
      tasks.push_back(absl::StrCat("{id: ", i, ", name: task_", i,
                                   ", state: ", i % 2 == 0 ? "Checked" : "Unchecked", "}"));
    }
    all.push_back(absl::StrCat("tasks: [", absl::StrJoin(tasks, ", "), "]"));
  }
  return all;
}

std::string EntitiesText(const Store& store) {
  std::string text = "reeve: 1\nentities:\n";
  for (const auto& [id, item] : store.items) {
    absl::StrAppend(&text, "  - {id: ", Quoted(id));
    if (!item.parents.empty()) absl::StrAppend(&text, ", parents: ", List(item.parents));
    const std::vector<std::string> attributes = AttributesOf(store, item);
    if (!attributes.empty()) {
      absl::StrAppend(&text, ", attributes: {", absl::StrJoin(attributes, ", "), "}");
    }
    absl::StrAppend(&text, "}\n");
  }
  return text;
}

}  // namespace

std::string_view ToString(Kind kind) {
  switch (kind) {
    case Kind::kGdrive:
      return "gdrive";
    case Kind::kGithub:
      return "github";
    case Kind::kTinyTodo:
      return "tinytodo";
  }
  std::abort();
}

bool IsSet(std::string_view link) { return link == "owned_documents" || link == "owned_folders"; }

Store MakeStore(Kind kind, int n, uint64_t seed) {
  Chance chance(seed);
  return kind == Kind::kGdrive   ? MakeGdrive(n, chance)
         : kind == Kind::kGithub ? MakeGithub(n, chance)
                                 : MakeTinyTodo(n, chance);
}

std::vector<Asked> MakeRequests(const Store& store, int count, uint64_t seed) {
  struct Action {
    const char* name;
    const char* resource;
  };
  static const std::vector<Action> kActions[] = {
      {{"read", "document"},
       {"write", "document"},
       {"share", "document"},
       {"changeOwner", "document"},
       {"createDocument", "folder"}},
      {{"read", "repository"},
       {"triage", "repository"},
       {"write", "repository"},
       {"maintain", "repository"},
       {"admin", "repository"}},
      {{"CreateList", "application"},
       {"GetLists", "application"},
       {"GetList", "list"},
       {"UpdateList", "list"},
       {"DeleteList", "list"},
       {"CreateTask", "list"},
       {"UpdateTask", "list"},
       {"DeleteTask", "list"},
       {"EditShares", "list"}},
  };
  const std::vector<Action>& actions = kActions[static_cast<int>(store.kind)];
  std::map<std::string, std::vector<EntityId>> by_type;
  for (const auto& [id, item] : store.items) by_type[id.type].push_back(id);
  Chance chance(seed);
  const auto one = [&](const std::string& type) {
    const std::vector<EntityId>& all = by_type.at(type);
    return all[static_cast<size_t>(chance.Below(static_cast<int>(all.size())))];
  };
  std::vector<Asked> requests;
  for (int i = 0; i < count; ++i) {
    const Action& action =
        actions[static_cast<size_t>(chance.Below(static_cast<int>(actions.size())))];
    Asked asked{one("user"), action.name, one(action.resource)};
    asked.allow = Allows(store, asked);
    requests.push_back(std::move(asked));
  }
  return requests;
}

bool Allows(const Store& store, const Asked& asked) {
  switch (store.kind) {
    case Kind::kGdrive:
      return AllowsGdrive(store, asked);
    case Kind::kGithub:
      return AllowsGithub(store, asked);
    case Kind::kTinyTodo:
      return AllowsTinyTodo(store, asked);
  }
  std::abort();
}

std::vector<Grant> GrantsOf(const Store& store) {
  std::vector<Grant> grants;
  if (store.kind == Kind::kGdrive) {
    for (const auto& [id, item] : store.items) {
      if (id.type != "document" && id.type != "folder") continue;
      for (const EntityId& parent : item.parents) {
        if (parent.type != "view" || store.items.count(parent) == 0) continue;
        const size_t space = parent.id.find(' ');
        grants.push_back(
            {EntityId(parent.id.substr(0, space), parent.id.substr(space + 1)), {"read"}, id});
      }
    }
  } else if (store.kind == Kind::kGithub) {
    std::map<std::string, std::pair<EntityId, size_t>> permissions;
    for (const auto& [id, item] : store.items) {
      if (id.type != "repository") continue;
      for (size_t level = 0; level < std::size(kRepositoryLevels); ++level) {
        permissions[item.links.at(kRepositoryLevels[level])[0].id] = {id, level};
      }
    }
    for (const auto& [id, item] : store.items) {
      for (const EntityId& parent : item.parents) {
        if (parent.type != "repo_permission") continue;
        const auto& [repository, level] = permissions.at(parent.id);
        const auto* const actions = std::begin(kRepositoryActions);
        grants.push_back({id, {actions, actions + level + 1}, repository});
      }
    }
  }
  return grants;
}

Store WithoutGrants(const Store& store) {
  const char* const granting = store.kind == Kind::kGdrive ? "view" : "repo_permission";
  Store rest{store.kind};
  for (const auto& [id, item] : store.items) {
    if (id.type == granting) continue;
    Item copy = item;
    copy.parents.clear();
    for (const EntityId& parent : item.parents) {
      if (parent.type != granting) copy.parents.push_back(parent);
    }
    copy.links.clear();
    for (const auto& [name, ids] : item.links) {
      if (ids.empty() || ids[0].type != granting) copy.links[name] = ids;
    }
    rest.Add(std::move(copy));
  }
  return rest;
}

std::vector<SourceFile> ToPolicySet(const Store& store, bool templates) {
  return {{"policy.yaml", PolicyText(store, templates)},
          {"entities.yaml", EntitiesText(templates ? WithoutGrants(store) : store)}};
}

}  // namespace reeve::bench
