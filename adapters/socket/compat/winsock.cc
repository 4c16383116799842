#include "reeve/adapters/socket/compat/winsock.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <netinet/in.h>

#include <cerrno>
#include <cstring>
#include <map>
#include <string>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/security/expected_peers.h"
#include "reeve/adapters/socket/socket_kind.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/mutex.h"
#include "reeve/engine/text.h"

namespace {

using reeve::ExpectedPeers;
using reeve::Impersonation;
using reeve::MutexLock;
using reeve::PeerError;
using reeve::PeerOptions;
using reeve::PeerToken;
using reeve::Principal;

thread_local int last_error = 0;
thread_local std::optional<Impersonation> impersonation;

// What the calls share. Lives as long as the program.
struct State {
  static constexpr size_t kMaxTokens = 65536;

  // 0 if there are too many.
  UINT64 Keep(const Principal& principal) {
    MutexLock lock(mutex);
    if (tokens.size() >= kMaxTokens) return 0;
    tokens.emplace(++last_token, principal);
    return last_token;
  }

  PeerOptions Options() {
    MutexLock lock(mutex);
    return options;
  }

  reeve::RequireIpsecOptions Ipsec() {
    MutexLock lock(mutex);
    return ipsec;
  }

  ExpectedPeers expected;
  reeve::Mutex mutex;
  PeerOptions options ABSL_GUARDED_BY(mutex);
  reeve::RequireIpsecOptions ipsec ABSL_GUARDED_BY(mutex);
  std::map<UINT64, Principal> tokens ABSL_GUARDED_BY(mutex);
  UINT64 last_token ABSL_GUARDED_BY(mutex) = 0;
};

State& Shared() {
  static State& state = *new State();
  return state;
}

int Fail(int error) {
  last_error = error;
  return SOCKET_ERROR;
}

// The code for an error of the native calls.
int CodeOf(const absl::Status& status) {
  const std::optional<PeerError> error = reeve::PeerErrorOf(status);
  if (!error.has_value()) {
    switch (status.code()) {
      case absl::StatusCode::kFailedPrecondition:
        return WSAEISCONN;
      case absl::StatusCode::kResourceExhausted:
        return WSAENOBUFS;
      default:
        return WSAEINVAL;
    }
  }
  switch (*error) {
    case PeerError::kNotSocket:
      return WSAENOTSOCK;
    case PeerError::kFamily:
    case PeerError::kAddressFamily:
      return WSAEAFNOSUPPORT;
    case PeerError::kType:
      return WSAEINVAL;
    case PeerError::kAddressMissing:
      return WSAEFAULT;
    case PeerError::kAddressShort:
      return WSAEMSGSIZE;
    case PeerError::kNotConnected:
      return WSAENOTCONN;
    case PeerError::kUnavailable:
      return WSAETIMEDOUT;
    default:
      return WSAEACCES;
  }
}

// What all calls ask of a socket: AF_INET or AF_INET6, TCP or UDP. 0 or a code.
int CheckSocket(SOCKET socket, bool* stream) {
  const absl::StatusOr<int> family = reeve::socket_internal::OptionOf(socket, SO_DOMAIN);
  if (!family.ok()) return CodeOf(family.status());
  const absl::Status known = reeve::socket_internal::CheckInetFamily(socket, *family);
  if (!known.ok()) return CodeOf(known);
  const absl::StatusOr<int> type = reeve::socket_internal::InetTypeOf(socket);
  if (!type.ok()) return CodeOf(type.status());
  *stream = *type == SOCK_STREAM;
  return 0;
}

bool IsOverlapped(LPWSAOVERLAPPED overlapped, LPWSAOVERLAPPED_COMPLETION_ROUTINE completion) {
  return overlapped != nullptr || completion != nullptr;
}

bool IsConnected(SOCKET socket) {
  sockaddr_storage address;
  socklen_t size = sizeof(address);
  return getpeername(socket, reinterpret_cast<sockaddr*>(&address), &size) == 0;
}

// Whether a TCP socket that is not connected was.
bool WasConnected(SOCKET socket) {
  tcp_info info = {};
  socklen_t size = sizeof(info);
  return getsockopt(socket, IPPROTO_TCP, TCP_INFO, &info, &size) == 0 && info.tcpi_segs_in > 0;
}

// The text of `bytes` bytes of wchar_t at `text`; nothing if it is none.
std::optional<std::string> Utf8Of(const void* text, size_t bytes) {
  if (bytes % sizeof(wchar_t) != 0) return std::nullopt;
  std::string utf8;
  for (size_t i = 0; i < bytes; i += sizeof(wchar_t)) {
    wchar_t character;
    std::memcpy(&character, static_cast<const char*>(text) + i, sizeof(character));
    const auto code_point = static_cast<char32_t>(character);
    if (code_point > 0x10FFFF || (code_point >= 0xD800 && code_point < 0xE000)) return std::nullopt;
    reeve::AppendUtf8(code_point, &utf8);
  }
  // Its end may be counted.
  if (!utf8.empty() && utf8.back() == '\0') utf8.pop_back();
  return utf8;
}

}  // namespace

int WSAGetLastError() { return last_error; }

void WSASetLastError(int error) { last_error = error; }

int WSAImpersonateSocketPeer(SOCKET socket, const sockaddr* peer, ULONG peer_length) {
  impersonation.reset();
  bool stream = false;
  if (const int code = CheckSocket(socket, &stream); code != 0) return Fail(code);
  const int flags = fcntl(socket, F_GETFL);
  if (flags < 0 || (flags & O_NONBLOCK) != 0) return Fail(WSAEINVAL);
  absl::StatusOr<PeerToken> token =
      Shared().expected.Check(socket, peer, peer_length, Shared().Options());
  if (!token.ok()) return Fail(CodeOf(token.status()));
  impersonation.emplace(*std::move(token));
  return 0;
}

int WSARevertImpersonation() {
  impersonation.reset();
  return 0;
}

int WSAQuerySocketSecurity(SOCKET socket, const SOCKET_SECURITY_QUERY_TEMPLATE* query,
                           ULONG query_length, SOCKET_SECURITY_QUERY_INFO* info, ULONG* info_length,
                           LPWSAOVERLAPPED overlapped,
                           LPWSAOVERLAPPED_COMPLETION_ROUTINE completion) {
  bool stream = false;
  if (const int code = CheckSocket(socket, &stream); code != 0) {
    return Fail(code == WSAEAFNOSUPPORT ? WSAEINVAL : code);
  }
  if (IsOverlapped(overlapped, completion)) return Fail(WSAEINVAL);
  if (info_length == nullptr || (query == nullptr && !stream)) return Fail(WSAEFAULT);
  if (query != nullptr && query_length < sizeof(*query)) return Fail(WSAEMSGSIZE);
  if (query != nullptr && query->SecurityProtocol != SOCKET_SECURITY_PROTOCOL_DEFAULT &&
      query->SecurityProtocol != SOCKET_SECURITY_PROTOCOL_IPSEC &&
      query->SecurityProtocol != SOCKET_SECURITY_PROTOCOL_IPSEC2) {
    return Fail(WSAEINVAL);
  }
  const ULONG given = *info_length;
  *info_length = sizeof(*info);
  if (info == nullptr) return 0;
  if (given < sizeof(*info)) return Fail(WSAEMSGSIZE);

  const auto* peer =
      query == nullptr ? nullptr : reinterpret_cast<const sockaddr*>(&query->PeerAddress);
  const absl::StatusOr<PeerToken> token = Shared().expected.Check(
      socket, peer, peer == nullptr ? 0 : sizeof(query->PeerAddress), Shared().Options());
  SOCKET_SECURITY_QUERY_INFO answer = {SOCKET_SECURITY_PROTOCOL_DEFAULT, 0, 0, 0};
  const std::optional<PeerError> error = reeve::PeerErrorOf(token.status());
  if (!token.ok() && error != PeerError::kNoToken) {
    const bool gone = error == PeerError::kStale ||
                      (error == PeerError::kNotConnected && stream && WasConnected(socket));
    return Fail(gone ? WSAECONNRESET : CodeOf(token.status()));
  }
  if (token.ok()) {
    if (token->secured()) answer.Flags |= SOCKET_INFO_CONNECTION_SECURED;
    if (token->encrypted()) answer.Flags |= SOCKET_INFO_CONNECTION_ENCRYPTED;
    if (impersonation.has_value() && impersonation->principal().id == token->principal().id) {
      answer.Flags |= SOCKET_INFO_CONNECTION_IMPERSONATED;
    }
    if (query != nullptr && query->PeerTokenAccessMask != 0) {
      if (token->user() != nullptr) {
        answer.PeerApplicationAccessTokenHandle = Shared().Keep(*token->user());
        if (answer.PeerApplicationAccessTokenHandle == 0) return Fail(WSAENOBUFS);
      }
      if (token->host() != nullptr) {
        answer.PeerMachineAccessTokenHandle = Shared().Keep(*token->host());
        if (answer.PeerMachineAccessTokenHandle == 0) {
          reeve::winsock::CloseToken(answer.PeerApplicationAccessTokenHandle);
          return Fail(WSAENOBUFS);
        }
      }
    }
  }
  *info = answer;
  return 0;
}

int WSASetSocketSecurity(SOCKET socket, const SOCKET_SECURITY_SETTINGS* settings,
                         ULONG settings_length, LPWSAOVERLAPPED overlapped,
                         LPWSAOVERLAPPED_COMPLETION_ROUTINE completion) {
  bool stream = false;
  if (const int code = CheckSocket(socket, &stream); code != 0) {
    return Fail(code == WSAEAFNOSUPPORT ? WSAEINVAL : code);
  }
  if (IsOverlapped(overlapped, completion)) return Fail(WSAEINVAL);
  ULONG flags = 0;
  if (settings != nullptr) {
    if (settings_length < sizeof(*settings)) return Fail(WSAEMSGSIZE);
    flags = settings->SecurityFlags;
    if (settings->SecurityProtocol < SOCKET_SECURITY_PROTOCOL_DEFAULT ||
        settings->SecurityProtocol >= SOCKET_SECURITY_PROTOCOL_INVALID ||
        (flags & ~(SOCKET_SETTINGS_GUARANTEE_ENCRYPTION | SOCKET_SETTINGS_ALLOW_INSECURE)) != 0 ||
        flags == (SOCKET_SETTINGS_GUARANTEE_ENCRYPTION | SOCKET_SETTINGS_ALLOW_INSECURE)) {
      return Fail(WSAEINVAL);
    }
  }
  if (IsConnected(socket)) return Fail(WSAEISCONN);
  if (flags == SOCKET_SETTINGS_ALLOW_INSECURE) return 0;
  const absl::Status status = reeve::RequireIpsec(socket, Shared().Ipsec());
  if (status.ok()) return 0;
  if (absl::IsUnavailable(status)) return Fail(WSAEOPNOTSUPP);
  if (!absl::IsFailedPrecondition(status)) return Fail(CodeOf(status));
  // What the program can mend, or its administrator.
  sockaddr_in6 own = {};
  socklen_t size = sizeof(own);
  int v6_only = 1;
  socklen_t v6_size = sizeof(v6_only);
  getsockname(socket, reinterpret_cast<sockaddr*>(&own), &size);
  if (own.sin6_family == AF_INET6) {
    getsockopt(socket, IPPROTO_IPV6, IPV6_V6ONLY, &v6_only, &v6_size);
  }
  return Fail(own.sin6_port != 0 || v6_only == 0 ? WSAEINVAL : WSAEACCES);
}

int WSASetSocketPeerTargetName(SOCKET socket, const SOCKET_PEER_TARGET_NAME* name,
                               ULONG name_length, LPWSAOVERLAPPED overlapped,
                               LPWSAOVERLAPPED_COMPLETION_ROUTINE completion) {
  bool stream = false;
  if (const int code = CheckSocket(socket, &stream); code != 0) return Fail(code);
  if (IsOverlapped(overlapped, completion)) return Fail(WSAEINVAL);
  if (name == nullptr) return Fail(WSAEFAULT);
  if (name_length < sizeof(*name) || name->PeerTargetNameStringLen > name_length - sizeof(*name)) {
    return Fail(WSAEMSGSIZE);
  }
  if (name->SecurityProtocol < SOCKET_SECURITY_PROTOCOL_DEFAULT ||
      name->SecurityProtocol >= SOCKET_SECURITY_PROTOCOL_INVALID) {
    return Fail(WSAEINVAL);
  }
  const std::optional<std::string> text = Utf8Of(name + 1, name->PeerTargetNameStringLen);
  if (!text.has_value()) return Fail(WSAEINVAL);
  absl::StatusOr<reeve::EntityId> id = reeve::ParseEntityId(*text);
  if (!id.ok()) return Fail(WSAEINVAL);
  const absl::Status status =
      Shared().expected.Set(socket, reinterpret_cast<const sockaddr*>(&name->PeerAddress),
                            sizeof(name->PeerAddress), *std::move(id));
  return status.ok() ? 0 : Fail(CodeOf(status));
}

int WSADeleteSocketPeerTargetName(SOCKET socket, const sockaddr* peer, ULONG peer_length,
                                  LPWSAOVERLAPPED overlapped,
                                  LPWSAOVERLAPPED_COMPLETION_ROUTINE completion) {
  bool stream = false;
  if (const int code = CheckSocket(socket, &stream); code != 0) return Fail(code);
  if (IsOverlapped(overlapped, completion)) return Fail(WSAEINVAL);
  const absl::Status status = Shared().expected.Clear(socket, peer, peer_length);
  return status.ok() ? 0 : Fail(CodeOf(status));
}

int WSAConnect(SOCKET socket, const sockaddr* address, int length, void* caller_data,
               void* callee_data, void* sqos, void* gqos) {
  bool stream = false;
  if (const int code = CheckSocket(socket, &stream); code != 0) return Fail(code);
  if (caller_data != nullptr || callee_data != nullptr || sqos != nullptr || gqos != nullptr) {
    return Fail(WSAEOPNOTSUPP);
  }
  if (address == nullptr || length < 0) return Fail(WSAEFAULT);
  if (connect(socket, address, static_cast<socklen_t>(length)) != 0) {
    switch (errno) {
      case EISCONN:
        return Fail(WSAEISCONN);
      case ECONNREFUSED:
        return Fail(WSAECONNREFUSED);
      case ETIMEDOUT:
        return Fail(WSAETIMEDOUT);
      case EAFNOSUPPORT:
        return Fail(WSAEAFNOSUPPORT);
      case EACCES:
      case EPERM:
        return Fail(WSAEACCES);
      case ECONNRESET:
        return Fail(WSAECONNRESET);
      case EFAULT:
        return Fail(WSAEFAULT);
      case EAGAIN:  // No security association, or no port: net/ipv4/tcp_ipv4.c
      case ENOBUFS:
        return Fail(WSAENOBUFS);
      default:
        return Fail(WSAEINVAL);
    }
  }
  if (!Shared().expected.Expects(socket, address, static_cast<socklen_t>(length))) return 0;
  const absl::StatusOr<PeerToken> token =
      Shared().expected.Check(socket, address, static_cast<socklen_t>(length), Shared().Options());
  return token.ok() ? 0 : Fail(CodeOf(token.status()));
}

namespace reeve::winsock {

void UsePeerOptions(const PeerOptions& options) {
  MutexLock lock(Shared().mutex);
  Shared().options = options;
}

void UseIpsec(const RequireIpsecOptions& options) {
  MutexLock lock(Shared().mutex);
  Shared().ipsec = options;
  Shared().ipsec.encrypt = true;
}

const Principal* ImpersonatedPrincipal() {
  return impersonation.has_value() ? &impersonation->principal() : nullptr;
}

const Impersonation* Current() { return impersonation.has_value() ? &*impersonation : nullptr; }

std::optional<Principal> PrincipalOf(UINT64 token) {
  MutexLock lock(Shared().mutex);
  const auto found = Shared().tokens.find(token);
  if (found == Shared().tokens.end()) return std::nullopt;
  return found->second;
}

bool CloseToken(UINT64 token) {
  MutexLock lock(Shared().mutex);
  return Shared().tokens.erase(token) != 0;
}

}  // namespace reeve::winsock
