// The calls by their names in SSPI: each documented code, and those that are ours.
#include "reeve/adapters/context/compat/sspi.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <iterator>
#include <memory>
#include <ostream>
#include <set>
#include <string>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_testing.h"
#include "reeve/adapters/socket/compat/winsock.h"
#include "reeve/engine/testing.h"

// As ported code has it: both folders' names, in one file.
using namespace reeve::sspi;  // NOLINT(google-build-using-namespace)

static_assert(std::is_same_v<ULONG, uint32_t>);
static_assert(std::is_same_v<SECURITY_STATUS, int32_t>);

namespace reeve {
namespace {

using context_testing::Ada;
using context_testing::Describe;
using context_testing::MakeEngine;
using context_testing::PlainSeal;
using context_testing::TestPackage;
using context_testing::TestSession;
using context_testing::TextSink;
using context_testing::ThisProcess;
using testing::FakeClock;
using testing::MakeRule;

constexpr ULONG kDelete = SECPKG_CONTEXT_EXPORT_DELETE_OLD;
constexpr ULONG kReset = SECPKG_CONTEXT_EXPORT_RESET_NEW;

// What the calls take place in. The policy lets this process hand over who is in `staff`.
struct World {
  World() {
    authorizer = std::make_unique<ImportByPolicy>(*engine);
    imports.packages = {&krb5};
    imports.opener = &seal;
    imports.authorizer = authorizer.get();
    imports.clock = &clock;
    exports.sealer = &seal;
    exports.clock = &clock;
    Use();
  }
  ~World() {
    for (void* buffer : buffers_) FreeContextBuffer(buffer);
    for (CtxtHandle& handle : handles_) DeleteSecurityContext(&handle);
  }

  void Use() const {
    UseImportOptions(imports);
    UseExportOptions(exports);
  }

  // Handles and buffers go with the world.
  CtxtHandle Keep(absl::StatusOr<SecurityContext> context) {
    const absl::StatusOr<CtxtHandle> handle = KeepContext(*std::move(context));
    EXPECT_TRUE(handle.ok()) << handle.status();
    return handle.ok() ? handles_.emplace_back(*handle) : CtxtHandle{0, 0};
  }
  CtxtHandle OfAda(absl::Duration left = absl::Hours(1)) {
    return Keep(SecurityContext::OfPrincipal(Ada(), clock.now, clock.now + left));
  }
  EstablishedContext Session() const {
    EstablishedContext context;
    context.principal = Ada();
    context.established = clock.now;
    context.expires = clock.now + absl::Hours(1);
    context.session = std::make_unique<TestSession>("keys");
    return context;
  }
  CtxtHandle WithSession() { return Keep(SecurityContext::Establish("krb5", Session())); }

  // A context as it was received.
  SecBuffer Packed() { return Exported(OfAda()); }
  SecBuffer Exported(CtxtHandle context) {
    SecBuffer packed = {0, SECBUFFER_EMPTY, nullptr};
    EXPECT_EQ(ExportSecurityContext(&context, kDelete, &packed, nullptr), SEC_E_OK) << LastError();
    return Keep(packed);
  }
  SecBuffer Keep(const SecBuffer& packed) {
    buffers_.push_back(packed.pvBuffer);
    return packed;
  }

  SECURITY_STATUS Import(const char* package, SecBuffer packed, CtxtHandle* context) {
    return ImportSecurityContextA(package, &packed, &peer, context);
  }
  SECURITY_STATUS Import(const char* package, const SecBuffer& packed) {
    CtxtHandle context = {1, 2};
    const SECURITY_STATUS status = Import(package, packed, &context);
    EXPECT_EQ(SecIsValidHandle(&context), status == SEC_E_OK);
    if (status == SEC_E_OK) handles_.push_back(context);
    return status;
  }
  SECURITY_STATUS Export(CtxtHandle context, ULONG flags) {
    char other;
    SecBuffer packed = {7, SECBUFFER_EMPTY, &other};
    void* token = &other;
    const SECURITY_STATUS status = ExportSecurityContext(&context, flags, &packed, &token);
    EXPECT_EQ(token, nullptr);
    EXPECT_EQ(packed.BufferType, SECBUFFER_EMPTY);
    EXPECT_EQ(packed.pvBuffer != nullptr, status == SEC_E_OK);
    EXPECT_EQ(packed.cbBuffer != 0, status == SEC_E_OK);
    if (status == SEC_E_OK) Keep(packed);
    return status;
  }

  std::vector<CtxtHandle>& handles() { return handles_; }
  std::vector<void*>& buffers() { return buffers_; }

  FakeClock clock;
  TextSink sink;
  PlainSeal seal;
  PeerToken peer = ThisProcess();
  TestPackage krb5{"krb5", /*sealed=*/true, [this](auto) { return Session(); }};
  std::unique_ptr<Engine> engine = MakeEngine(
      {MakeRule("+front", {"user:*"}, {"context.import"}, {"group:staff"})}, &clock, &sink);
  std::unique_ptr<ImportByPolicy> authorizer;
  ImportOptions imports;
  ExportOptions exports;

 private:
  std::vector<CtxtHandle> handles_;
  std::vector<void*> buffers_;
};

SecBuffer BufferOf(std::string_view bytes) {
  return {static_cast<ULONG>(bytes.size()), SECBUFFER_TOKEN, const_cast<char*>(bytes.data())};
}

// ---- The codes.

struct Case {
  const char* name;
  SECURITY_STATUS want;
  std::function<SECURITY_STATUS(World*)> call;
  std::string want_error = "";  // LastError(), where the row is about it.
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

const Case kCases[] = {
    // ImportSecurityContext
    {"Import", SEC_E_OK, [](World* w) { return w->Import("reeve", w->Packed()); }},
    {"ImportWide", SEC_E_OK,
     [](World* w) {
       SecBuffer packed = w->Packed();
       CtxtHandle context;
       const SECURITY_STATUS status = ImportSecurityContextW(L"reeve", &packed, &w->peer, &context);
       EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_OK);
       return status;
     }},
    {"ImportByTheTypeOfTheName", SEC_E_OK,
     [](World* w) {
       SecBuffer packed = w->Packed();
       SecBuffer other = w->Packed();
       CtxtHandle context;
       EXPECT_EQ(ImportSecurityContext("reeve", &packed, &w->peer, &context), SEC_E_OK);
       EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_OK);
       const SECURITY_STATUS status = ImportSecurityContext(L"reeve", &other, &w->peer, &context);
       EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_OK);
       return status;
     }},
    {"ImportUnknownPackage", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) { return w->Import("Kerberos", w->Packed()); },
     "unknown_package: there is no package `Kerberos` here; this program imports reeve, krb5"},
    {"ImportNoPackage", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) { return w->Import(nullptr, w->Packed()); },
     "unknown_package: there is no package `` here; this program imports reeve, krb5"},
    {"ImportNoWidePackage", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) {
       SecBuffer packed = w->Packed();
       CtxtHandle context;
       return ImportSecurityContextW(nullptr, &packed, &w->peer, &context);
     }},
    {"ImportWideNonsense", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) {
       SecBuffer packed = w->Packed();
       CtxtHandle context;
       const wchar_t name[] = {L'r', 0xD800, 0x110000, 0xFC, 0x1F511, 0};
       return ImportSecurityContextW(name, &packed, &w->peer, &context);
     },
     "unknown_package: there is no package `r\uFFFD\uFFFD\u00FC\U0001F511` here; this program "
     "imports reeve, krb5"},
    {"ImportNoBuffer", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) {
       CtxtHandle context;
       return ImportSecurityContextA("reeve", nullptr, &w->peer, &context);
     },
     "malformed: the seal is too short"},
    {"ImportNoBytes", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) {
       return w->Import("reeve", {100, SECBUFFER_TOKEN, nullptr});
     },
     "malformed: the seal is too short"},
    {"ImportEmpty", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) { return w->Import("reeve", BufferOf("")); }},
    {"ImportMalformed", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) { return w->Import("reeve", BufferOf("not a context")); }},
    {"ImportOfOtherPackage", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) { return w->Import("krb5", w->Packed()); }},
    // The documentation of an import has no code for it.
    {"ImportExpired", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) {
       const SecBuffer packed = w->Packed();
       w->clock.now += absl::Minutes(1);
       return w->Import("reeve", packed);
     },
     "expired: the seal has expired"},
    {"ImportNotYetValid", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) {
       const SecBuffer packed = w->Packed();
       w->clock.now -= absl::Nanoseconds(1);
       return w->Import("reeve", packed);
     },
     "not_yet_valid: the seal is not yet valid"},
    {"ImportWithoutAKey", SEC_E_NO_CREDENTIALS,
     [](World* w) {
       const SecBuffer packed = w->Packed();
       w->imports.opener = nullptr;
       w->Use();
       return w->Import("reeve", packed);
     }},
    {"ImportTwice", SEC_E_NOT_OWNER,
     [](World* w) {
       const SecBuffer packed = w->Packed();
       EXPECT_EQ(w->Import("reeve", packed), SEC_E_OK);
       return w->Import("reeve", packed);
     },
     "replayed: the seal was opened before"},
    {"ImportFromNobody", SEC_E_NOT_OWNER,
     [](World* w) {
       SecBuffer packed = w->Packed();
       CtxtHandle context;
       return ImportSecurityContextA("reeve", &packed, nullptr, &context);
     }},
    // The token of the call counts, and no other.
    {"ImportFromNobodyInSpiteOfTheOptions", SEC_E_NOT_OWNER,
     [](World* w) {
       w->imports.exporter = &w->peer;
       w->Use();
       SecBuffer packed = w->Packed();
       CtxtHandle context;
       return ImportSecurityContextA("reeve", &packed, nullptr, &context);
     }},
    {"ImportOfWhomNobodyMayHandOver", SEC_E_NOT_OWNER,
     [](World* w) {
       return w->Import("reeve", w->Exported(w->Keep(SecurityContext::OfPrincipal(
                                     Principal({"user", "bo"}, Assurance::kCrypto), w->clock.now,
                                     w->clock.now + absl::Hours(1)))));
     }},
    {"ImportWithAFullMemory", SEC_E_INSUFFICIENT_MEMORY,
     [](World* w) {
       w->seal.opening = MakeContextError(ContextError::kResourceExhausted, "it is full");
       return w->Import("reeve", w->Packed());
     }},
    {"ImportUnrecorded", SEC_E_INTERNAL_ERROR,
     [](World* w) {
       w->sink.status = absl::UnavailableError("the disk is full");
       return w->Import("reeve", w->Packed());
     },
     "internal: the import could not be recorded: the disk is full"},
    // No default allows.
    {"ImportWithoutAuthorizer", SEC_E_INTERNAL_ERROR,
     [](World* w) {
       w->imports.authorizer = nullptr;
       w->Use();
       return w->Import("reeve", w->Packed());
     }},
    {"ImportToNowhere", SEC_E_INTERNAL_ERROR,
     [](World* w) {
       SecBuffer packed = w->Packed();
       const SECURITY_STATUS status = ImportSecurityContextA("reeve", &packed, &w->peer, nullptr);
       EXPECT_EQ(Describe(LastError()), "INVALID_ARGUMENT: there is no handle to import into");
       EXPECT_TRUE(w->sink.rows().empty());
       EXPECT_EQ(w->Import("reeve", packed), SEC_E_OK);  // It was not used up.
       return status;
     }},

    // ExportSecurityContext
    {"Export", SEC_E_OK, [](World* w) { return w->Export(w->OfAda(), kDelete); }},
    {"ExportWithoutAToken", SEC_E_OK,
     [](World* w) {
       CtxtHandle context = w->OfAda();
       SecBuffer packed;
       const SECURITY_STATUS status = ExportSecurityContext(&context, kDelete, &packed, nullptr);
       EXPECT_EQ(FreeContextBuffer(packed.pvBuffer), SEC_E_OK);
       return status;
     }},
    {"ExportNothing", SEC_E_INVALID_HANDLE,
     [](World*) {
       SecBuffer packed;
       void* token;
       return ExportSecurityContext(nullptr, kDelete, &packed, &token);
     }},
    {"ExportTwice", SEC_E_INVALID_HANDLE,
     [](World* w) {
       const CtxtHandle context = w->OfAda();
       EXPECT_EQ(w->Export(context, kDelete), SEC_E_OK);
       return w->Export(context, kDelete);
     },
     "invalid_handle: there is no context of this handle; it was deleted, exported, or never was "
     "one"},
    {"ExportToNowhere", SEC_E_INTERNAL_ERROR,
     [](World* w) {
       CtxtHandle context = w->OfAda();
       const SECURITY_STATUS status = ExportSecurityContext(&context, kDelete, nullptr, nullptr);
       EXPECT_TRUE(PrincipalOf(context, w->clock.now).ok());  // It stays.
       return status;
     }},
    {"ExportToTheKernel", SEC_E_NOT_SUPPORTED,
     [](World* w) { return w->Export(w->OfAda(), kDelete | SECPKG_CONTEXT_EXPORT_TO_KERNEL); }},
    {"ExportWithAFullMemory", SEC_E_INSUFFICIENT_MEMORY,
     [](World* w) {
       w->seal.sealing = MakeContextError(ContextError::kResourceExhausted, "it is full");
       return w->Export(w->OfAda(), kDelete);
     }},
    {"ExportExpired", SEC_E_CONTEXT_EXPIRED,
     [](World* w) {
       const CtxtHandle context = w->OfAda(absl::Seconds(1));
       w->clock.now += absl::Seconds(1);
       return w->Export(context, kDelete);
     }},
    {"ExportByABrokenSealer", SEC_E_INTERNAL_ERROR,
     [](World* w) {
       w->seal.sealing = MakeContextError(ContextError::kInternal, "it is broken");
       const CtxtHandle context = w->OfAda();
       const SECURITY_STATUS status = w->Export(context, kDelete);
       EXPECT_EQ(w->Export(context, kDelete), SEC_E_INVALID_HANDLE);  // It is gone.
       w->Export(context, 0);
       return status;
     }},
    {"ExportWithoutASealer", SEC_E_INTERNAL_ERROR,
     [](World* w) {
       w->exports.sealer = nullptr;
       w->Use();
       return w->Export(w->OfAda(), kDelete);
     },
     "INVALID_ARGUMENT: ExportOptions::sealer is null"},
    {"ExportTooMuch", SEC_E_UNKNOWN_CREDENTIALS,
     [](World* w) {
       Principal ada = Ada();
       ada.attributes.Set("blob", Value::Bytes(std::string(kMaxSealedBodyBytes, 'a')));
       return w->Export(
           w->Keep(SecurityContext::OfPrincipal(ada, w->clock.now, absl::InfiniteFuture())),
           kDelete);
     }},

    // DeleteSecurityContext
    {"Delete", SEC_E_OK,
     [](World* w) {
       CtxtHandle context = w->OfAda();
       return DeleteSecurityContext(&context);
     }},
    {"DeleteImported", SEC_E_OK,
     [](World* w) {
       CtxtHandle context;
       EXPECT_EQ(w->Import("reeve", w->Packed(), &context), SEC_E_OK);
       return DeleteSecurityContext(&context);
     }},
    // What is over must still be deleted.
    {"DeleteExpired", SEC_E_OK,
     [](World* w) {
       CtxtHandle context = w->OfAda(-absl::Hours(1));
       return DeleteSecurityContext(&context);
     }},
    {"DeleteNothing", SEC_E_INVALID_HANDLE, [](World*) { return DeleteSecurityContext(nullptr); }},
    {"DeleteTwice", SEC_E_INVALID_HANDLE,
     [](World* w) {
       CtxtHandle context = w->OfAda();
       EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_OK);
       return DeleteSecurityContext(&context);
     }},

    // FreeContextBuffer
    {"Free", SEC_E_OK,
     [](World* w) {
       CtxtHandle context = w->OfAda();
       SecBuffer packed;
       EXPECT_EQ(ExportSecurityContext(&context, kDelete, &packed, nullptr), SEC_E_OK);
       return FreeContextBuffer(packed.pvBuffer);
     }},
    {"FreeTwice", SEC_E_INVALID_HANDLE,
     [](World* w) {
       CtxtHandle context = w->OfAda();
       SecBuffer packed;
       EXPECT_EQ(ExportSecurityContext(&context, kDelete, &packed, nullptr), SEC_E_OK);
       EXPECT_EQ(FreeContextBuffer(packed.pvBuffer), SEC_E_OK);
       return FreeContextBuffer(packed.pvBuffer);
     },
     "invalid_handle: there is no such buffer; it was freed, or another call made it"},
    {"FreeNothing", SEC_E_INVALID_HANDLE, [](World*) { return FreeContextBuffer(nullptr); }},
    {"FreeOfTheHeap", SEC_E_INVALID_HANDLE,
     [](World*) {
       const auto other = std::make_unique<char[]>(100);
       return FreeContextBuffer(other.get());
     }},
    {"FreeOfTheStack", SEC_E_INVALID_HANDLE, [](World* w) { return FreeContextBuffer(&w); }},
    {"FreeTheMiddle", SEC_E_INVALID_HANDLE,
     [](World* w) { return FreeContextBuffer(static_cast<char*>(w->Packed().pvBuffer) + 1); }},
};

class CodeTest : public ::testing::TestWithParam<Case> {};

TEST_P(CodeTest, IsTheDocumentedOne) {
  const Case& c = GetParam();
  {
    World world;
    EXPECT_EQ(c.call(&world), c.want) << LastError();
    if (!c.want_error.empty()) {
      EXPECT_EQ(Describe(LastError()), c.want_error);
    }
  }
  EXPECT_EQ(TestSession::alive, 0);
}

INSTANTIATE_TEST_SUITE_P(, CodeTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// Before a program has said how: in a process of its own, for it is said once.
TEST(UnconfiguredTest, HasNoCredentials) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_EXIT(
      {
        CtxtHandle context;
        SecBuffer packed = BufferOf("x");
        const bool imports =
            ImportSecurityContextA("reeve", &packed, nullptr, &context) == SEC_E_NO_CREDENTIALS &&
            !SecIsValidHandle(&context);
        context = *KeepContext(
            *SecurityContext::OfPrincipal(Ada(), absl::InfinitePast(), absl::InfiniteFuture()));
        const bool exports =
            ExportSecurityContext(&context, kDelete, &packed, nullptr) == SEC_E_NO_CREDENTIALS &&
            DeleteSecurityContext(&context) == SEC_E_OK;
        _exit(imports && exports ? 0 : 1);
      },
      ::testing::ExitedWithCode(0), "");
}

// ---- Each reason, brought about by what opens and what seals.

struct ErrorCase {
  ContextError error;
  SECURITY_STATUS import;
  SECURITY_STATUS use;
};
std::ostream& operator<<(std::ostream& os, const ErrorCase& c) {
  return os << std::string(ToString(c.error));
}

const ErrorCase kErrors[] = {
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
static_assert(std::size(kErrors) == static_cast<size_t>(ContextError::kOutOfSequence) + 1);

class ErrorTest : public ::testing::TestWithParam<ErrorCase> {};

TEST_P(ErrorTest, HasItsCode) {
  const ErrorCase& c = GetParam();
  World world;
  const SecBuffer packed = world.Packed();
  const absl::Status status = MakeContextError(c.error, "why");
  world.seal.opening = status;
  world.seal.sealing = status;
  EXPECT_EQ(world.Import("reeve", packed), c.import);
  EXPECT_EQ(LastError(), status);
  EXPECT_EQ(world.Export(world.OfAda(), kDelete), c.use);
  EXPECT_EQ(LastError(), status);
  EXPECT_EQ(SecurityStatusOf(status), c.import);
  EXPECT_EQ(SecurityStatusOfUse(status), c.use);
  // No import ends in a code that is not documented of it.
  const std::set<SECURITY_STATUS> documented = {SEC_E_UNKNOWN_CREDENTIALS, SEC_E_NO_CREDENTIALS,
                                                SEC_E_NOT_OWNER, SEC_E_INSUFFICIENT_MEMORY,
                                                SEC_E_INTERNAL_ERROR};
  EXPECT_EQ(documented.count(c.import), 1u);
}

INSTANTIATE_TEST_SUITE_P(, ErrorTest, ::testing::ValuesIn(kErrors),
                         [](const auto& info) { return std::string(ToString(info.param.error)); });

TEST(SecurityStatusOfTest, KnowsNothingOfOtherStatuses) {
  EXPECT_EQ(SecurityStatusOf(absl::OkStatus()), SEC_E_OK);
  EXPECT_EQ(SecurityStatusOfUse(absl::OkStatus()), SEC_E_OK);
  for (int code = 1; code <= 16; ++code) {
    const absl::Status status(static_cast<absl::StatusCode>(code), "expired");
    EXPECT_EQ(SecurityStatusOf(status), SEC_E_INTERNAL_ERROR) << status;
    EXPECT_EQ(SecurityStatusOfUse(status), SEC_E_INTERNAL_ERROR) << status;
  }
}

// winerror.h, sspi.h.
TEST(ConstantsTest, AreTheOriginals) {
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_INSUFFICIENT_MEMORY), 0x80090300u);
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_INVALID_HANDLE), 0x80090301u);
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_UNSUPPORTED_FUNCTION), 0x80090302u);
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_NOT_SUPPORTED), 0x80090302u);
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_INTERNAL_ERROR), 0x80090304u);
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_NOT_OWNER), 0x80090306u);
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_UNKNOWN_CREDENTIALS), 0x8009030Du);
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_NO_CREDENTIALS), 0x8009030Eu);
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_MESSAGE_ALTERED), 0x8009030Fu);
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_OUT_OF_SEQUENCE), 0x80090310u);
  EXPECT_EQ(static_cast<uint32_t>(SEC_E_CONTEXT_EXPIRED), 0x80090317u);
  // As FAILED() does.
  EXPECT_LT(SEC_E_NOT_OWNER, 0);
}

TEST(ToStringTest, BeginsWithTheName) {
  const std::pair<SECURITY_STATUS, std::string> names[] = {
      {SEC_E_OK, "SEC_E_OK"},
      {SEC_E_INSUFFICIENT_MEMORY, "SEC_E_INSUFFICIENT_MEMORY"},
      {SEC_E_INVALID_HANDLE, "SEC_E_INVALID_HANDLE"},
      {SEC_E_NOT_SUPPORTED, "SEC_E_NOT_SUPPORTED"},
      {SEC_E_INTERNAL_ERROR, "SEC_E_INTERNAL_ERROR"},
      {SEC_E_NOT_OWNER, "SEC_E_NOT_OWNER"},
      {SEC_E_UNKNOWN_CREDENTIALS, "SEC_E_UNKNOWN_CREDENTIALS"},
      {SEC_E_NO_CREDENTIALS, "SEC_E_NO_CREDENTIALS"},
      {SEC_E_MESSAGE_ALTERED, "SEC_E_MESSAGE_ALTERED"},
      {SEC_E_OUT_OF_SEQUENCE, "SEC_E_OUT_OF_SEQUENCE"},
      {SEC_E_CONTEXT_EXPIRED, "SEC_E_CONTEXT_EXPIRED"},
      {SECURITY_STATUS{5}, "unknown"},
  };
  for (const auto& [status, name] : names) {
    const std::string_view text = sspi::ToString(status);
    EXPECT_EQ(text.substr(0, name.size() + 2), name + ": ");
  }
}

// ---- Flags.

struct FlagCase {
  const char* name;
  ULONG flags;
  bool session;       // Whether the context has one.
  bool with_session;  // ExportOptions::with_session
  const char* want;   // The package that is exported; null if it is not supported.
};
std::ostream& operator<<(std::ostream& os, const FlagCase& c) { return os << c.name; }

const FlagCase kFlags[] = {
    {"None", 0, false, false, nullptr},
    {"NoneOfASession", 0, true, true, nullptr},
    {"Delete", kDelete, false, false, "reeve"},
    {"DeleteOfNoSession", kDelete, false, true, "reeve"},
    {"DeleteOfASession", kDelete, true, true, "krb5"},
    // No key travels by a default.
    {"DeleteOfASessionThatMayNotTravel", kDelete, true, false, nullptr},
    {"Reset", kReset, false, false, nullptr},
    {"ResetOfASession", kReset, true, true, nullptr},
    {"ResetAndDelete", kReset | kDelete, false, false, "reeve"},
    {"ResetAndDeleteOfASession", kReset | kDelete, true, true, "reeve"},
    {"ResetAndDeleteOfASessionThatMayNotTravel", kReset | kDelete, true, false, "reeve"},
    {"ToKernel", SECPKG_CONTEXT_EXPORT_TO_KERNEL, false, false, nullptr},
    {"ToKernelAndDelete", SECPKG_CONTEXT_EXPORT_TO_KERNEL | kDelete, true, true, nullptr},
    {"ToKernelAndAll", SECPKG_CONTEXT_EXPORT_TO_KERNEL | kReset | kDelete, true, true, nullptr},
    {"Unknown", 8, false, false, nullptr},
    {"UnknownAndDelete", 8 | kDelete, false, false, nullptr},
    {"HighestAndDelete", 0x80000000 | kDelete, false, false, nullptr},
    {"All", ~ULONG{0}, true, true, nullptr},
};

class FlagTest : public ::testing::TestWithParam<FlagCase> {};

TEST_P(FlagTest, SaysWhatTravels) {
  const FlagCase& c = GetParam();
  World w;
  w.exports.with_session = c.with_session;
  w.Use();
  CtxtHandle context = c.session ? w.WithSession() : w.OfAda();
  SecBuffer packed = {1, SECBUFFER_EMPTY, &w};
  void* token = &w;
  const SECURITY_STATUS status = ExportSecurityContext(&context, c.flags, &packed, &token);
  EXPECT_EQ(token, nullptr);
  if (c.want == nullptr) {
    EXPECT_EQ(status, SEC_E_NOT_SUPPORTED);
    EXPECT_EQ(packed.pvBuffer, nullptr);
    EXPECT_EQ(packed.cbBuffer, 0u);
    EXPECT_EQ(TestSession::alive, c.session ? 1 : 0);
    EXPECT_TRUE(PrincipalOf(context, w.clock.now).ok());  // The context stays.
    return;
  }
  ASSERT_EQ(status, SEC_E_OK) << LastError();
  EXPECT_EQ(TestSession::alive, 0);
  EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_INVALID_HANDLE);
  w.Keep(packed);
  ASSERT_EQ(w.Import(c.want, packed, &context), SEC_E_OK) << LastError();
  const absl::StatusOr<SecurityContext> imported = TakeContext(context);
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(imported->package(), c.want);
  EXPECT_EQ(imported->has_session(), std::string(c.want) == "krb5");
}

INSTANTIATE_TEST_SUITE_P(, FlagTest, ::testing::ValuesIn(kFlags),
                         [](const auto& info) { return info.param.name; });

// ---- Handles.

struct HandleCase {
  const char* name;
  // Makes of a context's handle one that names nothing.
  std::function<CtxtHandle(World* w, CtxtHandle handle)> make;
};
std::ostream& operator<<(std::ostream& os, const HandleCase& c) { return os << c.name; }

const HandleCase kHandles[] = {
    {"Zero",
     [](auto*, auto) {
       return CtxtHandle{0, 0};
     }},
    {"Invalidated",
     [](auto*, CtxtHandle handle) {
       EXPECT_TRUE(SecIsValidHandle(&handle));
       SecInvalidateHandle(&handle);
       EXPECT_FALSE(SecIsValidHandle(&handle));
       return handle;
     }},
    {"NextNumber",
     [](auto*, CtxtHandle handle) {
       ++handle.dwLower;
       return handle;
     }},
    {"NumberBefore",
     [](auto*, CtxtHandle handle) {
       --handle.dwLower;
       return handle;
     }},
    {"OtherSecret",
     [](auto*, CtxtHandle handle) {
       handle.dwUpper ^= 1;
       return handle;
     }},
    {"NoSecret",
     [](auto*, CtxtHandle handle) {
       handle.dwUpper = 0;
       return handle;
     }},
    {"Swapped",
     [](auto*, CtxtHandle handle) {
       std::swap(handle.dwLower, handle.dwUpper);
       return handle;
     }},
    {"SecretOfAnother",
     [](World* w, CtxtHandle handle) {
       handle.dwUpper = w->OfAda().dwUpper;
       return handle;
     }},
    {"Deleted",
     [](World* w, auto) {
       CtxtHandle handle = w->OfAda();
       EXPECT_EQ(DeleteSecurityContext(&handle), SEC_E_OK);
       w->OfAda();  // Takes no number that was used.
       return handle;
     }},
    {"Exported",
     [](World* w, auto) {
       const CtxtHandle handle = w->OfAda();
       EXPECT_EQ(w->Export(handle, kDelete), SEC_E_OK);
       return handle;
     }},
    {"Taken",
     [](World* w, auto) {
       const CtxtHandle handle = w->OfAda();
       EXPECT_TRUE(TakeContext(handle).ok());
       return handle;
     }},
    {"OfAFailedImport",
     [](World* w, CtxtHandle handle) {
       EXPECT_NE(w->Import("reeve", BufferOf("x"), &handle), SEC_E_OK);
       return handle;
     }},
};

class HandleTest : public ::testing::TestWithParam<HandleCase> {};

TEST_P(HandleTest, NamesNothing) {
  World w;
  CtxtHandle live = w.OfAda();
  CtxtHandle handle = GetParam().make(&w, live);
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(DeleteSecurityContext(&handle), SEC_E_INVALID_HANDLE);
    EXPECT_EQ(w.Export(handle, kDelete), SEC_E_INVALID_HANDLE);
    EXPECT_EQ(ContextErrorOf(PrincipalOf(handle, w.clock.now).status()),
              ContextError::kInvalidHandle);
    EXPECT_EQ(ContextErrorOf(TakeContext(handle).status()), ContextError::kInvalidHandle);
  }
  EXPECT_TRUE(PrincipalOf(live, w.clock.now).ok());
  EXPECT_EQ(DeleteSecurityContext(&live), SEC_E_OK);
}

INSTANTIATE_TEST_SUITE_P(, HandleTest, ::testing::ValuesIn(kHandles),
                         [](const auto& info) { return info.param.name; });

TEST(KeepContextTest, TakesNoContextThatIsGone) {
  World w;
  absl::StatusOr<SecurityContext> context = SecurityContext::Establish("krb5", w.Session());
  SecurityContext other = *std::move(context);
  EXPECT_EQ(ContextErrorOf(KeepContext(*std::move(context)).status()),
            ContextError::kInvalidHandle);
}

TEST(TakeContextTest, GivesTheMessagesOfTheContext) {
  World w;
  absl::StatusOr<SecurityContext> context = TakeContext(w.WithSession());
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_EQ(*context->Wrap("hello", true, w.clock.now), "encrypted:hello");
  const absl::Status altered = context->Unwrap("hullo", w.clock.now).status();
  EXPECT_EQ(SecurityStatusOfUse(altered), SEC_E_MESSAGE_ALTERED);
}

TEST(PrincipalOfTest, EndsWithTheContext) {
  World w;
  CtxtHandle context;
  ASSERT_EQ(w.Import("reeve", w.Packed(), &context), SEC_E_OK) << LastError();
  const absl::Time end = w.clock.now + absl::Hours(1);
  const absl::StatusOr<Principal> principal = PrincipalOf(context, end - absl::Nanoseconds(1));
  ASSERT_TRUE(principal.ok()) << principal.status();
  Principal want = Ada();
  absl::StrAppend(&want.evidence, "; seal=plain exporter=user:uid:", getuid());
  EXPECT_EQ(Describe(*principal), Describe(want));
  const absl::Status ended = PrincipalOf(context, end).status();
  EXPECT_EQ(ContextErrorOf(ended), ContextError::kExpired);
  EXPECT_EQ(SecurityStatusOfUse(ended), SEC_E_CONTEXT_EXPIRED);
  EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_OK);
}

// A context of few bytes, that does not end.
absl::StatusOr<SecurityContext> Least() {
  return SecurityContext::OfPrincipal(Principal({"u", "i"}, Assurance::kAsserted),
                                      absl::InfinitePast(), absl::InfiniteFuture());
}

// A full table refuses before anything is opened, and is never left fuller by what fails.
TEST(LimitTest, OfContexts) {
  World w;
  const SecBuffer packed = w.Packed();
  while (true) {
    const absl::StatusOr<CtxtHandle> handle = KeepContext(*Least());
    if (!handle.ok()) {
      EXPECT_EQ(Describe(handle.status()),
                "resource_exhausted: there are 65536 contexts; delete those that are done with by "
                "DeleteSecurityContext()");
      break;
    }
    w.handles().push_back(*handle);
  }
  EXPECT_EQ(w.Import("reeve", packed), SEC_E_INSUFFICIENT_MEMORY);
  EXPECT_TRUE(w.sink.rows().empty());
  CtxtHandle one = w.handles().back();
  EXPECT_EQ(DeleteSecurityContext(&one), SEC_E_OK);
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(w.Import("reeve", BufferOf("x")), SEC_E_UNKNOWN_CREDENTIALS);
  }
  EXPECT_EQ(w.Import("reeve", packed), SEC_E_OK) << LastError();  // It was not used up.
}

TEST(LimitTest, OfBuffers) {
  World w;
  for (size_t i = 0; i < kMaxBuffers; ++i) w.Exported(w.Keep(Least()));
  const CtxtHandle context = w.OfAda();
  EXPECT_EQ(w.Export(context, kDelete), SEC_E_INSUFFICIENT_MEMORY);
  EXPECT_EQ(Describe(LastError()),
            "resource_exhausted: there are 65536 buffers; free them by FreeContextBuffer()");
  EXPECT_EQ(FreeContextBuffer(w.buffers().back()), SEC_E_OK);
  EXPECT_EQ(w.Export(context, kDelete), SEC_E_OK);  // The context stayed.
}

TEST(LastErrorTest, BelongsToTheThread) {
  EXPECT_EQ(FreeContextBuffer(nullptr), SEC_E_INVALID_HANDLE);
  EXPECT_FALSE(LastError().ok());
  std::thread([] { EXPECT_TRUE(LastError().ok()); }).join();
  EXPECT_FALSE(LastError().ok());
  World w;
  w.Packed();
  EXPECT_TRUE(LastError().ok());
}

}  // namespace
}  // namespace reeve
