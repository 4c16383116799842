// The example server as a process, and clients as processes of several users: what they are
// answered, and what the records say of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <memory>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "reeve/engine/decision.h"
#include "reeve/store/audit_reader.h"
#include "reeve/tests/end_to_end/process.h"

namespace reeve {
namespace {

using end_to_end::Process;
using end_to_end::WorkDirectory;

constexpr int kAllowed = 0;
constexpr int kRefused = 1;
constexpr int kFailed = 3;
constexpr char kNo[] = "refused: you may not do this";

// Who a client is.
struct User {
  uid_t uid;
  std::string groups;  // Other than its own, by number.
};
const User kBookkeeper = {1234, ""};
const User kAuditor = {4321, "7002"};
const User kStranger = {5678, ""};

#define REQUIRE_ROOT() \
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to act as several users"

// Whoever runs the test.
User Self() { return {geteuid(), ""}; }

// The principal that the adapter makes of `uid`.
std::string PrincipalOf(uid_t uid) {
  const passwd* const entry = getpwuid(uid);
  return entry != nullptr ? absl::StrCat("user:", entry->pw_name) : absl::StrCat("user:uid:", uid);
}

// Makes the program live in a user namespace in which only the uid that it has exists, as 0.
bool EnterUserNamespace() {
  const std::string uid_map = absl::StrCat("0 ", geteuid(), " 1");
  const std::string gid_map = absl::StrCat("0 ", getegid(), " 1");
  if (unshare(CLONE_NEWUSER) != 0) return false;
  for (const auto& [path, text] :
       {std::pair<const char*, std::string>("/proc/self/setgroups", "deny"),
        {"/proc/self/uid_map", uid_map},
        {"/proc/self/gid_map", gid_map}}) {
    const int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text.data(), text.size()) < 0) return false;
    close(fd);
  }
  return true;
}

class DocumentServerTest : public testing::Test {
 protected:
  DocumentServerTest() {
    std::filesystem::create_directory(policy());
    for (const char* name : {"documents.yaml", "entities.yaml"}) {
      std::filesystem::copy(absl::StrCat("examples/document_server/policy/", name), policy());
    }
    std::filesystem::permissions(rules_file(), std::filesystem::perms::owner_write,
                                 std::filesystem::perm_options::add);
  }

  std::string policy() const { return work_ / "policy"; }
  std::string rules_file() const { return policy() + "/documents.yaml"; }
  std::string socket() const { return work_ / "socket"; }

  std::unique_ptr<Process> NewServer(const std::function<bool()>& prepare = nullptr) {
    return std::make_unique<Process>(
        std::vector<std::string>{std::getenv("DOCUMENT_SERVER"), "--socket", socket(), "--policy",
                                 policy(), "--audit", work_ / "audit.db"},
        "", prepare);
  }

  // Starts the server, and waits until it listens.
  void Start(const std::function<bool()>& prepare = nullptr) {
    server_ = NewServer(prepare);
    server_->ReadThrough("listening on");
  }

  // A client that sends `lines`, each ended; without a value, what it is told to Say().
  std::unique_ptr<Process> NewClient(const User& user, const std::optional<std::string>& lines) {
    std::vector<std::string> arguments = {std::getenv("DOCUMENT_CLIENT"), "--socket", socket()};
    if (user.uid != geteuid()) {
      const std::string uid = absl::StrCat(user.uid);
      arguments.insert(arguments.end(), {"--uid", uid, "--gid", uid});
      if (!user.groups.empty()) arguments.insert(arguments.end(), {"--groups", user.groups});
    }
    return std::make_unique<Process>(arguments, lines);
  }

  // The answer to one command, and the client's exit status.
  std::string Ask(const User& user, const std::string& command, int expected_status) {
    const std::unique_ptr<Process> client = NewClient(user, command + "\n");
    std::string answer = client->ReadLine();
    EXPECT_EQ(client->Wait(), expected_status) << command << ": " << answer;
    return answer;
  }

  // Replaces `from`, which must be there, in the policy.
  void Edit(const std::string& from, const std::string& to) {
    std::ostringstream text;
    text << std::ifstream(rules_file()).rdbuf();
    ASSERT_TRUE(absl::StrContains(text.str(), from)) << from;
    std::ofstream(rules_file()) << absl::StrReplaceAll(text.str(), {{from, to}});
  }

  // Tells the server to reload. What it says, up to the outcome.
  std::vector<std::string> Reload() {
    server_->Signal(SIGHUP);
    return server_->ReadThrough("policy ");
  }

  // All records, in the order in which they were written.
  std::vector<AuditRow> Records() {
    absl::StatusOr<std::unique_ptr<AuditReader>> reader = AuditReader::Open(work_ / "audit.db");
    if (!reader.ok()) {
      ADD_FAILURE() << reader.status();
      return {};
    }
    AuditQuery query;
    query.order = AuditQuery::Order::kAsWritten;
    query.limit = 100'000;
    absl::StatusOr<std::vector<AuditRow>> rows = (*reader)->Query(query);
    if (!rows.ok()) {
      ADD_FAILURE() << rows.status();
      return {};
    }
    return *std::move(rows);
  }

  const WorkDirectory work_;
  std::unique_ptr<Process> server_;
};

struct Row {
  User user;
  const char* command;
  const char* answer;
  const char* decision;
  const char* reason;
  const char* action;
  const char* resource;
  const char* rules;
};

void ExpectRecord(const AuditRow& record, const Row& row, pid_t pid) {
  SCOPED_TRACE(row.command);
  EXPECT_EQ(record.decision, row.decision);
  EXPECT_EQ(record.reason, row.reason);
  EXPECT_EQ(record.principal, PrincipalOf(row.user.uid));
  EXPECT_EQ(record.action, row.action);
  EXPECT_EQ(record.resource, row.resource);
  EXPECT_EQ(record.rules, row.rules);
  EXPECT_TRUE(record.principal_assurance == "kernel" || record.principal_assurance == "kernel_weak")
      << record.principal_assurance;
  EXPECT_EQ(record.via, "unix");
  EXPECT_TRUE(absl::StrContains(record.evidence, absl::StrCat("pid=", pid, " uid=", row.user.uid)))
      << record.evidence;
  EXPECT_TRUE(absl::StrContains(record.principal_parents, absl::StrCat("uid:", row.user.uid)))
      << record.principal_parents;
  EXPECT_TRUE(absl::StartsWith(record.policy, "sha256:")) << record.policy;
}

TEST_F(DocumentServerTest, AnswersAndRecordsWhoeverRunsTheTest) {
  Start();
  const Row rows[] = {
      {Self(), "read /public/welcome", "ok Welcome to the archive.", "allow", "allow_rule",
       "doc.read", "doc:/public/welcome", R"(["documents/public-is-for-all"])"},
      {Self(), "write /public/welcome x", kNo, "deny", "no_rule", "doc.write",
       "doc:/public/welcome", "[]"},
      {Self(), "read /public/none", "missing", "allow", "allow_rule", "doc.read",
       "doc:/public/none", R"(["documents/public-is-for-all"])"},
  };
  std::vector<pid_t> pids;
  for (const Row& row : rows) {
    const std::unique_ptr<Process> client = NewClient(row.user, absl::StrCat(row.command, "\n"));
    pids.push_back(client->pid());
    EXPECT_EQ(client->ReadLine(), row.answer);
    EXPECT_EQ(client->Wait(), std::string(row.decision) == "allow" ? kAllowed : kRefused);
  }
  const std::vector<AuditRow> records = Records();
  ASSERT_EQ(records.size(), std::size(rows));
  for (size_t i = 0; i < records.size(); ++i) ExpectRecord(records[i], rows[i], pids[i]);
}

TEST_F(DocumentServerTest, TellsUsersApart) {
  REQUIRE_ROOT();
  Start();
  const Row rows[] = {
      {kBookkeeper, "read /finance/q3", "ok Revenue rose by a fifth.", "allow", "allow_rule",
       "doc.read", "doc:/finance/q3", R"(["documents/bookkeepers-edit"])"},
      {kBookkeeper, "write /finance/q3 Up.", "ok", "allow", "allow_rule", "doc.write",
       "doc:/finance/q3", R"(["documents/bookkeepers-edit"])"},
      // Through a group of a group, and a document in a folder.
      {kAuditor, "read /finance/q3", "ok Up.", "allow", "allow_rule", "doc.read", "doc:/finance/q3",
       R"(["documents/papers-go-to-the-board"])"},
      {{4321, ""}, "read /finance/q3", kNo, "deny", "no_rule", "doc.read", "doc:/finance/q3", "[]"},
      {kAuditor, "write /finance/q3 Down.", kNo, "deny", "no_rule", "doc.write", "doc:/finance/q3",
       "[]"},
      // With the obligation that the server knows.
      {kAuditor, "read /finance/report", "ok A good year. [read by uid:4321]", "allow",
       "allow_rule", "doc.read", "doc:/finance/report", R"(["documents/auditors-read-reports"])"},
      // `{department}` is one segment.
      {kAuditor, "read /finance/north/report", kNo, "deny", "no_rule", "doc.read",
       "doc:/finance/north/report", "[]"},
      {kStranger, "read /finance/q3", kNo, "deny", "no_rule", "doc.read", "doc:/finance/q3", "[]"},
      {kStranger, "read /public/welcome", "ok Welcome to the archive.", "allow", "allow_rule",
       "doc.read", "doc:/public/welcome", R"(["documents/public-is-for-all"])"},
      {kBookkeeper, "write /finance/ledger x",
       "refused: you may not do this: The ledger is never changed; add a correction instead.",
       "deny", "deny_rule", "doc.write", "doc:/finance/ledger", R"(["documents/ledger-stays"])"},
      {kBookkeeper, "read /finance/ledger", "ok 1 Jan: opening balance 100.", "allow", "allow_rule",
       "doc.read", "doc:/finance/ledger", R"(["documents/bookkeepers-edit"])"},
  };
  std::vector<pid_t> pids;
  for (const Row& row : rows) {
    const std::unique_ptr<Process> client = NewClient(row.user, absl::StrCat(row.command, "\n"));
    pids.push_back(client->pid());
    EXPECT_EQ(client->ReadLine(), row.answer) << row.user.uid << ": " << row.command;
    EXPECT_EQ(client->Wait(), std::string(row.decision) == "allow" ? kAllowed : kRefused);
  }
  const std::vector<AuditRow> records = Records();
  ASSERT_EQ(records.size(), std::size(rows));
  for (size_t i = 0; i < records.size(); ++i) ExpectRecord(records[i], rows[i], pids[i]);
  EXPECT_EQ(records[9].audit_level, "durable");
  EXPECT_EQ(records[9].message, "The ledger is never changed; add a correction instead.");
}

struct Malformed {
  std::string line;
  std::string action;    // As recorded.
  std::string resource;  // As recorded.
  std::string error;     // Of the record, a part.
};

// The peer is told nothing of what is wrong; the record is.
TEST_F(DocumentServerTest, RefusesAndRecordsWhatIsMalformed) {
  Start();
  const std::vector<Malformed> rows = {
      {"read /public/../finance/q3", "doc.read", "doc:/public/../finance/q3", "`..` segment"},
      {"read /public//welcome", "doc.read", "doc:/public//welcome", "empty path segment"},
      {"read", "doc.read", "doc:", "empty"},
      {"", "doc.", "doc:", "the verb is none of"},
      {"copy /public/welcome", "doc.copy", "doc:/public/welcome", "the verb is none of"},
      {"read /public/welcome now", "doc.read", "doc:/public/welcome", "only write takes a text"},
      {"read /public/\x1b[2Jwelcome", "doc.read", R"(doc:/public/\x1b[2Jwelcome)", "control"},
      {"read /public/\xff", "doc.read", R"(doc:/public/\xff)", "UTF-8"},
      {absl::StrCat("read /", std::string(4096, 'x')), "doc.", "doc:", "the line is too long"},
  };
  std::string lines;
  for (const Malformed& row : rows) absl::StrAppend(&lines, row.line, "\n");
  const std::unique_ptr<Process> client = NewClient(Self(), lines);
  EXPECT_EQ(client->ReadAll(), std::vector<std::string>(rows.size(), kNo));
  EXPECT_EQ(client->Wait(), kRefused);

  const std::vector<AuditRow> records = Records();
  ASSERT_EQ(records.size(), rows.size());
  for (size_t i = 0; i < rows.size(); ++i) {
    SCOPED_TRACE(rows[i].line);
    EXPECT_EQ(records[i].decision, "deny");
    EXPECT_EQ(records[i].reason, "bad_request");
    EXPECT_EQ(records[i].principal, PrincipalOf(geteuid()));
    EXPECT_EQ(records[i].action, rows[i].action);
    EXPECT_EQ(records[i].resource, rows[i].resource);
    EXPECT_TRUE(absl::StrContains(records[i].error, rows[i].error)) << records[i].error;
  }
}

// What follows an over-long line is not taken for commands.
TEST_F(DocumentServerTest, EndsTheConnectionAfterAnOverlongLine) {
  Start();
  const std::unique_ptr<Process> client =
      NewClient(Self(), absl::StrCat(std::string(4097, 'x'), "\nread /public/welcome\n"));
  EXPECT_EQ(client->ReadLine(), kNo);
  EXPECT_EQ(client->ReadLine(), "the server ended the connection");
  EXPECT_EQ(client->Wait(), kFailed);
  EXPECT_EQ(Records().size(), 1u);
}

// In a user namespace in which the peer's uid does not exist, nobody can say who it is.
TEST_F(DocumentServerTest, TakesAPeerThatCannotBeIdentifiedForAnonymous) {
  REQUIRE_ROOT();
  {
    Process probe({"/bin/true"}, "", EnterUserNamespace);
    if (probe.Wait() != 0) GTEST_SKIP() << "needs user namespaces";
  }
  Start(EnterUserNamespace);
  EXPECT_EQ(Ask(kStranger, "read /public/welcome", kRefused), kNo);
  const std::vector<AuditRow> records = Records();
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].decision, "deny");
  EXPECT_EQ(records[0].reason, "no_rule");
  EXPECT_EQ(records[0].principal, "anonymous:anonymous");
  EXPECT_EQ(records[0].principal_assurance, "none");
  EXPECT_EQ(records[0].resource, "doc:/public/welcome");
  EXPECT_TRUE(absl::StartsWith(records[0].evidence, "refused: UNAUTHENTICATED"))
      << records[0].evidence;
}

TEST_F(DocumentServerTest, ReloadsAGoodPolicyAndKeepsTheOldInsteadOfABrokenOne) {
  Start();
  // One connection through it all.
  const std::unique_ptr<Process> client = NewClient(Self(), std::nullopt);
  const auto ask = [&client] {
    client->Say("read /public/welcome");
    return client->ReadLine();
  };
  EXPECT_EQ(ask(), "ok Welcome to the archive.");

  Edit("principals: [authenticated]", "principls: [authenticated]");
  std::vector<std::string> said = Reload();
  ASSERT_EQ(said.size(), 2u);
  EXPECT_EQ(said[0], absl::StrCat(rules_file(),
                                  ":16:5: unknown key `principls` in rule `public-is-for-all`; "
                                  "did you mean `principals`?"));
  const std::string old_digest = Records().at(0).policy;
  EXPECT_EQ(said[1], absl::StrCat("policy refused; ", old_digest, " stays in force"));
  EXPECT_EQ(ask(), "ok Welcome to the archive.");

  Edit("principls: [authenticated]", "principals: [group:nobody-is-in-it]");
  said = Reload();
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(ask(), kNo);
  client->EndInput();
  EXPECT_EQ(client->Wait(), kRefused);

  const std::vector<AuditRow> records = Records();
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].policy, old_digest);
  EXPECT_NE(records[2].policy, old_digest);
  EXPECT_EQ(said[0], absl::StrCat("policy ", records[2].policy, " in force"));
}

TEST_F(DocumentServerTest, RefusesWhatItCannotDischarge) {
  REQUIRE_ROOT();
  Edit("{id: stamp}", "{id: stamp}, {id: page-security}");
  Start();
  EXPECT_EQ(Ask(kAuditor, "read /finance/report", kRefused), kNo);
  EXPECT_EQ(Records().at(0).obligations, R"(["stamp","page-security"])");
}

TEST_F(DocumentServerTest, RecordsWhoAskedWhenManyAskAtOnce) {
  REQUIRE_ROOT();
  constexpr int kRequests = 50;
  Start();
  std::vector<std::unique_ptr<Process>> clients;
  const std::vector<User> users = {kBookkeeper, kAuditor, kStranger};
  for (const User& user : users) {
    std::string lines;
    for (int i = 0; i < kRequests; ++i) {
      absl::StrAppend(&lines, "read /public/", user.uid, "/", i, "\n");
    }
    clients.push_back(NewClient(user, lines));
  }
  for (const std::unique_ptr<Process>& client : clients) {
    EXPECT_EQ(client->ReadAll(), std::vector<std::string>(kRequests, "missing"));
    EXPECT_EQ(client->Wait(), kAllowed);
  }
  const std::vector<AuditRow> records = Records();
  EXPECT_EQ(records.size(), users.size() * kRequests);
  for (size_t i = 0; i < users.size(); ++i) {
    const std::string prefix = absl::StrCat("doc:/public/", users[i].uid, "/");
    const std::string evidence = absl::StrCat("pid=", clients[i]->pid(), " uid=", users[i].uid);
    std::vector<std::string> resources;
    std::vector<std::string> expected;
    for (const AuditRow& record : records) {
      if (!absl::StartsWith(record.resource, prefix)) continue;
      resources.push_back(record.resource);
      EXPECT_EQ(record.principal, PrincipalOf(users[i].uid)) << record.resource;
      EXPECT_TRUE(absl::StartsWith(record.evidence, evidence)) << record.evidence;
    }
    for (int n = 0; n < kRequests; ++n) expected.push_back(absl::StrCat(prefix, n));
    EXPECT_EQ(resources, expected) << "each once, in the order in which they were asked";
  }
}

TEST_F(DocumentServerTest, KeepsEveryAnsweredDecisionWhenItIsKilled) {
  constexpr int kRequests = 2000;
  constexpr int kClients = 3;
  for (const int answers_before : {1, 40, 200}) {
    Start();
    std::vector<std::unique_ptr<Process>> clients;
    for (int client = 0; client < kClients; ++client) {
      std::string lines;
      for (int i = 0; i < kRequests; ++i) {
        absl::StrAppend(&lines, "read /public/", answers_before, "/", client, "/", i, "\n");
      }
      clients.push_back(NewClient(Self(), lines));
    }
    std::vector<size_t> answered(kClients);
    for (; answered[0] < static_cast<size_t>(answers_before); ++answered[0]) {
      EXPECT_EQ(clients[0]->ReadLine(), "missing");
    }
    server_->Signal(SIGKILL);
    EXPECT_EQ(server_->Wait(), 128 + SIGKILL);
    const std::vector<AuditRow> records = Records();
    for (int client = 0; client < kClients; ++client) {
      for (const std::string& line : clients[client]->ReadAll())
        answered[client] += line == "missing";
      EXPECT_EQ(clients[client]->Wait(), kFailed);
      ASSERT_LT(answered[client], kRequests) << "was killed too late to tell anything";
      const std::string prefix = absl::StrCat("doc:/public/", answers_before, "/", client, "/");
      size_t recorded = 0;
      for (const AuditRow& record : records) {
        if (!absl::StartsWith(record.resource, prefix)) continue;
        EXPECT_EQ(record.resource, absl::StrCat(prefix, recorded));
        ++recorded;
      }
      // The last one may have been recorded and not yet answered.
      EXPECT_GE(recorded, answered[client]);
      EXPECT_LE(recorded, answered[client] + 1);
    }
  }
}

TEST_F(DocumentServerTest, EndsInOrder) {
  Start();
  const std::unique_ptr<Process> second = NewServer();
  second->ReadThrough("policy ");
  EXPECT_EQ(second->ReadLine(), socket() + ": another server listens there");
  EXPECT_EQ(second->Wait(), kFailed);

  // An open connection does not keep it.
  const std::unique_ptr<Process> client = NewClient(Self(), std::nullopt);
  client->Say("read /public/welcome");
  EXPECT_EQ(client->ReadLine(), "ok Welcome to the archive.");
  const auto begin = std::chrono::steady_clock::now();
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(9))
      << "it waited until the silent connection was let go, after ten seconds";
  EXPECT_FALSE(std::filesystem::exists(socket()));
  client->EndInput();
  EXPECT_EQ(client->Wait(), kAllowed);
}

TEST_F(DocumentServerTest, TakesOverTheSocketOfAServerThatWasKilled) {
  Start();
  server_->Signal(SIGKILL);
  server_->Wait();
  ASSERT_TRUE(std::filesystem::exists(socket()));
  Start();
  EXPECT_EQ(Ask(Self(), "read /public/welcome", kAllowed), "ok Welcome to the archive.");
}

TEST_F(DocumentServerTest, LeavesAFileAloneThatIsNoSocket) {
  std::ofstream(socket()) << "precious";
  const std::unique_ptr<Process> server = NewServer();
  server->ReadThrough("policy ");
  EXPECT_EQ(server->ReadLine(), socket() + ": is there, and no socket");
  EXPECT_EQ(server->Wait(), kFailed);
  EXPECT_EQ(std::filesystem::file_size(socket()), 8u);
}

TEST_F(DocumentServerTest, DoesNotStartWithABrokenPolicy) {
  Edit("principals: [authenticated]", "principls: [authenticated]");
  const std::unique_ptr<Process> server = NewServer();
  EXPECT_EQ(server->ReadAll().size(), 1u);
  EXPECT_EQ(server->Wait(), 2);
}

}  // namespace
}  // namespace reeve
