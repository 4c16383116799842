#include "reeve/cli/explanation_output.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "reeve/cli/output.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using Json = nlohmann::ordered_json;

constexpr size_t kMaxShown = 1000;  // Bytes of a text.

bool IsAmong(Decision::Rules rules, const RuleExplanation& rule) {
  return std::any_of(rules.begin(), rules.end(),
                     [&rule](const RuleOutcome& other) { return other.number == rule.number; });
}

// What part the rule has in the answer.
std::string PartOf(const Decision& decision, const RuleExplanation& rule) {
  if (IsAmong(decision.rules(), rule)) return "decides";
  // Also a deny rule of which it is unknown whether it matches.
  if (IsAmong(decision.shadow_rules(), rule)) return "matches, as a shadow";
  if (!rule.matched()) {
    return rule.all == RuleExplanation::Match::kUnknown ? "unknown whether it matches"
                                                        : "does not match";
  }
  if (decision.record_failed()) return "matches";
  return rule.rule->shadow ? "matches, as a shadow" : "matches, and is overridden";
}

// As in the policy.
std::string NameOf(const Pattern& pattern, bool of_principals) {
  switch (pattern.kind()) {
    case Pattern::Kind::kAny:
      return of_principals ? "anyone" : "any";
    case Pattern::Kind::kRole:
      return "role:" + Printable(pattern.text(), kMaxShown);
    case Pattern::Kind::kRegex:
      return "re: " + Printable(pattern.text(), kMaxShown);
    default:
      return Printable(pattern.text(), kMaxShown);
  }
}

std::string NamesOf(const std::vector<Pattern>& patterns, bool of_principals) {
  constexpr size_t kMost = 8;
  std::string text;
  for (size_t i = 0; i < std::min(patterns.size(), kMost); ++i) {
    absl::StrAppend(&text, text.empty() ? "" : ", ", NameOf(patterns[i], of_principals));
  }
  if (patterns.size() > kMost) absl::StrAppend(&text, " and ", patterns.size() - kMost, " more");
  return text;
}

// Lines of a tree.
class Tree {
 public:
  void Add(bool last, std::string_view line) {
    absl::StrAppend(&text_, indent_, last ? "└─ " : "├─ ",
                    absl::string_view(line.data(), line.size()), "\n");
  }
  // A line below the one before it.
  void Below(bool last, std::string_view line) {
    absl::StrAppend(&text_, indent_, last ? "   " : "│  ",
                    absl::string_view(line.data(), line.size()), "\n");
  }
  void Deeper() { indent_ += "   "; }

  std::string text() && { return std::move(text_); }

 private:
  std::string indent_;
  std::string text_;
};

std::string PatternLine(const char* name, RuleExplanation::Match match,
                        const RuleExplanation::By& by, const std::vector<Pattern>& patterns,
                        bool of_principals, bool colour) {
  const std::string_view word = ToString(match);
  std::string line = absl::StrCat(name, ColouredOutcome(word, 9, colour));
  if (by.pattern == nullptr)
    return absl::StrCat(line, "none of ", NamesOf(patterns, of_principals));
  line += NameOf(*by.pattern, of_principals);
  for (size_t i = 0; i < by.through.size(); ++i) {
    absl::StrAppend(&line, i == 0 ? ": " : " in ", Printable(by.through[i], kMaxShown));
  }
  return line;
}

void AddClauses(const std::vector<ClauseExplanation>& clauses, bool colour, Tree* tree) {
  tree->Deeper();
  for (size_t i = 0; i < clauses.size(); ++i) {
    const ClauseExplanation& clause = clauses[i];
    const bool last = i + 1 == clauses.size();
    std::string line =
        absl::StrCat(i + 1, " ", ColouredOutcome(ToString(clause.outcome), 9, colour),
                     OneLine(clause.clause->text));
    if (!clause.error.empty()) absl::StrAppend(&line, "  # ", clause.error);
    tree->Add(last, line);
    for (const FactExplanation& fact : clause.facts) {
      tree->Below(last,
                  absl::StrCat("           ", fact.path, fact.known ? " = " : ": ", fact.value));
    }
  }
}

std::string RuleText(const Decision& decision, const RuleExplanation& rule, bool colour) {
  const Rule& r = *rule.rule;
  const bool decides = IsAmong(decision.rules(), rule);
  const char* const of_effect = r.effect == Effect::kAllow ? kGreen : kRed;
  const std::string head =
      absl::StrCat(r.id, "  ", Colour(ToString(r.effect), of_effect, colour && decides),
                   r.shadow ? ", shadow" : "", ", ", PartOf(decision, rule), "\n");
  Tree tree;
  tree.Add(false, PatternLine("principals  ", rule.principals, rule.principals_by, r.principals,
                              true, colour));
  tree.Add(false,
           PatternLine("actions     ", rule.actions, rule.actions_by, r.actions, false, colour));
  tree.Add(rule.clauses.empty(), PatternLine("resources   ", rule.resources, rule.resources_by,
                                             r.resources, false, colour));
  if (!rule.clauses.empty()) {
    tree.Add(true, "when");
    AddClauses(rule.clauses, colour, &tree);
  }
  return head + std::move(tree).text();
}

std::string RoleText(const RoleExplanation& role, bool colour) {
  Tree tree;
  tree.Add(role.clauses.empty(), absl::StrCat("members     ", std::string(ToString(role.members))));
  if (!role.clauses.empty()) {
    tree.Add(true, "when");
    AddClauses(role.clauses, colour, &tree);
  }
  return absl::StrCat("role ", Printable(role.name, kMaxShown), "  ",
                      std::string(ToString(role.all)), "\n", std::move(tree).text());
}

std::string RuleIds(Decision::Rules rules) {
  return absl::StrJoin(rules, ", ",
                       [](std::string* out, const RuleOutcome& rule) { out->append(rule.id()); });
}

// "would allow if clause 2 were true"
std::string NearestText(const Decision& decision, const NearestMiss& miss,
                        const RuleExplanation& rule) {
  std::vector<std::string> needs;
  const auto need = [&](bool missing, const char* what, const std::vector<Pattern>& patterns,
                        bool of_principals) {
    if (missing)
      needs.push_back(absl::StrCat("the ", what, " were ", patterns.size() > 1 ? "one of " : "",
                                   NamesOf(patterns, of_principals)));
  };
  need(miss.principals, "principal", rule.rule->principals, true);
  need(miss.actions, "action", rule.rule->actions, false);
  need(miss.resources, "resource", rule.rule->resources, false);
  if (!miss.clauses.empty()) {
    needs.push_back(absl::StrCat(
        miss.clauses.size() == 1 ? "clause " : "clauses ",
        absl::StrJoin(miss.clauses, ", ",
                      [](std::string* out, size_t clause) { absl::StrAppend(out, clause + 1); }),
        " were true"));
  }
  const std::string despite =
      decision.rules().empty()
          ? ""
          : absl::StrCat(needs.empty() ? "" : ", and but", needs.empty() ? "but for " : " for ",
                         RuleIds(decision.rules()));
  return absl::StrCat(rule.rule->id, " would allow ", needs.empty() ? "" : "if ",
                      absl::StrJoin(needs, " and "), despite);
}

Json ByJson(const RuleExplanation::By& by, bool of_principals) {
  if (by.pattern == nullptr) return nullptr;
  Json through = Json::array();
  for (const std::string& step : by.through) through.push_back(step);
  return {{"pattern", NameOf(*by.pattern, of_principals)}, {"through", std::move(through)}};
}

Json ClausesJson(const std::vector<ClauseExplanation>& clauses) {
  Json json = Json::array();
  for (const ClauseExplanation& clause : clauses) {
    Json& item = json.emplace_back(
        Json{{"clause", clause.clause->text}, {"outcome", ToString(clause.outcome)}});
    if (!clause.error.empty()) item["error"] = clause.error;
    item["facts"] = Json::array();
    for (const FactExplanation& fact : clause.facts) {
      item["facts"].push_back({{"path", fact.path}, {fact.known ? "value" : "error", fact.value}});
    }
  }
  return json;
}

}  // namespace

std::string OneLine(std::string_view text) {
  return Printable(absl::StrJoin(absl::StrSplit(absl::string_view(text.data(), text.size()),
                                                absl::ByAnyChar("\n\t "), absl::SkipEmpty()),
                                 " "),
                   kMaxShown);
}

std::string ColouredOutcome(std::string_view word, size_t width, bool on) {
  const bool good = word == "true" || word == "yes", bad = word == "false" || word == "no";
  std::string text = Colour(word, good ? kGreen : kRed, on && (good || bad));
  text.append(width - std::min(width, word.size()), ' ');
  return text;
}

std::string ExplanationText(const Decision& decision, const Request& request, bool colour) {
  if (decision.snapshot() == nullptr) return "not evaluated: no policy is in force\n";
  if (decision.reason() == Reason::kBadRequest) return "not evaluated: the request is malformed\n";
  const Explanation explanation = Explain(decision, request);
  std::string text = absl::StrCat(Printable(ToString(EntityView(request.principal->id)), kMaxShown),
                                  " ", Printable(request.action, kMaxShown), " ",
                                  Printable(ToString(request.resource), kMaxShown), "\n");
  if (explanation.rules.empty()) {
    return text + "  no rule matches more than one of principal, action and resource\n";
  }
  for (const RuleExplanation& rule : explanation.rules) {
    absl::StrAppend(&text, "\n", RuleText(decision, rule, colour));
  }
  for (const RoleExplanation& role : explanation.roles) {
    absl::StrAppend(&text, "\n", RoleText(role, colour));
  }
  if (!explanation.nearest.empty()) text += "\n";
  for (const NearestMiss& miss : explanation.nearest) {
    absl::StrAppend(&text, NearestText(decision, miss, miss.Of(explanation.rules)), "\n");
  }
  return text;
}

Json ExplanationJson(const Decision& decision, const Request& request) {
  const Explanation explanation = Explain(decision, request);
  Json rules = Json::array(), roles = Json::array(), nearest = Json::array();
  for (const RuleExplanation& rule : explanation.rules) {
    rules.push_back({{"rule", rule.rule->id},
                     {"effect", ToString(rule.rule->effect)},
                     {"principals", ToString(rule.principals)},
                     {"principals_by", ByJson(rule.principals_by, true)},
                     {"actions", ToString(rule.actions)},
                     {"actions_by", ByJson(rule.actions_by, false)},
                     {"resources", ToString(rule.resources)},
                     {"resources_by", ByJson(rule.resources_by, false)},
                     {"clauses", ClausesJson(rule.clauses)},
                     {"matched", rule.matched()},
                     {"decided", IsAmong(decision.rules(), rule)},
                     {"shadow", rule.rule->shadow}});
  }
  for (const RoleExplanation& role : explanation.roles) {
    roles.push_back({{"role", role.name},
                     {"members", ToString(role.members)},
                     {"clauses", ClausesJson(role.clauses)},
                     {"has", ToString(role.all)}});
  }
  for (const NearestMiss& miss : explanation.nearest) {
    Json clauses = Json::array(), despite = Json::array();
    for (const size_t clause : miss.clauses) clauses.push_back(clause + 1);
    for (const RuleOutcome& rule : decision.rules()) despite.push_back(rule.id());
    nearest.push_back({{"rule", miss.Of(explanation.rules).rule->id},
                       {"principals", miss.principals},
                       {"actions", miss.actions},
                       {"resources", miss.resources},
                       {"clauses", std::move(clauses)},
                       {"denied_by", std::move(despite)}});
  }
  return {
      {"rules", std::move(rules)}, {"roles", std::move(roles)}, {"nearest", std::move(nearest)}};
}

}  // namespace reeve
