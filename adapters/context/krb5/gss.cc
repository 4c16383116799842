#include "reeve/adapters/context/krb5/gss.h"

#include <gssapi/gssapi_krb5.h>
#include <string.h>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/krb5/krb5_token.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr int kMaxStatusTexts = 4;
constexpr size_t kMaxStatusBytes = 300;

// What libgssapi says of a status, in its words.
std::string TextOf(OM_uint32 status, int type) {
  std::string text;
  OM_uint32 more = 0;
  for (int i = 0; i < kMaxStatusTexts; ++i) {
    OM_uint32 minor;
    GssBuffer part;
    if (GSS_ERROR(gss_display_status(&minor, status, type, GSS_C_NO_OID, &more, part.get()))) break;
    std::string_view words = part.view();
    if (!words.empty() && words.back() == '\0') words.remove_suffix(1);  // MIT's SPNEGO
    absl::StrAppend(&text, text.empty() ? "" : "; ", std::string(words));
    if (more == 0) break;
  }
  return Printable(text, kMaxStatusBytes);
}

}  // namespace

void GssFree::operator()(gss_buffer_set_t set) const {
  for (size_t i = 0; i < set->count; ++i) {
    explicit_bzero(set->elements[i].value, set->elements[i].length);
  }
  OM_uint32 minor;
  gss_release_buffer_set(&minor, &set);
}

GssBuffer::~GssBuffer() {
  if (buffer_.value != nullptr) explicit_bzero(buffer_.value, buffer_.length);
  OM_uint32 minor;
  gss_release_buffer(&minor, &buffer_);
}

gss_channel_bindings_t ChannelBindings::get() {
  if (name_.empty()) return GSS_C_NO_CHANNEL_BINDINGS;
  // Of no addresses: GSS_C_AF_UNSPEC is 0.
  bindings_.application_data = GssView(name_);
  return &bindings_;
}

gss_buffer_desc GssView(std::string_view bytes) {
  gss_buffer_desc buffer;
  buffer.length = bytes.size();
  buffer.value = const_cast<char*>(bytes.data());
  return buffer;
}

gss_OID Krb5Oid() {
  static gss_OID_desc oid = {static_cast<OM_uint32>(kKrb5Oid.size()),
                             const_cast<char*>(kKrb5Oid.data())};
  return &oid;
}

gss_OID SpnegoOid() {
  static gss_OID_desc oid = {static_cast<OM_uint32>(kSpnegoOid.size()),
                             const_cast<char*>(kSpnegoOid.data())};
  return &oid;
}

ContextError ContextErrorOfGss(OM_uint32 major) {
  // A token that is none makes MIT say that the caller did wrong.
  if (GSS_CALLING_ERROR(major) != 0 && GSS_ROUTINE_ERROR(major) != GSS_S_NO_CONTEXT) {
    return ContextError::kMalformed;
  }
  switch (GSS_ROUTINE_ERROR(major)) {
    case GSS_S_DEFECTIVE_TOKEN:
      return ContextError::kMalformed;
    case GSS_S_BAD_SIG:
      return ContextError::kAuthenticationFailed;
    case GSS_S_CONTEXT_EXPIRED:
    case GSS_S_CREDENTIALS_EXPIRED:
      return ContextError::kExpired;
    case GSS_S_NO_CRED:
    case GSS_S_DEFECTIVE_CREDENTIAL:
      return ContextError::kNoCredentials;
    case GSS_S_BAD_BINDINGS:
      return ContextError::kWrongTarget;
    case GSS_S_NO_CONTEXT:
      return ContextError::kInvalidHandle;
    default:
      return ContextError::kMechanism;
  }
}

absl::Status GssStatus(ContextError error, std::string_view doing, OM_uint32 major,
                       OM_uint32 minor) {
  // Of a failure the mechanism alone says which.
  std::string reason;
  if (minor != 0) reason = TextOf(minor, GSS_C_MECH_CODE);
  if (GSS_ROUTINE_ERROR(major) != GSS_S_FAILURE || reason.empty()) {
    reason = absl::StrCat(TextOf(major, GSS_C_GSS_CODE), reason.empty() ? "" : ": ", reason);
  }
  return MakeContextError(
      error, absl::StrCat("Kerberos cannot ", absl::string_view(doing.data(), doing.size()), ": `",
                          reason, "`"));
}

absl::Status GssStatus(std::string_view doing, OM_uint32 major, OM_uint32 minor) {
  return GssStatus(ContextErrorOfGss(major), doing, major, minor);
}

absl::StatusOr<GssName> ImportGssName(std::string_view text) {
  gss_buffer_desc buffer = GssView(text);
  const bool principal = text.find('/') != std::string_view::npos;
  gss_name_t name = GSS_C_NO_NAME;
  OM_uint32 minor = 0;
  OM_uint32 major = GSS_S_BAD_NAME;
  if (!text.empty() && !HasControlCharacter(text)) {
    major =
        gss_import_name(&minor, &buffer,
                        principal ? GSS_KRB5_NT_PRINCIPAL_NAME : GSS_C_NT_HOSTBASED_SERVICE, &name);
  }
  if (major != GSS_S_COMPLETE) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", Printable(text),
                     "` is no name of a service; write `service@host` or `service/host@REALM`"));
  }
  return GssName(name);
}

absl::StatusOr<GssCredential> AcquireGss(gss_name_t name, gss_cred_usage_t usage, bool krb5,
                                         bool spnego,
                                         std::vector<std::pair<const char*, std::string>> store) {
  gss_key_value_element_desc elements[4];
  gss_key_value_set_desc set = {0, elements};
  for (const auto& [key, value] : store) {
    if (!value.empty()) elements[set.count++] = {key, value.c_str()};
  }
  gss_OID_desc mechanisms[2];
  gss_OID_set_desc wanted = {0, mechanisms};
  if (krb5) mechanisms[wanted.count++] = *Krb5Oid();
  if (spnego) mechanisms[wanted.count++] = *SpnegoOid();
  gss_cred_id_t credential = GSS_C_NO_CREDENTIAL;
  OM_uint32 minor;
  OM_uint32 major = gss_acquire_cred_from(&minor, name, GSS_C_INDEFINITE, &wanted, usage,
                                          set.count == 0 ? GSS_C_NO_CRED_STORE : &set, &credential,
                                          nullptr, nullptr);
  const char* const doing =
      usage == GSS_C_ACCEPT ? "use the keytab" : "use the tickets in the cache";
  if (major != GSS_S_COMPLETE) {
    return GssStatus(ContextError::kNoCredentials, doing, major, minor);
  }
  GssCredential owned(credential);
  if (spnego) {
    gss_OID_set_desc negotiated = {1, Krb5Oid()};
    major = gss_set_neg_mechs(&minor, credential, &negotiated);
    if (major != GSS_S_COMPLETE) return GssStatus(ContextError::kInternal, doing, major, minor);
  }
  return owned;
}

absl::StatusOr<Krb5Library> OpenKrb5() {
  krb5_context context = nullptr;
  if (const krb5_error_code code = krb5_init_context(&context); code != 0) {
    const char* const text = krb5_get_error_message(nullptr, code);
    absl::Status status = MakeContextError(
        ContextError::kInternal, absl::StrCat("Kerberos does not begin: `", Printable(text),
                                              "`; look at krb5.conf and KRB5_CONFIG"));
    krb5_free_error_message(nullptr, text);
    return status;
  }
  return Krb5Library(context);
}

}  // namespace reeve
