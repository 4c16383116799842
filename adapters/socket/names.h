// The names of users and groups, by number.
#ifndef REEVE_ADAPTERS_SOCKET_NAMES_H_
#define REEVE_ADAPTERS_SOCKET_NAMES_H_

#include <sys/types.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/engine/clock.h"

namespace reeve {

// Who knows the names of users and groups. An answer is one of three, and they are never mixed, for
// a rule against `user:ada` must not be dodged while the directory that knows her is down:
//   a name        the number has it
//   std::nullopt  the number has none, and whoever knows the names said so
//   Unavailable   nobody could tell
//
// Implement it to ask another source than the machine's. Thread-safe: any thread may call any
// method at any time. A call may block the thread for as long as the source takes.
class NameService {
 public:
  virtual ~NameService() = default;

  virtual absl::StatusOr<std::optional<std::string>> UserName(uid_t uid) const = 0;
  virtual absl::StatusOr<std::optional<std::string>> GroupName(gid_t gid) const = 0;

  // What the machine is configured to ask, behind a cache of the default options. Lives as long as
  // the program.
  static const NameService& System();

  // Says of each number that it has no name, at once: for programs whose policies speak of numbers,
  // and where there is no user database. Lives as long as the program.
  static const NameService& Numbers();
};

// The machine's user and group database, asked anew by each call: files, LDAP, SSSD, as
// nsswitch.conf(5) says. A number that several entries share has the name of the first.
//
// Errors: Unavailable  the database could not be asked, or an entry is beyond 16 MiB. Every errno
// is
//                      one: for a number without a name the functions return 0 and no entry. The
//                      manual page lists errnos "for not found"; glibc returns them for a source
//                      that is down or missing (ENOENT without /etc/passwd).
// What glibc does not tell: a source that nsswitch.conf names and that is not installed is passed
// over in silence.
// Source: getpwuid_r(3), POSIX.1-2017 getpwuid; names_test.cc checks both against glibc 2.36.
//
// Thread-safe. Blocks for as long as the database takes.
class SystemNames final : public NameService {
 public:
  absl::StatusOr<std::optional<std::string>> UserName(uid_t uid) const override;
  absl::StatusOr<std::optional<std::string>> GroupName(gid_t gid) const override;
};

// Remembers what another NameService said.
//
// Freshness: an answer, a name or the lack of one, is given for `ttl` after it was learnt; so long
// a renamed user keeps the old name. Errors are not remembered: the next call asks again. A clock
// that was set back makes older answers be asked again.
//
// Thread-safe. No lock is held while the source is asked: one that hangs delays only those who ask
// for what is not remembered, and two who ask at once may both ask it.
class CachedNames final : public NameService {
 public:
  struct Options {
    absl::Duration ttl = absl::Seconds(60);
    // How many answers to keep; beyond it the oldest goes. With 0 nothing is remembered.
    size_t max_entries = 4096;
  };

  // Neither is owned; both must outlive this.
  CachedNames(const NameService& source, const Clock& clock, const Options& options);
  ~CachedNames() override;

  absl::StatusOr<std::optional<std::string>> UserName(uid_t uid) const override;
  absl::StatusOr<std::optional<std::string>> GroupName(gid_t gid) const override;

  // Answers now remembered.
  size_t size() const;

  // Forgets all, to learn of a change at once.
  void Clear();

 private:
  class Cache;

  const NameService& source_;
  const Clock& clock_;
  const std::unique_ptr<Cache> cache_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_NAMES_H_
