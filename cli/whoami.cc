// `reeve whoami`: which principal the adapters make of a connection.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "cli/command.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

struct Options {
  std::string path;
  Format format = Format::kText;
};

int Fail(const std::string& what, const std::string& where, const char* hint = "") {
  std::fprintf(stderr, "%s: %s: %s%s\n", Printable(where).c_str(), what.c_str(),
               std::strerror(errno), hint);
  return kFailure;
}

// Names of users and groups come from whoever keeps them.
std::string Shown(std::string_view text) {
  constexpr size_t kMaxBytes = 4096;
  return Printable(text, kMaxBytes);
}

std::string ToText(const Principal& principal) {
  std::string text = absl::StrCat(
      "principal  ", Shown(ToString(EntityView(principal.id))), "\n", "assurance  ",
      std::string(ToString(principal.assurance)), "\n", "via        ", Shown(principal.via), "\n",
      "host       ", Shown(principal.host), "\n", "groups     ",
      absl::StrJoin(principal.groups, " ",
                    [](std::string* out, const std::string& group) { *out += Shown(group); }),
      principal.groups_complete ? "" : " (not all are known)", "\n", "parents    ",
      absl::StrJoin(
          principal.parents, " ",
          [](std::string* out, const EntityId& parent) { *out += Shown(ToString(parent)); }),
      "\n");
  for (const auto& [name, value] : principal.attributes) {
    absl::StrAppend(&text, Shown(name), std::string(name.size() < 11 ? 11 - name.size() : 1, ' '),
                    Shown(value.ToString()), "\n");
  }
  return absl::StrCat(text, "evidence   ", Shown(principal.evidence), "\n");
}

std::string ToJsonLine(const Principal& principal) {
  nlohmann::ordered_json parents = nlohmann::ordered_json::array();
  for (const EntityId& parent : principal.parents) parents.push_back(ToString(parent));
  nlohmann::ordered_json attributes = nlohmann::ordered_json::object();
  for (const auto& [name, value] : principal.attributes) {
    if (value.kind() == Value::Kind::kInt) {
      attributes[name] = value.int_value();
    } else {
      attributes[name] = value.ToString();
    }
  }
  const nlohmann::ordered_json json = {{"principal", ToString(EntityView(principal.id))},
                                       {"assurance", std::string(ToString(principal.assurance))},
                                       {"via", principal.via},
                                       {"host", principal.host},
                                       {"groups", principal.groups},
                                       {"groups_complete", principal.groups_complete},
                                       {"parents", std::move(parents)},
                                       {"attributes", std::move(attributes)},
                                       {"evidence", principal.evidence}};
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

// The address of `path`, or one that the kernel chooses if it is empty. False if it is too long.
bool FillAddress(const std::string& path, sockaddr_un* address, socklen_t* length) {
  *address = {};
  address->sun_family = AF_UNIX;
  if (path.size() >= sizeof address->sun_path) return false;
  std::memcpy(address->sun_path, path.data(), path.size());
  *length = path.empty() ? sizeof(sa_family_t) : sizeof *address;  // unix(7), autobind
  return true;
}

// Listens, lets one peer connect, which without a path is this program, and says who it is.
int Whoami(const Options& options) {
  const std::string where = options.path.empty() ? "socket" : options.path;
  sockaddr_un address;
  socklen_t length;
  if (!FillAddress(options.path, &address, &length)) {
    std::fprintf(stderr, "%s: the path is longer than a socket's can be\n",
                 Printable(where).c_str());
    return kBadCall;
  }
  const int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (listener < 0) return Fail("cannot be made", where);
  const absl::Cleanup close_listener = [listener] { close(listener); };
  if (bind(listener, reinterpret_cast<sockaddr*>(&address), length) != 0) {
    const bool taken = errno == EADDRINUSE;
    Fail("cannot listen here", where, taken ? "; remove it if no server listens there" : "");
    return taken ? kBadCall : kFailure;
  }
  const absl::Cleanup unlink_path = [&options] {
    if (!options.path.empty()) unlink(options.path.c_str());
  };
  if (listen(listener, 1) != 0) return Fail("cannot listen here", where);

  int client = -1;
  if (options.path.empty()) {
    length = sizeof address;
    client = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (client < 0 || getsockname(listener, reinterpret_cast<sockaddr*>(&address), &length) != 0 ||
        connect(client, reinterpret_cast<sockaddr*>(&address), length) != 0) {
      return Fail("cannot connect", where);
    }
  } else {
    chmod(options.path.c_str(), 0666);  // whoever wants to know
    std::fprintf(stderr, "%s: waiting for a connection\n", Printable(where).c_str());
  }
  const absl::Cleanup close_client = [client] {
    if (client >= 0) close(client);
  };
  const int accepted = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (accepted < 0) return Fail("cannot accept", where);
  const absl::Cleanup close_accepted = [accepted] { close(accepted); };

  PeerOptions peer_options;
  peer_options.origin = SocketOrigin::kAccepted;
  const absl::StatusOr<PeerToken> peer = PeerToken::FromSocket(accepted, peer_options);
  const Principal principal = peer.ok() ? peer->principal() : UnidentifiedPeer(peer.status());
  const std::string shown =
      options.format == Format::kJson ? ToJsonLine(principal) : ToText(principal);
  std::fputs(shown.c_str(), stdout);
  if (!options.path.empty()) send(accepted, shown.data(), shown.size(), MSG_NOSIGNAL);
  return peer.ok() ? kYes : kNo;
}

}  // namespace

void AddWhoami(CLI::App* app, int* status) {
  CLI::App* command = app->add_subcommand(
      "whoami",
      "Show which principal a server on this machine makes of a connection.\n"
      "Exit status: 0 it is identified, 1 it is not, 2 the call is wrong, 3 the machine failed.");
  auto options = std::make_shared<Options>();
  command
      ->add_option("--unix", options->path,
                   "wait at this socket for one connection and show, and tell, who it is; without "
                   "a path connect to oneself")
      ->expected(0, 1)
      ->option_text("[PATH]");
  AddFormat(command, &options->format);
  command->footer(
      "Examples:\n"
      "  reeve whoami --unix\n"
      "  reeve whoami --unix /tmp/who.sock    # then, elsewhere: socat - UNIX:/tmp/who.sock");
  command->callback([options, status] { *status = Whoami(*options); });
}

}  // namespace reeve
