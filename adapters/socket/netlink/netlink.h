// Questions to the kernel by netlink(7). Private to adapters/socket.
#ifndef REEVE_ADAPTERS_SOCKET_NETLINK_NETLINK_H_
#define REEVE_ADAPTERS_SOCKET_NETLINK_NETLINK_H_

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>

#include "absl/functional/function_ref.h"
#include "absl/types/span.h"

namespace reeve::socket_internal {

using Bytes = absl::Span<const uint8_t>;

// The struct at the start of `bytes`; nothing if they are too few. `T` is a struct of the kernel's.
template <typename T>
std::optional<T> ReadStruct(Bytes bytes) {
  if (bytes.size() < sizeof(T)) return std::nullopt;
  T value;
  std::memcpy(&value, bytes.data(), sizeof(T));
  return value;
}

// The bytes of a struct of the kernel's. Points into `value`.
template <typename T>
Bytes BytesOf(const T& value) {
  return Bytes(reinterpret_cast<const uint8_t*>(&value), sizeof(T));
}

// The attributes of a message, one after the other. Points into the message.
class AttributeReader {
 public:
  explicit AttributeReader(Bytes bytes) : rest_(bytes) {}

  // Goes to the next one; false after the last, and at one that does not fit in what is left, when
  // malformed() becomes true.
  bool Next();
  bool malformed() const { return malformed_; }

  // Without the bits NLA_F_NESTED and NLA_F_NET_BYTEORDER.
  uint16_t type() const { return type_; }
  Bytes value() const { return value_; }

 private:
  Bytes rest_;
  uint16_t type_ = 0;
  Bytes value_;
  bool malformed_ = false;
};

// A request: a header, a struct of the protocol's, attributes. Of a bounded size: what is beyond it
// makes the request invalid, and Netlink::Ask() refuses it.
class NetlinkRequest {
 public:
  // `flags` besides NLM_F_REQUEST.
  NetlinkRequest(uint16_t type, uint16_t flags, Bytes body);

  void Add(uint16_t attribute, Bytes value);

 private:
  friend class Netlink;

  void Append(Bytes bytes);

  alignas(nlmsghdr) uint8_t bytes_[1024] = {};
  size_t size_ = 0;
  bool overflow_ = false;
};

// What a datagram of answers says: takes those to the request `sequence` apart, in order.
// Returns nothing if more datagrams are to come, else how the answer ended: 0, an errno of the
// kernel's, or EPROTO if it is malformed.
std::optional<int> TakeAnswers(Bytes datagram, uint32_t sequence,
                               absl::FunctionRef<void(uint16_t type, Bytes body)> take);

// A netlink socket. It asks about the network namespace in which the thread was that opened it.
//
// One thread at a time.
class Netlink {
 public:
  Netlink() = default;
  ~Netlink();
  Netlink(Netlink&& other) noexcept;
  Netlink& operator=(Netlink&& other) noexcept;

  // 0, or an errno. `protocol`: NETLINK_SOCK_DIAG, NETLINK_ROUTE...
  int Open(int protocol);

  // Sends `request` and hands each message of the answer to `take`. Returns 0, the errno of the
  // kernel's answer, EPROTO if the answer is malformed, EAGAIN if there is none: the kernel answers
  // before the request has been sent, so this does not wait. The bodies are valid during the call.
  // Of a dump (NLM_F_DUMP) that ended in EPROTO or EAGAIN the kernel may keep the rest, and then
  // answer EBUSY to the next: ask that by a new socket.
  int Ask(NetlinkRequest& request, absl::FunctionRef<void(uint16_t type, Bytes body)> take);

  // The number of its network namespace (SO_NETNS_COOKIE, since Linux 5.14); 0 if there is none.
  uint64_t network() const { return network_; }

 private:
  int fd_ = -1;
  uint64_t network_ = 0;
  uint32_t sequence_ = 0;
};

// The number of the network namespace of a socket; 0 if the kernel does not tell.
uint64_t NetworkOf(int fd);

// This thread's socket of that protocol, in the network namespace `network`, kept for the next
// question; null, with the errno in `*error`, if there is none: EXDEV if the thread is in another
// namespace now and has none of that one, EOPNOTSUPP if `network` is 0. A child made by fork(2)
// gets a socket of its own, and so does, to ask NETLINK_SOCK_DIAG, a process that went to another
// user namespace: uids are told as those of the one in which the socket was opened. `protocol` is
// NETLINK_SOCK_DIAG, NETLINK_ROUTE or NETLINK_XFRM.
Netlink* ThreadNetlink(int protocol, uint64_t network, int* error);

}  // namespace reeve::socket_internal

#endif  // REEVE_ADAPTERS_SOCKET_NETLINK_NETLINK_H_
