#include "reeve/engine/cel/program.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <string>
#include <vector>

#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/operators.h"

namespace reeve::cel {
namespace {

// A set, and the memory that it points into.
struct OwnSet {
  explicit OwnSet(const std::vector<Cell>& from)
      : cells(from.size()),
        slots(CellSet::SlotsFor(from.size())),
        set(CellSet::Of(from, cells.data(), slots.data())) {}

  std::vector<Cell> cells;
  std::vector<uint32_t> slots;
  CellSet set;
};

// As many as are compared, and as are hashed.
constexpr int kSizes[] = {0, 1, 2, 8, 9, 20};

TEST(CellSetTest, FindsTexts) {
  std::vector<std::string> texts;
  for (int i = 0; i < 30; ++i) texts.push_back("text" + std::to_string(i));
  for (const int size : kSizes) {
    std::vector<Cell> cells;
    for (int i = 0; i < size; ++i) cells.push_back(Cell::String(texts[i]));
    for (int i = 0; i < size; ++i) cells.push_back(Cell::String(texts[i]));  // again
    const OwnSet own(cells);
    const CellSet& set = own.set;
    EXPECT_EQ(set.size(), static_cast<size_t>(size));
    for (int i = 0; i < 30; ++i) {
      EXPECT_EQ(set.Contains(Cell::String(texts[i])), i < size) << i << " of " << size;
      EXPECT_FALSE(set.Contains(Cell::Bytes(texts[i]))) << i << " of " << size;
    }
    EXPECT_FALSE(set.Contains(Cell::String("text"))) << size;
    EXPECT_FALSE(set.Contains(Cell::String(""))) << size;
  }
}

TEST(CellSetTest, FindsNumbersAcrossTypes) {
  for (const int size : kSizes) {
    std::vector<Cell> cells;
    for (int i = 0; i < size; ++i) cells.push_back(Cell::Int(i));
    if (size > 0) cells.push_back(Cell::Double(0.0));
    const OwnSet own(cells);
    const CellSet& set = own.set;
    EXPECT_EQ(set.size(), static_cast<size_t>(size));
    for (int i = 0; i < 30; ++i) {
      EXPECT_EQ(set.Contains(Cell::Int(i)), i < size) << i << " of " << size;
      EXPECT_EQ(set.Contains(Cell::Uint(i)), i < size) << i << " of " << size;
      EXPECT_EQ(set.Contains(Cell::Double(i)), i < size) << i << " of " << size;
      EXPECT_FALSE(set.Contains(Cell::Double(i + 0.5))) << i << " of " << size;
      EXPECT_FALSE(set.Contains(Cell::String(std::to_string(i)))) << i << " of " << size;
    }
  }
}

TEST(CellSetTest, HoldsNothingButScalars) {
  const Cell element = Cell::Int(1);
  for (const int size : kSizes) {
    std::vector<Cell> cells;
    for (int i = 0; i < size; ++i) cells.push_back(Cell::Int(i));
    const OwnSet own(cells);
    const CellSet& set = own.set;
    const Cell others[] = {Cell::Null(),
                           Cell::List({&element, 1}, 1),
                           Cell::Type("int"),
                           Cell::Timestamp(1, 0),
                           Cell::Duration(1, 0),
                           Cell::Optional(&element, 1),
                           Cell::Optional(nullptr, 1)};
    for (const Cell& other : others) {
      EXPECT_FALSE(set.Contains(other)) << ToString(other) << " of " << size;
    }
  }
}

}  // namespace
}  // namespace reeve::cel
