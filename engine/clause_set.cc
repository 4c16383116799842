#include "engine/clause_set.h"

#include <algorithm>
#include <array>

#include "absl/strings/str_cat.h"

namespace reeve {
namespace {

constexpr std::array<std::string_view, kFirstBinding> kVariables = {"principal", "action",
                                                                    "resource", "context"};

constexpr std::string_view kOfPrincipals[] = {"type", "id",   "name",  "groups", "assurance",
                                              "via",  "host", "actor", "roles"};
constexpr std::string_view kOfResources[] = {"type", "id", "name"};
constexpr std::string_view kOfContexts[] = {"time"};

uint32_t VariableNumber(std::string_view name, const std::vector<std::string_view>& bindings) {
  const auto variable = std::find(kVariables.begin(), kVariables.end(), name);
  if (variable != kVariables.end()) return static_cast<uint32_t>(variable - kVariables.begin());
  const auto binding = std::find(bindings.begin(), bindings.end(), name);
  if (binding == bindings.end()) return cel::Link::kNone;
  return kFirstBinding + static_cast<uint32_t>(binding - bindings.begin());
}

// What names a path in the whole set.
std::string PathKey(const cel::Program& program, uint32_t path) {
  std::string key = program.variables[program.paths[path].variable];
  for (const cel::Cell& name : program.paths[path].names) {
    absl::StrAppend(&key, ".", name.text().size(), ":");  // names may hold any character
    key.append(name.text());
  }
  return key;
}

// What names a part of a condition in the whole set: of one that reads roles, for its policy.
std::string PartKey(const std::string& part, uint32_t policy) {
  return policy == ClauseSet::kReadsNoRoles ? part : absl::StrCat(part, " roles of ", policy);
}

}  // namespace

ReservedNames ReservedNamesOf(Variable variable) {
  switch (variable) {
    case kPrincipal:
      return {kPrincipalType, kPrincipalAttribute, kOfPrincipals};
    case kResource:
      return {kResourceType, kResourceAttribute, kOfResources};
    default:
      return {kContextTime, kContextAttribute, kOfContexts};
  }
}

Member MemberOf(uint32_t variable, std::string_view name) {
  if (variable >= kFirstBinding || variable == kAction) return kNoMember;
  const ReservedNames reserved = ReservedNamesOf(static_cast<Variable>(variable));
  const auto found = std::find(reserved.names.begin(), reserved.names.end(), name);
  if (found == reserved.names.end()) return reserved.attribute;
  return static_cast<Member>(reserved.first + (found - reserved.names.begin()));
}

bool ReadsRoles(const Condition& condition) {
  if (condition.program == nullptr) return false;
  const cel::Program& program = *condition.program;
  return std::any_of(program.paths.begin(), program.paths.end(), [&program](const cel::Path& path) {
    return program.variables[path.variable] == kVariables[kPrincipal] &&
           path.names[0].text() == "roles";
  });
}

uint32_t ClauseSet::Add(const Condition& condition, const std::vector<std::string_view>& bindings,
                        uint32_t policy) {
  Entry entry;
  entry.program = condition.program;
  std::string key = condition.program->text;
  for (const std::string& name : condition.program->variables) {
    entry.variables.push_back(VariableNumber(name, bindings));
    entry.binds |= entry.variables.back() >= kFirstBinding;
    absl::StrAppend(&key, " ", entry.variables.back());
  }
  if (ReadsRoles(condition)) {
    entry.policy = policy;
    absl::StrAppend(&key, " roles of ", policy);
  }
  const auto [found, is_new] =
      numbers_.try_emplace(std::move(key), static_cast<uint32_t>(entries_.size()));
  if (is_new) entries_.push_back(std::move(entry));
  ++entries_[found->second].uses;
  return found->second;
}

void ClauseSet::Close() {
  struct Shared {
    uint32_t uses = 0;
    uint32_t slot = cel::Link::kNone;
  };
  absl::flat_hash_map<std::string, Shared> paths;
  absl::flat_hash_map<std::string, Shared> parts;
  const auto slot_of = [this](Shared& shared) {
    if (shared.uses > 1 && shared.slot == cel::Link::kNone) shared.slot = room_.slots++;
    return shared.slot;
  };
  for (const Entry& entry : entries_) {
    for (const cel::Instruction& i : entry.program->code) {
      // `context` as a whole has the time in it.
      reads_time_ |= i.op == cel::Op::kVariable && entry.variables[i.c] == kContext;
      const auto use = [&](uint32_t path) { ++paths[PathKey(*entry.program, path)].uses; };
      if (i.op == cel::Op::kPath) use(i.c);
      if (cel::IsTest(i.op)) use(i.b);
      if (i.op == cel::Op::kComparePaths) use(i.c);
    }
    for (const std::string& part : entry.program->shared) ++parts[PartKey(part, entry.policy)].uses;
  }
  for (Entry& entry : entries_) {
    const cel::Program& program = *entry.program;
    for (uint32_t i = 0; i < program.paths.size(); ++i) {
      const uint32_t variable = entry.variables[program.paths[i].variable];
      const bool of_binding = variable >= kFirstBinding;
      const Member member = MemberOf(variable, program.paths[i].names[0].text());
      reads_time_ |= member == kContextTime;
      const bool is_attribute = member == kPrincipalAttribute || member == kResourceAttribute ||
                                member == kContextAttribute;
      // The roles of two policies have one path.
      const bool is_kept = !of_binding && member != kPrincipalRoles;
      entry.paths.emplace_back(program.paths[i], member,
                               is_kept ? slot_of(paths[PathKey(program, i)]) : cel::Link::kNone,
                               is_attribute ? variable : cel::Link::kNone);
    }
    for (const std::string& part : program.shared) {
      entry.shared.push_back(slot_of(parts[PartKey(part, entry.policy)]));
    }
    if (entry.uses > 1 && !entry.binds) entry.slot = room_.slots++;
  }
  for (const Entry& entry : entries_) {
    room_.Add(*entry.program);
    clauses_.emplace_back(*entry.program, entry.variables, entry.paths, entry.shared, entry.slot);
    policies_.push_back(entry.policy);
  }
  if (std::all_of(policies_.begin(), policies_.end(),
                  [](uint32_t policy) { return policy == kReadsNoRoles; })) {
    policies_ = {};
  }
  numbers_ = {};
}

}  // namespace reeve
