#include "reeve/store/segment.h"

#include <zstd.h>

#include <cmath>
#include <fstream>
#include <functional>
#include <iterator>
#include <limits>
#include <random>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gtest/gtest.h"
#include "reeve/store/json.h"

namespace reeve {
namespace {

std::string FromHex(absl::string_view hex) {
  std::string digits;
  for (char c : hex) {
    if (absl::ascii_isxdigit(c)) digits += c;
  }
  return absl::HexStringToBytes(digits);
}

std::string ListOf(const std::vector<std::string>& items) {
  std::string bytes;
  AppendList(
      items.size(), [&](size_t i) { return std::string_view(items[i]); }, &bytes);
  return bytes;
}

std::string RulesOf(const std::vector<RecordedRule>& rules) {
  std::string bytes;
  AppendRules(rules, &bytes);
  return bytes;
}

std::string MapOf(const Attributes& attributes) {
  std::string bytes;
  EXPECT_TRUE(AppendAttributes(attributes, &bytes));
  return bytes;
}

struct Record {
  RecordHead head;
  std::array<std::string, kFieldCount> fields;

  std::string& field(Field field) { return fields[static_cast<size_t>(field)]; }
};

std::string Encode(const std::vector<Record>& records) {
  SegmentEncoder encoder;
  for (const Record& record : records) {
    Fields fields;
    for (size_t i = 0; i < kFieldCount; ++i) fields[i] = record.fields[i];
    encoder.Add(record.head, fields);
  }
  std::string bytes;
  encoder.Finish(&bytes);
  return bytes;
}

bool SameHead(const RecordHead& a, const RecordHead& b) {
  return a.id == b.id && a.seconds == b.seconds && a.nanos == b.nanos && a.latency == b.latency &&
         a.level == b.level && a.reason == b.reason && a.assurance == b.assurance &&
         a.flags == b.flags && a.fixed_seconds == b.fixed_seconds && a.fixed_nanos == b.fixed_nanos;
}

void ExpectRoundTrip(const std::vector<Record>& records) {
  const std::string bytes = Encode(records);
  const absl::StatusOr<Segment> segment = DecodeSegment(bytes);
  ASSERT_TRUE(segment.ok()) << segment.status();
  ASSERT_EQ(segment->records.size(), records.size());
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_TRUE(SameHead(segment->records[i].head, records[i].head)) << i;
    const Fields fields = segment->fields(segment->records[i]);
    for (size_t f = 0; f < kFieldCount; ++f) EXPECT_EQ(fields[f], records[i].fields[f]) << i;
  }
}

Record MakeRecord() {
  Record record;
  for (int i = 0; i < 16; ++i) record.head.id.bytes[i] = static_cast<uint8_t>(i);
  record.head.set_time(absl::FromUnixNanos(1800000000123456789));
  record.head.latency = 1234;
  record.head.level = AuditLevel::kDurable;
  record.head.reason = Reason::kAllowRule;
  record.head.assurance = Assurance::kKernel;
  record.field(Field::kPrincipal) = "user:ada";
  record.field(Field::kGroups) = ListOf({"staff"});
  record.field(Field::kPrincipalAttributes) = MapOf({{"level", Value::Int(7)}});
  record.field(Field::kAction) = "doc.read";
  record.field(Field::kResource) = "doc:1";
  record.field(Field::kRules) =
      RulesOf({{"docs/read", {{ClauseOutcome::kTrue, "principal.level > 3"}}}});
  return record;
}

// The bytes of the last code block of a document: on each line, pairs of hexadecimal digits up to
// two spaces.
std::string ExampleIn(const char* path) {
  std::ifstream file(path);
  const std::string text(std::istreambuf_iterator<char>(file), {});
  const size_t end = text.rfind("```"), begin = text.rfind("```", end - 1) + 4;
  std::string hex;
  for (absl::string_view line : absl::StrSplit(text.substr(begin, end - begin), '\n')) {
    absl::StrAppend(&hex, line.substr(0, line.find("  ")));
  }
  return FromHex(hex);
}

// doc/audit-format.md, byte by byte.
TEST(SegmentTest, TheDocumentedExample) {
  const std::string bytes = ExampleIn("doc/audit-format.md");
  ASSERT_EQ(bytes.size(), 174u);
  std::vector<Record> records = {MakeRecord(), MakeRecord()};
  records[1].head.reason = Reason::kNoRule;
  records[1].head.seconds += 1;
  records[1].head.nanos = 0;
  records[1].field(Field::kRules).clear();
  EXPECT_EQ(absl::BytesToHexString(Encode(records)), absl::BytesToHexString(bytes));
  ExpectRoundTrip(records);
}

// What only some records have: the time that the request fixed, and what was masked.
Record MakeMasked() {
  Record record = MakeRecord();
  record.head.set_fixed_time(absl::FromUnixSeconds(1700000000));
  record.head.flags |= kMasked;
  record.field(Field::kContext) =
      MapOf({{"ip", Value::String("hash:000102030405060708090a0b0c0d0e0f")}});
  record.field(Field::kMasked) = MapOf({{"context.ip", Value::String("hash")}});
  return record;
}

TEST(SegmentTest, MaskedRecordsAndFixedTimesComeBackAmongOthers) {
  Record old = MakeRecord(), late = MakeRecord();
  old.head.set_time(absl::InfinitePast());
  old.head.set_fixed_time(absl::InfiniteFuture());
  late.head.set_time(absl::InfiniteFuture());
  late.head.set_fixed_time(absl::InfinitePast());
  EXPECT_EQ(late.head.request_time(), absl::FromUnixSeconds(-62135596800));
  EXPECT_EQ(MakeRecord().head.request_time(), MakeRecord().head.time());
  ExpectRoundTrip({MakeRecord(), MakeMasked(), MakeRecord(), old, MakeMasked(), late});
}

// What the first version wrote. It must be read for as long as there are such files.
TEST(SegmentTest, Format1IsRead) {
  const std::string bytes = FromHex(
      "01 02 06 08 757365723a616461 07 01 05 7374616666 09 01 05 6c6576656c 02 0e"
      "08 646f632e72656164 05 646f633a31 0b 01 09 646f63732f72656164"
      "000102030405060708090a0b0c0d0e0f 80c8ceb40d 959aef3a d209 02 01 03 00"
      "01 00 00 00 00 02 00 03 04 05 00 00 00 06 00 00 00 00 00 00"
      "000102030405060708090a0b0c0d0e0f 02 00 d209 02 04 03 00"
      "01 00 00 00 00 02 00 03 04 05 00 00 00 00 00 00 00 00 00 00");
  const absl::StatusOr<Segment> segment = DecodeSegment(bytes);
  ASSERT_TRUE(segment.ok()) << segment.status();
  EXPECT_EQ(segment->format, 1);
  ASSERT_EQ(segment->records.size(), 2u);
  const Segment::Record& first = segment->records[0];
  Record want = MakeRecord();
  want.field(Field::kRules) = ListOf({"docs/read"});
  EXPECT_TRUE(SameHead(first.head, want.head));
  const Fields fields = segment->fields(first);
  for (size_t f = 0; f < kFieldCount; ++f) EXPECT_EQ(fields[f], want.fields[f]) << f;
  EXPECT_EQ(segment->text(segment->records[1], Field::kRules), "");

  const auto rules = DecodeRules(segment->text(first, Field::kRules), segment->format);
  ASSERT_TRUE(rules.ok()) << rules.status();
  ASSERT_EQ(rules->size(), 1u);
  EXPECT_EQ(rules->at(0).id, "docs/read");
  EXPECT_TRUE(rules->at(0).clauses.empty());
  EXPECT_EQ(ClausesToJson(*rules), "[]");
}

// What the second version wrote: of a record whose request fixed the time it has that time only.
TEST(SegmentTest, Format2IsRead) {
  std::string bytes = Encode({MakeRecord()});
  bytes[0] = 2;
  const size_t flags = bytes.size() - 21;  // before 20 references
  ASSERT_EQ(bytes[flags], 0);
  bytes[flags] = kTimeFixed | kEscaped;
  const absl::StatusOr<Segment> segment = DecodeSegment(bytes);
  ASSERT_TRUE(segment.ok()) << segment.status();
  EXPECT_EQ(segment->format, 2);
  Record want = MakeRecord();
  want.head.flags = kEscaped;
  want.head.set_fixed_time(want.head.time());
  EXPECT_TRUE(SameHead(segment->records[0].head, want.head));
  const Fields fields = segment->fields(segment->records[0]);
  for (size_t f = 0; f < kFieldCount; ++f) EXPECT_EQ(fields[f], want.fields[f]) << f;
}

// The same bytes under the number of another format are refused, unless they mean the same there.
TEST(SegmentTest, FormatsAreNotConfused) {
  std::string bytes = Encode({MakeRecord()});
  bytes[0] = 1;
  EXPECT_FALSE(DecodeSegment(bytes).ok());
  bytes = Encode({MakeMasked()});
  for (const char format : {'\1', '\2'}) {
    bytes[0] = format;
    EXPECT_FALSE(DecodeSegment(bytes).ok()) << static_cast<int>(format);
  }
  Record record = MakeRecord();
  record.field(Field::kRules) = ListOf({"docs/read"});
  EXPECT_FALSE(DecodeSegment(Encode({record})).ok());
}

TEST(SegmentTest, RulesComeBackWithTheirClauses) {
  const std::string longest(kMaxTextBytes, 'x');
  const std::vector<RecordedClause> full(kMaxClauses, {ClauseOutcome::kUnknown, "x"});
  const struct {
    const char* name;
    std::vector<RecordedRule> rules;
    std::string json;  // of the clauses
  } kCases[] = {
      {"None", {}, "[]"},
      {"NoClauses", {{"a/a", {}}, {"a/b", {}}}, "[]"},
      {"EachOutcome",
       {{"a/a",
         {{ClauseOutcome::kTrue, "t"},
          {ClauseOutcome::kFalse, "f"},
          {ClauseOutcome::kUnknown, "u"},
          {ClauseOutcome::kNotEvaluated, "n"}}}},
       R"([{"rule":"a/a","clause":"t","outcome":"true"},)"
       R"({"rule":"a/a","clause":"f","outcome":"false"},)"
       R"({"rule":"a/a","clause":"u","outcome":"unknown"},)"
       R"({"rule":"a/a","clause":"n","outcome":"not_evaluated"}])"},
      {"LeftOut",
       {{"a/a", {{ClauseOutcome::kFalse, ""}}}},
       R"([{"rule":"a/a","clause":null,"outcome":"false"}])"},
      {"Lines",
       {{"a/a", {}}, {"a/b", {{ClauseOutcome::kTrue, "a == \"\u00e9\" &&\n  b\x1b\u202e"}}}},
       "[{\"rule\":\"a/b\",\"clause\":\"a == \\\"\u00e9\\\" &&\\u000a  b\\u001b\\u202e\","
       "\"outcome\":\"true\"}]"},
      {"LongestText",
       {{"a/a", {{ClauseOutcome::kTrue, longest}}}},
       absl::StrCat(R"([{"rule":"a/a","clause":")", longest, R"(","outcome":"true"}])")},
      {"MostClauses", std::vector<RecordedRule>(kMaxKeptClauses / kMaxClauses, {"a", full}), ""},
      {"MostText", {{"a/a", std::vector<RecordedClause>(8, {ClauseOutcome::kTrue, longest})}}, ""},
  };
  for (const auto& c : kCases) {
    const std::string bytes = RulesOf(c.rules);
    const auto rules = DecodeRules(bytes);
    ASSERT_TRUE(rules.ok()) << c.name << ": " << rules.status();
    EXPECT_EQ(RulesOf(*rules), bytes) << c.name;
    ASSERT_EQ(rules->size(), c.rules.size()) << c.name;
    for (size_t i = 0; i < rules->size(); ++i) {
      const RecordedRule &got = rules->at(i), &want = c.rules[i];
      EXPECT_EQ(got.id, want.id) << c.name;
      ASSERT_EQ(got.clauses.size(), want.clauses.size()) << c.name;
      for (size_t k = 0; k < got.clauses.size(); ++k) {
        EXPECT_EQ(got.clauses[k].outcome, want.clauses[k].outcome) << c.name;
        EXPECT_EQ(got.clauses[k].text, want.clauses[k].text) << c.name;
      }
    }
    if (!c.json.empty()) {
      EXPECT_EQ(ClausesToJson(*rules), c.json) << c.name;
    }
    Record record = MakeRecord();
    record.field(Field::kNearMisses) = bytes;
    ExpectRoundTrip({record});
  }
}

TEST(SegmentTest, RefusesRulesThatItDoesNotWrite) {
  const std::string longest(kMaxTextBytes, 'x');
  const std::vector<RecordedClause> full(kMaxClauses, {ClauseOutcome::kTrue, "x"});
  std::vector<RecordedRule> many(kMaxKeptClauses / kMaxClauses, {"a", full});
  many.push_back({"b", {{ClauseOutcome::kTrue, "x"}}});
  std::vector<RecordedClause> large(8, {ClauseOutcome::kTrue, longest});
  large.push_back({ClauseOutcome::kTrue, "x"});
  const std::string too_long = longest + "x";
  const struct {
    const char* name;
    std::string bytes;
    const char* message;
  } kCases[] = {
      {"Empty", FromHex("00"), "an empty list is not written as nothing"},
      {"CountTooLarge", FromHex("7f"), "a count is larger than what follows"},
      {"NoClauseCount", FromHex("01 01 61"), "the bytes end too early"},
      {"TooManyClausesOfOneRule", FromHex("01 01 61 21"), "a number is out of range"},
      {"ClauseCountTooLong", FromHex("01 01 61 80 00"), "longer than it needs to be"},
      {"ClauseMissing", FromHex("01 01 61 02 03 01 78"), "the bytes end too early"},
      {"UnknownOutcome", FromHex("01 01 61 01 04 01 78"), "unknown outcome"},
      {"TextNotUtf8", FromHex("01 01 61 01 03 01 ff"), "a clause is not valid UTF-8"},
      {"IdWithEscape", FromHex("01 01 1b 00"), "a text is malformed"},
      {"LeftOver", FromHex("01 01 61 00 00"), "bytes are left over"},
      {"TextTooLong", RulesOf({{"a", {{ClauseOutcome::kTrue, too_long}}}}),
       "a number is out of range"},
      {"TooManyClauses", RulesOf(many), "there are too many clauses"},
      {"TooMuchText", RulesOf({{"a", large}}), "the clauses are too long"},
  };
  for (const auto& c : kCases) {
    const absl::Status status = DecodeRules(c.bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << c.name;
    EXPECT_TRUE(absl::StrContains(status.message(), c.message)) << c.name << ": " << status;
  }
}

TEST(SegmentTest, AStringIsKeptOnce) {
  const size_t one = Encode({MakeRecord()}).size();
  const size_t many = Encode(std::vector<Record>(101, MakeRecord())).size();
  EXPECT_LE((many - one) / 100, 47u);
}

TEST(SegmentTest, TimesAreClampedToTheCalendar) {
  const struct {
    const char* name;
    absl::Time time;
    int64_t seconds;
    uint32_t nanos;
  } kCases[] = {
      {"Epoch", absl::UnixEpoch(), 0, 0},
      {"JustBefore", absl::UnixEpoch() - absl::Nanoseconds(1), -1, 999999999},
      {"QuarterNanosecond", absl::UnixEpoch() + absl::Nanoseconds(1) / 2, 0, 0},
      {"Past", absl::InfinitePast(), -62135596800, 0},
      {"Future", absl::InfiniteFuture(), 253402300799, 999999999},
      {"YearZero", absl::FromUnixSeconds(-62135596801), -62135596800, 0},
      {"Year10000", absl::FromUnixSeconds(253402300800), 253402300799, 999999999},
  };
  for (const auto& c : kCases) {
    RecordHead head;
    head.set_time(c.time);
    EXPECT_EQ(head.seconds, c.seconds) << c.name;
    EXPECT_EQ(head.nanos, c.nanos) << c.name;
    Record record = MakeRecord();
    record.head = head;
    ExpectRoundTrip({record, MakeRecord(), record});
  }
}

Value Nested(int depth) {
  Value value;
  for (int i = 0; i < depth; ++i) value = Value::Of(Value::List{value});
  return value;
}

TEST(SegmentTest, ValuesOfAllKindsComeBack) {
  const struct {
    const char* name;
    Value value;
    const char* json;
  } kCases[] = {
      {"Null", Value(), "null"},
      {"True", Value::Bool(true), "true"},
      {"False", Value::Bool(false), "false"},
      {"Int", Value::Int(-5), "-5"},
      {"MinInt", Value::Int(std::numeric_limits<int64_t>::min()), "-9223372036854775808"},
      {"MaxInt", Value::Int(std::numeric_limits<int64_t>::max()), "9223372036854775807"},
      {"MaxUint", Value::Uint(std::numeric_limits<uint64_t>::max()), "18446744073709551615"},
      {"Double", Value::Double(-0.1), "-0.1"},
      {"WholeDouble", Value::Double(3), "3.0"},
      {"LargeDouble", Value::Double(1e300), "1e+300"},
      {"Infinity", Value::Double(-INFINITY), "\"-Infinity\""},
      {"NaN", Value::Double(NAN), "\"NaN\""},
      {"String", Value::String("a\"\n\u00e9"), "\"a\\\"\\u000a\u00e9\""},
      {"EmptyString", Value::String(""), "\"\""},
      {"Bytes", Value::Bytes(std::string("\0\xff", 2)), "\"AP8=\""},
      {"List", Value::Of(Value::List{Value::Int(1), Value::String("x")}), "[1,\"x\"]"},
      {"EmptyList", Value::Of(Value::List{}), "[]"},
      {"Map", Value::Of(Attributes{{"a", Value::Int(1)}, {"b", Value()}}), "{\"a\":1,\"b\":null}"},
      {"EmptyMap", Value::Of(Attributes{}), "{}"},
      {"Mixed",
       Value::Of(Value::List{
           Value::Of(Attributes{{"a", Value::Of(Value::List{Value::Of(Attributes{})})}}),
           Value::Int(2)}),
       "[{\"a\":[{}]},2]"},
      {"Timestamp", Value::Timestamp(absl::FromUnixMillis(1800000000500)),
       "\"2027-01-15T08:00:00.5Z\""},
      {"OldTimestamp", Value::Timestamp(absl::FromUnixNanos(-1)),
       "\"1969-12-31T23:59:59.999999999Z\""},
      {"FirstTimestamp", Value::Timestamp(absl::FromUnixSeconds(-62135596800)),
       "\"0001-01-01T00:00:00Z\""},
      {"InfiniteTimestamp", Value::Timestamp(absl::InfinitePast()), nullptr},
      {"Duration", Value::Duration(absl::Milliseconds(-1500)), "\"-1.5s\""},
      {"LongDuration", Value::Duration(absl::Seconds(std::numeric_limits<int64_t>::max())),
       nullptr},
      {"LongestNegative",
       Value::Duration(absl::Seconds(std::numeric_limits<int64_t>::min()) + absl::Nanoseconds(1)),
       nullptr},
      {"InfiniteDuration", Value::Duration(absl::InfiniteDuration()), "\"inf\""},
      {"NegativeInfinity", Value::Duration(-absl::InfiniteDuration()), "\"-inf\""},
      {"Deep", Nested(kMaxValueDepth - 1), "[[[[[[[[[[[[[[[null]]]]]]]]]]]]]]]"},
  };
  for (const auto& c : kCases) {
    const Attributes attributes = {{"a", Value::Int(0)}, {"v", c.value}, {"z", Value::Int(1)}};
    const std::string bytes = MapOf(attributes);
    const absl::StatusOr<Attributes> decoded = DecodeAttributes(bytes);
    ASSERT_TRUE(decoded.ok()) << c.name << ": " << decoded.status();
    if (std::string_view(c.name) != "NaN") {
      EXPECT_EQ(*decoded, attributes) << c.name;
    }
    EXPECT_EQ(MapOf(*decoded), bytes) << c.name;
    if (c.json != nullptr) {
      EXPECT_EQ(ToJson(*decoded), absl::StrCat("{\"a\":0,\"v\":", c.json, ",\"z\":1}")) << c.name;
    }
    Record record = MakeRecord();
    record.field(Field::kContext) = bytes;
    ExpectRoundTrip({record});
  }
}

TEST(SegmentTest, RefusesBytesThatItDoesNotWrite) {
  const std::string empty_record =
      "00000000000000000000000000000000 00 00 00 02 01 00 00"
      "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
  const std::string head = "00000000000000000000000000000000 00 00 00 02 01 00 00";
  const std::string no_fields = "00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00";
  const std::string masked_head = "00000000000000000000000000000000 00 00 00 02 01 00 80 04";
  const std::string fixed_head = "00000000000000000000000000000000 00 00 00 02 01 00 04";
  ASSERT_TRUE(DecodeSegment(FromHex("03 01 00" + empty_record)).ok());
  ASSERT_TRUE(DecodeSegment(FromHex("02 01 00" + empty_record)).ok());
  ASSERT_TRUE(DecodeSegment(FromHex("01 01 00" + empty_record)).ok());
  const struct {
    const char* name;
    std::string hex;
    const char* message;
  } kCases[] = {
      {"Nothing", "", "byte 0: the bytes end too early"},
      {"Format0", "00 01 00" + empty_record, "the format is unknown"},
      {"CompressedFormat", "04 01 00" + empty_record, "not a frame of Zstandard"},
      {"Format5", "05 01 00" + empty_record, "the format is unknown"},
      {"NoRecord", "03 00 00", "no record"},
      {"CountTooLarge", "03 02 00" + empty_record, "out of range"},
      {"HugeCount", "03 ff ff ff ff ff ff ff ff ff 01 00" + empty_record, "out of range"},
      {"NumberTooLong", "03 81 00 00" + empty_record, "longer than it needs"},
      {"NumberTooLarge", "03 ff ff ff ff ff ff ff ff ff 02 00" + empty_record, "too large"},
      {"LeftOver", "03 01 00" + empty_record + "00", "left over"},
      {"HugeTable", "03 01 ff ff ff 7f" + empty_record, "out of range"},
      {"HugeString", "03 01 01 ff ff ff 7f" + empty_record, "out of range"},
      {"StringTooLong", "03 01 01 ff 01" + empty_record, "end too early"},
      {"UnusedString", "03 01 01 01 61" + empty_record, "not used"},
      {"EmptyString", "03 01 01 00" + head + "01" + no_fields, "empty string"},
      {"SameStringTwice", "03 01 02 01 61 01 61" + head + "01 02" + no_fields.substr(3), "twice"},
      {"WrongOrder", "03 01 02 01 61 01 62" + head + "02 01" + no_fields.substr(3), "order"},
      {"NoSuchString", "03 01 01 01 61" + head + "02" + no_fields, "out of range"},
      {"TextNotUtf8", "03 01 01 01 ff" + head + "01" + no_fields, "a text is malformed"},
      {"TextWithEscape", "03 01 01 01 1b" + head + "01" + no_fields, "a text is malformed"},
      {"MalformedList", "03 01 01 01 61" + head + "00 00 00 00 00 01" + no_fields.substr(15),
       "a list is malformed"},
      {"MalformedMap", "03 01 01 01 61" + head + "00 00 00 00 00 00 00 01" + no_fields.substr(21),
       "a map is malformed"},
      {"MalformedRules",
       "03 01 02 01 61 03 01 05 61" + head +
           "01 00 00 00 00 00 00 00 00 00 00 00 00 02 00 00 00 00 00 00",
       "a list of rules is malformed"},
      {"Nanoseconds",
       "03 01 00 00000000000000000000000000000000 00 80 94 eb dc 03 00 02 01 00 00" + no_fields +
           "00",
       "out of range"},
      {"Year0",
       "03 01 00 00000000000000000000000000000000 81 dc 8f f9 ce 03 00 00 02 01 00 00" + no_fields +
           "00",
       "years 1 to 9999"},
      {"UnknownLevel",
       "03 01 00 00000000000000000000000000000000 00 00 00 03 01 00 00 00" + no_fields,
       "unknown audit level"},
      {"UnknownReason",
       "03 01 00 00000000000000000000000000000000 00 00 00 02 08 00 00 00" + no_fields,
       "unknown reason"},
      {"UnknownAssurance",
       "03 01 00 00000000000000000000000000000000 00 00 00 02 01 05 00 00" + no_fields,
       "unknown assurance"},
      {"UnknownFlag",
       "03 01 00 00000000000000000000000000000000 00 00 00 02 01 00 80 20 00" + no_fields,
       "out of range"},
      {"MaskedWithoutWhat", "03 01 00" + masked_head + "00" + no_fields + "00",
       "does not say what is masked"},
      {"MaskedByATextThatIsNoMap", "03 01 01 01 61" + masked_head + "00" + no_fields + "01",
       "a map is malformed"},
      {"MaskedEndsTooEarly", "03 01 00" + masked_head + "00" + no_fields, "end too early"},
      {"FixedNanoseconds", "03 01 00" + fixed_head + "00 80 94 eb dc 03 00" + no_fields,
       "out of range"},
      {"FixedYear0", "03 01 00" + fixed_head + "81 dc 8f f9 ce 03 00 00" + no_fields,
       "years 1 to 9999"},
  };
  for (const auto& c : kCases) {
    std::string bytes = FromHex(c.hex);
    const absl::Status status = DecodeSegment(bytes).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << c.name;
    EXPECT_TRUE(absl::StrContains(status.message(), c.message)) << c.name << ": " << status;
    if (absl::string_view(bytes).substr(0, 1) != "\x03") continue;
    for (const char format : {'\1', '\2'}) {  // nor in the formats before
      bytes[0] = format;
      EXPECT_EQ(DecodeSegment(bytes).status().code(), absl::StatusCode::kDataLoss) << c.name;
    }
  }
}

TEST(SegmentTest, RefusesEveryTruncationAndMostBitFlips) {
  Record record = MakeRecord();
  record.field(Field::kContext) =
      MapOf({{"l", Value::Of(Value::List{Value::Int(1), Value::Double(2)})},
             {"t", Value::Timestamp(absl::UnixEpoch())}});
  const std::string bytes = Encode({record, MakeMasked(), MakeRecord()});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeSegment(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    const absl::StatusOr<Segment> segment = DecodeSegment(changed);
    if (!segment.ok()) continue;
    // What decodes must say something else, and be written as it was read.
    SegmentEncoder encoder;
    for (const Segment::Record& r : segment->records) encoder.Add(r.head, segment->fields(r));
    std::string again;
    encoder.Finish(&again);
    again[0] = static_cast<char>(segment->format);
    EXPECT_EQ(again, changed) << bit;
  }
}

std::string Compressed(std::string segment) {
  SegmentCompressor().Compress(&segment);
  return segment;
}

// As many records as fit into a segment, each with an id of its own.
std::vector<Record> ManyRecords(size_t count = 1024) {
  std::mt19937_64 random(20261127);
  std::vector<Record> records(count, MakeMasked());
  for (size_t i = 0; i < count; ++i) {
    for (uint8_t& byte : records[i].head.id.bytes) byte = static_cast<uint8_t>(random());
    records[i].field(Field::kResource) = absl::StrCat("doc:/reports/2027/", i);
  }
  return records;
}

TEST(SegmentTest, CompressedSegmentsComeBack) {
  SegmentCompressor compressor;
  for (const size_t count : {1024, 2, 100}) {
    const std::string plain = Encode(ManyRecords(count));
    std::string bytes = plain;
    compressor.Compress(&bytes);
    ASSERT_EQ(bytes[0], kCompressedFormat) << count;
    EXPECT_LT(bytes.size(), plain.size()) << count;
    EXPECT_EQ(bytes, Compressed(plain)) << "what came before shows: " << count;
    absl::StatusOr<Segment> decoded = DecodeSegment(bytes);
    ASSERT_TRUE(decoded.ok()) << decoded.status();
    const Segment segment = *std::move(decoded);
    bytes.assign(bytes.size(), 'x');  // it owns what it points to
    EXPECT_EQ(segment.format, kSegmentFormat);
    SegmentEncoder encoder;
    for (const Segment::Record& r : segment.records) encoder.Add(r.head, segment.fields(r));
    std::string again;
    encoder.Finish(&again);
    EXPECT_EQ(again, plain) << count;
  }
}

TEST(SegmentTest, WhatWouldNotBecomeSmallerIsNotCompressed) {
  Record random = MakeRecord();
  random.fields = {};
  std::mt19937_64 bytes(1);
  for (uint8_t& byte : random.head.id.bytes) byte = static_cast<uint8_t>(bytes());
  for (const Field field :
       {Field::kPrincipal, Field::kVia, Field::kHost, Field::kActor, Field::kEvidence,
        Field::kAction, Field::kResource, Field::kMessage, Field::kError, Field::kPolicyDigest}) {
    for (int i = 0; i < 3; ++i) random.field(field) += static_cast<char>(' ' + bytes() % 95);
  }
  Record huge = MakeRecord();
  Attributes map;
  for (int i = 0; i < 60; ++i) map.Set(absl::StrCat(i), Value::String(std::string(65536, 'x')));
  huge.field(Field::kContext) = MapOf(map);
  Record large = huge;
  huge.field(Field::kResourceAttributes) = MapOf({{"a", Value::Of(std::move(map))}});
  EXPECT_LT(Compressed(Encode({large})).size(), 2000u);
  for (const Record& record : {random, huge}) {
    const std::string plain = Encode({record});
    EXPECT_EQ(Compressed(plain), plain) << plain.size();
  }
}

// A frame of the library's own making, with its parameters set.
std::string Frame(std::string_view content,
                  const std::vector<std::pair<ZSTD_cParameter, int>>& parameters = {}) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  for (const auto& [parameter, value] : parameters) {
    EXPECT_FALSE(ZSTD_isError(ZSTD_CCtx_setParameter(context, parameter, value)));
  }
  std::string frame(ZSTD_compressBound(content.size()), '\0');
  const size_t size =
      ZSTD_compress2(context, frame.data(), frame.size(), content.data(), content.size());
  EXPECT_FALSE(ZSTD_isError(size)) << ZSTD_getErrorName(size);
  ZSTD_freeCCtx(context);
  frame.resize(size);
  return frame;
}

TEST(SegmentTest, RefusesFramesThatItDoesNotWrite) {
  const std::string plain = Encode(ManyRecords(40)), frame = Frame(plain);
  std::string older = Encode(std::vector<Record>(10, MakeRecord()));
  older[0] = 2;
  ASSERT_TRUE(DecodeSegment(older).ok());
  // A frame of this size has its content's size in two bytes, less 256, after five others.
  ASSERT_EQ(static_cast<uint8_t>(frame[5]) + 256 * static_cast<uint8_t>(frame[6]) + 256,
            static_cast<int>(plain.size()));
  std::string says_less = frame, says_more = frame;
  --says_less[5];
  ++says_more[5];
  std::string skippable = FromHex("50 2a 4d 18 00 04 00 00") + std::string(1024, 'x');
  const std::string zeros(kMaxPlainBytes + 1, '\0');
  const struct {
    const char* name;
    std::string frame;
    const char* message;  // empty: it is read
  } kCases[] = {
      {"AsItIs", frame, ""},
      {"OfAnotherLevel", Frame(plain, {{ZSTD_c_compressionLevel, 19}}), ""},
      {"WithAChecksum", Frame(plain, {{ZSTD_c_checksumFlag, 1}}), ""},
      {"Nothing", "", "not a frame of Zstandard"},
      {"MagicCut", frame.substr(0, 3), "not a frame of Zstandard"},
      {"Plain", plain, "not a frame of Zstandard"},
      {"Skippable", skippable, "not a frame of Zstandard"},
      {"SkippableBefore", skippable + frame, "not a frame of Zstandard"},
      {"OlderZstandard", "\x27" + frame.substr(1), "not a frame of Zstandard"},
      {"HeaderCut", frame.substr(0, 6), "of a size that fits"},
      {"SizeNotSaid", Frame(plain, {{ZSTD_c_contentSizeFlag, 0}}), "of a size that fits"},
      {"TooMuch", Frame(zeros), "of a size that fits"},
      {"OfNothing", Frame(""), "not smaller than what it holds"},
      {"NotSmaller", Frame(plain.substr(0, 20)), "not smaller than what it holds"},
      {"Cut", frame.substr(0, frame.size() - 1), "not exactly one frame"},
      {"LeftOver", frame + '\0', "not exactly one frame"},
      {"TwoFrames", Frame(plain.substr(0, 1500)) + Frame(plain.substr(1500)),
       "not exactly one frame"},
      {"SkippableBehind", Frame(std::string(5000, '\0')) + skippable, "not exactly one frame"},
      {"SaysLess", says_less, "is damaged"},
      {"SaysMore", says_more, "is damaged"},
      {"WrongChecksum", Frame(plain, {{ZSTD_c_checksumFlag, 1}}).substr(0, frame.size()) + "xxxx",
       "is damaged"},
      {"Bomb", Frame({zeros.data(), kMaxPlainBytes}), "the format is unknown"},
      {"ShorterThanItSays", Frame(plain.substr(0, plain.size() - 1)), "end too early"},
      {"MoreThanASegment", Frame(plain + '\0'), "left over"},
      {"OlderFormat", Frame(older), "a segment of an older format is compressed"},
      {"InItself", Frame('\4' + Frame(plain) + std::string(1000, '\0')), "the format is unknown"},
  };
  for (const auto& c : kCases) {
    const absl::Status status = DecodeSegment('\4' + c.frame).status();
    if (*c.message == '\0') {
      EXPECT_TRUE(status.ok()) << c.name << ": " << status;
      continue;
    }
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << c.name;
    EXPECT_TRUE(absl::StrContains(status.message(), c.message)) << c.name << ": " << status;
  }
}

// Most changes of a frame show by themselves. Those that do not are of the chain to find.
TEST(SegmentTest, RefusesEveryTruncationOfAFrameAndMostBitFlips) {
  const std::string bytes = Compressed(Encode(ManyRecords(10)));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_FALSE(DecodeSegment(std::string_view(bytes).substr(0, size)).ok()) << size;
  }
  size_t refused = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string changed = bytes;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << bit % 8));
    refused += !DecodeSegment(changed).ok();
  }
  EXPECT_GT(refused, bytes.size() * 2);
}

// Random records come back as they were.
TEST(SegmentTest, RandomRecordsComeBack) {
  std::mt19937_64 random(20261120);
  const auto below = [&random](uint64_t n) { return random() % n; };
  const auto text = [&] {
    std::string result;
    for (uint64_t i = below(12); i > 0; --i) result += "abc/:"[below(5)];
    return result;
  };
  std::function<Value(int)> value = [&](int depth) -> Value {
    switch (below(depth > 3 ? 8 : 10)) {
      case 0:
        return Value();
      case 1:
        return Value::Bool(below(2) == 0);
      case 2:
        return Value::Int(static_cast<int64_t>(random() >> below(64)));
      case 3:
        return Value::Uint(random() >> below(64));
      case 4:
        return Value::Double(static_cast<double>(random()) / 7);
      case 5:
        return Value::String(text());
      case 6:
        return Value::Bytes(text());
      case 7:
        return Value::Duration(absl::Nanoseconds(static_cast<int64_t>(random())));
      case 8: {
        Value::List list;
        for (uint64_t i = below(4); i > 0; --i) list.push_back(value(depth + 1));
        return Value::Of(std::move(list));
      }
      default: {
        Attributes map;
        for (uint64_t i = below(4); i > 0; --i) map.Set(text(), value(depth + 1));
        return Value::Of(std::move(map));
      }
    }
  };
  for (int round = 0; round < 300; ++round) {
    std::vector<Record> records(1 + below(20));
    for (Record& record : records) {
      for (uint8_t& byte : record.head.id.bytes) byte = static_cast<uint8_t>(random());
      record.head.set_time(absl::FromUnixNanos(static_cast<int64_t>(random())));
      record.head.latency = random() >> below(64);
      record.head.level = static_cast<AuditLevel>(below(3));
      record.head.reason = static_cast<Reason>(below(8));
      record.head.assurance = static_cast<Assurance>(below(5));
      record.head.flags = static_cast<uint32_t>(below(kAllFlags + 1)) & ~(kTimeFixed | kMasked);
      if (below(3) == 0) {
        record.head.set_fixed_time(absl::FromUnixNanos(static_cast<int64_t>(random())));
      }
      if (below(3) == 0) {
        record.head.flags |= kMasked;
        record.field(Field::kMasked) = MapOf({{text() + "x", Value::String("hash")}});
      }
      for (size_t i = 0; i + 1 < kFieldCount; ++i) {
        switch (KindOf(static_cast<Field>(i))) {
          case FieldKind::kText:
            record.fields[i] = text();
            break;
          case FieldKind::kList: {
            std::vector<std::string> list(below(4));
            for (std::string& item : list) item = text();
            record.fields[i] = ListOf(list);
            break;
          }
          case FieldKind::kRules: {
            std::vector<std::string> texts(8);
            for (std::string& item : texts) item = text();
            std::vector<RecordedRule> rules(below(4));
            for (RecordedRule& rule : rules) {
              rule.id = texts[below(8)];
              for (uint64_t n = below(4); n > 0; --n) {
                rule.clauses.push_back({static_cast<ClauseOutcome>(below(4)), texts[below(8)]});
              }
            }
            record.fields[i] = RulesOf(rules);
            break;
          }
          case FieldKind::kMap: {
            Attributes map;
            for (uint64_t n = below(4); n > 0; --n) map.Set(text(), value(1));
            record.fields[i] = MapOf(map);
            break;
          }
        }
      }
    }
    ExpectRoundTrip(records);
  }
}

}  // namespace
}  // namespace reeve
