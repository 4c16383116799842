#include "reeve/adapters/socket/tls/subject_alt_name.h"

#include <arpa/inet.h>
#include <openssl/asn1.h>
#include <openssl/x509.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/tls/error_queue_mark.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr std::string_view kSpiffeScheme = "spiffe://";
constexpr size_t kMaxSpiffeBytes = 2048;
constexpr size_t kMaxTrustDomainBytes = 255;
constexpr size_t kMaxHostNameBytes = 253;
constexpr size_t kMaxLabelBytes = 63;
constexpr size_t kMaxMailboxBytes = 64;

bool IsLower(char c) { return c >= 'a' && c <= 'z'; }
bool IsUpper(char c) { return c >= 'A' && c <= 'Z'; }
bool IsDigit(char c) { return c >= '0' && c <= '9'; }
bool IsAlphanumeric(char c) { return IsLower(c) || IsUpper(c) || IsDigit(c); }

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

std::string Quoted(std::string_view name) { return absl::StrCat("`", Printable(name), "`"); }

absl::Status BadName(std::string_view what) {
  return MakePeerError(PeerError::kBadName,
                       absl::StrCat("the peer's certificate has ", View(what),
                                    "; ask its authority for another certificate"));
}

std::string_view BytesOf(const ASN1_STRING* string) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(string)),
          static_cast<size_t>(ASN1_STRING_length(string))};
}

absl::Status AddText(std::string_view kind, const ASN1_STRING* string,
                     std::vector<std::string>* names) {
  const std::string_view bytes = BytesOf(string);
  if (bytes.empty()) return BadName(absl::StrCat(View(kind), " name that is empty"));
  if (bytes.size() > kMaxSubjectAltNameBytes) {
    return BadName(absl::StrCat(View(kind), " name of ", bytes.size(), " bytes"));
  }
  const bool printable =
      std::all_of(bytes.begin(), bytes.end(), [](char c) { return c > ' ' && c < '\x7F'; });
  if (!printable) {
    return BadName(absl::StrCat(View(kind), " name that is not printable ASCII, ", Quoted(bytes)));
  }
  names->emplace_back(bytes);
  return absl::OkStatus();
}

absl::Status AddIp(const ASN1_OCTET_STRING* string, std::vector<IpAddress>* ips) {
  const std::string_view bytes = BytesOf(string);
  if (bytes.size() != 4 && bytes.size() != 16) {
    return BadName(absl::StrCat("an address of ", bytes.size(), " bytes"));
  }
  // By way of text, so that a mapped IPv4 address becomes one.
  char text[INET6_ADDRSTRLEN];
  inet_ntop(bytes.size() == 4 ? AF_INET : AF_INET6, bytes.data(), text, sizeof(text));
  ips->push_back(*IpAddress::Parse(text));
  return absl::OkStatus();
}

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

std::string_view KindText(TlsName kind) {
  switch (kind) {
    case TlsName::kSpiffe:
      return "SPIFFE";
    case TlsName::kUri:
      return "URI";
    case TlsName::kEmail:
      return "e-mail";
    case TlsName::kDns:
      return "DNS";
    case TlsName::kIp:
      return "IP";
  }
  return "";
}

// Whether it is a host name, in letters of any case.
bool IsHostName(std::string_view name) {
  if (name.empty() || name.size() > kMaxHostNameBytes) return false;
  std::string_view label;
  for (size_t start = 0; start <= name.size();) {
    const size_t end = std::min(name.find('.', start), name.size());
    label = name.substr(start, end - start);
    if (label.empty() || label.size() > kMaxLabelBytes || label.front() == '-' ||
        label.back() == '-' || !std::all_of(label.begin(), label.end(), [](char c) {
          return IsAlphanumeric(c) || c == '-' || c == '_';
        })) {
      return false;
    }
    start = end + 1;
  }
  // `127.1` is an address to some, a name to others.
  return !std::all_of(label.begin(), label.end(), IsDigit);
}

bool IsEmail(std::string_view address) {
  const size_t at = address.find('@');
  if (at == std::string_view::npos || at == 0 || at > kMaxMailboxBytes) return false;
  // RFC 5322, 3.2.3, atext.
  constexpr std::string_view kMarks = "!#$%&'*+-=?^_`{|}~";
  char before = '.';
  for (const char c : address.substr(0, at)) {
    if (c == '.' ? before == '.' : !IsAlphanumeric(c) && kMarks.find(c) == std::string_view::npos) {
      return false;
    }
    before = c;
  }
  return before != '.' && IsHostName(address.substr(at + 1));
}

void ToLower(size_t start, std::string* text) {
  for (size_t i = start; i < text->size(); ++i) (*text)[i] = absl::ascii_tolower((*text)[i]);
}

// Finds the names of `kind` and makes them canonical, each once. `spiffe`: the URI is a SPIFFE ID.
// *list points into *names or to *ips, or is null.
absl::Status FindNames(TlsName kind, bool spiffe, SubjectAltNames* names,
                       std::vector<std::string>* ips, std::vector<std::string>** list) {
  *list = nullptr;
  switch (kind) {
    case TlsName::kSpiffe:
      if (spiffe) *list = &names->uris;
      break;
    case TlsName::kUri:
      if (!spiffe) *list = &names->uris;
      break;
    case TlsName::kEmail:
      for (std::string& name : names->emails) {
        if (!IsEmail(name)) {
          return BadName(absl::StrCat("an e-mail name that is no plain address, ", Quoted(name)));
        }
        ToLower(name.find('@'), &name);
      }
      *list = &names->emails;
      break;
    case TlsName::kDns:
      for (std::string& name : names->dns) {
        if (!IsHostName(name)) {
          return BadName(absl::StrCat("a DNS name that names no host, ", Quoted(name)));
        }
        ToLower(0, &name);
      }
      *list = &names->dns;
      break;
    case TlsName::kIp:
      for (const IpAddress& ip : names->ips) ips->push_back(ip.ToString());
      *list = ips;
      break;
  }
  if (*list == nullptr) return absl::OkStatus();
  // There are few.
  for (auto it = (*list)->begin(); it != (*list)->end();) {
    it = std::find((*list)->begin(), it, *it) == it ? it + 1 : (*list)->erase(it);
  }
  return absl::OkStatus();
}

// By the first of `rules` of whose kind there is a name.
absl::Status Find(const std::vector<TlsNameMapping::Rule>& rules, bool several, bool spiffe,
                  SubjectAltNames* names, std::optional<EntityId>* id,
                  std::vector<EntityId>* parents) {
  for (const TlsNameMapping::Rule& rule : rules) {
    std::vector<std::string> ips;
    std::vector<std::string>* list;
    absl::Status status = FindNames(rule.kind, spiffe, names, &ips, &list);
    if (!status.ok()) return status;
    if (list == nullptr || list->empty()) continue;
    if (list->size() > 1 && !several) {
      return MakePeerError(
          PeerError::kAmbiguous,
          absl::StrCat("the peer's certificate has ", list->size(), " ", View(KindText(rule.kind)),
                       " names, ", Quoted((*list)[0]), " and ", Quoted((*list)[1]),
                       list->size() > 2 ? ", and more" : "",
                       "; name it by one, or leave this kind out of the name mapping"));
    }
    for (const std::string& name : *list) {
      EntityId found(rule.type,
                     rule.kind == TlsName::kSpiffe ? name.substr(kSpiffeScheme.size()) : name);
      if (const std::string_view defect = DefectOf(found); !defect.empty()) {
        return BadName(
            absl::StrCat("a name that is no id, ", Quoted(ToString(found)), ": ", View(defect)));
      }
      if (!id->has_value()) {
        *id = std::move(found);
      } else {
        parents->push_back(std::move(found));
      }
    }
    if (rule.kind == TlsName::kSpiffe) {
      parents->emplace_back(rule.type, (*id)->id.substr(0, (*id)->id.find('/')));
    }
    break;
  }
  return absl::OkStatus();
}

// Whether the certificate has a SPIFFE ID, which must then be its only URI.
absl::StatusOr<bool> HasSpiffeId(X509* certificate, const SubjectAltNames& names,
                                 const TlsNameMapping& mapping) {
  const auto spiffe = std::find_if(names.uris.begin(), names.uris.end(), HasSpiffeScheme);
  if (spiffe == names.uris.end()) return false;
  if (names.uris.size() > 1) {
    return MakePeerError(
        PeerError::kAmbiguous,
        absl::StrCat("the peer's certificate has ", names.uris.size(), " URIs, of which ",
                     Quoted(*spiffe), " is a SPIFFE ID; an X509-SVID has one"));
  }
  const std::optional<SpiffeId> id = ParseSpiffeId(*spiffe);
  if (!id.has_value()) {
    return BadName(absl::StrCat("a malformed SPIFFE ID, ", Quoted(*spiffe)));
  }
  if (id->path.empty()) {
    return BadName(absl::StrCat("the SPIFFE ID of a whole trust domain, ", Quoted(*spiffe)));
  }
  if (mapping.trust_domains.has_value() &&
      std::find(mapping.trust_domains->begin(), mapping.trust_domains->end(), id->trust_domain) ==
          mapping.trust_domains->end()) {
    return MakePeerError(PeerError::kUnproved,
                         absl::StrCat("the peer's SPIFFE ID ", Quoted(*spiffe),
                                      " is of a trust domain that is not believed"));
  }
  if (absl::Status status = CheckSvidLeaf(certificate); !status.ok()) return status;
  return true;
}

}  // namespace

absl::StatusOr<SubjectAltNames> SubjectAltNamesFrom(const GENERAL_NAMES* names) {
  SubjectAltNames result;
  const int size = sk_GENERAL_NAME_num(names);
  if (size > static_cast<int>(kMaxSubjectAltNames)) {
    return BadName(absl::StrCat(size, " names, more than ", kMaxSubjectAltNames));
  }
  for (int i = 0; i < size; ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names, i);
    absl::Status status;
    switch (name->type) {
      case GEN_URI:
        status = AddText("a URI", name->d.uniformResourceIdentifier, &result.uris);
        break;
      case GEN_DNS:
        status = AddText("a DNS", name->d.dNSName, &result.dns);
        break;
      case GEN_EMAIL:
        status = AddText("an e-mail", name->d.rfc822Name, &result.emails);
        break;
      case GEN_IPADD:
        status = AddIp(name->d.iPAddress, &result.ips);
        break;
      default:
        break;
    }
    if (!status.ok()) return status;
  }
  return result;
}

absl::StatusOr<SubjectAltNames> SubjectAltNamesOf(const X509* certificate) {
  const ErrorQueueMark mark;
  int critical;
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, nullptr)));
  if (names != nullptr) return SubjectAltNamesFrom(names.get());
  // X509V3_get_d2i(3): -1 if there is no such extension, -2 if there are several; else it could not
  // be decoded.
  if (critical == -1) return SubjectAltNames();
  return BadName(critical == -2 ? "several lists of names" : "a malformed list of names");
}

bool HasSpiffeScheme(std::string_view uri) {
  constexpr std::string_view kScheme = "spiffe:";
  return uri.size() >= kScheme.size() &&
         std::equal(kScheme.begin(), kScheme.end(), uri.begin(),
                    [](char want, char c) { return want == absl::ascii_tolower(c); });
}

std::optional<SpiffeId> ParseSpiffeId(std::string_view uri) {
  if (uri.size() > kMaxSpiffeBytes || uri.substr(0, kSpiffeScheme.size()) != kSpiffeScheme) {
    return std::nullopt;
  }
  uri.remove_prefix(kSpiffeScheme.size());
  const size_t slash = std::min(uri.find('/'), uri.size());
  SpiffeId id;
  id.trust_domain = uri.substr(0, slash);
  id.path = uri.substr(slash);
  const auto is_mark = [](char c) { return c == '.' || c == '-' || c == '_'; };
  if (id.trust_domain.empty() || id.trust_domain.size() > kMaxTrustDomainBytes ||
      !std::all_of(id.trust_domain.begin(), id.trust_domain.end(),
                   [&](char c) { return IsLower(c) || IsDigit(c) || is_mark(c); })) {
    return std::nullopt;
  }
  for (size_t start = 0; start < id.path.size();) {
    const size_t end = std::min(id.path.find('/', start + 1), id.path.size());
    const std::string_view segment = id.path.substr(start + 1, end - start - 1);
    if (segment.empty() || segment == "." || segment == ".." ||
        !std::all_of(segment.begin(), segment.end(),
                     [&](char c) { return IsAlphanumeric(c) || is_mark(c); })) {
      return std::nullopt;
    }
    start = end;
  }
  return id;
}

std::optional<std::string> CanonicalHostName(std::string_view name) {
  if (!IsHostName(name)) return std::nullopt;
  std::string canonical(name);
  ToLower(0, &canonical);
  return canonical;
}

std::optional<std::string> CanonicalEmail(std::string_view address) {
  if (!IsEmail(address)) return std::nullopt;
  std::string canonical(address);
  ToLower(address.find('@'), &canonical);
  return canonical;
}

absl::Status CheckSvidLeaf(X509* certificate) {
  const ErrorQueueMark mark;
  const uint32_t flags = X509_get_extension_flags(certificate);
  const char* wrong = nullptr;
  if ((flags & EXFLAG_INVALID) != 0) {
    wrong = "has malformed extensions";
  } else if ((flags & EXFLAG_CA) != 0) {
    wrong = "is that of an authority";
  } else if ((flags & EXFLAG_KUSAGE) != 0 &&
             (X509_get_key_usage(certificate) & (KU_KEY_CERT_SIGN | KU_CRL_SIGN)) != 0) {
    wrong = "has a key that signs certificates or revocation lists";
  }
  if (wrong == nullptr) return absl::OkStatus();
  return MakePeerError(PeerError::kUnproved,
                       absl::StrCat("the peer's certificate has a SPIFFE ID and ", wrong,
                                    "; only that of a workload identifies"));
}

absl::StatusOr<TlsNamed> NamedBy(X509* certificate, const TlsNameMapping& mapping) {
  absl::StatusOr<SubjectAltNames> names = SubjectAltNamesOf(certificate);
  if (!names.ok()) return names.status();
  const absl::StatusOr<bool> spiffe = HasSpiffeId(certificate, *names, mapping);
  if (!spiffe.ok()) return spiffe.status();
  TlsNamed named;
  absl::Status status =
      Find(mapping.users, /*several=*/false, *spiffe, &*names, &named.user, &named.user_parents);
  if (!status.ok()) return status;
  status = Find(mapping.hosts, mapping.hosts_have_several_names, *spiffe, &*names, &named.host,
                &named.host_parents);
  if (!status.ok()) return status;
  if (!named.user.has_value() && !named.host.has_value()) {
    return MakePeerError(PeerError::kNoToken,
                         "the peer's certificate has no name of the kinds that identify; a common "
                         "name is none of them");
  }
  return named;
}

}  // namespace reeve
