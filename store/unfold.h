#ifndef REEVE_STORE_UNFOLD_H_
#define REEVE_STORE_UNFOLD_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/store/lists.h"
#include "reeve/store/segment.h"
#include "reeve/store/sqlite.h"

namespace reeve {

// Writes the rows behind the views `decisions` and `decisions_by_hour` from segments. One thread at
// a time.
class Unfolder {
 public:
  // `database` must outlive this.
  static absl::StatusOr<std::unique_ptr<Unfolder>> Create(Database& database);
  ~Unfolder();

  // Adds the rows of `segment`, whose records `writer` numbered from `first_seq`. Runs within the
  // caller's transaction.
  absl::Status Unfold(int64_t writer, int64_t first_seq, const Segment& segment);
  // Takes what `segment` counted in `hours` out again: its rows are removed.
  absl::Status Discount(const Segment& segment);
  // Writes what is kept back until then. Must come before the end of a transaction with rows.
  absl::Status Finish();

  // Must follow a rollback, and a change by another connection: forgets the ids of names and texts.
  void Forget();

 private:
  struct Statements;
  struct Lookup;

  explicit Unfolder(std::unique_ptr<Statements> statements);

  // The ids of names or texts that are known, up to some bytes.
  class Known {
   public:
    // 0 if it is not known.
    int64_t Find(std::string_view text) const;
    void Add(std::string_view text, int64_t id);
    void Clear();

   private:
    absl::flat_hash_map<std::string, int64_t> ids_;
    size_t bytes_ = 0;
  };

  absl::Status Begin();
  absl::StatusOr<int64_t> NameId(std::string_view name);
  absl::StatusOr<int64_t> TextId(std::string_view text);
  absl::Status BindField(int at, const Segment::Record& record, Field field, Lookup& lookup);
  absl::Status BindClauses(int at, const Segment::Record& record, Lookup& lookup);
  // The ids of the rules that determined the answer; null if there are none.
  absl::StatusOr<const std::vector<int64_t>*> RuleIds(const Segment::Record& record,
                                                      Lookup& lookup);
  absl::Status AddToLists(const Segment::Record& record, Lookup& lookup);
  absl::Status Count(const Segment::Record& record, Lookup& lookup, int64_t by);
  absl::Status AddHours();

  const std::unique_ptr<Statements> statements_;
  Known names_, texts_;
  int64_t next_number_ = 0;  // of a row; 0 if no row of the transaction was added yet
  int64_t last_text_ = 0;    // the highest id of a text
  // What is to be added to the counts of `hours`, by hour, rule (0: all records) and reason.
  absl::flat_hash_map<std::tuple<int64_t, int64_t, int64_t>, int64_t> hours_;
};

}  // namespace reeve

#endif  // REEVE_STORE_UNFOLD_H_
