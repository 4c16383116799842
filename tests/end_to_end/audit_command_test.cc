// The commands that ask the log: `reeve audit query|tail|stats|export`.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdio>
#include <fstream>
#include <iterator>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/authzen/request_json.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"
#include "reeve/policy/load.h"
#include "reeve/store/audit_store.h"
#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::Process;
using end_to_end::RunProgram;
using nlohmann::json;
using reeve::testing::FakeClock;

constexpr char kPolicy[] = R"(reeve: 1
policy: documents
rules:
  - id: editors
    effect: allow
    principals: [group:staff]
    actions: [doc.read]
    resources: ["doc:/finance/**"]
  - id: never-the-ledger
    effect: deny
    principals: [anyone]
    actions: [any]
    resources: ["doc:/finance/ledger/**"]
    message: Nobody reads the ledger.
  - id: lawyers
    effect: allow
    principals: [group:law]
    actions: [any]
    resources: ["doc:/legal/**"]
  - id: trial
    effect: deny
    principals: [anyone]
    actions: [doc.burn]
    resources: [any]
    shadow: true
)";

std::string Asked(int minute, const char* user, const char* action, const std::string& path) {
  char time[32];
  std::snprintf(time, sizeof time, "2027-01-15T%02d:%02d:00Z", 8 + minute / 60, minute % 60);
  return json({{"subject",
                {{"type", "user"}, {"id", user}, {"properties", {{"groups", {"staff"}}}}}},
               {"action", {{"name", action}}},
               {"resource", {{"type", "doc"}, {"id", path}}},
               {"context", {{"time", time}}}})
             .dump() +
         "\n";
}

json WithDigest(std::string text, const std::string& digest) {
  text.replace(text.find("DIGEST"), 6, digest);
  return json::parse(text);
}

size_t LinesOf(const std::string& text) { return std::count(text.begin(), text.end(), '\n'); }

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// Seven decisions, of which three are allowed, and a request that is none.
class AuditCommandTest : public ::testing::Test {
 protected:
  AuditCommandTest()
      : policy_(directory_.Write("policy/documents.yaml", kPolicy)), db_(directory_ / "audit.db") {
    const std::string requests = Asked(0, "ada", "doc.read", "/finance/q1") +
                                 Asked(10, "ada", "doc.read", "/finance/q2") +
                                 Asked(20, "ada", "doc.read", "/finance/ledger/1") +
                                 Asked(30, "bob", "doc.write", "/finance/q1") +
                                 Asked(40, "bob", "doc.write", "/finance/q2") +
                                 Asked(70, "=cmd()", "doc.read", "/finance/q1") +
                                 Asked(80, "bob", "doc.delete", "/legal/lease") + "{}\n";
    Record(requests);
  }

  // Records what `requests` ask, one on a line, at the times that they name.
  void Record(const std::string& requests) {
    const LoadResult loaded = LoadPolicy(policy_, {});
    ASSERT_TRUE(loaded.ok());
    absl::StatusOr<std::unique_ptr<AuditStore>> store = AuditStore::Open(db_);
    ASSERT_TRUE(store.ok());
    FakeClock clock;
    Engine::Options options;
    options.audit = store->get();
    options.audit_level = AuditLevel::kDurable;
    options.clock = &clock;
    const std::unique_ptr<Engine> engine = *Engine::Create(options);
    ASSERT_TRUE(engine->Replace(loaded.snapshot).ok());
    std::istringstream lines(requests);
    for (std::string line; std::getline(lines, line);) {
      const JsonRequest asked = JsonRequest::Parse(line);
      clock.now = asked.request().time.value_or(absl::FromUnixSeconds(1790000000));  // 2026
      EXPECT_EQ(engine->Decide(asked.request()).record_failed(), false);
    }
  }

  Ended Reeve(std::vector<std::string> arguments, const std::string& input = "",
              const std::vector<std::string>& environment = {}) {
    arguments.insert(arguments.begin(), "cli/reeve");
    return RunProgram(arguments, input, environment);
  }
  Ended Audit(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "audit");
    arguments.insert(arguments.begin() + 2, db_);
    return Reeve(arguments);
  }

  const end_to_end::WorkDirectory directory_;
  const std::string policy_;
  const std::string db_;
};

TEST_F(AuditCommandTest, QueryFilters) {
  const struct {
    std::vector<std::string> filters;
    const char* want;
  } kCases[] = {
      {{}, "8"},
      {{"--since", "2027-01-15T08:10:00Z", "--until", "2027-01-15T08:30:00Z"}, "2"},
      {{"--until", "520w"}, "0"},
      {{"--principal", "user:bob"}, "3"},
      {{"--actor", "user:bob"}, "0"},
      {{"--action", "doc.write"}, "2"},
      {{"--resource", "doc:/finance/q"}, "5"},
      {{"--exact-resource", "doc:/finance/q1"}, "3"},
      {{"--decision", "deny"}, "5"},
      {{"--reason", "no_rule"}, "3"},
      {{"--rule", "documents/never-the-ledger"}, "1"},
      {{"--policy-digest", "sha256:00"}, "0"},
      {{"--assurance", "asserted", "--decision", "allow"}, "3"},
      {{"--assurance", "crypto"}, "0"},
      {{"--via", "krb5"}, "0"},
      {{"--host", "web-1"}, "0"},
      {{"--machine", "nowhere"}, "0"},
      {{"--writer", "1"}, "8"},
      {{"--writer", "2"}, "0"},
      {{"--errors"}, "1"},
      {{"--error", "subject"}, "1"},
      {{"--error", "no such words"}, "0"},
      {{"--min-latency", "0ns"}, "8"},
      {{"--min-latency", "10h"}, "0"},
  };
  for (const auto& c : kCases) {
    std::vector<std::string> arguments = {"query", "--count"};
    arguments.insert(arguments.end(), c.filters.begin(), c.filters.end());
    const std::string name = ::testing::PrintToString(c.filters);
    EXPECT_EQ(Audit(arguments).out, std::string(c.want) + "\n") << name;
    arguments[1] = "--format=jsonl";
    EXPECT_EQ(std::to_string(LinesOf(Audit(arguments).out)), c.want) << name;
    arguments[0] = "tail";
    EXPECT_EQ(std::to_string(LinesOf(Audit(arguments).out)), c.want) << name;
    arguments[0] = "export";
    EXPECT_EQ(std::to_string(LinesOf(Audit(arguments).out)), c.want) << name;
    arguments[0] = "stats";
    arguments[1] = "--format=json";
    EXPECT_EQ(std::to_string(json::parse(Audit(arguments).out)["decisions"].get<int>()), c.want)
        << name;
  }
}

TEST_F(AuditCommandTest, QueryPages) {
  for (const char* order : {"", "--oldest-first"}) {
    std::vector<std::string> all;
    const auto add = [&all](const json& record) { all.push_back(record["id"]); };
    // By a document of JSON.
    std::vector<std::string> arguments = {"query", "--limit", "3", "--format", "json"};
    if (*order != 0) arguments.push_back(order);
    std::string next;
    size_t pages = 0;
    do {
      std::vector<std::string> page = arguments;
      if (!next.empty()) page.insert(page.end(), {"--after", next});
      const Ended ended = Audit(page);
      ASSERT_EQ(ended.status, 0) << ended.err;
      EXPECT_EQ(ended.err, "");
      const json document = json::parse(ended.out);
      for (const json& record : document["records"]) add(record);
      next = document["next"].is_null() ? "" : document["next"].get<std::string>();
      ASSERT_LT(++pages, 5u);
    } while (!next.empty());
    EXPECT_EQ(pages, 3u);
    // By what standard error says.
    arguments[4] = "jsonl";
    std::vector<std::string> by_document;
    by_document.swap(all);
    pages = 0;
    do {
      std::vector<std::string> page = arguments;
      if (!next.empty()) page.insert(page.end(), {"--after", next});
      const Ended ended = Audit(page);
      ASSERT_EQ(ended.status, 0) << ended.err;
      size_t begin = 0;
      for (size_t end; (end = ended.out.find('\n', begin)) != std::string::npos; begin = end + 1) {
        add(json::parse(ended.out.substr(begin, end - begin)));
      }
      const std::string said = "3 records shown; the next ones: --after ";
      next = ended.err.substr(0, said.size()) == said
                 ? ended.err.substr(said.size(), ended.err.size() - said.size() - 1)
                 : "";
      ASSERT_LT(++pages, 5u);
    } while (!next.empty());
    EXPECT_EQ(all, by_document);
    EXPECT_EQ(all.size(), 8u);
    EXPECT_EQ(std::set<std::string>(all.begin(), all.end()).size(), 8u);
  }
}

TEST_F(AuditCommandTest, QueryShowsColumnsInEachFormat) {
  const std::vector<std::string> shared = {"query",     "--action",
                                           "doc.read",  "--oldest-first",
                                           "--since",   "2027-01-15T08:20:00Z",
                                           "--columns", "principal,resource,rules"};
  const struct {
    const char* format;
    const char* want;
  } kCases[] = {
      {"text",
       "principal    resource               rules\n"
       "user:ada     doc:/finance/ledger/1  [\"documents/never-the-ledger\"]\n"
       "user:=cmd()  doc:/finance/q1        [\"documents/editors\"]\n"},
      {"table",
       "principal    resource               rules\n"
       "user:ada     doc:/finance/ledger/1  [\"documents/never-the-ledger\"]\n"
       "user:=cmd()  doc:/finance/q1        [\"documents/editors\"]\n"},
      {"json",
       "{\"records\":[\n"
       "{\"principal\":\"user:ada\",\"resource\":\"doc:/finance/ledger/1\","
       "\"rules\":[\"documents/never-the-ledger\"]},\n"
       "{\"principal\":\"user:=cmd()\",\"resource\":\"doc:/finance/q1\","
       "\"rules\":[\"documents/editors\"]}\n"
       "],\"next\":null}\n"},
      {"jsonl",
       "{\"principal\":\"user:ada\",\"resource\":\"doc:/finance/ledger/1\","
       "\"rules\":[\"documents/never-the-ledger\"]}\n"
       "{\"principal\":\"user:=cmd()\",\"resource\":\"doc:/finance/q1\","
       "\"rules\":[\"documents/editors\"]}\n"},
      {"csv",
       "principal,resource,rules\r\n"
       "user:ada,doc:/finance/ledger/1,\"[\"\"documents/never-the-ledger\"\"]\"\r\n"
       "user:=cmd(),doc:/finance/q1,\"[\"\"documents/editors\"\"]\"\r\n"},
  };
  for (const auto& c : kCases) {
    std::vector<std::string> arguments = shared;
    arguments.insert(arguments.end(), {"--format", c.format});
    const Ended ended = Audit(arguments);
    EXPECT_EQ(ended.status, 0);
    EXPECT_EQ(ended.err, "");
    EXPECT_EQ(ended.out, c.want) << c.format;
  }
}

TEST_F(AuditCommandTest, QueryAnswersSql) {
  constexpr char kSql[] =
      "SELECT principal, count(*) AS n, NULL AS none, x'00ff' AS bytes, 1.5 AS half, "
      "'=' || char(27) AS bad FROM decisions WHERE decision = 'deny' AND time > '2027' GROUP BY 1 "
      "ORDER BY 2 DESC, 1 "
      "LIMIT 2";
  const struct {
    const char* format;
    const char* want;
  } kCases[] = {
      {"text",
       "principal  n  none  bytes  half  bad\n"
       "user:bob   3        00ff   1.5   =\\x1b\n"
       "user:ada   1        00ff   1.5   =\\x1b\n"},
      {"csv",
       "principal,n,none,bytes,half,bad\r\n"
       "user:bob,3,,00ff,1.5,'=\\x1b\r\n"
       "user:ada,1,,00ff,1.5,'=\\x1b\r\n"},
      {"jsonl",
       "{\"principal\":\"user:bob\",\"n\":3,\"none\":null,\"bytes\":\"00ff\",\"half\":1.5,"
       "\"bad\":\"=\\u001b\"}\n"
       "{\"principal\":\"user:ada\",\"n\":1,\"none\":null,\"bytes\":\"00ff\",\"half\":1.5,"
       "\"bad\":\"=\\u001b\"}\n"},
  };
  for (const auto& c : kCases) {
    const Ended ended = Audit({"query", "--sql", kSql, "--format", c.format});
    EXPECT_EQ(ended.status, 0);
    EXPECT_EQ(ended.err, "");
    EXPECT_EQ(ended.out, c.want) << c.format;
  }
  const Ended page =
      Audit({"query", "--sql", "SELECT number FROM decisions", "--limit", "2", "--format", "json"});
  EXPECT_EQ(page.out, "{\"rows\":[\n{\"number\":1},\n{\"number\":2}\n],\"more\":true}\n");
}

TEST_F(AuditCommandTest, TailFollowsWithFiltersInEachFormat) {
  const struct {
    const char* format;
    std::vector<std::string> before;
    std::string want;
  } kCases[] = {
      {"text", {}, "doc.write  doc:/new"},
      {"jsonl", {}, "{\"action\":\"doc.write\",\"resource\":\"doc:/new\"}"},
      {"json", {}, "{\"action\":\"doc.write\",\"resource\":\"doc:/new\"}"},
      {"csv", {"action,resource\r"}, "doc.write,doc:/new\r"},
  };
  for (const auto& c : kCases) {
    Process tail({"cli/reeve", "audit", "tail", "-f", "-n", "0", "--principal", "user:bob",
                  "--columns", "action,resource", "--format", c.format, db_});
    // One that is shown tells that it has begun.
    bool begun = false;
    for (int i = 0; i < 600 && !begun; ++i) {
      Reeve({"check", "--audit", db_, policy_}, Asked(90, "ada", "doc.read", "/other"));
      Reeve({"check", "--audit", db_, policy_}, Asked(90, "bob", "doc.write", "/new"));
      for (const std::string& line : c.before) EXPECT_EQ(tail.ReadLine(), line);
      begun = tail.ReadLine() == c.want;
    }
    EXPECT_TRUE(begun) << c.format;
  }
}

TEST_F(AuditCommandTest, StatsSayWhatTheLogComesTo) {
  const Ended text = Reeve({"audit", "stats", db_, "--only", "reasons,rules,hours,refused",
                            "--policy", policy_, "--since", "2027-01-01"},
                           "", {"COLUMNS=60"});
  EXPECT_EQ(text.status, 0) << text.err;
  const std::string want =
      "7 decisions: 3 allowed, 4 denied\n\n"
      "REASON      COUNT\n"
      "allow_rule  3\n"
      "no_rule     3\n"
      "deny_rule   1\n\n"
      "RULE                        ALLOWED  DENIED\n"
      "documents/editors           3        0\n"
      "documents/never-the-ledger  0        1\n\n"
      "REFUSED PRINCIPAL  DENIED\n"
      "user:bob           3\n"
      "user:ada           1\n\n"
      "REFUSED ACTION  DENIED\n"
      "doc.write       2\n"
      "doc.delete      1\n"
      "doc.read        1\n\n"
      "REFUSED RESOURCE       DENIED\n"
      "doc:/finance/ledger/1  1\n"
      "doc:/finance/q1        1\n"
      "doc:/finance/q2        1\n"
      "doc:/legal/lease       1\n\n"
      "TIME (UTC)\n"
      "2027-01-15 08:00  xxxxxxxxxxxxxxxxx###########  5 (3 denied)\n"
      "2027-01-15 09:00  xxxxxx#####  2 (1 denied)\n\n"
      "RULES WITHOUT A RECORD: 2 of sha256:";
  EXPECT_EQ(text.out.substr(0, want.size()), want);
  EXPECT_NE(text.out.find("\n  documents/lawyers\n  documents/trial (shadow)\n"), std::string::npos)
      << text.out;

  const json all = json::parse(Audit({"stats", "--format", "json", "--top", "1"}).out);
  EXPECT_EQ(all["decisions"], 8);
  EXPECT_EQ(all["rules"],
            json::array({{{"rule", "documents/editors"}, {"allowed", 3}, {"denied", 0}}}));
  EXPECT_EQ(all["refused"]["principals"],
            json::array({{{"principal", "user:bob"}, {"denied", 3}}}));
  EXPECT_EQ(all["latency_ns"]["count"], 8);
  EXPECT_LE(all["latency_ns"]["p50"], all["latency_ns"]["p99"]);
  EXPECT_EQ(all.contains("unused_rules"), false);
  const json some = json::parse(Audit({"stats", "--format", "json", "--only", "hours", "--policy",
                                       policy_, "--since", "2027-01-01"})
                                    .out);
  EXPECT_EQ(some.contains("rules"), false);
  EXPECT_EQ(some["hours"][0]["hour"], "2027-01-15T08:00:00Z");
  EXPECT_EQ(some["unused_rules"], json::array({"documents/lawyers"}));
  EXPECT_EQ(some["unused_shadow_rules"], json::array({"documents/trial"}));
}

TEST_F(AuditCommandTest, ExportGoesOnWhereItEnded) {
  const struct {
    const char* format;
    size_t head;
  } kCases[] = {{"jsonl", 0}, {"ocsf", 0}, {"csv", 1}};
  for (const auto& c : kCases) {
    const std::string file = directory_ / (std::string("export.") + c.format);
    const Ended first = Audit({"export", "--format", c.format, "-o", file});
    EXPECT_EQ(first.status, 0) << first.err;
    EXPECT_EQ(first.out, "");
    const std::string said = " records; what is written later: --after ";
    const size_t at = first.err.find(said);
    ASSERT_NE(at, std::string::npos) << first.err;
    std::string cursor = first.err.substr(at + said.size());
    cursor.pop_back();
    struct stat info;
    ASSERT_EQ(stat(file.c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0600u);
    const std::string before = ReadFile(file);
    const size_t lines = LinesOf(before);
    EXPECT_EQ(std::to_string(lines - c.head) + said, first.err.substr(0, at) + said);
    EXPECT_NE(before.find(cursor), std::string::npos) << "its last record has it";

    const Ended again = Audit({"export", "--format", c.format, "-o", file});
    EXPECT_EQ(again.status, 2);
    EXPECT_EQ(again.err, file + ": is there already; name another file, or add --append\n");

    Reeve({"check", "--audit", db_, policy_}, Asked(95, "ada", "doc.read", "/finance/new"));
    const Ended more =
        Audit({"export", "--format", c.format, "-o", file, "--append", "--after", cursor});
    EXPECT_EQ(more.status, 0) << more.err;
    EXPECT_EQ(more.err.substr(0, 10), "1 records;");
    const std::string after = ReadFile(file);
    EXPECT_EQ(after.substr(0, before.size()), before);
    EXPECT_EQ(LinesOf(after), lines + 1);
    EXPECT_NE(after.find("/finance/new", before.size()), std::string::npos);
  }
  // The rows are made anew: numbers of before may be those of others.
  EXPECT_EQ(Audit({"reindex"}).status, 0);
  const Ended stale = Audit({"export", "--after", "1.1.1.2"});
  EXPECT_EQ(stale.status, 2);
  EXPECT_NE(stale.err.find("is not where the cursor says"), std::string::npos) << stale.err;
}

// What is left comes as before, and what is gone leaves nothing in what is written of the rest.
TEST_F(AuditCommandTest, ExportOfAPrunedFileHasWhatIsLeft) {
  const char* const kFormats[] = {"jsonl", "csv", "ocsf"};
  std::map<std::string, std::string> before;
  for (const char* format : kFormats) before[format] = Audit({"export", "--format", format}).out;
  std::vector<std::string> cursors;
  for (int n = 1; n <= 3; ++n) {
    const Ended row = Audit({"query", "--format", "csv", "--sql",
                             "SELECT unix_us || '.' || writer || '.' || seq || '.' || number "
                             "FROM decisions WHERE seq = " +
                                 std::to_string(n)});
    const size_t at = row.out.find("\r\n") + 2;
    cursors.push_back(row.out.substr(at, row.out.find('\r', at) - at));
  }
  ASSERT_EQ(Audit({"prune", "--before", "2027-01-15T08:15:00Z"}).status, 0);
  ASSERT_EQ(Audit({"query", "--count"}).out, "6\n");
  for (const char* format : kFormats) {
    SCOPED_TRACE(format);
    const std::string head =
        std::string(format) == "csv" ? before[format].substr(0, before[format].find('\n') + 1) : "";
    std::string rest = before[format].substr(head.size());
    for (int gone = 0; gone < 2; ++gone) rest.erase(0, rest.find('\n') + 1);
    const Ended left = Audit({"export", "--format", format});
    EXPECT_EQ(left.status, 0) << left.err;
    EXPECT_EQ(left.out, head + rest);
    // From a record that is there, and from one that is gone.
    const Ended more = Audit({"export", "--format", format, "--after", cursors[2]});
    EXPECT_EQ(more.status, 0) << more.err;
    EXPECT_EQ(more.out, head + rest.substr(rest.find('\n') + 1));
    for (int gone = 0; gone < 2; ++gone) {
      const Ended stale = Audit({"export", "--format", format, "--after", cursors[gone]});
      EXPECT_EQ(stale.status, 2) << stale.out;
      EXPECT_NE(stale.err.find("were made anew or pruned since"), std::string::npos) << stale.err;
    }
  }
}

TEST_F(AuditCommandTest, PruneRemovesAndSaysSo) {
  // A writer whose records are all older than those above.
  const std::string key = directory_.Write("key", std::string(64, '7') + "\n");
  ASSERT_EQ(chmod(key.c_str(), 0600), 0);
  const std::string beside = directory_ / "checkpoints";
  ASSERT_EQ(Audit({"prune", "--older-than", "1h"}).status, 0);
  EXPECT_EQ(Audit({"query", "--count"}).out, "8\n") << "they are of the future";

  Ended ended = Audit({"prune", "--before", "2100-01-01", "--dry-run"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_EQ(ended.out.find("would remove 8 records in "), 0u) << ended.out;
  EXPECT_EQ(Audit({"query", "--count"}).out, "8\n");

  ended = Audit({"prune", "--before", "2100-01-01", "--reason", "the end of the year",
                 "--sign-with", key, "--checkpoints", beside, "--vacuum", "--format", "json"});
  EXPECT_EQ(ended.status, 0) << ended.err;
  const json result = json::parse(ended.out);
  EXPECT_EQ(result["records"], 8);
  EXPECT_EQ(result["dry_run"], false);
  EXPECT_EQ(result["newest"], "2027-01-15T09:20:00Z");
  EXPECT_EQ(Audit({"query", "--count"}).out, "0\n");
  EXPECT_EQ(Audit({"stats", "--format", "json", "--only", "reasons"}).out.find("allow_rule"),
            std::string::npos);

  const std::string line = ReadFile(beside);
  ASSERT_EQ(line.find("reeve-pruning-1 "), 0u) << line;
  const size_t hash = line.find(' ', line.find(' ', line.find(' ', line.find(' ') + 1) + 1) + 1);
  const std::string public_key = line.substr(hash + 66, 64);
  ended = Audit({"verify", "--rows", "--key", public_key, "--checkpoints", beside});
  EXPECT_EQ(ended.status, 0) << ended.err;
  EXPECT_NE(ended.out.find(", signed: before 2100-01-01T00:00:00Z: the end of the year\n"),
            std::string::npos)
      << ended.out;
  const json report = json::parse(Audit({"verify", "--format", "json"}).out);
  EXPECT_EQ(report["pruned_records"], 8);
  EXPECT_EQ(report["prunings"][0]["signed"], true);
  EXPECT_EQ(report["writers"][0]["pruned"], 8);
  EXPECT_EQ(Audit({"verify", "--key", std::string(64, 'a')}).status, 1);
  ended = Audit({"query", "--format", "csv", "--sql",
                 "SELECT min(first_seq), max(last_seq), reason FROM prunings GROUP BY writer"});
  EXPECT_EQ(ended.out,
            "min(first_seq),max(last_seq),reason\r\n1,8,"
            "before 2100-01-01T00:00:00Z: the end of the year\r\n")
      << ended.err;

  // Others may go on.
  Reeve({"check", "--audit", db_, policy_}, Asked(95, "ada", "doc.read", "/finance/new"));
  EXPECT_EQ(Audit({"query", "--count"}).out, "1\n");
  EXPECT_EQ(Audit({"verify", "--rows"}).status, 0);
  // What remains of an empty file is more than nothing.
  EXPECT_EQ(Audit({"prune", "--max-size", "0B"}).status, 1);
  EXPECT_EQ(Audit({"query", "--count"}).out, "0\n");
}

TEST_F(AuditCommandTest, PruneRefusesWhatItDoesNotUnderstand) {
  const std::string open = directory_.Write("open", std::string(64, '7'));
  ASSERT_EQ(chmod(open.c_str(), 0644), 0);
  const std::string text = directory_.Write("text", "secret");
  ASSERT_EQ(chmod(text.c_str(), 0600), 0);
  const struct {
    std::vector<std::string> options;
    std::string error;
  } kCases[] = {
      {{},
       "nothing is asked for; say what is to go with `--older-than`, `--before` or `--max-size`"},
      {{"--older-than", ""}, "--older-than: "},
      {{"--older-than", "2026-11-20"}, "`2026-11-20` is no age; write `90d` or `12h`"},
      {{"--older-than", "-1d"}, "`-1d` is no age; write `90d` or `12h`"},
      {{"--before", "90d"}, "`90d` is no time; write `2026-11-20T09:00:00Z` or `2026-11-20`"},
      {{"--before", "yesterday"}, "`yesterday` is no time; write "},
      {{"--before", "2026-11-20", "--older-than", "1d"}, "--older-than excludes --before"},
      {{"--max-size", "10"}, "`10` is no size; write `10GiB`, `500MiB` or `0B`"},
      {{"--max-size", "-1B"}, "`-1B` is no size; write "},
      {{"--max-size", "99999999TiB"}, "`99999999TiB` is no size; write "},
      {{"--max-size", "1GiB", "--checkpoints", "c"}, "--checkpoints requires --sign-with"},
      {{"--max-size", "1GiB", "--sign-with", directory_ / "none"}, (directory_ / "none") + ": "},
      {{"--max-size", "1GiB", "--sign-with", open}, open + ": others can read it; "},
      {{"--max-size", "1GiB", "--sign-with", text}, text + ": is no key; "},
  };
  for (const auto& c : kCases) {
    std::vector<std::string> arguments = {"prune"};
    arguments.insert(arguments.end(), c.options.begin(), c.options.end());
    const Ended ended = Audit(arguments);
    EXPECT_EQ(ended.status, 2) << c.error;
    EXPECT_EQ(ended.err.substr(0, c.error.size()), c.error);
    EXPECT_EQ(ended.err.find("secret"), std::string::npos);
    EXPECT_EQ(ended.out, "");
  }
  EXPECT_EQ(Reeve({"audit", "prune", policy_, "--older-than", "1d"}).status, 2);
  EXPECT_EQ(Audit({"query", "--count"}).out, "8\n");
}

TEST_F(AuditCommandTest, ExportSaysWhereItStoppedIfItCannotWrite) {
  std::string requests;
  for (int i = 0; i < 1500; ++i) {
    requests += Asked(i % 60, "ada", "doc.read", "/finance/" + std::to_string(i));
  }
  Reeve({"check", "--jsonl", "--audit", db_, policy_}, requests);
  const std::string file = directory_ / "all.jsonl";
  ASSERT_EQ(Audit({"export", "-o", file}).status, 0);
  const std::string all = ReadFile(file);
  EXPECT_EQ(LinesOf(all), 1508u);
  // The file may hold a page and a part of the next.
  const std::string cut = directory_ / "cut.jsonl";
  const size_t kib = all.size() * 9 / 10 / 1024;
  const Ended ended =
      RunProgram({"/bin/sh", "-c",
                  "trap '' XFSZ; ulimit -f \"$0\" && exec cli/reeve audit export \"$1\" -o \"$2\"",
                  std::to_string(kib * 2), db_, cut});
  EXPECT_EQ(ended.status, 3) << ended.err;
  const std::string got = ReadFile(cut);
  EXPECT_EQ(LinesOf(got), 1000u);
  EXPECT_EQ(got, all.substr(0, got.size()));
  const std::string said = "1000 records; what is written later: --after ";
  const size_t at = ended.err.find(said);
  ASSERT_NE(at, std::string::npos) << ended.err;
  std::string cursor = ended.err.substr(at + said.size());
  cursor.pop_back();
  EXPECT_EQ(Audit({"export", "-o", cut, "--append", "--after", cursor}).status, 0);
  EXPECT_EQ(ReadFile(cut), all);
}

TEST_F(AuditCommandTest, ExportIsOcsf) {
  const Ended ended = Audit({"export", "--format", "ocsf", "--rule", "documents/never-the-ledger"});
  json event = json::parse(ended.out);
  for (const char* name : {"machine", "cursor", "policy", "latency_ns"}) {
    EXPECT_TRUE(event["unmapped"].contains(name)) << name;
  }
  const json policy = event["unmapped"]["policy"];
  event.erase("unmapped");
  event["metadata"].erase("uid");
  event["metadata"].erase("log_provider");
  EXPECT_EQ(event, WithDigest(R"({
    "activity_id": 2, "activity_name": "Read", "category_uid": 6,
    "category_name": "Application Activity", "class_uid": 6003, "class_name": "API Activity",
    "type_uid": 600302, "type_name": "API Activity: Read", "time": 1800001200000,
    "severity_id": 2, "status_id": 2, "status": "Failure", "status_code": "deny_rule",
    "status_detail": "Nobody reads the ledger.",
    "actor": {
      "user": {"uid": "user:ada", "name": "ada", "type_id": 99, "type": "user",
               "groups": [{"name": "staff"}]},
      "authorizations": [{"decision": "denied", "policy": {
        "name": "documents/never-the-ledger", "uid": "DIGEST", "is_applied": true}}]},
    "api": {"operation": "doc.read"},
    "resources": [{"uid": "doc:/finance/ledger/1", "name": "/finance/ledger/1", "type": "doc"}],
    "src_endpoint": {"name": "unknown"},
    "metadata": {"version": "1.3.0", "product": {"name": "Reeve", "vendor_name": "Reeve"},
                 "original_time": "2027-01-15T08:20:00.000000Z", "log_name": "decisions",
                 "sequence": 3}})",
                              policy));
}

TEST_F(AuditCommandTest, VerifyTellsOfAFileThatWasSetAside) {
  ASSERT_EQ(Audit({"verify"}).status, 0);
  // All but the first page.
  const std::string bytes = ReadFile(db_);
  std::ofstream(db_, std::ios::binary)
      << bytes.substr(0, 4096) << std::string(bytes.size() - 4096, 'x');
  const Ended damaged = Audit({"verify"});
  EXPECT_EQ(damaged.status, 3) << damaged.err;
  AuditStore::Options options;
  options.damaged = AuditStore::Options::Damaged::kSetAside;
  const std::string aside = (*AuditStore::Open(db_, options))->stats().set_aside_file;
  const Ended now = Audit({"verify"});
  EXPECT_EQ(now.status, 0);
  EXPECT_EQ(now.err, "writer 1 began this file after `" + aside +
                         "` was damaged and set aside; verify that as well\n");
  EXPECT_EQ(json::parse(Audit({"verify", "--format", "json"}).out)["writers"][0]["follows"], aside);
  const Ended before = Reeve({"audit", "verify", directory_ / aside});
  EXPECT_EQ(before.status, 3);
  EXPECT_NE(before.err.find("is damaged"), std::string::npos) << before.err;
}

TEST_F(AuditCommandTest, ExitStatusesAndWhatIsWrongWithACall) {
  const struct {
    std::vector<std::string> arguments;
    int status;
    const char* error;  // how it begins
  } kCases[] = {
      {{"query", "--principal", "user:none"}, 0, "no record matches\n"},
      {{"query", "-e", "--principal", "user:none"}, 1, "no record matches\n"},
      {{"query", "-e", "--principal", "user:bob"}, 0, ""},
      {{"query", "-e", "--count", "--principal", "user:none"}, 1, ""},
      {{"query", "-e", "--sql", "SELECT 1 WHERE 0"}, 1, ""},
      {{"query", "--since", "yesterday"}, 2, "`yesterday` is not a time; write `30m`"},
      {{"query", "--reason", "because"}, 2, "`because` is not a reason"},
      {{"query", "--assurance", "solid"}, 2, "`solid` is not how a principal is known"},
      {{"query", "--min-latency", "5"}, 2, "`5` is not a time that a decision takes"},
      {{"query", "--id", "5"}, 2, "`5` is not the id of a decision"},
      {{"query", "--after", "5"}, 2, "`5` is not a cursor"},
      {{"query", "--columns", "principle"}, 2, "`principle` is not a column; did you mean"},
      {{"query", "--format", "xml"}, 2, "--format: "},
      {{"query", "--limit", "0"}, 2, "--limit: "},
      {{"query", "--count", "--limit", "5"}, 2, "--limit excludes --count"},
      {{"query", "--timeout", "5s"}, 2, "--timeout requires --sql"},
      {{"query", "--sql", "SELECT 1", "--timeout", "soon"}, 2, "`soon` is not a time to wait"},
      {{"query", "--sql", "SELECT 1", "--decision", "deny"},
       2,
       "`--decision` means nothing beside --sql"},
      {{"query", "--sql", "DELETE FROM segments"}, 2, "only a SELECT may be run here\n"},
      {{"query", "--sql", "SELECT 1 AS a, 2 AS a", "--format", "json"},
       2,
       "two columns are called `a`; give them names with AS\n"},
      {{"query", "--timeout", "10ms", "--sql",
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i+1 FROM n) SELECT max(i) FROM n"},
       3,
       "the statement takes too long"},
      {{"tail", "--reason", "because"}, 2, "`because` is not a reason"},
      {{"stats", "--only", "rule"}, 2, "`rule` is no part of the answer; did you mean `rules`?"},
      {{"stats", "--policy", "/nowhere"}, 2, ""},
      {{"export", "--format", "json"}, 2, "--format: "},
      {{"export", "--append"}, 2, "--append requires "},
      {{"export", "--after", "1.2.3"}, 2, "`1.2.3` is not a cursor"},
      {{"export", "-o", "/nowhere/x"}, 2, "/nowhere/x: No such file or directory"},
  };
  for (const auto& c : kCases) {
    const Ended ended = Audit(c.arguments);
    const std::string name = ::testing::PrintToString(c.arguments);
    EXPECT_EQ(ended.status, c.status) << name << ended.err;
    EXPECT_EQ(ended.err.substr(0, std::string(c.error).size()), c.error) << name;
    if (c.status > 1) {
      EXPECT_EQ(ended.out, "") << name;
    }
  }
  for (const char* command : {"query", "tail", "stats", "export"}) {
    EXPECT_EQ(Reeve({"audit", command, directory_ / "none.db"}).err,
              (directory_ / "none.db") + ": there is no such file\n");
    EXPECT_EQ(Reeve({"audit", command, policy_}).status, 2);
    const Ended help = Reeve({"audit", command, "--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_NE(help.out.find("Exit status: 0 done"), std::string::npos) << command;
    EXPECT_NE(help.out.find("Examples:"), std::string::npos) << command;
  }
  EXPECT_EQ(RunProgram({"/bin/sh", "-c", "cli/reeve audit export \"$0\" > /dev/full", db_}).status,
            3);
}

}  // namespace
}  // namespace reeve
