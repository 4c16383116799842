// A small document server on a Unix socket, on TCP and with TLS, which asks Reeve who may do what.
// The lines between [embed] and [/embed] are all that this took; doc/embedding.md explains them.
#include <openssl/types.h>
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/adapters/socket/tls/tls_peer.h"
#include "reeve/engine/engine.h"
#include "reeve/examples/document_server/connections.h"
#include "reeve/examples/document_server/documents.h"
#include "reeve/examples/document_server/lines.h"
#include "reeve/examples/document_server/sockets.h"
#include "reeve/examples/document_server/stream.h"
#include "reeve/examples/document_server/tls.h"
#include "reeve/policy/policy_watcher.h"
#include "reeve/store/audit_store.h"

namespace document_server {
namespace {

constexpr int kConnections = 32;               // Served at once, of each listening socket.
constexpr std::chrono::seconds kPatience(10);  // With peers that are silent.

// Exit status.
constexpr int kDone = 0;
constexpr int kBadCall = 2;
constexpr int kFailed = 3;

// [embed report]
// Says what came of loading the policy files, whenever they have changed. If anything is wrong with
// them, what was in force stays.
void Report(const reeve::PolicyWatcher::Attempt& attempt) {
  for (const reeve::Issue& issue : attempt.issues) {
    std::fprintf(stderr, "%s\n", reeve::ToString(issue).c_str());
  }
  if (!attempt.ok && !attempt.digest.empty()) {
    std::printf("policy refused; %s stays in force\n", attempt.digest.c_str());
  } else if (attempt.replaced || attempt.mended || attempt.requested) {
    std::printf("policy %s in force\n", attempt.digest.c_str());
  }
}
// [/embed]

// [embed obligations]
// Whether the server can do all that the rules oblige it to.
bool CanDischarge(const reeve::Decision& decision, bool* stamp) {
  for (const reeve::MadeObligation& obligation : decision.obligations()) {
    if (obligation.id() != "stamp") return false;
    *stamp = true;
  }
  return true;
}
// [/embed]

// What a refused peer is told: a sentence that gives nothing away, and what the policy's author
// wants said. What went wrong is for the operator.
std::string Refusal(const reeve::Decision& decision) {
  if (decision.reason() == reeve::Reason::kAuditFailed) {
    std::fprintf(stderr, "no record could be kept: %s\n", std::string(decision.error()).c_str());
  }
  std::string answer = "refused: you may not do this";
  if (!decision.message().empty()) answer.append(": ").append(decision.message());
  return answer;
}

// The answer to one line.
std::string Answer(const reeve::Engine& engine, const reeve::Principal& principal,
                   const Command& command, Documents* documents) {
  // [embed decide]
  const std::string action = "doc." + std::string(command.verb);
  reeve::Request request(principal, action, {"doc", command.path});
  request.defect = command.defect;
  const reeve::Decision decision = engine.Decide(request);
  bool stamp = false;
  if (!decision.allowed() || !CanDischarge(decision, &stamp)) return Refusal(decision);
  // [/embed]
  const std::string answer = documents->Do(command);
  return stamp ? answer + " [read by " + principal.id.id + "]" : answer;
}

// Serves connections, any number at once.
class Server {
 public:
  // `tls` may be null if ServeTls() is not called. None of them is owned; all must outlive this.
  Server(const reeve::Engine* engine, SSL_CTX* tls) : engine_(*engine), tls_(tls) {}

  // Each serves one connection until its end.
  void Serve(int fd);
  void ServeTls(int fd);

  // Lets each connection finish the command that it is doing, and do no other.
  void End() { ending_ = true; }

 private:
  // Answers the lines of `stream`, all of which `principal` sends.
  void Converse(const reeve::Principal& principal, Stream* stream);

  const reeve::Engine& engine_;
  SSL_CTX* const tls_;
  Documents documents_;
  std::atomic<bool> ending_{false};
};

// Of a Unix socket or TCP.
void Server::Serve(int fd) {
  // [embed accept]
  reeve::PeerOptions options;
  options.origin = reeve::SocketOrigin::kAccepted;
  const absl::StatusOr<reeve::PeerToken> peer = reeve::PeerToken::FromSocket(fd, options);
  const reeve::Principal principal =
      peer.ok() ? peer->principal() : reeve::UnidentifiedPeer(peer.status());
  // [/embed]
  SocketStream stream(fd);
  Converse(principal, &stream);
}

void Server::ServeTls(int fd) {
  TlsStream stream(tls_, fd, kPatience);
  if (!stream.Accept()) {
    std::fprintf(stderr, "no session with %s: %s\n", PeerAddress(fd).c_str(),
                 stream.failure().empty() ? "it has gone" : stream.failure().c_str());
    return;
  }
  // [embed tls]
  const reeve::TlsPeer tls(stream.session());
  reeve::PeerOptions options;
  options.sources = {&tls};
  // The certificate alone says who it is. Of a client on this machine the kernel would say it, too,
  // by another name, and who has two names is refused.
  options.local_tcp = false;
  const absl::StatusOr<reeve::PeerToken> peer = reeve::PeerToken::FromSocket(fd, options);
  const reeve::Principal principal =
      peer.ok() ? peer->principal() : reeve::UnidentifiedPeer(peer.status());
  // [/embed]
  Converse(principal, &stream);
}

void Server::Converse(const reeve::Principal& principal, Stream* stream) {
  LineReader reader(stream);
  std::string line;
  while (!ending_) {
    const LineReader::Result result = reader.Next(&line);
    if (result == LineReader::Result::kEnd) return;
    Command command;
    if (result == LineReader::Result::kLine) command = ParseCommand(line);
    if (result == LineReader::Result::kTooLong) command.defect = "the line is too long";
    if (!SendLine(stream, Answer(engine_, principal, command, &documents_))) return;
    if (result == LineReader::Result::kTooLong) return;
  }
}

// Follows signals until one asks for the end.
void Follow(const sigset_t& signals, reeve::PolicyWatcher* watcher) {
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) watcher->ReloadNow();
}

int Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  return kFailed;
}

struct Settings {
  std::string socket;  // Empty: none.
  std::string tcp;
  std::string tls;
  TlsFiles files;
  std::string policy;
  std::string audit;
};

// A listening socket, and what is done with its connections.
struct Door {
  std::string name;
  int listener;
  std::function<void(int fd)> serve;
};

// All that the settings name, the Unix socket last, for it leaves a file. False with *error set.
bool OpenDoors(const Settings& settings, Server* server, std::vector<Door>* doors,
               std::string* error) {
  const auto plain = [server](int fd) { server->Serve(fd); };
  const auto tls = [server](int fd) { server->ServeTls(fd); };
  if (!settings.tcp.empty()) {
    const int listener = ListenTcp(settings.tcp, error);
    if (listener < 0) return false;
    doors->push_back({LocalAddress(listener), listener, plain});
  }
  if (!settings.tls.empty()) {
    const int listener = ListenTcp(settings.tls, error);
    if (listener < 0) return false;
    doors->push_back({LocalAddress(listener) + " with TLS", listener, tls});
  }
  if (!settings.socket.empty()) {
    const int listener = Listen(settings.socket, error);
    if (listener < 0) return false;
    doors->push_back({settings.socket, listener, plain});
  }
  return true;
}

int Run(const Settings& settings) {
  // Before there is a second thread, so that all inherit it: signals wait for Follow().
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  std::string error;
  TlsContext tls;
  if (!settings.tls.empty() && (tls = ServerTls(settings.files, &error)) == nullptr) {
    return Fail(error);
  }
  // [embed engine]
  const absl::StatusOr<std::unique_ptr<reeve::AuditStore>> store =
      reeve::AuditStore::Open(settings.audit);
  if (!store.ok()) return Fail(std::string(store.status().message()));
  reeve::Engine::Options options;
  options.audit = store->get();
  const absl::StatusOr<std::unique_ptr<reeve::Engine>> engine = reeve::Engine::Create(options);
  if (!engine.ok()) return Fail(std::string(engine.status().message()));
  // [/embed]
  // [embed load]
  reeve::PolicyWatcher::Options watching;
  watching.report = Report;
  const absl::StatusOr<std::unique_ptr<reeve::PolicyWatcher>> watcher =
      reeve::PolicyWatcher::Start(settings.policy, engine->get(), watching);
  if (!watcher.ok()) return Fail(std::string(watcher.status().message()));
  if (!(*watcher)->status().in_force) return kBadCall;  // Report() has said why.
  // [/embed]

  Server server(engine->get(), tls.get());
  std::vector<Door> doors;
  if (!OpenDoors(settings, &server, &doors, &error)) return Fail(error);
  {
    std::list<Connections> connections;
    for (const Door& door : doors) {
      connections.emplace_back(door.listener, kConnections, kPatience, door.serve);
      std::printf("listening on %s\n", door.name.c_str());
    }
    Follow(signals, watcher->get());
    server.End();
  }
  if (!settings.socket.empty()) unlink(settings.socket.c_str());
  for (const Door& door : doors) close(door.listener);
  return kDone;
}

}  // namespace
}  // namespace document_server

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // Who waits for "listening on" reads a pipe.
  CLI::App app(
      "Serves documents on a Unix socket, on TCP and with TLS. A policy that "
      "changes is loaded again, SIGTERM ends.");
  document_server::Settings settings;
  CLI::Option_group* const doors = app.add_option_group("where to listen");
  doors->add_option("--socket", settings.socket, "path of a Unix socket");
  doors->add_option("--tcp", settings.tcp,
                    "HOST:PORT, such as 127.0.0.1:7000; port 0: any. Who calls from another "
                    "machine is anonymous");
  CLI::Option* const tls =
      doors->add_option("--tls", settings.tls, "the same, with TLS: certificates say who calls");
  doors->require_option(1, 3);
  for (const auto& [name, file, what] :
       {std::tuple("--certificate", &settings.files.certificate, "the server's, PEM"),
        {"--key", &settings.files.key, "the key to it"},
        {"--clients", &settings.files.authorities, "the authorities that vouch for clients"}}) {
    tls->needs(app.add_option(name, *file, what)->needs(tls));
  }
  app.add_option("--policy", settings.policy, "policy file or directory")->required();
  app.add_option("--audit", settings.audit, "audit store; made if it is not there")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? document_server::kDone : document_server::kBadCall;
  }
  return document_server::Run(settings);
}
