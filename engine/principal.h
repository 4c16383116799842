#ifndef REEVE_ENGINE_PRINCIPAL_H_
#define REEVE_ENGINE_PRINCIPAL_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/entity.h"
#include "reeve/engine/value.h"

namespace reeve {

// How a principal is known. The numbers are stored in records: append, never renumber; they are
// names, not ranks.
enum class Assurance : uint8_t {
  kNone = 0,      // anonymous: nobody says who it is
  kAsserted = 1,  // the host program says so
  kKernelWeak =
      2,        // this machine's kernel says so, by a source that can be raced or is out of date
  kKernel = 3,  // this machine's kernel attests it
  kCrypto = 4,  // proved by a key: Kerberos, TLS, a sealed context
};

// As conditions see it: "none", "asserted", "kernel_weak", "kernel", "crypto".
std::string_view ToString(Assurance assurance);

// Who asks, and how that is known. A value, made once for a connection and used for each of its
// requests.
//
// Thread-compatible: const methods from any threads, others alone.
struct Principal {
  Principal() = default;  // anonymous
  Principal(EntityId id, Assurance assurance) : id(std::move(id)), assurance(assurance) {}

  // A peer that could not be identified, or of whom nobody says who it is. It is decided on like
  // any other, matches `anyone` and not `authenticated`.
  bool anonymous() const { return id.type == kAnonymousType || assurance == Assurance::kNone; }

  // The id without its realm: `ada` of `ada@EXAMPLE.COM`. Points into this.
  std::string_view name() const;

  static constexpr std::string_view kAnonymousType = "anonymous";

  EntityId id{std::string(kAnonymousType), std::string(kAnonymousType)};
  Assurance assurance = Assurance::kNone;
  // The ids of `group` entities that the principal is a member of, directly: {"staff"}.
  std::vector<std::string> groups;
  // False if the adapter could not learn all groups. Membership through a group that is not listed
  // is then unknown, not false: an allow rule does not match by it, a deny rule does.
  bool groups_complete = true;
  // Other entities that the principal lies in.
  std::vector<EntityId> parents;
  Attributes attributes;
  std::string via;   // The mechanism that told: "unix", "json"; empty if the host program did.
  std::string host;  // Where the principal is; empty if unknown.
  // Who acts for the principal, `type:id`; empty if it acts itself.
  std::string actor;
  // What the mechanism saw, for the record: "pid=812 uid=1000 gid=1000 pidfd=4711". No secret.
  std::string evidence;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_PRINCIPAL_H_
