// Every library that the project links answers one call.
#include <gssapi/gssapi_krb5.h>
#include <gtest/gtest.h>
#include <krb5/krb5.h>
#include <openssl/crypto.h>
#include <re2/re2.h>
#include <sodium.h>
#include <sqlite3.h>
#include <yaml-cpp/yaml.h>
#include <zstd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>

#include "absl/time/time.h"

namespace {

TEST(LibrariesTest, Abseil) { EXPECT_EQ(absl::FormatDuration(absl::Seconds(90)), "1m30s"); }

TEST(LibrariesTest, Cli11) { EXPECT_EQ(CLI::App("x").get_description(), "x"); }

TEST(LibrariesTest, Json) { EXPECT_EQ(nlohmann::json::parse("[1, 2]").size(), 2u); }

TEST(LibrariesTest, Libsodium) { EXPECT_GE(sodium_init(), 0); }

TEST(LibrariesTest, MitKerberos) {
  EXPECT_EQ(gss_oid_equal(gss_mech_krb5, gss_mech_krb5_old), 0);
  krb5_data data = {};
  krb5_free_data_contents(nullptr, &data);
  EXPECT_EQ(data.data, nullptr);
}

TEST(LibrariesTest, OpenSsl) { EXPECT_GE(OpenSSL_version_num(), 0x30000000); }

TEST(LibrariesTest, Re2) { EXPECT_TRUE(RE2::FullMatch("doc:1", "doc:[0-9]")); }

TEST(LibrariesTest, Sqlite) {
  sqlite3* db = nullptr;
  EXPECT_EQ(sqlite3_open(":memory:", &db), SQLITE_OK);
  sqlite3_close(db);
}

TEST(LibrariesTest, YamlCpp) { EXPECT_EQ(YAML::Load("a: 1")["a"].Scalar(), "1"); }

TEST(LibrariesTest, Zstandard) { EXPECT_GE(ZSTD_versionNumber(), 10504u); }

}  // namespace
