// Whom certificates name: each made by OpenSSL as an authority would, or byte by byte.
#include "reeve/adapters/socket/tls/subject_alt_name.h"

#include <gtest/gtest.h>
#include <openssl/err.h>

#include <optional>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/adapters/socket/ip_address.h"
#include "reeve/adapters/socket/peer_error.h"
#include "reeve/adapters/socket/tls/tls_testing.h"
#include "reeve/engine/entity.h"

namespace reeve {
namespace {

using tls_testing::CertificateSpec;
using tls_testing::Credential;

std::string Word(const absl::Status& status) {
  const std::optional<PeerError> error = PeerErrorOf(status);
  return error.has_value() ? std::string(ToString(*error)) : status.ToString();
}

std::string Text(const std::optional<EntityId>& id, const std::vector<EntityId>& parents) {
  if (!id.has_value()) return "-";
  std::string text = ToString(*id);
  for (const EntityId& parent : parents) absl::StrAppend(&text, " in ", ToString(parent));
  return text;
}

// "user | host", or the word of the error.
std::string Text(const absl::StatusOr<TlsNamed>& named) {
  if (!named.ok()) return Word(named.status());
  return absl::StrCat(Text(named->user, named->user_parents), " | ",
                      Text(named->host, named->host_parents));
}

// ---- Whom a certificate names, by the default mapping.

struct NameCase {
  const char* name;
  std::vector<std::string> names;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const NameCase& c) { return os << c.name; }

class NamedByTest : public ::testing::TestWithParam<NameCase> {};

TEST_P(NamedByTest, Names) {
  CertificateSpec spec;
  spec.common_name = "ada@example.com";
  spec.names = GetParam().names;
  const Credential credential = Credential::Make(spec);
  EXPECT_EQ(Text(NamedBy(credential.certificate.get(), TlsNameMapping())), GetParam().want);
  EXPECT_EQ(ERR_peek_error(), 0u);
}

std::string Nul(std::string_view before, std::string_view after) {
  return absl::StrCat(absl::string_view(before.data(), before.size()), std::string(1, '\0'),
                      absl::string_view(after.data(), after.size()));
}

std::vector<std::string> Times(size_t count, std::string name) {
  return std::vector<std::string>(count, std::move(name));
}

std::string Workload(size_t bytes) {
  std::string uri = "spiffe://example.org/";
  return absl::StrCat("URI:", uri, std::string(bytes - uri.size(), 'a'));
}

INSTANTIATE_TEST_SUITE_P(
    , NamedByTest,
    ::testing::Values(
        NameCase{"CommonNameOnly", {}, "no_token"},
        NameCase{"DirectoryName", {"dirName:ada@example.com"}, "no_token"},
        NameCase{"OtherName", {"otherName:ada@example.com"}, "no_token"},
        NameCase{"OtherNameBesideOne",
                 {"otherName:\x01", "email:ada@example.com"},
                 "user:ada@example.com | -"},
        NameCase{"UriOfAnotherScheme", {"URI:https://example.org/ada"}, "no_token"},
        NameCase{"AddressOnly", {"IP:10.1.2.3"}, "no_token"},

        NameCase{"Email", {"email:ada@example.com"}, "user:ada@example.com | -"},
        NameCase{"EmailInCapitals", {"email:Ada@EXAMPLE.com"}, "user:Ada@example.com | -"},
        NameCase{"EmailTwiceTheSame",
                 {"email:ada@example.com", "email:ada@Example.com"},
                 "user:ada@example.com | -"},
        NameCase{"TwoEmails", {"email:ada@example.com", "email:bob@example.com"}, "ambiguous"},
        NameCase{"EmailOfTwoPeople", {"email:ada@example.com@evil.test"}, "bad_name"},
        NameCase{"EmailWithoutAPerson", {"email:@example.com"}, "bad_name"},
        NameCase{"EmailWithoutADomain", {"email:ada"}, "bad_name"},
        NameCase{"EmailQuoted", {"email:\"ada\"@example.com"}, "bad_name"},
        NameCase{"EmailWithASlash", {"email:/a/b@example.com"}, "bad_name"},
        NameCase{"EmailWithAColon", {"email:uid:0@example.com"}, "bad_name"},
        NameCase{"EmailAtAnAddress", {"email:ada@[10.1.2.3]"}, "bad_name"},
        NameCase{"EmailWithNul", {Nul("email:ada@example.com", ".evil.test")}, "bad_name"},
        NameCase{"EmailEmpty", {"email:"}, "bad_name"},
        NameCase{"EmailWithLineFeed", {"email:ada\n@example.com"}, "bad_name"},
        NameCase{"EmailWithSpace", {"email:ada @example.com"}, "bad_name"},
        NameCase{"EmailOfUtf8", {"email:\xC3\xA1@example.com"}, "bad_name"},

        NameCase{"Dns", {"DNS:Web-1.Example.COM"}, "- | host:web-1.example.com"},
        NameCase{"DnsOfOneLabel", {"DNS:localhost"}, "- | host:localhost"},
        NameCase{"TwoDns", {"DNS:a.test", "DNS:b.test"}, "ambiguous"},
        NameCase{"DnsTwiceTheSame", {"DNS:a.test", "DNS:A.test"}, "- | host:a.test"},
        NameCase{"DnsWildcard", {"DNS:*.example.com"}, "bad_name"},
        NameCase{"DnsWithNul", {Nul("DNS:bank.test", ".evil.test")}, "bad_name"},
        NameCase{"DnsNulAtTheEnd", {Nul("DNS:bank.test", "")}, "bad_name"},
        NameCase{"DnsOfLatin1", {"DNS:b\xE4nk.test"}, "bad_name"},
        NameCase{"DnsDelete", {"DNS:bank\x7F.test"}, "bad_name"},
        NameCase{"DnsDotAtTheEnd", {"DNS:example.com."}, "bad_name"},
        NameCase{"DnsAddress", {"DNS:10.1.2.3"}, "bad_name"},
        NameCase{"DnsTooLong", {"DNS:" + std::string(5000, 'a')}, "bad_name"},
        NameCase{"DnsWithNulBesideAnEmail",
                 {"email:ada@example.com", Nul("DNS:bank.test", ".evil.test")},
                 "bad_name"},
        NameCase{"UserAndHost",
                 {"DNS:laptop-7.example.com", "email:ada@example.com"},
                 "user:ada@example.com | host:laptop-7.example.com"},
        NameCase{"UserAndHostsInDoubt",
                 {"email:ada@example.com", "DNS:a.test", "DNS:b.test"},
                 "ambiguous"},

        NameCase{"Spiffe",
                 {"URI:spiffe://example.org/ns/prod/sa/web"},
                 "spiffe:example.org/ns/prod/sa/web in spiffe:example.org | -"},
        NameCase{"SpiffeAndEmailAndDns",
                 {"email:ada@example.com", "URI:spiffe://example.org/web", "DNS:web.test"},
                 "spiffe:example.org/web in spiffe:example.org | host:web.test"},
        NameCase{
            "TwoSpiffe", {"URI:spiffe://example.org/a", "URI:spiffe://example.org/b"}, "ambiguous"},
        NameCase{"SpiffeTwiceTheSame",
                 {"URI:spiffe://example.org/a", "URI:spiffe://example.org/a"},
                 "ambiguous"},
        NameCase{"SpiffeAndAnotherUri",
                 {"URI:https://example.org/", "URI:spiffe://example.org/a"},
                 "ambiguous"},
        NameCase{"SpiffeSchemeInCapitals", {"URI:SPIFFE://example.org/a"}, "bad_name"},
        NameCase{"SpiffeTrustDomain", {"URI:spiffe://example.org"}, "bad_name"},
        NameCase{"SpiffeOfDots", {"URI:spiffe://../a"}, "bad_name"},
        NameCase{"SpiffeWithNul", {Nul("URI:spiffe://example.org/a", "/b")}, "bad_name"},
        NameCase{"SpiffeBadBesideAnEmail",
                 {"URI:spiffe://example.org/../a", "email:ada@example.com"},
                 "bad_name"},
        NameCase{"SpiffeLongest",
                 {Workload(2048)},
                 absl::StrCat("spiffe:", Workload(2048).substr(13), " in spiffe:example.org | -")},
        NameCase{"SpiffeTooLong", {Workload(2049)}, "bad_name"},

        NameCase{"AddressOfThreeBytes", {"IP:\x01\x02\x03", "DNS:a.test"}, "bad_name"},
        NameCase{"MostNames", Times(256, "DNS:a.test"), "- | host:a.test"},
        NameCase{"TooManyNames", Times(257, "DNS:a.test"), "bad_name"}),
    [](const auto& info) { return std::string(info.param.name); });

// ---- Other mappings.

struct MappingCase {
  const char* name;
  TlsNameMapping mapping;
  std::vector<std::string> names;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const MappingCase& c) { return os << c.name; }

TlsNameMapping Map(std::vector<TlsNameMapping::Rule> users, std::vector<TlsNameMapping::Rule> hosts,
                   bool several = false) {
  TlsNameMapping mapping;
  mapping.users = std::move(users);
  mapping.hosts = std::move(hosts);
  mapping.hosts_have_several_names = several;
  return mapping;
}

TlsNameMapping Trusting(std::vector<std::string> domains) {
  TlsNameMapping mapping;
  mapping.trust_domains = std::move(domains);
  return mapping;
}

class MappingTest : public ::testing::TestWithParam<MappingCase> {};

TEST_P(MappingTest, Names) {
  CertificateSpec spec;
  spec.names = GetParam().names;
  const Credential credential = Credential::Make(spec);
  EXPECT_EQ(Text(NamedBy(credential.certificate.get(), GetParam().mapping)), GetParam().want);
}

const std::vector<std::string> kAll = {"IP:10.1.2.3", "DNS:a.test", "DNS:b.test",
                                       "email:ada@example.com"};

INSTANTIATE_TEST_SUITE_P(
    , MappingTest,
    ::testing::Values(
        MappingCase{"Nothing", Map({}, {}), kAll, "no_token"},
        MappingCase{"Ip", Map({}, {{TlsName::kIp, "host"}}), {"IP:10.1.2.3"}, "- | host:10.1.2.3"},
        MappingCase{"IpV6", Map({}, {{TlsName::kIp, "host"}}), {"IP:fe80::1"}, "- | host:fe80::1"},
        MappingCase{"IpMapped",
                    Map({}, {{TlsName::kIp, "host"}}),
                    {std::string("IP:\0\0\0\0\0\0\0\0\0\0\xFF\xFF\x0A\x01\x02\x03", 19)},
                    "- | host:10.1.2.3"},
        MappingCase{"FirstKindStands",
                    Map({{TlsName::kUri, "uri"}, {TlsName::kEmail, "user"}},
                        {{TlsName::kIp, "address"}, {TlsName::kDns, "host"}}),
                    kAll, "user:ada@example.com | address:10.1.2.3"},
        MappingCase{"SeveralHosts", Map({}, {{TlsName::kDns, "host"}}, true), kAll,
                    "- | host:a.test in host:b.test"},
        MappingCase{"SeveralHostsAreNotSeveralUsers",
                    Map({{TlsName::kEmail, "user"}}, {}, true),
                    {"email:a@a.test", "email:b@a.test"},
                    "ambiguous"},
        MappingCase{"WildcardAmongSeveral",
                    Map({}, {{TlsName::kDns, "host"}}, true),
                    {"DNS:a.test", "DNS:*.test"},
                    "bad_name"},
        MappingCase{"WildcardUnasked",
                    Map({{TlsName::kEmail, "user"}}, {}),
                    {"DNS:*.test", "email:a@a.test"},
                    "user:a@a.test | -"},
        MappingCase{"Uri",
                    Map({{TlsName::kUri, "uri"}}, {}),
                    {"URI:https://example.org/ada"},
                    "uri:https://example.org/ada | -"},
        MappingCase{"UriThatIsNoId",
                    Map({{TlsName::kUri, "uri"}}, {}),
                    {"URI:https://example.org/../ada"},
                    "bad_name"},
        MappingCase{"SpiffeIsNoPlainUri",
                    Map({{TlsName::kUri, "uri"}}, {}),
                    {"URI:spiffe://example.org/a"},
                    "no_token"},
        MappingCase{"TwoSpiffeUnasked",
                    Map({{TlsName::kEmail, "user"}}, {}),
                    {"URI:spiffe://a/a", "URI:spiffe://a/b", "email:a@a.test"},
                    "ambiguous"},
        MappingCase{"DnsAsUser",
                    Map({{TlsName::kDns, "service"}}, {}),
                    {"DNS:a.test"},
                    "service:a.test | -"},
        MappingCase{"DnsAsUserAndAsHost",
                    Map({{TlsName::kDns, "service"}}, {{TlsName::kDns, "host"}}),
                    {"DNS:A.test"},
                    "service:a.test | host:a.test"},
        MappingCase{"TypeThatIsNone", Map({{TlsName::kEmail, "a b"}}, {}), kAll, "bad_name"},
        MappingCase{"TypeRole", Map({{TlsName::kEmail, "role"}}, {}), kAll, "bad_name"},
        MappingCase{"TrustDomain",
                    Trusting({"b", "a"}),
                    {"URI:spiffe://a/x"},
                    "spiffe:a/x in spiffe:a | -"},
        MappingCase{"AnotherTrustDomain", Trusting({"b"}), {"URI:spiffe://a/x"}, "unproved"},
        MappingCase{"NoTrustDomain", Trusting({}), {"URI:spiffe://a/x"}, "unproved"},
        MappingCase{"TrustDomainOnlyInPart", Trusting({"a"}), {"URI:spiffe://a.b/x"}, "unproved"}),
    [](const auto& info) { return std::string(info.param.name); });

// ---- Extensions that no authority makes.

struct RawCase {
  const char* name;
  std::string raw;  // DER
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const RawCase& c) { return os << c.name; }

class RawTest : public ::testing::TestWithParam<RawCase> {};

TEST_P(RawTest, Names) {
  CertificateSpec spec;
  spec.raw_names = GetParam().raw;
  const Credential credential = Credential::Make(spec);
  // What was there before stays.
  ERR_put_error(ERR_LIB_USER, 0, 42, __FILE__, __LINE__);
  EXPECT_EQ(Text(NamedBy(credential.certificate.get(), TlsNameMapping())), GetParam().want);
  EXPECT_EQ(ERR_GET_REASON(ERR_get_error()), 42);
  EXPECT_EQ(ERR_get_error(), 0u);
}

INSTANTIATE_TEST_SUITE_P(, RawTest,
                         ::testing::Values(RawCase{"Plain",
                                                   "\x30\x08\x82\x06"
                                                   "a.test",
                                                   "- | host:a.test"},
                                           RawCase{"NulWithin",
                                                   std::string("\x30\x08\x82\x06"
                                                               "a\0test",
                                                               10),
                                                   "bad_name"},
                                           RawCase{"EmptySequence", std::string("\x30\x00", 2),
                                                   "no_token"},
                                           RawCase{"NoSequence",
                                                   "\x82\x06"
                                                   "a.test",
                                                   "bad_name"},
                                           RawCase{"CutShort",
                                                   "\x30\x08\x82\x09"
                                                   "a.test",
                                                   "bad_name"},
                                           RawCase{"UnknownTag",
                                                   "\x30\x08\x8A\x06"
                                                   "a.test",
                                                   "bad_name"},
                                           RawCase{"NotDer", "hello", "bad_name"}),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(CertificateTest, RefusesTwoExtensions) {
  CertificateSpec spec;
  spec.names = {"email:ada@example.com"};
  spec.raw_names =
      "\x30\x08\x82\x06"
      "a.test";
  const Credential credential = Credential::Make(spec);
  EXPECT_EQ(Text(NamedBy(credential.certificate.get(), TlsNameMapping())), "bad_name");
}

// ---- X509-SVIDs identify workloads only.

struct LeafCase {
  const char* name;
  bool ca;
  const char* key_usage;
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const LeafCase& c) { return os << c.name; }

class SvidLeafTest : public ::testing::TestWithParam<LeafCase> {};

TEST_P(SvidLeafTest, Names) {
  CertificateSpec spec;
  spec.ca = GetParam().ca;
  spec.key_usage = GetParam().key_usage;
  spec.names = {"URI:spiffe://example.org/a"};
  const Credential credential = Credential::Make(spec);
  EXPECT_EQ(Text(NamedBy(credential.certificate.get(), TlsNameMapping())), GetParam().want);
}

const char kWorkload[] = "spiffe:example.org/a in spiffe:example.org | -";

INSTANTIATE_TEST_SUITE_P(
    , SvidLeafTest,
    ::testing::Values(LeafCase{"Leaf", false, "critical,digitalSignature", kWorkload},
                      LeafCase{"WithoutKeyUsage", false, "", kWorkload},
                      LeafCase{"Authority", true, "critical,digitalSignature", "unproved"},
                      LeafCase{"SignsCertificates", false, "digitalSignature,keyCertSign",
                               "unproved"},
                      LeafCase{"SignsLists", false, "digitalSignature,cRLSign", "unproved"}),
    [](const auto& info) { return std::string(info.param.name); });

// ---- Grammars.

TEST(SpiffeTest, Grammar) {
  const std::string domain(255, 'a');
  const std::vector<std::pair<std::string, std::optional<std::string>>> cases = {
      {"spiffe://example.org", "example.org "},
      {"spiffe://example.org/a", "example.org /a"},
      {"spiffe://a-b_c.9/A-Z_0.9/...", "a-b_c.9 /A-Z_0.9/..."},
      {"spiffe://" + domain + "/a", domain + " /a"},
      {"spiffe://" + domain + "a/a", std::nullopt},
      {"", std::nullopt},
      {"spiffe:", std::nullopt},
      {"spiffe://", std::nullopt},
      {"spiffe:///a", std::nullopt},
      {"spiffe:/example.org/a", std::nullopt},
      {"https://example.org/a", std::nullopt},
      {"Spiffe://example.org/a", std::nullopt},
      {"spiffe://Example.org/a", std::nullopt},
      {"spiffe://example.org/", std::nullopt},
      {"spiffe://example.org//a", std::nullopt},
      {"spiffe://example.org/a/", std::nullopt},
      {"spiffe://example.org/a//b", std::nullopt},
      {"spiffe://example.org/.", std::nullopt},
      {"spiffe://example.org/a/..", std::nullopt},
      {"spiffe://example.org/../a", std::nullopt},
      {"spiffe://example.org:8443/a", std::nullopt},
      {"spiffe://user@example.org/a", std::nullopt},
      {"spiffe://user:secret@example.org/a", std::nullopt},
      {"spiffe://example.org?a", std::nullopt},
      {"spiffe://example.org/a?b", std::nullopt},
      {"spiffe://example.org/a#b", std::nullopt},
      {"spiffe://example.org/%61", std::nullopt},
      {"spiffe://example.org/a b", std::nullopt},
      {"spiffe://example.org/\xC3\xA1", std::nullopt},
      {std::string("spiffe://example.org/a\0", 23), std::nullopt},
      {" spiffe://example.org/a", std::nullopt},
      {"spiffe://[::1]/a", std::nullopt},
  };
  for (const auto& [text, want] : cases) {
    const std::optional<SpiffeId> id = ParseSpiffeId(text);
    std::optional<std::string> got;
    if (id.has_value()) got = std::string(id->trust_domain) + " " + std::string(id->path);
    EXPECT_EQ(got, want) << text;
  }
}

TEST(HostNameTest, Grammar) {
  const std::string label(63, 'a');
  const std::string longest = label + "." + label + "." + label + "." + std::string(61, 'a');
  const std::vector<std::pair<std::string, std::optional<std::string>>> cases = {
      {"a", "a"},
      {"A.B-c.D_9", "a.b-c.d_9"},
      {"xn--bnk-qla.test", "xn--bnk-qla.test"},
      {"1.2.3.test", "1.2.3.test"},
      {"9a", "9a"},
      {longest, longest},
      {longest + "a", std::nullopt},
      {label + "a.test", std::nullopt},
      {"", std::nullopt},
      {".", std::nullopt},
      {".test", std::nullopt},
      {"a..test", std::nullopt},
      {"a.test.", std::nullopt},
      {"-a.test", std::nullopt},
      {"a-.test", std::nullopt},
      {"*.test", std::nullopt},
      {"w*.test", std::nullopt},
      {"a b", std::nullopt},
      {"a/b", std::nullopt},
      {"a:80", std::nullopt},
      {"10.1.2.3", std::nullopt},
      {"127.1", std::nullopt},
      {"8", std::nullopt},
      {"b\xC3\xA4nk.test", std::nullopt},
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(CanonicalHostName(text), want) << text;
}

TEST(EmailTest, Grammar) {
  const std::string mailbox(64, 'a');
  const std::vector<std::pair<std::string, std::optional<std::string>>> cases = {
      {"ada@example.com", "ada@example.com"},
      {"A.d+a@EXAMPLE.COM", "A.d+a@example.com"},
      {mailbox + "@a.test", mailbox + "@a.test"},
      {mailbox + "a@a.test", std::nullopt},
      {"@a.test", std::nullopt},
      {"ada@", std::nullopt},
      {"ada", std::nullopt},
      {".ada@a.test", std::nullopt},
      {"ada.@a.test", std::nullopt},
      {"a..da@a.test", std::nullopt},
      {"a@b@a.test", std::nullopt},
      {"a b@a.test", std::nullopt},
      {"a:b@a.test", std::nullopt},
      {"a/b@a.test", std::nullopt},
      {"\"a\"@a.test", std::nullopt},
      {"a\\@a.test", std::nullopt},
      {"a(b)@a.test", std::nullopt},
      {"<ada@a.test>", std::nullopt},
      {"a@*.test", std::nullopt},
      {"a@10.1.2.3", std::nullopt},
  };
  for (const auto& [text, want] : cases) EXPECT_EQ(CanonicalEmail(text), want) << text;
}

// A message shows what is in the certificate, and obeys none of it.
TEST(CertificateTest, MessagesAreOfOneLine) {
  CertificateSpec spec;
  spec.names = {"email:ada\n\x1B[2J@example.com"};
  const Credential credential = Credential::Make(spec);
  const absl::Status status = NamedBy(credential.certificate.get(), TlsNameMapping()).status();
  EXPECT_EQ(std::string(status.message()),
            "the peer's certificate has an e-mail name that is not printable ASCII, "
            "`ada\\x0a\\x1b[2J@example.com`; ask its authority for another certificate");
}

}  // namespace
}  // namespace reeve
