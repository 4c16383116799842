// Private to this folder.
#ifndef REEVE_ADAPTERS_CONTEXT_JWT_TOKEN_CACHE_H_
#define REEVE_ADAPTERS_CONTEXT_JWT_TOKEN_CACHE_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "absl/time/time.h"
#include "reeve/adapters/context/jwt/jwk_set.h"
#include "reeve/engine/mutex.h"
#include "reeve/engine/principal.h"

namespace reeve {

// SHA-256 of a whole token, signature and all.
using TokenDigest = std::array<uint8_t, 32>;

// A token whose signature and claims were found good. It holds between `begin` and `end`, and only
// while its issuer's keys are `keys`. The token itself is not kept.
struct VerifiedToken {
  TokenDigest digest = {};
  size_t issuer = 0;  // Its place in JwtOptions::issuers.
  std::shared_ptr<const JwkSet> keys;
  std::optional<absl::Time> begin;
  absl::Time end;
  Principal principal;
};

// The tokens that were verified last, up to a number. Which place of four a token may stand in is
// by its digest; of those the oldest makes room.
//
// Thread-safe: a call locks four tokens' places for a moment.
class TokenCache {
 public:
  // Room for `size` tokens, rounded up to four; none if it is 0.
  explicit TokenCache(size_t size) : buckets_((size + kWays - 1) / kWays) {}

  bool empty() const { return buckets_.empty(); }

  // Null if it is not there.
  std::shared_ptr<const VerifiedToken> Find(const TokenDigest& digest) const;
  // In the place of what there is of the same digest. Requires that there is room for any.
  void Put(std::shared_ptr<const VerifiedToken> token);

 private:
  static constexpr size_t kWays = 4;
  struct Bucket {
    mutable Mutex mutex;
    std::array<std::shared_ptr<const VerifiedToken>, kWays> tokens ABSL_GUARDED_BY(mutex);
    size_t oldest ABSL_GUARDED_BY(mutex) = 0;
  };

  size_t IndexOf(const TokenDigest& digest) const;

  std::vector<Bucket> buckets_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_JWT_TOKEN_CACHE_H_
