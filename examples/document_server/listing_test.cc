// doc/embedding.md shows the lines of document_server.cc that know of Reeve: all of them, and as
// they are.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

namespace document_server {
namespace {

using Listings = std::map<std::string, std::string>;

std::vector<std::string> LinesOf(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path;
  std::vector<std::string> lines;
  for (std::string line; std::getline(file, line);) lines.push_back(line);
  return lines;
}

// What stands between `before` and `after` in `line`; empty if they are not in it.
std::string Between(const std::string& line, const std::string& before, const std::string& after) {
  const size_t begin = line.find(before);
  if (begin == std::string::npos) return "";
  const size_t end = line.find(after, begin + before.size());
  if (end == std::string::npos) return "";
  return line.substr(begin + before.size(), end - begin - before.size());
}

std::string Unindented(const std::vector<std::string>& lines) {
  size_t indent = std::string::npos;
  for (const std::string& line : lines) {
    indent = std::min(indent, line.find_first_not_of(' '));
  }
  std::string text;
  for (const std::string& line : lines) {
    text += line.substr(std::min(indent, line.size())) + "\n";
  }
  return text;
}

// The regions between `// [embed NAME]` and `// [/embed]`.
Listings InCode() {
  Listings listings;
  std::string name;
  std::vector<std::string> lines;
  for (const std::string& line : LinesOf("examples/document_server/document_server.cc")) {
    if (const std::string begun = Between(line, "// [embed ", "]"); !begun.empty()) {
      EXPECT_EQ(name, "") << "ends nowhere";
      EXPECT_EQ(listings.count(begun), 0u) << begun << " stands twice";
      name = begun;
    } else if (line.find("// [/embed]") != std::string::npos) {
      EXPECT_NE(name, "") << "begins nowhere";
      listings[name] = Unindented(lines);
      name.clear();
      lines.clear();
    } else if (!name.empty()) {
      lines.push_back(line);
    }
  }
  EXPECT_EQ(name, "") << "ends nowhere";
  return listings;
}

// The code blocks that follow `<!-- embed NAME -->`.
Listings InDocument() {
  Listings listings;
  std::string name;
  bool inside = false;
  for (const std::string& line : LinesOf("doc/embedding.md")) {
    if (const std::string begun = Between(line, "<!-- embed ", " -->"); !begun.empty()) {
      name = begun;
    } else if (!name.empty() && !inside) {
      EXPECT_EQ(line, "```cpp") << name;
      inside = true;
    } else if (inside && line == "```") {
      inside = false;
      name.clear();
    } else if (inside) {
      listings[name] += line + "\n";
    }
  }
  return listings;
}

TEST(ListingTest, TheDocumentShowsTheCode) {
  const Listings code = InCode();
  EXPECT_EQ(code.size(), 7u);
  EXPECT_EQ(InDocument(), code);
}

TEST(ListingTest, TheDocumentCountsTheLines) {
  long lines = 0;
  for (const auto& [name, text] : InCode()) lines += std::count(text.begin(), text.end(), '\n');
  std::string said;
  for (const std::string& line : LinesOf("doc/embedding.md")) {
    if (said.empty()) said = Between(line, "the whole of its ", " lines");
  }
  EXPECT_EQ(said, std::to_string(lines));
}

}  // namespace
}  // namespace document_server
