#include "reeve/adapters/context/jwt/jwt.h"

#include <openssl/err.h>

#include <atomic>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/jwt/base64url.h"
#include "reeve/adapters/context/jwt/jwk_set.h"
#include "reeve/adapters/context/jwt/jwt_testing.h"

namespace reeve {
namespace {

using jwt_testing::Base64Url;
using jwt_testing::JwkSetOf;
using jwt_testing::SignedText;
using jwt_testing::SigningKey;

const absl::Time kNow = absl::FromUnixSeconds(1800000000);  // 2027-01-15T08:00:00Z

// What the issuers sign by.
struct Keys {
  SigningKey rsa = SigningKey::Rsa();
  SigningKey p256 = SigningKey::Ec("P-256");
  SigningKey p384 = SigningKey::Ec("P-384");
  SigningKey p521 = SigningKey::Ec("P-521");
  SigningKey ed = SigningKey::Ed25519();
  SigningKey other = SigningKey::Ec("P-256");  // Of another issuer.
  SigningKey workload = SigningKey::Ec("P-256");
  SigningKey stranger = SigningKey::Ec("P-256");  // Nobody's.
};

const Keys& TheKeys() {
  static const Keys* const keys = new Keys;
  return *keys;
}

std::shared_ptr<const JwkSet> SetOf(std::initializer_list<std::string> keys) {
  const auto set = JwkSet::Parse(JwkSetOf(keys));
  if (!set.ok()) ADD_FAILURE() << set.status();
  return *set;
}

std::string Named(const SigningKey& key, const char* kid, const char* alg) {
  return key.Jwk(absl::StrCat(R"("kid":")", kid, R"(","alg":")", alg, "\""));
}

// Two issuers of users, and a trust domain.
class Issuers {
 public:
  Issuers() : a_(nullptr), b_(nullptr), workloads_(nullptr) {
    const Keys& keys = TheKeys();
    a_.Replace(SetOf({Named(keys.rsa, "rs256", "RS256"), Named(keys.rsa, "rs384", "RS384"),
                      Named(keys.rsa, "rs512", "RS512"), Named(keys.rsa, "ps256", "PS256"),
                      Named(keys.rsa, "ps384", "PS384"), Named(keys.rsa, "ps512", "PS512"),
                      Named(keys.p256, "es256", "ES256"), Named(keys.p384, "es384", "ES384"),
                      Named(keys.p521, "es512", "ES512"), Named(keys.ed, "eddsa", "EdDSA")}));
    b_.Replace(SetOf({Named(keys.other, "b-key", "ES256"), Named(keys.other, "es256", "ES256")}));
    workloads_.Replace(
        SetOf({Named(keys.workload, "w", "ES256"), Named(keys.ed, "w-ed", "EdDSA")}));
  }

  JwtOptions Options() const {
    JwtIssuer a;
    a.issuer = "https://a.example";
    a.keys = &a_;
    a.audiences = {"files"};
    a.realm = "a.example";
    JwtIssuer b = a;
    b.issuer = "https://b.example";
    b.keys = &b_;
    b.realm = "b.example";
    JwtIssuer workloads;
    workloads.trust_domain = "example.org";
    workloads.keys = &workloads_;
    workloads.audiences = {"files"};
    JwtOptions options;
    options.issuers = {a, b, workloads};
    return options;
  }

  JwksInMemory& a() { return a_; }
  JwksInMemory& b() { return b_; }

 private:
  JwksInMemory a_;
  JwksInMemory b_;
  JwksInMemory workloads_;
};

std::unique_ptr<JwtPackage> Package(const JwtOptions& options) {
  auto package = JwtPackage::Create(options);
  if (!package.ok()) ADD_FAILURE() << package.status();
  return *std::move(package);
}

std::string Verdict(const JwtPackage& package, std::string_view token, absl::Time now) {
  const absl::StatusOr<EstablishedContext> context =
      package.Open({reinterpret_cast<const uint8_t*>(token.data()), token.size()}, now);
  EXPECT_EQ(ERR_peek_error(), 0u);
  if (!context.ok()) {
    const std::optional<ContextError> error = ContextErrorOf(context.status());
    return absl::StrCat(error.has_value() ? std::string(ToString(*error)) : "?", ": ",
                        context.status().message());
  }
  EXPECT_EQ(context->session, nullptr);
  const auto text = [](absl::Time time) {
    return absl::FormatTime("%H:%M:%S", time, absl::UTCTimeZone());
  };
  return absl::StrCat(jwt_testing::Describe(context->principal), " from ",
                      text(context->established), " to ", text(context->expires));
}

constexpr char kClaims[] =
    R"({"iss":"https://a.example","sub":"ada","aud":"files","exp":1800000300})";
constexpr char kHeader[] = R"({"alg":"ES256","kid":"es256"})";
constexpr char kAda[] =
    R"(user:ada@a.example groups=[] parents=[] attributes={"jwt_expires": )"
    R"(timestamp("2027-01-15T08:05:00Z"), "jwt_issuer": "https://a.example"} actor= host= crypto )"
    R"(via=jwt alg=ES256 exp=2027-01-15T08:05:00Z jti=none iss=https://a.example kid=es256 from )"
    R"(08:00:00 to 08:06:00)";

// By the key `es256` of the issuer a.
std::string Es256(std::string_view header, std::string_view claims) {
  return TheKeys().p256.Token(JwtAlgorithm::kEs256, header, claims);
}

std::string WithSignature(std::string_view header, std::string_view signature) {
  return absl::StrCat(SignedText(header, kClaims), ".", Base64Url(signature));
}

struct Case {
  const char* name;
  std::string token;
  std::string want;
  absl::Time now = kNow;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class JwtTest : public testing::TestWithParam<Case> {};

// Also the second time, when the token may be remembered, and without a memory.
TEST_P(JwtTest, OpensOrRefuses) {
  const Case& c = GetParam();
  Issuers issuers;
  JwtOptions options = issuers.Options();
  const auto package = Package(options);
  EXPECT_EQ(Verdict(*package, c.token, c.now), c.want);
  EXPECT_EQ(Verdict(*package, c.token, c.now), c.want);
  options.cached_tokens = 0;
  EXPECT_EQ(Verdict(*Package(options), c.token, c.now), c.want);
}

std::string By(const char* alg, const char* kid) {
  return absl::StrCat(R"({"alg":")", alg, R"(","kid":")", kid, "\"}");
}

std::vector<Case> Cases() {
  const Keys& keys = TheKeys();
  const std::string good = Es256(kHeader, kClaims);
  const std::string bad_signature =
      "authentication_failed: the token's signature is not that of its key";
  const auto ada_by = [](const char* alg, const char* kid) {
    return absl::StrReplaceAll(
        kAda, {{"alg=ES256", absl::StrCat("alg=", alg)}, {"kid=es256", absl::StrCat("kid=", kid)}});
  };
  const auto wrong_alg = [](const char* alg, const char* of_key) {
    return absl::StrCat("authentication_failed: the token is signed by `", alg,
                        "`, and its key is one of `", of_key, "`");
  };
  const auto with_claim = [](const char* claim) {
    return Es256(kHeader, absl::StrReplaceAll(kClaims, {{"}", absl::StrCat(",", claim, "}")}}));
  };
  const auto with_member = [](const char* member) {
    return Es256(absl::StrCat(R"({"alg":"ES256","kid":"es256",)", member, "}"), kClaims);
  };
  const auto refused_member = [](const char* name, const char* why) {
    return absl::StrCat("mechanism: the token's header has `", name, "`, which ", why);
  };
  const auto raw = [](const std::string& header, const std::string& claims) {
    const std::string text = absl::StrCat(header, ".", claims);
    return absl::StrCat(text, ".", Base64Url(TheKeys().p256.Sign(JwtAlgorithm::kEs256, text)));
  };
  const std::string header64 = Base64Url(kHeader);
  const std::string claims64 = Base64Url(kClaims);
  const std::string es_signature =
      keys.p256.Sign(JwtAlgorithm::kEs256, SignedText(kHeader, kClaims));
  const std::string svid = R"({"sub":"spiffe://example.org/web","aud":["files"],"exp":1800000300})";
  const std::string web =
      R"(spiffe:example.org/web groups=[] parents=[spiffe:example.org] attributes={"jwt_expires": )"
      R"(timestamp("2027-01-15T08:05:00Z")} actor= host= crypto via=jwt alg=ES256 )"
      R"(exp=2027-01-15T08:05:00Z jti=none iss=none kid=w from 08:00:00 to 08:06:00)";
  return {
      // Every algorithm.
      {"Rs256", keys.rsa.Token(JwtAlgorithm::kRs256, By("RS256", "rs256"), kClaims),
       ada_by("RS256", "rs256")},
      {"Rs384", keys.rsa.Token(JwtAlgorithm::kRs384, By("RS384", "rs384"), kClaims),
       ada_by("RS384", "rs384")},
      {"Rs512", keys.rsa.Token(JwtAlgorithm::kRs512, By("RS512", "rs512"), kClaims),
       ada_by("RS512", "rs512")},
      {"Ps256", keys.rsa.Token(JwtAlgorithm::kPs256, By("PS256", "ps256"), kClaims),
       ada_by("PS256", "ps256")},
      {"Ps384", keys.rsa.Token(JwtAlgorithm::kPs384, By("PS384", "ps384"), kClaims),
       ada_by("PS384", "ps384")},
      {"Ps512", keys.rsa.Token(JwtAlgorithm::kPs512, By("PS512", "ps512"), kClaims),
       ada_by("PS512", "ps512")},
      {"Es256", good, kAda},
      {"Es384", keys.p384.Token(JwtAlgorithm::kEs384, By("ES384", "es384"), kClaims),
       ada_by("ES384", "es384")},
      {"Es512", keys.p521.Token(JwtAlgorithm::kEs512, By("ES512", "es512"), kClaims),
       ada_by("ES512", "es512")},
      {"EdDsa", keys.ed.Token(JwtAlgorithm::kEdDsa, By("EdDSA", "eddsa"), kClaims),
       ada_by("EdDSA", "eddsa")},

      // The algorithm is the key's.
      {"None", WithSignature(By("none", "es256"), ""), wrong_alg("none", "ES256")},
      {"NoneInCapitals", WithSignature(By("NONE", "es256"), ""), wrong_alg("NONE", "ES256")},
      {"NoneInBoth", WithSignature(By("nOnE", "rs256"), ""), wrong_alg("nOnE", "RS256")},
      {"NoneWithSignature", WithSignature(By("none", "es256"), es_signature),
       wrong_alg("none", "ES256")},
      {"NoneWithoutKid", WithSignature(R"({"alg":"none"})", ""),
       "unknown_key: the token's header has no `kid`, and keys are found by that alone"},
      {"NoSignature", WithSignature(kHeader, ""), bad_signature},
      {"HmacByThePublicKey",
       WithSignature(
           By("HS256", "rs256"),
           jwt_testing::Hmac(keys.rsa.PublicPem(), SignedText(By("HS256", "rs256"), kClaims))),
       wrong_alg("HS256", "RS256")},
      {"HmacThatSaysRs256",
       WithSignature(
           By("RS256", "rs256"),
           jwt_testing::Hmac(keys.rsa.PublicPem(), SignedText(By("RS256", "rs256"), kClaims))),
       bad_signature},
      {"PssThatSaysRs256", keys.rsa.Token(JwtAlgorithm::kPs256, By("RS256", "rs256"), kClaims),
       bad_signature},
      {"PssByTheKeyOfRs256", keys.rsa.Token(JwtAlgorithm::kPs256, By("PS256", "rs256"), kClaims),
       wrong_alg("PS256", "RS256")},
      {"Rs256ThatSaysPss", keys.rsa.Token(JwtAlgorithm::kRs256, By("PS256", "ps256"), kClaims),
       bad_signature},
      {"Rs512ThatSaysRs256", keys.rsa.Token(JwtAlgorithm::kRs512, By("RS256", "rs256"), kClaims),
       bad_signature},
      {"OtherCurve", keys.p384.Token(JwtAlgorithm::kEs384, By("ES384", "es256"), kClaims),
       wrong_alg("ES384", "ES256")},
      {"OtherCurveThatSaysEs256", keys.p384.Token(JwtAlgorithm::kEs384, kHeader, kClaims),
       bad_signature},
      {"AlgInSmallLetters", Es256(By("es256", "es256"), kClaims), wrong_alg("es256", "ES256")},
      {"AlgMissing", Es256(R"({"kid":"es256"})", kClaims),
       "malformed: the token's header has no `alg`"},
      {"AlgIsList", Es256(R"({"alg":["ES256"],"kid":"es256"})", kClaims),
       "malformed: the token's header has `alg` that is not a string, or is empty"},
      {"AlgTwice", Es256(R"({"alg":"none","alg":"ES256","kid":"es256"})", kClaims),
       "malformed: the token's header has a member twice"},

      // Signatures.
      {"Der",
       WithSignature(kHeader,
                     keys.p256.SignDer(JwtAlgorithm::kEs256, SignedText(kHeader, kClaims))),
       bad_signature},
      {"ZeroZero", WithSignature(kHeader, std::string(64, '\0')), bad_signature},
      {"ZeroR", WithSignature(kHeader, std::string(32, '\0') + es_signature.substr(32)),
       bad_signature},
      {"ZeroS", WithSignature(kHeader, es_signature.substr(0, 32) + std::string(32, '\0')),
       bad_signature},
      {"OneByteMore", WithSignature(kHeader, es_signature + '\0'), bad_signature},
      {"OneByteLess", WithSignature(kHeader, es_signature.substr(0, 63)), bad_signature},
      {"OfAStranger", keys.stranger.Token(JwtAlgorithm::kEs256, kHeader, kClaims), bad_signature},
      {"OfOtherClaims",
       absl::StrCat(header64, ".", Base64Url(absl::StrReplaceAll(kClaims, {{"ada", "eve"}})), ".",
                    Base64Url(es_signature)),
       bad_signature},

      // The key is the issuer's.
      {"KidMissing", Es256(R"({"alg":"ES256"})", kClaims),
       "unknown_key: the token's header has no `kid`, and keys are found by that alone"},
      {"KidEmpty", Es256(R"({"alg":"ES256","kid":""})", kClaims),
       "malformed: the token's header has `kid` that is not a string, or is empty"},
      {"KidNumber", Es256(R"({"alg":"ES256","kid":1})", kClaims),
       "malformed: the token's header has `kid` that is not a string, or is empty"},
      {"KidUnknown", Es256(By("ES256", "es257"), kClaims),
       "unknown_key: the token names the key `es257`, which its issuer has not"},
      {"KidIsAPath", Es256(By("ES256", "../../dev/null"), kClaims),
       "unknown_key: the token names the key `../../dev/null`, which its issuer has not"},
      {"KidHasNewline", Es256(By("ES256", R"(es256\nx)"), kClaims),
       "unknown_key: the token names the key `es256\\x0ax`, which its issuer has not"},
      {"KidOfOtherIssuer", keys.other.Token(JwtAlgorithm::kEs256, By("ES256", "b-key"), kClaims),
       "unknown_key: the token names the key `b-key`, which its issuer has not"},
      // Both issuers have a key of this name.
      {"KeyOfOtherIssuer", keys.other.Token(JwtAlgorithm::kEs256, kHeader, kClaims), bad_signature},
      {"OtherIssuer",
       keys.other.Token(JwtAlgorithm::kEs256, kHeader,
                        absl::StrReplaceAll(kClaims, {{"a.example", "b.example"}})),
       absl::StrReplaceAll(kAda, {{"a.example", "b.example"}})},
      {"IssMissing", Es256(kHeader, R"({"sub":"ada","aud":"files","exp":1800000300})"),
       "mechanism: the token has no `iss`"},
      {"IssUnknown", Es256(kHeader, absl::StrReplaceAll(kClaims, {{"a.example", "c.example"}})),
       "mechanism: the token is of the issuer `https://c.example`, which is not among those of "
       "JwtOptions"},
      {"IssPrefix", Es256(kHeader, absl::StrReplaceAll(kClaims, {{"a.example", "a.example/"}})),
       "mechanism: the token is of the issuer `https://a.example/`, which is not among those of "
       "JwtOptions"},
      {"IssList", Es256(kHeader, R"({"iss":["https://a.example"]})"),
       "mechanism: the token has `iss` that is not a string"},
      {"IssTwice", with_claim(R"("iss":"https://b.example")"),
       "malformed: the token's claims part has a member twice"},

      // JWT-SVIDs.
      {"Svid", keys.workload.Token(JwtAlgorithm::kEs256, By("ES256", "w"), svid), web},
      {"SvidTypeJose",
       keys.workload.Token(JwtAlgorithm::kEs256, R"({"alg":"ES256","kid":"w","typ":"JOSE"})", svid),
       web},
      {"SvidOfOtherType",
       keys.workload.Token(JwtAlgorithm::kEs256, R"({"alg":"ES256","kid":"w","typ":"at+jwt"})",
                           svid),
       "mechanism: the token is of the type `at+jwt`, which is not among JwtIssuer::types"},
      {"SvidByEdDsa", keys.ed.Token(JwtAlgorithm::kEdDsa, By("EdDSA", "w-ed"), svid),
       "authentication_failed: the token is signed by `EdDSA`, which JWT-SVIDs are not"},
      {"SvidByAnIssuer", Es256(kHeader, svid),
       "unknown_key: the token names the key `es256`, which its issuer has not"},
      {"SvidOfOtherTrustDomain",
       keys.workload.Token(JwtAlgorithm::kEs256, By("ES256", "w"),
                           absl::StrReplaceAll(svid, {{"example.org", "example.com"}})),
       "mechanism: the token has no `iss`"},
      {"SvidThatSaysIss",
       keys.workload.Token(JwtAlgorithm::kEs256, By("ES256", "w"),
                           absl::StrReplaceAll(svid, {{"{", R"({"iss":"https://a.example",)"}})),
       "unknown_key: the token names the key `w`, which its issuer has not"},
      {"IssuerThatSaysSpiffe",
       Es256(kHeader, absl::StrReplaceAll(kClaims, {{"ada", "spiffe://example.org/web"}})),
       absl::StrReplaceAll(kAda, {{"ada", "spiffe://example.org/web"}})},

      // Time.
      {"Expired", good,
       "expired: the token has expired at 2027-01-15T08:06:00Z, the tolerance for "
       "clocks included; get a new one",
       kNow + absl::Seconds(360)},
      {"AlmostExpired", good, absl::StrReplaceAll(kAda, {{"from 08:00:00", "from 08:05:59"}}),
       kNow + absl::Seconds(359)},
      {"NotYetValid", with_claim(R"("nbf":1800000061)"),
       "not_yet_valid: the token is not valid before 2027-01-15T08:00:01Z, the tolerance for "
       "clocks included; check this machine's clock"},
      {"ExpTwice", with_claim(R"("exp":1900000000)"),
       "malformed: the token's claims part has a member twice"},
      {"ExpTwiceByEscape", with_claim(R"("\u0065xp":1900000000)"),
       "malformed: the token's claims part has a member twice"},
      {"ExpInfinite", Es256(kHeader, R"({"iss":"https://a.example","exp":1e400})"),
       "malformed: the token's claims part has a number that is out of range"},

      // What the header may say.
      {"TypeJwt", with_member(R"("typ":"JWT")"), kAda},
      {"TypeInSmallLetters", with_member(R"("typ":"jwt")"), kAda},
      {"TypeOfAccessTokens", with_member(R"("typ":"application/at+jwt")"), kAda},
      {"TypeOther", with_member(R"("typ":"secevent+jwt")"),
       "mechanism: the token is of the type `secevent+jwt`, which is not among JwtIssuer::types"},
      {"TypeLogout", with_member(R"("typ":"logout+jwt")"),
       "mechanism: the token is of the type `logout+jwt`, which is not among JwtIssuer::types"},
      {"TypeNumber", with_member(R"("typ":1)"),
       "malformed: the token's header has `typ` that is not a string, or is empty"},
      {"TypeOtherByAStranger",
       keys.stranger.Token(JwtAlgorithm::kEs256,
                           R"({"alg":"ES256","kid":"es256","typ":"secevent+jwt"})", kClaims),
       bad_signature},
      {"Thumbprint", with_member(R"("x5t":"AA","x5t#S256":"AA")"), kAda},
      {"UnknownMember", with_member(R"("nonce":{"a":[1]})"), kAda},
      {"Crit", with_member(R"("crit":["exp"],"exp":1)"),
       refused_member("crit", "demands extensions, and none is known here")},
      {"CritEmpty", with_member(R"("crit":[])"),
       refused_member("crit", "demands extensions, and none is known here")},
      {"B64False", with_member(R"("b64":false)"), refused_member("b64", "changes what is signed")},
      {"B64True", with_member(R"("b64":true)"), refused_member("b64", "changes what is signed")},
      {"Jku", with_member(R"("jku":"https://evil.example/jwks")"),
       refused_member("jku", "names keys of its own")},
      {"X5u", with_member(R"("x5u":"https://evil.example/c")"),
       refused_member("x5u", "names keys of its own")},
      {"X5c", with_member(R"("x5c":["AA=="])"), refused_member("x5c", "brings a key of its own")},
      {"EmbeddedJwk",
       keys.stranger.Token(JwtAlgorithm::kEs256,
                           absl::StrCat(R"({"alg":"ES256","kid":"es256","jwk":)",
                                        keys.stranger.Jwk(R"("kid":"es256")"), "}"),
                           kClaims),
       refused_member("jwk", "brings a key of its own")},
      {"JwkNull", with_member(R"("jwk":null)"), refused_member("jwk", "brings a key of its own")},

      // Shape.
      {"Empty", "",
       "malformed: the token has 1 parts; a signed one has header, claims and "
       "signature"},
      {"OnePart", header64,
       "malformed: the token has 1 parts; a signed one has header, claims and signature"},
      {"TwoParts", SignedText(kHeader, kClaims),
       "malformed: the token has 2 parts; a signed one has header, claims and signature"},
      {"FourParts", good + ".AA",
       "malformed: the token has 4 parts; a signed one has header, claims and signature"},
      {"Encrypted", absl::StrCat(Base64Url(R"({"alg":"dir","enc":"A256GCM"})"), "..AA.AA.AA"),
       "malformed: the token is encrypted (JWE); only signed ones are read here"},
      {"OnlyDots", "..", "malformed: the token's header is not JSON"},
      {"JsonSerialization", R"({"payload":"AA","signatures":[]})",
       "malformed: the token has 1 parts; a signed one has header, claims and signature"},
      {"BearerBefore", "Bearer " + good, "malformed: the token's header is not base64url"},
      {"SpaceBefore", " " + good, "malformed: the token's header is not base64url"},
      {"NewlineAfter", good + "\n", "malformed: the token's signature is not base64url"},
      {"NulAfter", good + '\0', "malformed: the token's signature is not base64url"},
      {"PaddedSignature", good + "==", "malformed: the token's signature is not base64url"},
      {"SpaceInTheHeader", Es256(absl::StrCat(" ", kHeader, "\n"), kClaims), kAda},
      {"PaddedHeader", raw(header64 + "=", claims64),
       "malformed: the token's header is not base64url"},
      {"PaddedClaims", raw(header64, claims64 + "="),
       "malformed: the token's claims part is not base64url"},
      // The last digit of the signature holds two bits that mean nothing, unless they are not zero.
      {"OtherTextOfTheSameSignature",
       absl::StrCat(good.substr(0, good.size() - 1),
                    std::string(1, static_cast<char>(good.back() + 1))),
       "malformed: the token's signature is not base64url"},
      {"TrailingBytes", good + "AAAA", bad_signature},
      {"HeaderIsNotUtf8", raw(Base64Url("{\"alg\":\"\xFF\"}"), claims64),
       "malformed: the token's header is not valid UTF-8"},
      {"HeaderIsList", raw(Base64Url("[]"), claims64),
       "malformed: the token's header is not an object"},
      {"ClaimsAreNotUtf8", Es256(kHeader, "{\"sub\":\"\xC0\xAF\"}"),
       "malformed: the token's claims part is not valid UTF-8"},
      {"ClaimsAreNotJson", Es256(kHeader, "ada"), "malformed: the token's claims part is not JSON"},
      {"ClaimsAreText", Es256(kHeader, "\"ada\""),
       "malformed: the token's claims part is not an object"},
      {"ClaimsAreAToken", Es256(R"({"alg":"ES256","kid":"es256","cty":"JWT"})", good),
       "malformed: the token's claims part is not JSON"},
      {"ClaimsAreEmpty", Es256(kHeader, ""), "malformed: the token's claims part is not JSON"},
      {"TwoTexts", Es256(kHeader, absl::StrCat(kClaims, "{}")),
       "malformed: the token's claims part is not JSON"},
      {"Deep", with_claim(absl::StrCat("\"x\":", std::string(7, '['), std::string(7, ']')).c_str()),
       kAda},
      {"TooDeep",
       with_claim(absl::StrCat("\"x\":", std::string(8, '['), std::string(8, ']')).c_str()),
       "malformed: the token's claims part is nested too deeply"},
      {"TooDeepAndUnclosed", Es256(kHeader, std::string(5000, '[')),
       "malformed: the token's claims part is nested too deeply"},
      {"TooManyValues",
       with_claim(
           absl::StrCat("\"x\":[0", absl::StrReplaceAll(std::string(2040, '0'), {{"0", ",0"}}), "]")
               .c_str()),
       "malformed: the token's claims part has too many values"},
      {"NineKilobytes", std::string(9 * 1024, 'A'),
       "malformed: the token has 9216 bytes, more than 8192"},
      {"NineKilobytesSigned",
       with_claim(absl::StrCat(R"("x":")", std::string(6800, 'x'), "\"").c_str()),
       absl::StrCat(
           "malformed: the token has ",
           with_claim(absl::StrCat(R"("x":")", std::string(6800, 'x'), "\"").c_str()).size(),
           " bytes, more than 8192")},
      {"SevenKilobytes", with_claim(absl::StrCat(R"("x":")", std::string(5500, 'x'), "\"").c_str()),
       kAda},

      // Evidence.
      {"Jti", with_claim(R"("jti":"7")"),
       // printf 7 | sha256sum
       absl::StrReplaceAll(kAda, {{"jti=none", "jti=7902699be42c8a8e"}})},
      {"IatAndNbf", with_claim(R"("iat":1799999990,"nbf":1799999995)"),
       absl::StrReplaceAll(
           kAda,
           {{"\"jwt_issuer\"", R"("jwt_issued": timestamp("2027-01-15T07:59:50Z"), "jwt_issuer")"},
            {"from 08:00:00", "from 07:58:55"}})},

      // Of the standards: no `kid`.
      {"Rfc7515A2",
       "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlL"
       "mNvbS9pc19yb290Ijp0cnVlfQ.cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7",
       "unknown_key: the token's header has no `kid`, and keys are found by that alone"},
      {"Rfc7519UnsecuredJwt",
       "eyJhbGciOiJub25lIn0.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLm"
       "NvbS9pc19yb290Ijp0cnVlfQ.",
       "unknown_key: the token's header has no `kid`, and keys are found by that alone"},
  };
}

INSTANTIATE_TEST_SUITE_P(Table, JwtTest, testing::ValuesIn(Cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(JwtPackageTest, IsNamedAndNotSealed) {
  Issuers issuers;
  const auto package = Package(issuers.Options());
  EXPECT_EQ(package->name(), "jwt");
  EXPECT_FALSE(package->sealed());
}

// Whatever bit of a token changes, it is refused, and so is each beginning of it.
TEST(JwtPackageTest, RefusesEveryChange) {
  Issuers issuers;
  const auto package = Package(issuers.Options());
  const std::string good = Es256(kHeader, kClaims);
  ASSERT_EQ(Verdict(*package, good, kNow), kAda);
  for (size_t bit = 0; bit < good.size() * 8; ++bit) {
    std::string other = good;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    const std::string verdict = Verdict(*package, other, kNow);
    EXPECT_TRUE(verdict.rfind("user:", 0) != 0 && verdict.rfind("?", 0) != 0)
        << bit << ": " << verdict;
  }
  for (size_t size = 0; size < good.size(); ++size) {
    EXPECT_NE(Verdict(*package, good.substr(0, size), kNow).rfind("user:", 0), 0u) << size;
  }
}

TEST(JwtPackageTest, LooksAtTheTimeOfTokensThatItRemembers) {
  Issuers issuers;
  JwtOptions options = issuers.Options();
  options.skew = absl::ZeroDuration();
  const auto package = Package(options);
  const std::string token = Es256(
      kHeader,
      R"({"iss":"https://a.example","sub":"ada","aud":"files","nbf":1799999990,"exp":1800000300})");
  const std::string ada =
      absl::StrReplaceAll(kAda, {{"from 08:00:00 to 08:06:00", "from 07:59:50 to 08:05:00"}});
  EXPECT_EQ(Verdict(*package, token, kNow), ada);
  EXPECT_EQ(Verdict(*package, token, kNow + absl::Seconds(300) - absl::Nanoseconds(1)), ada);
  EXPECT_EQ(Verdict(*package, token, kNow + absl::Seconds(300)),
            "expired: the token has expired at 2027-01-15T08:05:00Z, the tolerance for clocks "
            "included; get a new one");
  EXPECT_EQ(Verdict(*package, token, kNow - absl::Seconds(11)),
            "not_yet_valid: the token is not valid before 2027-01-15T07:59:50Z, the tolerance for "
            "clocks included; check this machine's clock");
  EXPECT_EQ(Verdict(*package, token, kNow - absl::Seconds(10)), ada);
}

// An issuer may call its keys what it likes.
TEST(JwtPackageTest, NamesAKeyInOneWord) {
  Issuers issuers;
  const auto package = Package(issuers.Options());
  constexpr char kKid[] = "11; exporter=user:root";
  issuers.a().Replace(SetOf({Named(TheKeys().p256, kKid, "ES256")}));
  EXPECT_EQ(Verdict(*package, Es256(By("ES256", kKid), kClaims), kNow),
            absl::StrReplaceAll(kAda, {{"kid=es256", "kid=11;\\x20exporter=user:root"}}));
}

TEST(JwtPackageTest, ForgetsTokensWhoseKeyIsRemoved) {
  Issuers issuers;
  const auto package = Package(issuers.Options());
  const Keys& keys = TheKeys();
  const std::string old_token = Es256(kHeader, kClaims);
  const std::string new_token =
      keys.stranger.Token(JwtAlgorithm::kEs256, By("ES256", "new"), kClaims);
  EXPECT_EQ(Verdict(*package, old_token, kNow), kAda);
  EXPECT_EQ(Verdict(*package, new_token, kNow),
            "unknown_key: the token names the key `new`, which its issuer has not");

  // A new key is published beside the old one, signs, and then stands alone.
  issuers.a().Replace(
      SetOf({Named(keys.p256, "es256", "ES256"), Named(keys.stranger, "new", "ES256")}));
  EXPECT_EQ(Verdict(*package, old_token, kNow), kAda);
  EXPECT_EQ(Verdict(*package, new_token, kNow),
            absl::StrReplaceAll(kAda, {{"kid=es256", "kid=new"}}));
  issuers.a().Replace(SetOf({Named(keys.stranger, "new", "ES256")}));
  EXPECT_EQ(Verdict(*package, old_token, kNow),
            "unknown_key: the token names the key `es256`, which its issuer has not");
  EXPECT_EQ(Verdict(*package, new_token, kNow),
            absl::StrReplaceAll(kAda, {{"kid=es256", "kid=new"}}));

  // Another key of the old name.
  issuers.a().Replace(SetOf({Named(keys.stranger, "es256", "ES256")}));
  EXPECT_EQ(Verdict(*package, old_token, kNow),
            "authentication_failed: the token's signature is not that of its key");
  issuers.a().Replace(nullptr);
  EXPECT_EQ(Verdict(*package, new_token, kNow),
            "no_credentials: there are no keys to verify tokens by");
  EXPECT_EQ(Verdict(*package, old_token, kNow),
            "no_credentials: there are no keys to verify tokens by");
}

// Another issuer's change does not touch it.
TEST(JwtPackageTest, RemembersAnIssuersTokensApart) {
  Issuers issuers;
  const auto package = Package(issuers.Options());
  const std::string token = Es256(kHeader, kClaims);
  EXPECT_EQ(Verdict(*package, token, kNow), kAda);
  issuers.b().Replace(nullptr);
  EXPECT_EQ(Verdict(*package, token, kNow), kAda);
}

TEST(JwtPackageTest, TakesTheTypesOfItsOptions) {
  Issuers issuers;
  JwtOptions options = issuers.Options();
  options.issuers[0].types = {"AT+jwt"};
  const auto package = Package(options);
  EXPECT_EQ(
      Verdict(*package, Es256(R"({"alg":"ES256","kid":"es256","typ":"at+JWT"})", kClaims), kNow),
      kAda);
  EXPECT_EQ(Verdict(*package, Es256(R"({"alg":"ES256","kid":"es256","typ":"JWT"})", kClaims), kNow),
            "mechanism: the token is of the type `jwt`, which is not among JwtIssuer::types");
  EXPECT_EQ(Verdict(*package, Es256(kHeader, kClaims), kNow),
            "mechanism: the token has no type, which is not among JwtIssuer::types");
}

// Many more than there is room for, twice.
TEST(JwtPackageTest, RemembersNoMoreThanItHasRoomFor) {
  Issuers issuers;
  JwtOptions options = issuers.Options();
  options.cached_tokens = 5;
  const auto package = Package(options);
  for (int round = 0; round < 2; ++round) {
    for (int i = 0; i < 40; ++i) {
      const std::string name = absl::StrCat("u", i);
      EXPECT_EQ(
          Verdict(*package, Es256(kHeader, absl::StrReplaceAll(kClaims, {{"ada", name}})), kNow),
          absl::StrReplaceAll(kAda, {{"ada", name}}));
    }
  }
}

TEST(JwtPackageTest, RefusesOptionsThatLetIssuersSpeakForOthers) {
  Issuers issuers;
  struct Row {
    const char* name;
    std::function<void(JwtOptions*)> change;
    const char* want;
  };
  const Row rows[] = {
      {"Good", [](JwtOptions*) {}, "OK"},
      {"NoIssuers", [](JwtOptions* o) { o->issuers.clear(); },
       "INVALID_ARGUMENT: there is no issuer; name those whose tokens are taken"},
      {"SkewTooLarge", [](JwtOptions* o) { o->skew = absl::Seconds(301); },
       "INVALID_ARGUMENT: `skew` is 5m1s; 0 to 5m can be made up for"},
      {"SkewNegative", [](JwtOptions* o) { o->skew = -absl::Seconds(1); },
       "INVALID_ARGUMENT: `skew` is -1s; 0 to 5m can be made up for"},
      {"SkewLargest", [](JwtOptions* o) { o->skew = absl::Minutes(5); }, "OK"},
      {"Defect", [](JwtOptions* o) { o->issuers[1].audiences.clear(); },
       "INVALID_ARGUMENT: issuer 2: `audiences` is empty, or has an empty one; name this program "
       "as the issuer does"},
      {"IssuerTwice", [](JwtOptions* o) { o->issuers[1].issuer = o->issuers[0].issuer; },
       "INVALID_ARGUMENT: issuer 2: `https://a.example` stands twice"},
      {"KeysTwice", [](JwtOptions* o) { o->issuers[1].keys = o->issuers[0].keys; },
       "INVALID_ARGUMENT: issuer 2: its keys are another issuer's, who could sign for it"},
      {"KeysOfATrustDomain", [](JwtOptions* o) { o->issuers[2].keys = o->issuers[0].keys; },
       "INVALID_ARGUMENT: issuer 3: its keys are another issuer's, who could sign for it"},
      {"RealmTwice", [](JwtOptions* o) { o->issuers[1].realm = o->issuers[0].realm; },
       "INVALID_ARGUMENT: issuer 2: the realm `a.example` is another issuer's"},
      {"RealmEmpty", [](JwtOptions* o) { o->issuers[0].realm = ""; },
       "INVALID_ARGUMENT: issuer 1: `realm` is empty; there are several issuers, whose names it "
       "must tell apart"},
      {"RealmEmptyOfTheOnlyOne",
       [](JwtOptions* o) {
         o->issuers.erase(o->issuers.begin() + 1);
         o->issuers[0].realm = "";
       },
       "OK"},
      {"TrustDomainTwice",
       [](JwtOptions* o) {
         static const JwksInMemory* const more = new JwksInMemory(nullptr);
         o->issuers.push_back(o->issuers[2]);
         o->issuers[3].keys = more;
         o->issuers[3].issuer = "https://spire.example";
       },
       "INVALID_ARGUMENT: issuer 4: the trust domain `example.org` stands twice"},
  };
  for (const Row& row : rows) {
    JwtOptions options = issuers.Options();
    row.change(&options);
    EXPECT_EQ(JwtPackage::Create(options).status().ToString(), row.want) << row.name;
  }
}

// Threads open good, forged and expiring tokens while keys are replaced. What was removed before a
// call began is not believed in it.
TEST(JwtPackageTest, IsUsedByManyThreads) {
  Issuers issuers;
  JwtOptions options = issuers.Options();
  options.cached_tokens = 8;
  const auto package = Package(options);
  const Keys& keys = TheKeys();
  const auto with = SetOf({Named(keys.p256, "es256", "ES256"), Named(keys.ed, "eddsa", "EdDSA")});
  const auto without = SetOf({Named(keys.ed, "eddsa", "EdDSA")});
  issuers.a().Replace(with);
  std::vector<std::string> tokens, wants;
  for (int i = 0; i < 16; ++i) {
    const std::string name = absl::StrCat("u", i);
    tokens.push_back(Es256(kHeader, absl::StrReplaceAll(kClaims, {{"ada", name}})));
    wants.push_back(absl::StrReplaceAll(kAda, {{"ada", name}}));
  }
  const std::string forged = keys.stranger.Token(JwtAlgorithm::kEs256, kHeader, kClaims);
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) {
        const size_t at = (i * 7 + t) % tokens.size();
        const std::string verdict = Verdict(*package, tokens[at], kNow);
        if (verdict != wants[at] &&
            verdict != "unknown_key: the token names the key `es256`, which its issuer has not") {
          ++wrong;
        }
        if (Verdict(*package, forged, kNow).rfind("user:", 0) == 0) ++wrong;
        if (Verdict(*package, tokens[at], kNow + absl::Hours(1)).rfind("user:", 0) == 0) ++wrong;
      }
    });
  }
  for (int i = 0; i < 50; ++i) {
    issuers.a().Replace(without);
    if (Verdict(*package, tokens[i % tokens.size()], kNow).rfind("unknown_key", 0) != 0) ++wrong;
    issuers.a().Replace(with);
    if (Verdict(*package, tokens[i % tokens.size()], kNow) != wants[i % tokens.size()]) ++wrong;
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong, 0);
}

}  // namespace
}  // namespace reeve
