// Whose contexts are believed: chains made here, opened by packages of several trusts, and real
// handshakes over the loopback.
#include "reeve/adapters/context/tls/tls_package.h"

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>

#include <algorithm>
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
#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/import_authorizer.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/adapters/context/seal/machine.h"
#include "reeve/adapters/context/seal/ring_seal.h"
#include "reeve/adapters/context/seal/secret_memory.h"
#include "reeve/adapters/context/seal/single_use.h"
#include "reeve/adapters/context/secret_bytes.h"
#include "reeve/adapters/context/security_context.h"
#include "reeve/adapters/context/tls/spiffe_bundles.h"
#include "reeve/adapters/socket/tls/subject_alt_name.h"
#include "reeve/adapters/socket/tls/tls_testing.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/testing.h"
#include "reeve/engine/value.h"

namespace reeve {
namespace {

using tls_testing::CertificateSpec;
using tls_testing::Connection;
using tls_testing::Context;
using tls_testing::ContextSpec;
using tls_testing::Credential;
using tls_testing::kNow;
using tls_testing::MakeContext;
using tls_testing::Revoke;

using Store = std::unique_ptr<X509_STORE, tls_testing::Free>;
using Session = std::unique_ptr<SSL_SESSION, tls_testing::Free>;
using Chain = std::vector<Credential>;

CertificateSpec Named(std::vector<std::string> names) {
  CertificateSpec spec;
  spec.names = std::move(names);
  return spec;
}

CertificateSpec Authority(std::string common_name) {
  CertificateSpec spec;
  spec.common_name = std::move(common_name);
  spec.ca = true;
  spec.key_usage = "critical,keyCertSign,cRLSign";
  return spec;
}

Store StoreOf(const Chain& trusted) {
  Store store(X509_STORE_new());
  for (const Credential& credential : trusted) {
    X509_STORE_add_cert(store.get(), credential.certificate.get());
  }
  return store;
}

std::string Sized(std::string_view der) {
  std::string out;
  AppendSized(der, &out);
  return out;
}

std::string Payload(const Chain& chain) {
  std::string out;
  for (const Credential& credential : chain) out += Sized(credential.der());
  return out;
}

absl::Span<const uint8_t> Bytes(std::string_view text) {
  return absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}

std::string Fingerprint(const Credential& credential) {
  unsigned char digest[32];
  const std::string der = credential.der();
  EVP_Digest(der.data(), der.size(), digest, nullptr, EVP_sha256(), nullptr);
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest), sizeof(digest)});
}

std::string Serial(const Credential& credential) {
  const ASN1_INTEGER* const serial = X509_get0_serialNumber(credential.certificate.get());
  return absl::BytesToHexString({reinterpret_cast<const char*>(ASN1_STRING_get0_data(serial)),
                                 static_cast<size_t>(ASN1_STRING_length(serial))});
}

std::string Text(absl::Time time) {
  return absl::FormatTime(absl::RFC3339_full, time, absl::UTCTimeZone());
}

// All of a context but its session.
std::string Text(const EstablishedContext& context) {
  const Principal& principal = context.principal;
  std::string text = absl::StrCat(ToString(principal.id), " in [");
  for (const EntityId& parent : principal.parents) absl::StrAppend(&text, ToString(parent), " ");
  absl::StrAppend(&text, "] host=", principal.host, " groups=", principal.groups.size(),
                  principal.groups_complete ? "" : "?", " actor=", principal.actor,
                  " assurance=", std::string(ToString(principal.assurance)), " via=", principal.via,
                  "\n", Value::Of(principal.attributes).ToString(), "\n", principal.evidence,
                  "\nfrom ", Text(context.established), " to ", Text(context.expires));
  return text;
}

std::string Word(const absl::Status& status) {
  const std::optional<ContextError> error = ContextErrorOf(status);
  return error.has_value() ? std::string(ToString(*error))
                           : absl::StatusCodeToString(status.code());
}

std::string Text(const absl::Status& status) {
  return absl::StrCat(Word(status), ": ", status.message());
}

std::string Text(const absl::StatusOr<EstablishedContext>& context) {
  return context.ok() ? Text(*context) : Text(context.status());
}

// Who is expected: `id` and what stands beside it, of the certificate of `leaf`.
struct Who {
  explicit Who(std::string id, std::string parent = "", std::string host = "",
               std::string issuer = "CN=Between", absl::Time expires = kNow + absl::Hours(24))
      : id(std::move(id)),
        parent(std::move(parent)),
        host(std::move(host)),
        issuer(std::move(issuer)),
        expires(expires) {}

  std::string id;
  std::string parent;
  std::string host;
  std::string issuer;
  absl::Time expires;
};

std::string Text(const Who& who, const Credential& leaf, std::string_view how) {
  EstablishedContext context;
  Principal& principal = context.principal;
  principal = testing::MakePrincipal(who.id);
  principal.assurance = Assurance::kCrypto;
  if (!who.parent.empty()) principal.parents = {testing::MakeId(who.parent)};
  principal.via = "tls";
  principal.host = who.host;
  principal.attributes.Set("tls_issuer", Value::String(who.issuer));
  principal.attributes.Set("tls_serial", Value::String(Serial(leaf)));
  principal.attributes.Set("tls_fingerprint", Value::String(Fingerprint(leaf)));
  principal.attributes.Set("tls_not_after", Value::Timestamp(who.expires));
  principal.evidence = absl::StrCat("serial=", Serial(leaf), " sha256=", Fingerprint(leaf), " ",
                                    std::string(how), " issuer=", who.issuer);
  context.established = kNow;
  context.expires = who.expires;
  return Text(context);
}

const Who kAda{"user:ada@example.com"};
const Who kWeb{"spiffe:example.org/ns/prod/sa/web", "spiffe:example.org"};

// What a row begins with: a root, an authority below it, and a client of that, which trust makes
// good. Rows spoil it.
struct World {
  Credential root = Credential::MakeAuthority("Root");
  Credential between = Credential::MakeAuthority("Between", &root);
  Credential leaf;
  std::optional<Chain> others;         // Beside the leaf; unset, `between` alone.
  std::optional<std::string> payload;  // Unset, that of the chain.
  Chain trusted;                       // Beside `root`, which is not if `distrusted`.
  bool distrusted = false;
  std::vector<std::shared_ptr<X509_CRL>> lists;
  unsigned long flags = 0;  // Of the store.
  TlsPackageOptions options;
  bool spiffe = false;
  // Of `spiffe`, beside example.org, of which the above are.
  std::map<std::string, Chain> domains;

  void Leaf(const CertificateSpec& spec) { leaf = Credential::Make(spec, &between); }
  void Name(std::vector<std::string> names) { Leaf(Named(std::move(names))); }
  // A client of `authority`, which is not what stands above it in the chain.
  void LeafOf(const Credential& authority) {
    leaf = Credential::Make(Named({"email:ada@example.com"}), &authority);
  }
  void Between(const CertificateSpec& spec) {
    between = Credential::Make(spec, &root);
    LeafOf(between);
  }

  Chain chain() const {
    Chain chain = {leaf};
    for (const Credential& other : others.value_or(Chain{between})) chain.push_back(other);
    return chain;
  }
};

// The package of a world, with what it needs to live.
struct Package {
  explicit Package(const World& world) {
    Chain trusted = world.trusted;
    if (!world.distrusted) trusted.push_back(world.root);
    store = StoreOf(trusted);
    for (const auto& list : world.lists) X509_STORE_add_crl(store.get(), list.get());
    X509_STORE_set_flags(store.get(), world.flags);
    if (world.spiffe) {
      EXPECT_EQ(bundles.Add("example.org", store.get()), absl::OkStatus());
      for (const auto& [domain, authorities] : world.domains) {
        EXPECT_EQ(bundles.Add(domain, StoreOf(authorities).get()), absl::OkStatus());
      }
      SpiffePackageOptions options;
      options.bundles = &bundles;
      options.peer = world.options.peer;
      options.allow_resumed = world.options.allow_resumed;
      package = *TlsPackage::Create(options);
    } else {
      TlsPackageOptions options = world.options;
      options.trusted = store.get();
      package = *TlsPackage::Create(options);
    }
  }

  Store store;
  SpiffeBundles bundles;
  std::unique_ptr<TlsPackage> package;
};

struct OpenCase {
  const char* name;
  std::function<void(World*)> spoil;
  std::string error;  // Empty, if it is `who`.
  Who who = kAda;
};
std::ostream& operator<<(std::ostream& os, const OpenCase& c) { return os << c.name; }

class OpenTest : public ::testing::TestWithParam<OpenCase> {
 protected:
  void TearDown() override { EXPECT_EQ(ERR_peek_error(), 0u); }
};

TEST_P(OpenTest, SaysWhoseItIs) {
  const OpenCase& c = GetParam();
  World world;
  world.LeafOf(world.between);
  c.spoil(&world);
  const Package package(world);
  const std::string payload = world.payload.value_or(Payload(world.chain()));
  const std::string want =
      c.error.empty() ? Text(c.who, world.leaf,
                             absl::StrCat("verify=chain certificates=", world.chain().size()))
                      : c.error;
  absl::StatusOr<EstablishedContext> context = package.package->Open(Bytes(payload), kNow);
  EXPECT_EQ(Text(context), want);
  if (context.ok()) {
    // One chain has one form.
    const absl::StatusOr<SecretBytes> again = context->session->Export();
    ASSERT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->view(), payload);
  }
  if (world.payload.has_value()) return;
  // The same of certificates that were not packed, but that a root is not taken along.
  STACK_OF(X509)* const others = sk_X509_new_null();
  for (const Credential& other : world.others.value_or(Chain{world.between})) {
    sk_X509_push(others, other.certificate.get());
  }
  if (world.chain().size() <= 10) {
    EXPECT_EQ(Text(package.package->FromChain(world.leaf.certificate.get(), others, kNow)), want);
  }
  sk_X509_free(others);
}

std::string NotBelieved(std::string_view why, std::string_view word = "mechanism") {
  return absl::StrCat(std::string(word),
                      ": the peer's certificate was not believed: ", std::string(why));
}

std::string BadName(std::string_view what) {
  return absl::StrCat("mechanism: the peer's certificate has ", std::string(what),
                      "; ask its authority for another certificate");
}

std::string Malformed(std::string_view what) {
  return absl::StrCat("malformed: the chain of certificates in the context ", std::string(what));
}

std::function<void(World*)> WithNames(std::vector<std::string> names) {
  return [names](World* world) { world->Name(names); };
}

std::function<void(World*)> WithLeaf(std::function<void(CertificateSpec*)> mend) {
  return [mend](World* world) {
    CertificateSpec spec = Named({"email:ada@example.com"});
    mend(&spec);
    world->Leaf(spec);
  };
}

std::function<void(World*)> WithBetween(std::function<void(CertificateSpec*)> mend) {
  return [mend](World* world) {
    CertificateSpec spec = Authority("Between");
    mend(&spec);
    world->Between(spec);
  };
}

// The payload of a good chain, spoiled.
std::function<void(World*)> WithBytes(std::function<void(const Chain&, std::string*)> mend) {
  return [mend](World* world) {
    std::string payload = Payload(world->chain());
    mend(world->chain(), &payload);
    world->payload = payload;
  };
}

const std::string kNoIssuer = NotBelieved("unable to get local issuer certificate");
const std::string kTooMany =
    Malformed("has more than 10; let the peer show those that are needed only");

const OpenCase kGoodCases[] = {
    {"Good", [](World*) {}, ""},
    {"BelowTheRoot",
     [](World* world) {
       world->LeafOf(world->root);
       world->others = Chain();
     },
     "", Who{"user:ada@example.com", "", "", "CN=Root"}},
    {"MoreThanIsNeeded",
     [](World* world) {
       world->others = {Credential::MakeAuthority("Other", &world->root), world->between};
     },
     ""},
    {"HostBesideTheUser", WithNames({"email:ada@Example.com", "DNS:Laptop-7.example.com"}), "",
     Who{"user:ada@example.com", "", "laptop-7.example.com"}},
    {"Host", WithNames({"DNS:web-1.example.com"}), "",
     Who{"host:web-1.example.com", "", "web-1.example.com"}},
    {"Workload", WithNames({"URI:spiffe://example.org/ns/prod/sa/web"}), "", kWeb},
    {"NamesAreMapped",
     [](World* world) {
       world->Name({"email:ada@example.com", "IP:10.1.2.3"});
       world->options.names.users = {};
       world->options.names.hosts = {{TlsName::kIp, "host"}};
     },
     "", Who{"host:10.1.2.3", "", "10.1.2.3"}},
};

// Who is trusted.
const OpenCase kTrustCases[] = {
    {"NobodyIsTrusted", [](World* world) { world->distrusted = true; }, kNoIssuer},
    {"AnotherAuthority",
     [](World* world) {
       const Credential other = Credential::MakeAuthority("Other");
       world->LeafOf(other);
       world->others = Chain();
     },
     kNoIssuer},
    {"AnotherAuthorityThatIsShown",
     [](World* world) {
       const Credential other = Credential::MakeAuthority("Other");
       world->LeafOf(other);
       world->others = Chain{other};
       world->payload = Payload(world->chain());
     },
     NotBelieved("self-signed certificate in certificate chain")},
    {"AnotherAuthorityOfTheName",
     [](World* world) {
       const Credential other = Credential::MakeAuthority("Root");
       world->LeafOf(other);
       world->others = Chain();
     },
     NotBelieved("certificate signature failure")},
    {"AnotherIntermediateOfTheName",
     [](World* world) { world->LeafOf(Credential::MakeAuthority("Between")); },
     NotBelieved("certificate signature failure")},
    {"SelfSigned",
     [](World* world) {
       world->leaf = Credential::Make(Named({"email:ada@example.com"}));
       world->others = Chain();
     },
     NotBelieved("self-signed certificate")},
    {"IntermediateIsMissing", [](World* world) { world->others = Chain(); }, kNoIssuer},
    {"IntermediateIsInTheStore",
     [](World* world) {
       world->others = Chain();
       world->trusted = {world->between};
     },
     ""},
    {"IntermediateAloneIsInTheStore",
     [](World* world) {
       world->distrusted = true;
       world->trusted = {world->between};
     },
     NotBelieved("unable to get issuer certificate")},
    {"IntermediateAloneIsEnough",
     [](World* world) {
       world->distrusted = true;
       world->trusted = {world->between};
       world->flags = X509_V_FLAG_PARTIAL_CHAIN;
     },
     ""},
    {"IntermediateIsNoAuthority", WithBetween([](CertificateSpec* spec) {
       spec->ca = false;
       spec->key_usage = "";
     }),
     NotBelieved("invalid CA certificate")},
    {"TheOtherWayRound",
     [](World* world) {
       world->payload = Payload({world->between, world->leaf});
     },
     "mechanism: the peer's certificate has no name of the kinds that identify; a common name is "
     "none of them"},
};

// When.
const OpenCase kTimeCases[] = {
    {"Expired", WithLeaf([](CertificateSpec* spec) { spec->not_after = kNow; }),
     NotBelieved("certificate has expired", "expired")},
    {"LastSecond",
     WithLeaf([](CertificateSpec* spec) { spec->not_after = kNow + absl::Seconds(1); }), "",
     Who{"user:ada@example.com", "", "", "CN=Between", kNow + absl::Seconds(1)}},
    {"NotYetValid",
     WithLeaf([](CertificateSpec* spec) { spec->not_before = kNow + absl::Seconds(1); }),
     NotBelieved("certificate is not yet valid", "not_yet_valid")},
    {"FirstSecond", WithLeaf([](CertificateSpec* spec) { spec->not_before = kNow; }), ""},
    {"IntermediateExpired", WithBetween([](CertificateSpec* spec) { spec->not_after = kNow; }),
     NotBelieved("certificate has expired", "expired")},
    {"IntermediateNotYetValid",
     WithBetween([](CertificateSpec* spec) { spec->not_before = kNow + absl::Seconds(1); }),
     NotBelieved("certificate is not yet valid", "not_yet_valid")},
    {"IntermediateEndsFirst",
     WithBetween([](CertificateSpec* spec) { spec->not_after = kNow + absl::Hours(1); }), "",
     Who{"user:ada@example.com", "", "", "CN=Between", kNow + absl::Hours(1)}},
    {"RootEndsFirst",
     [](World* world) {
       CertificateSpec spec = Authority("Root");
       spec.not_after = kNow + absl::Minutes(1);
       world->root = Credential::Make(spec);
       world->Between(Authority("Between"));
     },
     "", Who{"user:ada@example.com", "", "", "CN=Between", kNow + absl::Minutes(1)}},
    {"RootExpired",
     [](World* world) {
       CertificateSpec spec = Authority("Root");
       spec.not_after = kNow;
       world->root = Credential::Make(spec);
       world->Between(Authority("Between"));
     },
     NotBelieved("certificate has expired", "expired")},
    // A store that does not look at the time is not asked about it.
    {"ExpiredForAStoreWithoutTime",
     [](World* world) {
       CertificateSpec spec = Named({"email:ada@example.com"});
       spec.not_after = kNow;
       world->Leaf(spec);
       world->flags = X509_V_FLAG_NO_CHECK_TIME;
     },
     NotBelieved("certificate has expired", "expired")},
};

// For what.
const OpenCase kPurposeCases[] = {
    {"ForServersOnly",
     WithLeaf([](CertificateSpec* spec) { spec->extended_key_usage = "serverAuth"; }),
     NotBelieved("unsuitable certificate purpose")},
    {"ForClients", WithLeaf([](CertificateSpec* spec) { spec->extended_key_usage = "clientAuth"; }),
     ""},
    {"ForBoth",
     WithLeaf([](CertificateSpec* spec) { spec->extended_key_usage = "serverAuth,clientAuth"; }),
     ""},
    {"ServerWhereServersAreMeant",
     [](World* world) {
       CertificateSpec spec = Named({"DNS:web-1.example.com"});
       spec.extended_key_usage = "serverAuth";
       world->Leaf(spec);
       world->options.peer = TlsPeerRole::kServer;
     },
     "", Who{"host:web-1.example.com", "", "web-1.example.com"}},
    {"ClientWhereServersAreMeant",
     [](World* world) {
       CertificateSpec spec = Named({"email:ada@example.com"});
       spec.extended_key_usage = "clientAuth";
       world->Leaf(spec);
       world->options.peer = TlsPeerRole::kServer;
     },
     NotBelieved("unsuitable certificate purpose")},
    {"WeakKey", [](World* world) { world->options.security_level = 4; },
     NotBelieved("EE certificate key too weak")},

    {"Revoked",
     [](World* world) {
       world->lists = {Revoke(world->between, {world->leaf})};
       world->flags = X509_V_FLAG_CRL_CHECK;
     },
     NotBelieved("certificate revoked")},
    {"AnotherIsRevoked",
     [](World* world) {
       world->lists = {Revoke(world->between, {world->root})};
       world->flags = X509_V_FLAG_CRL_CHECK;
     },
     ""},
    {"RevokedIntermediate",
     [](World* world) {
       world->lists = {Revoke(world->between, {}), Revoke(world->root, {world->between})};
       world->flags = X509_V_FLAG_CRL_CHECK | X509_V_FLAG_CRL_CHECK_ALL;
     },
     NotBelieved("certificate revoked")},
    {"ListsAreMissing", [](World* world) { world->flags = X509_V_FLAG_CRL_CHECK; },
     NotBelieved("unable to get certificate CRL")},
    {"ListOfAnImpostor",
     [](World* world) {
       world->lists = {Revoke(Credential::MakeAuthority("Between"), {})};
       world->flags = X509_V_FLAG_CRL_CHECK;
     },
     NotBelieved("CRL signature failure")},
};

// Names.
const OpenCase kNameCases[] = {
    {"CommonNameOnly", WithLeaf([](CertificateSpec* spec) {
       spec->names = {};
       spec->common_name = "ada@example.com";
     }),
     "mechanism: the peer's certificate has no name of the kinds that identify; a common name is "
     "none of them"},
    {"TwoEmails", WithNames({"email:ada@example.com", "email:bob@example.com"}),
     "mechanism: the peer's certificate has 2 e-mail names, `ada@example.com` and "
     "`bob@example.com`; name it by one, or leave this kind out of the name mapping"},
    {"TwoSpiffe", WithNames({"URI:spiffe://example.org/a", "URI:spiffe://example.org/b"}),
     "mechanism: the peer's certificate has 2 URIs, of which `spiffe://example.org/a` is a SPIFFE "
     "ID; an X509-SVID has one"},
    {"SpiffeBesideAnotherUri",
     WithNames({"URI:https://example.org/", "URI:spiffe://example.org/a"}),
     "mechanism: the peer's certificate has 2 URIs, of which `spiffe://example.org/a` is a SPIFFE "
     "ID; an X509-SVID has one"},
    {"NulInAnEmail", WithNames({std::string("email:ada@example.com\0.evil.test", 32)}),
     BadName("an e-mail name that is not printable ASCII, `ada@example.com\\x00.evil.test`")},
    {"NulInADnsName",
     WithNames({"email:ada@example.com", std::string("DNS:a.test\0.evil.test", 21)}),
     BadName("a DNS name that is not printable ASCII, `a.test\\x00.evil.test`")},
    {"NulInAUri", WithNames({std::string("URI:spiffe://example.org/a\0b", 28)}),
     BadName("a URI name that is not printable ASCII, `spiffe://example.org/a\\x00b`")},
    {"Wildcard", WithNames({"DNS:*.example.com"}),
     BadName("a DNS name that names no host, `*.example.com`")},
    // An authority that has a name of its own is who it says, but no workload.
    {"AuthorityAsClient", WithLeaf([](CertificateSpec* spec) { spec->ca = true; }), ""},
    {"AuthorityAsWorkload", WithLeaf([](CertificateSpec* spec) {
       spec->names = {"URI:spiffe://example.org/a"};
       spec->ca = true;
     }),
     "mechanism: the peer's certificate has a SPIFFE ID and is that of an authority; only that of "
     "a workload identifies"},
};

// Bytes.
const OpenCase kByteCases[] = {
    {"Empty", WithBytes([](const Chain&, std::string* bytes) { bytes->clear(); }),
     Malformed("is malformed: byte 0: the bytes end too early")},
    {"EmptyCertificate", WithBytes([](const Chain&, std::string* bytes) { *bytes = Sized(""); }),
     Malformed("is malformed: number 1 is no certificate")},
    {"Text", WithBytes([](const Chain&, std::string* bytes) { *bytes = Sized("certificate"); }),
     Malformed("is malformed: number 1 is no certificate")},
    {"ByteAfterACertificate", WithBytes([](const Chain& chain, std::string* bytes) {
       *bytes = Sized(chain[0].der() + '\0') + Payload({chain[1]});
     }),
     Malformed("is malformed: number 1 is no certificate")},
    {"ByteAfterTheLast", WithBytes([](const Chain& chain, std::string* bytes) {
       *bytes = Payload({chain[0]}) + Sized(chain[1].der() + '\0');
     }),
     Malformed("is malformed: number 2 is no certificate")},
    {"TwoInOne", WithBytes([](const Chain& chain, std::string* bytes) {
       *bytes = Sized(chain[0].der() + chain[1].der());
     }),
     Malformed("is malformed: number 1 is no certificate")},
    {"LengthInALongerForm", WithBytes([](const Chain& chain, std::string* bytes) {
       // 30 82 xx xx, as BER may be.
       std::string der = chain[0].der();
       ASSERT_EQ(der.substr(0, 2), "\x30\x82");
       *bytes = Sized(std::string("\x30\x83\0", 3) + der.substr(2)) + Payload({chain[1]});
     }),
     Malformed("is malformed: number 1 is no certificate")},
    {"LengthIsOverlong", WithBytes([](const Chain& chain, std::string* bytes) {
       std::string first = Payload({chain[0]});
       // Two bytes of a varint, then three that say the same.
       first[1] = static_cast<char>(first[1] | 0x80);
       first.insert(2, 1, '\0');
       *bytes = first + Payload({chain[1]});
     }),
     Malformed("is malformed: byte 3: a number is longer than it needs to be")},
    {"Ten", [](World* world) { world->others = Chain(9, world->between); }, ""},
    {"Eleven", [](World* world) { world->payload = Payload(Chain(11, world->between)); }, kTooMany},
    {"Hundred",
     [](World* world) {
       Chain chain(100, world->between);
       chain[0] = world->leaf;
       world->payload = Payload(chain);
     },
     kTooMany},
    {"Oversize", WithBytes([](const Chain&, std::string* bytes) { bytes->resize(49153, '0'); }),
     Malformed("takes 49153 bytes, more than 49152; let the peer have smaller certificates")},
};

// The package `spiffe`.
const OpenCase kSpiffeCases[] = {
    {"Good",
     [](World* world) {
       world->spiffe = true;
       world->Name({"URI:spiffe://example.org/ns/prod/sa/web"});
     },
     "", kWeb},
    {"WithOtherNames",
     [](World* world) {
       world->spiffe = true;
       world->Name({"URI:spiffe://example.org/ns/prod/sa/web", "DNS:*.example.com",
                    "email:ada@example.com", "email:bob@example.com"});
     },
     "", kWeb},
    {"OfAnotherDomain",
     [](World* world) {
       world->spiffe = true;
       world->Name({"URI:spiffe://example.net/ns/prod/sa/web"});
     },
     "mechanism: the peer's SPIFFE ID is of the trust domain `example.net`, which is not believed"},
    // An authority that is believed speaks for a domain that another one speaks for.
    {"ByTheAuthorityOfAnotherDomain",
     [](World* world) {
       world->spiffe = true;
       world->domains = {{"example.net", {Credential::MakeAuthority("Net")}}};
       world->Name({"URI:spiffe://example.net/ns/prod/sa/web"});
     },
     kNoIssuer},
    {"OfTwoDomains",
     [](World* world) {
       world->spiffe = true;
       const Credential net = Credential::MakeAuthority("Net");
       world->domains = {{"example.net", {net}}, {"example.com", {}}};
       world->leaf = Credential::Make(Named({"URI:spiffe://example.net/a"}), &net);
       world->others = Chain();
     },
     "", Who{"spiffe:example.net/a", "spiffe:example.net", "", "CN=Net"}},
    {"WithNobody",
     [](World* world) {
       world->spiffe = true;
       world->domains = {{"example.net", {}}};
       world->Name({"URI:spiffe://example.net/a"});
     },
     kNoIssuer},
    {"Two",
     [](World* world) {
       world->spiffe = true;
       world->Name({"URI:spiffe://example.org/a", "URI:spiffe://example.org/b"});
     },
     "mechanism: the peer's certificate has 2 URIs, of which `spiffe://example.org/a` is a SPIFFE "
     "ID; an X509-SVID has one"},
    {"Twice",
     [](World* world) {
       world->spiffe = true;
       world->Name({"URI:spiffe://example.org/a", "URI:spiffe://example.org/a"});
     },
     "mechanism: the peer's certificate has 2 URIs, of which `spiffe://example.org/a` is a SPIFFE "
     "ID; an X509-SVID has one"},
    {"None",
     [](World* world) {
       world->spiffe = true;
       world->Name({"email:ada@example.com", "DNS:web-1.example.com", "URI:https://example.org/"});
     },
     "mechanism: the peer's certificate has no name of the kinds that identify; a common name is "
     "none of them"},
    {"OfTheDomainItself",
     [](World* world) {
       world->spiffe = true;
       world->Name({"URI:spiffe://example.org"});
     },
     BadName("the SPIFFE ID of a whole trust domain, `spiffe://example.org`")},
    {"Malformed",
     [](World* world) {
       world->spiffe = true;
       world->Name({"URI:spiffe://example.org/a/../b"});
     },
     BadName("a malformed SPIFFE ID, `spiffe://example.org/a/../b`")},
    {"Authority",
     [](World* world) {
       world->spiffe = true;
       CertificateSpec spec = Authority("CA");
       spec.names = {"URI:spiffe://example.org/a"};
       world->Leaf(spec);
     },
     "mechanism: the peer's certificate has a SPIFFE ID and is that of an authority; only that of "
     "a workload identifies"},
    {"KeyThatSignsCertificates",
     [](World* world) {
       world->spiffe = true;
       CertificateSpec spec = Named({"URI:spiffe://example.org/a"});
       spec.key_usage = "critical,digitalSignature,keyCertSign";
       world->Leaf(spec);
     },
     "mechanism: the peer's certificate has a SPIFFE ID and has a key that signs certificates or "
     "revocation lists; only that of a workload identifies"},
    {"Expired",
     [](World* world) {
       world->spiffe = true;
       CertificateSpec spec = Named({"URI:spiffe://example.org/a"});
       spec.not_after = kNow;
       world->Leaf(spec);
     },
     NotBelieved("certificate has expired", "expired")},
};

std::string RowName(const ::testing::TestParamInfo<OpenCase>& info) { return info.param.name; }

INSTANTIATE_TEST_SUITE_P(Good, OpenTest, ::testing::ValuesIn(kGoodCases), RowName);
INSTANTIATE_TEST_SUITE_P(Trust, OpenTest, ::testing::ValuesIn(kTrustCases), RowName);
INSTANTIATE_TEST_SUITE_P(Time, OpenTest, ::testing::ValuesIn(kTimeCases), RowName);
INSTANTIATE_TEST_SUITE_P(Purpose, OpenTest, ::testing::ValuesIn(kPurposeCases), RowName);
INSTANTIATE_TEST_SUITE_P(Names, OpenTest, ::testing::ValuesIn(kNameCases), RowName);
INSTANTIATE_TEST_SUITE_P(Bytes, OpenTest, ::testing::ValuesIn(kByteCases), RowName);
INSTANTIATE_TEST_SUITE_P(Spiffe, OpenTest, ::testing::ValuesIn(kSpiffeCases), RowName);

class TlsPackageTest : public ::testing::Test {
 protected:
  TlsPackageTest() { world_.LeafOf(world_.between); }
  void TearDown() override { EXPECT_EQ(ERR_peek_error(), 0u); }

  World world_;
};

TEST_F(TlsPackageTest, SaysWhatItIs) {
  const Package tls(world_);
  EXPECT_EQ(tls.package->name(), "tls");
  EXPECT_TRUE(tls.package->sealed());
  world_.spiffe = true;
  const Package spiffe(world_);
  EXPECT_EQ(spiffe.package->name(), "spiffe");
  EXPECT_TRUE(spiffe.package->sealed());
}

TEST_F(TlsPackageTest, WithoutTrustNothingIsVerified) {
  const auto tls = *TlsPackage::Create(TlsPackageOptions());
  const std::string payload = Payload(world_.chain());
  EXPECT_EQ(Text(tls->Open(Bytes(payload), kNow)),
            "no_credentials: this program trusts no authority to verify certificates by; set "
            "TlsPackageOptions::trusted");
  EXPECT_EQ(Text(tls->FromChain(world_.leaf.certificate.get(), nullptr, kNow)),
            "no_credentials: this program trusts no authority to verify certificates by; set "
            "TlsPackageOptions::trusted");
  const SpiffeBundles none;
  SpiffePackageOptions options;
  options.bundles = &none;
  world_.Name({"URI:spiffe://example.org/a"});
  EXPECT_EQ(Text((*TlsPackage::Create(options))->Open(Bytes(Payload(world_.chain())), kNow)),
            "no_credentials: this program believes no trust domain; add one to SpiffeBundles");
}

TEST_F(TlsPackageTest, OptionsAreChecked) {
  EXPECT_EQ(Text(TlsPackage::Create(SpiffePackageOptions()).status()),
            "INVALID_ARGUMENT: SpiffePackageOptions::bundles is null");
  for (const int level : {-1, 6}) {
    TlsPackageOptions options;
    options.security_level = level;
    EXPECT_EQ(Text(TlsPackage::Create(options).status()),
              "INVALID_ARGUMENT: security_level is not of 0 to 5");
  }
  // Lists that nothing looks at.
  const Store store = StoreOf({world_.root});
  X509_STORE_add_crl(store.get(), Revoke(world_.between, {world_.leaf}).get());
  TlsPackageOptions options;
  options.trusted = store.get();
  EXPECT_EQ(Text(TlsPackage::Create(options).status()),
            "INVALID_ARGUMENT: the store has revocation lists and does not use them; set "
            "X509_V_FLAG_CRL_CHECK by X509_STORE_set_flags()");
  X509_STORE_set_flags(store.get(), X509_V_FLAG_CRL_CHECK);
  const auto package = TlsPackage::Create(options);
  ASSERT_TRUE(package.ok()) << package.status();
  EXPECT_EQ(Text((*package)->Open(Bytes(Payload(world_.chain())), kNow)),
            NotBelieved("certificate revoked"));
}

// What the program adds to its store later counts: a list, an authority.
TEST_F(TlsPackageTest, TheStoreIsTheProgramsAndLivesOn) {
  world_.distrusted = true;
  Package package(world_);
  const std::string payload = Payload(world_.chain());
  EXPECT_EQ(Text(package.package->Open(Bytes(payload), kNow)), kNoIssuer);
  X509_STORE_add_cert(package.store.get(), world_.root.certificate.get());
  EXPECT_TRUE(package.package->Open(Bytes(payload), kNow).ok());
  package.store.reset();
  EXPECT_TRUE(package.package->Open(Bytes(payload), kNow).ok());
}

int SayYesAndForget(int, X509_STORE_CTX* context) {
  X509_STORE_CTX_set_error(context, X509_V_OK);
  return 1;
}
int SayYes(int, X509_STORE_CTX*) { return 1; }

TEST_F(TlsPackageTest, ACallbackOfTheStoreHasNoSay) {
  world_.distrusted = true;
  const Package package(world_);
  X509_STORE_set_verify_cb(package.store.get(), SayYesAndForget);
  EXPECT_EQ(Text(package.package->Open(Bytes(Payload(world_.chain())), kNow)), kNoIssuer);
}

TEST_F(TlsPackageTest, NoPrefixAndNoFlippedBitIsAnotherChain) {
  const Package package(world_);
  const std::string payload = Payload(world_.chain());
  const size_t first = Payload({world_.leaf}).size();
  for (size_t size = 0; size < payload.size(); ++size) {
    const std::string got = Text(package.package->Open(Bytes(payload.substr(0, size)), kNow));
    // The client's certificate alone is a chain, which is not believed.
    if (size == first) {
      EXPECT_EQ(got, kNoIssuer);
    } else {
      EXPECT_TRUE(absl::StartsWith(got, "malformed: ")) << size << " " << got;
    }
  }
  for (size_t i = 0; i < payload.size(); ++i) {
    std::string flipped = payload;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << i % 8));
    const absl::StatusOr<EstablishedContext> got = package.package->Open(Bytes(flipped), kNow);
    EXPECT_FALSE(got.ok()) << i << " " << Text(got);
    EXPECT_TRUE(ContextErrorOf(got.status()).has_value()) << i;
  }
}

TEST_F(TlsPackageTest, TheSessionIsAChainAndGoesOnce) {
  const Package package(world_);
  absl::StatusOr<EstablishedContext> context =
      package.package->Open(Bytes(Payload(world_.chain())), kNow);
  ASSERT_TRUE(context.ok()) << context.status();
  ContextSession& session = *context->session;
  const std::string none =
      "not_supported: a context of TLS protects no messages; the connection does";
  EXPECT_EQ(Text(session.Wrap("x", true).status()), none);
  EXPECT_EQ(Text(session.Unwrap("x").status()), none);
  EXPECT_TRUE(session.Export().ok());
  const std::string gone = "invalid_handle: the certificates were exported already";
  EXPECT_EQ(Text(session.Export().status()), gone);
  EXPECT_EQ(Text(session.Wrap("x", true).status()), gone);
  EXPECT_EQ(Text(session.Unwrap("x").status()), gone);
}

// A chain that was verified and is too long to travel is one all the same.
TEST_F(TlsPackageTest, WhatIsTooLongStaysHere) {
  const Package package(world_);
  STACK_OF(X509)* const others = sk_X509_new_null();
  for (int i = 0; i < 10; ++i) sk_X509_push(others, world_.between.certificate.get());
  absl::StatusOr<EstablishedContext> context =
      package.package->FromChain(world_.leaf.certificate.get(), others, kNow);
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_EQ(Text(context->session->Export().status()), kTooMany);
  sk_X509_free(others);

  CertificateSpec large = Named({"email:ada@example.com"});
  for (int i = 0; i < 250; ++i) {
    large.names.push_back(absl::StrCat("otherName:", std::string(190, 'a'), i));
  }
  world_.Leaf(large);
  context = package.package->FromChain(world_.leaf.certificate.get(), nullptr, kNow);
  ASSERT_EQ(Text(context), kNoIssuer) << "the certificate between is not there";
  X509_STORE_add_cert(package.store.get(), world_.between.certificate.get());
  context = package.package->FromChain(world_.leaf.certificate.get(), nullptr, kNow);
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_TRUE(absl::StartsWith(Text(context->session->Export().status()), Malformed("takes ")));
}

TEST_F(TlsPackageTest, NeitherTheRootNorTheClientItselfIsTakenAlong) {
  const Package package(world_);
  STACK_OF(X509)* const others = sk_X509_new_null();
  for (const Credential& other : {world_.leaf, world_.between, world_.root}) {
    sk_X509_push(others, other.certificate.get());
  }
  absl::StatusOr<EstablishedContext> context =
      package.package->FromChain(world_.leaf.certificate.get(), others, kNow);
  sk_X509_free(others);
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_EQ(context->session->Export()->view(), Payload(world_.chain()));
}

// ---- Real sessions, of a front whose OpenSSL trusts the root.

class FromSessionTest : public TlsPackageTest, public ::testing::WithParamInterface<int> {
 protected:
  FromSessionTest() {
    server_.version = GetParam();
    server_.own = Credential::Make(Named({"DNS:server.test"}), &world_.between);
    server_.chain = {world_.between};
    server_.trusted = {world_.root};
    client_.trusted = {world_.root};
    Package none(world_);
    alone_ = *TlsPackage::Create(TlsPackageOptions());
    Show();
  }

  // The client shows the chain of the world.
  void Show() {
    client_.own = world_.leaf;
    client_.chain = world_.others.value_or(Chain{world_.between});
  }

  void Connect(const std::function<void(SSL_CTX*)>& mend = nullptr) {
    server_context_ = MakeContext(true, server_);
    client_context_ = MakeContext(false, client_);
    if (mend) mend(server_context_.get());
    Again(nullptr);
  }
  void Again(SSL_SESSION* session) {
    Connection::Options options;
    options.session = session;
    connection_ =
        std::make_unique<Connection>(server_context_.get(), client_context_.get(), options);
  }

  // What a package without trust of its own makes of the client.
  absl::StatusOr<EstablishedContext> Client(absl::Time now = kNow) const {
    return alone_->FromSession(connection_->server(), now);
  }
  // And one that trusts whom the world does.
  absl::StatusOr<EstablishedContext> Verified(absl::Time now = kNow) const {
    return Package(world_).package->FromSession(connection_->server(), now);
  }

  std::string How(std::string_view verify, std::string_view resumed = "no") const {
    return absl::StrCat(
        "verify=", std::string(verify), " protocol=", SSL_get_version(connection_->server()),
        " cipher=", SSL_get_cipher_name(connection_->server()), " resumed=", std::string(resumed));
  }

  ContextSpec server_;
  ContextSpec client_;
  Context server_context_;
  Context client_context_;
  std::unique_ptr<Connection> connection_;
  std::unique_ptr<TlsPackage> alone_;
};

INSTANTIATE_TEST_SUITE_P(, FromSessionTest, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& info) {
                           return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

TEST_P(FromSessionTest, Good) {
  Connect();
  ASSERT_TRUE(connection_->server_ok());
  absl::StatusOr<EstablishedContext> context = Client();
  EXPECT_EQ(Text(context), Text(kAda, world_.leaf, How("ok")));
  // The root is not taken along, whether the client sent it or not.
  EXPECT_EQ(context->session->Export()->view(), Payload(world_.chain()));
  EXPECT_EQ(Text(Verified()), Text(kAda, world_.leaf, How("again")));
}

TEST_P(FromSessionTest, AServer) {
  world_.options.peer = TlsPeerRole::kServer;
  Connect();
  EXPECT_EQ(Text(Verified()),
            "mechanism: the session is one whose peer is not in the role that the package is for; "
            "see TlsPeerRole");
  absl::StatusOr<EstablishedContext> server =
      Package(world_).package->FromSession(connection_->client(), kNow);
  EXPECT_EQ(Text(server),
            Text(Who{"host:server.test", "", "server.test"}, *server_.own, How("again")));
  EXPECT_EQ(server->session->Export()->view(), Payload({*server_.own, world_.between}));
  EXPECT_EQ(Text(alone_->FromSession(connection_->client(), kNow)),
            "mechanism: the session is one whose peer is not in the role that the package is for; "
            "see TlsPeerRole");
}

struct SessionCase {
  const char* name;
  std::function<void(World*)> spoil;
  std::string error;  // Of a front that goes on after what OpenSSL finds.
};

const SessionCase kSessionCases[] = {
    {"SelfSigned",
     [](World* world) {
       world->leaf = Credential::Make(Named({"email:ada@example.com"}));
       world->others = Chain();
     },
     NotBelieved("self-signed certificate")},
    {"Expired", WithLeaf([](CertificateSpec* spec) { spec->not_after = kNow; }),
     NotBelieved("certificate has expired", "expired")},
    {"NotYetValid",
     WithLeaf([](CertificateSpec* spec) { spec->not_before = kNow + absl::Seconds(1); }),
     NotBelieved("certificate is not yet valid", "not_yet_valid")},
    {"ForServersOnly",
     WithLeaf([](CertificateSpec* spec) { spec->extended_key_usage = "serverAuth"; }),
     NotBelieved("unsuitable certificate purpose")},
    // It looks further, and what it finds last it says.
    {"IntermediateIsMissing", [](World* world) { world->others = Chain(); },
     NotBelieved("unable to verify the first certificate")},
};

TEST_P(FromSessionTest, WhatOpensslFoundStands) {
  for (const SessionCase& c : kSessionCases) {
    SCOPED_TRACE(c.name);
    c.spoil(&world_);
    Show();
    server_.verify_callback = nullptr;
    Connect();
    EXPECT_FALSE(connection_->server_ok());
    EXPECT_EQ(Text(Client()),
              "mechanism: the TLS handshake is not done; ask after SSL_accept() or SSL_connect()");
    server_.verify_callback = SayYes;
    Connect();
    ASSERT_TRUE(connection_->server_ok());
    EXPECT_EQ(Text(Client()), c.error);
    EXPECT_EQ(Text(Verified()), c.error);
    world_ = World();
    world_.LeafOf(world_.between);
    server_.trusted = {world_.root};
  }
}

TEST_P(FromSessionTest, NoCertificate) {
  client_.own.reset();
  client_.chain = {};
  Connect();
  ASSERT_TRUE(connection_->server_ok());
  EXPECT_EQ(Text(Client()), "mechanism: the peer has shown no certificate");
  EXPECT_EQ(Text(Verified()), "mechanism: the peer has shown no certificate");
}

TEST_P(FromSessionTest, WithoutVerification) {
  server_.verify_mode = SSL_VERIFY_NONE;
  Connect();
  EXPECT_EQ(Text(Client()), "mechanism: the peer has shown no certificate");
  server_.verify_mode = SSL_VERIFY_PEER;
  Connect();
  SSL_set_verify(connection_->server(), SSL_VERIFY_NONE, nullptr);
  const std::string want =
      "mechanism: the peer's certificate was not verified; set SSL_VERIFY_PEER, or for peer tokens "
      "TlsPeerOptions::reverify";
  EXPECT_EQ(Text(Client()), want);
  EXPECT_EQ(Text(Verified()), want);
}

// The front's OpenSSL says that all is well, by the word of the program. It is believed, as TlsPeer
// says; but not by a package that trusts somebody itself.
TEST_P(FromSessionTest, ErrorsForgottenByACallback) {
  world_.leaf = Credential::Make(Named({"email:ada@example.com"}));
  world_.others = Chain();
  Show();
  server_.verify_callback = SayYesAndForget;
  Connect();
  ASSERT_TRUE(connection_->server_ok());
  Who who = kAda;
  who.issuer = "CN=test";
  EXPECT_EQ(Text(Client()), Text(who, world_.leaf, How("ok")));
  EXPECT_EQ(Text(Verified()), NotBelieved("self-signed certificate"));
}

TEST_P(FromSessionTest, VerificationReplacedByNone) {
  Connect([](SSL_CTX* context) {
    SSL_CTX_set_cert_verify_callback(
        context, [](X509_STORE_CTX*, void*) { return 1; }, nullptr);
  });
  ASSERT_TRUE(connection_->server_ok());
  const std::string want =
      "mechanism: the peer's certificate was taken without verification by OpenSSL; let the "
      "callback build a chain by X509_verify_cert(), or set TlsPeerOptions::reverify";
  EXPECT_EQ(Text(Client()), want);
  EXPECT_EQ(Text(Verified()), want);
  // One that verifies is as good as none.
  Connect([](SSL_CTX* context) {
    SSL_CTX_set_cert_verify_callback(
        context, [](X509_STORE_CTX* chain, void*) { return X509_verify_cert(chain); }, nullptr);
  });
  EXPECT_EQ(Text(Client()), Text(kAda, world_.leaf, How("ok")));
}

TEST_P(FromSessionTest, WhoTrustsOthersIsNotToldOtherwise) {
  Connect();
  world_.distrusted = true;
  EXPECT_EQ(Text(Verified()), kNoIssuer);
  EXPECT_EQ(Text(Client()), Text(kAda, world_.leaf, How("ok")));
}

TEST_P(FromSessionTest, RevokedSinceTheHandshake) {
  Connect();
  world_.lists = {Revoke(world_.between, {world_.leaf})};
  world_.flags = X509_V_FLAG_CRL_CHECK;
  EXPECT_EQ(Text(Verified()), NotBelieved("certificate revoked"));
}

TEST_P(FromSessionTest, ExpiredSinceTheHandshake) {
  Connect();
  const std::string want =
      "expired: the peer's certificate, or one above it, has expired at 2027-01-16T08:00:00Z; let "
      "the peer renew it and connect again";
  EXPECT_EQ(Text(Client(kNow + absl::Hours(24))), want);
  EXPECT_EQ(Text(Verified(kNow + absl::Hours(24))), want);
  EXPECT_TRUE(Client(kNow + absl::Hours(24) - absl::Nanoseconds(1)).ok());
  EXPECT_EQ(Text(Client(kNow - absl::Hours(25))),
            "not_yet_valid: the peer's certificate, or one above it, is not valid before "
            "2027-01-14T08:00:00Z; check this machine's clock");
}

// The authority of one trust domain says that it is another's. OpenSSL's store knows no domains.
TEST_P(FromSessionTest, TrustDomainsAreToldApart) {
  const Credential net = Credential::MakeAuthority("Net");
  world_.spiffe = true;
  world_.domains = {{"example.net", {net}}};
  server_.trusted = {world_.root, net};
  world_.Name({"URI:spiffe://example.net/a"});
  Show();
  Connect();
  ASSERT_TRUE(connection_->server_ok());
  EXPECT_EQ(Text(Verified()), kNoIssuer);
  world_.leaf = Credential::Make(Named({"URI:spiffe://example.net/a"}), &net);
  world_.others = Chain();
  Show();
  Connect();
  EXPECT_EQ(Text(Verified()), Text(Who{"spiffe:example.net/a", "spiffe:example.net", "", "CN=Net"},
                                   world_.leaf, How("again")));
}

TEST_P(FromSessionTest, Resumed) {
  for (const bool tickets : {true, false}) {
    SCOPED_TRACE(tickets);
    Connect([&](SSL_CTX* context) {
      if (!tickets) SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
    });
    const Session session(SSL_get1_session(connection_->client()));
    Again(session.get());
    ASSERT_EQ(SSL_session_reused(connection_->server()), 1);
    absl::StatusOr<EstablishedContext> context = Client();
    EXPECT_EQ(Text(context), Text(kAda, world_.leaf, How("ok", "yes")));
    // What is not in a ticket does not travel, and the store must have it.
    EXPECT_EQ(context->session->Export()->view(),
              Payload(tickets ? Chain{world_.leaf} : world_.chain()));
    EXPECT_EQ(Text(Verified()), tickets ? kNoIssuer : Text(kAda, world_.leaf, How("again", "yes")));
    world_.trusted = {world_.between};
    EXPECT_EQ(Text(Verified()), Text(kAda, world_.leaf, How("again", "yes")));
    world_.trusted = {};
    TlsPackageOptions options;
    options.allow_resumed = false;
    EXPECT_EQ(Text((*TlsPackage::Create(options))->FromSession(connection_->server(), kNow)),
              "mechanism: the session is a resumed one, which `allow_resumed` refuses");
    world_.spiffe = true;
    world_.options.allow_resumed = false;
    EXPECT_EQ(Text(Verified()),
              "mechanism: the session is a resumed one, which `allow_resumed` refuses");
    world_.spiffe = false;
    world_.options.allow_resumed = true;
  }
}

TEST_P(FromSessionTest, ResumedAfterABadVerdict) {
  world_.leaf = Credential::Make(Named({"email:ada@example.com"}));
  world_.others = Chain();
  Show();
  server_.verify_callback = SayYes;
  Connect();
  const Session session(SSL_get1_session(connection_->client()));
  Again(session.get());
  ASSERT_EQ(SSL_session_reused(connection_->server()), 1);
  EXPECT_EQ(Text(Client()), NotBelieved("self-signed certificate"));
}

TEST_F(TlsPackageTest, OldVersionsProveNothing) {
  ContextSpec server;
  server.version = TLS1_1_VERSION;
  server.ciphers = "ALL:@SECLEVEL=0";
  server.own = Credential::Make(Named({"DNS:server.test"}), &world_.root);
  server.trusted = {world_.root};
  ContextSpec client = server;
  client.own = world_.leaf;
  client.chain = {world_.between};
  const Context server_context = MakeContext(true, server);
  const Context client_context = MakeContext(false, client);
  const Connection connection(server_context.get(), client_context.get());
  ASSERT_TRUE(connection.server_ok());
  EXPECT_EQ(Text(Package(world_).package->FromSession(connection.server(), kNow)),
            "mechanism: the session is of TLSv1.1; only TLS 1.2 and later prove who a peer is");
}

// ---- From the front to the worker.

class AuthorizeAll final : public ImportAuthorizer {
 public:
  absl::Status Authorize(const ImportAttempt&) override { return absl::OkStatus(); }
};

class CircleTest : public FromSessionTest {
 protected:
  // What the worker, whose clock says `now`, gets of the client that the front exports at kNow.
  std::string Worker(absl::StatusOr<EstablishedContext> client, bool with_session, absl::Time now) {
    if (!client.ok()) return Text(client.status());
    const Package worker(world_);
    absl::StatusOr<SecurityContext> context =
        SecurityContext::Establish(worker.package->name(), *std::move(client));
    if (!context.ok()) return Text(context.status());
    testing::FakeClock clock;
    ExportOptions exported;
    exported.sealer = sealer_.get();
    exported.with_session = with_session;
    exported.clock = &clock;
    const absl::StatusOr<std::string> packed = std::move(*context).Export(exported);
    if (!packed.ok()) return Text(packed.status());
    clock.now = now;
    AuthorizeAll all;
    ImportOptions options;
    options.packages = {worker.package.get()};
    options.opener = opener_.get();
    options.authorizer = &all;
    options.clock = &clock;
    const std::string_view package = with_session ? worker.package->name() : kReevePackage;
    const absl::StatusOr<SecurityContext> imported =
        ImportSecurityContext(package, *packed, options);
    if (!imported.ok()) return Text(imported.status());
    EXPECT_EQ(Word(ImportSecurityContext(package, *packed, options).status()), "replayed");
    EstablishedContext got;
    got.principal = **imported->principal(now);
    got.established = imported->established();
    got.expires = imported->expires();
    // The seal's id is another each time.
    std::string& evidence = got.principal.evidence;
    const size_t seal = evidence.find("; seal=ring key=");
    EXPECT_NE(seal, std::string::npos) << evidence;
    evidence.resize(std::min(seal, evidence.size()));
    return Text(got);
  }

  const std::unique_ptr<KeyRing> ring_ =
      *KeyRing::Generate(kNow - absl::Hours(1), SecretMemory::Lock::kIfAllowed);
  const Machine machine_ = {"0123456789abcdef0123456789abcdef",
                            "01234567-89ab-cdef-0123-456789abcdef"};
  const std::unique_ptr<SingleUse> single_use_ = *SingleUse::Create(64, kNow - absl::Hours(1));
  const std::unique_ptr<KeyRingSealer> sealer_ =
      *KeyRingSealer::Create(ring_.get(), "worker", machine_);
  const std::unique_ptr<KeyRingOpener> opener_ =
      *KeyRingOpener::Create(ring_.get(), "worker", machine_, single_use_.get());
};

INSTANTIATE_TEST_SUITE_P(, CircleTest, ::testing::Values(TLS1_2_VERSION, TLS1_3_VERSION),
                         [](const auto& info) {
                           return info.param == TLS1_2_VERSION ? "Tls12" : "Tls13";
                         });

TEST_P(CircleTest, WithTheChainTheWorkerVerifies) {
  Connect();
  EXPECT_EQ(Worker(Client(), true, kNow), Text(kAda, world_.leaf, "verify=chain certificates=2"));
  // Without, it is told.
  EXPECT_EQ(Worker(Client(), false, kNow), Text(kAda, world_.leaf, How("ok")));
  // By whom it trusts itself.
  world_.distrusted = true;
  EXPECT_EQ(Worker(Client(), true, kNow), kNoIssuer);
  EXPECT_EQ(Worker(Client(), false, kNow), Text(kAda, world_.leaf, How("ok")));
  world_.distrusted = false;
  world_.lists = {Revoke(world_.between, {world_.leaf})};
  world_.flags = X509_V_FLAG_CRL_CHECK;
  EXPECT_EQ(Worker(Client(), true, kNow), NotBelieved("certificate revoked"));
}

TEST_P(CircleTest, Workload) {
  world_.spiffe = true;
  world_.Name({"URI:spiffe://example.org/ns/prod/sa/web", "DNS:web-1.example.org"});
  Show();
  Connect();
  EXPECT_EQ(Worker(Verified(), true, kNow), Text(kWeb, world_.leaf, "verify=chain certificates=2"));
  EXPECT_EQ(Worker(Verified(), false, kNow), Text(kWeb, world_.leaf, How("again")));
}

TEST_P(CircleTest, TheCertificateEndsOnTheWay) {
  CertificateSpec spec = Named({"email:ada@example.com"});
  spec.not_after = kNow + absl::Seconds(10);
  world_.Leaf(spec);
  Show();
  Connect();
  for (const bool with_session : {true, false}) {
    Who who = kAda;
    who.expires = spec.not_after;
    EXPECT_EQ(Worker(Client(), with_session, kNow),
              Text(who, world_.leaf, with_session ? "verify=chain certificates=2" : How("ok")));
    EXPECT_TRUE(
        absl::StartsWith(Worker(Client(), with_session, kNow + absl::Seconds(10)), "expired: "));
  }
}

// The front says that it is bob, and shows ada's certificate.
TEST_P(CircleTest, AnExporterThatLies) {
  Connect();
  absl::StatusOr<EstablishedContext> client = Client();
  client->principal.id = testing::MakeId("user:bob@example.com");
  EXPECT_EQ(Worker(std::move(client), true, kNow),
            "mechanism: the context is of `user:ada@example.com`, and its exporter says that it is "
            "of `user:bob@example.com`; do not believe that exporter");
}

}  // namespace
}  // namespace reeve
