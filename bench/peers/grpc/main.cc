// gRPC's authorization engine on the cases of write_cases: `grpc DIRECTORY...`. As reeve_peer.cc,
// with a policy in gRPC's own language (grpc/policy.json). The arguments of a call, which in a
// server come from the connection and the headers, are made beforehand and are not in the time.
#include <grpc/grpc.h>
#include <grpc/grpc_security_constants.h>

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

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
using nlohmann::json;
namespace fs = std::filesystem;

constexpr double kBudgetNs = 5e8;
constexpr size_t kMinRounds = 5;

// Nanoseconds of processor time of the process.
double Now() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

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

struct Question {
  std::unique_ptr<Call> call;
  bool allow;
  std::string line;
};

bool Measure(const fs::path& directory) {
  std::ifstream file(directory / "grpc" / "policy.json");
  auto policies = grpc_core::GenerateRbacPolicies(
      std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()));
  if (!policies.ok()) {
    std::fprintf(stderr, "%s: %s\n", directory.c_str(), policies.status().ToString().c_str());
    return false;
  }
  const GrpcAuthorizationEngine engine(std::move(policies->allow_policy));
  const auto allows = [&engine](const Question& question) {
    return engine.Evaluate(question.call->arguments()).type ==
           AuthorizationEngine::Decision::Type::kAllow;
  };

  std::vector<Question> questions;
  std::ifstream requests(directory / "requests.jsonl");
  for (std::string line; std::getline(requests, line);) {
    const json row = json::parse(line);
    const std::string path =
        "/" + row["resource"].get<std::string>() + "/" + row["action"].get<std::string>();
    questions.push_back({std::make_unique<Call>(row["principal"], path), row["allow"], line});
    if (allows(questions.back()) == questions.back().allow) continue;
    std::fprintf(stderr, "%s: another answer than expected: %s\n", directory.c_str(), line.c_str());
    return false;
  }
  if (questions.empty()) {
    std::fprintf(stderr, "%s: no requests\n", directory.c_str());
    return false;
  }
  std::vector<double> rounds;
  for (const double end = Now() + kBudgetNs; rounds.size() < kMinRounds || Now() < end;) {
    size_t allowed = 0;
    const double begin = Now();
    for (const Question& question : questions) allowed += allows(question);
    const double time = Now() - begin;
    if (allowed > questions.size()) return false;  // so that the decisions are not in vain
    rounds.push_back(time / static_cast<double>(questions.size()));
  }
  std::sort(rounds.begin(), rounds.end());
  std::puts(nlohmann::ordered_json{{"case", directory.filename().string()},
                                   {"peer", "grpc"},
                                   {"version", GRPC_VERSION},
                                   {"ns", rounds[rounds.size() / 2]}}
                .dump()
                .c_str());
  std::fflush(stdout);
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  grpc_init();
  int status = 0;
  for (int i = 1; i < argc; ++i) {
    if (fs::is_directory(fs::path(argv[i]) / "grpc") && !Measure(argv[i])) status = 1;
  }
  grpc_shutdown();
  return status;
}
