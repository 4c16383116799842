// Acting for the peer of a socket. Start here if the program does something in the peer's name; to
// decide only, PeerToken (peer.h) is enough.
//
//   absl::StatusOr<Impersonation> peer = ImpersonateSocketPeer(fd, nullptr, 0, options);
//   if (!peer.ok()) ...                                        // nobody: see UnidentifiedPeer()
//   engine.Decide(Request(peer->principal(), "doc.read", document));   // logical
//   peer->RunAs([&] { return open(path, O_RDONLY | O_CLOEXEC); });     // the thread
//   workers.Open(*peer->Identity(), path, how);                        // a worker process
//   peer->Revert();                                            // or at the end of the scope
//
// Three levels, from the cheapest:
//   logical  decisions take the peer's principal; the kernel knows nothing of it. The default, and
//            all that is needed where the program itself guards what it serves.
//   thread   RunAs(): this thread takes the peer's uid, gid and groups while a callback runs
//            (impersonate/run_as.h).
//   worker   UserWorkers (impersonate/user_workers.h): a process that is the user's for good opens
//            files and passes them back. For names that the peer chose this is the one to use.
#ifndef REEVE_ADAPTERS_SOCKET_IMPERSONATION_H_
#define REEVE_ADAPTERS_SOCKET_IMPERSONATION_H_

#include <sys/socket.h>

#include <optional>
#include <type_traits>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/impersonate/run_as.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/unix_identity.h"
#include "reeve/engine/principal.h"

namespace reeve {

// The span in which a program acts for a peer. Ended by Revert(), or at the end of its life; after
// that it is nobody.
//
// One thread at a time.
class [[nodiscard]] Impersonation {
 public:
  explicit Impersonation(PeerToken token) : token_(std::move(token)) {}

  Impersonation(Impersonation&& other) noexcept
      : token_(std::exchange(other.token_, std::nullopt)) {}
  Impersonation& operator=(Impersonation&& other) noexcept {
    token_ = std::exchange(other.token_, std::nullopt);
    return *this;
  }
  Impersonation(const Impersonation&) = delete;
  Impersonation& operator=(const Impersonation&) = delete;
  ~Impersonation() = default;

  // Who is acted for: the peer's user if one is known, else its host. After Revert() the anonymous
  // principal, which `authenticated` does not match.
  const Principal& principal() const;

  // Null after Revert().
  const PeerToken* token() const { return token_.has_value() ? &*token_ : nullptr; }

  // Ends it, and closes what the token owns. Of an impersonation that has ended this does nothing.
  void Revert() { token_.reset(); }

  // By what the peer acts at the kernel. Where the kernel told all of it, as of AF_UNIX, that;
  // where it told the uid alone, gid and groups are those of the user database, asked now
  // (ResolveUnixIdentity()), which may block.
  // Errors: FailedPrecondition  the impersonation has ended; the peer is no user of this machine
  //         kUnproved           the uid is known by UDP alone, whose senders can be forged
  //         else                as ResolveUnixIdentity()
  absl::StatusOr<UnixIdentity> Identity() const;

  // Runs `callback` while this thread is the peer's user, and no longer; the other threads stay
  // what they are. Errors, results and what must not happen inside: impersonate/run_as.h; and those
  // of Identity(), which is asked before.
  template <typename F>
  typename impersonate_internal::ResultOf<std::invoke_result_t<F&>>::Type RunAs(
      F&& callback) const {
    const absl::StatusOr<UnixIdentity> identity = Identity();
    if (!identity.ok()) return identity.status();
    return reeve::RunAs(*identity, callback);
  }

 private:
  std::optional<PeerToken> token_;
};

// Identifies the peer of `fd`, as PeerToken::FromSocket() does, with its errors: AF_UNIX (stream,
// seqpacket), TCP and UDP. `peer` is ignored for connected sockets, and required for others. Never
// anonymous: a peer that is not known is an error. May be called many times for one socket.
absl::StatusOr<Impersonation> ImpersonateSocketPeer(int fd, const sockaddr* peer,
                                                    socklen_t peer_size,
                                                    const PeerOptions& options = PeerOptions());

// Of who sent a message on an AF_UNIX socket: as PeerToken::FromMessage().
absl::StatusOr<Impersonation> ImpersonateSender(const msghdr& message,
                                                const PeerOptions& options = PeerOptions());

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_IMPERSONATION_H_
