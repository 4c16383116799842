// TlsPeer::Identify() and TlsPackage::Open() beside the calls of OpenSSL that they cannot do
// without, in one run:
//
//   bazel run -c opt //bench:tls_benchmark -- --benchmark_enable_random_interleaving
//     --benchmark_repetitions=15 --benchmark_report_aggregates_only

#include <benchmark/benchmark.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/tls/tls_package.h"
#include "reeve/adapters/socket/peer_source.h"
#include "reeve/adapters/socket/tls/subject_alt_name.h"
#include "reeve/adapters/socket/tls/tls_peer.h"
#include "reeve/adapters/socket/tls/tls_testing.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using tls_testing::Connection;
using tls_testing::Credential;

// A workload and a server, with TLS 1.3. Made once.
class Session {
 public:
  Session() {
    const Credential authority = Credential::MakeAuthority("Reeve CA");
    tls_testing::CertificateSpec spec;
    spec.names = {"DNS:server.example.org"};
    tls_testing::ContextSpec server;
    server.own = Credential::Make(spec, &authority);
    server.trusted = {authority};
    spec.names = {"URI:spiffe://example.org/ns/prod/sa/web", "DNS:web-1.example.org"};
    tls_testing::ContextSpec client;
    client.own = Credential::Make(spec, &authority);
    client.trusted = {authority};
    server_ = tls_testing::MakeContext(true, server);
    client_ = tls_testing::MakeContext(false, client);
    connection_ = std::make_unique<Connection>(server_.get(), client_.get());
    if (!connection_->server_ok()) {
      std::fprintf(stderr, "the handshake failed\n");
      std::exit(1);
    }
  }

  SSL* ssl() const { return connection_->server(); }
  SocketPeer peer() const { return tls_testing::PeerOf(connection_->server_fd()); }

 private:
  tls_testing::Context server_;
  tls_testing::Context client_;
  std::unique_ptr<Connection> connection_;
};

const Session& TheSession() {
  static const Session* const session = new Session;
  return *session;
}

std::vector<std::string> BareNames(X509* certificate) {
  std::vector<std::string> names;
  auto* const list = static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr));
  for (int i = 0; i < sk_GENERAL_NAME_num(list); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(list, i);
    const ASN1_IA5STRING* const text = name->d.ia5;
    names.emplace_back(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
                       ASN1_STRING_length(text));
  }
  GENERAL_NAMES_free(list);
  return names;
}

// The least: whether the certificate is believed, and its names.
void BM_BareNames(benchmark::State& state) {
  SSL* const ssl = TheSession().ssl();
  for (auto _ : state) {
    if (SSL_get_verify_result(ssl) != X509_V_OK) std::exit(1);
    X509* const certificate = SSL_get1_peer_certificate(ssl);
    benchmark::DoNotOptimize(BareNames(certificate));
    X509_free(certificate);
  }
}
BENCHMARK(BM_BareNames);

// The same without asking the session: whom the certificate names, checked, as entities.
void BM_NamedBy(benchmark::State& state) {
  X509* const certificate = SSL_get0_peer_certificate(TheSession().ssl());
  const TlsNameMapping mapping;
  for (auto _ : state) benchmark::DoNotOptimize(NamedBy(certificate, mapping));
}
BENCHMARK(BM_NamedBy);

// With all that the principal tells: issuer, serial number, hash, expiry.
void BM_BareAll(benchmark::State& state) {
  SSL* const ssl = TheSession().ssl();
  EVP_MD* const sha256 = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  for (auto _ : state) {
    if (SSL_get_verify_result(ssl) != X509_V_OK) std::exit(1);
    X509* const certificate = SSL_get1_peer_certificate(ssl);
    benchmark::DoNotOptimize(BareNames(certificate));
    BIO* const bio = BIO_new(BIO_s_mem());
    X509_NAME_print_ex(bio, X509_get_issuer_name(certificate), 0, XN_FLAG_RFC2253);
    char* text;
    const long size = BIO_get_mem_data(bio, &text);
    benchmark::DoNotOptimize(std::string(text, size));
    BIO_free(bio);
    unsigned char digest[EVP_MAX_MD_SIZE];
    unsigned int digest_size;
    X509_digest(certificate, sha256, digest, &digest_size);
    benchmark::DoNotOptimize(digest);
    const STACK_OF(X509)* const chain = SSL_get0_verified_chain(ssl);
    for (int i = 0; i < sk_X509_num(chain); ++i) {
      std::tm time;
      ASN1_TIME_to_tm(X509_get0_notBefore(sk_X509_value(chain, i)), &time);
      ASN1_TIME_to_tm(X509_get0_notAfter(sk_X509_value(chain, i)), &time);
      benchmark::DoNotOptimize(time);
    }
    X509_free(certificate);
  }
  EVP_MD_free(sha256);
}
BENCHMARK(BM_BareAll);

// The channel binding alone.
void BM_BareExporter(benchmark::State& state) {
  SSL* const ssl = TheSession().ssl();
  for (auto _ : state) {
    unsigned char binding[32];
    SSL_export_keying_material(ssl, binding, sizeof(binding), "EXPORTER-Channel-Binding", 24,
                               binding, 0, 1);
    benchmark::DoNotOptimize(binding);
  }
}
BENCHMARK(BM_BareExporter);

void Identify(benchmark::State& state, bool binding, bool reverify) {
  SSL* const ssl = TheSession().ssl();
  const testing::FakeClock clock;
  TlsPeerOptions options;
  options.clock = &clock;
  options.binding = binding;
  if (reverify) options.reverify = SSL_CTX_get_cert_store(SSL_get_SSL_CTX(ssl));
  const SocketPeer peer = TheSession().peer();
  for (auto _ : state) {
    const absl::StatusOr<PeerIdentity> identity = TlsPeer(ssl, options).Identify(peer);
    if (!identity.ok()) {
      state.SkipWithError(identity.status().ToString().c_str());
      return;
    }
    benchmark::DoNotOptimize(identity);
  }
}

void BM_Identify(benchmark::State& state) { Identify(state, false, false); }
BENCHMARK(BM_Identify);

void BM_IdentifyWithBinding(benchmark::State& state) { Identify(state, true, false); }
BENCHMARK(BM_IdentifyWithBinding);

void BM_IdentifyAndVerifyAgain(benchmark::State& state) { Identify(state, false, true); }
BENCHMARK(BM_IdentifyAndVerifyAgain);

// A workload, and the authority between it and the one that is trusted.
class Chain {
 public:
  Chain() {
    const Credential root = Credential::MakeAuthority("Root");
    const Credential between = Credential::MakeAuthority("Between", &root);
    tls_testing::CertificateSpec spec;
    spec.names = {"URI:spiffe://example.org/ns/prod/sa/web", "DNS:web-1.example.org"};
    leaf_ = Credential::Make(spec, &between).der();
    between_ = between.der();
    store_ = X509_STORE_new();
    X509_STORE_add_cert(store_, root.certificate.get());
    AppendSized(leaf_, &packed_);
    AppendSized(between_, &packed_);
  }

  const std::string& leaf() const { return leaf_; }
  const std::string& between() const { return between_; }
  const std::string& packed() const { return packed_; }
  X509_STORE* store() const { return store_; }

 private:
  std::string leaf_;
  std::string between_;
  std::string packed_;
  X509_STORE* store_;
};

const Chain& TheChain() {
  static const Chain* const chain = new Chain;
  return *chain;
}

X509* BareCertificate(const std::string& der) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  return d2i_X509(nullptr, &bytes, static_cast<long>(der.size()));
}

// The least: both certificates read, and verified.
void BM_BareVerifyTwoCertificates(benchmark::State& state) {
  const Chain& chain = TheChain();
  for (auto _ : state) {
    X509* const leaf = BareCertificate(chain.leaf());
    STACK_OF(X509)* const others = sk_X509_new_null();
    sk_X509_push(others, BareCertificate(chain.between()));
    X509_STORE_CTX* const context = X509_STORE_CTX_new();
    X509_STORE_CTX_init(context, chain.store(), leaf, others);
    X509_STORE_CTX_set_default(context, "ssl_client");
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context),
                               absl::ToTimeT(tls_testing::kNow));
    if (X509_verify_cert(context) != 1) std::exit(1);
    X509_STORE_CTX_free(context);
    sk_X509_pop_free(others, X509_free);
    X509_free(leaf);
  }
}
BENCHMARK(BM_BareVerifyTwoCertificates);

void BM_OpenTwoCertificates(benchmark::State& state) {
  TlsPackageOptions options;
  options.trusted = TheChain().store();
  const std::unique_ptr<TlsPackage> package = *TlsPackage::Create(options);
  const std::string& packed = TheChain().packed();
  const auto bytes =
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(packed.data()), packed.size());
  for (auto _ : state) {
    const absl::StatusOr<EstablishedContext> context = package->Open(bytes, tls_testing::kNow);
    if (!context.ok()) {
      state.SkipWithError(context.status().ToString().c_str());
      return;
    }
    benchmark::DoNotOptimize(context);
  }
}
BENCHMARK(BM_OpenTwoCertificates);

}  // namespace
}  // namespace reeve

BENCHMARK_MAIN();
