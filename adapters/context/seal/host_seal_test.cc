#include "reeve/adapters/context/seal/host_seal.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/seal/envelope.h"
#include "reeve/adapters/context/seal/seal_testing.h"

namespace reeve {
namespace {

using seal_testing::Bytes;
using seal_testing::kNow;
using seal_testing::Must;
using seal_testing::Outcome;
using seal_testing::Why;

const absl::Duration kMinute = absl::Minutes(1);
constexpr char kAltered[] =
    "authentication_failed: the context was changed on its way, or was not made by who it says; do "
    "not use it";

struct Host {
  explicit Host(const std::string& name) : key(Must(HostKey::Generate(name, kNow))) {}

  std::string SealTo(const Host& target, std::string_view body) const {
    const auto sealer = Must(HostSealer::Create(key.get(), target.key->public_key()));
    return Must(sealer->Seal(Bytes(body), kNow, kNow + kMinute));
  }
  // Trusting `trusted`.
  std::string Open(std::string_view packed, const std::vector<const Host*>& trusted) const {
    std::vector<HostPublicKey> keys;
    for (const Host* host : trusted) keys.push_back(host->key->public_key());
    const auto single_use = Must(SingleUse::Create(10, kNow - absl::Hours(1)));
    const auto opener = Must(HostOpener::Create(key.get(), keys, single_use.get()));
    const absl::StatusOr<OpenedSeal> opened = opener->Open(Bytes(packed), kNow, nullptr);
    if (!opened.ok()) return Why(opened.status());
    return absl::StrCat(Outcome(opened), opened->evidence.substr(opened->evidence.rfind(' ')));
  }

  std::unique_ptr<HostKey> key;
};

TEST(HostSealTest, NamesTheHostThatSealed) {
  const Host web("web-1"), mail("mail-1"), db("db-1");
  EXPECT_EQ(db.Open(web.SealTo(db, "a"), {&web, &mail}), "a exporter=web-1");
  EXPECT_EQ(db.Open(mail.SealTo(db, "b"), {&web, &mail}), "b exporter=mail-1");
  EXPECT_EQ(db.Open(db.SealTo(db, "c"), {&db}), "c exporter=db-1");
}

TEST(HostSealTest, OpensForOneHostByOneThatIsTrusted) {
  const Host web("web-1"), mail("mail-1"), db("db-1");
  const std::string packed = web.SealTo(db, "a");
  EXPECT_EQ(db.Open(packed, {&mail}),
            "unknown_key: the context is sealed by a key that is not known here; give this program "
            "the key of the exporter, or seal it for this program");
  EXPECT_EQ(mail.Open(packed, {&web}),
            "wrong_target: the context is sealed for another host; seal it for this one");
  EXPECT_EQ(db.Open(packed, {&web}), "a exporter=web-1");
}

// A host that is trusted signs, as its own, what another sealed.
TEST(HostSealTest, NobodyTakesWhatAnotherSealed) {
  const Host web("web-1"), mail("mail-1"), db("db-1");
  std::string packed = web.SealTo(db, "a");
  const auto sign = [&](std::string bytes) {
    auto* const data = reinterpret_cast<uint8_t*>(bytes.data());
    crypto_sign_detached(data + bytes.size() - 64, nullptr, data, bytes.size() - 64,
                         mail.key->signing_key());
    return bytes;
  };
  // With its signature alone it is not of web-1.
  EXPECT_EQ(db.Open(sign(packed), {&web, &mail}), kAltered);
  // Nor, with its key id, of mail-1: the seal inside is bound to who signed.
  packed.replace(8, 8, mail.SealTo(db, "b").substr(8, 8));
  EXPECT_EQ(db.Open(sign(packed), {&web, &mail}), kAltered);
  // Nor by the seal of another context.
  std::string mixed = mail.SealTo(db, "c");
  mixed.replace(120, 32 + 1 + 16, web.SealTo(db, "d").substr(120, 32 + 1 + 16));
  EXPECT_EQ(db.Open(sign(mixed), {&web, &mail}), kAltered);
  // What it seals itself, though signed by hand, is right.
  EXPECT_EQ(db.Open(sign(mail.SealTo(db, "e")), {&web, &mail}), "e exporter=mail-1");
  // With a point of low order, where anybody knows the key.
  std::string low = mail.SealTo(db, "f");
  low.replace(120, 32, std::string(32, '\0'));
  EXPECT_EQ(db.Open(sign(low), {&mail}), kAltered);
}

TEST(HostSealTest, ChecksItsKeys) {
  const Host web("web-1"), db("db-1");
  const auto single_use = Must(SingleUse::Create(10, kNow));
  const auto create = [&](std::vector<HostPublicKey> trusted) {
    return Why(HostOpener::Create(db.key.get(), std::move(trusted), single_use.get()).status());
  };
  const HostPublicKey key = web.key->public_key();
  HostPublicKey renamed = key;
  renamed.name = "web-2";
  HostPublicKey same_name = db.key->public_key();
  same_name.name = "web-1";
  EXPECT_EQ(create({}), "INVALID_ARGUMENT: no host is trusted; name those that may export");
  EXPECT_EQ(create({key, key}),
            "INVALID_ARGUMENT: `web-1` and `web-1` are trusted by one name or one key; name each "
            "host once");
  EXPECT_EQ(create({key, renamed}),
            "INVALID_ARGUMENT: `web-2` and `web-1` are trusted by one name or one key; name each "
            "host once");
  EXPECT_EQ(create({key, same_name}),
            "INVALID_ARGUMENT: `web-1` and `web-1` are trusted by one name or one key; name each "
            "host once");
  EXPECT_EQ(create({key, db.key->public_key()}), "OK");
  // A target that nobody can be.
  HostPublicKey nobody = key;
  nobody.opening = PublicKey{};
  const auto sealer = Must(HostSealer::Create(db.key.get(), nobody));
  EXPECT_EQ(Why(sealer->Seal(Bytes("b"), kNow, kNow + kMinute).status()),
            "malformed: the public key of the target is none that a key pair has; get the right "
            "one");
}

TEST(HostSealTest, ClocksMayDifferByDefault) {
  EXPECT_EQ(HostOpener::DefaultOptions().clock_skew, absl::Seconds(30));
  EXPECT_EQ(HostOpener::DefaultOptions().max_lifetime, absl::Seconds(60));
}

}  // namespace
}  // namespace reeve
