// gRPC's authorization engine on the cases of write_cases: `grpc DIRECTORY...`. As reeve_peer.cc,
// with a policy in gRPC's own language (grpc/policy.json). The arguments of a call, which in a
// server come from the connection and the headers, are made beforehand and are not in the time.
#include <grpc/grpc.h>
#include <grpc/grpc_security_constants.h>

#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "bench/peers/measure.h"
#include "src/core/lib/resource_quota/arena.h"
#include "src/core/lib/resource_quota/memory_quota.h"
#include "src/core/lib/resource_quota/resource_quota.h"
#include "src/core/lib/security/authorization/evaluate_args.h"
#include "src/core/lib/security/authorization/grpc_authorization_engine.h"
#include "src/core/lib/security/authorization/rbac_translator.h"
#include "src/core/lib/security/context/security_context.h"
#include "src/core/lib/slice/slice.h"
#include "src/core/lib/transport/metadata_batch.h"

namespace {

using grpc_core::AuthorizationEngine;
using grpc_core::EvaluateArgs;
using grpc_core::GrpcAuthorizationEngine;

// A call of a peer with a certificate.
class Call {
 public:
  Call(const std::string& principal, const std::string& path) {
    context_.add_cstring_property(GRPC_TRANSPORT_SECURITY_TYPE_PROPERTY_NAME,
                                  GRPC_SSL_TRANSPORT_SECURITY_TYPE);
    context_.add_cstring_property(GRPC_PEER_URI_PROPERTY_NAME, principal.c_str());
    metadata_.Set(grpc_core::HttpPathMetadata(), grpc_core::Slice::FromCopiedString(path));
    channel_.emplace(&context_, nullptr);
  }

  EvaluateArgs arguments() { return EvaluateArgs(&metadata_, &*channel_); }

 private:
  grpc_core::MemoryAllocator allocator_ =
      grpc_core::ResourceQuota::Default()->memory_quota()->CreateMemoryAllocator("peer");
  grpc_core::ScopedArenaPtr arena_ = grpc_core::MakeScopedArena(1024, &allocator_);
  grpc_metadata_batch metadata_{arena_.get()};
  grpc_auth_context context_{nullptr};
  std::optional<EvaluateArgs::PerChannelArgs> channel_;
};

bool Measure(const std::filesystem::path& directory) {
  std::ifstream file(directory / "grpc" / "policy.json");
  auto policies = grpc_core::GenerateRbacPolicies(
      std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
  if (!policies.ok()) {
    std::fprintf(stderr, "%s: %s\n", directory.c_str(), policies.status().ToString().c_str());
    return false;
  }
  const GrpcAuthorizationEngine engine(std::move(policies->allow_policy));
  return reeve::bench::Measure(
      directory, "grpc", GRPC_VERSION,
      [](const nlohmann::json& row) {
        return std::make_unique<Call>(row["principal"], "/" + row["resource"].get<std::string>() +
                                                            "/" + row["action"].get<std::string>());
      },
      [&engine](const std::unique_ptr<Call>& call) {
        return engine.Evaluate(call->arguments()).type ==
               AuthorizationEngine::Decision::Type::kAllow;
      });
}

}  // namespace

int main(int argc, char** argv) {
  grpc_init();
  const int status = reeve::bench::MeasureAll(argc, argv, "grpc", Measure);
  grpc_shutdown();
  return status;
}
