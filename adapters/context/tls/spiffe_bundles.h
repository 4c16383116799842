#ifndef REEVE_ADAPTERS_CONTEXT_TLS_SPIFFE_BUNDLES_H_
#define REEVE_ADAPTERS_CONTEXT_TLS_SPIFFE_BUNDLES_H_

#include <openssl/types.h>

#include <cstddef>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace reeve {

inline constexpr size_t kMaxBundleFileBytes = 1 << 20;
inline constexpr size_t kMaxBundleCertificates = 256;

struct BundleFileOptions {
  // The file is read again by the first call of Find() that comes this long after it was last read.
  // Zero: by each call. Not negative.
  absl::Duration check_interval = absl::Seconds(10);
  // For how long the authorities hold when the file cannot be read again. It is the longest that
  // one is believed after it was taken out of a file that was spoiled by that. InfiniteDuration:
  // for ever. Above `check_interval`.
  absl::Duration max_age = absl::Hours(24);
};

// The authorities of SPIFFE trust domains, as SPIFFE calls them trust bundles: of each domain its
// own, so that none speaks for another.
//
// A file is PEM: certificates of authorities, one at least, and between them empty lines and
// comments (`#`). They need not be self-signed. Something else keeps it up to date, a side-car or a
// deployment: it should write a new file and rename(2) it over the old one. It must be a regular
// file (symbolic links are followed) that neither its group nor others may write; who may write its
// directory is for the program to see to. A file that cannot be read, or is none of these, changes
// nothing: the last good authorities stay, until they are `max_age` old.
//
// Thread-compatible while it is filled; Find(), Reload() and states() from any threads: one reads a
// file, the others go on with what there is.
class SpiffeBundles {
 public:
  SpiffeBundles();
  ~SpiffeBundles();
  SpiffeBundles(const SpiffeBundles&) = delete;
  SpiffeBundles& operator=(const SpiffeBundles&) = delete;

  // Believes `store` for `trust_domain` ("example.org"). Takes a reference; the program may go on
  // to add to it. Errors: InvalidArgument  the domain is malformed, or there already; the store is
  //                                        null; it has revocation lists and does not use them
  //                                        (X509_V_FLAG_CRL_CHECK)
  absl::Status Add(std::string_view trust_domain, X509_STORE* store);

  // Believes the authorities in the file `path`, which must be good.
  // Errors: InvalidArgument  as above; the file is not as above, or `options` are not
  //         Unavailable      it cannot be read
  absl::Status AddFile(std::string_view trust_domain, std::string path,
                       const BundleFileOptions& options, absl::Time now);

  bool empty() const { return bundles_.empty(); }

  // Whom to believe for `trust_domain`. Reads a file first if it is time, and blocks for as long as
  // that takes, on one thread in an interval. The store stays as it is while it is used.
  // Errors: kMechanism      no such trust domain is here
  //         kNoCredentials  its file was last good too long ago, or there is no domain at all
  absl::StatusOr<std::shared_ptr<X509_STORE>> Find(std::string_view trust_domain,
                                                   absl::Time now) const;

  // Reads all files now, whatever the intervals; the first error of those that AddFile() has. What
  // is good is used, and elsewhere the old authorities stay.
  absl::Status Reload(absl::Time now);

  // For a program that reports how it is: its files, by trust domain.
  struct State {
    std::string trust_domain;
    std::string path;
    absl::Time good;     // When the file was last read, and was good.
    absl::Time checked;  // When it was last looked at.
    absl::Status error;  // Of that last look; OK if it was good.
  };
  std::vector<State> states() const;

 private:
  class Bundle;

  absl::Status CheckNew(std::string_view trust_domain) const;

  std::map<std::string, std::unique_ptr<Bundle>, std::less<>> bundles_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_TLS_SPIFFE_BUNDLES_H_
