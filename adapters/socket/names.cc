#include "reeve/adapters/socket/names.h"

#include <grp.h>
#include <pwd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <list>
#include <unordered_map>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/mutex.h"

namespace reeve {
namespace {

using Answer = absl::StatusOr<std::optional<std::string>>;

constexpr size_t kFirstEntryBytes = 1024;
constexpr size_t kMaxEntryBytes = 16 * 1024 * 1024;  // A group with a million members.

// getpwuid_r() or getgrgid_r(): fills `entry` and `buffer`, and points `found` at `entry`.
template <typename Entry, typename Id>
using Reader = int (*)(Id id, Entry* entry, char* buffer, size_t size, Entry** found);

template <typename Entry, typename Id>
Answer Ask(Reader<Entry, Id> read, char* Entry::*name, Id id, const char* what) {
  char first[kFirstEntryBytes];
  std::vector<char> larger;
  char* buffer = first;
  size_t size = sizeof(first);
  while (true) {
    Entry entry;
    Entry* found = nullptr;
    const int error = read(id, &entry, buffer, size, &found);
    if (error == 0) {
      if (found == nullptr) return std::nullopt;
      return std::string(found->*name);
    }
    if (error != ERANGE) {
      return absl::UnavailableError(absl::StrCat("the name of ", what, " ", id,
                                                 " cannot be looked up: ", std::strerror(error),
                                                 "; check nsswitch.conf and what it names"));
    }
    if (size >= kMaxEntryBytes) {
      return absl::UnavailableError(absl::StrCat("the entry of ", what, " ", id, " is larger than ",
                                                 kMaxEntryBytes, " bytes; split the group"));
    }
    size *= 2;
    larger.resize(size);
    buffer = larger.data();
  }
}

class NumberNames final : public NameService {
 public:
  Answer UserName(uid_t) const override { return std::nullopt; }
  Answer GroupName(gid_t) const override { return std::nullopt; }
};

// Users and groups share one cache: the kind stands above the 32 bits of the number.
uint64_t UserKey(uid_t uid) { return uid; }
uint64_t GroupKey(gid_t gid) { return uint64_t{1} << 32 | gid; }

}  // namespace

const NameService& NameService::System() {
  static const SystemNames* const source = new SystemNames;
  static const CachedNames* const cached =
      new CachedNames(*source, Clock::System(), CachedNames::Options());
  return *cached;
}

const NameService& NameService::Numbers() {
  static const NumberNames* const numbers = new NumberNames;
  return *numbers;
}

Answer SystemNames::UserName(uid_t uid) const {
  return Ask<passwd, uid_t>(getpwuid_r, &passwd::pw_name, uid, "uid");
}

Answer SystemNames::GroupName(gid_t gid) const {
  return Ask<group, gid_t>(getgrgid_r, &group::gr_name, gid, "gid");
}

// Answers by key, and their keys by age. One time to live for all makes the oldest the first to
// expire, so that making room never searches.
class CachedNames::Cache {
 public:
  explicit Cache(const Options& options) : options_(options) {}

  // What is remembered under `key`, else what `ask` says.
  template <typename Source>
  Answer Get(uint64_t key, const Clock& clock, const Source& ask) {
    // Read before asking, so that an answer is never older than it seems.
    const absl::Time now = clock.Now();
    uint64_t cleared;
    {
      MutexLock lock(mutex_);
      const auto it = entries_.find(key);
      if (it != entries_.end()) {
        const Entry& entry = it->second;
        if (now >= entry.learnt && now < entry.learnt + options_.ttl) return entry.name;
      }
      cleared = cleared_;
    }
    Answer answer = ask();
    if (answer.ok()) Put(key, now, cleared, *answer);
    return answer;
  }

  size_t size() {
    MutexLock lock(mutex_);
    return entries_.size();
  }

  void Clear() {
    MutexLock lock(mutex_);
    entries_.clear();
    by_age_.clear();
    ++cleared_;
  }

 private:
  struct Entry {
    std::optional<std::string> name;
    absl::Time learnt;
    std::list<uint64_t>::iterator age;
  };

  void Put(uint64_t key, absl::Time now, uint64_t cleared, const std::optional<std::string>& name) {
    if (options_.max_entries == 0) return;
    MutexLock lock(mutex_);
    if (cleared != cleared_) return;  // Asked before the change that Clear() is to show.
    Erase(key);
    if (entries_.size() >= options_.max_entries) Erase(by_age_.front());
    by_age_.push_back(key);
    entries_.emplace(key, Entry{name, now, std::prev(by_age_.end())});
  }

  void Erase(uint64_t key) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    const auto it = entries_.find(key);
    if (it == entries_.end()) return;
    by_age_.erase(it->second.age);
    entries_.erase(it);
  }

  const Options options_;
  Mutex mutex_;
  std::unordered_map<uint64_t, Entry> entries_ ABSL_GUARDED_BY(mutex_);
  std::list<uint64_t> by_age_ ABSL_GUARDED_BY(mutex_);  // The oldest first.
  uint64_t cleared_ ABSL_GUARDED_BY(mutex_) = 0;        // How often.
};

CachedNames::CachedNames(const NameService& source, const Clock& clock, const Options& options)
    : source_(source), clock_(clock), cache_(std::make_unique<Cache>(options)) {}

CachedNames::~CachedNames() = default;

Answer CachedNames::UserName(uid_t uid) const {
  return cache_->Get(UserKey(uid), clock_, [&] { return source_.UserName(uid); });
}

Answer CachedNames::GroupName(gid_t gid) const {
  return cache_->Get(GroupKey(gid), clock_, [&] { return source_.GroupName(gid); });
}

size_t CachedNames::size() const { return cache_->size(); }

void CachedNames::Clear() { cache_->Clear(); }

}  // namespace reeve
