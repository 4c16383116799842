// For crash_test: appends records from several threads, and writes the decision's id to standard
// output as soon as a record was acknowledged. Ends when it is killed.
//
//   crash_writer FILE THREADS
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/testing.h"

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  reeve::AuditStore::Options options;
  options.max_wait = absl::Seconds(60);
  absl::StatusOr<std::unique_ptr<reeve::AuditStore>> store =
      reeve::AuditStore::Open(argv[1], options);
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
    return 3;
  }
  std::vector<std::thread> threads;
  for (int t = 0; t < std::atoi(argv[2]); ++t) {
    threads.emplace_back([&store, t] {
      reeve::testing::Decider decider;
      const reeve::Principal ada = reeve::testing::MakePrincipal("user:ada");
      for (int i = 0;; ++i) {
        const reeve::EntityId resource("doc", absl::StrCat("/", t, "/", i));
        const reeve::Request request(ada, "doc.read", resource);
        const reeve::Decision decision = decider.Decide(request);
        const absl::Status status =
            (*store)->Append({request, decision, {}}, reeve::AuditLevel::kDurable);
        if (!status.ok()) {
          std::fprintf(stderr, "%s\n", status.ToString().c_str());
          std::_Exit(4);
        }
        const std::string line = decision.id().ToString() + "\n";  // one write, whole
        if (write(STDOUT_FILENO, line.data(), line.size()) < 0) std::_Exit(5);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}
