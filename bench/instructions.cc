// How many instructions ten typical decisions take, counted by valgrind: the same at each run of
// one build, so that a slow-down is seen in review. Prints a line for each, `name count`.
//
//   bazel run -c opt //bench:instructions > bench/instructions.golden
//
// instructions_test compares the output with that file. Ends with 2 if the counts would mean
// nothing: valgrind is not installed, or this is no optimized build by gcc.
#include <ftw.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"
#include "reeve/policy/issue.h"
#include "reeve/policy/load.h"

// Counting begins and ends with this function, which valgrind knows by its name.
extern "C" __attribute__((noinline, visibility("default"))) bool reeve_counted_decision(
    const reeve::Engine& engine, const reeve::Request& request);
bool reeve_counted_decision(const reeve::Engine& engine, const reeve::Request& request) {
  return engine.Decide(request).allowed();
}

namespace reeve {
namespace {

constexpr char kFunction[] = "reeve_counted_decision";

constexpr int kRulesOfEach = 100;

// A hundred rules of each kind, and what the decisions below need of entities.
std::vector<SourceFile> PolicySet() {
  std::string text = R"(reeve: 1
policy: p
roles:
  editor: [group:editors]
rules:
  - {id: home, effect: allow, principals: [authenticated], actions: [file.read], resources: ["file:/home/{name}/**"], when: name == principal.name}
  - {id: three-clauses, effect: allow, principals: [authenticated], actions: [doc.sign], resources: ["doc:*"], when: [principal.level >= 3, resource.owner == principal.id, '!resource.locked']}
  - {id: expression, effect: allow, principals: [authenticated], actions: [doc.tag], resources: ["doc:*"], when: 'resource.tag.matches("^[a-z]+-[0-9]{1,4}$")'}
  - {id: shared, effect: allow, principals: [authenticated], actions: [doc.open], resources: ["doc:*"], when: resource.isIn(principal.owned)}
)";
  const auto add = [&text](const std::string& id, const char* effect, const std::string& principal,
                           const char* action, const std::string& resource) {
    absl::StrAppend(&text, "  - {id: ", id, ", effect: ", effect, ", principals: [\"", principal,
                    "\"], actions: [", action, "], resources: [\"", resource, "\"]}\n");
  };
  for (int i = 0; i < kRulesOfEach; ++i) {
    const std::string n = std::to_string(i);
    add("exact-" + n, "allow", "user:u" + n + "@EXAMPLE.COM", "doc.read", "doc:report-" + n);
    add("group-" + n, "allow", "group:g" + n, "doc.write", "doc:report-" + n);
    add("role-" + n, "allow", "role:editor", "doc.edit", "doc:report-" + n);
    add("path-" + n, "allow", "authenticated", "doc.read", "doc:/projects/p" + n + "/**");
    add("folder-" + n, "allow", "authenticated", "doc.list", "folder:f" + n);
    add("deny-" + n, "deny", "group:g" + n, "doc.drop", "doc:report-" + n);
  }
  return {{"policy.yaml", text}, {"entities.yaml", R"(reeve: 1
entities:
  - {id: "user:u7@EXAMPLE.COM", attributes: {owned: ["doc:report-1", "folder:f9"]}}
  - {id: "doc:plan", parents: ["folder:f7"]}
  - {id: "folder:f7", parents: ["folder:f8"]}
  - {id: "folder:f8", parents: ["folder:f9"]}
)"}};
}

struct Case {
  const char* name;
  const char* action;
  EntityId resource;
  bool allow;
};

const std::vector<Case>& Cases() {
  static const std::vector<Case>& cases = *new std::vector<Case>{
      {"exact", "doc.read", {"doc", "report-7"}, true},
      {"group", "doc.write", {"doc", "report-7"}, true},
      {"role", "doc.edit", {"doc", "report-7"}, true},
      {"path", "doc.read", {"doc", "/projects/p7/2026/plan.txt"}, true},
      {"folder", "doc.list", {"doc", "plan"}, true},
      {"deny", "doc.drop", {"doc", "report-7"}, false},
      {"no_rule", "doc.read", {"doc", "/absent/p7/2026/plan.txt"}, false},
      {"three_clauses", "doc.sign", {"doc", "contract"}, true},
      {"expression", "doc.tag", {"doc", "contract"}, true},
      {"is_in", "doc.open", {"doc", "plan"}, true},
  };
  return cases;
}

// Each decision, counted once, after it was made a few times.
int DecideAll() {
  const LoadResult loaded = LoadPolicy(PolicySet());
  for (const Issue& issue : loaded.issues) std::fprintf(stderr, "%s\n", ToString(issue).c_str());
  const testing::FakeClock clock;
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  options.clock = &clock;
  const auto engine = Engine::Create(options);
  if (!loaded.ok() || !engine.ok() || !(*engine)->Replace(loaded.snapshot).ok()) return 1;
  Principal principal(EntityId("user", "u7@EXAMPLE.COM"), Assurance::kKernel);
  principal.groups = {"staff", "g7", "editors"};
  principal.attributes = {{"level", Value::Int(5)}};
  const Attributes attributes = {{"owner", Value::String("u7@EXAMPLE.COM")},
                                 {"locked", Value::Bool(false)},
                                 {"tag", Value::String("report-2026")}};
  for (const Case& one : Cases()) {
    Request request(principal, one.action, one.resource);
    request.resource_attributes = &attributes;
    for (int i = 0; i < 3; ++i) {
      if ((*engine)->Decide(request).allowed() == one.allow) continue;
      std::fprintf(stderr, "%s: a wrong answer\n", one.name);
      return 1;
    }
    reeve_counted_decision(**engine, request);
  }
  return 0;
}

// Of the file that valgrind writes when the function ends.
int64_t ReadTotal(const std::string& path) {
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("totals: ", 0) == 0) return std::atoll(line.c_str() + 8);
  }
  return 0;
}

// Runs this program again under valgrind, whose files go to `directory`.
int Count(const std::string& directory, const char* program) {
  const std::string out = directory + "/out";
  const pid_t child = fork();
  if (child == 0) {
    const std::string toggle = absl::StrCat("--toggle-collect=", kFunction);
    const std::string dump = absl::StrCat("--dump-after=", kFunction);
    const std::string file = "--callgrind-out-file=" + out;
    execlp("valgrind", "valgrind", "--quiet", "--tool=callgrind", "--collect-atstart=no",
           toggle.c_str(), dump.c_str(), file.c_str(), program, "--decide", nullptr);
    _exit(127);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) return 1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 127) {
    std::fputs("valgrind is not installed\n", stderr);
    return 2;
  }
  if (status != 0) return 1;
  for (size_t i = 0; i < Cases().size(); ++i) {
    const int64_t total = ReadTotal(absl::StrCat(out, ".", i + 1));
    if (total <= 0) {
      std::fputs("valgrind did not count every decision\n", stderr);
      return 1;
    }
    std::printf("%s %lld\n", Cases()[i].name, static_cast<long long>(total));
  }
  return 0;
}

int Main(int argc, char** argv) {
  if (argc == 2 && std::strcmp(argv[1], "--decide") == 0) return DecideAll();
  if (argc != 1) {
    std::fprintf(stderr, "usage: %s\n", argv[0]);
    return 2;
  }
#if !defined(__OPTIMIZE__) || defined(__clang__) || defined(__SANITIZE_ADDRESS__) || \
    defined(__SANITIZE_THREAD__)
  std::fputs("not an optimized build by gcc: build with -c opt\n", stderr);
  return 2;
#endif
  char program[4096];
  const ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
  if (size < 0) return 1;
  program[size] = 0;
  const char* const temporary = std::getenv("TMPDIR");
  std::string directory = absl::StrCat(temporary == nullptr ? "/tmp" : temporary, "/reeveXXXXXX");
  if (mkdtemp(directory.data()) == nullptr) {
    std::perror(directory.c_str());
    return 1;
  }
  const int status = Count(directory, program);
  nftw(
      directory.c_str(),
      [](const char* path, const struct stat*, int, FTW*) { return std::remove(path); }, 8,
      FTW_DEPTH | FTW_PHYS);
  return status;
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) { return reeve::Main(argc, argv); }
