#include "reeve/adapters/context/tls/tls_package.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/secret_bytes.h"
#include "reeve/adapters/context/tls/certificate_chain.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/peer_source.h"
#include "reeve/adapters/socket/tls/certificate_principal.h"
#include "reeve/adapters/socket/tls/error_queue_mark.h"
#include "reeve/adapters/socket/tls/verified_session.h"

namespace reeve {
namespace {

constexpr int kMaxSecurityLevel = 5;

// What adapters/socket says of a peer, as an error of contexts.
absl::Status AsContextError(const absl::Status& status) {
  ContextError error = ContextError::kMechanism;
  if (PeerErrorOf(status) == PeerError::kUnavailable) error = ContextError::kInternal;
  if (const auto time = CertificateTimeOf(status); time.has_value()) {
    error =
        *time == CertificateTime::kExpired ? ContextError::kExpired : ContextError::kNotYetValid;
  }
  return MakeContextError(error, std::string(status.message()));
}

// A chain, until it is exported.
class ChainSession final : public ContextSession {
 public:
  explicit ChainSession(CertificateChain chain) : chain_(std::move(chain)) {}

  absl::StatusOr<std::string> Wrap(std::string_view, bool) override { return NoMessages(); }
  absl::StatusOr<Message> Unwrap(std::string_view) override { return NoMessages(); }

  absl::StatusOr<SecretBytes> Export() override {
    if (chain_ == nullptr) return Gone();
    const ErrorQueueMark mark;
    return EncodeChain(std::exchange(chain_, nullptr).get());
  }

 private:
  static absl::Status Gone() {
    return MakeContextError(ContextError::kInvalidHandle, "the certificates were exported already");
  }
  absl::Status NoMessages() const {
    if (chain_ == nullptr) return Gone();
    return MakeContextError(ContextError::kNotSupported,
                            "a context of TLS protects no messages; the connection does");
  }

  CertificateChain chain_;
};

// `certificate`, and what of `others` may be needed to believe it: not the root, which is believed
// because it is known, or not at all.
CertificateChain MakeChain(X509* certificate, const STACK_OF(X509) * others) {
  CertificateChain chain = NewChain();
  Append(certificate, chain.get());
  for (int i = 0; i < sk_X509_num(others); ++i) {
    X509* const other = sk_X509_value(others, i);
    const bool root = (X509_get_extension_flags(other) & EXFLAG_SS) != 0;
    if (!root && X509_cmp(other, certificate) != 0) Append(other, chain.get());
  }
  return chain;
}

absl::Status CheckOptions(const TlsPackageOptions& options) {
  if (options.security_level < 0 || options.security_level > kMaxSecurityLevel) {
    return absl::InvalidArgumentError("security_level is not of 0 to 5");
  }
  if (options.trusted == nullptr) return absl::OkStatus();
  const ErrorQueueMark mark;
  return CheckRevocation(options.trusted);
}

}  // namespace

struct TlsPackage::Chain {
  CertificateChain certificates;
  absl::Time not_after = absl::InfiniteFuture();  // As far as it is known.
  // What the handshake said; if null, nothing has been verified.
  SSL* session = nullptr;
};

absl::StatusOr<std::unique_ptr<TlsPackage>> TlsPackage::Create(const TlsPackageOptions& options) {
  if (absl::Status status = CheckOptions(options); !status.ok()) return status;
  return std::unique_ptr<TlsPackage>(new TlsPackage(options, nullptr));
}

absl::StatusOr<std::unique_ptr<TlsPackage>> TlsPackage::Create(
    const SpiffePackageOptions& options) {
  if (options.bundles == nullptr) {
    return absl::InvalidArgumentError("SpiffePackageOptions::bundles is null");
  }
  TlsPackageOptions all;
  all.names.users = {{TlsName::kSpiffe, "spiffe"}};
  all.names.hosts = {};
  all.peer = options.peer;
  all.security_level = options.security_level;
  all.allow_resumed = options.allow_resumed;
  if (absl::Status status = CheckOptions(all); !status.ok()) return status;
  return std::unique_ptr<TlsPackage>(new TlsPackage(all, options.bundles));
}

TlsPackage::TlsPackage(const TlsPackageOptions& options, const SpiffeBundles* bundles)
    : options_(options), trusted_(options.trusted, X509_STORE_free), bundles_(bundles) {
  if (trusted_ != nullptr) X509_STORE_up_ref(trusted_.get());
}

TlsPackage::~TlsPackage() = default;

absl::StatusOr<std::shared_ptr<X509_STORE>> TlsPackage::TrustedFor(const TlsNamed& named,
                                                                   absl::Time now) const {
  if (bundles_ == nullptr) return trusted_;
  // Of a SPIFFE ID the parent is its trust domain. So far the certificate only claims it.
  return bundles_->Find(named.user_parents[0].id, now);
}

absl::StatusOr<EstablishedContext> TlsPackage::Establish(Chain chain, absl::Time now) const {
  if (bundles_ == nullptr && trusted_ == nullptr && chain.session == nullptr) {
    return MakeContextError(ContextError::kNoCredentials,
                            "this program trusts no authority to verify certificates by; set "
                            "TlsPackageOptions::trusted");
  }
  X509* const certificate = sk_X509_value(chain.certificates.get(), 0);
  absl::StatusOr<TlsNamed> named = NamedBy(certificate, options_.names);
  if (!named.ok()) return AsContextError(named.status());
  const absl::StatusOr<std::shared_ptr<X509_STORE>> trusted = TrustedFor(*named, now);
  if (!trusted.ok()) return trusted.status();
  const bool verify = bundles_ != nullptr || *trusted != nullptr;
  if (verify) {
    ChainRules rules;
    rules.trusted = trusted->get();
    rules.of_client = options_.peer == TlsPeerRole::kClient;
    rules.security_level = options_.security_level;
    rules.now = now;
    const absl::StatusOr<absl::Time> not_after =
        VerifyChain(certificate, chain.certificates.get(), rules);
    if (!not_after.ok()) return AsContextError(not_after.status());
    chain.not_after = std::min(chain.not_after, *not_after);
  }
  const std::string how =
      chain.session == nullptr
          ? absl::StrCat("verify=chain certificates=", sk_X509_num(chain.certificates.get()))
          : SessionEvidence(chain.session, /*again=*/verify, /*binding=*/false);
  absl::StatusOr<PeerIdentity> identity =
      IdentityOf(certificate, *std::move(named), chain.not_after, how);
  if (!identity.ok()) return AsContextError(identity.status());

  EstablishedContext context;
  context.principal = std::move(identity->user.has_value() ? *identity->user : *identity->host);
  context.established = now;
  context.expires = chain.not_after;
  context.session = std::make_unique<ChainSession>(std::move(chain.certificates));
  return context;
}

absl::StatusOr<EstablishedContext> TlsPackage::FromSession(SSL* ssl, absl::Time now) const {
  const ErrorQueueMark mark;
  if ((SSL_is_server(ssl) == 1) != (options_.peer == TlsPeerRole::kClient)) {
    return MakeContextError(ContextError::kMechanism,
                            "the session is one whose peer is not in the role that the package "
                            "is for; see TlsPeerRole");
  }
  SessionRules rules;
  rules.allow_resumed = options_.allow_resumed;
  rules.now = now;
  const absl::StatusOr<VerifiedCertificate> verified = VerifiedCertificateOf(ssl, rules);
  if (!verified.ok()) return AsContextError(verified.status());
  // A session that was resumed has no chain that was verified; it may have what was sent.
  const STACK_OF(X509)* others = SSL_get0_verified_chain(ssl);
  if (sk_X509_num(others) < 1) others = SSL_get_peer_cert_chain(ssl);
  Chain chain;
  chain.certificates = MakeChain(verified->certificate, others);
  chain.not_after = verified->not_after;
  chain.session = ssl;
  return Establish(std::move(chain), now);
}

absl::StatusOr<EstablishedContext> TlsPackage::FromChain(X509* certificate, STACK_OF(X509) * others,
                                                         absl::Time now) const {
  const ErrorQueueMark mark;
  Chain chain;
  chain.certificates = MakeChain(certificate, others);
  return Establish(std::move(chain), now);
}

absl::StatusOr<EstablishedContext> TlsPackage::Open(absl::Span<const uint8_t> bytes,
                                                    absl::Time now) const {
  const ErrorQueueMark mark;
  absl::StatusOr<CertificateChain> certificates = DecodeChain(bytes);
  if (!certificates.ok()) return certificates.status();
  Chain chain;
  chain.certificates = *std::move(certificates);
  return Establish(std::move(chain), now);
}

}  // namespace reeve
