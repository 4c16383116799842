#include "cli/test_report.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "reeve/cli/explanation_output.h"
#include "reeve/cli/output.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

using Json = nlohmann::ordered_json;

std::string At(const std::string& file, Position position) {
  return absl::StrCat(file, ":", position.line, ":", position.column);
}

std::string Percent(const Coverage::Part& part) {
  return absl::StrFormat("%d of %d (%.1f %%)", part.covered, part.all, part.percent());
}

std::string Differences(const TestResult& result) {
  std::string text;
  for (const TestDifference& difference : result.differences) {
    absl::StrAppend(&text, text.empty() ? "" : "; ", difference.what, " is ", difference.actual,
                    ", expected ", difference.expected);
  }
  return text;
}

// Clauses and their places, as far as both are known.
template <typename Visit>
void ForEachClause(const RuleCoverage& rule, Visit visit) {
  for (size_t i = 0; i < rule.clauses.size() && i < rule.place->when.size(); ++i) {
    visit(rule.clauses[i], rule.rule->when[i], rule.place->when[i]);
  }
}

std::string Outcomes(const ClauseCoverage& clause) {
  return absl::StrCat("true ", clause.CountOf(ClauseOutcome::kTrue), ", false ",
                      clause.CountOf(ClauseOutcome::kFalse), ", unknown ",
                      clause.CountOf(ClauseOutcome::kUnknown));
}

// What a clause never came to, of true and false: "true and false", "false", "".
std::string Never(const ClauseCoverage& clause) {
  std::string never;
  if (clause.CountOf(ClauseOutcome::kTrue) == 0) never = "true";
  if (clause.CountOf(ClauseOutcome::kFalse) == 0) {
    absl::StrAppend(&never, never.empty() ? "" : " or ", "false");
  }
  return never;
}

// --- XML and HTML ---

// `text` as content or attribute of XML 1.0 (section 2.2 says which characters it may have).
std::string Escaped(std::string_view text) {
  std::string escaped;
  while (!text.empty()) {
    char32_t c;
    const size_t length = DecodeUtf8(text, &c);
    const bool fit =
        length > 0 && (c >= 0x20 || c == '\n' || c == '\t') && c != 0xFFFE && c != 0xFFFF;
    if (!fit) {
      escaped += "\uFFFD";
    } else if (c == '&') {
      escaped += "&amp;";
    } else if (c == '<') {
      escaped += "&lt;";
    } else if (c == '>') {
      escaped += "&gt;";
    } else if (c == '"') {
      escaped += "&quot;";
    } else {
      escaped += text.substr(0, length);
    }
    text.remove_prefix(std::max<size_t>(length, 1));
  }
  return escaped;
}

constexpr char kHtmlHead[] = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>reeve test</title>
<style>
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 78rem; padding: 0 1rem;
       color: #1d2127; background: #fff; }
h1, h2 { font-weight: 600; line-height: 1.2; } h2 { margin-top: 2.2rem; font-size: 1.15rem; }
table { border-collapse: collapse; } th { text-align: left; font-weight: 600; }
td, th { padding: .15rem 1rem .15rem 0; vertical-align: top; }
td.n { text-align: right; font-variant-numeric: tabular-nums; }
pre, code { font: 13px/1.5 ui-monospace, monospace; }
pre { background: #f6f7f9; padding: .6rem .8rem; overflow-x: auto; border-radius: 4px; }
.ok { color: #12662f; } .bad { color: #a4161a; }
table.source { width: 100%; background: #f6f7f9; border-radius: 4px; }
table.source td { padding: 0 .8rem 0 .5rem; white-space: pre; font: 13px/1.5 ui-monospace, monospace; }
table.source td.line { text-align: right; color: #646b75; user-select: none; width: 3rem; }
table.source td.note { color: #454b54; text-align: right; }
tr.hit { background: #dff3e4; } tr.part { background: #fff1cc; } tr.miss { background: #fbdcdc; }
@media (prefers-color-scheme: dark) {
  body { color: #e4e7eb; background: #16191d; } pre, table.source { background: #1f242a; }
  .ok { color: #7fd69a; } .bad { color: #ff9a9a; }
  table.source td.note { color: #c3c9d1; } table.source td.line { color: #98a0aa; }
  tr.hit { background: #1c3a27; } tr.part { background: #453a17; } tr.miss { background: #4a2325; }
}
</style>
</head>
<body>
)";

// What is written beside a line of a policy file.
struct Note {
  const char* kind = "";  // "hit", "part", "miss"
  std::string text;
};

std::map<int, Note> NotesOf(const Coverage& coverage, const PolicySource& source) {
  std::map<int, Note> notes;
  // Several things may begin on one line; it is as bad as the worst of them.
  const auto add = [&notes](int line, const char* kind, const std::string& text) {
    Note& note = notes[line];
    const auto badness = [](std::string_view k) { return k == "miss" ? 3 : k == "part" ? 2 : 1; };
    if (note.text.empty() || badness(kind) > badness(note.kind)) note.kind = kind;
    absl::StrAppend(&note.text, note.text.empty() ? "" : " | ", text);
  };
  for (const RuleCoverage& rule : coverage.rules) {
    if (rule.source != &source) continue;
    add(rule.place->position.line, rule.determined > 0 ? "hit" : "miss",
        rule.determined > 0 ? absl::StrCat("determined ", rule.determined) : "never determined");
    ForEachClause(rule, [&](const ClauseCoverage& clause, const Condition&, Position position) {
      const std::string never = Never(clause);
      add(position.line,
          never.empty()              ? "hit"
          : never == "true or false" ? "miss"
                                     : "part",
          Outcomes(clause));
    });
  }
  return notes;
}

std::string SourceHtml(const Coverage& coverage, const PolicySource& source) {
  const std::map<int, Note> notes = NotesOf(coverage, source);
  std::string html =
      absl::StrCat("<h2>", Escaped(source.file), "</h2>\n<table class=\"source\">\n");
  std::string_view rest = source.text;
  for (int number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    const auto note = notes.find(number);
    const bool noted = note != notes.end();
    absl::StrAppend(&html, "<tr", noted ? absl::StrCat(" class=\"", note->second.kind, "\"") : "",
                    "><td class=\"line\">", number, "</td><td>", Escaped(line),
                    "</td><td class=\"note\">", noted ? Escaped(note->second.text) : "",
                    "</td></tr>\n");
  }
  return html + "</table>\n";
}

// --- JSON ---

Json NamesJson(const std::vector<TestExpectation::Name>& names) {
  Json json = Json::array();
  for (const TestExpectation::Name& name : names) json.push_back(name.text);
  return json;
}

Json ExpectedJson(const TestCase& test_case, const TestRequest& request) {
  if (request.expectation == TestRequest::kNone) return {{"decision", false}};
  const TestExpectation& expectation = test_case.expectations[request.expectation];
  Json json = {{"decision", expectation.allowed}};
  if (expectation.reason.has_value()) json["reason"] = std::string(ToString(*expectation.reason));
  if (!expectation.rules.empty()) json["rules"] = NamesJson(expectation.rules);
  if (!expectation.shadow_rules.empty()) {
    json["shadow_rules"] = NamesJson(expectation.shadow_rules);
  }
  if (expectation.message.has_value()) json["message"] = *expectation.message;
  if (!expectation.obligations.empty()) json["obligations"] = NamesJson(expectation.obligations);
  return json;
}

Json ResultJson(const CaseResult& of, const TestResult& result) {
  const TestRequest& request = *result.request;
  const bool listed = request.expectation != TestRequest::kNone;
  const Position position =
      listed ? of.test_case->expectations[request.expectation].position : of.test_case->position;
  Json json = {{"suite", of.suite->name},
               {"case", of.test_case->name},
               {"principal", of.suite->principals[request.principal].name},
               {"action", of.test_case->actions[request.action]},
               {"resource", of.suite->resources[request.resource].name}};
  if (request.context != TestRequest::kNone) {
    json["context"] = of.suite->contexts[request.context].name;
  }
  json.update({{"file", of.suite->file},
               {"line", position.line},
               {"column", position.column},
               {"passed", result.passed()},
               {"expected", ExpectedJson(*of.test_case, request)}});
  if (result.passed()) return json;
  Json differences = Json::array();
  for (const TestDifference& difference : result.differences) {
    differences.push_back({{"what", difference.what},
                           {"expected", difference.expected},
                           {"actual", difference.actual}});
  }
  json["answer"] = result.answer;
  json["differences"] = std::move(differences);
  json["explanation"] = result.explanation;
  return json;
}

Json PartJson(const Coverage::Part& part) {
  return {{"covered", part.covered}, {"all", part.all}, {"percent", part.percent()}};
}

Json CoverageJson(const Coverage& coverage) {
  Json rules = Json::array();
  for (const RuleCoverage& rule : coverage.rules) {
    Json clauses = Json::array();
    ForEachClause(rule, [&](const ClauseCoverage& clause, const Condition& text, Position place) {
      clauses.push_back({{"clause", text.text},
                         {"line", place.line},
                         {"column", place.column},
                         {"true", clause.CountOf(ClauseOutcome::kTrue)},
                         {"false", clause.CountOf(ClauseOutcome::kFalse)},
                         {"unknown", clause.CountOf(ClauseOutcome::kUnknown)}});
    });
    rules.push_back({{"rule", rule.rule->id},
                     {"file", rule.source->file},
                     {"line", rule.place->position.line},
                     {"column", rule.place->position.column},
                     {"determined", rule.determined},
                     {"clauses", std::move(clauses)}});
  }
  return {{"rules", PartJson(coverage.Rules())},
          {"clause_outcomes", PartJson(coverage.ClauseOutcomes())},
          {"by_rule", std::move(rules)}};
}

}  // namespace

size_t TestRun::failed() const {
  size_t failed = 0;
  for (const CaseResult& one : cases) failed += one.failed();
  return failed;
}

size_t TestRun::passed() const {
  size_t all = 0;
  for (const CaseResult& one : cases) all += one.results.size();
  return all - failed();
}

std::string CaseText(const CaseResult& result, bool verbose, bool colour) {
  const size_t failed = result.failed();
  const size_t all = result.results.size();
  std::string text = absl::StrCat(
      failed == 0 ? Colour("ok  ", kGreen, colour) : Colour("FAIL", kRed, colour), "  ",
      result.suite->name, "/", Printable(result.test_case->name), "  ",
      failed == 0 ? absl::StrCat(all) : absl::StrCat(failed, " of ", all, " failed"), "\n");
  for (const TestResult& one : result.results) {
    const std::string name =
        Printable(NameOf(*result.suite, *result.test_case, *one.request), 1000);
    if (one.passed()) {
      if (verbose) absl::StrAppend(&text, "  ok    ", name, "\n");
      continue;
    }
    absl::StrAppend(&text, At(result.suite->file, one.position), ": ", name, "\n");
    for (const TestDifference& difference : one.differences) {
      absl::StrAppend(&text, "  ", difference.what, ": expected ", difference.expected, ", got ",
                      difference.actual, "\n");
    }
    absl::StrAppend(&text, "  answer: ", one.answer, "\n");
    for (const std::string& line : one.explanation) absl::StrAppend(&text, "  ", line, "\n");
  }
  return text;
}

std::string CoverageText(const Coverage& coverage, bool verbose) {
  std::string text;
  for (const RuleCoverage& rule : coverage.rules) {
    const std::string& file = rule.source->file;
    if (rule.determined == 0) {
      absl::StrAppend(&text, At(file, rule.place->position), ": rule `", rule.rule->id,
                      "` determined no decision\n");
    } else if (verbose) {
      absl::StrAppend(&text, At(file, rule.place->position), ": rule `", rule.rule->id,
                      "` determined ", rule.determined, "\n");
    }
    ForEachClause(rule, [&](const ClauseCoverage& clause, const Condition& condition,
                            Position position) {
      const std::string never = Never(clause);
      if (never.empty() && !verbose) return;
      absl::StrAppend(&text, At(file, position), ": clause `", OneLine(condition.text), "` was ",
                      verbose ? Outcomes(clause) : absl::StrCat("never ", never), "\n");
    });
  }
  absl::StrAppend(&text, "coverage: rules ", Percent(coverage.Rules()), ", outcomes of clauses ",
                  Percent(coverage.ClauseOutcomes()), "\n");
  return text;
}

std::string SummaryText(const TestRun& run) {
  const size_t failed = run.failed();
  const size_t all = run.passed() + failed;
  return absl::StrCat(run.cases.size(), run.cases.size() == 1 ? " case, " : " cases, ", all,
                      all == 1 ? " request: " : " requests: ", run.passed(), " passed, ", failed,
                      " failed\n");
}

std::string TextReport(const TestRun& run) {
  std::string text;
  for (const CaseResult& one : run.cases) {
    text += CaseText(one, /*verbose=*/true, /*colour=*/false);
  }
  if (run.coverage != nullptr) text += CoverageText(*run.coverage, /*verbose=*/true);
  return text + SummaryText(run);
}

std::string JsonReport(const TestRun& run) {
  Json results = Json::array();
  for (const CaseResult& one : run.cases) {
    for (const TestResult& result : one.results) results.push_back(ResultJson(one, result));
  }
  Json json = {{"passed", run.passed()}, {"failed", run.failed()}, {"results", std::move(results)}};
  if (run.coverage != nullptr) json["coverage"] = CoverageJson(*run.coverage);
  return JsonText(json) + "\n";
}

std::string JunitReport(const TestRun& run) {
  // By suite, in the order of files.
  std::vector<std::pair<const TestSuite*, std::vector<const CaseResult*>>> suites;
  for (const CaseResult& one : run.cases) {
    if (suites.empty() || suites.back().first != one.suite) suites.push_back({one.suite, {}});
    suites.back().second.push_back(&one);
  }
  std::string xml = absl::StrCat(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<testsuites name=\"reeve test\" ", "tests=\"",
      run.passed() + run.failed(), "\" failures=\"", run.failed(), "\" errors=\"0\">\n");
  for (const auto& [suite, cases] : suites) {
    size_t all = 0;
    size_t failed = 0;
    for (const CaseResult* one : cases) {
      all += one->results.size();
      failed += one->failed();
    }
    absl::StrAppend(&xml, "  <testsuite name=\"", Escaped(suite->name), "\" tests=\"", all,
                    "\" failures=\"", failed, "\" errors=\"0\" skipped=\"0\">\n");
    for (const CaseResult* one : cases) {
      for (const TestResult& result : one->results) {
        absl::StrAppend(&xml, "    <testcase classname=\"", Escaped(suite->name), "\" name=\"",
                        Escaped(absl::StrCat(one->test_case->name, ": ",
                                             NameOf(*suite, *one->test_case, *result.request))),
                        "\" file=\"", Escaped(suite->file), "\"");
        if (result.passed()) {
          xml += "/>\n";
          continue;
        }
        std::string text =
            absl::StrCat(At(suite->file, result.position), ": ", result.answer, "\n");
        for (const std::string& line : result.explanation) absl::StrAppend(&text, line, "\n");
        absl::StrAppend(&xml, ">\n      <failure type=\"", result.differences[0].what,
                        "\" message=\"", Escaped(Differences(result)), "\">", Escaped(text),
                        "</failure>\n    </testcase>\n");
      }
    }
    xml += "  </testsuite>\n";
  }
  return xml + "</testsuites>\n";
}

std::string HtmlReport(const TestRun& run, const std::vector<PolicySource>& sources) {
  const bool good = run.failed() == 0;
  std::string html = absl::StrCat(kHtmlHead, "<h1>reeve test</h1>\n<p class=\"",
                                  good ? "ok" : "bad", "\">", Escaped(SummaryText(run)), "</p>\n");
  if (run.coverage != nullptr) {
    absl::StrAppend(&html, "<p>Covered: rules ", Percent(run.coverage->Rules()),
                    ", outcomes of clauses ", Percent(run.coverage->ClauseOutcomes()), ".</p>\n");
  }
  html += "<h2>Cases</h2>\n<table>\n<tr><th>case</th><th>requests</th><th>failed</th></tr>\n";
  for (const CaseResult& one : run.cases) {
    absl::StrAppend(&html, "<tr><td>", Escaped(one.suite->name), "/", Escaped(one.test_case->name),
                    "</td><td class=\"n\">", one.results.size(), "</td><td class=\"n ",
                    one.failed() == 0 ? "ok" : "bad", "\">", one.failed(), "</td></tr>\n");
  }
  html += "</table>\n";
  if (!good) html += "<h2>Failures</h2>\n";
  for (const CaseResult& one : run.cases) {
    for (const TestResult& result : one.results) {
      if (result.passed()) continue;
      absl::StrAppend(&html, "<p><strong>",
                      Escaped(FullNameOf(*one.suite, *one.test_case, *result.request)),
                      "</strong><br>", Escaped(At(one.suite->file, result.position)), ": ",
                      Escaped(Differences(result)), "</p>\n<pre>", Escaped(result.answer), "\n");
      for (const std::string& line : result.explanation)
        absl::StrAppend(&html, Escaped(line), "\n");
      html += "</pre>\n";
    }
  }
  if (run.coverage != nullptr) {
    for (const PolicySource& source : sources) html += SourceHtml(*run.coverage, source);
  }
  return html + "</body>\n</html>\n";
}

}  // namespace reeve
