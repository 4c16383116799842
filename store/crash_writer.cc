// For crash_test: appends records from several threads, and writes a line to standard output as
// soon as a record was acknowledged: the thread, the level, the decision's id. Ends when it is
// killed.
//
//   crash_writer FILE THREADS DURABLE
//
// Of DURABLE records one is of the level `durable`, and the others are `recorded`. Segments are
// compressed if THREADS is odd.
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/testing.h"

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  reeve::AuditStore::Options options;
  options.max_wait = absl::Seconds(60);
  if (std::atoi(argv[2]) % 2 == 1) {
    options.compression = reeve::AuditStore::Options::Compression::kZstd;
  }
  absl::StatusOr<std::unique_ptr<reeve::AuditStore>> store =
      reeve::AuditStore::Open(argv[1], options);
  if (!store.ok()) {
    std::fprintf(stderr, "%s\n", store.status().ToString().c_str());
    return 3;
  }
  const int durable = std::max(1, std::atoi(argv[3]));
  std::vector<std::thread> threads;
  for (int t = 0; t < std::atoi(argv[2]); ++t) {
    threads.emplace_back([&store, durable, t] {
      reeve::testing::Decider decider;
      const reeve::Principal ada = reeve::testing::MakePrincipal("user:ada");
      for (int i = 0;; ++i) {
        const reeve::EntityId resource("doc", absl::StrCat("/", t, "/", i));
        const reeve::Request request(ada, "doc.read", resource);
        const reeve::Decision decision = decider.Decide(request);
        const reeve::AuditLevel level =
            i % durable == 0 ? reeve::AuditLevel::kDurable : reeve::AuditLevel::kRecorded;
        const absl::Status status = (*store)->Append({request, decision, {}}, level);
        if (!status.ok()) {
          std::fprintf(stderr, "%s\n", status.ToString().c_str());
          std::_Exit(4);
        }
        const std::string line =  // one write, whole
            absl::StrCat(t, " ", std::string(ToString(level)), " ", decision.id().ToString(), "\n");
        if (write(STDOUT_FILENO, line.data(), line.size()) < 0) std::_Exit(5);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}
