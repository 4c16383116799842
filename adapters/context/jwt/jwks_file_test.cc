#include "reeve/adapters/context/jwt/jwks_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/jwt/jwt_testing.h"

namespace reeve {
namespace {

namespace fs = std::filesystem;

const absl::Time kNow = absl::FromUnixSeconds(1800000000);

std::string SetOf(std::string_view kid) {
  static const jwt_testing::SigningKey* const key =
      new jwt_testing::SigningKey(jwt_testing::SigningKey::Ed25519());
  return jwt_testing::JwkSetOf({key->Jwk(absl::StrCat("\"kid\":\"", std::string(kid), "\""))});
}

class JwksFileTest : public testing::Test {
 protected:
  JwksFileTest() {
    std::string name = testing::TempDir() + "/jwks.XXXXXX";
    if (mkdtemp(name.data()) == nullptr) std::abort();
    directory_ = name;
    path_ = name + "/jwks.json";
  }
  ~JwksFileTest() override { fs::remove_all(directory_); }

  // In place.
  void Write(std::string_view text) {
    std::ofstream(path_) << text;
    ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  }

  // A new file in the place of the old one.
  void Replace(std::string_view text) {
    std::ofstream(path_ + ".new") << text;
    ASSERT_EQ(chmod((path_ + ".new").c_str(), 0644), 0);
    ASSERT_EQ(std::rename((path_ + ".new").c_str(), path_.c_str()), 0);
  }

  // The names of the keys at `now`; or the error.
  static std::string Kids(const JwksFile& file, absl::Time now) {
    const absl::StatusOr<std::shared_ptr<const JwkSet>> keys = file.Keys(now);
    if (!keys.ok()) {
      const auto error = ContextErrorOf(keys.status());
      return absl::StrCat(error.has_value() ? std::string(ToString(*error)) : "?", ": ",
                          keys.status().message());
    }
    std::string kids;
    for (const Jwk& key : (*keys)->keys()) kids += key.kid();
    return kids;
  }

  std::string Place(const absl::Status& status) const {
    return absl::StrReplaceAll(status.ToString(), {{path_, "PATH"}});
  }

  std::string directory_;
  std::string path_;
};

TEST_F(JwksFileTest, OpensGoodFilesOnly) {
  struct Row {
    const char* name;
    std::function<void()> make;
    const char* want;
  };
  const Row rows[] = {
      {"Good", [&] { Write(SetOf("a")); }, "OK"},
      {"ThroughALink",
       [&] {
         Write(SetOf("a"));
         fs::rename(path_, path_ + ".real");
         fs::create_symlink(path_ + ".real", path_);
       },
       "OK"},
      {"Absent", [] {}, "UNAVAILABLE: PATH: cannot be read: No such file or directory"},
      {"Directory", [&] { fs::create_directory(path_); },
       "INVALID_ARGUMENT: PATH: is not a regular file"},
      {"Pipe", [&] { ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0); },
       "INVALID_ARGUMENT: PATH: is not a regular file"},
      {"WrittenByGroup",
       [&] {
         Write(SetOf("a"));
         chmod(path_.c_str(), 0664);
       },
       "INVALID_ARGUMENT: PATH: may be written by its group or by others; chmod go-w it"},
      {"WrittenByOthers",
       [&] {
         Write(SetOf("a"));
         chmod(path_.c_str(), 0602);
       },
       "INVALID_ARGUMENT: PATH: may be written by its group or by others; chmod go-w it"},
      {"Empty", [&] { Write(""); }, "INVALID_ARGUMENT: PATH: the key set is not JSON"},
      {"Half", [&] { Write(SetOf("a").substr(0, 60)); },
       "INVALID_ARGUMENT: PATH: the key set is not JSON"},
      {"TooLarge", [&] { Write(std::string(kMaxJwkSetBytes + 5, ' ')); },
       "INVALID_ARGUMENT: PATH: the key set is too large"},
      {"Private", [&] { Write(R"({"keys":[{"kty":"oct","k":"AA"}]})"); },
       "INVALID_ARGUMENT: PATH: key 1 is private or secret: it has `k`; publish the public key "
       "alone, and replace this one, for it is known now"},
  };
  for (const Row& row : rows) {
    fs::remove_all(path_);
    row.make();
    const auto file = JwksFile::Open(path_, JwksFileOptions(), kNow);
    EXPECT_EQ(Place(file.status()), row.want) << row.name;
  }
}

TEST_F(JwksFileTest, RefusesOptionsThatMakeNoSense) {
  Write(SetOf("a"));
  JwksFileOptions options;
  options.check_interval = -absl::Seconds(1);
  EXPECT_EQ(JwksFile::Open(path_, options, kNow).status().message(),
            "check_interval is negative, or max_key_age is not above it");
  options.check_interval = options.max_key_age = absl::Seconds(10);
  EXPECT_EQ(JwksFile::Open(path_, options, kNow).status().message(),
            "check_interval is negative, or max_key_age is not above it");
}

TEST_F(JwksFileTest, LooksAgainAfterTheInterval) {
  Write(SetOf("a"));
  const auto file = JwksFile::Open(path_, JwksFileOptions(), kNow);
  ASSERT_TRUE(file.ok()) << file.status();
  Replace(SetOf("b"));
  EXPECT_EQ(Kids(**file, kNow), "a");
  EXPECT_EQ(Kids(**file, kNow + absl::Seconds(9)), "a");
  EXPECT_EQ(Kids(**file, kNow + absl::Seconds(10)), "b");
  Replace(SetOf("c"));
  EXPECT_EQ(Kids(**file, kNow + absl::Seconds(19)), "b");
  // A clock that was set back; by less than the interval, it may be another thread's.
  EXPECT_EQ(Kids(**file, kNow), "b");
  EXPECT_EQ(Kids(**file, kNow - absl::Seconds(1)), "c");
}

TEST_F(JwksFileTest, SeesEveryChangeOfTheBytes) {
  JwksFileOptions options;
  options.check_interval = absl::ZeroDuration();
  Write(SetOf("a"));
  struct stat before;
  ASSERT_EQ(stat(path_.c_str(), &before), 0);
  const auto file = JwksFile::Open(path_, options, kNow);
  ASSERT_TRUE(file.ok()) << file.status();
  // Of the same size, inode and time.
  Write(SetOf("b"));
  const timespec times[2] = {before.st_atim, before.st_mtim};
  ASSERT_EQ(utimensat(AT_FDCWD, path_.c_str(), times, 0), 0);
  EXPECT_EQ(Kids(**file, kNow), "b");
  // The same again is the same set.
  const auto keys = (*file)->Keys(kNow);
  Replace(SetOf("b"));
  EXPECT_EQ((*file)->Keys(kNow).value(), keys.value());
}

TEST_F(JwksFileTest, ReloadsWhenAsked) {
  Write(SetOf("a"));
  const auto file = JwksFile::Open(path_, JwksFileOptions(), kNow);
  ASSERT_TRUE(file.ok()) << file.status();
  Replace(SetOf("b"));
  EXPECT_EQ(Place((*file)->Reload(kNow)), "OK");
  EXPECT_EQ(Kids(**file, kNow), "b");
  Replace("{}");
  EXPECT_EQ(Place((*file)->Reload(kNow + absl::Seconds(1))),
            "INVALID_ARGUMENT: PATH: the key set is not an object with a list `keys`");
  EXPECT_EQ(Kids(**file, kNow + absl::Seconds(1)), "b");
}

TEST_F(JwksFileTest, KeepsTheLastGoodKeysUntilTheyAreTooOld) {
  Write(SetOf("a"));
  JwksFileOptions options;
  options.max_key_age = absl::Hours(1);
  const auto file = JwksFile::Open(path_, options, kNow);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ((*file)->state().error, absl::OkStatus());
  EXPECT_EQ((*file)->state().good, kNow);

  // Unchanged, they do not age.
  EXPECT_EQ(Kids(**file, kNow + absl::Hours(5)), "a");
  EXPECT_EQ((*file)->state().good, kNow + absl::Hours(5));

  const absl::Time broken = kNow + absl::Hours(5);
  Replace(R"({"keys":[]})");
  EXPECT_EQ(Kids(**file, broken + absl::Minutes(1)), "a");
  JwksFile::State state = (*file)->state();
  EXPECT_EQ(state.good, broken);
  EXPECT_EQ(state.checked, broken + absl::Minutes(1));
  EXPECT_EQ(Place(state.error),
            "INVALID_ARGUMENT: PATH: the key set has no key that verifies tokens");
  EXPECT_EQ(Kids(**file, broken + absl::Minutes(59)), "a");
  fs::remove(path_);
  EXPECT_EQ(absl::StrReplaceAll(Kids(**file, broken + absl::Hours(1)), {{path_, "PATH"}}),
            "no_credentials: the keys were last read at 2027-01-15T13:00:00Z, too long ago: PATH: "
            "cannot be read: No such file or directory");

  // It mends itself.
  Replace(SetOf("b"));
  EXPECT_EQ(Kids(**file, broken + absl::Hours(2)), "b");
  EXPECT_EQ((*file)->state().error, absl::OkStatus());
}

TEST_F(JwksFileTest, KeepsThemForEverIfTold) {
  Write(SetOf("a"));
  JwksFileOptions options;
  options.max_key_age = absl::InfiniteDuration();
  const auto file = JwksFile::Open(path_, options, kNow);
  ASSERT_TRUE(file.ok()) << file.status();
  fs::remove(path_);
  EXPECT_EQ(Kids(**file, kNow + absl::Hours(24 * 365 * 100)), "a");
}

TEST_F(JwksFileTest, RefusesAFileThatOthersMayWriteFromThenOn) {
  Write(SetOf("a"));
  const auto file = JwksFile::Open(path_, JwksFileOptions(), kNow);
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(chmod(path_.c_str(), 0666), 0);
  EXPECT_EQ(Place((*file)->Reload(kNow)),
            "INVALID_ARGUMENT: PATH: may be written by its group or by others; chmod go-w it");
}

TEST_F(JwksFileTest, ReadsBundlesOfSpiffe) {
  Write(absl::StrReplaceAll(SetOf("a"), {{"\"kid\"", "\"use\":\"jwt-svid\",\"kid\""}}));
  JwksFileOptions options;
  options.use = JwkUse::kJwtSvid;
  const auto file = JwksFile::Open(path_, options, kNow);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_EQ(Kids(**file, kNow), "a");
}

// Threads ask while the file is replaced: each sees a whole set, and in the end the last one.
TEST_F(JwksFileTest, IsReplacedUnderManyReaders) {
  constexpr int kFiles = 200;
  Write(SetOf("0"));
  JwksFileOptions options;
  options.check_interval = absl::ZeroDuration();
  const auto file = JwksFile::Open(path_, options, kNow);
  ASSERT_TRUE(file.ok()) << file.status();
  std::atomic<bool> done{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> readers;
  for (int i = 0; i < 4; ++i) {
    readers.emplace_back([&, i] {
      int last = 0;
      while (!done) {
        if (i == 0) (*file)->Reload(kNow).IgnoreError();
        const auto keys = (*file)->Keys(kNow);
        if (!keys.ok() || (*keys)->keys().size() != 1) {
          ++wrong;
          return;
        }
        const int number = std::stoi((*keys)->keys()[0].kid());
        if (number < last) ++wrong;
        last = number;
      }
    });
  }
  for (int i = 1; i <= kFiles; ++i) Replace(SetOf(std::to_string(i)));
  done = true;
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(Kids(**file, kNow), std::to_string(kFiles));
  EXPECT_EQ((*file)->state().error, absl::OkStatus());
}

}  // namespace
}  // namespace reeve
