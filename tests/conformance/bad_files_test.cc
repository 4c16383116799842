// The loader against policy files with one fault each, from $REEVE_SHARED/conformance/bad_yaml.
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "gtest/gtest.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

namespace fs = std::filesystem;

TEST(BadFilesTest, EachIsRefusedAtItsPlaceOrTaken) {
  const char* const shared = std::getenv("REEVE_SHARED");
  const fs::path suite = fs::path(shared == nullptr ? "" : shared) / "conformance/bad_yaml";
  if (shared == nullptr || !fs::exists(suite / "index.json")) {
    std::cout << "bad_yaml is not tried: no such directory in $REEVE_SHARED\n";
    GTEST_SKIP() << "bad_yaml is not tried: no such directory in $REEVE_SHARED";
  }
  std::ifstream index(suite / "index.json");
  int tried = 0;
  for (const nlohmann::json& sample : nlohmann::json::parse(index)) {
    const fs::path path = suite / sample["file"].get<std::string>();
    if (!fs::exists(path)) continue;
    SCOPED_TRACE(sample["name"].get<std::string>());
    ++tried;
    const LoadResult loaded = LoadPolicy(path.string());
    if (sample["verdict"] == "accept") {
      EXPECT_TRUE(loaded.ok());
      continue;
    }
    if (sample["verdict"] != "error") continue;  // either will do, but no crash
    EXPECT_FALSE(loaded.ok());
    ASSERT_FALSE(loaded.issues.empty());
    if (sample["line"].is_null()) continue;
    EXPECT_EQ(loaded.issues[0].position.line, sample["line"].get<int>())
        << ToString(loaded.issues[0]);
  }
  std::cout << "bad_yaml: " << tried << " files tried\n";
  EXPECT_GT(tried, 50);
}

}  // namespace
}  // namespace reeve
