// `reeve audit export`: hands records on to other programs.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "cli/audit_command.h"
#include "reeve/cli/output.h"
#include "reeve/cli/records.h"
#include "reeve/engine/text.h"
#include "reeve/store/audit_reader.h"
#include "reeve/store/ocsf.h"

namespace reeve {
namespace {

constexpr size_t kPage = 1000;

enum class ExportFormat { kJsonl, kCsv, kOcsf };

struct Options {
  std::string db;
  FilterOptions filter;
  std::string after;
  std::string out;
  bool append = false;
  ExportFormat format = ExportFormat::kJsonl;
};

// Where records go: standard output, or a file, which holds whole pages whatever happens.
class Target {
 public:
  ~Target() {
    if (file_ != nullptr) std::fclose(file_);
  }

  // Returns the exit status, having said why it cannot be.
  int Open(const std::string& path, bool append) {
    path_ = path;
    if (path.empty()) return kYes;
    const int flags = O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | (append ? 0 : O_EXCL);
    const int fd = open(path.c_str(), flags, 0600);
    if (fd < 0) {
      const int why = errno;
      std::fprintf(stderr, "%s: %s\n", Printable(path, 1000).c_str(),
                   why == EEXIST ? "is there already; name another file, or add --append"
                                 : std::strerror(why));
      return why == EIO || why == ENOSPC ? kFailure : kBadCall;
    }
    struct stat info;
    if (fstat(fd, &info) != 0 || !S_ISREG(info.st_mode)) {
      close(fd);
      return Refuse(absl::StrCat(Printable(path, 1000), ": is not a file"));
    }
    size_ = lseek(fd, 0, SEEK_END);
    file_ = fdopen(fd, "wb");
    if (size_ < 0 || file_ == nullptr) return kFailure;
    return kYes;
  }

  std::FILE* file() const { return file_ == nullptr ? stdout : file_; }
  bool is_empty() const { return size_ == 0; }

  // Ends a page. False if it could not be written; a file is as it was before it then.
  bool Flush() {
    if (file_ == nullptr) return FlushOutput();
    if (std::fflush(file_) == 0 && std::ferror(file_) == 0) {
      size_ = lseek(fileno(file_), 0, SEEK_CUR);
      return true;
    }
    const int why = errno;
    if (ftruncate(fileno(file_), size_) != 0) {
      std::fprintf(stderr, "%s: the last line may be cut\n", Printable(path_, 1000).c_str());
    }
    std::fprintf(stderr, "%s: cannot be written: %s\n", Printable(path_, 1000).c_str(),
                 std::strerror(why));
    return false;
  }

 private:
  std::string path_;
  std::FILE* file_ = nullptr;
  off_t size_ = 0;
};

std::vector<RecordColumn> ExportColumns() {
  std::vector<RecordColumn> columns = RecordColumns();
  columns.push_back(
      {"cursor", [](const AuditRow& row) { return Cell::Text(AuditCursor(row).ToString()); }});
  return columns;
}

int Export(const Options& options) {
  AuditQuery query;
  const std::optional<AuditFilter> filter = FilterOf(options.filter);
  if (!filter.has_value()) return kBadCall;
  static_cast<AuditFilter&>(query) = *filter;
  query.order = AuditQuery::Order::kAsWritten;
  query.limit = kPage;
  if (!options.after.empty()) {
    query.after = AuditCursor::Parse(options.after);
    if (!query.after.has_value()) {
      return Refuse(absl::StrCat("`", Printable(options.after),
                                 "` is not a cursor; write that of the last record you have"));
    }
  }
  int status = kYes;
  const std::unique_ptr<AuditReader> reader = OpenAudit(options.db, &status);
  if (reader == nullptr) return status;
  // What is written from now on is left to the next export: this one ends.
  const absl::StatusOr<int64_t> last = reader->LastNumber();
  if (!last.ok()) return FailOfAudit(options.db, last.status());
  SayIfBehind(*reader);
  Target target;
  if (status = target.Open(options.out, options.append); status != kYes) return status;

  const std::vector<RecordColumn> columns = ExportColumns();
  std::vector<std::string> names;
  std::vector<Cell> head;
  for (const RecordColumn& column : columns) {
    names.push_back(column.name);
    head.push_back(Cell::Text(column.name));
  }
  if (options.format == ExportFormat::kCsv && target.is_empty()) {
    std::fputs(CsvLine(head).c_str(), target.file());
  }
  int64_t count = 0;
  int64_t first = 0;
  {
    bool more = true;
    while (more) {
      const absl::StatusOr<std::vector<AuditRow>> rows = reader->Query(query);
      if (!rows.ok()) {
        status = FailOfAudit(options.db, rows.status());
        break;
      }
      more = rows->size() == kPage && rows->back().number < *last;
      int64_t written = 0;
      std::optional<AuditCursor> end;
      for (const AuditRow& row : *rows) {
        if (row.number > *last) break;
        const std::string line = options.format == ExportFormat::kOcsf ? ToOcsf(row) + "\n"
                                 : options.format == ExportFormat::kCsv
                                     ? CsvLine(CellsOf(row, columns))
                                     : JsonObject(names, CellsOf(row, columns)) + "\n";
        std::fwrite(line.data(), 1, line.size(), target.file());
        end = AuditCursor(row);
        ++written;
      }
      if (!target.Flush()) {
        status = kFailure;
        break;
      }
      count += written;
      if (end.has_value()) {
        query.after = end;
        if (first == 0) first = rows->front().number;
        ShowProgress(end->number - first + 1, *last - first + 1);
      }
    }
  }
  if (first > 0) ShowProgress(1, 1);
  std::fprintf(stderr, "%lld records", static_cast<long long>(count));
  if (query.after.has_value()) {
    std::fprintf(stderr, "; what is written later: --after %s", query.after->ToString().c_str());
  }
  std::fputs("\n", stderr);
  return status;
}

}  // namespace

void AddAuditExport(CLI::App* audit, int* status) {
  static const std::map<std::string, ExportFormat> formats = {
      {"jsonl", ExportFormat::kJsonl}, {"csv", ExportFormat::kCsv}, {"ocsf", ExportFormat::kOcsf}};
  CLI::App* command = audit->add_subcommand(
      "export",
      "Write records out for another program, in the order in which they were written, each with "
      "its cursor; a later call goes on after the last one.\n"
      "Exit status: 0 done, 2 the call is wrong or DB is no audit file, 3 it cannot be read, or "
      "the records cannot be written.");
  auto options = std::make_shared<Options>();
  command->add_option("DB", options->db, "an audit file")->required();
  AddFilters(command, &options->filter);
  command
      ->add_option("--format", options->format,
                   "jsonl for a record a line, csv (RFC 4180), ocsf for events of the Open "
                   "Cybersecurity Schema Framework 1.3, class API Activity")
      ->transform(CLI::CheckedTransformer(formats, CLI::ignore_case))
      ->option_text("jsonl|csv|ocsf [jsonl]");
  CLI::Option* const out =
      command->add_option("-o,--output", options->out, "into this new file, mode 0600")
          ->check(NotEmpty())
          ->option_text("FILE");
  command->add_flag("--append", options->append, "the file may be there; go on at its end")
      ->needs(out);
  command
      ->add_option("--after", options->after,
                   "go on after the record of this cursor; with the same conditions")
      ->check(NotEmpty())
      ->option_text("CURSOR");
  command->footer(
      "Examples:\n"
      "  reeve audit export audit.db --since 1d --format csv -o denials.csv --decision deny\n"
      "  reeve audit export audit.db --format ocsf | ship-to-siem\n"
      "  reeve audit export audit.db -o all.jsonl --append --after \"$(tail -n 1 all.jsonl | jq "
      "-r .cursor)\"");
  command->callback([options, status] { *status = Export(*options); });
}

}  // namespace reeve
