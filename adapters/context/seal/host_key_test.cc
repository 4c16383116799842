#include "reeve/adapters/context/seal/host_key.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "reeve/adapters/context/seal/seal_testing.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Child;
using peer_testing::TempDirectory;
using seal_testing::Bytes;
using seal_testing::kNow;
using seal_testing::Must;
using seal_testing::Why;

// The seed and the public key of test 1 of RFC 8032, section 7.1; the keys of Alice of RFC 7748,
// section 6.1.
const std::string kPrivate =
    "reeve-host-key 1\n"
    "name web-1.example.com\n"
    "created 2026-11-20T09:00:00Z\n"
    "signing nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n"
    "opening dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n";
const std::string kPublic =
    "reeve-host-public-key 1\n"
    "name web-1.example.com\n"
    "created 2026-11-20T09:00:00Z\n"
    "signing 11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=\n"
    "opening hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n";

std::string With(std::string text, std::string_view what, std::string_view instead) {
  return text.replace(text.find(what), what.size(), std::string(instead));
}

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

TEST(HostKeyTest, HasItsPublicKey) {
  const std::unique_ptr<HostKey> key = Must(HostKey::Parse(Bytes(kPrivate), "web-1.key"));
  EXPECT_EQ(key->public_key().ToText(), kPublic);
  const HostPublicKey parsed = Must(HostPublicKey::Parse(kPublic, "web-1.pub"));
  EXPECT_EQ(parsed.ToText(), kPublic);
  EXPECT_EQ(parsed.id(), key->public_key().id());
  EXPECT_EQ(parsed.id(), "94690a1766ab99a5");
}

struct TextCase {
  const char* name;
  std::string what, instead;  // In kPrivate.
  const char* want;           // The private one is of web-1.key, the public one of web-1.pub.
};
std::ostream& operator<<(std::ostream& os, const TextCase& c) { return os << c.name; }

class TextTest : public ::testing::TestWithParam<TextCase> {};

TEST_P(TextTest, IsRefused) {
  const TextCase& c = GetParam();
  EXPECT_EQ(Why(HostKey::Parse(Bytes(With(kPrivate, c.what, c.instead)), "web-1").status()),
            c.want);
  // The public file has the same form.
  std::string of_public = kPublic;
  if (of_public.find(c.what) == std::string::npos) return;
  EXPECT_EQ(Why(HostPublicKey::Parse(With(kPublic, c.what, c.instead), "web-1").status()), c.want);
}

const TextCase kTextCases[] = {
    {"VersionTwo", "1\nname", "2\nname",
     "unsupported_version: web-1:1: the version is not 1, which is what this program knows; update "
     "it"},
    {"PublicForPrivate", "reeve-host-key", "reeve-host-public-key",
     "malformed: web-1:1: the file does not begin with `reeve-host-key 1`; it is no file of this "
     "kind"},
    {"NoName", "name web-1.example.com\n", "",
     "malformed: web-1:2: the line does not begin with `name`"},
    {"EmptyName", "web-1.example.com", "", "malformed: web-1:2: there is no name after one space"},
    {"NameWithASlash", "web-1.example.com", "web/1",
     "malformed: web-1:2: the name is not 1 to 253 of a-z, A-Z, 0-9, `.`, `_` and `-`"},
    {"NameTooLong", "web-1.example.com", std::string(254, 'w'),
     "malformed: web-1:2: the name is not 1 to 253 of a-z, A-Z, 0-9, `.`, `_` and `-`"},
    {"TwoNames", "web-1.example.com", "web-1 web-2",
     "malformed: web-1:2: the line has more words than it must have"},
    {"NameTwice", "created", "name web-2\ncreated",
     "malformed: web-1:3: the line does not begin with `created`"},
    {"NoTime", "2026-11-20T09:00:00Z", "today",
     "malformed: web-1:3: the time of creation is no time like 2026-11-20T09:00:00Z of the years "
     "1678 to 2261"},
    {"UnknownWord", "signing", "singing",
     "malformed: web-1:4: the line does not begin with `signing`"},
    {"NoSpace", "opening ", "opening",
     "malformed: web-1:5: the line does not begin with `opening`"},
    {"KeyTooShort", "opening ", "opening AA==\nopening ",
     "malformed: web-1:5: the key is not Base64 of 32 bytes"},
    {"CutShort", "=\nopening ", "", "malformed: web-1:4: the key is not Base64 of 32 bytes"},
};
INSTANTIATE_TEST_SUITE_P(, TextTest, ::testing::ValuesIn(kTextCases),
                         [](const auto& info) { return info.param.name; });

TEST(HostKeyTest, EndsWithItsLastLine) {
  EXPECT_EQ(Why(HostKey::Parse(Bytes(kPrivate + "opening x\n"), "web-1").status()),
            "malformed: web-1:5: more follows this line, which must be the last");
  EXPECT_EQ(Why(HostPublicKey::Parse(kPublic + "\n", "web-1").status()),
            "malformed: web-1:5: more follows this line, which must be the last");
  for (size_t size = 0; size < kPrivate.size(); ++size) {
    EXPECT_FALSE(HostKey::Parse(Bytes(kPrivate.substr(0, size)), "web-1").ok()) << size;
  }
  for (size_t size = 0; size < kPublic.size(); ++size) {
    EXPECT_FALSE(HostPublicKey::Parse(kPublic.substr(0, size), "web-1").ok()) << size;
  }
  EXPECT_EQ(Why(HostPublicKey::Parse(kPrivate, "web-1").status()),
            "malformed: web-1:1: the file does not begin with `reeve-host-public-key 1`; it is no "
            "file of this kind");
}

TEST(HostKeyTest, IsGeneratedWrittenAndReadBack) {
  const TempDirectory directory;
  const std::string path = directory / "web-1.key";
  const std::unique_ptr<HostKey> key =
      Must(HostKey::Generate("web-1.example.com", kNow + absl::Milliseconds(5)));
  EXPECT_EQ(key->public_key().created, kNow);
  ASSERT_EQ(Why(key->Save(path, ExistingFile::kKeep)), "OK");
  EXPECT_EQ(Why(key->Save(path, ExistingFile::kKeep)),
            absl::StrCat("ALREADY_EXISTS: ", path,
                         ": is there already; name another, or remove it first"));
  struct stat file;
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600u);
  const std::unique_ptr<HostKey> again = Must(HostKey::Load(path));
  EXPECT_EQ(again->public_key().ToText(), key->public_key().ToText());
  ASSERT_EQ(Why(again->Save(directory / "again.key", ExistingFile::kReplace)), "OK");
  EXPECT_EQ(Read(directory / "again.key"), Read(path));
  // No two are alike.
  const std::unique_ptr<HostKey> other = Must(HostKey::Generate("web-1.example.com", kNow));
  EXPECT_NE(other->public_key().signing, key->public_key().signing);
  EXPECT_NE(other->public_key().opening, key->public_key().opening);

  const std::string public_path = directory / "web-1.pub";
  ASSERT_EQ(Why(key->public_key().Save(public_path, ExistingFile::kKeep)), "OK");
  ASSERT_EQ(stat(public_path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0644u);
  EXPECT_EQ(Must(HostPublicKey::Load(public_path)).ToText(), key->public_key().ToText());
  EXPECT_EQ(Read(public_path), key->public_key().ToText());
}

TEST(HostKeyTest, FilesAreNotOthersToChange) {
  const TempDirectory directory;
  const auto write = [&](const std::string& name, const std::string& text, mode_t mode) {
    std::ofstream(directory / name) << text;
    chmod((directory / name).c_str(), mode);
    return directory / name;
  };
  const auto said = [&](const absl::Status& status) {
    return absl::StrReplaceAll(Why(status), {{directory.path(), "DIR"}});
  };
  EXPECT_EQ(said(HostKey::Load(write("private", kPrivate, 0644)).status()),
            "no_credentials: DIR/private: has mode 644, so that others than its owner can use it; "
            "make the keys anew, or `chmod 600` if nobody else was there");
  EXPECT_EQ(said(HostKey::Load(write("private", kPrivate, 0600)).status()), "OK");
  EXPECT_EQ(said(HostPublicKey::Load(write("public", kPublic, 0644)).status()), "OK");
  EXPECT_EQ(
      said(HostPublicKey::Load(write("public", kPublic, 0664)).status()),
      "no_credentials: DIR/public: has mode 664, so that others than its owner can change it; "
      "`chmod 644` and look at it");
  ASSERT_EQ(symlink("private", (directory / "link").c_str()), 0);
  EXPECT_EQ(said(HostPublicKey::Load(directory / "link").status()),
            "no_credentials: DIR/link: is a symbolic link; name the file itself");
}

TEST(HostKeyTest, ChecksItsName) {
  for (const std::string name : {"", "a b", "a\nb", "../x", "\xC3\xA9"}) {
    EXPECT_EQ(HostKey::Generate(name, kNow).status().code(), absl::StatusCode::kInvalidArgument)
        << name;
  }
  EXPECT_EQ(Why(HostKey::Generate("web/1", kNow).status()),
            "INVALID_ARGUMENT: `web/1` cannot name a host; give 1 to 253 of a-z, A-Z, 0-9, `.`, "
            "`_` and `-`");
  EXPECT_EQ(Why(HostKey::Generate("web-1", absl::InfiniteFuture()).status()),
            "malformed: the time of creation is not within the years 1678 to 2261; give one that "
            "is");
}

TEST(HostKeyTest, IsDeadInAForkedChild) {
  const TempDirectory directory;
  const std::unique_ptr<HostKey> key = Must(HostKey::Generate("web-1", kNow));
  Child child([&](const Child::Pipes& pipes) {
    pipes.Say(key->here() ? "here" : "elsewhere");
    pipes.Say(Why(key->Save(directory / "key", ExistingFile::kKeep)));
    return access((directory / "key").c_str(), F_OK) == 0 ? 1 : 0;
  });
  EXPECT_EQ(child.Hear(), "elsewhere");
  EXPECT_EQ(child.Hear(),
            "wrong_target: the host key is that of the process that this one was forked from; load "
            "it after fork()");
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace reeve
