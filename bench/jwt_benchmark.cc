// JwtPackage::Open() beside OpenSSL's verification of the same signature by the same key, in one
// run:
//
//   bazel run -c opt //bench:jwt_benchmark -- --benchmark_enable_random_interleaving
//     --benchmark_repetitions=15 --benchmark_report_aggregates_only

#include <benchmark/benchmark.h>
#include <openssl/evp.h>
#include <openssl/rsa.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/jwt/jwk_set.h"
#include "reeve/adapters/context/jwt/jwt.h"
#include "reeve/adapters/context/jwt/jwt_claims.h"
#include "reeve/adapters/context/jwt/jwt_testing.h"

namespace reeve {
namespace {

using jwt_testing::SigningKey;

const absl::Time kNow = absl::FromUnixSeconds(1800000000);

// As large as access tokens are.
constexpr char kClaims[] =
    R"({"iss":"https://id.example.com","sub":"248289761001","aud":["files","mail"],)"
    R"("exp":1800000300,"iat":1799999990,"nbf":1799999990,"jti":"b5c2a7e0-0a4c-4a6e-9d8e",)"
    R"("client_id":"app","scope":"openid files.read files.write","auth_time":1799990000,)"
    R"("acr":"gold","amr":["pwd","otp"],"groups":["staff","leads","finance"]})";

// One key with a token, and two packages that take it: one remembers tokens.
struct World {
  World(JwtAlgorithm algorithm, const SigningKey& key) : key(key), algorithm(algorithm) {
    const std::string name(ToString(algorithm));
    token = key.Token(algorithm, absl::StrCat(R"({"alg":")", name, R"(","kid":"1","typ":"JWT"})"),
                      kClaims);
    const auto set = JwkSet::Parse(
        jwt_testing::JwkSetOf({key.Jwk(absl::StrCat(R"("kid":"1","alg":")", name, "\""))}));
    keys = std::make_unique<JwksInMemory>(set.value());
    JwtIssuer issuer;
    issuer.issuer = "https://id.example.com";
    issuer.keys = keys.get();
    issuer.audiences = {"files"};
    issuer.realm = "id.example.com";
    issuer.groups_claim = "groups";
    issuer.attribute_claims = {"scope"};
    JwtOptions options;
    options.issuers = {issuer};
    remembers = JwtPackage::Create(options).value();
    options.cached_tokens = 0;
    forgets = JwtPackage::Create(options).value();
  }

  SigningKey key;
  JwtAlgorithm algorithm;
  std::string token;
  std::unique_ptr<JwksInMemory> keys;
  std::unique_ptr<JwtPackage> remembers;
  std::unique_ptr<JwtPackage> forgets;
};

const World& Of(JwtAlgorithm algorithm) {
  static const World* const rs256 = new World(JwtAlgorithm::kRs256, SigningKey::Rsa());
  static const World* const es256 = new World(JwtAlgorithm::kEs256, SigningKey::Ec("P-256"));
  static const World* const eddsa = new World(JwtAlgorithm::kEdDsa, SigningKey::Ed25519());
  return algorithm == JwtAlgorithm::kRs256   ? *rs256
         : algorithm == JwtAlgorithm::kEs256 ? *es256
                                             : *eddsa;
}

// The signature alone, in the form that OpenSSL takes.
void BareVerify(benchmark::State& state, JwtAlgorithm algorithm) {
  const World& world = Of(algorithm);
  const std::string text = world.token.substr(0, world.token.rfind('.'));
  const std::string signature = world.key.SignDer(algorithm, text);
  const EVP_MD* const hash = algorithm == JwtAlgorithm::kEdDsa ? nullptr : EVP_sha256();
  for (auto _ : state) {
    EVP_MD_CTX* const context = EVP_MD_CTX_new();
    if (EVP_DigestVerifyInit(context, nullptr, hash, nullptr, world.key.get()) != 1 ||
        EVP_DigestVerify(context, reinterpret_cast<const unsigned char*>(signature.data()),
                         signature.size(), reinterpret_cast<const unsigned char*>(text.data()),
                         text.size()) != 1) {
      std::abort();
    }
    EVP_MD_CTX_free(context);
  }
}

void Open(benchmark::State& state, const JwtPackage& package, const std::string& token) {
  for (auto _ : state) {
    const absl::StatusOr<EstablishedContext> context =
        package.Open({reinterpret_cast<const uint8_t*>(token.data()), token.size()}, kNow);
    if (!context.ok()) std::abort();
    benchmark::DoNotOptimize(context);
  }
  state.SetLabel(absl::StrCat(token.size(), " bytes"));
}

void BM_Bare(benchmark::State& state, JwtAlgorithm algorithm) { BareVerify(state, algorithm); }

void BM_First(benchmark::State& state, JwtAlgorithm algorithm) {
  Open(state, *Of(algorithm).forgets, Of(algorithm).token);
}

void BM_Again(benchmark::State& state, JwtAlgorithm algorithm) {
  Open(state, *Of(algorithm).remembers, Of(algorithm).token);
}

BENCHMARK_CAPTURE(BM_Bare, rs256, JwtAlgorithm::kRs256);
BENCHMARK_CAPTURE(BM_First, rs256, JwtAlgorithm::kRs256);
BENCHMARK_CAPTURE(BM_Again, rs256, JwtAlgorithm::kRs256);
BENCHMARK_CAPTURE(BM_Bare, es256, JwtAlgorithm::kEs256);
BENCHMARK_CAPTURE(BM_First, es256, JwtAlgorithm::kEs256);
BENCHMARK_CAPTURE(BM_Again, es256, JwtAlgorithm::kEs256);
BENCHMARK_CAPTURE(BM_Bare, eddsa, JwtAlgorithm::kEdDsa);
BENCHMARK_CAPTURE(BM_First, eddsa, JwtAlgorithm::kEdDsa);
BENCHMARK_CAPTURE(BM_Again, eddsa, JwtAlgorithm::kEdDsa);

// By two threads at once.
BENCHMARK_CAPTURE(BM_Again, es256_two_threads, JwtAlgorithm::kEs256)->Threads(2);

// What to see a token again cannot do without: its hash.
void BM_BareHash(benchmark::State& state) {
  const std::string& token = Of(JwtAlgorithm::kEs256).token;
  EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  for (auto _ : state) {
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int size;
    EVP_Digest(token.data(), token.size(), digest, &size, sha256, nullptr);
    benchmark::DoNotOptimize(digest);
  }
  EVP_MD_free(sha256);
}
BENCHMARK(BM_BareHash);

// And a copy of what it says.
void BM_BareCopy(benchmark::State& state) {
  const std::string& token = Of(JwtAlgorithm::kEs256).token;
  const Principal principal =
      Of(JwtAlgorithm::kEs256)
          .remembers->Open({reinterpret_cast<const uint8_t*>(token.data()), token.size()}, kNow)
          ->principal;
  for (auto _ : state) {
    Principal copy = principal;
    benchmark::DoNotOptimize(copy);
  }
}
BENCHMARK(BM_BareCopy);

}  // namespace
}  // namespace reeve

BENCHMARK_MAIN();
