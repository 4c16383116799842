// The socket security calls of Winsock, by their names, so that code and tests written for them
// read the same: -1 and WSAGetLastError() on error. Built on the calls of this folder, which say
// more and are the ones to use in new code:
//
//   WSAImpersonateSocketPeer       reeve::ImpersonateSocketPeer()
//   WSARevertImpersonation         reeve::Impersonation::Revert()
//   WSAQuerySocketSecurity         reeve::QueryPeerSecurity()
//   WSASetSocketSecurity           reeve::RequireIpsec()
//   WSASetSocketPeerTargetName     reeve::ExpectedPeers::Set()
//   WSADeleteSocketPeerTargetName  reeve::ExpectedPeers::Clear()
//
// Where this differs from the original:
//   - Impersonation is logical: decisions take ImpersonatedPrincipal(), and the kernel goes on to
//     know this process. A call that opens a file inside opens it as the server, so put it into
//     reeve::winsock::RunAsImpersonated().
//   - Where the documentation is silent, the code is ours; the comments mark it "ours".
//   - An expected name is an entity, `user:postgres` or `host:db.example.com`, and is checked by
//     WSAConnect() and by each later call about the socket, which shut the connection down if it is
//     another; not by a security association that fails.
//   - Overlapped calls are not there: `overlapped` and `completion` must be null (ours: WSAEINVAL),
//     and so must O_NONBLOCK be unset where the original refuses overlapped and non-blocking
//     sockets.
//   - A security setting is IPsec by XFRM policies.
//
// Thread-safe. Impersonation and the last error belong to the thread.
// Source: Microsoft's documentation of each call (ws2tcpip.h, mstcpip.h), by identity and number of
// the codes; winsock_test.cc has a row for each code.
#ifndef REEVE_ADAPTERS_SOCKET_COMPAT_WINSOCK_H_
#define REEVE_ADAPTERS_SOCKET_COMPAT_WINSOCK_H_

#include <sys/socket.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <type_traits>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/socket/impersonation.h"
#include "reeve/adapters/socket/ipsec/require_ipsec.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/principal.h"

// NOLINTBEGIN: names of the original.

using SOCKET = int;
using ULONG = uint32_t;
using UINT64 = uint64_t;
using SOCKADDR_STORAGE = sockaddr_storage;
using LPWSAOVERLAPPED = void*;
using LPWSAOVERLAPPED_COMPLETION_ROUTINE = void*;

inline constexpr int SOCKET_ERROR = -1;

// winsock2.h, winerror.h.
inline constexpr int WSA_NOT_ENOUGH_MEMORY = 8;
inline constexpr int WSAEACCES = 10013;
inline constexpr int WSAEFAULT = 10014;
inline constexpr int WSAEINVAL = 10022;
inline constexpr int WSAENOTSOCK = 10038;
inline constexpr int WSAEMSGSIZE = 10040;
inline constexpr int WSAEOPNOTSUPP = 10045;
inline constexpr int WSAEAFNOSUPPORT = 10047;
inline constexpr int WSAECONNRESET = 10054;
inline constexpr int WSAENOBUFS = 10055;
inline constexpr int WSAEISCONN = 10056;
inline constexpr int WSAENOTCONN = 10057;
inline constexpr int WSAETIMEDOUT = 10060;
inline constexpr int WSAECONNREFUSED = 10061;
inline constexpr int WSASYSCALLFAILURE = 10107;

enum SOCKET_SECURITY_PROTOCOL {
  SOCKET_SECURITY_PROTOCOL_DEFAULT,
  SOCKET_SECURITY_PROTOCOL_IPSEC,
  SOCKET_SECURITY_PROTOCOL_IPSEC2,
  SOCKET_SECURITY_PROTOCOL_INVALID
};

inline constexpr ULONG SOCKET_SETTINGS_GUARANTEE_ENCRYPTION = 0x1;
inline constexpr ULONG SOCKET_SETTINGS_ALLOW_INSECURE = 0x2;

inline constexpr ULONG SOCKET_INFO_CONNECTION_SECURED = 0x1;
inline constexpr ULONG SOCKET_INFO_CONNECTION_ENCRYPTED = 0x2;
inline constexpr ULONG SOCKET_INFO_CONNECTION_IMPERSONATED = 0x4;

struct SOCKET_SECURITY_SETTINGS {
  SOCKET_SECURITY_PROTOCOL SecurityProtocol;
  ULONG SecurityFlags;
};

struct SOCKET_PEER_TARGET_NAME {
  SOCKET_SECURITY_PROTOCOL SecurityProtocol;
  SOCKADDR_STORAGE PeerAddress;
  ULONG PeerTargetNameStringLen;  // In bytes, of what follows the struct: wchar_t, no end needed.
};

struct SOCKET_SECURITY_QUERY_TEMPLATE {
  SOCKET_SECURITY_PROTOCOL SecurityProtocol;
  SOCKADDR_STORAGE PeerAddress;
  ULONG PeerTokenAccessMask;  // 0: no tokens are wanted.
};

struct SOCKET_SECURITY_QUERY_INFO {
  SOCKET_SECURITY_PROTOCOL SecurityProtocol;
  ULONG Flags;
  UINT64 PeerApplicationAccessTokenHandle;  // The user token, for reeve::winsock; 0 if none.
  UINT64 PeerMachineAccessTokenHandle;      // The host token.
};

int WSAGetLastError();
void WSASetLastError(int error);

// Starts to act for the peer of `socket`, in place of whom this thread acted for. AF_INET and
// AF_INET6, TCP and UDP, blocking. `peer` is ignored for TCP; of UDP it is who sent.
//   WSAEFAULT         `peer` is null, of UDP
//   WSAEMSGSIZE       `peer_length` is too short
//   WSAEAFNOSUPPORT   the socket's family, or that of `peer`, is another
//   WSAENOTSOCK       it is no socket
//   WSAENOTCONN       it is not connected (ours)
//   WSAEINVAL         its type or protocol is another, or it is non-blocking (ours)
//   WSAEACCES         nobody vouches for the peer, or not well enough, or it is not the one
//   expected
//                     (ours)
//   WSAETIMEDOUT      who the peer is could not be asked, or not in time (ours)
// On error whom the thread acted for it acts for no longer.
int WSAImpersonateSocketPeer(SOCKET socket, const sockaddr* peer, ULONG peer_length);

// Ends it; of a thread that acts for nobody this does nothing. Always 0: WSASYSCALLFAILURE, by
// which the original says that the thread still acts for the peer, cannot happen, for a thread that
// cannot come back from RunAsImpersonated() ends the process.
int WSARevertImpersonation();

// What protects the connection, and tokens of the peer. With a null `info` or too small a length,
// `*info_length` becomes what is needed.
//   WSAEFAULT         `info_length` is null, or `query` of UDP
//   WSAEMSGSIZE       `info` is too small, or `query_length`
//   WSAECONNRESET     the connection is gone
//   WSAEINVAL         the protocol of `query`, or the type or family of the socket
//   WSAENOTSOCK, WSAENOTCONN, WSAEACCES, WSAETIMEDOUT as above
//   WSAENOBUFS        65,536 tokens are open (ours)
int WSAQuerySocketSecurity(SOCKET socket, const SOCKET_SECURITY_QUERY_TEMPLATE* query,
                           ULONG query_length, SOCKET_SECURITY_QUERY_INFO* info, ULONG* info_length,
                           LPWSAOVERLAPPED overlapped,
                           LPWSAOVERLAPPED_COMPLETION_ROUTINE completion);

// Requires IPsec of what the socket sends and receives, before it is bound or connected:
// reeve::RequireIpsec(), by ESP with or without SOCKET_SETTINGS_GUARANTEE_ENCRYPTION. With
// SOCKET_SETTINGS_ALLOW_INSECURE nothing is required, and the machine's policies hold. Null
// `settings` are the default, no flags.
//   WSAEISCONN        it is connected
//   WSAEINVAL         the protocol, the flags, or both of them; the family or the type; the socket
//   is
//                     bound, or of IPv6 without IPV6_V6ONLY (ours)
//   WSAEMSGSIZE       `settings_length` is too short
//   WSAEACCES         this needs CAP_NET_ADMIN (ours)
//   WSAEOPNOTSUPP     the kernel has no IPsec (ours)
//   WSAENOTSOCK
int WSASetSocketSecurity(SOCKET socket, const SOCKET_SECURITY_SETTINGS* settings,
                         ULONG settings_length, LPWSAOVERLAPPED overlapped,
                         LPWSAOVERLAPPED_COMPLETION_ROUTINE completion);

// Says whom the socket expects, before it is connected; of UDP, at PeerAddress.
//   WSAEFAULT         `name` is null
//   WSAEMSGSIZE       `name_length` is too short for the name
//   WSAEISCONN        it is connected
//   WSAEINVAL         the address is zero, of UDP; the name is no entity; the protocol, the type
//   WSAEAFNOSUPPORT   the family of the socket or of the address
//   WSAENOBUFS        there are reeve::ExpectedPeers::kMaxExpectations (ours)
//   WSAENOTSOCK
int WSASetSocketPeerTargetName(SOCKET socket, const SOCKET_PEER_TARGET_NAME* name,
                               ULONG name_length, LPWSAOVERLAPPED overlapped,
                               LPWSAOVERLAPPED_COMPLETION_ROUTINE completion);

// Forgets it. `peer` is ignored for TCP.
//   WSAEFAULT         `peer` is null, of UDP
//   WSAEMSGSIZE, WSAEAFNOSUPPORT, WSAEINVAL, WSAENOTSOCK as above
int WSADeleteSocketPeerTargetName(SOCKET socket, const sockaddr* peer, ULONG peer_length,
                                  LPWSAOVERLAPPED overlapped,
                                  LPWSAOVERLAPPED_COMPLETION_ROUTINE completion);

// connect(2), and the check of whom the socket expects: -1 and WSAEACCES, and the connection is
// shut down, if it is another. The quality of service arguments must be null.
int WSAConnect(SOCKET socket, const sockaddr* address, int length, void* caller_data,
               void* callee_data, void* sqos, void* gqos);

// NOLINTEND

namespace reeve::winsock {

// How all calls above ask who a peer is. Call it once, before the first of them; what it points to
// must outlive the last.
void UsePeerOptions(const PeerOptions& options);

// What WSASetSocketSecurity() requires: by default any security association without a `reqid`; of
// strongSwan name that of the child. `encrypt` is true in any case. Call it before the first
// WSASetSocketSecurity().
void UseIpsec(const RequireIpsecOptions& options);

// Whom this thread acts for; null if for nobody. Valid until it acts for another.
const Principal* ImpersonatedPrincipal();

// Runs `callback` while the kernel, too, takes this thread for the peer: Impersonation::RunAs().
// FailedPrecondition if the thread acts for nobody.
const Impersonation* Current();
template <typename F>
typename impersonate_internal::ResultOf<std::invoke_result_t<F&>>::Type RunAsImpersonated(
    F&& callback) {
  const Impersonation* current = Current();
  if (current == nullptr) {
    return absl::FailedPreconditionError(
        "this thread acts for nobody; call WSAImpersonateSocketPeer() first");
  }
  return current->RunAs(callback);
}

// What WSAQuerySocketSecurity() gave a token for; nothing if it is closed, or never was one.
std::optional<Principal> PrincipalOf(UINT64 token);

// Closes a token, as CloseHandle() does. False if there is no such token.
bool CloseToken(UINT64 token);

}  // namespace reeve::winsock

#endif  // REEVE_ADAPTERS_SOCKET_COMPAT_WINSOCK_H_
