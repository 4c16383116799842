#ifndef REEVE_ADAPTERS_CONTEXT_JWT_JWK_SET_H_
#define REEVE_ADAPTERS_CONTEXT_JWT_JWK_SET_H_

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/jwt/jwk.h"
#include "reeve/engine/mutex.h"

namespace reeve {

inline constexpr size_t kMaxJwkSetBytes = 1024 * 1024;
inline constexpr size_t kMaxJwks = 256;

// The public keys of one issuer: a JWK Set (RFC 7517, 5), or the bundle of a SPIFFE trust domain.
//
// Immutable: any thread.
class JwkSet {
 public:
  // The set that `json` is. Keys without fault that verify no tokens here are passed over, so that
  // an issuer may have them: of another `kty`, `crv` or `alg`, of another `use` (`enc`), with
  // `key_ops` without `verify`. Every other fault of any key spoils the set: see Jwk::FromJson().
  //
  // Errors: InvalidArgument: it is not JSON, has a member twice, has no list `keys` or more than
  // kMaxJwks, a key that is wrong, two keys of one `kid`, or no key that is of use.
  static absl::StatusOr<std::shared_ptr<const JwkSet>> Parse(std::string_view json,
                                                             JwkUse use = JwkUse::kSignature);

  // Null if there is none.
  const Jwk* Find(std::string_view kid) const;

  // Sorted by `kid`.
  const std::vector<Jwk>& keys() const { return keys_; }
  // Of each key that was passed over, which and why: "key 2 has the `use` `enc`".
  const std::vector<std::string>& ignored() const { return ignored_; }

 private:
  JwkSet(std::vector<Jwk> keys, std::vector<std::string> ignored)
      : keys_(std::move(keys)), ignored_(std::move(ignored)) {}

  std::vector<Jwk> keys_;
  std::vector<std::string> ignored_;
};

// Where the keys of one issuer come from. Implementations: JwksFile; JwksInMemory, for programs
// that fetch them.
//
// Thread-safe.
class JwkSource {
 public:
  virtual ~JwkSource() = default;

  // The keys that hold at `now`; another object when they have changed. Error: kNoCredentials if
  // there are none.
  virtual absl::StatusOr<std::shared_ptr<const JwkSet>> Keys(absl::Time now) const = 0;
};

// Keys that the program gives, and replaces when it likes.
//
// Thread-safe.
class JwksInMemory final : public JwkSource {
 public:
  // `keys` is required.
  explicit JwksInMemory(std::shared_ptr<const JwkSet> keys) : keys_(std::move(keys)) {}

  // For calls that begin after this returns. `keys` may be null: then there are none.
  void Replace(std::shared_ptr<const JwkSet> keys) ABSL_LOCKS_EXCLUDED(mutex_);

  absl::StatusOr<std::shared_ptr<const JwkSet>> Keys(absl::Time now) const override
      ABSL_LOCKS_EXCLUDED(mutex_);

 private:
  mutable Mutex mutex_;
  std::shared_ptr<const JwkSet> keys_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_JWT_JWK_SET_H_
