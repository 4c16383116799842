// Loads any bytes as a policy file. Whatever loads must be free of errors, decide without a crash,
// and load again to the same set.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>

#include "reeve/engine/engine.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

void Check(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "property broken: %s\n", what);
  std::abort();
}

void Decide(const LoadResult& loaded) {
  static Engine* const engine = [] {
    Engine::Options options;
    options.audit_level = AuditLevel::kOff;
    return Engine::Create(options)->release();
  }();
  Check(engine->Replace(loaded.snapshot).ok(), "a set that loaded is installed");
  Principal ada(EntityId("user", "ada"), Assurance::kKernel);
  ada.groups = {"staff"};
  for (const bool complete : {true, false}) {
    ada.groups_complete = complete;
    for (const char* id : {"/finance/q3", "q3", "/a/../b"}) {
      const Decision decision = engine->Decide(Request(ada, "doc.read", {"doc", id}));
      Check(decision.allowed() == (decision.reason() == Reason::kAllowRule), "only a rule allows");
      Check(!decision.allowed() || !decision.rules().empty(), "an allow names its rule");
    }
  }
}

// The text as the schema of a set, or as what is held to one.
void CheckBesideOthers(const std::string& text) {
  static constexpr char kPolicy[] =
      "reeve: 1\npolicy: others\nrules: [{id: r, effect: allow, principals: [anyone], actions: "
      "[any], "
      "resources: [any], when: 'principal.level > 3 && has(resource.owner)'}]\n";
  static constexpr char kSchema[] =
      "reeve: 1\nschema: others\nentities: {group: {}, user: {parents: [group], attributes: "
      "{level: "
      "int, tags: list(string), at: {fields: {city: string}, required: false}}}, doc: {attributes: "
      "{owner: {type: string, required: false}}}}\nactions: {doc.read: {principals: [user], "
      "resources: [doc], context: {reason: {type: string, required: false}}}}\n";
  for (const char* other : {kPolicy, kSchema}) {
    const LoadResult loaded = LoadPolicy({{"fuzz.yaml", text}, {"other.yaml", other}});
    if (loaded.ok()) Decide(loaded);
  }
}

}  // namespace
}  // namespace reeve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve;  // NOLINT: the entry point is outside
  const std::string text(reinterpret_cast<const char*>(data), size);
  CheckBesideOthers(text);
  const LoadResult loaded = LoadPolicy({{"fuzz.yaml", text}});
  bool error = false;
  for (const Issue& issue : loaded.issues) {
    error |= issue.severity == Issue::Severity::kError;
    const std::string line = ToString(issue);
    for (const char c : line) Check(static_cast<unsigned char>(c) >= 0x20, "an issue is one line");
  }
  Check(loaded.ok() != error, "a set loads exactly if there is no error");
  if (!loaded.ok()) return 0;
  for (size_t i = 0; i < loaded.snapshot->rule_count(); ++i) {
    const Rule rule = loaded.snapshot->rule(i);
    Check(!rule.id.empty() && !rule.principals.empty() && !rule.actions.empty() &&
              !rule.resources.empty(),
          "a rule is complete");
  }
  Check(LoadPolicy({{"again.yaml", text}}).snapshot->digest() == loaded.snapshot->digest(),
        "loading again gives the same set");
  Decide(loaded);
  return 0;
}
