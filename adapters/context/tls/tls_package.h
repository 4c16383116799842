// Security contexts of TLS: a process that ends TLS connections hands the clients on to others,
// with their certificates, and those verify the certificates again by whom they trust themselves.
// In the one in front, after the handshake:
//
//   absl::StatusOr<reeve::EstablishedContext> client = front_package->FromSession(ssl, now);
//   absl::StatusOr<reeve::SecurityContext> context =
//       reeve::SecurityContext::Establish("tls", *std::move(client));
//   reeve::ExportOptions options;
//   options.sealer = &sealer;
//   options.with_session = true;  // Takes the certificates along.
//   absl::StatusOr<std::string> packed = std::move(*context).Export(options);
//
// and behind it:
//
//   reeve::TlsPackageOptions trust;
//   trust.trusted = store;  // X509_STORE_load_locations(store, "clients-ca.pem", nullptr)
//   absl::StatusOr<std::unique_ptr<reeve::TlsPackage>> package = reeve::TlsPackage::Create(trust);
//   options.packages = {package->get()};
//   ... reeve::ImportSecurityContext("tls", packed, options);
#ifndef REEVE_ADAPTERS_CONTEXT_TLS_TLS_PACKAGE_H_
#define REEVE_ADAPTERS_CONTEXT_TLS_TLS_PACKAGE_H_

#include <openssl/types.h>
#include <openssl/x509.h>

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/tls/spiffe_bundles.h"
#include "reeve/adapters/socket/tls/subject_alt_name.h"

namespace reeve {

inline constexpr std::string_view kTlsPackage = "tls";
inline constexpr std::string_view kSpiffePackage = "spiffe";

// Whose certificates they are: one that its authority made for the other is refused.
enum class TlsPeerRole : uint8_t { kClient, kServer };

// For the package `tls`.
struct TlsPackageOptions {
  // Whose word counts. Null: nobody's, and Open() and FromChain() are kNoCredentials; FromSession()
  // then rests on the handshake alone. A reference is taken; what the program adds to it later
  // counts. With revocation lists it must have X509_V_FLAG_CRL_CHECK.
  X509_STORE* trusted = nullptr;
  // Which names say who it is; alike in all processes that hand contexts to one another.
  TlsNameMapping names;
  TlsPeerRole peer = TlsPeerRole::kClient;
  // Which keys and signatures are good enough, 0 to 5, as SSL_CTX_set_security_level(3) says: from
  // 2 on no SHA-1, and RSA keys of 2048 bits at least.
  int security_level = 2;
  // As in TlsPeerOptions, for FromSession().
  bool allow_resumed = true;
};

// For the package `spiffe`.
struct SpiffePackageOptions {
  // Whose word counts, for which trust domain. Required. Not owned; must outlive the package, and
  // be full before.
  const SpiffeBundles* bundles = nullptr;
  TlsPeerRole peer = TlsPeerRole::kClient;  // As above, these three.
  int security_level = 2;
  bool allow_resumed = true;
};

// The packages `tls` and `spiffe`.
//
// The principal is as tls_peer.h says: `user:ada@example.com` or, of a certificate that names no
// user, `host:web-1.example.com`; with `tls_issuer`, `tls_serial`, `tls_fingerprint` and
// `tls_not_after`. Of `spiffe` it is what the one URI of an X509-SVID says, whatever other names
// that has: `spiffe:example.org/ns/prod/sa/web`, in `spiffe:example.org`. Assurance `crypto`, via
// `tls`. The context ends when the first certificate of its chain expires.
//
// What is proved: in front, what TlsPeer proves: the client holds the key of a certificate that is
// believed. Behind, that this certificate is believed there, too, at the moment of import: by whom
// that process trusts, by its own revocation lists and clock. That the client was there is by the
// word of the exporter: certificates are public, so a chain alone proves nothing, and the package
// is a sealed one.
//
// Evidence of FromSession() is that of TlsPeer without the binding, `verify=again` where the
// package verified too; of the others "serial=01ff sha256=... verify=chain certificates=2
// issuer=CN=Clients CA".
//
// The session of a context is its chain: Wrap() and Unwrap() are kNotSupported, and Export() gives
// the client's certificate and those above it, without a root; kMalformed if these are more than 10
// or take more than 48 KiB.
//
// Source: RFC 5280, 6; the SPIFFE specifications X509-SVID, 5, and Trust Domain and Bundle.
//
// Thread-safe.
class TlsPackage final : public ContextPackage {
 public:
  // InvalidArgument if `options` break a rule stated above.
  static absl::StatusOr<std::unique_ptr<TlsPackage>> Create(const TlsPackageOptions& options);
  static absl::StatusOr<std::unique_ptr<TlsPackage>> Create(const SpiffePackageOptions& options);

  ~TlsPackage() override;

  // The peer of `ssl`, which is not owned; its handshake must be done. By what the handshake found,
  // as TlsPeer judges it without `reverify`: TLS 1.2 at least, SSL_VERIFY_PEER, a verdict of OK;
  // and then by whom the package trusts, if anybody: `spiffe` always, for a store of OpenSSL's does
  // not tell trust domains apart. Of a session that was resumed by a ticket the certificates
  // between are not known: put them into the stores, or do without tickets.
  //
  // Errors: kMechanism      there is no certificate; it is not believed; it names nobody, or two;
  //                         the peer is a server where clients are meant; all else that TlsPeer
  //                         refuses
  //         kExpired, kNotYetValid   it, or one above it
  //         kNoCredentials  `spiffe` with bundles that are empty, or too old
  //         kInternal       OpenSSL failed
  // Neither changes the session nor the thread's queue of OpenSSL errors. No other thread may use
  // `ssl` meanwhile. Blocks only to read a file of `bundles`.
  absl::StatusOr<EstablishedContext> FromSession(SSL* ssl, absl::Time now) const;

  // For programs whose TLS is not OpenSSL's: the peer that showed `certificate`, and `others`
  // beside it (null is none). The caller must know that the peer holds the key: that it signed the
  // handshake by it. Verified by whom the package trusts. Neither is owned; the context keeps
  // references. Errors: as above; kNoCredentials if nobody is trusted.
  absl::StatusOr<EstablishedContext> FromChain(X509* certificate, STACK_OF(X509) * others,
                                               absl::Time now) const;

  std::string_view name() const override {
    return bundles_ == nullptr ? kTlsPackage : kSpiffePackage;
  }
  bool sealed() const override { return true; }

  // Verifies the chain anew. Errors: kMalformed, and those of FromChain(). Blocks only to read a
  // file of `bundles`.
  absl::StatusOr<EstablishedContext> Open(absl::Span<const uint8_t> bytes,
                                          absl::Time now) const override;

 private:
  // What is left once the chain is there. `how` is the evidence of it.
  struct Chain;

  TlsPackage(const TlsPackageOptions& options, const SpiffeBundles* bundles);

  absl::StatusOr<EstablishedContext> Establish(Chain chain, absl::Time now) const;
  absl::StatusOr<std::shared_ptr<X509_STORE>> TrustedFor(const TlsNamed& named,
                                                         absl::Time now) const;

  const TlsPackageOptions options_;            // `trusted` is `trusted_`'s.
  const std::shared_ptr<X509_STORE> trusted_;  // Null if nobody is, or `bundles_` say.
  const SpiffeBundles* const bundles_;         // Null of `tls`.
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_TLS_TLS_PACKAGE_H_
