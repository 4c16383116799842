// What conditions cost in a decision, beside C++ that asks the same of the same request.
//
// BM_Clause/*: a decision by one rule with eight clauses of a kind, all true, less one by the same
// rule without them, measured in turn: `clause` and `by_hand` are the nanoseconds of one clause and
// of one hand-written test, `of_by_hand` their ratio, `allocs` what a decision allocates.
// BM_When/three: the same of a `when` of three clauses, each of another kind; `when` is what they
// add together.
#include <benchmark/benchmark.h>
#include <re2/re2.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <functional>
#include <memory>
#include <new>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "policy/conditions.h"
#include "reeve/engine/testing.h"

namespace {
int64_t allocations = 0;
}  // namespace

void* operator new(size_t bytes) {
  ++allocations;
  void* memory = std::malloc(bytes == 0 ? 1 : bytes);
  if (memory == nullptr) std::abort();
  return memory;
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }

namespace reeve {
namespace {

using testing::MakePrincipal;
using testing::MakeRule;

constexpr int kClauses = 8;

// The request of all measurements, and who asks.
struct World {
  World() {
    principal = MakePrincipal("user:ada@EXAMPLE.COM");
    principal.groups = {"staff", "leads", "finance"};
    principal.attributes = {{"level", Value::Int(70)},
                            {"mail", Value::String("ada@example.com")},
                            {"site", Value::String("berlin")},
                            {"address", Value::Of(Attributes{{"city", Value::String("Berlin")}})}};
    resource_attributes = {
        {"owner", Value::String("ada@EXAMPLE.COM")},
        {"size", Value::Int(4096)},
        {"tags", Value::Of(Value::List{Value::String("draft"), Value::String("q3")})}};
    context = {{"office", Value::String("berlin")}, {"tls", Value::Bool(true)}};
  }

  Request request() const {
    Request request(principal, "doc.read", resource);
    request.resource_attributes = &resource_attributes;
    request.context = &context;
    request.time = absl::FromUnixSeconds(1795600800);  // 2026-11-25T10:00:00Z
    return request;
  }

  Principal principal;
  EntityId resource{"doc", "/finance/q3"};
  Attributes resource_attributes;
  Attributes context;
};

// What is true of the world, in CEL with `$` for a number from 0 to 7, and in C++.
struct Kind {
  const char* name;
  const char* clause;
  bool (*by_hand)(const Request& request, int number);
};

const absl::flat_hash_set<std::string>& Sites(int number) {
  static const auto* const sites = [] {
    auto* sets = new std::vector<absl::flat_hash_set<std::string>>;
    for (int i = 0; i < kClauses; ++i) {
      sets->push_back({"paris", "berlin", "rome", "oslo", "turin", absl::StrCat("site", i)});
    }
    return sets;
  }();
  return (*sites)[number];
}

const RE2& MailPattern(int number) {
  static const auto* const patterns = [] {
    auto* all = new std::vector<std::unique_ptr<RE2>>;
    for (int i = 0; i < kClauses; ++i) {
      all->push_back(std::make_unique<RE2>(absl::StrCat("^[a-z", i, "]+@example\\.com$")));
    }
    return all;
  }();
  return *(*patterns)[number];
}

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

const Value* FindString(const Attributes* attributes, std::string_view name) {
  const Value* value = attributes->Find(name);
  return value != nullptr && value->kind() == Value::Kind::kString ? value : nullptr;
}

const Value* FindInt(const Attributes* attributes, std::string_view name) {
  const Value* value = attributes->Find(name);
  return value != nullptr && value->kind() == Value::Kind::kInt ? value : nullptr;
}

const Kind kKinds[] = {
    {"compare_number", "principal.level >= $",
     [](const Request& request, int number) {
       const Value* level = FindInt(&request.principal->attributes, "level");
       return level != nullptr && level->int_value() >= number;
     }},
    {"compare_text", "principal.site != 'site$'",
     [](const Request& request, int number) {
       static const std::string kSites[] = {"site0", "site1", "site2", "site3",
                                            "site4", "site5", "site6", "site7"};
       const Value* site = FindString(&request.principal->attributes, "site");
       return site != nullptr && site->string_value() != kSites[number];
     }},
    {"compare_facts", "resource.owner == principal.id || principal.level == $",
     [](const Request& request, int number) {
       const Value* owner = FindString(request.resource_attributes, "owner");
       if (owner != nullptr && owner->string_value() == request.principal->id.id) return true;
       const Value* level = FindInt(&request.principal->attributes, "level");
       return level != nullptr && level->int_value() == number;
     }},
    {"nested_fact", "principal.address.city != 'Rome$'",
     [](const Request& request, int number) {
       static const std::string kCities[] = {"Rome0", "Rome1", "Rome2", "Rome3",
                                             "Rome4", "Rome5", "Rome6", "Rome7"};
       const Value* address = request.principal->attributes.Find("address");
       if (address == nullptr || address->kind() != Value::Kind::kMap) return false;
       const Value* city = FindString(&address->map_value(), "city");
       return city != nullptr && city->string_value() != kCities[number];
     }},
    {"one_of_constants", "principal.site in ['paris', 'berlin', 'rome', 'oslo', 'turin', 'site$']",
     [](const Request& request, int number) {
       const Value* site = FindString(&request.principal->attributes, "site");
       return site != nullptr && Sites(number).contains(View(site->string_value()));
     }},
    {"in_list_of_facts", "!('tag$' in resource.tags)",
     [](const Request& request, int number) {
       static const std::string kTags[] = {"tag0", "tag1", "tag2", "tag3",
                                           "tag4", "tag5", "tag6", "tag7"};
       const Value* tags = request.resource_attributes->Find("tags");
       if (tags == nullptr || tags->kind() != Value::Kind::kList) return false;
       const Value::List& list = tags->list_value();
       return std::none_of(list.begin(), list.end(), [number](const Value& tag) {
         return tag.kind() == Value::Kind::kString && tag.string_value() == kTags[number];
       });
     }},
    {"group", "!('group$' in principal.groups)",
     [](const Request& request, int number) {
       static const std::string kGroups[] = {"group0", "group1", "group2", "group3",
                                             "group4", "group5", "group6", "group7"};
       const std::vector<std::string>& groups = request.principal->groups;
       return std::find(groups.begin(), groups.end(), kGroups[number]) == groups.end();
     }},
    {"prefix", "principal.mail.startsWith('ada') && !principal.mail.startsWith('bob$')",
     [](const Request& request, int number) {
       static const std::string kBobs[] = {"bob0", "bob1", "bob2", "bob3",
                                           "bob4", "bob5", "bob6", "bob7"};
       const Value* mail = FindString(&request.principal->attributes, "mail");
       return mail != nullptr && absl::StartsWith(View(mail->string_value()), "ada") &&
              !absl::StartsWith(View(mail->string_value()), kBobs[number]);
     }},
    {"arithmetic", "resource.size * 2 + $ < 1000000",
     [](const Request& request, int number) {
       const Value* size = FindInt(request.resource_attributes, "size");
       int64_t doubled, sum;
       return size != nullptr && !__builtin_mul_overflow(size->int_value(), 2, &doubled) &&
              !__builtin_add_overflow(doubled, number, &sum) && sum < 1000000;
     }},
    {"has", "has(resource.owner) && !has(resource.expires$)",
     [](const Request& request, int number) {
       static const std::string kExpires[] = {"expires0", "expires1", "expires2", "expires3",
                                              "expires4", "expires5", "expires6", "expires7"};
       return request.resource_attributes->Find("owner") != nullptr &&
              request.resource_attributes->Find(kExpires[number]) == nullptr;
     }},
    {"hours", "context.time.getHours('Europe/Berlin') >= $",
     [](const Request& request, int number) {
       static const absl::TimeZone berlin = [] {
         absl::TimeZone zone;
         if (!absl::LoadTimeZone("Europe/Berlin", &zone)) std::abort();
         return zone;
       }();
       return berlin.At(*request.time).cs.hour() >= number;
     }},
    {"matches", "principal.mail.matches('^[a-z$]+@example\\\\.com$$')",
     [](const Request& request, int number) {
       const Value* mail = FindString(&request.principal->attributes, "mail");
       return mail != nullptr &&
              RE2::PartialMatch(re2::StringPiece(mail->string_value().data(),
                                                 mail->string_value().size()),
                                MailPattern(number));
     }},
    {"exists", "resource.tags.exists(t, t == 'q3' || t == 'tag$')",
     [](const Request& request, int number) {
       static const std::string kTags[] = {"tag0", "tag1", "tag2", "tag3",
                                           "tag4", "tag5", "tag6", "tag7"};
       const Value* tags = request.resource_attributes->Find("tags");
       if (tags == nullptr || tags->kind() != Value::Kind::kList) return false;
       const Value::List& list = tags->list_value();
       return std::any_of(list.begin(), list.end(), [number](const Value& tag) {
         return tag.kind() == Value::Kind::kString &&
                (tag.string_value() == "q3" || tag.string_value() == kTags[number]);
       });
     }},
};

constexpr const char* kThree[] = {"resource.owner == principal.id", "principal.level >= 3",
                                  "context.office in ['paris', 'berlin', 'rome', 'oslo']"};

std::string Numbered(const char* clause, int number) {
  // `$$` is a dollar.
  std::string text = absl::StrReplaceAll(clause, {{"$$", "\x01"}});
  text = absl::StrReplaceAll(text, {{"$", absl::StrCat(number)}});
  return absl::StrReplaceAll(text, {{"\x01", "$"}});
}

std::unique_ptr<Engine> MakeEngine(const std::vector<std::string>& when) {
  Rule rule = MakeRule("+r", {"authenticated"}, {"doc.read"}, {"doc:/finance/**"});
  Conditions conditions("bench");
  for (const std::string& text : when) {
    ConditionDefects defects;
    std::vector<std::string> used;
    std::optional<Condition> condition = conditions.Compile(text, {}, &used, &defects);
    if (!condition.has_value()) {
      std::fprintf(stderr, "%s: %s\n", text.c_str(), defects.errors[0].message.c_str());
      std::abort();
    }
    rule.when.push_back(*std::move(condition));
  }
  SnapshotBuilder builder;
  builder.AddRule(std::move(rule));
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  std::unique_ptr<Engine> engine = *Engine::Create(options);
  if (!engine->Replace(*builder.Build()).ok()) std::abort();
  return engine;
}

// What this thread has used of a processor: what others do on the machine does not count.
double CpuSeconds() {
  timespec now;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

template <typename Run>
double Measure(int runs, Run run) {
  const double begin = CpuSeconds();
  for (int i = 0; i < runs; ++i) run();
  return (CpuSeconds() - begin) / runs * 1e9;
}

// The nanoseconds that `with` takes more than `without`: the middle one of several differences.
template <typename With, typename Without>
double Difference(With with, Without without) {
  std::vector<double> differences;
  for (int i = 0; i < 51; ++i) {
    const double less = Measure(2000, without);
    differences.push_back(Measure(2000, with) - less);
  }
  std::nth_element(differences.begin(), differences.begin() + 25, differences.end());
  return differences[25];
}

void Report(benchmark::State& state, const std::vector<std::string>& when,
            const std::function<double()>& by_hand) {
  const World world;
  const Request request = world.request();
  const std::unique_ptr<Engine> with = MakeEngine(when);
  const std::unique_ptr<Engine> without = MakeEngine({});
  if (!with->Decide(request).allowed() || !without->Decide(request).allowed()) {
    state.SkipWithError("a wrong answer");
    return;
  }
  const int64_t before = allocations;
  for (auto _ : state) benchmark::DoNotOptimize(with->Decide(request).allowed());
  state.counters["allocs"] =
      static_cast<double>(allocations - before) / static_cast<double>(state.iterations());
  const double added =
      Difference([&] { benchmark::DoNotOptimize(with->Decide(request).allowed()); },
                 [&] { benchmark::DoNotOptimize(without->Decide(request).allowed()); });
  const double hand = by_hand();
  if (when.size() == kClauses) {
    state.counters["clause"] = added / kClauses;
    state.counters["by_hand"] = hand / kClauses;
  } else {
    state.counters["when"] = added;
    state.counters["by_hand"] = hand;
  }
  state.counters["of_by_hand"] = added / hand;
}

void BM_Clause(benchmark::State& state, const Kind& kind) {
  std::vector<std::string> when;
  for (int i = 0; i < kClauses; ++i) when.push_back(Numbered(kind.clause, i));
  Report(state, when, [&kind] {
    const World world;
    const Request request = world.request();
    return Difference(
        [&] {
          bool all = true;
          for (int i = 0; i < kClauses; ++i) {
            all &= kind.by_hand(request, i);
            benchmark::DoNotOptimize(all);
          }
          if (!all) std::abort();
        },
        [] {});
  });
}

void BM_When(benchmark::State& state) {
  Report(state, {std::begin(kThree), std::end(kThree)}, [] {
    const World world;
    const Request request = world.request();
    static const absl::flat_hash_set<std::string> offices = {"paris", "berlin", "rome", "oslo"};
    return Difference(
        [&] {
          const Value* owner = FindString(request.resource_attributes, "owner");
          bool all = owner != nullptr && owner->string_value() == request.principal->id.id;
          benchmark::DoNotOptimize(all);
          const Value* level = FindInt(&request.principal->attributes, "level");
          all &= level != nullptr && level->int_value() >= 3;
          benchmark::DoNotOptimize(all);
          const Value* office = FindString(request.context, "office");
          all &= office != nullptr && offices.contains(View(office->string_value()));
          benchmark::DoNotOptimize(all);
        },
        [] {});
  });
}

}  // namespace
}  // namespace reeve

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  for (const reeve::Kind& kind : reeve::kKinds) {
    benchmark::RegisterBenchmark(
        (std::string("BM_Clause/") + kind.name).c_str(),
        [&kind](benchmark::State& state) { reeve::BM_Clause(state, kind); });
  }
  benchmark::RegisterBenchmark("BM_When/three", reeve::BM_When);
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
