// Cedar's example use cases, written anew as policies, entities and schemas in cedar/. Their
// requests, with what Cedar decides and by which policies, are looked for in
// $REEVE_SHARED/conformance; without them the files are loaded only, and the output says so.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <string>
#include <vector>

#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

using nlohmann::json;

const std::filesystem::path kScenarios = "tests/conformance/cedar";

// Every scenario that is written here.
const char* const kNames[] = {
    "ex_hotels_templated",
    "ex_photoapp",
    "it_decimal_1",
    "it_example_use_cases_1a",
    "it_example_use_cases_2a",
    "it_example_use_cases_2b",
    "it_example_use_cases_2c",
    "it_example_use_cases_3a",
    "it_example_use_cases_3b",
    "it_example_use_cases_3c",
    "it_example_use_cases_4a",
    "it_example_use_cases_4d",
    "it_example_use_cases_4e",
    "it_example_use_cases_4f",
    "it_example_use_cases_5b",
    "it_ip_1",
    "it_multi_1",
    "it_multi_2",
};

// `User::alice` is `user:alice` here.
EntityId ToEntity(const std::string& uid) {
  static const std::map<std::string, std::string> kTypes = {
      {"User", "user"},
      {"UserGroup", "group"},
      {"Role", "group"},
      {"AccountGroup", "account_group"},
      {"Administrator", "administrator"},
      {"Account", "account"},
      {"Album", "album"},
      {"Photo", "photo"},
      {"Video", "video"},
      {"Hotel", "hotel"},
      {"Property", "property"},
      {"Reservation", "reservation"},
      {"Application", "application"},
  };
  const size_t end = uid.rfind("::");
  const size_t colon = uid.rfind(':', end - 1);
  const size_t begin = end == std::string::npos || colon == std::string::npos ? 0 : colon + 1;
  return EntityId(kTypes.at(uid.substr(begin, end - begin)), uid.substr(end + 2));
}

Value ToValue(const json& from) {
  if (from.is_boolean()) return Value::Bool(from.get<bool>());
  if (from.is_number_integer()) return Value::Int(from.get<int64_t>());
  if (from.is_number()) return Value::Double(from.get<double>());
  if (from.is_string()) return Value::String(from.get<std::string>());
  if (from.is_array()) {
    Value::List list;
    for (const json& item : from) list.push_back(ToValue(item));
    return Value::Of(std::move(list));
  }
  Attributes map;
  for (const auto& [name, item] : from.items()) map.Set(name, ToValue(item));
  return Value::Of(std::move(map));
}

class CedarScenarioTest : public ::testing::TestWithParam<const char*> {
 protected:
  // Null, having said why, if it does not load.
  static std::unique_ptr<Engine> Load(const std::vector<std::string>& names) {
    std::vector<SourceFile> files;
    for (const std::string& name : names) {
      std::ifstream file(kScenarios / GetParam() / name, std::ios::binary);
      files.push_back({name, {std::istreambuf_iterator<char>(file), {}}});
    }
    const LoadResult loaded = LoadPolicy(std::move(files));
    for (const Issue& issue : loaded.issues) ADD_FAILURE() << ToString(issue);
    if (!loaded.ok()) return nullptr;
    Engine::Options options;
    options.audit_level = AuditLevel::kOff;
    auto engine = Engine::Create(options);
    if (!engine.ok() || !(*engine)->Replace(loaded.snapshot).ok()) return nullptr;
    return *std::move(engine);
  }
};

std::string Describe(const Decision& decision) {
  std::set<std::string> ids;
  for (const RuleOutcome& outcome : decision.rules()) {
    ids.emplace(outcome.id().substr(outcome.id().find('/') + 1));
  }
  std::string text = decision.allowed() ? "allow" : "deny";
  for (const std::string& id : ids) text += " " + id;
  return text;
}

// With the schema a request decides as Cedar says, or does not fit; without it each as Cedar says.
TEST_P(CedarScenarioTest, DecidesAsCedarDoesByTheSamePolicies) {
  const std::unique_ptr<Engine> held = Load({"policy.yaml", "entities.yaml", "schema.yaml"});
  const std::unique_ptr<Engine> free = Load({"policy.yaml", "entities.yaml"});
  ASSERT_TRUE(held != nullptr && free != nullptr);
  const char* shared = std::getenv("REEVE_SHARED");
  std::ifstream requests(std::filesystem::path(shared == nullptr ? "" : shared) /
                         "conformance/cedar/open.jsonl");
  if (!requests) {
    std::cout << "cedar is not tried: no such file in $REEVE_SHARED\n";
    GTEST_SKIP() << "cedar is not tried: no such file in $REEVE_SHARED";
  }
  size_t fitting = 0;
  size_t tried = 0;
  for (std::string line; std::getline(requests, line);) {
    const json row = json::parse(line);
    if (row["scenario"] != GetParam()) continue;
    ++tried;
    const Principal principal(ToEntity(row["principal"]), Assurance::kAsserted);
    const std::string action_uid = row["action"];
    const std::string action = action_uid.substr(action_uid.rfind("::") + 2);
    const EntityId resource = ToEntity(row["resource"]);
    const Value context = ToValue(row["context"]);
    Request request(principal, action, resource);
    request.context = &context.map_value();

    std::set<std::string> determining = row["expected"]["determining"];
    std::string want = row["expected"]["decision"];
    for (const std::string& id : determining) want += " " + id;
    EXPECT_EQ(Describe(free->Decide(request)), want) << line;
    const Decision got = held->Decide(request);
    const bool fits = got.reason() != Reason::kBadRequest;
    fitting += fits;
    EXPECT_EQ(Describe(got), fits ? want : "deny") << line << got.error();
    // Those that Cedar's authors wrote themselves fit.
    EXPECT_TRUE(fits || row["kind"] != "handwritten") << line << got.error();
  }
  EXPECT_GT(tried, 0u);
  EXPECT_GT(fitting, 0u);
  std::cout << GetParam() << ": " << tried << " requests, of which " << fitting << " fit\n";
}

INSTANTIATE_TEST_SUITE_P(All, CedarScenarioTest, ::testing::ValuesIn(kNames),
                         [](const auto& info) { return std::string(info.param); });

}  // namespace
}  // namespace reeve
