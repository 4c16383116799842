#include "reeve/adapters/context/jwt/token_cache.h"

#include <cstring>
#include <utility>

namespace reeve {

size_t TokenCache::IndexOf(const TokenDigest& digest) const {
  uint64_t beginning;
  std::memcpy(&beginning, digest.data(), sizeof(beginning));
  return beginning % buckets_.size();
}

std::shared_ptr<const VerifiedToken> TokenCache::Find(const TokenDigest& digest) const {
  if (buckets_.empty()) return nullptr;
  const Bucket& bucket = buckets_[IndexOf(digest)];
  const MutexLock lock(bucket.mutex);
  for (const std::shared_ptr<const VerifiedToken>& token : bucket.tokens) {
    if (token != nullptr && token->digest == digest) return token;
  }
  return nullptr;
}

void TokenCache::Put(std::shared_ptr<const VerifiedToken> token) {
  Bucket& bucket = buckets_[IndexOf(token->digest)];
  // What it replaces ends after the lock.
  std::shared_ptr<const VerifiedToken> old = std::move(token);
  const MutexLock lock(bucket.mutex);
  for (std::shared_ptr<const VerifiedToken>& place : bucket.tokens) {
    if (place != nullptr && place->digest == old->digest) return place.swap(old);
  }
  bucket.tokens[bucket.oldest].swap(old);
  bucket.oldest = (bucket.oldest + 1) % kWays;
}

}  // namespace reeve
