// The server's side of Kerberos: who begins a context, by a ticket for this server. Start here.
//
//   reeve::Krb5Service::Options options;
//   options.keytab = "/etc/documents.keytab";
//   const auto service = reeve::Krb5Service::Create(options);      // once
//   ...
//   reeve::Krb5Acceptor acceptor(service->get());                  // for each connection
//   while (true) {
//     absl::StatusOr<reeve::Krb5Acceptor::Progress> progress =
//         acceptor.Step(Receive(), clock.Now());
//     if (!progress.ok()) ...                                      // nobody
//     if (!progress->token.empty()) Send(progress->token);
//     if (progress->context.has_value()) break;                    // context->principal
//   }
//
// How tokens travel is the protocol's own matter. Nothing here asks the KDC.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_ACCEPTOR_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_ACCEPTOR_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/krb5_options.h"
#include "reeve/adapters/context/secret_bytes.h"

namespace reeve {

// What a server is to Kerberos: the keys in its keytab. No ticket of its own is read or used.
//
// Thread-safe.
class Krb5Service {
 public:
  struct Options {
    // A file, or a keytab by its type: "FILE:/etc/documents.keytab", "MEMORY:x". Empty: what
    // KRB5_KTNAME or krb5.conf say, mostly /etc/krb5.keytab. The file is read again for each
    // context, so that a new key counts at once.
    std::string keytab;
    // For which of the keytab's names tickets are taken: "documents@web-1.example.com", or a
    // principal, "documents/web-1.example.com@EXAMPLE.COM". Empty: for each of them, which is well
    // where the keytab is this server's alone.
    std::string name;
    // What clients may speak. At least one.
    bool krb5 = true;
    bool spnego = true;
    // Where is kept which requests were seen, so that none is taken twice: "dfl:",
    // "file2:/run/documents.rcache", "none:". Empty: what KRB5RCACHENAME or krb5.conf say, mostly
    // a file of the user in /var/tmp. Without one, who sees a token on its way can show it again,
    // and be believed if the protocol needs no key afterwards.
    std::string replay_cache;
    Krb5Options context;
  };

  // Errors: InvalidArgument  the options contradict what is said of them
  //         kNoCredentials   the keytab cannot be read, or has no key for `name`
  //         kInternal        krb5.conf cannot be read
  static absl::StatusOr<std::unique_ptr<Krb5Service>> Create(const Options& options);
  ~Krb5Service();
  Krb5Service(const Krb5Service&) = delete;
  Krb5Service& operator=(const Krb5Service&) = delete;

 private:
  friend class Krb5Acceptor;
  struct Impl;

  explicit Krb5Service(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

// One handshake: it becomes a context, or it has failed.
//
// One thread at a time.
class Krb5Acceptor {
 public:
  // `service` is required, not owned, and must outlive this. `channel_bindings`, if not empty, name
  // the channel that tokens pass through, as "tls-exporter:..." does (RFC 5929, RFC 9266): only a
  // client that named the same is believed, so that nobody passes on what it received elsewhere.
  // MIT alone would believe one that named none.
  explicit Krb5Acceptor(const Krb5Service* service, std::string channel_bindings = "");
  ~Krb5Acceptor();
  Krb5Acceptor(const Krb5Acceptor&) = delete;
  Krb5Acceptor& operator=(const Krb5Acceptor&) = delete;

  struct Progress {
    // For the client; may be empty. To be sent even with the context.
    std::string token;
    // When the client has proved who it is, and not before: see Krb5Package for what it tells. Its
    // session can be exported to a process that has a Krb5Package of the mechanism that
    // `principal.via` names.
    std::optional<EstablishedContext> context;
  };

  // Takes the client's next token. Does file I/O (keytab, replay cache), and may wait for it.
  //
  // Errors, of which each is the end of the handshake:
  //   kMalformed             the token is empty, too long, or no token
  //   kMechanism             Kerberos refuses it: the ticket is for a service or of a key that is
  //   not
  //                          in the keytab, it has ended, the client's clock is wrong, the request
  //                          was seen already; the message says which. Or the name, the realm or
  //                          the flags are not what the options want, or the client is anonymous
  //   kExpired, kNotYetValid the ticket, by `now`
  //   kWrongTarget           the client named another channel, or none
  //   kNoCredentials         the keytab is no longer there
  //   kResourceExhausted     more than kMaxKrb5Rounds tokens
  //   kInvalidHandle         the handshake has ended before
  //
  // Of the times of tickets, libgssapi sees to those by the machine's clock; what `now` says counts
  // besides: a context that has expired at `now` is not given.
  absl::StatusOr<Progress> Step(std::string_view token, absl::Time now);

  // What to send to the client after an error, if the protocol wants that; empty mostly.
  const std::string& refusal() const;

  // The ticket that the client gave away, so that this server may act in its name at others: a
  // secret, of which nothing travels in ContextSession::Export(). For ImportDelegated() in
  // krb5_delegation.h, through a seal.
  // Errors: kNoCredentials  the client gave none, or the handshake is not done
  absl::StatusOr<SecretBytes> ExportDelegated() const;

 private:
  struct Impl;

  absl::StatusOr<Progress> Advance(std::string_view token, absl::Time now);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_ACCEPTOR_H_
