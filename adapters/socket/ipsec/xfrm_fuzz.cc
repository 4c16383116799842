// Whatever the kernel's messages are, reading them does not crash; and a flow is proved only by a
// policy that names an SA.
#include <netinet/in.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>
#include <vector>

#include "reeve/adapters/socket/ipsec/xfrm_policy.h"
#include "reeve/adapters/socket/netlink/netlink.h"

namespace {

using namespace reeve::socket_internal;  // NOLINT

void Check(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

// The bytes are policies, each behind its length, of 2 bytes.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  Bytes rest(data, size);
  ParseXfrmState(rest);
  std::vector<XfrmPolicy> policies;
  while (rest.size() >= 2) {
    const size_t length = std::min<size_t>(rest[0] | rest[1] << 8, rest.size() - 2);
    const std::optional<XfrmPolicy> policy = ParseXfrmPolicy(rest.subspan(2, length));
    if (policy.has_value()) policies.push_back(*policy);
    rest.remove_prefix(2 + length);
  }
  for (const auto& [from, to] :
       {std::pair("10.97.0.2", "10.97.0.1"), std::pair("fd00::2", "fd00::1")}) {
    const XfrmFlow flow = {
        {*reeve::IpAddress::Parse(from), 5000}, {*reeve::IpAddress::Parse(to), 80}, IPPROTO_TCP};
    const absl::StatusOr<XfrmRequirement> required = RequirementOf(policies, flow);
    if (!required.ok()) continue;
    Check(required->reqid != 0);
    Check(required->protocol == IPPROTO_ESP || required->protocol == IPPROTO_AH);
    bool found = false;
    for (const XfrmPolicy& policy : policies) {
      found = found || (policy.index == required->index && policy.allow && !policy.conditional &&
                        policy.main && policy.direction == 0 && Matches(policy, flow));
      // No policy that comes first lets in anything else.
      Check(!(policy.priority == 0 && policy.direction == 0 && Matches(policy, flow) &&
              policy.templates.empty()));
    }
    Check(found);
  }
  return 0;
}
