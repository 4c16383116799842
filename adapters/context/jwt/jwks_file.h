#ifndef REEVE_ADAPTERS_CONTEXT_JWT_JWKS_FILE_H_
#define REEVE_ADAPTERS_CONTEXT_JWT_JWKS_FILE_H_

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/jwt/jwk_set.h"
#include "reeve/adapters/context/watched_file.h"

namespace reeve {

struct JwksFileOptions {
  JwkUse use = JwkUse::kSignature;
  // The file is read again by the first call of Keys() that comes this long after it was last read.
  // Zero: by each call. Not negative.
  absl::Duration check_interval = absl::Seconds(10);
  // For how long the keys hold when the file cannot be read again. It is the longest that a key
  // verifies tokens after it was taken out of a file that was spoiled by that. InfiniteDuration:
  // for ever. Above `check_interval`.
  absl::Duration max_key_age = absl::Hours(24);
};

// The keys in a file that something else keeps up to date: a side-car that fetches the issuer's
// `jwks_uri`, a deployment, a SPIFFE helper. It should write a new file and rename(2) it over the
// old one; a file that is half written is not read as a set, and the next check finds the rest.
//
// The file must be a regular one (symbolic links are followed) that neither its group nor others
// may write; who may write its directory is for the program to see to. A file that cannot be read,
// or is no set, changes nothing: the last good keys stay, until they are `max_key_age` old.
//
// Thread-safe: one thread reads the file, the others go on with the keys there are.
class JwksFile final : public JwkSource {
 public:
  // Reads `path`, which must be good.
  // Errors: InvalidArgument    the file or a set in it is not as above, or `options` are not
  //         Unavailable        it cannot be read
  static absl::StatusOr<std::unique_ptr<JwksFile>> Open(std::string path,
                                                        const JwksFileOptions& options,
                                                        absl::Time now);

  // Reads the file now, whatever the interval. The errors are those of Open(); the old keys stay
  // then. Blocks for as long as it takes to read a file, and while another thread does.
  absl::Status Reload(absl::Time now);

  // Reads the file first if it is time. Blocks for as long as that takes, on one thread in an
  // interval. The same object as before if the file says the same.
  absl::StatusOr<std::shared_ptr<const JwkSet>> Keys(absl::Time now) const override;

  // For a program that reports how it is.
  struct State {
    std::shared_ptr<const JwkSet> keys;
    absl::Time good;     // When the file was last read, and was good.
    absl::Time checked;  // When it was last looked at.
    absl::Status error;  // Of that last look; OK if it was good.
  };
  State state() const;

 private:
  JwksFile(std::string path, const JwksFileOptions& options);

  const absl::Duration max_key_age_;
  mutable WatchedFile<const JwkSet> file_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_JWT_JWKS_FILE_H_
