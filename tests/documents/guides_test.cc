// The tutorial, the cookbook and the page on tests are held to what is true: their files and
// commands are tried.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

namespace fs = std::filesystem;

using end_to_end::Ended;
using end_to_end::RunProgram;
using end_to_end::WorkDirectory;

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A block between lines of three back-quotes: what stands behind the first ones, and its lines.
struct Block {
  std::string kind;  // "yaml"
  std::string file;  // What a second word names; may be empty.
  std::vector<std::string> lines;

  std::string text() const {
    std::string all;
    for (const std::string& line : lines) all += line + "\n";
    return all;
  }
};

std::vector<Block> BlocksOf(const std::string& path) {
  std::vector<Block> blocks;
  std::istringstream page(ReadFile(path));
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.substr(0, 3) == "```") {
      inside = !inside;
      if (!inside) continue;
      std::istringstream words(line.substr(3));
      blocks.emplace_back();
      words >> blocks.back().kind >> blocks.back().file;
    } else if (inside) {
      blocks.back().lines.push_back(line);
    }
  }
  return blocks;
}

TEST(CookbookTest, ShowsTheFilesAndAllOfThem) {
  std::map<std::string, std::string> shown;
  for (const Block& block : BlocksOf("doc/cookbook.md")) {
    if (!block.file.empty()) shown[block.file] = block.text();
  }
  std::map<std::string, std::string> files;
  const fs::path root = "examples/cookbook";
  for (const fs::directory_entry& entry : fs::recursive_directory_iterator(root)) {
    if (entry.path().extension() != ".yaml") continue;
    files[entry.path().lexically_relative(root).string()] = ReadFile(entry.path());
  }
  EXPECT_GE(files.size(), 16u);
  EXPECT_EQ(shown, files);
}

TEST(TestingTest, TheExampleIsOfTheExampleOfTheLanguage) {
  const WorkDirectory directory;
  const auto first = [](const std::string& page) {
    for (const Block& block : BlocksOf(page)) {
      if (block.kind == "yaml") return block.text();
    }
    return std::string();
  };
  directory.Write("policy/policy.yaml", first("doc/policy-language.md"));
  directory.Write("policy/tests.yaml", first("doc/testing.md"));
  const Ended ended = RunProgram({"cli/reeve", "test", directory / "policy"});
  EXPECT_EQ(ended.status, 0) << ended.out;
  EXPECT_EQ(ended.err, "");
}

// Whether `line` is `pattern`, in which `…` stands for anything.
bool Fits(std::string_view line, std::string_view pattern) {
  constexpr std::string_view kAnything = "…";
  const size_t at = pattern.find(kAnything);
  if (at == std::string_view::npos) return line == pattern;
  if (line.substr(0, at) != pattern.substr(0, at)) return false;
  const std::string_view rest = pattern.substr(at + kAnything.size());
  for (size_t from = at; from <= line.size(); ++from) {
    if (Fits(line.substr(from), rest)) return true;
  }
  return false;
}

std::vector<std::string> LinesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

TEST(TutorialTest, ItsCommandsPrintWhatItSays) {
  const std::string here = fs::current_path();
  const WorkDirectory directory;
  int commands = 0;
  int status = 0;
  for (const Block& block : BlocksOf("doc/tutorial.md")) {
    if (!block.file.empty()) directory.Write(block.file, block.text());
    if (block.kind != "console") continue;
    for (size_t i = 0; i < block.lines.size();) {
      ASSERT_EQ(block.lines[i].substr(0, 2), "$ ") << block.lines[i];
      std::string command = block.lines[i++].substr(2);
      for (; i < block.lines.size() && block.lines[i].substr(0, 2) == "> "; ++i) {
        command += "\n" + block.lines[i].substr(2);
      }
      std::vector<std::string> expected;
      for (; i < block.lines.size() && block.lines[i].substr(0, 2) != "$ "; ++i) {
        expected.push_back(block.lines[i]);
      }
      SCOPED_TRACE(command);
      ++commands;
      const Ended ended = RunProgram({"/bin/sh", "-c",
                                      "cd '" + (directory / "") + "' && exec 2>&1 && (exit " +
                                          std::to_string(status) + "); " + command},
                                     "", {"PATH=" + here + "/cli:/usr/bin:/bin"});
      status = ended.status;
      const std::vector<std::string> got = LinesOf(ended.out);
      bool fits = got.size() == expected.size();
      for (size_t n = 0; fits && n < got.size(); ++n) fits = Fits(got[n], expected[n]);
      EXPECT_TRUE(fits) << ended.out;
    }
  }
  EXPECT_GE(commands, 15);
}

}  // namespace
}  // namespace reeve
