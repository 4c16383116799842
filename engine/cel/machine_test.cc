#include "reeve/engine/cel/machine.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <limits>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/cel/time_zone.h"

namespace reeve::cel {
namespace {

class NoVariables final : public Variables {
 public:
  Cell Get(uint32_t, Context&) const override { return Cell::Error(ErrorCode::kNoSuchVariable); }
  Cell GetMember(uint32_t, std::string_view, Context&) const override {
    return Cell::Error(ErrorCode::kNoSuchVariable);
  }
};

// What a clock in a zone shows at a time, as if that were UTC.
struct Clock {
  const char* zone;
  const char* utc;
  const char* shows;
};

struct Case {
  const char* name;
  std::vector<Clock> clocks;  // Asked in turn, of one machine.
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

absl::Time TimeOf(const char* text) {
  absl::Time time;
  std::string error;
  EXPECT_TRUE(absl::ParseTime(absl::RFC3339_full, text, &time, &error)) << text << ": " << error;
  return time;
}

class LocalTimeTest : public ::testing::TestWithParam<Case> {};

TEST_P(LocalTimeTest, IsOfItsZoneAndTime) {
  Machine machine;
  for (const Clock& clock : GetParam().clocks) {
    ProgramParts parts;
    parts.code = {{Op::kConstant}, {Op::kLocalTime}, {Op::kReturn}};
    parts.constants = {Cell::Timestamp(absl::ToUnixSeconds(TimeOf(clock.utc)), 5)};
    const std::optional<absl::TimeZone> zone = FindTimeZone(clock.zone);
    ASSERT_TRUE(zone.has_value()) << clock.zone;
    parts.zones = {*zone};
    const auto program = Program::Make(&parts);
    ASSERT_TRUE(program.ok()) << program.status();
    Machine::Room room;
    room.Add(**program);
    machine.Begin(100, 0, room);
    const Cell got = machine.Run(Link(**program, {}, {}, {}), NoVariables());
    const Cell want = Cell::Timestamp(absl::ToUnixSeconds(TimeOf(clock.shows)), 5);
    EXPECT_EQ(ToString(got), ToString(want)) << clock.zone << " at " << clock.utc;
  }
}

const Case kCases[] = {
    {"BeforeAnythingWasAsked", {{"+01:00", "1970-01-01T00:00:00Z", "1970-01-01T01:00:00Z"}}},
    {"OneTimeInSeveralZones",
     {{"Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-01T14:00:00Z"},
      {"UTC", "2026-07-01T12:00:00Z", "2026-07-01T12:00:00Z"},
      {"America/New_York", "2026-07-01T12:00:00Z", "2026-07-01T08:00:00Z"},
      {"Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-01T14:00:00Z"},
      {"Europe/Berlin", "2026-07-01T12:00:00Z", "2026-07-01T14:00:00Z"}}},
    {"SecondsOnBothSidesOfAChange",
     {{"Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59Z"},
      {"Europe/Berlin", "2026-03-29T01:00:00Z", "2026-03-29T03:00:00Z"},
      {"Europe/Berlin", "2026-10-25T00:59:59Z", "2026-10-25T02:59:59Z"},
      {"Europe/Berlin", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"},
      {"Europe/Berlin", "2026-03-29T00:59:59Z", "2026-03-29T01:59:59Z"}}},
};
INSTANTIATE_TEST_SUITE_P(All, LocalTimeTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// What the machine computes in place is what the operators compute.
TEST(MachineTest, ComputesAsTheOperatorsDo) {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  std::vector<Cell> values = {Cell::Uint(1), Cell::Double(0.5), Cell::Bool(true),
                              Cell::Null(),  Cell::String("a"), Cell::String("ab")};
  for (const int64_t value : {kMin, kMin + 1, int64_t{-3}, int64_t{-1}, int64_t{0}, int64_t{1},
                              int64_t{2}, kMax / 2, kMax - 1, kMax}) {
    values.push_back(Cell::Int(value));
  }
  const struct {
    Op op;
    Cell (*compute)(const Cell& a, const Cell& b, Context& context);
  } kOperators[] = {
      {Op::kAdd, Add},
      {Op::kSubtract, [](const Cell& a, const Cell& b, Context&) { return Subtract(a, b); }},
      {Op::kMultiply, [](const Cell& a, const Cell& b, Context&) { return Multiply(a, b); }},
      {Op::kEqual, Equal},
      {Op::kNotEqual, NotEqual},
      {Op::kLess, [](const Cell& a, const Cell& b, Context&) { return Less(a, b); }},
      {Op::kLessOrEqual, [](const Cell& a, const Cell& b, Context&) { return LessOrEqual(a, b); }},
      {Op::kGreater, [](const Cell& a, const Cell& b, Context&) { return Greater(a, b); }},
      {Op::kGreaterOrEqual,
       [](const Cell& a, const Cell& b, Context&) { return GreaterOrEqual(a, b); }},
      {Op::kStartsWith, StartsWith},
  };
  Machine machine;
  Context context;
  for (const auto& [op, compute] : kOperators) {
    for (const Cell& a : values) {
      for (const Cell& b : values) {
        ProgramParts parts;
        parts.code = {{Op::kConstant}, {op, 1, 0, 1}, {Op::kReturn}};
        parts.constants = {a, b};
        const auto program = Program::Make(&parts);
        ASSERT_TRUE(program.ok()) << program.status();
        Machine::Room room;
        room.Add(**program);
        machine.Begin(100, 100, room);
        context.Reset(100, 100);
        const Cell got = machine.Run(Link(**program, {}, {}, {}), NoVariables());
        EXPECT_EQ(ToString(got), ToString(compute(a, b, context)))
            << ToString(a) << " " << ToString(op) << " " << ToString(b);
      }
    }
  }
}

}  // namespace
}  // namespace reeve::cel
