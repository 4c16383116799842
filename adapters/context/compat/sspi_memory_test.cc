// What the calls do without memory: they say so, whichever allocation fails, and leave nothing
// behind. Its own program, since it replaces operator new.
#include <gtest/gtest.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cstdint>
#include <cstdio>
#include <memory>
#include <new>
#include <string>

#include "reeve/adapters/context/compat/sspi.h"
#include "reeve/adapters/context/context_testing.h"
#include "reeve/engine/testing.h"

namespace {

// How many allocations of this thread succeed until one fails; negative: all do.
thread_local int64_t left = -1;
// A buffer that is watched, and whether it was zero when it was freed.
void* watched = nullptr;
size_t watched_size = 0;
bool freed_zero = false;

void* Allocate(size_t bytes, size_t alignment) {
  if (left == 0) throw std::bad_alloc();
  if (left > 0) --left;
  void* memory = alignment <= alignof(std::max_align_t)
                     ? malloc(bytes == 0 ? 1 : bytes)
                     : aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void Free(void* memory) {
  if (memory != nullptr && memory == watched) {
    watched = nullptr;
    freed_zero = true;
    for (size_t i = 0; i < watched_size; ++i) {
      if (static_cast<const char*>(memory)[i] != 0) freed_zero = false;
    }
  }
  free(memory);
}

}  // namespace

void* operator new(size_t bytes) { return Allocate(bytes, 1); }
void* operator new[](size_t bytes) { return Allocate(bytes, 1); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { Free(memory); }
void operator delete[](void* memory) noexcept { Free(memory); }
void operator delete(void* memory, size_t) noexcept { Free(memory); }
void operator delete[](void* memory, size_t) noexcept { Free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { Free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { Free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { Free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { Free(memory); }

namespace reeve::sspi {
namespace {

using context_testing::Ada;
using context_testing::MakeEngine;
using context_testing::PlainSeal;
using context_testing::ThisProcess;
using testing::FakeClock;
using testing::MakeRule;

constexpr ULONG kDelete = SECPKG_CONTEXT_EXPORT_DELETE_OLD;

// Keeps nothing, and needs no memory for it.
class NoSink final : public AuditSink {
 public:
  absl::Status Append(const AuditRecord&, AuditLevel) override { return absl::OkStatus(); }
};

class SspiMemoryTest : public ::testing::Test {
 protected:
  SspiMemoryTest() {
    Engine::Options options;
    options.audit = &sink_;
    options.clock = &clock_;
    engine_ = *Engine::Create(options);
    SnapshotBuilder builder;
    builder.AddRule(MakeRule("+front", {"user:*"}, {"context.import"}, {"group:staff"}));
    EXPECT_TRUE(engine_->Replace(*builder.Build()).ok());
    authorizer_ = std::make_unique<ImportByPolicy>(*engine_);
    ImportOptions imports;
    imports.opener = &seal_;
    imports.authorizer = authorizer_.get();
    imports.clock = &clock_;
    UseImportOptions(imports);
    ExportOptions exports;
    exports.sealer = &seal_;
    exports.clock = &clock_;
    UseExportOptions(exports);
    // What a thread needs once: without it, this is found missing by the C library, which ends the
    // program.
    SecBuffer packed = Packed();
    CtxtHandle context;
    EXPECT_EQ(Import(&packed, &context), SEC_E_OK) << LastError();
    EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_OK);
    EXPECT_EQ(FreeContextBuffer(packed.pvBuffer), SEC_E_OK);
  }

  CtxtHandle OfAda() const {
    return *KeepContext(
        *SecurityContext::OfPrincipal(Ada(), clock_.now, clock_.now + absl::Hours(1)));
  }
  SecBuffer Packed() {
    CtxtHandle context = OfAda();
    SecBuffer packed;
    EXPECT_EQ(ExportSecurityContext(&context, kDelete, &packed, nullptr), SEC_E_OK) << LastError();
    return packed;
  }
  SECURITY_STATUS Import(SecBuffer* packed, CtxtHandle* context) {
    return ImportSecurityContextA("reeve", packed, &peer_, context);
  }

  FakeClock clock_;
  PlainSeal seal_;
  NoSink sink_;
  PeerToken peer_ = ThisProcess();
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<ImportByPolicy> authorizer_;
};

// An import whose n-th allocation fails, for each n until it is done by then.
TEST_F(SspiMemoryTest, ImportSaysSoWhicheverAllocationFails) {
  for (int64_t n = 0;; ++n) {
    ASSERT_LT(n, 1000);
    SecBuffer packed = Packed();
    CtxtHandle context = {1, 2};
    left = n;
    const SECURITY_STATUS status = Import(&packed, &context);
    const bool failed = left == 0;
    left = -1;
    const absl::Status error = LastError();
    EXPECT_EQ(FreeContextBuffer(packed.pvBuffer), SEC_E_OK);
    if (status == SEC_E_OK) {
      EXPECT_TRUE(PrincipalOf(context, clock_.now).ok());
      EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_OK);
      if (failed) continue;  // It was the last that did not fail.
      EXPECT_GT(n, 10);
      break;
    }
    EXPECT_EQ(status, SEC_E_INSUFFICIENT_MEMORY) << n << " " << error;
    EXPECT_EQ(error.code(), absl::StatusCode::kResourceExhausted);
    EXPECT_FALSE(SecIsValidHandle(&context));
    EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_INVALID_HANDLE);
  }
}

TEST_F(SspiMemoryTest, ExportSaysSoWhicheverAllocationFails) {
  for (int64_t n = 0;; ++n) {
    ASSERT_LT(n, 1000);
    CtxtHandle context = OfAda();
    SecBuffer packed = {1, SECBUFFER_EMPTY, &packed};
    left = n;
    const SECURITY_STATUS status = ExportSecurityContext(&context, kDelete, &packed, nullptr);
    const bool failed = left == 0;
    left = -1;
    if (status == SEC_E_OK) {
      EXPECT_EQ(FreeContextBuffer(packed.pvBuffer), SEC_E_OK);
      if (failed) continue;
      EXPECT_GT(n, 5);
      break;
    }
    EXPECT_EQ(status, SEC_E_INSUFFICIENT_MEMORY) << n << " " << LastError();
    EXPECT_EQ(packed.pvBuffer, nullptr);
    // It is there or gone, and not half of it.
    const SECURITY_STATUS deleted = DeleteSecurityContext(&context);
    EXPECT_TRUE(deleted == SEC_E_OK || deleted == SEC_E_INVALID_HANDLE) << deleted;
  }
}

// Ending a context and freeing a buffer need no memory.
TEST_F(SspiMemoryTest, EndsWithoutMemory) {
  CtxtHandle context = OfAda();
  SecBuffer packed = Packed();
  left = 0;
  const SECURITY_STATUS deleted = DeleteSecurityContext(&context);
  const SECURITY_STATUS freed = FreeContextBuffer(packed.pvBuffer);
  // Saying why not does.
  const SECURITY_STATUS again = DeleteSecurityContext(&context);
  left = -1;
  EXPECT_EQ(deleted, SEC_E_OK);
  EXPECT_EQ(freed, SEC_E_OK);
  EXPECT_EQ(again, SEC_E_INSUFFICIENT_MEMORY);
}

TEST_F(SspiMemoryTest, BuffersAreZeroedWhenTheyAreFreed) {
  const SecBuffer packed = Packed();
  watched = packed.pvBuffer;
  watched_size = packed.cbBuffer;
  EXPECT_EQ(FreeContextBuffer(packed.pvBuffer), SEC_E_OK);
  EXPECT_EQ(watched, nullptr);
  EXPECT_TRUE(freed_zero);
}

// The bytes of address space that this process has.
rlim_t AddressSpace() {
  FILE* file = fopen("/proc/self/statm", "re");
  unsigned long pages = 0;
  if (file == nullptr || fscanf(file, "%lu", &pages) != 1) abort();
  fclose(file);
  return static_cast<rlim_t>(pages) * static_cast<rlim_t>(sysconf(_SC_PAGESIZE));
}

// In a child: takes all memory that setrlimit(2) leaves, gives it back piece by piece, and imports
// after each. 0 if all imports before the one that succeeds say that there is no memory.
int ImportInLittleMemory(SecBuffer* packed, size_t count, void* peer) {
  // The pieces, chained through themselves, the smallest in front.
  struct Piece {
    Piece* next;
  };
  const rlimit limit = {AddressSpace(), AddressSpace()};
  if (setrlimit(RLIMIT_AS, &limit) != 0) return 2;
  Piece* pieces = nullptr;
  for (size_t size = 1 << 20; size >= 16; size /= 2) {
    while (void* memory = malloc(size)) pieces = new (memory) Piece{pieces};
  }
  bool refused = false;
  for (size_t i = 0; i < count; ++i) {
    CtxtHandle context;
    const SECURITY_STATUS status = ImportSecurityContextA("reeve", &packed[i], peer, &context);
    if (status == SEC_E_OK) return refused ? 0 : 3;
    if (status != SEC_E_INSUFFICIENT_MEMORY) return 4;
    refused = true;
    for (int given = 0; given < 8 && pieces != nullptr; ++given) {
      Piece* const next = pieces->next;
      free(pieces);
      pieces = next;
    }
  }
  return 5;
}

// Scenario A18.
TEST_F(SspiMemoryTest, ImportSaysSoUnderALimitOfTheKernel) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "sanitizers reserve more address space than any limit";
#endif
  SecBuffer packed[1000];
  for (SecBuffer& one : packed) one = Packed();
  EXPECT_EXIT(_exit(ImportInLittleMemory(packed, std::size(packed), &peer_)),
              ::testing::ExitedWithCode(0), "");
  for (const SecBuffer& one : packed) EXPECT_EQ(FreeContextBuffer(one.pvBuffer), SEC_E_OK);
}

}  // namespace
}  // namespace reeve::sspi
