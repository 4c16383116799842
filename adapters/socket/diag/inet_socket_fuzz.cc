// Whatever the bytes are, they are a socket with two whole ends, or malformed.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <optional>

#include "reeve/adapters/socket/diag/inet_socket.h"

namespace {

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckEnd(const reeve::IpEndpoint& end) {
  Check(!end.ToString().empty());
  for (size_t i = end.address.size(); i < 16; ++i) Check(end.address.bytes[i] == 0);
  Check(end.address.scope == 0 || (end.address.is_v6 && end.address.bytes[0] == 0xFE));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::optional<reeve::socket_internal::InetSocket> socket =
      reeve::socket_internal::ParseInetSocket(reeve::socket_internal::Bytes(data, size));
  if (!socket.has_value()) return 0;
  CheckEnd(socket->local);
  CheckEnd(socket->remote);
  return 0;
}
