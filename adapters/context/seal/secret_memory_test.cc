#include "reeve/adapters/context/seal/secret_memory.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/seal_testing.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Child;

// What smaps says of the mapping that has `address`: the words of VmFlags, see proc(5).
std::vector<std::string> FlagsOf(const void* address) {
  std::ifstream smaps("/proc/self/smaps");
  const auto wanted = reinterpret_cast<uintptr_t>(address);
  bool inside = false;
  for (std::string line; std::getline(smaps, line);) {
    unsigned long begin, end;
    if (std::sscanf(line.c_str(), "%lx-%lx ", &begin, &end) == 2) {
      inside = begin <= wanted && wanted < end;
    } else if (inside && absl::StartsWith(line, "VmFlags:")) {
      return absl::StrSplit(line.substr(8), ' ', absl::SkipEmpty());
    }
  }
  return {};
}

bool Has(const std::vector<std::string>& flags, const char* flag) {
  for (const std::string& f : flags) {
    if (f == flag) return true;
  }
  return false;
}

TEST(SecretMemoryTest, IsLockedNotDumpedAndNotInherited) {
  const absl::StatusOr<SecretMemory> memory = SecretMemory::Create(10000);
  ASSERT_TRUE(memory.ok()) << memory.status();
  EXPECT_EQ(memory->size(), 10000u);
  EXPECT_EQ(std::string(reinterpret_cast<const char*>(memory->data()), 10000),
            std::string(10000, '\0'));
  // The mapping of the first byte, and that of the last.
  for (const uint8_t* at : {memory->data(), memory->data() + 9999}) {
    const std::vector<std::string> flags = FlagsOf(at);
    EXPECT_EQ(Has(flags, "lo"), !seal_testing::IsSanitized());
    EXPECT_TRUE(Has(flags, "dd"));
    EXPECT_TRUE(Has(flags, "wf"));
  }
  // And those words are not of every mapping.
  int on_stack = 0;
  const std::vector<std::string> flags = FlagsOf(&on_stack);
  EXPECT_FALSE(flags.empty());
  EXPECT_FALSE(Has(flags, "lo") || Has(flags, "dd") || Has(flags, "wf"));
}

TEST(SecretMemoryTest, AForkedChildHasZerosAndKnowsIt) {
  absl::StatusOr<SecretMemory> memory = SecretMemory::Create(5000);
  ASSERT_TRUE(memory.ok());
  std::memset(memory->data(), 'k', memory->size());
  EXPECT_TRUE(memory->here());
  Child child([&](const Child::Pipes& pipes) {
    size_t others = 0;
    for (size_t i = 0; i < memory->size(); ++i) others += memory->data()[i] != 0;
    pipes.Say(absl::StrCat(memory->here() ? "here" : "elsewhere", " ", others));
    // What a child makes is its own.
    pipes.Say(SecretMemory::Create(1)->here() ? "here" : "elsewhere");
    return 0;
  });
  EXPECT_EQ(child.Hear(), "elsewhere 0");
  EXPECT_EQ(child.Hear(), "here");
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_TRUE(memory->here());
  EXPECT_EQ(memory->data()[4999], 'k');
}

TEST(SecretMemoryTest, MovesAndIsGivenBack) {
  SecretMemory empty;
  EXPECT_FALSE(empty.here());
  EXPECT_EQ(empty.size(), 0u);
  absl::StatusOr<SecretMemory> first = SecretMemory::Create(3);
  ASSERT_TRUE(first.ok());
  uint8_t* const at = first->data();
  at[2] = 7;
  SecretMemory second = *std::move(first);
  EXPECT_EQ(second.data(), at);
  EXPECT_EQ(second.span(), absl::MakeConstSpan({uint8_t{0}, uint8_t{0}, uint8_t{7}}));
  empty = std::move(second);
  EXPECT_TRUE(empty.here());
  EXPECT_EQ(empty.data()[2], 7);
  EXPECT_TRUE(Has(FlagsOf(at), "wf"));
  empty = SecretMemory();
  EXPECT_FALSE(empty.here());
}

TEST(SecretMemoryTest, NoneIsEnoughToTellAChild) {
  const absl::StatusOr<SecretMemory> mark = SecretMemory::Create(0);
  ASSERT_TRUE(mark.ok());
  EXPECT_TRUE(mark->here());
  EXPECT_EQ(Child([&](const Child::Pipes&) { return mark->here() ? 1 : 0; }).Wait(), 0);
}

void Limit(int resource, rlim_t value) {
  const rlimit limit = {value, value};
  if (setrlimit(resource, &limit) != 0) _exit(98);
}

struct LimitCase {
  const char* name;
  rlim_t locked;
  SecretMemory::Lock lock;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const LimitCase& c) { return os << c.name; }

class LimitTest : public ::testing::TestWithParam<LimitCase> {};

TEST_P(LimitTest, OfLockedMemory) {
  REQUIRE_OTHER_USERS();
  if (seal_testing::IsSanitized()) GTEST_SKIP() << "needs an mlock(2) that the sanitizer lets be";
  const LimitCase& c = GetParam();
  Child child([&](const Child::Pipes& pipes) {
    Limit(RLIMIT_MEMLOCK, c.locked);
    peer_testing::Become({1234, 1234, {}});  // Root has no such limit.
    const absl::StatusOr<SecretMemory> memory = SecretMemory::Create(5000, c.lock);
    pipes.Say(memory.ok() ? absl::StrCat("OK", Has(FlagsOf(memory->data()), "lo") ? " locked" : "",
                                         Has(FlagsOf(memory->data()), "wf") ? " wiped" : "")
                          : absl::StrCat(absl::StatusCodeToString(memory.status().code()), ": ",
                                         memory.status().message()));
    return 0;
  });
  EXPECT_EQ(child.Hear(), c.want);
  EXPECT_EQ(child.Wait(), 0);
}

constexpr auto kRequired = SecretMemory::Lock::kRequired;
constexpr auto kIfAllowed = SecretMemory::Lock::kIfAllowed;
const LimitCase kLimitCases[] = {
    {"Enough", 8192, kRequired, "OK locked wiped"},
    {"APageTooLittle", 4096, kRequired,
     "RESOURCE_EXHAUSTED: the memory for keys cannot be locked: Cannot allocate memory; raise "
     "RLIMIT_MEMLOCK (`ulimit -l`) by 8 KiB, or let it be swapped by "
     "SecretMemory::Lock::kIfAllowed"},
    {"None", 0, kRequired,
     "RESOURCE_EXHAUSTED: the memory for keys cannot be locked: Operation not permitted; raise "
     "RLIMIT_MEMLOCK (`ulimit -l`) by 8 KiB, or let it be swapped by "
     "SecretMemory::Lock::kIfAllowed"},
    {"NoneAndNotRequired", 0, kIfAllowed, "OK wiped"},
};
INSTANTIATE_TEST_SUITE_P(, LimitTest, ::testing::ValuesIn(kLimitCases),
                         [](const auto& info) { return info.param.name; });

TEST(SecretMemoryTest, NoMemoryIsAnError) {
  EXPECT_EQ(ContextErrorOf(SecretMemory::Create(SIZE_MAX).status()),
            ContextError::kResourceExhausted);
  Child child([](const Child::Pipes& pipes) {
    unsigned long pages = 0;
    std::ifstream("/proc/self/statm") >> pages;
    constexpr size_t kMore = 64 << 20;
    Limit(RLIMIT_AS, pages * 4096 + kMore);
    const absl::StatusOr<SecretMemory> memory = SecretMemory::Create(kMore + 1);
    pipes.Say(std::string(memory.status().message()));
    pipes.Say(SecretMemory::Create(100).ok() ? "OK" : "none");
    return 0;
  });
  EXPECT_EQ(child.Hear(),
            "there are no 67108865 bytes of memory for keys: Cannot allocate memory; raise "
            "RLIMIT_AS");
  EXPECT_EQ(child.Hear(), "OK");
  EXPECT_EQ(child.Wait(), 0);
}

}  // namespace
}  // namespace reeve
