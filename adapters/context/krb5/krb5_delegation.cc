#include "reeve/adapters/context/krb5/krb5_delegation.h"

#include <string_view>
#include <utility>

#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/krb5/gss.h"
#include "reeve/adapters/context/krb5/krb5_import.h"
#include "reeve/adapters/context/krb5/krb5_token.h"

namespace reeve {
namespace {

absl::Status CannotKeep() {
  return MakeContextError(ContextError::kInternal,
                          "the client's ticket cannot be kept in this process");
}

// Makes an empty cache of this process, and says its name.
absl::StatusOr<std::string> MakeCache(krb5_context library) {
  krb5_ccache cache;
  if (krb5_cc_new_unique(library, "MEMORY", nullptr, &cache) != 0) return CannotKeep();
  char* name = nullptr;
  const bool named = krb5_cc_get_full_name(library, cache, &name) == 0;
  std::string text(named ? name : "");
  if (named) krb5_free_string(library, name);
  krb5_cc_close(library, cache);
  if (!named) return CannotKeep();
  return text;
}

}  // namespace

DelegatedTicket::DelegatedTicket(std::string ccache, std::string client)
    : ccache_(std::move(ccache)), client_(std::move(client)) {}

DelegatedTicket::~DelegatedTicket() {
  const absl::StatusOr<Krb5Library> library = OpenKrb5();
  krb5_ccache cache;
  if (library.ok() && krb5_cc_resolve(library->get(), ccache_.c_str(), &cache) == 0) {
    krb5_cc_destroy(library->get(), cache);
  }
}

absl::StatusOr<std::unique_ptr<DelegatedTicket>> ImportDelegated(absl::Span<const uint8_t> bytes) {
  const std::string_view exported(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (absl::Status status = CheckExportedTicket(exported); !status.ok()) return status;
  const absl::StatusOr<GssCredential> credential = ImportGssCredential(exported);
  if (!credential.ok()) return credential.status();
  gss_name_t name = GSS_C_NO_NAME;
  OM_uint32 seconds = 0;
  OM_uint32 minor;
  OM_uint32 major = gss_inquire_cred(&minor, credential->get(), &name, &seconds, nullptr, nullptr);
  const GssName owned(name);
  if (major != GSS_S_COMPLETE) return GssStatus("read the client's ticket", major, minor);
  if (seconds == 0) {
    return MakeContextError(ContextError::kExpired, "the client's ticket has ended");
  }
  GssBuffer client;
  major = gss_display_name(&minor, name, client.get(), nullptr);
  if (major != GSS_S_COMPLETE) return GssStatus("read the client's ticket", major, minor);

  const absl::StatusOr<Krb5Library> library = OpenKrb5();
  if (!library.ok()) return library.status();
  absl::StatusOr<std::string> cache = MakeCache(library->get());
  if (!cache.ok()) return cache.status();
  // From here on the cache goes with it.
  std::unique_ptr<DelegatedTicket> ticket(
      new DelegatedTicket(*std::move(cache), std::string(client.view())));
  gss_key_value_element_desc element = {"ccache", ticket->ccache().c_str()};
  const gss_key_value_set_desc store = {1, &element};
  major = gss_store_cred_into(&minor, credential->get(), GSS_C_INITIATE, GSS_C_NO_OID,
                              /*overwrite_cred=*/1, /*default_cred=*/0, &store, nullptr, nullptr);
  if (major != GSS_S_COMPLETE) {
    return GssStatus(ContextError::kInternal, "keep the client's ticket", major, minor);
  }
  return ticket;
}

}  // namespace reeve
