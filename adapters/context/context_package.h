// The mechanisms that security contexts come from: Kerberos, JSON Web Tokens, TLS. Each is a
// package, in a room of its own, so that a program links those it uses.
// ImportOptions::packages names those to use.
#ifndef REEVE_ADAPTERS_CONTEXT_CONTEXT_PACKAGE_H_
#define REEVE_ADAPTERS_CONTEXT_CONTEXT_PACKAGE_H_

#include <memory>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/secret_bytes.h"
#include "reeve/engine/principal.h"

namespace reeve {

// What of a context lives on after the authentication: the keys that protect messages.
//
// One thread at a time: messages have an order.
class ContextSession {
 public:
  virtual ~ContextSession() = default;

  // `message` for the peer: integrity-protected, and encrypted if that is asked for.
  // Errors: kNotSupported (no encryption), kMechanism.
  virtual absl::StatusOr<std::string> Wrap(std::string_view message, bool encrypt) = 0;

  struct Message {
    std::string text;
    bool encrypted = false;
  };
  // What the peer wrapped, in its order. Whatever the mechanism adds to success is an error: a
  // replay, a gap, a message out of order.
  // Errors: kMessageAltered, kOutOfSequence, kMalformed, kMechanism.
  virtual absl::StatusOr<Message> Unwrap(std::string_view wrapped) = 0;

  // What ContextPackage::Open() makes this of again, in another process. Ends this session, whether
  // it succeeds or not: every later call is kInvalidHandle.
  virtual absl::StatusOr<SecretBytes> Export() = 0;
};

// An authentication that was established.
struct EstablishedContext {
  // Not anonymous. Well-formed, as DefectOf() of its id, attributes and parents says.
  Principal principal;
  // Since when it is known, by the mechanism's clock, for the record; and when it ends: it holds no
  // longer when `expires` has come. What a mechanism's library adds for clocks that differ,
  // unasked, is subtracted.
  absl::Time established = absl::InfinitePast();
  absl::Time expires = absl::InfinitePast();
  // Null if there is none, as of a token that was shown.
  std::unique_ptr<ContextSession> session;
};

// One mechanism. Implementations: Krb5Package, JwtPackage, TlsPackage.
//
// Thread-safe.
class ContextPackage {
 public:
  virtual ~ContextPackage() = default;

  // As ImportSecurityContext() names it: "krb5".
  virtual std::string_view name() const = 0;

  // Whether packed contexts of this package are sealed. Then Open() is given nothing that did not
  // come out of a verified seal, so that it may hand bytes to libraries that trust them. Otherwise
  // they authenticate themselves, by a signature.
  virtual bool sealed() const = 0;

  // The context that `bytes` say, at `now`.
  //
  // Errors: of ContextError: kMalformed, kUnknownKey, kAuthenticationFailed, kMechanism, kExpired,
  // kNotYetValid, kNoCredentials, kResourceExhausted, kInternal. May block only where its
  // implementation states it.
  virtual absl::StatusOr<EstablishedContext> Open(absl::Span<const uint8_t> bytes,
                                                  absl::Time now) const = 0;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_CONTEXT_PACKAGE_H_
