// What a sealed context holds: what is written is read again, and nothing else is.
#include "reeve/adapters/context/context_body.h"

#include <gtest/gtest.h>

#include <functional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/context_testing.h"
#include "reeve/engine/request.h"

namespace reeve {
namespace {

using context_testing::Ada;
using context_testing::Describe;

const absl::Time kEstablished = absl::FromUnixSeconds(1800000000);

// A context body is moved only, so rows say how to make one.
ContextBody Body(Principal principal, std::string_view payload = "") {
  ContextBody body;
  body.package = payload.empty() ? "reeve" : "krb5";
  body.principal = std::move(principal);
  body.established = kEstablished;
  body.expires = kEstablished + absl::Hours(1);
  body.payload = SecretBytes(payload);
  return body;
}

// With all that there is, so that each byte of the encoding is met.
Principal Whole() {
  Principal principal = Ada();
  principal.groups = {"staff", "gid:7"};
  principal.groups_complete = false;
  principal.parents.emplace_back("uid", "1000");
  principal.actor = "host:front";
  principal.attributes.Set("list", Value::Of(Value::List{Value::Int(-1), Value::Double(0.5)}));
  principal.attributes.Set("map", Value::Of(Attributes{{"at", Value::Timestamp(kEstablished)},
                                                       {"raw", Value::Bytes("\xff")}}));
  return principal;
}

std::string Text(const ContextBody& body) {
  return absl::StrCat(body.package, " ", absl::FormatTime(body.established, absl::UTCTimeZone()),
                      " ", absl::FormatTime(body.expires, absl::UTCTimeZone()), " ",
                      Describe(body.principal), " `", std::string(body.payload.view()), "`");
}

std::string Encoded(const ContextBody& body) {
  const absl::StatusOr<SecretBytes> bytes = EncodeContextBody(body);
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  return bytes.ok() ? std::string(bytes->view()) : "";
}

absl::StatusOr<ContextBody> Decode(std::string_view bytes) {
  return DecodeContextBody(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()));
}

// ---- What is written is read again.

struct RoundTrip {
  const char* name;
  std::function<void(ContextBody*)> change;
};
std::ostream& operator<<(std::ostream& os, const RoundTrip& c) { return os << c.name; }

const RoundTrip kRoundTrips[] = {
    {"Whole", [](ContextBody*) {}},
    {"Least",
     [](ContextBody* b) {
       b->principal = Principal({"u", "i"}, Assurance::kAsserted);
       b->package = "a";
     }},
    {"Kernel", [](ContextBody* b) { b->principal.assurance = Assurance::kKernel; }},
    {"WeakKernel", [](ContextBody* b) { b->principal.assurance = Assurance::kKernelWeak; }},
    {"Payload", [](ContextBody* b) { b->payload = SecretBytes(std::string("\0\xff", 2)); }},
    {"ForEver",
     [](ContextBody* b) {
       b->established = absl::InfinitePast();
       b->expires = absl::InfiniteFuture();
     }},
    {"Nanoseconds", [](ContextBody* b) { b->expires += absl::Nanoseconds(1); }},
    {"BeforeTheEpoch",
     [](ContextBody* b) { b->established = absl::UnixEpoch() - absl::Nanoseconds(1); }},
    {"Unicode", [](ContextBody* b) { b->principal.host = "b\u00fcro"; }},
    {"LongestPackage", [](ContextBody* b) { b->package = std::string(kMaxPackageBytes, '-'); }},
    {"LongestType", [](ContextBody* b) { b->principal.id.type = std::string(kMaxTypeBytes, 'a'); }},
    {"LongestId", [](ContextBody* b) { b->principal.id.id = std::string(kMaxIdBytes, 'a'); }},
    {"LongestProvenance",
     [](ContextBody* b) {
       for (std::string* text :
            {&b->principal.via, &b->principal.host, &b->principal.actor, &b->principal.evidence}) {
         *text = std::string(kMaxProvenanceBytes, 'a');
       }
     }},
    {"ManyGroups",
     [](ContextBody* b) {
       b->principal.groups.clear();
       for (int i = 0; i < 9000; ++i) b->principal.groups.push_back(absl::StrCat("g", i));
     }},
    {"MostParents",
     [](ContextBody* b) { b->principal.parents.assign(kMaxParents, EntityId("a", "b")); }},
};

class RoundTripTest : public ::testing::TestWithParam<RoundTrip> {};

TEST_P(RoundTripTest, IsReadAsItWasWritten) {
  ContextBody body = Body(Whole(), "keys");
  GetParam().change(&body);
  const std::string bytes = Encoded(body);
  const absl::StatusOr<ContextBody> again = Decode(bytes);
  ASSERT_TRUE(again.ok()) << again.status();
  EXPECT_EQ(Text(*again), Text(body));
  EXPECT_EQ(Encoded(*again), bytes);
}

INSTANTIATE_TEST_SUITE_P(, RoundTripTest, ::testing::ValuesIn(kRoundTrips),
                         [](const auto& info) { return info.param.name; });

// The bytes themselves: another version of this program reads them.
TEST(EncodeContextBodyTest, WritesTheseBytes) {
  Principal principal({"user", "ada"}, Assurance::kCrypto);
  principal.groups = {"staff"};
  principal.parents = {{"realm", "EX"}};
  principal.attributes = {{"n", Value::Int(1)}};
  principal.via = "krb5";
  ContextBody body = Body(std::move(principal), "k");
  body.established = absl::FromUnixSeconds(1);
  body.expires = absl::FromUnixSeconds(64) + absl::Nanoseconds(5);
  EXPECT_EQ(Encoded(body), std::string("\x01\x01\x04krb5\x02\x00\x80\x01\x05\x04\x04user\x03"
                                       "ada\x04krb5\x00\x00\x00\x01\x05staff\x01\x05realm\x02"
                                       "EX\x05\x01\x01n\x02\x02\x01k",
                                       55));
}

// ---- What cannot be a context.

struct Refused {
  const char* name;
  std::function<void(ContextBody*)> change;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const Refused& c) { return os << c.name; }

constexpr char kProvenance[] = "the provenance is too long or has a control character";

const Refused kRefused[] = {
    {"Anonymous", [](ContextBody* b) { b->principal = Principal(); }, "the principal is anonymous"},
    {"NoAssurance", [](ContextBody* b) { b->principal.assurance = Assurance::kNone; },
     "the principal is anonymous"},
    {"AnonymousType",
     [](ContextBody* b) { b->principal.id.type = std::string(Principal::kAnonymousType); },
     "the principal is anonymous"},
    {"NoPackage", [](ContextBody* b) { b->package = ""; }, "the package's name is malformed"},
    {"LongPackage", [](ContextBody* b) { b->package = std::string(kMaxPackageBytes + 1, 'a'); },
     "the package's name is malformed"},
    {"UpperCasePackage", [](ContextBody* b) { b->package = "Kerberos"; },
     "the package's name is malformed"},
    {"PackageOfTwoWords", [](ContextBody* b) { b->package = "krb 5"; },
     "the package's name is malformed"},
    {"LongVia",
     [](ContextBody* b) { b->principal.via = std::string(kMaxProvenanceBytes + 1, 'a'); },
     kProvenance},
    {"LongHost",
     [](ContextBody* b) { b->principal.host = std::string(kMaxProvenanceBytes + 1, 'a'); },
     kProvenance},
    {"LineInActor", [](ContextBody* b) { b->principal.actor = "host:a\nhost:b"; }, kProvenance},
    {"NoTextAsEvidence", [](ContextBody* b) { b->principal.evidence = "\xff"; }, kProvenance},
    {"NoId", [](ContextBody* b) { b->principal.id.id = ""; }, "the entity id is empty"},
    {"LongId", [](ContextBody* b) { b->principal.id.id = std::string(kMaxIdBytes + 1, 'a'); },
     "the entity id is too long"},
    {"Role", [](ContextBody* b) { b->principal.id.type = "role"; },
     "the entity type `role` is reserved for roles of a policy"},
    {"EmptyGroup", [](ContextBody* b) { b->principal.groups.push_back(""); },
     "the entity id is empty"},
    {"TooManyParents",
     [](ContextBody* b) { b->principal.parents.assign(kMaxParents + 1, EntityId("a", "b")); },
     "the principal has too many parents"},
    {"AttributesOfNoText",
     [](ContextBody* b) { b->principal.attributes.Set("a", Value::String("\xff")); },
     "an attribute is not valid UTF-8"},
};

class RefusedTest : public ::testing::TestWithParam<Refused> {};

TEST_P(RefusedTest, IsNotWritten) {
  ContextBody body = Body(Whole(), "keys");
  GetParam().change(&body);
  EXPECT_EQ(Describe(EncodeContextBody(body).status()),
            absl::StrCat("malformed: the context cannot be exported: ", GetParam().want));
}

INSTANTIATE_TEST_SUITE_P(, RefusedTest, ::testing::ValuesIn(kRefused),
                         [](const auto& info) { return info.param.name; });

TEST(EncodeContextBodyTest, FillsTheSealAndNotMore) {
  ContextBody body = Body(Ada(), "x");
  const size_t around = Encoded(body).size() - 1;
  // The payload's length takes two bytes more.
  body.payload = SecretBytes(kMaxSealedBodyBytes - around - 2);
  const std::string bytes = Encoded(body);
  EXPECT_EQ(bytes.size(), kMaxSealedBodyBytes);
  EXPECT_TRUE(Decode(bytes).ok());
  EXPECT_EQ(Describe(Decode(bytes + "x").status()),
            "malformed: the body of the context is malformed: it is too long; it was sealed by a "
            "program that does not keep to the format");

  body.payload = SecretBytes(kMaxSealedBodyBytes - around - 1);
  EXPECT_EQ(Describe(EncodeContextBody(body).status()),
            absl::StrCat("malformed: the context cannot be exported: it takes ",
                         kMaxSealedBodyBytes + 1, " bytes, more than ", kMaxSealedBodyBytes,
                         "; give the principal fewer groups or attributes"));
}

// ---- Bytes that were not written so.

// The encoding of a body of few bytes, to be changed: each text says what stands where.
std::string Bytes(std::string_view flags, std::string_view package, std::string_view times,
                  std::string_view principal, std::string_view payload) {
  return absl::StrCat(std::string(flags), std::string(package), std::string(times),
                      std::string(principal), std::string(payload));
}

const std::string kFlags("\x01\x01", 2);
const std::string kPackage("\x05reeve", 6);
const std::string kTimes("\x02\x00\x04\x00", 4);
const std::string kPrincipal("\x04\x01u\x01i\x00\x00\x00\x00\x00\x00\x00", 12);
const std::string kPayload("\x00", 1);

struct Malformed {
  const char* name;
  std::string bytes;
  const char* want;  // Nothing of those that are well-formed.
};
std::ostream& operator<<(std::ostream& os, const Malformed& c) { return os << c.name; }

std::string OfPrincipal(std::string_view principal) {
  return Bytes(kFlags, kPackage, kTimes, principal, kPayload);
}

const Malformed kMalformed[] = {
    {"None", Bytes(kFlags, kPackage, kTimes, kPrincipal, kPayload), nullptr},
    {"Empty", "", "byte 0: the bytes end too early"},
    {"UnknownFlag", Bytes("\x01\x02", kPackage, kTimes, kPrincipal, kPayload),
     "byte 2: unknown flags"},
    {"EmptyPackage", Bytes(kFlags, std::string(1, '\0'), kTimes, kPrincipal, kPayload),
     "the package's name"},
    {"UpperCasePackage", Bytes(kFlags, "\x01K", kTimes, kPrincipal, kPayload),
     "the package's name"},
    {"LongPackage",
     Bytes(kFlags, absl::StrCat("\x41", std::string(65, 'a')), kTimes, kPrincipal, kPayload),
     "byte 3: a number is out of range"},
    {"LongLength", Bytes(kFlags, std::string("\x85\x00reeve", 7), kTimes, kPrincipal, kPayload),
     "byte 4: a number is longer than it needs to be"},
    {"TooManyNanoseconds",
     Bytes(kFlags, kPackage, std::string("\x02\x81\x94\xeb\xdc\x03\x04\x00", 8), kPrincipal,
           kPayload),
     "byte 14: a number is out of range"},
    {"NoTime",
     Bytes(kFlags, kPackage, std::string("\x02\x80\x94\xeb\xdc\x03\x04\x00", 8), kPrincipal,
           kPayload),
     "byte 14: an infinite time is not written as one"},
    {"UnknownAssurance", OfPrincipal(std::string("\x05\x01u\x01i\x00\x00\x00\x00\x00\x00\x00", 12)),
     "byte 13: unknown assurance"},
    {"Anonymous", OfPrincipal(std::string("\x00\x01u\x01i\x00\x00\x00\x00\x00\x00\x00", 12)),
     "the principal is anonymous"},
    {"EmptyId", OfPrincipal(std::string("\x04\x01u\x00\x00\x00\x00\x00\x00\x00\x00", 11)),
     "the entity id is empty"},
    {"ControlInVia", OfPrincipal(std::string("\x04\x01u\x01i\x01\n\x00\x00\x00\x00\x00\x00", 13)),
     kProvenance},
    {"GroupsThatAreNotThere",
     OfPrincipal(std::string("\x04\x01u\x01i\x00\x00\x00\x00\x7f\x00\x00", 12)),
     "byte 22: a count is larger than what follows"},
    {"ParentsThatAreNotThere",
     OfPrincipal(std::string("\x04\x01u\x01i\x00\x00\x00\x00\x00\x01\x00", 12)),
     "byte 23: a count is larger than what follows"},
    {"AttributesOfNothing",
     OfPrincipal(std::string("\x04\x01u\x01i\x00\x00\x00\x00\x00\x00\x01\x00", 13)),
     "byte 25: the attributes are malformed"},
    {"LongPayload", Bytes(kFlags, kPackage, kTimes, kPrincipal, std::string("\x02k", 2)),
     "byte 25: the bytes end too early"},
    {"MoreBehind", Bytes(kFlags, kPackage, kTimes, kPrincipal, std::string("\x00\x00", 2)),
     "byte 25: bytes are left over"},
};

class MalformedTest : public ::testing::TestWithParam<Malformed> {};

TEST_P(MalformedTest, IsNotRead) {
  const Malformed& c = GetParam();
  EXPECT_EQ(Describe(Decode(c.bytes).status()),
            c.want == nullptr
                ? "OK"
                : absl::StrCat("malformed: the body of the context is malformed: ", c.want,
                               "; it was sealed by a program that does not keep to the format"));
}

INSTANTIATE_TEST_SUITE_P(, MalformedTest, ::testing::ValuesIn(kMalformed),
                         [](const auto& info) { return info.param.name; });

TEST(DecodeContextBodyTest, RefusesOtherFormats) {
  std::string bytes = Encoded(Body(Whole(), "keys"));
  for (int format = 0; format < 256; ++format) {
    if (format == kContextBodyFormat) continue;
    bytes[0] = static_cast<char>(format);
    EXPECT_EQ(Describe(Decode(bytes).status()),
              absl::StrCat("unsupported_version: the body of the context is of format ", format,
                           "; this program knows 1, so bring exporter and importer to one "
                           "version"));
  }
}

TEST(DecodeContextBodyTest, RefusesWhatIsCutShort) {
  const std::string bytes = Encoded(Body(Whole(), "keys"));
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(ContextErrorOf(Decode(bytes.substr(0, size)).status()), ContextError::kMalformed)
        << size;
  }
}

// One content has one encoding: what decodes is written again as it was read.
TEST(DecodeContextBodyTest, TakesNoSecondEncoding) {
  const std::string bytes = Encoded(Body(Whole(), "keys"));
  const std::string text = Text(*Decode(bytes));
  int decoded = 0;
  for (size_t bit = 0; bit < bytes.size() * 8; ++bit) {
    std::string other = bytes;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    const absl::StatusOr<ContextBody> body = Decode(other);
    if (!body.ok()) {
      EXPECT_TRUE(ContextErrorOf(body.status()).has_value()) << body.status();
      continue;
    }
    ++decoded;
    EXPECT_EQ(Encoded(*body), other) << bit;
    EXPECT_NE(Text(*body), text) << bit;
  }
  EXPECT_GT(decoded, 500);  // Letters of names, at least.
}

}  // namespace
}  // namespace reeve
