#include "reeve/adapters/context/jwt/compact_jws.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/jwt/base64url.h"
#include "reeve/adapters/json/json_value.h"

namespace reeve {
namespace {

constexpr JsonLimits kJsonLimits = {64 * 1024, kMaxJwtDepth, kMaxJwtValues};

struct RefusedMember {
  std::string_view name;
  absl::string_view why;
};
constexpr RefusedMember kRefusedMembers[] = {
    {"crit", "demands extensions, and none is known here"},
    {"b64", "changes what is signed"},
    {"jku", "names keys of its own"},
    {"jwk", "brings a key of its own"},
    {"x5u", "names keys of its own"},
    {"x5c", "brings a key of its own"},
};

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

template <typename... Parts>
absl::Status Malformed(const Parts&... parts) {
  return MakeContextError(ContextError::kMalformed, absl::StrCat("the token", parts...));
}

// `part` of the token, which is to be an object.
absl::StatusOr<Value> ReadObject(std::string_view part, absl::string_view name) {
  const std::optional<std::string> text = DecodeBase64Url(part);
  if (!text.has_value()) return Malformed("'s ", name, " is not base64url");
  JsonValue json = ReadJson(*text, kJsonLimits);
  if (json.defect != JsonDefect::kNone) {
    return Malformed("'s ", name, " ", View(ToString(json.defect)));
  }
  if (json.value.kind() != Value::Kind::kMap) return Malformed("'s ", name, " is not an object");
  return std::move(json.value);
}

// *text stays empty if there is no such member.
absl::Status ReadString(const Attributes& header, std::string_view name, std::string* text) {
  const Value* const member = header.Find(name);
  if (member == nullptr) return absl::OkStatus();
  if (member->kind() != Value::Kind::kString || member->string_value().empty()) {
    return Malformed("'s header has `", View(name), "` that is not a string, or is empty");
  }
  *text = member->string_value();
  return absl::OkStatus();
}

absl::Status ReadHeader(const Attributes& header, CompactJws* jws) {
  for (const RefusedMember& member : kRefusedMembers) {
    if (header.Find(member.name) != nullptr) {
      return MakeContextError(
          ContextError::kMechanism,
          absl::StrCat("the token's header has `", View(member.name), "`, which ", member.why));
    }
  }
  if (absl::Status status = ReadString(header, "alg", &jws->algorithm); !status.ok()) return status;
  if (absl::Status status = ReadString(header, "kid", &jws->kid); !status.ok()) return status;
  if (absl::Status status = ReadString(header, "typ", &jws->type); !status.ok()) return status;
  if (jws->algorithm.empty()) return Malformed("'s header has no `alg`");
  if (jws->kid.empty()) {
    return MakeContextError(ContextError::kUnknownKey,
                            "the token's header has no `kid`, and keys are found by that alone");
  }
  // RFC 7515, 4.1.9.
  absl::AsciiStrToLower(&jws->type);
  constexpr absl::string_view kPrefix = "application/";
  if (absl::StartsWith(jws->type, kPrefix)) jws->type.erase(0, kPrefix.size());
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<CompactJws> ParseCompactJws(std::string_view token) {
  const auto dots = std::count(token.begin(), token.end(), '.');
  if (dots == 4) return Malformed(" is encrypted (JWE); only signed ones are read here");
  if (dots != 2) {
    return Malformed(" has ", dots + 1, " parts; a signed one has header, claims and signature");
  }
  const size_t first = token.find('.');
  const size_t second = token.rfind('.');
  CompactJws jws;
  jws.signed_text = token.substr(0, second);
  absl::StatusOr<Value> header = ReadObject(token.substr(0, first), "header");
  if (!header.ok()) return header.status();
  if (absl::Status status = ReadHeader(header->map_value(), &jws); !status.ok()) return status;
  absl::StatusOr<Value> claims =
      ReadObject(token.substr(first + 1, second - first - 1), "claims part");
  if (!claims.ok()) return claims.status();
  jws.claims = *std::move(claims);
  std::optional<std::string> signature = DecodeBase64Url(token.substr(second + 1));
  if (!signature.has_value()) return Malformed("'s signature is not base64url");
  jws.signature = *std::move(signature);
  return jws;
}

}  // namespace reeve
