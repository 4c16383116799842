#include "reeve/adapters/context/jwt/jwt_claims.h"

#include <functional>
#include <map>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/jwt/jwk_set.h"
#include "reeve/adapters/context/jwt/jwt_testing.h"
#include "reeve/adapters/json/json_value.h"

namespace reeve {
namespace {

constexpr absl::Duration kSkew = absl::Seconds(60);
const absl::Time kNow = absl::FromUnixSeconds(1800000000);  // 2027-01-15T08:00:00Z

JwtIssuer Example() {
  static const JwksInMemory* const keys = new JwksInMemory(nullptr);
  JwtIssuer issuer;
  issuer.issuer = "https://a.example";
  issuer.keys = keys;
  issuer.audiences = {"files", "https://files.example"};
  issuer.realm = "a.example";
  return issuer;
}

JwtIssuer Spiffe() {
  JwtIssuer issuer = Example();
  issuer.issuer = "";
  issuer.realm = "";
  issuer.trust_domain = "example.org";
  return issuer;
}

using Changes = std::vector<std::pair<std::string, std::string>>;

// The claims of a good token, with each of `changes` in its place, JSON; an empty one is left out.
std::string Claims(const Changes& changes) {
  std::map<std::string, std::string> claims = {{"iss", "\"https://a.example\""},
                                               {"sub", "\"ada\""},
                                               {"aud", "\"files\""},
                                               {"exp", "1800000300"}};
  for (const auto& [name, json] : changes) claims[name] = json;
  std::vector<std::string> members;
  for (const auto& [name, json] : claims) {
    if (!json.empty()) members.push_back(absl::StrCat("\"", name, "\":", json));
  }
  return absl::StrCat("{", absl::StrJoin(members, ","), "}");
}

std::string Verdict(const std::string& claims, const JwtIssuer& issuer, absl::Duration skew) {
  const JsonValue json = ReadJson(claims, {64 * 1024, 100, 64 * 1024});
  if (json.defect != JsonDefect::kNone) return std::string(ToString(json.defect));
  const absl::StatusOr<JwtSubject> subject = SubjectOf(json.value.map_value(), issuer, skew, kNow);
  if (!subject.ok()) {
    const std::optional<ContextError> error = ContextErrorOf(subject.status());
    return absl::StrCat(error.has_value() ? std::string(ToString(*error)) : "?", ": ",
                        subject.status().message());
  }
  const auto text = [](absl::Time time) { return absl::FormatTime(time, absl::UTCTimeZone()); };
  return absl::StrCat(jwt_testing::Describe(subject->principal), "from ",
                      subject->begin.has_value() ? text(*subject->begin) : "now", " to ",
                      text(subject->end), " jti=", std::string(subject->id));
}

constexpr char kBase[] =
    R"(user:ada@a.example groups=[] parents=[] attributes={"jwt_expires": )"
    R"(timestamp("2027-01-15T08:05:00Z"), "jwt_issuer": "https://a.example"} actor= host= crypto )"
    R"(via=jwt from now to 2027-01-15T08:06:00+00:00 jti=)";

std::string But(
    std::initializer_list<std::pair<const absl::string_view, absl::string_view>> changes) {
  return absl::StrReplaceAll(kBase, changes);
}

// The attributes before or after those that each token has.
std::string Before(absl::string_view attributes) {
  return But({{"attributes={", absl::StrCat("attributes={", attributes, ", ")}});
}

struct Case {
  const char* name;
  std::string claims;
  std::string want;
  std::function<void(JwtIssuer*)> change = [](JwtIssuer*) {};
  absl::Duration skew = kSkew;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class JwtClaimsTest : public testing::TestWithParam<Case> {};

TEST_P(JwtClaimsTest, SaysWhoOrRefuses) {
  const Case& c = GetParam();
  JwtIssuer issuer = Example();
  c.change(&issuer);
  ASSERT_EQ(DefectOf(issuer), "");
  EXPECT_EQ(Verdict(c.claims, issuer, c.skew), c.want);
}

void AsSpiffe(JwtIssuer* issuer) { *issuer = Spiffe(); }
void WithGroups(JwtIssuer* issuer) { issuer->groups_claim = "roles"; }
void WithoutRealm(JwtIssuer* issuer) { issuer->realm = ""; }

std::string Nested(int depth) { return std::string(depth, '[') + std::string(depth, ']'); }

std::string Names(int count) {
  std::vector<std::string> names;
  for (int i = 0; i < count; ++i) names.push_back(absl::StrCat("\"", i, "\""));
  return absl::StrCat("[", absl::StrJoin(names, ","), "]");
}

std::vector<Case> Cases() {
  constexpr char kNoString[] = " that is not a string, or is empty";
  const auto refused = [](const std::string& why) { return "mechanism: the token " + why; };
  const std::string expired =
      "expired: the token has expired at %, the tolerance for clocks included; get a new one";
  const std::string early =
      "not_yet_valid: the token is not valid before %, the tolerance for clocks included; check "
      "this machine's clock";
  const auto at = [](const std::string& message, const char* time) {
    return absl::StrReplaceAll(message, {{"%", time}});
  };
  const std::string bad_time = " that is no number of seconds from 1970 to 9999";
  const std::string spiffe =
      R"(spiffe:example.org/ns/prod/sa/web groups=[] parents=[spiffe:example.org] attributes={)"
      R"("jwt_expires": timestamp("2027-01-15T08:05:00Z")} actor= host= crypto via=jwt from now to )"
      R"(2027-01-15T08:06:00+00:00 jti=)";
  const auto svid = [](Changes changes) {
    Changes all = {{"iss", ""}, {"sub", R"("spiffe://example.org/ns/prod/sa/web")"}};
    all.insert(all.end(), changes.begin(), changes.end());
    return Claims(all);
  };
  return {
      {"Least", Claims({}), kBase},
      {"OthersMeanNothing", Claims({{"name", "\"Ada\""}, {"groups", "7"}, {"level", "7"}}), kBase},

      // iss
      {"IssMissing", Claims({{"iss", ""}}), refused("has no `iss`")},
      {"IssNumber", Claims({{"iss", "1"}}), refused(absl::StrCat("has `iss`", kNoString))},
      {"IssOther", Claims({{"iss", "\"https://a.example/\""}}),
       refused("is of the issuer `https://a.example/`, which is not the one of its key")},
      {"IssOtherCase", Claims({{"iss", "\"https://A.example\""}}),
       refused("is of the issuer `https://A.example`, which is not the one of its key")},

      // aud
      {"AudMissing", Claims({{"aud", ""}}), refused("has no `aud`")},
      {"AudOther", Claims({{"aud", "\"mail\""}}),
       refused("is for others: its `aud` does not have `files`")},
      {"AudPrefix", Claims({{"aud", "\"files2\""}}),
       refused("is for others: its `aud` does not have `files`")},
      {"AudBeginning", Claims({{"aud", "\"file\""}}),
       refused("is for others: its `aud` does not have `files`")},
      {"AudCase", Claims({{"aud", "\"Files\""}}),
       refused("is for others: its `aud` does not have `files`")},
      {"AudWithNul", Claims({{"aud", R"("files\u0000")"}}),
       refused("is for others: its `aud` does not have `files`")},
      {"AudSecond", Claims({{"aud", "\"https://files.example\""}}), kBase},
      {"AudList", Claims({{"aud", R"(["mail","files"])"}}), kBase},
      {"AudListOfOthers", Claims({{"aud", R"(["mail","file"])"}}),
       refused("is for others: its `aud` does not have `files`")},
      {"AudEmptyList", Claims({{"aud", "[]"}}),
       refused("has `aud` that is not a string or a list of strings, or is empty")},
      {"AudListWithNumber", Claims({{"aud", R"(["files",1])"}}),
       refused("has `aud` that is not a string or a list of strings, or is empty")},
      {"AudListInList", Claims({{"aud", R"([["files"]])"}}),
       refused("has `aud` that is not a string or a list of strings, or is empty")},
      {"AudNumber", Claims({{"aud", "1"}}),
       refused("has `aud` that is not a string or a list of strings, or is empty")},
      {"AudObject", Claims({{"aud", R"({"files":true})"}}),
       refused("has `aud` that is not a string or a list of strings, or is empty")},
      {"AudNull", Claims({{"aud", "null"}}),
       refused("has `aud` that is not a string or a list of strings, or is empty")},
      {"AudEmptyText", Claims({{"aud", "\"\""}}),
       refused("is for others: its `aud` does not have `files`")},
      {"AudTooMany", Claims({{"aud", Names(65)}}), refused("has `aud` of 65 names, more than 64")},

      // exp
      {"ExpMissing", Claims({{"exp", ""}}), refused("has no `exp`")},
      {"ExpNull", Claims({{"exp", "null"}}), refused("has `exp`" + bad_time)},
      {"ExpText", Claims({{"exp", "\"1800000300\""}}), refused("has `exp`" + bad_time)},
      {"ExpNegative", Claims({{"exp", "-1"}}), refused("has `exp`" + bad_time)},
      {"ExpNegativeFraction", Claims({{"exp", "-1.5"}}), refused("has `exp`" + bad_time)},
      {"ExpHuge", Claims({{"exp", "1e300"}}), refused("has `exp`" + bad_time)},
      {"ExpInfinite", Claims({{"exp", "1e400"}}), "has a number that is out of range"},
      {"ExpUint64", Claims({{"exp", "18446744073709551615"}}), refused("has `exp`" + bad_time)},
      {"ExpInt64", Claims({{"exp", "9223372036854775807"}}), refused("has `exp`" + bad_time)},
      {"ExpYear10000", Claims({{"exp", "253402300800"}}), refused("has `exp`" + bad_time)},
      {"ExpYear9999", Claims({{"exp", "253402300799"}}),
       But({{"2027-01-15T08:05:00Z", "9999-12-31T23:59:59Z"},
            {"2027-01-15T08:06:00+00:00", "10000-01-01T00:00:59+00:00"}}),
       [](JwtIssuer* issuer) { issuer->max_lifetime = absl::InfiniteDuration(); }},
      {"ExpYear9999AndAHalf", Claims({{"exp", "253402300800.5"}}), refused("has `exp`" + bad_time)},
      {"ExpFraction", Claims({{"exp", "1800000300.25"}}),
       But({{"08:05:00Z", "08:05:00.25Z"}, {"08:06:00+", "08:06:00.25+"}})},
      {"ExpExponent", Claims({{"exp", "1.8000003e9"}}), kBase},
      {"ExpZero", Claims({{"exp", "0"}}), at(expired, "1970-01-01T00:01:00Z")},
      {"ExpNow", Claims({{"exp", "1800000000"}}), at(expired, "2027-01-15T08:00:00Z"),
       [](JwtIssuer*) {}, absl::ZeroDuration()},
      {"ExpASecondAgo", Claims({{"exp", "1799999999"}}), at(expired, "2027-01-15T07:59:59Z"),
       [](JwtIssuer*) {}, absl::ZeroDuration()},
      {"ExpInAMoment", Claims({{"exp", "1800000000.5"}}),
       But({{"08:05:00Z", "08:00:00.5Z"}, {"08:06:00+", "08:00:00.5+"}}), [](JwtIssuer*) {},
       absl::ZeroDuration()},
      {"ExpASecondAgoWithSkew", Claims({{"exp", "1799999999"}}),
       But({{"08:05:00Z", "07:59:59Z"}, {"08:06:00+", "08:00:59+"}})},
      {"ExpAlmostTooLongAgo", Claims({{"exp", "1799999940.5"}}),
       But({{"08:05:00Z", "07:59:00.5Z"}, {"08:06:00+", "08:00:00.5+"}})},
      {"ExpTooLongAgo", Claims({{"exp", "1799999940"}}), at(expired, "2027-01-15T08:00:00Z")},

      // nbf, iat
      {"Nbf", Claims({{"nbf", "1799999900"}}),
       But({{"from now", "from 2027-01-15T07:57:20+00:00"}})},
      {"NbfWithinSkew", Claims({{"nbf", "1800000060"}}),
       But({{"from now", "from 2027-01-15T08:00:00+00:00"}})},
      {"NbfTooEarly", Claims({{"nbf", "1800000061"}}), at(early, "2027-01-15T08:00:01Z")},
      {"NbfTooEarlyByAFraction", Claims({{"nbf", "1800000060.5"}}),
       at(early, "2027-01-15T08:00:00Z")},
      {"NbfNow", Claims({{"nbf", "1800000000"}}),
       But({{"from now", "from 2027-01-15T08:00:00+00:00"}, {"08:06:00+", "08:05:00+"}}),
       [](JwtIssuer*) {}, absl::ZeroDuration()},
      {"NbfInASecond", Claims({{"nbf", "1800000001"}}), at(early, "2027-01-15T08:00:01Z"),
       [](JwtIssuer*) {}, absl::ZeroDuration()},
      {"NbfText", Claims({{"nbf", "\"0\""}}), refused("has `nbf`" + bad_time)},
      {"NbfNull", Claims({{"nbf", "null"}}), refused("has `nbf`" + bad_time)},
      {"NbfHuge", Claims({{"nbf", "1e19"}}), refused("has `nbf`" + bad_time)},
      {"NbfNegative", Claims({{"nbf", "-1"}}), refused("has `nbf`" + bad_time)},
      {"NbfIsAfterExp", Claims({{"nbf", "1800000050"}, {"exp", "1800000010"}}),
       But({{"08:05:00Z", "08:00:10Z"},
            {"from now", "from 2027-01-15T07:59:50+00:00"},
            {"08:06:00+", "08:01:10+"}})},
      {"Iat", Claims({{"iat", "1799999900"}}),
       But({{"\"jwt_issuer\"", R"("jwt_issued": timestamp("2027-01-15T07:58:20Z"), "jwt_issuer")"},
            {"from now", "from 2027-01-15T07:57:20+00:00"}})},
      {"IatInTheFuture", Claims({{"iat", "1800000061"}}), at(early, "2027-01-15T08:00:01Z")},
      {"IatBool", Claims({{"iat", "true"}}), refused("has `iat`" + bad_time)},
      {"TheLaterOfNbfAndIat", Claims({{"iat", "1799999900"}, {"nbf", "1799999960"}}),
       But({{"\"jwt_issuer\"", R"("jwt_issued": timestamp("2027-01-15T07:58:20Z"), "jwt_issuer")"},
            {"from now", "from 2027-01-15T07:58:20+00:00"}})},

      // Lifetime.
      {"LongestFromNow", Claims({{"exp", "1800086400"}}),
       But({{"2027-01-15T08:05:00Z", "2027-01-16T08:00:00Z"},
            {"2027-01-15T08:06:00+", "2027-01-16T08:01:00+"}})},
      {"TooLongFromNow", Claims({{"exp", "1800086401"}}),
       refused("holds for longer than 24h, the longest that JwtIssuer::max_lifetime takes")},
      {"TooLongFromIat", Claims({{"iat", "1799999990"}, {"exp", "1800000300"}}),
       refused("holds for longer than 5m, the longest that JwtIssuer::max_lifetime takes"),
       [](JwtIssuer* issuer) { issuer->max_lifetime = absl::Minutes(5); }},
      {"OldAndTooLong", Claims({{"iat", "1700000000"}}),
       refused("holds for longer than 24h, the longest that JwtIssuer::max_lifetime takes")},

      // cnf
      {"Bound", Claims({{"cnf", R"({"jkt":"AA"})"}}),
       refused("is bound to a key of the client's by `cnf`, and no proof of that is checked")},
      {"BoundAndTaken", Claims({{"cnf", R"({"jkt":"AA"})"}}), kBase,
       [](JwtIssuer* issuer) { issuer->takes_bound_tokens = true; }},

      // sub
      {"SubMissing", Claims({{"sub", ""}}), refused("has no `sub`")},
      {"SubEmpty", Claims({{"sub", "\"\""}}), refused(absl::StrCat("has `sub`", kNoString))},
      {"SubNumber", Claims({{"sub", "7"}}), refused(absl::StrCat("has `sub`", kNoString))},
      {"SubNull", Claims({{"sub", "null"}}), refused(absl::StrCat("has `sub`", kNoString))},
      {"SubNul", Claims({{"sub", R"("ada\u0000")"}}),
       refused("has `sub` that is no id: the entity id has a control character")},
      {"SubNewline", Claims({{"sub", R"("ada\n")"}}),
       refused("has `sub` that is no id: the entity id has a control character")},
      {"SubC1", Claims({{"sub", R"("\u0085")"}}),
       refused("has `sub` that is no id: the entity id has a control character")},
      {"SubDotDot", Claims({{"sub", "\"/a/../b\""}}),
       refused("has `sub` that is no id: the entity id has a `.` or `..` segment")},
      // The realm would make `..@a.example` of the last segment.
      {"SubEndsInDotDot", Claims({{"sub", "\"a/..\""}}),
       refused("has `sub` that is no id: the entity id has a `.` or `..` segment")},
      {"SubOnlyDot", Claims({{"sub", "\".\""}}),
       refused("has `sub` that is no id: the entity id has a `.` or `..` segment")},
      {"SubEmptySegment", Claims({{"sub", "\"/a//b\""}}),
       refused("has `sub` that is no id: the entity id has an empty path segment")},
      {"SubTooLong", Claims({{"sub", absl::StrCat("\"", std::string(4097, 'a'), "\"")}}),
       refused("has `sub` that is no id: the entity id is too long")},
      {"SubTooLongWithRealm", Claims({{"sub", absl::StrCat("\"", std::string(4090, 'a'), "\"")}}),
       refused("has `sub` that is no id: the entity id is too long")},
      // Ids of all kinds may have hidden characters; logs show them escaped.
      {"SubBidi", Claims({{"sub", R"("ada\u202e")"}}),
       But({{"user:ada@", "user:ada\xE2\x80\xAE@"}})},
      {"SubOfAnotherRealm", Claims({{"sub", "\"root@b.example\""}}),
       But({{"user:ada@", "user:root@b.example@"}})},
      {"SubWithColon", Claims({{"sub", "\"uid:0\""}}), But({{"user:ada@", "user:uid:0@"}})},
      {"NoRealm", Claims({}), But({{"user:ada@a.example", "user:ada"}}), WithoutRealm},
      {"OtherType", Claims({}), But({{"user:ada", "service:ada"}}),
       [](JwtIssuer* issuer) { issuer->principal_type = "service"; }},
      {"OtherClaim", Claims({{"client_id", "\"app\""}}), But({{"user:ada", "user:app"}}),
       [](JwtIssuer* issuer) { issuer->id_claim = "client_id"; }},
      {"OtherClaimMissing", Claims({}), refused("has no `client_id`"),
       [](JwtIssuer* issuer) { issuer->id_claim = "client_id"; }},
      {"OtherClaimWithoutSub", Claims({{"sub", ""}, {"client_id", "\"app\""}}),
       refused("has no `sub`"), [](JwtIssuer* issuer) { issuer->id_claim = "client_id"; }},
      {"Email", Claims({{"email", "\"ada@x.example\""}, {"email_verified", "true"}}),
       But({{"user:ada@", "user:ada@x.example@"}}),
       [](JwtIssuer* issuer) { issuer->id_claim = "email"; }},
      {"EmailNotVerified", Claims({{"email", "\"ada@x.example\""}, {"email_verified", "false"}}),
       refused("has an `email` that is not verified; `email_verified` must be true"),
       [](JwtIssuer* issuer) { issuer->id_claim = "email"; }},
      {"EmailVerifiedByText",
       Claims({{"email", "\"ada@x.example\""}, {"email_verified", "\"true\""}}),
       refused("has an `email` that is not verified; `email_verified` must be true"),
       [](JwtIssuer* issuer) { issuer->id_claim = "email"; }},
      {"EmailOfUnknownState", Claims({{"email", "\"ada@x.example\""}}),
       refused("has an `email` that is not verified; `email_verified` must be true"),
       [](JwtIssuer* issuer) { issuer->id_claim = "email"; }},

      // act
      {"Actor", Claims({{"act", R"({"sub":"app","act":{"sub":"older"}})"}}),
       But({{"actor=", "actor=user:app@a.example"}})},
      {"ActorOfSameIssuer", Claims({{"act", R"({"sub":"app","iss":"https://a.example"})"}}),
       But({{"actor=", "actor=user:app@a.example"}})},
      {"ActorOfOtherIssuer", Claims({{"act", R"({"sub":"app","iss":"https://b.example"})"}}),
       refused("has `act` of another issuer")},
      {"ActorText", Claims({{"act", "\"app\""}}), refused("has `act` that is not an object")},
      {"ActorWithoutSub", Claims({{"act", "{}"}}),
       refused("has `act` without `sub`, or it is not a string")},
      {"ActorDotDot", Claims({{"act", R"({"sub":".."})"}}),
       refused("has `act` that is no id: the entity id has a `.` or `..` segment")},

      // Groups.
      {"Groups", Claims({{"roles", R"(["staff","leads"])"}}),
       But({{"groups=[]", "groups=[staff@a.example, leads@a.example]"}}), WithGroups},
      {"GroupsWithoutRealm", Claims({{"roles", R"(["staff"])"}}),
       But({{"user:ada@a.example groups=[]", "user:ada groups=[staff]"}}),
       [](JwtIssuer* issuer) {
         WithGroups(issuer);
         WithoutRealm(issuer);
       }},
      {"NoGroups", Claims({{"roles", "[]"}}), kBase, WithGroups},
      {"GroupsMissing", Claims({}), But({{"groups=[]", "groups=[]?"}}), WithGroups},
      {"GroupsText", Claims({{"roles", "\"staff\""}}),
       refused("has `roles` that is not a list of strings"), WithGroups},
      {"GroupsNull", Claims({{"roles", "null"}}),
       refused("has `roles` that is not a list of strings"), WithGroups},
      {"GroupNumber", Claims({{"roles", R"(["staff",7])"}}),
       refused("has `roles` that is not a list of strings"), WithGroups},
      {"GroupEmpty", Claims({{"roles", R"([""])"}}),
       refused("has `roles` that is no id: the entity id is empty"), WithGroups},
      {"GroupNewline", Claims({{"roles", R"(["a\nb"])"}}),
       refused("has `roles` that is no id: the entity id has a control character"), WithGroups},
      {"GroupsTooMany", Claims({{"roles", Names(1025)}}), refused("has more than 1024 groups"),
       WithGroups},

      // Attributes.
      {"HowItShowedWhoItIs",
       Claims({{"acr", "\"gold\""}, {"amr", R"(["pwd","otp"])"}, {"auth_time", "1799990000"}}),
       Before(R"("acr": "gold", "amr": ["pwd", "otp"], "auth_time": )"
              R"(timestamp("2027-01-15T05:13:20Z"))")},
      {"AcrNumber", Claims({{"acr", "1"}}), refused("has `acr` that is not a string")},
      {"AmrText", Claims({{"amr", "\"pwd\""}}), refused("has `amr` that is not a list of strings")},
      {"AmrNumber", Claims({{"amr", "[1]"}}), refused("has `amr` that is not a list of strings")},
      {"AuthTimeText", Claims({{"auth_time", "\"1\""}}), refused("has `auth_time`" + bad_time)},
      {"AskedFor",
       Claims({{"a", R"({"b":[1,2.5,null,true,18446744073709551615]})"}, {"b", "\"no\""}}),
       Before(R"("a": {"b": [1, 2.5, null, true, 18446744073709551615u]})"),
       [](JwtIssuer* issuer) {
         issuer->attribute_claims = {"a", "absent"};
       }},
      {"AskedForTooDeep", Claims({{"a", Nested(17)}}),
       refused("has claims that are no attributes: values are nested too deeply"),
       [](JwtIssuer* issuer) { issuer->attribute_claims = {"a"}; }},

      // jti
      {"Jti", Claims({{"jti", "\"7\""}}), absl::StrCat(kBase, "7")},
      {"JtiNumber", Claims({{"jti", "7"}}), refused(absl::StrCat("has `jti`", kNoString))},

      // JWT-SVIDs.
      {"Svid", svid({}), spiffe, AsSpiffe},
      {"SvidWithIss", svid({{"iss", "\"https://a.example\""}}),
       refused("is of the issuer `https://a.example`, which is not the one of its key"), AsSpiffe},
      {"SvidOfIssuer", svid({{"iss", "\"https://a.example\""}}),
       absl::StrReplaceAll(spiffe, {{"05:00Z\")",
                                     "05:00Z\"), \"jwt_issuer\": "
                                     "\"https://a.example\""}}),
       [](JwtIssuer* issuer) {
         AsSpiffe(issuer);
         issuer->issuer = "https://a.example";
       }},
      {"SvidOfOtherTrustDomain", svid({{"sub", "\"spiffe://example.com/ns/prod/sa/web\""}}),
       refused("has `sub` in another trust domain than `example.org`"), AsSpiffe},
      {"SvidOfSubdomain", svid({{"sub", "\"spiffe://a.example.org/web\""}}),
       refused("has `sub` in another trust domain than `example.org`"), AsSpiffe},
      {"SvidOfTrustDomainItself", svid({{"sub", "\"spiffe://example.org\""}}),
       refused("has `sub` that is not the SPIFFE ID of a workload"), AsSpiffe},
      {"SvidDotDot", svid({{"sub", "\"spiffe://example.org/a/../b\""}}),
       refused("has `sub` that is not the SPIFFE ID of a workload"), AsSpiffe},
      {"SvidUpperCase", svid({{"sub", "\"SPIFFE://example.org/web\""}}),
       refused("has `sub` that is not the SPIFFE ID of a workload"), AsSpiffe},
      {"SvidPlainSub", svid({{"sub", "\"ada\""}}),
       refused("has `sub` that is not the SPIFFE ID of a workload"), AsSpiffe},
      {"SvidWithoutAud", svid({{"aud", ""}}), refused("has no `aud`"), AsSpiffe},
      {"SvidGroups", svid({{"roles", R"(["staff"])"}}),
       absl::StrReplaceAll(spiffe, {{"groups=[]", "groups=[staff@example.org]"}}),
       [](JwtIssuer* issuer) {
         AsSpiffe(issuer);
         WithGroups(issuer);
       }},
      {"SvidActor", svid({{"act", R"({"sub":"spiffe://example.org/proxy"})"}}),
       absl::StrReplaceAll(spiffe, {{"actor=", "actor=spiffe:example.org/proxy"}}), AsSpiffe},
      {"SvidActorOfOtherTrustDomain", svid({{"act", R"({"sub":"spiffe://example.com/proxy"})"}}),
       refused("has `act` that is not a workload of this trust domain"), AsSpiffe},
      {"SpiffeIdIsNoWorkloadElsewhere", Claims({{"sub", "\"spiffe://example.org/web\""}}),
       But({{"user:ada@", "user:spiffe://example.org/web@"}})},
  };
}

INSTANTIATE_TEST_SUITE_P(Table, JwtClaimsTest, testing::ValuesIn(Cases()),
                         [](const auto& info) { return std::string(info.param.name); });

struct DefectCase {
  const char* name;
  std::function<void(JwtIssuer*)> change;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const DefectCase& c) { return os << c.name; }

class JwtIssuerTest : public testing::TestWithParam<DefectCase> {};

TEST_P(JwtIssuerTest, HasADefectOrNone) {
  JwtIssuer issuer = Example();
  GetParam().change(&issuer);
  EXPECT_EQ(DefectOf(issuer), GetParam().want);
}

constexpr char kMeansNothing[] =
    "`principal_type`, `id_claim` and `realm` mean nothing with a `trust_domain`";
constexpr char kBadRealm[] = "`realm` has a space, a control character, `@` or `/`";

const DefectCase kDefectCases[] = {
    {"None", [](JwtIssuer*) {}, ""},
    {"Svid", [](JwtIssuer* i) { *i = Spiffe(); }, ""},
    {"NoIssuer", [](JwtIssuer* i) { i->issuer = ""; }, "`issuer` is empty"},
    {"IssuerWithSpace", [](JwtIssuer* i) { i->issuer = "a kid=1"; },
     "`issuer` has a space or a control character"},
    {"NoKeys", [](JwtIssuer* i) { i->keys = nullptr; }, "`keys` is null"},
    {"NoAudience", [](JwtIssuer* i) { i->audiences = {}; },
     "`audiences` is empty, or has an empty one; name this program as the issuer does"},
    {"EmptyAudience",
     [](JwtIssuer* i) {
       i->audiences = {"files", ""};
     },
     "`audiences` is empty, or has an empty one; name this program as the issuer does"},
    {"NoTypes", [](JwtIssuer* i) { i->types = {}; },
     "`types` is empty; an empty type is that of tokens without one"},
    {"TypeWithSlash",
     [](JwtIssuer* i) {
       i->types = {"JWT", "application/at+jwt"};
     },
     "`types` has a `/`; leave `application/` out"},
    {"NoLifetime", [](JwtIssuer* i) { i->max_lifetime = absl::ZeroDuration(); },
     "`max_lifetime` is not positive"},
    {"BadType", [](JwtIssuer* i) { i->principal_type = "a user"; },
     "`principal_type`: the entity type is not a name of letters, digits, `_.-`"},
    {"RoleType", [](JwtIssuer* i) { i->principal_type = "role"; },
     "`principal_type`: the entity type `role` is reserved for roles of a policy"},
    {"SpiffeType", [](JwtIssuer* i) { i->principal_type = "spiffe"; },
     "`principal_type` is `spiffe`, which is no user's"},
    {"GroupType", [](JwtIssuer* i) { i->principal_type = "group"; },
     "`principal_type` is `group`, which is no user's"},
    {"AnonymousType", [](JwtIssuer* i) { i->principal_type = "anonymous"; },
     "`principal_type` is `anonymous`, which is no user's"},
    {"NoIdClaim", [](JwtIssuer* i) { i->id_claim = ""; }, "`id_claim` is empty"},
    {"RealmWithAt", [](JwtIssuer* i) { i->realm = "a@b"; }, kBadRealm},
    {"RealmWithSlash", [](JwtIssuer* i) { i->realm = "a/.."; }, kBadRealm},
    {"RealmWithNewline", [](JwtIssuer* i) { i->realm = "a\n"; }, kBadRealm},
    {"TrustDomainWithScheme",
     [](JwtIssuer* i) {
       *i = Spiffe();
       i->trust_domain = "spiffe://example.org";
     },
     "`trust_domain` is none; write `example.org`"},
    {"TrustDomainWithPath",
     [](JwtIssuer* i) {
       *i = Spiffe();
       i->trust_domain = "example.org/a";
     },
     "`trust_domain` is none; write `example.org`"},
    {"TrustDomainAndRealm", [](JwtIssuer* i) { i->trust_domain = "example.org"; }, kMeansNothing},
    {"TrustDomainAndType",
     [](JwtIssuer* i) {
       *i = Spiffe();
       i->principal_type = "host";
     },
     kMeansNothing},
    {"TrustDomainAndClaim",
     [](JwtIssuer* i) {
       *i = Spiffe();
       i->id_claim = "name";
     },
     kMeansNothing},
    {"EmptyAttribute", [](JwtIssuer* i) { i->attribute_claims = {""}; },
     "`attribute_claims` has an empty name"},
    {"TakenAttribute",
     [](JwtIssuer* i) {
       i->attribute_claims = {"scope", "assurance"};
     },
     "`attribute_claims` has `assurance`, which principals have of themselves"},
    {"OwnAttribute", [](JwtIssuer* i) { i->attribute_claims = {"jwt_issuer"}; },
     "`attribute_claims` has `jwt_issuer`, which principals have of themselves"},
};

INSTANTIATE_TEST_SUITE_P(Table, JwtIssuerTest, testing::ValuesIn(kDefectCases),
                         [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace reeve
