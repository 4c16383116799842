#include "reeve/engine/cel/program_encoding.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/cel/cell_testing.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/cel/program_testing.h"
#include "reeve/engine/cel/time_zone.h"

namespace reeve::cel {
namespace {

using std::string_literals::operator""s;

// Whoever changes this list raises kProgramFormat, and then this number.
TEST(ProgramFormatTest, StandsForTheseOperations) {
  std::string names;
  for (int op = 0; op <= static_cast<int>(Op::kReturn); ++op) {
    names += std::to_string(op) + " " + std::string(ToString(static_cast<Op>(op))) +
             (op % 6 == 5 ? "\n" : ", ");
  }
  EXPECT_EQ(kProgramFormat, 2);
  EXPECT_EQ(names, R"(0 Constant, 1 Variable, 2 Path, 3 Local, 4 Store, 5 Select
6 Has, 7 OptionalSelect, 8 Index, 9 OptionalIndex, 10 Equal, 11 NotEqual
12 Less, 13 LessOrEqual, 14 Greater, 15 GreaterOrEqual, 16 Add, 17 Subtract
18 Multiply, 19 Divide, 20 Modulo, 21 In, 22 StartsWith, 23 EndsWith
24 Negate, 25 Not, 26 And, 27 Or, 28 NotStrictlyFalse, 29 InSet
30 Matches, 31 LocalTime, 32 Call, 33 List, 34 Map, 35 Append
36 Put, 37 Jump, 38 JumpIfFalse, 39 JumpIfTrue, 40 JumpIfNotBool, 41 JumpIfError
42 PopJumpIfFalse, 43 PopJumpIfTrue, 44 JumpIfPresent, 45 Optional, 46 Loop, 47 Next
48 Shared, 49 Keep, 50 Compare, 51 ComparePaths, 52 InPath, 53 PathInSet
54 HasPath, 55 IsInPath, 56 IsIn, 57 Return, )");
}

// --- Values ---

Cell DeepList(int depth) {
  Cell cell = ListOf({});
  while (--depth > 0) cell = ListOf({cell});
  return cell;
}

TEST(ProgramEncodingTest, KeepsConstants) {
  std::vector<std::pair<Cell, Cell>> entries;
  for (int i = 0; i < 100; ++i) entries.emplace_back(Cell::Int(i), Cell::String("value"));
  std::vector<Cell> scalars;
  for (int i = 0; i < 20; ++i) scalars.push_back(Cell::Int(i));
  const Cell kCells[] = {
      Cell::Null(),
      Cell::Bool(true),
      Cell::Bool(false),
      Cell::Int(std::numeric_limits<int64_t>::min()),
      Cell::Int(std::numeric_limits<int64_t>::max()),
      Cell::Uint(std::numeric_limits<uint64_t>::max()),
      Cell::Double(-0.0),
      Cell::Double(std::numeric_limits<double>::quiet_NaN()),
      Cell::Double(std::numeric_limits<double>::infinity()),
      Cell::String(""),
      Cell::String("h\xc3\xa9llo"),
      Cell::Bytes("\xff\x01"),
      Cell::Timestamp(-1, 999'999'999),
      Cell::Duration(-5, 1),
      Cell::Type("google.protobuf.Timestamp"),
      ListOf({}),
      ListOf(scalars),
      DeepList(kMaxCellDepth),
      MapOf({}),
      MapOf(entries),
      ListOf({MapOf({{Cell::String("a"), ListOf({Cell::String("a")})}}), Cell::Uint(1)}),
      OptionalOf(Cell::String("a")),
      Cell::Optional(nullptr, 0),
      IpOf({10, 0, 0, 1}),
      IpOf({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}),
      CidrOf({10, 0, 0, 1}, 32),
      CidrOf({0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15}, 128),
  };
  for (const Cell& cell : kCells) {
    ProgramParts parts;
    parts.constants = {cell};
    parts.code = {{Op::kConstant}, {Op::kReturn}};
    const auto program = Program::Make(&parts);
    ASSERT_TRUE(program.ok()) << program.status();
    const std::string bytes = EncodingOf(**program);
    const auto decoded = DecodeProgram(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status() << " of " << ToString(cell);
    EXPECT_EQ(ToString((*decoded)->constants()[0]), ToString(cell));
    EXPECT_EQ((*decoded)->constants()[0].depth(), (*program)->constants()[0].depth());
    EXPECT_EQ(EncodingOf(**decoded), bytes);
  }
}

TEST(ProgramEncodingTest, KeepsZones) {
  for (const char* zone : {"UTC", "Europe/Berlin", "+01:00", "-08:30", "00:00", "23:59"}) {
    ProgramParts parts;
    parts.constants = {Cell::Timestamp(1790000000, 0)};
    parts.zones = {*FindTimeZone(zone)};
    parts.code = {{Op::kConstant}, {Op::kLocalTime}, {Op::kReturn}};
    const auto program = Program::Make(&parts);
    ASSERT_TRUE(program.ok()) << program.status();
    const auto decoded = DecodeProgram(EncodingOf(**program));
    ASSERT_TRUE(decoded.ok()) << decoded.status() << " of " << zone;
    EXPECT_EQ((*decoded)->zones()[0], (*program)->zones()[0]) << zone;
    EXPECT_EQ(RunOnMany(**decoded), RunOnMany(**program)) << zone;
  }
}

// Sets mean the same in any order.
TEST(ProgramEncodingTest, OrdersSets) {
  std::string bytes;
  for (const bool backwards : {false, true}) {
    ProgramParts parts;
    std::vector<Cell>& set = parts.sets.emplace_back();
    for (int i = 0; i < 20; ++i) set.push_back(Cell::Int(backwards ? 19 - i : i));
    parts.constants = {Cell::Int(7)};
    parts.code = {{Op::kConstant}, {Op::kInSet}, {Op::kReturn}};
    const auto program = Program::Make(&parts);
    ASSERT_TRUE(program.ok()) << program.status();
    if (bytes.empty()) bytes = EncodingOf(**program);
    EXPECT_EQ(EncodingOf(**program), bytes);
  }
}

// --- Bytes that are none ---

std::string Instructions(const std::vector<std::string>& instructions) {
  std::string bytes(1, static_cast<char>(instructions.size()));
  for (const std::string& instruction : instructions) bytes += instruction;
  return bytes;
}

const char kReturn = static_cast<char>(Op::kReturn);
const char kCall = static_cast<char>(Op::kCall);
const char kInSet = static_cast<char>(Op::kInSet);

// The parts of the bytes of a program; as they are here, of `null`.
struct Bytes {
  std::string functions = "\0"s;
  std::string variables = "\0"s;
  std::string constants = "\1\0"s;
  std::string paths = "\0"s;
  std::string rare = "\0"s;
  std::string code = Instructions({"\0\0"s, {kReturn}});
  std::string format = "\2";
  std::string end;

  std::string All() const {
    return format + functions + variables + constants + paths + rare + code + end;
  }
};

struct Case {
  const char* name;
  void (*change)(Bytes* bytes);
  const char* error;  // Empty if they are well.
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class DecodeTest : public testing::TestWithParam<Case> {};

TEST_P(DecodeTest, SaysWhatIsWrong) {
  Bytes bytes;
  GetParam().change(&bytes);
  const auto program = DecodeProgram(bytes.All());
  std::string message(program.status().message());
  // Where is not the point.
  if (message.compare(0, 5, "byte ") == 0) message = message.substr(message.find(": ") + 2);
  EXPECT_EQ(message, GetParam().error);
  if (!program.ok()) {
    EXPECT_EQ(program.status().code(), absl::StatusCode::kDataLoss);
    return;
  }
  EXPECT_EQ(EncodingOf(**program), bytes.All());
  RunOnMany(**program);
}

const Case kCases[] = {
    {"Null", [](Bytes*) {}, ""},
    {"OtherFormat", [](Bytes* b) { b->format = "\1"; },
     "the program is of another version of Reeve; compile the set anew"},
    {"LeftOver", [](Bytes* b) { b->end = "\0"s; }, "bytes are left over"},
    {"Function",
     [](Bytes* b) {
       b->functions = "\1\6string"s;
       b->code = Instructions({"\0\0"s, {kCall, 1, 0}, {kReturn}});
     },
     ""},
    {"UnknownFunction", [](Bytes* b) { b->functions = "\1\4open"s; },
     "a function that does not exist"},
    {"UnusedFunction", [](Bytes* b) { b->functions = "\1\6string"s; },
     "a function that is not called"},
    {"FunctionTwice", [](Bytes* b) { b->functions = "\2\6string\6string"s; },
     "a function is named twice"},
    {"FunctionsOutOfOrder",
     [](Bytes* b) {
       b->functions = "\2\6string\4size"s;
       b->code = Instructions({"\0\0"s, {kCall, 1, 1}, {kCall, 1, 0}, {kReturn}});
     },
     "functions are out of order"},
    {"UnnamedFunction",
     [](Bytes* b) {
       b->code = Instructions({"\0\0"s, {kCall, 1, 0}, {kReturn}});
     },
     "functions are out of order"},
    {"Variables", [](Bytes* b) { b->variables = "\2\0\6abc"s; }, ""},
    {"UsualVariableSpeltOut", [](Bytes* b) { b->variables = "\1\11action"s; },
     "a usual variable is spelt out"},
    {"VariableOfNoUtf8", [](Bytes* b) { b->variables = "\1\4\xff"s; },
     "a string is not valid UTF-8"},
    {"ManyVariables", [](Bytes* b) { b->variables = "\xff\xff\xff\x7f"s; },
     "a number is out of range"},
    {"LongNumber", [](Bytes* b) { b->variables = "\x80\0"s; },
     "a number is longer than it needs to be"},
    {"UnknownValue", [](Bytes* b) { b->constants = "\1\x13"s; }, "a value of an unknown kind"},
    {"StringOfNoUtf8", [](Bytes* b) { b->constants = "\1\6\1\xff"s; },
     "a string is not valid UTF-8"},
    {"LateTime", [](Bytes* b) { b->constants = "\1\x8\xff\xff\xff\xff\xff\xff\xff\xff\x7f\0"s; },
     "a time that is out of range"},
    {"ManyNanoseconds", [](Bytes* b) { b->constants = "\1\x8\0\x80\x94\xeb\xdc\x3"s; },
     "a number is out of range"},
    {"LongPrefix", [](Bytes* b) { b->constants = "\1\x11\1\2\3\4\x21"s; },
     "a prefix that is too long"},
    {"MapOfKeyTwice", [](Bytes* b) { b->constants = "\1\xb\2\1\0\1\0"s; },
     "a key that a map cannot have"},
    {"MapOfNullKey", [](Bytes* b) { b->constants = "\1\xb\1\0\0"s; },
     "a key that a map cannot have"},
    {"DeepList",
     [](Bytes* b) {
       b->constants = "\1"s;
       for (int i = 0; i < 64; ++i) b->constants += "\xa\1"s;
       b->constants += "\0"s;
     },
     ""},
    {"TooDeepList",
     [](Bytes* b) {
       b->constants = "\1"s;
       for (int i = 0; i < 65; ++i) b->constants += "\xa\1"s;
       b->constants += "\0"s;
     },
     "a value that is nested too deep"},
    {"TooDeepOptional",
     [](Bytes* b) {
       b->constants = "\1"s;
       b->constants += std::string(100, 14) + "\0"s;
     },
     "a value that is nested too deep"},
    {"LargeLists",
     [](Bytes* b) {
       b->constants = "\1"s;
       for (int i = 0; i < 60; ++i) b->constants += "\xa\x70"s;
       b->end = std::string(120, 0);
     },
     "a value that is too large"},
    {"PathOfNoNames",
     [](Bytes* b) {
       b->variables = "\1\0"s;
       b->paths = "\1\0\0"s;
     },
     "a part of a program that is not there"},
    {"PathOfNoVariable", [](Bytes* b) { b->paths = "\1\0\1\1a"s; },
     "the program has a path of no variable"},
    {"UnknownPart", [](Bytes* b) { b->rare = "\x40"; }, "an unknown part of a program"},
    {"EmptyPart", [](Bytes* b) { b->rare = "\1\0"s; }, "a part of a program that is not there"},
    {"Set",
     [](Bytes* b) {
       b->rare = "\1\1\2\1\2"s;
       b->code = Instructions({"\0\0"s, {kInSet, 0}, {kReturn}});
     },
     ""},
    {"SetOutOfOrder", [](Bytes* b) { b->rare = "\1\1\2\2\1"s; }, "a set is out of order"},
    {"SetOfOneTwice", [](Bytes* b) { b->rare = "\1\1\2\1\1"s; }, "a set is out of order"},
    {"SetOfEqualNumbers", [](Bytes* b) { b->rare = "\1\1\2\3\2\4\1"s; },
     "a set of the program has a value twice"},
    {"SetOfNull", [](Bytes* b) { b->rare = "\1\1\1\0"s; },
     "the program has a set of what is no scalar"},
    {"Regex", [](Bytes* b) { b->rare = "\2\1\2a+"s; }, ""},
    {"BadRegex", [](Bytes* b) { b->rare = "\2\1\2a("s; }, "a regular expression that is none"},
    {"UnknownZone", [](Bytes* b) { b->rare = "\4\1\1\4Mars"s; },
     "a time zone that this machine does not know"},
    {"OffsetAsName", [](Bytes* b) { b->rare = "\4\1\1\6+01:00"s; },
     "a time zone that this machine does not know"},
    {"NoOffset", [](Bytes* b) { b->rare = "\4\1\0\0"s; }, "an offset of no time zone"},
    {"LargeOffset", [](Bytes* b) { b->rare = "\4\1\0\xc0\x16"s; }, "an offset of no time zone"},
    {"FlagOfTwo", [](Bytes* b) { b->rare = "\x8\1\1\2"s; }, "a number is out of range"},
    {"LoopOfManyLocals", [](Bytes* b) { b->rare = "\x10\1\xff\xff\1\0"s; },
     "a number is out of range"},
    {"UnknownOperation", [](Bytes* b) { b->code = Instructions({"\x3a"}); },
     "an operation that does not exist"},
    {"NoCode", [](Bytes* b) { b->code = "\0"s; }, "the program has no return at its end"},
    {"ConstantOutOfRange",
     [](Bytes* b) {
       b->code = Instructions({"\0\1"s, {kReturn}});
     },
     "instruction 0 of the program has an operand that is out of range"},
};
INSTANTIATE_TEST_SUITE_P(All, DecodeTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

TEST(ProgramDecoderTest, TakesOneAfterTheOther) {
  const std::string bytes = Bytes().All() + Bytes().All();
  ByteReader reader(bytes);
  ProgramDecoder decoder;
  for (int i = 0; i < 2; ++i) EXPECT_TRUE(decoder.Decode(&reader).ok()) << i;
  EXPECT_EQ(reader.rest(), 0u);
  EXPECT_FALSE(decoder.Decode(&reader).ok());
}

// --- One after another that is alike ---

const char kVariable = static_cast<char>(Op::kVariable);
const char kSelect = static_cast<char>(Op::kSelect);
const char kEqual = static_cast<char>(Op::kEqual);
const char kNotEqual = static_cast<char>(Op::kNotEqual);

// `principal.a == CONSTANTS`, where the first of them is the name.
std::string Selecting(const std::string& constants) {
  Bytes bytes;
  bytes.variables = "\1\0"s;
  bytes.constants = constants;
  bytes.code = Instructions({{kVariable, 0}, {kSelect, 0}, {kEqual, 1, 1}, {kReturn}});
  return bytes.All();
}

const std::string kSelecting = Selecting("\2\6\1a\6\1b"s);

// The same with another byte in a place.
std::string With(std::string bytes, size_t at, char byte) {
  bytes[at] = byte;
  return bytes;
}

// What a decoder makes of bytes that has decoded `before`.
struct AlikeCase {
  const char* name;
  std::string before;
  std::string bytes;
  bool shares;        // Their shape.
  const char* error;  // Empty if they are well.
};
std::ostream& operator<<(std::ostream& os, const AlikeCase& c) { return os << c.name; }

class AlikeTest : public testing::TestWithParam<AlikeCase> {};

TEST_P(AlikeTest, IsWhatItIsAlone) {
  ProgramDecoder decoder;
  ByteReader first(GetParam().before);
  const auto before = decoder.Decode(&first);
  ASSERT_TRUE(before.ok()) << before.status();
  const std::string bytes = GetParam().bytes + "more";
  ByteReader reader(bytes);
  const auto program = decoder.Decode(&reader);
  EXPECT_EQ(program.status().message(), GetParam().error);
  if (!program.ok()) return;
  EXPECT_EQ(reader.rest(), 4u);
  EXPECT_EQ(&(*program)->shape() == &(*before)->shape(), GetParam().shares);
  EXPECT_EQ(EncodingOf(**program), GetParam().bytes);
  const auto alone = DecodeProgram(GetParam().bytes);
  ASSERT_TRUE(alone.ok()) << alone.status();
  EXPECT_EQ(RunOnMany(**program), RunOnMany(**alone));
}

const AlikeCase kAlikeCases[] = {
    {"Same", Bytes().All(), Bytes().All(), true, ""},
    {"OtherText", kSelecting, Selecting("\2\6\1a\6\3bcd"s), true, ""},
    {"OtherName", kSelecting, Selecting("\2\6\2ab\6\1b"s), true, ""},
    {"OtherList", Selecting("\2\6\1a\xa\1\0"s), Selecting("\2\6\1a\xa\2\0\1"s), true, ""},
    {"OtherKind", kSelecting, Selecting("\2\6\1a\3\2"s), false, ""},
    {"NameOfOtherKind", kSelecting, Selecting("\2\3\2\6\1b"s), false,
     "instruction 1 of the program has a name that is no string"},
    {"Fewer", kSelecting, Selecting("\1\6\1a"s), false,
     "instruction 2 of the program has an operand that is out of range"},
    {"More", kSelecting, Selecting("\3\6\1a\6\1b\0"s), false, ""},
    {"Map", Selecting("\2\6\1a\xb\1\1\0"s), Selecting("\2\6\1a\xb\1\2\0"s), false, ""},
    {"MapInAList", Selecting("\2\6\1a\xa\1\0"s), Selecting("\2\6\1a\xa\1\xb\1\2\0"s), false, ""},
    {"MapInAnOptional", Selecting("\2\6\1a\xd"s), Selecting("\2\6\1a\xe\xb\1\2\0"s), false, ""},
    {"MalformedText", kSelecting, Selecting("\2\6\1a\6\1\xff"s), false,
     "byte 11: a string is not valid UTF-8"},
    {"OtherCode", kSelecting, With(kSelecting, kSelecting.size() - 4, kNotEqual), false, ""},
    {"OtherVariable", kSelecting, With(kSelecting, 3, 2), false, ""},
};
INSTANTIATE_TEST_SUITE_P(All, AlikeTest, testing::ValuesIn(kAlikeCases),
                         [](const auto& info) { return info.param.name; });

// What was decoded before is no reason to take, or to refuse, what would not be alone.
TEST(ProgramDecoderTest, DecodesEachChangeOfAByteAsAlone) {
  for (const AlikeCase& c : kAlikeCases) {
    ProgramDecoder decoder;
    for (size_t at = 0; at < c.before.size(); ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string bytes = c.before;
        ByteReader first(bytes);
        ASSERT_TRUE(decoder.Decode(&first).ok()) << c.name;
        bytes[at] = static_cast<char>(byte);
        ByteReader reader(bytes);
        auto program = decoder.Decode(&reader);
        const bool ok = program.ok() && reader.rest() == 0;
        const auto alone = DecodeProgram(bytes);
        ASSERT_EQ(ok, alone.ok()) << c.name << ", byte " << at << " is " << byte;
        if (!ok) continue;
        ASSERT_EQ(ToString(**program), ToString(**alone)) << c.name << ", byte " << at;
        ASSERT_EQ(EncodingOf(**program), bytes) << c.name << ", byte " << at;
      }
    }
  }
}

// It knows a bounded number of them; those that it has forgotten are verified again.
TEST(ProgramDecoderTest, DecodesMoreShapesThanItKnows) {
  ProgramDecoder decoder;
  for (int round = 0; round < 3; ++round) {
    for (char name = 0; name < 40; ++name) {
      Bytes bytes;
      bytes.variables = "\1\4"s + static_cast<char>('A' + name);
      bytes.constants = "\1\3"s + static_cast<char>(round);
      const std::string all = bytes.All();
      ByteReader reader(all);
      const auto program = decoder.Decode(&reader);
      ASSERT_TRUE(program.ok()) << program.status();
      EXPECT_EQ(EncodingOf(**program), all);
    }
  }
}

TEST(ProgramDecoderTest, RefusesEveryShorterText) {
  const std::string bytes = Bytes().All();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeProgram(bytes.substr(0, size)).ok()) << size;
  }
}

}  // namespace
}  // namespace reeve::cel
