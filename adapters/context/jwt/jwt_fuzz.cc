// Whatever a token holds, opening it neither crashes nor makes a principal that no request may
// have. The input is taken as a token; as the claims of a token that is signed, so that they are
// read past the signature; as the header of one; and as claims without a token.
#include <openssl/err.h>

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/jwt/jwk_set.h"
#include "reeve/adapters/context/jwt/jwt.h"
#include "reeve/adapters/context/jwt/jwt_claims.h"
#include "reeve/adapters/context/jwt/jwt_testing.h"
#include "reeve/adapters/json/json_value.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/text.h"

namespace {

using reeve::JwtIssuer;
using reeve::Principal;
using reeve::jwt_testing::SigningKey;

const absl::Time kNow = absl::FromUnixSeconds(1800000000);
constexpr char kHeader[] = R"({"alg":"EdDSA","kid":"1"})";
constexpr char kClaims[] =
    R"({"iss":"https://a.example","sub":"ada","aud":"files","exp":1800000300})";

void Check(bool condition) {
  if (!condition) std::abort();
}

struct World {
  World()
      : key(SigningKey::Ed25519Of(std::string(32, '\x42'))),
        users(*reeve::JwkSet::Parse(reeve::jwt_testing::JwkSetOf({key.Jwk(R"("kid":"1")")}))),
        workloads(*reeve::JwkSet::Parse(reeve::jwt_testing::JwkSetOf(
            {R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
             R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0","kid":"1"})"}))) {
    user.issuer = "https://a.example";
    user.keys = &users;
    user.audiences = {"files"};
    user.realm = "a.example";
    user.groups_claim = "groups";
    user.attribute_claims = {"a", "scope"};
    workload.trust_domain = "example.org";
    workload.keys = &workloads;
    workload.audiences = {"files"};
    reeve::JwtOptions options;
    options.issuers = {user, workload};
    options.cached_tokens = 64;
    package = *reeve::JwtPackage::Create(options);
  }

  SigningKey key;
  reeve::JwksInMemory users;
  reeve::JwksInMemory workloads;
  JwtIssuer user;
  JwtIssuer workload;
  std::unique_ptr<reeve::JwtPackage> package;
};

const World& TheWorld() {
  static const World* const world = new World;
  return *world;
}

void CheckError(const absl::Status& status) {
  Check(reeve::ContextErrorOf(status).has_value());
  const std::string message(status.message());
  Check(!message.empty() && message.size() < 1000 && !reeve::HasControlCharacter(message));
}

void CheckPrincipal(const Principal& principal, bool workload) {
  Check(reeve::DefectOf(principal.id).empty());
  Check(reeve::DefectOf(principal.attributes).empty());
  Check(!principal.anonymous() && principal.via == "jwt");
  for (const std::string& group : principal.groups) {
    Check(reeve::DefectOf(reeve::EntityView{"group", group}).empty());
  }
  const auto ends_with = [](std::string_view text, std::string_view end) {
    return text.size() > end.size() && text.substr(text.size() - end.size()) == end;
  };
  if (workload) {
    Check(principal.id.type == "spiffe" && principal.id.id.rfind("example.org/", 0) == 0);
    Check(principal.parents.size() == 1);
  } else {
    Check(principal.id.type == "user" && ends_with(principal.id.id, "@a.example"));
    Check(principal.parents.empty());
    for (const std::string& group : principal.groups) Check(ends_with(group, "@a.example"));
  }
}

void CheckToken(std::string_view token) {
  const auto open = [token] {
    return TheWorld().package->Open({reinterpret_cast<const uint8_t*>(token.data()), token.size()},
                                    kNow);
  };
  const absl::StatusOr<reeve::EstablishedContext> first = open();
  const absl::StatusOr<reeve::EstablishedContext> second = open();
  Check(first.ok() == second.ok());
  if (!first.ok()) {
    Check(first.status() == second.status());
    return CheckError(first.status());
  }
  Check(first->established <= kNow && kNow < first->expires);
  Check(second->established == first->established && second->expires == first->expires);
  Check(first->principal.id == second->principal.id);
  Check(first->principal.evidence == second->principal.evidence);
  Check(!reeve::HasControlCharacter(first->principal.evidence));
  CheckPrincipal(first->principal, /*workload=*/false);
}

void CheckClaims(const reeve::Attributes& claims, const JwtIssuer& issuer) {
  const absl::StatusOr<reeve::JwtSubject> subject =
      reeve::SubjectOf(claims, issuer, absl::Seconds(60), kNow);
  if (!subject.ok()) return CheckError(subject.status());
  Check(subject->expires + absl::Seconds(60) == subject->end && kNow < subject->end);
  CheckPrincipal(subject->principal, !issuer.trust_domain.empty());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const World& world = TheWorld();
  CheckToken(text);
  if (size <= 4096) {
    CheckToken(world.key.Token(reeve::JwtAlgorithm::kEdDsa, kHeader, text));
    CheckToken(world.key.Token(reeve::JwtAlgorithm::kEdDsa, text, kClaims));
  }
  const reeve::JsonValue json = reeve::ReadJson(text, {64 * 1024, 32, 64 * 1024});
  if (json.defect == reeve::JsonDefect::kNone && json.value.kind() == reeve::Value::Kind::kMap) {
    CheckClaims(json.value.map_value(), world.user);
    CheckClaims(json.value.map_value(), world.workload);
  }
  Check(ERR_peek_error() == 0);
  return 0;
}
