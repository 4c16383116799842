// Who is at the other end of a TLS session: whom the peer's certificate names, where OpenSSL has
// verified it. Start here, with a session over the socket whose handshake is done:
//
//   const reeve::TlsPeer tls(ssl);
//   reeve::PeerOptions options;
//   options.sources = {&tls};
//   const absl::StatusOr<reeve::PeerToken> peer = reeve::PeerToken::FromSocket(fd, options);
//
// The server must ask for certificates, and check them itself:
//
//   SSL_CTX_set_verify(context, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
//   SSL_CTX_load_verify_locations(context, "clients-ca.pem", nullptr);
#ifndef REEVE_ADAPTERS_SOCKET_TLS_TLS_PEER_H_
#define REEVE_ADAPTERS_SOCKET_TLS_TLS_PEER_H_

#include <openssl/types.h>

#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/peer_source.h"
#include "reeve/adapters/socket/tls/subject_alt_name.h"
#include "reeve/engine/clock.h"

namespace reeve {

struct TlsPeerOptions {
  // Which names of the certificate say who the user and the host are.
  TlsNameMapping names;
  // Against which certificates expire. Null means Clock::System(). Not owned; used during calls.
  const Clock* clock = nullptr;
  // Verifies the certificate once more by this store, with the certificates that the peer sent and
  // the clock above, each time it is asked: so that what has changed since the handshake counts (a
  // certificate that was revoked, an authority that was removed), and so that a program that
  // overrides OpenSSL's verification need not be believed. Null means that what the handshake found
  // stands. About 100 us for each certificate of the chain. Of a session resumed by a ticket the
  // intermediate certificates are not known, and must be in the store. Not owned.
  X509_STORE* reverify = nullptr;
  // Takes sessions that were resumed: the peer proved in an earlier handshake that it has the key,
  // and that handshake's verdict on its certificate stands, by the word of the session or ticket,
  // for as long as the server lets sessions live (SSL_CTX_set_timeout(3)). Certificates that
  // expired in between are refused in any case.
  bool allow_resumed = true;
  // Takes sessions whose bytes do not pass through a descriptor that OpenSSL knows, as with
  // BIO_s_mem(3) in event loops. The caller then says which socket they pass through, and nothing
  // checks it. Sessions over another descriptor than the socket's are refused even so.
  bool any_transport = false;
  // Adds the channel binding to the evidence. It takes some microseconds.
  bool binding = true;
};

// What a TLS session proved of its peer.
//
// The principals, the user (a `spiffe` or `user` entity) and the host, as TlsNameMapping says:
//   id          `spiffe:example.org/ns/prod/sa/web`, `user:ada@example.com`,
//               `host:web-1.example.com`
//   parents     of a SPIFFE ID its trust domain, `spiffe:example.org`; of a host its other names
//   groups      none, and complete: certificates tell of none. Give them by entities files.
//   attributes  tls_issuer       string, RFC 2253: "CN=Clients CA,O=Example"
//               tls_serial       string, hexadecimal digits in small letters: "01ff"
//               tls_fingerprint  string, SHA-256 of the certificate, 64 hexadecimal digits
//               tls_not_after    timestamp: when the certificate, or one above it, expires. A
//                                connection may live longer; so may a rule say
//                                `context.time < principal.tls_not_after`
//   assurance   kCrypto
//   via         "tls"
//   host        of both the host that the certificate names; empty if it names none
//   evidence    "serial=01ff sha256=... verify=ok protocol=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384
//               resumed=no binding=0123456789abcdef issuer=CN=Clients CA". `verify` is `again` with
//               `reverify`. The binding is the beginning of "tls-exporter" (RFC 9266), which both
//               ends of this session know and no other session has; `none` where it would not be
//               unique, in TLS 1.2 without extended master secrets.
//
// What is believed: the certificate that OpenSSL verified in the handshake, with a verdict of OK,
// in a session that asked for verification. A verify callback that lets a bad certificate pass
// leaves its error in the verdict, and such a peer is refused. Programs that clear the error, or
// that put their own verification in the place of OpenSSL's (SSL_CTX_set_cert_verify_callback(3)),
// are believed if they built a chain, and on resumption without it: so set `reverify` there.
//
// Freshness: the certificate is the session's at the moment of the call. It can appear later, in
// TLS 1.3 by SSL_verify_client_post_handshake(3), and appear or change in TLS 1.2 by renegotiation:
// ask for a new token after those, and set SSL_OP_NO_RENEGOTIATION where nothing needs them. Expiry
// is checked now, for the chain that the handshake verified, or the certificate alone if the
// session was resumed. Revocation is as of the handshake, and only if the server's store has
// revocation lists and X509_V_FLAG_CRL_CHECK; else with `reverify`. What a client sends as early
// data may be replayed by others; no token is made while it is read, for the handshake is not done
// then.
//
// Source: SSL_get_verify_result(3), SSL_get_peer_certificate(3), SSL_get0_verified_chain(3);
// RFC 5280, 8446, 9266, 9525. tls_peer_test.cc shows each row with OpenSSL 3.0.
//
// One thread at a time, and none that uses the session meanwhile: as OpenSSL asks for an SSL.
class TlsPeer final : public PeerSource {
 public:
  // `ssl` is required and not owned; of a client or a server. Both must outlive this. The session
  // knows its socket by the number of the descriptor: do not close that one while the session is
  // asked, for the number may go to another connection.
  TlsPeer(SSL* ssl, const TlsPeerOptions& options) : ssl_(ssl), options_(options) {}
  TlsPeer(SSL* ssl, TlsPeerOptions&&) = delete;
  // With the default options.
  explicit TlsPeer(SSL* ssl);

  Mechanism mechanism() const override { return Mechanism::kTls; }

  // Errors: NotFound    the peer has shown no certificate: the session says nothing of who it is
  //         kUnproved   the handshake is not done, or under way again; the certificate was not
  //                     verified, or found bad; it has expired, or is not valid yet; the session is
  //                     of another socket, or of one that OpenSSL does not know; it is resumed and
  //                     `options` do not want that; it is older than TLS 1.2, or DTLS; it is
  //                     TLS 1.2 without extended master secrets, and resumed or renegotiated, so
  //                     that the certificate may have been shown to somebody else (RFC 7627, 1)
  //         else        as NamedBy() in subject_alt_name.h says: kNoToken, kAmbiguous, kBadName
  // Does not read, write or change the session, nor the thread's queue of OpenSSL errors. Does not
  // block.
  absl::StatusOr<PeerIdentity> Identify(const SocketPeer& peer) const override;

 private:
  SSL* const ssl_;
  const TlsPeerOptions& options_;
};

// Whether the peer of `ssl` is the one that was expected: for clients, before they send anything.
// `expected` is a DNS name ("db.example.com"; IDNs as A-labels), an address ("10.1.2.3", "::1"), or
// a SPIFFE ID ("spiffe://example.org/db").
//
// A DNS name matches by the certificate's DNS names alone, never by its subject, and by wildcards
// that are a whole label, the first (RFC 9525, 6.3); an address by its addresses; a SPIFFE ID if it
// is the certificate's only URI.
//
// Errors: InvalidArgument  `expected` is none of these
//         kMismatch        the peer is another
//         kUnproved        it has shown no certificate, or one that is not believed, as above
//         kBadName         the certificate's names are malformed
// Of `options`, `names` and the transport mean nothing here.
absl::Status CheckTlsPeerName(SSL* ssl, std::string_view expected, const TlsPeerOptions& options);
absl::Status CheckTlsPeerName(SSL* ssl, std::string_view expected);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_TLS_TLS_PEER_H_
