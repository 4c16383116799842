// doc/audit-queries.md shows commands and SQL with their answers. Both are run on a file that is
// made here, and give what stands there and the same.
#include <gtest/gtest.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"
#include "reeve/policy/load.h"
#include "reeve/store/audit_store.h"
#include "reeve/tests/end_to_end/process.h"
#include "reeve/tests/end_to_end/run_program.h"

namespace reeve {
namespace {

using end_to_end::Ended;
using end_to_end::RunProgram;
using testing::MakeId;
using testing::MakePrincipal;

constexpr int64_t kMorning = 1800000000;  // 2027-01-15T08:00:00Z

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

// A question of the page.
struct Question {
  std::string title;
  std::string command;
  std::string answer;  // of the command
  std::string sql;
  std::string sql_answer;  // empty where it is that of the command
};

// The blocks behind three back-quotes and `kind`, up to the next ones.
std::vector<std::string> BlocksOf(const std::string& text) {
  std::vector<std::string> blocks;
  size_t at = 0;
  while ((at = text.find("```", at)) != std::string::npos) {
    const size_t begin = text.find('\n', at) + 1;
    const size_t end = text.find("```\n", begin);
    if (end == std::string::npos) break;
    blocks.push_back(text.substr(begin, end - begin));
    at = end + 4;
  }
  return blocks;
}

std::vector<Question> QuestionsOf(const std::string& page) {
  std::vector<Question> questions;
  size_t at = page.find("\n### 1. ");
  while (at != std::string::npos) {
    const size_t end = page.find("\n### ", at + 1);
    const std::string part = page.substr(at + 1, end == std::string::npos ? end : end - at);
    const std::vector<std::string> blocks = BlocksOf(part);
    Question question;
    question.title = part.substr(0, part.find('\n'));
    if (blocks.size() >= 2) {
      const size_t line = blocks[0].find('\n');
      question.command = blocks[0].substr(2, line - 2);
      question.answer = blocks[0].substr(line + 1);
      question.sql = blocks[1];
      question.sql.pop_back();
    }
    if (blocks.size() > 2) question.sql_answer = blocks[2];
    questions.push_back(question);
    at = end;
  }
  return questions;
}

// The words of a line without the marks around them.
std::vector<std::string> WordsOf(const std::string& line) {
  std::vector<std::string> words;
  std::istringstream stream(line);
  for (std::string word; stream >> word;) {
    while (!word.empty() && (word.front() == '(' || word.front() == '\'')) word.erase(0, 1);
    while (!word.empty() && word.back() == ')') word.pop_back();
    if (!word.empty()) words.push_back(word);
  }
  return words;
}

// Whether each line of `few` has its words in a line of `many`, in the same order.
bool IsWithin(const std::string& few, const std::string& many) {
  std::istringstream lines(many);
  std::istringstream wanted(few);
  for (std::string want; std::getline(wanted, want);) {
    const std::vector<std::string> words = WordsOf(want);
    bool found = false;
    for (std::string line; !found && std::getline(lines, line);) {
      size_t at = 0;
      for (const std::string& word : WordsOf(line)) at += at < words.size() && word == words[at];
      found = at == words.size();
    }
    if (!found) return false;
  }
  return true;
}

class AuditQueriesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    page_ = ReadFile("doc/audit-queries.md");
    const size_t yaml = page_.find("```yaml\n") + 8;
    directory_.Write("documents.yaml", page_.substr(yaml, page_.find("```\n", yaml) - yaml));
    const LoadResult loaded = LoadPolicy(directory_ / "documents.yaml", {});
    ASSERT_TRUE(loaded.ok());
    digest_ = std::string(loaded.snapshot->digest());
    Engine::Options options;
    options.audit_level = AuditLevel::kOff;
    options.clock = &clock_;
    engine_ = *Engine::Create(options);
    ASSERT_TRUE(engine_->Replace(loaded.snapshot).ok());
    AuditStore::Options store_options;
    store_options.masks = {
        {"documents/never-the-ledger", "context.ip", AuditMask::Kind::kHash, ""}};
    store_options.mask_key = std::string(32, 'k');
    std::unique_ptr<AuditStore> store = *AuditStore::Open(directory_ / "audit.db", store_options);
    const Principal ada = PrincipalOf("user:ada@EXAMPLE.COM", "staff", Assurance::kCrypto, "krb5",
                                      "web-1.example.com");
    const Principal bob =
        PrincipalOf("user:bob@EXAMPLE.COM", "staff", Assurance::kKernel, "unix", "");
    const Principal eve =
        PrincipalOf("user:eve@EXAMPLE.COM", "staff", Assurance::kAsserted, "json", "");
    Principal for_ada = ada;
    for_ada.actor = "service:front";
    const struct {
      int minute;
      const Principal& principal;
      const char* action;
      const char* resource;
      const char* defect;
    } kRequests[] = {
        {0, eve, "doc.read", "doc:/news/today", ""},
        {4, ada, "doc.read", "doc:/finance/q3", ""},
        {9, bob, "doc.write", "doc:/finance/q3", ""},
        {17, bob, "doc.write", "doc:/finance/ledger/2027", ""},
        {25, eve, "doc.read", "doc:/finance/q3", ""},
        {61, bob, "doc.read", "doc:/finance/ledger/2027", ""},
        {66, eve, "doc.write", "doc:/finance/q3", ""},
        {70, for_ada, "doc.write", "doc:/finance/q4", ""},
        {71, for_ada, "doc.delete", "doc:/finance/q4", ""},
        {90, eve, "doc.read", "doc:/news/today", ""},
        {115, bob, "doc.read", "doc:/news/today", ""},
        {130, eve, "doc.read", "doc:/finance/q3", "`action` is missing"},
        {140, eve, "doc.delete", "doc:/finance/ledger/2027", ""},
    };
    int64_t latency = 900;
    for (const auto& r : kRequests) {
      const EntityId resource = MakeId(r.resource);
      Request request(r.principal, r.action, resource);
      clock_.now = absl::FromUnixSeconds(kMorning + r.minute * 60);
      const Attributes context = {{"ip", Value::String("192.0.2.7")}};
      if (r.minute == 17 || r.minute == 140) request.context = &context;
      request.defect = r.defect;
      const Decision decision = engine_->Decide(request);
      ASSERT_TRUE(
          store
              ->Append({request, decision, absl::Nanoseconds(latency += 100)}, AuditLevel::kDurable)
              .ok());
    }
  }

  static Principal PrincipalOf(const char* id, const char* group, Assurance assurance,
                               const char* via, const char* host) {
    Principal principal = MakePrincipal(id, {group});
    principal.assurance = assurance;
    principal.via = via;
    principal.host = host;
    return principal;
  }

  // `text` with the digest of the policy for DIGEST.
  std::string WithDigest(std::string text) const {
    for (size_t at; (at = text.find("DIGEST")) != std::string::npos;) text.replace(at, 6, digest_);
    return text;
  }
  std::string WithoutDigest(std::string text) const {
    for (size_t at; (at = text.find(digest_)) != std::string::npos;) {
      text.replace(at, digest_.size(), "DIGEST");
    }
    return text;
  }

  // What a command of the page prints. It has no quotes.
  std::string Run(const std::string& command) {
    std::vector<std::string> arguments = {"cli/reeve"};
    std::istringstream stream(WithDigest(command));
    std::string word;
    stream >> word;
    EXPECT_EQ(word, "reeve");
    while (stream >> word) {
      arguments.push_back(word == "audit.db" || word == "documents.yaml" ? directory_ / word
                                                                         : word);
    }
    const Ended ended = RunProgram(arguments);
    EXPECT_EQ(ended.status, 0) << command << "\n" << ended.err;
    return WithoutDigest(ended.out);
  }

  std::string RunSql(const std::string& sql) {
    const Ended ended = RunProgram(
        {"cli/reeve", "audit", "query", directory_ / "audit.db", "--sql", WithDigest(sql)});
    EXPECT_EQ(ended.status, 0) << sql << "\n" << ended.err;
    return WithoutDigest(ended.out);
  }

  const end_to_end::WorkDirectory directory_;
  std::string page_;
  std::string digest_;
  testing::FakeClock clock_;
  std::unique_ptr<Engine> engine_;
};

TEST_F(AuditQueriesTest, CommandsAndSqlGiveTheAnswersOfThePage) {
  const std::vector<Question> questions = QuestionsOf(page_);
  ASSERT_EQ(questions.size(), 21u);
  std::string written;  // the questions as they should stand
  for (const Question& question : questions) {
    SCOPED_TRACE(question.title);
    const std::string answer = Run(question.command);
    const std::string sql_answer = RunSql(question.sql);
    EXPECT_EQ(question.answer, answer);
    EXPECT_EQ(question.sql_answer, sql_answer == answer ? "" : sql_answer);
    if (sql_answer != answer) {
      // Without its head.
      EXPECT_TRUE(IsWithin(sql_answer.substr(sql_answer.find('\n') + 1), answer))
          << sql_answer << "is not within\n"
          << answer;
    }
    EXPECT_GE(std::count(sql_answer.begin(), sql_answer.end(), '\n'), 2) << "an empty answer";
    written += question.title + "\n\n```\n$ " + question.command + "\n" + answer + "```\n```sql\n" +
               question.sql + "\n```\n" +
               (sql_answer == answer ? "" : "```\n" + sql_answer + "```\n") + "\n";
  }
  if (HasFailure()) std::printf("as it should stand:\n\n%s", written.c_str());
}

TEST(AuditQueriesPageTest, WordsAreFoundInOrder) {
  const struct {
    const char* few;
    const char* many;
    bool want;
  } kCases[] = {
      {"", "", true},
      {"a 1\nb 2", "x\na  1\nb 2\n", true},
      {"2027-01-15 08:00 5 2", "2027-01-15 08:00  xx##  5 (2 denied)", true},
      {"b 2\na 1", "a 1\nb 2", false},
      {"a 2", "a 1", false},
      {"a 1\na 1", "a 1", false},
      {"1 a", "a 1", false},
  };
  for (const auto& c : kCases) EXPECT_EQ(IsWithin(c.few, c.many), c.want) << c.few;
}

}  // namespace
}  // namespace reeve
