#include "reeve/adapters/context/krb5/krb5_acceptor.h"

#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/krb5/gss.h"
#include "reeve/adapters/context/krb5/krb5_context.h"
#include "reeve/adapters/context/krb5/krb5_token.h"

namespace reeve {

struct Krb5Service::Impl {
  Krb5Rules rules;
  bool krb5;
  bool spnego;
  GssCredential credential;
};

Krb5Service::Krb5Service(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Krb5Service::~Krb5Service() = default;

absl::StatusOr<std::unique_ptr<Krb5Service>> Krb5Service::Create(const Options& options) {
  if (!options.krb5 && !options.spnego) {
    return absl::InvalidArgumentError("Krb5Service::Options: set krb5, spnego or both");
  }
  absl::StatusOr<Krb5Rules> rules = MakeKrb5Rules(options.context);
  if (!rules.ok()) return rules.status();
  GssName name;
  if (!options.name.empty()) {
    absl::StatusOr<GssName> imported = ImportGssName(options.name);
    if (!imported.ok()) return imported.status();
    name = *std::move(imported);
  }
  absl::StatusOr<GssCredential> credential =
      AcquireGss(name.get(), GSS_C_ACCEPT, options.krb5, options.spnego,
                 {{"keytab", options.keytab}, {"rcache", options.replay_cache}});
  if (!credential.ok()) return credential.status();
  return std::unique_ptr<Krb5Service>(new Krb5Service(std::make_unique<Impl>(
      Impl{*std::move(rules), options.krb5, options.spnego, *std::move(credential)})));
}

struct Krb5Acceptor::Impl {
  const Krb5Service::Impl* service;
  ChannelBindings bindings;
  GssContext context;
  GssCredential delegated;
  std::string refusal;
  Krb5Mechanism mechanism = Krb5Mechanism::kKrb5;
  int rounds = 0;
  bool ended = false;
};

Krb5Acceptor::Krb5Acceptor(const Krb5Service* service, std::string channel_bindings)
    : impl_(std::make_unique<Impl>(
          Impl{service->impl_.get(), ChannelBindings(std::move(channel_bindings)), {}, {}, {}})) {}
Krb5Acceptor::~Krb5Acceptor() = default;

const std::string& Krb5Acceptor::refusal() const { return impl_->refusal; }

absl::StatusOr<Krb5Acceptor::Progress> Krb5Acceptor::Step(std::string_view token, absl::Time now) {
  if (impl_->ended) {
    return MakeContextError(ContextError::kInvalidHandle,
                            "the handshake has ended; begin another one");
  }
  // Until it is known to go on.
  impl_->ended = true;
  absl::StatusOr<Progress> progress = Advance(token, now);
  if (!progress.ok()) {
    impl_->context.reset();
    impl_->delegated.reset();
  }
  return progress;
}

absl::StatusOr<Krb5Acceptor::Progress> Krb5Acceptor::Advance(std::string_view token,
                                                             absl::Time now) {
  if (absl::Status status = CheckKrb5Token(token, ++impl_->rounds); !status.ok()) return status;
  if (impl_->rounds == 1) {
    const absl::StatusOr<Krb5Mechanism> mechanism = MechanismOfToken(token);
    if (!mechanism.ok()) return mechanism.status();
    impl_->mechanism = *mechanism;
    const bool spnego = *mechanism == Krb5Mechanism::kSpnego;
    if (!(spnego ? impl_->service->spnego : impl_->service->krb5)) {
      return MakeContextError(ContextError::kMechanism,
                              absl::StrCat("the client speaks ", std::string(NameOf(*mechanism)),
                                           ", which Krb5Service::Options does not want"));
    }
  }
  gss_buffer_desc input = GssView(token);
  gss_ctx_id_t context = impl_->context.release();
  gss_cred_id_t delegated = GSS_C_NO_CREDENTIAL;
  GssBuffer output;
  OM_uint32 flags = 0;
  OM_uint32 minor;
  const OM_uint32 major = gss_accept_sec_context(&minor, &context, impl_->service->credential.get(),
                                                 &input, impl_->bindings.get(), nullptr, nullptr,
                                                 output.get(), &flags, nullptr, &delegated);
  impl_->context.reset(context);
  if (delegated != GSS_C_NO_CREDENTIAL) impl_->delegated.reset(delegated);
  Progress progress;
  progress.token = std::string(output.view());
  if (major == GSS_S_CONTINUE_NEEDED) {
    impl_->ended = false;
    return progress;
  }
  // Success with a remark is none.
  if (major != GSS_S_COMPLETE) {
    impl_->refusal = std::move(progress.token);
    return GssStatus("take the client's token", major, minor);
  }
  // MIT lets a client pass that named no channel.
  if (impl_->bindings.get() != GSS_C_NO_CHANNEL_BINDINGS &&
      (flags & GSS_C_CHANNEL_BOUND_FLAG) == 0) {
    return MakeContextError(
        ContextError::kWrongTarget,
        "the client did not name the channel that its token came through; let it use channel "
        "bindings");
  }
  absl::StatusOr<EstablishedContext> established =
      DescribeKrb5(std::move(impl_->context), impl_->mechanism, impl_->service->rules, now);
  if (!established.ok()) return established.status();
  progress.context = *std::move(established);
  return progress;
}

absl::StatusOr<SecretBytes> Krb5Acceptor::ExportDelegated() const {
  if (!impl_->ended || impl_->delegated == nullptr) {
    return MakeContextError(ContextError::kNoCredentials,
                            "the client did not give its ticket away; let it ask to delegate");
  }
  GssBuffer output;
  OM_uint32 minor;
  const OM_uint32 major = gss_export_cred(&minor, impl_->delegated.get(), output.get());
  if (major != GSS_S_COMPLETE) return GssStatus("export the client's ticket", major, minor);
  return SecretBytes(output.view());
}

}  // namespace reeve
