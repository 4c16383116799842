#ifndef REEVE_STORE_LISTS_H_
#define REEVE_STORE_LISTS_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/store/sqlite.h"

namespace reeve {

// Which records have a name. An index of a table would have to be changed all over with each batch
// of rows; instead, each span of kSpanRecords numbers has lists of its own, and what lies behind
// the newest span does not change any more. doc/audit-format.md says how a list looks.

inline constexpr int kSpanBits = 16;
inline constexpr int64_t kSpanRecords = 1 << kSpanBits;

inline int64_t SpanOf(int64_t number) { return number >> kSpanBits; }

// What a record has a name as. Files keep the numbers.
enum class ListKind : uint8_t {
  kPrincipal = 1,
  kResource = 2,
  kRule = 3,  // One that determined the answer.
};

// Adds records to the lists. One thread at a time.
class ListWriter {
 public:
  // `database` must outlive this.
  static absl::StatusOr<std::unique_ptr<ListWriter>> Create(Database& database);

  // The record `number`, which is higher than all before, has the id `name` of a name. `time`, in
  // microseconds, is the same in each call for one record. Within the caller's transaction.
  absl::Status Add(int64_t number, int64_t time, ListKind kind, int64_t name);
  // Writes what was added. Must come before the end of the transaction.
  absl::Status Flush();
  // Must follow a rollback.
  void Forget();

 private:
  struct Entry {
    ListKind kind;
    uint16_t offset;
    int64_t name;

    friend bool operator<(const Entry& a, const Entry& b) {
      return std::tie(a.kind, a.name, a.offset) < std::tie(b.kind, b.name, b.offset);
    }
  };

  ListWriter() = default;

  absl::Status BeginSpan(int64_t span);
  absl::Status WriteList(const Entry* begin, const Entry* end);

  Statement find_span_, set_span_, find_last_, add_list_, append_;
  int64_t span_ = -1;   // -1: none has begun
  bool is_new_ = true;  // the file has nothing of the span yet
  int64_t min_time_ = 0, max_time_ = 0, disorder_ = 0;
  std::vector<Entry> entries_;
  std::string text_;
};

// Appends the numbers of a list of `span` to `numbers`. False if `offsets` is malformed.
bool ReadOffsets(int64_t span, std::string_view offsets, std::vector<int64_t>* numbers);

// Where a record stands among others: by time, then writer, then sequence number.
struct RecordKey {
  int64_t time = 0;
  int64_t writer = 0;
  int64_t seq = 0;

  friend bool operator<(const RecordKey& a, const RecordKey& b) {
    return std::tie(a.time, a.writer, a.seq) < std::tie(b.time, b.writer, b.seq);
  }
};

// Records that have names.
struct ListQuery {
  enum class Order { kNewestFirst, kOldestFirst, kByNumber };

  // A record must have, for each of these, at least one of the ids of names. Not empty.
  struct Names {
    ListKind kind;
    std::vector<int64_t> any_of;
  };
  std::vector<Names> names;

  Order order = Order::kNewestFirst;
  // Where records may lie. This only saves work: `accept` decides.
  std::optional<int64_t> min_time, max_time, min_number;
  size_t limit = 100;
};

// The numbers of the first `limit` records in `query.order` for which `accept` returns a key. It is
// called with the numbers of records that have the names, about in order; for one that has no row,
// or is not meant, it returns nothing. Errors are those of reading, and of `accept`.
absl::StatusOr<std::vector<int64_t>> FindListed(
    Database& database, const ListQuery& query,
    const std::function<absl::StatusOr<std::optional<RecordKey>>(int64_t number)>& accept);

}  // namespace reeve

#endif  // REEVE_STORE_LISTS_H_
