// The example server as a process, and clients as processes of several users and with several
// certificates: what they are answered, and what the records say of it.
#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/tls/tls_testing.h"
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

  std::unique_ptr<Process> NewServer(const std::function<bool()>& prepare = nullptr,
                                     const std::vector<std::string>& others = {}) {
    std::vector<std::string> arguments = {std::getenv("DOCUMENT_SERVER"),
                                          "--socket",
                                          socket(),
                                          "--policy",
                                          policy(),
                                          "--audit",
                                          work_ / "audit.db"};
    arguments.insert(arguments.end(), others.begin(), others.end());
    return std::make_unique<Process>(arguments, "", prepare);
  }

  // Starts the server, and waits until it listens.
  void Start(const std::function<bool()>& prepare = nullptr) {
    server_ = NewServer(prepare);
    server_->ReadThrough("listening on");
  }

  // A client that sends `lines`, each ended; without a value, what it is told to Say().
  std::unique_ptr<Process> NewClient(const User& user, const std::optional<std::string>& lines) {
    return NewClient({"--socket", socket()}, user, lines);
  }

  // The same by another way than the Unix socket.
  static std::unique_ptr<Process> NewClient(const std::vector<std::string>& way, const User& user,
                                            const std::optional<std::string>& lines) {
    std::vector<std::string> arguments = {std::getenv("DOCUMENT_CLIENT")};
    arguments.insert(arguments.end(), way.begin(), way.end());
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
  void Edit(const std::string& from, const std::string& to) { Edit(from, to, policy()); }
  void Edit(const std::string& from, const std::string& to, const std::string& directory) {
    const std::string rules = directory + "/documents.yaml";
    std::ostringstream text;
    text << std::ifstream(rules).rdbuf();
    ASSERT_TRUE(absl::StrContains(text.str(), from)) << from;
    // In one step, as editors do: so it is loaded once.
    const std::string fresh = work_ / "fresh.yaml";
    std::ofstream(fresh) << absl::StrReplaceAll(text.str(), {{from, to}});
    std::filesystem::rename(fresh, rules);
  }

  // What the server says of a policy that has changed, up to the outcome.
  std::vector<std::string> Reload() { return server_->ReadThrough("policy "); }

  // All records, in the order in which they were written, once there are `count`: a decision that
  // is recorded and not durable reaches the file a moment after its answer.
  std::vector<AuditRow> Records(size_t count) {
    std::vector<AuditRow> records = RecordsNow();
    for (int i = 0; i < 6000 && records.size() < count; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(10));
      records = RecordsNow();
    }
    return records;
  }

  std::vector<AuditRow> RecordsNow() {
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
  const std::vector<AuditRow> records = Records(std::size(rows));
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
  const std::vector<AuditRow> records = Records(std::size(rows));
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

  const std::vector<AuditRow> records = Records(rows.size());
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
  EXPECT_EQ(Records(1).size(), 1u);
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
  const std::vector<AuditRow> records = Records(1);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].decision, "deny");
  EXPECT_EQ(records[0].reason, "no_rule");
  EXPECT_EQ(records[0].principal, "anonymous:anonymous");
  EXPECT_EQ(records[0].principal_assurance, "none");
  EXPECT_EQ(records[0].resource, "doc:/public/welcome");
  EXPECT_TRUE(absl::StartsWith(records[0].evidence, "refused: unmapped: ")) << records[0].evidence;
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
  const std::string old_digest = Records(1).at(0).policy;
  EXPECT_EQ(said[1], absl::StrCat("policy refused; ", old_digest, " stays in force"));
  EXPECT_EQ(ask(), "ok Welcome to the archive.");

  Edit("principls: [authenticated]", "principals: [group:nobody-is-in-it]");
  said = Reload();
  ASSERT_EQ(said.size(), 1u);
  EXPECT_EQ(ask(), kNo);
  client->EndInput();
  EXPECT_EQ(client->Wait(), kRefused);

  const std::vector<AuditRow> records = Records(3);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[1].policy, old_digest);
  EXPECT_NE(records[2].policy, old_digest);
  EXPECT_EQ(said[0], absl::StrCat("policy ", records[2].policy, " in force"));
}

TEST_F(DocumentServerTest, SaysWhatIsInForceWhenAsked) {
  Start();
  const std::string begins = "policy sha256:";
  server_->Signal(SIGHUP);
  EXPECT_EQ(Reload().back().substr(0, begins.size()), begins);
  Edit("principals: [authenticated]", "principls: [authenticated]");
  const std::string refused = Reload().back();
  EXPECT_TRUE(absl::StartsWith(refused, "policy refused; sha256:")) << refused;
  // As often as it is asked, until it is mended.
  server_->Signal(SIGHUP);
  EXPECT_EQ(Reload().back(), refused);
  Edit("principls: [authenticated]", "principals: [authenticated]");
  const std::string mended = Reload().back();
  EXPECT_EQ(mended.substr(0, begins.size()), begins);
}

TEST_F(DocumentServerTest, LoadsADirectoryThatWasReplaced) {
  Start();
  EXPECT_EQ(Ask(Self(), "read /public/welcome", kAllowed), "ok Welcome to the archive.");
  const std::string old = work_ / "old";
  std::filesystem::copy(policy(), work_ / "next");
  std::filesystem::rename(policy(), old);
  Edit("principals: [authenticated]", "principals: [group:nobody-is-in-it]", work_ / "next");
  std::filesystem::rename(work_ / "next", policy());
  // It may have looked while there was none.
  std::string said;
  for (int i = 0; i < 100 && !absl::StartsWith(said, "policy sha256:"); ++i) said = Reload().back();
  EXPECT_EQ(Ask(Self(), "read /public/welcome", kRefused), kNo);
}

TEST_F(DocumentServerTest, RefusesWhatItCannotDischarge) {
  REQUIRE_ROOT();
  Edit("{id: stamp}", "{id: stamp}, {id: page-security}");
  Start();
  EXPECT_EQ(Ask(kAuditor, "read /finance/report", kRefused), kNo);
  EXPECT_EQ(Records(1).at(0).obligations, R"(["stamp","page-security"])");
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
  const std::vector<AuditRow> records = Records(users.size() * kRequests);
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

TEST_F(DocumentServerTest, KeepsEveryAnsweredDurableDecisionWhenItIsKilled) {
  constexpr int kRequests = 2000;
  constexpr int kClients = 3;
  Edit("  - id: public-is-for-all\n", "  - id: public-is-for-all\n    audit: durable\n");
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
    const std::vector<AuditRow> records = RecordsNow();
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

using tls_testing::CertificateSpec;
using tls_testing::Credential;

// The programs go by the clock of the machine: valid for as long as this test is run.
const absl::Time kEarly = absl::FromUnixSeconds(946684800);  // 2000
const absl::Time kLate = absl::FromUnixSeconds(2524608000);  // 2050

Credential Certify(const std::vector<std::string>& names, const Credential& issuer,
                   absl::Time not_after = kLate) {
  CertificateSpec spec;
  spec.names = names;
  spec.not_before = kEarly;
  spec.not_after = not_after;
  return Credential::Make(spec, &issuer);
}

Credential Authority(const std::string& name) {
  CertificateSpec spec;
  spec.common_name = name;
  spec.not_before = kEarly;
  spec.not_after = kLate;
  spec.ca = true;
  spec.key_usage = "critical,keyCertSign";
  return Credential::Make(spec);
}

// "127.0.0.1:7000", as a socket of this process. Reading waits for a minute at most.
class Caller {
 public:
  explicit Caller(const std::string& address) : fd_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const size_t colon = address.find(':');
    uint16_t port = 0;
    std::from_chars(address.data() + colon + 1, address.data() + address.size(), port);
    sockaddr_in to = {};
    to.sin_family = AF_INET;
    to.sin_port = htons(port);
    inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
    EXPECT_EQ(connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof(to)), 0) << address;
    const timeval patience = {60, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  }
  Caller(Caller&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  ~Caller() { Leave(); }

  bool Say(std::string_view bytes) const {
    return send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL) ==
           static_cast<ssize_t>(bytes.size());
  }
  // Some of what came; empty if the other side has ended.
  std::string Hear() const {
    char bytes[4096];
    const ssize_t size = recv(fd_, bytes, sizeof(bytes), 0);
    EXPECT_FALSE(size < 0 && errno == EAGAIN) << "nothing came for a minute";
    return size <= 0 ? "" : std::string(bytes, static_cast<size_t>(size));
  }
  // Until the other side has ended.
  void HearAll() const {
    while (!Hear().empty()) continue;
  }
  void Leave() {
    if (fd_ >= 0) close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

// The server on all three: a Unix socket, TCP and TLS.
class NetworkTest : public DocumentServerTest {
 protected:
  NetworkTest() {
    Save("authority", authority_);
    Save("server", Certify({"IP:127.0.0.1", "DNS:docs.example.com"}, authority_));
    Save("writer", Certify({"URI:spiffe://example.org/report-writer"}, authority_));
    Save("ada", Certify({"email:ada@example.com"}, authority_));
  }

  // Writes NAME.pem, with the certificate of the issuer if there is one, and NAME.key.
  void Save(const std::string& name, const Credential& credential,
            const std::optional<Credential>& issuer = std::nullopt) const {
    const auto write = [&](const std::string& file, const std::function<int(BIO*)>& write) {
      BIO* const bio = BIO_new_file((work_ / file).c_str(), "w");
      EXPECT_EQ(write(bio), 1) << file;
      BIO_free(bio);
    };
    write(name + ".pem", [&](BIO* bio) {
      if (PEM_write_bio_X509(bio, credential.certificate.get()) != 1) return 0;
      return issuer.has_value() ? PEM_write_bio_X509(bio, issuer->certificate.get()) : 1;
    });
    write(name + ".key", [&](BIO* bio) {
      return PEM_write_bio_PrivateKey(bio, credential.key.get(), nullptr, nullptr, 0, nullptr,
                                      nullptr);
    });
  }

  // With NAME.pem and the key to it.
  std::vector<std::string> Doors(const std::string& certificate = "server") const {
    return {"--tcp",         "127.0.0.1:0",
            "--tls",         "127.0.0.1:0",
            "--certificate", work_ / (certificate + ".pem"),
            "--key",         work_ / (certificate + ".key"),
            "--clients",     work_ / "authority.pem"};
  }

  void StartAll(const std::string& certificate = "server") {
    server_ = NewServer(nullptr, Doors(certificate));
    const auto address = [this] {
      const std::string line = server_->ReadThrough("listening on ").back();
      return line.substr(std::string("listening on ").size());
    };
    tcp_ = address();
    const std::string tls = address();
    tls_ = tls.substr(0, tls.find(' '));
    EXPECT_EQ(tls, tls_ + " with TLS");
    EXPECT_EQ(address(), socket());
  }

  std::vector<std::string> ByTcp() const { return {"--tcp", tcp_}; }
  // With the certificate of that name, or none.
  std::vector<std::string> ByTls(const std::string& name) const {
    std::vector<std::string> way = {"--tls", tls_, "--ca", work_ / "authority.pem"};
    if (!name.empty()) {
      way.insert(way.end(),
                 {"--certificate", work_ / (name + ".pem"), "--key", work_ / (name + ".key")});
    }
    return way;
  }

  std::string Ask(const std::vector<std::string>& way, const std::string& command,
                  int expected_status) const {
    const std::unique_ptr<Process> client = NewClient(way, Self(), command + "\n");
    std::string answer = client->ReadLine();
    EXPECT_EQ(client->Wait(), expected_status) << command << ": " << answer;
    return answer;
  }

  // Ends the server, which must end well.
  void End() const {
    server_->Signal(SIGTERM);
    EXPECT_EQ(server_->Wait(), 0);
  }

  const Credential authority_ = Authority("The clients' authority");
  std::string tcp_;
  std::string tls_;
};

void ExpectTcpRecord(const AuditRow& record, uid_t uid) {
  EXPECT_EQ(record.principal, PrincipalOf(uid));
  EXPECT_EQ(record.via, "tcp");
  EXPECT_EQ(record.principal_assurance, "kernel");
  EXPECT_TRUE(absl::StartsWith(record.evidence, absl::StrCat("uid=", uid, " inode=")))
      << record.evidence;
  EXPECT_TRUE(absl::EndsWith(record.evidence, " groups=partial")) << record.evidence;
  EXPECT_EQ(record.principal_parents, absl::StrCat("[\"uid:", uid, "\"]"));
}

TEST_F(NetworkTest, KnowsByTcpWhoeverRunsTheTest) {
  StartAll();
  EXPECT_EQ(Ask(ByTcp(), "read /public/welcome", kAllowed), "ok Welcome to the archive.");
  EXPECT_EQ(Ask(ByTcp(), "write /public/welcome x", kRefused), kNo);
  const std::vector<AuditRow> records = Records(2);
  ASSERT_EQ(records.size(), 2u);
  for (const AuditRow& record : records) ExpectTcpRecord(record, geteuid());
  EXPECT_EQ(records[0].decision, "allow");
  EXPECT_EQ(records[1].decision, "deny");
}

TEST_F(NetworkTest, TellsUsersApartByTcp) {
  REQUIRE_ROOT();
  StartAll();
  const Row rows[] = {
      {kBookkeeper, "read /finance/q3", "ok Revenue rose by a fifth.", "allow", "allow_rule",
       "doc.read", "doc:/finance/q3", R"(["documents/bookkeepers-edit"])"},
      {kBookkeeper, "write /finance/ledger x",
       "refused: you may not do this: The ledger is never changed; add a correction instead.",
       "deny", "deny_rule", "doc.write", "doc:/finance/ledger", R"(["documents/ledger-stays"])"},
      {kStranger, "read /public/welcome", "ok Welcome to the archive.", "allow", "allow_rule",
       "doc.read", "doc:/public/welcome", R"(["documents/public-is-for-all"])"},
      {kStranger, "read /finance/q3", kNo, "deny", "no_rule", "doc.read", "doc:/finance/q3", "[]"},
      // The kernel does not tell the groups.
      {kAuditor, "read /finance/report", kNo, "deny", "no_rule", "doc.read", "doc:/finance/report",
       "[]"},
  };
  for (const Row& row : rows) {
    const std::unique_ptr<Process> client =
        NewClient(ByTcp(), row.user, absl::StrCat(row.command, "\n"));
    EXPECT_EQ(client->ReadLine(), row.answer) << row.user.uid << ": " << row.command;
    EXPECT_EQ(client->Wait(), std::string(row.decision) == "allow" ? kAllowed : kRefused);
  }
  const std::vector<AuditRow> records = Records(std::size(rows));
  ASSERT_EQ(records.size(), std::size(rows));
  for (size_t i = 0; i < records.size(); ++i) {
    SCOPED_TRACE(rows[i].command);
    ExpectTcpRecord(records[i], rows[i].user.uid);
    EXPECT_EQ(records[i].decision, rows[i].decision);
    EXPECT_EQ(records[i].reason, rows[i].reason);
    EXPECT_EQ(records[i].action, rows[i].action);
    EXPECT_EQ(records[i].resource, rows[i].resource);
    EXPECT_EQ(records[i].rules, rows[i].rules);
    EXPECT_FALSE(records[i].groups_complete);
  }
}

// What it asked for counts; who it was nobody can say any more.
TEST_F(NetworkTest, TakesAPeerThatHasLeftForAnonymous) {
  StartAll();
  server_->Signal(SIGSTOP);
  {
    const Caller caller(tcp_);
    EXPECT_TRUE(caller.Say("write /public/welcome gone\n"));
  }
  server_->Signal(SIGCONT);
  const std::vector<AuditRow> records = Records(1);
  ASSERT_EQ(records.size(), 1u);
  EXPECT_EQ(records[0].principal, "anonymous:anonymous");
  EXPECT_EQ(records[0].principal_assurance, "none");
  EXPECT_EQ(records[0].via, "socket");
  EXPECT_EQ(records[0].decision, "deny");
  EXPECT_EQ(records[0].resource, "doc:/public/welcome");
  EXPECT_TRUE(absl::StartsWith(records[0].evidence, "refused: stale: ")) << records[0].evidence;
  EXPECT_EQ(Ask(ByTcp(), "read /public/welcome", kAllowed), "ok Welcome to the archive.");
}

struct TlsRow {
  const char* name;
  std::vector<std::string> names;  // Of the certificate; empty: none is shown.
  const char* command;
  const char* answer;
  const char* principal;
  const char* rules;
  const char* evidence;  // Its beginning.
};

TEST_F(NetworkTest, KnowsByTlsWhomCertificatesName) {
  StartAll();
  const char* const writer = "URI:spiffe://example.org/report-writer";
  const TlsRow rows[] = {
      {"a service does what its rule says",
       {writer},
       "write /finance/report A fair year.",
       "ok",
       "spiffe:example.org/report-writer",
       R"(["documents/report-writer-files-reports"])",
       "serial="},
      {"and no more",
       {writer},
       "read /finance/ledger",
       kNo,
       "spiffe:example.org/report-writer",
       "[]",
       "serial="},
      {"another service of that trust domain",
       {"URI:spiffe://example.org/report-writer-2"},
       "read /finance/report",
       kNo,
       "spiffe:example.org/report-writer-2",
       "[]",
       "serial="},
      {"that path in another trust domain",
       {"URI:spiffe://example.com/report-writer"},
       "read /finance/report",
       kNo,
       "spiffe:example.com/report-writer",
       "[]",
       "serial="},
      // Also as a member of a group that the policy gives her; and although the kernel would say
      // that this client is somebody else.
      {"a person",
       {"email:ada@example.com"},
       "read /finance/q3",
       "ok Revenue rose by a fifth.",
       "user:ada@example.com",
       R"(["documents/partners-read-figures"])",
       "serial="},
      {"a person of that name elsewhere",
       {"email:ada@example.org"},
       "read /finance/q3",
       kNo,
       "user:ada@example.org",
       "[]",
       "serial="},
      {"a host",
       {"DNS:web.example.com"},
       "read /public/welcome",
       "ok Welcome to the archive.",
       "host:web.example.com",
       R"(["documents/public-is-for-all"])",
       "serial="},
      {"no certificate",
       {},
       "read /public/welcome",
       kNo,
       "anonymous:anonymous",
       "[]",
       "refused: no_token: "},
      {"two services at once",
       {writer, "URI:spiffe://example.org/other"},
       "read /finance/report",
       kNo,
       "anonymous:anonymous",
       "[]",
       "refused: ambiguous: "},
      {"a name of which there is no kind",
       {"IP:127.0.0.1"},
       "read /public/welcome",
       kNo,
       "anonymous:anonymous",
       "[]",
       "refused: no_token: "},
  };
  for (const TlsRow& row : rows) {
    SCOPED_TRACE(row.name);
    if (!row.names.empty()) Save("client", Certify(row.names, authority_));
    EXPECT_EQ(Ask(ByTls(row.names.empty() ? "" : "client"), row.command,
                  std::string(row.answer) == kNo ? kRefused : kAllowed),
              row.answer);
  }
  const std::vector<AuditRow> records = Records(std::size(rows));
  ASSERT_EQ(records.size(), std::size(rows));
  for (size_t i = 0; i < records.size(); ++i) {
    SCOPED_TRACE(rows[i].name);
    const bool known = std::string(rows[i].principal) != "anonymous:anonymous";
    EXPECT_EQ(records[i].principal, rows[i].principal);
    EXPECT_EQ(records[i].rules, rows[i].rules);
    EXPECT_EQ(records[i].decision, std::string(rows[i].answer) == kNo ? "deny" : "allow");
    EXPECT_EQ(records[i].via, known ? "tls" : "socket");
    EXPECT_EQ(records[i].principal_assurance, known ? "crypto" : "none");
    EXPECT_TRUE(absl::StartsWith(records[i].evidence, rows[i].evidence)) << records[i].evidence;
    if (!known) continue;
    EXPECT_TRUE(absl::StrContains(records[i].evidence, " verify=ok protocol=TLSv1.3 "))
        << records[i].evidence;
    EXPECT_TRUE(absl::StrContains(records[i].evidence, " resumed=no ")) << records[i].evidence;
    EXPECT_TRUE(absl::EndsWith(records[i].evidence, " issuer=CN=The clients' authority"))
        << records[i].evidence;
  }
}

// A rule that wants proof by cryptography has none of the kernel's.
TEST_F(NetworkTest, AssuranceIsAConditionOfARule) {
  Edit("principals: [group:partners]", "principals: [authenticated]");
  StartAll();
  EXPECT_EQ(Ask(ByTls("writer"), "read /finance/q3", kAllowed), "ok Revenue rose by a fifth.");
  EXPECT_EQ(Ask(ByTcp(), "read /finance/q3", kRefused), kNo);
  EXPECT_EQ(Ask(std::vector<std::string>{"--socket", socket()}, "read /finance/q3", kRefused), kNo);
}

struct BadCertificate {
  const char* name;
  Credential credential;
  const char* why;                                  // By the server.
  std::optional<Credential> issuer = std::nullopt;  // Is sent along.
};

// They are turned away in the handshake: nothing that they send is read, nor recorded.
TEST_F(NetworkTest, TurnsAwayWhoShowsABadCertificate) {
  const Credential stranger = Authority("Nobody knows it");
  // By its name it would do.
  const Credential impostor = Authority("The clients' authority");
  CertificateSpec later;
  later.names = {"email:ada@example.com"};
  later.not_before = kLate - absl::Hours(1);
  later.not_after = kLate;
  CertificateSpec server_only = later;
  server_only.not_before = kEarly;
  server_only.extended_key_usage = "serverAuth";
  const std::vector<std::string> ada = {"email:ada@example.com"};
  const Credential ada_herself = Certify(ada, authority_);
  CertificateSpec leaf = later;
  leaf.common_name = "made by Ada";
  leaf.not_before = kEarly;
  const BadCertificate rows[] = {
      {"of another authority", Certify(ada, stranger), "unable to get local issuer certificate"},
      {"of an authority of that name", Certify(ada, impostor), "certificate signature failure"},
      {"by itself", stranger, "self-signed certificate"},
      {"expired", Certify(ada, authority_, kEarly + absl::Hours(1)), "certificate has expired"},
      {"of the future", Credential::Make(later, &authority_), "certificate is not yet valid"},
      {"of a server", Credential::Make(server_only, &authority_), "unsuitable certificate purpose"},
      {"of who is no authority", Credential::Make(leaf, &ada_herself), "invalid CA certificate",
       ada_herself},
  };
  StartAll();
  for (const BadCertificate& row : rows) {
    SCOPED_TRACE(row.name);
    Save("client", row.credential, row.issuer);
    const std::string answer = Ask(ByTls("client"), "read /finance/q3", kFailed);
    EXPECT_TRUE(absl::StartsWith(answer, "the server ended the connection")) << answer;
    const std::string said = server_->ReadLine();
    EXPECT_TRUE(absl::StartsWith(said, "no session with 127.0.0.1:")) << said;
    EXPECT_TRUE(absl::EndsWith(said, absl::StrCat(": certificate verify failed: ", row.why)))
        << said;
  }
  EXPECT_EQ(Ask(ByTls("ada"), "read /finance/q3", kAllowed), "ok Revenue rose by a fifth.");
  End();
  EXPECT_EQ(Records(1).size(), 1u);
}

TEST_F(NetworkTest, SurvivesWhoDoesNotSpeakTls) {
  StartAll();
  // All at once, and while they last somebody else is served.
  std::vector<Caller> silent;
  for (const std::string_view begun :
       {"", "\x16", "\x16\x03\x01\x02", "\x16\x03\x01\x3f\xff\x01"}) {
    for (int i = 0; i < 4; ++i) {
      silent.emplace_back(tls_);
      EXPECT_TRUE(silent.back().Say(begun));
    }
  }
  EXPECT_EQ(Ask(ByTls("ada"), "read /finance/q3", kAllowed), "ok Revenue rose by a fifth.");

  std::string noise;
  for (unsigned i = 0, state = 7; i < 100'000; ++i, state = state * 1664525 + 1013904223) {
    noise += static_cast<char>(state >> 24);
  }
  const std::string huge_record = "\x16\x03\x01\xff\xff" + noise;
  const std::string noise_record = "\x16\x03\x01\x20\x01" + noise;
  for (const std::string& bytes :
       {std::string("read /public/welcome\n"), std::string("GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
        noise, huge_record, noise_record, std::string(100'000, '\0')}) {
    const Caller caller(tls_);
    caller.Say(bytes);  // It may end the connection in between.
    caller.HearAll();
    const std::string said = server_->ReadLine();
    EXPECT_TRUE(absl::StartsWith(said, "no session with ")) << said;
  }
  // Who leaves in the handshake is mentioned, too.
  silent.back().Leave();
  const std::string said = server_->ReadLine();
  EXPECT_TRUE(absl::StartsWith(said, "no session with ")) << said;
  EXPECT_EQ(Ask(ByTls("ada"), "read /finance/q3", kAllowed), "ok Revenue rose by a fifth.");

  // And TLS where none is spoken.
  const std::string hello("\x16\x03\x01\x00\x05hello\n", 11);
  const Caller caller(tcp_);
  EXPECT_TRUE(caller.Say(hello));
  EXPECT_EQ(caller.Hear(), absl::StrCat(kNo, "\n"));
  const std::vector<AuditRow> records = Records(3);
  ASSERT_EQ(records.size(), 3u);
  EXPECT_EQ(records[2].reason, "bad_request");
}

// More than can be served at once, each for as long as the server is patient: ten seconds after the
// last of them others are served again, and those of the other sockets were all the while.
TEST_F(NetworkTest, LetsGoWhoDoesNotFinishTheHandshake) {
  StartAll();
  std::vector<Caller> silent;
  for (int i = 0; i < 32; ++i) silent.emplace_back(tls_);
  // They take no thread from the others.
  EXPECT_EQ(Ask(ByTcp(), "read /public/welcome", kAllowed), "ok Welcome to the archive.");
  const std::unique_ptr<Process> waits = NewClient(ByTls("ada"), Self(), "read /finance/q3\n");
  for (const Caller& caller : silent) caller.HearAll();
  for (size_t i = 0; i < silent.size(); ++i) {
    const std::string said = server_->ReadLine();
    EXPECT_TRUE(absl::EndsWith(said, ": it took too long")) << said;
  }
  EXPECT_EQ(waits->ReadLine(), "ok Revenue rose by a fifth.");
  EXPECT_EQ(waits->Wait(), kAllowed);
}

struct NameRow {
  const char* name;
  std::vector<std::string> options;
  const char* failure;  // A part of it; empty: it asks.
};

TEST_F(NetworkTest, TheClientSendsNothingToAnotherServer) {
  Save("spiffe-server",
       Certify({"URI:spiffe://example.org/documents", "IP:127.0.0.1", "DNS:docs.example.com"},
               authority_));
  Save("stranger", Authority("Nobody knows it"));
  StartAll("spiffe-server");
  const NameRow rows[] = {
      {"by its address", {}, ""},
      {"by a name", {"--server-name", "docs.example.com"}, ""},
      {"by its SPIFFE ID", {"--server-name", "spiffe://example.org/documents"}, ""},
      {"another name", {"--server-name", "docs.example.org"}, "docs.example.org"},
      {"another address", {"--server-name", "127.0.0.2"}, "127.0.0.2"},
      {"another SPIFFE ID", {"--server-name", "spiffe://example.org/docs"}, "spiffe://example.org"},
      {"no name", {"--server-name", "two words"}, "two words"},
      {"another authority", {"--ca", work_ / "stranger.pem"}, "certificate verify failed: "},
  };
  size_t asked = 0;
  for (const NameRow& row : rows) {
    SCOPED_TRACE(row.name);
    std::vector<std::string> way = ByTls("ada");
    if (!row.options.empty() && row.options[0] == "--ca") way.resize(2);
    way.insert(way.end(), row.options.begin(), row.options.end());
    const bool asks = std::string(row.failure).empty();
    const std::string answer = Ask(way, "read /finance/q3", asks ? kAllowed : kFailed);
    if (asks) ++asked;
    EXPECT_TRUE(absl::StrContains(answer, asks ? "ok Revenue" : row.failure)) << answer;
  }
  End();
  EXPECT_EQ(Records(asked).size(), asked);
}

TEST_F(NetworkTest, ReloadsForAll) {
  StartAll();
  const std::vector<std::unique_ptr<Process>> clients = [this] {
    std::vector<std::unique_ptr<Process>> made;
    made.push_back(NewClient(Self(), std::nullopt));
    made.push_back(NewClient(ByTcp(), Self(), std::nullopt));
    made.push_back(NewClient(ByTls("ada"), Self(), std::nullopt));
    return made;
  }();
  const auto expect = [&clients](const char* answer) {
    for (const std::unique_ptr<Process>& client : clients) {
      client->Say("read /public/welcome");
      EXPECT_EQ(client->ReadLine(), answer);
    }
  };
  expect("ok Welcome to the archive.");
  Edit("principals: [authenticated]", "principals: [group:nobody-is-in-it]");
  Reload();
  expect(kNo);
  Edit("principals: [group:nobody-is-in-it]", "principals: [authenticated]");
  Reload();
  expect("ok Welcome to the archive.");
}

// Whatever its peers do.
TEST_F(NetworkTest, AllEndInOrder) {
  StartAll();
  const std::unique_ptr<Process> by_tcp = NewClient(ByTcp(), Self(), std::nullopt);
  const std::unique_ptr<Process> by_tls = NewClient(ByTls("ada"), Self(), std::nullopt);
  for (Process* const client : {by_tcp.get(), by_tls.get()}) {
    client->Say("read /public/welcome");
    EXPECT_EQ(client->ReadLine(), "ok Welcome to the archive.");
  }
  const Caller silent(tls_);
  // It never stops.
  const Caller talker(tcp_);
  EXPECT_TRUE(talker.Say("read /public/welcome\n"));
  EXPECT_EQ(talker.Hear(), "ok Welcome to the archive.\n");
  std::thread talks([&talker] {
    while (talker.Say("read /public/welcome\nread /public/welcome\n")) continue;
  });
  std::thread listens([&talker] { talker.HearAll(); });

  const auto begin = std::chrono::steady_clock::now();
  server_->Signal(SIGTERM);
  EXPECT_EQ(server_->Wait(), 0);
  EXPECT_LT(std::chrono::steady_clock::now() - begin, std::chrono::seconds(9));
  EXPECT_FALSE(std::filesystem::exists(socket()));
  talks.join();
  listens.join();
  for (Process* const client : {by_tcp.get(), by_tls.get()}) {
    client->Say("read /public/welcome");
    EXPECT_EQ(client->ReadLine(), "the server ended the connection");
    EXPECT_EQ(client->Wait(), kFailed);
  }
  // And it can start again at once, where it was.
  std::vector<std::string> doors = Doors();
  doors[1] = tcp_;
  doors[3] = tls_;
  server_ = NewServer(nullptr, doors);
  EXPECT_EQ(server_->ReadThrough("listening on ").back(), "listening on " + tcp_);
  server_->ReadThrough("listening on /");
  EXPECT_EQ(Ask(ByTcp(), "read /public/welcome", kAllowed), "ok Welcome to the archive.");
}

struct BadStart {
  const char* name;
  size_t option;  // Of Doors().
  std::string value;
  const char* said;  // A part.
};

TEST_F(NetworkTest, DoesNotStartWithWhatItCannotUse) {
  Save("other", Certify({"IP:127.0.0.1"}, authority_));
  work_.Write("text.pem", "no certificate\n");
  StartAll();
  const std::vector<BadStart> rows = {
      {"an address that is taken", 1, tcp_, "Address already in use"},
      {"a name", 1, "localhost:0", "Name or service not known"},
      {"no port", 1, "127.0.0.1", "is not HOST:PORT"},
      {"no port that there is", 3, "127.0.0.1:65536", "is not HOST:PORT"},
      {"no certificate", 5, work_ / "none.pem", "none.pem: No such file or directory"},
      {"nothing like a certificate", 5, work_ / "text.pem", "text.pem: no start line"},
      {"the key to another", 7, work_ / "other.key", "other.key: key values mismatch"},
      {"no authorities", 9, work_ / "none.pem", "none.pem: No such file or directory"},
  };
  std::filesystem::remove(socket());  // Which is not the fault.
  for (const BadStart& row : rows) {
    SCOPED_TRACE(row.name);
    std::vector<std::string> doors = Doors();
    doors[row.option] = row.value;
    const std::unique_ptr<Process> second = NewServer(nullptr, doors);
    const std::vector<std::string> said = second->ReadAll();
    ASSERT_FALSE(said.empty());
    EXPECT_TRUE(absl::StrContains(said.back(), row.said)) << said.back();
    EXPECT_EQ(second->Wait(), kFailed);
    EXPECT_FALSE(std::filesystem::exists(socket()));
  }
}

}  // namespace
}  // namespace reeve
