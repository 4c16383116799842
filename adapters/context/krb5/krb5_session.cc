#include "reeve/adapters/context/krb5/krb5_session.h"

#include <algorithm>
#include <string>
#include <utility>

#include "reeve/adapters/context/krb5/krb5_token.h"

namespace reeve {
namespace {

constexpr OM_uint32 kOutOfOrder =
    GSS_S_DUPLICATE_TOKEN | GSS_S_OLD_TOKEN | GSS_S_UNSEQ_TOKEN | GSS_S_GAP_TOKEN;

ContextError ErrorOfMessage(OM_uint32 major) {
  // Success with a remark, or an error with one.
  if ((GSS_SUPPLEMENTARY_INFO(major) & kOutOfOrder) != 0) return ContextError::kOutOfSequence;
  const ContextError error = ContextErrorOfGss(major);
  return error == ContextError::kAuthenticationFailed ? ContextError::kMessageAltered : error;
}

}  // namespace

absl::Status Krb5Session::CheckUsable() const {
  if (context_ == nullptr) {
    return MakeContextError(ContextError::kInvalidHandle,
                            "the context was exported; whoever opened it has its messages");
  }
  if ((flags_ & kGssProtected) != kGssProtected) {
    return MakeContextError(ContextError::kNotSupported,
                            "the client did not ask for protected messages");
  }
  return absl::OkStatus();
}

absl::StatusOr<std::string> Krb5Session::Wrap(std::string_view message, bool encrypt) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  const auto no_encryption = [] {
    return MakeContextError(ContextError::kNotSupported,
                            "the client did not ask for encrypted messages");
  };
  if (encrypt && (flags_ & GSS_C_CONF_FLAG) == 0) return no_encryption();
  gss_buffer_desc input = GssView(message);
  GssBuffer output;
  int encrypted = 0;
  OM_uint32 minor;
  const OM_uint32 major = gss_wrap(&minor, context_.get(), encrypt, GSS_C_QOP_DEFAULT, &input,
                                   &encrypted, output.get());
  if (major != GSS_S_COMPLETE) return GssStatus("protect the message", major, minor);
  if (encrypt && encrypted == 0) return no_encryption();
  return std::string(output.view());
}

absl::StatusOr<ContextSession::Message> Krb5Session::Unwrap(std::string_view wrapped) {
  if (absl::Status status = CheckUsable(); !status.ok()) return status;
  if (wrapped.empty()) {
    return MakeContextError(ContextError::kMalformed, "the protected message is empty");
  }
  // It is changed in its place: of what is not encrypted a number in the head is set to zero.
  std::string changed(wrapped);
  gss_buffer_desc input = GssView(changed);
  GssBuffer output;
  int encrypted = 0;
  OM_uint32 minor;
  const OM_uint32 major =
      gss_unwrap(&minor, context_.get(), &input, output.get(), &encrypted, nullptr);
  // GSS_ERROR() is false for a replay.
  if (major != GSS_S_COMPLETE) {
    return GssStatus(ErrorOfMessage(major), "take the message", major, minor);
  }
  return Message{std::string(output.view()), encrypted != 0};
}

absl::StatusOr<SecretBytes> Krb5Session::Export() {
  if (context_ == nullptr) {
    return MakeContextError(ContextError::kInvalidHandle, "the context was exported already");
  }
  gss_ctx_id_t context = context_.release();
  GssBuffer output;
  OM_uint32 minor;
  const OM_uint32 major = gss_export_sec_context(&minor, &context, output.get());
  // Null if it succeeded.
  context_.reset(context);
  context_.reset();
  if (major != GSS_S_COMPLETE) {
    return GssStatus(ContextError::kMechanism, "export the context", major, minor);
  }
  const std::string_view frame = ExportedFrame(mechanism_);
  if (output.view().substr(0, frame.size()) == frame) return SecretBytes(output.view());
  // What Krb5Package imported of a context of SPNEGO.
  SecretBytes framed(frame.size() + output.view().size());
  std::copy(frame.begin(), frame.end(), framed.data());
  std::copy(output.view().begin(), output.view().end(), framed.data() + frame.size());
  return framed;
}

}  // namespace reeve
