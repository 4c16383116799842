#include "reeve/adapters/socket/wireguard/uapi.h"

#include <fcntl.h>
#include <linux/sock_diag.h>
#include <linux/unix_diag.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/kernel_user.h"
#include "reeve/adapters/socket/peer_error.h"

namespace reeve::socket_internal {
namespace {

// Longer than any line of the protocol: a key and its name have less than 100.
constexpr size_t kMaxLineBytes = 4096;
// Of an answer: more than kMaxAllowedIps need.
constexpr size_t kMaxAnswerBytes = size_t{128} << 20;

// A descriptor that is closed at the end.
class Fd {
 public:
  explicit Fd(int fd) : fd_(fd) {}
  ~Fd() {
    if (fd_ >= 0) close(fd_);
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }

 private:
  const int fd_;
};

absl::Status Unavailable(const std::string& place, absl::string_view what) {
  return MakePeerError(PeerError::kUnavailable, absl::StrCat(place, ": ", what));
}

absl::Status Failed(const std::string& place, absl::string_view what, int error) {
  return Unavailable(place, absl::StrCat(what, ": ", strerror(error)));
}

bool IsTrusted(uid_t uid) { return IsMappedUser(uid) && (uid == 0 || uid == geteuid()); }

absl::Status CheckOwner(const struct stat& file, mode_t forbidden, const std::string& place) {
  if (!IsTrusted(file.st_uid)) {
    return Unavailable(place, absl::StrCat("belongs to uid ", file.st_uid,
                                           "; who answers for WireGuard must be root or uid ",
                                           geteuid(), ", and it be theirs"));
  }
  if ((file.st_mode & forbidden) != 0) {
    char mode[8];
    std::snprintf(mode, sizeof(mode), "%04o", file.st_mode & 07777u);
    return Unavailable(place, absl::StrCat("has mode ", mode,
                                           ", by which others could put a socket in its place or "
                                           "configure the device; take write access from them"));
  }
  return absl::OkStatus();
}

// Whether the socket bound to `file` was made in the network namespace `network` and listens.
absl::Status CheckNetwork(const struct stat& file, uint64_t network, const std::string& place) {
  // Not the thread's: a dump that ends early leaves its rest behind.
  Netlink netlink;
  int error = netlink.Open(NETLINK_SOCK_DIAG);
  if (error == 0 && netlink.network() != network) error = EXDEV;
  if (error != 0) return Failed(place, "the kernel does not list sockets", error);
  unix_diag_req request = {};
  request.sdiag_family = AF_UNIX;
  request.udiag_states = 1u << TCP_LISTEN;
  request.udiag_show = UDIAG_SHOW_VFS;
  NetlinkRequest message(SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, BytesOf(request));
  bool found = false;
  error = netlink.Ask(message, [&](uint16_t, Bytes body) {
    const std::optional<ListeningFile> listening = ParseListeningFile(body);
    found =
        found || (listening.has_value() && listening->inode == static_cast<uint32_t>(file.st_ino) &&
                  (listening->device >> 20) == major(file.st_dev) &&
                  (listening->device & 0xFFFFF) == minor(file.st_dev));
  });
  if (error != 0) return Failed(place, "the kernel did not list sockets", error);
  if (found) return absl::OkStatus();
  return MakePeerError(
      PeerError::kWrongNamespace,
      absl::StrCat(place,
                   ": no program of the socket's network namespace listens there, so that the "
                   "device may be another; start the program of WireGuard in that namespace, with "
                   "its sockets in a tmpfs"));
}

// Waits until `fd` can be read.
absl::Status AwaitAnswer(int fd, const std::string& place, const Deadline& deadline) {
  for (;;) {
    pollfd poller = {fd, POLLIN, 0};
    const int ready = poll(&poller, 1, deadline.milliseconds());
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return Failed(place, "cannot wait", errno);
    if (deadline.passed()) {
      return Unavailable(place, "no answer in time; see whether the program hangs");
    }
  }
}

absl::StatusOr<DeviceConfig> ReadAnswer(int fd, const std::string& place,
                                        const Deadline& deadline) {
  // The answer has the private key. It is here alone, and leaves no copy.
  struct Buffer {
    ~Buffer() { explicit_bzero(bytes, sizeof(bytes)); }
    char bytes[4 * kMaxLineBytes];
  } buffer;
  size_t kept = 0;  // Bytes of a line whose end is to come.
  size_t total = 0;
  UapiParser parser;
  while (total < kMaxAnswerBytes) {
    const ssize_t size = recv(fd, buffer.bytes + kept, sizeof(buffer.bytes) - kept, MSG_DONTWAIT);
    if (size < 0 && errno == EINTR) continue;
    if (size < 0 && errno == EAGAIN) {
      if (absl::Status ready = AwaitAnswer(fd, place, deadline); !ready.ok()) return ready;
      continue;
    }
    if (size < 0) return Failed(place, "cannot be read", errno);
    if (size == 0) return Unavailable(place, "the answer is cut short; ask again");
    total += static_cast<size_t>(size);
    std::string_view rest(buffer.bytes, kept + static_cast<size_t>(size));
    UapiParser::State state = UapiParser::State::kMore;
    for (size_t end; state != UapiParser::State::kMalformed &&
                     (end = rest.find('\n')) != std::string_view::npos;) {
      state =
          end > kMaxLineBytes ? UapiParser::State::kMalformed : parser.Take(rest.substr(0, end));
      rest.remove_prefix(end + 1);
    }
    if (state == UapiParser::State::kMalformed || rest.size() > kMaxLineBytes ||
        (state == UapiParser::State::kDone && !rest.empty())) {
      return Unavailable(place, "the answer is malformed; see which program listens there");
    }
    if (state == UapiParser::State::kDone) {
      if (parser.error() != 0) {
        return Unavailable(place, absl::StrCat("the program answered errno ", parser.error()));
      }
      return parser.Release();
    }
    // What a peer sends byte by byte is no reason to go on.
    if (deadline.passed()) return Unavailable(place, "the answer did not end in time");
    memmove(buffer.bytes, rest.data(), rest.size());
    kept = rest.size();
  }
  return Unavailable(place, "the answer is too long");
}

}  // namespace

UapiParser::State UapiParser::Take(std::string_view line) {
  if (state_ != State::kMore) return state_ = State::kMalformed;
  if (line.empty()) return state_ = error_.has_value() ? State::kDone : State::kMalformed;
  const size_t equals = line.find('=');
  if (equals == std::string_view::npos || error_.has_value() ||
      !TakePair(line.substr(0, equals), line.substr(equals + 1))) {
    state_ = State::kMalformed;
  }
  return state_;
}

bool UapiParser::TakePair(std::string_view name, std::string_view value) {
  if (name == "errno") {
    int error;
    if (!absl::SimpleAtoi(absl::string_view(value.data(), value.size()), &error)) return false;
    error_ = error;
    return true;
  }
  if (name == "public_key") {
    const std::optional<WireguardKey> key = ParseHexKey(value);
    if (!key.has_value()) return false;
    config_.peers.emplace_back();
    config_.peers.back().key = *key;
    return true;
  }
  if (name == "last_handshake_time_sec") {
    int64_t seconds;
    if (config_.peers.empty() ||
        !absl::SimpleAtoi(absl::string_view(value.data(), value.size()), &seconds) || seconds < 0) {
      return false;
    }
    config_.peers.back().last_handshake = seconds;
    return true;
  }
  if (name == "allowed_ip") {
    const std::optional<IpPrefix> prefix = ParseAllowedIp(value);
    if (!prefix.has_value() || config_.peers.empty() || ++allowed_ips_ > kMaxAllowedIps) {
      return false;
    }
    config_.peers.back().allowed_ips.push_back(*prefix);
    return true;
  }
  return true;
}

std::optional<ListeningFile> ParseListeningFile(Bytes body) {
  const std::optional<unix_diag_msg> message = ReadStruct<unix_diag_msg>(body);
  if (!message.has_value() || message->udiag_family != AF_UNIX ||
      message->udiag_state != TCP_LISTEN) {
    return std::nullopt;
  }
  std::optional<unix_diag_vfs> file;
  AttributeReader attributes(body.subspan(sizeof(unix_diag_msg)));
  while (attributes.Next()) {
    if (attributes.type() == UNIX_DIAG_VFS) file = ReadStruct<unix_diag_vfs>(attributes.value());
  }
  if (attributes.malformed() || !file.has_value()) return std::nullopt;
  return ListeningFile{file->udiag_vfs_dev, file->udiag_vfs_ino};
}

absl::StatusOr<DeviceConfig> AskUapi(const std::string& run_directory, const std::string& name,
                                     uint64_t network, const Deadline& deadline) {
  const std::string place = absl::StrCat(run_directory, "/", name, ".sock");
  const Fd directory(open(run_directory.c_str(), O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC));
  // Pinned, so that what is checked is what is asked.
  const Fd node(directory.get() < 0 ? -1
                                    : openat(directory.get(), absl::StrCat(name, ".sock").c_str(),
                                             O_PATH | O_NOFOLLOW | O_CLOEXEC));
  if (node.get() < 0) {
    if (errno == ENOENT) {
      return absl::NotFoundError(absl::StrCat(place, ": there is no such socket"));
    }
    return Failed(place, "cannot be opened", errno);
  }
  struct stat file;
  if (fstat(directory.get(), &file) != 0) return Failed(run_directory, "cannot be read", errno);
  if (absl::Status owner = CheckOwner(file, 0022, run_directory); !owner.ok()) return owner;
  if (fstat(node.get(), &file) != 0) return Failed(place, "cannot be read", errno);
  if (!S_ISSOCK(file.st_mode)) return Unavailable(place, "is not a socket");
  if (absl::Status owner = CheckOwner(file, 0002, place); !owner.ok()) return owner;

  const Fd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (fd.get() < 0) return Failed(place, "no socket to ask by", errno);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof(address.sun_path), "/proc/thread-self/fd/%d", node.get());
  if (connect(fd.get(), reinterpret_cast<sockaddr*>(&address), sizeof(address)) != 0) {
    return Failed(place,
                  errno == EAGAIN ? "the program accepts no connection" : "cannot be connected to",
                  errno);
  }
  ucred listener;
  socklen_t size = sizeof(listener);
  if (getsockopt(fd.get(), SOL_SOCKET, SO_PEERCRED, &listener, &size) != 0) {
    return Failed(place, "who listens is not told", errno);
  }
  if (!IsTrusted(listener.uid)) {
    return Unavailable(place, absl::StrCat("uid ", listener.uid, " listens there; let root or uid ",
                                           geteuid(), " run the program"));
  }
  if (absl::Status status = CheckNetwork(file, network, place); !status.ok()) return status;

  constexpr std::string_view kQuestion = "get=1\n\n";
  if (send(fd.get(), kQuestion.data(), kQuestion.size(), MSG_NOSIGNAL) !=
      static_cast<ssize_t>(kQuestion.size())) {
    return Failed(place, "cannot be asked", errno);
  }
  return ReadAnswer(fd.get(), place, deadline);
}

}  // namespace reeve::socket_internal
