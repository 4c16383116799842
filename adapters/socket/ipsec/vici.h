// The protocol by which strongSwan's daemon, charon, is asked (vici). Private to adapters/socket.
//
// A packet is its length, 4 bytes, and so many bytes: the type, for most types a name behind its
// length of 1 byte, and a message. A message is a tree of named sections, which hold values and
// lists of values. All numbers are in network order.
// Source: src/libcharon/plugins/vici/README.md of strongSwan 5.9.8.
#ifndef REEVE_ADAPTERS_SOCKET_IPSEC_VICI_H_
#define REEVE_ADAPTERS_SOCKET_IPSEC_VICI_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace reeve::socket_internal {

// charon's own limit of a packet.
inline constexpr size_t kMaxViciPacketBytes = 512 * 1024;
// Sections in sections; charon's answers have 3.
inline constexpr int kMaxViciDepth = 8;

enum class ViciType : uint8_t {
  kCommandRequest = 0,
  kCommandResponse = 1,
  kCommandUnknown = 2,
  kEventRegister = 3,
  kEventUnregister = 4,
  kEventConfirm = 5,
  kEventUnknown = 6,
  kEvent = 7,
};

// A packet behind its length. Points into what it was parsed from.
struct ViciPacket {
  ViciType type;
  std::string_view name;  // Of a request, a registration and an event; else empty.
  std::string_view message;
};

// Nothing if the bytes are no packet.
std::optional<ViciPacket> ParseViciPacket(std::string_view bytes);
// With its length. `name` is shorter than 256 bytes, and empty for types without one.
std::string MakeViciPacket(ViciType type, std::string_view name, std::string_view message = {});
// An element of a message. `key` is shorter than 256 bytes, `value` than 64 KiB.
std::string ViciKeyValue(std::string_view key, std::string_view value);

// Reads a message, one element after the other. No recursion, and no memory of its own: a message
// costs what its bytes cost. Points into the message.
class ViciReader {
 public:
  enum class Element : uint8_t {
    kSectionStart = 1,
    kSectionEnd = 2,
    kKeyValue = 3,
    kListStart = 4,
    kListItem = 5,
    kListEnd = 6,
  };

  explicit ViciReader(std::string_view message) : rest_(message) {}

  // Goes to the next element. False after the last, and at what is no element, stands where none
  // may, or is deeper than kMaxViciDepth: malformed() is then true. So it is at the end if a
  // section or a list is still open.
  bool Next();
  bool malformed() const { return malformed_; }

  Element element() const { return element_; }
  // Of a section, a value, or the list that the item is of.
  std::string_view name() const { return name_; }
  // Of a value, or an item of a list.
  std::string_view value() const { return value_; }
  // The sections open now: 1 after the start of the first, 0 after its end.
  int depth() const { return depth_; }

 private:
  bool Malformed();
  bool TakeName();
  bool TakeValue();

  std::string_view rest_;
  Element element_ = Element::kSectionEnd;
  std::string_view name_;
  std::string_view value_;
  int depth_ = 0;
  bool in_list_ = false;
  bool malformed_ = false;
};

// A time limit on the monotonic clock (CLOCK_MONOTONIC), which nobody sets.
class Deadline {
 public:
  explicit Deadline(absl::Duration limit);
  // In milliseconds, for poll(2): at least 0, rounded up.
  int remaining() const;

 private:
  int64_t end_nanoseconds_;
};

// A connection to charon.
//
// One thread at a time.
class ViciConnection {
 public:
  ViciConnection(ViciConnection&& other) noexcept;
  ViciConnection& operator=(ViciConnection&&) = delete;
  ~ViciConnection();

  // Connects to the socket at `path`, if it is what an identity may come from:
  //   - a socket, and no symbolic link to one
  //   - of root, or of this process's effective user
  //   - not writable for others. For its group it may be: charon gives the socket to a group whose
  //     members may load connections and secrets, so they say who is who in any case; and who may
  //     write to a socket cannot put another in its place
  //   - listened at by a process of one of those two users: it could have been replaced after it
  //     was looked at, and a daemon in a user namespace that is not mapped here is nobody's
  // Errors: kUnavailable, also if there is none, or it does not answer until `deadline`.
  static absl::StatusOr<ViciConnection> Open(const std::string& path, const Deadline& deadline);

  // Runs a command that answers by events, and hands the message of each to `take`, which returns
  // whether it understood. The messages are valid during the call. Each event once in a connection.
  // Errors: kUnavailable: the deadline, an end of file, a malformed answer, one that `take` did not
  // understand, more than `max_bytes` in all.
  absl::Status Stream(std::string_view command, std::string_view event, std::string_view arguments,
                      size_t max_bytes, const Deadline& deadline,
                      absl::FunctionRef<bool(std::string_view message)> take);

 private:
  ViciConnection(int fd, std::string path) : fd_(fd), path_(std::move(path)) {}

  absl::Status Send(std::string_view packet, const Deadline& deadline);
  // Receives a packet into `buffer_`, which the result points into.
  absl::StatusOr<ViciPacket> Receive(const Deadline& deadline);
  absl::Status ReceiveBytes(char* to, size_t size, const Deadline& deadline);
  absl::Status Unavailable(absl::string_view what) const;

  int fd_;
  std::string path_;
  std::string buffer_;
};

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_IPSEC_VICI_H_
