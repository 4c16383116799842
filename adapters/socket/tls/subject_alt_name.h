// The names in an X.509 certificate, and whom they name. Nothing here says whether the certificate
// is to be believed: tls_peer.h does.
#ifndef REEVE_ADAPTERS_SOCKET_TLS_SUBJECT_ALT_NAME_H_
#define REEVE_ADAPTERS_SOCKET_TLS_SUBJECT_ALT_NAME_H_

#include <openssl/types.h>
#include <openssl/x509v3.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/engine/entity.h"

namespace reeve {

// Beyond these a certificate is refused.
inline constexpr size_t kMaxSubjectAltNames = 256;  // Of all kinds.
inline constexpr size_t kMaxSubjectAltNameBytes = kMaxIdBytes;

// The subject alternative names of a certificate (RFC 5280, 4.2.1.6), in its order, as they stand
// there: printable ASCII, never empty. Names of other kinds (directory names, otherName and with it
// SmtpUTF8Mailbox) say nothing here, and neither does the subject: a common name is a label that
// certificate authorities let people choose (RFC 9525, 2).
struct SubjectAltNames {
  std::vector<std::string> uris;
  std::vector<std::string> dns;
  std::vector<std::string> emails;
  std::vector<IpAddress> ips;
};

// The names of `certificate`; none if it has none.
//
// Errors: kBadName  the extension is malformed or stands twice, or has more than
//                   kMaxSubjectAltNames; or a URI, DNS or e-mail name is empty, too long or holds
//                   anything but printable ASCII, above all a NUL; or an address is not of 4 or 16
//                   bytes. One such name spoils the certificate: who asked for it wanted it read in
//                   two ways.
absl::StatusOr<SubjectAltNames> SubjectAltNamesOf(const X509* certificate);

// The same of an extension that is decoded.
absl::StatusOr<SubjectAltNames> SubjectAltNamesFrom(const GENERAL_NAMES* names);

// "spiffe://example.org/ns/prod/sa/web" without its scheme. Views into what was parsed.
struct SpiffeId {
  std::string_view trust_domain;  // "example.org"
  std::string_view path;          // "/ns/prod/sa/web"; empty of the trust domain itself
};

// Nothing if `uri` is no SPIFFE ID: `spiffe://`, a trust domain of 1 to 255 of [a-z0-9._-], and no
// or some segments of [A-Za-z0-9._-], each after a slash, none empty, `.` or `..`; at most 2048
// bytes in all. So there is no user, port, query, fragment or escape, and one workload has one id.
// Source: The SPIFFE Identity and Verifiable Identity Document, 2.
std::optional<SpiffeId> ParseSpiffeId(std::string_view uri);

// Whether `uri` says that it is a SPIFFE ID, in letters of any case.
bool HasSpiffeScheme(std::string_view uri);

// `name` in small letters; nothing if it is not the name of one host: labels of [A-Za-z0-9_-] of 1
// to 63 bytes without a hyphen at an end, 253 bytes in all, the last label not all digits. A
// wildcard names no host. No dot at the end.
std::optional<std::string> CanonicalHostName(std::string_view name);

// `address` with the domain in small letters; nothing if it is not a plain mailbox: atoms joined by
// dots, 64 bytes at most, `@`, and a host name. What stands before the `@` is kept as it is, for
// its letters' case may matter (RFC 5280, 7.5). Quoted mailboxes are refused, and those with a
// slash, which ids do not take everywhere.
std::optional<std::string> CanonicalEmail(std::string_view address);

// Kinds of names in a certificate.
enum class TlsName : uint8_t {
  // A URI that is a SPIFFE ID: `example.org/ns/prod/sa/web`, in the trust domain `example.org`,
  // which is the principal's parent: a rule about `spiffe:example.org` holds for all of it.
  kSpiffe,
  kUri,    // Any other URI, as it is.
  kEmail,  // `ada@example.com`
  kDns,    // `web-1.example.com`
  kIp,     // `10.1.2.3`
};

// Which names say whom, of certificates that are believed. A value.
struct TlsNameMapping {
  struct Rule {
    TlsName kind;
    std::string type;  // Of the entity: `user`.
  };
  // The first rule of whose kind the certificate has a name says who the user is; it must have one
  // name of that kind only. If there is none, the user is not known.
  std::vector<Rule> users = {{TlsName::kSpiffe, "spiffe"}, {TlsName::kEmail, "user"}};
  // The same of the host.
  std::vector<Rule> hosts = {{TlsName::kDns, "host"}};
  // Takes certificates with several names of the kind that says the host: the first is its id, the
  // others are parents, so that rules about any of the names hold.
  bool hosts_have_several_names = false;
  // The trust domains whose SPIFFE IDs are believed; unset, all. X.509 lets every authority that
  // the program trusts speak for each of them, so a program that trusts authorities of several
  // trust domains must see to it that none speaks for another (RFC 5280, 4.2.1.10, name
  // constraints).
  std::optional<std::vector<std::string>> trust_domains;
};

// Whom a certificate names. Each id is well-formed (DefectOf() is empty).
struct TlsNamed {
  std::optional<EntityId> user;
  std::vector<EntityId> user_parents;
  std::optional<EntityId> host;
  std::vector<EntityId> host_parents;
};

// Whom `certificate` names. One that has a SPIFFE ID is an X509-SVID, whatever `mapping` asks for:
// it must have no other URI, and may not be an authority's.
//
// Errors: kNoToken    it has no name of the kinds that `mapping` asks for
//         kAmbiguous  it has several where one is wanted; a SPIFFE ID beside another URI
//         kBadName    as above; a name that is wanted is not well-formed, or is a wildcard
//         kUnproved   a SPIFFE ID of a trust domain that is not in `mapping`, or in the certificate
//                     of an authority: basicConstraints CA, or keyUsage keyCertSign or cRLSign
// Source: The X.509 SPIFFE Verifiable Identity Document, 2 to 5.
// Requires that `certificate` is used by no other thread until OpenSSL has read its extensions
// (X509_check_purpose(3)), which verification does.
absl::StatusOr<TlsNamed> NamedBy(X509* certificate, const TlsNameMapping& mapping);

// OK if `certificate` may be an X509-SVID that identifies: see kUnproved above.
absl::Status CheckSvidLeaf(X509* certificate);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_TLS_SUBJECT_ALT_NAME_H_
