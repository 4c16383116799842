// The client's side of Kerberos, thin: for programs that call a server that uses krb5_acceptor.h.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_INITIATOR_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_INITIATOR_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/krb5_options.h"

namespace reeve {

// One handshake with one server.
//
// One thread at a time.
class Krb5Initiator {
 public:
  struct Options {
    // The server: "documents@web-1.example.com" (a service on a host), or a principal,
    // "documents/web-1.example.com@EXAMPLE.COM".
    std::string target;
    Krb5Mechanism mechanism = Krb5Mechanism::kKrb5;
    // The cache with the tickets: "FILE:/tmp/krb5cc_1000", "MEMORY:x". Empty: what KRB5CCNAME or
    // krb5.conf say.
    std::string ccache;
    // Wants the server to prove itself, too.
    bool mutual = true;
    // Gives the server the user's ticket, if it is forwardable: the server is then the user,
    // everywhere and for as long as it lasts.
    bool delegate = false;
    // Wants messages protected: replays and gaps found, and encryption possible.
    bool protect = true;
    // As Krb5Acceptor has them.
    std::string channel_bindings;
  };

  // Errors: InvalidArgument  the target is empty or no name
  //         kNoCredentials   no ticket in the cache
  static absl::StatusOr<std::unique_ptr<Krb5Initiator>> Create(const Options& options);
  ~Krb5Initiator();
  Krb5Initiator(const Krb5Initiator&) = delete;
  Krb5Initiator& operator=(const Krb5Initiator&) = delete;

  struct Progress {
    std::string token;  // For the server; may be empty. To be sent even when it is done.
    bool done = false;
  };

  // Takes what the server sent, at first nothing. May ask the KDC, and wait for it.
  // Errors: kMalformed, kMechanism, kNoCredentials, kExpired; kResourceExhausted, as
  // Krb5Acceptor::Step(); kMechanism if the server did not prove itself, or messages are not
  // protected, and `options` want it; kInvalidHandle  the handshake has ended before
  absl::StatusOr<Progress> Step(std::string_view token);

  // What protects messages when the handshake is done; null before, and once it was taken.
  // Export() of it makes nothing that a Krb5Package opens: that takes contexts of servers only.
  std::unique_ptr<ContextSession> TakeSession();

 private:
  struct Impl;

  explicit Krb5Initiator(std::unique_ptr<Impl> impl);

  const std::unique_ptr<Impl> impl_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_INITIATOR_H_
