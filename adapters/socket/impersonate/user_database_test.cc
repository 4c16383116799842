#include "reeve/adapters/socket/impersonate/user_database.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#include <algorithm>
#include <ostream>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/adapters/socket/unix_identity.h"

namespace reeve {
namespace {

using peer_testing::Child;

// "1000: 100, 7 100", or the error.
std::string Resolved(uid_t uid) {
  absl::StatusOr<UnixIdentity> identity = ResolveUnixIdentity(uid);
  if (!identity.ok()) return identity.status().ToString();
  std::sort(identity->groups.begin(), identity->groups.end());
  if (identity->groups.size() > 10) {
    return absl::StrCat(identity->uid, ": ", identity->gid, ", ", identity->groups.size(),
                        " groups to ", identity->groups.back());
  }
  return absl::StrCat(identity->uid, ": ", identity->gid, ", ",
                      absl::StrJoin(identity->groups, " "));
}

// Groups from `first` on, each with ada.
std::string Groups(int first, int count) {
  std::string text;
  for (int gid = first; gid < first + count; ++gid) absl::StrAppend(&text, "g:x:", gid, ":ada\n");
  return text;
}

struct Case {
  const char* name;
  const char* users;   // /etc/passwd; none if null.
  std::string groups;  // /etc/group; none if "none".
  std::string want;    // Of uid 1000.
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class UserDatabaseTest : public ::testing::TestWithParam<Case> {};

TEST_P(UserDatabaseTest, Resolves) {
  const Case& c = GetParam();
  // In a process that sees another /etc.
  Child child([&](const Child::Pipes& pipes) {
    const auto write_file = [](const char* path, const std::string& text) {
      const int fd = open(path, O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
      const bool ok =
          fd >= 0 && write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size());
      return close(fd) == 0 && ok;
    };
    if (unshare(CLONE_NEWNS) != 0 ||
        mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        mount("tmpfs", "/etc", "tmpfs", 0, nullptr) != 0) {
      pipes.Say("skip");
      return 0;
    }
    if (!write_file("/etc/nsswitch.conf", "passwd: files\ngroup: files\n")) return 1;
    if (c.users != nullptr && !write_file("/etc/passwd", c.users)) return 1;
    if (c.groups != "none" && !write_file("/etc/group", c.groups)) return 1;
    pipes.Say(Resolved(1000));
    return 0;
  });
  const std::string got = child.Hear();
  EXPECT_EQ(child.Wait(), 0);
  if (got == "skip") GTEST_SKIP() << "needs root, to mount another /etc";
  EXPECT_EQ(got, c.want);
}

constexpr char kAda[] = "root:x:0:0::/:/bin/sh\nada:x:1000:100::/:/bin/sh\n";
constexpr char kDown[] =
    " cannot be looked up: No such file or directory; check nsswitch.conf and what it names";

INSTANTIATE_TEST_SUITE_P(
    , UserDatabaseTest,
    ::testing::Values(
        Case{"PrimaryGroupOnly", kAda, "users:x:100:\nothers:x:7:eve\n", "1000: 100, 100"},
        Case{"PrimaryGroupWithoutName", kAda, "", "1000: 100, 100"},
        Case{"Groups", kAda, "users:x:100:\nwheel:x:7:eve,ada\nadas:x:9:ada2\nx:x:8:ada\n",
             "1000: 100, 7 8 100"},
        Case{"OfTheFirstNameOfTheUid", "ada:x:1000:100::/:\neve:x:1000:200::/:\n",
             "x:x:7:eve\ny:x:8:ada\n", "1000: 100, 8 100"},
        Case{"MoreGroupsThanTheFirstBuffer", kAda, Groups(2000, 500),
             "1000: 100, 501 groups to 2499"},
        Case{"AllGroupsThatThereCanBe", kAda, Groups(2000, 65535),
             "1000: 100, 65536 groups to 67534"},
        Case{"MoreGroupsThanThereCanBe", kAda, Groups(2000, 65536),
             "RESOURCE_EXHAUSTED: uid 1000 is in more than 65536 groups; take it out of some"},
        Case{
            "NoSuchUser", "root:x:0:0::/:/bin/sh\n", "users:x:100:ada\n",
            "NOT_FOUND: there is no user of uid 1000 on this machine; add one, or refuse the peer"},
        Case{"NoUsers", nullptr, "users:x:100:ada\n", absl::StrCat("UNAVAILABLE: uid 1000", kDown)},
        Case{"NoGroups", kAda, "none", absl::StrCat("UNAVAILABLE: the name of gid 100", kDown)}),
    [](const auto& info) { return info.param.name; });

TEST(UserDatabase, KnowsTheMachinesUsers) {
  const absl::StatusOr<UnixIdentity> root = ResolveUnixIdentity(0);
  ASSERT_TRUE(root.ok()) << root.status();
  EXPECT_EQ(root->uid, 0u);
  EXPECT_EQ(root->gid, 0u);
  EXPECT_EQ(ResolveUnixIdentity(4004004).status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(ResolveUnixIdentity(static_cast<uid_t>(-1)).status().code(),
            absl::StatusCode::kNotFound);
}

}  // namespace
}  // namespace reeve
