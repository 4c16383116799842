// The configuration protocol of WireGuard's programs (wireguard-go and its like), which answer on
// an AF_UNIX socket (wireguard.com/xplatform). Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_WIREGUARD_UAPI_H_
#define REEVE_ADAPTERS_SOCKET_WIREGUARD_UAPI_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/netlink/netlink.h"
#include "reeve/adapters/socket/wireguard/deadline.h"
#include "reeve/adapters/socket/wireguard/device_config.h"

namespace reeve::socket_internal {

// Reads the answer to `get=1`, line by line. It keeps no secret: of keys, only those of the peers.
//
// One thread at a time.
class UapiParser {
 public:
  enum class State : uint8_t { kMore, kDone, kMalformed };

  // Takes a line, without its end. Lines that say what this does not ask for are passed over;
  // after kDone any line is malformed.
  State Take(std::string_view line);

  // Of a State::kDone: the errno of the program's answer; 0 if the configuration is whole.
  int error() const { return error_.value_or(0); }
  // The configuration; it is gone from here then.
  DeviceConfig Release() { return std::move(config_); }

 private:
  bool TakePair(std::string_view name, std::string_view value);

  DeviceConfig config_;
  size_t allowed_ips_ = 0;
  std::optional<int> error_;
  State state_ = State::kMore;
};

// Asks the program that has the device `name`, a TUN device of the network namespace `network`,
// about its peers.
//
// The program is believed if its socket, `<run_directory>/<name>.sock`, is a socket and no symbolic
// link, belongs to root or to this process's user, and cannot be written by others than its owner
// and group; the same of the directory, and not by the group either; if the socket was made in the
// network namespace `network`, for that of another one speaks for another device; and if who
// listens is root or this process's user.
//
// Errors: NotFound         there is no such socket: the device is not WireGuard's
//         kWrongNamespace  the socket was made in another network namespace
//         kUnavailable     it may not be believed or be asked, or did not answer before `deadline`
absl::StatusOr<DeviceConfig> AskUapi(const std::string& run_directory, const std::string& name,
                                     uint64_t network, const Deadline& deadline);

// Which file a listening AF_UNIX socket is bound to: the body of an answer of sock_diag(7).
struct ListeningFile {
  uint32_t device = 0;  // As the kernel numbers it: 12 bits and 20.
  uint32_t inode = 0;
};
// Nothing if it is malformed or bound to no file.
std::optional<ListeningFile> ParseListeningFile(Bytes body);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_WIREGUARD_UAPI_H_
