// Which entity a principal of Kerberos is, row by row.
#include "reeve/adapters/context/krb5/krb5_name.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"

namespace reeve {
namespace {

struct Case {
  const char* name;
  std::string text;
  std::string want;  // "id in realm", or the message.
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class Krb5NameTest : public ::testing::TestWithParam<Case> {};

TEST_P(Krb5NameTest, Names) {
  const absl::StatusOr<Krb5Named> named = NamedByKrb5(GetParam().text);
  if (named.ok()) {
    EXPECT_EQ(absl::StrCat(ToString(named->id), " in ", ToString(named->realm)), GetParam().want);
    return;
  }
  EXPECT_EQ(ContextErrorOf(named.status()), ContextError::kMechanism);
  EXPECT_EQ(std::string(named.status().message()), GetParam().want);
}

std::string Refused(const std::string& shown, const std::string& why) {
  return absl::StrCat("the principal `", shown, "` is not taken: ", why);
}

const Case kCases[] = {
    {"User", "ada@EXAMPLE.COM", "user:ada@EXAMPLE.COM in realm:EXAMPLE.COM"},
    {"UserOfAnotherCase", "Ada@example.com", "user:Ada@example.com in realm:example.com"},
    {"Machine", "WEB-1$@EXAMPLE.COM", "user:WEB-1$@EXAMPLE.COM in realm:EXAMPLE.COM"},
    {"Utf8", "ad\xC3\xA1@EXAMPLE.COM", "user:ad\xC3\xA1@EXAMPLE.COM in realm:EXAMPLE.COM"},
    {"Host", "host/web-1.example.com@EXAMPLE.COM",
     "host:web-1.example.com@EXAMPLE.COM in realm:EXAMPLE.COM"},
    {"Service", "http/web-1.example.com@EXAMPLE.COM",
     "service:http/web-1.example.com@EXAMPLE.COM in realm:EXAMPLE.COM"},
    {"HostOfAnotherCase", "HOST/web-1@EXAMPLE.COM",
     "service:HOST/web-1@EXAMPLE.COM in realm:EXAMPLE.COM"},
    {"UserNamedHost", "host@EXAMPLE.COM", "user:host@EXAMPLE.COM in realm:EXAMPLE.COM"},
    {"Instance", "root/admin@EXAMPLE.COM", "service:root/admin@EXAMPLE.COM in realm:EXAMPLE.COM"},
    {"ThreeComponents", "ldap/dc-1.example.com/example.com@EXAMPLE.COM",
     "service:ldap/dc-1.example.com/example.com@EXAMPLE.COM in realm:EXAMPLE.COM"},
    {"HostOfThree", "host/a/b@EXAMPLE.COM", "service:host/a/b@EXAMPLE.COM in realm:EXAMPLE.COM"},
    {"RealmWithAColon", "ada@OTHER:REALM", "user:ada@OTHER:REALM in realm:OTHER:REALM"},

    {"Nothing", "", Refused("", "it has no realm")},
    {"NoRealm", "ada", Refused("ada", "it has no realm")},
    {"EmptyRealm", "ada@", Refused("ada@", "the entity id is empty")},
    {"NoName", "@EXAMPLE.COM", Refused("@EXAMPLE.COM", "a component is empty")},
    {"TwoRealms", "ada@A@B", Refused("ada@A@B", "its realm has an @ or a slash")},
    {"SlashInTheRealm", "ada@A/B", Refused("ada@A/B", "its realm has an @ or a slash")},
    {"EscapedAt", "ada\\@A@B",
     Refused("ada\\@A@B", "it has a slash, an @ or a control character within a component")},
    {"EscapedSlash", "host\\/a@B",
     Refused("host\\/a@B", "it has a slash, an @ or a control character within a component")},
    {"EscapedNul", "ada\\0@B",
     Refused("ada\\0@B", "it has a slash, an @ or a control character within a component")},
    {"Nul", std::string("ada\0@B", 6),
     Refused("ada\\x00@B", "the entity id has a control character")},
    {"LineFeed", "ada\n@B", Refused("ada\\x0a@B", "the entity id has a control character")},
    {"NotUtf8", "ada\xFF@B", Refused("ada\\xff@B", "the entity id is not valid UTF-8")},
    {"FirstEmpty", "/a@B", Refused("/a@B", "a component is empty")},
    {"LastEmpty", "host/@B", Refused("host/@B", "a component is empty")},
    {"MiddleEmpty", "ldap//a@B", Refused("ldap//a@B", "a component is empty")},
    {"OnlySlashes", "//@B", Refused("//@B", "a component is empty")},
    {"FourComponents", "a/b/c/d@E", Refused("a/b/c/d@E", "it has more than three components")},
    {"Dots", "../a@B", Refused("../a@B", "the entity id has a `.` or `..` segment")},
    {"DotsOfAHost", "host/..@B", "host:..@B in realm:B"},
    {"Anonymous", "WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS",
     Refused("WELLKNOWN/ANONYMOUS@WELLKNOWN:ANONYMOUS", "it is of nobody, as anonymous is")},
    {"AnonymousOfARealm", "WELLKNOWN/ANONYMOUS@EXAMPLE.COM",
     Refused("WELLKNOWN/ANONYMOUS@EXAMPLE.COM", "it is of nobody, as anonymous is")},
    {"RealmOfNobody", "ada@WELLKNOWN:ANONYMOUS",
     Refused("ada@WELLKNOWN:ANONYMOUS", "it is of nobody, as anonymous is")},
};

INSTANTIATE_TEST_SUITE_P(, Krb5NameTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(Krb5LongNameTest, EndsSomewhere) {
  EXPECT_TRUE(NamedByKrb5(std::string(4094, 'a') + "@B").ok());
  EXPECT_FALSE(NamedByKrb5(std::string(4095, 'a') + "@B").ok());
}

}  // namespace
}  // namespace reeve
