// No code of this project calls a function of glibc that changes the ids of a process: it would
// change all threads, and abort the process while one is inside RunAs(). What calls one refers to
// it, so that the archives of the libraries tell.
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <set>
#include <sstream>
#include <string>

#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

const std::set<std::string>& SetxidFunctions() {
  static const auto& names =
      *new std::set<std::string>{"setuid",   "setgid",    "seteuid",   "setegid",   "setreuid",
                                 "setregid", "setresuid", "setresgid", "setgroups", "initgroups"};
  return names;
}

// What runs a command prints.
std::string OutputOf(const std::string& command) {
  std::string text;
  FILE* const pipe = popen(command.c_str(), "r");
  std::array<char, 4096> block;
  for (size_t n; (n = fread(block.data(), 1, block.size(), pipe)) > 0;) {
    text.append(block.data(), n);
  }
  EXPECT_EQ(pclose(pipe), 0) << command;
  return text;
}

// The functions of that family that a file refers to.
std::set<std::string> Refers(const std::string& path) {
  std::set<std::string> found;
  std::istringstream lines(OutputOf("nm --undefined-only --format=posix " + path + " 2>/dev/null"));
  for (std::string line; std::getline(lines, line);) {
    const std::string name = line.substr(0, line.find_first_of(" @"));
    if (SetxidFunctions().count(name) != 0) found.insert(name);
  }
  return found;
}

TEST(Setxid, IsCalledByNoLibrary) {
  REQUIRE_PROGRAM("nm", "binutils");
  std::istringstream paths(OutputOf("find -L . -name '*.a' ! -name '*testing*'"));
  int archives = 0;
  for (std::string path; std::getline(paths, path); ++archives) {
    EXPECT_EQ(Refers(path), std::set<std::string>()) << path;
  }
  EXPECT_GE(archives, 10);
}

// So that the test above can fail: the processes of the tests do call them.
TEST(Setxid, IsSeenWhereItIsCalled) {
  REQUIRE_PROGRAM("nm", "binutils");
  const std::string path = OutputOf("find -L . -name 'libprocess_testing.a'");
  EXPECT_EQ(Refers(path.substr(0, path.find('\n'))),
            (std::set<std::string>{"setgroups", "setresgid", "setresuid"}));
}

}  // namespace
}  // namespace reeve
