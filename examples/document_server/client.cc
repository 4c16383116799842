// Asks the document server, as any user:
//   document_client --socket PATH [--uid N --gid N [--groups A,B]] read /finance/q3
//   document_client --tcp HOST:PORT [--uid N --gid N] read /finance/q3
//   document_client --tls HOST:PORT --ca FILE [--certificate FILE --key FILE] read /finance/q3
// Without a command, each line of standard input is one. Prints the answers.
#include <grp.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <iostream>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "reeve/adapters/socket/tls/tls_peer.h"
#include "reeve/engine/text.h"
#include "reeve/examples/document_server/lines.h"
#include "reeve/examples/document_server/sockets.h"
#include "reeve/examples/document_server/stream.h"
#include "reeve/examples/document_server/tls.h"

namespace document_server {
namespace {

// Exit status.
constexpr int kAllowed = 0;
constexpr int kRefused = 1;  // At least one command was.
constexpr int kBadCall = 2;
constexpr int kFailed = 3;

// Where it is: one of the first three.
struct Server {
  std::string socket;
  std::string tcp;
  std::string tls;
  std::string name;  // That its certificate must have; empty: the host.
  TlsFiles files;
};

struct Identity {
  std::optional<uid_t> uid;
  std::optional<gid_t> gid;
  std::vector<gid_t> groups;
};

// Becomes that user for good: the groups first, for afterwards there is no right to. False with
// errno set if anything was refused; then this is half of one and half of the other.
bool Become(const Identity& identity) {
  return setgroups(identity.groups.size(), identity.groups.data()) == 0 &&
         setresgid(*identity.gid, *identity.gid, *identity.gid) == 0 &&
         setresuid(*identity.uid, *identity.uid, *identity.uid) == 0;
}

// Sends one command and prints the answer.
int Ask(Stream* stream, LineReader* reader, const std::string& command) {
  std::string answer;
  // Even if it could not be sent: what the server said before it left is why.
  SendLine(stream, command);
  if (reader->Next(&answer) != LineReader::Result::kLine) {
    const std::string why = stream->failure();
    std::fprintf(stderr, "the server ended the connection%s%s\n", why.empty() ? "" : ": ",
                 why.c_str());
    return kFailed;
  }
  std::printf("%s\n", reeve::Printable(answer, kMaxLineBytes).c_str());
  return answer.rfind("refused", 0) == 0 ? kRefused : kAllowed;
}

// Asks all of `words` as one command or, if there are none, each line of standard input.
int Converse(Stream* stream, const std::vector<std::string>& words) {
  LineReader reader(stream);
  if (!words.empty()) {
    std::string command;
    for (const std::string& word : words) command += (command.empty() ? "" : " ") + word;
    return Ask(stream, &reader, command);
  }
  int worst = kAllowed;
  for (std::string line; worst != kFailed && std::getline(std::cin, line);) {
    worst = std::max(worst, Ask(stream, &reader, line));
  }
  return worst;
}

int Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  return kFailed;
}

// The same over TLS, with the server that is meant and no other.
int ConverseByTls(const Server& server, int fd, const std::vector<std::string>& words) {
  std::string error;
  const TlsContext context = ClientTls(server.files, &error);
  if (context == nullptr) return Fail(error);
  const std::string name = server.name.empty() ? HostOf(server.tls) : server.name;
  TlsStream stream(context.get(), fd, std::chrono::milliseconds(0));
  if (!stream.Connect(name)) {
    return Fail("no session with " + server.tls + ": " +
                (stream.failure().empty() ? "it has gone" : stream.failure()));
  }
  const absl::Status status = reeve::CheckTlsPeerName(stream.session(), name);
  if (!status.ok()) return Fail(server.tls + ": " + std::string(status.message()));
  return Converse(&stream, words);
}

int Run(const Server& server, const Identity& identity, const std::vector<std::string>& words) {
  if (identity.uid.has_value() && !Become(identity)) {
    return Fail("cannot become uid " + std::to_string(*identity.uid) + ": " + std::strerror(errno));
  }
  std::signal(SIGPIPE, SIG_IGN);
  std::string error;
  const int fd = !server.socket.empty()
                     ? Connect(server.socket, &error)
                     : ConnectTcp(server.tls.empty() ? server.tcp : server.tls, &error);
  if (fd < 0) return Fail(error);
  int status;
  if (server.tls.empty()) {
    SocketStream stream(fd);
    status = Converse(&stream, words);
  } else {
    status = ConverseByTls(server, fd, words);
  }
  close(fd);
  return status;
}

}  // namespace
}  // namespace document_server

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  CLI::App app("Asks the document server.");
  document_server::Server server;
  document_server::Identity identity;
  std::vector<std::string> words;
  CLI::Option_group* const where = app.add_option_group("where the server is");
  where->add_option("--socket", server.socket, "path of its Unix socket");
  where->add_option("--tcp", server.tcp, "HOST:PORT");
  CLI::Option* const tls = where->add_option("--tls", server.tls, "HOST:PORT, with TLS");
  where->require_option(1);
  tls->needs(app.add_option("--ca", server.files.authorities, "authorities that vouch for it, PEM")
                 ->needs(tls));
  app.add_option("--server-name", server.name,
                 "name or SPIFFE ID that its certificate must have; else the HOST")
      ->needs(tls);
  CLI::Option* const certificate =
      app.add_option("--certificate", server.files.certificate, "who you are, PEM")->needs(tls);
  certificate->needs(
      app.add_option("--key", server.files.key, "the key to it")->needs(certificate));
  CLI::Option* const uid = app.add_option("--uid", identity.uid, "become this user; for root");
  CLI::Option* const gid = app.add_option("--gid", identity.gid, "with this group")->needs(uid);
  uid->needs(gid);
  app.add_option("--groups", identity.groups, "and these others")
      ->delimiter(',')
      ->allow_extra_args(false)
      ->needs(uid);
  app.add_option("command", words, "read PATH | write PATH TEXT | delete PATH");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? document_server::kAllowed : document_server::kBadCall;
  }
  return document_server::Run(server, identity, words);
}
