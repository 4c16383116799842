#include "reeve/store/lists.h"

#include <algorithm>
#include <iterator>
#include <limits>
#include <queue>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace reeve {
namespace {

// A list is continued in another row, so that little is written again when a number is added, and
// little is read where a name is frequent.
constexpr ptrdiff_t kMaxListEntries = 256;
constexpr int64_t kMaxAppendedBytes = 1024;

using Order = ListQuery::Order;

struct Span {
  int64_t span, min_time, max_time, disorder;
};

// Reads the numbers of one span that have the names of a query.
class SpanLists {
 public:
  static absl::StatusOr<std::unique_ptr<SpanLists>> Create(Database& database,
                                                           const ListQuery& query) {
    std::unique_ptr<SpanLists> lists(new SpanLists(query));
    // One name alone is read part by part, until no more is wanted.
    const bool down = query.order == Order::kNewestFirst;
    absl::StatusOr<Statement> read = Statement::Prepare(
        database, absl::StrCat("SELECT offsets FROM lists WHERE span = ? AND kind = ? AND name = ? "
                               "ORDER BY first",
                               down ? " DESC" : ""));
    if (!read.ok()) return read.status();
    lists->read_ = *std::move(read);
    lists->is_single_ = query.names.size() == 1 && query.names[0].any_of.size() == 1;
    return lists;
  }

  absl::Status Begin(int64_t span) {
    span_ = span;
    read_.Reset();
    if (is_single_) {
      Bind(query_.names[0].kind, query_.names[0].any_of[0]);
      return absl::OkStatus();
    }
    // What has all names, each of any list.
    for (size_t i = 0; i < query_.names.size(); ++i) {
      std::vector<int64_t>& found = i == 0 ? all_ : other_;
      found.clear();
      for (const int64_t name : query_.names[i].any_of) {
        read_.Reset();
        Bind(query_.names[i].kind, name);
        while (true) {
          absl::StatusOr<bool> row = ReadPart(&found);
          if (!row.ok()) return row.status();
          if (!*row) break;
        }
      }
      std::sort(found.begin(), found.end());
      found.erase(std::unique(found.begin(), found.end()), found.end());
      if (i == 0) continue;
      both_.clear();
      std::set_intersection(all_.begin(), all_.end(), other_.begin(), other_.end(),
                            std::back_inserter(both_));
      all_.swap(both_);
    }
    return absl::OkStatus();
  }

  // Replaces `part` by what follows, in the order of the query. False if nothing does.
  absl::StatusOr<bool> Next(std::vector<int64_t>* part) {
    part->clear();
    if (is_single_) {
      absl::StatusOr<bool> row = ReadPart(part);
      if (!row.ok() || !*row) return row;
    } else {
      part->swap(all_);
      all_.clear();
      if (part->empty()) return false;
    }
    if (query_.order == Order::kNewestFirst) std::reverse(part->begin(), part->end());
    return true;
  }

 private:
  explicit SpanLists(const ListQuery& query) : query_(query) {}

  void Bind(ListKind kind, int64_t name) {
    read_.Bind(1, span_);
    read_.Bind(2, static_cast<int64_t>(kind));
    read_.Bind(3, name);
  }

  // Appends the numbers of the next row; of one that somebody changed those that make sense.
  absl::StatusOr<bool> ReadPart(std::vector<int64_t>* out) {
    absl::StatusOr<bool> row = read_.Step();
    if (row.ok() && *row) ReadOffsets(span_, read_.Text(0), out);
    return row;
  }

  const ListQuery& query_;
  Statement read_;
  bool is_single_ = false;
  int64_t span_ = 0;
  std::vector<int64_t> all_, other_, both_;
};

absl::StatusOr<std::vector<Span>> ReadSpans(Database& database, const ListQuery& query) {
  absl::StatusOr<Statement> rows =
      Statement::Prepare(database,
                         "SELECT span, min_time, max_time, disorder FROM spans "
                         "WHERE max_time >= ? AND min_time <= ? AND span >= ?");
  if (!rows.ok()) return rows.status();
  rows->Bind(1, query.min_time.value_or(std::numeric_limits<int64_t>::min()));
  rows->Bind(2, query.max_time.value_or(std::numeric_limits<int64_t>::max()));
  rows->Bind(3, SpanOf(query.min_number.value_or(0)));
  std::vector<Span> spans;
  while (true) {
    absl::StatusOr<bool> row = rows->Step();
    if (!row.ok()) return row.status();
    if (!*row) break;
    spans.push_back({rows->Number(0), rows->Number(1), rows->Number(2), rows->Number(3)});
  }
  std::sort(spans.begin(), spans.end(), [&](const Span& a, const Span& b) {
    if (query.order == Order::kNewestFirst) return a.max_time > b.max_time;
    if (query.order == Order::kOldestFirst) return a.min_time < b.min_time;
    return a.span < b.span;
  });
  return spans;
}

}  // namespace

bool ReadOffsets(int64_t span, std::string_view offsets, std::vector<int64_t>* numbers) {
  int64_t offset = -1;  // -1: no digit yet
  for (const char c : offsets) {
    if (c == ',' && offset >= 0) {
      numbers->push_back((span << kSpanBits) + offset);
      offset = -1;
      continue;
    }
    if (c < '0' || c > '9') return false;
    offset = std::max<int64_t>(offset, 0) * 10 + (c - '0');
    if (offset >= kSpanRecords) return false;
  }
  if (offset < 0) return false;
  numbers->push_back((span << kSpanBits) + offset);
  return true;
}

absl::StatusOr<std::unique_ptr<ListWriter>> ListWriter::Create(Database& database) {
  std::unique_ptr<ListWriter> writer(new ListWriter);
  const struct {
    Statement& statement;
    const char* sql;
  } table[] = {
      {writer->find_span_, "SELECT min_time, max_time, disorder FROM spans WHERE span = ?"},
      {writer->set_span_,
       "INSERT INTO spans(span, min_time, max_time, disorder) VALUES(?1, ?2, ?3, ?4) "
       "ON CONFLICT(span) DO UPDATE SET min_time = ?2, max_time = ?3, disorder = ?4"},
      {writer->find_last_,
       "SELECT first, length(offsets) FROM lists WHERE span = ? AND kind = ? AND name = ? "
       "ORDER BY first DESC LIMIT 1"},
      {writer->add_list_,
       "INSERT INTO lists(span, kind, name, first, offsets) VALUES(?, ?, ?, ?, ?)"},
      {writer->append_,
       "UPDATE lists SET offsets = offsets || ',' || ?5 "
       "WHERE span = ?1 AND kind = ?2 AND name = ?3 AND first = ?4"},
  };
  for (const auto& row : table) {
    absl::StatusOr<Statement> statement = Statement::Prepare(database, row.sql);
    if (!statement.ok()) return statement.status();
    row.statement = *std::move(statement);
  }
  return writer;
}

void ListWriter::Forget() {
  span_ = -1;
  entries_.clear();
}

absl::Status ListWriter::BeginSpan(int64_t span) {
  if (absl::Status status = Flush(); !status.ok()) return status;
  find_span_.Bind(1, span);
  absl::StatusOr<bool> row = find_span_.Step();
  if (row.ok()) {
    is_new_ = !*row;
    min_time_ = is_new_ ? std::numeric_limits<int64_t>::max() : find_span_.Number(0);
    max_time_ = is_new_ ? std::numeric_limits<int64_t>::min() : find_span_.Number(1);
    disorder_ = is_new_ ? 0 : find_span_.Number(2);
    span_ = span;
  }
  find_span_.Reset();
  return row.status();
}

absl::Status ListWriter::Add(int64_t number, int64_t time, ListKind kind, int64_t name) {
  if (SpanOf(number) != span_) {
    if (absl::Status status = BeginSpan(SpanOf(number)); !status.ok()) return status;
  }
  min_time_ = std::min(min_time_, time);
  max_time_ = std::max(max_time_, time);
  disorder_ = std::max(disorder_, max_time_ - time);
  entries_.push_back({kind, static_cast<uint16_t>(number & (kSpanRecords - 1)), name});
  return absl::OkStatus();
}

absl::Status ListWriter::Flush() {
  if (span_ < 0) return absl::OkStatus();
  set_span_.Bind(1, span_);
  set_span_.Bind(2, min_time_);
  set_span_.Bind(3, max_time_);
  set_span_.Bind(4, disorder_);
  if (absl::Status status = set_span_.Finish(); !status.ok()) return status;
  std::sort(entries_.begin(), entries_.end());
  const Entry* const end = entries_.data() + entries_.size();
  for (const Entry* begin = entries_.data(); begin != end;) {
    const Entry* list_end = begin;
    while (list_end != end && list_end->kind == begin->kind && list_end->name == begin->name) {
      ++list_end;
    }
    if (absl::Status status = WriteList(begin, list_end); !status.ok()) return status;
    begin = list_end;
  }
  Forget();
  return absl::OkStatus();
}

// Entries of one name.
absl::Status ListWriter::WriteList(const Entry* begin, const Entry* end) {
  bool append = false;
  int64_t first = 0;
  if (!is_new_) {
    find_last_.Bind(1, span_);
    find_last_.Bind(2, static_cast<int64_t>(begin->kind));
    find_last_.Bind(3, begin->name);
    absl::StatusOr<bool> row = find_last_.Step();
    if (row.ok() && *row) {
      append = find_last_.Number(1) <= kMaxAppendedBytes;
      first = find_last_.Number(0);
    }
    find_last_.Reset();
    if (!row.ok()) return row.status();
  }
  while (begin != end) {
    const Entry* const part_end = begin + std::min(end - begin, kMaxListEntries);
    if (!append) first = begin->offset;
    text_.clear();
    Statement& write = append ? append_ : add_list_;
    write.Bind(1, span_);
    write.Bind(2, static_cast<int64_t>(begin->kind));
    write.Bind(3, begin->name);
    write.Bind(4, first);
    for (; begin != part_end; ++begin) {
      absl::StrAppend(&text_, text_.empty() ? "" : ",", begin->offset);
    }
    write.BindText(5, text_);
    if (absl::Status status = write.Finish(); !status.ok()) return status;
    append = false;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<int64_t>> FindListed(
    Database& database, const ListQuery& query,
    const std::function<absl::StatusOr<std::optional<RecordKey>>(int64_t number)>& accept) {
  if (query.limit == 0) return std::vector<int64_t>();
  absl::StatusOr<std::unique_ptr<SpanLists>> lists = SpanLists::Create(database, query);
  if (!lists.ok()) return lists.status();
  absl::StatusOr<std::vector<Span>> spans = ReadSpans(database, query);
  if (!spans.ok()) return spans.status();

  // The best so far, the worst of them on top.
  struct Found {
    RecordKey key;
    int64_t number;
  };
  const bool down = query.order == Order::kNewestFirst;
  const auto better = [&](const Found& a, const Found& b) {
    return down ? b.key < a.key : a.key < b.key;
  };
  std::priority_queue<Found, std::vector<Found>, decltype(better)> best(better);
  const auto full = [&] { return best.size() >= query.limit; };

  std::vector<int64_t> by_number, part;
  for (const Span& span : *spans) {
    if (query.order == Order::kByNumber ? by_number.size() >= query.limit
        : down                          ? full() && best.top().key.time > span.max_time
                                        : full() && best.top().key.time < span.min_time) {
      break;
    }
    if (absl::Status status = (*lists)->Begin(span.span); !status.ok()) return status;
    for (bool enough = false; !enough;) {
      absl::StatusOr<bool> more = (*lists)->Next(&part);
      if (!more.ok()) return more.status();
      if (!*more) break;
      for (const int64_t number : part) {
        if (number < query.min_number.value_or(0)) continue;
        absl::StatusOr<std::optional<RecordKey>> key = accept(number);
        if (!key.ok()) return key.status();
        if (!key->has_value()) continue;
        if (query.order == Order::kByNumber) {
          by_number.push_back(number);
          enough = by_number.size() >= query.limit;
        } else {
          best.push({**key, number});
          if (best.size() > query.limit) best.pop();
          // Those that follow in the span may be better by its disorder at most.
          const int64_t time = (*key)->time;
          enough = full() && (down ? time + span.disorder < best.top().key.time
                                   : time - span.disorder > best.top().key.time);
        }
        if (enough) break;
      }
    }
  }
  if (query.order == Order::kByNumber) return by_number;
  std::vector<int64_t> numbers(best.size());
  for (size_t i = numbers.size(); i-- > 0; best.pop()) numbers[i] = best.top().number;
  return numbers;
}

}  // namespace reeve
