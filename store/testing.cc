#include "reeve/store/testing.h"

#include <sqlite3.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "reeve/store/row_maker.h"
#include "reeve/store/sqlite.h"
#include "reeve/store/verify.h"

namespace reeve::testing {

std::string MakeTempDir() {
  const char* parent = std::getenv("TEST_TMPDIR");
  std::string path = absl::StrCat(parent == nullptr ? "/tmp" : parent, "/store.XXXXXX");
  if (mkdtemp(path.data()) == nullptr) {
    std::perror("mkdtemp");
    std::abort();
  }
  return path + "/";
}

void CatchUp(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = RowMaker::OpenDatabase(path, path);
  if (!database.ok()) return;
  absl::StatusOr<std::unique_ptr<RowMaker>> maker = RowMaker::Create(**database);
  if (maker.ok()) (*maker)->Run().status().IgnoreError();
}

std::vector<std::string> Select(const std::string& path, const std::string& sql) {
  if (absl::StrContains(sql, "decisions") || absl::StrContains(sql, "records")) CatchUp(path);
  std::vector<std::string> rows;
  sqlite3* db = nullptr;
  sqlite3_stmt* statement = nullptr;
  int code = sqlite3_open_v2(path.c_str(), &db, SQLITE_OPEN_READWRITE, nullptr);
  if (code == SQLITE_OK) code = sqlite3_busy_timeout(db, 5000);
  if (code == SQLITE_OK) code = sqlite3_prepare_v2(db, sql.c_str(), -1, &statement, nullptr);
  while (code == SQLITE_OK || code == SQLITE_ROW) {
    code = sqlite3_step(statement);
    if (code != SQLITE_ROW) break;
    std::vector<std::string> columns;
    for (int i = 0; i < sqlite3_column_count(statement); ++i) {
      const void* text = sqlite3_column_blob(statement, i);
      columns.push_back(sqlite3_column_type(statement, i) == SQLITE_NULL
                            ? std::string("NULL")
                            : std::string(text == nullptr ? "" : static_cast<const char*>(text),
                                          sqlite3_column_bytes(statement, i)));
    }
    rows.push_back(absl::StrJoin(columns, "|"));
  }
  if (code != SQLITE_DONE) rows.push_back(absl::StrCat("error: ", sqlite3_errmsg(db)));
  sqlite3_finalize(statement);
  sqlite3_close(db);
  return rows;
}

std::string SelectOne(const std::string& path, const std::string& sql) {
  const std::vector<std::string> rows = Select(path, sql);
  return rows.size() == 1 ? rows[0] : absl::StrCat(rows.size(), " rows");
}

std::vector<std::string> AllDecisions(const std::string& path) {
  return Select(path, "SELECT * FROM decisions ORDER BY number");
}

std::string Verify(const std::string& path) {
  CatchUp(path);
  AuditVerifier::Options options;
  options.rows = true;
  absl::StatusOr<AuditReport> report = AuditVerifier::Verify(path, options);
  if (!report.ok()) return report.status().ToString();
  if (!report->intact()) return report->findings[0].message;
  return report->rows == report->records
             ? ""
             : absl::StrCat(report->records, " records, ", report->rows, " rows");
}

bool Eventually(const std::function<bool()>& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
  while (!done()) {
    if (std::chrono::steady_clock::now() >= deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

WithoutPrivileges::WithoutPrivileges() {
  if (syscall(SYS_capget, &header_, before_) != 0) std::abort();
  __user_cap_data_struct now[2] = {before_[0], before_[1]};
  now[0].effective &= ~(1u << CAP_DAC_OVERRIDE | 1u << CAP_DAC_READ_SEARCH);
  if (syscall(SYS_capset, &header_, now) != 0) std::abort();
}

WithoutPrivileges::~WithoutPrivileges() { syscall(SYS_capset, &header_, before_); }

Decider::Decider() {
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  options.clock = &clock;
  engine_ = *Engine::Create(options);
  SnapshotBuilder builder;
  builder.SetDigest("sha256:c0ffee");
  builder.AddRule(MakeRule("+docs/read", {"user:ada"}, {"doc.read"}, {"any"}));
  Rule never = MakeRule("-docs/never", {"anyone"}, {"doc.delete"}, {"any"});
  never.message = "Documents are never deleted.";
  never.obligations = {{"page-security"}, {"tell-owner"}};
  builder.AddRule(std::move(never));
  Rule shadow = MakeRule("-docs/later", {"anyone"}, {"doc.read"}, {"doc:/secret/**"});
  shadow.shadow = true;
  builder.AddRule(std::move(shadow));
  if (!engine_->Replace(*builder.Build()).ok()) std::abort();
}

absl::Status Decider::Append(AuditSink& sink, const Request& request, AuditLevel level) {
  const Decision decision = engine_->Decide(request);
  return sink.Append({request, decision, absl::Nanoseconds(1234)}, level);
}

absl::Status Decider::Append(AuditSink& sink, std::string_view action, std::string_view resource) {
  const Principal ada = MakePrincipal("user:ada");
  const EntityId id = MakeId(resource);
  return Append(sink, Request(ada, action, id));
}

}  // namespace reeve::testing
