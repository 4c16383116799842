// `reeve compile`, and what other commands make of what it wrote.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/end_to_end/process.h"
#include "tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::RunProgram;
using nlohmann::json;

constexpr char kExample[] = "examples/document_server/policy/";
constexpr char kRequest[] = R"({"subject": {"type": "user", "id": "ada"},
  "action": {"name": "doc.read"}, "resource": {"type": "doc", "id": "/public/welcome"}})";

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

class CompileTest : public testing::Test {
 protected:
  CompileTest() {
    // Where tests run it is made of links that lead out of it, which no set may have.
    for (const char* name : {"documents.yaml", "entities.yaml"}) {
      policy_ = std::filesystem::path(work_.Write(std::string("policy/") + name,
                                                  ReadFile(std::string(kExample) + name)))
                    .parent_path();
    }
  }

  static Ended Reeve(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), "cli/reeve");
    return RunProgram(arguments, input);
  }

  std::string Path(const std::string& name) const { return work_ / name; }

  // The keys `name` and `name`.pub.
  std::string MakeKey(const std::string& name) {
    EXPECT_EQ(Reeve({"keygen", "host", Path(name), "--name", "release"}).status, 0);
    return Path(name);
  }

  const end_to_end::WorkDirectory work_;
  std::string policy_;
};

TEST_F(CompileTest, DecidesAsTheFilesDo) {
  const std::string set = Path("set");
  const Ended compiled = Reeve({"compile", policy_, "-o", set});
  ASSERT_EQ(compiled.status, 0) << compiled.err;
  EXPECT_EQ(compiled.err, "");
  const Ended lint = Reeve({"lint", policy_});
  // The digest is that of the files.
  EXPECT_EQ(compiled.out.substr(compiled.out.find('\n')), lint.out.substr(lint.out.find('\n')));
  EXPECT_NE(compiled.out.find(", not signed\n"), std::string::npos) << compiled.out;
  EXPECT_EQ(Reeve({"lint", set}).out, lint.out);

  const auto answer = [](const std::string& policy) {
    const Ended ended = Reeve({"check", "--explain", "--format", "json", policy}, kRequest);
    EXPECT_EQ(ended.status, 0) << ended.err;
    json all = json::parse(ended.out);
    all["context"].erase("id");
    return all;
  };
  EXPECT_EQ(answer(set), answer(policy_));
  // The same files, the same bytes; of what is compiled, too.
  EXPECT_EQ(Reeve({"compile", policy_, "-o", Path("again")}).status, 0);
  EXPECT_EQ(Reeve({"compile", set, "-o", Path("third")}).status, 0);
  EXPECT_EQ(ReadFile(Path("again")), ReadFile(set));
  EXPECT_EQ(ReadFile(Path("third")), ReadFile(set));
}

TEST_F(CompileTest, PutsFilesOfEntitiesIntoIt) {
  const std::string rules = policy_ + "/documents.yaml";
  const std::string entities = policy_ + "/entities.yaml";
  const Ended compiled =
      Reeve({"compile", rules, "--entities", entities, "-o", Path("set"), "--format", "json"});
  ASSERT_EQ(compiled.status, 0) << compiled.err;
  const json said = json::parse(compiled.out);
  EXPECT_EQ(said["file"], Path("set"));
  EXPECT_EQ(said["bytes"], ReadFile(Path("set")).size());
  EXPECT_EQ(said["signed_by"], "");
  const json lint = json::parse(Reeve({"lint", policy_, "--format", "json"}).out);
  for (const char* field : {"rules", "entities", "policy"}) EXPECT_EQ(said[field], lint[field]);
}

TEST_F(CompileTest, OnlyWhatATrustedKeySignedIsLoaded) {
  const std::string key = MakeKey("release.key");
  const std::string other = MakeKey("other.key");
  const std::string set = Path("set");
  ASSERT_EQ(Reeve({"compile", policy_, "-o", Path("plain")}).status, 0);
  const Ended compiled = Reeve({"compile", policy_, "-o", set, "--sign", key});
  ASSERT_EQ(compiled.status, 0) << compiled.err;
  const json keys = json::parse(Reeve({"keygen", "list", key, "--format", "json"}).out);
  EXPECT_NE(compiled.out.find(", signed by key " + keys[0]["key"].get<std::string>() + "\n"),
            std::string::npos)
      << compiled.out;
  const std::string damaged = Path("damaged");
  std::string bytes = ReadFile(set);
  bytes[200] ^= 1;  // Of the rules.
  std::ofstream(damaged, std::ios::binary) << bytes;
  bytes[200] ^= 1;
  bytes[bytes.find("rules:")] ^= 1;  // Of a text.
  std::ofstream(Path("texts"), std::ios::binary) << bytes;

  const std::string trust = key + ".pub";
  const std::string entities = policy_ + "/entities.yaml";
  const struct {
    const char* name;
    std::vector<std::string> arguments;
    int status;
    const char* said;  // A part of it.
  } rows[] = {
      {"Trusted", {set, "--trust", trust}, 0, ""},
      {"OneOfTwo", {set, "--trust", other + ".pub", "--trust", trust}, 0, ""},
      {"NobodyAsks", {set}, 0, ""},
      {"AnotherKey", {set, "--trust", other + ".pub"}, 2, "which is not trusted"},
      {"Unsigned", {Path("plain"), "--trust", trust}, 2, "is not signed"},
      {"Yaml", {policy_, "--trust", trust}, 2, "is not signed"},
      {"YamlBeside", {set, "--trust", trust, "--entities", entities}, 2, "is not signed"},
      {"Damaged", {damaged, "--trust", trust}, 2, "is damaged: its digest does not match"},
      {"DamagedAndNobodyAsks", {damaged}, 2, "is damaged: its digest does not match"},
      {"PrivateKey", {set, "--trust", key}, 2, "release.key"},
      {"NoKey", {set, "--trust", Path("none")}, 2, "none"},
  };
  for (const auto& row : rows) {
    for (const char* command : {"check", "lint"}) {
      std::vector<std::string> arguments = row.arguments;
      arguments.insert(arguments.begin(), command);
      const Ended ended = Reeve(arguments, kRequest);
      EXPECT_EQ(ended.status, row.status) << row.name << " " << command << ended.err;
      EXPECT_NE(ended.err.find(row.said), std::string::npos) << row.name << ended.err;
    }
  }
  // What is not taken is not looked at: alone the rules decide.
  EXPECT_EQ(Reeve({"check", Path("texts"), "--trust", trust}, kRequest).status, 0);
  const Ended linted = Reeve({"lint", Path("texts"), "--trust", trust});
  EXPECT_EQ(linted.status, 2);
  EXPECT_NE(linted.err.find("is damaged: its digest does not match"), std::string::npos)
      << linted.err;
  EXPECT_EQ(Reeve({"diff", set, set, "--trust", trust}).status, 0);
  const Ended unsigned_set = Reeve({"diff", set, Path("plain"), "--trust", trust});
  EXPECT_EQ(unsigned_set.status, 2);
  EXPECT_NE(unsigned_set.err.find("is not signed"), std::string::npos) << unsigned_set.err;
  // Whoever asks for signatures compiles nothing that has none.
  EXPECT_EQ(Reeve({"compile", policy_, "-o", Path("new"), "--sign", key, "--trust", trust}).status,
            2);
  EXPECT_FALSE(std::filesystem::exists(Path("new")));
}

TEST_F(CompileTest, ReplacesOnlyWhatItMade) {
  const std::string key = MakeKey("release.key");
  std::filesystem::copy(policy_ + "/documents.yaml", Path("documents.yaml"));
  std::ofstream(Path("empty")) << "";
  std::filesystem::create_directory(Path("folder"));
  ASSERT_EQ(mkfifo(Path("pipe").c_str(), 0600), 0);
  const std::string text = ReadFile(Path("documents.yaml"));
  const std::string objection =
      ": is there, and is no compiled set; name another file, or remove this one\n";
  const struct {
    const char* name;
    std::string output;
    std::string said;
  } rows[] = {
      {"Policy", Path("documents.yaml"), objection},
      {"Key", key, objection},
      {"Empty", Path("empty"), objection},
      {"Folder", Path("folder"), ": is not a regular file\n"},
      {"Pipe", Path("pipe"), ": is not a regular file\n"},
  };
  for (const auto& row : rows) {
    const Ended ended = Reeve({"compile", policy_, "-o", row.output});
    EXPECT_EQ(ended.status, 2) << row.name;
    EXPECT_EQ(ended.err, row.output + row.said) << row.name;
  }
  EXPECT_EQ(ReadFile(Path("documents.yaml")), text);
  // What cannot be written leaves nothing behind.
  const Ended nowhere = Reeve({"compile", policy_, "-o", Path("none/set")});
  EXPECT_EQ(nowhere.status, 3) << nowhere.err;

  // One that is there is replaced, also behind a link, and signed in its place.
  ASSERT_EQ(Reeve({"compile", policy_, "-o", Path("set")}).status, 0);
  std::filesystem::create_symlink("set", Path("link"));
  const size_t size = ReadFile(Path("set")).size();
  EXPECT_EQ(Reeve({"compile", Path("set"), "-o", Path("link"), "--sign", key}).status, 0);
  EXPECT_TRUE(std::filesystem::is_symlink(Path("link")));
  EXPECT_EQ(ReadFile(Path("set")).size(), size + 96);
  struct stat status;
  ASSERT_EQ(stat(Path("set").c_str(), &status), 0);
  const mode_t mask = umask(0);
  umask(mask);
  EXPECT_EQ(status.st_mode & 07777, 0644u & ~mask);
  // Nothing else is left.
  for (const auto& entry : std::filesystem::directory_iterator(Path("."))) {
    EXPECT_NE(entry.path().filename().string().substr(0, 4), ".set");
  }
}

TEST_F(CompileTest, WritesNothingOfASetThatDoesNotLoad) {
  std::ofstream(Path("p.yaml")) << "reeve: 1\npolicy: p\nrules: []\n";
  const Ended ended = Reeve({"compile", Path("p.yaml"), "-o", Path("set")});
  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ended.err, Path("p.yaml") +
                           ":3:8: `rules` is empty; write a rule or remove the file\n"
                           "  rules: []\n         ^\nnothing is written\n");
  EXPECT_FALSE(std::filesystem::exists(Path("set")));
  EXPECT_EQ(Reeve({"compile", policy_}).status, 2);
}

}  // namespace
}  // namespace reeve
