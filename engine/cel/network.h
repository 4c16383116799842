// IP addresses and networks as text. Internal.
#ifndef REEVE_ENGINE_CEL_NETWORK_H_
#define REEVE_ENGINE_CEL_NETWORK_H_

#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"

namespace reeve::cel {

// `string(ip)` and `string(cidr)` of a kIp or kCidr: `192.0.2.1`, `2001:db8::/32` (RFC 5952; always
// in hexadecimal, so that ip() reads it back). LimitError().
Cell IpToString(const Cell& address, Context& context);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_NETWORK_H_
