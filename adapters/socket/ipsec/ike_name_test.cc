#include "reeve/adapters/socket/ipsec/ike_name.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "absl/strings/match.h"
#include "reeve/adapters/socket/peer_error.h"

namespace reeve {
namespace {

using socket_internal::EntityOfIkeId;
using socket_internal::IkeNameRules;

struct Case {
  const char* name;
  std::string id;
  bool account;
  IkeNameRules rules;
  const char* want;  // "user:...", or what the refusal says.
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class NameTest : public testing::TestWithParam<Case> {};

TEST_P(NameTest, Names) {
  const Case& c = GetParam();
  const absl::StatusOr<EntityId> entity = EntityOfIkeId(c.id, c.account, c.rules);
  if (entity.ok()) {
    EXPECT_EQ(ToString(*entity), c.want);
    EXPECT_EQ(DefectOf(*entity), "");
    return;
  }
  EXPECT_EQ(PeerErrorOf(entity.status()), PeerError::kBadName);
  EXPECT_TRUE(absl::StrContains(entity.status().message(), c.want)) << entity.status();
}

const IkeNameRules kPlain;
const IkeNameRules kRealm = {"Example.com", false, false};
const IkeNameRules kCapitals = {"example.com", true, false};
const IkeNameRules kSubjects = {"", false, true};

INSTANTIATE_TEST_SUITE_P(
    Names, NameTest,
    testing::Values(
        Case{"Host", "laptop7.reeve.test", false, kPlain, "host:laptop7.reeve.test"},
        Case{"HostInCapitals", "LAPTOP7.Reeve.Test", false, kPlain, "host:laptop7.reeve.test"},
        Case{"HostWithoutADot", "laptop7", false, kPlain, "host:laptop7"},
        Case{"HostWithADotAtTheEnd", "laptop7.", false, kPlain, "no name of a host"},
        Case{"HostWithAnEmptyLabel", "laptop7..test", false, kPlain, "no name of a host"},
        Case{"HostTooLong", std::string(254, 'a'), false, kPlain, "no name of a host"},
        Case{"Address", "10.98.0.2", false, kPlain, "host:10.98.0.2"},
        Case{"Address6", "2001:DB8:0::2", false, kPlain, "host:2001:db8::2"},
        Case{"MappedAddress", "::ffff:10.98.0.2", false, kPlain, "no name of a host"},
        Case{"User", "alice@reeve.test", false, kPlain, "user:alice@reeve.test"},
        Case{"UserInCapitals", "ALICE@REEVE.TEST", false, kPlain, "user:alice@reeve.test"},
        Case{"RealmInCapitals", "Alice@reeve.test", false, kCapitals, "user:alice@REEVE.TEST"},
        Case{"UserWithDefaultRealm", "alice@reeve.test", true, kRealm, "user:alice@reeve.test"},
        Case{"Account", "Alice", true, kRealm, "user:alice@example.com"},
        Case{"AccountThatLooksLikeAHost", "web-1.reeve.test", true, kRealm,
             "user:web-1.reeve.test@example.com"},
        Case{"AccountThatLooksLikeAnAddress", "10.98.0.2", true, kRealm,
             "user:10.98.0.2@example.com"},
        Case{"AccountWithoutARealm", "root", true, kPlain, "has no realm"},
        Case{"AccountThatLooksLikeAUid", "uid:0", true, kRealm, "no name of a user"},
        Case{"AccountThatLooksLikeASubject", "CN=a", true, kRealm, "no name of a user"},
        Case{"UserWithTwoAts", "a@b@c", false, kPlain, "no name of a user"},
        Case{"UserWithoutAName", "@reeve.test", false, kPlain, "no name of a user"},
        Case{"UserWithoutARealm", "alice@", false, kPlain, "has no realm"},
        Case{"UserWithAQuestionMark", "al?ce@reeve.test", false, kPlain, "no name of a user"},
        Case{"UserWithAStar", "*@reeve.test", false, kPlain, "no name of a user"},
        Case{"UserWithASlash", "../a@reeve.test", false, kPlain, "no name of a user"},
        Case{"UserWithASpace", "a b@reeve.test", false, kPlain, "no name of a user"},
        Case{"HostWithAQuestionMark", "lap?op", false, kPlain, "no name of a host"},
        Case{"Any", "%any", false, kPlain, "no name of a host"},
        Case{"Empty", "", false, kPlain, "no name of a host"},
        Case{"EmptyAccount", "", true, kRealm, "no name of a user"},
        Case{"KeyId", "13:37:ab", false, kPlain, "no name of a host"},
        Case{"Control", std::string("a\0b", 3), false, kPlain, "`a\\x00b`"},
        Case{"Utf8", "zo\xC3\xAB@reeve.test", false, kPlain, "no name of a user"},
        Case{"Subject", "C=CH, CN=laptop7", false, kPlain, "certificate's subject"},
        Case{"SubjectWithAMailAddress", "C=CH, E=root@reeve.test", false, kPlain,
             "certificate's subject"},
        Case{"SubjectTaken", "C=CH, CN=laptop7", false, kSubjects, "host:C=CH, CN=laptop7"},
        Case{"SubjectUnprintable", "C=CH, CN=lap?op", false, kSubjects, "certificate's subject"},
        Case{"SubjectNoCanonicalId", "CN=a/../b", false, kSubjects, "certificate's subject"}),
    [](const auto& info) { return std::string(info.param.name); });

}  // namespace
}  // namespace reeve
