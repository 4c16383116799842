#include "reeve/adapters/context/jwt/jwt_claims.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/socket/tls/subject_alt_name.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr size_t kMaxAudiences = 64;
constexpr size_t kMaxGroups = 1024;
constexpr int64_t kEndOfTime = 253402300800;  // 10000-01-01
constexpr size_t kShownBytes = 100;
constexpr absl::string_view kSpiffeScheme = "spiffe://";
constexpr std::string_view kSpiffeType = "spiffe";
constexpr std::string_view kGroupType = "group";

// Names that principals have in conditions, and attributes that every token's has.
constexpr std::string_view kTaken[] = {
    "type",  "id",  "name", "groups",    "assurance",  "via",         "host",
    "actor", "acr", "amr",  "auth_time", "jwt_issuer", "jwt_expires", "jwt_issued"};

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

template <typename... Parts>
absl::Status Refused(const Parts&... parts) {
  return MakeContextError(ContextError::kMechanism, absl::StrCat("the token ", parts...));
}

std::string Quoted(std::string_view text) {
  return absl::StrCat("`", Printable(text, kShownBytes), "`");
}

std::string Text(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

bool IsString(const Value& value) { return value.kind() == Value::Kind::kString; }

bool HasSpaceOrControl(std::string_view text) {
  return HasControlCharacter(text) || text.find(' ') != std::string_view::npos;
}

bool IsOneOf(const std::vector<std::string>& texts, std::string_view text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

// What stands behind the `@`.
const std::string& RealmOf(const JwtIssuer& issuer) {
  return issuer.trust_domain.empty() ? issuer.realm : issuer.trust_domain;
}

std::string Qualified(std::string_view name, const std::string& realm) {
  return realm.empty() ? std::string(name) : absl::StrCat(View(name), "@", realm);
}

// The claim `name`, a string that is not empty.
absl::StatusOr<std::string_view> RequiredString(const Attributes& claims, std::string_view name) {
  const Value* const claim = claims.Find(name);
  if (claim == nullptr) return Refused("has no ", Quoted(name));
  if (!IsString(*claim) || claim->string_value().empty()) {
    return Refused("has ", Quoted(name), " that is not a string, or is empty");
  }
  return claim->string_value();
}

// *time stays as it is if there is no such claim.
absl::Status OptionalTime(const Attributes& claims, std::string_view name,
                          std::optional<absl::Time>* time) {
  const Value* const claim = claims.Find(name);
  if (claim == nullptr) return absl::OkStatus();
  *time = TimeOf(*claim);
  if (time->has_value()) return absl::OkStatus();
  return Refused("has `", View(name), "` that is no number of seconds from 1970 to 9999");
}

absl::Status CheckIssuer(const Attributes& claims, const JwtIssuer& issuer) {
  if (issuer.issuer.empty() && claims.Find("iss") == nullptr) return absl::OkStatus();
  const absl::StatusOr<std::string_view> iss = RequiredString(claims, "iss");
  if (!iss.ok()) return iss.status();
  if (*iss == issuer.issuer) return absl::OkStatus();
  return Refused("is of the issuer ", Quoted(*iss), ", which is not the one of its key");
}

// RFC 7519, 4.1.3.
absl::Status CheckAudience(const Attributes& claims, const JwtIssuer& issuer) {
  const Value* const aud = claims.Find("aud");
  if (aud == nullptr) return Refused("has no `aud`");
  const Value* begin = aud;
  size_t size = 1;
  if (aud->kind() == Value::Kind::kList) {
    begin = aud->list_value().data();
    size = aud->list_value().size();
  }
  if (size > kMaxAudiences) {
    return Refused("has `aud` of ", size, " names, more than ", kMaxAudiences);
  }
  if (size == 0 || !std::all_of(begin, begin + size, IsString)) {
    return Refused("has `aud` that is not a string or a list of strings, or is empty");
  }
  const bool meant = std::any_of(begin, begin + size, [&](const Value& name) {
    return IsOneOf(issuer.audiences, name.string_value());
  });
  if (meant) return absl::OkStatus();
  return Refused("is for others: its `aud` does not have ", Quoted(issuer.audiences[0]));
}

// Checks `exp`, `nbf` and `iat` and keeps them.
absl::Status ReadTimes(const Attributes& claims, const JwtIssuer& issuer, absl::Duration skew,
                       absl::Time now, JwtSubject* subject) {
  std::optional<absl::Time> exp, nbf, iat;
  if (absl::Status status = OptionalTime(claims, "exp", &exp); !status.ok()) return status;
  if (absl::Status status = OptionalTime(claims, "nbf", &nbf); !status.ok()) return status;
  if (absl::Status status = OptionalTime(claims, "iat", &iat); !status.ok()) return status;
  if (!exp.has_value()) return Refused("has no `exp`");
  subject->expires = *exp;
  subject->end = *exp + skew;
  for (const std::optional<absl::Time>& begin : {nbf, iat}) {
    if (!begin.has_value()) continue;
    subject->begin = std::max(subject->begin.value_or(absl::InfinitePast()), *begin - skew);
  }
  if (absl::Status status = CheckTimes(subject->begin, subject->end, now); !status.ok()) {
    return status;
  }
  if (*exp - iat.value_or(now) > issuer.max_lifetime) {
    return Refused("holds for longer than ", absl::FormatDuration(issuer.max_lifetime),
                   ", the longest that JwtIssuer::max_lifetime takes");
  }
  if (iat.has_value()) subject->principal.attributes.Set("jwt_issued", Value::Timestamp(*iat));
  subject->principal.attributes.Set("jwt_expires", Value::Timestamp(*exp));
  return absl::OkStatus();
}

// `name` as an id of `type`, as this issuer may give it. What the realm would hide is looked at
// first: `..` is no id, and neither is `..@example.com`.
absl::StatusOr<std::string> IdOf(std::string_view type, std::string_view name,
                                 std::string_view claim, const JwtIssuer& issuer) {
  std::string id = Qualified(name, RealmOf(issuer));
  std::string_view defect = DefectOf(EntityView{type, name});
  if (defect.empty()) defect = DefectOf(EntityView{type, id});
  if (!defect.empty()) return Refused("has ", Quoted(claim), " that is no id: ", View(defect));
  return id;
}

absl::Status ReadSpiffeId(std::string_view sub, const JwtIssuer& issuer, Principal* principal) {
  const std::optional<SpiffeId> id = ParseSpiffeId(sub);
  if (!id.has_value() || id->path.empty()) {
    return Refused("has `sub` that is not the SPIFFE ID of a workload");
  }
  if (id->trust_domain != issuer.trust_domain) {
    return Refused("has `sub` in another trust domain than ", Quoted(issuer.trust_domain));
  }
  principal->id = EntityId(std::string(kSpiffeType), std::string(sub.substr(kSpiffeScheme.size())));
  principal->parents = {EntityId(std::string(kSpiffeType), issuer.trust_domain)};
  if (const std::string_view defect = DefectOf(principal->id); !defect.empty()) {
    return Refused("has `sub` that is no id: ", View(defect));
  }
  return absl::OkStatus();
}

// RFC 8693, 4.1: who acts for the subject. Those who acted before, which it may hold, tell nothing.
absl::Status ReadActor(const Attributes& claims, const JwtIssuer& issuer, Principal* principal) {
  const Value* const act = claims.Find("act");
  if (act == nullptr) return absl::OkStatus();
  if (act->kind() != Value::Kind::kMap) return Refused("has `act` that is not an object");
  const Attributes& actor = act->map_value();
  const Value* const iss = actor.Find("iss");
  if (iss != nullptr && (!IsString(*iss) || iss->string_value() != issuer.issuer)) {
    return Refused("has `act` of another issuer");
  }
  const absl::StatusOr<std::string_view> sub = RequiredString(actor, "sub");
  if (!sub.ok()) return Refused("has `act` without `sub`, or it is not a string");
  if (!issuer.trust_domain.empty()) {
    Principal workload;
    if (!ReadSpiffeId(*sub, issuer, &workload).ok()) {
      return Refused("has `act` that is not a workload of this trust domain");
    }
    principal->actor = ToString(workload.id);
    return absl::OkStatus();
  }
  const absl::StatusOr<std::string> id = IdOf(issuer.principal_type, *sub, "act", issuer);
  if (!id.ok()) return id.status();
  principal->actor = ToString(EntityView{issuer.principal_type, *id});
  return absl::OkStatus();
}

absl::Status ReadWho(const Attributes& claims, const JwtIssuer& issuer, Principal* principal) {
  const absl::StatusOr<std::string_view> sub = RequiredString(claims, "sub");
  if (!sub.ok()) return sub.status();
  if (!issuer.trust_domain.empty()) return ReadSpiffeId(*sub, issuer, principal);
  const absl::StatusOr<std::string_view> name = RequiredString(claims, issuer.id_claim);
  if (!name.ok()) return name.status();
  if (issuer.id_claim == "email") {
    const Value* const verified = claims.Find("email_verified");
    if (verified == nullptr || *verified != Value::Bool(true)) {
      return Refused("has an `email` that is not verified; `email_verified` must be true");
    }
  }
  absl::StatusOr<std::string> id = IdOf(issuer.principal_type, *name, issuer.id_claim, issuer);
  if (!id.ok()) return id.status();
  principal->id = EntityId(issuer.principal_type, *std::move(id));
  return absl::OkStatus();
}

absl::Status ReadGroups(const Attributes& claims, const JwtIssuer& issuer, Principal* principal) {
  if (issuer.groups_claim.empty()) return absl::OkStatus();
  const Value* const groups = claims.Find(issuer.groups_claim);
  principal->groups_complete = groups != nullptr;
  if (groups == nullptr) return absl::OkStatus();
  if (groups->kind() != Value::Kind::kList ||
      !std::all_of(groups->list_value().begin(), groups->list_value().end(), IsString)) {
    return Refused("has ", Quoted(issuer.groups_claim), " that is not a list of strings");
  }
  if (groups->list_value().size() > kMaxGroups) {
    return Refused("has more than ", kMaxGroups, " groups");
  }
  principal->groups.reserve(groups->list_value().size());
  for (const Value& group : groups->list_value()) {
    absl::StatusOr<std::string> id =
        IdOf(kGroupType, group.string_value(), issuer.groups_claim, issuer);
    if (!id.ok()) return id.status();
    principal->groups.push_back(*std::move(id));
  }
  return absl::OkStatus();
}

// How the subject showed who it is (OpenID Connect Core 1.0, 2), and what the program asked for.
absl::Status ReadAttributes(const Attributes& claims, const JwtIssuer& issuer,
                            Attributes* attributes) {
  if (!issuer.issuer.empty()) attributes->Set("jwt_issuer", Value::String(issuer.issuer));
  std::optional<absl::Time> auth_time;
  if (absl::Status status = OptionalTime(claims, "auth_time", &auth_time); !status.ok()) {
    return status;
  }
  if (auth_time.has_value()) attributes->Set("auth_time", Value::Timestamp(*auth_time));
  if (const Value* const acr = claims.Find("acr"); acr != nullptr) {
    if (!IsString(*acr)) return Refused("has `acr` that is not a string");
    attributes->Set("acr", *acr);
  }
  if (const Value* const amr = claims.Find("amr"); amr != nullptr) {
    if (amr->kind() != Value::Kind::kList ||
        !std::all_of(amr->list_value().begin(), amr->list_value().end(), IsString)) {
      return Refused("has `amr` that is not a list of strings");
    }
    attributes->Set("amr", *amr);
  }
  for (const std::string& name : issuer.attribute_claims) {
    if (const Value* const claim = claims.Find(name); claim != nullptr) {
      attributes->Set(name, *claim);
    }
  }
  if (const std::string_view defect = DefectOf(*attributes); !defect.empty()) {
    return Refused("has claims that are no attributes: ", View(defect));
  }
  return absl::OkStatus();
}

}  // namespace

std::string DefectOf(const JwtIssuer& issuer) {
  if (issuer.issuer.empty() && issuer.trust_domain.empty()) return "`issuer` is empty";
  if (HasSpaceOrControl(issuer.issuer)) return "`issuer` has a space or a control character";
  if (issuer.keys == nullptr) return "`keys` is null";
  if (issuer.audiences.empty() || IsOneOf(issuer.audiences, "")) {
    return "`audiences` is empty, or has an empty one; name this program as the issuer does";
  }
  if (issuer.types.empty()) return "`types` is empty; an empty type is that of tokens without one";
  for (const std::string& type : issuer.types) {
    if (type.find('/') != std::string::npos) return "`types` has a `/`; leave `application/` out";
  }
  if (issuer.max_lifetime <= absl::ZeroDuration()) return "`max_lifetime` is not positive";
  if (!issuer.trust_domain.empty()) {
    const std::optional<SpiffeId> id =
        ParseSpiffeId(absl::StrCat(kSpiffeScheme, issuer.trust_domain));
    if (!id.has_value() || !id->path.empty()) return "`trust_domain` is none; write `example.org`";
    const JwtIssuer defaults;
    if (issuer.principal_type != defaults.principal_type || issuer.id_claim != defaults.id_claim ||
        !issuer.realm.empty()) {
      return "`principal_type`, `id_claim` and `realm` mean nothing with a `trust_domain`";
    }
  } else {
    const std::string_view defect = DefectOf(EntityView{issuer.principal_type, "x"});
    if (!defect.empty()) return absl::StrCat("`principal_type`: ", View(defect));
    for (const std::string_view type : {kSpiffeType, kGroupType, Principal::kAnonymousType}) {
      if (issuer.principal_type == type) {
        return absl::StrCat("`principal_type` is `", View(type), "`, which is no user's");
      }
    }
    if (issuer.id_claim.empty()) return "`id_claim` is empty";
    if (HasSpaceOrControl(issuer.realm) || issuer.realm.find_first_of("@/") != std::string::npos) {
      return "`realm` has a space, a control character, `@` or `/`";
    }
  }
  for (const std::string& name : issuer.attribute_claims) {
    if (name.empty() || !IsValidUtf8(name)) return "`attribute_claims` has an empty name";
    if (std::find(std::begin(kTaken), std::end(kTaken), name) != std::end(kTaken)) {
      return absl::StrCat("`attribute_claims` has ", Quoted(name),
                          ", which principals have of themselves");
    }
  }
  return "";
}

std::optional<absl::Time> TimeOf(const Value& numeric_date) {
  if (numeric_date.kind() == Value::Kind::kInt) {
    const int64_t seconds = numeric_date.int_value();
    if (seconds < 0 || seconds >= kEndOfTime) return std::nullopt;
    return absl::FromUnixSeconds(seconds);
  }
  if (numeric_date.kind() != Value::Kind::kDouble) return std::nullopt;
  const double seconds = numeric_date.double_value();
  if (!(seconds >= 0 && seconds < static_cast<double>(kEndOfTime))) return std::nullopt;
  // A double of this size has all of its whole seconds, and less than a microsecond is rounded.
  return absl::UnixEpoch() + absl::Seconds(seconds);
}

absl::Status CheckTimes(const std::optional<absl::Time>& begin, absl::Time end, absl::Time now) {
  if (now >= end) {
    return MakeContextError(ContextError::kExpired,
                            absl::StrCat("the token has expired at ", Text(end),
                                         ", the tolerance for clocks included; get a new one"));
  }
  if (begin.has_value() && now < *begin) {
    return MakeContextError(
        ContextError::kNotYetValid,
        absl::StrCat("the token is not valid before ", Text(*begin),
                     ", the tolerance for clocks included; check this machine's clock"));
  }
  return absl::OkStatus();
}

absl::StatusOr<JwtSubject> SubjectOf(const Attributes& claims, const JwtIssuer& issuer,
                                     absl::Duration skew, absl::Time now) {
  JwtSubject subject;
  Principal& principal = subject.principal;
  absl::Status status = CheckIssuer(claims, issuer);
  if (status.ok()) status = CheckAudience(claims, issuer);
  if (status.ok()) status = ReadTimes(claims, issuer, skew, now, &subject);
  if (status.ok() && !issuer.takes_bound_tokens && claims.Find("cnf") != nullptr) {
    status = Refused("is bound to a key of the client's by `cnf`, and no proof of that is checked");
  }
  if (status.ok()) status = ReadWho(claims, issuer, &principal);
  if (status.ok()) status = ReadActor(claims, issuer, &principal);
  if (status.ok()) status = ReadGroups(claims, issuer, &principal);
  if (status.ok()) status = ReadAttributes(claims, issuer, &principal.attributes);
  if (!status.ok()) return status;
  if (claims.Find("jti") != nullptr) {
    const absl::StatusOr<std::string_view> jti = RequiredString(claims, "jti");
    if (!jti.ok()) return jti.status();
    subject.id = *jti;
  }
  principal.assurance = Assurance::kCrypto;
  principal.via = "jwt";
  return subject;
}

}  // namespace reeve
