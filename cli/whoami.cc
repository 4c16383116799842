// `reeve whoami`: which principal the adapters make of a connection.
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "cli/command.h"
#include "reeve/adapters/socket/capabilities/capabilities.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/cli/output.h"
#include "reeve/cli/principal_output.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

struct Options {
  std::string path;  // Of --unix; may be empty.
  bool tcp = false;
  std::string endpoint;  // Of --tcp; may be empty.
  bool capabilities = false;
  Format format = Format::kText;
};

int Fail(const std::string& what, const std::string& where, const char* hint = "") {
  std::fprintf(stderr, "%s: %s: %s%s\n", Printable(where).c_str(), what.c_str(),
               std::strerror(errno), hint);
  return kFailure;
}

// A socket that listens, and what it is called; with what to undo at the end.
struct Listener {
  Listener() = default;
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() {
    if (fd >= 0) close(fd);
    if (!unlink_path.empty()) unlink(unlink_path.c_str());
  }

  int fd = -1;
  std::string name;
  std::string unlink_path;
  sockaddr_storage address = {};
  socklen_t length = 0;
};

// Makes `listener` listen at the address that it has. Returns an exit status.
int Listen(Listener* listener) {
  auto* address = reinterpret_cast<sockaddr*>(&listener->address);
  listener->fd = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener->fd < 0) return Fail("no socket can be made", listener->name);
  const int on = 1;
  if (address->sa_family != AF_UNIX) {
    setsockopt(listener->fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  }
  if (bind(listener->fd, address, listener->length) != 0) {
    const bool taken = errno == EADDRINUSE || errno == EADDRNOTAVAIL;
    Fail("cannot listen here", listener->name,
         errno == EADDRINUSE && address->sa_family == AF_UNIX
             ? "; remove it if no server listens there"
             : "");
    return taken ? kBadCall : kFailure;
  }
  if (listen(listener->fd, 1) != 0) return Fail("cannot listen here", listener->name);
  listener->length = sizeof(listener->address);
  if (getsockname(listener->fd, address, &listener->length) != 0) {
    return Fail("has no address", listener->name);
  }
  return kYes;
}

// At `path`, or if it is empty at a name that the kernel chooses.
int ListenUnix(const std::string& path, Listener* listener) {
  listener->name = path.empty() ? "socket" : path;
  auto* address = reinterpret_cast<sockaddr_un*>(&listener->address);
  address->sun_family = AF_UNIX;
  if (path.size() >= sizeof address->sun_path) {
    std::fprintf(stderr, "%s: the path is longer than a socket's can be\n",
                 Printable(path).c_str());
    return kBadCall;
  }
  std::memcpy(address->sun_path, path.data(), path.size());
  listener->length = path.empty() ? sizeof(sa_family_t) : sizeof *address;  // unix(7), autobind
  if (const int status = Listen(listener); status != kYes) return status;
  listener->unlink_path = path;
  if (!path.empty()) chmod(path.c_str(), 0666);  // whoever wants to know
  return kYes;
}

// At `endpoint`, HOST:PORT, or if it is empty at a loopback port that the kernel chooses.
int ListenTcp(const std::string& endpoint, Listener* listener) {
  listener->name = endpoint.empty() ? "127.0.0.1:0" : endpoint;
  const size_t colon = listener->name.rfind(':');
  std::string host = listener->name.substr(0, colon);
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
  }
  addrinfo hints = {};
  hints.ai_family = AF_UNSPEC;
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV | AI_PASSIVE;
  addrinfo* found = nullptr;
  const int error =
      colon == std::string::npos || host.empty()
          ? EAI_NONAME
          : getaddrinfo(host.c_str(), listener->name.c_str() + colon + 1, &hints, &found);
  if (error != 0) {
    std::fprintf(stderr,
                 "%s: is no address: %s; write HOST:PORT, such as 127.0.0.1:4000 or "
                 "[::1]:4000\n",
                 Printable(listener->name).c_str(), gai_strerror(error));
    return kBadCall;
  }
  std::memcpy(&listener->address, found->ai_addr, found->ai_addrlen);
  listener->length = found->ai_addrlen;
  freeaddrinfo(found);
  if (const int status = Listen(listener); status != kYes) return status;
  char address[NI_MAXHOST], port[NI_MAXSERV];
  if (getnameinfo(reinterpret_cast<sockaddr*>(&listener->address), listener->length, address,
                  sizeof(address), port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) == 0) {
    const bool v6 = listener->address.ss_family == AF_INET6;
    listener->name = absl::StrCat(v6 ? "[" : "", address, v6 ? "]:" : ":", port);
  }
  return kYes;
}

// Holds back the signals that end a program until Accept(), so that what is to be undone is.
// Returns the mask that lets them in.
sigset_t HoldBackSignals() {
  sigset_t ending, before;
  sigemptyset(&ending);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) {
    sigaddset(&ending, signal);
    struct sigaction action = {};
    action.sa_handler = [](int) {};
    sigaction(signal, &action, nullptr);
  }
  pthread_sigmask(SIG_BLOCK, &ending, &before);
  return before;
}

// Waits for a connection; -1 with errno EINTR if the program is to end.
int Accept(int listener, const sigset_t& mask) {
  pollfd poller = {listener, POLLIN, 0};
  if (ppoll(&poller, 1, nullptr, &mask) < 0) return -1;
  return accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
}

// Listens, lets one peer connect, which without an address is this program, and says who it is.
int ShowPeer(const Options& options) {
  const sigset_t mask = HoldBackSignals();
  Listener listener;
  const bool self = options.tcp ? options.endpoint.empty() : options.path.empty();
  const int listening =
      options.tcp ? ListenTcp(options.endpoint, &listener) : ListenUnix(options.path, &listener);
  if (listening != kYes) return listening;

  int client = -1;
  const absl::Cleanup close_client = [&client] {
    if (client >= 0) close(client);
  };
  if (self) {
    const auto* address = reinterpret_cast<sockaddr*>(&listener.address);
    client = socket(address->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0 || connect(client, address, listener.length) != 0) {
      return Fail("cannot connect", listener.name);
    }
  } else {
    std::fprintf(stderr, "%s: waiting for a connection\n", Printable(listener.name).c_str());
  }
  const int accepted = Accept(listener.fd, mask);
  if (accepted < 0) return Fail("cannot accept", listener.name);
  const absl::Cleanup close_accepted = [accepted] { close(accepted); };

  PeerOptions peer_options;
  peer_options.origin = SocketOrigin::kAccepted;
  const absl::StatusOr<PeerToken> peer = PeerToken::FromSocket(accepted, peer_options);
  const Principal principal = peer.ok() ? peer->principal() : UnidentifiedPeer(peer.status());
  const std::string shown =
      options.format == Format::kJson ? JsonText(ToJson(principal)) + "\n" : ToText(principal);
  std::fputs(shown.c_str(), stdout);
  if (!self) send(accepted, shown.data(), shown.size(), MSG_NOSIGNAL);
  return peer.ok() ? kYes : kNo;
}

int ShowCapabilities(Format format) {
  nlohmann::ordered_json json = nlohmann::ordered_json::array();
  for (const Capability& capability : Capabilities()) {
    const std::string name(capability.name), state(ToString(capability.state));
    if (format == Format::kText) {
      std::printf("%-20s %-9s %s\n", name.c_str(), state.c_str(), capability.effect.c_str());
    }
    json.push_back({{"name", name}, {"state", state}, {"effect", capability.effect}});
  }
  if (format == Format::kJson) std::printf("%s\n", json.dump().c_str());
  return kYes;
}

}  // namespace

void AddWhoami(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "whoami",
      "Show which principal a server on this machine makes of a connection, by which source (via), "
      "with what assurance and evidence.\n"
      "Exit status: 0 it is identified, 1 it is not, 2 the call is wrong, 3 the machine failed.");
  auto options = std::make_shared<Options>();
  CLI::Option* unix_socket = command->add_option(
      "--unix", options->path,
      "wait at this socket for one connection and show, and tell, who it is; without a path "
      "connect to oneself. The default");
  unix_socket->expected(0, 1)->option_text("[PATH]");
  CLI::Option* tcp = command->add_option(
      "--tcp", options->endpoint,
      "the same at this address of TCP; port 0 is one that is free; without an address connect to "
      "oneself");
  tcp->expected(0, 1)->option_text("[HOST:PORT]");
  CLI::Option* capabilities =
      command->add_flag("--capabilities", options->capabilities,
                        "show instead what this kernel offers for telling who a peer is and acting "
                        "for it, and what is weaker for want of it");
  unix_socket->excludes(tcp)->excludes(capabilities);
  tcp->excludes(capabilities);
  AddFormat(command, &options->format);
  command->footer(
      "Examples:\n"
      "  reeve whoami\n"
      "  reeve whoami --unix /tmp/who.sock     # then, elsewhere: socat - UNIX:/tmp/who.sock\n"
      "  reeve whoami --tcp 127.0.0.1:4000     # then, elsewhere: socat - TCP:127.0.0.1:4000\n"
      "  reeve whoami --capabilities");
  command->callback([options, tcp, status] {
    options->tcp = tcp->count() > 0;
    *status = options->capabilities ? ShowCapabilities(options->format) : ShowPeer(*options);
  });
}

}  // namespace reeve
