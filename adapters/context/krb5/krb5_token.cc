#include "reeve/adapters/context/krb5/krb5_token.h"

#include <stdlib.h>

#include <algorithm>
#include <cstdint>
#include <optional>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr uint32_t kProfileMark = 0xAACA6012;  // PROF_MAGIC_PROFILE
constexpr uint32_t kMaxProfiles = 16;
constexpr uint32_t kMaxPathBytes = 4096;
constexpr int kMaxCredentials = 2;

absl::Status Malformed(std::string_view what) {
  return MakeContextError(ContextError::kMalformed, what);
}

// Reads from the front of `*bytes`; nothing if they do not suffice.
std::optional<uint32_t> TakeNumber(std::string_view* bytes) {
  if (bytes->size() < 4) return std::nullopt;
  uint32_t number = 0;
  for (int i = 0; i < 4; ++i) number = number << 8 | static_cast<uint8_t>((*bytes)[i]);
  bytes->remove_prefix(4);
  return number;
}

std::optional<std::string_view> TakeText(std::string_view* bytes, uint32_t max) {
  const std::optional<uint32_t> size = TakeNumber(bytes);
  if (!size.has_value() || *size > max || *size > bytes->size()) return std::nullopt;
  const std::string_view text = bytes->substr(0, *size);
  bytes->remove_prefix(*size);
  return text;
}

// The paths after a mark; nothing if what stands there is not as it should be.
std::optional<std::vector<std::string_view>> TakeProfiles(std::string_view bytes) {
  const std::optional<uint32_t> count = TakeNumber(&bytes);
  if (!count.has_value() || *count > kMaxProfiles) return std::nullopt;
  std::vector<std::string_view> paths;
  for (uint32_t i = 0; i < *count; ++i) {
    const std::optional<std::string_view> path = TakeText(&bytes, kMaxPathBytes);
    if (!path.has_value()) return std::nullopt;
    paths.push_back(*path);
  }
  if (TakeNumber(&bytes) != kProfileMark) return std::nullopt;
  return paths;
}

absl::Status CheckProfiles(std::string_view bytes, const std::vector<std::string>& profiles) {
  static constexpr std::string_view kMark = "\xAA\xCA\x60\x12";
  size_t at = 0;
  while ((at = bytes.find(kMark, at)) != std::string_view::npos) {
    at += kMark.size();
    const auto paths = TakeProfiles(bytes.substr(at));
    // The mark at the end, or four bytes of a key.
    if (!paths.has_value()) continue;
    for (const std::string_view path : *paths) {
      if (std::find(profiles.begin(), profiles.end(), path) != profiles.end()) continue;
      return MakeContextError(
          ContextError::kMechanism,
          absl::StrCat("the context was made by the krb5.conf `", Printable(path),
                       "`, which is none of this process; set KRB5_CONFIG alike"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckKrb5Token(std::string_view token, int round) {
  if (round > kMaxKrb5Rounds) {
    return MakeContextError(
        ContextError::kResourceExhausted,
        absl::StrCat("the handshake goes on after ", kMaxKrb5Rounds, " tokens; begin another one"));
  }
  if (token.empty()) return Malformed("the token is empty");
  if (token.size() > kMaxKrb5TokenBytes) {
    return Malformed(absl::StrCat("the token has ", token.size(), " bytes, more than ",
                                  kMaxKrb5TokenBytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<Krb5Mechanism> MechanismOfToken(std::string_view token) {
  // 0x60, a length in DER, 0x06, a length below 128, the identifier.
  const auto byte = [&](size_t at) -> int {
    return at < token.size() ? static_cast<uint8_t>(token[at]) : -1;
  };
  const size_t long_form = byte(1) >= 0x80 ? byte(1) - 0x80 : 0;
  const size_t at = 2 + long_form;
  if (byte(0) != 0x60 || byte(1) < 0 || long_form > 4 || byte(at) != 0x06 || byte(at + 1) < 0 ||
      byte(at + 1) >= 0x80) {
    return Malformed("the client's first token is none of GSS-API");
  }
  const std::string_view rest = token.substr(at + 2);
  const auto size = static_cast<size_t>(byte(at + 1));
  if (size > rest.size()) return Malformed("the client's first token is not whole");
  const std::string_view oid = rest.substr(0, size);
  if (oid == kKrb5Oid) return Krb5Mechanism::kKrb5;
  if (oid == kSpnegoOid) return Krb5Mechanism::kSpnego;
  return MakeContextError(ContextError::kMechanism,
                          "the client speaks another mechanism than Kerberos");
}

absl::Status CheckExportedKrb5(std::string_view bytes, Krb5Mechanism mechanism,
                               const std::vector<std::string>& profiles) {
  if (bytes.size() > kMaxExportedKrb5Bytes) {
    return Malformed(absl::StrCat("the exported context has ", bytes.size(), " bytes, more than ",
                                  kMaxExportedKrb5Bytes));
  }
  std::string_view rest = bytes;
  const bool spnego = mechanism == Krb5Mechanism::kSpnego;
  for (const std::string_view oid : {spnego ? kSpnegoOid : kKrb5Oid, kKrb5Oid}) {
    const std::optional<std::string_view> found = TakeText(&rest, kMaxExportedKrb5Bytes);
    if (!found.has_value()) return Malformed("the exported context is not whole");
    if (*found != oid) {
      return MakeContextError(ContextError::kMechanism,
                              "the exported context is of another mechanism than the package");
    }
    if (!spnego) break;
  }
  std::string_view begin = rest;
  std::string_view end = rest.substr(rest.size() - std::min<size_t>(rest.size(), 4));
  const std::optional<uint32_t> mark = TakeNumber(&begin);
  if (rest.size() < 8 || mark != TakeNumber(&end)) {
    return Malformed("the exported context is not whole");
  }
  return CheckProfiles(rest, profiles);
}

absl::Status CheckExportedTicket(std::string_view bytes) {
  if (bytes.size() > kMaxExportedKrb5Bytes) {
    return Malformed(absl::StrCat("the exported ticket has ", bytes.size(), " bytes, more than ",
                                  kMaxExportedKrb5Bytes));
  }
  int count = 0;
  for (std::string_view rest = bytes; !rest.empty(); ++count) {
    const std::optional<std::string_view> oid = TakeText(&rest, kMaxExportedKrb5Bytes);
    const std::optional<std::string_view> body = TakeText(&rest, kMaxExportedKrb5Bytes);
    if (!oid.has_value() || !body.has_value() || body->empty() || count == kMaxCredentials) {
      return Malformed("the exported ticket is not whole");
    }
    if (*oid != kKrb5Oid && *oid != kSpnegoOid) {
      return MakeContextError(ContextError::kMechanism,
                              "the exported ticket is of another mechanism than Kerberos");
    }
  }
  if (count == 0) return Malformed("the exported ticket is empty");
  return absl::OkStatus();
}

std::vector<std::string> ProfilesOfThisProcess() {
  const char* const configured = secure_getenv("KRB5_CONFIG");
  if (configured == nullptr) return {"/etc/krb5.conf", "/usr/etc/krb5.conf"};
  return absl::StrSplit(configured, ':', absl::SkipEmpty());
}

}  // namespace reeve
