// Krb5Package::Open() beside the calls of libgssapi that it cannot do without, in one run, with a
// ticket of a KDC that this program starts:
//
//   bazel run -c opt //bench:krb5_benchmark -- --benchmark_enable_random_interleaving
//     --benchmark_repetitions=15 --benchmark_report_aggregates_only

#include <benchmark/benchmark.h>
#include <gssapi/gssapi.h>
#include <gssapi/gssapi_ext.h>
#include <gssapi/gssapi_krb5.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <utility>

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

template <typename T>
T Get(absl::StatusOr<T> result) {
  if (result.ok()) return *std::move(result);
  std::fprintf(stderr, "%s\n", result.status().ToString().c_str());
  std::exit(1);
}

void Require(bool ok) {
  if (ok) return;
  std::fprintf(stderr, "libgssapi refuses\n");
  std::exit(1);
}

absl::Time Now() { return Clock::System().Now(); }

// An exported context of alice, with an indicator and a PAC.
const SecretBytes& Exported(Krb5Mechanism mechanism) {
  static const krb5_testing::Kdc kdc;
  static const std::string cache = [] {
    const std::string armor = "FILE:" + (kdc / "cc-armor");
    std::string cache = "FILE:" + (kdc / "cc");
    Require(kdc.Kinit("alice", "alicepw", armor) &&
            kdc.KinitFast("alice", "alicepw", armor, cache));
    return cache;
  }();
  const auto make = [](Krb5Mechanism mechanism) {
    Krb5Initiator::Options options;
    options.target = "documents@localhost";
    options.mechanism = mechanism;
    options.ccache = cache;
    const std::unique_ptr<Krb5Service> service = Get(Krb5Service::Create({}));
    Krb5Acceptor acceptor(service.get());
    const EstablishedContext context =
        Get(krb5_testing::Handshake(Get(Krb5Initiator::Create(options)).get(), &acceptor, Now()));
    return new SecretBytes(Get(context.session->Export()));
  };
  static const SecretBytes* const krb5 = make(Krb5Mechanism::kKrb5);
  static const SecretBytes* const spnego = make(Krb5Mechanism::kSpnego);
  return *(mechanism == Krb5Mechanism::kKrb5 ? krb5 : spnego);
}

std::string Take(gss_buffer_t buffer) {
  std::string text(static_cast<const char*>(buffer->value), buffer->length);
  OM_uint32 minor;
  gss_release_buffer(&minor, buffer);
  return text;
}

// The least: the context, who it is of, for whom, until when. With `all` what else the principal
// tells: indicators, when the user authenticated, the type of encryption.
void Bare(benchmark::State& state, Krb5Mechanism mechanism, bool all) {
  const SecretBytes& exported = Exported(mechanism);
  for (auto _ : state) {
    OM_uint32 minor;
    gss_buffer_desc token = {exported.size(), const_cast<uint8_t*>(exported.data())};
    gss_ctx_id_t context = GSS_C_NO_CONTEXT;
    Require(gss_import_sec_context(&minor, &token, &context) == GSS_S_COMPLETE);
    gss_name_t source;
    gss_name_t target;
    OM_uint32 seconds;
    OM_uint32 flags;
    gss_OID oid;
    int is_ours;
    int open;
    Require(gss_inquire_context(&minor, context, &source, &target, &seconds, &oid, &flags, &is_ours,
                                &open) == GSS_S_COMPLETE);
    for (const gss_name_t name : {source, target}) {
      gss_buffer_desc text;
      gss_OID type;
      Require(gss_display_name(&minor, name, &text, &type) == GSS_S_COMPLETE);
      benchmark::DoNotOptimize(Take(&text));
    }
    if (all) {
      krb5_timestamp auth_time;
      Require(gsskrb5_extract_authtime_from_sec_context(&minor, context, &auth_time) ==
              GSS_S_COMPLETE);
      benchmark::DoNotOptimize(auth_time);
      gss_buffer_desc attribute = {15, const_cast<char*>("auth-indicators")};
      for (int more = -1; more != 0;) {
        int authenticated;
        int complete;
        gss_buffer_desc value = GSS_C_EMPTY_BUFFER;
        gss_buffer_desc display = GSS_C_EMPTY_BUFFER;
        Require(gss_get_name_attribute(&minor, source, &attribute, &authenticated, &complete,
                                       &value, &display, &more) == GSS_S_COMPLETE);
        benchmark::DoNotOptimize(Take(&value));
        gss_release_buffer(&minor, &display);
      }
      gss_buffer_set_t key = GSS_C_NO_BUFFER_SET;
      Require(gss_inquire_sec_context_by_oid(&minor, context, GSS_C_INQ_SSPI_SESSION_KEY, &key) ==
              GSS_S_COMPLETE);
      gss_release_buffer_set(&minor, &key);
    }
    gss_release_name(&minor, &source);
    gss_release_name(&minor, &target);
    gss_delete_sec_context(&minor, &context, GSS_C_NO_BUFFER);
  }
}

void Open(benchmark::State& state, Krb5Mechanism mechanism) {
  const SecretBytes& exported = Exported(mechanism);
  const std::unique_ptr<Krb5Package> package = Get(Krb5Package::Create(mechanism));
  const absl::Time now = Now();
  for (auto _ : state) {
    const absl::StatusOr<EstablishedContext> context = package->Open(exported.span(), now);
    if (!context.ok()) {
      state.SkipWithError(context.status().ToString().c_str());
      return;
    }
    benchmark::DoNotOptimize(context);
  }
}

void BM_BareKrb5(benchmark::State& state) { Bare(state, Krb5Mechanism::kKrb5, false); }
BENCHMARK(BM_BareKrb5);
void BM_BareKrb5All(benchmark::State& state) { Bare(state, Krb5Mechanism::kKrb5, true); }
BENCHMARK(BM_BareKrb5All);
void BM_OpenKrb5(benchmark::State& state) { Open(state, Krb5Mechanism::kKrb5); }
BENCHMARK(BM_OpenKrb5);
void BM_BareSpnego(benchmark::State& state) { Bare(state, Krb5Mechanism::kSpnego, false); }
BENCHMARK(BM_BareSpnego);
void BM_BareSpnegoAll(benchmark::State& state) { Bare(state, Krb5Mechanism::kSpnego, true); }
BENCHMARK(BM_BareSpnegoAll);
void BM_OpenSpnego(benchmark::State& state) { Open(state, Krb5Mechanism::kSpnego); }
BENCHMARK(BM_OpenSpnego);

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  if (const std::string why = reeve::krb5_testing::WhyNoKdc(); !why.empty()) {
    std::fprintf(stderr, "%s\n", why.c_str());
    return 0;
  }
  benchmark::Initialize(&argc, argv);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
