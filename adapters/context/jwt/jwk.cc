#include "reeve/adapters/context/jwt/jwk.h"

#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <iterator>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/jwt/base64url.h"
#include "reeve/adapters/socket/tls/error_queue_mark.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr int kMaxRsaExponentBits = 64;  // Above, OpenSSL refuses to verify by long keys.
constexpr size_t kShownBytes = 64;

struct Free {
  void operator()(BIGNUM* number) const { BN_free(number); }
  void operator()(ECDSA_SIG* signature) const { ECDSA_SIG_free(signature); }
  void operator()(EVP_MD_CTX* context) const { EVP_MD_CTX_free(context); }
  void operator()(EVP_PKEY_CTX* context) const { EVP_PKEY_CTX_free(context); }
  void operator()(OSSL_PARAM* params) const { OSSL_PARAM_free(params); }
  void operator()(OSSL_PARAM_BLD* params) const { OSSL_PARAM_BLD_free(params); }
};
template <typename T>
using Owned = std::unique_ptr<T, Free>;

struct AlgorithmRow {
  absl::string_view name;
  absl::string_view kty;
  absl::string_view crv;    // Empty of RSA.
  size_t field_bytes;       // Of the curve: of a coordinate, and of r and s.
  const EVP_MD* (*hash)();  // Null: the algorithm has its own.
  bool pss;
};

// By number.
constexpr AlgorithmRow kAlgorithms[] = {
    {"RS256", "RSA", "", 0, EVP_sha256, false},
    {"RS384", "RSA", "", 0, EVP_sha384, false},
    {"RS512", "RSA", "", 0, EVP_sha512, false},
    {"PS256", "RSA", "", 0, EVP_sha256, true},
    {"PS384", "RSA", "", 0, EVP_sha384, true},
    {"PS512", "RSA", "", 0, EVP_sha512, true},
    {"ES256", "EC", "P-256", 32, EVP_sha256, false},
    {"ES384", "EC", "P-384", 48, EVP_sha384, false},
    {"ES512", "EC", "P-521", 66, EVP_sha512, false},
    {"EdDSA", "OKP", "Ed25519", 32, nullptr, false},
};
static_assert(std::size(kAlgorithms) == static_cast<size_t>(JwtAlgorithm::kEdDsa) + 1);

const AlgorithmRow& RowOf(JwtAlgorithm algorithm) {
  return kAlgorithms[static_cast<size_t>(algorithm)];
}

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }
std::string_view View(const Value& text) { return text.string_value(); }

template <typename... Parts>
absl::Status Wrong(const Parts&... parts) {
  return absl::InvalidArgumentError(absl::StrCat(parts...));
}

std::string Quoted(std::string_view text) {
  return absl::StrCat("`", Printable(text, kShownBytes), "`");
}

Owned<BIGNUM> NumberOf(std::string_view bytes) {
  return Owned<BIGNUM>(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                                 static_cast<int>(bytes.size()), nullptr));
}

// The signature of ECDSA that `signature` is, in DER, as OpenSSL takes it; empty if it is none.
std::vector<unsigned char> DerOf(std::string_view signature) {
  const Owned<ECDSA_SIG> parts(ECDSA_SIG_new());
  Owned<BIGNUM> r = NumberOf(signature.substr(0, signature.size() / 2));
  Owned<BIGNUM> s = NumberOf(signature.substr(signature.size() / 2));
  if (parts == nullptr || r == nullptr || s == nullptr || BN_is_zero(r.get()) ||
      BN_is_zero(s.get()) || ECDSA_SIG_set0(parts.get(), r.get(), s.get()) != 1) {
    return {};
  }
  r.release();
  s.release();
  const int size = i2d_ECDSA_SIG(parts.get(), nullptr);
  if (size <= 0) return {};
  std::vector<unsigned char> der(size);
  unsigned char* out = der.data();
  if (i2d_ECDSA_SIG(parts.get(), &out) != size) return {};
  return der;
}

bool VerifyBy(EVP_PKEY* key, const AlgorithmRow& row, std::string_view signed_text,
              const unsigned char* signature, size_t signature_bytes) {
  const Owned<EVP_MD_CTX> context(EVP_MD_CTX_new());
  EVP_PKEY_CTX* options = nullptr;  // Of `context`.
  if (context == nullptr ||
      EVP_DigestVerifyInit(context.get(), &options, row.hash == nullptr ? nullptr : row.hash(),
                           nullptr, key) != 1) {
    return false;
  }
  if (row.pss && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
                  EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1)) {
    return false;
  }
  return EVP_DigestVerify(context.get(), signature, signature_bytes,
                          reinterpret_cast<const unsigned char*>(signed_text.data()),
                          signed_text.size()) == 1;
}

// Null if OpenSSL finds that they make no key.
EVP_PKEY* MakeKey(const char* type, OSSL_PARAM_BLD* build) {
  const Owned<OSSL_PARAM> params(OSSL_PARAM_BLD_to_param(build));
  const Owned<EVP_PKEY_CTX> context(EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr));
  EVP_PKEY* key = nullptr;
  if (params == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
      EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, params.get()) != 1) {
    return nullptr;
  }
  return key;
}

EVP_PKEY* MakeRsaKey(const BIGNUM* modulus, const BIGNUM* exponent) {
  const Owned<OSSL_PARAM_BLD> build(OSSL_PARAM_BLD_new());
  if (build == nullptr ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_N, modulus) != 1 ||
      OSSL_PARAM_BLD_push_BN(build.get(), OSSL_PKEY_PARAM_RSA_E, exponent) != 1) {
    return nullptr;
  }
  return MakeKey("RSA", build.get());
}

EVP_PKEY* MakeEcKey(absl::string_view curve, const std::string& point) {
  const Owned<OSSL_PARAM_BLD> build(OSSL_PARAM_BLD_new());
  if (build == nullptr ||
      OSSL_PARAM_BLD_push_utf8_string(build.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve.data(),
                                      curve.size()) != 1 ||
      OSSL_PARAM_BLD_push_octet_string(build.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                       point.size()) != 1) {
    return nullptr;
  }
  EVP_PKEY* const key = MakeKey("EC", build.get());
  if (key == nullptr) return nullptr;
  // Not of RSA, where it looks for prime numbers, for 25 ms and more.
  const Owned<EVP_PKEY_CTX> check(EVP_PKEY_CTX_new_from_pkey(nullptr, key, nullptr));
  if (check != nullptr && EVP_PKEY_public_check(check.get()) == 1) return key;
  EVP_PKEY_free(key);
  return nullptr;
}

// Members that only private and secret keys have: RFC 7518, 6.2.2, 6.3.2 and 6.4.1; RFC 8037, 2.
constexpr absl::string_view kPrivateMembers[] = {"d",  "p",   "q", "dp",  "dq",
                                                 "qi", "oth", "k", "priv"};

}  // namespace

std::string_view ToString(JwtAlgorithm algorithm) {
  const absl::string_view name = RowOf(algorithm).name;
  return {name.data(), name.size()};
}

void Jwk::Free::operator()(EVP_PKEY* key) const { EVP_PKEY_free(key); }

bool Jwk::Verify(std::string_view signed_text, std::string_view signature) const {
  if (signature.size() != signature_bytes_) return false;
  const AlgorithmRow& row = RowOf(algorithm_);
  const auto* bytes = reinterpret_cast<const unsigned char*>(signature.data());
  const ErrorQueueMark mark;
  if (row.kty == "EC") {
    const std::vector<unsigned char> der = DerOf(signature);
    return !der.empty() && VerifyBy(key_.get(), row, signed_text, der.data(), der.size());
  }
  return VerifyBy(key_.get(), row, signed_text, bytes, signature.size());
}

// Reads one key.
class JwkReader {
 public:
  JwkReader(const Attributes& members, JwkUse use) : members_(members), use_(use) {}

  absl::StatusOr<Jwk::Read> Read() {
    for (const absl::string_view name : kPrivateMembers) {
      if (members_.Find({name.data(), name.size()}) != nullptr) {
        return Wrong("is private or secret: it has `", name,
                     "`; publish the public key alone, and replace this one, for it is known now");
      }
    }
    std::string kty, alg, kid;
    if (absl::Status status = Text("kty", &kty); !status.ok()) return status;
    if (kty.empty()) return Wrong("has no `kty`");
    if (kty == "oct") {
      return Wrong("is a secret one, `oct`: who can verify by it can sign; use RSA, EC or Ed25519");
    }
    absl::StatusOr<std::string> other_use = OtherUse();
    if (!other_use.ok()) return other_use.status();
    if (!other_use->empty()) return Ignored(*std::move(other_use));
    if (absl::Status status = Text("alg", &alg); !status.ok()) return status;

    // By its shape, and then by `alg` if there is one.
    std::string crv;
    if (kty != "RSA" && kty != "EC" && kty != "OKP") {
      return Ignored(absl::StrCat("has the `kty` ", Quoted(kty)));
    }
    if (kty != "RSA") {
      if (absl::Status status = Text("crv", &crv); !status.ok()) return status;
      if (crv.empty()) return Wrong("has no `crv`");
    }
    const auto fits = [&](const AlgorithmRow& row) { return row.kty == kty && row.crv == crv; };
    if (std::none_of(std::begin(kAlgorithms), std::end(kAlgorithms), fits)) {
      return Ignored(absl::StrCat("has the `crv` ", Quoted(crv)));
    }
    const AlgorithmRow* row;
    if (!alg.empty()) {
      row = std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms),
                         [&](const AlgorithmRow& row) { return row.name == alg; });
      if (row == std::end(kAlgorithms)) {
        return Ignored(absl::StrCat("has the `alg` ", Quoted(alg)));
      }
      if (!fits(*row))
        return Wrong("has the `alg` ", Quoted(alg), ", which is of another `kty` or `crv`");
    } else {
      if (kty == "RSA") {
        return Wrong(
            "has no `alg`, and an RSA key fits several; add `\"alg\": \"RS256\"` or what "
            "its issuer signs by");
      }
      row = std::find_if(std::begin(kAlgorithms), std::end(kAlgorithms), fits);
    }

    if (absl::Status status = Text("kid", &kid); !status.ok()) return status;
    if (kid.empty()) return Wrong("has no `kid`; add one, by which tokens name their key");
    if (kid.size() > kMaxKeyIdBytes || HasControlCharacter(kid)) {
      return Wrong("has a `kid` that is longer than ", kMaxKeyIdBytes,
                   " bytes or has a control character");
    }
    const ErrorQueueMark mark;
    absl::StatusOr<Made> made = kty == "RSA"  ? ReadRsa()
                                : kty == "EC" ? ReadEc(*row)
                                              : ReadOkp(*row);
    if (!made.ok()) return made.status();
    const auto algorithm = static_cast<JwtAlgorithm>(row - kAlgorithms);
    return Jwk::Read{Jwk(std::move(kid), algorithm, std::move(made->key), made->signature_bytes),
                     ""};
  }

 private:
  struct Made {
    Jwk::Key key;
    size_t signature_bytes;
  };

  static Jwk::Read Ignored(std::string why) { return {std::nullopt, std::move(why)}; }

  // *text stays empty if there is no such member.
  absl::Status Text(std::string_view name, std::string* text) const {
    const Value* const member = members_.Find(name);
    if (member == nullptr) return absl::OkStatus();
    if (member->kind() != Value::Kind::kString || View(*member).empty()) {
      return Wrong("has a `", View(name), "` that is not a string, or is empty");
    }
    *text = View(*member);
    return absl::OkStatus();
  }

  absl::StatusOr<std::string> Bytes(std::string_view name) const {
    std::string text;
    if (absl::Status status = Text(name, &text); !status.ok()) return status;
    if (text.empty()) return Wrong("has no `", View(name), "`");
    std::optional<std::string> bytes = DecodeBase64Url(text);
    if (!bytes.has_value()) return Wrong("has a `", View(name), "` that is not base64url");
    return *std::move(bytes);
  }

  // Base64urlUInt: without zeros before (RFC 7518, 2).
  absl::StatusOr<Owned<BIGNUM>> Number(std::string_view name) const {
    const absl::StatusOr<std::string> bytes = Bytes(name);
    if (!bytes.ok()) return bytes.status();
    if (bytes->front() == '\0')
      return Wrong("has a `", View(name), "` that begins with a zero byte");
    // Also what fits no int.
    if (bytes->size() > kMaxRsaBits / 8)
      return Wrong("has a `", View(name), "` of more than ", kMaxRsaBits, " bit");
    Owned<BIGNUM> number = NumberOf(*bytes);
    if (number == nullptr) return absl::ResourceExhaustedError("needs more memory than there is");
    return number;
  }

  // Why a key without fault does not verify tokens; empty if it does.
  absl::StatusOr<std::string> OtherUse() const {
    std::string use;
    if (absl::Status status = Text("use", &use); !status.ok()) return status;
    if (use_ == JwkUse::kJwtSvid) {
      if (use != "jwt-svid") {
        return use.empty() ? std::string("has no `use`")
                           : absl::StrCat("has the `use` ", Quoted(use));
      }
    } else if (!use.empty() && use != "sig") {
      return absl::StrCat("has the `use` ", Quoted(use));
    }
    const Value* const operations = members_.Find("key_ops");
    if (operations == nullptr) return std::string();
    bool verifies = false;
    if (operations->kind() != Value::Kind::kList) return Wrong("has `key_ops` that are not a list");
    for (const Value& operation : operations->list_value()) {
      if (operation.kind() != Value::Kind::kString) {
        return Wrong("has `key_ops` that are not a list of strings");
      }
      verifies = verifies || View(operation) == "verify";
    }
    return std::string(verifies ? "" : "has `key_ops` without `verify`");
  }

  absl::StatusOr<Made> ReadRsa() const {
    absl::StatusOr<Owned<BIGNUM>> modulus = Number("n");
    if (!modulus.ok()) return modulus.status();
    absl::StatusOr<Owned<BIGNUM>> exponent = Number("e");
    if (!exponent.ok()) return exponent.status();
    const int bits = BN_num_bits(modulus->get());
    if (bits < kMinRsaBits) {
      return Wrong("is of ", bits, " bit, which can be broken; make one of ", kMinRsaBits, " to ",
                   kMaxRsaBits);
    }
    if (!BN_is_odd(exponent->get()) || BN_is_one(exponent->get()) ||
        BN_num_bits(exponent->get()) > kMaxRsaExponentBits) {
      return Wrong("has an `e` that is not odd, 3 or more, and of ", kMaxRsaExponentBits,
                   " bit at most");
    }
    if (!BN_is_odd(modulus->get())) return Wrong("has an even `n`");
    Jwk::Key key(MakeRsaKey(modulus->get(), exponent->get()));
    if (key == nullptr) return Wrong("is no RSA key");
    return Made{std::move(key), static_cast<size_t>(bits + 7) / 8};
  }

  absl::StatusOr<Made> ReadEc(const AlgorithmRow& row) const {
    const absl::StatusOr<std::string> x = Bytes("x");
    if (!x.ok()) return x.status();
    const absl::StatusOr<std::string> y = Bytes("y");
    if (!y.ok()) return y.status();
    if (x->size() != row.field_bytes || y->size() != row.field_bytes) {
      return Wrong("has an `x` or `y` that is not of ", row.field_bytes, " bytes");
    }
    Jwk::Key key(MakeEcKey(row.crv, absl::StrCat("\x04", *x, *y)));
    if (key == nullptr) return Wrong("is not a point of the curve ", row.crv);
    return Made{std::move(key), 2 * row.field_bytes};
  }

  absl::StatusOr<Made> ReadOkp(const AlgorithmRow& row) const {
    const absl::StatusOr<std::string> x = Bytes("x");
    if (!x.ok()) return x.status();
    if (x->size() != row.field_bytes) {
      return Wrong("has an `x` that is not of ", row.field_bytes, " bytes");
    }
    Jwk::Key key(EVP_PKEY_new_raw_public_key(
        EVP_PKEY_ED25519, nullptr, reinterpret_cast<const unsigned char*>(x->data()), x->size()));
    if (key == nullptr) return Wrong("is no key of ", row.crv);
    return Made{std::move(key), 2 * row.field_bytes};
  }

  const Attributes& members_;
  const JwkUse use_;
};

absl::StatusOr<Jwk::Read> Jwk::FromJson(const Value& json, JwkUse use) {
  if (json.kind() != Value::Kind::kMap) return Wrong("is not an object");
  return JwkReader(json.map_value(), use).Read();
}

}  // namespace reeve
