// A small document server on an AF_UNIX socket, which asks Reeve who may do what. The lines between
// [embed] and [/embed] are all that this took; doc/embedding.md explains them.
#include <signal.h>
#include <sys/stat.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/engine.h"
#include "reeve/examples/document_server/connections.h"
#include "reeve/examples/document_server/documents.h"
#include "reeve/examples/document_server/lines.h"
#include "reeve/policy/load.h"
#include "reeve/store/audit_store.h"

namespace document_server {
namespace {

constexpr int kConnections = 32;  // Served at once.

// Exit status.
constexpr int kDone = 0;
constexpr int kBadCall = 2;
constexpr int kFailed = 3;

// Puts what the policy files say in force. If anything is wrong with them, all of it is printed,
// and what was in force stays.
bool LoadPolicy(const std::string& path, reeve::Engine* engine) {
  // [embed load]
  const reeve::LoadResult loaded = reeve::LoadPolicy(path);
  for (const reeve::Issue& issue : loaded.issues) {
    std::fprintf(stderr, "%s\n", reeve::ToString(issue).c_str());
  }
  if (!loaded.ok() || !engine->Replace(loaded.snapshot).ok()) return false;
  // [/embed]
  std::printf("policy %s in force\n", std::string(loaded.snapshot->digest()).c_str());
  return true;
}

// [embed obligations]
// Whether the server can do all that the rules oblige it to.
bool CanDischarge(const reeve::Decision& decision, bool* stamp) {
  for (const reeve::RuleOutcome& rule : decision.rules()) {
    for (const reeve::Obligation& obligation : rule->obligations) {
      if (obligation.id != "stamp") return false;
      *stamp = true;
    }
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

// Serves one connection until its end.
void Serve(const reeve::Engine& engine, Documents* documents, int fd) {
  // [embed accept]
  reeve::PeerOptions options;
  options.origin = reeve::SocketOrigin::kAccepted;
  const absl::StatusOr<reeve::PeerToken> peer = reeve::PeerToken::FromSocket(fd, options);
  const reeve::Principal principal =
      peer.ok() ? peer->principal() : reeve::UnidentifiedPeer(peer.status());
  // [/embed]
  LineReader reader(fd);
  std::string line;
  for (;;) {
    const LineReader::Result result = reader.Next(&line);
    if (result == LineReader::Result::kEnd) return;
    Command command;
    if (result == LineReader::Result::kLine) command = ParseCommand(line);
    if (result == LineReader::Result::kTooLong) command.defect = "the line is too long";
    if (!SendLine(fd, Answer(engine, principal, command, documents))) return;
    if (result == LineReader::Result::kTooLong) return;
  }
}

// Follows signals until one asks for the end.
void Follow(const sigset_t& signals, const std::string& policy, reeve::Engine* engine) {
  int signal = 0;
  while (sigwait(&signals, &signal) == 0 && signal == SIGHUP) {
    if (!LoadPolicy(policy, engine)) {
      std::printf("policy refused; %s stays in force\n",
                  std::string(engine->snapshot()->digest()).c_str());
    }
  }
}

int Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  return kFailed;
}

int Run(const std::string& socket, const std::string& policy, const std::string& audit) {
  // Before there is a second thread, so that all inherit it: signals wait for Follow().
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  // [embed engine]
  const absl::StatusOr<std::unique_ptr<reeve::AuditStore>> store = reeve::AuditStore::Open(audit);
  if (!store.ok()) return Fail(std::string(store.status().message()));
  reeve::Engine::Options options;
  options.audit = store->get();
  const absl::StatusOr<std::unique_ptr<reeve::Engine>> engine = reeve::Engine::Create(options);
  if (!engine.ok()) return Fail(std::string(engine.status().message()));
  // [/embed]
  if (!LoadPolicy(policy, engine->get())) return kBadCall;

  std::string error;
  const int listener = Listen(socket, &error);
  if (listener < 0) return Fail(error);
  Documents documents;
  {
    Connections connections(listener, kConnections,
                            [&](int fd) { Serve(**engine, &documents, fd); });
    std::printf("listening on %s\n", socket.c_str());
    Follow(signals, policy, engine->get());
  }
  unlink(socket.c_str());
  close(listener);
  return kDone;
}

}  // namespace
}  // namespace document_server

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // Who waits for "listening on" reads a pipe.
  CLI::App app("Serves documents on a Unix socket. SIGHUP reloads the policy, SIGTERM ends.");
  std::string socket, policy, audit;
  app.add_option("--socket", socket, "path of the socket to listen on")->required();
  app.add_option("--policy", policy, "policy file or directory")->required();
  app.add_option("--audit", audit, "audit store; made if it is not there")->required();
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? document_server::kDone : document_server::kBadCall;
  }
  return document_server::Run(socket, policy, audit);
}
