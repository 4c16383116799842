// `reeve keygen` and `reeve context` as an operator calls them.
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <regex>
#include <string>
#include <vector>

#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::RunProgram;
using nlohmann::json;

// `text` with KEY for ids of 16 digits, ID for longer ones, TIME for times, SIZE for sizes and DIR/
// for where the files are.
std::string WithoutWhatChanges(std::string text, const std::string& directory) {
  text = std::regex_replace(text, std::regex("[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:]{8}Z"), "TIME");
  text = std::regex_replace(text, std::regex("\\b[0-9a-f]{17,64}\\b"), "ID");
  text = std::regex_replace(text, std::regex("\\b[0-9a-f]{16}\\b"), "KEY");
  // Times take as many bytes as their nanoseconds need.
  text = std::regex_replace(text, std::regex("size       [0-9]+ "), "size       SIZE ");
  for (size_t at; (at = text.find(directory)) != std::string::npos;) {
    text.replace(at, directory.size(), "DIR/");
  }
  return text;
}

class ContextCommandTest : public testing::Test {
 protected:
  Ended Reeve(std::vector<std::string> arguments, const std::string& input = "") {
    arguments.insert(arguments.begin(), "cli/reeve");
    Ended ended = RunProgram(arguments, input);
    ended.out = WithoutWhatChanges(ended.out, directory_ / "");
    ended.err = WithoutWhatChanges(ended.err, directory_ / "");
    return ended;
  }

  std::string File(const std::string& name) const { return directory_ / name; }

  std::string Read(const std::string& name) const {
    std::ifstream file(File(name), std::ios::binary);
    return {std::istreambuf_iterator<char>(file), {}};
  }

  mode_t ModeOf(const std::string& name) const {
    struct stat status = {};
    EXPECT_EQ(stat(File(name).c_str(), &status), 0) << name;
    return status.st_mode & 07777;
  }

  // Makes a ring, and a context sealed by it for the service `worker`.
  void MakeContext() {
    ASSERT_EQ(Reeve({"keygen", "ring", File("ring.keys")}).status, 0);
    const Ended sealed = Reeve({"context", "seal", "user:ada@EXAMPLE.COM", "--group", "staff",
                                "--group", "leads", "--parent", "realm:EXAMPLE.COM", "--attribute",
                                "level=7", "--attribute", "desk=north", "--ring", File("ring.keys"),
                                "--service", "worker", "-o", File("context")});
    ASSERT_EQ(sealed.status, 0) << sealed.err;
    EXPECT_EQ(sealed.out + sealed.err, "");
  }

  end_to_end::WorkDirectory directory_;
};

TEST_F(ContextCommandTest, KeygenMakesARing) {
  const std::string path = File("ring.keys");
  Ended ended = Reeve({"keygen", "ring", path});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out, "DIR/ring.keys: key KEY\n");
  EXPECT_EQ(ended.err, "");
  EXPECT_EQ(ModeOf("ring.keys"), 0600u);

  const std::string before = Read("ring.keys");
  ended = Reeve({"keygen", "ring", path});
  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.err,
            "DIR/ring.keys: there is such a file; name another, or replace it with --force, and "
            "what its keys sealed opens no more\n");
  EXPECT_EQ(Read("ring.keys"), before);
  EXPECT_EQ(Reeve({"keygen", "ring", path, "--force"}).status, 0);
  EXPECT_NE(Read("ring.keys"), before);
}

TEST_F(ContextCommandTest, KeygenRotates) {
  const std::string path = File("ring.keys");
  ASSERT_EQ(Reeve({"keygen", "ring", path}).status, 0);
  Ended ended = Reeve({"keygen", "rotate", path, "--after", "1h"});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out,
            "DIR/ring.keys: key KEY, which seals from TIME on; the others still open. Drop them, "
            "`reeve keygen drop`, when it has sealed for the longest lifetime of a context\n");
  EXPECT_EQ(ModeOf("ring.keys"), 0600u);
  EXPECT_EQ(Reeve({"keygen", "list", path}).out,
            "KEY               CREATED               SEALS FROM            STATE\n"
            "KEY  TIME  TIME  seals\n"
            "KEY  TIME  TIME  waits\n");

  const Ended listed = RunProgram({"cli/reeve", "keygen", "list", path, "--format", "json"});
  const json keys = json::parse(listed.out);
  ASSERT_EQ(keys.size(), 2u);
  EXPECT_EQ(keys[0]["kind"], "ring");
  EXPECT_EQ(keys[0]["state"], "seals");
  EXPECT_EQ(keys[1]["state"], "waits");

  EXPECT_EQ(Reeve({"keygen", "drop", path, keys[0]["key"]}).status, 0);
  ended = Reeve({"keygen", "drop", path, keys[0]["key"]});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.err,
            "DIR/ring.keys: there is no key `KEY`; `reeve keygen list` shows those that are\n");
  EXPECT_EQ(Reeve({"keygen", "drop", path, keys[1]["key"]}).status, 2) << "the last one";
}

TEST_F(ContextCommandTest, KeygenMakesTheKeysOfAHost) {
  const std::string path = File("host.key");
  const Ended ended = Reeve({"keygen", "host", path, "--name", "web-1.example.com"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out,
            "DIR/host.key: key KEY of web-1.example.com; give DIR/host.key.pub to the hosts that "
            "are to know it\n");
  EXPECT_EQ(ModeOf("host.key"), 0600u);
  EXPECT_EQ(ModeOf("host.key.pub"), 0644u);
  EXPECT_EQ(Reeve({"keygen", "list", path}).out,
            "KEY               CREATED               NAME               STATE\n"
            "KEY  TIME  web-1.example.com  private\n");
  EXPECT_EQ(Reeve({"keygen", "list", path + ".pub"}).out,
            "KEY               CREATED               NAME               STATE\n"
            "KEY  TIME  web-1.example.com  public\n");

  // Both files are made, or none.
  ASSERT_EQ(unlink(path.c_str()), 0);
  EXPECT_EQ(Reeve({"keygen", "host", path, "--name", "web-1"}).status, 2);
  EXPECT_NE(access(path.c_str(), F_OK), 0);
}

TEST_F(ContextCommandTest, KeygenRefuses) {
  ASSERT_EQ(Reeve({"keygen", "ring", File("ring.keys")}).status, 0);
  ASSERT_EQ(Reeve({"keygen", "ring", File("open.keys")}).status, 0);
  ASSERT_EQ(chmod(File("open.keys").c_str(), 0640), 0);
  directory_.Write("text", "secret words\n");
  ASSERT_EQ(chmod(File("text").c_str(), 0600), 0);
  const struct {
    const char* name;
    std::vector<std::string> arguments;
    const char* error;  // what it begins with
  } kCases[] = {
      {"NoFile", {"keygen", "list", File("none")}, "DIR/none: "},
      {"NoDirectory", {"keygen", "ring", File("none/ring.keys")}, "DIR/none/ring.keys: "},
      {"OpenToOthers", {"keygen", "list", File("open.keys")}, "DIR/open.keys: "},
      {"OtherText", {"keygen", "list", File("text")}, "DIR/text:1: "},
      {"NoTime",
       {"keygen", "rotate", File("ring.keys"), "--after", "soon"},
       "`soon` is no time that a key could wait; write one such as 10m or 2h\n"},
      {"PastTime",
       {"keygen", "rotate", File("ring.keys"), "--after", "-1h"},
       "`-1h` is no time that a key could wait; write one such as 10m or 2h\n"},
      {"NoName", {"keygen", "host", File("host.key")}, "--name is required"},
      {"BadName", {"keygen", "host", File("host.key"), "--name", "Web 1"}, "DIR/host.key: "},
      {"NoAction", {"keygen", "rings"}, "reeve keygen: unknown command `rings`; did you mean "},
  };
  for (const auto& c : kCases) {
    const Ended ended = Reeve(c.arguments);
    EXPECT_EQ(ended.status, std::string(c.name) == "NoDirectory" ? 3 : 2) << c.name << ended.err;
    EXPECT_EQ(ended.err.substr(0, std::string(c.error).size()), c.error) << c.name;
    EXPECT_EQ(ended.err.find("secret"), std::string::npos) << c.name;
    EXPECT_EQ(ended.out, "") << c.name;
  }
}

TEST_F(ContextCommandTest, SealsInspectsAndOpens) {
  MakeContext();
  EXPECT_EQ(ModeOf("context"), 0600u);
  Ended ended = Reeve({"context", "inspect", File("context")});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out,
            "seal       ring\n"
            "key        KEY\n"
            "id         ID\n"
            "not before TIME\n"
            "expires    TIME\n"
            "size       SIZE bytes\n");
  EXPECT_EQ(ended.err, "nothing of this is proved; `reeve context open` proves it by the key\n");

  ended = Reeve(
      {"context", "open", File("context"), "--ring", File("ring.keys"), "--service", "worker"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out,
            "seal       ring\n"
            "key        KEY\n"
            "id         ID\n"
            "not before TIME\n"
            "expires    TIME\n"
            "size       SIZE bytes\n"
            "package    reeve\n"
            "since      TIME\n"
            "until      TIME\n"
            "session    0 bytes, not shown\n"
            "principal  user:ada@EXAMPLE.COM\n"
            "assurance  asserted\n"
            "via        reeve\n"
            "host       \n"
            "groups     staff leads\n"
            "parents    realm:EXAMPLE.COM\n"
            "desk       \"north\"\n"
            "level      7\n"
            "evidence   \n");
  EXPECT_EQ(ended.err, "");
  // It was looked at, and not used up.
  EXPECT_EQ(Reeve({"context", "open", File("context"), "--ring", File("ring.keys"), "--service",
                   "worker"})
                .status,
            0);

  const Ended opened = RunProgram({"cli/reeve", "context", "open", File("context"), "--ring",
                                   File("ring.keys"), "--service", "worker", "--format", "json"});
  const json facts = json::parse(opened.out);
  EXPECT_EQ(facts["seal"], "ring");
  EXPECT_EQ(facts["package"], "reeve");
  EXPECT_EQ(facts["principal"], "user:ada@EXAMPLE.COM");
  EXPECT_EQ(facts["attributes"]["level"], 7);
}

TEST_F(ContextCommandTest, ReadsAndWritesBase64) {
  MakeContext();
  const Ended sealed = RunProgram({"cli/reeve", "context", "seal", "user:ada", "--ring",
                                   File("ring.keys"), "--service", "worker", "--base64"});
  ASSERT_EQ(sealed.status, 0) << sealed.err;
  EXPECT_EQ(sealed.out.substr(0, 4), "UlZT");
  const Ended opened = Reeve(
      {"context", "open", "-", "--ring", File("ring.keys"), "--service", "worker"}, sealed.out);
  EXPECT_EQ(opened.status, 0) << opened.err;
  EXPECT_NE(opened.out.find("principal  user:ada\n"), std::string::npos) << opened.out;
}

TEST_F(ContextCommandTest, HostsSealToEachOther) {
  for (const char* name : {"web-1", "web-2", "web-3"}) {
    ASSERT_EQ(Reeve({"keygen", "host", File(name), "--name", name}).status, 0);
  }
  ASSERT_EQ(Reeve({"context", "seal", "user:ada", "--host-key", File("web-1"), "--host",
                   File("web-2.pub"), "-o", File("context")})
                .status,
            0);
  const struct {
    const char* name;
    std::string key, host;
    int status;
  } kCases[] = {
      {"TheTarget", File("web-2"), File("web-1.pub"), 0},
      {"AnotherHost", File("web-3"), File("web-1.pub"), 1},
      {"AnotherExporter", File("web-2"), File("web-3.pub"), 1},
      {"NoKey", File("none"), File("web-1.pub"), 2},
      {"AsPrivate", File("web-2"), File("web-1"), 2},
  };
  for (const auto& c : kCases) {
    const Ended ended =
        Reeve({"context", "open", File("context"), "--host-key", c.key, "--host", c.host});
    EXPECT_EQ(ended.status, c.status) << c.name << ended.out << ended.err;
    EXPECT_EQ(ended.out.empty(), c.status != 0) << c.name;
  }
}

TEST_F(ContextCommandTest, RefusesWhatItCannotProve) {
  MakeContext();
  ASSERT_EQ(Reeve({"keygen", "ring", File("other.keys")}).status, 0);
  const std::string context = Read("context");
  std::string changed = context;
  changed.back() ^= 1;
  std::string version = context;
  version[4] = 9;
  std::string process = context;
  process[5] = 2;
  const struct {
    const char* name;
    std::string input;
    std::string ring;
    const char* service;
    int status;
  } kCases[] = {
      {"Whole", context, "ring.keys", "worker", 0},
      {"OtherService", context, "ring.keys", "printer", 1},
      {"OtherRing", context, "other.keys", "worker", 1},
      {"Changed", changed, "ring.keys", "worker", 1},
      {"ForAProcess", process, "ring.keys", "worker", 1},
      {"Short", context.substr(0, context.size() - 1), "ring.keys", "worker", 2},
      {"Long", context + "x", "ring.keys", "worker", 2},
      {"Version", version, "ring.keys", "worker", 2},
      {"Empty", "", "ring.keys", "worker", 2},
      {"Text", "user:ada\n", "ring.keys", "worker", 2},
      {"NoRing", context, "none.keys", "worker", 2},
      {"NoService", context, "ring.keys", "", 2},
  };
  for (const auto& c : kCases) {
    const Ended ended =
        Reeve({"context", "open", "--ring", File(c.ring), "--service", c.service}, c.input);
    EXPECT_EQ(ended.status, c.status) << c.name << ended.out << ended.err;
    EXPECT_EQ(ended.out.empty(), c.status != 0) << c.name;
    EXPECT_EQ(ended.err.empty(), c.status == 0) << c.name;
  }
}

TEST_F(ContextCommandTest, SealSaysWhatIsWrong) {
  MakeContext();
  const std::vector<std::string> keys = {"--ring", File("ring.keys"), "--service", "worker"};
  const struct {
    const char* name;
    std::vector<std::string> arguments;
    const char* error;
  } kCases[] = {
      {"NoType", {"ada"}, "`ada` is not an entity"},
      {"Anonymous", {"anonymous:anonymous"}, "reeve: there is no context of this principal: "},
      {"BadGroup", {"user:ada", "--group", "a/../b"}, "reeve: there is no context of"},
      {"BadAttribute", {"user:ada", "--attribute", "level"}, "`level` is no attribute"},
      {"Twice",
       {"user:ada", "--attribute", "a=1", "--attribute", "a=2"},
       "`a=2` is no attribute, or one of a name that was given before"},
      {"Window", {"user:ada", "--window", "0s"}, "`0s` is no time; write one such as 60s or 1h\n"},
      {"LongWindow", {"user:ada", "--window", "48h", "--lifetime", "48h"}, "reeve: "},
  };
  for (const auto& c : kCases) {
    std::vector<std::string> arguments = {"context", "seal"};
    arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
    arguments.insert(arguments.end(), keys.begin(), keys.end());
    const Ended ended = Reeve(arguments);
    EXPECT_EQ(ended.status, 2) << c.name << ended.err;
    EXPECT_EQ(ended.err.substr(0, std::string(c.error).size()), c.error) << c.name;
    EXPECT_EQ(ended.out, "") << c.name;
  }
  // A file that is there stays as it is.
  const std::string before = Read("context");
  EXPECT_EQ(Reeve({"context", "seal", "user:ada", "--ring", File("ring.keys"), "--service",
                   "worker", "-o", File("context")})
                .status,
            3);
  EXPECT_EQ(Read("context"), before);
  EXPECT_EQ(Reeve({"context", "seal", "user:ada"}).err,
            "name the keys: either --ring FILE and --service NAME, or --host-key FILE and --host "
            "FILE\n");
}

}  // namespace
}  // namespace reeve
