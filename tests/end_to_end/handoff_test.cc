// The front, the worker and the client of examples/handoff as three processes of three users, with
// a real KDC and real certificates: what clients are answered, what is refused and by which name,
// and the whole of what the worker records. Where root may not act as others, all are whoever runs
// the test.
#include <arpa/inet.h>
#include <grp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <openssl/bio.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <pwd.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/kdc_testing.h"
#include "reeve/adapters/context/krb5/krb5_initiator.h"
#include "reeve/adapters/context/seal/process_key.h"
#include "reeve/adapters/socket/tls/tls_testing.h"
#include "reeve/examples/document_server/stream.h"
#include "reeve/examples/document_server/tls.h"
#include "reeve/examples/handoff/frames.h"
#include "reeve/store/audit_reader.h"
#include "reeve/tests/end_to_end/process.h"

namespace reeve {
namespace {

using end_to_end::Process;
using end_to_end::WorkDirectory;
using krb5_testing::Kdc;
using tls_testing::CertificateSpec;
using tls_testing::Credential;

constexpr int kAllowed = 0;
constexpr int kRefused = 1;
constexpr int kFailed = 3;
constexpr char kNo[] = "refused: you may not do this";
constexpr char kService[] = "documents@localhost";
constexpr int kLeapSeconds = 40'000;  // Beyond the ten hours of a ticket.
constexpr int kPatienceSeconds = 60;

// Who runs what.
struct User {
  uid_t uid;
  gid_t gid;
};
User IfRoot(uid_t uid, gid_t gid) {
  return geteuid() == 0 ? User{uid, gid} : User{geteuid(), getegid()};
}
const User kFront = IfRoot(4001, 4001);
const User kWorker = IfRoot(4002, 4002);
const User kClient = IfRoot(4003, 4003);
const User kStranger = IfRoot(4004, 4001);  // Of the front's group: it can reach the worker.

#define REQUIRE_ROOT() \
  if (geteuid() != 0) GTEST_SKIP() << "needs root, to act as several users"

// Becomes that user for good.
bool Become(const User& user) {
  if (user.uid == geteuid()) return true;
  return setgroups(0, nullptr) == 0 && setresgid(user.gid, user.gid, user.gid) == 0 &&
         setresuid(user.uid, user.uid, user.uid) == 0;
}

void Give(const std::string& path, uid_t uid, gid_t gid, mode_t mode) {
  EXPECT_EQ(chown(path.c_str(), uid, gid), 0) << path;
  EXPECT_EQ(chmod(path.c_str(), mode), 0) << path;
}

// The principal that the adapter makes of `uid`.
std::string PrincipalOf(uid_t uid) {
  const passwd* const entry = getpwuid(uid);
  return entry != nullptr ? absl::StrCat("user:", entry->pw_name) : absl::StrCat("user:uid:", uid);
}

// A KDC, the tickets of its users, as the client's user has them, and its krb5.conf, which all can
// read. Sets the environment of this process and of those that it starts.
class Realm {
 public:
  Realm() {
    std::filesystem::copy(kdc_ / "krb5.conf", files_ / "krb5.conf");
    Give(files_ / "krb5.conf", geteuid(), getegid(), 0644);
    Use();
    std::filesystem::create_directory(files_ / "client");
    const std::string armor = kdc_ / "armor";
    EXPECT_TRUE(kdc_.KinitKeytab("host/localhost", keytab(), armor) &&
                kdc_.KinitFast("alice", "alicepw", armor, ticket("alice")) &&
                kdc_.Kinit("bob", "bobpw", ticket("bob")) &&
                kdc_.Kinit("root/admin", "rootpw", ticket("root")));
    Give(files_ / "client", kClient.uid, kClient.gid, 0700);
    for (const char* user : {"alice", "bob", "root"}) {
      Give(ticket(user), kClient.uid, kClient.gid, 0600);
    }
  }

  void Use() const {
    setenv("KRB5_CONFIG", (files_ / "krb5.conf").c_str(), 1);
    for (const char* name : {"KRB5_KTNAME", "KRB5CCNAME", "KRB5RCACHENAME"}) unsetenv(name);
  }

  std::string keytab() const { return kdc_ / "service.keytab"; }
  std::string ticket(const std::string& user) const { return files_ / ("client/" + user); }
  void Stop() { kdc_.Stop(); }

 private:
  Kdc kdc_;
  const WorkDirectory files_;
};

// The programs, where every user can read them, as those below somebody's home cannot.
class Programs {
 public:
  Programs() {
    for (const char* name : {"CLIENT", "FRONT", "ROGUE", "TLS_CLIENT", "WORKER"}) {
      std::filesystem::copy(std::filesystem::canonical(std::getenv(name)), (*this)[name]);
      Give((*this)[name], geteuid(), getegid(), 0755);
    }
  }
  std::string operator[](const char* name) const { return files_ / name; }

 private:
  const WorkDirectory files_;
};

// Valid whenever the test runs.
const absl::Time kEarly = absl::FromUnixSeconds(946684800);  // 2000
const absl::Time kLate = absl::FromUnixSeconds(2524608000);  // 2050

Credential Authority(const std::string& name) {
  CertificateSpec spec;
  spec.common_name = name;
  spec.not_before = kEarly;
  spec.not_after = kLate;
  spec.ca = true;
  spec.key_usage = "critical,keyCertSign";
  return Credential::Make(spec);
}

Credential Certify(const std::string& name, const Credential& issuer,
                   absl::Time not_after = kLate) {
  CertificateSpec spec;
  spec.names = {name};
  spec.not_before = kEarly;
  spec.not_after = not_after;
  return Credential::Make(spec, &issuer);
}

void WritePem(const std::string& file, const std::function<int(BIO*)>& write) {
  BIO* const bio = BIO_new_file(file.c_str(), "w");
  EXPECT_EQ(write(bio), 1) << file;
  BIO_free(bio);
}

// Writes FILE.pem and FILE.key, for `user`.
void Save(const std::string& file, const Credential& credential, const User& user) {
  WritePem(file + ".pem",
           [&](BIO* bio) { return PEM_write_bio_X509(bio, credential.certificate.get()); });
  WritePem(file + ".key", [&](BIO* bio) {
    return PEM_write_bio_PrivateKey(bio, credential.key.get(), nullptr, nullptr, 0, nullptr,
                                    nullptr);
  });
  for (const char* end : {".pem", ".key"}) Give(file + end, user.uid, user.gid, 0600);
}

// A record in one line, by what it says of who asked for what, and why it came out so.
std::string Render(const AuditRow& row) {
  std::string error = row.error.substr(0, row.error.find(':'));
  return absl::StrCat(row.decision, " ", row.reason, " ", row.principal, "/", row.via, "/",
                      row.principal_assurance, " ", row.action, " ", row.resource, " ", row.rules,
                      error.empty() ? "" : " ", error);
}

// What records look like.
std::string ByFront(const User& user = kFront) {
  return PrincipalOf(user.uid) + "/unix/kernel context.import ";
}
std::string Imported(const std::string& who, const std::string& rule) {
  return absl::StrCat("allow allow_rule ", ByFront(), who, " [\"handoff/", rule, "\"]");
}
std::string ImportedUser(const std::string& name) {
  return Imported("user:" + name + "@REEVE.TEST", "front-hands-over-users");
}
std::string NotImported(const std::string& error, const std::string& package = "krb5") {
  return absl::StrCat("deny bad_request ", ByFront(), "context:", package, " [] ", error);
}
constexpr char kAlice[] = "user:alice@REEVE.TEST/krb5/crypto ";
constexpr char kBob[] = "user:bob@REEVE.TEST/krb5/crypto ";
constexpr char kWriter[] = "spiffe:example.org/report-writer/tls/crypto ";
constexpr char kNobody[] = "anonymous:anonymous/context/none ";
std::string Allowed(const std::string& who, const std::string& what, const std::string& rule) {
  return absl::StrCat("allow allow_rule ", who, what, " [\"handoff/", rule, "\"]");
}
std::string AliceReadsFigures() {
  return Allowed(kAlice, "doc.read doc:/finance/q3", "finance-by-a-strong-sign-in");
}

class HandoffTest : public testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = krb5_testing::WhyNoKdc(); !why.empty()) GTEST_SKIP() << why;
    const auto key = ProcessKey::Create();
    if (!key.ok() && ContextErrorOf(key.status()) == ContextError::kNoCredentials) {
      GTEST_SKIP() << key.status().message();
    }
    if (programs_ == nullptr) programs_ = new Programs();
    if (shared_ == nullptr) shared_ = new Realm();
    shared_->Use();
    Prepare();
  }

  static void TearDownTestSuite() {
    delete shared_;
    delete programs_;
    shared_ = nullptr;
    programs_ = nullptr;
  }

  void Prepare() {
    for (const auto& [folder, user, gid, mode] : {std::tuple("front", kFront, kFront.gid, 0700),
                                                  {"worker", kWorker, kWorker.gid, 0700},
                                                  {"run", kWorker, kFront.gid, 0710},
                                                  {"client", kClient, kClient.gid, 0700},
                                                  {"stranger", kStranger, kStranger.gid, 0700}}) {
      std::filesystem::create_directory(work_ / folder);
      Give(work_ / folder, user.uid, gid, mode);
    }
    std::filesystem::create_directory(work_ / "policy");
    for (const char* name : {"handoff.yaml", "entities.yaml"}) {
      std::filesystem::copy(absl::StrCat("examples/handoff/policy/", name), work_ / "policy");
    }
    work_.Write("policy/machine.yaml",
                absl::StrCat("reeve: 1\nentities:\n  - {id: \"uid:", kFront.uid,
                             "\", parents: [\"group:fronts\"]}\n"));
    for (const auto& [folder, user] :
         {std::pair("front", kFront), std::pair("stranger", kStranger)}) {
      const std::string keytab = work_ / (std::string(folder) + "/keytab");
      std::filesystem::copy(shared_->keytab(), keytab);
      Give(keytab, user.uid, user.gid, 0600);
    }
    WritePem(work_ / "authority.pem",
             [this](BIO* bio) { return PEM_write_bio_X509(bio, authority_.certificate.get()); });
    Give(work_ / "authority.pem", geteuid(), getegid(), 0644);
    Save(work_ / "front/server", Certify("IP:127.0.0.1", authority_), kFront);
    Save(work_ / "client/writer", Certify("URI:spiffe://example.org/report-writer", authority_),
         kClient);
  }

  std::string Socket(int number) const { return work_ / absl::StrCat("run/", number); }

  // Starts worker 1 or 2, and waits until it listens.
  void StartWorker(int number = 1) {
    std::unique_ptr<Process>& worker = workers_[number];
    worker = nullptr;  // Ends the one before.
    worker = std::make_unique<Process>(
        std::vector<std::string>{(*programs_)["WORKER"], "--socket", Socket(number), "--policy",
                                 work_ / "policy", "--audit",
                                 work_ / absl::StrCat("worker/", number, ".db"), "--clients",
                                 work_ / "authority.pem", "--leap", absl::StrCat(kLeapSeconds)},
        "", [] { return Become(kWorker); });
    worker->ReadThrough("listening on");
  }

  // The front or another program that acts as one: what it does before it runs.
  std::function<bool()> AsFront(const User& user = kFront, const std::string& folder = "front") {
    const std::string cache = "file2:" + (work_ / (folder + "/rcache"));
    return
        [user, cache] { return setenv("KRB5RCACHENAME", cache.c_str(), 1) == 0 && Become(user); };
  }

  void StartFront(const std::vector<std::string>& others = {}) {
    std::vector<std::string> arguments = {(*programs_)["FRONT"],
                                          "--krb5",
                                          "127.0.0.1:0",
                                          "--keytab",
                                          work_ / "front/keytab",
                                          "--service",
                                          kService,
                                          "--tls",
                                          "127.0.0.1:0",
                                          "--certificate",
                                          work_ / "front/server.pem",
                                          "--key",
                                          work_ / "front/server.key",
                                          "--clients",
                                          clients_,
                                          "--worker",
                                          Socket(1)};
    if (others.empty()) {
      arguments.insert(arguments.end(), {"--worker-uid", absl::StrCat(kWorker.uid)});
    }
    arguments.insert(arguments.end(), others.begin(), others.end());
    front_ = std::make_unique<Process>(arguments, "", AsFront());
    krb5_ = Between(front_->ReadLine(), "listening on ", " for Kerberos");
    tls_ = Between(front_->ReadLine(), "listening on ", " with TLS");
  }

  static std::string Between(const std::string& line, const char* begin, const char* end) {
    absl::string_view middle = line;
    EXPECT_TRUE(absl::ConsumePrefix(&middle, begin) && absl::ConsumeSuffix(&middle, end)) << line;
    return std::string(middle);
  }

  // A client that sends `lines`, each ended; without a value, what it is told to Say(). By
  // Kerberos with the ticket of `user`, or by TLS with the certificate of `name`.
  std::unique_ptr<Process> ByKerberos(const std::string& user,
                                      const std::optional<std::string>& lines,
                                      const std::string& address = "") const {
    return std::make_unique<Process>(
        std::vector<std::string>{(*programs_)["CLIENT"], "--krb5",
                                 address.empty() ? krb5_ : address, "--service", kService,
                                 "--ccache", "FILE:" + shared_->ticket(user)},
        lines, [] { return Become(kClient); });
  }
  std::unique_ptr<Process> ByTls(const std::string& name,
                                 const std::optional<std::string>& lines) const {
    return std::make_unique<Process>(
        std::vector<std::string>{(*programs_)["TLS_CLIENT"], "--tls", tls_, "--ca",
                                 work_ / "authority.pem", "--certificate",
                                 work_ / absl::StrCat("client/", name, ".pem"), "--key",
                                 work_ / absl::StrCat("client/", name, ".key")},
        lines, [] { return Become(kClient); });
  }

  // What the front says of its next client, without the address.
  std::string FrontSays() const {
    const std::string line = front_->ReadLine();
    const size_t end = line.find(": ");
    return end == std::string::npos ? line : line.substr(end + 2);
  }

  // Waits for the end of the client, and takes what it says.
  static std::string Answer(Process* client, int expected_status) {
    const std::string answer = absl::StrJoin(client->ReadAll(), "|");
    EXPECT_EQ(client->Wait(), expected_status) << answer;
    return answer;
  }

  // All records of a worker, in the order in which they were written.
  std::vector<AuditRow> Rows(int number = 1) const {
    absl::StatusOr<std::unique_ptr<AuditReader>> reader =
        AuditReader::Open(work_ / absl::StrCat("worker/", number, ".db"));
    AuditQuery query;
    query.order = AuditQuery::Order::kAsWritten;
    query.limit = 1000;
    absl::StatusOr<std::vector<AuditRow>> rows = absl::UnknownError("not asked");
    if (reader.ok()) rows = (*reader)->Query(query);
    EXPECT_TRUE(reader.ok() && rows.ok()) << reader.status() << ", " << rows.status();
    return rows.ok() ? *std::move(rows) : std::vector<AuditRow>();
  }
  std::vector<std::string> Records(int number = 1) const {
    std::vector<std::string> records;
    for (const AuditRow& row : Rows(number)) records.push_back(Render(row));
    return records;
  }

  // Ends worker `number` in order, so that all is recorded.
  void EndWorker(int number = 1) {
    workers_[number]->Signal(SIGTERM);
    workers_[number]->ReadAll();
    EXPECT_EQ(workers_[number]->Wait(), 0);
    EXPECT_FALSE(std::filesystem::exists(Socket(number)));
  }

  static const Programs* programs_;
  static Realm* shared_;
  const WorkDirectory work_;
  const Credential authority_ = Authority("The clients' authority");
  std::string clients_ = work_ / "authority.pem";  // Whom the front believes.
  std::unique_ptr<Process> workers_[3];
  std::unique_ptr<Process> front_;
  std::string krb5_;
  std::string tls_;
};

const Programs* HandoffTest::programs_ = nullptr;
Realm* HandoffTest::shared_ = nullptr;

struct Row {
  const char* name;
  const char* who;  // A user of Kerberos, or a certificate.
  bool tls;
  const char* lines;
  const char* answer;
  int status;
  const char* front_says;
  std::vector<std::string> records;
};

// All of it: who may, who may not and why, and that nothing else is recorded.
TEST_F(HandoffTest, ServesWhoIsHandedOver) {
  const Credential other_authority = Authority("Whom the worker does not know");
  WritePem(work_ / "both.pem", [&](BIO* bio) {
    return PEM_write_bio_X509(bio, authority_.certificate.get()) == 1 &&
           PEM_write_bio_X509(bio, other_authority.certificate.get()) == 1;
  });
  Give(work_ / "both.pem", geteuid(), getegid(), 0644);
  clients_ = work_ / "both.pem";
  Save(work_ / "client/foreign", Certify("URI:spiffe://example.com/report-writer", authority_),
       kClient);
  Save(work_ / "client/false-writer",
       Certify("URI:spiffe://example.org/report-writer", other_authority), kClient);
  StartWorker();
  StartFront();
  const char* const strong = "finance-by-a-strong-sign-in";
  const Row rows[] = {
      {"alice, who signed in strongly",
       "alice",
       false,
       "read /finance/q3\nwrite /finance/q3 Up.\nread /finance/q3\n",
       "ok Revenue rose by a fifth.|ok|ok Up.",
       kAllowed,
       "user:alice@REEVE.TEST: imported",
       {ImportedUser("alice"), AliceReadsFigures(),
        Allowed(kAlice, "doc.write doc:/finance/q3", strong), AliceReadsFigures()}},
      {"bob, who did not",
       "bob",
       false,
       "read /public/welcome\nread /finance/q3\n",
       "ok Welcome to the archive.|refused: you may not do this",
       kRefused,
       "user:bob@REEVE.TEST: imported",
       {ImportedUser("bob"), Allowed(kBob, "doc.read doc:/public/welcome", "public-is-for-all"),
        absl::StrCat("deny no_rule ", kBob, "doc.read doc:/finance/q3 []")}},
      {"no command",
       "bob",
       false,
       "shout\nread /public/../finance/q3\n",
       "refused: you may not do this|refused: you may not do this",
       kRefused,
       "user:bob@REEVE.TEST: imported",
       {ImportedUser("bob"),
        absl::StrCat("deny bad_request ", kBob,
                     "doc.shout doc: [] the verb is none of read, write, delete"),
        absl::StrCat(
            "deny bad_request ", kBob,
            "doc.read doc:/public/../finance/q3 [] the entity id has a `.` or `..` segment")}},
      {"an administrator, whom the front may not hand over",
       "root",
       false,
       "read /public/welcome\n",
       "not signed in: the server does not take us",
       kFailed,
       "service:root/admin@REEVE.TEST: refused: exporter_not_allowed",
       {absl::StrCat("deny deny_rule ", ByFront(),
                     "service:root/admin@REEVE.TEST "
                     "[\"handoff/nobody-hands-over-administrators\"]")}},
      {"a service by its certificate",
       "writer",
       true,
       "write /finance/report A fair year.\nread /finance/q3\n",
       "ok|refused: you may not do this",
       kRefused,
       "spiffe:example.org/report-writer: imported",
       {Imported("spiffe:example.org/report-writer", "front-hands-over-services"),
        Allowed(kWriter, "doc.write doc:/finance/report", "report-writer-files-reports"),
        absl::StrCat("deny no_rule ", kWriter, "doc.read doc:/finance/q3 []")}},
      {"a service of another trust domain",
       "foreign",
       true,
       "read /public/welcome\n",
       "the server ended the connection",
       kFailed,
       "spiffe:example.com/report-writer: refused: exporter_not_allowed",
       {absl::StrCat("deny no_rule ", ByFront(), "spiffe:example.com/report-writer []")}},
      {"a certificate that the front believes and the worker does not",
       "false-writer",
       true,
       "read /public/welcome\n",
       "the server ended the connection",
       kFailed,
       "spiffe:example.org/report-writer: refused: mechanism",
       {NotImported("mechanism", "tls")}},
  };
  std::vector<std::string> expected;
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const std::unique_ptr<Process> client =
        row.tls ? ByTls(row.who, row.lines) : ByKerberos(row.who, row.lines);
    EXPECT_EQ(Answer(client.get(), row.status), row.answer);
    EXPECT_EQ(FrontSays(), row.front_says);
    expected.insert(expected.end(), row.records.begin(), row.records.end());
  }
  EndWorker();
  EXPECT_EQ(Records(), expected);
  front_->Signal(SIGTERM);
  front_->ReadAll();
  EXPECT_EQ(front_->Wait(), 0);

  // What the policy could see of alice, and how she was known.
  const std::vector<AuditRow> records = Rows();
  ASSERT_GE(records.size(), 2u);
  EXPECT_TRUE(absl::StrContains(records[0].context, R"("package":"krb5")")) << records[0].context;
  EXPECT_TRUE(absl::StrContains(records[0].evidence, absl::StrCat("pid=", front_->pid(), " uid=")))
      << records[0].evidence;
  const AuditRow& alice = records[1];
  EXPECT_TRUE(absl::StrContains(alice.principal_attributes, R"("auth_indicators":["strongpw"])"))
      << alice.principal_attributes;
  EXPECT_TRUE(absl::StrContains(alice.principal_parents, "realm:REEVE.TEST"))
      << alice.principal_parents;
  EXPECT_TRUE(absl::StartsWith(alice.evidence, "mech=krb5 ")) << alice.evidence;
  EXPECT_TRUE(absl::StrContains(alice.evidence, "; seal=process key=")) << alice.evidence;
  EXPECT_TRUE(absl::EndsWith(alice.evidence, " exporter=" + PrincipalOf(kFront.uid)))
      << alice.evidence;
}

struct Misdeed {
  const char* mode;
  std::vector<std::string> answers;
  std::vector<std::string> records;        // Of worker 1.
  std::vector<std::string> other_records;  // Of worker 2.
};

std::ostream& operator<<(std::ostream& out, const Misdeed& misdeed) { return out << misdeed.mode; }

class MisdeedTest : public HandoffTest, public testing::WithParamInterface<Misdeed> {
 protected:
  // Alice comes to a front that misbehaves: what workers answer it.
  std::vector<std::string> Misbehave(const std::string& mode, const User& user,
                                     const std::string& folder) {
    Process rogue({(*programs_)["ROGUE"], "--krb5", "127.0.0.1:0", "--keytab",
                   work_ / (folder + "/keytab"), "--worker", Socket(1), "--worker-uid",
                   absl::StrCat(kWorker.uid), "--other", Socket(2), mode},
                  "", AsFront(user, folder));
    const std::string address = Between(rogue.ReadLine(), "listening on ", "");
    const std::unique_ptr<Process> client = ByKerberos("alice", "read /public/welcome\n", address);
    std::vector<std::string> answers = rogue.ReadAll();
    EXPECT_EQ(rogue.Wait(), 0);
    EXPECT_EQ(Answer(client.get(), kFailed), "not signed in: the server does not take us");
    return answers;
  }
};

TEST_P(MisdeedTest, IsRefusedByItsName) {
  StartWorker(1);
  StartWorker(2);
  EXPECT_EQ(Misbehave(GetParam().mode, kFront, "front"), GetParam().answers);
  EndWorker(1);
  EndWorker(2);
  EXPECT_EQ(Records(1), GetParam().records);
  EXPECT_EQ(Records(2), GetParam().other_records);
}

INSTANTIATE_TEST_SUITE_P(
    All, MisdeedTest,
    testing::Values(
        Misdeed{"twice",
                {"imported", "refused: replayed"},
                {ImportedUser("alice"), NotImported("replayed")},
                {}},
        Misdeed{"altered",
                {"refused: authentication_failed"},
                {NotImported("authentication_failed")},
                {}},
        Misdeed{"by-child",
                {"imported", "refused: exporter_not_allowed"},
                {ImportedUser("alice"), NotImported("exporter_not_allowed")},
                {}},
        Misdeed{"elsewhere", {"refused: unknown_key"}, {}, {NotImported("unknown_key")}},
        Misdeed{"misaddressed", {"refused: wrong_target"}, {}, {NotImported("wrong_target")}}),
    [](const testing::TestParamInfo<Misdeed>& info) {
      std::string name = info.param.mode;
      if (const size_t hyphen = name.find('-'); hyphen != std::string::npos) name.erase(hyphen, 1);
      return name;
    });

// It has the keytab and a client, and does all that the front does; but it is not the front's user.
TEST_F(MisdeedTest, AnotherUserHandsNobodyOver) {
  REQUIRE_ROOT();
  StartWorker();
  EXPECT_EQ(Misbehave("once", kStranger, "stranger"),
            std::vector<std::string>{"refused: exporter_not_allowed"});
  EndWorker();
  EXPECT_EQ(Records(), std::vector<std::string>{absl::StrCat("deny no_rule ", ByFront(kStranger),
                                                             "user:alice@REEVE.TEST []")});
}

// Who listens at the worker's path, and is another user, gets nothing.
TEST_F(HandoffTest, TheFrontHandsNothingToAnotherUser) {
  REQUIRE_ROOT();
  StartWorker();
  StartFront({"--worker-uid", absl::StrCat(kStranger.uid)});
  const std::unique_ptr<Process> alice = ByKerberos("alice", "read /public/welcome\n");
  EXPECT_EQ(Answer(alice.get(), kFailed), "not signed in: the server does not take us");
  EXPECT_EQ(FrontSays(), absl::StrCat("no worker: ", Socket(1), ": who listens there has uid ",
                                      kWorker.uid, ", and the worker ", kStranger.uid));
  EndWorker();
  EXPECT_EQ(Records(), std::vector<std::string>());
}

// Each request asks whether the context still lasts.
TEST_F(HandoffTest, EndsWithTheTicketAndTheCertificate) {
  Save(work_ / "client/writer",
       Certify("URI:spiffe://example.org/report-writer", authority_, absl::Now() + absl::Hours(1)),
       kClient);
  StartWorker();
  StartFront();
  const std::unique_ptr<Process> alice = ByKerberos("alice", std::nullopt);
  alice->Say("read /finance/q3");
  EXPECT_EQ(alice->ReadLine(), "ok Revenue rose by a fifth.");
  const std::unique_ptr<Process> writer = ByTls("writer", std::nullopt);
  writer->Say("read /finance/report");
  EXPECT_EQ(writer->ReadLine(), "ok A good year.");
  workers_[1]->Signal(SIGUSR1);
  EXPECT_EQ(workers_[1]->ReadLine(), "the clock is put ahead");

  // Her messages are protected by the keys of a context that is over: none is read or written.
  alice->Say("read /finance/q3");
  EXPECT_EQ(Answer(alice.get(), kFailed), "the server ended the connection");
  writer->Say("read /finance/report");
  EXPECT_EQ(writer->ReadLine(), "refused: you are no longer signed in; connect again");
  writer->EndInput();
  EXPECT_EQ(Answer(writer.get(), kRefused), "");
  // And what is sealed by a clock that is behind has waited too long.
  const std::unique_ptr<Process> late = ByKerberos("alice", "read /finance/q3\n");
  EXPECT_EQ(Answer(late.get(), kFailed), "not signed in: the server does not take us");
  EndWorker();
  EXPECT_EQ(Records(),
            (std::vector<std::string>{
                ImportedUser("alice"), AliceReadsFigures(),
                Imported("spiffe:example.org/report-writer", "front-hands-over-services"),
                Allowed(kWriter, "doc.read doc:/finance/report", "report-writer-files-reports"),
                absl::StrCat("deny bad_request ", kNobody, "doc. doc: [] expired"),
                absl::StrCat("deny no_rule ", kNobody, "doc.read doc:/finance/report []"),
                NotImported("expired")}));
  for (const AuditRow& row : Rows()) {
    if (row.principal != "anonymous:anonymous") continue;
    EXPECT_TRUE(absl::StartsWith(row.evidence, "refused: expired: the context ended at "))
        << row.evidence;
  }
}

// Who was handed over under the old policy is decided on by the new one.
TEST_F(HandoffTest, ReadsThePolicyAnew) {
  StartWorker();
  StartFront();
  const std::unique_ptr<Process> alice = ByKerberos("alice", std::nullopt);
  alice->Say("read /finance/q3");
  EXPECT_EQ(alice->ReadLine(), "ok Revenue rose by a fifth.");
  work_.Write("policy/entities.yaml", "reeve: 1\nentities: {}\n");
  workers_[1]->Signal(SIGHUP);
  EXPECT_EQ(workers_[1]->ReadThrough("policy ").back(),
            "policy refused; the old one stays in force");
  alice->Say("read /finance/q3");
  EXPECT_EQ(alice->ReadLine(), "ok Revenue rose by a fifth.");
  std::filesystem::remove(work_ / "policy/entities.yaml");  // Alice is of finance no longer.
  workers_[1]->Signal(SIGHUP);
  EXPECT_EQ(workers_[1]->ReadThrough("policy ").back(), "policy in force");
  alice->Say("read /finance/q3");
  EXPECT_EQ(alice->ReadLine(), kNo);
  alice->EndInput();
  EXPECT_EQ(Answer(alice.get(), kRefused), "");
  EndWorker();
  EXPECT_EQ(Records(), (std::vector<std::string>{
                           ImportedUser("alice"), AliceReadsFigures(), AliceReadsFigures(),
                           absl::StrCat("deny no_rule ", kAlice, "doc.read doc:/finance/q3 []")}));
}

// What was handed over needs neither the front nor the KDC.
TEST_F(HandoffTest, OutlivesTheFront) {
  StartWorker();
  StartFront();
  const std::unique_ptr<Process> alice = ByKerberos("alice", std::nullopt);
  alice->Say("read /finance/q3");
  EXPECT_EQ(alice->ReadLine(), "ok Revenue rose by a fifth.");
  const std::unique_ptr<Process> writer = ByTls("writer", std::nullopt);
  writer->Say("read /finance/report");
  EXPECT_EQ(writer->ReadLine(), "ok A good year.");
  front_->Signal(SIGKILL);
  EXPECT_EQ(front_->Wait(), 128 + SIGKILL);
  alice->Say("write /finance/q3 Up.");
  EXPECT_EQ(alice->ReadLine(), "ok");
  // Of TLS the front had the session.
  writer->Say("read /finance/report");
  EXPECT_EQ(writer->ReadLine().substr(0, 31), "the server ended the connection");
  EXPECT_EQ(writer->Wait(), kFailed);
  alice->EndInput();
  EXPECT_EQ(Answer(alice.get(), kAllowed), "");

  // The next front is another process, with another key.
  StartFront();
  const std::unique_ptr<Process> again = ByKerberos("alice", "read /finance/q3\n");
  EXPECT_EQ(Answer(again.get(), kAllowed), "ok Up.");
  EndWorker();
  EXPECT_EQ(Records(),
            (std::vector<std::string>{
                ImportedUser("alice"), AliceReadsFigures(),
                Imported("spiffe:example.org/report-writer", "front-hands-over-services"),
                Allowed(kWriter, "doc.read doc:/finance/report", "report-writer-files-reports"),
                Allowed(kAlice, "doc.write doc:/finance/q3", "finance-by-a-strong-sign-in"),
                ImportedUser("alice"), AliceReadsFigures()}));
}

TEST_F(HandoffTest, TheFrontFindsTheNextWorker) {
  StartWorker();
  StartFront();
  const std::unique_ptr<Process> alice = ByKerberos("alice", std::nullopt);
  alice->Say("read /finance/q3");
  EXPECT_EQ(alice->ReadLine(), "ok Revenue rose by a fifth.");
  EXPECT_EQ(FrontSays(), "user:alice@REEVE.TEST: imported");
  workers_[1]->Signal(SIGKILL);
  EXPECT_EQ(workers_[1]->Wait(), 128 + SIGKILL);
  alice->Say("read /finance/q3");
  EXPECT_EQ(Answer(alice.get(), kFailed), "the server ended the connection");

  const std::unique_ptr<Process> nobody = ByKerberos("alice", "read /finance/q3\n");
  EXPECT_EQ(Answer(nobody.get(), kFailed), "not signed in: the server does not take us");
  EXPECT_EQ(FrontSays(), absl::StrCat("no worker: ", Socket(1), ": Connection refused"));

  StartWorker();
  const std::unique_ptr<Process> again = ByKerberos("alice", "read /finance/q3\n");
  EXPECT_EQ(Answer(again.get(), kAllowed), "ok Revenue rose by a fifth.");
  EXPECT_EQ(FrontSays(), "user:alice@REEVE.TEST: imported");
  EndWorker();
  // Of the first worker what was committed in time; of the second all.
  const std::vector<std::string> records = Records();
  ASSERT_GE(records.size(), 2u);
  EXPECT_EQ(std::vector<std::string>(records.end() - 2, records.end()),
            (std::vector<std::string>{ImportedUser("alice"), AliceReadsFigures()}));
}

TEST_F(HandoffTest, NeedsNoKdcWhenTheTicketIsThere) {
  Realm realm;  // That can be stopped, with a krb5.conf of its own.
  const std::string keytab = work_ / "front/keytab";
  std::filesystem::copy(realm.keytab(), keytab, std::filesystem::copy_options::overwrite_existing);
  Give(keytab, kFront.uid, kFront.gid, 0600);
  StartWorker();
  StartFront();
  const auto client = [&](const std::optional<std::string>& lines) {
    return std::make_unique<Process>(
        std::vector<std::string>{(*programs_)["CLIENT"], "--krb5", krb5_, "--service", kService,
                                 "--ccache", "FILE:" + realm.ticket("alice")},
        lines, [] { return Become(kClient); });
  };
  const std::unique_ptr<Process> alice = client(std::nullopt);
  alice->Say("read /finance/q3");
  EXPECT_EQ(alice->ReadLine(), "ok Revenue rose by a fifth.");
  realm.Stop();
  alice->Say("read /finance/q3");
  EXPECT_EQ(alice->ReadLine(), "ok Revenue rose by a fifth.");
  // Nor to begin another, by the ticket that alice has now.
  EXPECT_EQ(Answer(client("read /finance/q3\n").get(), kAllowed), "ok Revenue rose by a fifth.");
  EndWorker();
  EXPECT_EQ(Records(), (std::vector<std::string>{ImportedUser("alice"), AliceReadsFigures(),
                                                 AliceReadsFigures(), ImportedUser("alice"),
                                                 AliceReadsFigures()}));
}

// A socket of this process. Waits for a minute at most.
class Caller {
 public:
  explicit Caller(const std::string& address) {
    const size_t colon = address.find(':');
    if (address[0] == '/') {
      sockaddr_un to = {};
      to.sun_family = AF_UNIX;
      address.copy(to.sun_path, sizeof(to.sun_path) - 1);
      Connect(AF_UNIX, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    } else {
      sockaddr_in to = {};
      to.sin_family = AF_INET;
      to.sin_port = htons(static_cast<uint16_t>(std::stoi(address.substr(colon + 1))));
      inet_pton(AF_INET, address.substr(0, colon).c_str(), &to.sin_addr);
      Connect(AF_INET, reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    }
  }
  ~Caller() { close(fd_); }
  Caller(const Caller&) = delete;
  Caller& operator=(const Caller&) = delete;

  int fd() const { return fd_; }
  // What comes until the other side ends the connection.
  std::string ReadAll() const {
    std::string all;
    char bytes[4096];
    for (ssize_t got; (got = recv(fd_, bytes, sizeof(bytes), 0)) > 0;) all.append(bytes, got);
    return all;
  }

 private:
  void Connect(int family, const sockaddr* to, socklen_t size) {
    fd_ = ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    const timeval patience = {kPatienceSeconds, 0};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
    EXPECT_EQ(connect(fd_, to, size), 0);
  }

  int fd_ = -1;
};

struct BadMessage {
  const char* name;
  // What is sent after a good message, `good`.
  std::function<std::string(ContextSession*, const std::string& good)> make;
  const char* error;
};

// A peer who can sign in, and sends what is no message.
TEST_F(HandoffTest, ReadsOnlyWhatTheClientProtected) {
  StartWorker();
  StartFront();
  const BadMessage rows[] = {
      {"the same again", [](ContextSession*, const std::string& good) { return good; },
       "out_of_sequence"},
      {"one is missing",
       [](ContextSession* session, const std::string&) {
         EXPECT_TRUE(session->Wrap("read /public/welcome\n", true).ok());
         return *session->Wrap("read /finance/q3\n", true);
       },
       "out_of_sequence"},
      {"altered",
       [](ContextSession* session, const std::string&) {
         std::string message = *session->Wrap("read /finance/q3\n", true);
         message.back() ^= 1;
         return message;
       },
       "message_altered"},
      {"no message", [](ContextSession*, const std::string&) { return "read /finance/q3\n"; },
       "malformed"},
      {"in the clear",
       [](ContextSession* session, const std::string&) {
         return *session->Wrap("read /finance/q3\n", false);
       },
       "the message is not encrypted"},
      {"empty",
       [](ContextSession* session, const std::string&) { return *session->Wrap("", true); },
       "the message is empty"},
      {"a line that is too long",
       [](ContextSession* session, const std::string&) {
         return *session->Wrap(std::string(5000, 'x'), true);
       },
       "the line is too long"},
  };
  std::vector<std::string> expected;
  for (const BadMessage& row : rows) {
    SCOPED_TRACE(row.name);
    Krb5Initiator::Options options;
    options.target = kService;
    options.ccache = "FILE:" + shared_->ticket("alice");
    absl::StatusOr<std::unique_ptr<Krb5Initiator>> initiator = Krb5Initiator::Create(options);
    ASSERT_TRUE(initiator.ok()) << initiator.status();
    const Caller connection(krb5_);
    document_server::SocketStream stream(connection.fd());
    std::string token;
    for (bool done = false; !done;) {
      const absl::StatusOr<Krb5Initiator::Progress> progress = (*initiator)->Step(token);
      ASSERT_TRUE(progress.ok()) << progress.status();
      done = progress->done;
      if (!progress->token.empty()) {
        ASSERT_TRUE(handoff::SendFrame(&stream, progress->token));
      }
      if (!done) {
        ASSERT_TRUE(handoff::ReceiveFrame(&stream, &token));
      }
    }
    const std::unique_ptr<ContextSession> session = (*initiator)->TakeSession();
    const std::string good = *session->Wrap("read /finance/q3\n", true);
    ASSERT_TRUE(handoff::SendFrame(&stream, good));
    std::string answer;
    ASSERT_TRUE(handoff::ReceiveFrame(&stream, &answer));
    EXPECT_EQ(session->Unwrap(answer)->text, "ok Revenue rose by a fifth.\n");
    ASSERT_TRUE(handoff::SendFrame(&stream, row.make(session.get(), good)));
    // It is told so, and that was all.
    ASSERT_TRUE(handoff::ReceiveFrame(&stream, &answer));
    EXPECT_EQ(session->Unwrap(answer)->text, absl::StrCat(kNo, "\n"));
    EXPECT_EQ(connection.ReadAll(), "");
    expected.insert(expected.end(),
                    {ImportedUser("alice"), AliceReadsFigures(),
                     absl::StrCat("deny bad_request ", kAlice, "doc. doc: [] ", row.error)});
  }
  EndWorker();
  EXPECT_EQ(Records(), expected);
}

// By TLS, and more than one command before the first answer.
TEST_F(HandoffTest, AnswersWhoHasSaidGoodbye) {
  StartWorker();
  StartFront();
  document_server::TlsFiles files;
  files.certificate = work_ / "client/writer.pem";
  files.key = work_ / "client/writer.key";
  files.authorities = work_ / "authority.pem";
  std::string error;
  const document_server::TlsContext context = document_server::ClientTls(files, &error);
  ASSERT_NE(context, nullptr) << error;
  const Caller connection(tls_);
  document_server::TlsStream stream(context.get(), connection.fd(),
                                    std::chrono::seconds(kPatienceSeconds));
  ASSERT_TRUE(stream.Connect("127.0.0.1")) << stream.failure();
  ASSERT_TRUE(
      stream.Send("read /finance/report\nwrite /finance/report A fair year.\n"
                  "read /finance/report\n"));
  SSL_shutdown(stream.session());
  std::string answers;
  char bytes[4096];
  for (size_t got; (got = stream.Receive(bytes, sizeof(bytes))) > 0;) answers.append(bytes, got);
  EXPECT_EQ(answers, "ok A good year.\nok\nok A fair year.\n");
}

struct Noise {
  const char* name;
  std::string bytes;
  bool to_worker;
  const char* said;  // By the front, or the worker.
};

// Whoever comes: those that are served do not notice, and nothing is recorded.
TEST_F(HandoffTest, SurvivesWhoSpeaksAnotherLanguage) {
  StartWorker();
  StartFront();
  const Noise rows[] = {
      {"no token", "GET / HTTP/1.1\r\n\r\n", false, "nobody: it has gone"},
      {"a long frame", std::string("\x7f\xff\xff\xff", 4), false, "nobody: it has gone"},
      {"an empty frame", std::string(4, '\0'), false, "nobody: malformed"},
      {"a frame that is no token", std::string("\0\0\0\4", 4) + "abcd", false, "nobody: malformed"},
      {"to the worker", std::string(64, 'x'), true, "not imported: malformed"},
      {"nothing to the worker", "", true, "not imported: "},
  };
  const std::unique_ptr<Process> alice = ByKerberos("alice", std::nullopt);
  EXPECT_EQ(FrontSays(), "user:alice@REEVE.TEST: imported");
  for (const Noise& row : rows) {
    SCOPED_TRACE(row.name);
    alice->Say("read /finance/q3");
    EXPECT_EQ(alice->ReadLine(), "ok Revenue rose by a fifth.");
    const Caller connection(row.to_worker ? Socket(1) : krb5_);
    send(connection.fd(), row.bytes.data(), row.bytes.size(), MSG_NOSIGNAL);
    shutdown(connection.fd(), SHUT_WR);
    connection.ReadAll();
    const std::string said = row.to_worker ? workers_[1]->ReadLine() : FrontSays();
    EXPECT_TRUE(absl::StartsWith(said, row.said)) << said;
  }
  alice->EndInput();
  EXPECT_EQ(Answer(alice.get(), kAllowed), "");
  EndWorker();
  std::vector<std::string> expected(std::size(rows), AliceReadsFigures());
  expected.insert(expected.begin(), ImportedUser("alice"));
  EXPECT_EQ(Records(), expected);
}

}  // namespace
}  // namespace reeve
