#ifndef REEVE_EXAMPLES_HANDOFF_HANDOVER_H_
#define REEVE_EXAMPLES_HANDOFF_HANDOVER_H_

#include <sys/types.h>

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "reeve/adapters/context/context_seal.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/process_key.h"

// What a front and a worker say to each other, on a connection of their own for each client.
namespace handoff {

// How long either of them waits for the other.
inline constexpr int kPatienceSeconds = 10;

// The worker's answer when it has taken a client; any other says why it has not.
inline constexpr char kImported[] = "imported";

// A client, as it is handed over.
struct Handover {
  std::string package;  // What ImportSecurityContext() calls it.
  std::string packed;   // Its context.
  int connection = -1;  // A stream socket on which to talk with it.
};

// Takes one from the front at the other end of `fd`, as FrontLink::HandOver() sends it. The
// connection is then the caller's. False if it did not come whole.
bool ReceiveHandover(int fd, Handover* handover);

// A front's connection to the worker, over which it hands over one client.
//
// One thread at a time.
class FrontLink {
 public:
  // Connects to the worker that listens at `path`, which must be of the user `worker_uid`, and
  // exchanges keys with it. `own` is not owned, and must outlive this.
  static absl::StatusOr<FrontLink> Connect(const std::string& path, uid_t worker_uid,
                                           const reeve::ProcessKey* own,
                                           const reeve::Machine& machine);
  FrontLink(FrontLink&& other) noexcept;
  FrontLink& operator=(FrontLink&&) = delete;
  ~FrontLink();

  // Seals to that worker, and to no other process.
  const reeve::ContextSealer& sealer() const { return *sealer_; }

  // Hands over, once. The worker's answer. The connection stays the caller's, too.
  std::string HandOver(const Handover& handover);

 private:
  FrontLink(int fd, std::unique_ptr<reeve::ContextSealer> sealer);

  int fd_;
  std::unique_ptr<reeve::ContextSealer> sealer_;
};

}  // namespace handoff

#endif  // REEVE_EXAMPLES_HANDOFF_HANDOVER_H_
