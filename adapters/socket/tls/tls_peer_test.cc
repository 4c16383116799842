// Who the peer of a TLS session is: real handshakes over the loopback, with certificates made here.
#include "reeve/adapters/socket/tls/tls_peer.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cctype>
#include <functional>
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
#include "absl/time/time.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/peer_source.h"
#include "reeve/adapters/socket/tls/subject_alt_name.h"
#include "reeve/adapters/socket/tls/tls_testing.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/testing.h"
#include "reeve/engine/value.h"

namespace reeve {
namespace {

using reeve::testing::FakeClock;
using tls_testing::CertificateSpec;
using tls_testing::Connection;
using tls_testing::Context;
using tls_testing::ContextSpec;
using tls_testing::Credential;
using tls_testing::kNow;
using tls_testing::MakeContext;
using tls_testing::PeerOf;
using tls_testing::Revoke;

using Session = std::unique_ptr<SSL_SESSION, tls_testing::Free>;

std::string Word(const absl::Status& status) {
  const std::optional<PeerError> error = PeerErrorOf(status);
  return error.has_value() ? std::string(ToString(*error))
                           : std::string(absl::StatusCodeToString(status.code()));
}

std::string Text(const std::optional<Principal>& principal) {
  return principal.has_value() ? ToString(principal->id) : "-";
}

// "user | host", or the word of the error.
std::string Text(const absl::StatusOr<PeerIdentity>& identity) {
  if (!identity.ok()) return Word(identity.status());
  return absl::StrCat(Text(identity->user), " | ", Text(identity->host));
}

const char kAda[] = "user:ada@example.com | -";

CertificateSpec Named(std::vector<std::string> names) {
  CertificateSpec spec;
  spec.names = std::move(names);
  return spec;
}

// An authority, a server and a client of it, and what they speak.
class TlsPeerTest : public ::testing::Test {
 protected:
  TlsPeerTest() {
    options_.clock = &clock_;
    server_.own = Credential::Make(Named({"DNS:server.test", "IP:127.0.0.1"}), &authority_);
    server_.trusted = {authority_};
    client_.own = ada_;
    client_.trusted = {authority_};
  }

  // Makes what the specifications say, and connects. With `mend`, it mends the server's context
  // first.
  void Connect(const std::function<void(SSL_CTX*)>& mend = nullptr) {
    server_context_ = MakeContext(true, server_);
    client_context_ = MakeContext(false, client_);
    if (mend) mend(server_context_.get());
    Again(nullptr);
  }

  // Connects once more.
  void Again(SSL_SESSION* session) {
    Connection::Options options;
    options.session = session;
    connection_ =
        std::make_unique<Connection>(server_context_.get(), client_context_.get(), options);
  }

  // What the server makes of the client.
  absl::StatusOr<PeerIdentity> Client() const {
    return TlsPeer(connection_->server(), options_).Identify(PeerOf(connection_->server_fd()));
  }
  // What the client makes of the server.
  absl::StatusOr<PeerIdentity> Server() const {
    return TlsPeer(connection_->client(), options_).Identify(PeerOf(connection_->client_fd()));
  }

  void TearDown() override { EXPECT_EQ(ERR_peek_error(), 0u); }

  FakeClock clock_;
  TlsPeerOptions options_;
  const Credential authority_ = Credential::MakeAuthority("Reeve CA");
  const Credential ada_ = Credential::Make(Named({"email:ada@example.com"}), &authority_);
  ContextSpec server_;
  ContextSpec client_;
  Context server_context_;
  Context client_context_;
  std::unique_ptr<Connection> connection_;
};

// ---- What is told.

class TlsVersionTest : public TlsPeerTest, public ::testing::WithParamInterface<int> {
 protected:
  TlsVersionTest() { server_.version = GetParam(); }
};

std::string VersionName(const ::testing::TestParamInfo<int>& info) {
  return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
}

INSTANTIATE_TEST_SUITE_P(, TlsVersionTest, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         VersionName);

TEST_P(TlsVersionTest, TellsAllOfBothEnds) {
  client_.own = Credential::Make(Named({"URI:spiffe://example.org/ns/prod/sa/web",
                                        "email:ada@example.com", "DNS:Web-1.example.com"}),
                                 &authority_);
  Connect();
  ASSERT_TRUE(connection_->server_ok() && connection_->client_ok());
  const absl::StatusOr<PeerIdentity> identity = Client();
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_TRUE(identity->encrypted);
  for (const std::optional<Principal>& principal : {identity->user, identity->host}) {
    ASSERT_TRUE(principal.has_value());
    EXPECT_EQ(principal->assurance, Assurance::kCrypto);
    EXPECT_FALSE(principal->anonymous());
    EXPECT_EQ(principal->via, "tls");
    EXPECT_EQ(principal->host, "web-1.example.com");
    EXPECT_TRUE(principal->groups.empty());
    EXPECT_TRUE(principal->groups_complete);
    EXPECT_EQ(principal->attributes.size(), 4u);
    EXPECT_EQ(*principal->attributes.Find("tls_issuer"), Value::String("CN=Reeve CA"));
    EXPECT_EQ(*principal->attributes.Find("tls_not_after"),
              Value::Timestamp(kNow + absl::Hours(24)));
    const std::string serial(principal->attributes.Find("tls_serial")->string_value());
    const std::string fingerprint(principal->attributes.Find("tls_fingerprint")->string_value());
    EXPECT_EQ(fingerprint.size(), 64u);
    const bool is_13 = GetParam() == TLS1_3_VERSION;
    const std::string want = absl::StrCat("serial=", serial, " sha256=", fingerprint,
                                          " verify=ok protocol=", is_13 ? "TLSv1.3" : "TLSv1.2",
                                          " cipher=", SSL_get_cipher_name(connection_->server()),
                                          " resumed=no binding=");
    EXPECT_EQ(principal->evidence.substr(0, want.size()), want);
    EXPECT_EQ(principal->evidence.substr(want.size() + 16), " issuer=CN=Reeve CA");
  }
  EXPECT_EQ(ToString(identity->user->id), "spiffe:example.org/ns/prod/sa/web");
  ASSERT_EQ(identity->user->parents.size(), 1u);
  EXPECT_EQ(ToString(identity->user->parents[0]), "spiffe:example.org");
  EXPECT_EQ(ToString(identity->host->id), "host:web-1.example.com");
  EXPECT_TRUE(identity->host->parents.empty());

  const absl::StatusOr<PeerIdentity> server = Server();
  EXPECT_EQ(Text(server), "- | host:server.test");
  // Both ends of one session name it alike, and another session otherwise.
  const auto binding = [](const Principal& principal) {
    const size_t at = principal.evidence.find("binding=");
    return principal.evidence.substr(at, 8 + 16);
  };
  EXPECT_EQ(binding(*server->host), binding(*identity->user));
  Again(nullptr);
  EXPECT_NE(binding(*Client()->host), binding(*identity->user));
  // Asked again, the same.
  EXPECT_EQ(Client()->user->evidence, Client()->user->evidence);
  options_.binding = false;
  EXPECT_FALSE(absl::StrContains(Client()->user->evidence, "binding"));
}

TEST_F(TlsPeerTest, FingerprintAndSerialAreThoseOfTheCertificate) {
  Connect();
  const Attributes attributes = Client()->user->attributes;
  unsigned char digest[32];
  const std::string der = ada_.der();
  EVP_Digest(der.data(), der.size(), digest, nullptr, EVP_sha256(), nullptr);
  char* const hex = OPENSSL_buf2hexstr(digest, sizeof(digest));
  std::string want;
  for (const char* c = hex; *c != '\0'; ++c) {
    if (*c != ':') want += static_cast<char>(std::tolower(*c));
  }
  OPENSSL_free(hex);
  EXPECT_EQ(attributes.Find("tls_fingerprint")->string_value(), want);
  EXPECT_EQ(std::stol(std::string(attributes.Find("tls_serial")->string_value()), nullptr, 16),
            ASN1_INTEGER_get(X509_get0_serialNumber(ada_.certificate.get())));
}

TEST_F(TlsPeerTest, AnIssuersNameIsEscapedAndComesLast) {
  const Credential odd = Credential::MakeAuthority("A,B\n verify=no \xC3\xA1");
  client_.own = Credential::Make(Named({"email:ada@example.com"}), &odd);
  server_.trusted = {odd};
  Connect();
  const absl::StatusOr<PeerIdentity> identity = Client();
  ASSERT_TRUE(identity.ok()) << identity.status();
  const std::string issuer = "CN=A\\,B\\0A verify=no \\C3\\A1";
  EXPECT_EQ(identity->user->attributes.Find("tls_issuer")->string_value(), issuer);
  EXPECT_TRUE(absl::EndsWith(identity->user->evidence, " issuer=" + issuer));
}

TEST_F(TlsPeerTest, SeveralHostNamesArePossible) {
  options_.names.hosts_have_several_names = true;
  Connect();
  server_.own = Credential::Make(Named({"DNS:a.test", "DNS:b.test"}), &authority_);
  Connect();
  const absl::StatusOr<PeerIdentity> identity = Server();
  ASSERT_TRUE(identity.ok()) << identity.status();
  EXPECT_EQ(identity->host->host, "a.test");
  ASSERT_EQ(identity->host->parents.size(), 1u);
  EXPECT_EQ(ToString(identity->host->parents[0]), "host:b.test");
}

// ---- Which certificates the server believes. Here it is patient: it goes on after what OpenSSL
// refuses, as a verify callback that always says yes makes it do.

int SayYes(int, X509_STORE_CTX*) { return 1; }
int SayYesAndForget(int, X509_STORE_CTX* context) {
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}

struct BeliefCase {
  const char* name;
  // Mends what is right. The authority is the server's.
  std::function<void(const Credential& authority, ContextSpec* server, ContextSpec* client)> mend;
  bool handshake;    // Whether a server without a callback goes on.
  std::string want;  // With the callback.
};
std::ostream& operator<<(std::ostream& os, const BeliefCase& c) { return os << c.name; }

class BeliefTest : public TlsPeerTest, public ::testing::WithParamInterface<BeliefCase> {};

TEST_P(BeliefTest, Identifies) {
  const BeliefCase& c = GetParam();
  c.mend(authority_, &server_, &client_);
  for (const int version : {TLS1_2_VERSION, TLS1_3_VERSION}) {
    server_.version = version;
    server_.verify_callback = nullptr;
    Connect();
    EXPECT_EQ(connection_->server_ok(), c.handshake);
    EXPECT_EQ(Text(Client()), c.handshake ? c.want : "unproved");
    server_.verify_callback = SayYes;
    Connect();
    ASSERT_TRUE(connection_->server_ok());
    EXPECT_EQ(Text(Client()), c.want) << Client().status();
  }
}

Credential Ada(const Credential* issuer, std::function<void(CertificateSpec*)> mend = nullptr) {
  CertificateSpec spec = Named({"email:ada@example.com"});
  if (mend) mend(&spec);
  return Credential::Make(spec, issuer);
}

// The client's certificate, made otherwise.
std::function<void(const Credential&, ContextSpec*, ContextSpec*)> With(
    std::function<void(CertificateSpec*)> mend) {
  return [mend](const Credential& authority, ContextSpec*, ContextSpec* client) {
    client->own = Ada(&authority, mend);
  };
}

const BeliefCase kBeliefCases[] = {
    {"Good", [](const Credential&, ContextSpec*, ContextSpec*) {}, true, kAda},
    {"NoCertificate",
     [](const Credential&, ContextSpec*, ContextSpec* client) { client->own.reset(); }, true,
     "NOT_FOUND"},
    {"WrongAuthority",
     [](const Credential&, ContextSpec*, ContextSpec* client) {
       const Credential other = Credential::MakeAuthority("Other CA");
       client->own = Ada(&other);
     },
     false, "unproved"},
    {"AuthorityOfTheSameName",
     [](const Credential&, ContextSpec*, ContextSpec* client) {
       const Credential other = Credential::MakeAuthority("Reeve CA");
       client->own = Ada(&other);
     },
     false, "unproved"},
    {"SelfSigned",
     [](const Credential&, ContextSpec*, ContextSpec* client) { client->own = Ada(nullptr); },
     false, "unproved"},
    {"Expired", With([](CertificateSpec* spec) { spec->not_after = kNow; }), false, "unproved"},
    {"LastSecond", With([](CertificateSpec* spec) { spec->not_after = kNow + absl::Seconds(1); }),
     true, kAda},
    {"NotYetValid", With([](CertificateSpec* spec) { spec->not_before = kNow + absl::Seconds(1); }),
     false, "unproved"},
    {"FirstSecond", With([](CertificateSpec* spec) { spec->not_before = kNow; }), true, kAda},
    {"ForServersOnly", With([](CertificateSpec* spec) { spec->extended_key_usage = "serverAuth"; }),
     false, "unproved"},
    {"ForClients", With([](CertificateSpec* spec) { spec->extended_key_usage = "clientAuth"; }),
     true, kAda},
    {"Intermediate",
     [](const Credential& authority, ContextSpec*, ContextSpec* client) {
       const Credential between = Credential::MakeAuthority("Between", &authority);
       client->own = Ada(&between);
       client->chain = {between};
     },
     true, kAda},
    {"IntermediateNotSent",
     [](const Credential& authority, ContextSpec*, ContextSpec* client) {
       const Credential between = Credential::MakeAuthority("Between", &authority);
       client->own = Ada(&between);
     },
     false, "unproved"},
    {"IntermediateIsNoAuthority",
     [](const Credential& authority, ContextSpec*, ContextSpec* client) {
       const Credential between = Ada(&authority);
       client->own = Ada(&between);
       client->chain = {between};
     },
     false, "unproved"},
    {"CommonNameOnly", With([](CertificateSpec* spec) {
       spec->names.clear();
       spec->common_name = "ada@example.com";
     }),
     true, "no_token"},
    {"TwoEmails",
     With([](CertificateSpec* spec) { spec->names.push_back("email:bob@example.com"); }), true,
     "ambiguous"},
    {"TwoSpiffe", With([](CertificateSpec* spec) {
       spec->names = {"URI:spiffe://example.org/a", "URI:spiffe://example.org/b"};
     }),
     true, "ambiguous"},
    {"NulInAName", With([](CertificateSpec* spec) {
       spec->names = {std::string("email:ada@example.com\0.evil.test", 32)};
     }),
     true, "bad_name"},
    {"Wildcard", With([](CertificateSpec* spec) { spec->names = {"DNS:*.example.com"}; }), true,
     "bad_name"},
    {"UserAndHost",
     With([](CertificateSpec* spec) { spec->names.push_back("DNS:laptop-7.example.com"); }), true,
     "user:ada@example.com | host:laptop-7.example.com"},
};

INSTANTIATE_TEST_SUITE_P(, BeliefTest, ::testing::ValuesIn(kBeliefCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(TlsVersionTest, ServerThatRequiresOne) {
  client_.own.reset();
  server_.verify_mode |= SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
  Connect();
  EXPECT_FALSE(connection_->server_ok());
  EXPECT_EQ(Text(Client()), "unproved");
}

TEST_P(TlsVersionTest, ServerThatDoesNotAsk) {
  server_.verify_mode = SSL_VERIFY_NONE;
  Connect();
  ASSERT_TRUE(connection_->server_ok());
  EXPECT_EQ(Text(Client()), "NOT_FOUND");
}

// A client that does not check has a certificate, and nothing that speaks for it, right or wrong.
TEST_P(TlsVersionTest, ClientThatDoesNotCheck) {
  client_.verify_mode = SSL_VERIFY_NONE;
  Connect();
  EXPECT_EQ(SSL_get_verify_result(connection_->client()), X509_V_OK);
  EXPECT_EQ(Text(Server()), "unproved");
  const Credential other = Credential::MakeAuthority("Other CA");
  server_.own = Credential::Make(Named({"DNS:server.test"}), &other);
  Connect();
  ASSERT_TRUE(connection_->client_ok());
  EXPECT_EQ(Text(Server()), "unproved");
}

TEST_P(TlsVersionTest, ServerThatStopsChecking) {
  Connect();
  EXPECT_EQ(Text(Client()), kAda);
  SSL_set_verify(connection_->server(), SSL_VERIFY_NONE, nullptr);
  EXPECT_EQ(Text(Client()), "unproved");
}

// ---- Programs that verify by themselves, or do not.

TEST_P(TlsVersionTest, VerificationReplacedByNone) {
  client_.own = Ada(nullptr);
  Connect([](SSL_CTX* context) {
    SSL_CTX_set_cert_verify_callback(
        context, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  });
  ASSERT_TRUE(connection_->server_ok());
  // OpenSSL's verdict is that nobody found a fault.
  EXPECT_EQ(SSL_get_verify_result(connection_->server()), X509_V_OK);
  EXPECT_EQ(Text(Client()), "unproved");
  options_.reverify = SSL_CTX_get_cert_store(server_context_.get());
  EXPECT_EQ(Text(Client()), "unproved");
  // Nor is it for nothing: a good certificate passes.
  client_.own = ada_;
  Connect([](SSL_CTX* context) {
    SSL_CTX_set_cert_verify_callback(
        context, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  });
  options_.reverify = SSL_CTX_get_cert_store(server_context_.get());
  EXPECT_EQ(Text(Client()), kAda);
}

TEST_P(TlsVersionTest, ErrorsForgottenByACallback) {
  client_.own = Ada(nullptr);
  server_.verify_callback = SayYesAndForget;
  Connect();
  ASSERT_TRUE(connection_->server_ok());
  // This is what a program says that knows better, and the header says that it is believed.
  EXPECT_EQ(Text(Client()), kAda);
  options_.reverify = SSL_CTX_get_cert_store(server_context_.get());
  EXPECT_EQ(Text(Client()), "unproved");
}

TEST_P(TlsVersionTest, VerifiesAgain) {
  const Credential between = Credential::MakeAuthority("Between", &authority_);
  client_.own = Ada(&between);
  client_.chain = {between};
  Connect();
  const std::unique_ptr<X509_STORE, tls_testing::Free> store(X509_STORE_new());
  options_.reverify = store.get();
  EXPECT_EQ(Text(Client()), "unproved") << "trusts nobody";
  X509_STORE_add_cert(store.get(), authority_.certificate.get());
  EXPECT_EQ(Text(Client()), kAda);
  EXPECT_TRUE(absl::StrContains(Client()->user->evidence, " verify=again "));
  // A callback of the store has no say.
  X509_STORE_set_verify_cb(store.get(), SayYesAndForget);
  X509_STORE_set_flags(store.get(), X509_V_FLAG_CRL_CHECK);
  EXPECT_EQ(Text(Client()), "unproved") << "no list";
  X509_STORE_add_crl(store.get(), Revoke(between, {}).get());
  EXPECT_EQ(Text(Client()), kAda);
}

TEST_P(TlsVersionTest, RevokedSinceTheHandshake) {
  Connect();
  EXPECT_EQ(Text(Client()), kAda);
  const std::unique_ptr<X509_STORE, tls_testing::Free> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), authority_.certificate.get());
  X509_STORE_add_crl(store.get(), Revoke(authority_, {ada_}).get());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_CRL_CHECK);
  options_.reverify = store.get();
  EXPECT_EQ(Text(Client()), "unproved");
}

// Verified again does not undo what the handshake found.
TEST_P(TlsVersionTest, FoundBadThenGood) {
  client_.own = Ada(nullptr);
  server_.verify_callback = SayYes;
  Connect();
  const std::unique_ptr<X509_STORE, tls_testing::Free> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), client_.own->certificate.get());
  options_.reverify = store.get();
  EXPECT_EQ(Text(Client()), "unproved");
}

// Verified again is for clients' certificates, on the server.
TEST_P(TlsVersionTest, VerifiesAgainForThePurpose) {
  client_.own =
      Ada(&authority_, [](CertificateSpec* spec) { spec->extended_key_usage = "serverAuth"; });
  Connect([](SSL_CTX* context) {
    SSL_CTX_set_cert_verify_callback(
        context, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  });
  options_.reverify = SSL_CTX_get_cert_store(server_context_.get());
  EXPECT_EQ(Text(Client()), "unproved");
}

TEST_P(TlsVersionTest, RevocationLists) {
  for (const bool revoked : {true, false}) {
    const std::vector<Credential> list = revoked ? std::vector{ada_} : std::vector{*server_.own};
    for (const bool patient : {true, false}) {
      server_.verify_callback = patient ? SayYes : nullptr;
      Connect([&](SSL_CTX* context) {
        X509_STORE* const store = SSL_CTX_get_cert_store(context);
        X509_STORE_add_crl(store, Revoke(authority_, list).get());
        X509_VERIFY_PARAM_set_flags(SSL_CTX_get0_param(context), X509_V_FLAG_CRL_CHECK);
      });
      EXPECT_EQ(connection_->server_ok(), !revoked || patient);
      EXPECT_EQ(Text(Client()), revoked ? "unproved" : kAda);
    }
  }
}

// ---- Time passes.

TEST_P(TlsVersionTest, ExpiresDuringTheConnection) {
  Connect();
  clock_.now = kNow + absl::Hours(24) - absl::Nanoseconds(1);
  EXPECT_EQ(Text(Client()), kAda);
  clock_.now = kNow + absl::Hours(24);
  EXPECT_EQ(Text(Client()), "unproved");
  clock_.now = kNow - absl::Hours(24);
  EXPECT_EQ(Text(Client()), kAda);
  clock_.now -= absl::Nanoseconds(1);
  EXPECT_EQ(Text(Client()), "unproved");
}

TEST_P(TlsVersionTest, AnAuthorityExpiresDuringTheConnection) {
  CertificateSpec spec;
  spec.common_name = "Between";
  spec.ca = true;
  spec.not_after = kNow + absl::Hours(1);
  const Credential between = Credential::Make(spec, &authority_);
  client_.own = Ada(&between);
  client_.chain = {between};
  Connect();
  EXPECT_EQ(*Client()->user->attributes.Find("tls_not_after"), Value::Timestamp(spec.not_after));
  clock_.now = kNow + absl::Hours(2);
  EXPECT_EQ(Text(Client()), "unproved");
}

TEST_F(TlsPeerTest, TheMachinesClockIsTheDefault) {
  // As long as certificates can say, for this test knows no time.
  CertificateSpec spec = Named({"email:ada@example.com"});
  spec.not_before = absl::UnixEpoch();
  spec.not_after = absl::FromUnixSeconds(253402300799);  // 9999-12-31T23:59:59Z
  client_.own = Credential::Make(spec);
  server_.trusted = {*client_.own};
  Connect();
  EXPECT_EQ(Text(TlsPeer(connection_->server()).Identify(PeerOf(connection_->server_fd()))), kAda);
}

// ---- Resumption.

TEST_P(TlsVersionTest, Resumed) {
  const Credential between = Credential::MakeAuthority("Between", &authority_);
  client_.own = Ada(&between);
  client_.chain = {between};
  for (const bool tickets : {true, false}) {
    Connect([&](SSL_CTX* context) {
      if (!tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    });
    const absl::StatusOr<PeerIdentity> first = Client();
    const Session session(SSL_get1_session(connection_->client()));
    Again(session.get());
    ASSERT_TRUE(connection_->server_ok() && connection_->client_ok());
    ASSERT_EQ(SSL_session_reused(connection_->server()), 1);
    const absl::StatusOr<PeerIdentity> again = Client();
    ASSERT_EQ(Text(again), kAda) << again.status();
    EXPECT_EQ(again->user->attributes, first->user->attributes);
    EXPECT_TRUE(absl::StrContains(again->user->evidence, " resumed=yes "));
    EXPECT_EQ(Text(Server()), "- | host:server.test");
    options_.allow_resumed = false;
    EXPECT_EQ(Text(Client()), "unproved");
    options_.allow_resumed = true;
    // The certificate expires all the same.
    clock_.now = kNow + absl::Hours(25);
    EXPECT_EQ(Text(Client()), "unproved");
    clock_.now = kNow;
    // What is not in a ticket, the store must have.
    const std::unique_ptr<X509_STORE, tls_testing::Free> store(X509_STORE_new());
    X509_STORE_add_cert(store.get(), authority_.certificate.get());
    options_.reverify = store.get();
    if (tickets) {
      EXPECT_EQ(Text(Client()), "unproved");
    }
    X509_STORE_add_cert(store.get(), between.certificate.get());
    EXPECT_EQ(Text(Client()), kAda);
    options_.reverify = nullptr;
  }
}

// The verdict is kept with the session, so a bad certificate stays bad.
TEST_P(TlsVersionTest, ResumedAfterABadVerdict) {
  client_.own = Ada(nullptr);
  server_.verify_callback = SayYes;
  Connect();
  const Session session(SSL_get1_session(connection_->client()));
  Again(session.get());
  ASSERT_EQ(SSL_session_reused(connection_->server()), 1);
  EXPECT_EQ(Text(Client()), "unproved");
}

TEST_P(TlsVersionTest, ResumedWithoutACertificate) {
  client_.own.reset();
  Connect();
  const Session session(SSL_get1_session(connection_->client()));
  Again(session.get());
  ASSERT_EQ(SSL_session_reused(connection_->server()), 1);
  EXPECT_EQ(Text(Client()), "NOT_FOUND");
}

// ---- Certificates that come later.

TEST_F(TlsPeerTest, ShownAfterTheHandshakeInTls13) {
  server_.version = TLS1_3_VERSION;
  server_.verify_mode = SSL_VERIFY_NONE;
  server_context_ = MakeContext(true, server_);
  client_context_ = MakeContext(false, client_);
  SSL_CTX_set_post_handshake_auth(client_context_.get(), 1);
  Again(nullptr);
  EXPECT_EQ(Text(Client()), "NOT_FOUND");
  SSL_set_verify(connection_->server(), SSL_VERIFY_PEER, nullptr);
  std::string between;
  connection_->Run(
      [&](SSL* ssl) {
        ASSERT_EQ(SSL_verify_client_post_handshake(ssl), 1);
        ASSERT_EQ(SSL_do_handshake(ssl), 1);
        // It is asked for, and not shown.
        between = Text(TlsPeer(ssl, options_).Identify(PeerOf(connection_->server_fd())));
        ASSERT_EQ(SSL_write(ssl, "!", 1), 1);
        char byte;
        ASSERT_EQ(SSL_read(ssl, &byte, 1), 1);
      },
      [](SSL* ssl) {
        char byte;
        ASSERT_EQ(SSL_read(ssl, &byte, 1), 1);
        ASSERT_EQ(SSL_write(ssl, "!", 1), 1);
      });
  EXPECT_EQ(between, "NOT_FOUND");
  EXPECT_EQ(Text(Client()), kAda);
}

TEST_F(TlsPeerTest, ShownByRenegotiationInTls12) {
  server_.version = TLS1_2_VERSION;
  server_.verify_mode = SSL_VERIFY_NONE;
  for (const bool extended : {true, false}) {
    Connect([&](SSL_CTX* context) {
      SSL_CTX_set_options(context, SSL_OP_NO_SESSION_RESUMPTION_ON_RENEGOTIATION);
      if (!extended) SSL_CTX_set_options(context, SSL_OP_NO_EXTENDED_MASTER_SECRET);
    });
    EXPECT_EQ(Text(Client()), "NOT_FOUND");
    SSL_set_verify(connection_->server(), SSL_VERIFY_PEER, nullptr);
    connection_->Run(
        [](SSL* ssl) {
          ASSERT_EQ(SSL_renegotiate(ssl), 1);
          ASSERT_EQ(SSL_do_handshake(ssl), 1);  // Asks the client for it.
          ASSERT_EQ(SSL_write(ssl, "!", 1), 1);
          char byte;
          ASSERT_EQ(SSL_read(ssl, &byte, 1), 1);
        },
        [](SSL* ssl) {
          char byte;
          ASSERT_EQ(SSL_read(ssl, &byte, 1), 1);
          ASSERT_EQ(SSL_write(ssl, "!", 1), 1);
        });
    EXPECT_EQ(SSL_num_renegotiations(connection_->server()), 1);
    EXPECT_EQ(Text(Client()), extended ? kAda : "unproved");
  }
}

TEST_F(TlsPeerTest, WithoutExtendedMasterSecrets) {
  server_.version = TLS1_2_VERSION;
  Connect([](SSL_CTX* context) { SSL_CTX_set_options(context, SSL_OP_NO_EXTENDED_MASTER_SECRET); });
  ASSERT_EQ(SSL_get_extms_support(connection_->server()), 0);
  const absl::StatusOr<PeerIdentity> identity = Client();
  EXPECT_EQ(Text(identity), kAda);
  EXPECT_TRUE(absl::StrContains(identity->user->evidence, " binding=none "));
  const Session session(SSL_get1_session(connection_->client()));
  Again(session.get());
  ASSERT_EQ(SSL_session_reused(connection_->server()), 1);
  EXPECT_EQ(Text(Client()), "unproved");
}

// ---- Protocols and ciphers.

TEST_F(TlsPeerTest, OldVersionsProveNothing) {
  server_.version = TLS1_1_VERSION;
  client_.ciphers = server_.ciphers = "ALL:@SECLEVEL=0";
  client_.version = TLS1_1_VERSION;
  Connect();
  ASSERT_TRUE(connection_->server_ok());
  EXPECT_EQ(Text(Client()), "unproved");
}

TEST_F(TlsPeerTest, WithoutEncryption) {
  server_.version = TLS1_2_VERSION;
  client_.ciphers = server_.ciphers = "ECDHE-ECDSA-NULL-SHA:@SECLEVEL=0";
  Connect();
  ASSERT_TRUE(connection_->server_ok());
  const absl::StatusOr<PeerIdentity> identity = Client();
  ASSERT_EQ(Text(identity), kAda);
  EXPECT_FALSE(identity->encrypted);
}

TEST_F(TlsPeerTest, WithoutCertificatesAtAll) {
  server_.version = TLS1_2_VERSION;
  client_.ciphers = server_.ciphers = "aNULL:@SECLEVEL=0";
  Connect();
  ASSERT_TRUE(connection_->server_ok());
  EXPECT_EQ(Text(Client()), "NOT_FOUND");
  EXPECT_EQ(Text(Server()), "NOT_FOUND");
}

// ---- Whose session it is.

TEST_F(TlsPeerTest, HandshakeNotBegun) {
  server_context_ = MakeContext(true, server_);
  client_context_ = MakeContext(false, client_);
  Connection::Options options;
  options.handshake = false;
  connection_ = std::make_unique<Connection>(server_context_.get(), client_context_.get(), options);
  EXPECT_EQ(Text(Client()), "unproved");
  EXPECT_EQ(Text(Server()), "unproved");
}

TEST_F(TlsPeerTest, HandshakeHalfDone) {
  server_context_ = MakeContext(true, server_);
  client_context_ = MakeContext(false, client_);
  Connection::Options options;
  options.handshake = false;
  connection_ = std::make_unique<Connection>(server_context_.get(), client_context_.get(), options);
  for (const int fd : {connection_->server_fd(), connection_->client_fd()}) {
    ASSERT_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
  }
  // Step by step; both are asked after each.
  std::vector<std::string> server;
  std::vector<std::string> client;
  bool done = false;
  for (int i = 0; i < 20 && !done; ++i) {
    const bool client_done = SSL_do_handshake(connection_->client()) == 1;
    const bool server_done = SSL_do_handshake(connection_->server()) == 1;
    ERR_clear_error();
    EXPECT_EQ(Text(Client()), server_done ? kAda : "unproved") << i;
    EXPECT_EQ(Text(Server()), client_done ? "- | host:server.test" : "unproved") << i;
    done = client_done && server_done;
  }
  EXPECT_TRUE(done);
}

TEST_F(TlsPeerTest, FailedSession) {
  Connect();
  EXPECT_EQ(Text(Client()), kAda);
  // What is no record ends the session.
  ASSERT_EQ(send(connection_->client_fd(), "GET / HTTP/1.0\r\n\r\n", 18, 0), 18);
  char byte;
  EXPECT_LT(SSL_read(connection_->server(), &byte, 1), 1);
  ERR_clear_error();
  EXPECT_EQ(Text(Client()), "unproved");
}

TEST_F(TlsPeerTest, AnotherSocket) {
  Connect();
  const TlsPeer tls(connection_->server(), options_);
  EXPECT_EQ(Text(tls.Identify(PeerOf(connection_->client_fd()))), "unproved");
  const Connection other(server_context_.get(), client_context_.get());
  EXPECT_EQ(Text(tls.Identify(PeerOf(other.server_fd()))), "unproved");
  options_.any_transport = true;
  EXPECT_EQ(Text(tls.Identify(PeerOf(other.server_fd()))), "unproved");
}

TEST_F(TlsPeerTest, ACopyOfTheDescriptorIsTheSameSocket) {
  Connect();
  const int copy = fcntl(connection_->server_fd(), F_DUPFD_CLOEXEC, 0);
  ASSERT_GE(copy, 0);
  EXPECT_EQ(Text(TlsPeer(connection_->server(), options_).Identify(PeerOf(copy))), kAda);
  close(copy);
}

TEST_F(TlsPeerTest, ReadsFromOneSocketAndWritesToAnother) {
  Connect();
  const Connection other(server_context_.get(), client_context_.get());
  ASSERT_EQ(SSL_set_wfd(connection_->server(), other.server_fd()), 1);
  EXPECT_EQ(Text(Client()), "unproved");
  EXPECT_EQ(Text(TlsPeer(connection_->server(), options_).Identify(PeerOf(other.server_fd()))),
            "unproved");
}

TEST_F(TlsPeerTest, Datagrams) {
  Connect();
  SocketPeer peer = PeerOf(connection_->server_fd());
  peer.type = SOCK_DGRAM;
  EXPECT_EQ(Text(TlsPeer(connection_->server(), options_).Identify(peer)), "unproved");
}

TEST_F(TlsPeerTest, BytesThatPassThroughMemory) {
  Connect();
  SSL_set_bio(connection_->server(), BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
  EXPECT_EQ(Text(Client()), "unproved");
  options_.any_transport = true;
  EXPECT_EQ(Text(Client()), kAda);
}

TEST_F(TlsPeerTest, NoTransportAtAll) {
  Connect();
  SSL_set_bio(connection_->server(), nullptr, nullptr);
  EXPECT_EQ(Text(Client()), "unproved");
}

TEST_F(TlsPeerTest, SaysWhatItIs) {
  EXPECT_EQ(TlsPeer(nullptr).mechanism(), PeerSource::Mechanism::kTls);
}

// ---- What a client expects.

struct ExpectedCase {
  const char* name;
  std::vector<std::string> names;
  std::string expected;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const ExpectedCase& c) { return os << c.name; }

class ExpectedTest : public TlsPeerTest, public ::testing::WithParamInterface<ExpectedCase> {};

TEST_P(ExpectedTest, Matches) {
  CertificateSpec spec = Named(GetParam().names);
  spec.common_name = "cn.test";
  server_.own = Credential::Make(spec, &authority_);
  Connect();
  ASSERT_TRUE(connection_->client_ok());
  EXPECT_EQ(Word(CheckTlsPeerName(connection_->client(), GetParam().expected, options_)),
            GetParam().want);
}

INSTANTIATE_TEST_SUITE_P(
    , ExpectedTest,
    ::testing::Values(
        ExpectedCase{"Dns", {"DNS:a.test", "DNS:b.test"}, "b.test", "OK"},
        ExpectedCase{"DnsInCapitals", {"DNS:a.TEST"}, "A.test", "OK"},
        ExpectedCase{"DnsOther", {"DNS:a.test"}, "b.test", "mismatch"},
        ExpectedCase{"DnsBelow", {"DNS:a.test"}, "x.a.test", "mismatch"},
        ExpectedCase{"DnsAbove", {"DNS:x.a.test"}, "a.test", "mismatch"},
        ExpectedCase{"CommonName", {}, "cn.test", "mismatch"},
        ExpectedCase{"CommonNameBesideAnAddress", {"IP:127.0.0.1"}, "cn.test", "mismatch"},
        ExpectedCase{"Wildcard", {"DNS:*.a.test"}, "x.a.test", "OK"},
        ExpectedCase{"WildcardTwoLabels", {"DNS:*.a.test"}, "y.x.a.test", "mismatch"},
        ExpectedCase{"WildcardNoLabel", {"DNS:*.a.test"}, "a.test", "mismatch"},
        ExpectedCase{"WildcardInALabel", {"DNS:x*.a.test"}, "xy.a.test", "mismatch"},
        ExpectedCase{"WildcardInTheMiddle", {"DNS:x.*.a.test"}, "x.y.a.test", "mismatch"},
        ExpectedCase{"WildcardOfATopDomain", {"DNS:*.test"}, "a.test", "mismatch"},
        ExpectedCase{"Ip", {"IP:10.1.2.3"}, "10.1.2.3", "OK"},
        ExpectedCase{"IpV6", {"IP:fe80::1"}, "FE80:0::1", "OK"},
        ExpectedCase{"IpMapped", {"IP:10.1.2.3"}, "::ffff:10.1.2.3", "OK"},
        ExpectedCase{"IpOther", {"IP:10.1.2.3"}, "10.1.2.4", "mismatch"},
        ExpectedCase{"IpAsDns", {"DNS:10.1.2.3"}, "10.1.2.3", "mismatch"},
        ExpectedCase{"Spiffe", {"URI:spiffe://a.test/x"}, "spiffe://a.test/x", "OK"},
        ExpectedCase{"SpiffeOther", {"URI:spiffe://a.test/x"}, "spiffe://a.test/y", "mismatch"},
        ExpectedCase{"SpiffeBelow", {"URI:spiffe://a.test/x/y"}, "spiffe://a.test/x", "mismatch"},
        ExpectedCase{"SpiffeBesideAnotherUri",
                     {"URI:spiffe://a.test/x", "URI:https://a.test/"},
                     "spiffe://a.test/x",
                     "mismatch"},
        ExpectedCase{"SpiffeAsDns", {"DNS:a.test"}, "spiffe://a.test/x", "mismatch"},
        ExpectedCase{"NulInTheCertificate",
                     {std::string("DNS:a.test\0.evil.test", 21)},
                     "a.test",
                     "bad_name"},
        ExpectedCase{"Nothing", {"DNS:a.test"}, "", "INVALID_ARGUMENT"},
        ExpectedCase{"ADomain", {"DNS:x.a.test"}, ".a.test", "INVALID_ARGUMENT"},
        ExpectedCase{"AWildcard", {"DNS:*.a.test"}, "*.a.test", "INVALID_ARGUMENT"},
        ExpectedCase{"Nul", {"DNS:a.test"}, std::string("a.test\0", 7), "INVALID_ARGUMENT"},
        ExpectedCase{"HalfAnAddress", {"DNS:a.test"}, "127.1", "INVALID_ARGUMENT"},
        ExpectedCase{
            "SpiffeMalformed", {"URI:spiffe://a.test/"}, "spiffe://a.test/", "INVALID_ARGUMENT"},
        ExpectedCase{
            "SpiffeTrustDomain", {"URI:spiffe://a.test"}, "spiffe://a.test", "INVALID_ARGUMENT"},
        ExpectedCase{"AUrl", {"DNS:a.test"}, "https://a.test", "INVALID_ARGUMENT"}),
    [](const auto& info) { return std::string(info.param.name); });

TEST_F(TlsPeerTest, AnExpectedPeerMustBeBelieved) {
  Connect();
  EXPECT_EQ(Word(CheckTlsPeerName(connection_->client(), "server.test", options_)), "OK");
  EXPECT_EQ(Word(CheckTlsPeerName(connection_->client(), "127.0.0.1", options_)), "OK");
  clock_.now = kNow + absl::Hours(25);
  EXPECT_EQ(Word(CheckTlsPeerName(connection_->client(), "server.test", options_)), "unproved");
  clock_.now = kNow;
  client_.verify_mode = SSL_VERIFY_NONE;
  Connect();
  EXPECT_EQ(Word(CheckTlsPeerName(connection_->client(), "server.test", options_)), "unproved");
  client_.verify_mode = SSL_VERIFY_PEER;
  client_.own.reset();
  Connect();
  EXPECT_EQ(Word(CheckTlsPeerName(connection_->server(), "client.test", options_)), "unproved");
}

TEST_F(TlsPeerTest, AnExpectedWorkloadIsNoAuthority) {
  CertificateSpec spec = Named({"URI:spiffe://a.test/x"});
  spec.ca = true;
  spec.key_usage = "digitalSignature,keyCertSign";
  server_.own = Credential::Make(spec, &authority_);
  Connect();
  ASSERT_TRUE(connection_->client_ok());
  EXPECT_EQ(Word(CheckTlsPeerName(connection_->client(), "spiffe://a.test/x", options_)),
            "unproved");
}

}  // namespace
}  // namespace reeve
