// `reeve bench`: what decisions cost by a policy set.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/audit_command.h"
#include "cli/command.h"
#include "cli/trust.h"
#include "reeve/adapters/authzen/request_json.h"
#include "reeve/cli/input.h"
#include "reeve/cli/latencies.h"
#include "reeve/cli/output.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/text.h"
#include "reeve/policy/load.h"

namespace reeve {
namespace {

using Clock = std::chrono::steady_clock;

constexpr size_t kMaxRequests = 1'000'000;
// Rules that requests are made from, if none are given: as many, evenly spread over the set.
constexpr size_t kMaxAskedRules = 50'000;

struct Options {
  std::string policy;
  std::string requests;
  std::vector<std::string> entities;
  Trust trust;
  int threads = 1;
  double seconds = 2;
  int64_t count = 0;  // 0: for so many seconds
  int slowest = 10;
  Format format = Format::kText;
};

// A request that owns what it points to.
struct Question {
  Principal principal;
  std::string action;
  EntityId resource;
};

// Requests made from the rules of a set, which has some: of each rule one that its patterns match,
// and one about a resource that no rule names.
class QuestionMaker {
 public:
  explicit QuestionMaker(const Snapshot& snapshot) : snapshot_(snapshot) {}

  std::vector<Question> Make() const {
    std::vector<Question> questions;
    const size_t asked = std::min(snapshot_.rule_count(), kMaxAskedRules);
    for (size_t i = 0; i < asked; ++i) {
      const Rule rule = snapshot_.rule(i * snapshot_.rule_count() / asked);
      Question question{PrincipalOf(rule.principals[0], 0), ActionOf(rule.actions[0]),
                        ResourceOf(rule.resources[0])};
      questions.push_back(question);
      question.resource.id = "reeve-bench-asks";
      questions.push_back(std::move(question));
    }
    return questions;
  }

 private:
  static constexpr char kName[] = "reeve-bench";

  // A text that the glob matches: each wildcard is one word.
  static std::string TextOf(std::string_view glob) {
    std::string text;
    for (size_t i = 0; i < glob.size(); ++i) {
      if (glob[i] == '*') {
        text += "x";
        while (i + 1 < glob.size() && glob[i + 1] == '*') ++i;
      } else if (glob[i] == '{') {
        text += kName;
        i = std::min(glob.find('}', i), glob.size());
      } else {
        text += glob[i];
      }
    }
    return text;
  }

  static EntityId EntityOf(const Pattern& pattern, const char* any_type) {
    switch (pattern.kind()) {
      case Pattern::Kind::kLiteral:
        return EntityId(pattern.entity());
      case Pattern::Kind::kGlob: {
        const std::string text = TextOf(pattern.text());
        const size_t colon = text.find(':');
        return EntityId(text.substr(0, colon), text.substr(colon + 1));
      }
      default:
        // What an expression matches cannot be told from it.
        return EntityId(any_type, kName);
    }
  }

  // Of a role its first member; `depth` bounds the way through roles that name roles.
  Principal PrincipalOf(const Pattern& pattern, int depth) const {
    if (pattern.kind() == Pattern::Kind::kRole) {
      const std::vector<Snapshot::Role>& roles = snapshot_.roles();
      const auto role = std::lower_bound(
          roles.begin(), roles.end(), pattern.text(),
          [](const Snapshot::Role& one, const std::string& name) { return one.name < name; });
      if (role != roles.end() && !role->members.empty() && depth < 64) {
        return PrincipalOf(role->members[0], depth + 1);
      }
    }
    EntityId id = EntityOf(pattern, "user");
    if (pattern.kind() != Pattern::Kind::kLiteral || id.type == "user") {
      return Principal(std::move(id), Assurance::kAsserted);
    }
    // A named group, or another entity that is no user, is asked by a user in it.
    Principal principal(EntityId("user", kName), Assurance::kAsserted);
    if (id.type == "group") {
      principal.groups.push_back(std::move(id.id));
    } else {
      principal.parents.push_back(std::move(id));
    }
    return principal;
  }

  static std::string ActionOf(const Pattern& pattern) {
    return pattern.kind() == Pattern::Kind::kAny ? "read" : TextOf(pattern.text());
  }

  static EntityId ResourceOf(const Pattern& pattern) { return EntityOf(pattern, "resource"); }

  const Snapshot& snapshot_;
};

// The requests, in whatever way they are kept.
struct Requests {
  std::vector<JsonRequest> read;
  std::vector<Question> made;
  std::vector<Request> all;  // Into these two.
};

// Returns false, having said what is wrong.
bool ReadRequests(const std::string& name, const Schema* schema, Requests* requests) {
  Input in(name);
  size_t line_number = 0;
  for (std::string line; in.Read(false, &line);) {
    ++line_number;
    for (JsonRequest& request : JsonBatch::Parse(line, schema).requests) {
      if (!request.defect().empty()) {
        std::fprintf(stderr, "%s:%zu: %s\n", Printable(name).c_str(), line_number,
                     std::string(request.defect()).c_str());
        return false;
      }
      if (requests->read.size() == kMaxRequests) {
        std::fprintf(stderr, "%s: more than %zu requests\n", Printable(name).c_str(), kMaxRequests);
        return false;
      }
      requests->read.push_back(std::move(request));
    }
  }
  if (in.Failed()) return false;
  if (requests->read.empty()) {
    std::fprintf(stderr, "%s: no request was given\n", Printable(name).c_str());
    return false;
  }
  for (const JsonRequest& request : requests->read) requests->all.push_back(request.request());
  return true;
}

void MakeRequests(const Snapshot& snapshot, Requests* requests) {
  requests->made = QuestionMaker(snapshot).Make();
  for (const Question& question : requests->made) {
    requests->all.push_back(Request(question.principal, question.action, question.resource));
  }
}

// What one thread measured.
struct Measured {
  explicit Measured(size_t requests) : quickest(requests, std::numeric_limits<uint32_t>::max()) {}

  Latencies latencies;
  std::vector<uint32_t> quickest;  // ns of each request; the largest value if it was not asked.
};

uint64_t Nanoseconds(Clock::duration time) {
  return static_cast<uint64_t>(
      std::max<int64_t>(0, std::chrono::duration_cast<std::chrono::nanoseconds>(time).count()));
}

// What two readings of the clock cost, in the middle.
uint64_t ClockCost() {
  std::vector<uint64_t> costs(1001);
  for (uint64_t& cost : costs) {
    const Clock::time_point begin = Clock::now();
    cost = Nanoseconds(Clock::now() - begin);
  }
  std::nth_element(costs.begin(), costs.begin() + 500, costs.end());
  return costs[500];
}

// What the rules had to do with the requests.
struct RuleCost {
  std::string_view rule;  // Its id.
  size_t requests = 0;    // In which it determined the answer, or its clauses were evaluated.
  size_t determined = 0;  // Of these, in which it determined the answer.
  double ns = 0;          // Of the quickest decision of each request, the mean.
};

class Bench {
 public:
  Bench(const Engine& engine, const std::vector<Request>& requests)
      : engine_(engine), requests_(requests), clock_cost_(ClockCost()) {}

  void Run(const Options& options) {
    // Each request once beforehand: whatever is made when it is first needed is made.
    for (const Request& request : requests_) {
      ++reasons_[std::string(ToString(engine_.Decide(request).reason()))];
    }
    std::vector<Measured> measured(static_cast<size_t>(options.threads),
                                   Measured(requests_.size()));
    std::vector<std::thread> threads;
    std::atomic<bool> go = false;
    Clock::time_point end;
    for (size_t i = 0; i < measured.size(); ++i) {
      // A thread's share of `count`.
      const uint64_t share =
          options.count == 0 ? std::numeric_limits<uint64_t>::max()
                             : static_cast<uint64_t>(options.count) * (i + 1) / measured.size() -
                                   static_cast<uint64_t>(options.count) * i / measured.size();
      threads.emplace_back([&, i, share] {
        size_t next = i * requests_.size() / measured.size();
        (void)engine_.Decide(requests_[next]);
        while (!go.load(std::memory_order_acquire)) std::this_thread::yield();
        Loop(next, share, end, &measured[i]);
      });
    }
    const Clock::time_point begin = Clock::now();
    end = options.count > 0 ? Clock::time_point::max()
                            : begin + std::chrono::duration_cast<Clock::duration>(
                                          std::chrono::duration<double>(options.seconds));
    go.store(true, std::memory_order_release);
    for (std::thread& thread : threads) thread.join();
    seconds_ = std::chrono::duration<double>(Clock::now() - begin).count();

    quickest_.assign(requests_.size(), std::numeric_limits<uint32_t>::max());
    for (const Measured& one : measured) {
      latencies_.Add(one.latencies);
      for (size_t i = 0; i < quickest_.size(); ++i) {
        quickest_[i] = std::min(quickest_[i], one.quickest[i]);
      }
    }
  }

  // Those whose decisions cost most, the dearest first.
  std::vector<RuleCost> SlowestRules(size_t most) const {
    std::map<uint32_t, RuleCost> costs;
    for (size_t i = 0; i < requests_.size(); ++i) {
      if (quickest_[i] == std::numeric_limits<uint32_t>::max()) continue;
      const Decision decision = engine_.Decide(requests_[i]);
      const auto add = [&](Decision::Rules rules, bool determined) {
        for (const RuleOutcome& outcome : rules) {
          RuleCost& cost = costs[outcome.number];
          cost.rule = outcome.id();
          cost.determined += determined;
          ++cost.requests;
          cost.ns += quickest_[i];
        }
      };
      add(decision.rules(), true);
      add(decision.near_misses(), false);
      add(decision.shadow_rules(), false);
    }
    std::vector<RuleCost> slowest;
    for (auto& [rule, cost] : costs) {
      cost.ns /= static_cast<double>(cost.requests);
      slowest.push_back(cost);
    }
    std::sort(slowest.begin(), slowest.end(), [](const RuleCost& a, const RuleCost& b) {
      return a.ns != b.ns ? a.ns > b.ns : a.rule < b.rule;
    });
    if (slowest.size() > most) slowest.resize(most);
    return slowest;
  }

  const Latencies& latencies() const { return latencies_; }
  const std::map<std::string, size_t>& reasons() const { return reasons_; }
  double seconds() const { return seconds_; }
  double per_second() const { return static_cast<double>(latencies_.count()) / seconds_; }

 private:
  void Loop(size_t next, uint64_t count, Clock::time_point end, Measured* measured) const {
    for (uint64_t i = 0; i < count; ++i) {
      const Clock::time_point begin = Clock::now();
      if (begin >= end) return;
      const Decision decision = engine_.Decide(requests_[next]);
      const Clock::time_point done = Clock::now();
      const uint64_t all = Nanoseconds(done - begin);
      const uint64_t ns = all > clock_cost_ ? all - clock_cost_ : 0;
      measured->latencies.Add(ns);
      measured->quickest[next] = static_cast<uint32_t>(std::min<uint64_t>(
          {ns, measured->quickest[next], std::numeric_limits<uint32_t>::max() - 1}));
      if (++next == requests_.size()) next = 0;
    }
  }

  const Engine& engine_;
  const std::vector<Request>& requests_;
  const uint64_t clock_cost_;
  std::map<std::string, size_t> reasons_;
  std::vector<uint32_t> quickest_;
  Latencies latencies_;
  double seconds_ = 0;
};

struct PercentileName {
  const char* name;
  double part;
};
constexpr PercentileName kPercentiles[] = {
    {"p50", 0.5}, {"p90", 0.9}, {"p99", 0.99}, {"p99.9", 0.999}};

void PrintJson(const Options& options, const Bench& bench, size_t requests,
               const Snapshot& snapshot) {
  using Json = nlohmann::ordered_json;
  Json ns = Json::object();
  for (const PercentileName& percentile : kPercentiles) {
    ns[percentile.name] = bench.latencies().Percentile(percentile.part);
  }
  ns["max"] = bench.latencies().max();
  Json rules = Json::array();
  for (const RuleCost& cost : bench.SlowestRules(static_cast<size_t>(options.slowest))) {
    rules.push_back({{"rule", cost.rule},
                     {"ns", cost.ns},
                     {"requests", cost.requests},
                     {"determined", cost.determined}});
  }
  std::puts(JsonText(Json{{"policy", snapshot.digest()},
                          {"rules", snapshot.rule_count()},
                          {"entities", snapshot.entity_count()},
                          {"requests", requests},
                          {"made_from_rules", options.requests.empty()},
                          {"reasons", bench.reasons()},
                          {"threads", options.threads},
                          {"decisions", bench.latencies().count()},
                          {"seconds", bench.seconds()},
                          {"per_second", bench.per_second()},
                          {"ns", std::move(ns)},
                          {"slowest", std::move(rules)}})
                .c_str());
}

void PrintText(const Options& options, const Bench& bench, size_t requests,
               const Snapshot& snapshot) {
  std::printf("%zu rules, %zu entities, %zu requests%s\n", snapshot.rule_count(),
              snapshot.entity_count(), requests,
              options.requests.empty() ? ", made from the rules" : "");
  std::string reasons;
  for (const auto& [reason, count] : bench.reasons()) {
    absl::StrAppend(&reasons, reasons.empty() ? "" : ", ", count, " ", reason);
  }
  std::printf("answers: %s\n", reasons.c_str());
  std::printf("%llu decisions in %.2f s by %d thread%s: %.0f a second\n\n",
              static_cast<unsigned long long>(bench.latencies().count()), bench.seconds(),
              options.threads, options.threads == 1 ? "" : "s", bench.per_second());
  std::vector<std::string> head, cells;
  for (const PercentileName& percentile : kPercentiles) {
    head.emplace_back(percentile.name);
    cells.push_back(absl::StrCat(bench.latencies().Percentile(percentile.part), " ns"));
  }
  head.emplace_back("max");
  cells.push_back(absl::StrCat(bench.latencies().max(), " ns"));
  Table percentiles(head);
  percentiles.AddRow(cells);
  std::fputs(percentiles.ToString(0).c_str(), stdout);

  const std::vector<RuleCost> slowest = bench.SlowestRules(static_cast<size_t>(options.slowest));
  if (slowest.empty()) return;
  std::puts("\nslowest rules, by what the decisions cost that they determined or nearly did");
  Table rules({"rule", "ns", "requests", "determined"}, 1);
  for (const RuleCost& cost : slowest) {
    rules.AddRow({std::string(cost.rule), std::to_string(std::llround(cost.ns)),
                  absl::StrCat(cost.requests), absl::StrCat(cost.determined)});
  }
  std::fputs(rules.ToString(TerminalWidth()).c_str(), stdout);
}

int Run(Options& options) {
  if (!options.trust.Read()) return kBadCall;
  const LoadResult loaded = LoadPolicy(options.policy, options.entities, options.trust.limits());
  for (const Issue& issue : loaded.issues) {
    std::fprintf(stderr, "%s\n%s", ToString(issue).c_str(), Excerpt(issue).c_str());
  }
  if (!loaded.ok()) return kBadCall;
  Engine::Options engine_options;
  engine_options.audit_level = AuditLevel::kOff;
  const auto engine = Engine::Create(engine_options);
  if (!engine.ok() || !(*engine)->Replace(loaded.snapshot).ok()) return kFailure;

  Requests requests;
  if (options.requests.empty()) {
    MakeRequests(*loaded.snapshot, &requests);
  } else if (!ReadRequests(options.requests, loaded.snapshot->schema(), &requests)) {
    return kBadCall;
  }
  Bench bench(**engine, requests.all);
  bench.Run(options);
  if (options.format == Format::kJson) {
    PrintJson(options, bench, requests.all.size(), *loaded.snapshot);
  } else {
    PrintText(options, bench, requests.all.size(), *loaded.snapshot);
  }
  return kYes;
}

}  // namespace

void AddBench(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "bench",
      "Measure what decisions by a policy set cost: by percentile, and of the rules with the "
      "slowest ones. Without records: what the store adds is its own affair.\n"
      "Without REQUESTS two requests are made from each rule, of 50,000 of them at most: one that "
      "its first patterns match, a user in the group or the role, a word for each wildcard; and "
      "the same about a resource that no rule names. Facts for conditions are not made up: what "
      "the entities do not say is unknown, so give REQUESTS for sets with conditions.\n"
      "Exit status: 0 done, 2 the policy or a request is wrong or missing, 3 the machine failed.");
  auto options = std::make_shared<Options>();
  command->add_option("POLICY", options->policy, "a policy file, or a directory of them")
      ->required();
  command
      ->add_option("REQUESTS", options->requests,
                   "a file of requests as `reeve check --jsonl` takes them, one a line; - is "
                   "standard input")
      ->check(NotEmpty())
      ->option_text("FILE");
  command
      ->add_option("--entities", options->entities,
                   "a file of entities to load with the policy; may be repeated")
      ->allow_extra_args(false)
      ->option_text("FILE");
  options->trust.AddOption(command);
  command->add_option("--threads", options->threads, "so many threads decide at once")
      ->check(CLI::Range(1, 256))
      ->option_text("N [1]");
  CLI::Option* const seconds =
      command->add_option("--seconds", options->seconds, "decide for so long")
          ->check(CLI::Range(0.001, 86400.0))
          ->option_text("S [2]");
  command->add_option("--count", options->count, "decide so often, by all threads together")
      ->check(CLI::Range(int64_t{1}, int64_t{1'000'000'000'000}))
      ->excludes(seconds)
      ->option_text("N");
  command->add_option("--slowest", options->slowest, "name no more than so many rules")
      ->check(CLI::Range(0, 1'000'000))
      ->option_text("N [10]");
  AddFormat(command, &options->format);
  command->footer(
      "The time of a decision is from its beginning to its end, less what reading the clock costs. "
      "Of a rule it is the mean over the requests that it determined, or in which it came near "
      "enough for its clauses to be evaluated, of the quickest decision of each; what several "
      "rules had a part in counts for each.\n"
      "Examples:\n"
      "  reeve bench policy/\n"
      "  reeve bench policy/ requests.jsonl --threads 4 --seconds 10\n"
      "  reeve bench policy/ --count 1000000 --format json");
  command->callback([options, status] { *status = Run(*options); });
}

}  // namespace reeve
