// Authentications that one process establishes and another one acts on: what SSPI calls security
// contexts. A front process exports one, which ends it there, and hands the bytes to a worker:
//
//   absl::StatusOr<std::string> packed = std::move(context).Export(options);
//
// and the worker imports it, once:
//
//   reeve::ImportByPolicy authorizer(engine);
//   reeve::ImportOptions options;
//   options.opener = &opener;          // of seal/: who may have sealed it
//   options.exporter = &peer_token;    // whom it was received from
//   options.authorizer = &authorizer;  // may they?
//   absl::StatusOr<reeve::SecurityContext> context =
//       reeve::ImportSecurityContext("reeve", packed, options);
//   absl::StatusOr<const reeve::Principal*> principal = context->principal(now);  // each request
//
// doc/contexts.md says which package to choose, what each proves, and how keys live.
#ifndef REEVE_ADAPTERS_CONTEXT_SECURITY_CONTEXT_H_
#define REEVE_ADAPTERS_CONTEXT_SECURITY_CONTEXT_H_

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/import_authorizer.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/clock.h"
#include "reeve/engine/principal.h"

namespace reeve {

// A principal alone, sealed: the package that is always there. It carries whatever mechanism told
// who the principal is by its word, so its exporter is believed for that.
inline constexpr std::string_view kReevePackage = "reeve";

struct ExportOptions {
  // Closes the context for who is to import it. Required. Not owned; used during the call only.
  const ContextSealer* sealer = nullptr;
  // How long it may wait to be imported. More than zero.
  absl::Duration window = absl::Seconds(60);
  // The context ends so long after its export at the latest, and not after it would have ended
  // here.
  absl::Duration max_lifetime = absl::InfiniteDuration();
  // Takes along what the mechanism has beyond the principal: of Kerberos the session's keys, for an
  // importer that is to read and write the peer's messages; of TLS the certificates, for one that
  // verifies them itself. The importer then names the context's package. Otherwise the package is
  // `reeve`, and no key travels.
  bool with_session = false;
  // Null means Clock::System(). Not owned; used during the call only.
  const Clock* clock = nullptr;
};

// An established authentication: accepted here by a mechanism, or imported. The end of its life is
// the deletion of the context: keys are wiped.
//
// One thread at a time; principal() and what is const, any.
class SecurityContext {
 public:
  // Of what a mechanism of `package` established.
  // Errors: kMalformed  the principal is anonymous, or not well-formed
  static absl::StatusOr<SecurityContext> Establish(std::string_view package,
                                                   EstablishedContext context);
  // Of a principal that this program knows by other means, such as PeerToken::principal(); package
  // `reeve`. It ends at `expires`.
  static absl::StatusOr<SecurityContext> OfPrincipal(Principal principal, absl::Time established,
                                                     absl::Time expires);

  SecurityContext(SecurityContext&&) noexcept = default;
  SecurityContext& operator=(SecurityContext&&) noexcept = default;
  SecurityContext(const SecurityContext&) = delete;
  SecurityContext& operator=(const SecurityContext&) = delete;
  ~SecurityContext();

  // Who it is, while the context lasts. Ask for each decision; points into this.
  // Errors: kExpired        `now` is `expires()` or later
  //         kInvalidHandle  the context was exported
  absl::StatusOr<const Principal*> principal(absl::Time now) const;

  std::string_view package() const { return package_; }
  absl::Time established() const { return context_.established; }
  absl::Time expires() const { return context_.expires; }

  // Whether the mechanism has more than the principal: what ExportOptions::with_session takes
  // along. That need not be keys that Wrap() and Unwrap() could use: of TLS it is certificates.
  bool has_session() const { return context_.session != nullptr; }
  // See ContextSession. Errors beside those: kExpired, kInvalidHandle, and kNotSupported if there
  // is no session.
  absl::StatusOr<std::string> Wrap(std::string_view message, bool encrypt, absl::Time now);
  absl::StatusOr<ContextSession::Message> Unwrap(std::string_view wrapped, absl::Time now);

  // The context as bytes for one other process, sealed. Ends it here, whether it succeeds or not:
  // nothing can be exported twice. Errors: those of ContextSealer::Seal(); kExpired,
  // kInvalidHandle; kMalformed, if it is too large; kNotSupported, if `with_session` is asked for
  // and there is no session; InvalidArgument if `options` break a rule stated above.
  absl::StatusOr<std::string> Export(const ExportOptions& options) &&;

 private:
  SecurityContext(std::string_view package, EstablishedContext context)
      : package_(package), context_(std::move(context)), live_(true) {}

  absl::Status Check(absl::Time now) const;

  // False after a move, so that what was moved from is known to be no context.
  class Live {
   public:
    explicit Live(bool value) : value_(value) {}
    Live(Live&& other) noexcept : value_(std::exchange(other.value_, false)) {}
    Live& operator=(Live&& other) noexcept {
      value_ = std::exchange(other.value_, false);
      return *this;
    }
    explicit operator bool() const { return value_; }

   private:
    bool value_;
  };

  std::string package_;
  EstablishedContext context_;
  Live live_;
};

struct ImportOptions {
  // The packages beside `reeve` that this program imports. Not owned; used during the call, and by
  // the context that it returns where the package says so.
  std::vector<const ContextPackage*> packages;
  // Opens sealed contexts. Null: this program has no key, and imports what needs no seal. Not
  // owned; used during the call only.
  ContextOpener* opener = nullptr;
  // Whom the bytes were received from: the exporter, by its connection. May be null where `opener`
  // and `authorizer` do not need it. Not owned; used during the call only.
  const PeerToken* exporter = nullptr;
  // Records the import, and says whether `exporter` may. Required. Not owned; used during the call
  // only.
  ImportAuthorizer* authorizer = nullptr;
  // The context ends so long after its import at the latest. More than zero.
  absl::Duration max_lifetime = absl::Hours(24);
  // Null means Clock::System(). Not owned; used during the call only.
  const Clock* clock = nullptr;
};

// The context that another process exported to this one, as ImportSecurityContext of SSPI does.
//
// The principal is as its mechanism told; evidence ends in what the seal says: "...; seal=ring
// key=0123456789abcdef id=... exporter=user:front". What stands before the last "; seal=" is by the
// word of who exported, and may look like anything. The context ends at the earliest of what its
// mechanism, its exporter and `options` say.
//
// Errors: kUnknownPackage     `package` is neither `reeve` nor among the options
//         kNoCredentials      the package needs a seal and there is no opener
//         kMechanism          what is inside is of another package, or of another principal than
//                             the exporter stated
//         kExpired            the context inside ended before
//         those of ContextOpener::Open(), of ContextPackage::Open() and of the authorizer
//         InvalidArgument     `options` break a rule stated above (no ContextError)
// Each call but that last case is recorded. A context that was opened and refused then cannot be
// imported again. Does not block, but where the authorizer and the package do.
// Thread-safe: any threads may call it with options whose parts are.
absl::StatusOr<SecurityContext> ImportSecurityContext(std::string_view package,
                                                      absl::Span<const uint8_t> packed,
                                                      const ImportOptions& options);
// Of bytes in a text.
absl::StatusOr<SecurityContext> ImportSecurityContext(std::string_view package,
                                                      std::string_view packed,
                                                      const ImportOptions& options);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SECURITY_CONTEXT_H_
