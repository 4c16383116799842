#include "reeve/store/lists.h"

#include <algorithm>
#include <random>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/store/schema.h"

namespace reeve {
namespace {

using Order = ListQuery::Order;

struct Row {
  int64_t number;
  RecordKey key;
  int64_t principal, resource;
  std::vector<int64_t> rules;
};

// Rows beside lists of them.
class ListsTest : public ::testing::Test {
 protected:
  ListsTest() {
    EXPECT_EQ(Migrate(*database_), absl::OkStatus());
    writer_ = *ListWriter::Create(*database_);
  }

  void Add(Row row) {
    EXPECT_EQ(writer_->Add(row.number, row.key.time, ListKind::kPrincipal, row.principal),
              absl::OkStatus());
    EXPECT_EQ(writer_->Add(row.number, row.key.time, ListKind::kResource, row.resource),
              absl::OkStatus());
    for (const int64_t rule : row.rules) {
      EXPECT_EQ(writer_->Add(row.number, row.key.time, ListKind::kRule, rule), absl::OkStatus());
    }
    rows_.push_back(std::move(row));
  }

  static bool Has(const Row& row, const ListQuery::Names& names) {
    return std::any_of(names.any_of.begin(), names.any_of.end(), [&](int64_t name) {
      switch (names.kind) {
        case ListKind::kPrincipal:
          return row.principal == name;
        case ListKind::kResource:
          return row.resource == name;
        case ListKind::kRule:
          return std::find(row.rules.begin(), row.rules.end(), name) != row.rules.end();
      }
      return false;
    });
  }

  static bool Accepts(const ListQuery& query, const Row& row) {
    return row.key.seq % 5 != 0 && row.key.time >= query.min_time.value_or(row.key.time) &&
           row.key.time <= query.max_time.value_or(row.key.time) &&
           row.number >= query.min_number.value_or(0);
  }

  // By looking at all rows.
  std::vector<int64_t> Expected(const ListQuery& query) const {
    std::vector<Row> found;
    for (const Row& row : rows_) {
      if (Accepts(query, row) &&
          std::all_of(query.names.begin(), query.names.end(),
                      [&](const ListQuery::Names& names) { return Has(row, names); })) {
        found.push_back(row);
      }
    }
    std::sort(found.begin(), found.end(), [&](const Row& a, const Row& b) {
      return query.order == Order::kNewestFirst   ? b.key < a.key
             : query.order == Order::kOldestFirst ? a.key < b.key
                                                  : a.number < b.number;
    });
    std::vector<int64_t> numbers;
    for (const Row& row : found) {
      if (numbers.size() < query.limit) numbers.push_back(row.number);
    }
    return numbers;
  }

  // How many records were looked at is in `asked_`.
  std::vector<int64_t> Found(const ListQuery& query) {
    asked_ = 0;
    absl::StatusOr<std::vector<int64_t>> numbers =
        FindListed(*database_, query, [&](int64_t number) -> std::optional<RecordKey> {
          ++asked_;
          // They are added in the order of their numbers.
          const auto row =
              std::lower_bound(rows_.begin(), rows_.end(), number,
                               [](const Row& r, int64_t wanted) { return r.number < wanted; });
          if (row == rows_.end() || row->number != number || !Accepts(query, *row))
            return std::nullopt;
          return row->key;
        });
    EXPECT_EQ(numbers.status(), absl::OkStatus());
    return numbers.ok() ? *numbers : std::vector<int64_t>();
  }

  const std::unique_ptr<Database> database_ =
      *Database::Open("file:lists?mode=memory", "lists",
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_URI);
  std::unique_ptr<ListWriter> writer_;
  std::vector<Row> rows_;
  int asked_ = 0;
};

// Against looking at all rows: several spans, batches that end anywhere, times out of order.
TEST_F(ListsTest, FindsWhatLookingAtAllRowsFinds) {
  std::mt19937 random(7);
  const auto draw = [&](int64_t below) { return static_cast<int64_t>(random() % below); };
  int64_t time = 1800000000000000;
  for (int span = 0; span < 4; ++span) {
    for (int i = 0; i < 700; ++i) {
      time += draw(100);
      // A clock that was wrong for a moment, and one that went back.
      int64_t seen = time - draw(300);
      if (draw(400) == 0) seen += draw(2) == 0 ? 50000 : -50000;
      std::vector<int64_t> rules;
      for (int64_t rule = 20; rule < 23; ++rule) {
        if (draw(3) == 0) rules.push_back(rule);
      }
      Add({span * kSpanRecords + i + 1,
           {seen, draw(2), i},
           1 + (draw(4) == 0 ? draw(5) : 0),
           10 + draw(6),
           rules});
      if (draw(50) == 0) {
        EXPECT_EQ(writer_->Flush(), absl::OkStatus());
      }
    }
  }
  ASSERT_EQ(writer_->Flush(), absl::OkStatus());

  const std::vector<ListQuery::Names> kNames[] = {
      {{ListKind::kPrincipal, {1}}},
      {{ListKind::kPrincipal, {4}}},
      {{ListKind::kPrincipal, {9}}},
      {{ListKind::kPrincipal, {}}},
      {{ListKind::kResource, {11, 12, 15}}},
      {{ListKind::kRule, {21}}},
      {{ListKind::kPrincipal, {1}}, {ListKind::kRule, {22}}},
      {{ListKind::kPrincipal, {2}}, {ListKind::kResource, {10, 13}}, {ListKind::kRule, {20}}},
  };
  int answers = 0;
  for (const auto& names : kNames) {
    for (const Order order : {Order::kNewestFirst, Order::kOldestFirst, Order::kByNumber}) {
      for (const size_t limit : {0, 1, 20, 5000}) {
        for (int window = 0; window < 3; ++window) {
          ListQuery query;
          query.names = names;
          query.order = order;
          query.limit = limit;
          if (window == 1) query.min_time = time - 60000, query.max_time = time - 40000;
          if (window == 2) query.min_number = 2 * kSpanRecords + 100;
          EXPECT_EQ(Found(query), Expected(query))
              << "names " << (&names - kNames) << " order " << static_cast<int>(order) << " limit "
              << limit << " window " << window;
          answers += static_cast<int>(Expected(query).size());
        }
      }
    }
  }
  EXPECT_GT(answers, 10000);
}

TEST_F(ListsTest, LooksAtFewRecordsOnly) {
  for (int span = 0; span < 3; ++span) {
    for (int64_t i = 1; i <= 3000; ++i) {
      Add({span * kSpanRecords + i, {span * 10000 + i, 1, 1}, 1, 10, {}});
    }
  }
  ASSERT_EQ(writer_->Flush(), absl::OkStatus());
  for (const Order order : {Order::kNewestFirst, Order::kOldestFirst, Order::kByNumber}) {
    ListQuery query;
    query.names = {{ListKind::kPrincipal, {1}}};
    query.order = order;
    query.limit = 10;
    EXPECT_EQ(Found(query).size(), 10u);
    EXPECT_LE(asked_, 12);
  }
}

TEST(ReadOffsetsTest, TakesListsAndNothingElse) {
  const struct {
    const char* offsets;
    bool fits;
    std::vector<int64_t> want;
  } kCases[] = {
      {"0", true, {131072}},
      {"1,20,65535", true, {131073, 131092, 196607}},
      {"", false, {}},
      {",", false, {}},
      {"1,", false, {131073}},
      {"1,,2", false, {131073}},
      {"1,65536", false, {131073}},
      {"-1", false, {}},
      {"1 ", false, {}},
      {"99999999999999999999", false, {}},
  };
  for (const auto& c : kCases) {
    std::vector<int64_t> numbers;
    EXPECT_EQ(ReadOffsets(2, c.offsets, &numbers), c.fits) << c.offsets;
    EXPECT_EQ(numbers, c.want) << c.offsets;
  }
}

}  // namespace
}  // namespace reeve
