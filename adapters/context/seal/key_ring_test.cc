#include "reeve/adapters/context/seal/key_ring.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/ring_seal.h"
#include "reeve/adapters/context/seal/seal_testing.h"
#include "reeve/adapters/context/seal/single_use.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Child;
using peer_testing::TempDirectory;
using seal_testing::Bytes;
using seal_testing::kMachine;
using seal_testing::kNow;
using seal_testing::Must;
using seal_testing::Outcome;
using seal_testing::Why;

// Of the bytes 00 to 1f, of 32 of 41, and of 32 of 42.
constexpr char kFirst[] =
    "key IDFIRST 2026-11-20T09:00:00Z 2026-11-20T09:00:00Z "
    "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n";
constexpr char kSecond[] =
    "key IDSECOND 2026-11-21T09:00:00Z 2026-11-21T10:00:00Z "
    "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=\n";
constexpr char kHead[] = "reeve-keys 1\n";

std::string Read(const std::string& path) {
  std::ifstream file(path);
  return {std::istreambuf_iterator<char>(file), {}};
}

void Write(const std::string& path, const std::string& text, mode_t mode = 0600) {
  std::ofstream(path) << text;
  chmod(path.c_str(), mode);
}

std::string Text(std::string_view text) {
  return absl::StrReplaceAll({text.data(), text.size()},
                             {{"IDFIRST", "65b2dd9b58a3a949"}, {"IDSECOND", "447ca40f0bbe6faa"}});
}

// "0123456789abcdef created 2026-11-20T09:00:00Z seals from ..., seals"
std::string Listed(const KeyRing& ring, absl::Time now) {
  std::vector<std::string> lines;
  for (const KeyRing::KeyInfo& key : ring.Keys(now)) {
    lines.push_back(absl::StrCat(
        key.id, " created ", absl::FormatTime(key.created, absl::UTCTimeZone()), " from ",
        absl::FormatTime(key.seals_from, absl::UTCTimeZone()), key.seals ? " seals" : ""));
  }
  return absl::StrJoin(lines, "\n");
}

struct ParseCase {
  const char* name;
  std::string text;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const ParseCase& c) { return os << c.name; }

class ParseTest : public ::testing::TestWithParam<ParseCase> {};

TEST_P(ParseTest, IsTakenOrRefused) {
  const ParseCase& c = GetParam();
  const auto ring = KeyRing::Parse(Bytes(Text(c.text)), "ring.keys");
  EXPECT_EQ(ring.ok() ? Listed(**ring, absl::InfiniteFuture()) : Why(ring.status()), Text(c.want));
}

std::string Cat(std::initializer_list<std::string_view> parts) {
  std::string all;
  for (const std::string_view part : parts) all += part;
  return all;
}
std::string Without(std::string text, std::string_view what, std::string_view instead = "") {
  return text.replace(text.find(what), what.size(), std::string(instead));
}
std::string Many(int count) {
  std::string text = kHead;
  for (int i = 0; i < count; ++i) text += kFirst;
  return text;
}

const ParseCase kParseCases[] = {
    {"One", Cat({kHead, kFirst}),
     "IDFIRST created 2026-11-20T09:00:00+00:00 from 2026-11-20T09:00:00+00:00 seals"},
    {"Two", Cat({kHead, kFirst, kSecond}),
     "IDFIRST created 2026-11-20T09:00:00+00:00 from 2026-11-20T09:00:00+00:00\n"
     "IDSECOND created 2026-11-21T09:00:00+00:00 from 2026-11-21T10:00:00+00:00 seals"},
    {"OrderDoesNotMatter", Cat({kHead, kSecond, kFirst}),
     "IDFIRST created 2026-11-20T09:00:00+00:00 from 2026-11-20T09:00:00+00:00\n"
     "IDSECOND created 2026-11-21T09:00:00+00:00 from 2026-11-21T10:00:00+00:00 seals"},
    {"Empty", "",
     "malformed: ring.keys:1: there is a line less than there must be; the file was cut short"},
    {"NoKey", kHead, "malformed: ring.keys:1: no key follows; add one"},
    {"AnotherFile", "reeve: 1\npolicy: documents\n",
     "malformed: ring.keys:1: the file does not begin with `reeve-keys 1`; it is no file of this "
     "kind"},
    {"AHostKey", "reeve-host-key 1\nname web\n",
     "malformed: ring.keys:1: the file does not begin with `reeve-keys 1`; it is no file of this "
     "kind"},
    {"NoVersion", Cat({"reeve-keys\n", kFirst}),
     "malformed: ring.keys:1: there is no version after one space"},
    {"VersionTwo", Cat({"reeve-keys 2\n", kFirst}),
     "unsupported_version: ring.keys:1: the version is not 1, which is what this program knows; "
     "update it"},
    {"MoreInTheFirstLine", Cat({"reeve-keys 1 x\n", kFirst}),
     "malformed: ring.keys:1: the line has more words than it must have"},
    {"LineEndsOfDos", Cat({"reeve-keys 1\r\n", kFirst}),
     "unsupported_version: ring.keys:1: the version is not 1, which is what this program knows; "
     "update it"},
    {"CutShort", Cat({kHead, std::string_view(kFirst, sizeof(kFirst) - 20)}),
     "malformed: ring.keys:2: the line does not end; the file was cut short"},
    {"NoLastLineEnd", Cat({kHead, std::string_view(kFirst, sizeof(kFirst) - 2)}),
     "malformed: ring.keys:2: the line does not end; the file was cut short"},
    {"Twice", Cat({kHead, kFirst, kSecond, kFirst}),
     "malformed: ring.keys:4: the key `IDFIRST` is given twice; first at 2"},
    {"UnknownWord", Cat({kHead, kFirst, "keys x\n"}),
     "malformed: ring.keys:3: the line does not begin with `key`"},
    {"EmptyLine", Cat({kHead, "\n", kFirst}),
     "malformed: ring.keys:2: the line does not begin with `key`"},
    {"Comment", Cat({kHead, "# mine\n", kFirst}),
     "malformed: ring.keys:2: the line does not begin with `key`"},
    {"IdOfAnotherKey", Cat({kHead, Without(kFirst, "IDFIRST", "IDSECOND")}),
     "malformed: ring.keys:2: the key is not the one that has this id"},
    {"IdInUpperCase", Cat({kHead, Without(kFirst, "IDFIRST", "0123456789ABCDEF")}),
     "malformed: ring.keys:2: the key is not the one that has this id"},
    {"NoId", Cat({kHead, "key\n"}), "malformed: ring.keys:2: there is no id after one space"},
    {"TwoSpaces", Cat({kHead, Without(kFirst, "key ", "key  ")}),
     "malformed: ring.keys:2: there is no id after one space"},
    {"SpaceAtTheEnd", Cat({kHead, Without(kFirst, "\n", " \n")}),
     "malformed: ring.keys:2: the line has more words than it must have"},
    {"OneWordMore", Cat({kHead, Without(kFirst, "\n", " x\n")}),
     "malformed: ring.keys:2: the line has more words than it must have"},
    {"OneWordLess", Cat({kHead, Without(kFirst, "2026-11-20T09:00:00Z ")}),
     "malformed: ring.keys:2: the time that the key seals from is no time like "
     "2026-11-20T09:00:00Z of the years 1678 to 2261"},
    {"TimeWithAnOffset", Cat({kHead, Without(kFirst, "00Z ", "00+00:00 ")}),
     "malformed: ring.keys:2: the time that the key was created is no time like "
     "2026-11-20T09:00:00Z of the years 1678 to 2261"},
    {"TimeWithAFraction", Cat({kHead, Without(kFirst, "00Z ", "00.5Z ")}),
     "malformed: ring.keys:2: the time that the key was created is no time like "
     "2026-11-20T09:00:00Z of the years 1678 to 2261"},
    {"TimeTooLate", Cat({kHead, Without(kFirst, "2026", "2262")}),
     "malformed: ring.keys:2: the time that the key was created is no time like "
     "2026-11-20T09:00:00Z of the years 1678 to 2261"},
    {"KeyTooShort", Cat({kHead, Without(kFirst, "AAEC")}),
     "malformed: ring.keys:2: the key is not Base64 of 32 bytes"},
    {"KeyTooLong", Cat({kHead, Without(kFirst, "AAEC", "AAECAAEC")}),
     "malformed: ring.keys:2: the key is not Base64 of 32 bytes"},
    {"KeyNotPadded", Cat({kHead, Without(kFirst, "=")}),
     "malformed: ring.keys:2: the key is not Base64 of 32 bytes"},
    {"KeyWithBitsToSpare", Cat({kHead, Without(kFirst, "Hh8=", "Hh9=")}),
     "malformed: ring.keys:2: the key is not Base64 of 32 bytes"},
    {"KeyOfUrls", Cat({kHead, Without(kFirst, "AAEC", "__EC")}),
     "malformed: ring.keys:2: the key is not Base64 of 32 bytes"},
    // libsodium takes it for a letter.
    {"KeyWithAByteAbove127",
     Cat({kHead, Without(kFirst, "AAEC",
                         "AA\x92"
                         "C")}),
     "malformed: ring.keys:2: the key is not Base64 of 32 bytes"},
    {"ZeroByte", Cat({kHead, Without(kFirst, "AAEC", std::string_view("A\0EC", 4))}),
     "malformed: ring.keys:2: the key is not Base64 of 32 bytes"},
    {"TooMany", Many(65),
     "malformed: ring.keys:1: more than 64 keys follow; drop those that no longer seal"},
};
INSTANTIATE_TEST_SUITE_P(, ParseTest, ::testing::ValuesIn(kParseCases),
                         [](const auto& info) { return info.param.name; });

TEST(KeyRingTest, NoMessageHoldsAKey) {
  // Every prefix, and every place where a byte is another.
  const std::string text = Text(Cat({kHead, kFirst, kSecond}));
  const auto check = [](const std::string& bytes) {
    const auto ring = KeyRing::Parse(Bytes(bytes), "ring.keys");
    if (ring.ok()) return;
    const std::string why = Why(ring.status());
    for (const std::string secret : {"AAECAw", "DA0ODx", "GBkaGx", "QUFBQU"}) {
      EXPECT_EQ(why.find(secret), std::string::npos) << why;
    }
  };
  for (size_t i = 0; i < text.size(); ++i) {
    check(text.substr(0, i));
    check(text.substr(i));
    for (const char c : {' ', '\n', '=', '~'}) {
      std::string changed = text;
      changed[i] = c;
      check(changed);
    }
  }
}

// Files.

struct FileCase {
  const char* name;
  std::function<void(const TempDirectory&)> make;
  const char* want;  // DIR stands for the directory.
  bool root = false;
};
std::ostream& operator<<(std::ostream& os, const FileCase& c) { return os << c.name; }

class FileTest : public ::testing::TestWithParam<FileCase> {};

TEST_P(FileTest, IsTakenOrRefused) {
  const FileCase& c = GetParam();
  if (c.root && geteuid() != 0) GTEST_SKIP() << "needs root, to give files away";
  const TempDirectory directory;
  c.make(directory);
  EXPECT_EQ(absl::StrReplaceAll(Why(KeyRing::Load(directory / "ring.keys").status()),
                                {{directory.path(), "DIR"}}),
            c.want);
}

std::function<void(const TempDirectory&)> OfMode(mode_t mode) {
  return [mode](const TempDirectory& d) {
    Write(d / "ring.keys", Text(Cat({kHead, kFirst})), mode);
  };
}

const FileCase kFileCases[] = {
    {"Private", OfMode(0600), "OK"},
    {"ReadOnly", OfMode(0400), "OK"},
    {"GroupReads", OfMode(0640),
     "no_credentials: DIR/ring.keys: has mode 640, so that others than its owner can use it; make "
     "the keys anew, or `chmod 600` if nobody else was there"},
    {"OthersWrite", OfMode(0602),
     "no_credentials: DIR/ring.keys: has mode 602, so that others than its owner can use it; make "
     "the keys anew, or `chmod 600` if nobody else was there"},
    {"GroupExecutes", OfMode(0610),
     "no_credentials: DIR/ring.keys: has mode 610, so that others than its owner can use it; make "
     "the keys anew, or `chmod 600` if nobody else was there"},
    {"NotThere", [](const TempDirectory&) {},
     "no_credentials: DIR/ring.keys: cannot be opened: No such file or directory; make a file of "
     "keys, or name another"},
    {"SymbolicLink",
     [](const TempDirectory& d) {
       Write(d / "real.keys", Text(Cat({kHead, kFirst})));
       ASSERT_EQ(symlink("real.keys", (d / "ring.keys").c_str()), 0);
     },
     "no_credentials: DIR/ring.keys: is a symbolic link; name the file itself"},
    {"Directory",
     [](const TempDirectory& d) { ASSERT_EQ(mkdir((d / "ring.keys").c_str(), 0700), 0); },
     "no_credentials: DIR/ring.keys: is not a regular file; name one"},
    // Nobody writes to it: opening it must not wait.
    {"Pipe", [](const TempDirectory& d) { ASSERT_EQ(mkfifo((d / "ring.keys").c_str(), 0600), 0); },
     "no_credentials: DIR/ring.keys: is not a regular file; name one"},
    {"OfAnotherUser",
     [](const TempDirectory& d) {
       OfMode(0600)(d);
       ASSERT_EQ(chown((d / "ring.keys").c_str(), 1234, 0), 0);
     },
     "no_credentials: DIR/ring.keys: belongs to uid 1234, who can change it; give it to root or to "
     "uid 0",
     true},
    {"OfAnotherGroup",
     [](const TempDirectory& d) {
       OfMode(0600)(d);
       ASSERT_EQ(chown((d / "ring.keys").c_str(), 0, 1234), 0);
     },
     "OK", true},
    {"Empty", [](const TempDirectory& d) { Write(d / "ring.keys", ""); },
     "malformed: DIR/ring.keys:1: there is a line less than there must be; the file was cut short"},
    {"TooLarge", [](const TempDirectory& d) { Write(d / "ring.keys", std::string(16385, 'x')); },
     "malformed: DIR/ring.keys: has 16385 bytes, and at most 16384 are read; drop old keys"},
    {"Malformed",
     [](const TempDirectory& d) {
       Write(d / "ring.keys", Cat({kHead, "key x\n"}));
     },
     "malformed: DIR/ring.keys:2: there is no time that the key was created after one space"},
};
INSTANTIATE_TEST_SUITE_P(, FileTest, ::testing::ValuesIn(kFileCases),
                         [](const auto& info) { return info.param.name; });

TEST(KeyRingFileTest, OfRootIsReadByAnotherUserWhoMay) {
  REQUIRE_OTHER_USERS();
  const TempDirectory directory;
  ASSERT_EQ(chmod(directory.path().c_str(), 0755), 0);
  const std::string path = directory / "ring.keys";
  Write(path, Text(Cat({kHead, kFirst})));
  ASSERT_EQ(chown(path.c_str(), 1234, 1234), 0);
  Child own([&](const Child::Pipes& pipes) {
    peer_testing::Become({1234, 1234, {}});
    pipes.Say(Why(KeyRing::Load(path).status()));
    return 0;
  });
  EXPECT_EQ(own.Hear(), "OK");
  Child other([&](const Child::Pipes& pipes) {
    peer_testing::Become({4321, 4321, {}});
    pipes.Say(Why(KeyRing::Load(path).status()));
    return 0;
  });
  EXPECT_EQ(other.Hear(), absl::StrCat("no_credentials: ", path,
                                       ": cannot be opened: Permission denied; make a file of "
                                       "keys, or name another"));
}

TEST(KeyRingFileTest, IsWrittenAndReadBack) {
  const TempDirectory directory;
  const std::string path = directory / "ring.keys";
  const std::unique_ptr<KeyRing> ring = Must(KeyRing::Generate(kNow + absl::Milliseconds(700)));
  ASSERT_TRUE(ring->Add(kNow, kNow - absl::Hours(1)).ok());
  ASSERT_TRUE(ring->Add(kNow, kNow + absl::Hours(1)).ok());
  ASSERT_EQ(Why(ring->Save(path, ExistingFile::kKeep)), "OK");
  struct stat file;
  ASSERT_EQ(stat(path.c_str(), &file), 0);
  EXPECT_EQ(file.st_mode & 07777, 0600u);
  EXPECT_EQ(file.st_nlink, 1u);
  const std::unique_ptr<KeyRing> again = Must(KeyRing::Load(path));
  EXPECT_EQ(Listed(*again, kNow), Listed(*ring, kNow));
  EXPECT_EQ(again->Keys(kNow).size(), 3u);
  // What it writes again is the same.
  const std::string text = Read(path);
  ASSERT_EQ(Why(again->Save(directory / "other.keys", ExistingFile::kReplace)), "OK");
  EXPECT_EQ(Read(directory / "other.keys"), text);
  // Nothing else is left.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 2);
}

TEST(KeyRingFileTest, IsNotWrittenOverByMistake) {
  const TempDirectory directory;
  const std::string path = directory / "ring.keys";
  const std::unique_ptr<KeyRing> ring = Must(KeyRing::Generate(kNow));
  ASSERT_EQ(Why(ring->Save(path, ExistingFile::kKeep)), "OK");
  const std::string text = Read(path);
  EXPECT_EQ(Why(ring->Save(path, ExistingFile::kKeep)),
            absl::StrCat("ALREADY_EXISTS: ", path,
                         ": is there already; name another, or remove it first"));
  // Two that change one file: the second is told.
  const std::unique_ptr<KeyRing> other = Must(KeyRing::Load(path));
  ASSERT_TRUE(other->Add(kNow, kNow).ok());
  ASSERT_EQ(Why(other->Save(path, ExistingFile::kReplace)), "OK");
  ASSERT_TRUE(ring->Add(kNow, kNow).ok());
  EXPECT_EQ(Why(ring->Save(path, ExistingFile::kReplace)),
            absl::StrCat("FAILED_PRECONDITION: ", path,
                         ": was changed since it was read; reload it and make the change again"));
  ASSERT_EQ(Why(ring->Reload()), "OK");
  EXPECT_EQ(ring->Keys(kNow).size(), 2u);
  ASSERT_TRUE(ring->Add(kNow, kNow).ok());
  EXPECT_EQ(Why(ring->Save(path, ExistingFile::kReplace)), "OK");
  EXPECT_EQ(Must(KeyRing::Load(path))->Keys(kNow).size(), 3u);
  EXPECT_EQ(Why(ring->Save(directory / "none/ring.keys", ExistingFile::kKeep)),
            absl::StrCat("internal: ", directory / "none/ring.keys",
                         ": cannot make a file beside it: No such file or directory; see to the "
                         "disk and the folder"));
}

TEST(KeyRingFileTest, ReloadsWhatHasChangedAndKeepsTheLastGood) {
  const TempDirectory directory;
  const std::string path = directory / "ring.keys";
  Write(path, Text(Cat({kHead, kFirst})));
  const std::unique_ptr<KeyRing> ring = Must(KeyRing::Load(path));
  EXPECT_EQ(Why(ring->Reload()), "OK");
  EXPECT_EQ(ring->Keys(kNow).size(), 1u);

  // A new file in its place.
  Write(directory / "new", Text(Cat({kHead, kFirst, kSecond})));
  ASSERT_EQ(rename((directory / "new").c_str(), path.c_str()), 0);
  EXPECT_EQ(Why(ring->Reload()), "OK");
  const std::string listed = Listed(*ring, kNow);
  EXPECT_EQ(ring->Keys(kNow).size(), 2u);

  // What is wrong is told at each call, and changes nothing.
  const std::pair<std::function<void()>, std::string> wrong[] = {
      {[&] {
         Write(path, Text(Cat({kHead, kFirst, "key x\n"})));
       },
       absl::StrCat("malformed: ", path,
                    ":3: there is no time that the key was created after one space")},
      {[&] {
         Write(path, Text(Cat({kHead, kFirst})), 0644);
       },
       absl::StrCat("no_credentials: ", path,
                    ": has mode 644, so that others than its owner can use it; make the keys anew, "
                    "or `chmod 600` if nobody else was there")},
      {[&] { unlink(path.c_str()); },
       absl::StrCat("no_credentials: ", path,
                    ": cannot be opened: No such file or directory; make a file of keys, or name "
                    "another")},
  };
  for (const auto& [make, want] : wrong) {
    make();
    for (int i = 0; i < 2; ++i) EXPECT_EQ(Why(ring->Reload()), want);
    EXPECT_EQ(Listed(*ring, kNow), listed);
  }
  Write(path, Text(Cat({kHead, kSecond})));
  EXPECT_EQ(Why(ring->Reload()), "OK");
  EXPECT_EQ(ring->Keys(kNow).size(), 1u);
  EXPECT_EQ(Why(Must(KeyRing::Generate(kNow))->Reload()),
            "FAILED_PRECONDITION: the key ring has no file; load it or save it first");
}

TEST(KeyRingTest, AddsAndDrops) {
  const std::unique_ptr<KeyRing> ring = Must(KeyRing::Generate(kNow));
  const std::string first = ring->Keys(kNow)[0].id;
  const std::string second = Must(ring->Add(kNow, kNow + absl::Minutes(5)));
  EXPECT_NE(first, second);
  const auto listed = [&](absl::Time now) {
    return absl::StrReplaceAll(Listed(*ring, now), {{first, "FIRST"}, {second, "SECOND"}});
  };
  EXPECT_EQ(listed(kNow + absl::Minutes(5) - absl::Nanoseconds(1)),
            "FIRST created 2027-01-15T08:00:00+00:00 from 2027-01-15T08:00:00+00:00 seals\n"
            "SECOND created 2027-01-15T08:00:00+00:00 from 2027-01-15T08:05:00+00:00");
  EXPECT_EQ(listed(kNow + absl::Minutes(5)),
            "FIRST created 2027-01-15T08:00:00+00:00 from 2027-01-15T08:00:00+00:00\n"
            "SECOND created 2027-01-15T08:00:00+00:00 from 2027-01-15T08:05:00+00:00 seals");
  EXPECT_EQ(Why(ring->Drop("0000000000000000")),
            "NOT_FOUND: the key ring has no key `0000000000000000`; list them");
  EXPECT_EQ(Why(ring->Drop(first)), "OK");
  EXPECT_EQ(Why(ring->Drop(second)),
            absl::StrCat("FAILED_PRECONDITION: `", second,
                         "` is the last key of the ring; add another first"));
  EXPECT_EQ(listed(kNow),
            "SECOND created 2027-01-15T08:00:00+00:00 from 2027-01-15T08:05:00+00:00");
  EXPECT_EQ(
      Why(ring->Add(kNow, absl::InfiniteFuture()).status()),
      "malformed: the time that the key seals from is not within the years 1678 to 2261; give "
      "one that is");
  EXPECT_EQ(Why(KeyRing::Generate(absl::InfinitePast()).status()),
            "malformed: the time that the key was created is not within the years 1678 to 2261; "
            "give one that is");
  while (ring->Keys(kNow).size() < KeyRing::kMaxKeys) ASSERT_TRUE(ring->Add(kNow, kNow).ok());
  EXPECT_EQ(Why(ring->Add(kNow, kNow).status()),
            "resource_exhausted: the key ring has 64 keys, and no room for more; drop old ones");
  const TempDirectory directory;
  EXPECT_EQ(Why(ring->Save(directory / "full.keys", ExistingFile::kKeep)), "OK");
  EXPECT_EQ(Must(KeyRing::Load(directory / "full.keys"))->Keys(kNow).size(), KeyRing::kMaxKeys);
}

TEST(KeyRingTest, IsDeadInAForkedChild) {
  const TempDirectory directory;
  const std::string path = directory / "ring.keys";
  const std::unique_ptr<KeyRing> ring = Must(KeyRing::Generate(kNow));
  ASSERT_TRUE(ring->Save(path, ExistingFile::kKeep).ok());
  Child child([&](const Child::Pipes& pipes) {
    pipes.Say(Why(ring->Reload()));
    pipes.Say(Why(ring->Save(path, ExistingFile::kReplace)));
    pipes.Say(Why(ring->Add(kNow, kNow).status()));
    pipes.Say(Why(ring->Drop("x")));
    pipes.Say(absl::StrCat(ring->Keys(kNow).size()));
    pipes.Say(absl::StrCat(Must(KeyRing::Load(path))->Keys(kNow).size()));
    return 0;
  });
  for (int i = 0; i < 4; ++i) {
    EXPECT_EQ(child.Hear(),
              "wrong_target: the key ring is that of the process that this one was forked from; "
              "load it after fork()");
  }
  EXPECT_EQ(child.Hear(), "0");
  EXPECT_EQ(child.Hear(), "1");
}

// Sealers and openers of a ring.

struct Opener {
  explicit Opener(const KeyRing* ring, std::string_view service = "web",
                  const Machine& machine = kMachine)
      : single_use(Must(SingleUse::Create(100, kNow))),
        opener(Must(KeyRingOpener::Create(ring, service, machine, single_use.get()))) {}

  std::string Open(std::string_view packed, absl::Time now) {
    return Outcome(opener->Open(Bytes(packed), now, nullptr));
  }

  std::unique_ptr<SingleUse> single_use;
  std::unique_ptr<KeyRingOpener> opener;
};

std::string Seal(const KeyRing* ring, absl::Time at, std::string_view service = "web") {
  const auto sealer = Must(KeyRingSealer::Create(ring, service, kMachine));
  return Must(sealer->Seal(Bytes("user:ada"), at, at + absl::Minutes(1)));
}

TEST(RingSealTest, IsForAServiceOfAMachineUntilItsNextBoot) {
  const std::unique_ptr<KeyRing> ring = Must(KeyRing::Generate(kNow));
  Machine other_machine = kMachine;
  other_machine.machine_id[0] ^= 1;
  Machine other_boot = kMachine;
  other_boot.boot_id[35] ^= 1;
  const std::string packed = Seal(ring.get(), kNow);
  constexpr char kWant[] =
      "wrong_target: the context is sealed for another service, machine or boot; seal it for this "
      "one";
  EXPECT_EQ(Opener(ring.get(), "db").Open(packed, kNow), kWant);
  EXPECT_EQ(Opener(ring.get(), "we").Open(packed, kNow), kWant);
  EXPECT_EQ(Opener(ring.get(), "web", other_machine).Open(packed, kNow), kWant);
  EXPECT_EQ(Opener(ring.get(), "web", other_boot).Open(packed, kNow), kWant);
  EXPECT_EQ(Opener(ring.get()).Open(packed, kNow), "user:ada");
}

TEST(RingSealTest, NamesItsService) {
  const std::unique_ptr<KeyRing> ring = Must(KeyRing::Generate(kNow));
  const std::pair<std::string, const char*> cases[] = {
      {"", "INVALID_ARGUMENT: `` cannot name a service; give 1 to 255 bytes of printable UTF-8"},
      {"we\nb",
       "INVALID_ARGUMENT: `we\\x0ab` cannot name a service; give 1 to 255 bytes of printable "
       "UTF-8"},
      {"\xFF",
       "INVALID_ARGUMENT: `\\xff` cannot name a service; give 1 to 255 bytes of printable UTF-8"},
      {std::string(255, 'x'), "OK"},
      {"p\xC3\xA9rimetre", "OK"},
  };
  EXPECT_EQ(KeyRingSealer::Create(ring.get(), std::string(256, 'x'), kMachine).status().code(),
            absl::StatusCode::kInvalidArgument);
  const std::unique_ptr<SingleUse> single_use = Must(SingleUse::Create(1, kNow));
  for (const auto& [service, want] : cases) {
    EXPECT_EQ(Why(KeyRingSealer::Create(ring.get(), service, kMachine).status()), want);
    EXPECT_EQ(Why(KeyRingOpener::Create(ring.get(), service, kMachine, single_use.get()).status()),
              want);
  }
}

// Add, wait, drop: what is sealed at any time opens; what the dropped key sealed does not.
TEST(RingSealTest, RotatesWithContextsInFlight) {
  const TempDirectory directory;
  const std::string path = directory / "ring.keys";
  const std::unique_ptr<KeyRing> admin = Must(KeyRing::Generate(kNow));
  ASSERT_TRUE(admin->Save(path, ExistingFile::kKeep).ok());
  const std::unique_ptr<KeyRing> exporter = Must(KeyRing::Load(path));
  const std::unique_ptr<KeyRing> importer = Must(KeyRing::Load(path));
  Opener opener(importer.get());
  const std::string old_id = admin->Keys(kNow)[0].id;
  const std::string by_old = Seal(exporter.get(), kNow);

  // The new key is to seal in a minute: by then all have loaded it.
  const std::string new_id = Must(admin->Add(kNow, kNow + absl::Minutes(1)));
  ASSERT_TRUE(admin->Save(path, ExistingFile::kReplace).ok());
  ASSERT_TRUE(exporter->Reload().ok());
  // Before that moment the exporter goes on by the old key: the importer need not know the new.
  const absl::Time just_before = kNow + absl::Seconds(59);
  const std::string before = Seal(exporter.get(), just_before);
  EXPECT_EQ(seal_internal::HexOf(Bytes(before).subspan(8, 8)), old_id);
  EXPECT_EQ(opener.Open(before, just_before), "user:ada");
  const absl::Time after = kNow + absl::Minutes(1);
  const std::string by_new = Seal(exporter.get(), after);
  EXPECT_EQ(seal_internal::HexOf(Bytes(by_new).subspan(8, 8)), new_id);
  // An importer that did not load in time refuses, and takes it when it has.
  EXPECT_EQ(opener.Open(by_new, after).substr(0, 12), "unknown_key:");
  ASSERT_TRUE(importer->Reload().ok());
  EXPECT_EQ(opener.Open(by_new, after), "user:ada");
  EXPECT_EQ(opener.Open(by_old, kNow + absl::Seconds(59)), "user:ada");

  // The old one is dropped.
  const std::string last = Seal(Must(KeyRing::Load(path)).get(), just_before);
  ASSERT_TRUE(admin->Drop(old_id).ok());
  ASSERT_TRUE(admin->Save(path, ExistingFile::kReplace).ok());
  ASSERT_TRUE(importer->Reload().ok());
  EXPECT_EQ(opener.Open(last, after).substr(0, 12), "unknown_key:");
  EXPECT_EQ(opener.Open(Seal(exporter.get(), after), after), "user:ada");
}

TEST(RingSealTest, NoKeySealsYet) {
  const std::unique_ptr<KeyRing> ring = Must(KeyRing::Generate(kNow));
  const auto sealer = Must(KeyRingSealer::Create(ring.get(), "web", kMachine));
  EXPECT_EQ(
      Why(sealer->Seal(Bytes("b"), kNow - absl::Nanoseconds(1), kNow + absl::Seconds(1)).status()),
      "no_credentials: no key of the ring seals yet; add one that seals from now on");
}

}  // namespace
}  // namespace reeve
