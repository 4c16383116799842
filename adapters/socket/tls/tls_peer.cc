#include "reeve/adapters/socket/tls/tls_peer.h"

#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <sys/stat.h>

#include <algorithm>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/tls/certificate_principal.h"
#include "reeve/adapters/socket/tls/error_queue_mark.h"
#include "reeve/adapters/socket/tls/verified_session.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

const TlsPeerOptions& DefaultOptions() {
  static const TlsPeerOptions* const options = new TlsPeerOptions;
  return *options;
}

absl::Status Unproved(std::string_view what) { return MakePeerError(PeerError::kUnproved, what); }

absl::StatusOr<VerifiedCertificate> Verified(SSL* ssl, const TlsPeerOptions& options) {
  SessionRules rules;
  rules.allow_resumed = options.allow_resumed;
  rules.reverify = options.reverify;
  rules.now = (options.clock == nullptr ? Clock::System() : *options.clock).Now();
  return VerifiedCertificateOf(ssl, rules);
}

// Of two descriptors, one may be a dup(2) of the other.
bool IsSameSocket(int a, int b) {
  if (a == b) return true;
  struct stat a_stat;
  struct stat b_stat;
  return fstat(a, &a_stat) == 0 && fstat(b, &b_stat) == 0 && S_ISSOCK(a_stat.st_mode) &&
         a_stat.st_dev == b_stat.st_dev && a_stat.st_ino == b_stat.st_ino;
}

absl::Status CheckTransport(const SSL* ssl, const SocketPeer& peer, bool any_transport) {
  if (peer.type != SOCK_STREAM) {
    return Unproved("the socket is no stream, so no TLS session passes through it");
  }
  // -1 if there is none.
  const int read = SSL_get_rfd(ssl);
  const int write = SSL_get_wfd(ssl);
  if (!any_transport && (read < 0 || write < 0)) {
    return Unproved(
        "the TLS session is over no descriptor, so it cannot be told which socket's it is; if "
        "the program is sure, set TlsPeerOptions::any_transport");
  }
  for (const int fd : {read, write}) {
    if (fd >= 0 && !IsSameSocket(fd, peer.fd)) {
      return Unproved(absl::StrCat("the TLS session is over descriptor ", fd, ", and not over ",
                                   peer.fd, "; give each socket its own session"));
    }
  }
  return absl::OkStatus();
}

}  // namespace

TlsPeer::TlsPeer(SSL* ssl) : TlsPeer(ssl, DefaultOptions()) {}

absl::StatusOr<PeerIdentity> TlsPeer::Identify(const SocketPeer& peer) const {
  const ErrorQueueMark mark;
  if (absl::Status status = CheckTransport(ssl_, peer, options_.any_transport); !status.ok()) {
    return status;
  }
  const absl::StatusOr<VerifiedCertificate> verified = Verified(ssl_, options_);
  if (!verified.ok()) return verified.status();
  absl::StatusOr<TlsNamed> named = NamedBy(verified->certificate, options_.names);
  if (!named.ok()) return named.status();
  absl::StatusOr<PeerIdentity> identity =
      IdentityOf(verified->certificate, *std::move(named), verified->not_after,
                 SessionEvidence(ssl_, options_.reverify != nullptr, options_.binding));
  if (!identity.ok()) return identity;
  const SSL_CIPHER* const cipher = SSL_get_current_cipher(ssl_);
  // Suites without encryption exist before TLS 1.3, and with RFC 9150.
  identity->encrypted = cipher != nullptr && SSL_CIPHER_get_bits(cipher, nullptr) > 0;
  return identity;
}

absl::Status CheckTlsPeerName(SSL* ssl, std::string_view expected, const TlsPeerOptions& options) {
  const ErrorQueueMark mark;
  const std::optional<IpAddress> ip = IpAddress::Parse(expected);
  const std::optional<SpiffeId> spiffe = ParseSpiffeId(expected);
  const std::optional<std::string> dns = CanonicalHostName(expected);
  const bool is_workload = spiffe.has_value() && !spiffe->path.empty();
  if (!ip.has_value() && !is_workload && !dns.has_value()) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", Printable(expected),
                     "` is no name of a peer; write a DNS name, an address or a SPIFFE ID"));
  }
  const absl::StatusOr<VerifiedCertificate> verified = Verified(ssl, options);
  if (absl::IsNotFound(verified.status()))
    return Unproved(std::string(verified.status().message()));
  if (!verified.ok()) return verified.status();
  const absl::StatusOr<SubjectAltNames> names = SubjectAltNamesOf(verified->certificate);
  if (!names.ok()) return names.status();
  bool matches;
  if (ip.has_value()) {
    matches = std::find(names->ips.begin(), names->ips.end(), *ip) != names->ips.end();
  } else if (is_workload) {
    if (absl::Status status = CheckSvidLeaf(verified->certificate); !status.ok()) return status;
    matches = names->uris.size() == 1 && names->uris[0] == expected;
  } else {
    matches =
        X509_check_host(verified->certificate, dns->data(), dns->size(),
                        X509_CHECK_FLAG_NEVER_CHECK_SUBJECT | X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS,
                        nullptr) == 1;
  }
  if (matches) return absl::OkStatus();
  return MakePeerError(PeerError::kMismatch,
                       absl::StrCat("the peer's certificate is not of `", Printable(expected),
                                    "`; do not send it anything"));
}

absl::Status CheckTlsPeerName(SSL* ssl, std::string_view expected) {
  return CheckTlsPeerName(ssl, expected, DefaultOptions());
}

}  // namespace reeve
