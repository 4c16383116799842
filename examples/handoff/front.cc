// The front: learns who its clients are, by Kerberos or TLS, and hands each over to the worker. It
// has the keys for that, and no policy. README.md says who holds what; the lines between [handoff]
// and [/handoff], here and in kerberos.cc and handover.cc, are all that this took.
#include <openssl/ssl.h>
#include <poll.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdio>
#include <functional>
#include <list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/krb5_acceptor.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/process_key.h"
#include "reeve/adapters/context/security_context.h"
#include "reeve/adapters/context/tls/tls_package.h"
#include "reeve/engine/clock.h"
#include "reeve/engine/text.h"
#include "reeve/examples/document_server/connections.h"
#include "reeve/examples/document_server/sockets.h"
#include "reeve/examples/document_server/stream.h"
#include "reeve/examples/document_server/tls.h"
#include "reeve/examples/handoff/frames.h"
#include "reeve/examples/handoff/handover.h"
#include "reeve/examples/handoff/kerberos.h"
#include "reeve/examples/handoff/messages.h"

namespace handoff {
namespace {

using document_server::SocketStream;
using document_server::TlsStream;

constexpr int kConnections = 32;  // Served at once, of each listening socket.
constexpr std::chrono::seconds kPatience(kPatienceSeconds);

// Exit status.
constexpr int kDone = 0;
constexpr int kBadCall = 2;
constexpr int kFailed = 3;

struct Settings {
  std::string krb5;  // Empty: none.
  std::string keytab;
  std::string service;
  std::string tls;
  document_server::TlsFiles files;
  std::string worker;
  uid_t worker_uid = geteuid();
};

// Serves connections, any number at once.
class Front {
 public:
  // None of them is owned; all must outlive this. `krb5` and `tls` may be null if what needs them
  // is not called.
  Front(const Settings* settings, const reeve::ProcessKey* key, const reeve::Machine* machine,
        const reeve::Krb5Service* krb5, SSL_CTX* tls, const reeve::TlsPackage* tls_package)
      : settings_(*settings),
        key_(*key),
        machine_(*machine),
        krb5_(krb5),
        tls_(tls),
        tls_package_(*tls_package) {}

  // Each serves one connection: by Kerberos until it is handed over, with TLS until its end.
  void ServeKrb5(int fd);
  void ServeTls(int fd);

 private:
  // Hands over `context`, and `connection` to talk with its client, to the worker. False if the
  // worker does not take it. Says on standard output what became of it.
  bool HandOver(reeve::SecurityContext context, int connection, const std::string& client);

  const Settings& settings_;
  const reeve::ProcessKey& key_;
  const reeve::Machine& machine_;
  const reeve::Krb5Service* const krb5_;
  SSL_CTX* const tls_;
  const reeve::TlsPackage& tls_package_;
  const reeve::Clock& clock_ = reeve::Clock::System();
};

// One line on standard output of what became of a client.
void Say(const std::string& client, const std::string& what) {
  std::printf("%s: %s\n", client.c_str(), reeve::Printable(what, 1000).c_str());
}

void Front::ServeKrb5(int fd) {
  const std::string address = document_server::PeerAddress(fd);
  SocketStream stream(fd);
  absl::StatusOr<KerberosClient> client = AcceptKerberos(*krb5_, &stream, clock_);
  if (!client.ok()) return Say(address, "nobody: " + Describe(client.status()));
  // From here on the worker has the keys of the client's messages, and this process has not.
  if (HandOver(std::move(client->context), fd, address)) {
    SendFrame(&stream, client->last_token);
  }
}

// No record of TLS holds more: whoever reads so much leaves nothing where poll(2) does not see it.
constexpr size_t kRecordBytes = 1 << 14;

// Passes on what comes from either side, until the worker has ended or both are silent. A client
// that has said goodbye still gets what it asked for.
void Relay(TlsStream* client, int client_fd, int worker_fd) {
  char bytes[kRecordBytes];
  SocketStream worker(worker_fd);
  pollfd ready[] = {{client_fd, POLLIN, 0}, {worker_fd, POLLIN, 0}};
  while (poll(ready, 2, static_cast<int>(std::chrono::milliseconds(kPatience).count())) > 0) {
    if (ready[0].revents != 0) {
      const size_t size = client->Receive(bytes, sizeof(bytes));
      if (size == 0) {
        shutdown(worker_fd, SHUT_WR);
        ready[0].fd = -1;
      } else if (!worker.Send({bytes, size})) {
        return;
      }
    }
    if (ready[1].revents != 0) {
      const size_t size = worker.Receive(bytes, sizeof(bytes));
      if (size == 0 || !client->Send({bytes, size})) return;
    }
  }
}

void Front::ServeTls(int fd) {
  const std::string address = document_server::PeerAddress(fd);
  TlsStream stream(tls_, fd, kPatience);
  if (!stream.Accept()) return Say(address, "nobody: " + stream.failure());
  // [handoff tls]
  absl::StatusOr<reeve::EstablishedContext> client =
      tls_package_.FromSession(stream.session(), clock_.Now());
  if (!client.ok()) return Say(address, "nobody: " + Describe(client.status()));
  absl::StatusOr<reeve::SecurityContext> context =
      reeve::SecurityContext::Establish(reeve::kTlsPackage, *std::move(client));
  // [/handoff]
  if (!context.ok()) return Say(address, "nobody: " + Describe(context.status()));
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) != 0) {
    return Say(address, "no descriptors are left");
  }
  const bool taken = HandOver(*std::move(context), pair[0], address);
  close(pair[0]);
  if (taken) Relay(&stream, fd, pair[1]);
  close(pair[1]);
}

bool Front::HandOver(reeve::SecurityContext context, int connection, const std::string& client) {
  absl::StatusOr<FrontLink> worker =
      FrontLink::Connect(settings_.worker, settings_.worker_uid, &key_, machine_);
  if (!worker.ok()) {
    Say(client, "no worker: " + Describe(worker.status()));
    return false;
  }
  // [handoff export]
  const absl::StatusOr<const reeve::Principal*> principal = context.principal(clock_.Now());
  if (!principal.ok()) {
    Say(client, Describe(principal.status()));
    return false;
  }
  const std::string who = ToString((*principal)->id);
  reeve::ExportOptions options;
  options.sealer = &worker->sealer();
  options.with_session = true;  // The keys of Kerberos, the certificates of TLS.
  options.window = absl::Seconds(kPatienceSeconds);
  Handover handover;
  handover.package = std::string(context.package());
  handover.connection = connection;
  absl::StatusOr<std::string> packed = std::move(context).Export(options);
  // [/handoff]
  if (!packed.ok()) {
    Say(client, who + ": not exported: " + Describe(packed.status()));
    return false;
  }
  handover.packed = *std::move(packed);
  const std::string answer = worker->HandOver(handover);
  Say(client, who + ": " + answer);
  return answer == kImported;
}

int Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  return kFailed;
}

// A listening socket, and what is done with its connections.
struct Door {
  std::string name;
  int listener;
  std::function<void(int fd)> serve;
};

// All that the settings name. False with *error set.
bool OpenDoors(const Settings& settings, Front* front, std::vector<Door>* doors,
               std::string* error) {
  if (!settings.krb5.empty()) {
    const int listener = document_server::ListenTcp(settings.krb5, error);
    if (listener < 0) return false;
    doors->push_back({document_server::LocalAddress(listener) + " for Kerberos", listener,
                      [front](int fd) { front->ServeKrb5(fd); }});
  }
  if (!settings.tls.empty()) {
    const int listener = document_server::ListenTcp(settings.tls, error);
    if (listener < 0) return false;
    doors->push_back({document_server::LocalAddress(listener) + " with TLS", listener,
                      [front](int fd) { front->ServeTls(fd); }});
  }
  return true;
}

int Run(const Settings& settings) {
  // Before there is a second thread, so that all inherit it.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  // [handoff keys]
  const absl::StatusOr<reeve::Machine> machine = reeve::Machine::Read();
  if (!machine.ok()) return Fail(Describe(machine.status()));
  const absl::StatusOr<std::unique_ptr<reeve::ProcessKey>> key = reeve::ProcessKey::Create();
  if (!key.ok()) return Fail(Describe(key.status()));
  std::unique_ptr<reeve::Krb5Service> krb5;
  if (!settings.krb5.empty()) {
    reeve::Krb5Service::Options options;
    options.keytab = settings.keytab;
    options.name = settings.service;
    absl::StatusOr<std::unique_ptr<reeve::Krb5Service>> service =
        reeve::Krb5Service::Create(options);
    if (!service.ok()) return Fail(Describe(service.status()));
    krb5 = *std::move(service);
  }
  // What the handshake finds is enough here: the worker sees for itself whom it believes.
  const absl::StatusOr<std::unique_ptr<reeve::TlsPackage>> tls_package =
      reeve::TlsPackage::Create(reeve::TlsPackageOptions());
  if (!tls_package.ok()) return Fail(Describe(tls_package.status()));
  // [/handoff]
  std::string error;
  document_server::TlsContext tls;
  if (!settings.tls.empty()) {
    tls = document_server::ServerTls(settings.files, &error);
    if (tls == nullptr) return Fail(error);
    // Who shows no certificate is nobody, of whom there is no context to hand over.
    SSL_CTX_set_verify(tls.get(), SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, nullptr);
  }

  Front front(&settings, key->get(), &*machine, krb5.get(), tls.get(), tls_package->get());
  std::vector<Door> doors;
  if (!OpenDoors(settings, &front, &doors, &error)) return Fail(error);
  {
    std::list<document_server::Connections> connections;
    for (const Door& door : doors) {
      connections.emplace_back(door.listener, kConnections, kPatience, door.serve);
      std::printf("listening on %s\n", door.name.c_str());
    }
    int signal = 0;
    sigwait(&signals, &signal);
  }
  for (const Door& door : doors) close(door.listener);
  return kDone;
}

}  // namespace
}  // namespace handoff

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // Who waits for "listening on" reads a pipe.
  CLI::App app(
      "Learns who its clients are, by Kerberos and TLS, and hands each over to a worker. SIGTERM "
      "ends.");
  handoff::Settings settings;
  CLI::Option_group* const doors = app.add_option_group("where to listen");
  CLI::Option* const krb5 =
      doors->add_option("--krb5", settings.krb5, "HOST:PORT, for Kerberos; port 0: any");
  CLI::Option* const tls = doors->add_option("--tls", settings.tls, "HOST:PORT, with TLS");
  doors->require_option(1, 2);
  krb5->needs(app.add_option("--keytab", settings.keytab, "the service's keys")->needs(krb5));
  app.add_option("--service", settings.service,
                 "service that tickets are for, documents@localhost; else all of the keytab")
      ->needs(krb5);
  tls->needs(
      app.add_option("--certificate", settings.files.certificate, "the server's, PEM")->needs(tls));
  tls->needs(app.add_option("--key", settings.files.key, "the key to it")->needs(tls));
  tls->needs(app.add_option("--clients", settings.files.authorities,
                            "the authorities that vouch for clients")
                 ->needs(tls));
  app.add_option("--worker", settings.worker, "path of the worker's socket")->required();
  app.add_option("--worker-uid", settings.worker_uid,
                 "the worker's user; whoever else listens there is told nothing; else one's own");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? handoff::kDone : handoff::kBadCall;
  }
  return handoff::Run(settings);
}
