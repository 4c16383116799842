// Many threads that import, export and delete: each sees its own contexts, and of those that reach
// for one at once one has it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/compat/sspi.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_testing.h"
#include "reeve/engine/testing.h"

namespace reeve::sspi {
namespace {

using context_testing::PlainSeal;
using context_testing::ThisProcess;

constexpr int kThreads = 8;

// Lets all in.
class Everybody final : public ImportAuthorizer {
 public:
  absl::Status Authorize(const ImportAttempt&) override { return absl::OkStatus(); }
};

class SspiConcurrencyTest : public ::testing::Test {
 protected:
  SspiConcurrencyTest() {
    ImportOptions imports;
    imports.opener = &seal_;
    imports.authorizer = &everybody_;
    imports.clock = &clock_;
    UseImportOptions(imports);
    ExportOptions exports;
    exports.sealer = &seal_;
    exports.clock = &clock_;
    UseExportOptions(exports);
  }

  CtxtHandle Keep(const std::string& who) const {
    return *KeepContext(*SecurityContext::OfPrincipal(Principal({"user", who}, Assurance::kKernel),
                                                      clock_.now, clock_.now + absl::Hours(1)));
  }
  // Empty if there is no such context.
  std::string Who(const CtxtHandle& handle) const {
    const absl::StatusOr<Principal> principal = PrincipalOf(handle, clock_.now);
    EXPECT_TRUE(principal.ok() ||
                ContextErrorOf(principal.status()) == ContextError::kInvalidHandle)
        << principal.status();
    return principal.ok() ? principal->id.id : "";
  }

  // Runs `body(i)` on the i-th of many threads.
  template <typename F>
  void OnThreads(const F& body) {
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) threads.emplace_back([&body, i] { body(i); });
    for (std::thread& thread : threads) thread.join();
  }

  testing::FakeClock clock_;
  PlainSeal seal_;
  Everybody everybody_;
  PeerToken peer_ = ThisProcess();
};

TEST_F(SspiConcurrencyTest, ThreadsSeeTheirOwnContexts) {
  // The handles that the threads had last, for others to try.
  std::array<std::atomic<uint64_t>, kThreads> lower = {};
  std::array<std::atomic<uint64_t>, kThreads> upper = {};
  OnThreads([&](int i) {
    const std::string self = absl::StrCat("thread", i);
    for (int round = 0; round < 200; ++round) {
      CtxtHandle context = Keep(self);
      EXPECT_EQ(Who(context), self);
      SecBuffer packed;
      void* token;
      ASSERT_EQ(ExportSecurityContext(&context, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed, &token),
                SEC_E_OK);
      EXPECT_EQ(Who(context), "");
      ASSERT_EQ(ImportSecurityContextA("reeve", &packed, &peer_, &context), SEC_E_OK);
      EXPECT_EQ(FreeContextBuffer(packed.pvBuffer), SEC_E_OK);
      EXPECT_EQ(Who(context), self);
      lower[i] = context.dwLower;
      upper[i] = context.dwUpper;
      // Of another: his context as long as he has it, half of two handles never.
      const int other = (i + 1 + round) % kThreads;
      const CtxtHandle his = {lower[other], upper[other]};
      const std::string who = Who(his);
      EXPECT_TRUE(who.empty() || who == absl::StrCat("thread", other)) << who;
      if (other != i) {
        EXPECT_EQ(Who({context.dwLower, his.dwUpper}), "");
      }
      EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_OK);
      EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_INVALID_HANDLE);
      EXPECT_EQ(LastError().ok(), false);
    }
  });
}

TEST_F(SspiConcurrencyTest, OneOfManyHasTheContext) {
  for (int round = 0; round < 200; ++round) {
    CtxtHandle context = Keep("ada");
    std::atomic<int> deleted = 0, exported = 0, taken = 0, freed = 0, imported = 0;
    std::atomic<void*> buffer = nullptr;
    // Two reach for it in each way, and two look at it meanwhile.
    OnThreads([&](int i) {
      CtxtHandle copy = context;
      SecBuffer packed;
      switch (i % 4) {
        case 0:
          deleted += DeleteSecurityContext(&copy) == SEC_E_OK;
          break;
        case 1:
          if (ExportSecurityContext(&copy, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed, nullptr) ==
              SEC_E_OK) {
            ++exported;
            buffer = packed.pvBuffer;
          }
          break;
        case 2:
          taken += TakeContext(copy).ok();
          break;
        case 3: {
          const std::string who = Who(copy);
          EXPECT_TRUE(who.empty() || who == "ada") << who;
          break;
        }
      }
    });
    EXPECT_EQ(deleted + exported + taken, 1);
    EXPECT_EQ(Who(context), "");

    // And of what was exported.
    context = Keep("ada");
    SecBuffer packed;
    ASSERT_EQ(ExportSecurityContext(&context, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed, nullptr),
              SEC_E_OK);
    OnThreads([&](int) {
      SecBuffer copy = packed;
      CtxtHandle mine;
      if (ImportSecurityContextA("reeve", &copy, &peer_, &mine) != SEC_E_OK) return;
      ++imported;
      EXPECT_EQ(Who(mine), "ada");
      EXPECT_EQ(DeleteSecurityContext(&mine), SEC_E_OK);
    });
    EXPECT_EQ(imported, 1);
    OnThreads([&](int) { freed += FreeContextBuffer(packed.pvBuffer) == SEC_E_OK; });
    EXPECT_EQ(freed, 1);
    if (buffer != nullptr) {
      EXPECT_EQ(FreeContextBuffer(buffer), SEC_E_OK);
    }
  }
}

TEST_F(SspiConcurrencyTest, OptionsMayChangeMeanwhile) {
  OnThreads([&](int i) {
    for (int round = 0; round < 100; ++round) {
      if (i == 0) {
        ImportOptions imports;
        imports.opener = &seal_;
        imports.authorizer = &everybody_;
        imports.clock = &clock_;
        imports.max_lifetime = absl::Seconds(1 + round);
        UseImportOptions(imports);
        continue;
      }
      CtxtHandle context = Keep("ada");
      SecBuffer packed;
      ASSERT_EQ(ExportSecurityContext(&context, SECPKG_CONTEXT_EXPORT_DELETE_OLD, &packed, nullptr),
                SEC_E_OK);
      ASSERT_EQ(ImportSecurityContextA("reeve", &packed, &peer_, &context), SEC_E_OK);
      EXPECT_EQ(FreeContextBuffer(packed.pvBuffer), SEC_E_OK);
      EXPECT_EQ(DeleteSecurityContext(&context), SEC_E_OK);
    }
  });
}

}  // namespace
}  // namespace reeve::sspi
