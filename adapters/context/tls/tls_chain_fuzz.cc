// Whatever a packed chain holds, opening it neither crashes nor believes what the one authority
// here did not sign. The corpus is of the rows of tls_package_test.cc, below that authority, whose
// key nobody has any more.
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/secret_bytes.h"
#include "reeve/adapters/context/tls/spiffe_bundles.h"
#include "reeve/adapters/context/tls/tls_package.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/text.h"

namespace {

constexpr std::string_view kAuthority = R"(-----BEGIN CERTIFICATE-----
MIIBMDCB1qADAgECAgEBMAoGCCqGSM49BAMCMA8xDTALBgNVBAMMBFJvb3QwHhcN
MjcwMTE0MDgwMDAwWhcNMjcwMTE2MDgwMDAwWjAPMQ0wCwYDVQQDDARSb290MFkw
EwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAErX8HhFcmrKkOBuwlYfGn8Emc2ntaYvaM
XoSFnnASeWoWBeB/GtEleTHhuqVqK445LLUZQ62bLA1ZubDyoeydI6MjMCEwDwYD
VR0TAQH/BAUwAwEB/zAOBgNVHQ8BAf8EBAMCAQYwCgYIKoZIzj0EAwIDSQAwRgIh
AIw8c9ykog5GpSV1JVb9WElF7knAff7uf8h09gCXIq4sAiEAv/Mssbh6MpSfEgu+
LJi7WsNi6VTmFpSC4Yplity7rhI=
-----END CERTIFICATE-----
)";

const absl::Time kNow = absl::FromUnixSeconds(1800000000);

void Check(bool condition) {
  if (!condition) std::abort();
}

X509_STORE* TheStore() {
  BIO* const bio = BIO_new_mem_buf(kAuthority.data(), static_cast<int>(kAuthority.size()));
  X509* const authority = PEM_read_bio_X509(bio, nullptr, nullptr, nullptr);
  X509_STORE* const store = X509_STORE_new();
  Check(X509_STORE_add_cert(store, authority) == 1);
  X509_free(authority);
  BIO_free(bio);
  return store;
}

const reeve::TlsPackage& Tls(X509_STORE* store) {
  reeve::TlsPackageOptions options;
  options.trusted = store;
  static const reeve::TlsPackage* const package = reeve::TlsPackage::Create(options)->release();
  return *package;
}

const reeve::TlsPackage& Spiffe(X509_STORE* store) {
  static reeve::SpiffeBundles* const bundles = new reeve::SpiffeBundles;
  if (bundles->empty()) Check(bundles->Add("example.org", store).ok());
  reeve::SpiffePackageOptions options;
  options.bundles = bundles;
  static const reeve::TlsPackage* const package = reeve::TlsPackage::Create(options)->release();
  return *package;
}

// Whom the corpus has below the authority: nobody else can be made.
bool IsKnown(const reeve::EntityId& id) {
  const std::string text = reeve::ToString(id);
  return text == "user:ada@example.com" || text == "host:web-1.example.com" ||
         text == "spiffe:example.org/ns/prod/sa/web" || text == "spiffe:example.net/a";
}

void Open(const reeve::TlsPackage& package, absl::Span<const uint8_t> bytes) {
  absl::StatusOr<reeve::EstablishedContext> context = package.Open(bytes, kNow);
  if (!context.ok()) {
    const std::string message(context.status().message());
    Check(reeve::ContextErrorOf(context.status()).has_value());
    Check(!message.empty() && message.size() < 1500 && !reeve::HasControlCharacter(message));
    return;
  }
  const reeve::Principal& principal = context->principal;
  Check(reeve::DefectOf(principal.id).empty() && IsKnown(principal.id));
  Check(!principal.anonymous() && principal.assurance == reeve::Assurance::kCrypto);
  Check(!reeve::HasControlCharacter(principal.evidence));
  Check(package.name() == "tls" || principal.parents.size() == 1);
  Check(context->established == kNow && context->expires > kNow);
  Check(context->expires <= kNow + absl::Hours(24));
  // One chain has one form.
  const absl::StatusOr<reeve::SecretBytes> again = context->session->Export();
  Check(again.ok() && again->span() == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  static X509_STORE* const store = TheStore();
  const auto bytes = absl::MakeConstSpan(data, size);
  Open(Tls(store), bytes);
  Open(Spiffe(store), bytes);
  Check(ERR_peek_error() == 0);
  return 0;
}
