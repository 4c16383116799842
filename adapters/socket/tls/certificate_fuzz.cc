// Whatever a certificate holds, reading its names neither crashes nor says what no id may be. The
// input is taken as a certificate, as the extension alone, and as a name.
#include <openssl/asn1.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/tls/subject_alt_name.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/text.h"

namespace {

using reeve::EntityId;

void Check(bool condition) {
  if (!condition) std::abort();
}

struct Free {
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

void CheckId(const EntityId& id) {
  Check(reeve::DefectOf(id).empty());
  Check(!reeve::HasControlCharacter(id.id));
  Check(id.id.find(' ') == std::string::npos);
}

void CheckMessage(const absl::Status& status) {
  const std::string message(status.message());
  Check(!message.empty() && !reeve::HasControlCharacter(message) && message.size() < 1000);
}

void CheckCertificate(X509* certificate, const reeve::TlsNameMapping& mapping) {
  const absl::StatusOr<reeve::TlsNamed> named = reeve::NamedBy(certificate, mapping);
  if (!named.ok()) return CheckMessage(named.status());
  Check(named->user.has_value() || named->host.has_value());
  Check(named->user.has_value() || named->user_parents.empty());
  Check(named->host.has_value() || named->host_parents.empty());
  if (named->user.has_value()) {
    CheckId(*named->user);
    if (named->user->type == "spiffe") {
      Check(reeve::ParseSpiffeId("spiffe://" + named->user->id).has_value());
      Check((X509_get_extension_flags(certificate) & EXFLAG_CA) == 0);
    }
  }
  if (named->host.has_value()) CheckId(*named->host);
  for (const EntityId& id : named->user_parents) CheckId(id);
  for (const EntityId& id : named->host_parents) CheckId(id);
}

void CheckNames(const absl::StatusOr<reeve::SubjectAltNames>& names) {
  if (!names.ok()) return CheckMessage(names.status());
  for (const auto* list : {&names->uris, &names->dns, &names->emails}) {
    Check(list->size() <= reeve::kMaxSubjectAltNames);
    for (const std::string& name : *list) {
      Check(!name.empty() && name.size() <= reeve::kMaxSubjectAltNameBytes);
      for (const char c : name) Check(c > ' ' && c < '\x7F');
    }
  }
}

void CheckText(std::string_view text) {
  if (const auto id = reeve::ParseSpiffeId(text); id.has_value()) {
    Check(text.size() <= 2048 && reeve::HasSpiffeScheme(text));
    Check("spiffe://" + std::string(id->trust_domain) + std::string(id->path) == text);
    Check(text.find_first_of("?#%@: ", 9) == std::string_view::npos);
    Check(id->path.find("//") == std::string_view::npos);
  }
  // Canonical names are their own.
  if (const auto host = reeve::CanonicalHostName(text); host.has_value()) {
    Check(reeve::CanonicalHostName(*host) == host);
    Check(host->find('*') == std::string::npos);
  }
  if (const auto email = reeve::CanonicalEmail(text); email.has_value()) {
    Check(reeve::CanonicalEmail(*email) == email);
    CheckId({"user", *email});
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto length = static_cast<long>(size);
  const unsigned char* bytes = data;
  const std::unique_ptr<X509, Free> certificate(d2i_X509(nullptr, &bytes, length));
  ERR_clear_error();
  if (certificate != nullptr) {
    CheckCertificate(certificate.get(), reeve::TlsNameMapping());
    reeve::TlsNameMapping mapping;
    mapping.users = {{reeve::TlsName::kUri, "uri"}};
    mapping.hosts = {{reeve::TlsName::kIp, "host"}, {reeve::TlsName::kDns, "host"}};
    mapping.hosts_have_several_names = true;
    mapping.trust_domains = {"example.org"};
    CheckCertificate(certificate.get(), mapping);
    CheckNames(reeve::SubjectAltNamesOf(certificate.get()));
  }
  bytes = data;
  const std::unique_ptr<GENERAL_NAMES, Free> names(d2i_GENERAL_NAMES(nullptr, &bytes, length));
  ERR_clear_error();
  if (names != nullptr) CheckNames(reeve::SubjectAltNamesFrom(names.get()));
  CheckText({reinterpret_cast<const char*>(data), size});
  Check(ERR_peek_error() == 0);
  return 0;
}
