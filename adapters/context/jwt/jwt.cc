#include "reeve/adapters/context/jwt/jwt.h"

#include <openssl/evp.h>

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/jwt/compact_jws.h"
#include "reeve/adapters/context/jwt/token_cache.h"
#include "reeve/adapters/socket/tls/error_queue_mark.h"
#include "reeve/adapters/socket/tls/subject_alt_name.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr size_t kShownBytes = 100;
constexpr size_t kIdEvidenceBytes = 8;

std::string Quoted(std::string_view text) {
  return absl::StrCat("`", Printable(text, kShownBytes), "`");
}

bool TakesType(const JwtIssuer& issuer, const std::string& type) {
  // The SPIFFE JWT-SVID, 2.2.
  if (!issuer.trust_domain.empty()) return type.empty() || type == "jwt" || type == "jose";
  return std::any_of(issuer.types.begin(), issuer.types.end(), [&](const std::string& taken) {
    return absl::AsciiStrToLower(taken) == type;
  });
}

bool Hashed(std::string_view bytes, const EVP_MD* sha256, TokenDigest* digest) {
  const ErrorQueueMark mark;
  unsigned int size;
  return EVP_Digest(bytes.data(), bytes.size(), digest->data(), &size, sha256, nullptr) == 1;
}

std::string Number(size_t i) { return absl::StrCat("issuer ", i + 1, ": "); }

}  // namespace

void JwtPackage::Free::operator()(EVP_MD* hash) const { EVP_MD_free(hash); }

absl::StatusOr<std::unique_ptr<JwtPackage>> JwtPackage::Create(JwtOptions options) {
  if (options.issuers.empty()) {
    return absl::InvalidArgumentError("there is no issuer; name those whose tokens are taken");
  }
  if (options.skew < absl::ZeroDuration() || options.skew > kMaxJwtSkew) {
    return absl::InvalidArgumentError(absl::StrCat("`skew` is ", absl::FormatDuration(options.skew),
                                                   "; 0 to ", absl::FormatDuration(kMaxJwtSkew),
                                                   " can be made up for"));
  }
  std::set<std::string> issuers, trust_domains, realms;
  std::set<const JwkSource*> sources;
  const auto names_users = [](const JwtIssuer& issuer) { return issuer.trust_domain.empty(); };
  const auto users = std::count_if(options.issuers.begin(), options.issuers.end(), names_users);
  for (size_t i = 0; i < options.issuers.size(); ++i) {
    const JwtIssuer& issuer = options.issuers[i];
    std::string defect = DefectOf(issuer);
    if (defect.empty() && !issuer.issuer.empty() && !issuers.insert(issuer.issuer).second) {
      defect = absl::StrCat(Quoted(issuer.issuer), " stands twice");
    }
    if (defect.empty() && !sources.insert(issuer.keys).second) {
      defect = "its keys are another issuer's, who could sign for it";
    }
    if (defect.empty() && !issuer.trust_domain.empty() &&
        !trust_domains.insert(issuer.trust_domain).second) {
      defect = absl::StrCat("the trust domain ", Quoted(issuer.trust_domain), " stands twice");
    }
    if (defect.empty() && issuer.trust_domain.empty()) {
      if (issuer.realm.empty() && users > 1) {
        defect = "`realm` is empty; there are several issuers, whose names it must tell apart";
      } else if (!realms.insert(issuer.realm).second) {
        defect = absl::StrCat("the realm ", Quoted(issuer.realm), " is another issuer's");
      }
    }
    if (!defect.empty()) return absl::InvalidArgumentError(absl::StrCat(Number(i), defect));
  }
  Hash sha256(EVP_MD_fetch(nullptr, "SHA256", nullptr));
  if (sha256 == nullptr) return absl::InternalError("OpenSSL gave no SHA-256");
  return std::unique_ptr<JwtPackage>(new JwtPackage(std::move(options), std::move(sha256)));
}

JwtPackage::~JwtPackage() = default;

JwtPackage::JwtPackage(JwtOptions options, Hash sha256)
    : options_(std::move(options)),
      sha256_(std::move(sha256)),
      cache_(std::make_unique<TokenCache>(options_.cached_tokens)) {
  for (size_t i = 0; i < options_.issuers.size(); ++i) {
    const JwtIssuer& issuer = options_.issuers[i];
    if (issuer.issuer.empty()) {
      by_trust_domain_.emplace(issuer.trust_domain, i);
    } else {
      by_issuer_.emplace(issuer.issuer, i);
    }
  }
}

// Whose keys to try; whether the token is the issuer's, its signature tells.
absl::StatusOr<const JwtIssuer*> JwtPackage::IssuerOf(const Attributes& claims) const {
  const auto refused = [](const auto&... parts) {
    return MakeContextError(ContextError::kMechanism, absl::StrCat("the token ", parts...));
  };
  const Value* const iss = claims.Find("iss");
  if (iss != nullptr) {
    if (iss->kind() != Value::Kind::kString) return refused("has `iss` that is not a string");
    const auto found = by_issuer_.find(iss->string_value());
    if (found != by_issuer_.end()) return &options_.issuers[found->second];
    return refused("is of the issuer ", Quoted(iss->string_value()), ", which is not among those ",
                   "of JwtOptions");
  }
  const Value* const sub = claims.Find("sub");
  if (!by_trust_domain_.empty() && sub != nullptr && sub->kind() == Value::Kind::kString) {
    if (const std::optional<SpiffeId> id = ParseSpiffeId(sub->string_value()); id.has_value()) {
      const auto found = by_trust_domain_.find(id->trust_domain);
      if (found != by_trust_domain_.end()) return &options_.issuers[found->second];
    }
  }
  return refused("has no `iss`");
}

absl::StatusOr<VerifiedToken> JwtPackage::Verify(std::string_view token, absl::Time now) const {
  if (token.size() > kMaxJwtBytes) {
    return MakeContextError(
        ContextError::kMalformed,
        absl::StrCat("the token has ", token.size(), " bytes, more than ", kMaxJwtBytes));
  }
  const absl::StatusOr<CompactJws> jws = ParseCompactJws(token);
  if (!jws.ok()) return jws.status();
  const Attributes& claims = jws->claims.map_value();
  const absl::StatusOr<const JwtIssuer*> found = IssuerOf(claims);
  if (!found.ok()) return found.status();
  const JwtIssuer& issuer = **found;
  absl::StatusOr<std::shared_ptr<const JwkSet>> keys = issuer.keys->Keys(now);
  if (!keys.ok()) return keys.status();
  const Jwk* const key = (*keys)->Find(jws->kid);
  if (key == nullptr) {
    return MakeContextError(
        ContextError::kUnknownKey,
        absl::StrCat("the token names the key ", Quoted(jws->kid), ", which its issuer has not"));
  }
  const std::string_view algorithm = ToString(key->algorithm());
  if (jws->algorithm != algorithm) {
    return MakeContextError(
        ContextError::kAuthenticationFailed,
        absl::StrCat("the token is signed by ", Quoted(jws->algorithm), ", and its key is one of `",
                     absl::string_view(algorithm.data(), algorithm.size()), "`"));
  }
  // The SPIFFE JWT-SVID, 2.1.
  if (!issuer.trust_domain.empty() && key->algorithm() == JwtAlgorithm::kEdDsa) {
    return MakeContextError(ContextError::kAuthenticationFailed,
                            "the token is signed by `EdDSA`, which JWT-SVIDs are not");
  }
  if (!key->Verify(jws->signed_text, jws->signature)) {
    return MakeContextError(ContextError::kAuthenticationFailed,
                            "the token's signature is not that of its key");
  }
  if (!TakesType(issuer, jws->type)) {
    return MakeContextError(
        ContextError::kMechanism,
        absl::StrCat(
            "the token ",
            jws->type.empty() ? "has no type" : absl::StrCat("is of the type ", Quoted(jws->type)),
            ", which is not among JwtIssuer::types"));
  }
  absl::StatusOr<JwtSubject> subject = SubjectOf(claims, issuer, options_.skew, now);
  if (!subject.ok()) return subject.status();

  std::string id = "none";
  if (!subject->id.empty()) {
    TokenDigest hashed;
    if (!Hashed(subject->id, sha256_.get(), &hashed)) {
      return MakeContextError(ContextError::kInternal, "OpenSSL could not hash `jti`");
    }
    id = absl::BytesToHexString({reinterpret_cast<const char*>(hashed.data()), kIdEvidenceBytes});
  }
  // The key's name is one word, so that it cannot look like another field, nor like what an import
  // adds.
  subject->principal.evidence = absl::StrCat(
      "alg=", jws->algorithm,
      " exp=", absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", subject->expires, absl::UTCTimeZone()),
      " jti=", id, " iss=", issuer.issuer.empty() ? "none" : issuer.issuer,
      " kid=", absl::StrReplaceAll(Printable(key->kid()), {{" ", "\\x20"}}));
  VerifiedToken verified;
  verified.issuer = &issuer - options_.issuers.data();
  verified.keys = *std::move(keys);
  verified.begin = subject->begin;
  verified.end = subject->end;
  verified.principal = std::move(subject->principal);
  return verified;
}

absl::StatusOr<EstablishedContext> JwtPackage::Open(absl::Span<const uint8_t> bytes,
                                                    absl::Time now) const {
  const std::string_view token(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  TokenDigest digest = {};
  std::shared_ptr<const VerifiedToken> verified;
  const bool cached =
      !cache_->empty() && token.size() <= kMaxJwtBytes && Hashed(token, sha256_.get(), &digest);
  if (cached) verified = cache_->Find(digest);
  if (verified != nullptr) {
    const absl::StatusOr<std::shared_ptr<const JwkSet>> keys =
        options_.issuers[verified->issuer].keys->Keys(now);
    if (!keys.ok()) return keys.status();
    // Of other keys, the token's may not be one any more.
    if (*keys != verified->keys) verified = nullptr;
  }
  if (verified != nullptr) {
    absl::Status status = CheckTimes(verified->begin, verified->end, now);
    if (!status.ok()) return status;
  } else {
    absl::StatusOr<VerifiedToken> fresh = Verify(token, now);
    if (!fresh.ok()) return fresh.status();
    fresh->digest = digest;
    verified = std::make_shared<const VerifiedToken>(*std::move(fresh));
    if (cached) cache_->Put(verified);
  }
  EstablishedContext context;
  context.principal = verified->principal;
  context.established = verified->begin.value_or(now);
  context.expires = verified->end;
  return context;
}

}  // namespace reeve
