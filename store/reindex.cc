#include "reeve/store/reindex.h"

#include <memory>

#include "absl/status/statusor.h"
#include "reeve/engine/text.h"
#include "reeve/store/row_maker.h"
#include "reeve/store/schema.h"
#include "reeve/store/sqlite.h"

namespace reeve {

absl::Status Reindex(const std::string& path,
                     const std::function<bool(int64_t done, int64_t of)>& progress) {
  // First as a reader, which says more about what is no audit file.
  if (absl::Status status = OpenForReading(path).status(); !status.ok()) return status;
  absl::StatusOr<std::unique_ptr<Database>> database =
      RowMaker::OpenDatabase(path, Printable(path, 1000));
  if (!database.ok()) return database.status();
  absl::StatusOr<std::unique_ptr<RowMaker>> maker = RowMaker::Create(**database);
  if (!maker.ok()) return maker.status();
  if (absl::Status status = (*maker)->Clear(); !status.ok()) return status;
  const absl::StatusOr<int64_t> total = RecordsWithoutRows(**database);
  if (!total.ok()) return total.status();
  int64_t done = 0;
  std::string damaged;
  for (bool more = true;;) {
    if (progress != nullptr && !progress(done, *total)) {
      return absl::CancelledError("the work was cancelled; readers and writers complete it");
    }
    if (!more) break;
    absl::StatusOr<RowMaker::Batch> batch = (*maker)->Step();
    if (!batch.ok()) return batch.status();
    done += batch->records;
    if (damaged.empty()) damaged = batch->first_damaged;
    more = batch->more;
  }
  return damaged.empty() ? absl::OkStatus() : absl::DataLossError(damaged);
}

}  // namespace reeve
