#include "reeve/adapters/context/jwt/token_cache.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"

namespace reeve {
namespace {

// Its place is by `place`.
TokenDigest DigestOf(uint8_t place, uint8_t name) {
  TokenDigest digest = {};
  digest.front() = place;
  digest.back() = name;
  return digest;
}

std::shared_ptr<const VerifiedToken> TokenOf(const TokenDigest& digest, std::string id = "ada") {
  VerifiedToken token;
  token.digest = digest;
  token.principal.id = EntityId("user", std::move(id));
  return std::make_shared<const VerifiedToken>(std::move(token));
}

TEST(TokenCacheTest, FindsByTheWholeDigest) {
  TokenCache cache(8);
  EXPECT_EQ(cache.Find(DigestOf(0, 1)), nullptr);
  const auto token = TokenOf(DigestOf(0, 1));
  cache.Put(token);
  EXPECT_EQ(cache.Find(DigestOf(0, 1)), token);
  EXPECT_EQ(cache.Find(DigestOf(0, 2)), nullptr);
  EXPECT_EQ(cache.Find(DigestOf(1, 1)), nullptr);
  EXPECT_EQ(cache.Find(TokenDigest{}), nullptr);
}

TEST(TokenCacheTest, ReplacesTheSameToken) {
  TokenCache cache(4);
  for (uint8_t name = 1; name <= 4; ++name) cache.Put(TokenOf(DigestOf(0, name)));
  const auto again = TokenOf(DigestOf(0, 2), "eve");
  cache.Put(again);
  EXPECT_EQ(cache.Find(DigestOf(0, 2)), again);
  for (uint8_t name = 1; name <= 4; ++name) EXPECT_NE(cache.Find(DigestOf(0, name)), nullptr);
}

TEST(TokenCacheTest, TheOldestOfAPlaceMakesRoom) {
  TokenCache cache(8);
  cache.Put(TokenOf(DigestOf(1, 1)));
  for (uint8_t name = 1; name <= 6; ++name) cache.Put(TokenOf(DigestOf(0, name)));
  EXPECT_EQ(cache.Find(DigestOf(0, 1)), nullptr);
  EXPECT_EQ(cache.Find(DigestOf(0, 2)), nullptr);
  for (uint8_t name = 3; name <= 6; ++name) EXPECT_NE(cache.Find(DigestOf(0, name)), nullptr);
  EXPECT_NE(cache.Find(DigestOf(1, 1)), nullptr);
}

TEST(TokenCacheTest, HasNoMoreRoomThanItSays) {
  struct Row {
    size_t size;
    int want;
  };
  for (const Row& row : {Row{0, 0}, Row{1, 4}, Row{4, 4}, Row{5, 8}, Row{100, 100}}) {
    TokenCache cache(row.size);
    EXPECT_EQ(cache.empty(), row.want == 0);
    int found = 0;
    for (int i = 0; i < 256 * 8 && !cache.empty(); ++i) {
      cache.Put(TokenOf(DigestOf(static_cast<uint8_t>(i), static_cast<uint8_t>(i / 256))));
    }
    for (int i = 0; i < 256 * 8; ++i) {
      found +=
          cache.Find(DigestOf(static_cast<uint8_t>(i), static_cast<uint8_t>(i / 256))) != nullptr;
    }
    EXPECT_EQ(found, row.want) << row.size;
  }
}

}  // namespace
}  // namespace reeve
