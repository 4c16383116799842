#include "reeve/store/writer_file.h"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <thread>
#include <utility>
#include <vector>

#include "absl/cleanup/cleanup.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "reeve/engine/text.h"
#include "reeve/store/schema.h"
#include "reeve/store/set_aside.h"
#include "reeve/store/sqlite.h"

namespace reeve {
namespace {

// Pages in the write-ahead log from which on it is copied into the main file: fewer times when it
// is much at once. Whoever makes rows does it sooner.
constexpr int kCheckpointPages = 8000;

// What this process is, for its row in `writers`.
struct Process {
  std::string host, boot, name;
  int64_t pid;
  int64_t started;  // clock ticks from boot
};

std::string FirstLine(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

Process ThisProcess() {
  Process process;
  char host[256] = "";
  gethostname(host, sizeof(host) - 1);
  process.host = Printable(host);
  process.boot = Printable(FirstLine("/proc/sys/kernel/random/boot_id"));
  process.name = Printable(FirstLine("/proc/self/comm"));
  process.pid = getpid();
  // Field 22; the second field is in parentheses and may hold anything.
  const std::string stat = FirstLine("/proc/self/stat");
  const std::vector<std::string> fields =
      absl::StrSplit(stat.substr(std::min(stat.size(), stat.rfind(')') + 1)), ' ');
  process.started = fields.size() > 20 ? std::strtoll(fields[20].c_str(), nullptr, 10) : 0;
  return process;
}

// Whether `path` is a regular file, and its size; NotFound if nothing is there.
absl::StatusOr<int64_t> RegularFileSize(const std::string& path, const std::string& name) {
  struct stat info;
  if (lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? absl::NotFoundError(name)
                           : SystemError(errno, name, "cannot look at the file");
  }
  if (S_ISREG(info.st_mode)) return info.st_size;
  return absl::FailedPreconditionError(
      absl::StrCat(name, ": ",
                   S_ISLNK(info.st_mode)   ? "is a symbolic link; name the file itself"
                   : S_ISDIR(info.st_mode) ? "is a directory; name a file in it"
                                           : "is not a regular file; name another file"));
}

// Sees to it that `path` is a regular file, and creates it if there is none.
absl::Status EnsureFile(const std::string& path, const std::string& name) {
  absl::StatusOr<int64_t> size = RegularFileSize(path, name);
  if (size.ok() && *size > 0) return absl::OkStatus();
  if (!size.ok() && !absl::IsNotFound(size.status())) return size.status();

  // The descriptor below must be closed before anybody in this process has locks on the file: POSIX
  // drops them with it. So whoever finds the file empty waits here for the one that creates it. But
  // not forever: others can hold this lock too, and then only two first openings at once are less
  // safe.
  const absl::StatusOr<DirectoryLock> lock = DirectoryLock::Take(path, name);
  if (!lock.ok()) return lock.status();
  size = RegularFileSize(path, name);
  if (size.ok()) return absl::OkStatus();
  if (!absl::IsNotFound(size.status())) return size.status();

  // What SQLite left beside a file that is not there belongs to another one.
  struct stat info;
  if (lstat(absl::StrCat(path, "-wal").c_str(), &info) == 0 && info.st_size > 0) {
    return absl::FailedPreconditionError(absl::StrCat(
        name, ": `", name, "-wal` holds records of a file that was moved away; move it along"));
  }
  for (const char* suffix : {"-wal", "-shm"}) unlink(absl::StrCat(path, suffix).c_str());

  const int file = open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (file < 0) return SystemError(errno, name, "cannot create the file");
  int error = 0;
  if (fchmod(file, 0600) != 0 || fsync(file) != 0) error = errno;
  close(file);
  if (error == 0) error = lock->Sync();
  return error == 0 ? absl::OkStatus() : SystemError(error, name, "cannot create the file");
}

// Which file the write-ahead log beside `path` is; 0 if there is none.
ino_t LogInode(const std::string& path) {
  struct stat info;
  return lstat(absl::StrCat(path, "-wal").c_str(), &info) == 0 ? info.st_ino : 0;
}

}  // namespace

absl::Status AppendToCheckpoints(const std::string& path, const std::string& line) {
  const std::string name = Printable(path, 1000);
  const int file =
      open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC, 0600);
  if (file < 0) return SystemError(errno, name, "cannot open the file for checkpoints");
  const absl::Cleanup close_file = [file] { close(file); };
  // One write, so that lines of several writers do not mix.
  const ssize_t size = write(file, line.data(), line.size());
  if (size != static_cast<ssize_t>(line.size())) {
    return SystemError(size < 0 ? errno : ENOSPC, name,
                       "cannot append to the file for checkpoints");
  }
  return fdatasync(file) == 0 || errno == EINVAL
             ? absl::OkStatus()
             : SystemError(errno, name, "cannot sync the file for checkpoints");
}

// The statements must go before the connection does.
struct WriterFile::Connection {
  std::unique_ptr<Database> database;
  Statement begin, add_segment, add_checkpoint, commit;
  ino_t wal = 0;      // of the write-ahead log
  int wal_pages = 0;  // in it, after the last commit
};

struct WriterFile::RowConnection {
  std::unique_ptr<Database> database;
  std::unique_ptr<RowMaker> maker;
};

WriterFile::WriterFile(std::string path, std::string name, std::chrono::nanoseconds max_wait,
                       const Clock& clock, CheckpointPlace checkpoints, bool sets_aside,
                       bool compresses)
    : path_(std::move(path)),
      name_(std::move(name)),
      max_wait_(max_wait),
      clock_(clock),
      checkpoints_(std::move(checkpoints)),
      sets_aside_(sets_aside),
      compressor_(compresses ? std::make_unique<SegmentCompressor>() : nullptr) {}

absl::StatusOr<std::unique_ptr<WriterFile>> WriterFile::Open(const std::string& path,
                                                             std::chrono::nanoseconds max_wait,
                                                             const Clock& clock,
                                                             CheckpointPlace checkpoints,
                                                             bool sets_aside, bool compresses) {
  const std::string name = Printable(path, 1000);
  const size_t slash = path.rfind('/');
  const std::string base = slash == std::string::npos ? path : path.substr(slash + 1);
  if (path.empty() || path.find('\0') != std::string::npos) {
    return absl::InvalidArgumentError("the path of the audit store is empty or has a NUL");
  }
  if (base.empty() || base == "." || base == "..") {
    return absl::FailedPreconditionError(absl::StrCat(name, ": is a directory; name a file in it"));
  }
  const std::string directory = slash == std::string::npos ? "."
                                : slash == 0               ? "/"
                                                           : path.substr(0, slash);
  char* real = realpath(directory.c_str(), nullptr);
  if (real == nullptr) return SystemError(errno, name, "cannot open the directory");
  const std::string full = absl::StrCat(real, std::strcmp(real, "/") == 0 ? "" : "/", base);
  std::free(real);

  std::unique_ptr<WriterFile> file(
      new WriterFile(full, name, max_wait, clock, std::move(checkpoints), sets_aside, compresses));
  if (absl::Status status = file->Connect(); !status.ok()) return status;
  file->lease_owner_ = file->uuid_;
  return file;
}

WriterFile::~WriterFile() {
  // After a failure, if it is over, to note the end.
  if (connection_ == nullptr && writer_ != 0 && damage_.ok() &&
      RegularFileSize(path_, name_).ok()) {
    Connect().IgnoreError();
  }
  Leave(connection_ != nullptr && IsMoved());
}

// SQLite calls it while somebody else holds a lock.
int WriterFile::WaitForLock(void* self, int count) {
  const auto* file = static_cast<const WriterFile*>(self);
  if (std::chrono::steady_clock::now() >= file->lock_deadline_) return 0;
  // Others hold the lock for about one sync of the disk.
  std::this_thread::sleep_for(std::chrono::microseconds(std::min(5000, 200 << std::min(count, 5))));
  return 1;
}

absl::Status WriterFile::Connect() {
  Drop();
  absl::Status status = sets_aside_ && !damage_.ok() ? damage_ : Join();
  // Twice, for another process may have been at the same.
  for (int i = 0; i < 2 && sets_aside_ && absl::IsDataLoss(status); ++i) {
    damage_ = status;
    const absl::StatusOr<std::string> file = SetAside(path_, name_, inode_, clock_.Now());
    if (file.ok()) {
      set_aside_.last = *file;
      set_aside_.why = damage_;
      ++set_aside_.count;
    } else if (!absl::IsNotFound(file.status())) {
      return file.status();
    }
    damage_ = absl::OkStatus();
    status = Join();
  }
  return status;
}

// Opens the file as it is, and finds or makes the writer's row.
absl::Status WriterFile::Join() {
  AllowWait();
  if (absl::Status status = EnsureFile(path_, name_); !status.ok()) return status;
  struct stat info;
  inode_ = lstat(path_.c_str(), &info) == 0 ? info.st_ino : 0;
  absl::StatusOr<std::unique_ptr<Database>> opened = Database::Open(
      path_, name_, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW);
  if (!opened.ok()) return opened.status();
  auto connection = std::make_unique<Connection>();
  connection->database = *std::move(opened);
  Database& database = *connection->database;
  sqlite3_busy_handler(database.get(), &WaitForLock, this);

  // Nothing is changed before it is known whose file it is.
  absl::StatusOr<FileKind> kind = Identify(database);
  if (!kind.ok()) return kind.status();
  if (sqlite3_db_readonly(database.get(), "main") != 0) {
    return database.Error(SQLITE_READONLY, "cannot open the file for writing");
  }
  while (true) {
    absl::StatusOr<std::string> mode = database.Text("PRAGMA journal_mode = WAL");
    if (mode.ok() && *mode == "wal") break;
    // SQLite does not always ask the busy handler here.
    const bool busy =
        !mode.ok() && (sqlite3_extended_errcode(database.get()) & 0xFF) == SQLITE_BUSY;
    if (!busy || WaitForLock(this, 5) == 0) {
      return mode.ok() ? absl::UnavailableError(absl::StrCat(
                             name_,
                             ": the file system does not support a write-ahead log; put "
                             "the audit store on a local disk"))
                       : mode.status();
    }
  }
  absl::Status status = database.Run(
      "PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0; "
      "PRAGMA journal_size_limit = 67108864; PRAGMA cache_size = -16384");
  if (!status.ok()) return status;
  absl::StatusOr<int64_t> synchronous = database.Number("PRAGMA synchronous");
  if (!synchronous.ok()) return synchronous.status();
  if (*synchronous != 2) {
    return absl::InternalError(absl::StrCat(name_, ": SQLite does not sync to the disk"));
  }
  AllowWait();
  if (status = Migrate(database); !status.ok()) return status;

  const struct {
    Statement& statement;
    const char* sql;
  } statements[] = {
      {connection->begin, "BEGIN IMMEDIATE"},
      {connection->add_segment,
       "INSERT INTO segments(writer, first_seq, count, min_time, max_time, format, bytes, "
       "previous, "
       "hash) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)"},
      {connection->add_checkpoint,
       "INSERT INTO checkpoints(writer, seq, time, hash, key, signature) VALUES(?, ?, ?, ?, ?, ?)"},
      {connection->commit, "COMMIT"},
  };
  for (const auto& row : statements) {
    absl::StatusOr<Statement> statement = Statement::Prepare(database, row.sql);
    if (!statement.ok()) return statement.status();
    row.statement = *std::move(statement);
  }
  sqlite3_wal_hook(
      database.get(),
      [](void* pages, sqlite3*, const char*, int count) {
        *static_cast<int*>(pages) = count;
        return SQLITE_OK;
      },
      &connection->wal_pages);

  connection_ = std::move(connection);
  status = Register();
  if (status.ok()) {
    connection_->wal = LogInode(path_);
    MutexLock lock(rows_mutex_);
    log_ = connection_->wal;
  } else {
    connection_ = nullptr;
  }
  return status;
}

// Finds the writer's row in the file, or adds one.
absl::Status WriterFile::Register() {
  Database& database = *connection_->database;
  if (writer_ != 0) {
    absl::StatusOr<Statement> find = Statement::Prepare(
        database,
        "SELECT max(coalesce((SELECT max(first_seq + count) FROM segments WHERE writer = ?1), 1), "
        "coalesce((SELECT max(last_seq) + 1 FROM prunings WHERE writer = ?1), 1)) "
        "FROM writers WHERE id = ?1 AND uuid = ?2");
    if (!find.ok()) return find.status();
    find->Bind(1, writer_);
    find->BindBlob(2, {uuid_.data(), uuid_.size()});
    absl::StatusOr<bool> row = find->Step();
    if (!row.ok()) return row.status();
    if (*row) {
      // A commit that was reported as failed may have succeeded. Else what is remembered counts:
      // if the file has less, or more, AuditVerifier finds it.
      const int64_t in_file = find->Number(0);
      if (uncertain_ > 0) {
        previous_kept_ = in_file == next_seq_ + uncertain_;
        if (previous_kept_) head_ = added_head_;
      }
      uncertain_ = 0;
      next_seq_ = std::max(next_seq_, in_file);
      return absl::OkStatus();
    }
    writer_ = 0;
  }

  if (getrandom(uuid_.data(), uuid_.size(), 0) != static_cast<ssize_t>(uuid_.size())) {
    return SystemError(errno, name_, "cannot draw a random number");
  }
  uuid_[6] = static_cast<char>((uuid_[6] & 0x0F) | 0x40);  // RFC 9562, version 4
  uuid_[8] = static_cast<char>((uuid_[8] & 0x3F) | 0x80);
  const Process process = ThisProcess();
  AllowWait();
  if (absl::Status status = connection_->begin.Finish(); !status.ok()) return status;
  absl::StatusOr<Statement> newest =
      Statement::Prepare(database, "SELECT id, opened_hash FROM writers ORDER BY id DESC LIMIT 1");
  if (!newest.ok()) return newest.status();
  absl::StatusOr<bool> any = newest->Step();
  if (!any.ok()) return any.status();
  Opening opening;
  opening.id = 1 + (*any ? newest->Number(0) : 0);
  opening.uuid = {uuid_.data(), uuid_.size()};
  opening.opened = absl::ToUnixMicros(clock_.Now());
  opening.pid = process.pid;
  opening.started = process.started;
  opening.host = process.host;
  opening.boot = process.boot;
  opening.process = process.name;
  // A file that begins says what it begins after.
  const std::string follows =
      !*any && sets_aside_ ? Printable(NewestSetAside(path_), 1000) : std::string();
  opening.follows = follows;
  const Hash hash = HashOfOpening(opening, *any ? newest->Blob(1) : std::string_view());
  newest->Reset();

  absl::StatusOr<Statement> add =
      Statement::Prepare(database,
                         "INSERT INTO writers(id, uuid, host, boot, pid, started, process, opened, "
                         "opened_hash, follows) VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  if (!add.ok()) return add.status();
  add->Bind(1, opening.id);
  add->BindBlob(2, opening.uuid);
  add->BindText(3, opening.host);
  add->BindText(4, opening.boot);
  add->Bind(5, opening.pid);
  add->Bind(6, opening.started);
  add->BindText(7, opening.process);
  add->Bind(8, opening.opened);
  add->BindBlob(9, View(hash));
  if (!follows.empty()) add->BindText(10, follows);
  if (absl::Status status = add->Finish(); !status.ok()) return status;
  if (absl::Status status = connection_->commit.Finish(); !status.ok()) return status;
  writer_ = opening.id;
  next_seq_ = 1;
  head_ = hash;
  return absl::OkStatus();
}

// Whether another file, or none, stands where the open one or its write-ahead log stood.
bool WriterFile::IsMoved() {
  int moved = 0;
  sqlite3_file_control(connection_->database->get(), "main", SQLITE_FCNTL_HAS_MOVED, &moved);
  if (moved != 0) return true;
  return LogInode(path_) != connection_->wal;
}

// Notes in the file that the writer ends in order.
absl::Status WriterFile::Close() {
  AllowWait();
  if (absl::Status status = connection_->begin.Finish(); !status.ok()) return status;
  const int64_t closed = absl::ToUnixMicros(clock_.Now());
  const Hash hash = HashOfClosing({uuid_.data(), uuid_.size()}, next_seq_ - 1, closed, View(head_));
  absl::StatusOr<Statement> close =
      Statement::Prepare(*connection_->database,
                         "UPDATE writers SET closed = ?, last_seq = ?, closed_hash = ? "
                         "WHERE id = ? AND uuid = ?");
  if (!close.ok()) return close.status();
  close->Bind(1, closed);
  close->Bind(2, next_seq_ - 1);
  close->BindBlob(3, View(hash));
  close->Bind(4, writer_);
  close->BindBlob(5, {uuid_.data(), uuid_.size()});
  if (absl::Status status = close->Finish(); !status.ok()) return status;
  if (absl::Status status = InsertCheckpoint(hash, next_seq_ - 1); !status.ok()) return status;
  if (absl::Status status = connection_->commit.Finish(); !status.ok()) return status;
  SendCheckpoint();
  return absl::OkStatus();
}

// Ends the connections as they are.
void WriterFile::Drop() {
  LeaveRows();
  connection_ = nullptr;
}

void WriterFile::LeaveRows() {
  MutexLock lock(rows_mutex_);
  rows_ = nullptr;
  log_ = 0;
}

absl::StatusOr<RowMaker::Batch> WriterFile::MakeRows(bool always) {
  MutexLock lock(rows_mutex_);
  // SQLite does not look whether its log is still there; two connections with two logs would
  // destroy the file.
  if (log_ == 0 || LogInode(path_) != log_) {
    rows_ = nullptr;
    return absl::UnavailableError(
        absl::StrCat(name_, ": the file is to be opened anew; no rows are made until then"));
  }
  if (rows_ == nullptr) {
    auto rows = std::make_unique<RowConnection>();
    absl::StatusOr<std::unique_ptr<Database>> database = RowMaker::OpenDatabase(path_, name_);
    if (!database.ok()) return database.status();
    rows->database = *std::move(database);
    absl::StatusOr<std::unique_ptr<RowMaker>> maker = RowMaker::Create(*rows->database);
    if (!maker.ok()) return maker.status();
    rows->maker = *std::move(maker);
    rows_ = std::move(rows);
  }
  const RowMaker::Lease lease = {{lease_owner_.data(), lease_owner_.size()}, clock_.Now()};
  absl::StatusOr<RowMaker::Batch> batch =
      rows_->maker->Step(always ? nullptr : &lease, always ? nullptr : &wants_file_);
  if (!batch.ok()) rows_ = nullptr;
  return batch;
}

// Ends the connection in order, as far as that is possible.
void WriterFile::Leave(bool moved) {
  if (connection_ == nullptr) return;
  if (!abandoned_ && !Close().ok()) RollBack();
  LeaveRows();
  if (connection_ == nullptr) return;
  if (moved) {
    // So that the file is whole without its log, which has stayed behind.
    sqlite3_wal_checkpoint_v2(connection_->database->get(), nullptr, SQLITE_CHECKPOINT_TRUNCATE,
                              nullptr, nullptr);
    writer_ = 0;
  }
  connection_ = nullptr;
}

absl::Status WriterFile::Begin() {
  if (connection_ != nullptr && IsMoved()) Leave(/*moved=*/true);
  if (connection_ == nullptr) {
    if (absl::Status status = Connect(); !status.ok()) return status;
  }
  AllowWait();
  wants_file_ = true;
  absl::Status status = connection_->begin.Finish();
  wants_file_ = false;
  if (!status.ok()) {
    if (absl::IsDataLoss(status)) damage_ = status;
    if ((connection_->begin.code() & 0xFF) != SQLITE_BUSY) Drop();
    return status;
  }
  added_ = uncertain_ = transaction_bytes_ = 0;
  added_head_ = head_;
  checkpoint_line_.clear();
  return absl::OkStatus();
}

void WriterFile::RollBack() {
  previous_kept_ = false;
  if (connection_ == nullptr) return;
  sqlite3* const db = connection_->database->get();
  // After some errors SQLite has rolled back already.
  if (sqlite3_get_autocommit(db) != 0) return;
  if (!connection_->database->Run("ROLLBACK").ok()) Drop();
}

absl::Status WriterFile::Write(SegmentEncoder& records) {
  const auto count = static_cast<int64_t>(records.count());
  const int64_t min_time = records.min_time(), max_time = records.max_time();
  records.Finish(&bytes_);
  if (compressor_ != nullptr) compressor_->Compress(&bytes_);
  const SegmentRow row = {next_seq_ + added_, count, min_time, max_time, bytes_};
  const Hash hash = HashOfSegment({uuid_.data(), uuid_.size()}, row, View(added_head_));
  Statement& add = connection_->add_segment;
  add.Bind(1, writer_);
  add.Bind(2, row.first_seq);
  add.Bind(3, count);
  add.Bind(4, min_time);
  add.Bind(5, max_time);
  add.Bind(6, static_cast<uint8_t>(bytes_[0]));
  add.BindBlob(7, bytes_);
  add.BindBlob(8, View(added_head_));
  add.BindBlob(9, View(hash));
  if (absl::Status status = add.Finish(); !status.ok()) return status;
  added_ += count;
  added_head_ = hash;
  transaction_bytes_ += static_cast<int64_t>(bytes_.size());
  return absl::OkStatus();
}

absl::Status WriterFile::Add(SegmentEncoder& records) {
  previous_kept_ = false;
  absl::Status status = Write(records);
  records.Clear();
  return status.ok() ? status : Fail(std::move(status));
}

absl::Status WriterFile::AddCheckpoint() {
  absl::Status status = InsertCheckpoint(added_head_, next_seq_ + added_ - 1);
  return status.ok() ? status : Fail(std::move(status));
}

absl::Status WriterFile::InsertCheckpoint(const Hash& hash, int64_t seq) {
  checkpoint_line_.clear();
  if (checkpoints_.key == nullptr) return absl::OkStatus();
  Checkpoint checkpoint;
  checkpoint.uuid.assign(uuid_.data(), uuid_.size());
  checkpoint.seq = seq;
  checkpoint.time = absl::ToUnixMicros(clock_.Now());
  checkpoint.hash = View(hash);
  checkpoints_.key->Sign(&checkpoint);
  Statement& add = connection_->add_checkpoint;
  add.Bind(1, writer_);
  add.Bind(2, checkpoint.seq);
  add.Bind(3, checkpoint.time);
  add.BindBlob(4, checkpoint.hash);
  add.BindBlob(5, checkpoint.key);
  add.BindBlob(6, checkpoint.signature);
  if (absl::Status status = add.Finish(); !status.ok()) return status;
  checkpoint_line_ = ToLine(checkpoint) + "\n";
  return absl::OkStatus();
}

// Appends the checkpoint that was committed to the file for them. One that fails is not tried
// again: the next one says more.
void WriterFile::SendCheckpoint() {
  if (checkpoint_line_.empty() || checkpoints_.file.empty()) return;
  checkpoint_status_ = AppendToCheckpoints(checkpoints_.file, checkpoint_line_);
}

absl::Status WriterFile::Commit() {
  absl::Status status = connection_->commit.Finish();
  if (status.ok()) {
    next_seq_ += added_;
    head_ = added_head_;
    SendCheckpoint();
    return status;
  }
  uncertain_ = added_;
  return Fail(std::move(status));
}

// Ends the transaction after an error, which it returns.
absl::Status WriterFile::Fail(absl::Status status) {
  RollBack();
  if (absl::IsDataLoss(status)) damage_ = status;
  // A full disk leaves the connection fit. After anything else a new one is safer.
  if (status.code() != absl::StatusCode::kResourceExhausted) Drop();
  return status;
}

void WriterFile::TrimLog() {
  if (connection_ == nullptr || connection_->wal_pages < kCheckpointPages) return;
  // If it fails the next one does more.
  connection_->wal_pages = 0;
  sqlite3_wal_checkpoint_v2(connection_->database->get(), nullptr, SQLITE_CHECKPOINT_PASSIVE,
                            nullptr, nullptr);
}

}  // namespace reeve
