// The worker: imports the clients that a front hands over, decides what they ask by its own policy,
// and records both. It has no keytab, no key of TLS and no ticket. The lines between [handoff] and
// [/handoff] are all that this took.
#include <openssl/x509_vfy.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/import_authorizer.h"
#include "reeve/adapters/context/krb5/krb5_package.h"
#include "reeve/adapters/context/seal/key_exchange.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/process_key.h"
#include "reeve/adapters/context/seal/process_seal.h"
#include "reeve/adapters/context/seal/single_use.h"
#include "reeve/adapters/context/security_context.h"
#include "reeve/adapters/context/tls/tls_package.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/clock.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/mutex.h"
#include "reeve/engine/text.h"
#include "reeve/examples/document_server/connections.h"
#include "reeve/examples/document_server/documents.h"
#include "reeve/examples/document_server/lines.h"
#include "reeve/examples/document_server/sockets.h"
#include "reeve/examples/document_server/stream.h"
#include "reeve/examples/handoff/handover.h"
#include "reeve/examples/handoff/messages.h"
#include "reeve/policy/load.h"
#include "reeve/store/audit_store.h"

namespace handoff {
namespace {

using document_server::Command;
using document_server::LineReader;

constexpr int kClients = 32;  // Served at once.
constexpr std::chrono::seconds kPatience(kPatienceSeconds);
constexpr size_t kImports = 65536;  // Within the time that a packed context can be opened in.

// Exit status.
constexpr int kDone = 0;
constexpr int kBadCall = 2;
constexpr int kFailed = 3;

struct Settings {
  std::string socket;
  std::string policy;
  std::string audit;
  std::string clients;
  double leap_seconds = 0;
};

// The machine's clock, put ahead. For tests of what is over after a while.
class LeapingClock final : public reeve::Clock {
 public:
  absl::Time Now() const override { return Clock::System().Now() + absl::Seconds(ahead_.load()); }
  void Leap(double seconds) { ahead_ = ahead_ + seconds; }

 private:
  std::atomic<double> ahead_{0};
};

// Who asks when the context is over: nobody, until the client authenticates again.
reeve::Principal Nobody(const absl::Status& why) {
  reeve::Principal nobody;
  nobody.via = "context";
  nobody.evidence = "refused: " + reeve::Printable(Describe(why), 1000);
  return nobody;
}

// What clients have in common. None of it is owned; all must outlive the Worker.
struct Parts {
  const reeve::Engine* engine;
  const reeve::ProcessKey* key;
  reeve::ProcessOpener* opener;
  const reeve::Krb5Package* krb5;
  const reeve::TlsPackage* tls;
  const reeve::Clock* clock;
};

// Serves clients, any number at once.
class Worker {
 public:
  explicit Worker(const Parts& parts) : parts_(parts), authorizer_(*parts.engine) {}

  // Takes the client that the front at the other end of `fd` hands over, and serves it to its end.
  void Serve(int fd);

  // Lets each client finish the command that is being done, and do no other.
  void End();

 private:
  absl::StatusOr<reeve::SecurityContext> Import(int fd, Handover* handover);
  void Converse(reeve::SecurityContext* context, int connection);
  std::string Answer(const reeve::SecurityContext& context, const Command& command);

  const Parts parts_;
  reeve::ImportByPolicy authorizer_;
  document_server::Documents documents_;
  reeve::Mutex mutex_;
  bool ending_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<int> open_ ABSL_GUARDED_BY(mutex_);
};

void Worker::Serve(int fd) {
  document_server::SocketStream front(fd);
  Handover handover;
  absl::StatusOr<reeve::SecurityContext> context = Import(fd, &handover);
  if (context.ok()) {
    SendLine(&front, kImported);
    Converse(&*context, handover.connection);
  } else {
    // The reason is for the operator; of it the front, which may be somebody else, gets the word.
    const std::string why = Describe(context.status());
    std::fprintf(stderr, "not imported: %s\n", reeve::Printable(why, 1000).c_str());
    SendLine(&front, "refused: " + why.substr(0, why.find(':')));
  }
  if (handover.connection >= 0) close(handover.connection);
}

absl::StatusOr<reeve::SecurityContext> Worker::Import(int fd, Handover* handover) {
  // [handoff import]
  reeve::PeerOptions accepted;
  accepted.origin = reeve::SocketOrigin::kAccepted;
  const absl::StatusOr<reeve::PeerToken> front = reeve::PeerToken::FromSocket(fd, accepted);
  if (!front.ok()) return front.status();
  const absl::StatusOr<reeve::PublicKey> key =
      reeve::ExchangePublicKeys(fd, parts_.key->public_key(), absl::Seconds(kPatienceSeconds));
  if (!key.ok()) return key.status();
  // Whoever it is: what it may hand over is for the policy to say.
  if (absl::Status status = parts_.opener->Trust(*key, *front); !status.ok()) return status;
  if (!ReceiveHandover(fd, handover)) return absl::UnavailableError("nothing was handed over");

  reeve::ImportOptions options;
  options.packages = {parts_.krb5, parts_.tls};
  options.opener = parts_.opener;
  options.exporter = &*front;
  options.authorizer = &authorizer_;
  options.clock = parts_.clock;
  return reeve::ImportSecurityContext(handover->package, handover->packed, options);
  // [/handoff]
}

void Worker::Converse(reeve::SecurityContext* context, int connection) {
  {
    reeve::MutexLock lock(mutex_);
    if (ending_) return;
    open_.insert(connection);
  }
  // Whatever the front has set.
  const timeval patience = {kPatience.count(), 0};
  setsockopt(connection, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(connection, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  document_server::SocketStream plain(connection);
  document_server::Stream* stream = &plain;
  // [handoff messages]
  std::optional<MessageStream> messages;
  if (context->package() == parts_.krb5->name()) {
    messages.emplace(
        &plain,
        [&](std::string_view text) {
          return context->Wrap(text, /*encrypt=*/true, parts_.clock->Now());
        },
        [&](std::string_view wrapped) { return context->Unwrap(wrapped, parts_.clock->Now()); });
    stream = &*messages;
  }
  // [/handoff]
  LineReader reader(stream);
  std::string line;
  for (;;) {
    const LineReader::Result result = reader.Next(&line);
    const std::string failure = stream->failure();
    if (result == LineReader::Result::kEnd && failure.empty()) break;
    {
      reeve::MutexLock lock(mutex_);
      if (ending_) break;
    }
    Command command;
    if (result == LineReader::Result::kLine) command = document_server::ParseCommand(line);
    if (result == LineReader::Result::kTooLong) command.defect = "the line is too long";
    // A message that cannot be read is somebody's request, too: it is recorded.
    if (result == LineReader::Result::kEnd) command.defect = failure;
    if (!SendLine(stream, Answer(*context, command))) break;
    if (result != LineReader::Result::kLine) break;
  }
  reeve::MutexLock lock(mutex_);
  open_.erase(connection);
}

std::string Worker::Answer(const reeve::SecurityContext& context, const Command& command) {
  // [handoff decide]
  const absl::StatusOr<const reeve::Principal*> asks = context.principal(parts_.clock->Now());
  const reeve::Principal nobody = asks.ok() ? reeve::Principal() : Nobody(asks.status());
  const std::string action = "doc." + std::string(command.verb);
  reeve::Request request(asks.ok() ? **asks : nobody, action, {"doc", command.path});
  request.defect = command.defect;
  const reeve::Decision decision = parts_.engine->Decide(request);
  // There is nothing here that an obligation could be met with.
  if (decision.allowed() && decision.obligations().empty()) return documents_.Do(command);
  // [/handoff]
  if (decision.record_failed()) {
    std::fprintf(stderr, "no record could be kept: %s\n", std::string(decision.error()).c_str());
  }
  if (!asks.ok()) return "refused: you are no longer signed in; connect again";
  std::string answer = "refused: you may not do this";
  if (!decision.message().empty()) answer.append(": ").append(decision.message());
  return answer;
}

void Worker::End() {
  reeve::MutexLock lock(mutex_);
  ending_ = true;
  for (const int connection : open_) shutdown(connection, SHUT_RD);
}

int Fail(const std::string& what) {
  std::fprintf(stderr, "%s\n", what.c_str());
  return kFailed;
}

struct FreeStore {
  void operator()(X509_STORE* store) const { X509_STORE_free(store); }
};
using Store = std::unique_ptr<X509_STORE, FreeStore>;

// The certificates in `file`, PEM; null if there is none.
Store LoadStore(const std::string& file) {
  Store store(X509_STORE_new());
  if (store != nullptr && X509_STORE_load_file(store.get(), file.c_str()) != 1) store = nullptr;
  return store;
}

// Puts what the policy files say in force. If anything is wrong with them, all of it is printed,
// and what was in force stays.
bool LoadPolicy(const std::string& path, reeve::Engine* engine) {
  const reeve::LoadResult loaded = reeve::LoadPolicy(path);
  for (const reeve::Issue& issue : loaded.issues) {
    std::fprintf(stderr, "%s\n", reeve::ToString(issue).c_str());
  }
  return loaded.ok() && engine->Replace(loaded.snapshot).ok();
}

// Follows signals until one asks for the end.
void Follow(const sigset_t& signals, const Settings& settings, LeapingClock* clock,
            reeve::Engine* engine) {
  int signal = 0;
  while (sigwait(&signals, &signal) == 0) {
    if (signal == SIGHUP) {
      const bool loaded = LoadPolicy(settings.policy, engine);
      std::printf("policy %s\n", loaded ? "in force" : "refused; the old one stays in force");
    } else if (signal == SIGUSR1) {
      clock->Leap(settings.leap_seconds);
      std::printf("the clock is put ahead\n");
    } else {
      return;
    }
  }
}

int Run(const Settings& settings) {
  // Before there is a second thread, so that all inherit it: signals wait for Follow().
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGHUP, SIGINT, SIGTERM, SIGUSR1}) sigaddset(&signals, signal);
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  ::signal(SIGPIPE, SIG_IGN);

  LeapingClock clock;
  const absl::StatusOr<std::unique_ptr<reeve::AuditStore>> store =
      reeve::AuditStore::Open(settings.audit);
  if (!store.ok()) return Fail(std::string(store.status().message()));
  reeve::Engine::Options engine_options;
  engine_options.audit = store->get();
  engine_options.clock = &clock;
  const absl::StatusOr<std::unique_ptr<reeve::Engine>> engine =
      reeve::Engine::Create(engine_options);
  if (!engine.ok()) return Fail(std::string(engine.status().message()));
  if (!LoadPolicy(settings.policy, engine->get())) return kBadCall;

  // [handoff keys]
  const absl::StatusOr<reeve::Machine> machine = reeve::Machine::Read();
  if (!machine.ok()) return Fail(Describe(machine.status()));
  const absl::StatusOr<std::unique_ptr<reeve::ProcessKey>> key = reeve::ProcessKey::Create();
  if (!key.ok()) return Fail(Describe(key.status()));
  const absl::StatusOr<std::unique_ptr<reeve::SingleUse>> single_use =
      reeve::SingleUse::Create(kImports, clock.Now());
  if (!single_use.ok()) return Fail(Describe(single_use.status()));
  const absl::StatusOr<std::unique_ptr<reeve::ProcessOpener>> opener =
      reeve::ProcessOpener::Create(key->get(), *machine, single_use->get(), {});
  if (!opener.ok()) return Fail(Describe(opener.status()));
  const absl::StatusOr<std::unique_ptr<reeve::Krb5Package>> krb5 =
      reeve::Krb5Package::Create(reeve::Krb5Mechanism::kKrb5);
  if (!krb5.ok()) return Fail(Describe(krb5.status()));
  reeve::TlsPackageOptions tls_options;
  const Store trusted = LoadStore(settings.clients);
  if (trusted == nullptr) return Fail(settings.clients + ": no certificates that can be read");
  tls_options.trusted = trusted.get();
  const absl::StatusOr<std::unique_ptr<reeve::TlsPackage>> tls =
      reeve::TlsPackage::Create(tls_options);
  if (!tls.ok()) return Fail(Describe(tls.status()));
  // [/handoff]

  Worker worker({engine->get(), key->get(), opener->get(), krb5->get(), tls->get(), &clock});
  std::string error;
  const int listener = document_server::Listen(settings.socket, &error);
  if (listener < 0) return Fail(error);
  {
    document_server::Connections connections(listener, kClients, kPatience,
                                             [&worker](int fd) { worker.Serve(fd); });
    std::printf("listening on %s\n", settings.socket.c_str());
    Follow(signals, settings, &clock, engine->get());
    worker.End();
  }
  unlink(settings.socket.c_str());
  close(listener);
  return kDone;
}

}  // namespace
}  // namespace handoff

int main(int argc, char** argv) {
  std::setvbuf(stdout, nullptr, _IOLBF, 0);  // Who waits for "listening on" reads a pipe.
  CLI::App app(
      "Serves the clients that a front hands over. SIGHUP reloads the policy, SIGTERM ends.");
  handoff::Settings settings;
  app.add_option("--socket", settings.socket,
                 "path of a Unix socket, in a directory that fronts alone can enter")
      ->required();
  app.add_option("--policy", settings.policy, "policy file or directory")->required();
  app.add_option("--audit", settings.audit, "audit store; made if it is not there")->required();
  app.add_option("--clients", settings.clients,
                 "the authorities that vouch for clients of TLS, whatever the front believes; PEM")
      ->required();
  app.add_option("--leap", settings.leap_seconds,
                 "for tests: SIGUSR1 puts this program's clock so many seconds ahead");
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? handoff::kDone : handoff::kBadCall;
  }
  return handoff::Run(settings);
}
