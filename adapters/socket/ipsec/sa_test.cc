#include "reeve/adapters/socket/ipsec/sa.h"

#include <gtest/gtest.h>

#include <ostream>
#include <string>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/socket/ipsec/vici.h"

namespace reeve {
namespace {

using socket_internal::ChildSa;
using socket_internal::IkeConnection;
using socket_internal::IkeSa;
using socket_internal::ParseIkeConnection;
using socket_internal::ParseIkeSa;
using socket_internal::SelectorHas;
using socket_internal::ViciKeyValue;

std::string Section(const std::string& name, const std::string& content) {
  return absl::StrCat("\x01", std::string(1, static_cast<char>(name.size())), name, content,
                      "\x02");
}

std::string List(const std::string& name, const std::string& item) {
  return absl::StrCat("\x04", std::string(1, static_cast<char>(name.size())), name, "\x05",
                      std::string(1, '\0'), std::string(1, static_cast<char>(item.size())), item,
                      "\x06");
}

std::string ChildText(const std::string& more = "") {
  return Section("office-7",
                 ViciKeyValue("name", "office") + ViciKeyValue("uniqueid", "7") +
                     ViciKeyValue("reqid", "4294967295") + ViciKeyValue("state", "INSTALLED") +
                     ViciKeyValue("mode", "TUNNEL") + ViciKeyValue("protocol", "ESP") +
                     ViciKeyValue("spi-in", "c0ffee01") + ViciKeyValue("encr-alg", "AES_CBC") +
                     ViciKeyValue("integ-alg", "HMAC_SHA2_256_128") +
                     ViciKeyValue("bytes-in", "12345678901234") + List("local-ts", "10.0.0.0/8") +
                     List("remote-ts", "::/0") + more);
}

std::string SaText(const std::string& more = "", const std::string& children = ChildText()) {
  return Section("peer",
                 ViciKeyValue("uniqueid", "3") + ViciKeyValue("state", "ESTABLISHED") +
                     ViciKeyValue("local-host", "10.98.0.1") +
                     ViciKeyValue("remote-host", "10.98.0.2") + ViciKeyValue("remote-id", "a@b") +
                     List("tasks-active", "CHILD_CREATE") + more + Section("child-sas", children));
}

TEST(IkeSaTest, IsRead) {
  const std::optional<IkeSa> sa =
      ParseIkeSa(SaText(ViciKeyValue("remote-eap-id", "c"), ChildText() + ChildText()));
  ASSERT_TRUE(sa.has_value());
  EXPECT_EQ(sa->connection, "peer");
  EXPECT_EQ(sa->unique_id, "3");
  EXPECT_TRUE(sa->established());
  EXPECT_EQ(sa->local_host, "10.98.0.1");
  EXPECT_EQ(sa->remote_host, "10.98.0.2");
  EXPECT_EQ(sa->remote_id, "a@b");
  EXPECT_EQ(sa->account, "c");
  ASSERT_EQ(sa->children.size(), 2u);
  for (const ChildSa& child : sa->children) {
    EXPECT_EQ(child.name, "office");
    EXPECT_EQ(child.unique_id, "7");
    EXPECT_EQ(child.reqid, 0xFFFFFFFFu);
    EXPECT_EQ(child.mode, "TUNNEL");
    EXPECT_EQ(child.protocol, "ESP");
    EXPECT_EQ(child.spi_in, 0xC0FFEE01u);
    EXPECT_EQ(child.local, std::vector<std::string>{"10.0.0.0/8"});
    EXPECT_EQ(child.remote, std::vector<std::string>{"::/0"});
    EXPECT_TRUE(child.installed());
    EXPECT_TRUE(child.encrypts());
    EXPECT_TRUE(child.protects());
  }
}

struct BadCase {
  const char* name;
  std::string message;
};

std::ostream& operator<<(std::ostream& os, const BadCase& c) { return os << c.name; }

class BadSaTest : public testing::TestWithParam<BadCase> {};

TEST_P(BadSaTest, IsRefused) { EXPECT_FALSE(ParseIkeSa(GetParam().message).has_value()); }

INSTANTIATE_TEST_SUITE_P(
    Messages, BadSaTest,
    testing::Values(
        BadCase{"Empty", ""}, BadCase{"NoSection", ViciKeyValue("remote-id", "a")},
        BadCase{"CutShort", SaText().substr(0, 100)}, BadCase{"TwoSas", SaText() + SaText()},
        BadCase{"TwoIds", SaText(ViciKeyValue("remote-id", "b"))},
        BadCase{"TwoStates", SaText(ViciKeyValue("state", "ESTABLISHED"))},
        BadCase{"TwoAccounts",
                SaText(ViciKeyValue("remote-eap-id", "a") + ViciKeyValue("remote-xauth-id", "b"))},
        BadCase{"TwoReqids", SaText("", ChildText(ViciKeyValue("reqid", "1")))},
        BadCase{"ReqidNoNumber", SaText("", Section("c", ViciKeyValue("reqid", "1x")))},
        BadCase{"ReqidTooLarge", SaText("", Section("c", ViciKeyValue("reqid", "4294967296")))},
        BadCase{"ReqidNegative", SaText("", Section("c", ViciKeyValue("reqid", "-1")))},
        BadCase{"SpiNoNumber", SaText("", Section("c", ViciKeyValue("spi-in", "xyz")))}),
    [](const auto& info) { return std::string(info.param.name); });

TEST(IkeSaTest, ValuesElsewhereMeanNothing) {
  const std::optional<IkeSa> sa =
      ParseIkeSa(Section("peer", Section("other", ViciKeyValue("remote-id", "x") + ChildText())));
  ASSERT_TRUE(sa.has_value());
  EXPECT_EQ(sa->remote_id, "");
  EXPECT_TRUE(sa->children.empty());
}

TEST(IkeSaTest, StatesInWhichItCounts) {
  for (const char* state : {"CREATED", "CONNECTING", "PASSIVE", "REKEYED", "DELETING", "DESTROYING",
                            "established", ""}) {
    IkeSa sa;
    sa.state = state;
    EXPECT_FALSE(sa.established()) << state;
  }
  for (const char* state : {"CREATED", "ROUTED", "INSTALLING", "REKEYED", "RETRYING", "DELETING",
                            "DELETED", "DESTROYING", ""}) {
    ChildSa child;
    child.state = state;
    EXPECT_FALSE(child.installed()) << state;
  }
}

struct ProtectionCase {
  const char* protocol;
  const char* encryption;
  const char* integrity;
  bool encrypts;
  bool protects;
};

TEST(ChildSaTest, WhatProtects) {
  for (const ProtectionCase& c : {
           ProtectionCase{"ESP", "AES_GCM_16", "", true, true},
           ProtectionCase{"ESP", "AES_CCM_16", "", true, true},
           ProtectionCase{"ESP", "CHACHA20_POLY1305", "", true, true},
           ProtectionCase{"ESP", "AES_CBC", "HMAC_SHA2_256_128", true, true},
           ProtectionCase{"ESP", "AES_CBC", "", true, false},
           ProtectionCase{"ESP", "NULL", "HMAC_SHA2_256_128", false, true},
           ProtectionCase{"ESP", "NULL", "", false, false},
           ProtectionCase{"ESP", "NULL_AES_GMAC", "", false, true},
           ProtectionCase{"AH", "", "HMAC_SHA2_256_128", false, true},
           ProtectionCase{"AH", "", "", false, false},
           ProtectionCase{"", "AES_GCM_16", "", false, false},
       }) {
    ChildSa child;
    child.protocol = c.protocol;
    child.encryption = c.encryption;
    child.integrity = c.integrity;
    EXPECT_EQ(child.encrypts(), c.encrypts) << c.protocol << " " << c.encryption;
    EXPECT_EQ(child.protects(), c.protects) << c.protocol << " " << c.encryption;
  }
}

TEST(IkeConnectionTest, TellsKeysFromAccounts) {
  const auto read = [](const std::vector<std::string>& classes) {
    std::string rounds = Section("local-1", ViciKeyValue("class", "any"));
    for (size_t i = 0; i < classes.size(); ++i) {
      rounds += Section(absl::StrCat("remote-", i + 1), ViciKeyValue("class", classes[i]));
    }
    const std::optional<IkeConnection> connection = ParseIkeConnection(Section("peer", rounds));
    EXPECT_TRUE(connection.has_value() && connection->name == "peer");
    return connection.has_value() && connection->by_keys_only();
  };
  EXPECT_TRUE(read({"public key"}));
  EXPECT_TRUE(read({"pre-shared key"}));
  EXPECT_TRUE(read({"public key", "pre-shared key"}));
  EXPECT_FALSE(read({"EAP"}));
  EXPECT_FALSE(read({"public key", "EAP"}));
  EXPECT_FALSE(read({"EAP", "public key"}));
  EXPECT_FALSE(read({"pre-shared key", "XAuth"}));
  EXPECT_FALSE(read({"any"}));
  EXPECT_FALSE(read({""}));
  EXPECT_FALSE(read({}));
  EXPECT_FALSE(ParseIkeConnection(Section("a", "") + Section("b", "")).has_value());
  EXPECT_FALSE(ParseIkeConnection("\x01").has_value());
}

TEST(SelectorTest, HasAddresses) {
  struct Case {
    const char* selector;
    const char* address;
    bool has;
  };
  for (const Case& c : {
           Case{"10.97.0.2/32", "10.97.0.2", true},
           Case{"10.97.0.2/32", "10.97.0.3", false},
           Case{"10.97.0.0/24[tcp/http]", "10.97.0.3", true},
           Case{"0.0.0.0/0", "10.97.0.3", true},
           Case{"0.0.0.0/0", "fe80::1", false},
           Case{"::/0", "10.97.0.3", false},
           Case{"2001:db8::/32[udp]", "2001:db8::7", true},
           Case{"10.0.0.5..10.0.0.9", "10.0.0.5", true},
           Case{"10.0.0.5..10.0.0.9[tcp/1-5]", "10.0.0.9", true},
           Case{"10.0.0.5..10.0.0.9", "10.0.0.10", false},
           Case{"10.0.0.5..10.0.0.9", "10.0.0.4", false},
           Case{"10.0.0.5..ffff::1", "10.0.0.6", false},
           Case{"dynamic", "10.0.0.6", false},
           Case{"", "10.0.0.6", false},
           Case{"10.0.0.6/33", "10.0.0.6", false},
       }) {
    EXPECT_EQ(SelectorHas(c.selector, *IpAddress::Parse(c.address)), c.has)
        << c.selector << " " << c.address;
  }
}

}  // namespace
}  // namespace reeve
