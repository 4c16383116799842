// Real handshakes with tickets of a real KDC, row by row, in one process: whom they prove, and what
// is refused. krb5_processes_test.cc has those of several. The clock is the machine's, for the
// KDC's and libgssapi's are.
#include <gtest/gtest.h>
#include <krb5/krb5.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_replace.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/context_testing.h"
#include "reeve/adapters/context/import_authorizer.h"
#include "reeve/adapters/context/krb5/kdc_testing.h"
#include "reeve/adapters/context/krb5/krb5_acceptor.h"
#include "reeve/adapters/context/krb5/krb5_delegation.h"
#include "reeve/adapters/context/krb5/krb5_import_calls.h"
#include "reeve/adapters/context/krb5/krb5_initiator.h"
#include "reeve/adapters/context/krb5/krb5_options.h"
#include "reeve/adapters/context/krb5/krb5_package.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/ring_seal.h"
#include "reeve/adapters/context/seal/secret_memory.h"
#include "reeve/adapters/context/seal/single_use.h"
#include "reeve/adapters/context/secret_bytes.h"
#include "reeve/adapters/context/security_context.h"
#include "reeve/engine/clock.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/testing.h"

// libkrb5 1.20 forgets a name when a service has no key for it.
extern "C" __attribute__((visibility("default"))) const char* __lsan_default_suppressions();
const char* __lsan_default_suppressions() { return "leak:krb5_build_principal_alloc_va"; }

namespace reeve {
namespace {

using krb5_testing::Handshake;
using krb5_testing::Kdc;
using peer_testing::Eventually;

absl::Time Now() { return Clock::System().Now(); }

std::string Word(const absl::Status& status) {
  if (status.ok()) return "ok";
  const std::optional<ContextError> error = ContextErrorOf(status);
  return error.has_value() ? std::string(ToString(*error))
                           : std::string(absl::StatusCodeToString(status.code()));
}

template <typename T>
std::string Word(const absl::StatusOr<T>& result) {
  return Word(result.status());
}

std::string Stamp(absl::Time time) {
  return absl::FormatTime("%Y-%m-%dT%H:%M:%SZ", time, absl::UTCTimeZone());
}

// The principal's every field, a line each.
std::string Text(const Principal& principal) {
  std::string text = absl::StrCat(ToString(principal.id), "\n");
  for (const EntityId& parent : principal.parents) {
    absl::StrAppend(&text, "in ", ToString(parent), "\n");
  }
  absl::StrAppend(&text, "groups ", absl::StrJoin(principal.groups, ","),
                  principal.groups_complete ? "" : "?", "\n");
  for (const auto& [name, value] : principal.attributes) {
    absl::StrAppend(&text, name, " ", value.ToString(), "\n");
  }
  absl::StrAppend(&text, std::string(ToString(principal.assurance)), " ", principal.via, " ",
                  principal.host, principal.actor, "\n", principal.evidence, "\n");
  return text;
}

struct TicketTimes {
  absl::Time authenticated;
  absl::Time end;
};

// Of the ticket for `server` in `cache`, by libkrb5 itself.
TicketTimes TimesOf(const std::string& cache, const std::string& server) {
  TicketTimes times;
  krb5_context context;
  krb5_ccache ccache;
  krb5_cc_cursor cursor;
  krb5_creds ticket;
  EXPECT_EQ(krb5_init_context(&context), 0);
  EXPECT_EQ(krb5_cc_resolve(context, cache.c_str(), &ccache), 0);
  EXPECT_EQ(krb5_cc_start_seq_get(context, ccache, &cursor), 0);
  while (krb5_cc_next_cred(context, ccache, &cursor, &ticket) == 0) {
    char* name;
    EXPECT_EQ(krb5_unparse_name(context, ticket.server, &name), 0);
    if (name == server) {
      times.authenticated = absl::FromUnixSeconds(ticket.times.authtime);
      times.end = absl::FromUnixSeconds(ticket.times.endtime);
    }
    krb5_free_unparsed_name(context, name);
    krb5_free_cred_contents(context, &ticket);
  }
  krb5_cc_end_seq_get(context, ccache, &cursor);
  krb5_cc_close(context, ccache);
  krb5_free_context(context);
  return times;
}

// The KDC, and its users' tickets.
class World {
 public:
  World() {
    ok_ = kdc_.Kinit("alice", "alicepw", Cache("alice")) &&
          kdc_.KinitFast("alice", "alicepw", Cache("alice"), Cache("fast")) &&
          kdc_.KinitCertificate("alice", Cache("certificate")) &&
          kdc_.Kinit("root/admin", "rootpw", Cache("admin")) &&
          kdc_.KinitKeytab("host/localhost", kdc_ / "service.keytab", Cache("host")) &&
          kdc_.KinitAnonymous(Cache("anonymous"));
  }

  std::string Cache(const std::string& name) const { return "FILE:" + (kdc_ / ("cc-" + name)); }
  const Kdc& kdc() const { return kdc_; }
  bool ok() const { return ok_; }

 private:
  Kdc kdc_;
  bool ok_;
};

World& TheWorld() {
  static World world;
  return world;
}

class Krb5Test : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string why = krb5_testing::WhyNoKdc(); !why.empty()) GTEST_SKIP() << why;
    ASSERT_TRUE(TheWorld().ok());
    client_.target = "documents@localhost";
    client_.ccache = TheWorld().Cache("alice");
    server_.keytab = TheWorld().kdc() / "service.keytab";
  }

  // What the server makes of the client.
  absl::StatusOr<EstablishedContext> Meet() {
    absl::StatusOr<std::unique_ptr<Krb5Service>> service = Krb5Service::Create(server_);
    if (!service.ok()) return service.status();
    absl::StatusOr<std::unique_ptr<Krb5Initiator>> initiator = Krb5Initiator::Create(client_);
    if (!initiator.ok()) return initiator.status();
    acceptor_ = std::make_unique<Krb5Acceptor>(service->get(), server_bindings_);
    absl::StatusOr<EstablishedContext> context =
        Handshake(initiator->get(), acceptor_.get(), Now());
    client_session_ = (*initiator)->TakeSession();
    service_ = *std::move(service);
    return context;
  }

  // The same, exported.
  SecretBytes Exported() {
    absl::StatusOr<EstablishedContext> context = Meet();
    EXPECT_TRUE(context.ok()) << context.status();
    if (!context.ok()) return SecretBytes();
    absl::StatusOr<SecretBytes> exported = context->session->Export();
    EXPECT_TRUE(exported.ok()) << exported.status();
    return exported.ok() ? *std::move(exported) : SecretBytes();
  }

  std::unique_ptr<Krb5Package> Package(const Krb5Options& options = {}) const {
    absl::StatusOr<std::unique_ptr<Krb5Package>> package =
        Krb5Package::Create(client_.mechanism, options);
    EXPECT_TRUE(package.ok()) << package.status();
    return *std::move(package);
  }

  // The client's first token.
  std::string FirstToken() {
    absl::StatusOr<std::unique_ptr<Krb5Initiator>> initiator = Krb5Initiator::Create(client_);
    EXPECT_TRUE(initiator.ok()) << initiator.status();
    absl::StatusOr<Krb5Initiator::Progress> progress = (*initiator)->Step("");
    EXPECT_TRUE(progress.ok()) << progress.status();
    return progress->token;
  }

  // What a server says to it.
  absl::StatusOr<Krb5Acceptor::Progress> Take(std::string_view token) {
    absl::StatusOr<std::unique_ptr<Krb5Service>> service = Krb5Service::Create(server_);
    EXPECT_TRUE(service.ok()) << service.status();
    return Krb5Acceptor(service->get()).Step(token, Now());
  }

  Krb5Initiator::Options client_;
  Krb5Service::Options server_;
  std::string server_bindings_;
  std::unique_ptr<Krb5Service> service_;
  std::unique_ptr<Krb5Acceptor> acceptor_;
  std::unique_ptr<ContextSession> client_session_;
};

// ---- What is told.

struct MechanismCase {
  const char* name;
  Krb5Mechanism mechanism;
};
const MechanismCase kMechanisms[] = {{"krb5", Krb5Mechanism::kKrb5},
                                     {"spnego", Krb5Mechanism::kSpnego}};
std::ostream& operator<<(std::ostream& os, const MechanismCase& c) { return os << c.name; }

class Krb5MechanismTest : public Krb5Test, public ::testing::WithParamInterface<MechanismCase> {
 protected:
  Krb5MechanismTest() { client_.mechanism = GetParam().mechanism; }
};

INSTANTIATE_TEST_SUITE_P(, Krb5MechanismTest, ::testing::ValuesIn(kMechanisms),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(Krb5MechanismTest, TellsAllAndTheSameWhenImported) {
  server_.context.pac = {{"urn:mspac:client-info", "pac_client_info"}, {"urn:mspac:none", "none"}};
  server_.context.local_name = true;
  client_.ccache = TheWorld().Cache("fast");
  client_.delegate = true;
  absl::StatusOr<EstablishedContext> context = Meet();
  ASSERT_TRUE(context.ok()) << context.status();
  const TicketTimes ticket = TimesOf(client_.ccache, "documents/localhost@REEVE.TEST");
  EXPECT_EQ(context->established, ticket.authenticated);
  // A second earlier if the clock went on in between.
  EXPECT_LE(context->expires, ticket.end);
  EXPECT_GE(context->expires, ticket.end - absl::Seconds(1));
  const Value* const pac = context->principal.attributes.Find("pac_client_info");
  ASSERT_NE(pac, nullptr);
  // Of MS-PAC, 2.7: a time, the size of the name, the name in UTF-16.
  EXPECT_EQ(pac->bytes_value().substr(8), std::string_view("\x0A\0a\0l\0i\0c\0e\0", 12));
  const auto want = [&](const EstablishedContext& context) {
    return absl::StrCat(
        "user:alice@REEVE.TEST\nin realm:REEVE.TEST\ngroups \nauth_indicators [\"strongpw\"]\n"
        "auth_time timestamp(\"",
        Stamp(ticket.authenticated), "\")\ncontext_expires timestamp(\"", Stamp(context.expires),
        "\")\ndelegated true\nkrb5_realm \"REEVE.TEST\"\nlocal_name \"alice\"\npac_client_info ",
        pac->ToString(), "\ncrypto ", GetParam().name, " \nmech=", GetParam().name,
        " enctype=aes256-cts-hmac-sha384-192 flags=deleg,mutual,replay,sequence,conf,integ "
        "auth_time=",
        Stamp(ticket.authenticated), " target=documents/localhost@REEVE.TEST\n");
  };
  EXPECT_EQ(Text(context->principal), want(*context));
  ASSERT_NE(context->session, nullptr);

  const absl::StatusOr<SecretBytes> exported = context->session->Export();
  ASSERT_TRUE(exported.ok()) << exported.status();
  const std::unique_ptr<Krb5Package> package = Package(server_.context);
  EXPECT_EQ(package->name(), GetParam().name);
  EXPECT_TRUE(package->sealed());
  const absl::StatusOr<EstablishedContext> imported = package->Open(exported->span(), Now());
  ASSERT_TRUE(imported.ok()) << imported.status();
  EXPECT_EQ(Text(imported->principal), want(*imported));
  EXPECT_EQ(imported->established, context->established);
  EXPECT_LE(imported->expires, ticket.end);
  EXPECT_GE(imported->expires, ticket.end - absl::Seconds(1));
}

struct ClientCase {
  const char* name;
  const char* cache;
  std::string want;  // Id and indicators, or the error.
};
std::ostream& operator<<(std::ostream& os, const ClientCase& c) { return os << c.name; }

class Krb5ClientTest : public Krb5Test, public ::testing::WithParamInterface<ClientCase> {};

TEST_P(Krb5ClientTest, IsTold) {
  client_.ccache = TheWorld().Cache(GetParam().cache);
  for (const MechanismCase& mechanism : kMechanisms) {
    client_.mechanism = mechanism.mechanism;
    const absl::StatusOr<EstablishedContext> context = Meet();
    if (!context.ok()) {
      EXPECT_EQ(absl::StrCat(Word(context), ": ", std::string(context.status().message())),
                GetParam().want);
      continue;
    }
    EXPECT_EQ(absl::StrCat(ToString(context->principal.id), " ",
                           context->principal.attributes.Find("auth_indicators")->ToString()),
              GetParam().want);
  }
}

const ClientCase kClients[] = {
    {"Password", "alice", "user:alice@REEVE.TEST []"},
    {"PasswordWithinFast", "fast", "user:alice@REEVE.TEST [\"strongpw\"]"},
    {"Certificate", "certificate", "user:alice@REEVE.TEST [\"pkinit\"]"},
    {"Instance", "admin", "service:root/admin@REEVE.TEST []"},
    {"Host", "host", "host:localhost@REEVE.TEST []"},
    {"Anonymous", "anonymous", "mechanism: the client is anonymous"},
};

INSTANTIATE_TEST_SUITE_P(, Krb5ClientTest, ::testing::ValuesIn(kClients),
                         [](const auto& info) { return std::string(info.param.name); });

// ---- Which handshakes succeed.

struct HandshakeCase {
  const char* name;
  std::function<void(Krb5Initiator::Options*, Krb5Service::Options*, std::string* bindings)> mend;
  std::string want;          // Of the error, or "ok".
  std::string message = "";  // A part of it.
};
std::ostream& operator<<(std::ostream& os, const HandshakeCase& c) { return os << c.name; }

class Krb5HandshakeTest : public Krb5Test, public ::testing::WithParamInterface<HandshakeCase> {};

TEST_P(Krb5HandshakeTest, Ends) {
  const HandshakeCase& c = GetParam();
  for (const MechanismCase& mechanism : kMechanisms) {
    SCOPED_TRACE(mechanism.name);
    client_.mechanism = mechanism.mechanism;
    c.mend(&client_, &server_, &server_bindings_);
    const absl::StatusOr<EstablishedContext> context = Meet();
    EXPECT_EQ(Word(context), c.want) << context.status();
    EXPECT_TRUE(absl::StrContains(context.status().message(), c.message)) << context.status();
    if (context.ok()) {
      EXPECT_EQ(ToString(context->principal.id), "user:alice@REEVE.TEST");
    }
  }
}

using Client = Krb5Initiator::Options;
using Server = Krb5Service::Options;

std::string Keytab(const char* name) { return TheWorld().kdc() / name; }

const HandshakeCase kHandshakes[] = {
    {"Plain", [](Client*, Server*, std::string*) {}, "ok"},
    {"NotMutual", [](Client* client, Server*, std::string*) { client->mutual = false; },
     "mechanism", "did not ask the server to prove itself"},
    {"NotMutualAndThatIsWell",
     [](Client* client, Server* server, std::string*) {
       client->mutual = false;
       server->context.require_mutual = false;
     },
     "ok"},
    {"NotProtected", [](Client* client, Server*, std::string*) { client->protect = false; },
     "mechanism", "did not ask for messages that are protected"},
    {"NotProtectedAndThatIsWell",
     [](Client* client, Server* server, std::string*) {
       client->protect = false;
       server->context.require_integrity = false;
     },
     "ok"},
    {"RealmAllowed",
     [](Client*, Server* server, std::string*) {
       server->context.realms = {"OTHER.TEST", "REEVE.TEST"};
     },
     "ok"},
    {"RealmNotAllowed",
     [](Client*, Server* server, std::string*) { server->context.realms = {"OTHER.TEST"}; },
     "mechanism", "is of a realm that is not in"},
    {"RealmOfAnotherCase",
     [](Client*, Server* server, std::string*) { server->context.realms = {"reeve.test"}; },
     "mechanism", "is of a realm that is not in"},
    {"PrincipalAsTarget",
     [](Client* client, Server*, std::string*) {
       client->target = "documents/localhost@REEVE.TEST";
     },
     "ok"},
    {"ServerOfOneName",
     [](Client*, Server* server, std::string*) { server->name = "documents@localhost"; }, "ok"},
    {"ServerOfOnePrincipal",
     [](Client*, Server* server, std::string*) { server->name = "documents/localhost@REEVE.TEST"; },
     "ok"},
    {"ServerOfAnotherNameInItsKeytab",
     [](Client*, Server* server, std::string*) { server->name = "host@localhost"; }, "mechanism",
     "does not match server principal host/localhost"},
    {"ServerOfANameThatHasNoKey",
     [](Client*, Server* server, std::string*) { server->name = "archive@localhost"; },
     "no_credentials", "keytab"},
    {"TicketForAnotherService",
     [](Client* client, Server*, std::string*) { client->target = "archive@localhost"; },
     "mechanism", "archive/localhost@REEVE.TEST"},
    {"KeyOfAnotherService",
     [](Client*, Server* server, std::string*) { server->keytab = Keytab("archive.keytab"); },
     "mechanism", "documents/localhost@REEVE.TEST not found in keytab"},
    {"KeyOutOfUse",
     [](Client*, Server* server, std::string*) { server->keytab = Keytab("stale.keytab"); },
     "mechanism", "kvno 3 not found in keytab; keytab is likely out of date"},
    {"KeyOfTheRightNumberThatIsAnother",
     [](Client*, Server* server, std::string*) { server->keytab = Keytab("forged.keytab"); },
     "mechanism", "cannot decrypt ticket"},
    {"NoKeytab", [](Client*, Server* server, std::string*) { server->keytab = Keytab("none"); },
     "no_credentials", "nonexistent or empty"},
    {"NoTickets", [](Client* client, Server*, std::string*) { client->ccache = "MEMORY:none"; },
     "no_credentials", ""},
    {"NoSuchService",
     [](Client* client, Server*, std::string*) { client->target = "none@localhost"; }, "mechanism",
     "not found in Kerberos database"},
    {"NotAName", [](Client* client, Server*, std::string*) { client->target = ""; },
     "INVALID_ARGUMENT", "no name of a service"},
    {"SpeaksNothing",
     [](Client*, Server* server, std::string*) { server->krb5 = server->spnego = false; },
     "INVALID_ARGUMENT", ""},
    {"ChannelOfBoth",
     [](Client* client, Server*, std::string* bindings) {
       client->channel_bindings = *bindings = "tls-exporter:0123456789";
     },
     "ok"},
    {"ChannelOfAnother",
     [](Client* client, Server*, std::string* bindings) {
       client->channel_bindings = "tls-exporter:9876543210";
       *bindings = "tls-exporter:0123456789";
     },
     "wrong_target", ""},
    // MIT takes it.
    {"ChannelOfTheServerAlone",
     [](Client*, Server*, std::string* bindings) { *bindings = "tls-exporter:0123456789"; },
     "wrong_target", "did not name the channel"},
    {"ChannelOfTheClientAlone",
     [](Client* client, Server*, std::string*) {
       client->channel_bindings = "tls-exporter:0123456789";
     },
     "ok"},
};

INSTANTIATE_TEST_SUITE_P(, Krb5HandshakeTest, ::testing::ValuesIn(kHandshakes),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(Krb5MechanismTest, IsSpokenOnlyIfWanted) {
  server_.krb5 = client_.mechanism != Krb5Mechanism::kKrb5;
  server_.spnego = !server_.krb5;
  EXPECT_EQ(Word(Meet()), "mechanism");
  std::swap(server_.krb5, server_.spnego);
  EXPECT_EQ(Word(Meet()), "ok");
}

// ---- Tokens.

TEST_P(Krb5MechanismTest, TokensThatAreNone) {
  const std::string token = FirstToken();
  std::string flipped = token;
  flipped[token.size() / 2] ^= 1;
  const struct {
    const char* name;
    std::string token;
    std::string want;
  } kRows[] = {
      {"Empty", "", "malformed"},
      {"OneByte", "`", "malformed"},
      {"TooLong", std::string(kMaxKrb5TokenBytes + 1, '`'), "malformed"},
      {"LongGarbage", std::string(kMaxKrb5TokenBytes, '`'), "malformed"},
      {"Zeros", std::string(300, '\0'), "malformed"},
      {"Ntlm", std::string("NTLMSSP\0\1\0\0\0", 12), "malformed"},
      {"WithoutItsFrame", token.substr(token.size() > 256 ? 17 : 13), "malformed"},
      {"AnotherMechanism", std::string("\x60\x09\x06\x06\x2B\x06\x01\x05\x02\x05\0", 11),
       "mechanism"},
      // Kerberos through the server to the KDC.
      {"NegotiationOfIakerb",
       std::string(
           "\x60\x18\x06\x06\x2B\x06\x01\x05\x05\x02\xA0\x0E\x30\x0C\xA0\x0A\x30\x08\x06\x06"
           "\x2B\x06\x01\x05\x02\x05"),
       "mechanism"},
      {"HalfOfIt", token.substr(0, token.size() / 2), "malformed"},
      {"FrameAlone", token.substr(0, 17), "malformed"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const absl::StatusOr<Krb5Acceptor::Progress> progress = Take(row.token);
    EXPECT_EQ(Word(progress), row.want) << progress.status();
  }
  EXPECT_FALSE(Take(flipped).ok());
  EXPECT_TRUE(Take(token).ok());
}

TEST_P(Krb5MechanismTest, NothingGoesOnAfterTheEnd) {
  absl::StatusOr<EstablishedContext> context = Meet();
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_EQ(Word(acceptor_->Step(FirstToken(), Now())), "invalid_handle");
  Krb5Acceptor failed(service_.get());
  EXPECT_EQ(Word(failed.Step("x", Now())), "malformed");
  EXPECT_EQ(Word(failed.Step(FirstToken(), Now())), "invalid_handle");
  EXPECT_EQ(Word(failed.ExportDelegated()), "no_credentials");
}

// A token that is shown again is refused, unless the program does without a replay cache.
TEST_P(Krb5MechanismTest, TokenIsTakenOnce) {
  const std::string token = FirstToken();
  EXPECT_EQ(Word(Take(token)), "ok");
  const absl::StatusOr<Krb5Acceptor::Progress> again = Take(token);
  EXPECT_FALSE(again.ok());
  EXPECT_TRUE(absl::StrContains(again.status().message(), "replay")) << again.status();
  server_.replay_cache = "none:";
  EXPECT_EQ(Word(Take(token)), "ok");
}

// The client's clock goes wrong by what its cache says of the KDC's.
TEST_P(Krb5MechanismTest, ClientsClock) {
  for (const int seconds : {-400, -200, 200, 400}) {
    SCOPED_TRACE(seconds);
    const std::string path = TheWorld().kdc() / absl::StrCat("cc-clock", seconds);
    client_.ccache = "FILE:" + path;
    ASSERT_TRUE(TheWorld().kdc().Kinit("alice", "alicepw", client_.ccache));
    FirstToken();  // The ticket for the service, while the clock is right.
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    // Version, length of the header, tag, its length; seconds.
    file.seekp(8);
    for (int shift = 24; shift >= 0; shift -= 8) file.put(static_cast<char>(seconds >> shift));
    file.close();
    const absl::StatusOr<EstablishedContext> context = Meet();
    EXPECT_EQ(context.ok(), std::abs(seconds) < 300) << context.status();
    if (context.ok()) continue;
    // A client that is late does not even use the ticket.
    EXPECT_TRUE(absl::StrContains(context.status().message(),
                                  seconds < 0 ? "Ticket not yet valid" : "Clock skew too great"))
        << context.status();
  }
}

// ---- Times.

TEST_P(Krb5MechanismTest, Times) {
  const absl::StatusOr<EstablishedContext> context = Meet();
  ASSERT_TRUE(context.ok()) << context.status();
  const absl::StatusOr<SecretBytes> exported = context->session->Export();
  ASSERT_TRUE(exported.ok()) << exported.status();
  const absl::Time begin = context->established;
  const absl::Time end = TimesOf(client_.ccache, "documents/localhost@REEVE.TEST").end;
  const struct {
    const char* name;
    absl::Time now;
    std::string want;
  } kRows[] = {
      {"Now", Now(), "ok"},
      {"LastMoment", end - absl::Milliseconds(1001), "ok"},
      {"End", end, "expired"},
      {"End, and the skew that MIT adds", end + absl::Seconds(299), "expired"},
      {"LongAgo", begin - absl::Hours(1), "not_yet_valid"},
      {"BeforeTheSkew", begin - absl::Seconds(301), "not_yet_valid"},
      {"WithinTheSkew", begin - absl::Seconds(300), "ok"},
      {"Never", absl::InfiniteFuture(), "expired"},
      {"Ever", absl::InfinitePast(), "not_yet_valid"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    const absl::StatusOr<EstablishedContext> opened = Package()->Open(exported->span(), row.now);
    EXPECT_EQ(Word(opened), row.want) << opened.status();
    if (opened.ok()) {
      EXPECT_LE(opened->established, row.now);
      EXPECT_GT(opened->expires, row.now);
    }
  }
  Krb5Options options;
  options.max_lifetime = absl::Minutes(5);
  EXPECT_EQ(Package(options)->Open(exported->span(), begin)->expires, begin + absl::Minutes(5));
  EXPECT_LE(Package(options)->Open(exported->span(), end - absl::Minutes(2))->expires, end);
  // The skew, of a program that knows better.
  options.max_lifetime = absl::InfiniteDuration();
  options.skew = absl::Seconds(1300);
  const absl::Time expires = Package(options)->Open(exported->span(), begin)->expires;
  EXPECT_LE(expires, end - absl::Seconds(1000));
  EXPECT_GE(expires, end - absl::Seconds(1001));
}

// Runs `body` in another process, where krb5.conf has these lines among its defaults.
void WithDefaults(const std::string& lines, const std::function<void()>& body) {
  std::ifstream file(TheWorld().kdc() / "krb5.conf");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::string path = TheWorld().kdc() / "krb5-other.conf";
  std::ofstream(path) << absl::StrReplaceAll(
      text, {{"[libdefaults]\n", absl::StrCat("[libdefaults]\n", lines, "\n")}});
  peer_testing::Child child([&](const peer_testing::Child::Pipes&) {
    setenv("KRB5_CONFIG", path.c_str(), 1);
    body();
    return ::testing::Test::HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(child.Wait(), 0);
}

// What MIT adds to a ticket's end does not last, whatever it is.
TEST_P(Krb5MechanismTest, EndsWithItsTicketWhateverTheSkew) {
  for (const int skew : {1, 300}) {
    SCOPED_TRACE(skew);
    WithDefaults(absl::StrCat("clockskew = ", skew), [&] {
      client_.target = "brief@localhost";
      // Its ticket is brief, so that one that is in the cache may have ended.
      client_.ccache = TheWorld().Cache(absl::StrCat("brief", skew, GetParam().name));
      ASSERT_TRUE(TheWorld().kdc().Kinit("alice", "alicepw", client_.ccache));
      const std::string token = FirstToken();
      absl::StatusOr<EstablishedContext> context = Meet();
      ASSERT_TRUE(context.ok()) << context.status();
      const absl::Time end = TimesOf(client_.ccache, "brief/localhost@REEVE.TEST").end;
      EXPECT_LE(context->expires, end);
      EXPECT_GE(context->expires, end - absl::Seconds(1));
      const absl::StatusOr<SecretBytes> exported = context->session->Export();
      const absl::Time begin = context->established;
      const std::unique_ptr<Krb5Package> package = Package();
      const absl::StatusOr<EstablishedContext> opened = package->Open(exported->span(), begin);
      ASSERT_TRUE(opened.ok()) << opened.status();
      EXPECT_LE(opened->expires, end);
      EXPECT_GE(opened->expires, end - absl::Seconds(1));
      EXPECT_EQ(Word(package->Open(exported->span(), end)), "expired");
      if (skew != 1) return;
      // When the ticket and the skew have passed, libgssapi says so, too, and refuses the token.
      EXPECT_TRUE(
          Eventually([&] { return Word(package->Open(exported->span(), begin)) == "expired"; }));
      const absl::Status refused = Take(token).status();
      EXPECT_TRUE(absl::StrContains(refused.message(), "Ticket expired") ||
                  absl::StrContains(refused.message(), "Clock skew too great"))
          << refused;
    });
  }
}

// The clocks of the machine do not turn to the next second at one moment.
TEST_P(Krb5MechanismTest, EndsWithItsTicketWhereASecondTurns) {
  const absl::StatusOr<EstablishedContext> context = Meet();
  ASSERT_TRUE(context.ok()) << context.status();
  const absl::Time end = TimesOf(client_.ccache, "documents/localhost@REEVE.TEST").end;
  const absl::StatusOr<SecretBytes> exported = context->session->Export();
  const std::unique_ptr<Krb5Package> package = Package();
  const absl::Time now = absl::Now();
  for (int64_t second = absl::ToUnixSeconds(now); absl::ToUnixSeconds(absl::Now()) == second;) {
  }
  const absl::StatusOr<EstablishedContext> opened = package->Open(exported->span(), now);
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_LE(opened->expires, end);
}

TEST_F(Krb5Test, ConfiguredSkewIsANumber) {
  WithDefaults("clockskew = five", [&] {
    EXPECT_FALSE(Krb5Package::Create(Krb5Mechanism::kKrb5).ok());
    EXPECT_FALSE(Krb5Service::Create(server_).ok());
  });
}

TEST_F(Krb5Test, OptionsThatContradict) {
  const struct {
    const char* name;
    std::function<void(Krb5Options*)> mend;
  } kRows[] = {
      {"NoLifetime", [](Krb5Options* o) { o->max_lifetime = absl::ZeroDuration(); }},
      {"NegativeSkew", [](Krb5Options* o) { o->skew = absl::Seconds(-1); }},
      {"NoRealms", [](Krb5Options* o) { o->realms.emplace(); }},
      {"NoUrn", [](Krb5Options* o) { o->pac[""] = "x"; }},
      {"NoAttribute", [](Krb5Options* o) { o->pac["urn:x"] = ""; }},
      {"AttributeOfOurs", [](Krb5Options* o) { o->pac["urn:x"] = "auth_indicators"; }},
      {"AttributeTwice",
       [](Krb5Options* o) {
         o->pac = {{"urn:x", "a"}, {"urn:y", "a"}};
       }},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    Krb5Options options;
    row.mend(&options);
    EXPECT_EQ(Word(Krb5Package::Create(Krb5Mechanism::kKrb5, options)), "INVALID_ARGUMENT");
    server_.context = options;
    EXPECT_EQ(Word(Krb5Service::Create(server_)), "INVALID_ARGUMENT");
  }
}

// ---- What is opened.

TEST_P(Krb5MechanismTest, WhatHasNotTheShapeIsNotHandedOver) {
  const SecretBytes exported = Exported();
  const std::string whole(exported.view());
  const std::unique_ptr<Krb5Package> package = Package();
  const uint64_t before = Krb5ImportCalls();
  const auto open = [&](const std::string& bytes) {
    return Word(package->Open(SecretBytes(bytes).span(), Now()));
  };
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(open(whole.substr(0, size)), "malformed") << size;
  }
  EXPECT_EQ(open(whole + "x"), "malformed");
  EXPECT_EQ(open(std::string(70000, 'x')), "malformed");
  EXPECT_EQ(open(std::string(300, '\0')), "mechanism");
  std::string other = whole;
  other[6] ^= 1;
  EXPECT_EQ(open(other), "mechanism");
  EXPECT_EQ(Krb5ImportCalls(), before);
  EXPECT_EQ(open(whole), "ok");
  EXPECT_EQ(Krb5ImportCalls(), before + 1);
}

// Be it the name, an indicator or the end that was changed. What is genuine does, once. Each
// attempt is recorded.
TEST_P(Krb5MechanismTest, NothingThatWasChangedInItsSealReachesLibgssapi) {
  client_.ccache = TheWorld().Cache("fast");
  absl::StatusOr<EstablishedContext> established = Meet();
  ASSERT_TRUE(established.ok()) << established.status();
  absl::StatusOr<SecurityContext> client =
      SecurityContext::Establish(GetParam().name, *std::move(established));
  ASSERT_TRUE(client.ok()) << client.status();
  const Machine machine = {"0123456789abcdef0123456789abcdef",
                           "01234567-89ab-cdef-0123-456789abcdef"};
  const std::unique_ptr<KeyRing> ring =
      *KeyRing::Generate(Now() - absl::Minutes(1), SecretMemory::Lock::kIfAllowed);
  const std::unique_ptr<SingleUse> single_use = *SingleUse::Create(64, Now() - absl::Minutes(1));
  const std::unique_ptr<KeyRingSealer> sealer =
      *KeyRingSealer::Create(ring.get(), "worker", machine);
  const std::unique_ptr<KeyRingOpener> opener =
      *KeyRingOpener::Create(ring.get(), "worker", machine, single_use.get());
  ExportOptions exported;
  exported.sealer = sealer.get();
  exported.with_session = true;
  const absl::StatusOr<std::string> packed = std::move(*client).Export(exported);
  ASSERT_TRUE(packed.ok()) << packed.status();

  context_testing::TextSink sink;
  const std::unique_ptr<Engine> engine = context_testing::MakeEngine(
      {testing::MakeRule("+front", {"user:*"}, {"context.import"}, {"realm:REEVE.TEST"})},
      &Clock::System(), &sink);
  ImportByPolicy authorizer(*engine);
  const PeerToken front = context_testing::ThisProcess();
  const std::unique_ptr<Krb5Package> package = Package();
  ImportOptions options;
  options.packages = {package.get()};
  options.opener = opener.get();
  options.exporter = &front;
  options.authorizer = &authorizer;
  const uint64_t before = Krb5ImportCalls();
  size_t attempts = 0;
  const auto import = [&](const std::string& bytes) {
    ++attempts;
    return ImportSecurityContext(GetParam().name, bytes, options);
  };

  constexpr size_t kHeaderBytes = 120;
  for (size_t size = 0; size < packed->size(); ++size) {
    EXPECT_EQ(Word(import(packed->substr(0, size))), "malformed") << size;
  }
  for (size_t bit = 0; bit < 8 * packed->size(); ++bit) {
    std::string changed = *packed;
    changed[bit / 8] ^= 1 << bit % 8;
    const std::string word = Word(import(changed));
    EXPECT_NE(word, "ok") << bit;
    if (bit / 8 < kHeaderBytes) continue;
    EXPECT_EQ(word, "authentication_failed") << bit;
  }
  // A stream cipher alone would let the name be changed by who knows it, wherever it stands.
  const std::pair<std::string_view, std::string_view> kForged[] = {{"alice", "admin"},
                                                                   {"strongpw", "hwtoken1"}};
  for (const auto& [genuine, forged] : kForged) {
    for (size_t at = kHeaderBytes; at + genuine.size() <= packed->size(); ++at) {
      std::string changed = *packed;
      for (size_t i = 0; i < genuine.size(); ++i) changed[at + i] ^= genuine[i] ^ forged[i];
      EXPECT_EQ(Word(import(changed)), "authentication_failed") << at;
    }
  }
  EXPECT_EQ(Krb5ImportCalls(), before);

  const absl::StatusOr<SecurityContext> imported = import(*packed);
  ASSERT_TRUE(imported.ok()) << imported.status();
  const Principal& alice = **imported->principal(Now());
  EXPECT_EQ(
      absl::StrCat(ToString(alice.id), " ", alice.attributes.Find("auth_indicators")->ToString()),
      "user:alice@REEVE.TEST [\"strongpw\"]");
  EXPECT_EQ(Krb5ImportCalls(), before + 1);
  EXPECT_EQ(Word(import(*packed)), "replayed");
  EXPECT_EQ(Krb5ImportCalls(), before + 1);
  EXPECT_EQ(sink.rows().size(), attempts);
}

// Of what has the shape, and is cut off within, MIT says that there is no memory. It forgets what
// it had read so far, so this is done in another process.
TEST_P(Krb5MechanismTest, WhatLibgssapiCannotReadIsNoLackOfMemory) {
  const SecretBytes exported = Exported();
  const std::string whole(exported.view());
  const std::string mark = whole.substr(whole.size() - 4);
  peer_testing::Child child([&](const peer_testing::Child::Pipes&) {
    const std::unique_ptr<Krb5Package> package = Package();
    bool no_memory = false;
    for (const size_t cut : {5, 8, 12, 20}) {
      const uint64_t before = Krb5ImportCalls();
      const SecretBytes bytes(whole.substr(0, whole.size() - cut) + mark);
      const absl::Status status = package->Open(bytes.span(), Now()).status();
      EXPECT_EQ(Word(status), "mechanism") << cut;
      no_memory |= absl::StrContains(status.message(), "Cannot allocate memory");
      EXPECT_EQ(Krb5ImportCalls(), before + 1);
    }
    EXPECT_TRUE(no_memory);
    return HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(child.Wait(), 0);
}

TEST_F(Krb5Test, PackagesDoNotOpenEachOthers) {
  const SecretBytes krb5 = Exported();
  client_.mechanism = Krb5Mechanism::kSpnego;
  const SecretBytes spnego = Exported();
  const uint64_t before = Krb5ImportCalls();
  EXPECT_EQ(Word(Package()->Open(krb5.span(), Now())), "mechanism");
  client_.mechanism = Krb5Mechanism::kKrb5;
  EXPECT_EQ(Word(Package()->Open(spnego.span(), Now())), "mechanism");
  EXPECT_EQ(Krb5ImportCalls(), before);
}

TEST_P(Krb5MechanismTest, OptionsHoldForWhatIsImported) {
  client_.mutual = false;
  client_.protect = false;
  server_.context.require_mutual = false;
  server_.context.require_integrity = false;
  const SecretBytes exported = Exported();
  const struct {
    const char* name;
    std::function<void(Krb5Options*)> mend;
    std::string want;
  } kRows[] = {
      {"All", [](Krb5Options*) {}, "ok"},
      {"Mutual", [](Krb5Options* o) { o->require_mutual = true; }, "mechanism"},
      {"Integrity", [](Krb5Options* o) { o->require_integrity = true; }, "mechanism"},
      {"Realm", [](Krb5Options* o) { o->realms = {"OTHER.TEST"}; }, "mechanism"},
  };
  for (const auto& row : kRows) {
    SCOPED_TRACE(row.name);
    Krb5Options options = server_.context;
    row.mend(&options);
    absl::StatusOr<EstablishedContext> opened = Package(options)->Open(exported.span(), Now());
    EXPECT_EQ(Word(opened), row.want) << opened.status();
    if (!opened.ok()) continue;
    EXPECT_EQ(Word(opened->session->Wrap("x", false)), "not_supported");
    EXPECT_EQ(Word(opened->session->Unwrap("x")), "not_supported");
    EXPECT_EQ(Word(opened->session->Export()), "ok");
  }
}

TEST_P(Krb5MechanismTest, ContextsOfClientsProveNothing) {
  ASSERT_TRUE(Meet().ok());
  const absl::StatusOr<SecretBytes> exported = client_session_->Export();
  ASSERT_TRUE(exported.ok()) << exported.status();
  const absl::StatusOr<EstablishedContext> opened = Package()->Open(exported->span(), Now());
  EXPECT_EQ(Word(opened), "mechanism");
  EXPECT_TRUE(absl::StrContains(opened.status().message(), "of a client")) << opened.status();
}

// A context names the krb5.conf that it was made by, and libgssapi would read it.
TEST_P(Krb5MechanismTest, OnlyTheProcessesOwnConfigurationIsRead) {
  const SecretBytes exported = Exported();
  WithDefaults("", [&] {
    const uint64_t before = Krb5ImportCalls();
    const absl::StatusOr<EstablishedContext> opened = Package()->Open(exported.span(), Now());
    EXPECT_EQ(Word(opened), "mechanism");
    EXPECT_TRUE(
        absl::StrContains(opened.status().message(), std::string(TheWorld().kdc() / "krb5.conf")))
        << opened.status();
    EXPECT_EQ(Krb5ImportCalls(), before);
  });
  peer_testing::Child child([&](const peer_testing::Child::Pipes&) {
    // Among others.
    const std::string own = TheWorld().kdc() / "krb5.conf";
    setenv("KRB5_CONFIG", absl::StrCat(own, ":/nonexistent").c_str(), 1);
    EXPECT_EQ(Word(Package()->Open(exported.span(), Now())), "ok");
    return HasFailure() ? 1 : 0;
  });
  EXPECT_EQ(child.Wait(), 0);
}

// ---- Messages.

TEST_P(Krb5MechanismTest, Messages) {
  absl::StatusOr<EstablishedContext> context = Meet();
  ASSERT_TRUE(context.ok()) << context.status();
  ContextSession& server = *context->session;
  ContextSession& client = *client_session_;
  const auto unwrap = [](ContextSession& session, const std::string& wrapped) {
    const absl::StatusOr<ContextSession::Message> message = session.Unwrap(wrapped);
    if (!message.ok()) return Word(message);
    return absl::StrCat(message->encrypted ? "secret " : "open ", message->text);
  };
  std::vector<std::string> sent;  // Longer than what random bytes may happen to hold.
  for (int i = 0; i < 8; ++i) sent.push_back(*client.Wrap(absl::StrCat("message ", i), i % 2 == 0));
  EXPECT_FALSE(absl::StrContains(sent[0], "message 0"));
  EXPECT_TRUE(absl::StrContains(sent[1], "message 1"));
  EXPECT_EQ(unwrap(server, sent[0]), "secret message 0");
  EXPECT_EQ(unwrap(server, sent[1]), "open message 1");
  EXPECT_EQ(unwrap(server, sent[1]), "out_of_sequence");  // Again.
  EXPECT_EQ(unwrap(server, sent[3]), "out_of_sequence");  // One is missing.
  EXPECT_EQ(unwrap(server, sent[2]), "out_of_sequence");  // Here it is, late.
  EXPECT_EQ(unwrap(server, sent[4]), "secret message 4");
  for (const size_t at : {size_t{0}, sent[5].size() / 2, sent[5].size() - 1}) {
    std::string altered = sent[5];
    altered[at] ^= 1;
    EXPECT_EQ(unwrap(server, altered), at == 0 ? "malformed" : "message_altered") << at;
  }
  std::string altered = sent[6];
  altered.back() ^= 1;
  EXPECT_EQ(unwrap(server, altered), "message_altered");
  EXPECT_EQ(unwrap(server, *server.Wrap("mine", true)), "message_altered");  // Sent back.
  EXPECT_EQ(unwrap(server, ""), "malformed");
  EXPECT_EQ(unwrap(server, "x"), "malformed");
  EXPECT_EQ(unwrap(server, std::string(100, '\0')), "malformed");
  EXPECT_EQ(unwrap(server, sent[5].substr(0, 16)), "malformed");
  EXPECT_EQ(unwrap(server, sent[5]), "open message 5");  // None of these has spoilt it.
  EXPECT_EQ(unwrap(client, *server.Wrap("", true)), "out_of_sequence");  // One came back above.
  EXPECT_EQ(unwrap(client, *server.Wrap("reply", true)), "secret reply");

  const absl::StatusOr<SecretBytes> exported = server.Export();
  ASSERT_TRUE(exported.ok()) << exported.status();
  EXPECT_EQ(unwrap(server, sent[6]), "invalid_handle");
  EXPECT_EQ(Word(server.Wrap("x", false)), "invalid_handle");
  EXPECT_EQ(Word(server.Export()), "invalid_handle");
  // What was seen stays seen.
  absl::StatusOr<EstablishedContext> opened = Package()->Open(exported->span(), Now());
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(unwrap(*opened->session, sent[5]), "out_of_sequence");
  EXPECT_EQ(unwrap(*opened->session, sent[6]), "secret message 6");
  EXPECT_EQ(unwrap(client, *opened->session->Wrap("from the other", false)), "open from the other");
  // And once more.
  const absl::StatusOr<SecretBytes> again = opened->session->Export();
  opened = Package()->Open(again->span(), Now());
  ASSERT_TRUE(opened.ok()) << opened.status();
  EXPECT_EQ(unwrap(*opened->session, sent[6]), "out_of_sequence");
  EXPECT_EQ(unwrap(*opened->session, sent[7]), "open message 7");
}

// ---- Tickets that are given away.

TEST_P(Krb5MechanismTest, DelegatedTicketActsForTheUser) {
  client_.delegate = true;
  absl::StatusOr<EstablishedContext> context = Meet();
  ASSERT_TRUE(context.ok()) << context.status();
  const absl::StatusOr<SecretBytes> ticket = acceptor_->ExportDelegated();
  ASSERT_TRUE(ticket.ok()) << ticket.status();
  std::string cache;
  {
    const absl::StatusOr<std::unique_ptr<DelegatedTicket>> delegated =
        ImportDelegated(ticket->span());
    ASSERT_TRUE(delegated.ok()) << delegated.status();
    EXPECT_EQ((*delegated)->client(), "alice@REEVE.TEST");
    cache = (*delegated)->ccache();
    EXPECT_EQ(cache.substr(0, 7), "MEMORY:");
    client_.ccache = cache;
    client_.target = "archive@localhost";
    client_.delegate = false;
    server_.keytab = Keytab("archive.keytab");
    context = Meet();
    ASSERT_TRUE(context.ok()) << context.status();
    EXPECT_EQ(ToString(context->principal.id), "user:alice@REEVE.TEST");
    EXPECT_EQ(*context->principal.attributes.Find("delegated"), Value::Bool(false));
    EXPECT_EQ(Word(acceptor_->ExportDelegated()), "no_credentials");
  }
  EXPECT_EQ(Word(Meet()), "no_credentials");
}

TEST_F(Krb5Test, DelegatedTicketsThatAreNone) {
  client_.delegate = true;
  ASSERT_TRUE(Meet().ok());
  const absl::StatusOr<SecretBytes> ticket = acceptor_->ExportDelegated();
  ASSERT_TRUE(ticket.ok()) << ticket.status();
  const std::string whole(ticket->view());
  const uint64_t before = Krb5ImportCalls();
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(Word(ImportDelegated(SecretBytes(whole.substr(0, size)).span())), "malformed");
  }
  EXPECT_EQ(Word(ImportDelegated(Exported().span())), "malformed");
  EXPECT_EQ(Krb5ImportCalls(), before);
}

}  // namespace
}  // namespace reeve
