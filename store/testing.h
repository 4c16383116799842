// What the tests of the store share.
#ifndef REEVE_STORE_TESTING_H_
#define REEVE_STORE_TESTING_H_

#include <linux/capability.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "reeve/engine/audit.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"

namespace reeve::testing {

// An empty directory of this test's own, with a `/` at its end.
std::string MakeTempDir();

// Makes the rows that are missing in the file. What cannot be done is left.
void CatchUp(const std::string& path);

// The rows of `sql` on the file `path`, the columns joined by `|`, NULL as `NULL`. A statement that
// fails yields one row with the error. Catches up before it asks for decisions or records.
std::vector<std::string> Select(const std::string& path, const std::string& sql);
// The only column of the only row.
std::string SelectOne(const std::string& path, const std::string& sql);

// All of the view `decisions`, in a form to compare.
std::vector<std::string> AllDecisions(const std::string& path);

// Checks what must hold of every file, by AuditVerifier with rows. Empty, or what is wrong.
std::string Verify(const std::string& path);

// An engine that allows `user:ada` to `doc.read` (rule `docs/read`), denies `doc.delete` to all
// (rule `docs/never`), and keeps no records.
class Decider {
 public:
  Decider();

  // Decides, and appends the decision to `sink`.
  absl::Status Append(AuditSink& sink, const Request& request,
                      AuditLevel level = AuditLevel::kDurable);
  // The same for `user:ada`, on `resource`.
  absl::Status Append(AuditSink& sink, std::string_view action, std::string_view resource);

  Decision Decide(const Request& request) const { return engine_->Decide(request); }

  FakeClock clock;

 private:
  std::unique_ptr<Engine> engine_;
};

// Asks `done` again and again until it is true, for at most a minute: however slow the machine is.
// Returns whether it was.
bool Eventually(const std::function<bool()>& done);

// Makes file modes hold for the superuser too, on this thread, as long as it lives.
class WithoutPrivileges {
 public:
  WithoutPrivileges();
  ~WithoutPrivileges();
  WithoutPrivileges(const WithoutPrivileges&) = delete;
  WithoutPrivileges& operator=(const WithoutPrivileges&) = delete;

 private:
  __user_cap_header_struct header_ = {_LINUX_CAPABILITY_VERSION_3, 0};
  __user_cap_data_struct before_[2];
};

}  // namespace reeve::testing

#endif  // REEVE_STORE_TESTING_H_
