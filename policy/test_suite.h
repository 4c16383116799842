// Tests of a policy set, written in YAML beside it: doc/testing.md. Begin with load_tests.h.
#ifndef REEVE_POLICY_TEST_SUITE_H_
#define REEVE_POLICY_TEST_SUITE_H_

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/value.h"
#include "reeve/policy/issue.h"

namespace reeve {

// What the engine is to answer. What is not stated is not compared.
struct TestExpectation {
  struct Name {
    std::string text;
    Position position;
  };

  Position position;
  bool allowed = false;
  std::optional<Reason> reason;
  std::vector<Name> rules;         // If not empty: exactly these, in any order.
  std::vector<Name> shadow_rules;  // Likewise.
  std::optional<std::string> message;
  std::vector<Name> obligations;  // Likewise, of all determining rules.
};

// One request of a case: what it is made of, by number in the suite and in the case.
struct TestRequest {
  static constexpr uint32_t kNone = std::numeric_limits<uint32_t>::max();

  uint32_t principal;
  uint32_t action;
  uint32_t resource;
  uint32_t context;      // kNone if it has none.
  uint32_t expectation;  // kNone if it is not listed, and therefore to be denied.
};

// One item under `cases`: the requests of a matrix.
struct TestCase {
  std::string name;  // Unique in the suite. One line, safe to print.
  Position position;
  absl::Time time;  // Of the requests whose context has none.
  std::vector<std::string> actions;
  std::vector<TestExpectation> expectations;
  std::vector<TestRequest> requests;  // Not empty.
};

// A file that begins with `tests:`.
struct TestSuite {
  struct NamedPrincipal {
    std::string name;
    Principal principal;
  };
  struct NamedResource {
    std::string name;
    Entity resource;
  };
  struct NamedContext {
    std::string name;
    Attributes attributes;
    std::optional<absl::Time> time;
  };

  std::string file;
  std::string name;  // Unique in the set.
  Position name_position;
  std::vector<NamedPrincipal> principals;
  std::vector<NamedResource> resources;
  std::vector<NamedContext> contexts;
  std::vector<TestCase> cases;
};

}  // namespace reeve

#endif  // REEVE_POLICY_TEST_SUITE_H_
