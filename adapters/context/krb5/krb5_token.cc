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

// Reads from the front of `*bytes`; -1 if there is none.
int TakeByte(std::string_view* bytes) {
  if (bytes->empty()) return -1;
  const auto byte = static_cast<uint8_t>(bytes->front());
  bytes->remove_prefix(1);
  return byte;
}

// The same; nothing if they do not suffice.
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

// Reads the paths after a mark, and the mark after them.
std::optional<std::vector<std::string_view>> TakeProfiles(std::string_view* bytes) {
  const std::optional<uint32_t> count = TakeNumber(bytes);
  if (!count.has_value() || *count > kMaxProfiles) return std::nullopt;
  std::vector<std::string_view> paths;
  for (uint32_t i = 0; i < *count; ++i) {
    const std::optional<std::string_view> path = TakeText(bytes, kMaxPathBytes);
    if (!path.has_value()) return std::nullopt;
    paths.push_back(*path);
  }
  if (TakeNumber(bytes) != kProfileMark) return std::nullopt;
  return paths;
}

absl::Status CheckProfiles(std::string_view bytes, const std::vector<std::string>& profiles) {
  static constexpr std::string_view kMark = "\xAA\xCA\x60\x12";
  for (size_t at; (at = bytes.find(kMark)) != std::string_view::npos;) {
    bytes.remove_prefix(at + kMark.size());
    const auto paths = TakeProfiles(&bytes);
    // Four bytes of a key are the mark once in 10^8 contexts.
    if (!paths.has_value()) return Malformed("the exported context names no krb5.conf");
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
    return Malformed(
        absl::StrCat("the token has ", token.size(), " bytes, more than ", kMaxKrb5TokenBytes));
  }
  return absl::OkStatus();
}

absl::StatusOr<Krb5Mechanism> MechanismOfToken(std::string_view token) {
  std::string_view rest = token;
  if (TakeByte(&rest) != 0x60) {
    return Malformed("the client's first token is none of GSS-API");
  }
  // A length in DER: below 128, or the number of bytes that follow and say it.
  const int first = TakeByte(&rest);
  size_t length = first < 0x80 ? first : 0;
  for (int i = 0x80; i < first && i < 0x84; ++i) length = length << 8 | (TakeByte(&rest) & 0xFF);
  if (first < 0 || first > 0x84 || length != rest.size()) {
    return Malformed("the client's first token is not whole");
  }
  const bool is_identifier = TakeByte(&rest) == 0x06;
  const int size = TakeByte(&rest);
  if (!is_identifier || size < 0 || size >= 0x80 || static_cast<size_t>(size) > rest.size()) {
    return Malformed("the client's first token names no mechanism");
  }
  const std::string_view oid = rest.substr(0, size);
  if (oid == kKrb5Oid) return Krb5Mechanism::kKrb5;
  if (oid == kSpnegoOid) return Krb5Mechanism::kSpnego;
  return MakeContextError(ContextError::kMechanism,
                          "the client speaks another mechanism than Kerberos");
}

std::string_view ExportedFrame(Krb5Mechanism mechanism) {
  static constexpr std::string_view kFrame("\0\0\0\x06\x2B\x06\x01\x05\x05\x02", 10);
  return mechanism == Krb5Mechanism::kSpnego ? kFrame : std::string_view();
}

absl::StatusOr<std::string_view> ExportedKrb5(std::string_view bytes, Krb5Mechanism mechanism,
                                              const std::vector<std::string>& profiles) {
  if (bytes.size() > kMaxExportedKrb5Bytes) {
    return Malformed(absl::StrCat("the exported context has ", bytes.size(), " bytes, more than ",
                                  kMaxExportedKrb5Bytes));
  }
  const auto not_whole = [] { return Malformed("the exported context is not whole"); };
  const auto other = [] {
    return MakeContextError(ContextError::kMechanism,
                            "the exported context is of another mechanism than the package");
  };
  const std::string_view frame = ExportedFrame(mechanism);
  const size_t framed = std::min(bytes.size(), frame.size());
  if (bytes.substr(0, framed) != frame.substr(0, framed)) return other();
  const std::string_view exported = bytes.substr(framed);
  std::string_view rest = exported;
  const std::optional<std::string_view> oid = TakeText(&rest, kMaxExportedKrb5Bytes);
  if (!oid.has_value()) return not_whole();
  if (*oid != kKrb5Oid) return other();
  std::string_view begin = rest;
  std::string_view end = rest.substr(rest.size() - std::min<size_t>(rest.size(), 4));
  if (rest.size() < 8 || TakeNumber(&begin) != TakeNumber(&end)) return not_whole();
  if (absl::Status status = CheckProfiles(rest, profiles); !status.ok()) return status;
  return exported;
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
