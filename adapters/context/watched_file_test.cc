// What files say is shown by the tests of jwt/jwks_file.h and tls/spiffe_bundles.h; here is what
// both have in common and neither can make happen.
#include "reeve/adapters/context/watched_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <new>
#include <string>
#include <string_view>

namespace reeve {
namespace {

const absl::Time kNow = absl::FromUnixSeconds(1800000000);

class WatchedFileTest : public ::testing::Test {
 protected:
  WatchedFileTest() {
    directory_ = ::testing::TempDir() + "/watched.XXXXXX";
    if (mkdtemp(directory_.data()) == nullptr) std::abort();
    path_ = directory_ + "/file";
  }
  ~WatchedFileTest() override {
    unlink(path_.c_str());
    rmdir(directory_.c_str());
  }

  void Write(std::string_view text) {
    std::ofstream(path_) << text;
    ASSERT_EQ(chmod(path_.c_str(), 0644), 0);
  }

  std::string directory_;
  std::string path_;
};

// An import that finds no memory is refused and the program goes on; what the file no longer says
// must not be believed for the rest of its life.
TEST_F(WatchedFileTest, LooksAgainWhenThereWasNoMemory) {
  bool memory = true;
  WatchedFile<const std::string> file(
      path_, 100, absl::Seconds(10),
      [&](std::string_view text) -> absl::StatusOr<std::shared_ptr<const std::string>> {
        if (!memory) throw std::bad_alloc();
        return std::make_shared<const std::string>(text);
      });
  Write("old");
  ASSERT_EQ(file.Read(kNow), absl::OkStatus());
  Write("new");
  memory = false;
  EXPECT_THROW(file.Look(kNow + absl::Seconds(10)), std::bad_alloc);
  EXPECT_EQ(*file.state().value, "old");
  EXPECT_EQ(file.state().checked, kNow);
  memory = true;
  EXPECT_EQ(*file.Look(kNow + absl::Seconds(10)).value, "new");
}

TEST_F(WatchedFileTest, ShowsWhatIsTooLong) {
  for (const size_t size : {0, 9, 10, 11, 12}) {
    Write(std::string(size, 'x'));
    const absl::StatusOr<std::string> text = ReadGuardedFile(path_, 10);
    ASSERT_TRUE(text.ok()) << text.status();
    EXPECT_EQ(text->size(), size < 11 ? size : 11);
  }
}

TEST(InFileTest, NamesThePlace) {
  EXPECT_EQ(InFile("a\x1b", absl::UnavailableError("cannot be read")).ToString(),
            "UNAVAILABLE: a\\x1b: cannot be read");
  EXPECT_EQ(InFile("a", absl::InvalidArgumentError(":3: this is no key")).ToString(),
            "INVALID_ARGUMENT: a:3: this is no key");
}

}  // namespace
}  // namespace reeve
