#include "reeve/adapters/context/seal/key_exchange.h"

#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"

namespace reeve {
namespace {

// "RVPK", the version, three bytes that are zero, the key.
constexpr uint8_t kHead[8] = {'R', 'V', 'P', 'K', 1, 0, 0, 0};
constexpr size_t kVersionAt = 4;
constexpr size_t kMessageBytes = sizeof(kHead) + sizeof(PublicKey);

using SteadyClock = std::chrono::steady_clock;

absl::Status Unavailable(std::string_view what) {
  return absl::UnavailableError(absl::StrCat(
      "the peer did not tell its public key: ", absl::string_view(what.data(), what.size()),
      "; connect again"));
}

// Waits until `fd` is ready for one of `events`.
absl::Status Await(int fd, short events, SteadyClock::time_point deadline) {
  for (;;) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline - SteadyClock::now());
    pollfd poller = {fd, events, 0};
    const int ready = poll(&poller, 1, static_cast<int>(std::max<int64_t>(left.count(), 0)));
    if (ready > 0) return absl::OkStatus();
    if (ready == 0) return Unavailable("it did not answer in time");
    if (errno != EINTR) {
      return MakeContextError(
          ContextError::kInternal,
          absl::StrCat("poll(2) failed: ", std::strerror(errno), "; try again"));
    }
  }
}

absl::Status CheckSocket(int fd) {
  int domain = 0;
  int type = 0;
  socklen_t size = sizeof(int);
  if (getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &size) != 0 || domain != AF_UNIX ||
      getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) != 0 || type != SOCK_STREAM) {
    return absl::InvalidArgumentError(
        absl::StrCat("fd ", fd, " is no stream socket of AF_UNIX; pass one that is connected"));
  }
  return absl::OkStatus();
}

// Moves all `size` bytes by `step`, which does as send(2) and recv(2).
template <typename Step>
absl::Status MoveAll(int fd, size_t size, short events, SteadyClock::time_point deadline,
                     const Step& step) {
  for (size_t done = 0; done < size;) {
    const ssize_t moved = step(done);
    if (moved > 0) {
      done += static_cast<size_t>(moved);
    } else if (moved == 0) {
      return Unavailable("it closed the connection");
    } else if (errno == EAGAIN || errno == EWOULDBLOCK) {
      if (absl::Status status = Await(fd, events, deadline); !status.ok()) return status;
    } else if (errno != EINTR) {
      return Unavailable(std::strerror(errno));
    }
  }
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<PublicKey> ExchangePublicKeys(int fd, const PublicKey& own, absl::Duration timeout) {
  if (absl::Status status = CheckSocket(fd); !status.ok()) return status;
  const auto deadline = SteadyClock::now() + absl::ToChronoNanoseconds(std::clamp(
                                                 timeout, absl::ZeroDuration(), absl::Minutes(1)));
  uint8_t message[kMessageBytes];
  std::memcpy(message, kHead, sizeof(kHead));
  std::memcpy(message + sizeof(kHead), own.data(), own.size());
  absl::Status status = MoveAll(fd, kMessageBytes, POLLOUT, deadline, [&](size_t done) {
    return send(fd, message + done, kMessageBytes - done, MSG_DONTWAIT | MSG_NOSIGNAL);
  });
  if (!status.ok()) return status;
  status = MoveAll(fd, kMessageBytes, POLLIN, deadline, [&](size_t done) {
    return recv(fd, message + done, kMessageBytes - done, MSG_DONTWAIT);
  });
  if (!status.ok()) return status;
  if (std::memcmp(message, kHead, kVersionAt) != 0) {
    return MakeContextError(ContextError::kMalformed,
                            "the peer sent something else than its public key; exchange keys "
                            "before anything else, on both sides");
  }
  if (std::memcmp(message, kHead, sizeof(kHead)) != 0) {
    return MakeContextError(ContextError::kUnsupportedVersion,
                            "the peer tells its public key in a form that this program does not "
                            "know; update it");
  }
  PublicKey peer;
  std::memcpy(peer.data(), message + sizeof(kHead), peer.size());
  return peer;
}

}  // namespace reeve
