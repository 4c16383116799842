// Whatever a program answers, reading it neither crashes nor takes more than it warrants, and what
// is read says whole things.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "reeve/adapters/socket/wireguard/device_config.h"
#include "reeve/adapters/socket/wireguard/uapi.h"

namespace {

using namespace reeve::socket_internal;  // NOLINT(google-build-using-namespace)

void Check(bool condition) {
  if (!condition) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view rest(reinterpret_cast<const char*>(data), size);
  UapiParser parser;
  bool malformed = false;
  UapiParser::State state = UapiParser::State::kMore;
  for (size_t end; (end = rest.find('\n')) != std::string_view::npos;) {
    state = parser.Take(rest.substr(0, end));
    // Nothing heals it.
    Check(!malformed || state == UapiParser::State::kMalformed);
    malformed = state == UapiParser::State::kMalformed;
    rest.remove_prefix(end + 1);
  }
  if (state != UapiParser::State::kDone || parser.error() != 0) return 0;
  const DeviceConfig config = parser.Release();
  size_t prefixes = 0;
  for (const ConfiguredPeer& peer : config.peers) {
    Check(peer.last_handshake >= 0);
    Check(ParseBase64Key(ToBase64(peer.key)) == peer.key);
    for (const reeve::IpPrefix& prefix : peer.allowed_ips) {
      Check(prefix.length >= 0 && prefix.length <= prefix.address.bits());
      Check(prefix.Contains(prefix.address));
      ++prefixes;
      const absl::StatusOr<AllowedPeer> found = FindAllowedPeer(config, prefix.address);
      Check(!found.ok() || (found->peer != nullptr && found->prefix.length >= prefix.length));
    }
  }
  Check(prefixes <= size / 12);
  return 0;
}
