// The calls of SSPI that move a security context from one process to another, by their names, so
// that code and tests written for them read the same: a SECURITY_STATUS, handles that are numbers,
// buffers that the callee allocates. Built on ../security_context.h, which says more and is the one
// to use in new code:
//
//   ImportSecurityContext  reeve::ImportSecurityContext()
//   ExportSecurityContext  reeve::SecurityContext::Export()
//   DeleteSecurityContext  the destructor of a reeve::SecurityContext
//   FreeContextBuffer      the destructor of a std::string
//
// A program says once what contexts are sealed and opened by, and who may hand them over:
//
//   reeve::sspi::UseImportOptions(options);  // nothing is imported before
//
// and then reads as it did, after `using namespace reeve::sspi;`
//
//   CtxtHandle context;
//   SECURITY_STATUS status = ImportSecurityContextA("reeve", &packed, &peer_token, &context);
//   absl::StatusOr<reeve::Principal> principal = reeve::sspi::PrincipalOf(context, now);
//   DeleteSecurityContext(&context);
//
// Where this differs from the original:
//   - Who handed the context over, a reeve::PeerToken, is the token of Import. No token is needed
//     of Export, which gives none.
//   - Export always ends the context here, as Kerberos does, so it must be asked to:
//     SECPKG_CONTEXT_EXPORT_DELETE_OLD.
//   - Packages have Reeve's names: `krb5`, not `Kerberos`.
//   - Where the documentation is silent, the code is ours; the comments mark it "ours".
//
// Thread-safe. The last error belongs to the thread.
// Source: Microsoft's documentation of each call (sspi.h, winerror.h), by name and number of the
// codes; sspi_test.cc has a row for each code.
#ifndef REEVE_ADAPTERS_CONTEXT_COMPAT_SSPI_H_
#define REEVE_ADAPTERS_CONTEXT_COMPAT_SSPI_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/security_context.h"
#include "reeve/engine/principal.h"

namespace reeve::sspi {

// NOLINTBEGIN: names of the original.

using ULONG = uint32_t;
using ULONG_PTR = uint64_t;
using SEC_CHAR = char;
using SEC_WCHAR = wchar_t;
using SECURITY_STATUS = int32_t;

inline constexpr SECURITY_STATUS SEC_E_OK = 0;
inline constexpr auto SEC_E_INSUFFICIENT_MEMORY = static_cast<SECURITY_STATUS>(0x80090300);
inline constexpr auto SEC_E_INVALID_HANDLE = static_cast<SECURITY_STATUS>(0x80090301);
inline constexpr auto SEC_E_UNSUPPORTED_FUNCTION = static_cast<SECURITY_STATUS>(0x80090302);
inline constexpr SECURITY_STATUS SEC_E_NOT_SUPPORTED = SEC_E_UNSUPPORTED_FUNCTION;
inline constexpr auto SEC_E_INTERNAL_ERROR = static_cast<SECURITY_STATUS>(0x80090304);
inline constexpr auto SEC_E_NOT_OWNER = static_cast<SECURITY_STATUS>(0x80090306);
inline constexpr auto SEC_E_UNKNOWN_CREDENTIALS = static_cast<SECURITY_STATUS>(0x8009030D);
inline constexpr auto SEC_E_NO_CREDENTIALS = static_cast<SECURITY_STATUS>(0x8009030E);
inline constexpr auto SEC_E_MESSAGE_ALTERED = static_cast<SECURITY_STATUS>(0x8009030F);
inline constexpr auto SEC_E_OUT_OF_SEQUENCE = static_cast<SECURITY_STATUS>(0x80090310);
inline constexpr auto SEC_E_CONTEXT_EXPIRED = static_cast<SECURITY_STATUS>(0x80090317);

// Flags of ExportSecurityContext().
inline constexpr ULONG SECPKG_CONTEXT_EXPORT_RESET_NEW = 1;
inline constexpr ULONG SECPKG_CONTEXT_EXPORT_DELETE_OLD = 2;
inline constexpr ULONG SECPKG_CONTEXT_EXPORT_TO_KERNEL = 4;

inline constexpr ULONG SECBUFFER_EMPTY = 0;
inline constexpr ULONG SECBUFFER_DATA = 1;
inline constexpr ULONG SECBUFFER_TOKEN = 2;

struct SecBuffer {
  ULONG cbBuffer;    // Of what `pvBuffer` points to, in bytes.
  ULONG BufferType;  // Neither read nor changed here.
  void* pvBuffer;
};
using PSecBuffer = SecBuffer*;

// Names a context of this process. No number is used twice, and none can be guessed.
struct SecHandle {
  ULONG_PTR dwLower;
  ULONG_PTR dwUpper;
};
using CtxtHandle = SecHandle;
using PCtxtHandle = SecHandle*;

// What no context is named, and whether `handle` is not that. It says nothing of a handle that was
// deleted.
inline void SecInvalidateHandle(PCtxtHandle handle) { *handle = {~ULONG_PTR{0}, ~ULONG_PTR{0}}; }
inline bool SecIsValidHandle(const SecHandle* handle) {
  return handle->dwLower != ~ULONG_PTR{0} && handle->dwUpper != ~ULONG_PTR{0};
}

// The context that another process exported to this one: reeve::ImportSecurityContext(), with what
// UseImportOptions() said. `token` is whom the bytes were received from, a const reeve::PeerToken*;
// null where opener and authorizer do not need it. It is used during the call only. `context` is to
// be deleted by DeleteSecurityContext(); on error no context is named by it.
//   SEC_E_UNKNOWN_CREDENTIALS  the package or the key is unknown; the context is malformed, was
//                              changed on its way, or has expired, or is not yet valid; the
//                              mechanism refuses it; `package` or `packed` is null (ours)
//   SEC_E_NO_CREDENTIALS       this program has no key to open it with; UseImportOptions() was not
//                              called (ours)
//   SEC_E_NOT_OWNER            it was made for another process, was imported before, or was handed
//                              over by who may not
//   SEC_E_INSUFFICIENT_MEMORY  there is no memory, or a configured limit is reached;
//                              kMaxHandles contexts are here (ours)
//   SEC_E_INTERNAL_ERROR       anything else; `context` is null (ours), and then `packed` was not
//                              opened
// The authorizer records each call, but those that end before anything is opened: for want of
// options, of a place for the context, or of a handle to give.
SECURITY_STATUS ImportSecurityContextA(const SEC_CHAR* package, PSecBuffer packed, void* token,
                                       PCtxtHandle context);
SECURITY_STATUS ImportSecurityContextW(const SEC_WCHAR* package, PSecBuffer packed, void* token,
                                       PCtxtHandle context);
// The original chooses one of the two by UNICODE; here the type does.
inline SECURITY_STATUS ImportSecurityContext(const SEC_CHAR* package, PSecBuffer packed,
                                             void* token, PCtxtHandle context) {
  return ImportSecurityContextA(package, packed, token, context);
}
inline SECURITY_STATUS ImportSecurityContext(const SEC_WCHAR* package, PSecBuffer packed,
                                             void* token, PCtxtHandle context) {
  return ImportSecurityContextW(package, packed, token, context);
}

// The context as bytes for one other process: reeve::SecurityContext::Export(), with what
// UseExportOptions() said. `*packed` becomes a new buffer, to be freed by FreeContextBuffer();
// `*token`, unless `token` is null, becomes null: the importer needs no token.
//
// SECPKG_CONTEXT_EXPORT_DELETE_OLD must be among `flags`: the context ends here, and the handle is
// deleted, from the moment when it is sealed on, whether that succeeds or not. No mechanism here
// can do without. With SECPKG_CONTEXT_EXPORT_RESET_NEW the new context is the principal alone,
// package `reeve`, and no key of messages travels. Without it the keys travel, if the context has
// any and ExportOptions::with_session lets them; the importer then names the context's package. A
// context without keys is exported as with RESET_NEW.
//   SEC_E_INSUFFICIENT_MEMORY  there is no memory; kMaxBuffers buffers are not freed (ours)
//   SEC_E_INVALID_HANDLE       `context` is null, or no context is named by it
//   SEC_E_NOT_SUPPORTED        DELETE_OLD is missing; TO_KERNEL or an unknown flag is there; the
//                              context has keys and the options do not let them travel
//   SEC_E_INTERNAL_ERROR       `packed` is null (ours); the options are wrong; the machine failed
//   SEC_E_CONTEXT_EXPIRED      (ours)
//   SEC_E_NO_CREDENTIALS       the sealer has no key, or UseExportOptions() was not called (ours)
//   SEC_E_NOT_OWNER            the importer is no longer there (ours)
//   SEC_E_UNKNOWN_CREDENTIALS  the context is too large (ours)
// On error `*packed` has no buffer. The context stays where the flags, the arguments or a limit are
// wrong; once it is being sealed it is gone.
SECURITY_STATUS ExportSecurityContext(PCtxtHandle context, ULONG flags, PSecBuffer packed,
                                      void** token);

// Ends the context; its keys are wiped. A copy of the handle names nothing any more.
//   SEC_E_INVALID_HANDLE  `context` is null, or no context is named by it
SECURITY_STATUS DeleteSecurityContext(PCtxtHandle context);

// Frees a buffer that ExportSecurityContext() made, after zeroing it.
//   SEC_E_INVALID_HANDLE  `buffer` is null, freed, or not of that call (ours); nothing is done
SECURITY_STATUS FreeContextBuffer(void* buffer);

// NOLINTEND

// The most contexts, and the most buffers, that there may be at a time.
inline constexpr size_t kMaxHandles = 65536;
inline constexpr size_t kMaxBuffers = 65536;

// How all calls import and export from now on; SEC_E_NO_CREDENTIALS before. What the options point
// to must outlive the last call. `exporter` is not used: it is the token of each call.
void UseImportOptions(const ImportOptions& options);
void UseExportOptions(const ExportOptions& options);

// The handle of a context that this process established, for ExportSecurityContext(). Takes it.
// Errors: kInvalidHandle (it was moved away, or exported), kResourceExhausted (kMaxHandles contexts
// are here), kInternal.
absl::StatusOr<CtxtHandle> KeepContext(SecurityContext context);

// The context, for the native calls: protected messages above all. No context is named by `handle`
// any more. Errors: kInvalidHandle.
absl::StatusOr<SecurityContext> TakeContext(const CtxtHandle& handle);

// Who it is, while the context lasts, by value. Ask for each decision.
// Errors: kInvalidHandle, kExpired: to SecurityStatusOfUse() SEC_E_CONTEXT_EXPIRED.
absl::StatusOr<Principal> PrincipalOf(const CtxtHandle& handle, absl::Time now);

// What the last of the calls above with a SECURITY_STATUS said in this thread, natively: code,
// message for the log, and ContextError. ResourceExhausted without a message if there was not even
// memory for that.
const absl::Status& LastError();

// The code for what reeve::ImportSecurityContext() said: SEC_E_OK, or one of the five that are
// documented of the original. A status without a ContextError is SEC_E_INTERNAL_ERROR.
SECURITY_STATUS SecurityStatusOf(const absl::Status& status);
// The same of everything done with a context later.
SECURITY_STATUS SecurityStatusOfUse(const absl::Status& status);

// "SEC_E_NOT_OWNER: the context is not for this program, or not from that one", as FormatMessage()
// does. Lives as long as the program.
std::string_view ToString(SECURITY_STATUS status);

}  // namespace reeve::sspi

#endif  // REEVE_ADAPTERS_CONTEXT_COMPAT_SSPI_H_
