#include "reeve/engine/cel/program.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <ostream>
#include <string>
#include <utility>
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

// `principal.a == "b"`, with a change.
struct LikeCase {
  const char* name;
  void (*change)(ProgramParts* parts);
  bool is_like;
};
std::ostream& operator<<(std::ostream& os, const LikeCase& c) { return os << c.name; }

class ShapeTest : public testing::TestWithParam<LikeCase> {
 protected:
  static std::shared_ptr<const Program> Make(void (*change)(ProgramParts* parts)) {
    ProgramParts parts;
    parts.constants = {Cell::String("b")};
    parts.variables = {"principal", "resource"};
    parts.paths = {{0, 0, 1}, {1, 1, 1}};
    parts.names = {Cell::String("a"), Cell::String("c")};
    parts.code = {{Op::kCompare, static_cast<uint8_t>(Op::kEqual)}, {Op::kReturn}};
    change(&parts);
    auto program = Program::Make(&parts);
    EXPECT_TRUE(program.ok()) << program.status();
    return *std::move(program);
  }
};

TEST_P(ShapeTest, IsLikeWhatDiffersInConstants) {
  const auto program = Make([](ProgramParts*) {});
  const auto other = Make(GetParam().change);
  EXPECT_EQ(program->shape().IsLike(other->shape()), GetParam().is_like);
  EXPECT_EQ(other->shape().IsLike(program->shape()), GetParam().is_like);
}

const LikeCase kLikeCases[] = {
    {"Same", [](ProgramParts*) {}, true},
    {"OtherConstant", [](ProgramParts* p) { p->constants = {Cell::Int(7)}; }, true},
    {"OtherVariable", [](ProgramParts* p) { p->variables[1] = "context"; }, false},
    {"MoreVariables", [](ProgramParts* p) { p->variables.push_back("action"); }, false},
    {"OtherName", [](ProgramParts* p) { p->names[1] = Cell::String("d"); }, false},
    {"LongerPath", [](ProgramParts* p) { p->paths[0].count = 2; }, false},
    {"PathOfAnother", [](ProgramParts* p) { p->paths[1].variable = 0; }, false},
    {"MorePaths",
     [](ProgramParts* p) {
       p->paths.push_back({0, 1, 1});
     },
     false},
    {"OtherOperation", [](ProgramParts* p) { p->code[0].op = Op::kInPath, p->code[0].a = 0; },
     false},
    {"OtherTest", [](ProgramParts* p) { p->code[0].a = static_cast<uint8_t>(Op::kLess); }, false},
    {"OtherPath", [](ProgramParts* p) { p->code[0].b = 1; }, false},
    {"OtherPlaceOfTheConstant",
     [](ProgramParts* p) {
       p->constants.push_back(Cell::Int(7));
       p->code[0].c = 1;
     },
     false},
    {"MoreCode", [](ProgramParts* p) { p->code.insert(p->code.begin() + 1, {Op::kNot}); }, false},
    {"ASet", [](ProgramParts* p) { p->sets = {{Cell::Int(7)}}; }, false},
    {"ASharedPart", [](ProgramParts* p) { p->shared = {"a"}; }, false},
};
INSTANTIATE_TEST_SUITE_P(All, ShapeTest, testing::ValuesIn(kLikeCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace reeve::cel
