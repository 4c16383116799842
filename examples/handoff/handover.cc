#include "reeve/examples/handoff/handover.h"

#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/seal/key_exchange.h"
#include "reeve/adapters/context/seal/process_seal.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/examples/document_server/lines.h"
#include "reeve/examples/document_server/sockets.h"
#include "reeve/examples/document_server/stream.h"
#include "reeve/examples/handoff/frames.h"

namespace handoff {
namespace {

// A descriptor travels beside a byte (unix(7), SCM_RIGHTS).
constexpr char kBeside = 'c';

bool SendDescriptor(int fd, int descriptor) {
  char byte = kBeside;
  iovec data = {&byte, sizeof(byte)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  cmsghdr* const rights = CMSG_FIRSTHDR(&message);
  rights->cmsg_level = SOL_SOCKET;
  rights->cmsg_type = SCM_RIGHTS;
  rights->cmsg_len = CMSG_LEN(sizeof(int));
  std::memcpy(CMSG_DATA(rights), &descriptor, sizeof(int));
  return sendmsg(fd, &message, MSG_NOSIGNAL) == sizeof(byte);
}

// -1 if there came none, or several: there is room for two, by the padding.
int ReceiveDescriptor(int fd) {
  char byte = 0;
  iovec data = {&byte, sizeof(byte)};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message = {};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof(control);
  if (recvmsg(fd, &message, MSG_CMSG_CLOEXEC) <= 0) return -1;
  int got = -1;
  int count = 0;
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    for (size_t at = 0; at + sizeof(int) <= part->cmsg_len - CMSG_LEN(0); at += sizeof(int)) {
      if (got >= 0) close(got);
      std::memcpy(&got, CMSG_DATA(part) + at, sizeof(int));
      ++count;
    }
  }
  if (count == 1 && byte == kBeside) return got;
  if (got >= 0) close(got);
  return -1;
}

}  // namespace

bool ReceiveHandover(int fd, Handover* handover) {
  document_server::SocketStream stream(fd);
  if (!ReceiveFrame(&stream, &handover->package) || !ReceiveFrame(&stream, &handover->packed)) {
    return false;
  }
  handover->connection = ReceiveDescriptor(fd);
  return handover->connection >= 0;
}

absl::StatusOr<FrontLink> FrontLink::Connect(const std::string& path, uid_t worker_uid,
                                             const reeve::ProcessKey* own,
                                             const reeve::Machine& machine) {
  std::string error;
  const int fd = document_server::Connect(path, &error);
  if (fd < 0) return absl::UnavailableError(error);
  FrontLink link(fd, nullptr);  // Closes it.
  const timeval patience = {kPatienceSeconds, 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));

  // [handoff worker]
  reeve::PeerOptions options;
  options.origin = reeve::SocketOrigin::kInherited;  // Who listens there, by listen(2).
  const absl::StatusOr<reeve::PeerToken> worker = reeve::PeerToken::FromSocket(fd, options);
  if (!worker.ok()) return worker.status();
  if (worker->uid() != worker_uid) {
    return absl::FailedPreconditionError(path + ": who listens there has uid " +
                                         std::to_string(worker->uid()) + ", and the worker " +
                                         std::to_string(worker_uid));
  }
  const absl::StatusOr<reeve::PublicKey> key =
      reeve::ExchangePublicKeys(fd, own->public_key(), absl::Seconds(kPatienceSeconds));
  if (!key.ok()) return key.status();
  absl::StatusOr<std::unique_ptr<reeve::ProcessSealer>> sealer =
      reeve::ProcessSealer::Create(own, *key, *worker, machine);
  if (!sealer.ok()) return sealer.status();
  // [/handoff]
  link.sealer_ = *std::move(sealer);
  return link;
}

FrontLink::FrontLink(int fd, std::unique_ptr<reeve::ContextSealer> sealer)
    : fd_(fd), sealer_(std::move(sealer)) {}
FrontLink::FrontLink(FrontLink&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), sealer_(std::move(other.sealer_)) {}
FrontLink::~FrontLink() {
  if (fd_ >= 0) close(fd_);
}

std::string FrontLink::HandOver(const Handover& handover) {
  document_server::SocketStream stream(fd_);
  std::string answer;
  if (!SendFrame(&stream, handover.package) || !SendFrame(&stream, handover.packed) ||
      !SendDescriptor(fd_, handover.connection) ||
      document_server::LineReader(&stream).Next(&answer) !=
          document_server::LineReader::Result::kLine) {
    return "the worker ended the connection";
  }
  return answer;
}

}  // namespace handoff
