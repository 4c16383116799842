#include "reeve/engine/cel/context.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "gtest/gtest.h"
#include "reeve/engine/cel/operators.h"

namespace reeve::cel {
namespace {

TEST(ArenaTest, GivesAlignedRoomUpToItsLimit) {
  Arena arena;
  arena.Reset(100000);
  size_t got = 0;
  for (size_t size = 1; size < 3000; size = size * 2 + 1) {
    void* room = arena.Allocate(size);
    ASSERT_NE(room, nullptr);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(room) % 16, 0u);
    std::memset(room, 0xAB, size);
    got += size;
  }
  EXPECT_GE(arena.used(), got);
  EXPECT_EQ(arena.Allocate(100001), nullptr);
  EXPECT_NE(arena.Allocate(100000 - arena.used()), nullptr);
  EXPECT_EQ(arena.Allocate(1), nullptr);
}

TEST(ArenaTest, KeepsItsMemory) {
  Arena arena;
  arena.Reset(1000);
  void* first = arena.Allocate(10);
  arena.Reset(1000);
  EXPECT_EQ(arena.used(), 0u);
  EXPECT_EQ(arena.Allocate(10), first);
}

TEST(ArenaTest, AllocatesNothingByDefault) {
  Arena arena;
  EXPECT_EQ(arena.Allocate(1), nullptr);
}

TEST(ContextTest, EndsAtItsCost) {
  Context context;
  context.Reset(10, 1000);
  EXPECT_TRUE(context.Charge(10));
  EXPECT_FALSE(context.exhausted());
  EXPECT_FALSE(context.Charge(1));
  EXPECT_TRUE(context.exhausted());
  EXPECT_FALSE(context.Charge(1));
  EXPECT_EQ(ToString(context.LimitError()), "the cost limit is reached");
  context.Reset(10, 1000);
  EXPECT_FALSE(context.exhausted());
  EXPECT_TRUE(context.Charge(1));
}

TEST(ContextTest, ALargeChargeSpendsWhatIsLeft) {
  Context context;
  context.Reset(10, 1000);
  EXPECT_FALSE(context.Charge(11));
  EXPECT_FALSE(context.Charge(1));
}

TEST(ContextTest, EndsAtItsMemory) {
  Context context;
  context.Reset(1000, 64);
  EXPECT_EQ(ToString(context.CopyString(std::string(64, 'x'))), '"' + std::string(64, 'x') + '"');
  EXPECT_EQ(context.budget(), 995u);
  EXPECT_EQ(ToString(context.CopyString("x")), "the memory limit is reached");
  EXPECT_TRUE(context.exhausted());
  EXPECT_FALSE(context.Charge(1));
  EXPECT_EQ(ToString(context.CopyString("")), "\"\"");
}

TEST(ContextTest, RefusesHugeCounts) {
  Context context;
  context.Reset(UINT64_MAX, SIZE_MAX);
  EXPECT_EQ(context.Allocate<Cell>(SIZE_MAX), nullptr);
  EXPECT_TRUE(context.exhausted());
}

TEST(ContextTest, ErrorsHaveTexts) {
  for (int code = 0; code <= static_cast<int>(ErrorCode::kMemoryLimit); ++code) {
    EXPECT_NE(ToString(static_cast<ErrorCode>(code)), "unknown error") << code;
  }
  EXPECT_EQ(ToString(Cell::Error(ErrorCode::kNoSuchKey, "a")), "no such key: a");
}

}  // namespace
}  // namespace reeve::cel
