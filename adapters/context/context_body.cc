#include "reeve/adapters/context/context_body.h"

#include <string.h>

#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/request.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr uint8_t kGroupsComplete = 1;  // Of the flags; the others are 0.

bool IsPackageName(std::string_view name) {
  if (name.empty() || name.size() > kMaxPackageBytes) return false;
  for (const char c : name) {
    if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '-') return false;
  }
  return true;
}

bool IsProvenance(std::string_view text) {
  return text.size() <= kMaxProvenanceBytes && !HasControlCharacter(text);
}

absl::Status Malformed(std::string_view what) {
  return MakeContextError(
      ContextError::kMalformed,
      absl::StrCat("the body of the context is malformed: ", std::string(what),
                   "; it was sealed by a program that does not keep to the format"));
}

// Reads `text` of at most `max` bytes into *out.
bool ReadText(ByteReader& in, size_t max, std::string* out) {
  std::string_view text;
  if (!in.Sized(max, &text)) return false;
  *out = std::string(text);
  return true;
}

// A number of things, each of at least `min_bytes`.
bool ReadCount(ByteReader& in, size_t max, size_t min_bytes, uint64_t* count) {
  return in.Number(max, count) &&
         (*count <= in.rest() / min_bytes || in.Fail("a count is larger than what follows"));
}

bool ReadTime(ByteReader& in, absl::Time* time) {
  absl::Duration since;
  if (!in.Duration(&since)) return false;
  *time = absl::UnixEpoch() + since;
  return true;
}

bool ReadPrincipal(ByteReader& in, uint8_t flags, Principal* principal) {
  uint8_t assurance;
  uint64_t groups, parents;
  if (!in.Byte(&assurance)) return false;
  if (assurance > static_cast<uint8_t>(Assurance::kCrypto)) return in.Fail("unknown assurance");
  principal->assurance = static_cast<Assurance>(assurance);
  principal->groups_complete = (flags & kGroupsComplete) != 0;
  if (!ReadText(in, kMaxTypeBytes, &principal->id.type) ||
      !ReadText(in, kMaxIdBytes, &principal->id.id) ||
      !ReadText(in, kMaxProvenanceBytes, &principal->via) ||
      !ReadText(in, kMaxProvenanceBytes, &principal->host) ||
      !ReadText(in, kMaxProvenanceBytes, &principal->actor) ||
      !ReadText(in, kMaxProvenanceBytes, &principal->evidence) ||
      !ReadCount(in, kMaxGroups, 2, &groups)) {
    return false;
  }
  principal->groups.resize(groups);
  for (std::string& group : principal->groups) {
    if (!ReadText(in, kMaxIdBytes, &group)) return false;
  }
  if (!ReadCount(in, kMaxParents, 4, &parents)) return false;
  principal->parents.resize(parents);
  for (EntityId& parent : principal->parents) {
    if (!ReadText(in, kMaxTypeBytes, &parent.type) || !ReadText(in, kMaxIdBytes, &parent.id)) {
      return false;
    }
  }
  std::string_view encoded;
  if (!in.Sized(kMaxSealedBodyBytes, &encoded)) return false;
  absl::StatusOr<Attributes> attributes = DecodeAttributes(encoded);
  if (!attributes.ok()) return in.Fail("the attributes are malformed");
  principal->attributes = *std::move(attributes);
  return true;
}

}  // namespace

std::string_view DefectOfContextPrincipal(const Principal& principal) {
  if (principal.anonymous()) return "the principal is anonymous";
  for (const std::string* text :
       {&principal.via, &principal.host, &principal.actor, &principal.evidence}) {
    if (!IsProvenance(*text)) return "the provenance is too long or has a control character";
  }
  // As the engine will judge it.
  return DefectOf(Request(principal, "context.import", {"context", "reeve"}));
}

absl::StatusOr<SecretBytes> EncodeContextBody(const ContextBody& body) {
  const Principal& principal = body.principal;
  std::string_view defect = DefectOfContextPrincipal(principal);
  if (!IsPackageName(body.package)) defect = "the package's name is malformed";
  // Holds no secret: the payload comes last, and goes where it stays.
  std::string out;
  std::string attributes;
  if (defect.empty() && !AppendAttributes(principal.attributes, &attributes)) {
    defect = "the attributes are too large";
  }
  if (!defect.empty()) {
    return MakeContextError(ContextError::kMalformed,
                            absl::StrCat("the context cannot be exported: ", std::string(defect)));
  }
  out.push_back(static_cast<char>(kContextBodyFormat));
  out.push_back(static_cast<char>(principal.groups_complete ? kGroupsComplete : 0));
  AppendSized(body.package, &out);
  AppendDuration(body.established - absl::UnixEpoch(), &out);
  AppendDuration(body.expires - absl::UnixEpoch(), &out);
  out.push_back(static_cast<char>(principal.assurance));
  for (const std::string* text : {&principal.id.type, &principal.id.id, &principal.via,
                                  &principal.host, &principal.actor, &principal.evidence}) {
    AppendSized(*text, &out);
  }
  AppendVarint(principal.groups.size(), &out);
  for (const std::string& group : principal.groups) AppendSized(group, &out);
  AppendVarint(principal.parents.size(), &out);
  for (const EntityId& parent : principal.parents) {
    AppendSized(parent.type, &out);
    AppendSized(parent.id, &out);
  }
  AppendSized(attributes, &out);
  AppendVarint(body.payload.size(), &out);
  if (out.size() + body.payload.size() > kMaxSealedBodyBytes) {
    return MakeContextError(
        ContextError::kMalformed,
        absl::StrCat("the context cannot be exported: it takes ", out.size() + body.payload.size(),
                     " bytes, more than ", kMaxSealedBodyBytes,
                     "; give the principal fewer groups or attributes"));
  }
  SecretBytes bytes(out.size() + body.payload.size());
  memcpy(bytes.data(), out.data(), out.size());
  if (!body.payload.empty()) {
    memcpy(bytes.data() + out.size(), body.payload.data(), body.payload.size());
  }
  return bytes;
}

absl::StatusOr<ContextBody> DecodeContextBody(absl::Span<const uint8_t> bytes) {
  if (bytes.size() > kMaxSealedBodyBytes) return Malformed("it is too long");
  ByteReader in({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  ContextBody body;
  uint8_t format, flags;
  if (in.Byte(&format) && format != kContextBodyFormat) {
    return MakeContextError(
        ContextError::kUnsupportedVersion,
        absl::StrCat("the body of the context is of format ", format, "; this program knows ",
                     kContextBodyFormat, ", so bring exporter and importer to one version"));
  }
  if (in.Byte(&flags) && flags > kGroupsComplete) in.Fail("unknown flags");
  std::string_view payload;
  if (ReadText(in, kMaxPackageBytes, &body.package) && ReadTime(in, &body.established) &&
      ReadTime(in, &body.expires) && ReadPrincipal(in, flags, &body.principal)) {
    in.Sized(kMaxSealedBodyBytes, &payload);
  }
  in.End();
  if (!in.ok()) return Malformed(std::string(in.status().message()));
  if (!IsPackageName(body.package)) return Malformed("the package's name");
  if (std::string_view defect = DefectOfContextPrincipal(body.principal); !defect.empty()) {
    return Malformed(defect);
  }
  body.payload = SecretBytes(payload);
  return body;
}

}  // namespace reeve
