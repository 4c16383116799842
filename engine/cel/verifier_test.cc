#include "reeve/engine/cel/verifier.h"

#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/cel/program_testing.h"

namespace reeve::cel {
namespace {

uint32_t NumberOf(const char* function) {
  return static_cast<uint32_t>(FindFunction(function) - Functions().data());
}

// Two constants, "a" and 1; a variable; the paths `principal.a` and `principal.a.b`; and one of
// each of the others.
ProgramParts PartsOf(std::vector<Instruction> code) {
  ProgramParts parts;
  parts.code = std::move(code);
  parts.constants = {Cell::String("a"), Cell::Int(1)};
  parts.variables = {"principal"};
  parts.names = {Cell::String("a"), Cell::String("b")};
  parts.paths = {{0, 0, 1}, {0, 0, 2}};
  parts.sets = {{Cell::Int(1), Cell::String("a")}};
  parts.regexes.push_back({"a", std::make_unique<Regex>("a")});
  parts.zones = {absl::UTCTimeZone()};
  parts.optional_flags = {{true, false}};
  parts.shared = {"part"};
  return parts;
}

constexpr uint32_t kNoLocal = UINT32_MAX;

struct Case {
  const char* name;
  std::vector<Instruction> code;
  const char* error;  // Empty if it is well.
  std::vector<Loop> loops = {};
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class VerifierTest : public testing::TestWithParam<Case> {};

TEST_P(VerifierTest, SaysWhatTheMachineCannotRun) {
  ProgramParts parts = PartsOf(GetParam().code);
  parts.loops = GetParam().loops;
  const auto program = Program::Make(&parts);
  EXPECT_EQ(program.status().message(), GetParam().error);
  if (program.ok()) RunOnMany(**program);
}

const Instruction kOne = {Op::kConstant, 0, 0, 1};
const Instruction kReturn = {Op::kReturn};

const Case kCases[] = {
    {"Constant", {kOne, kReturn}, ""},
    {"NoCode", {}, "the program has no return at its end"},
    {"NoReturn", {kOne}, "the program has no return at its end"},
    {"NothingToReturn", {kReturn}, "instruction 0 of the program has too few values to work on"},
    {"TwoToReturn", {kOne, kOne, kReturn}, "instruction 2 of the program has values left over"},
    {"EarlyReturn",
     {kOne, kReturn, kOne, kReturn},
     "instruction 1 of the program has a return before the end"},
    {"NoOperation",
     {{static_cast<Op>(200)}, kReturn},
     "instruction 0 of the program has an operation that does not exist"},
    {"NoConstant",
     {{Op::kConstant, 0, 0, 2}, kReturn},
     "instruction 0 of the program has an operand that is out of range"},
    {"NoVariable",
     {{Op::kVariable, 0, 0, 1}, kReturn},
     "instruction 0 of the program has an operand that is out of range"},
    {"NoPath",
     {{Op::kPath, 0, 0, 2}, kReturn},
     "instruction 0 of the program has an operand that is out of range"},
    {"NoSet",
     {kOne, {Op::kInSet, 0, 0, 1}, kReturn},
     "instruction 1 of the program has an operand that is out of range"},
    {"NoRegex",
     {kOne, {Op::kMatches, 0, 0, 1}, kReturn},
     "instruction 1 of the program has an operand that is out of range"},
    {"NoZone",
     {kOne, {Op::kLocalTime, 0, 0, 1}, kReturn},
     "instruction 1 of the program has an operand that is out of range"},
    {"NoZoneFunction",
     {kOne, {Op::kLocalTime, 0, UINT16_MAX, 0}, kReturn},
     "instruction 1 of the program has an operand that is out of range"},
    {"UnusedOperand",
     {{Op::kConstant, 0, 1, 1}, kReturn},
     "instruction 0 of the program has an operand that it does not take"},
    {"UnusedConstant",
     {kOne, kOne, {Op::kEqual, 0, 0, 1}, kReturn},
     "instruction 2 of the program has an operand that it does not take"},
    {"NoFlag",
     {kOne, {Op::kEqual, 2, 0, 1}, kReturn},
     "instruction 1 of the program has an operand that is out of range"},
    {"SelectOfNumber",
     {kOne, {Op::kSelect, 0, 0, 1}, kReturn},
     "instruction 1 of the program has a name that is no string"},
    {"HasOfNumber",
     {kOne, {Op::kHas, 0, 0, 1}, kReturn},
     "instruction 1 of the program has a name that is no string"},
    {"Compare", {{Op::kCompare, static_cast<uint8_t>(Op::kLess), 1, 1}, kReturn}, ""},
    {"CompareByNoTest",
     {{Op::kCompare, static_cast<uint8_t>(Op::kAdd), 0, 1}, kReturn},
     "instruction 0 of the program has a test that is none"},
    {"CompareNoPath",
     {{Op::kComparePaths, static_cast<uint8_t>(Op::kLess), 2, 0}, kReturn},
     "instruction 0 of the program has an operand that is out of range"},
    {"HasPath", {{Op::kHasPath, 0, 0}, kReturn}, ""},
    {"HasLongPath",
     {{Op::kHasPath, 0, 1}, kReturn},
     "instruction 0 of the program has a path of several names"},
    {"IsInPath", {{Op::kIsInPath, 0, 1, 0}, kReturn}, ""},
    {"IsInNoPath",
     {{Op::kIsInPath, 0, 2, 0}, kReturn},
     "instruction 0 of the program has an operand that is out of range"},
    {"IsInPathOfNoVariable",
     {{Op::kIsInPath, 0, 0, 1}, kReturn},
     "instruction 0 of the program has an operand that is out of range"},
    {"IsIn", {{Op::kIsIn, 0, 0, 1}, kReturn}, ""},
    {"IsInNoConstant",
     {{Op::kIsIn, 0, 0, 2}, kReturn},
     "instruction 0 of the program has an operand that is out of range"},
    {"IsInOfNoVariable",
     {{Op::kIsIn, 0, 1, 0}, kReturn},
     "instruction 0 of the program has an operand that is out of range"},
    {"Call", {kOne, {Op::kCall, 1, 0, NumberOf("string")}, kReturn}, ""},
    {"CallOfNothing",
     {{Op::kCall, 0, 0, NumberOf("string")}, kReturn},
     "instruction 0 of the program has a call with another number of arguments"},
    {"CallOfTooMany",
     {kOne, kOne, {Op::kCall, 2, 0, NumberOf("string")}, kReturn},
     "instruction 2 of the program has a call with another number of arguments"},
    {"CallOfNoFunction",
     {kOne, {Op::kCall, 1, 0, UINT32_MAX}, kReturn},
     "instruction 1 of the program has an operand that is out of range"},
    {"ListOfMoreThanThereAre",
     {kOne, {Op::kList, 0, 2, 0}, kReturn},
     "instruction 1 of the program has too few values to work on"},
    {"MapOfHalfAnEntry",
     {kOne, {Op::kMap, 0, 1, 0}, kReturn},
     "instruction 1 of the program has too few values to work on"},
    {"OptionalElements", {kOne, kOne, {Op::kList, 1, 2, 0}, kReturn}, ""},
    {"OtherFlags",
     {kOne, {Op::kList, 1, 1, 0}, kReturn},
     "instruction 1 of the program has another number of flags than of elements"},
    {"AppendToAnything", {kOne, kOne, {Op::kAppend}, kReturn}, ""},
    {"AppendToFacts", {{Op::kVariable}, kOne, {Op::kAppend}, kOne, {Op::kAppend}, kReturn}, ""},
    {"LocalOfNothing",
     {{Op::kLocal}, kReturn},
     "instruction 0 of the program has a local variable that has no value"},
    {"LocalStoredOnOneWay",
     {kOne, {Op::kJumpIfTrue, 0, 0, 4}, {Op::kStore}, kOne, {Op::kLocal}, {Op::kAnd}, kReturn},
     "instruction 4 of the program has a local variable that has no value"},
    {"LocalOutOfRange",
     {kOne, {Op::kStore, 0, 0, 4096}, kOne, kReturn},
     "instruction 1 of the program has too many local variables"},
    {"JumpBeyondTheEnd",
     {kOne, {Op::kJumpIfTrue, 0, 0, 3}, kReturn},
     "instruction 1 of the program has an operand that is out of range"},
    {"JumpBack", {kOne, {Op::kJump}, kReturn}, "instruction 1 of the program has a jump backwards"},
    {"JumpToItself",
     {kOne, {Op::kJump, 0, 0, 1}, kReturn},
     "instruction 1 of the program has a jump backwards"},
    {"ConditionalJumpBack",
     {kOne, {Op::kJumpIfTrue}, kReturn},
     "instruction 1 of the program has a jump backwards"},
    {"NoWayToIt",
     {kOne, {Op::kJump, 0, 0, 3}, kOne, kReturn},
     "instruction 2 of the program has no way that leads to it"},
    {"OtherDepthOnAnotherWay",
     {kOne, {Op::kJumpIfTrue, 0, 0, 3}, kOne, kReturn},
     "instruction 2 of the program has another number of values on another way"},
    {"Shared", {{Op::kShared, 0, 0, 3}, kOne, {Op::kKeep}, kReturn}, ""},
    {"SharedThatIsNotKept",
     {{Op::kShared, 0, 0, 2}, kOne, kReturn},
     "instruction 0 of the program has a shared part that is not kept"},
    {"NoShared",
     {kOne, {Op::kKeep, 0, 1}, kReturn},
     "instruction 1 of the program has an operand that is out of range"},
    {"Loop",
     {{Op::kVariable},
      {Op::kLoop, 0, 0, 5},
      {Op::kNext, 0, 0, 4},
      {Op::kJump, 0, 0, 2},
      kOne,
      kReturn},
     "",
     {{0}}},
    {"LoopOfPairs",
     {{Op::kVariable},
      {Op::kLoop, 0, 0, 9},
      kOne,
      {Op::kStore, 0, 0, 2},
      {Op::kNext, 0, 0, 8},
      {Op::kLocal, 0, 0, 1},
      {Op::kStore, 0, 0, 2},
      {Op::kJump, 0, 0, 4},
      {Op::kLocal, 0, 0, 2},
      kReturn},
     "",
     {{0, 1}}},
    {"LoopThatIsNotThere", {kOne, kReturn}, "the program has a loop that is not there", {{0}}},
    {"LoopOfNoLocal", {kOne, kReturn}, "the program has too many local variables", {{kNoLocal}}},
    {"LoopThatIsLeftTooEarly",
     {{Op::kVariable},
      {Op::kLoop, 0, 0, 2},
      {Op::kNext, 0, 0, 4},
      {Op::kJump, 0, 0, 2},
      kOne,
      kReturn},
     "instruction 1 of the program has a loop that is left too early",
     {{0}}},
    {"LoopTwice",
     {{Op::kVariable}, {Op::kLoop, 0, 0, 3}, {Op::kLoop, 0, 0, 3}, kReturn},
     "instruction 2 of the program has a loop that begins twice",
     {{0}}},
    {"NextOfNoLoop",
     {{Op::kNext, 0, 0, 2}, {Op::kJump}, kOne, kReturn},
     "instruction 0 of the program has a round of no loop",
     {{0}}},
    {"LoopVariableAfterNoRound",
     {{Op::kVariable},
      {Op::kLoop, 0, 0, 5},
      {Op::kNext, 0, 0, 4},
      {Op::kJump, 0, 0, 2},
      {Op::kLocal},
      kReturn},
     "instruction 4 of the program has a local variable that has no value",
     {{0}}},
    {"JumpIntoLoop",
     {kOne,
      {Op::kPopJumpIfTrue, 0, 0, 4},
      {Op::kVariable},
      {Op::kLoop, 0, 0, 7},
      {Op::kNext, 0, 0, 6},
      {Op::kJump, 0, 0, 4},
      kOne,
      kReturn},
     "instruction 1 of the program has a jump into a loop",
     {{0}}},
    {"JumpBackBehindTheLoop",
     {{Op::kVariable},
      {Op::kLoop, 0, 0, 6},
      {Op::kNext, 0, 0, 4},
      {Op::kJump, 0, 0, 2},
      {Op::kJump, 0, 0, 2},
      kOne,
      kReturn},
     "instruction 4 of the program has a jump backwards",
     {{0}}},
    {"LoopThatGrowsTheStack",
     {{Op::kVariable},
      {Op::kLoop, 0, 0, 6},
      {Op::kNext, 0, 0, 5},
      kOne,
      {Op::kJump, 0, 0, 2},
      kOne,
      kReturn},
     "instruction 4 of the program has another number of values on another way",
     {{0}}},
    {"LoopsAcrossEachOther",
     {{Op::kVariable},
      {Op::kLoop, 0, 0, 8},
      {Op::kVariable},
      {Op::kLoop, 0, 1, 9},
      {Op::kNext, 0, 0, 6},
      {Op::kJump, 0, 0, 4},
      {Op::kNext, 0, 1, 8},
      {Op::kJump, 0, 0, 6},
      kOne,
      kReturn},
     "instruction 4 of the program has a round of no loop",
     {{0}, {1}}},
    {"PutOutsideOfLoop",
     {kOne,
      kOne,
      kOne,
      {Op::kPut},
      {Op::kLoop, 0, 0, 8},
      {Op::kNext, 0, 0, 7},
      {Op::kJump, 0, 0, 5},
      kOne,
      kReturn},
     "instruction 3 of the program has an entry outside of its loop",
     {{0}}},
};
INSTANTIATE_TEST_SUITE_P(All, VerifierTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// What stands beside the code.
struct PartsCase {
  const char* name;
  void (*change)(ProgramParts* parts);
  const char* error;
};
std::ostream& operator<<(std::ostream& os, const PartsCase& c) { return os << c.name; }

class VerifierPartsTest : public testing::TestWithParam<PartsCase> {};

TEST_P(VerifierPartsTest, SaysWhatTheMachineCannotRun) {
  ProgramParts parts = PartsOf({kOne, kReturn});
  GetParam().change(&parts);
  EXPECT_EQ(Program::Make(&parts).status().message(), GetParam().error);
}

const PartsCase kPartsCases[] = {
    {"Error", [](ProgramParts* p) { p->constants[1] = Cell::Error(ErrorCode::kNoValue); },
     "the program has a constant that is no value"},
    {"ErrorInside",
     [](ProgramParts* p) {
       static const Cell error = Cell::Error(ErrorCode::kNoValue);
       p->constants[1] = Cell::List({&error, 1}, 1);
     },
     "the program has a constant that is no value"},
    {"PartialList", [](ProgramParts* p) { p->constants[1] = Cell::List({}, 1).Partial(); },
     "the program has a constant that is no value"},
    {"Facts",
     [](ProgramParts* p) {
       static const Attributes attributes;
       p->constants[1] = Cell::Map(&attributes);
     },
     "the program has a constant that is no value"},
    {"NamelessVariable", [](ProgramParts* p) { p->variables[0] = ""; },
     "the program has a variable without a name"},
    {"PathOfNoVariable", [](ProgramParts* p) { p->paths[0].variable = 1; },
     "the program has a path of no variable"},
    {"PathWithoutNames", [](ProgramParts* p) { p->paths[0].count = 0; },
     "the program has a path without names"},
    {"PathOfTooManyNames", [](ProgramParts* p) { p->paths[1].count = 3; },
     "the program has a path without names"},
    {"PathBeyondTheNames", [](ProgramParts* p) { p->paths[1].first = UINT32_MAX; },
     "the program has a path without names"},
    {"NameOfNumber", [](ProgramParts* p) { p->names[1] = Cell::Int(1); },
     "the program has a name that is no string"},
    {"SetOfLists", [](ProgramParts* p) { p->sets[0][0] = Cell::List({}, 1); },
     "the program has a set of what is no scalar"},
    {"SetOfNaN", [](ProgramParts* p) { p->sets[0][0] = Cell::Double(0.0 / 0.0); },
     "the program has a set of what is no scalar"},
    {"SetOfLargeDouble", [](ProgramParts* p) { p->sets[0][0] = Cell::Double(1e19); },
     "the program has a set of what is no scalar"},
    {"NoRegex", [](ProgramParts* p) { p->regexes[0].regex = std::make_unique<Regex>("a("); },
     "the program has a regular expression that is none"},
    {"TooMuchCode", [](ProgramParts* p) { p->code.resize(kMaxProgramCode + 1, kReturn); },
     "the program has too many instructions"},
    {"TooManySets", [](ProgramParts* p) { p->sets.resize(UINT16_MAX + 1); },
     "the program has too many variables, paths or sets"},
};
INSTANTIATE_TEST_SUITE_P(All, VerifierPartsTest, testing::ValuesIn(kPartsCases),
                         [](const auto& info) { return info.param.name; });

// What a program costs does not depend on who wrote it.
TEST(VerifierTest, FindsWhatAProgramNeeds) {
  ProgramParts parts = PartsOf({{Op::kVariable},
                                {Op::kLoop, 0, 0, 11},
                                kOne,
                                {Op::kStore, 0, 0, 2},
                                {Op::kNext, 0, 0, 10},
                                {Op::kLocal, 0, 0, 1},
                                {Op::kLocal, 0, 0, 2},
                                {Op::kAdd},
                                {Op::kStore, 0, 0, 2},
                                {Op::kJump, 0, 0, 4},
                                {Op::kLocal, 0, 0, 2},
                                kReturn});
  parts.loops = {{0, 1, 99}};
  ProgramNeeds needs;
  ASSERT_EQ(Verify(parts, &needs).message(), "");
  EXPECT_EQ(needs.locals, 3u);
  EXPECT_EQ(needs.stack, 2u);
  EXPECT_EQ(needs.loop_costs, std::vector<uint32_t>{6});
}

}  // namespace
}  // namespace reeve::cel
