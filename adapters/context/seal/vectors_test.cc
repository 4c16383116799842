// The test vectors of doc/sealed-context.md: contexts of given keys and given randomness.
#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/seal/derivation.h"
#include "reeve/adapters/context/seal/envelope.h"
#include "reeve/adapters/context/seal/host_envelope.h"
#include "reeve/adapters/context/seal/host_key.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/adapters/context/seal/process_envelope.h"
#include "reeve/adapters/context/seal/ring_seal.h"
#include "reeve/adapters/context/seal/seal_testing.h"
#include "reeve/adapters/context/seal/single_use.h"

namespace reeve {
namespace {

using seal_internal::EnvelopeHeader;
using seal_internal::HexOf;
using seal_internal::SealKind;
using seal_testing::Bytes;
using seal_testing::kMachine;
using seal_testing::kNow;
using seal_testing::Must;

constexpr char kBody[] = "user:ada";

// `first`, and the numbers that follow it.
template <size_t size>
std::array<uint8_t, size> Counted(uint8_t first) {
  std::array<uint8_t, size> bytes;
  for (uint8_t& byte : bytes) byte = first++;
  return bytes;
}

EnvelopeHeader HeaderOf(SealKind kind, const seal_internal::KeyId& key_id,
                        const seal_internal::Target& target) {
  EnvelopeHeader header;
  header.kind = kind;
  header.key_id = key_id;
  header.token_id = Counted<16>(0xA0);
  header.target = target;
  header.not_before = kNow;
  header.expires = kNow + absl::Minutes(1);
  header.nonce = Counted<24>(0xB0);
  header.body_bytes = sizeof(kBody) - 1;
  return header;
}

std::string Hex(std::string_view bytes) { return HexOf(Bytes(bytes)); }

// What all three have in the header.
constexpr char kTokenId[] = "a0a1a2a3a4a5a6a7a8a9aaabacadaeaf";
constexpr char kTimes[] = "0000b49376e2fa180058fb8b84e2fa18";
constexpr char kNonce[] = "b0b1b2b3b4b5b6b7b8b9babbbcbdbebfc0c1c2c3c4c5c6c7";
constexpr char kSizeAndReserved[] = "08000000000000000000000000000000";

TEST(VectorsTest, Ring) {
  const auto key = Counted<32>(0x00);
  const auto key_id = seal_internal::KeyIdOf(key);
  EXPECT_EQ(HexOf(key_id), "65b2dd9b58a3a949");
  const auto target = seal_internal::ServiceTarget(kMachine, "web");
  EXPECT_EQ(HexOf(target), "eca97fc116de8a8b3c0b2d5efb2e53f552f2f809573655257bd9a507124a0150");
  const std::string packed =
      seal_internal::SealBody(HeaderOf(SealKind::kRing, key_id, target), Bytes(kBody), key.data());
  EXPECT_EQ(
      Hex(packed),
      absl::StrCat("5256534301010000", "65b2dd9b58a3a949", kTokenId,
                   "eca97fc116de8a8b3c0b2d5efb2e53f552f2f809573655257bd9a507124a0150", kTimes,
                   kNonce, kSizeAndReserved, "1d251c25d392a354ced8b849d20b20f758a78e2f54ea09c1"));

  // And the ring opens it.
  const auto ring =
      Must(KeyRing::Parse(Bytes("reeve-keys 1\n"
                                "key 65b2dd9b58a3a949 2026-11-20T09:00:00Z 2026-11-20T09:00:00Z "
                                "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n"),
                          "ring.keys"));
  const auto single_use = Must(SingleUse::Create(1, kNow));
  const auto opener = Must(KeyRingOpener::Create(ring.get(), "web", kMachine, single_use.get()));
  const absl::StatusOr<OpenedSeal> opened = opener->Open(Bytes(packed), kNow, nullptr);
  EXPECT_EQ(seal_testing::Outcome(opened), kBody);
  EXPECT_EQ(opened->evidence, "seal=ring key=65b2dd9b58a3a949 id=eda92fc9f9e9c7a35d9a7b0c1fdb4dde");
}

TEST(VectorsTest, Process) {
  const auto exporter_secret = Counted<32>(0x20);
  const auto target_secret = Counted<32>(0x40);
  PublicKey exporter, target_key;
  crypto_scalarmult_base(exporter.data(), exporter_secret.data());
  crypto_scalarmult_base(target_key.data(), target_secret.data());
  EXPECT_EQ(HexOf(exporter), "358072d6365880d1aeea329adf9121383851ed21a28e3b75e965d0d2cd166254");
  EXPECT_EQ(HexOf(target_key), "79a631eede1bf9c98f12032cdeadd0e7a079398fc786b88cc846ec89af85a51a");
  std::array<uint8_t, 32> shared, key;
  ASSERT_EQ(crypto_box_beforenm(shared.data(), target_key.data(), exporter_secret.data()), 0);
  EXPECT_EQ(HexOf(shared), "fe65e85cfc1193f2ee4d48b49e6847e50276e5faf0968d8a0e189223271204b0");
  seal_internal::DeriveProcessKey(shared, exporter, target_key, absl::MakeSpan(key));
  EXPECT_EQ(HexOf(key), "d3cbc179b65a12c288c206e68115d968b24a898a5d670ef5ff6e6beda0d60db9");
  const auto key_id = seal_internal::KeyIdOf(key);
  EXPECT_EQ(HexOf(key_id), "0917457ad7beacdf");
  const auto target = seal_internal::ProcessTarget(kMachine, 4711);
  const std::string packed = seal_internal::SealBody(HeaderOf(SealKind::kProcess, key_id, target),
                                                     Bytes(kBody), key.data());
  EXPECT_EQ(
      Hex(packed),
      absl::StrCat("5256534301020000", "0917457ad7beacdf", kTokenId,
                   "258b340c65f0dc8268dc800ac1da011d873f6e52da6405b7daf75d61bb7d2b52", kTimes,
                   kNonce, kSizeAndReserved, "dc54873ab6e8456e9bfb3eff482e92bdc541f336e7c748a5"));
}

TEST(VectorsTest, Host) {
  // The keys of RFC 8032, section 7.1, test 1, and of Alice of RFC 7748, section 6.1.
  const auto exporter =
      Must(HostKey::Parse(Bytes("reeve-host-key 1\n"
                                "name web-1\n"
                                "created 2026-11-20T09:00:00Z\n"
                                "signing nWGxne/9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A=\n"
                                "opening dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n"),
                          "web-1.key"));
  // Sealed to itself.
  const PublicKey& target_key = exporter->public_key().opening;
  const auto key_id = seal_internal::KeyIdOf(exporter->public_key().signing);
  const auto target = seal_internal::HostTarget(target_key);
  const auto ephemeral = Counted<32>(0x60);
  const std::string packed =
      Must(seal_internal::SealToHost(HeaderOf(SealKind::kHost, key_id, target), Bytes(kBody),
                                     *exporter, target_key, ephemeral.data()));
  EXPECT_EQ(Hex(packed),
            absl::StrCat("5256534301030000", "94690a1766ab99a5", kTokenId,
                         "0f45f57fcccb63afefa224571f841e4f43c531c409d7fdb3f1e339a90028d742", kTimes,
                         kNonce, kSizeAndReserved,
                         "675dd574ed7789310b3d2e7681f3790b466c773b1521fecf36577958371ea52f",
                         "b62ca143b69ff052bf318d1d02983db9734e7b3487e529ea",
                         "c27a007513ccddf376fbe56fd4d601c8c767fb016d1f8d6aaa30924b2d4feffd9fdfc42b3"
                         "81e486e8e2fed9e239f379cb5c3644f0e187d3af93897f3c6d6f208"));
}

}  // namespace
}  // namespace reeve
