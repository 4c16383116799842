// Writes the cases that Reeve and its peers are measured on: `write_cases DIRECTORY`, which must be
// there and empty.
//
//   DIRECTORY/CASE/requests.jsonl   one a line: {"principal": "user:user_3", "action": "read",
//                                   "resource": "document:doc_1", "allow": true}
//   DIRECTORY/CASE/reeve/           policy.yaml, entities.yaml
//   DIRECTORY/CASE/cedar/           policy.cedar, entities.json
//   DIRECTORY/CASE/opa/             policy.rego, data.json
//   DIRECTORY/CASE/casbin/          model.conf, policy.csv
//   DIRECTORY/CASE/grpc/            policy.json
//
// A peer takes the cases in which it has a folder. `allow` is the answer of the walk over the
// store, of the lists in rbac and acl. With --small before the directory only gdrive, github and
// tinytodo, of four entities of each kind and 100 requests: what bench/workloads/testdata holds.
#include <algorithm>
#include <cctype>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/bench/workloads/workloads.h"

namespace reeve::bench {
namespace {

using Json = nlohmann::ordered_json;
namespace fs = std::filesystem;

constexpr uint64_t kSeed = 1;
constexpr int kRequests = 500;

void Write(const fs::path& path, const std::string& text) {
  fs::create_directories(path.parent_path());
  std::ofstream file(path, std::ios::binary);
  file << text;
  file.close();
  if (!file) {
    std::fprintf(stderr, "%s: cannot be written\n", path.c_str());
    std::exit(3);
  }
}

void WriteRequests(const fs::path& directory, const std::vector<Asked>& requests) {
  std::string lines;
  for (const Asked& asked : requests) {
    lines += Json{{"principal", ToString(asked.principal)},
                  {"action", asked.action},
                  {"resource", ToString(asked.resource)},
                  {"allow", asked.allow}}
                 .dump() +
             "\n";
  }
  Write(directory / "requests.jsonl", lines);
}

// Cedar.

// `org_permission` is `OrgPermission`, or `orgPermission` of an attribute.
std::string ToCamel(const std::string& name, bool upper) {
  std::string camel;
  for (const char c : name) {
    if (c == '_') {
      upper = true;
    } else {
      camel += upper ? static_cast<char>(std::toupper(static_cast<unsigned char>(c))) : c;
      upper = false;
    }
  }
  return camel;
}

Json CedarUid(const EntityId& id) { return {{"type", ToCamel(id.type, true)}, {"id", id.id}}; }
Json CedarReference(const EntityId& id) { return {{"__entity", CedarUid(id)}}; }
std::string CedarName(const EntityId& id) {
  return absl::StrCat(ToCamel(id.type, true), "::\"", id.id, "\"");
}

Json CedarEntity(const EntityId& id, const std::vector<EntityId>& parents, Json attributes) {
  Json of = Json::array();
  for (const EntityId& parent : parents) of.push_back(CedarUid(parent));
  return {{"uid", CedarUid(id)}, {"attrs", std::move(attributes)}, {"parents", std::move(of)}};
}

constexpr const char* kGithubActions[] = {"read", "triage", "write", "maintain", "admin"};

std::string CedarEntities(const Store& store) {
  Json all = Json::array();
  for (const auto& [id, item] : store.items) {
    Json attributes = Json::object();
    if (item.is_public.has_value()) attributes["isPublic"] = *item.is_public;
    for (const auto& [name, ids] : item.links) {
      Json references = Json::array();
      for (const EntityId& reference : ids) references.push_back(CedarReference(reference));
      attributes[ToCamel(name, false)] = IsSet(name) ? references : references[0];
    }
    if (id.type == "list") {
      attributes["tasks"] = Json::array();
      for (int i = 0; i < item.tasks; ++i) {
        attributes["tasks"].push_back({{"id", i},
                                       {"name", absl::StrCat("task_", i)},
                                       {"state", i % 2 == 0 ? "Checked" : "Unchecked"}});
      }
    }
    all.push_back(CedarEntity(id, item.parents, std::move(attributes)));
  }
  if (store.kind == Kind::kGithub) {
    for (size_t i = 0; i < std::size(kGithubActions); ++i) {
      std::vector<EntityId> above;
      if (i + 1 < std::size(kGithubActions)) above = {EntityId("action", kGithubActions[i + 1])};
      all.push_back(CedarEntity(EntityId("action", kGithubActions[i]), above, Json::object()));
    }
  }
  return all.dump(1) + "\n";
}

constexpr char kCedarGdrive[] = R"(permit (principal, action == Action::"read", resource)
  when { resource.isPublic };
permit (principal, action in [Action::"read", Action::"write", Action::"share"], resource)
  when { resource in principal.ownedDocuments || resource in principal.ownedFolders };
permit (principal, action == Action::"changeOwner", resource)
  when { principal.ownedDocuments.contains(resource) };
permit (principal, action == Action::"createDocument", resource)
  when { principal.ownedFolders.contains(resource) };
)";
constexpr char kCedarViews[] = R"(permit (principal, action == Action::"read", resource)
  when { resource in principal.view };
)";
constexpr char kCedarGithub[] = R"(permit (principal, action in Action::"read", resource)
  when { principal in resource.owner.readers };
permit (principal, action in Action::"write", resource)
  when { principal in resource.owner.writers };
permit (principal, action in Action::"admin", resource)
  when { principal in resource.owner.admins };
)";
constexpr char kCedarLevels[] = R"(permit (principal, action in Action::"read", resource)
  when { principal in resource.readers };
permit (principal, action in Action::"triage", resource)
  when { principal in resource.triagers };
permit (principal, action in Action::"write", resource)
  when { principal in resource.writers };
permit (principal, action in Action::"maintain", resource)
  when { principal in resource.maintainers };
permit (principal, action in Action::"admin", resource)
  when { principal in resource.admins };
)";
constexpr char kCedarTinyTodo[] =
    R"(permit (principal, action in [Action::"CreateList", Action::"GetLists"],
        resource == Application::"TinyTodo");
permit (principal, action, resource)
  when { resource has owner && resource.owner == principal };
permit (principal, action == Action::"GetList", resource)
  when { principal in resource.readers || principal in resource.editors };
permit (principal,
        action in [Action::"UpdateList", Action::"CreateTask", Action::"UpdateTask",
                   Action::"DeleteTask"],
        resource)
  when { principal in resource.editors };
)";

std::string CedarPolicy(const Store& store, bool templates) {
  std::string text;
  if (templates) {
    for (const Grant& grant : GrantsOf(store)) {
      absl::StrAppend(&text, "permit (principal in ", CedarName(grant.principal), ", action in [",
                      absl::StrJoin(grant.actions, ", ",
                                    [](std::string* out, const std::string& action) {
                                      absl::StrAppend(out, "Action::\"", action, "\"");
                                    }),
                      "], resource in ", CedarName(grant.resource), ");\n");
    }
  } else if (store.kind != Kind::kTinyTodo) {
    text = store.kind == Kind::kGdrive ? kCedarViews : kCedarLevels;
  }
  return text + (store.kind == Kind::kGdrive   ? kCedarGdrive
                 : store.kind == Kind::kGithub ? kCedarGithub
                                               : kCedarTinyTodo);
}

// OPA. What an entity lies in is worked out beforehand, as in Cedar's paper.

void AddAbove(const Store& store, const EntityId& id, Json* above) {
  if (above->contains(ToString(id))) return;
  (*above)[ToString(id)] = true;
  const auto found = store.items.find(id);
  if (found == store.items.end()) return;
  for (const EntityId& parent : found->second.parents) AddAbove(store, parent, above);
}

std::string OpaData(const Store& store) {
  Json entities = Json::object();
  for (const auto& [id, item] : store.items) {
    Json entity = Json::object();
    entity["above"] = Json::object();
    AddAbove(store, id, &entity["above"]);
    if (item.is_public.has_value()) entity["public"] = *item.is_public;
    for (const auto& [name, ids] : item.links) {
      if (!IsSet(name)) {
        entity[name] = ToString(ids[0]);
        continue;
      }
      entity[name] = Json::object();
      for (const EntityId& one : ids) entity[name][ToString(one)] = true;
    }
    entities[ToString(id)] = std::move(entity);
  }
  return Json{{"entities", std::move(entities)}}.dump(1) + "\n";
}

constexpr char kOpaHead[] = R"(package bench

default allow := false

principal := data.entities[input.principal]

resource := data.entities[input.resource]
)";
constexpr char kOpaGdrive[] = R"(
allow if {
	input.action == "read"
	resource.above[principal.view]
}

allow if {
	input.action == "read"
	resource.public
}

allow if {
	input.action in {"read", "write", "share"}
	some document, _ in principal.owned_documents
	resource.above[document]
}

allow if {
	input.action in {"read", "write", "share"}
	some folder, _ in principal.owned_folders
	resource.above[folder]
}

allow if {
	input.action == "changeOwner"
	principal.owned_documents[input.resource]
}

allow if {
	input.action == "createDocument"
	principal.owned_folders[input.resource]
}
)";
constexpr char kOpaGithub[] = R"(
levels := {
	"read": ["readers", "triagers", "writers", "maintainers", "admins"],
	"triage": ["triagers", "writers", "maintainers", "admins"],
	"write": ["writers", "maintainers", "admins"],
	"maintain": ["maintainers", "admins"],
	"admin": ["admins"],
}

owner_levels := {
	"read": ["readers", "writers", "admins"],
	"triage": ["writers", "admins"],
	"write": ["writers", "admins"],
	"maintain": ["admins"],
	"admin": ["admins"],
}

allow if {
	some level in levels[input.action]
	principal.above[resource[level]]
}

allow if {
	owner := data.entities[resource.owner]
	some level in owner_levels[input.action]
	principal.above[owner[level]]
}
)";
constexpr char kOpaTinyTodo[] = R"(
allow if {
	input.action in {"CreateList", "GetLists"}
	input.resource == "application:TinyTodo"
}

allow if resource.owner == input.principal

allow if {
	input.action == "GetList"
	principal.above[resource.readers]
}

allow if {
	input.action in {"GetList", "UpdateList", "CreateTask", "UpdateTask", "DeleteTask"}
	principal.above[resource.editors]
}
)";

void WriteWorkload(const fs::path& directory, Kind kind, int n, bool templates, int requests) {
  const Store store = MakeStore(kind, n, kSeed);
  WriteRequests(directory, MakeRequests(store, requests, kSeed));
  for (const SourceFile& file : ToPolicySet(store, templates)) {
    Write(directory / "reeve" / file.name, file.text);
  }
  Write(directory / "cedar" / "policy.cedar", CedarPolicy(store, templates));
  Write(directory / "cedar" / "entities.json",
        CedarEntities(templates ? WithoutGrants(store) : store));
  if (templates) return;
  Write(directory / "opa" / "policy.rego",
        std::string(kOpaHead) + (kind == Kind::kGdrive   ? kOpaGdrive
                                 : kind == Kind::kGithub ? kOpaGithub
                                                         : kOpaTinyTodo));
  Write(directory / "opa" / "data.json", OpaData(store));
}

// `rules` grants of one resource each: to roles of ten grants and ten users each, or to users.
void WriteLists(const fs::path& directory, int rules, bool roles) {
  const auto holder = [roles](int grant) {
    return roles ? EntityId("group", absl::StrCat("role_", grant / 10))
                 : EntityId("user", absl::StrCat("user_", grant));
  };
  const auto user = [](int i) { return EntityId("user", absl::StrCat("user_", i)); };
  const auto resource = [](int i) { return EntityId("data", absl::StrCat("data_", i)); };

  std::string reeve = absl::StrCat("reeve: 1\npolicy: ", roles ? "rbac" : "acl", "\nrules:\n");
  std::string reeve_entities = "reeve: 1\nentities:\n";
  std::string cedar, casbin;
  Json cedar_entities = Json::array();
  Json opa_grants = Json::object(), opa_roles = Json::object();
  Json grpc_rules = Json::array();
  for (int i = 0; i < rules; ++i) {
    absl::StrAppend(&reeve, "  - id: grant-", i, "\n    effect: allow\n    principals: [\"",
                    ToString(holder(i)), "\"]\n    actions: [read]\n    resources: [\"",
                    ToString(resource(i)), "\"]\n");
    absl::StrAppend(&cedar, "permit (principal in ", CedarName(holder(i)),
                    ", action == Action::\"read\", resource == ", CedarName(resource(i)), ");\n");
    absl::StrAppend(&casbin, "p, ", ToString(holder(i)), ", ", ToString(resource(i)), ", read\n");
    opa_grants[ToString(holder(i))][ToString(resource(i))]["read"] = true;
    // It knows no roles: who has one is written out.
    Json users = Json::array();
    for (int k = roles ? i / 10 * 10 : i; k < (roles ? i / 10 * 10 + 10 : i + 1); ++k) {
      users.push_back(ToString(user(k)));
    }
    grpc_rules.push_back(
        {{"name", absl::StrCat("grant-", i)},
         {"source", {{"principals", std::move(users)}}},
         {"request", {{"paths", {absl::StrCat("/", ToString(resource(i)), "/read")}}}}});
    if (!roles) continue;
    absl::StrAppend(&reeve_entities, "  - {id: \"", ToString(user(i)), "\", parents: [\"",
                    ToString(holder(i)), "\"]}\n");
    cedar_entities.push_back(CedarEntity(user(i), {holder(i)}, Json::object()));
    absl::StrAppend(&casbin, "g, ", ToString(user(i)), ", ", ToString(holder(i)), "\n");
    opa_roles[ToString(user(i))] = {ToString(holder(i))};
  }

  std::vector<Asked> requests;
  for (int i = 0; i < kRequests; ++i) {
    // Steps that share no factor with the numbers of rules reach all of them.
    const int of_user = (i * 7919) % rules;
    const int of_resource = i % 2 == 0 ? of_user : (of_user + 37) % rules;
    requests.push_back(
        {user(of_user), "read", resource(of_resource), holder(of_user) == holder(of_resource)});
  }
  WriteRequests(directory, requests);

  Write(directory / "reeve" / "policy.yaml", reeve);
  if (roles) Write(directory / "reeve" / "entities.yaml", reeve_entities);
  Write(directory / "cedar" / "policy.cedar", cedar);
  Write(directory / "cedar" / "entities.json", cedar_entities.dump(1) + "\n");
  Write(directory / "casbin" / "policy.csv", casbin);
  Write(directory / "casbin" / "model.conf",
        absl::StrCat("[request_definition]\nr = sub, obj, act\n\n"
                     "[policy_definition]\np = sub, obj, act\n\n",
                     roles ? "[role_definition]\ng = _, _\n\n" : "",
                     "[policy_effect]\ne = some(where (p.eft == allow))\n\n[matchers]\nm = ",
                     roles ? "g(r.sub, p.sub)" : "r.sub == p.sub",
                     " && r.obj == p.obj && r.act == p.act\n"));
  Write(
      directory / "grpc" / "policy.json",
      Json{{"name", roles ? "rbac" : "acl"}, {"allow_rules", std::move(grpc_rules)}}.dump() + "\n");
  Write(directory / "opa" / "policy.rego",
        roles ? "package bench\n\ndefault allow := false\n\nallow if {\n"
                "\tsome role in data.roles[input.principal]\n"
                "\tdata.grants[role][input.resource][input.action]\n}\n"
              : "package bench\n\ndefault allow := false\n\n"
                "allow if data.grants[input.principal][input.resource][input.action]\n");
  Json opa = {{"grants", std::move(opa_grants)}};
  if (roles) opa["roles"] = std::move(opa_roles);
  Write(directory / "opa" / "data.json", opa.dump(1) + "\n");
}

int Main(int argc, char** argv) {
  const bool small = argc == 3 && std::string(argv[1]) == "--small";
  if (argc != 2 && !small) {
    std::fprintf(stderr, "usage: %s [--small] DIRECTORY\n", argv[0]);
    return 2;
  }
  const fs::path directory = argv[argc - 1];
  std::error_code error;
  if (!fs::is_directory(directory, error) || !fs::is_empty(directory, error)) {
    std::fprintf(stderr, "%s: not an empty directory\n", directory.c_str());
    return 2;
  }
  for (const Kind kind : kKinds) {
    const std::string name(ToString(kind));
    if (small) {
      WriteWorkload(directory / name, kind, 4, false, 100);
      continue;
    }
    for (const int n : {10, 50}) {
      WriteWorkload(directory / absl::StrCat(name, "-", n), kind, n, false, kRequests);
    }
    if (kind == Kind::kTinyTodo) continue;
    WriteWorkload(directory / absl::StrCat(name, "-50-templates"), kind, 50, true, kRequests);
  }
  if (small) return 0;
  for (const int rules : {10, 100, 1000, 10000}) {
    WriteLists(directory / absl::StrCat("rbac-", rules), rules, true);
    WriteLists(directory / absl::StrCat("acl-", rules), rules, false);
  }
  return 0;
}

}  // namespace
}  // namespace reeve::bench

int main(int argc, char** argv) { return reeve::bench::Main(argc, argv); }
