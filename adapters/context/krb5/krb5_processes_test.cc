// The client, the server and the one that the context is handed to are three processes, and the KDC
// is another. The last has no keytab and no ticket, and gets the context through a socket; in the
// clear here, for the seals have tests of their own.
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/kdc_testing.h"
#include "reeve/adapters/context/krb5/krb5_acceptor.h"
#include "reeve/adapters/context/krb5/krb5_delegation.h"
#include "reeve/adapters/context/krb5/krb5_initiator.h"
#include "reeve/adapters/context/krb5/krb5_options.h"
#include "reeve/adapters/context/krb5/krb5_package.h"
#include "reeve/adapters/context/secret_bytes.h"
#include "reeve/adapters/socket/process_testing.h"
#include "reeve/engine/clock.h"

namespace reeve {
namespace {

using krb5_testing::Kdc;
using peer_testing::Child;

absl::Time Now() { return Clock::System().Now(); }

std::string Word(const absl::Status& status) {
  const std::optional<ContextError> error = ContextErrorOf(status);
  return error.has_value() ? std::string(ToString(*error)) : status.ToString();
}

// A process that answers messages, of which the first byte says what is wanted.
class Peer {
 public:
  // Answers a message, in the other process.
  using Serve = std::function<std::string(char what, std::string_view text)>;

  explicit Peer(const std::function<Serve()>& begin) {
    int sockets[2];
    EXPECT_EQ(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sockets), 0);
    fd_ = sockets[0];
    child_ = std::make_unique<Child>([&](const Child::Pipes&) {
      close(sockets[0]);
      const Serve serve = begin();
      while (true) {
        const std::string message = Receive(sockets[1]);
        if (message.empty()) return 0;
        const std::string answer = serve(message[0], std::string_view(message).substr(1));
        if (send(sockets[1], answer.data(), answer.size(), MSG_NOSIGNAL) < 0) return 1;
      }
    });
    close(sockets[1]);
  }
  ~Peer() {
    close(fd_);
    EXPECT_EQ(child_->Wait(), 0);
  }

  // Never an empty answer.
  std::string Ask(char what, std::string_view text = "") const {
    const std::string message = absl::StrCat(std::string(1, what), std::string(text));
    EXPECT_EQ(send(fd_, message.data(), message.size(), MSG_NOSIGNAL),
              static_cast<ssize_t>(message.size()));
    return Receive(fd_);
  }

 private:
  static std::string Receive(int fd) {
    std::string buffer(2 * kMaxKrb5TokenBytes, '\0');
    const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
    buffer.resize(size < 0 ? 0 : size);
    return buffer;
  }

  int fd_ = -1;
  std::unique_ptr<Child> child_;
};

// 'w' and 'W': wraps, and encrypts. 'u': unwraps.
std::string ServeMessages(ContextSession* session, char what, std::string_view text) {
  if (session == nullptr) return "no session";
  if (what == 'u') {
    const absl::StatusOr<ContextSession::Message> message = session->Unwrap(text);
    if (!message.ok()) return Word(message.status());
    return absl::StrCat(message->encrypted ? "secret " : "open ", message->text);
  }
  const absl::StatusOr<std::string> wrapped = session->Wrap(text, what == 'W');
  return wrapped.ok() ? *wrapped : Word(wrapped.status());
}

// A client. 't': its next token, after `+` or, if it is done, `!`.
Peer::Serve BeginClient(const Krb5Initiator::Options& options) {
  struct State {
    absl::StatusOr<std::unique_ptr<Krb5Initiator>> initiator;
    std::unique_ptr<ContextSession> session;
  };
  auto state = std::make_shared<State>(State{Krb5Initiator::Create(options), nullptr});
  return [state](char what, std::string_view text) -> std::string {
    if (what != 't') return ServeMessages(state->session.get(), what, text);
    if (!state->initiator.ok()) return Word(state->initiator.status());
    const absl::StatusOr<Krb5Initiator::Progress> progress = (*state->initiator)->Step(text);
    if (!progress.ok()) return Word(progress.status());
    if (progress->done) state->session = (*state->initiator)->TakeSession();
    return absl::StrCat(progress->done ? "!" : "+", progress->token);
  };
}

// Who imports. 'o': opens, and says who it is.
Peer::Serve BeginImporter(Krb5Mechanism mechanism) {
  setenv("KRB5_KTNAME", "FILE:/nonexistent", 1);
  setenv("KRB5CCNAME", "FILE:/nonexistent", 1);
  auto session = std::make_shared<std::unique_ptr<ContextSession>>();
  return [mechanism, session](char what, std::string_view text) -> std::string {
    if (what != 'o') return ServeMessages(session->get(), what, text);
    const absl::StatusOr<std::unique_ptr<Krb5Package>> package = Krb5Package::Create(mechanism);
    if (!package.ok()) return Word(package.status());
    absl::StatusOr<EstablishedContext> context = (*package)->Open(SecretBytes(text).span(), Now());
    if (!context.ok()) return Word(context.status());
    *session = std::move(context->session);
    return absl::StrCat(ToString(context->principal.id), " via ", context->principal.via, " by ",
                        context->principal.attributes.Find("auth_indicators")->ToString(),
                        " delegated ", context->principal.attributes.Find("delegated")->ToString());
  };
}

struct Accepted {
  std::unique_ptr<Krb5Service> service;
  std::unique_ptr<Krb5Acceptor> acceptor;
  EstablishedContext context;
};

// Accepts the client, here.
absl::StatusOr<Accepted> Accept(const Peer& client, const Krb5Service::Options& options) {
  absl::StatusOr<std::unique_ptr<Krb5Service>> service = Krb5Service::Create(options);
  if (!service.ok()) return service.status();
  Accepted accepted;
  accepted.service = *std::move(service);
  accepted.acceptor = std::make_unique<Krb5Acceptor>(accepted.service.get());
  std::string token;
  bool client_done = false;
  bool done = false;
  for (int i = 0; i < 2 * kMaxKrb5Rounds && !(client_done && done); ++i) {
    if (!client_done) {
      const std::string answer = client.Ask('t', token);
      if (answer[0] != '!' && answer[0] != '+') return absl::UnknownError(answer);
      client_done = answer[0] == '!';
      token = answer.substr(1);
    }
    if (!done) {
      absl::StatusOr<Krb5Acceptor::Progress> progress = accepted.acceptor->Step(token, Now());
      if (!progress.ok()) return progress.status();
      token = progress->token;
      done = progress->context.has_value();
      if (done) accepted.context = *std::move(progress->context);
    }
  }
  return accepted;
}

// The whole way, in the realm of `kdc`: returns what went wrong, line by line, so that it can be
// called in another process.
std::string HandOver(const Kdc& kdc, Krb5Mechanism mechanism) {
  std::string wrong;
  const auto expect = [&wrong](const std::string& got, const std::string& want) {
    if (got != want) absl::StrAppend(&wrong, "`", got, "` is not `", want, "`\n");
  };
  const std::string via = mechanism == Krb5Mechanism::kKrb5 ? "krb5" : "spnego";
  const std::string cache = "FILE:" + (kdc / "cc-handed");
  if (!kdc.Kinit("alice", "alicepw", cache)) return "no ticket";
  Krb5Initiator::Options options;
  options.target = "documents@localhost";
  options.mechanism = mechanism;
  options.ccache = cache;
  const Peer client([&] { return BeginClient(options); });
  const Peer importer([&] { return BeginImporter(mechanism); });
  Krb5Service::Options service;
  service.keytab = kdc / "service.keytab";
  absl::StatusOr<Accepted> accepted = Accept(client, service);
  if (!accepted.ok()) return accepted.status().ToString();
  ContextSession& session = *accepted->context.session;
  // One message of each is read before.
  expect(client.Ask('u', *session.Wrap("welcome", true)), "secret welcome");
  const std::string first = client.Ask('W', "first");
  expect(session.Unwrap(first)->text, "first");

  const absl::StatusOr<SecretBytes> exported = session.Export();
  if (!exported.ok()) return exported.status().ToString();
  expect(importer.Ask('o', exported->view()),
         absl::StrCat("user:alice@REEVE.TEST via ", via, " by [] delegated false"));
  expect(Word(session.Wrap("x", false).status()), "invalid_handle");

  // Both ways, encrypted and not.
  const std::string second = client.Ask('W', "second");
  expect(importer.Ask('u', second), "secret second");
  expect(importer.Ask('u', client.Ask('w', "third")), "open third");
  expect(client.Ask('u', importer.Ask('W', "reply")), "secret reply");
  expect(client.Ask('u', importer.Ask('w', "more")), "open more");

  // What nobody should take.
  expect(importer.Ask('u', first), "out_of_sequence");   // Read before it was handed over.
  expect(importer.Ask('u', second), "out_of_sequence");  // Read after.
  const std::string skipped = client.Ask('W', "skipped");
  expect(importer.Ask('u', client.Ask('W', "too early")), "out_of_sequence");
  expect(importer.Ask('u', skipped), "out_of_sequence");  // Late.
  std::string tampered = client.Ask('W', "tampered");
  const std::string genuine = tampered;
  tampered[tampered.size() - 3] ^= 1;
  expect(importer.Ask('u', tampered), "message_altered");
  expect(importer.Ask('u', importer.Ask('W', "reflected")), "message_altered");
  expect(importer.Ask('u', "garbage"), "malformed");
  expect(importer.Ask('u', genuine), "secret tampered");
  return wrong;
}

class Krb5ProcessesTest : public ::testing::TestWithParam<Krb5Mechanism> {
 protected:
  void SetUp() override {
    if (const std::string why = krb5_testing::WhyNoKdc(); !why.empty()) GTEST_SKIP() << why;
    krb5_testing::KdcScript();
  }

  Krb5Initiator::Options Client(const Kdc& kdc, const std::string& cache) const {
    Krb5Initiator::Options options;
    options.target = "documents@localhost";
    options.mechanism = GetParam();
    options.ccache = "FILE:" + (kdc / cache);
    return options;
  }
};

std::string Name(const ::testing::TestParamInfo<Krb5Mechanism>& info) {
  return info.param == Krb5Mechanism::kKrb5 ? "krb5" : "spnego";
}

INSTANTIATE_TEST_SUITE_P(, Krb5ProcessesTest,
                         ::testing::Values(Krb5Mechanism::kKrb5, Krb5Mechanism::kSpnego), Name);

TEST_P(Krb5ProcessesTest, ContextIsHandedOver) {
  const Kdc kdc;
  EXPECT_EQ(HandOver(kdc, GetParam()), "");
}

// As a user of no name, with a KDC of his own.
TEST_P(Krb5ProcessesTest, ContextIsHandedOverByAnotherUser) {
  REQUIRE_OTHER_USERS();
  Child user([&](const Child::Pipes& pipes) {
    peer_testing::Become({1234, 2345, {}});
    // The other user's folder for temporary files is not his.
    unsetenv("TEST_TMPDIR");
    const Kdc kdc;
    const std::string wrong = HandOver(kdc, GetParam());
    pipes.Say(wrong.empty() ? "well" : wrong);
    return 0;
  });
  EXPECT_EQ(user.Hear(), "well");
  EXPECT_EQ(user.Wait(), 0);
}

// How the user proved who it is; the ticket that was given away; a KDC that is gone.
TEST_P(Krb5ProcessesTest, IndicatorsTicketsAndNoKdc) {
  Kdc kdc;
  ASSERT_TRUE(kdc.Kinit("alice", "alicepw", "FILE:" + (kdc / "cc-armor")));
  ASSERT_TRUE(
      kdc.KinitFast("alice", "alicepw", "FILE:" + (kdc / "cc-armor"), "FILE:" + (kdc / "cc-fast")));
  ASSERT_TRUE(kdc.KinitCertificate("alice", "FILE:" + (kdc / "cc-certificate")));
  Krb5Service::Options service;
  service.keytab = kdc / "service.keytab";
  const std::string via = Name({GetParam(), 0});
  const struct {
    const char* cache;
    const char* want;
  } kRows[] = {{"cc-fast", "[\"strongpw\"]"}, {"cc-certificate", "[\"pkinit\"]"}};
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.cache);
    const Peer client([&] { return BeginClient(Client(kdc, row.cache)); });
    const Peer importer([&] { return BeginImporter(GetParam()); });
    absl::StatusOr<Accepted> accepted = Accept(client, service);
    ASSERT_TRUE(accepted.ok()) << accepted.status();
    EXPECT_EQ(
        importer.Ask('o', accepted->context.session->Export()->view()),
        absl::StrCat("user:alice@REEVE.TEST via ", via, " by ", row.want, " delegated false"));
  }

  Krb5Initiator::Options options = Client(kdc, "cc-fast");
  options.delegate = true;
  const Peer client([&] { return BeginClient(options); });
  const Peer importer([&] { return BeginImporter(GetParam()); });
  // Calls another service, at which the ticket makes it alice.
  const Peer forwarder([&]() -> Peer::Serve {
    setenv("KRB5_KTNAME", "FILE:/nonexistent", 1);
    setenv("KRB5CCNAME", "FILE:/nonexistent", 1);
    auto ticket = std::make_shared<std::unique_ptr<DelegatedTicket>>();
    auto serve = std::make_shared<Peer::Serve>();
    return [ticket, serve](char what, std::string_view text) -> std::string {
      if (what != 'd') return (*serve)(what, text);
      absl::StatusOr<std::unique_ptr<DelegatedTicket>> imported =
          ImportDelegated(SecretBytes(text).span());
      if (!imported.ok()) return Word(imported.status());
      *ticket = *std::move(imported);
      Krb5Initiator::Options options;
      options.target = "archive@localhost";
      options.ccache = (*ticket)->ccache();
      *serve = BeginClient(options);
      return (*ticket)->client();
    };
  });
  absl::StatusOr<Accepted> accepted = Accept(client, service);
  ASSERT_TRUE(accepted.ok()) << accepted.status();
  const absl::StatusOr<SecretBytes> ticket = accepted->acceptor->ExportDelegated();
  ASSERT_TRUE(ticket.ok()) << ticket.status();
  const absl::StatusOr<SecretBytes> exported = accepted->context.session->Export();
  ASSERT_TRUE(exported.ok()) << exported.status();
  // The flag travels with the context, the ticket does not.
  EXPECT_LT(exported->size(), 4096u);
  EXPECT_EQ(forwarder.Ask('d', ticket->view()), "alice@REEVE.TEST");
  Krb5Service::Options archive;
  archive.keytab = kdc / "archive.keytab";
  const absl::StatusOr<Accepted> forwarded = Accept(forwarder, archive);
  ASSERT_TRUE(forwarded.ok()) << forwarded.status();
  EXPECT_EQ(ToString(forwarded->context.principal.id), "user:alice@REEVE.TEST");

  kdc.Stop();
  const Peer late([&] {
    Krb5Initiator::Options options = Client(kdc, "cc-armor");
    options.target = "host@localhost";
    return BeginClient(options);
  });
  EXPECT_NE(late.Ask('t')[0], '+');  // There is no KDC any more,
  EXPECT_EQ(importer.Ask('o', exported->view()),
            absl::StrCat("user:alice@REEVE.TEST via ", via, " by [\"strongpw\"] delegated true"));
  EXPECT_EQ(importer.Ask('u', client.Ask('W', "still")), "secret still");  // and none is needed.
  EXPECT_EQ(client.Ask('u', importer.Ask('W', "here")), "secret here");
}

}  // namespace
}  // namespace reeve
