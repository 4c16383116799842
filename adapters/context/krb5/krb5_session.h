// Private to this folder: the messages of a Kerberos context.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_SESSION_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_SESSION_H_

#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/gss.h"
#include "reeve/adapters/context/krb5/krb5_options.h"
#include "reeve/adapters/context/secret_bytes.h"

namespace reeve {

// What GSS-API calls flags: with these a context finds replays and gaps. Without the one for
// replays or the one for order, MIT takes a message as often as it comes.
inline constexpr OM_uint32 kGssProtected =
    GSS_C_INTEG_FLAG | GSS_C_REPLAY_FLAG | GSS_C_SEQUENCE_FLAG;

// A message after a gap is an error, and its text is not given; those after it are taken again. A
// program that goes on has lost two messages, or more.
//
// One thread at a time.
class Krb5Session final : public ContextSession {
 public:
  // Of a context that is established by `mechanism`, with these flags.
  Krb5Session(GssContext context, Krb5Mechanism mechanism, OM_uint32 flags)
      : context_(std::move(context)), mechanism_(mechanism), flags_(flags) {}

  // kNotSupported, too, if the context does not have kGssProtected.
  absl::StatusOr<std::string> Wrap(std::string_view message, bool encrypt) override;
  absl::StatusOr<Message> Unwrap(std::string_view wrapped) override;
  // Errors: kInvalidHandle, kMechanism.
  absl::StatusOr<SecretBytes> Export() override;

 private:
  // Why messages cannot be wrapped or unwrapped.
  absl::Status CheckUsable() const;

  GssContext context_;
  const Krb5Mechanism mechanism_;
  const OM_uint32 flags_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_SESSION_H_
