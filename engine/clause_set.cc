#include "engine/clause_set.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/program_encoding.h"

namespace reeve {
namespace {

constexpr auto& kVariables = cel::kUsualVariables;  // By their numbers.
static_assert(std::size(kVariables) == kFirstBinding);

constexpr std::string_view kOfPrincipals[] = {"type", "id",   "name",  "groups", "assurance",
                                              "via",  "host", "actor", "roles"};
constexpr std::string_view kOfResources[] = {"type", "id", "name"};
constexpr std::string_view kOfContexts[] = {"time"};

uint32_t VariableNumber(std::string_view name, const std::vector<std::string_view>& bindings) {
  const auto* const variable = std::find(std::begin(kVariables), std::end(kVariables), name);
  if (variable != std::end(kVariables)) {
    return static_cast<uint32_t>(variable - std::begin(kVariables));
  }
  const auto binding = std::find(bindings.begin(), bindings.end(), name);
  if (binding == bindings.end()) return cel::Link::kNone;
  return kFirstBinding + static_cast<uint32_t>(binding - bindings.begin());
}

// What names a path in the whole set.
std::string PathKey(const cel::Program& program, const cel::Path& path) {
  std::string key(program.variable(path.variable));
  for (const cel::Cell& name : program.names(path)) {
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
  const absl::Span<const cel::Path> paths = program.paths();
  return std::any_of(paths.begin(), paths.end(), [&program](const cel::Path& path) {
    return program.variable(path.variable) == kVariables[kPrincipal] &&
           program.names(path)[0].text() == "roles";
  });
}

bool ClauseSet::HasMeaning(const Meaning& meaning, const cel::Program& program,
                           absl::Span<const uint32_t> variables, uint32_t policy) {
  const cel::Program& other = *meaning.program;
  const auto paths = program.paths();
  const auto others = other.paths();
  if (meaning.policy != policy || variables != absl::MakeConstSpan(meaning.variables) ||
      paths.size() != others.size() || program.shared() != other.shared()) {
    return false;
  }
  for (uint32_t i = 0; i < variables.size(); ++i) {
    if (program.variable(i) != other.variable(i)) return false;
  }
  for (size_t i = 0; i < paths.size(); ++i) {
    const auto names = program.names(paths[i]);
    const auto other_names = other.names(others[i]);
    if (paths[i].variable != others[i].variable ||
        !std::equal(names.begin(), names.end(), other_names.begin(), other_names.end(),
                    [](const cel::Cell& a, const cel::Cell& b) { return a.text() == b.text(); })) {
      return false;
    }
  }
  return true;
}

ClauseSet::Meaning& ClauseSet::MeaningOf(const cel::Program& program,
                                         const std::vector<std::string_view>& bindings,
                                         uint32_t policy) {
  if (!program.shape().reads_others()) {  // Then its numbers mean the same in every rule.
    for (Meaning* const recent : sources_->recent) {
      if (recent != nullptr && &recent->program->shape() == &program.shape() &&
          recent->policy == policy) {
        return *recent;
      }
    }
  }
  absl::InlinedVector<uint32_t, 8> variables;
  for (uint32_t i = 0; i < program.variable_count(); ++i) {
    variables.push_back(VariableNumber(program.variable(i), bindings));
  }
  for (Meaning* const recent : sources_->recent) {
    if (recent != nullptr && HasMeaning(*recent, program, variables, policy)) return *recent;
  }
  auto meaning = std::make_unique<Meaning>();
  meaning->program = &program;
  meaning->policy = policy;
  std::string key = PartKey("", policy);
  for (const uint32_t number : variables) {
    meaning->variables.push_back(number);
    meaning->binds |= number >= kFirstBinding;
    absl::StrAppend(&key, " ", number);
  }
  // Bindings of one number may have several names, and others have one.
  for (const cel::Path& path : program.paths()) {
    absl::StrAppend(&key, "\n", path.variable, " ", PathKey(program, path));
  }
  for (const std::string& part : program.shared()) {
    absl::StrAppend(&key, "\n", part.size(), ":", part);
  }
  Meaning*& known = sources_->meanings[key];
  if (known == nullptr) {
    meaning->path_uses.resize(program.paths().size());
    known = meaning.get();
    meanings_.push_back(std::move(meaning));
  }
  sources_->recent[sources_->next_recent++ % sources_->recent.size()] = known;
  return *known;
}

void ClauseSet::Reserve(size_t clauses) {
  sources_->entries.reserve(clauses);
  sources_->numbers.reserve(clauses);
  programs_.reserve(clauses);
}

uint32_t ClauseSet::Add(const Condition& condition, const std::vector<std::string_view>& bindings,
                        uint32_t policy, std::string_view encoding) {
  const cel::Program& program = *condition.program;
  Meaning& meaning = MeaningOf(program, bindings, ReadsRoles(condition) ? policy : kReadsNoRoles);
  const bool is_kept = !encoding.empty();
  if (!is_kept) encoding = sources_->encodings.emplace_back(cel::EncodingOf(program));
  const auto number = static_cast<uint32_t>(sources_->entries.size());
  const auto [found, is_new] = sources_->numbers.try_emplace(
      std::pair(absl::string_view(encoding.data(), encoding.size()), &meaning), number);
  if (!is_new && !is_kept) sources_->encodings.pop_back();
  if (is_new) {
    sources_->entries.push_back({&meaning});
    programs_.push_back(condition.program);
    ++meaning.uses;
    for (const cel::Instruction& i : program.code()) {
      // `context` as a whole has the time in it.
      asks_membership_ |= i.op == cel::Op::kIsIn || i.op == cel::Op::kIsInPath ||
                          (i.op == cel::Op::kCall && cel::Functions()[i.c].name == "isIn");
      reads_time_ |= i.op == cel::Op::kVariable && meaning.variables[i.c] == kContext;
      if (i.op == cel::Op::kPath || i.op == cel::Op::kComparePaths) ++meaning.path_uses[i.c];
      if (cel::IsTest(i.op)) ++meaning.path_uses[i.b];
    }
  }
  ++sources_->entries[found->second].uses;
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
  for (const std::unique_ptr<Meaning>& meaning : meanings_) {
    const cel::Program& program = *meaning->program;
    for (size_t i = 0; i < program.paths().size(); ++i) {
      paths[PathKey(program, program.paths()[i])].uses += meaning->path_uses[i];
    }
    for (const std::string& part : program.shared()) {
      parts[PartKey(part, meaning->policy)].uses += meaning->uses;
    }
  }
  for (const std::unique_ptr<Meaning>& meaning : meanings_) {
    const cel::Program& program = *meaning->program;
    for (const cel::Path& path : program.paths()) {
      const absl::Span<const cel::Cell> names = program.names(path);
      const uint32_t variable = meaning->variables[path.variable];
      const bool of_binding = variable >= kFirstBinding;
      const Member member = MemberOf(variable, names[0].text());
      reads_time_ |= member == kContextTime;
      const bool is_attribute = member == kPrincipalAttribute || member == kResourceAttribute ||
                                member == kContextAttribute;
      // The roles of two policies have one path.
      const bool is_kept = !of_binding && member != kPrincipalRoles;
      meaning->paths.emplace_back(
          names, member, is_kept ? slot_of(paths[PathKey(program, path)]) : cel::Link::kNone,
          is_attribute ? variable : cel::Link::kNone);
    }
    for (const std::string& part : program.shared()) {
      meaning->shared.push_back(slot_of(parts[PartKey(part, meaning->policy)]));
    }
  }
  clauses_.reserve(programs_.size());
  policies_.reserve(programs_.size());
  programs_.shrink_to_fit();
  for (size_t i = 0; i < programs_.size(); ++i) {
    const Entry& entry = sources_->entries[i];
    const Meaning& meaning = *entry.meaning;
    room_.Add(*programs_[i]);
    const uint32_t slot =
        entry.uses > 1 && !meaning.binds ? room_.slots++ : uint32_t{cel::Link::kNone};
    clauses_.emplace_back(*programs_[i], meaning.variables, meaning.paths, meaning.shared, slot);
    policies_.push_back(meaning.policy);
  }
  if (std::all_of(policies_.begin(), policies_.end(),
                  [](uint32_t policy) { return policy == kReadsNoRoles; })) {
    std::vector<uint32_t>().swap(policies_);
  }
  sources_ = nullptr;
}

}  // namespace reeve
