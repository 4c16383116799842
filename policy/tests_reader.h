// Reads a file that begins with `tests:`.
#ifndef REEVE_POLICY_TESTS_READER_H_
#define REEVE_POLICY_TESTS_READER_H_

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/document.h"
#include "policy/value_reader.h"
#include "reeve/policy/test_suite.h"

namespace reeve {

class TestsReader : public ValueReader {
 public:
  using ValueReader::ValueReader;

  // Reads the whole file, whose root is a mapping. Once for each reader. After an error what it
  // returns is of no use but to find more errors.
  TestsDocument Read(YamlNode root);

 private:
  // What can be named of one kind, and what has been.
  struct Fixtures {
    struct Fixture {
      uint32_t index;  // In the suite.
      Position position;
      bool used = false;
    };
    std::string kind;  // "principal"
    std::map<std::string, Fixture, std::less<>> by_name;
  };
  // A thing that a case names, and where.
  struct Named {
    std::string_view text;
    Position position;
    uint32_t index;
  };
  // What the requests of a case are made of, in the order of TestRequest.
  struct Axes {
    std::vector<Named> principals;
    std::vector<Named> actions;
    std::vector<Named> resources;
    std::vector<Named> contexts;  // Empty if the requests have none.
  };

  using ReadFixture = void (TestsReader::*)(std::string_view name, YamlNode node);
  void ReadFixtures(const Fields& fields, std::string_view key, Fixtures* fixtures,
                    ReadFixture read);
  // Null for one that is not declared, which a request may speak of all the same, to be refused.
  const Schema::EntityType* TypeOf(const EntityId& id) const;
  void ReadPrincipal(std::string_view name, YamlNode node);
  void ReadResource(std::string_view name, YamlNode node);
  void ReadContext(std::string_view name, YamlNode node);
  // Which of the words of `format` it is.
  std::optional<size_t> ReadWord(YamlNode node, std::string_view key, const ValueFormat& format);
  void ReadGroups(YamlNode node, Principal* principal);
  std::optional<absl::Time> ReadTime(YamlNode node);
  void WarnOfUnused(const Fixtures& fixtures);

  void ReadCases(YamlNode node);
  void ReadCase(YamlNode node);
  std::string ReadCaseName(const Fields& fields, YamlNode node);
  // The names under `key`, one or a list; nothing if one of them is wrong.
  std::optional<std::vector<Named>> ReadNames(const Fields& fields, std::string_view key);
  // Finds what the names stand for. Returns false if one is unknown.
  bool Resolve(const std::string& what, Fixtures* fixtures, std::vector<Named>* names);
  bool CheckActions(std::vector<Named>* names);
  bool CheckOnce(const std::vector<Named>& names);
  void WarnOfWildcard(const Named& name, std::string_view kind);
  void MakeRequests(const Axes& axes, YamlNode node, TestCase* made);

  std::optional<TestExpectation> ReadExpectation(const Fields& fields, YamlNode node);
  std::vector<TestExpectation::Name> ReadExpectedNames(const Fields& fields, std::string_view key);
  // One item under `expect`: says of which requests, and what they come to.
  void ReadExpectItem(YamlNode node, const std::string& what, const Axes& axes, TestCase* made);
  // The numbers, within `axis`, of what an item under `expect` names under `key`.
  std::optional<std::vector<size_t>> Select(const Fields& fields, std::string_view key,
                                            const std::vector<Named>& axis, Position owner,
                                            const std::string& what);

  TestSuite suite_;
  std::vector<AcceptedWarning> accepted_;
  absl::Time time_;
  Fixtures principals_ = {"principal", {}};
  Fixtures resources_ = {"resource", {}};
  Fixtures contexts_ = {"context", {}};
  std::map<std::string, Position, std::less<>> case_names_;
  size_t requests_ = 0;  // Of all cases.
};

}  // namespace reeve

#endif  // REEVE_POLICY_TESTS_READER_H_
