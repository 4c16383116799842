// The README begins with a program and its output. Both are held to what is true.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

namespace {

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// What stands between `begin` and the next line that is three back-quotes.
std::string BlockAfter(const std::string& text, const std::string& begin) {
  const size_t at = text.find(begin);
  if (at == std::string::npos) return {};
  const size_t start = at + begin.size();
  return text.substr(start, text.find("```\n", start) - start);
}

TEST(ReadmeTest, ShowsTheQuickstart) {
  EXPECT_EQ(BlockAfter(ReadFile("README.md"), "```cpp\n"),
            ReadFile("examples/quickstart/quickstart.cc"));
}

TEST(ReadmeTest, ShowsWhatTheQuickstartPrints) {
  std::string directory = testing::TempDir() + "/readme_XXXXXX";
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  FILE* const program =
      popen(("examples/quickstart/quickstart " + directory + "/audit.db").c_str(), "r");
  ASSERT_NE(program, nullptr);
  std::string printed;
  for (int c; (c = std::fgetc(program)) != EOF;) printed.push_back(static_cast<char>(c));
  EXPECT_EQ(pclose(program), 0);
  EXPECT_EQ(
      BlockAfter(ReadFile("README.md"), "$ bazel run //examples/quickstart -- /tmp/audit.db\n"),
      printed);
}

}  // namespace
