// Private to this folder: what libgssapi gives, owned; and what it says, as errors.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_GSS_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_GSS_H_

#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <krb5/krb5.h>

#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/context/context_error.h"

namespace reeve {

struct GssFree {
  void operator()(gss_ctx_id_t context) const {
    OM_uint32 minor;
    gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
  }
  void operator()(gss_name_t name) const {
    OM_uint32 minor;
    gss_release_name(&minor, &name);
  }
  void operator()(gss_cred_id_t credential) const {
    OM_uint32 minor;
    gss_release_cred(&minor, &credential);
  }
  void operator()(gss_buffer_set_t set) const;
  void operator()(krb5_context context) const { krb5_free_context(context); }
};
using GssContext = std::unique_ptr<gss_ctx_id_struct, GssFree>;
using GssName = std::unique_ptr<gss_name_struct, GssFree>;
using GssCredential = std::unique_ptr<gss_cred_id_struct, GssFree>;
using GssBufferSet = std::unique_ptr<gss_buffer_set_desc_struct, GssFree>;
using Krb5Library = std::unique_ptr<_krb5_context, GssFree>;

// A buffer that libgssapi fills. Zeroed when it goes, for it may be a secret.
class GssBuffer {
 public:
  GssBuffer() = default;
  ~GssBuffer();
  GssBuffer(const GssBuffer&) = delete;
  GssBuffer& operator=(const GssBuffer&) = delete;

  gss_buffer_t get() { return &buffer_; }
  std::string_view view() const {
    return {static_cast<const char*>(buffer_.value), buffer_.value == nullptr ? 0 : buffer_.length};
  }

 private:
  gss_buffer_desc buffer_ = GSS_C_EMPTY_BUFFER;
};

// The name of a channel, in the form that libgssapi takes. Keep it in its place while it is used.
class ChannelBindings {
 public:
  explicit ChannelBindings(std::string name) : name_(std::move(name)) {}

  // GSS_C_NO_CHANNEL_BINDINGS if the name is empty.
  gss_channel_bindings_t get();

 private:
  std::string name_;
  gss_channel_bindings_struct bindings_ = {};
};

// `bytes` for a function of libgssapi that does not change them, as all but gss_unwrap(3).
gss_buffer_desc GssView(std::string_view bytes);

// The mechanisms, in the form that libgssapi takes. They live as long as the program.
gss_OID Krb5Oid();
gss_OID SpnegoOid();

// What a major status of a handshake, a credential or a message is as an error. The minor status
// says nothing reliable: of what cannot be parsed MIT says ENOMEM, and through SPNEGO the numbers
// are others.
ContextError ContextErrorOfGss(OM_uint32 major);

// The error `error` with what was done ("take the token"), and what libgssapi says of its reason.
absl::Status GssStatus(ContextError error, std::string_view doing, OM_uint32 major,
                       OM_uint32 minor);
// By the major status.
absl::Status GssStatus(std::string_view doing, OM_uint32 major, OM_uint32 minor);

// `text` as the name of a principal if it has a slash or a realm after a slash, else of a service
// on a host, "documents@web-1.example.com". Errors: InvalidArgument.
absl::StatusOr<GssName> ImportGssName(std::string_view text);

// Keys of `name`, or all if it is null, for `usage`, by the words of `store` ("keytab"): empty ones
// are left out. Of SPNEGO nothing but Kerberos is negotiated.
absl::StatusOr<GssCredential> AcquireGss(gss_name_t name, gss_cred_usage_t usage, bool krb5,
                                         bool spnego,
                                         std::vector<std::pair<const char*, std::string>> store);

// A handle of libkrb5, with krb5.conf read. Errors: kInternal.
absl::StatusOr<Krb5Library> OpenKrb5();

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_GSS_H_
