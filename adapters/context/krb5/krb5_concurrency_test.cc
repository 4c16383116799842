// One service and one package for all threads.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/kdc_testing.h"
#include "reeve/adapters/context/krb5/krb5_acceptor.h"
#include "reeve/adapters/context/krb5/krb5_initiator.h"
#include "reeve/adapters/context/krb5/krb5_options.h"
#include "reeve/adapters/context/krb5/krb5_package.h"
#include "reeve/adapters/context/secret_bytes.h"
#include "reeve/engine/clock.h"

namespace reeve {
namespace {

constexpr int kThreads = 8;
constexpr int kRounds = 25;

TEST(Krb5ConcurrencyTest, ServiceAndPackageAreOfAllThreads) {
  if (const std::string why = krb5_testing::WhyNoKdc(); !why.empty()) GTEST_SKIP() << why;
  const krb5_testing::Kdc kdc;
  const std::string cache = "FILE:" + (kdc / "cc");
  ASSERT_TRUE(kdc.Kinit("alice", "alicepw", cache));
  for (const Krb5Mechanism mechanism : {Krb5Mechanism::kKrb5, Krb5Mechanism::kSpnego}) {
    const absl::StatusOr<std::unique_ptr<Krb5Service>> service = Krb5Service::Create({});
    ASSERT_TRUE(service.ok()) << service.status();
    const absl::StatusOr<std::unique_ptr<Krb5Package>> package = Krb5Package::Create(mechanism);
    ASSERT_TRUE(package.ok()) << package.status();
    const auto now = [] { return Clock::System().Now(); };
    const auto accept = [&]() -> absl::StatusOr<EstablishedContext> {
      Krb5Initiator::Options options;
      options.target = "documents@localhost";
      options.mechanism = mechanism;
      options.ccache = cache;
      absl::StatusOr<std::unique_ptr<Krb5Initiator>> initiator = Krb5Initiator::Create(options);
      if (!initiator.ok()) return initiator.status();
      Krb5Acceptor acceptor(service->get());
      return krb5_testing::Handshake(initiator->get(), &acceptor, now());
    };
    const absl::StatusOr<EstablishedContext> first = accept();
    ASSERT_TRUE(first.ok()) << first.status();
    const absl::StatusOr<SecretBytes> exported = first->session->Export();
    ASSERT_TRUE(exported.ok()) << exported.status();

    std::atomic<int> accepted{0};
    std::atomic<int> opened{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < kThreads; ++i) {
      threads.emplace_back([&] {
        for (int round = 0; round < kRounds; ++round) {
          const absl::StatusOr<EstablishedContext> context = accept();
          if (context.ok() && context->principal.id.id == "alice@REEVE.TEST") ++accepted;
          const absl::StatusOr<EstablishedContext> other =
              (*package)->Open(exported->span(), now());
          if (other.ok() && other->principal.id.id == "alice@REEVE.TEST") ++opened;
        }
      });
    }
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(accepted, kThreads * kRounds);
    EXPECT_EQ(opened, kThreads * kRounds);
  }
}

}  // namespace
}  // namespace reeve
