// What holds of every kind of seal: which contexts open, and why the others do not.
#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/adapters/context/seal/envelope.h"
#include "reeve/adapters/context/seal/seal_options.h"
#include "reeve/adapters/context/seal/seal_testing.h"
#include "reeve/adapters/socket/process_number.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace {

using peer_testing::Child;
using seal_testing::Bytes;
using seal_testing::kNow;
using seal_testing::Outcome;
using seal_testing::SealKind;
using seal_testing::Seals;
using seal_testing::Why;

constexpr SealKind kKinds[] = {SealKind::kRing, SealKind::kProcess, SealKind::kHost};

std::string NameOf(SealKind kind) { return std::string(seal_internal::ToString(kind)); }

class KindTest : public ::testing::TestWithParam<SealKind> {
 protected:
  void SetUp() override {
    if (GetParam() == SealKind::kProcess && !OwnProcessNumber().has_value()) {
      GTEST_SKIP() << "needs a kernel that numbers processes, Linux 6.9";
    }
  }
};

TEST_P(KindTest, OpensOnce) {
  const Seals seals = Seals::Make(GetParam());
  const std::string packed = seals.Seal("user:ada");
  EXPECT_EQ(packed.size(), seal_internal::PackedBytes(GetParam(), 8));
  const absl::StatusOr<OpenedSeal> opened =
      seals.opener->Open(Bytes(packed), kNow, seals.exporter.get());
  ASSERT_EQ(Outcome(opened), "user:ada");
  EXPECT_EQ(opened->not_before, kNow);
  EXPECT_EQ(opened->expires, kNow + absl::Minutes(1));
  EXPECT_EQ(seals.Open(packed), "replayed: the context was opened before; export it again");
}

TEST_P(KindTest, EvidenceNamesWhatIsNoSecret) {
  const Seals seals = Seals::Make(GetParam());
  const std::string packed = seals.Seal("user:ada");
  const absl::StatusOr<OpenedSeal> opened =
      seals.opener->Open(Bytes(packed), kNow, seals.exporter.get());
  ASSERT_TRUE(opened.ok());
  const std::string key_id = seal_internal::HexOf(Bytes(packed).subspan(8, 8));
  const std::string& evidence = opened->evidence;
  const std::string head = absl::StrCat("seal=", NameOf(GetParam()), " key=", key_id, " id=");
  const std::string tail = GetParam() == SealKind::kHost ? " exporter=web-1.example.com" : "";
  ASSERT_EQ(evidence.size(), head.size() + 32 + tail.size()) << evidence;
  EXPECT_EQ(evidence.substr(0, head.size()), head);
  EXPECT_EQ(evidence.substr(head.size() + 32), tail);
  // The id is a digest: of the random name, no four bytes stand in it.
  const std::string token_id = seal_internal::HexOf(Bytes(packed).subspan(16, 16));
  for (size_t i = 0; i + 8 <= token_id.size(); i += 2) {
    EXPECT_EQ(evidence.find(token_id.substr(i, 8)), std::string::npos);
  }
}

TEST_P(KindTest, OpensBodiesOfEverySize) {
  const Seals seals = Seals::Make(GetParam());
  for (const size_t size : {0u, 1u, 63u, 64u, 65u, 300u, 4096u, unsigned{kMaxSealedBodyBytes}}) {
    const std::string body(size, 'b');
    const std::string packed = seals.Seal(body);
    EXPECT_LE(packed.size(), kMaxPackedBytes);
    EXPECT_TRUE(seals.Open(packed) == body) << size;
    // None of it can be read.
    if (size >= 8) {
      EXPECT_EQ(packed.find("bbbbbbbb"), std::string::npos);
    }
  }
  EXPECT_EQ(Why(seals.sealer
                    ->Seal(Bytes(std::string(kMaxSealedBodyBytes + 1, 'b')), kNow,
                           kNow + absl::Minutes(1))
                    .status()),
            "malformed: the context holds 65025 bytes, and at most 65024 can be sealed; export "
            "less");
}

TEST_P(KindTest, NoTwoAreAlike) {
  const Seals seals = Seals::Make(GetParam());
  const std::string first = seals.Seal("user:ada");
  const std::string second = seals.Seal("user:ada");
  EXPECT_NE(first.substr(16, 16), second.substr(16, 16));
  EXPECT_NE(first.substr(80, 24), second.substr(80, 24));
  EXPECT_NE(first.substr(120), second.substr(120));
}

// Each change of a genuine context is refused, and the genuine one then still opens.
TEST_P(KindTest, NoBitCanBeFlipped) {
  const Seals seals = Seals::Make(GetParam());
  const std::string genuine = seals.Seal("user:ada may read doc:/finance/q3");
  for (size_t bit = 0; bit < genuine.size() * 8; ++bit) {
    std::string changed = genuine;
    changed[bit / 8] ^= 1 << (bit % 8);
    const absl::StatusOr<OpenedSeal> opened =
        seals.opener->Open(Bytes(changed), kNow, seals.exporter.get());
    ASSERT_FALSE(opened.ok()) << "bit " << bit;
    const std::optional<ContextError> why = ContextErrorOf(opened.status());
    // Nothing but the shape and the choice of the key comes before authenticity.
    const size_t byte = bit / 8;
    const bool shape = byte < 8 || byte >= 104;
    const bool key = byte >= 5 && byte < 16;
    ASSERT_TRUE(why == ContextError::kAuthenticationFailed ||
                (why == ContextError::kMalformed && (shape || (byte >= 64 && byte < 80))) ||
                (why == ContextError::kUnsupportedVersion && (byte == 4 || byte == 5)) ||
                (why == ContextError::kUnknownKey && key))
        << "bit " << bit << ": " << opened.status();
  }
  EXPECT_EQ(seals.Open(genuine), "user:ada may read doc:/finance/q3");
}

TEST_P(KindTest, NothingCanBeCutOffOrAdded) {
  const Seals seals = Seals::Make(GetParam());
  const std::string genuine = seals.Seal("user:ada");
  for (size_t size = 0; size < genuine.size(); ++size) {
    ASSERT_EQ(seals.Open(genuine.substr(0, size)).substr(0, 10), "malformed:") << size;
    ASSERT_EQ(seals.Open(genuine.substr(genuine.size() - size)).substr(0, 10), "malformed:")
        << size;
  }
  for (size_t more = 1; more < 300; ++more) {
    ASSERT_EQ(seals.Open(genuine + std::string(more, '\0')).substr(0, 10), "malformed:") << more;
    ASSERT_EQ(seals.Open(genuine + genuine.substr(0, more)).substr(0, 10), "malformed:") << more;
  }
  // Also where the length is made to fit.
  for (const int by : {-1, 1, 16}) {
    std::string changed = genuine;
    changed[104] = static_cast<char>(changed[104] + by);
    changed.resize(genuine.size() + by);
    EXPECT_EQ(seals.Open(changed).substr(0, 22), "authentication_failed:");
  }
  EXPECT_EQ(seals.Open(genuine), "user:ada");
}

// What a context is changed to, and what is then said: identity.md 1.3.
struct FailureCase {
  const char* name;
  std::function<std::string(std::string)> change;
  const char* want;
};

std::string With(std::string packed, size_t at, std::string_view bytes) {
  return packed.replace(at, bytes.size(), std::string(bytes));
}

constexpr char kAltered[] =
    "authentication_failed: the context was changed on its way, or was not made by who it says; do "
    "not use it";
constexpr char kShort[] =
    "malformed: the context is too short; hand over the bytes that the exporter sealed";
constexpr char kNoSeal[] =
    "malformed: the context is not a sealed one; hand over the bytes that the exporter sealed";
constexpr char kLength[] =
    "malformed: the context is not as long as it says; hand over the bytes that the exporter "
    "sealed";

const FailureCase kFailures[] = {
    {"Genuine", [](std::string p) { return p; }, "user:ada"},
    {"Empty", [](std::string) { return ""; }, kShort},
    {"HeaderAlone", [](std::string p) { return p.substr(0, 120); }, kShort},
    {"OneByteLess", [](std::string p) { return p.substr(0, p.size() - 1); }, kLength},
    {"OneByteMore", [](std::string p) { return p + "x"; }, kLength},
    {"TooLong", [](std::string p) { return p + std::string(70000, 'x'); },
     "malformed: the context is too long; hand over the bytes that the exporter sealed"},
    {"Garbage", [](std::string) { return std::string(300, 'A'); }, kNoSeal},
    {"Zeros", [](std::string) { return std::string(300, '\0'); }, kNoSeal},
    {"MagicOfAnother", [](std::string p) { return With(p, 0, "RVSD"); }, kNoSeal},
    {"VersionTwo", [](std::string p) { return With(p, 4, "\x02"); },
     "unsupported_version: the context is of version 2 of the format, and this program knows "
     "version 1; update it"},
    {"VersionNought", [](std::string p) { return With(p, 4, std::string(1, '\0')); },
     "unsupported_version: the context is of version 0 of the format, and this program knows "
     "version 1; update it"},
    {"KindFour", [](std::string p) { return With(p, 5, "\x04"); },
     "unsupported_version: the context has a seal of kind 4, which this program does not know; "
     "update it"},
    {"KindNought", [](std::string p) { return With(p, 5, std::string(1, '\0')); },
     "unsupported_version: the context has a seal of kind 0, which this program does not know; "
     "update it"},
    {"AFlag", [](std::string p) { return With(p, 7, "\x80"); },
     "malformed: the context has flags, which version 1 has not; hand over the bytes that the "
     "exporter sealed"},
    {"ReservedByte", [](std::string p) { return With(p, 119, "\x01"); },
     "malformed: the context has bytes that version 1 leaves zero; hand over the bytes that the "
     "exporter sealed"},
    {"LengthTooLarge", [](std::string p) { return With(p, 104, "\xFF\xFF\xFF\xFF"); }, kLength},
    {"ExpiresBeforeItIsValid", [](std::string p) { return With(p, 64, p.substr(72, 8)); },
     "malformed: the context expires before it is valid; hand over the bytes that the exporter "
     "sealed"},
    {"UnknownKey", [](std::string p) { return With(p, 8, "key00000"); },
     "unknown_key: the context is sealed by a key that is not known here; give this program the "
     "key of the exporter, or seal it for this program"},
    {"AnotherName", [](std::string p) { return With(p, 16, std::string(16, 'n')); }, kAltered},
    {"AnotherTarget", [](std::string p) { return With(p, 32, std::string(32, 't')); }, kAltered},
    {"LongerLife", [](std::string p) { return With(p, 79, "\x7F"); }, kAltered},
    {"EarlierStart", [](std::string p) { return With(p, 71, std::string(1, '\0')); }, kAltered},
    {"AnotherNonce", [](std::string p) { return With(p, 80, std::string(24, 'n')); }, kAltered},
    {"AnotherBody", [](std::string p) { return With(p, 120, "root"); }, kAltered},
    {"AnotherEnd", [](std::string p) { return With(p, p.size() - 4, "root"); }, kAltered},
};

TEST_P(KindTest, FailsByTheTable) {
  const Seals seals = Seals::Make(GetParam());
  for (const FailureCase& c : kFailures) {
    EXPECT_EQ(seals.Open(c.change(seals.Seal("user:ada"))), c.want) << c.name;
  }
}

// Of another kind, in each opener; and with the kind changed.
TEST_P(KindTest, IsNotOfAnotherKind) {
  const Seals seals = Seals::Make(GetParam());
  for (const SealKind other : kKinds) {
    if (other == GetParam()) continue;
    const std::string want =
        absl::StrCat("unknown_key: the context has a seal of the kind `", NameOf(other), "`, and `",
                     NameOf(GetParam()), "` is opened here; seal it for this program");
    std::string packed = seals.Seal("user:ada");
    packed[5] = static_cast<char>(other);
    packed.resize(seal_internal::PackedBytes(other, 8));
    EXPECT_EQ(seals.Open(packed), want);
    if (other == SealKind::kProcess && !OwnProcessNumber().has_value()) continue;
    EXPECT_EQ(seals.Open(Seals::Make(other).Seal("user:ada")), want);
  }
}

TEST_P(KindTest, OfAnotherKeyIsUnknown) {
  const Seals seals = Seals::Make(GetParam());
  const Seals others = Seals::Make(GetParam());
  const std::string packed = others.Seal("user:ada");
  EXPECT_EQ(ContextErrorOf(seals.opener->Open(Bytes(packed), kNow, seals.exporter.get()).status()),
            ContextError::kUnknownKey);
  // Not by the name of a key that is known, either.
  const std::string forged = With(packed, 8, seals.Seal("user:ada").substr(8, 8));
  EXPECT_EQ(seals.Open(forged), kAltered);
}

// Times are half-open: from the first moment on, and no longer when the end has come.
struct TimeCase {
  const char* name;
  absl::Duration skew;
  absl::Duration at;  // After kNow, when it begins; it lives for a minute.
  const char* want;
};

constexpr char kEarly[] = "not_yet_valid:";
constexpr char kLate[] = "expired:";
const absl::Duration kTick = absl::Nanoseconds(1);
const absl::Duration kMinute = absl::Minutes(1);
const absl::Duration kSkew = absl::Seconds(30);
const TimeCase kTimes[] = {
    {"AtOnce", absl::ZeroDuration(), absl::ZeroDuration(), "user:ada"},
    {"Before", absl::ZeroDuration(), -kTick, kEarly},
    {"LongBefore", absl::ZeroDuration(), -absl::Hours(99), kEarly},
    {"AtLast", absl::ZeroDuration(), kMinute - kTick, "user:ada"},
    {"AtTheEnd", absl::ZeroDuration(), kMinute, kLate},
    {"LongAfter", absl::ZeroDuration(), absl::Hours(99), kLate},
    {"SkewedFirst", kSkew, -kSkew, "user:ada"},
    {"SkewedBefore", kSkew, -kSkew - kTick, kEarly},
    {"SkewedLast", kSkew, kMinute + kSkew - kTick, "user:ada"},
    {"SkewedAfter", kSkew, kMinute + kSkew, kLate},
};

TEST_P(KindTest, OpensInItsTime) {
  for (const TimeCase& c : kTimes) {
    SealOptions options;
    options.clock_skew = c.skew;
    const Seals seals = Seals::Make(GetParam(), options, 10, kNow - absl::Hours(1000));
    const std::string packed = seals.Seal("user:ada");
    const std::string got = seals.Open(packed, kNow + c.at);
    EXPECT_EQ(got.substr(0, std::string(c.want).size()), c.want) << c.name;
    if (got == "user:ada") continue;
    // A refusal for the time does not use it up.
    EXPECT_EQ(seals.Open(packed, kNow), "user:ada") << c.name;
  }
}

TEST_P(KindTest, SaysWhatTimeItIs) {
  const Seals seals = Seals::Make(GetParam());
  const std::string packed = seals.Seal("user:ada");
  EXPECT_EQ(seals.Open(packed, kNow + absl::Milliseconds(60500)),
            "expired: the context expired at 2027-01-15T08:01:00+00:00, and it is "
            "2027-01-15T08:01:00.5+00:00; export it again");
  EXPECT_EQ(seals.Open(packed, kNow - absl::Seconds(1)),
            "not_yet_valid: the context is valid from 2027-01-15T08:00:00+00:00 on, and it is "
            "2027-01-15T07:59:59+00:00; set the clocks");
}

struct LifetimeCase {
  const char* name;
  absl::Time not_before, expires;
  const char* want;
};

TEST_P(KindTest, SealsForSomeTimeAndNotForLong) {
  const LifetimeCase cases[] = {
      {"AMinute", kNow, kNow + kMinute, "OK"},
      {"OneTick", kNow, kNow + kTick, "OK"},
      {"MoreThanAMinute", kNow, kNow + kMinute + kTick,
       "malformed: the context lives for 1m0.000000001s, and at most 1m are allowed; seal it for a "
       "shorter time, or raise `max_lifetime` on both sides"},
      {"ForEver", kNow, absl::InfiniteFuture(),
       "malformed: the context lives for inf, and at most 1m are allowed; seal it for a shorter "
       "time, or raise `max_lifetime` on both sides"},
      {"Never", kNow, kNow,
       "malformed: the context would expire at 2027-01-15T08:00:00+00:00 and not be valid before "
       "2027-01-15T08:00:00+00:00; seal it for some time, within the years 1678 to 2261"},
      {"Backwards", kNow, kNow - kMinute,
       "malformed: the context would expire at 2027-01-15T07:59:00+00:00 and not be valid before "
       "2027-01-15T08:00:00+00:00; seal it for some time, within the years 1678 to 2261"},
  };
  const Seals seals = Seals::Make(GetParam());
  for (const LifetimeCase& c : cases) {
    EXPECT_EQ(Why(seals.sealer->Seal(Bytes("b"), c.not_before, c.expires).status()), c.want)
        << c.name;
  }
  // Beyond what 64 bits of nanoseconds hold.
  for (const int year : {1600, 2300}) {
    const absl::Time then = absl::FromCivil(absl::CivilYear(year), absl::UTCTimeZone());
    EXPECT_FALSE(seals.sealer->Seal(Bytes("b"), then, then + kMinute).ok()) << year;
  }
}

// Who seals for an hour is not believed by who takes a minute; and the other way round.
TEST_P(KindTest, TheOpenerLimitsTheLifetime) {
  SealOptions options;
  options.max_lifetime = absl::Hours(1);
  Seals seals = Seals::Make(GetParam(), options);
  const std::string packed = seals.Seal("user:ada", kNow, absl::Hours(1));
  EXPECT_EQ(seals.Open(packed, kNow + absl::Minutes(59)), "user:ada");

  seal_internal::EnvelopeHeader header;
  header.not_before = kNow;
  header.expires = kNow + kMinute + kTick;
  EXPECT_EQ(Why(CheckTime(header, SealOptions(), kNow)),
            "malformed: the context lives for 1m0.000000001s, and at most 1m are allowed; seal it "
            "for a shorter time, or raise `max_lifetime` on both sides");
}

TEST_P(KindTest, ChecksItsOptions) {
  const std::pair<SealOptions, const char*> cases[] = {
      {{absl::ZeroDuration(), absl::ZeroDuration()},
       "INVALID_ARGUMENT: `max_lifetime` is 0; it must be more than nothing and at most a day"},
      {{absl::Hours(25), absl::ZeroDuration()},
       "INVALID_ARGUMENT: `max_lifetime` is 25h; it must be more than nothing and at most a day"},
      {{absl::Seconds(1), -absl::Seconds(1)},
       "INVALID_ARGUMENT: `clock_skew` is -1s; it must be from nothing to an hour"},
      {{absl::Seconds(1), absl::Minutes(61)},
       "INVALID_ARGUMENT: `clock_skew` is 1h1m; it must be from nothing to an hour"},
      {{absl::Hours(24), absl::Hours(1)}, "OK"},
  };
  for (const auto& [options, want] : cases) EXPECT_EQ(Why(CheckSealOptions(options)), want);
}

TEST_P(KindTest, TakesNothingFromBeforeItRemembers) {
  // As after a restart, a second after kNow.
  const Seals seals = Seals::Make(GetParam(), SealOptions(), 10, kNow + absl::Seconds(1));
  const absl::Time later = kNow + absl::Seconds(2);
  EXPECT_EQ(seals.Open(seals.Seal("user:ada", kNow + absl::Milliseconds(999)), later),
            "replayed: the context could have been opened before this program began; export it "
            "again");
  EXPECT_EQ(seals.Open(seals.Seal("user:ada", kNow + absl::Seconds(1)), later), "user:ada");

  // Where the clocks may differ, one that says it was sealed after the restart may have been opened
  // before.
  SealOptions options;
  options.clock_skew = kSkew;
  const Seals skewed = Seals::Make(GetParam(), options, 10, kNow);
  EXPECT_EQ(skewed.Open(skewed.Seal("user:ada", kNow + kSkew - kTick), kNow + kSkew).substr(0, 9),
            "replayed:");
  EXPECT_EQ(skewed.Open(skewed.Seal("user:ada", kNow + kSkew), kNow + kSkew), "user:ada");
}

TEST_P(KindTest, RefusesWhenItCannotRememberMore) {
  const Seals seals = Seals::Make(GetParam(), SealOptions(), 2);
  const std::string third = seals.Seal("third");
  EXPECT_EQ(seals.Open(seals.Seal("first")), "first");
  EXPECT_EQ(seals.Open(seals.Seal("second")), "second");
  EXPECT_EQ(seals.Open(third).substr(0, 19), "resource_exhausted:");
  EXPECT_EQ(seals.Open(third, kNow + kMinute - kTick).substr(0, 19), "resource_exhausted:");
  const absl::Time later = kNow + kMinute + absl::Milliseconds(250);
  EXPECT_EQ(seals.Open(seals.Seal("fourth", later), later), "fourth");
}

TEST_P(KindTest, AForkedChildNeitherOpensNorSeals) {
  const Seals seals = Seals::Make(GetParam());
  const std::string packed = seals.Seal("user:ada");
  Child child([&](const Child::Pipes& pipes) {
    pipes.Say(seals.Open(packed));
    pipes.Say(Why(seals.sealer->Seal(Bytes("user:root"), kNow, kNow + kMinute).status()));
    return 0;
  });
  EXPECT_EQ(child.Hear().substr(0, 13), "wrong_target:");
  EXPECT_EQ(child.Hear().substr(0, 13), "wrong_target:");
  EXPECT_EQ(child.Wait(), 0);
  EXPECT_EQ(seals.Open(packed), "user:ada");
}

INSTANTIATE_TEST_SUITE_P(, KindTest, ::testing::ValuesIn(kKinds),
                         [](const auto& info) { return NameOf(info.param); });

}  // namespace
}  // namespace reeve
