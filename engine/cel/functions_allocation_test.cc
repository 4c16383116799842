// What the functions that ordinary conditions call take from the heap: nothing. Its own program,
// since it replaces operator new.
#include <gtest/gtest.h>

#include <cstdint>
#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/regex.h"

namespace {

thread_local int64_t allocations = 0;

void* Allocate(size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return Allocate(bytes); }
void* operator new[](size_t bytes) { return Allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }

namespace reeve::cel {
namespace {

class FunctionAllocationTest : public testing::Test {
 protected:
  FunctionAllocationTest() { context_.Reset(1000000, 1 << 20); }

  // Calls it twice, and once more while it counts.
  void ExpectNone(const char* name, std::vector<Cell> arguments, const char* want) {
    const Function* function = FindFunction(name);
    ASSERT_NE(function, nullptr) << name;
    for (int i = 0; i < 2; ++i) EXPECT_EQ(ToString(function->call(arguments, context_)), want);
    const int64_t before = allocations;
    const Cell result = function->call(arguments, context_);
    const int64_t after = allocations;
    EXPECT_EQ(after - before, 0) << name;
    EXPECT_EQ(ToString(result), want) << name;
  }

  Context context_;
};

TEST_F(FunctionAllocationTest, Counts) {
  const int64_t before = allocations;
  delete new std::string(100, 'a');
  EXPECT_GT(allocations, before);
}

TEST_F(FunctionAllocationTest, PredicatesAndNumbers) {
  ExpectNone("contains", {Cell::String("tacocat"), Cell::String("coc")}, "true");
  ExpectNone("startsWith", {Cell::String("tacocat"), Cell::String("taco")}, "true");
  ExpectNone("endsWith", {Cell::String("tacocat"), Cell::String("dog")}, "false");
  ExpectNone("matches", {Cell::String("tacocat"), Cell::String("^t.*t$")}, "true");
  ExpectNone("lowerAscii", {Cell::String("TacoCat")}, "\"tacocat\"");
  ExpectNone("math.greatest", {Cell::Int(1), Cell::Double(2.5), Cell::Uint(2)}, "2.5");
  ExpectNone("math.abs", {Cell::Int(-1)}, "1");
  ExpectNone("math.round", {Cell::Double(1.5)}, "2.0");
}

TEST_F(FunctionAllocationTest, ConstantExpressions) {
  const Regex regex("^[a-z]+@(example|test)\\.com$");
  const Cell text = Cell::String("ada@example.com");
  EXPECT_TRUE(Matches(regex, text, context_).is_bool(true));  // RE2 builds its states.
  const int64_t before = allocations;
  const Cell result = Matches(regex, text, context_);
  const int64_t after = allocations;
  EXPECT_EQ(after - before, 0);
  EXPECT_TRUE(result.is_bool(true));
}

TEST_F(FunctionAllocationTest, SetsAndNetworks) {
  const std::vector<std::string> groups = {"staff", "finance", "audit"};
  const Cell wanted[] = {Cell::String("legal"), Cell::String("audit")};
  const Cell list = context_.MakeList(wanted);
  ExpectNone("sets.intersects", {Cell::Strings(groups), list}, "true");
  ExpectNone("sets.contains", {Cell::Strings(groups), list}, "false");
  const IpBytes ip = {{10, 1, 2, 3}};
  const Cell network = Cell::Cidr(&ip, false, 8);
  ExpectNone("containsIP", {network, Cell::Ip(&ip, false)}, "true");
  ExpectNone("containsIP", {network, Cell::String("11.0.0.1")}, "false");
  ExpectNone("isLoopback", {Cell::Ip(&ip, false)}, "false");
}

}  // namespace
}  // namespace reeve::cel
