// doc/lint.md explains each warning, and its examples are what it says they are.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <set>
#include <string>
#include <vector>

#include "reeve/policy/load.h"
#include "reeve/policy/warning.h"

namespace reeve {
namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// The blocks of YAML of a section.
std::vector<std::string> BlocksOf(const std::string& section) {
  const std::string open = "```yaml\n";
  std::vector<std::string> blocks;
  for (size_t at = section.find(open); at != std::string::npos; at = section.find(open, at)) {
    const size_t begin = at + open.size();
    const size_t end = section.find("```\n", begin);
    blocks.push_back(section.substr(begin, end - begin));
    at = end;
  }
  return blocks;
}

// The names of the warnings about an example.
std::multiset<std::string> WarningsAbout(const std::string& example) {
  std::vector<SourceFile> files;
  const size_t other =
      std::min({example.find("entities:\n"), example.find("tests: "), example.size()});
  files.push_back({"p.yaml", "reeve: 1\npolicy: p\n" + example.substr(0, other)});
  if (other < example.size()) files.push_back({"e.yaml", "reeve: 1\n" + example.substr(other)});
  const LoadResult result = LintPolicy(files);
  std::multiset<std::string> names;
  for (const Issue& issue : result.issues) {
    EXPECT_NE(issue.warning, Warning::kNone) << ToString(issue) << "\n" << example;
    if (issue.warning != Warning::kNoSchema) names.emplace(NameOf(issue.warning));
  }
  return names;
}

TEST(LintDocumentTest, EachWarningHasABadAndAGoodExample) {
  const std::string text = ReadFile("doc/lint.md");
  std::set<std::string> explained;
  const std::string heading = "\n### `";
  for (size_t at = text.find(heading); at != std::string::npos;) {
    const size_t begin = at + heading.size();
    const std::string name = text.substr(begin, text.find('`', begin) - begin);
    at = text.find(heading, begin);
    const size_t end = std::min({at, text.find("\n## ", begin), text.size()});
    ASSERT_TRUE(WarningNamed(name).has_value()) << name;
    EXPECT_TRUE(explained.insert(name).second) << name;
    const std::vector<std::string> blocks = BlocksOf(text.substr(begin, end - begin));
    // Those that take more files to show.
    if (name == "unread-file" || name == "unchecked" || name == "no-schema" ||
        name == "impossible-rule") {
      EXPECT_TRUE(blocks.empty()) << name;
      continue;
    }
    ASSERT_EQ(blocks.size(), 2u) << name;
    const std::multiset<std::string> bad = WarningsAbout(blocks[0]);
    EXPECT_EQ(bad.count(name), bad.size()) << name;
    EXPECT_FALSE(bad.empty()) << name;
    EXPECT_EQ(WarningsAbout(blocks[1]), std::multiset<std::string>()) << name;
  }
  std::set<std::string> all;
  for (const WarningInfo& info : AllWarnings()) all.emplace(info.name);
  EXPECT_EQ(explained, all);
}

TEST(LintDocumentTest, ShowsAnAcceptedWarning) {
  const std::string first = BlocksOf(ReadFile("doc/lint.md"))[0];
  EXPECT_NE(first.find("accept: [open-allow]"), std::string::npos);
  EXPECT_EQ(WarningsAbout(first), std::multiset<std::string>());
}

}  // namespace
}  // namespace reeve
