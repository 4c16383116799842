#include "reeve/adapters/socket/capabilities/capabilities.h"

#include <dirent.h>
#include <gtest/gtest.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using State = Capability::State;
using peer_testing::Become;
using peer_testing::Child;

State StateOf(const std::vector<Capability>& all, std::string_view name) {
  const auto found =
      std::find_if(all.begin(), all.end(), [name](const Capability& c) { return c.name == name; });
  EXPECT_NE(found, all.end()) << name;
  return found == all.end() ? State::kUnknown : found->state;
}

int OpenDescriptors() {
  DIR* dir = opendir("/proc/self/fd");
  int count = 0;
  while (readdir(dir) != nullptr) ++count;
  closedir(dir);
  return count;
}

TEST(CapabilitiesTest, AreTheNamedOnesInOrderWithAReason) {
  std::vector<std::string> names;
  for (const Capability& c : Capabilities()) {
    names.emplace_back(c.name);
    EXPECT_FALSE(c.effect.empty()) << c.name;
    EXPECT_EQ(c.effect.find('\n'), std::string::npos) << c.name;
  }
  EXPECT_EQ(names,
            (std::vector<std::string>{
                "unix_credentials", "unix_pidfd", "pidfd_number", "message_pidfd", "unix_label",
                "network_number", "tcp_diag", "tcp_cgroup", "udp_diag", "ipsec_policy", "ipsec_esp",
                "ipsec_socket_policy", "wireguard", "switch_user", "resolve_beneath"}));
}

TEST(CapabilitiesTest, LeaveNothingOpenAndStayInTheNetwork) {
  char before[64] = {}, after[64] = {};
  ASSERT_GT(readlink("/proc/thread-self/ns/net", before, sizeof(before) - 1), 0);
  Capabilities();  // What libraries keep is open now.
  const int open = OpenDescriptors();
  Capabilities();
  EXPECT_EQ(OpenDescriptors(), open);
  ASSERT_GT(readlink("/proc/thread-self/ns/net", after, sizeof(after) - 1), 0);
  EXPECT_STREQ(before, after);
}

TEST(CapabilitiesTest, ArePresentOnEveryKernelThatRunsTheTests) {
  const std::vector<Capability> all = Capabilities();
  for (const char* name : {"unix_credentials", "network_number", "tcp_diag", "udp_diag"}) {
    EXPECT_EQ(StateOf(all, name), State::kPresent) << name;
  }
}

// What of it is lost with the rights.
TEST(CapabilitiesTest, SayWhatAnUnprivilegedProgramLacks) {
  REQUIRE_OTHER_USERS();
  Child child([](const Child::Pipes& pipes) {
    Become({1234, 1234, {}});
    std::vector<std::string> lost;
    for (const Capability& c : Capabilities()) {
      if (c.effect.find("CAP_") != std::string::npos) {
        lost.push_back(absl::StrCat(std::string(c.name), "=", std::string(ToString(c.state))));
      }
    }
    pipes.Say(absl::StrJoin(lost, " "));
    return 0;
  });
  EXPECT_EQ(child.Hear(),
            "ipsec_policy=absent ipsec_esp=unknown ipsec_socket_policy=absent switch_user=absent");
  EXPECT_EQ(child.Wait(), 0);
}

TEST(CapabilitiesTest, SayWhichRightIsMissing) {
  REQUIRE_OTHER_USERS();
  Child child([](const Child::Pipes& pipes) {
    __user_cap_header_struct header = {_LINUX_CAPABILITY_VERSION_3, 0};
    __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {};
    data[0].effective = data[0].permitted = 1u << CAP_SETUID;
    if (syscall(SYS_capset, &header, data) != 0) return 1;
    for (const Capability& c : Capabilities()) {
      if (c.name == "switch_user") pipes.Say(c.effect);
    }
    return 0;
  });
  EXPECT_EQ(child.Hear(), "needs CAP_SETGID; RunAs() and UserWorkers are refused");
  EXPECT_EQ(child.Wait(), 0);
}

// In a namespace whose loopback device is down nothing can be connected.
TEST(CapabilitiesTest, SayThatALocalConnectionCannotBeMade) {
  REQUIRE_NETWORKS();
  Child child([](const Child::Pipes& pipes) {
    if (unshare(CLONE_NEWNET) != 0) return 1;
    const std::vector<Capability> all = Capabilities();
    pipes.Say(std::string(ToString(StateOf(all, "tcp_diag"))));
    return 0;
  });
  EXPECT_EQ(child.Hear(), "absent");
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace reeve
