#include "reeve/adapters/context/jwt/jwk_set.h"

#include <openssl/err.h>

#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/jwt/base64url.h"
#include "reeve/adapters/context/jwt/jwt_testing.h"

namespace reeve {
namespace {

using jwt_testing::Base64Url;
using jwt_testing::JwkSetOf;
using jwt_testing::SigningKey;

const SigningKey& Rsa() {
  static const SigningKey* const key = new SigningKey(SigningKey::Rsa());
  return *key;
}

const SigningKey& Ec(const char* curve) {
  static const SigningKey* const p256 = new SigningKey(SigningKey::Ec("P-256"));
  static const SigningKey* const p384 = new SigningKey(SigningKey::Ec("P-384"));
  static const SigningKey* const p521 = new SigningKey(SigningKey::Ec("P-521"));
  return curve == std::string_view("P-256")   ? *p256
         : curve == std::string_view("P-384") ? *p384
                                              : *p521;
}

const SigningKey& Ed() {
  static const SigningKey* const key = new SigningKey(SigningKey::Ed25519());
  return *key;
}

// RFC 7515, A.2.1, the public part.
constexpr char kRfcRsa[] =
    R"("kty":"RSA","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrc)"
    R"(S2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf6)"
    R"(3kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT)"
    R"(6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ","e":"AQAB")";
// RFC 7515, A.3.1.
constexpr char kRfcEc[] =
    R"("kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
    R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0")";
// RFC 8037, A.2.
constexpr char kRfcEd[] =
    R"("kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")";

std::string KeyOf(std::string_view members, std::string_view more) {
  return absl::StrCat("{", absl::string_view(members.data(), members.size()), ",",
                      absl::string_view(more.data(), more.size()), "}");
}

// The keys, and which were passed over; or the error.
std::string Describe(const absl::StatusOr<std::shared_ptr<const JwkSet>>& set) {
  if (!set.ok()) return set.status().ToString();
  std::vector<std::string> keys;
  for (const Jwk& key : (*set)->keys()) {
    keys.push_back(absl::StrCat(key.kid(), "=", std::string(ToString(key.algorithm()))));
  }
  return absl::StrCat(absl::StrJoin(keys, " "), (*set)->ignored().empty() ? "" : "; ",
                      absl::StrJoin((*set)->ignored(), "; "));
}

// `want` without "INVALID_ARGUMENT: " of what is refused.
struct Case {
  const char* name;
  std::string json;
  std::string want;
  JwkUse use = JwkUse::kSignature;
  bool ok = false;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class JwkSetTest : public testing::TestWithParam<Case> {};

TEST_P(JwkSetTest, ReadsOrRefuses) {
  const Case& c = GetParam();
  EXPECT_EQ(Describe(JwkSet::Parse(c.json, c.use)), (c.ok ? "" : "INVALID_ARGUMENT: ") + c.want);
  EXPECT_EQ(ERR_peek_error(), 0u);
}

constexpr JwkUse kSig = JwkUse::kSignature;
constexpr JwkUse kSvid = JwkUse::kJwtSvid;

// `set`'s only key with `name` as `value`.
std::string With(std::string_view members, std::string_view name, std::string_view value) {
  std::string text(members);
  const std::string start = absl::StrCat("\"", std::string(name), "\":\"");
  const size_t begin = text.find(start) + start.size();
  text.replace(begin, text.find('"', begin) - begin, value);
  return text;
}

std::string Modulus(size_t bytes, unsigned char first, unsigned char last) {
  std::string modulus(bytes, '\x5A');
  modulus.front() = static_cast<char>(first);
  modulus.back() = static_cast<char>(last);
  return Base64Url(modulus);
}

std::string ManyKeys(size_t count) {
  std::vector<std::string> keys;
  for (size_t i = 0; i < count; ++i) {
    keys.push_back(KeyOf(kRfcEd, absl::StrCat("\"kid\":\"", 1000 + i, "\"")));
  }
  return absl::StrCat("{\"keys\":[", absl::StrJoin(keys, ","), "]}");
}

std::vector<Case> Cases() {
  const std::string rs = R"("kid":"1","alg":"RS256")";
  const std::string kid = R"("kid":"1")";
  const auto one = [](const std::string& key) { return JwkSetOf({key}); };
  const std::string good = KeyOf(kRfcEd, R"("kid":"good")");
  const auto beside = [&](const std::string& key) { return JwkSetOf({key, good}); };
  std::vector<Case> cases = {
      {"Rsa", one(KeyOf(kRfcRsa, rs)), "1=RS256", kSig, true},
      {"RsaPss", one(KeyOf(kRfcRsa, R"("kid":"1","alg":"PS512")")), "1=PS512", kSig, true},
      {"P256", one(KeyOf(kRfcEc, kid)), "1=ES256", kSig, true},
      {"P384", one(Ec("P-384").Jwk(kid)), "1=ES384", kSig, true},
      {"P521", one(Ec("P-521").Jwk(kid)), "1=ES512", kSig, true},
      {"Ed25519", one(KeyOf(kRfcEd, kid)), "1=EdDSA", kSig, true},
      {"WithAlg", one(KeyOf(kRfcEc, R"("kid":"1","alg":"ES256")")), "1=ES256", kSig, true},
      {"KidEmpty",
       JwkSetOf({KeyOf(kRfcEd, R"("kid":"b")"), KeyOf(kRfcEc, R"("kid":"a")"),
                 KeyOf(kRfcRsa, R"("kid":"","alg":"RS256")")}),
       "key 3 has a `kid` that is not a string, or is empty"},
      {"Several",
       JwkSetOf({KeyOf(kRfcEd, R"("kid":"b")"), KeyOf(kRfcEc, R"("kid":"a")"),
                 KeyOf(kRfcRsa, R"("kid":"c","alg":"RS384")")}),
       "a=ES256 b=EdDSA c=RS384", kSig, true},
      {"ForSignatures", one(KeyOf(kRfcEc, kid + R"(,"use":"sig","key_ops":["verify"])")), "1=ES256",
       kSig, true},
      {"OtherMembers", one(KeyOf(kRfcEc, kid + R"(,"x5c":["AA=="],"issuer":{"a":1})")), "1=ES256",
       kSig, true},
      {"MembersBesideKeys", R"({"a":[],"keys":[)" + good + "]}", "good=EdDSA", kSig, true},
      {"Most", ManyKeys(kMaxJwks), Describe(JwkSet::Parse(ManyKeys(kMaxJwks))), kSig, true},

      // Passed over.
      {"ForEncryption", beside(KeyOf(kRfcEc, kid + R"(,"use":"enc")")),
       "good=EdDSA; key 1 has the `use` `enc`", kSig, true},
      {"EncryptionAlg", beside(KeyOf(kRfcRsa, R"("kid":"1","alg":"RSA-OAEP")")),
       "good=EdDSA; key 1 has the `alg` `RSA-OAEP`", kSig, true},
      {"HmacAlg", beside(KeyOf(kRfcRsa, R"("kid":"1","alg":"HS256")")),
       "good=EdDSA; key 1 has the `alg` `HS256`", kSig, true},
      {"NoneAlg", beside(KeyOf(kRfcRsa, R"("kid":"1","alg":"none")")),
       "good=EdDSA; key 1 has the `alg` `none`", kSig, true},
      {"SmallAlg", beside(KeyOf(kRfcRsa, R"("kid":"1","alg":"rs256")")),
       "good=EdDSA; key 1 has the `alg` `rs256`", kSig, true},
      {"OnlySigns", beside(KeyOf(kRfcEc, kid + R"(,"key_ops":["sign"])")),
       "good=EdDSA; key 1 has `key_ops` without `verify`", kSig, true},
      {"NoOperation", beside(KeyOf(kRfcEc, kid + R"(,"key_ops":[])")),
       "good=EdDSA; key 1 has `key_ops` without `verify`", kSig, true},
      {"UnknownKty", beside(R"({"kty":"AKP","alg":"ML-DSA-44","pub":"AA"})"),
       "good=EdDSA; key 1 has the `kty` `AKP`", kSig, true},
      {"UnknownCurve", beside(KeyOf(With(kRfcEc, "crv", "secp256k1"), kid)),
       "good=EdDSA; key 1 has the `crv` `secp256k1`", kSig, true},
      {"OtherCurve", beside(KeyOf(With(kRfcEd, "crv", "X25519"), kid)),
       "good=EdDSA; key 1 has the `crv` `X25519`", kSig, true},
      {"CurveOfOtherKty", beside(KeyOf(With(kRfcEc, "crv", "Ed25519"), kid)),
       "good=EdDSA; key 1 has the `crv` `Ed25519`", kSig, true},
      {"NoneIsOfUse", one(KeyOf(kRfcEc, kid + R"(,"use":"enc")")),
       "the key set has no key that verifies tokens; key 1 has the `use` `enc`"},

      // Bundles of SPIFFE.
      {"Bundle",
       JwkSetOf({KeyOf(kRfcEc, R"("use":"x509-svid","x5c":["AA=="])"),
                 KeyOf(kRfcEc, R"("use":"jwt-svid","kid":"1")"), KeyOf(kRfcEc, kid)}),
       "1=ES256; key 1 has the `use` `x509-svid`; key 3 has no `use`", kSvid, true},
      {"SigInBundle", one(KeyOf(kRfcEc, kid + R"(,"use":"sig")")),
       "the key set has no key that verifies tokens; key 1 has the `use` `sig`", kSvid},
      {"BundleAsSet", one(KeyOf(kRfcEc, R"("use":"jwt-svid","kid":"1")")),
       "the key set has no key that verifies tokens; key 1 has the `use` `jwt-svid`"},
      {"BundleWithoutKid", one(KeyOf(kRfcEc, R"("use":"jwt-svid")")),
       "key 1 has no `kid`; add one, by which tokens name their key", kSvid},

      // Wrong.
      {"NoKid", beside(KeyOf(kRfcEc, R"("use":"sig")")),
       "key 1 has no `kid`; add one, by which tokens name their key"},
      {"KidIsNumber", beside(KeyOf(kRfcEc, R"("kid":1)")),
       "key 1 has a `kid` that is not a string, or is empty"},
      {"KidHasNewline", beside(KeyOf(kRfcEc, R"("kid":"a\nb")")),
       "key 1 has a `kid` that is longer than 256 bytes or has a control character"},
      {"KidTooLong", beside(KeyOf(kRfcEc, absl::StrCat("\"kid\":\"", std::string(257, 'a'), "\""))),
       "key 1 has a `kid` that is longer than 256 bytes or has a control character"},
      {"KidTwice", JwkSetOf({KeyOf(kRfcEc, kid), good, KeyOf(kRfcEd, kid)}),
       "two keys have the `kid` `1`; give each its own"},
      {"RsaWithoutAlg", one(KeyOf(kRfcRsa, kid)),
       "key 1 has no `alg`, and an RSA key fits several; add `\"alg\": \"RS256\"` or what its "
       "issuer signs by"},
      {"AlgOfOtherKty", beside(KeyOf(kRfcRsa, R"("kid":"1","alg":"ES256")")),
       "key 1 has the `alg` `ES256`, which is of another `kty` or `crv`"},
      {"AlgOfOtherCurve", beside(KeyOf(kRfcEc, R"("kid":"1","alg":"ES384")")),
       "key 1 has the `alg` `ES384`, which is of another `kty` or `crv`"},
      {"AlgIsNull", beside(KeyOf(kRfcEc, R"("kid":"1","alg":null)")),
       "key 1 has a `alg` that is not a string, or is empty"},
      {"Secret", beside(R"({"kty":"oct","kid":"1"})"),
       "key 1 is a secret one, `oct`: who can verify by it can sign; use RSA, EC or Ed25519"},
      {"SecretForEncryption", beside(R"({"kty":"oct","kid":"1","k":"AAAA","use":"enc"})"),
       "key 1 is private or secret: it has `k`; publish the public key alone, and replace this "
       "one, for it is known now"},
      {"NoKty", beside(R"({"kid":"1"})"), "key 1 has no `kty`"},
      {"KtyIsList", beside(R"({"kty":["EC"]})"),
       "key 1 has a `kty` that is not a string, or is empty"},
      {"UseIsList", beside(KeyOf(kRfcEc, R"("use":["sig"])")),
       "key 1 has a `use` that is not a string, or is empty"},
      {"OperationsAreText", beside(KeyOf(kRfcEc, R"("key_ops":"verify")")),
       "key 1 has `key_ops` that are not a list"},
      {"OperationIsNumber", beside(KeyOf(kRfcEc, R"("key_ops":["verify",1])")),
       "key 1 has `key_ops` that are not a list of strings"},
      {"NotAnObject", beside("1"), "key 1 is not an object"},

      {"Rsa1024", one(SigningKey::Rsa(1024).Jwk(rs)),
       "key 1 is of 1024 bit, which can be broken; make one of 2048 to 8192"},
      {"Rsa2047", one(KeyOf(With(kRfcRsa, "n", Modulus(256, 0x7F, 0x01)), rs)),
       "key 1 is of 2047 bit, which can be broken; make one of 2048 to 8192"},
      {"Rsa8200", one(KeyOf(With(kRfcRsa, "n", Modulus(1025, 0x81, 0x01)), rs)),
       "key 1 has a `n` of more than 8192 bit"},
      {"EvenModulus", one(KeyOf(With(kRfcRsa, "n", Modulus(256, 0x81, 0x02)), rs)),
       "key 1 has an even `n`"},
      {"ModulusWithZeroByte", one(KeyOf(With(kRfcRsa, "n", Modulus(257, 0x00, 0x01)), rs)),
       "key 1 has a `n` that begins with a zero byte"},
      {"ModulusPadded", one(KeyOf(With(kRfcRsa, "n", Modulus(256, 0x81, 0x01) + "=="), rs)),
       "key 1 has a `n` that is not base64url"},
      {"NoModulus", one(R"({"kty":"RSA","e":"AQAB",)" + rs + "}"), "key 1 has no `n`"},
      {"NoExponent", one(R"({"kty":"RSA","n":"AQAB",)" + rs + "}"), "key 1 has no `e`"},
      {"EvenExponent", one(KeyOf(With(kRfcRsa, "e", Base64Url("\x04")), rs)),
       "key 1 has an `e` that is not odd, 3 or more, and of 64 bit at most"},
      {"ExponentOne", one(KeyOf(With(kRfcRsa, "e", Base64Url("\x01")), rs)),
       "key 1 has an `e` that is not odd, 3 or more, and of 64 bit at most"},
      {"ExponentThree", one(KeyOf(With(kRfcRsa, "e", Base64Url("\x03")), rs)), "1=RS256", kSig,
       true},
      {"LongExponent",
       one(KeyOf(With(kRfcRsa, "e", Base64Url("\x01\x11\x11\x11\x11\x11\x11\x11\x11")), rs)),
       "key 1 has an `e` that is not odd, 3 or more, and of 64 bit at most"},

      {"OffCurve", one(KeyOf(With(kRfcEc, "y", Base64Url(std::string(32, '\x01'))), kid)),
       "key 1 is not a point of the curve P-256"},
      {"Infinity",
       one(KeyOf(With(With(kRfcEc, "x", Base64Url(std::string(32, '\0'))), "y",
                      Base64Url(std::string(32, '\0'))),
                 kid)),
       "key 1 is not a point of the curve P-256"},
      {"ShortX", one(KeyOf(With(kRfcEc, "x", Base64Url(std::string(31, '\x01'))), kid)),
       "key 1 has an `x` or `y` that is not of 32 bytes"},
      {"PointOfOtherCurve", one(KeyOf(With(Ec("P-384").PublicMembers(), "crv", "P-256"), kid)),
       "key 1 has an `x` or `y` that is not of 32 bytes"},
      {"NoY", one(R"({"kty":"EC","crv":"P-256","x":"AAAA",)" + kid + "}"), "key 1 has no `y`"},
      {"NoCurve", one(R"({"kty":"EC",)" + kid + "}"), "key 1 has no `crv`"},
      {"ShortEd25519", one(KeyOf(With(kRfcEd, "x", Base64Url(std::string(31, '\x01'))), kid)),
       "key 1 has an `x` that is not of 32 bytes"},
      {"BitsBehindEd25519",
       one(KeyOf(With(kRfcEd, "x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp"), kid)),
       "key 1 has a `x` that is not base64url"},

      {"NotJson", "-----BEGIN PUBLIC KEY-----", "the key set is not JSON"},
      {"NotUtf8", "\xFF", "the key set is not valid UTF-8"},
      {"MemberTwice", one(KeyOf(kRfcEc, R"("kid":"1","kid":"1")")),
       "the key set has a member twice"},
      {"KeysTwice", R"({"keys":[],"keys":[)" + good + "]}", "the key set has a member twice"},
      {"OneKeyAlone", good, "the key set is not an object with a list `keys`"},
      {"ListAlone", "[" + good + "]", "the key set is not an object with a list `keys`"},
      {"KeysIsObject", R"({"keys":{}})", "the key set is not an object with a list `keys`"},
      {"Empty", R"({"keys":[]})", "the key set has no key that verifies tokens"},
      {"TooMany", ManyKeys(kMaxJwks + 1), "the key set has 257 keys, more than 256"},
      {"TooLarge", std::string(kMaxJwkSetBytes + 1, ' '), "the key set is too large"},
      {"TooDeep", std::string(17, '['), "the key set is nested too deeply"},
  };
  for (const char* name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}) {
    cases.push_back({name, beside(KeyOf(kRfcRsa, absl::StrCat(rs, ",\"", name, "\":\"AAAA\""))),
                     absl::StrCat("key 1 is private or secret: it has `", name,
                                  "`; publish the public key alone, and replace this one, for it "
                                  "is known now")});
  }
  return cases;
}

INSTANTIATE_TEST_SUITE_P(Table, JwkSetTest, testing::ValuesIn(Cases()),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(JwkSetTest, FindsByTheWholeName) {
  const auto set =
      JwkSet::Parse(JwkSetOf({KeyOf(kRfcEd, R"("kid":"b")"), KeyOf(kRfcEc, R"("kid":"a")")}));
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_NE((*set)->Find("a"), nullptr);
  EXPECT_EQ((*set)->Find("a")->algorithm(), JwtAlgorithm::kEs256);
  ASSERT_NE((*set)->Find("b"), nullptr);
  EXPECT_EQ((*set)->Find("b")->algorithm(), JwtAlgorithm::kEdDsa);
  for (const char* other : {"", "A", "aa", "c", "a "}) EXPECT_EQ((*set)->Find(other), nullptr);
}

TEST(JwksInMemoryTest, GivesWhatItHas) {
  const auto first = JwkSet::Parse(JwkSetOf({KeyOf(kRfcEd, R"("kid":"1")")}));
  const auto second = JwkSet::Parse(JwkSetOf({KeyOf(kRfcEd, R"("kid":"2")")}));
  ASSERT_TRUE(first.ok() && second.ok());
  JwksInMemory keys(*first);
  EXPECT_EQ(keys.Keys(absl::UnixEpoch()).value(), *first);
  keys.Replace(*second);
  EXPECT_EQ(keys.Keys(absl::UnixEpoch()).value(), *second);
  keys.Replace(nullptr);
  const auto none = keys.Keys(absl::UnixEpoch());
  EXPECT_EQ(ContextErrorOf(none.status()), ContextError::kNoCredentials);
  EXPECT_EQ(none.status().message(), "there are no keys to verify tokens by");
}

// Signatures that others made.
struct Vector {
  const char* name;
  std::string key;
  std::string signed_text;
  std::string signature;
};
std::ostream& operator<<(std::ostream& os, const Vector& v) { return os << v.name; }

class JwkVectorTest : public testing::TestWithParam<Vector> {};

TEST_P(JwkVectorTest, Verifies) {
  const Vector& v = GetParam();
  const auto set = JwkSet::Parse(JwkSetOf({v.key}));
  ASSERT_TRUE(set.ok()) << set.status();
  const Jwk& key = (*set)->keys()[0];
  const std::string signature = DecodeBase64Url(v.signature).value();
  EXPECT_TRUE(key.Verify(v.signed_text, signature));
  EXPECT_FALSE(key.Verify(v.signed_text + "A", signature));
  for (size_t bit = 0; bit < signature.size() * 8; ++bit) {
    std::string other = signature;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    EXPECT_FALSE(key.Verify(v.signed_text, other)) << bit;
  }
  EXPECT_EQ(ERR_peek_error(), 0u);
}

const Vector kVectors[] = {
    {"Rfc7515A2", KeyOf(kRfcRsa, R"("kid":"1","alg":"RS256")"),
     "eyJhbGciOiJSUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
     "bS9pc19yb290Ijp0cnVlfQ",
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
     "O8W2Fp5ju"
     "jGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_"
     "nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07"
     "Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-"
     "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipU"
     "TI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw"},
    {"Rfc7515A3", KeyOf(kRfcEc, R"("kid":"1")"),
     "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNv"
     "bS9pc19yb290Ijp0cnVlfQ",
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {"Rfc8037A4", KeyOf(kRfcEd, R"("kid":"1")"),
     "eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
};

INSTANTIATE_TEST_SUITE_P(Rfc, JwkVectorTest, testing::ValuesIn(kVectors),
                         [](const auto& info) { return std::string(info.param.name); });

// Each algorithm's signature verifies by its own algorithm only, and by its own key only.
TEST(JwkTest, VerifiesByItsOwnAlgorithmAndKeyOnly) {
  struct Row {
    JwtAlgorithm algorithm;
    const SigningKey* key;
  };
  const std::vector<Row> rows = {
      {JwtAlgorithm::kRs256, &Rsa()},       {JwtAlgorithm::kRs384, &Rsa()},
      {JwtAlgorithm::kRs512, &Rsa()},       {JwtAlgorithm::kPs256, &Rsa()},
      {JwtAlgorithm::kPs384, &Rsa()},       {JwtAlgorithm::kPs512, &Rsa()},
      {JwtAlgorithm::kEs256, &Ec("P-256")}, {JwtAlgorithm::kEs384, &Ec("P-384")},
      {JwtAlgorithm::kEs512, &Ec("P-521")}, {JwtAlgorithm::kEdDsa, &Ed()},
  };
  for (const Row& row : rows) {
    const std::string name(ToString(row.algorithm));
    const std::string more = absl::StrCat(R"("kid":"1","alg":")", name, "\"");
    const auto set = JwkSet::Parse(JwkSetOf({row.key->Jwk(more)}));
    ASSERT_TRUE(set.ok()) << name << set.status();
    const Jwk& key = *(*set)->Find("1");
    EXPECT_EQ(key.algorithm(), row.algorithm);
    for (const Row& signer : rows) {
      EXPECT_EQ(key.Verify("text", signer.key->Sign(signer.algorithm, "text")),
                signer.algorithm == row.algorithm)
          << name << " by a signature of " << ToString(signer.algorithm);
    }
    const std::string signature = row.key->Sign(row.algorithm, "text");
    EXPECT_FALSE(key.Verify("", signature)) << name;
    EXPECT_FALSE(key.Verify("text", "")) << name;
    EXPECT_FALSE(key.Verify("text", signature + '\0')) << name;
    EXPECT_FALSE(key.Verify("text", '\0' + signature)) << name;
    EXPECT_FALSE(key.Verify("text", std::string(signature.size(), '\0'))) << name;
    EXPECT_FALSE(key.Verify("text", std::string(signature.size(), '\xFF'))) << name;
  }
  EXPECT_EQ(ERR_peek_error(), 0u);
}

TEST(JwkTest, RefusesEcdsaOfOtherForms) {
  const auto set = JwkSet::Parse(JwkSetOf({Ec("P-256").Jwk(R"("kid":"1")")}));
  ASSERT_TRUE(set.ok()) << set.status();
  const Jwk& key = *(*set)->Find("1");
  const std::string raw = Ec("P-256").Sign(JwtAlgorithm::kEs256, "text");
  ASSERT_TRUE(key.Verify("text", raw));
  EXPECT_FALSE(key.Verify("text", Ec("P-256").SignDer(JwtAlgorithm::kEs256, "text")));
  EXPECT_FALSE(key.Verify("text", raw.substr(32) + raw.substr(0, 32)));
  EXPECT_FALSE(key.Verify("text", std::string(32, '\0') + raw.substr(32)));
  EXPECT_FALSE(key.Verify("text", raw.substr(0, 32) + std::string(32, '\0')));
  // Above the order.
  EXPECT_FALSE(key.Verify("text", std::string(32, '\xFF') + raw.substr(32)));
}

// RFC 7518, 3.5.
TEST(JwkTest, RefusesSaltsOfOtherLengths) {
  const auto set = JwkSet::Parse(JwkSetOf({Rsa().Jwk(R"("kid":"1","alg":"PS256")")}));
  ASSERT_TRUE(set.ok()) << set.status();
  EXPECT_TRUE((*set)->Find("1")->Verify("text", Rsa().Sign(JwtAlgorithm::kPs256, "text")));
  EXPECT_FALSE((*set)->Find("1")->Verify("text", Rsa().SignPssWithSalt("text", 20)));
  EXPECT_FALSE((*set)->Find("1")->Verify("text", Rsa().SignPssWithSalt("text", 0)));
}

}  // namespace
}  // namespace reeve
