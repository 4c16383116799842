// Decides three requests by a policy, and keeps a record of each in a SQLite file.
#include <cstdio>
#include <string>

#include "reeve/engine/engine.h"
#include "reeve/policy/load.h"
#include "reeve/store/audit_store.h"

constexpr char kPolicy[] = R"(reeve: 1
policy: documents
rules:
  - id: staff-read
    effect: allow
    principals: [group:staff]
    actions: [doc.read]
    resources: ["doc:/finance/**"]
    when: principal.level >= 5
  - id: never-the-ledger
    effect: deny
    principals: [anyone]
    actions: [any]
    resources: ["doc:/finance/ledger/**"]
    message: Nobody reads the ledger here.
)";

int main(int argc, char** argv) {
  // A server loads files: LoadPolicy("/etc/documentd/policy").
  const reeve::LoadResult policy = reeve::LoadPolicy({{"documents.yaml", kPolicy}});
  for (const reeve::Issue& issue : policy.issues) std::puts(ToString(issue).c_str());
  const auto audit = reeve::AuditStore::Open(argc > 1 ? argv[1] : "audit.db");
  if (!policy.ok() || !audit.ok()) return 1;

  reeve::Engine::Options options;
  options.audit = audit->get();
  const auto engine = reeve::Engine::Create(options);
  if (!engine.ok() || !(*engine)->Replace(policy.snapshot).ok()) return 1;

  // A server asks an adapter who is calling: PeerToken::FromSocket(fd).
  reeve::Principal ada(reeve::EntityId("user", "ada"), reeve::Assurance::kAsserted);
  ada.groups = {"staff"};
  ada.attributes = {{"level", reeve::Value::Int(7)}};
  for (const char* path : {"/finance/q3", "/finance/ledger/2026", "/legal/lease"}) {
    const reeve::Decision decision =
        (*engine)->Decide(reeve::Request(ada, "doc.read", {"doc", path}));
    std::printf("%-22s %-5s %s\n", path, decision.allowed() ? "allow" : "deny",
                std::string(decision.message()).c_str());
  }
  return 0;
}
