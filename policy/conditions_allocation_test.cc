// What a decision with conditions allocates: nothing.
#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/testing.h"
#include "reeve/policy/load.h"

namespace {

thread_local int64_t allocations = 0;

}  // namespace

// AddressSanitizer has operators of its own, and minds that libraries use them: there nothing is
// counted.
#ifndef __SANITIZE_ADDRESS__
namespace {

void* Allocate(size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return Allocate(bytes); }
void* operator new[](size_t bytes) { return Allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
#endif

namespace reeve {
namespace {

using testing::MakeId;
using testing::MakePrincipal;

struct Case {
  const char* name;
  const char* when;  // True.
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class ConditionsAllocationTest : public ::testing::TestWithParam<Case> {};

TEST_P(ConditionsAllocationTest, ADecisionAllocatesNothing) {
  Principal principal = MakePrincipal("user:ada@X", {"leads", "staff"});
  principal.attributes = {{"level", Value::Int(7)},
                          {"mail", Value::String("ada@example.com")},
                          {"address", Value::String("10.1.2.3")},
                          {"zone", Value::String("Europe/Berlin")},
                          {"site", Value::String("berlin")}};
  const Attributes resource_attributes = {
      {"owner", Value::String("ada@X")},
      {"size", Value::Int(4096)},
      {"tags", Value::Of(Value::List{Value::String("q3"), Value::String("draft")})},
      {"meta", Value::Of(Attributes{{"a", Value::Int(1)}, {"b", Value::Int(2)}})},
      {"expires", Value::Timestamp(absl::FromUnixSeconds(2000000000))}};
  const Attributes context = {{"tls", Value::Bool(true)}};
  const EntityId resource = MakeId("doc:/f/q3");
  Request request(principal, "doc.read", resource);
  request.resource_attributes = &resource_attributes;
  request.context = &context;
  request.time = absl::FromUnixSeconds(1795600800);  // 2026-11-25T10:00:00Z
  // What a provider told.
  const Attributes more = {{"badge", Value::String("blue")}};
  const std::vector<EntityId> parents = {MakeId("team:red")};
  ProvidedEntity provided;
  provided.attributes = &more;
  provided.parents = parents;
  request.provided_principal = &provided;

  for (const std::string effect : {"allow", "deny"}) {
    const LoadResult loaded = LoadPolicy(
        {{"p.yaml",
          "reeve: 1\npolicy: p\n"
          "let: {high: principal.level > 5}\n"
          "roles: {owner: {when: resource.owner == principal.id}, staff: [\"group:staff\"], "
          "senior: "
          "{principals: [\"role:staff\"], when: principal.level > 3}, x: [\"group:x\"]}\n"
          "rules:\n"
          "  - id: r\n"
          "    effect: " +
              effect +
              "\n"
              "    principals: [\"role:owner\"]\n"
              "    actions: [any]\n"
              "    resources: [\"doc:/{top}/**\"]\n"
              "    when:\n"
              "      - high && top == \"f\"\n"
              "      - |\n"
              "        " +
              std::string(GetParam().when) + "\n"}});
    ASSERT_TRUE(loaded.ok()) << ToString(loaded.issues[0]);  // not all roles are used
    Engine::Options options;
    options.audit_level = AuditLevel::kOff;
    const std::unique_ptr<Engine> engine = *Engine::Create(options);
    ASSERT_TRUE(engine->Replace(loaded.snapshot).ok());
    const Reason want = effect == "allow" ? Reason::kAllowRule : Reason::kDenyRule;
    EXPECT_EQ(engine->Decide(request).reason(), want);
    const int64_t before = allocations;
    for (int i = 0; i < 2; ++i) (void)engine->Decide(request);
    EXPECT_EQ(allocations - before, 0) << effect;
  }
}

const Case kCases[] = {
    {"Attributes", "resource.owner == principal.id && context.tls && action == 'doc.read'"},
    {"Comparisons", "principal.level >= 7 && principal.level < 7.5 && principal.level != 8u"},
    {"Missing", "!has(principal.rank) && !(principal.rank == 1 && false)"},
    {"UnknownAbsorbed", "principal.rank > 1 || principal.level == 7"},
    {"Arithmetic", "resource.size * 2 + 8 - 4 / 2 % 3 == 8198 && -resource.size < 0"},
    {"Constants", "principal.site in ['paris', 'berlin', 'rome', 'oslo', 'turin']"},
    {"ShortConstants", "principal.site in ['paris', 'berlin']"},
    {"ListOfFacts",
     "'q3' in resource.tags && resource.tags[0] == 'q3' && size(resource.tags) == 2"},
    {"MapOfFacts", "'a' in resource.meta && resource.meta.b == 2 && resource.meta['a'] == 1"},
    {"Provided", "principal.badge == 'blue' && principal.isIn('team:red')"},
    {"Groups", "'staff' in principal.groups && !('x' in principal.groups)"},
    {"IsIn", "principal.isIn('group:staff') && !resource.isIn(['folder:a', 'folder:b'])"},
    {"StringPredicates",
     "principal.mail.startsWith('ada') && principal.mail.endsWith('.com') && "
     "principal.mail.contains('@') && size(principal.mail) == 15"},
    {"Matches", "principal.mail.matches('^[a-z]+@example\\\\.com$')"},
    {"Time",
     "context.time.getHours('Europe/Berlin') == 11 && context.time.getDayOfWeek() == 3 && "
     "context.time < resource.expires && resource.expires - context.time > duration('1h')"},
    {"ZoneOfFact", "context.time.getHours(principal.zone) == 11"},
    {"Concatenation", "principal.id + '!' == resource.owner + '!'"},
    {"Comprehensions",
     "resource.tags.exists(t, t == 'draft') && resource.tags.all(t, t != 'x') && "
     "resource.meta.exists(k, v, k == 'b' && v == 2)"},
    {"MadeLists", "resource.tags.map(t, t + '!') == ['q3!', 'draft!']"},
    {"MadeMaps", "resource.meta.transformMap(k, v, v + 1) == {'a': 2, 'b': 3}"},
    {"WholeMaps", "'level' in principal && resource.exists(k, k == 'owner')"},
    {"Optionals", "principal.?rank.orValue(3) == 3 && resource.?owner.hasValue()"},
    {"Network", "cidr('10.0.0.0/8').containsIP(ip(principal.address))"},
    {"Math", "math.greatest(principal.level, 3) == 7 && math.abs(-principal.level) == 7"},
    {"Conversions",
     "string(principal.level) == '7' && int('12') == 12 && double(principal.level) == 7.0"},
    {"Roles", "principal.roles == ['owner', 'senior', 'staff'] && !('x' in principal.roles)"},
    {"Binding", "cel.bind(half, resource.size / 2, half + half == resource.size)"},
};

INSTANTIATE_TEST_SUITE_P(All, ConditionsAllocationTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

}  // namespace
}  // namespace reeve
