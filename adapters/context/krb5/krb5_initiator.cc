#include "reeve/adapters/context/krb5/krb5_initiator.h"

#include <utility>

#include "absl/status/status.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/krb5/gss.h"
#include "reeve/adapters/context/krb5/krb5_session.h"
#include "reeve/adapters/context/krb5/krb5_token.h"

namespace reeve {

struct Krb5Initiator::Impl {
  GssName target;
  GssCredential credential;
  Krb5Mechanism mechanism;
  ChannelBindings bindings;
  OM_uint32 wanted;    // Flags.
  OM_uint32 required;  // Those of them that the context must have.
  GssContext context;
  std::unique_ptr<ContextSession> session;
  int rounds = 0;
  bool ended = false;
};

Krb5Initiator::Krb5Initiator(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Krb5Initiator::~Krb5Initiator() = default;

absl::StatusOr<std::unique_ptr<Krb5Initiator>> Krb5Initiator::Create(const Options& options) {
  absl::StatusOr<GssName> target = ImportGssName(options.target);
  if (!target.ok()) return target.status();
  const bool spnego = options.mechanism == Krb5Mechanism::kSpnego;
  absl::StatusOr<GssCredential> credential =
      AcquireGss(GSS_C_NO_NAME, GSS_C_INITIATE, !spnego, spnego, {{"ccache", options.ccache}});
  if (!credential.ok()) return credential.status();
  OM_uint32 required = 0;
  if (options.mutual) required |= GSS_C_MUTUAL_FLAG;
  if (options.protect) required |= kGssProtected | GSS_C_CONF_FLAG;
  const OM_uint32 wanted = required | (options.delegate ? GSS_C_DELEG_FLAG : 0);
  return std::unique_ptr<Krb5Initiator>(
      new Krb5Initiator(std::make_unique<Impl>(Impl{*std::move(target),
                                                    *std::move(credential),
                                                    options.mechanism,
                                                    ChannelBindings(options.channel_bindings),
                                                    wanted,
                                                    required,
                                                    {},
                                                    {}})));
}

absl::StatusOr<Krb5Initiator::Progress> Krb5Initiator::Step(std::string_view token) {
  if (impl_->ended) {
    return MakeContextError(ContextError::kInvalidHandle,
                            "the handshake has ended; begin another one");
  }
  // Until it is known to go on.
  impl_->ended = true;
  if (impl_->rounds > 0) {
    if (absl::Status status = CheckKrb5Token(token, impl_->rounds); !status.ok()) return status;
  } else if (!token.empty()) {
    return MakeContextError(ContextError::kMalformed, "a server does not send the first token");
  }
  ++impl_->rounds;
  const bool spnego = impl_->mechanism == Krb5Mechanism::kSpnego;
  gss_buffer_desc input = GssView(token);
  gss_ctx_id_t context = impl_->context.release();
  GssBuffer output;
  OM_uint32 flags = 0;
  OM_uint32 minor;
  const OM_uint32 major =
      gss_init_sec_context(&minor, impl_->credential.get(), &context, impl_->target.get(),
                           spnego ? SpnegoOid() : Krb5Oid(), impl_->wanted, GSS_C_INDEFINITE,
                           impl_->bindings.get(), &input, nullptr, output.get(), &flags, nullptr);
  impl_->context.reset(context);
  Progress progress{std::string(output.view()), major == GSS_S_COMPLETE};
  if (major == GSS_S_CONTINUE_NEEDED) {
    impl_->ended = false;
    return progress;
  }
  if (major != GSS_S_COMPLETE) return GssStatus("reach the server", major, minor);
  if ((flags & impl_->required) != impl_->required) {
    return MakeContextError(ContextError::kMechanism,
                            "the server did not prove itself, or messages are not protected");
  }
  impl_->session =
      std::make_unique<Krb5Session>(std::move(impl_->context), impl_->mechanism, flags);
  return progress;
}

std::unique_ptr<ContextSession> Krb5Initiator::TakeSession() { return std::move(impl_->session); }

}  // namespace reeve
