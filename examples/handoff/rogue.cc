// A front that misbehaves, for the demo and the tests. It takes one client by Kerberos as the front
// does, hands it over as its MODE says, and prints each answer of a worker:
//   once          as the front does: what counts is as which user it runs
//   twice         the same packed context to the same worker again
//   elsewhere     what is sealed to the worker to the one at --other
//   by-child      what it sealed itself by a process that it starts
//   misaddressed  sealed by the key of the worker at --other, for the process of the worker
//   altered       with a bit of it turned
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <csignal>
#include <cstdio>
#include <memory>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/krb5/krb5_acceptor.h"
#include "reeve/adapters/context/seal/key_exchange.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/process_key.h"
#include "reeve/adapters/context/seal/process_seal.h"
#include "reeve/adapters/context/security_context.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/clock.h"
#include "reeve/examples/document_server/sockets.h"
#include "reeve/examples/document_server/stream.h"
#include "reeve/examples/handoff/handover.h"
#include "reeve/examples/handoff/kerberos.h"
#include "reeve/examples/handoff/messages.h"

namespace handoff {
namespace {

constexpr int kDone = 0;
constexpr int kBadCall = 2;
constexpr int kFailed = 3;

struct Settings {
  std::string krb5;
  std::string keytab;
  std::string worker;
  uid_t worker_uid = geteuid();
  std::string other;
  std::string mode;
};

int Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  return kFailed;
}

// Prints what a worker answers.
void Say(const std::string& answer) { std::printf("%s\n", answer.c_str()); }

// A sealer by the key of whoever accepts at `key_path`, for the process that listens at `path`.
absl::StatusOr<std::unique_ptr<reeve::ProcessSealer>> MisaddressedSealer(
    const std::string& key_path, const std::string& path, const reeve::ProcessKey& own,
    const reeve::Machine& machine) {
  std::string error;
  const int key_fd = document_server::Connect(key_path, &error);
  const int fd = document_server::Connect(path, &error);
  if (key_fd < 0 || fd < 0) return absl::UnavailableError(error);
  const absl::StatusOr<reeve::PublicKey> key =
      reeve::ExchangePublicKeys(key_fd, own.public_key(), absl::Seconds(kPatienceSeconds));
  reeve::PeerOptions options;
  options.origin = reeve::SocketOrigin::kInherited;
  const absl::StatusOr<reeve::PeerToken> target = reeve::PeerToken::FromSocket(fd, options);
  close(key_fd);
  close(fd);
  if (!key.ok()) return key.status();
  if (!target.ok()) return target.status();
  return reeve::ProcessSealer::Create(&own, *key, *target, machine);
}

int Misbehave(const Settings& settings, const reeve::Krb5Service& service, int client_fd) {
  document_server::SocketStream stream(client_fd);
  absl::StatusOr<KerberosClient> client = AcceptKerberos(service, &stream, reeve::Clock::System());
  if (!client.ok()) return Fail(Describe(client.status()));
  const absl::StatusOr<reeve::Machine> machine = reeve::Machine::Read();
  if (!machine.ok()) return Fail(Describe(machine.status()));
  const absl::StatusOr<std::unique_ptr<reeve::ProcessKey>> key = reeve::ProcessKey::Create();
  if (!key.ok()) return Fail(Describe(key.status()));
  Handover handover = {std::string(client->context.package()), "", client_fd};
  // Each by a connection of its own.
  const auto hand_over = [&](const std::string& path, const reeve::ProcessKey* own) {
    absl::StatusOr<FrontLink> link = FrontLink::Connect(path, settings.worker_uid, own, *machine);
    Say(link.ok() ? link->HandOver(handover) : Describe(link.status()));
  };

  absl::StatusOr<FrontLink> link =
      FrontLink::Connect(settings.worker, settings.worker_uid, key->get(), *machine);
  if (!link.ok()) return Fail(Describe(link.status()));
  reeve::ExportOptions options;
  options.sealer = &link->sealer();
  options.with_session = true;
  std::unique_ptr<reeve::ProcessSealer> misaddressed;
  if (settings.mode == "misaddressed") {
    absl::StatusOr<std::unique_ptr<reeve::ProcessSealer>> sealer =
        MisaddressedSealer(settings.other, settings.worker, **key, *machine);
    if (!sealer.ok()) return Fail(Describe(sealer.status()));
    misaddressed = *std::move(sealer);
    options.sealer = misaddressed.get();
  }
  absl::StatusOr<std::string> packed = std::move(client->context).Export(options);
  if (!packed.ok()) return Fail(Describe(packed.status()));
  handover.packed = *std::move(packed);
  if (settings.mode == "altered") handover.packed.back() ^= 1;

  if (settings.mode == "elsewhere" || settings.mode == "misaddressed") {
    hand_over(settings.other, key->get());
    return kDone;
  }
  Say(link->HandOver(handover));
  if (settings.mode == "twice") hand_over(settings.worker, key->get());
  if (settings.mode == "by-child") {
    std::fflush(stdout);
    const pid_t child = fork();
    if (child == 0) {
      const absl::StatusOr<std::unique_ptr<reeve::ProcessKey>> own = reeve::ProcessKey::Create();
      if (own.ok()) hand_over(settings.worker, own->get());
      std::fflush(stdout);
      _exit(own.ok() ? kDone : kFailed);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child || status != 0) return kFailed;
  }
  return kDone;
}

int Run(const Settings& settings) {
  std::signal(SIGPIPE, SIG_IGN);
  reeve::Krb5Service::Options options;
  options.keytab = settings.keytab;
  const absl::StatusOr<std::unique_ptr<reeve::Krb5Service>> service =
      reeve::Krb5Service::Create(options);
  if (!service.ok()) return Fail(Describe(service.status()));
  std::string error;
  const int listener = document_server::ListenTcp(settings.krb5, &error);
  if (listener < 0) return Fail(error);
  std::printf("listening on %s\n", document_server::LocalAddress(listener).c_str());
  const int fd = accept4(listener, nullptr, nullptr, SOCK_CLOEXEC);
  if (fd < 0) return Fail("nobody came");
  const int status = Misbehave(settings, **service, fd);
  shutdown(fd, SHUT_RDWR);  // Also for a worker that took it.
  close(fd);
  close(listener);
  return status;
}

}  // namespace
}  // namespace handoff

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);
  CLI::App app("A front that misbehaves, with one client.");
  handoff::Settings settings;
  app.add_option("--krb5", settings.krb5, "HOST:PORT; port 0: any")->required();
  app.add_option("--keytab", settings.keytab, "the service's keys")->required();
  app.add_option("--worker", settings.worker, "path of the worker's socket")->required();
  app.add_option("--worker-uid", settings.worker_uid, "the workers' user; else one's own");
  CLI::Option* const other = app.add_option("--other", settings.other, "of another worker's");
  app.add_option("mode", settings.mode, "what to do")
      ->required()
      ->check(CLI::IsMember({"once", "twice", "elsewhere", "by-child", "misaddressed", "altered"}));
  try {
    app.parse(argc, argv);
    const bool needs_other = settings.mode == "elsewhere" || settings.mode == "misaddressed";
    if (needs_other && other->count() == 0) throw CLI::RequiredError("--other");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? handoff::kDone : handoff::kBadCall;
  }
  return handoff::Run(settings);
}
