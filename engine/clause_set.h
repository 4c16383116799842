// The conditions of a policy set, each program once, and what they can share. Internal to engine/.
#ifndef REEVE_ENGINE_CLAUSE_SET_H_
#define REEVE_ENGINE_CLAUSE_SET_H_

#include <array>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/rule.h"

namespace reeve {

// The variables that every condition sees, by their numbers; the bindings of a rule follow.
enum Variable : uint32_t { kPrincipal, kAction, kResource, kContext, kFirstBinding };

// What follows a variable and a dot, by its number: a name that is reserved, or an attribute.
enum Member : uint32_t {
  kPrincipalType,
  kPrincipalId,
  kPrincipalName,
  kPrincipalGroups,
  kPrincipalAssurance,
  kPrincipalVia,
  kPrincipalHost,
  kPrincipalActor,
  kPrincipalRoles,
  kPrincipalAttribute,
  kResourceType,
  kResourceId,
  kResourceName,
  kResourceAttribute,
  kContextTime,
  kContextAttribute,
  kNoMember,  // What has none: the action, a binding.
};

// The reserved names of a variable, whose members they are from `first` on.
struct ReservedNames {
  Member first;
  Member attribute;
  absl::Span<const std::string_view> names;
};
ReservedNames ReservedNamesOf(Variable variable);  // Not of kAction.
// Whether the condition reads `principal.roles`, in these words.
bool ReadsRoles(const Condition& condition);
Member MemberOf(uint32_t variable, std::string_view name);

// Add(), then Close(), then the questions. After Close() immutable: any thread.
class ClauseSet {
 public:
  static constexpr uint32_t kReadsNoRoles = UINT32_MAX;

  // Makes room for so many clauses.
  void Reserve(size_t clauses);
  // Returns the clause's number. `bindings` are the names that the rule's patterns bind, in the
  // order in which they are numbered. `policy` is the number of the policy whose roles
  // `principal.roles` names, if the condition reads it. Requires that the condition has a program.
  // `encoding`, if it is not empty, is cel::EncodingOf() the program, and stays where it is until
  // Close().
  uint32_t Add(const Condition& condition, const std::vector<std::string_view>& bindings,
               uint32_t policy, std::string_view encoding = {});
  // Adds once more what Add() has given a number.
  void AddAgain(uint32_t number) { ++sources_->entries[number].uses; }
  void Close();

  // Whether some clause reads `principal.roles`, and of which policy one does, or kReadsNoRoles.
  bool read_roles() const { return !policies_.empty(); }
  uint32_t policy(uint32_t number) const { return policies_[number]; }

  // A clause, and its program. Its value is kept during a decision if several conditions ask for it
  // and it reads no bindings.
  const cel::Link& clause(uint32_t number) const { return clauses_[number]; }
  const cel::Program& program(uint32_t number) const { return *programs_[number]; }
  size_t size() const { return clauses_.size(); }
  // What a machine needs for them.
  const cel::Machine::Room& room() const { return room_; }
  // Whether one of them may look at the clock.
  bool reads_time() const { return reads_time_; }
  // Whether one of them asks what an entity lies in.
  bool asks_membership() const { return asks_membership_; }

 private:
  // What the numbers in programs mean. Programs that read the same have it together.
  struct Meaning {
    std::vector<uint32_t> variables;
    std::vector<cel::Link::Path> paths;
    std::vector<uint32_t> shared;
    // Until it is closed.
    const cel::Program* program;  // One of those.
    uint32_t policy = kReadsNoRoles;
    std::vector<uint32_t> path_uses;  // By all instructions of all of them.
    uint32_t uses = 0;
    bool binds = false;
  };
  struct Entry {
    Meaning* meaning;
    uint32_t uses = 0;
  };
  // What is needed to add clauses.
  struct Sources {
    std::vector<Entry> entries;         // By clause.
    std::deque<std::string> encodings;  // Of which nobody else keeps the bytes.
    // By what the programs are, and what they read.
    absl::flat_hash_map<std::pair<absl::string_view, const Meaning*>, uint32_t> numbers;
    absl::flat_hash_map<std::string, Meaning*> meanings;
    // Some of these: many programs that follow one another read the same.
    std::array<Meaning*, 4> recent = {};
    size_t next_recent = 0;
  };

  // Whether programs read the same. `variables` are their numbers.
  static bool HasMeaning(const Meaning& meaning, const cel::Program& program,
                         absl::Span<const uint32_t> variables, uint32_t policy);
  Meaning& MeaningOf(const cel::Program& program, const std::vector<std::string_view>& bindings,
                     uint32_t policy);

  std::unique_ptr<Sources> sources_ = std::make_unique<Sources>();  // Null once it is closed.
  std::vector<std::shared_ptr<const cel::Program>> programs_;       // By clause.
  std::vector<std::unique_ptr<Meaning>> meanings_;
  std::vector<cel::Link> clauses_;  // Once it is closed: what conditions read, side by side.
  std::vector<uint32_t> policies_;  // By clause; empty if none reads roles.
  cel::Machine::Room room_;
  bool reads_time_ = false;
  bool asks_membership_ = false;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_CLAUSE_SET_H_
