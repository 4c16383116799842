// The command `reeve` as a script calls it: what it prints, where, and its exit status.
#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sqlite3.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::Process;
using end_to_end::RunProgram;
using nlohmann::json;

constexpr char kPolicy[] = R"(reeve: 1
policy: documents
roles:
  editor: [group:staff]
rules:
  - id: editors
    effect: allow
    principals: [role:editor]
    actions: [doc.read]
    resources: ["doc:/finance/**"]
  - id: never-the-ledger
    effect: deny
    principals: [anyone]
    actions: [any]
    resources: ["doc:/finance/ledger/**"]
    message: Nobody reads the ledger.
    obligations: [{id: page-security}]
)";

// Rules with clauses of every outcome.
constexpr char kConditions[] = R"(reeve: 1
policy: p
rules:
  - id: readers
    effect: allow
    principals: [group:staff]
    actions: [doc.read]
    resources: ["doc:/{folder}/**"]
    when:
      - folder != "ledger"
      - |
        resource.owner == principal.id
        || resource.shared
      - resource.size < 100
      - resource.size > 0
  - id: locked
    effect: deny
    principals: [anyone]
    actions: [any]
    resources: [any]
    when: resource.locked
  - id: root
    effect: allow
    principals: [user:root]
    actions: [any]
    resources: [any]
  - id: trial
    effect: deny
    principals: [anyone]
    actions: [any]
    resources: [any]
    shadow: true
    when: context.ip == "192.0.2.1"
)";

// Of `ada`, who is in `staff`.
std::string RequestWith(const json& properties) {
  return json({{"subject",
                {{"type", "user"}, {"id", "ada"}, {"properties", {{"groups", {"staff"}}}}}},
               {"action", {{"name", "doc.read"}}},
               {"resource", {{"type", "doc"}, {"id", "/finance/q3"}, {"properties", properties}}}})
      .dump();
}

std::string RequestFor(const std::string& path, const std::string& group = "staff") {
  return json({{"subject",
                {{"type", "user"},
                 {"id", "ada"},
                 {"properties", {{"groups", json::array({group})}}}}},
               {"action", {{"name", "doc.read"}}},
               {"resource", {{"type", "doc"}, {"id", path}}}})
      .dump();
}

// `text` with ID for the id of the decision, which changes from run to run.
std::string WithoutId(std::string text) {
  const std::string before = "\nid: ";
  const size_t at = text.find(before);
  return at == std::string::npos ? text : text.replace(at + before.size(), 36, "ID");
}

class ReeveTest : public testing::Test {
 protected:
  ReeveTest() : policy_(directory_.Write("policy/documents.yaml", kPolicy)) {}

  Ended Reeve(std::vector<std::string> arguments, const std::string& input = "",
              const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), "cli/reeve");
    return RunProgram(arguments, input, environment);
  }

  // A log of an allow, a deny by a rule and a malformed request, in this order.
  std::string Log() {
    const std::string db = (directory_ / "audit.db");
    const Ended ended =
        Reeve({"check", "--jsonl", "--audit", db, policy_},
              RequestFor("/finance/q3") + "\n" + RequestFor("/finance/ledger/1") + "\nnot JSON\n");
    EXPECT_EQ(ended.status, 2) << ended.err;
    return db;
  }

  const end_to_end::WorkDirectory directory_;
  const std::string policy_;
};

TEST_F(ReeveTest, VersionAndHelp) {
  EXPECT_EQ(Reeve({"version"}).out.substr(0, 6), "reeve ");
  EXPECT_TRUE(json::parse(Reeve({"version", "--format", "json"}).out).contains("version"));
  EXPECT_EQ(Reeve({"--version"}).out, Reeve({"version"}).out);
  EXPECT_EQ(Reeve({"--version"}).status, 0);
  for (const std::vector<std::string>& command :
       std::vector<std::vector<std::string>>{{"--help"},
                                             {"check", "--help"},
                                             {"eval", "--help"},
                                             {"lint", "--help"},
                                             {"audit", "--help"},
                                             {"audit", "query", "--help"},
                                             {"audit", "tail", "--help"},
                                             {"whoami", "--help"},
                                             {"version", "--help"}}) {
    const Ended ended = Reeve(command);
    EXPECT_EQ(ended.status, 0) << command[0];
    EXPECT_NE(ended.out.find("Usage: reeve"), std::string::npos) << command[0] << ended.out;
    EXPECT_EQ(ended.err, "");
  }
}

TEST_F(ReeveTest, AWrongCallSaysWhatToDoAndEndsWith2) {
  const Ended typo = Reeve({"chek"});
  EXPECT_EQ(typo.status, 2);
  EXPECT_EQ(typo.err,
            "reeve: unknown command `chek`; did you mean `check`?; `reeve --help` lists them\n");
  const Ended deeper = Reeve({"audit", "qurey", "audit.db"});
  EXPECT_EQ(deeper.status, 2);
  EXPECT_EQ(deeper.err,
            "reeve audit: unknown command `qurey`; did you mean `query`?; `reeve audit --help` "
            "lists them\n");
  EXPECT_EQ(Reeve({}).status, 2);
  EXPECT_EQ(Reeve({"check"}).status, 2);
  EXPECT_EQ(Reeve({"check", "--frmat", "json", policy_}).status, 2);
  EXPECT_EQ(Reeve({"lint", "--format", "xml", policy_}).status, 2);
}

TEST_F(ReeveTest, AFilterThatSaysNothingIsRefused) {
  const std::string db = Log();
  EXPECT_EQ(Reeve({"audit", "query", "--since", "yesterday", db}).status, 2);
  for (const char* filter : {"--since", "--until", "--principal", "--action", "--resource",
                             "--decision", "--reason", "--rule", "--id"}) {
    for (const char* command : {"query", "tail"}) {
      const Ended ended = Reeve({"audit", command, db, filter, ""});
      EXPECT_EQ(ended.status, 2) << command << " " << filter;
      EXPECT_EQ(ended.out, "") << command << " " << filter;
    }
  }
  const Ended ended = Reeve({"audit", "query", db, "--principal", "ada"});
  EXPECT_EQ(ended.status, 2);
  EXPECT_NE(ended.err.find("write `type:id`"), std::string::npos) << ended.err;
}

TEST_F(ReeveTest, LintOfAGoodSet) {
  const Ended ended = Reeve({"lint", policy_});
  EXPECT_EQ(ended.status, 0);
  EXPECT_EQ(ended.out.substr(0, ended.out.find('\n')), "2 rules, 0 entities, 0 warnings");
  EXPECT_EQ(ended.err, "");
}

TEST_F(ReeveTest, LintOfABadSetReportsAllOfIt) {
  const std::string bad = directory_.Write(
      "bad.yaml",
      "reeve: 1\npolicy: p\nrules:\n  - {id: r, efect: allow, principals: [anyone], "
      "actions: [], resources: [any]}\n");
  const Ended text = Reeve({"lint", bad});
  EXPECT_EQ(text.status, 2);
  EXPECT_EQ(text.out, "");
  EXPECT_EQ(text.err,
            bad +
                ":4:13: unknown key `efect` in rule `r`; did you mean `effect`?\n"
                "    - {id: r, efect: allow, principals: [anyone], actions: [], resources: "
                "[any]}\n"
                "              ^\n" +
                bad +
                ":4:58: `actions` is empty; write `[any]` to mean every action\n"
                "    - {id: r, efect: allow, principals: [anyone], actions: [], resources: "
                "[any]}\n"
                "                                                           ^\n"
                "2 errors; nothing is loaded\n");
  const Ended machine = Reeve({"lint", "--format", "json", bad});
  EXPECT_EQ(machine.status, 2);
  const json issues = json::parse(machine.out)["issues"];
  ASSERT_EQ(issues.size(), 2u);
  EXPECT_EQ(issues[0]["line"], 4);
  EXPECT_EQ(issues[0]["column"], 13);
  EXPECT_EQ(issues[0]["severity"], "error");
}

TEST_F(ReeveTest, LintShowsWhereAConditionIsWrong) {
  const std::string bad = directory_.Write(
      "bad.yaml",
      "reeve: 1\npolicy: p\nrules:\n  - id: r\n    effect: allow\n    principals: [anyone]\n"
      "    actions: [any]\n    resources: [any]\n    when:\n      - princpal.level >= 5\n"
      "      - |\n        action == \"doc.read\"\n        && action == 7\n");
  const Ended text = Reeve({"lint", bad});
  EXPECT_EQ(text.status, 2);
  EXPECT_EQ(text.out, "");
  EXPECT_EQ(text.err, bad +
                          ":10:9: unknown name `princpal`; did you mean `principal`?\n"
                          "        - princpal.level >= 5\n"
                          "          ^~~~~~~~\n" +
                          bad +
                          ":13:19: `==` compares values of one type, not string and int\n"
                          "          && action == 7\n"
                          "                    ^~\n"
                          "2 errors; nothing is loaded\n");
  EXPECT_EQ(Reeve({"check", bad}, RequestFor("/finance/q3")).err,
            text.err.substr(0, text.err.find("2 errors")));
  EXPECT_EQ(json::parse(Reeve({"lint", "--format", "json", bad}).out),
            json({{"ok", false},
                  {"issues",
                   {{{"file", bad},
                     {"line", 10},
                     {"column", 9},
                     {"width", 8},
                     {"severity", "error"},
                     {"name", ""},
                     {"denied", false},
                     {"message", "unknown name `princpal`; did you mean `principal`?"},
                     {"source", "      - princpal.level >= 5"}},
                    {{"file", bad},
                     {"line", 13},
                     {"column", 19},
                     {"width", 2},
                     {"severity", "error"},
                     {"name", ""},
                     {"denied", false},
                     {"message", "`==` compares values of one type, not string and int"},
                     {"source", "        && action == 7"}}}}}));
}

TEST_F(ReeveTest, LintCountsWarningsIfAsked) {
  const std::string unused =
      directory_.Write("unused.yaml", std::string(kPolicy) + "actions: {edit: [doc.write]}\n");
  EXPECT_EQ(Reeve({"lint", unused}).status, 0);
  EXPECT_NE(Reeve({"lint", unused}).err.find(": warning: action set `edit` is not used"),
            std::string::npos);
  EXPECT_EQ(Reeve({"lint", "--strict", unused}).status, 1);
  EXPECT_EQ(Reeve({"lint", (directory_ / "nowhere")}).status, 2);
}

TEST_F(ReeveTest, CheckAnswersOneRequest) {
  const Ended allowed = Reeve({"check", policy_}, RequestFor("/finance/q3"));
  EXPECT_EQ(allowed.status, 0) << allowed.err;
  EXPECT_EQ(WithoutId(allowed.out), "allow  allow_rule  documents/editors\nid: ID\n");
  const Ended denied = Reeve({"check", policy_, "-"}, RequestFor("/finance/ledger/1"));
  EXPECT_EQ(denied.status, 1);
  EXPECT_EQ(WithoutId(denied.out),
            "deny  deny_rule  documents/never-the-ledger\nmessage: Nobody reads the ledger.\n"
            "obligation: page-security\nid: ID\n");
  const Ended malformed = Reeve({"check", policy_}, RequestFor("/finance/../q3"));
  EXPECT_EQ(malformed.status, 2);
  EXPECT_EQ(WithoutId(malformed.out),
            "deny  bad_request\nerror: the entity id has a `.` or `..` segment\nid: ID\n");
}

TEST_F(ReeveTest, CheckTellsWhatAShadowSetWouldAnswer) {
  const std::string shadow = directory_.Write(
      "next.yaml",
      "reeve: 1\npolicy: next\nrules:\n"
      "  - {id: none, effect: deny, principals: [anyone], actions: [any], resources: [any],\n"
      "     message: 'not {principal.id}', obligations: [{id: tell, with: {whom: "
      "'{principal.id}'}}]}\n");
  const Ended both = Reeve({"check", "--shadow", shadow, policy_}, RequestFor("/finance/q3"));
  EXPECT_EQ(both.status, 0) << both.err;
  EXPECT_EQ(WithoutId(both.out),
            "allow  allow_rule  documents/editors\nshadow set: deny  deny_rule  next/none  "
            "(differs)\nid: ID\n");
  const Ended same = Reeve({"check", "--shadow", policy_, policy_}, RequestFor("/finance/q3"));
  EXPECT_EQ(WithoutId(same.out),
            "allow  allow_rule  documents/editors\nshadow set: allow  allow_rule  "
            "documents/editors\nid: ID\n");
  const json answer = json::parse(
      Reeve({"check", "--format", "json", "--shadow", shadow, policy_}, RequestFor("/finance/q3"))
          .out);
  EXPECT_EQ(answer["context"]["shadow"]["reason"], "deny_rule");
  EXPECT_EQ(answer["context"]["shadow"]["differs"], true);
  EXPECT_EQ(Reeve({"check", "--shadow", directory_ / "nowhere", policy_}, "{}").status, 2);
  // The set as the live one, with its texts.
  EXPECT_EQ(WithoutId(Reeve({"check", shadow}, RequestFor("/finance/q3")).out),
            "deny  deny_rule  next/none\nmessage: not ada\nobligation: tell "
            "{\"whom\":\"ada\"}\nid: ID\n");
}

TEST_F(ReeveTest, CheckNamesTheRecordAndTheRulesInTrial) {
  const std::string db = directory_ / "audit.db";
  const std::string policy = directory_.Write(
      "shadow.yaml",
      "reeve: 1\npolicy: trial\nrules:\n"
      "  - {id: all, effect: allow, principals: [anyone], actions: [any], resources: [any]}\n"
      "  - {id: not-finance, effect: deny, principals: [anyone], actions: [any],\n"
      "     resources: ['doc:/finance/**'], shadow: true}\n");
  const Ended ended = Reeve({"check", "--audit", db, policy}, RequestFor("/finance/q3"));
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(WithoutId(ended.out),
            "allow  allow_rule  trial/all\nshadow: trial/not-finance\nid: ID\n");
  const json row = json::parse(Reeve({"audit", "query", db, "--format", "json"}).out);
  EXPECT_NE(ended.out.find("\nid: " + row["id"].get<std::string>() + "\n"), std::string::npos);
}

TEST_F(ReeveTest, CheckSaysWhatItCannotRead) {
  struct Unreadable {
    std::string path;
    const char* why;
  };
  for (const Unreadable& file : {Unreadable{directory_ / "policy", "Is a directory"},
                                 Unreadable{directory_ / "nowhere", "No such file or directory"}}) {
    for (const std::vector<std::string>& command :
         std::vector<std::vector<std::string>>{{"check"}, {"check", "--jsonl"}}) {
      std::vector<std::string> arguments = command;
      arguments.insert(arguments.end(), {policy_, file.path});
      const Ended ended = Reeve(arguments);
      EXPECT_EQ(ended.status, 2);
      EXPECT_EQ(ended.out, "");
      EXPECT_EQ(ended.err, file.path + ": cannot be read: " + file.why + "\n");
    }
  }
}

TEST_F(ReeveTest, CheckReadsAFileAndWritesJson) {
  const std::string request = directory_.Write("request.json", RequestFor("/finance/q3"));
  const Ended ended = Reeve({"check", "--format", "json", policy_, request});
  EXPECT_EQ(ended.status, 0) << ended.err;
  const json answer = json::parse(ended.out);
  EXPECT_EQ(answer["decision"], true);
  EXPECT_EQ(answer["context"]["rules"], json::array({"documents/editors"}));
  EXPECT_EQ(Reeve({"check", policy_, (directory_ / "nowhere")}).status, 2);
}

TEST_F(ReeveTest, CheckExplains) {
  const Ended ended = Reeve({"check", "--explain", policy_}, RequestFor("/finance/q3", "guests"));
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(WithoutId(ended.out),
            "deny  no_rule\nid: ID\n\n"
            "user:ada doc.read doc:/finance/q3\n"
            "\n"
            "documents/editors  allow, does not match\n"
            "├─ principals  no       none of role:documents/editor\n"
            "├─ actions     yes      doc.read\n"
            "└─ resources   yes      doc:/finance/**\n"
            "\n"
            "documents/never-the-ledger  deny, does not match\n"
            "├─ principals  yes      anyone\n"
            "├─ actions     yes      any\n"
            "└─ resources   no       none of doc:/finance/ledger/**\n"
            "\n"
            "documents/editors would allow if the principal were role:documents/editor\n");
  const Ended machine = Reeve({"check", "--explain", "--format", "json", policy_},
                              RequestFor("/finance/q3", "guests"));
  EXPECT_EQ(json::parse(machine.out)["context"]["explanation"]["rules"][0]["principals"], "no");
  const Ended malformed = Reeve({"check", "--explain", policy_}, "{}");
  EXPECT_EQ(malformed.status, 2);
  EXPECT_EQ(WithoutId(malformed.out),
            "deny  bad_request\nerror: `subject` is missing\nid: ID\n\n"
            "not evaluated: the request is malformed\n");
}

TEST_F(ReeveTest, CheckExplainsWhichRuleDecides) {
  const std::string policy = directory_.Write(
      "decides.yaml",
      "reeve: 1\npolicy: p\nrules:\n"
      "  - {id: a, effect: allow, principals: [anyone], actions: [any], resources: [any]}\n"
      "  - {id: d, effect: deny, principals: [anyone], actions: [any], resources: [any]}\n"
      "  - {id: s, effect: deny, principals: [anyone], actions: [any], resources: [any], shadow: "
      "true}\n");
  const Ended ended = Reeve({"check", "--explain", policy}, RequestFor("/finance/q3"));
  for (const char* line :
       {"\np/a  allow, matches, and is overridden\n", "\np/d  deny, decides\n",
        "\np/s  deny, shadow, matches, as a shadow\n", "\np/a would allow but for p/d\n"}) {
    EXPECT_NE(ended.out.find(line), std::string::npos) << ended.out;
  }
}

TEST_F(ReeveTest, CheckExplainsWhatEachClauseCameTo) {
  const std::string policy = directory_.Write("conditions.yaml", kConditions);
  const std::string request = RequestWith({{"size", 100}, {"locked", "no"}});
  const Ended ended = Reeve({"check", "--explain", policy}, request);
  EXPECT_EQ(ended.status, 1) << ended.err;
  EXPECT_EQ(WithoutId(ended.out),
            "deny  deny_unknown  p/locked\n"
            "shadow: p/trial\n"
            "id: ID\n"
            "\n"
            "user:ada doc.read doc:/finance/q3\n"
            "\n"
            "p/locked  deny, decides\n"
            "├─ principals  yes      anyone\n"
            "├─ actions     yes      any\n"
            "├─ resources   yes      any\n"
            "└─ when\n"
            "   └─ 1 unknown  resource.locked  # neither true nor false, but of type string\n"
            "                 resource.locked = \"no\"\n"
            "\n"
            "p/readers  allow, does not match\n"
            "├─ principals  yes      group:staff: user:ada in group:staff\n"
            "├─ actions     yes      doc.read\n"
            "├─ resources   yes      doc:/{folder}/**\n"
            "└─ when\n"
            "   ├─ 1 true     folder != \"ledger\"\n"
            "   │             folder = \"finance\"\n"
            "   ├─ 2 unknown  resource.owner == principal.id || resource.shared  # no such key: "
            "owner\n"
            "   │             resource.owner: no such key: owner\n"
            "   │             principal.id = \"ada\"\n"
            "   │             resource.shared: no such key: shared\n"
            "   ├─ 3 false    resource.size < 100\n"
            "   │             resource.size = 100\n"
            "   └─ 4 true     resource.size > 0\n"
            "                 resource.size = 100\n"
            "\n"
            "p/root  allow, does not match\n"
            "├─ principals  no       none of user:root\n"
            "├─ actions     yes      any\n"
            "└─ resources   yes      any\n"
            "\n"
            "p/trial  deny, shadow, matches, as a shadow\n"
            "├─ principals  yes      anyone\n"
            "├─ actions     yes      any\n"
            "├─ resources   yes      any\n"
            "└─ when\n"
            "   └─ 1 unknown  context.ip == \"192.0.2.1\"  # no such key: ip\n"
            "                 context.ip: no such key: ip\n"
            "\n"
            "p/root would allow if the principal were user:root, and but for p/locked\n");
  const Ended machine = Reeve({"check", "--explain", "--format", "json", policy}, request);
  EXPECT_EQ(machine.status, 1) << machine.err;
  const json explanation = json::parse(machine.out)["context"]["explanation"];
  const json rules = explanation["rules"];
  ASSERT_EQ(rules.size(), 4u);
  EXPECT_EQ(rules[0], json({{"rule", "p/locked"},
                            {"effect", "deny"},
                            {"principals", "yes"},
                            {"principals_by", {{"pattern", "anyone"}, {"through", json::array()}}},
                            {"actions", "yes"},
                            {"actions_by", {{"pattern", "any"}, {"through", json::array()}}},
                            {"resources", "yes"},
                            {"resources_by", {{"pattern", "any"}, {"through", json::array()}}},
                            {"clauses",
                             {{{"clause", "resource.locked"},
                               {"outcome", "unknown"},
                               {"error", "neither true nor false, but of type string"},
                               {"facts", {{{"path", "resource.locked"}, {"value", "\"no\""}}}}}}},
                            {"matched", false},
                            {"decided", true},
                            {"shadow", false}}));
  EXPECT_EQ(rules[1]["clauses"][1],
            json({{"clause", "resource.owner == principal.id\n|| resource.shared\n"},
                  {"outcome", "unknown"},
                  {"error", "no such key: owner"},
                  {"facts",
                   {{{"path", "resource.owner"}, {"error", "no such key: owner"}},
                    {{"path", "principal.id"}, {"value", "\"ada\""}},
                    {{"path", "resource.shared"}, {"error", "no such key: shared"}}}}}));
  EXPECT_EQ(explanation["nearest"], json({{{"rule", "p/root"},
                                           {"principals", true},
                                           {"actions", false},
                                           {"resources", false},
                                           {"clauses", json::array()},
                                           {"denied_by", {"p/locked"}}}}));
  EXPECT_EQ(rules[2]["clauses"], json::array());
  EXPECT_EQ(rules[3]["shadow"], true);
}

TEST_F(ReeveTest, CheckAnswersALineWithALine) {
  const Ended ended = Reeve({"check", "--jsonl", policy_},
                            RequestFor("/finance/q3") + "\n\n[1\n" + std::string(3000000, 'x') +
                                "\n" + RequestFor("/legal/lease"));  // no line feed at the end
  EXPECT_EQ(ended.status, 2);
  std::vector<std::string> reasons;
  size_t begin = 0;
  for (size_t end; (end = ended.out.find('\n', begin)) != std::string::npos; begin = end + 1) {
    const json answer = json::parse(ended.out.substr(begin, end - begin));
    reasons.push_back(answer["context"]["reason"]);
  }
  EXPECT_EQ(reasons, (std::vector<std::string>{"allow_rule", "bad_request", "bad_request",
                                               "bad_request", "no_rule"}));
  EXPECT_EQ(Reeve({"check", "--jsonl", policy_}, RequestFor("/finance/q3") + "\n").status, 0);
  EXPECT_EQ(Reeve({"check", "--jsonl", policy_}, RequestFor("/legal/lease") + "\n").status, 1);
}

TEST_F(ReeveTest, CheckAnswersALineBeforeTheNextIsWritten) {
  Process check({"cli/reeve", "check", "--jsonl", policy_}, std::nullopt);
  for (const char* path : {"/finance/q3", "/finance/q4"}) {
    check.Say(RequestFor(path));
    EXPECT_EQ(json::parse(check.ReadLine())["decision"], true);
  }
  check.EndInput();
  EXPECT_EQ(check.Wait(), 0);
}

TEST_F(ReeveTest, CheckOfNoRequestIsAWrongCall) {
  const Ended ended = Reeve({"check", "--jsonl", policy_}, "");
  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.out, "");
  EXPECT_EQ(ended.err, "no request was given\n");
  EXPECT_EQ(Reeve({"check", policy_}, "").status, 2);
}

TEST_F(ReeveTest, CheckTakesEntities) {
  const std::string entities = directory_.Write(
      "e.yaml", "reeve: 1\nentities: [{id: 'group:leads', parents: ['group:staff']}]\n");
  EXPECT_EQ(Reeve({"check", policy_}, RequestFor("/finance/q3", "leads")).status, 1);
  EXPECT_EQ(
      Reeve({"check", "--entities", entities, policy_}, RequestFor("/finance/q3", "leads")).status,
      0);
  // One file a flag: what comes behind it is the request.
  const std::string request = directory_.Write("rq.json", RequestFor("/finance/q3", "trainees"));
  const std::string more = directory_.Write(
      "f.yaml", "reeve: 1\nentities: [{id: 'group:trainees', parents: ['group:leads']}]\n");
  const Ended ended =
      Reeve({"check", policy_, "--entities", entities, "--entities", more, request});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(Reeve({"lint", "--entities", entities, policy_}).status, 0);
}

TEST_F(ReeveTest, CheckWithoutAPlaceForRecordsFails) {
  EXPECT_EQ(Reeve({"check", "--audit", (directory_ / "no/such/audit.db"), policy_},
                  RequestFor("/finance/q3"))
                .status,
            3);
}

TEST_F(ReeveTest, CheckWithoutARecordOfADenialFails) {
  // Each is denied, recorded or not, until the file may not grow any more.
  const std::string db = directory_ / "audit.db";
  ASSERT_EQ(Reeve({"check", "--audit", db, policy_}, RequestFor("/legal/lease")).status, 1);
  std::string requests;
  constexpr int kMany = 100;
  for (int i = 0; i < kMany; ++i) requests += RequestFor("/legal/" + std::to_string(i)) + "\n";
  const Ended ended = RunProgram({"/bin/sh", "-c",
                                  "trap '' XFSZ; ulimit -f 200; exec cli/reeve check --jsonl "
                                  "--audit \"$0\" \"$1\"",
                                  db, policy_},
                                 requests);
  EXPECT_EQ(ended.status, 3) << ended.err;
  EXPECT_EQ(ended.out.find("audit_failed"), std::string::npos);
  EXPECT_EQ(std::count(ended.out.begin(), ended.out.end(), '\n'), kMany);
}

TEST_F(ReeveTest, AuditQueryShowsAndFilters) {
  const std::string db = Log();
  const auto count = [this, &db](std::vector<std::string> filters) {
    filters.insert(filters.begin(), {"audit", "query", db, "--format", "json"});
    const Ended ended = Reeve(filters);
    EXPECT_EQ(ended.status, 0) << ended.err;
    return std::count(ended.out.begin(), ended.out.end(), '\n');
  };
  EXPECT_EQ(count({}), 3);
  EXPECT_EQ(count({"--since", "1h"}), 3);
  EXPECT_EQ(count({"--until", "1h"}), 0);
  EXPECT_EQ(count({"--decision", "deny"}), 2);
  EXPECT_EQ(count({"--reason", "deny_rule"}), 1);
  EXPECT_EQ(count({"--principal", "user:ada"}), 2);
  EXPECT_EQ(count({"--principal", "user:ad"}), 0);
  EXPECT_EQ(count({"--action", "doc.read"}), 2);
  EXPECT_EQ(count({"--resource", "doc:/finance/"}), 2);
  EXPECT_EQ(count({"--resource", "doc:/finance/l"}), 1);
  EXPECT_EQ(count({"--resource", "doc:%"}), 0);
  EXPECT_EQ(count({"--rule", "documents/editors"}), 1);
  EXPECT_EQ(count({"--limit", "2"}), 2);

  const Ended newest =
      Reeve({"audit", "query", db, "--format", "json", "--limit", "1", "--decision", "allow"});
  const json row = json::parse(newest.out);
  EXPECT_EQ(row["principal"], "user:ada");
  EXPECT_EQ(row["principal_assurance"], "asserted");
  EXPECT_EQ(row["rules"], json::array({"documents/editors"}));
  EXPECT_EQ(row["clauses"], json::array());
  EXPECT_EQ(row["groups"], json::array({"staff"}));
  EXPECT_EQ(count({"--id", row["id"]}), 1);
}

TEST_F(ReeveTest, AuditKeepsWhatEachClauseCameTo) {
  const std::string policy = directory_.Write("conditions.yaml", kConditions);
  const std::string db = directory_ / "audit.db";
  const std::string owner = "resource.owner == principal.id\n|| resource.shared\n";
  const auto clause = [](const char* rule, const std::string& text, const char* outcome) {
    return json({{"rule", rule}, {"clause", text}, {"outcome", outcome}});
  };
  const json trial = clause("p/trial", "context.ip == \"192.0.2.1\"", "unknown");
  struct Decided {
    json properties;
    const char* reason;
    json clauses;
  };
  const Decided rows[] = {
      {{{"size", 1}, {"owner", "ada"}, {"locked", false}},
       "allow_rule",
       {clause("p/readers", "folder != \"ledger\"", "true"), clause("p/readers", owner, "true"),
        clause("p/readers", "resource.size < 100", "true"),
        clause("p/readers", "resource.size > 0", "true"), trial}},
      {{{"size", 100}, {"locked", false}},
       "no_rule",
       {clause("p/readers", "folder != \"ledger\"", "true"), clause("p/readers", owner, "unknown"),
        clause("p/readers", "resource.size < 100", "false"),
        clause("p/readers", "resource.size > 0", "not_evaluated"), trial}},
      {{{"size", 1}, {"owner", "ada"}, {"locked", true}},
       "deny_rule",
       {clause("p/locked", "resource.locked", "true"), trial}},
      {{{"size", 1}, {"owner", "ada"}},
       "deny_unknown",
       {clause("p/locked", "resource.locked", "unknown"), trial}},
  };
  std::string requests;
  for (const Decided& row : rows) requests += RequestWith(row.properties) + "\n";
  EXPECT_EQ(Reeve({"check", "--jsonl", "--audit", db, policy}, requests).status, 1);
  for (const std::string command : {"query", "tail"}) {
    std::vector<std::string> arguments = {"audit", command, "--format", "json", db};
    if (command == "query") arguments.push_back("--oldest-first");
    const Ended ended = Reeve(arguments);
    EXPECT_EQ(ended.status, 0) << ended.err;
    size_t begin = 0;
    for (const Decided& row : rows) {
      const size_t end = ended.out.find('\n', begin);
      ASSERT_NE(end, std::string::npos);
      const json record = json::parse(ended.out.substr(begin, end - begin));
      begin = end + 1;
      EXPECT_EQ(record["reason"], row.reason);
      EXPECT_EQ(record["clauses"], row.clauses) << row.reason;
    }
    EXPECT_EQ(begin, ended.out.size());
  }

  // In SQL, as doc/audit-format.md shows it.
  sqlite3* log = nullptr;
  ASSERT_EQ(sqlite3_open_v2(db.c_str(), &log, SQLITE_OPEN_READONLY, nullptr), SQLITE_OK);
  std::string found;
  const auto add = [](void* to, int columns, char** texts, char**) {
    for (int i = 0; i < columns; ++i) static_cast<std::string*>(to)->append(texts[i]) += '|';
    static_cast<std::string*>(to)->back() = '\n';
    return 0;
  };
  EXPECT_EQ(sqlite3_exec(log,
                         "SELECT reason, clause.value ->> 'rule', clause.value ->> 'clause' "
                         "FROM decisions, json_each(clauses) AS clause "
                         "WHERE clause.value ->> 'outcome' = 'unknown' "
                         "AND clause.value ->> 'rule' <> 'p/trial' ORDER BY unix_us",
                         add, &found, nullptr),
            SQLITE_OK)
      << sqlite3_errmsg(log);
  sqlite3_close(log);
  EXPECT_EQ(found, "no_rule|p/readers|" + owner + "\ndeny_unknown|p/locked|resource.locked\n");
}

TEST_F(ReeveTest, AuditQueryFitsTheTerminal) {
  const std::string db = Log();
  for (const int width : {80, 120}) {
    const Ended ended = Reeve({"audit", "query", db}, "", {"COLUMNS=" + std::to_string(width)});
    EXPECT_EQ(ended.status, 0);
    size_t begin = 0;
    for (size_t end; (end = ended.out.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string line = ended.out.substr(begin, end - begin);
      EXPECT_LE(std::count_if(line.begin(), line.end(), [](char c) { return (c & 0xC0) != 0x80; }),
                width)
          << line;
    }
  }
}

TEST_F(ReeveTest, AuditTailShowsTheLastInOrder) {
  const Ended ended = Reeve({"audit", "tail", "-n", "2", Log()});
  EXPECT_EQ(ended.status, 0);
  const size_t deny = ended.out.find("deny_rule");
  const size_t malformed = ended.out.find("bad_request");
  EXPECT_NE(deny, std::string::npos) << ended.out;
  EXPECT_NE(malformed, std::string::npos) << ended.out;
  EXPECT_LT(deny, malformed);
  EXPECT_EQ(ended.out.find("allow_rule"), std::string::npos);
}

TEST_F(ReeveTest, AuditTailFollowsAllThatIsWrittenOnce) {
  const std::string db = Log();
  Process tail({"cli/reeve", "audit", "tail", "-f", "-n", "1", "--format", "json", db});
  std::vector<std::string> ids = {json::parse(tail.ReadLine())["id"]};
  std::vector<std::string> want = ids;
  std::string requests;
  constexpr int kMany = 1200;  // more than a page
  for (int i = 0; i < kMany; ++i) requests += RequestFor("/legal/" + std::to_string(i)) + "\n";
  const Ended check = Reeve({"check", "--jsonl", "--audit", db, policy_}, requests);
  size_t begin = 0;
  for (size_t end; (end = check.out.find('\n', begin)) != std::string::npos; begin = end + 1) {
    want.push_back(json::parse(check.out.substr(begin, end - begin))["context"]["id"]);
  }
  ASSERT_EQ(want.size(), size_t{kMany + 1});
  // At five looks a second and a row a look this would take minutes.
  while (ids.size() < want.size()) {
    const std::string line = tail.ReadLine();
    ASSERT_NE(line, "<end>");
    ids.push_back(json::parse(line)["id"]);
  }
  EXPECT_EQ(ids, want);
}

TEST_F(ReeveTest, AuditTailFollowsInTheFormOfItsTable) {
  const std::string db = Log();
  Process tail({"cli/reeve", "audit", "tail", "-f", "-n", "1", db});
  tail.ReadLine();  // the head
  const std::string shown = tail.ReadLine();
  EXPECT_NE(shown.find("  the request is not JSON"), std::string::npos) << shown;
  Reeve({"check", "--audit", db, policy_}, "not JSON either");
  const std::string followed = tail.ReadLine();
  EXPECT_NE(followed.find("  the request is not JSON"), std::string::npos) << followed;
  EXPECT_EQ(followed.find(" : "), std::string::npos) << followed;
}

TEST_F(ReeveTest, AuditVerifyFindsWhatWasChanged) {
  const std::string db = Log();
  Ended ended = Reeve({"audit", "verify", db, "--rows"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.err, "");
  EXPECT_NE(ended.out.find("checkpoints fit, and 0 beside; 3 rows compared: intact\n"),
            std::string::npos)
      << ended.out;

  sqlite3* file = nullptr;
  ASSERT_EQ(sqlite3_open(db.c_str(), &file), SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(file,
                         "UPDATE segments SET bytes = CAST(replace(CAST(bytes AS TEXT), 'ada', "
                         "'eve') AS BLOB) WHERE first_seq = 2",
                         nullptr, nullptr, nullptr),
            SQLITE_OK);
  ASSERT_EQ(sqlite3_exec(file, "UPDATE records SET latency = latency + 1 WHERE seq = 1", nullptr,
                         nullptr, nullptr),
            SQLITE_OK);
  sqlite3_close(file);
  ended = Reeve({"audit", "verify", db});
  EXPECT_EQ(ended.status, 1);
  EXPECT_EQ(ended.err, db + ": writer 1, record 2: hash does not match; records 1, 3 are intact\n");
  ended = Reeve({"audit", "verify", db, "--rows", "--format", "json"});
  EXPECT_EQ(ended.status, 1);
  const json report = json::parse(ended.out);
  EXPECT_EQ(report["intact"], false);
  EXPECT_EQ(report["findings"][0]["kind"], "changed");
  EXPECT_EQ(report["findings"][0]["seq"], 2);

  // The rows come back; what was recorded does not.
  EXPECT_EQ(Reeve({"audit", "reindex", db}).status, 0);
  EXPECT_EQ(Reeve({"audit", "verify", db, "--rows"}).status, 1);
}

TEST_F(ReeveTest, AuditVerifySaysWhatIsWrongWithTheCall) {
  const std::string db = Log();
  const struct {
    const char* name;
    std::vector<std::string> arguments;
    std::string error;
  } kCases[] = {
      {"NoFile",
       {"verify", directory_ / "none"},
       (directory_ / "none") + ": there is no such file"},
      {"NoLog", {"verify", policy_}, ""},
      {"ReindexOfNoLog", {"reindex", directory_ / "none"}, ""},
      {"Key", {"verify", db, "--key", "00ff"}, "`00ff` is no public key; write the 64 "},
      {"NoCheckpoints", {"verify", db, "--checkpoints", directory_ / "none"}, ""},
  };
  for (const auto& c : kCases) {
    std::vector<std::string> arguments = {"audit"};
    arguments.insert(arguments.end(), c.arguments.begin(), c.arguments.end());
    const Ended ended = Reeve(arguments);
    EXPECT_EQ(ended.status, 2) << c.name << ended.err;
    EXPECT_EQ(ended.err.substr(0, c.error.size()), c.error) << c.name;
    EXPECT_EQ(ended.out, "") << c.name;
  }
}

TEST_F(ReeveTest, AuditOfWhatIsNoLogEndsWith2) {
  const Ended missing = Reeve({"audit", "query", (directory_ / "nowhere.db")});
  EXPECT_EQ(missing.status, 2);
  EXPECT_NE(missing.err.find("nowhere.db: "), std::string::npos);
  for (const char* command : {"query", "tail"}) {
    const Ended text = Reeve({"audit", command, policy_});
    EXPECT_EQ(text.status, 2);
    EXPECT_EQ(
        text.err,
        policy_ +
            ": is not an audit file; name one that `reeve check --audit` or a server wrote\n");
  }
  EXPECT_EQ(Reeve({"audit", "query", directory_ / "policy"}).status, 2);
}

TEST_F(ReeveTest, WhoamiKnowsThisProcess) {
  const Ended ended = Reeve({"whoami", "--unix", "--format", "json"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  const json principal = json::parse(ended.out);
  EXPECT_EQ(principal["via"], "unix");
  EXPECT_EQ(principal["parents"], json::array({"uid:" + std::to_string(getuid())}));
}

TEST_F(ReeveTest, WhoamiKnowsThisProcessByTcp) {
  const Ended ended = Reeve({"whoami", "--tcp", "--format", "json"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  const json principal = json::parse(ended.out);
  EXPECT_EQ(principal["via"], "tcp");
  EXPECT_EQ(principal["assurance"], "kernel");
  EXPECT_EQ(principal["parents"], json::array({"uid:" + std::to_string(getuid())}));
  EXPECT_EQ(principal["groups_complete"], false);
  EXPECT_NE(principal["evidence"].get<std::string>().find(" peer=127.0.0.1:"), std::string::npos);
}

// The port of "127.0.0.1:39417: waiting for a connection".
sockaddr_in AddressOf(const std::string& waiting) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  int port = 0;
  EXPECT_EQ(std::sscanf(waiting.c_str(), "127.0.0.1:%d: waiting for a connection", &port), 1)
      << waiting;
  address.sin_port = htons(port);
  return address;
}

TEST_F(ReeveTest, WhoamiTellsWhoConnects) {
  Process whoami({"cli/reeve", "whoami", "--tcp", "localhost:0"});
  const sockaddr_in address = AddressOf(whoami.ReadLine());
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  ASSERT_EQ(connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)), 0);
  std::string told;
  char bytes[4096];
  for (ssize_t size; (size = read(fd, bytes, sizeof(bytes))) > 0;) told.append(bytes, size);
  close(fd);
  EXPECT_EQ(whoami.Wait(), 0);
  std::string shown;
  for (const std::string& line : whoami.ReadAll()) shown += line + "\n";
  EXPECT_EQ(told, shown);
  EXPECT_NE(told.find("via        tcp\n"), std::string::npos) << told;
}

TEST_F(ReeveTest, WhoamiThatIsInterruptedLeavesNoSocket) {
  const std::string path = directory_ / "who.sock";
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    Process whoami({"cli/reeve", "whoami", "--unix", path});
    EXPECT_EQ(whoami.ReadLine(), path + ": waiting for a connection");
    EXPECT_EQ(access(path.c_str(), F_OK), 0);
    whoami.Signal(signal);
    EXPECT_EQ(whoami.Wait(), 3) << signal;
    EXPECT_NE(access(path.c_str(), F_OK), 0) << signal;
  }
}

TEST_F(ReeveTest, WhoamiSaysWhatIsWrongWithAnAddress) {
  struct Row {
    std::vector<std::string> arguments;
    std::string error;
  };
  const std::string form = "; write HOST:PORT, such as 127.0.0.1:4000 or [::1]:4000\n";
  for (const Row& row : std::vector<Row>{
           {{"--tcp", "4000"}, "4000: is no address: Name or service not known" + form},
           {{"--tcp", ":4000"}, ":4000: is no address: Name or service not known" + form},
           {{"--tcp", "127.0.0.1:http"},
            "127.0.0.1:http: is no address: Name or service not known" + form},
           {{"--tcp", "192.0.2.1:0"},
            "192.0.2.1:0: cannot listen here: Cannot assign requested address\n"},
           {{"--tcp", "--unix"}, "--unix excludes --tcp\nRun with --help for more information.\n"},
           {{"--tcp", "--capabilities"},
            "--tcp excludes --capabilities\nRun with --help for more information.\n"}}) {
    std::vector<std::string> arguments = {"whoami"};
    arguments.insert(arguments.end(), row.arguments.begin(), row.arguments.end());
    const Ended ended = Reeve(arguments);
    EXPECT_EQ(ended.status, 2) << row.arguments[1];
    EXPECT_EQ(ended.err, row.error);
  }
}

TEST_F(ReeveTest, WhoamiShowsCapabilities) {
  const Ended text = Reeve({"whoami", "--capabilities"});
  EXPECT_EQ(text.status, 0);
  EXPECT_NE(text.out.find("unix_credentials     present "), std::string::npos) << text.out;
  const Ended ended = Reeve({"whoami", "--capabilities", "--format", "json"});
  EXPECT_EQ(ended.status, 0);
  const json all = json::parse(ended.out);
  ASSERT_EQ(all.size(), 15u);
  EXPECT_EQ(all[0]["name"], "unix_credentials");
  EXPECT_EQ(all[0]["state"], "present");
}

TEST_F(ReeveTest, WhoamiSaysWhatToDoWithAnOldSocket) {
  const std::string path = directory_.Write("who.sock", "");
  const Ended ended = Reeve({"whoami", "--unix", path});
  EXPECT_EQ(ended.status, 2);
  EXPECT_EQ(ended.err, path +
                           ": cannot listen here: Address already in use; remove it if no server "
                           "listens there\n");
  EXPECT_EQ(Reeve({"whoami", "--unix", directory_ / "a\x1b[2J/x"}).err.find('\x1b'),
            std::string::npos);
}

TEST_F(ReeveTest, OutputThatCannotBeWrittenIsAFailure) {
  const std::string db = Log();
  for (const std::string& command :
       {std::string("--help"), std::string("--version"), std::string("version"),
        std::string("check --help"), "check --jsonl " + policy_ + " " + policy_,
        "audit tail -f " + db}) {
    const Ended ended = RunProgram({"/bin/sh", "-c", "cli/reeve " + command + " > /dev/full"});
    EXPECT_EQ(ended.status, 3) << command;
    EXPECT_EQ(ended.err, "reeve: standard output cannot be written\n") << command;
  }
}

}  // namespace
}  // namespace reeve
