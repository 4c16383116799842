#include "cli/test_run.h"

#include <algorithm>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/cli/explanation_output.h"
#include "reeve/engine/explain.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using Names = std::set<std::string>;

// At most so many rules are explained to who reads about a failure.
constexpr size_t kMaxExplained = 3;

Names IdsOf(Decision::Rules rules) {
  Names ids;
  for (const RuleOutcome& rule : rules) ids.emplace(rule.id());
  return ids;
}

Names ObligationsOf(const Decision& decision) {
  Names ids;
  for (const MadeObligation& obligation : decision.obligations()) {
    ids.emplace(obligation.id());
  }
  return ids;
}

Names TextsOf(const std::vector<TestExpectation::Name>& names) {
  Names texts;
  for (const TestExpectation::Name& name : names) texts.insert(name.text);
  return texts;
}

std::string Shown(const Names& names) {
  return names.empty() ? "none" : absl::StrJoin(names, ", ");
}

std::string Decided(bool allowed) { return allowed ? "allow" : "deny"; }

std::vector<TestDifference> Compare(const TestExpectation& expected, const Decision& decision) {
  std::vector<TestDifference> differences;
  const auto compare = [&differences](const char* what, std::string wanted, std::string got) {
    if (wanted != got) differences.push_back({what, std::move(wanted), std::move(got)});
  };
  compare("decision", Decided(expected.allowed), Decided(decision.allowed()));
  if (expected.reason.has_value()) {
    compare("reason", std::string(ToString(*expected.reason)),
            std::string(ToString(decision.reason())));
  }
  const auto compare_names = [&](const char* what, const std::vector<TestExpectation::Name>& wanted,
                                 const Names& got) {
    if (!wanted.empty()) compare(what, Shown(TextsOf(wanted)), Shown(got));
  };
  compare_names("rules", expected.rules, IdsOf(decision.rules()));
  compare_names("shadow rules", expected.shadow_rules, IdsOf(decision.shadow_rules()));
  compare_names("obligations", expected.obligations, ObligationsOf(decision));
  if (expected.message.has_value()) {
    compare("message", Printable(*expected.message), Printable(decision.message()));
  }
  return differences;
}

std::string AnswerOf(const Decision& decision) {
  std::string answer =
      absl::StrCat(Decided(decision.allowed()), ", ", std::string(ToString(decision.reason())));
  if (!decision.rules().empty()) {
    absl::StrAppend(&answer, ", by ", Shown(IdsOf(decision.rules())));
  }
  if (!decision.error().empty()) absl::StrAppend(&answer, ": ", Printable(decision.error()));
  return answer;
}

bool PatternsMiss(const RuleExplanation& rule) {
  for (const RuleExplanation::Match match : {rule.principals, rule.actions, rule.resources}) {
    if (match == RuleExplanation::Match::kNo) return true;
  }
  return false;
}

// Why a clause came out so, or nothing of one that is true.
std::string Because(const ClauseExplanation& clause) {
  if (clause.outcome == ClauseOutcome::kTrue) return {};
  if (!clause.error.empty()) return absl::StrCat("  # ", clause.error);
  std::string because;
  for (const FactExplanation& fact : clause.facts) {
    absl::StrAppend(&because, because.empty() ? "  # " : ", ", fact.path, fact.known ? " = " : ": ",
                    fact.value);
  }
  return because;
}

}  // namespace

Coverage::Part Coverage::Rules() const {
  Part part;
  for (const RuleCoverage& rule : rules) {
    ++part.all;
    part.covered += rule.determined > 0;
  }
  return part;
}

Coverage::Part Coverage::ClauseOutcomes() const {
  Part part;
  for (const RuleCoverage& rule : rules) {
    for (const ClauseCoverage& clause : rule.clauses) {
      part.all += 2;
      part.covered +=
          (clause.CountOf(ClauseOutcome::kTrue) > 0) + (clause.CountOf(ClauseOutcome::kFalse) > 0);
    }
  }
  return part;
}

size_t CaseResult::failed() const {
  return std::count_if(results.begin(), results.end(),
                       [](const TestResult& result) { return !result.passed(); });
}

std::string NameOf(const TestSuite& suite, const TestCase& test_case, const TestRequest& request) {
  std::string name =
      absl::StrCat(suite.principals[request.principal].name, " ", test_case.actions[request.action],
                   " ", suite.resources[request.resource].name);
  if (request.context != TestRequest::kNone) {
    absl::StrAppend(&name, " ", suite.contexts[request.context].name);
  }
  return name;
}

std::string FullNameOf(const TestSuite& suite, const TestCase& test_case,
                       const TestRequest& request) {
  return absl::StrCat(suite.name, "/", test_case.name, ": ", NameOf(suite, test_case, request));
}

absl::StatusOr<std::unique_ptr<TestRunner>> TestRunner::Create(const PolicyTests& tests,
                                                               bool with_coverage) {
  auto runner = std::unique_ptr<TestRunner>(new TestRunner(tests, with_coverage));
  Engine::Options options;
  options.audit = &runner->no_record_;
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(options);
  if (!engine.ok()) return engine.status();
  runner->engine_ = *std::move(engine);
  if (absl::Status installed = runner->engine_->Replace(tests.loaded.snapshot); !installed.ok()) {
    return installed;
  }
  return runner;
}

TestRunner::TestRunner(const PolicyTests& tests, bool with_coverage)
    : with_coverage_(with_coverage) {
  std::unordered_map<std::string_view, const Rule*> rules;
  const Snapshot& snapshot = *tests.loaded.snapshot;
  rules_.reserve(snapshot.rule_count());
  for (size_t i = 0; i < snapshot.rule_count(); ++i) {
    const Rule& rule = rules_.emplace_back(snapshot.rule(i));
    rules[rule.id] = &rule;
  }
  for (const PolicySource& source : tests.sources) {
    for (const PolicySource::RulePlace& place : source.rules) {
      const auto rule = rules.find(place.id);
      if (rule == rules.end()) continue;
      by_id_[place.id] = coverage_.rules.size();
      coverage_.rules.push_back({rule->second, &source, &place, 0,
                                 std::vector<ClauseCoverage>(rule->second->when.size())});
    }
  }
}

CaseResult TestRunner::Run(const TestSuite& suite, const TestCase& test_case, const RE2* filter) {
  // What is not listed under `expect`.
  static const TestExpectation denied;
  CaseResult result = {&suite, &test_case, {}};
  for (const TestRequest& asked : test_case.requests) {
    if (filter != nullptr && !RE2::PartialMatch(FullNameOf(suite, test_case, asked), *filter)) {
      continue;
    }
    const Entity& resource = suite.resources[asked.resource].resource;
    Request request(suite.principals[asked.principal].principal, test_case.actions[asked.action],
                    resource.id);
    request.resource_attributes = &resource.attributes;
    request.resource_parents = resource.parents;
    request.time = test_case.time;
    if (asked.context != TestRequest::kNone) {
      const TestSuite::NamedContext& context = suite.contexts[asked.context];
      request.context = &context.attributes;
      request.time = context.time.value_or(test_case.time);
    }
    const Decision decision = engine_->Decide(request);
    const bool listed = asked.expectation != TestRequest::kNone;
    const TestExpectation& expected = listed ? test_case.expectations[asked.expectation] : denied;
    TestResult one = {&asked, Compare(expected, decision)};
    if (!one.passed()) {
      one.position = listed ? expected.position : test_case.position;
      one.answer = AnswerOf(decision);
      if (!listed) one.explanation.push_back("not listed under `expect`, and therefore denied");
      Explain(decision, request, expected, &one);
    }
    if (with_coverage_) Count(decision, request);
    result.results.push_back(std::move(one));
  }
  return result;
}

void TestRunner::Count(const Decision& decision, const Request& request) {
  for (const Decision::Rules rules : {decision.rules(), decision.shadow_rules()}) {
    for (const RuleOutcome& rule : rules) {
      const auto at = by_id_.find(rule.id());
      if (at != by_id_.end()) ++coverage_.rules[at->second].determined;
    }
  }
  const Explanation explanation = reeve::Explain(decision, request);
  for (const RuleExplanation& rule : explanation.rules) {
    const auto at = by_id_.find(rule.rule->id);
    if (PatternsMiss(rule) || at == by_id_.end()) continue;
    // As a decision does: up to the first that is false.
    std::vector<ClauseCoverage>& clauses = coverage_.rules[at->second].clauses;
    for (size_t i = 0; i < rule.clauses.size() && i < clauses.size(); ++i) {
      const ClauseOutcome outcome = rule.clauses[i].outcome;
      ++clauses[i].counts[static_cast<size_t>(outcome)];
      if (outcome == ClauseOutcome::kFalse) break;
    }
  }
}

std::string TestRunner::PlaceOf(const Rule& rule) const {
  const auto at = by_id_.find(rule.id);
  if (at == by_id_.end()) return rule.id;
  const RuleCoverage& found = coverage_.rules[at->second];
  return absl::StrCat(rule.id, " at ", found.source->file, ":", found.place->position.line, ":",
                      found.place->position.column);
}

// Those that decided and those that were to decide, then the nearest.
void TestRunner::Explain(const Decision& decision, const Request& request,
                         const TestExpectation& expected, TestResult* result) const {
  const Explanation explanation = reeve::Explain(decision, request);
  Names wanted = IdsOf(decision.rules());
  wanted.merge(TextsOf(expected.rules));
  wanted.merge(TextsOf(expected.shadow_rules));
  // Who expected an allow, by whichever rule, asks why none did.
  const bool show_nearest =
      wanted.empty() || (expected.allowed && !decision.allowed() && expected.rules.empty());
  std::vector<const RuleExplanation*> chosen;
  std::set<uint32_t> shown;
  for (const RuleExplanation& rule : explanation.rules) {
    if (wanted.erase(rule.rule->id) == 0) continue;
    chosen.push_back(&rule);
    shown.insert(rule.number);
  }
  for (const NearestMiss& miss : explanation.nearest) {
    const RuleExplanation& rule = miss.Of(explanation.rules);
    if (show_nearest && shown.insert(rule.number).second) chosen.push_back(&rule);
  }
  if (chosen.size() > kMaxExplained) chosen.resize(kMaxExplained);
  std::vector<std::string>& lines = result->explanation;
  for (const RuleExplanation* rule : chosen) {
    lines.push_back(absl::StrCat(
        PlaceOf(*rule->rule), ": ", std::string(ToString(rule->rule->effect)), "; principals ",
        std::string(ToString(rule->principals)), ", actions ", std::string(ToString(rule->actions)),
        ", resources ", std::string(ToString(rule->resources))));
    for (const ClauseExplanation& clause : rule->clauses) {
      std::string outcome(ToString(clause.outcome));
      outcome.resize(std::max<size_t>(outcome.size(), 8), ' ');
      lines.push_back(absl::StrCat("  ", outcome, OneLine(clause.clause->text), Because(clause)));
    }
  }
  for (const std::string& id : wanted) {
    lines.push_back(
        absl::StrCat(id, ": does not match more than one of principal, action and resource"));
  }
  if (chosen.empty() && wanted.empty() && decision.reason() == Reason::kNoRule) {
    lines.push_back("no allow rule matches more than one of principal, action and resource");
  }
}

}  // namespace reeve
