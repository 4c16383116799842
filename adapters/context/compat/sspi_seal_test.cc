// The codes of an import by the seals that programs use: a key ring, and process keys.
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "reeve/adapters/context/compat/sspi.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_testing.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/process_key.h"
#include "reeve/adapters/context/seal/process_seal.h"
#include "reeve/adapters/context/seal/ring_seal.h"
#include "reeve/adapters/context/seal/seal_options.h"
#include "reeve/adapters/context/seal/secret_memory.h"
#include "reeve/adapters/context/seal/single_use.h"
#include "reeve/engine/testing.h"

namespace reeve::sspi {
namespace {

using context_testing::Ada;
using context_testing::MakeEngine;
using context_testing::TextSink;
using context_testing::ThisProcess;
using testing::FakeClock;
using testing::MakeRule;

constexpr auto kIfAllowed = SecretMemory::Lock::kIfAllowed;

const Machine kMachine = {"0123456789abcdef0123456789abcdef",
                          "01234567-89ab-cdef-0123-456789abcdef"};

// A front process and a worker in one, with the seals of both kinds.
struct Seals {
  Seals() {
    ring = *KeyRing::Generate(clock.now, kIfAllowed);
    clock.now += absl::Seconds(1);  // What is sealed now, nobody can have opened before.
    single_use = *SingleUse::Create(2, clock.now);
    sealer = *KeyRingSealer::Create(ring.get(), "worker", kMachine);
    opener = *KeyRingOpener::Create(ring.get(), "worker", kMachine, single_use.get());
    imports.opener = opener.get();
    exports.sealer = sealer.get();
    imports.authorizer = &authorizer;
    imports.clock = &clock;
    exports.clock = &clock;
    Use();
  }

  // From now on by the keys of this process, which trusts itself. False if the kernel has none.
  bool UseProcessKeys() {
    absl::StatusOr<std::unique_ptr<ProcessKey>> own = ProcessKey::Create(kIfAllowed);
    if (!own.ok()) return false;
    key = *std::move(own);
    ProcessOpener::Options options;
    options.lock = kIfAllowed;
    process_opener = *ProcessOpener::Create(key.get(), kMachine, single_use.get(), options);
    EXPECT_TRUE(process_opener->Trust(key->public_key(), front).ok());
    process_sealer = *ProcessSealer::Create(key.get(), key->public_key(), front, kMachine,
                                            SealOptions(), kIfAllowed);
    imports.opener = process_opener.get();
    exports.sealer = process_sealer.get();
    Use();
    return true;
  }

  void Use() const {
    UseImportOptions(imports);
    UseExportOptions(exports);
  }

  SECURITY_STATUS Export(SecBuffer* packed) const {
    absl::StatusOr<CtxtHandle> context =
        KeepContext(*SecurityContext::OfPrincipal(Ada(), clock.now, clock.now + absl::Hours(1)));
    return ExportSecurityContext(&*context, SECPKG_CONTEXT_EXPORT_DELETE_OLD, packed, nullptr);
  }
  std::string Packed() const {
    SecBuffer packed;
    EXPECT_EQ(Export(&packed), SEC_E_OK) << LastError();
    std::string bytes(static_cast<const char*>(packed.pvBuffer), packed.cbBuffer);
    EXPECT_EQ(FreeContextBuffer(packed.pvBuffer), SEC_E_OK);
    return bytes;
  }
  SECURITY_STATUS Import(std::string packed, const PeerToken* exporter) const {
    SecBuffer buffer = {static_cast<ULONG>(packed.size()), SECBUFFER_TOKEN, packed.data()};
    CtxtHandle context;
    const SECURITY_STATUS status =
        ImportSecurityContextA("reeve", &buffer, const_cast<PeerToken*>(exporter), &context);
    if (status != SEC_E_OK) return status;
    EXPECT_TRUE(PrincipalOf(context, clock.now)->id == Ada().id);
    EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_OK);
    return status;
  }
  SECURITY_STATUS Import(const std::string& packed) const { return Import(packed, &front); }

  FakeClock clock;
  TextSink sink;
  std::unique_ptr<Engine> engine = MakeEngine(
      {MakeRule("+front", {"anyone"}, {"context.import"}, {"group:staff"})}, &clock, &sink);
  ImportByPolicy authorizer{*engine};
  PeerToken front = ThisProcess();
  std::unique_ptr<KeyRing> ring;
  std::unique_ptr<SingleUse> single_use;
  std::unique_ptr<KeyRingSealer> sealer;
  std::unique_ptr<KeyRingOpener> opener;
  std::unique_ptr<ProcessKey> key;
  std::unique_ptr<ProcessSealer> process_sealer;
  std::unique_ptr<ProcessOpener> process_opener;
  ImportOptions imports;
  ExportOptions exports;
};

struct Case {
  const char* name;
  bool process_keys;
  SECURITY_STATUS want;
  std::optional<ContextError> want_error;
  std::function<SECURITY_STATUS(Seals*)> call;
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

std::string Changed(std::string packed, size_t at) {
  packed[at] = static_cast<char>(packed[at] ^ 1);
  return packed;
}

// Where the header says what; doc/sealed-context.md.
constexpr size_t kMagic = 0, kVersion = 4, kKeyId = 8;

const Case kCases[] = {
    {"Ring", false, SEC_E_OK, std::nullopt, [](Seals* s) { return s->Import(s->Packed()); }},
    {"RingWithoutExporter", false, SEC_E_OK, std::nullopt,
     [](Seals* s) { return s->Import(s->Packed(), nullptr); }},
    {"RingGarbage", false, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kMalformed,
     [](Seals* s) { return s->Import(std::string(300, 'x')); }},
    {"RingEmpty", false, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kMalformed,
     [](Seals* s) { return s->Import(""); }},
    {"RingOtherMagic", false, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kMalformed,
     [](Seals* s) { return s->Import(Changed(s->Packed(), kMagic)); }},
    {"RingOtherVersion", false, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kUnsupportedVersion,
     [](Seals* s) { return s->Import(Changed(s->Packed(), kVersion)); }},
    {"RingOtherKey", false, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kUnknownKey,
     [](Seals* s) { return s->Import(Changed(s->Packed(), kKeyId)); }},
    {"RingOfOthers", false, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kUnknownKey,
     [](Seals* s) {
       const std::unique_ptr<KeyRing> ring = *KeyRing::Generate(s->clock.now, kIfAllowed);
       const std::unique_ptr<KeyRingSealer> sealer =
           *KeyRingSealer::Create(ring.get(), "worker", kMachine);
       s->exports.sealer = sealer.get();
       s->Use();
       return s->Import(s->Packed());
     }},
    {"RingLastByteChanged", false, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kAuthenticationFailed,
     [](Seals* s) {
       const std::string packed = s->Packed();
       return s->Import(Changed(packed, packed.size() - 1));
     }},
    {"RingLastByteLost", false, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kMalformed,
     [](Seals* s) {
       const std::string packed = s->Packed();
       return s->Import(packed.substr(0, packed.size() - 1));
     }},
    {"RingExpired", false, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kExpired,
     [](Seals* s) {
       const std::string packed = s->Packed();
       s->clock.now += absl::Minutes(1);
       return s->Import(packed);
     }},
    {"RingNotYetValid", false, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kNotYetValid,
     [](Seals* s) {
       s->clock.now += absl::Seconds(10);
       const std::string packed = s->Packed();
       s->clock.now -= absl::Seconds(10);
       return s->Import(packed);
     }},
    {"RingOfAnotherService", false, SEC_E_NOT_OWNER, ContextError::kWrongTarget,
     [](Seals* s) {
       const std::unique_ptr<KeyRingSealer> sealer =
           *KeyRingSealer::Create(s->ring.get(), "other", kMachine);
       s->exports.sealer = sealer.get();
       s->Use();
       return s->Import(s->Packed());
     }},
    {"RingTwice", false, SEC_E_NOT_OWNER, ContextError::kReplayed,
     [](Seals* s) {
       const std::string packed = s->Packed();
       EXPECT_EQ(s->Import(packed), SEC_E_OK) << LastError();
       return s->Import(packed);
     }},
    // By a worker that has restarted.
    {"RingOfBefore", false, SEC_E_NOT_OWNER, ContextError::kReplayed,
     [](Seals* s) {
       const std::string packed = s->Packed();
       s->clock.now += absl::Seconds(1);
       s->single_use = *SingleUse::Create(2, s->clock.now);
       s->opener = *KeyRingOpener::Create(s->ring.get(), "worker", kMachine, s->single_use.get());
       s->imports.opener = s->opener.get();
       s->Use();
       return s->Import(packed);
     }},
    {"RingWithAFullMemory", false, SEC_E_INSUFFICIENT_MEMORY, ContextError::kResourceExhausted,
     [](Seals* s) {
       EXPECT_EQ(s->Import(s->Packed()), SEC_E_OK) << LastError();
       EXPECT_EQ(s->Import(s->Packed()), SEC_E_OK) << LastError();
       return s->Import(s->Packed());
     }},
    {"RingThatDoesNotSealYet", false, SEC_E_NO_CREDENTIALS, ContextError::kNoCredentials,
     [](Seals* s) {
       s->clock.now -= absl::Hours(1);
       SecBuffer packed;
       return s->Export(&packed);
     }},

    {"Process", true, SEC_E_OK, std::nullopt, [](Seals* s) { return s->Import(s->Packed()); }},
    {"ProcessWithoutExporter", true, SEC_E_NOT_OWNER, ContextError::kExporterNotAllowed,
     [](Seals* s) { return s->Import(s->Packed(), nullptr); }},
    {"ProcessTwice", true, SEC_E_NOT_OWNER, ContextError::kReplayed,
     [](Seals* s) {
       const std::string packed = s->Packed();
       EXPECT_EQ(s->Import(packed), SEC_E_OK) << LastError();
       return s->Import(packed);
     }},
    {"ProcessThatIsNotTrusted", true, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kUnknownKey,
     [](Seals* s) {
       const std::string packed = s->Packed();
       EXPECT_TRUE(s->process_opener->Distrust(s->key->public_key()).ok());
       return s->Import(packed);
     }},
    {"ProcessLastByteChanged", true, SEC_E_UNKNOWN_CREDENTIALS, ContextError::kAuthenticationFailed,
     [](Seals* s) {
       const std::string packed = s->Packed();
       return s->Import(Changed(packed, packed.size() - 1));
     }},
};

class SealCodeTest : public ::testing::TestWithParam<Case> {};

TEST_P(SealCodeTest, IsTheDocumentedOne) {
  const Case& c = GetParam();
  Seals seals;
  if (c.process_keys && !seals.UseProcessKeys()) {
    GTEST_SKIP() << "needs a kernel that numbers processes, Linux 6.9";
  }
  const SECURITY_STATUS status = c.call(&seals);
  EXPECT_EQ(status, c.want) << LastError();
  EXPECT_EQ(ContextErrorOf(LastError()), c.want_error) << LastError();
}

INSTANTIATE_TEST_SUITE_P(, SealCodeTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// Whichever bit is changed on its way, nothing is imported, and the genuine one still is.
TEST(SealBitTest, NoneMayBeChanged) {
  Seals seals;
  const std::string packed = seals.Packed();
  for (size_t bit = 0; bit < packed.size() * 8; ++bit) {
    std::string other = packed;
    other[bit / 8] = static_cast<char>(other[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(seals.Import(other), SEC_E_UNKNOWN_CREDENTIALS) << bit << " " << LastError();
  }
  EXPECT_EQ(seals.Import(packed), SEC_E_OK) << LastError();
}

// "Must have been exported to the process calling."
TEST(SealForkTest, AChildIsNotTheOwner) {
  for (const bool process_keys : {false, true}) {
    Seals seals;
    if (process_keys && !seals.UseProcessKeys()) {
      GTEST_SKIP() << "needs a kernel that numbers processes, Linux 6.9";
    }
    const std::string packed = seals.Packed();
    EXPECT_EXIT(_exit(seals.Import(packed) == SEC_E_NOT_OWNER ? 0 : 1),
                ::testing::ExitedWithCode(0), "");
    EXPECT_EQ(seals.Import(packed), SEC_E_OK) << LastError();
  }
}

}  // namespace
}  // namespace reeve::sspi
