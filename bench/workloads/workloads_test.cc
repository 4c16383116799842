// The workloads decide as Cedar does by the same rules: on the stores and requests in testdata/,
// and on those in $REEVE_SHARED/conformance/oopsla, where they are. testdata/ is what
// `bazel run //bench/peers:write_cases -- --small DIRECTORY` writes, and its answers are those of
// Cedar 4.14.1, which bench/run_peers compares.
#include "reeve/bench/workloads/workloads.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/engine/engine.h"
#include "reeve/policy/load.h"

namespace reeve::bench {
namespace {

using nlohmann::json;

// `OrgPermission` is `org_permission` here.
std::string ToSnake(const std::string& name) {
  std::string snake;
  for (const char c : name) {
    if (std::isupper(static_cast<unsigned char>(c)) != 0) {
      if (!snake.empty()) snake += '_';
      snake += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    } else {
      snake += c;
    }
  }
  return snake;
}

EntityId ToId(const std::string& type, std::string id) {
  // What sees is named after who does: `User user_0`.
  if (type == "View") id[0] = static_cast<char>(std::tolower(static_cast<unsigned char>(id[0])));
  return EntityId(ToSnake(type), id);
}

EntityId ToId(const json& uid) {
  const json& entity = uid.contains("__entity") ? uid["__entity"] : uid;
  return ToId(entity["type"].get<std::string>(), entity["id"].get<std::string>());
}

// A store in Cedar's format of entities.
Store ReadStore(Kind kind, const json& entities) {
  Store store{kind};
  for (const json& from : entities) {
    Item item{ToId(from["uid"])};
    if (item.id.type == "action") continue;
    for (const json& parent : from["parents"]) item.parents.push_back(ToId(parent));
    for (const auto& [name, value] : from["attrs"].items()) {
      if (name == "isPublic") {
        item.is_public = value.get<bool>();
      } else if (name == "tasks") {
        item.tasks = static_cast<int>(value.size());
      } else if (name == "documentsAndFoldersWithViewAccess") {
        item.links["view"] = {ToId(value)};
      } else if (value.is_array()) {
        std::vector<EntityId>& ids = item.links[ToSnake(name)];
        for (const json& id : value) ids.push_back(ToId(id));
      } else if (value.is_object()) {
        item.links[ToSnake(name)] = {ToId(value)};
      }
    }
    store.Add(std::move(item));
  }
  return store;
}

// `User::user_0` or `user:user_0`.
EntityId ReadId(const std::string& text) {
  const size_t cedar = text.find("::");
  if (cedar != std::string::npos) return ToId(text.substr(0, cedar), text.substr(cedar + 2));
  const size_t colon = text.find(':');
  return EntityId(text.substr(0, colon), text.substr(colon + 1));
}

Asked ReadAsked(const json& from) {
  const bool cedar = from.contains("p");
  return {ReadId(from[cedar ? "p" : "principal"]), from[cedar ? "a" : "action"],
          ReadId(from[cedar ? "r" : "resource"]), from["allow"]};
}

// Null, having said why, if it does not load.
std::unique_ptr<Engine> Load(const Store& store, bool templates) {
  const LoadResult loaded = LoadPolicy(ToPolicySet(store, templates));
  for (const Issue& issue : loaded.issues) ADD_FAILURE() << ToString(issue);
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  auto engine = Engine::Create(options);
  if (!engine.ok() || !(*engine)->Replace(loaded.snapshot).ok()) return nullptr;
  return *std::move(engine);
}

// Both variants, and the plain walk over the store, answer each request as it says.
void ExpectAnswers(const Store& store, const std::vector<Asked>& requests) {
  const std::unique_ptr<Engine> plain = Load(store, false);
  const std::unique_ptr<Engine> templated = Load(store, true);
  ASSERT_TRUE(plain != nullptr && templated != nullptr);
  for (const Asked& asked : requests) {
    const Principal principal(asked.principal, Assurance::kAsserted);
    const Request request(principal, asked.action, asked.resource);
    const std::string text =
        absl::StrCat(ToString(asked.principal), " ", asked.action, " ", ToString(asked.resource));
    EXPECT_EQ(Allows(store, asked), asked.allow) << text;
    for (const Engine* engine : {plain.get(), templated.get()}) {
      const Decision got = engine->Decide(request);
      EXPECT_EQ(got.reason(), asked.allow ? Reason::kAllowRule : Reason::kNoRule)
          << text << (engine == plain.get() ? ", plain " : ", with templates ") << got.error();
    }
  }
}

class WorkloadTest : public ::testing::TestWithParam<Kind> {};

TEST_P(WorkloadTest, DecidesAsCedarDid) {
  const std::filesystem::path directory =
      std::filesystem::path("bench/workloads/testdata") / std::string(ToString(GetParam()));
  std::ifstream entities(directory / "cedar" / "entities.json");
  std::ifstream lines(directory / "requests.jsonl");
  ASSERT_TRUE(entities && lines) << directory;
  std::vector<Asked> requests;
  for (std::string line; std::getline(lines, line);) {
    requests.push_back(ReadAsked(json::parse(line)));
  }
  const auto allowed = std::count_if(requests.begin(), requests.end(),
                                     [](const Asked& asked) { return asked.allow; });
  EXPECT_GT(allowed, 0);
  EXPECT_LT(allowed, static_cast<int64_t>(requests.size()));
  ExpectAnswers(ReadStore(GetParam(), json::parse(entities)), requests);
}

TEST_P(WorkloadTest, DecidesAsCedarDidOnTheRecordedStores) {
  const char* shared = std::getenv("REEVE_SHARED");
  int tried = 0;
  for (const int n : {5, 10, 20, 50}) {
    std::ifstream file(std::filesystem::path(shared == nullptr ? "" : shared) /
                       "conformance/oopsla" /
                       absl::StrCat("cedar_", std::string(ToString(GetParam())), "_", n, ".json"));
    if (!file) continue;
    SCOPED_TRACE(n);
    const json recorded = json::parse(file);
    std::vector<Asked> requests;
    for (const json& row : recorded["requests"]) requests.push_back(ReadAsked(row));
    EXPECT_FALSE(requests.empty());
    ExpectAnswers(ReadStore(GetParam(), recorded["entities"]), requests);
    tried += static_cast<int>(requests.size());
  }
  if (tried == 0) {
    std::cout << "Cedar's stores are not tried: no such file in $REEVE_SHARED\n";
    GTEST_SKIP() << "Cedar's stores are not tried: no such file in $REEVE_SHARED";
  }
  std::cout << ToString(GetParam()) << ": " << tried << " requests\n";
}

TEST_P(WorkloadTest, DecidesAsTheWalkOverTheStoreDoes) {
  for (const int n : {5, 15, 30, 50}) {
    for (const uint64_t seed : {1, 2}) {
      SCOPED_TRACE(absl::StrCat("n ", n, ", seed ", seed));
      const Store store = MakeStore(GetParam(), n, seed);
      ExpectAnswers(store, MakeRequests(store, 200, seed));
    }
  }
}

TEST_P(WorkloadTest, IsTheSameForTheSameSeed) {
  const Store store = MakeStore(GetParam(), 20, 7);
  const Store other = MakeStore(GetParam(), 20, 8);
  const auto text = [](const Store& of) {
    std::string all;
    for (const SourceFile& file : ToPolicySet(of, false)) all += file.text;
    for (const Asked& asked : MakeRequests(of, 50, 7)) {
      absl::StrAppend(&all, ToString(asked.principal), asked.action, ToString(asked.resource));
    }
    return all;
  };
  EXPECT_EQ(text(store), text(MakeStore(GetParam(), 20, 7)));
  EXPECT_NE(text(store), text(other));
}

// A view or a role for about one pair in twenty.
TEST(WorkloadGrantsTest, AreAsManyAsDescribed) {
  const auto count = [](Kind kind) { return GrantsOf(MakeStore(kind, 50, 1)).size(); };
  EXPECT_NEAR(static_cast<double>(count(Kind::kGdrive)), 500, 75);
  EXPECT_NEAR(static_cast<double>(count(Kind::kGithub)), 250, 50);
  EXPECT_EQ(count(Kind::kTinyTodo), 0u);
}

INSTANTIATE_TEST_SUITE_P(All, WorkloadTest, ::testing::ValuesIn(kKinds),
                         [](const auto& info) { return std::string(ToString(info.param)); });

}  // namespace
}  // namespace reeve::bench
