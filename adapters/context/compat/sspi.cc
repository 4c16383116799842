#include "reeve/adapters/context/compat/sspi.h"

#include <sys/random.h>

#include <iterator>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/secret_bytes.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/mutex.h"
#include "reeve/engine/text.h"

namespace reeve::sspi {
namespace {

// By number: what each error is of an import, and later. Of an import these are the codes that are
// documented, and no other.
struct Row {
  ContextError error;
  SECURITY_STATUS import;
  SECURITY_STATUS use;
};
constexpr Row kRows[] = {
    {ContextError::kUnknownPackage, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
    {ContextError::kMalformed, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
    {ContextError::kUnsupportedVersion, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
    {ContextError::kUnknownKey, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
    {ContextError::kAuthenticationFailed, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
    {ContextError::kMechanism, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
    {ContextError::kExpired, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_CONTEXT_EXPIRED},
    {ContextError::kNotYetValid, SEC_E_UNKNOWN_CREDENTIALS, SEC_E_UNKNOWN_CREDENTIALS},
    {ContextError::kNoCredentials, SEC_E_NO_CREDENTIALS, SEC_E_NO_CREDENTIALS},
    {ContextError::kWrongTarget, SEC_E_NOT_OWNER, SEC_E_NOT_OWNER},
    {ContextError::kReplayed, SEC_E_NOT_OWNER, SEC_E_NOT_OWNER},
    {ContextError::kExporterNotAllowed, SEC_E_NOT_OWNER, SEC_E_NOT_OWNER},
    {ContextError::kResourceExhausted, SEC_E_INSUFFICIENT_MEMORY, SEC_E_INSUFFICIENT_MEMORY},
    {ContextError::kInternal, SEC_E_INTERNAL_ERROR, SEC_E_INTERNAL_ERROR},
    {ContextError::kInvalidHandle, SEC_E_INTERNAL_ERROR, SEC_E_INVALID_HANDLE},
    {ContextError::kNotSupported, SEC_E_INTERNAL_ERROR, SEC_E_NOT_SUPPORTED},
    {ContextError::kMessageAltered, SEC_E_INTERNAL_ERROR, SEC_E_MESSAGE_ALTERED},
    {ContextError::kOutOfSequence, SEC_E_INTERNAL_ERROR, SEC_E_OUT_OF_SEQUENCE},
};
constexpr bool RowsAreByNumber() {
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (kRows[i].error != static_cast<ContextError>(i)) return false;
  }
  return std::size(kRows) == static_cast<size_t>(ContextError::kOutOfSequence) + 1;
}
static_assert(RowsAreByNumber());

struct Text {
  SECURITY_STATUS status;
  std::string_view text;
};
constexpr Text kTexts[] = {
    {SEC_E_OK, "SEC_E_OK: success"},
    {SEC_E_INSUFFICIENT_MEMORY,
     "SEC_E_INSUFFICIENT_MEMORY: there is no memory left, or a limit is reached"},
    {SEC_E_INVALID_HANDLE, "SEC_E_INVALID_HANDLE: there is no such context, or no such buffer"},
    {SEC_E_NOT_SUPPORTED, "SEC_E_NOT_SUPPORTED: such a context does not do that"},
    {SEC_E_INTERNAL_ERROR,
     "SEC_E_INTERNAL_ERROR: the machine failed, or the call or its options are wrong"},
    {SEC_E_NOT_OWNER, "SEC_E_NOT_OWNER: the context is not for this program, or not from that one"},
    {SEC_E_UNKNOWN_CREDENTIALS,
     "SEC_E_UNKNOWN_CREDENTIALS: the context is not what it should be, or cannot be believed"},
    {SEC_E_NO_CREDENTIALS, "SEC_E_NO_CREDENTIALS: this program has no key for contexts"},
    {SEC_E_MESSAGE_ALTERED, "SEC_E_MESSAGE_ALTERED: the message is not what the peer protected"},
    {SEC_E_OUT_OF_SEQUENCE,
     "SEC_E_OUT_OF_SEQUENCE: the message is a replay, late, or one is missing before it"},
    {SEC_E_CONTEXT_EXPIRED, "SEC_E_CONTEXT_EXPIRED: the context has ended"},
};

// A context that has a handle. Empty before it is there, and when it was taken.
struct Kept {
  Mutex mutex;
  std::optional<SecurityContext> context ABSL_GUARDED_BY(mutex);
};

// What the calls share. Lives as long as the program.
struct State {
  struct Slot {
    ULONG_PTR secret;  // SecHandle::dwUpper
    std::shared_ptr<Kept> kept;
  };

  Mutex mutex;
  std::map<ULONG_PTR, Slot> slots ABSL_GUARDED_BY(mutex);  // By SecHandle::dwLower.
  ULONG_PTR last_slot ABSL_GUARDED_BY(mutex) = 0;
  std::map<const void*, SecretBytes> buffers ABSL_GUARDED_BY(mutex);
  std::shared_ptr<const ImportOptions> import_options ABSL_GUARDED_BY(mutex);
  std::shared_ptr<const ExportOptions> export_options ABSL_GUARDED_BY(mutex);
};

State& Shared() {
  static State& state = *new State();
  return state;
}

absl::Status NoContext() {
  return MakeContextError(ContextError::kInvalidHandle,
                          "there is no context of this handle; it was deleted, exported, or never "
                          "was one");
}

// A place for a context, made before there is one, so that no context is lost for want of it. Given
// back unless it is filled.
class NewHandle {
 public:
  static absl::StatusOr<NewHandle> Make() {
    ULONG_PTR secret;
    if (getrandom(&secret, sizeof(secret), 0) != sizeof(secret)) {
      return MakeContextError(ContextError::kInternal,
                              "the kernel gave no random number for a handle (getrandom)");
    }
    secret >>= 1;  // Never that of SecInvalidateHandle().
    auto kept = std::make_shared<Kept>();
    State& state = Shared();
    MutexLock lock(state.mutex);
    if (state.slots.size() >= kMaxHandles) {
      return MakeContextError(
          ContextError::kResourceExhausted,
          absl::StrCat("there are ", kMaxHandles,
                       " contexts; delete those that are done with by DeleteSecurityContext()"));
    }
    state.slots.emplace(++state.last_slot, State::Slot{secret, kept});
    return NewHandle({state.last_slot, secret}, std::move(kept));
  }

  NewHandle(NewHandle&&) = default;
  NewHandle& operator=(NewHandle&&) = delete;
  ~NewHandle() {
    if (kept_ == nullptr) return;
    MutexLock lock(Shared().mutex);
    Shared().slots.erase(handle_.dwLower);
  }

  CtxtHandle Fill(SecurityContext context) {
    const std::shared_ptr<Kept> kept = std::move(kept_);
    MutexLock lock(kept->mutex);
    kept->context.emplace(std::move(context));
    return handle_;
  }

 private:
  NewHandle(const CtxtHandle& handle, std::shared_ptr<Kept> kept)
      : handle_(handle), kept_(std::move(kept)) {}

  CtxtHandle handle_;
  std::shared_ptr<Kept> kept_;
};

// Null if there is none. Forgets the handle if `take`.
std::shared_ptr<Kept> Find(const CtxtHandle& handle, bool take) {
  State& state = Shared();
  MutexLock lock(state.mutex);
  const auto found = state.slots.find(handle.dwLower);
  if (found == state.slots.end() || found->second.secret != handle.dwUpper) return nullptr;
  std::shared_ptr<Kept> kept = found->second.kept;
  if (take) state.slots.erase(found);
  return kept;
}

absl::Status Import(std::string_view package, const SecBuffer* packed, const void* token,
                    PCtxtHandle context) {
  if (context == nullptr) return absl::InvalidArgumentError("there is no handle to import into");
  SecInvalidateHandle(context);
  std::shared_ptr<const ImportOptions> shared;
  {
    MutexLock lock(Shared().mutex);
    shared = Shared().import_options;
  }
  if (shared == nullptr) {
    return MakeContextError(ContextError::kNoCredentials,
                            "this program has not said what to import contexts by; call "
                            "reeve::sspi::UseImportOptions() first");
  }
  absl::StatusOr<NewHandle> handle = NewHandle::Make();
  if (!handle.ok()) return handle.status();

  ImportOptions options = *shared;
  options.exporter = static_cast<const PeerToken*>(token);
  absl::Span<const uint8_t> bytes;
  if (packed != nullptr && packed->pvBuffer != nullptr) {
    bytes = {static_cast<const uint8_t*>(packed->pvBuffer), packed->cbBuffer};
  }
  absl::StatusOr<SecurityContext> imported = reeve::ImportSecurityContext(package, bytes, options);
  if (!imported.ok()) return imported.status();
  *context = handle->Fill(*std::move(imported));
  return absl::OkStatus();
}

absl::Status Export(const SecHandle* context, ULONG flags, PSecBuffer packed, void** token) {
  if (token != nullptr) *token = nullptr;
  if (packed != nullptr) {
    packed->cbBuffer = 0;
    packed->pvBuffer = nullptr;
  }
  const std::shared_ptr<Kept> kept = context == nullptr ? nullptr : Find(*context, /*take=*/false);
  if (kept == nullptr) return NoContext();
  if (packed == nullptr) return absl::InvalidArgumentError("there is no buffer to export into");
  constexpr ULONG kKnown = SECPKG_CONTEXT_EXPORT_RESET_NEW | SECPKG_CONTEXT_EXPORT_DELETE_OLD;
  if ((flags & ~kKnown) != 0 || (flags & SECPKG_CONTEXT_EXPORT_DELETE_OLD) == 0) {
    return MakeContextError(ContextError::kNotSupported,
                            "a context is exported with SECPKG_CONTEXT_EXPORT_DELETE_OLD, and "
                            "with or without SECPKG_CONTEXT_EXPORT_RESET_NEW, only");
  }
  std::shared_ptr<const ExportOptions> shared;
  {
    MutexLock lock(Shared().mutex);
    shared = Shared().export_options;
    if (Shared().buffers.size() >= kMaxBuffers) {
      return MakeContextError(
          ContextError::kResourceExhausted,
          absl::StrCat("there are ", kMaxBuffers, " buffers; free them by FreeContextBuffer()"));
    }
  }
  if (shared == nullptr) {
    return MakeContextError(ContextError::kNoCredentials,
                            "this program has not said what to export contexts by; call "
                            "reeve::sspi::UseExportOptions() first");
  }
  ExportOptions options = *shared;
  bool has_session;
  {
    MutexLock lock(kept->mutex);
    has_session = kept->context.has_value() && kept->context->has_session();
  }
  const bool reset = (flags & SECPKG_CONTEXT_EXPORT_RESET_NEW) != 0;
  if (has_session && !reset && !options.with_session) {
    return MakeContextError(ContextError::kNotSupported,
                            "ExportOptions::with_session lets no keys of messages travel; set it, "
                            "or export with SECPKG_CONTEXT_EXPORT_RESET_NEW");
  }
  options.with_session = has_session && !reset;

  absl::StatusOr<SecurityContext> taken = TakeContext(*context);
  if (!taken.ok()) return taken.status();
  const absl::StatusOr<std::string> sealed = std::move(*taken).Export(options);
  if (!sealed.ok()) return sealed.status();
  SecretBytes bytes(*sealed);
  uint8_t* const data = bytes.data();
  const size_t size = bytes.size();
  {
    MutexLock lock(Shared().mutex);
    Shared().buffers.emplace(data, std::move(bytes));
  }
  packed->cbBuffer = static_cast<ULONG>(size);
  packed->pvBuffer = data;
  return absl::OkStatus();
}

absl::Status Delete(const SecHandle* context) {
  return context == nullptr ? NoContext() : TakeContext(*context).status();
}

absl::Status Free(const void* buffer) {
  MutexLock lock(Shared().mutex);
  if (Shared().buffers.erase(buffer) != 0) return absl::OkStatus();
  return MakeContextError(ContextError::kInvalidHandle,
                          "there is no such buffer; it was freed, or another call made it");
}

thread_local absl::Status last_error;

// Makes what `call` returns the last error, and a code.
template <typename F>
SECURITY_STATUS Run(SECURITY_STATUS (*code_of)(const absl::Status&), const F& call) {
  try {
    last_error = call();
    return code_of(last_error);
  } catch (const std::bad_alloc&) {
    last_error = absl::Status(absl::StatusCode::kResourceExhausted, "");  // Needs no memory.
    return SEC_E_INSUFFICIENT_MEMORY;
  }
}

// Null: of those without a ContextError, and of success.
const Row* RowOf(const absl::Status& status) {
  const std::optional<ContextError> error = ContextErrorOf(status);
  return error.has_value() ? &kRows[static_cast<size_t>(*error)] : nullptr;
}

// What is no character stands as U+FFFD, which no name of a package has.
std::string Utf8Of(const SEC_WCHAR* text) {
  std::string utf8;
  for (; *text != 0; ++text) {
    auto code_point = static_cast<char32_t>(*text);
    if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point < 0xE000)) code_point = 0xFFFD;
    AppendUtf8(code_point, &utf8);
  }
  return utf8;
}

}  // namespace

// NOLINTBEGIN: names of the original.

SECURITY_STATUS ImportSecurityContextA(const SEC_CHAR* package, PSecBuffer packed, void* token,
                                       PCtxtHandle context) {
  return Run(SecurityStatusOf,
             [&] { return Import(package == nullptr ? "" : package, packed, token, context); });
}

SECURITY_STATUS ImportSecurityContextW(const SEC_WCHAR* package, PSecBuffer packed, void* token,
                                       PCtxtHandle context) {
  return Run(SecurityStatusOf, [&] {
    return Import(package == nullptr ? "" : Utf8Of(package), packed, token, context);
  });
}

SECURITY_STATUS ExportSecurityContext(PCtxtHandle context, ULONG flags, PSecBuffer packed,
                                      void** token) {
  return Run(SecurityStatusOfUse, [&] { return Export(context, flags, packed, token); });
}

SECURITY_STATUS DeleteSecurityContext(PCtxtHandle context) {
  return Run(SecurityStatusOfUse, [&] { return Delete(context); });
}

SECURITY_STATUS FreeContextBuffer(void* buffer) {
  return Run(SecurityStatusOfUse, [&] { return Free(buffer); });
}

// NOLINTEND

void UseImportOptions(const ImportOptions& options) {
  auto shared = std::make_shared<const ImportOptions>(options);
  MutexLock lock(Shared().mutex);
  Shared().import_options.swap(shared);
}

void UseExportOptions(const ExportOptions& options) {
  auto shared = std::make_shared<const ExportOptions>(options);
  MutexLock lock(Shared().mutex);
  Shared().export_options.swap(shared);
}

absl::StatusOr<CtxtHandle> KeepContext(SecurityContext context) {
  const absl::Status live = context.principal(absl::InfinitePast()).status();
  if (ContextErrorOf(live) == ContextError::kInvalidHandle) return live;
  absl::StatusOr<NewHandle> handle = NewHandle::Make();
  if (!handle.ok()) return handle.status();
  return handle->Fill(std::move(context));
}

absl::StatusOr<SecurityContext> TakeContext(const CtxtHandle& handle) {
  const std::shared_ptr<Kept> kept = Find(handle, /*take=*/true);
  if (kept == nullptr) return NoContext();
  MutexLock lock(kept->mutex);
  std::optional<SecurityContext> context = std::exchange(kept->context, std::nullopt);
  if (!context.has_value()) return NoContext();
  return *std::move(context);
}

absl::StatusOr<Principal> PrincipalOf(const CtxtHandle& handle, absl::Time now) {
  const std::shared_ptr<Kept> kept = Find(handle, /*take=*/false);
  if (kept == nullptr) return NoContext();
  MutexLock lock(kept->mutex);
  if (!kept->context.has_value()) return NoContext();
  const absl::StatusOr<const Principal*> principal = kept->context->principal(now);
  if (!principal.ok()) return principal.status();
  return **principal;
}

const absl::Status& LastError() { return last_error; }

SECURITY_STATUS SecurityStatusOf(const absl::Status& status) {
  if (status.ok()) return SEC_E_OK;
  const Row* row = RowOf(status);
  return row == nullptr ? SEC_E_INTERNAL_ERROR : row->import;
}

SECURITY_STATUS SecurityStatusOfUse(const absl::Status& status) {
  if (status.ok()) return SEC_E_OK;
  const Row* row = RowOf(status);
  return row == nullptr ? SEC_E_INTERNAL_ERROR : row->use;
}

std::string_view ToString(SECURITY_STATUS status) {
  for (const Text& text : kTexts) {
    if (text.status == status) return text.text;
  }
  return "unknown: no call here returns this status";
}

}  // namespace reeve::sspi
