#include "reeve/adapters/context/seal/machine.h"

#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/str_replace.h"
#include "reeve/adapters/context/seal/seal_testing.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

constexpr char kId[] = "0123456789abcdef0123456789abcdef\n";
constexpr char kBoot[] = "01234567-89ab-cdef-0123-456789abcdef\n";

struct MachineCase {
  const char* name;
  const char* machine_id;  // Null: no such file.
  const char* boot_id;
  const char* want;  // DIR stands for the directory.
};
std::ostream& operator<<(std::ostream& os, const MachineCase& c) { return os << c.name; }

class MachineTest : public ::testing::TestWithParam<MachineCase> {};

TEST_P(MachineTest, IsReadOrRefused) {
  const MachineCase& c = GetParam();
  const peer_testing::TempDirectory directory;
  for (const auto& [name, text] : {std::pair("id", c.machine_id), std::pair("boot", c.boot_id)}) {
    if (text != nullptr) std::ofstream(directory / name) << text;
  }
  const absl::StatusOr<Machine> machine = Machine::Read(directory / "id", directory / "boot");
  EXPECT_EQ(machine.ok() ? machine->machine_id + " " + machine->boot_id
                         : absl::StrReplaceAll(seal_testing::Why(machine.status()),
                                               {{directory.path(), "DIR"}}),
            c.want);
}

constexpr char kBadId[] = "no_credentials: DIR/id: holds no id; see machine-id(5) and random(4)";
constexpr char kBadBoot[] =
    "no_credentials: DIR/boot: holds no id; see machine-id(5) and random(4)";
const MachineCase kCases[] = {
    {"Both", kId, kBoot, "0123456789abcdef0123456789abcdef 01234567-89ab-cdef-0123-456789abcdef"},
    {"NoLineEnd", "0123456789abcdef0123456789abcdef", "01234567-89ab-cdef-0123-456789abcdef",
     "0123456789abcdef0123456789abcdef 01234567-89ab-cdef-0123-456789abcdef"},
    {"NoMachineId", nullptr, kBoot,
     "no_credentials: DIR/id: cannot be read: No such file or directory; without it a context "
     "cannot be bound to this machine"},
    {"NoBootId", kId, nullptr,
     "no_credentials: DIR/boot: cannot be read: No such file or directory; without it a context "
     "cannot be bound to this machine"},
    {"Empty", "", kBoot, kBadId},
    {"Uninitialized", "uninitialized\n", kBoot, kBadId},
    {"Zeros", "00000000000000000000000000000000\n", kBoot, kBadId},
    {"UpperCase", "0123456789ABCDEF0123456789abcdef\n", kBoot, kBadId},
    {"TooShort", "0123456789abcdef0123456789abcde\n", kBoot, kBadId},
    {"TooLong", "0123456789abcdef0123456789abcdef0\n", kBoot, kBadId},
    {"TwoLines", "0123456789abcdef0123456789abcdef\n\n", kBoot, kBadId},
    {"BootIdWithoutDashes", kId, "0123456789abcdef0123456789abcdef\n", kBadBoot},
    {"BootIdEmpty", kId, "", kBadBoot},
};
INSTANTIATE_TEST_SUITE_P(, MachineTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(ThisMachineTest, IsRead) {
  std::string id, boot;
  if (!std::getline(std::ifstream("/etc/machine-id"), id)) GTEST_SKIP() << "has no machine-id";
  std::getline(std::ifstream("/proc/sys/kernel/random/boot_id"), boot);
  const absl::StatusOr<Machine> machine = Machine::Read();
  ASSERT_TRUE(machine.ok()) << machine.status();
  EXPECT_EQ(machine->machine_id, id);
  EXPECT_EQ(machine->boot_id, boot);
}

}  // namespace
}  // namespace reeve
