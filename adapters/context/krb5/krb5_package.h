// Kerberos contexts that another process accepted: the packages "krb5" and "spnego".
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_PACKAGE_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_PACKAGE_H_

#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/krb5_options.h"

namespace reeve {

// Opens what the session of a Krb5Acceptor exported, with all that the context proves and the keys
// of its messages. Needs neither a keytab nor a ticket nor the KDC.
//
// The principal, of this and of Krb5Acceptor:
//   id          `user:ada@EXAMPLE.COM`, `host:web-1.example.com@EXAMPLE.COM`,
//               `service:http/web-1.example.com@EXAMPLE.COM`; krb5_name.h says which
//   parents     its realm, `realm:EXAMPLE.COM`: a rule about it holds for all of it
//   groups      none, and complete: tickets tell of none here. Give them by entities files
//   attributes  krb5_realm       string: "EXAMPLE.COM"
//               auth_time        timestamp: when the user proved who it is to the KDC, by the KDC's
//                                clock. Older than the context, for tickets are used for hours
//               auth_indicators  list of strings: by which means, as the KDC names them:
//                                ["pkinit", "otp"]; empty if it says nothing. Only what the KDC
//                                authenticated and what is complete
//               delegated        bool: the client gave its ticket away; the ticket itself does not
//                                travel with the context
//               context_expires  timestamp, as EstablishedContext::expires
//               local_name       string, if Krb5Options::local_name wants it and there is one
//               else             bytes, as Krb5Options::pac says
//   assurance   kCrypto
//   via         "krb5" or "spnego"
//   host        empty: tickets name no host that can be believed
//   evidence    "mech=krb5 enctype=20 flags=mutual,replay,sequence,conf,integ
//               auth_time=2026-11-20T09:00:00Z target=documents/web-1.example.com@EXAMPLE.COM"
//
// Times: `established` is when the user authenticated, or `now` if that is earlier by no more than
// the skew. `expires` is the end of the ticket, at most Krb5Options::max_lifetime from `now`.
// libgssapi tells the seconds that are left by the machine's clock, and adds the skew that the
// acceptor allows; here the machine's clock is read once at that call, to the second before it, so
// that the end of the ticket is known as a time and never too late. All else goes by `now`.
//
// Why there is a seal around it: gss_import_sec_context(3) of MIT believes every byte: a name or an
// end that was changed, a file to be read as krb5.conf; and it can be crashed. Nothing is handed to
// it here that has not the shape of an exported context: of the package's mechanism, whole, and
// naming no krb5.conf but those of this process (KRB5_CONFIG, else the system's), which it would
// read. That is no proof of anything, and no replacement of the seal.
//
// Source: gss_import_sec_context(3), gss_inquire_context(3), gss_get_name_attribute(3); RFC 2743,
// 2744, 4121, 4178, 6680, 8129. krb5_test.cc shows each row with MIT Kerberos 1.20.
//
// Thread-safe. KRB5_CONFIG and the other variables of libkrb5 are the whole process's: set them
// before there are threads.
class Krb5Package final : public ContextPackage {
 public:
  // Errors: InvalidArgument  the options contradict what krb5_options.h says
  //         kInternal        krb5.conf cannot be read
  static absl::StatusOr<std::unique_ptr<Krb5Package>> Create(Krb5Mechanism mechanism,
                                                             const Krb5Options& options = {});

  ~Krb5Package() override;

  std::string_view name() const override;
  bool sealed() const override { return true; }

  // Reads krb5.conf, and blocks for nothing else. Opens one context as often as it is asked: that
  // it is opened once is the seal's to see to.
  //
  // Errors: kMalformed      not an exported context of this mechanism, or not all of it
  //         kMechanism      libgssapi refuses it, whatever it says of the reason (a truncated one
  //                         is "Cannot allocate memory"); it is not complete, of a client, or
  //                         anonymous; it names another krb5.conf; or the name, the realm or the
  //                         flags are not what the options want
  //         kExpired        its ticket has ended
  //         kNotYetValid    the user authenticated after `now`, by more than the skew
  absl::StatusOr<EstablishedContext> Open(absl::Span<const uint8_t> bytes,
                                          absl::Time now) const override;

 private:
  struct Impl;

  explicit Krb5Package(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_PACKAGE_H_
