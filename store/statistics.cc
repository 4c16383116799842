#include "reeve/store/statistics.h"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/numeric/bits.h"
#include "absl/strings/str_cat.h"
#include "reeve/store/record_finder.h"
#include "reeve/store/sqlite.h"

namespace reeve {
namespace {

constexpr int64_t kHour = 3600000000;  // microseconds
constexpr int64_t kAllow = static_cast<int64_t>(Reason::kAllowRule);

int64_t HourOf(int64_t micros) { return micros / kHour - (micros % kHour < 0 ? 1 : 0); }

absl::Time TimeOfHour(int64_t hour) { return absl::FromUnixSeconds(hour * 3600); }

// Counts latencies in buckets: each of its own below 8192 ns, then 4096 for each doubling.
class LatencyCounts {
 public:
  void Add(int64_t nanoseconds) {
    const uint64_t value = static_cast<uint64_t>(std::max<int64_t>(nanoseconds, 0));
    const size_t bucket = BucketOf(value);
    if (bucket >= counts_.size()) counts_.resize(bucket + 1);
    ++counts_[bucket];
    min_ = count_ == 0 ? value : std::min(min_, value);
    max_ = std::max(max_, value);
    ++count_;
  }

  AuditStatistics::Latency Result() const {
    AuditStatistics::Latency result;
    result.count = count_;
    if (count_ == 0) return result;
    result.min = absl::Nanoseconds(min_);
    result.max = absl::Nanoseconds(max_);
    const std::pair<int64_t, absl::Duration*> wanted[] = {
        {500, &result.p50}, {900, &result.p90}, {990, &result.p99}, {999, &result.p999}};
    size_t bucket = 0;
    int64_t below = counts_[0];
    for (const auto& [permille, duration] : wanted) {
      const int64_t rank = count_ / 1000 * permille + (count_ % 1000 * permille + 999) / 1000;
      while (below < rank) below += counts_[++bucket];
      *duration = absl::Nanoseconds(std::min(max_, EndOf(bucket)));
    }
    return result;
  }

 private:
  static constexpr int kBits = 12;
  static constexpr uint64_t kExact = uint64_t{1} << kBits;

  static size_t BucketOf(uint64_t value) {
    if (value < kExact) return value;
    const int shift = absl::bit_width(value) - kBits - 1;
    return ((uint64_t{1} + shift) << kBits) + (value >> shift) - kExact;
  }
  // The largest value in it.
  static uint64_t EndOf(size_t bucket) {
    if (bucket < kExact) return bucket;
    const size_t shift = (bucket >> kBits) - 1;
    const uint64_t mantissa = (bucket & (kExact - 1)) + kExact;
    return ((mantissa + 1) << shift) - 1;
  }

  std::vector<int64_t> counts_;
  int64_t count_ = 0;
  uint64_t min_ = 0, max_ = 0;
};

struct Tally {
  int64_t allowed = 0, denied = 0;

  void Add(bool is_allow, int64_t count) { (is_allow ? allowed : denied) += count; }
};

using TallyById = absl::flat_hash_map<int64_t, Tally>;

// What is left of a filter beside times. Roll-ups answer the first three.
bool HasTimesOnly(AuditFilter filter) {
  filter.since.reset();
  filter.until.reset();
  return filter.principal.empty() && filter.actor.empty() && filter.action.empty() &&
         filter.resource.empty() && filter.resource_prefix.empty() && !filter.allowed &&
         !filter.reason && filter.rule.empty() && filter.shadow_rule.empty() &&
         filter.policy.empty() && !filter.assurance && filter.via.empty() && filter.host.empty() &&
         filter.machine.empty() && !filter.writer && !filter.with_error && filter.error.empty() &&
         !filter.min_latency && filter.id.empty();
}

// The whole hours of a filter's times, from `first` up to `end`, and what is left at both sides.
struct Span {
  std::optional<int64_t> first, end;  // nothing: no bound
  std::vector<AuditFilter> edges;     // at most two
  bool whole = true;                  // there is a whole hour
};

Span SpanOf(const AuditFilter& filter) {
  Span span;
  std::optional<int64_t> since, until;
  // Of hours that can be reckoned with.
  constexpr int64_t kFarthest = 9000000000000000000;
  if (filter.since.has_value()) {
    since = std::clamp(CeilMicros(*filter.since), -kFarthest, kFarthest);
  }
  if (filter.until.has_value()) {
    until = std::clamp(CeilMicros(*filter.until), -kFarthest, kFarthest);
  }
  if (since.has_value()) span.first = HourOf(*since) + (HourOf(*since) * kHour < *since ? 1 : 0);
  if (until.has_value()) span.end = HourOf(*until);
  if (span.first && span.end && *span.first >= *span.end) {
    span.whole = false;
    span.edges.push_back(filter);
    return span;
  }
  if (since.has_value() && *since < *span.first * kHour) {
    AuditFilter& edge = span.edges.emplace_back(filter);
    edge.until = TimeOfHour(*span.first);
  }
  if (until.has_value() && *until > *span.end * kHour) {
    AuditFilter& edge = span.edges.emplace_back(filter);
    edge.since = TimeOfHour(*span.end);
  }
  return span;
}

// " WHERE …" of the rows of `hours` that `span` has.
std::string HoursWhere(const Span& span) {
  std::string where = " WHERE h.rule IS NOT NULL";
  if (span.first.has_value()) absl::StrAppend(&where, " AND h.hour >= ", *span.first);
  if (span.end.has_value()) absl::StrAppend(&where, " AND h.hour < ", *span.end);
  return where;
}

class StatisticsMaker {
 public:
  StatisticsMaker(Database& database, const StatisticsOptions& options)
      : database_(database), options_(options) {}

  absl::Status Read(const AuditFilter& filter) {
    bool counts = options_.counts;
    if (counts && HasTimesOnly(filter)) {
      const Span span = SpanOf(filter);
      if (span.whole) {
        if (absl::Status status = ReadHours(span); !status.ok()) return status;
      }
      for (const AuditFilter& edge : span.edges) {
        if (absl::Status status = ReadRecords(edge, true, false); !status.ok()) return status;
      }
      counts = false;
    }
    if (counts || options_.latency || options_.shadow_rules) {
      return ReadRecords(filter, counts, true);
    }
    if (!options_.refused || filter.reason == Reason::kAllowRule ||
        filter.allowed.value_or(false)) {
      return absl::OkStatus();
    }
    AuditFilter denials = filter;
    denials.allowed = false;
    return ReadRecords(denials, false, true);
  }

  absl::StatusOr<AuditStatistics> Finish() {
    AuditStatistics result;
    for (size_t i = 0; i < reasons_.size(); ++i) {
      if (reasons_[i] == 0) continue;
      const auto reason = static_cast<Reason>(i);
      result.reasons.push_back({reason, reasons_[i]});
      (reason == Reason::kAllowRule ? result.allowed : result.denied) += reasons_[i];
    }
    std::stable_sort(result.reasons.begin(), result.reasons.end(),
                     [](const auto& a, const auto& b) { return a.count > b.count; });
    for (const auto& [hour, tally] : hours_) {
      result.hours.push_back({TimeOfHour(hour), tally.allowed, tally.denied});
    }
    result.latency = latency_.Result();
    const std::tuple<const TallyById*, std::vector<AuditStatistics::Count>*, size_t> named[] = {
        {&rules_, &result.rules, rules_.size()},
        {&principals_, &result.refused_principals, options_.top},
        {&actions_, &result.refused_actions, options_.top},
        {&resources_, &result.refused_resources, options_.top}};
    for (const auto& [tallies, counts, top] : named) {
      if (absl::Status status = Name(*tallies, top, counts); !status.ok()) return status;
    }
    if (absl::Status status = NameShadowRules(&result.shadow_rules); !status.ok()) return status;
    return result;
  }

 private:
  absl::Status ReadHours(const Span& span) {
    absl::StatusOr<Statement> hours = Statement::Prepare(
        database_,
        absl::StrCat("SELECT h.hour, h.rule, h.reason, h.count FROM hours h", HoursWhere(span)));
    if (!hours.ok()) return hours.status();
    while (true) {
      absl::StatusOr<bool> row = hours->Step();
      if (!row.ok()) return row.status();
      if (!*row) return absl::OkStatus();
      const int64_t rule = hours->Number(1), reason = hours->Number(2), count = hours->Number(3);
      if (rule != 0) {
        rules_[rule].Add(reason == kAllow, count);
        continue;
      }
      AddReason(reason, count);
      hours_[hours->Number(0)].Add(reason == kAllow, count);
    }
  }

  // Reads what `filter` means: for `counts`, and for `rest`, all else that is wanted.
  absl::Status ReadRecords(const AuditFilter& filter, bool counts, bool rest) {
    absl::StatusOr<RecordFinder> finder = RecordFinder::Create(database_, filter);
    if (!finder.ok()) return finder.status();
    TallyById lists;
    absl::Status status = finder->ForEach(
        "r.reason, r.time, r.latency, r.principal, r.action, r.resource, r.rules, r.shadow_rules",
        [&](const Statement& record) {
          const int64_t reason = record.Number(0);
          const bool is_allow = reason == kAllow;
          if (counts) {
            AddReason(reason, 1);
            hours_[HourOf(record.Number(1))].Add(is_allow, 1);
            if (!record.IsNull(6)) lists[record.Number(6)].Add(is_allow, 1);
          }
          if (!rest) return;
          if (options_.latency) latency_.Add(record.Number(2));
          if (options_.refused && !is_allow) {
            principals_[record.Number(3)].Add(false, 1);
            actions_[record.Number(4)].Add(false, 1);
            resources_[record.Number(5)].Add(false, 1);
          }
          if (options_.shadow_rules && !record.IsNull(7)) {
            shadow_lists_[record.Number(7)].Add(is_allow, 1);
          }
        });
    if (!status.ok()) return status;
    return AddRules(lists);
  }

  void AddReason(int64_t reason, int64_t count) {
    if (reason >= 0 && reason < static_cast<int64_t>(reasons_.size())) reasons_[reason] += count;
  }

  // Lists of rules, by the number of their text, to rules.
  absl::Status AddRules(const TallyById& lists) {
    absl::StatusOr<Statement> names = Statement::Prepare(
        database_,
        "SELECT n.id FROM texts t, json_each(t.text) j CROSS JOIN names n ON n.name = j.value "
        "WHERE t.id = ?");
    if (!names.ok()) return names.status();
    for (const auto& [list, tally] : lists) {
      names->Bind(1, list);
      while (true) {
        absl::StatusOr<bool> row = names->Step();
        if (!row.ok()) return row.status();
        if (!*row) break;
        Tally& rule = rules_[names->Number(0)];
        rule.allowed += tally.allowed;
        rule.denied += tally.denied;
      }
      names->Reset();
    }
    return absl::OkStatus();
  }

  // Shadow rules have no names of their own in the file: they stand in lists only.
  absl::Status NameShadowRules(std::vector<AuditStatistics::Count>* counts) {
    absl::StatusOr<Statement> names = Statement::Prepare(
        database_, "SELECT j.value FROM texts t, json_each(t.text) j WHERE t.id = ?");
    if (!names.ok()) return names.status();
    std::map<std::string, Tally> rules;
    for (const auto& [list, tally] : shadow_lists_) {
      names->Bind(1, list);
      while (true) {
        absl::StatusOr<bool> row = names->Step();
        if (!row.ok()) return row.status();
        if (!*row) break;
        Tally& rule = rules[std::string(names->Text(0))];
        rule.allowed += tally.allowed;
        rule.denied += tally.denied;
      }
      names->Reset();
    }
    for (const auto& [name, tally] : rules) counts->push_back({name, tally.allowed, tally.denied});
    Sort(counts->size(), counts);
    return absl::OkStatus();
  }

  absl::Status Name(const TallyById& tallies, size_t top,
                    std::vector<AuditStatistics::Count>* counts) {
    absl::StatusOr<Statement> find =
        Statement::Prepare(database_, "SELECT name FROM names WHERE id = ?");
    if (!find.ok()) return find.status();
    // Only those that may be among the first `top` need a name.
    std::vector<std::pair<int64_t, int64_t>> order;  // how many, id
    order.reserve(tallies.size());
    for (const auto& [id, tally] : tallies) order.emplace_back(tally.allowed + tally.denied, id);
    int64_t least = 0;
    if (top < order.size()) {
      std::nth_element(order.begin(), order.begin() + top, order.end(), std::greater<>());
      least = order[top].first;
    }
    for (const auto& [count, id] : order) {
      if (count < least) continue;
      find->Bind(1, id);
      absl::StatusOr<bool> row = find->Step();
      if (!row.ok()) return row.status();
      const Tally& tally = tallies.at(id);
      if (*row) counts->push_back({std::string(find->Text(0)), tally.allowed, tally.denied});
      find->Reset();
    }
    Sort(top, counts);
    return absl::OkStatus();
  }

  // The most frequent first, then by name; at most `top`.
  static void Sort(size_t top, std::vector<AuditStatistics::Count>* counts) {
    std::sort(counts->begin(), counts->end(), [](const auto& a, const auto& b) {
      const int64_t of_a = a.allowed + a.denied, of_b = b.allowed + b.denied;
      return of_a != of_b ? of_a > of_b : a.name < b.name;
    });
    if (counts->size() > top) counts->resize(top);
  }

  Database& database_;
  const StatisticsOptions& options_;
  std::array<int64_t, static_cast<size_t>(Reason::kAuditFailed) + 1> reasons_ = {};
  std::map<int64_t, Tally> hours_;
  TallyById rules_, principals_, actions_, resources_, shadow_lists_;
  LatencyCounts latency_;
};

absl::StatusOr<int64_t> CountRows(Database& database, const AuditFilter& filter) {
  absl::StatusOr<RecordFinder> finder = RecordFinder::Create(database, filter);
  if (!finder.ok()) return finder.status();
  int64_t count = 0;
  absl::Status status = finder->ForEach("1", [&count](const Statement&) { ++count; });
  if (!status.ok()) return status;
  return count;
}

}  // namespace

absl::StatusOr<AuditStatistics> ComputeStatistics(Database& database, const AuditFilter& filter,
                                                  const StatisticsOptions& options) {
  StatisticsMaker maker(database, options);
  if (absl::Status status = maker.Read(filter); !status.ok()) return status;
  return maker.Finish();
}

absl::StatusOr<int64_t> CountRecords(Database& database, const AuditFilter& filter) {
  AuditFilter rest = filter;
  rest.allowed.reset();
  rest.reason.reset();
  rest.rule.clear();
  if (!HasTimesOnly(rest)) return CountRows(database, filter);
  const Span span = SpanOf(filter);
  int64_t count = 0;
  if (span.whole) {
    std::string sql =
        absl::StrCat("SELECT coalesce(sum(h.count), 0) FROM hours h", HoursWhere(span));
    if (filter.allowed.has_value()) {
      absl::StrAppend(&sql, " AND h.reason ", *filter.allowed ? "= 1" : "<> 1");
    }
    if (filter.reason.has_value()) {
      absl::StrAppend(&sql, " AND h.reason = ", static_cast<int>(*filter.reason));
    }
    absl::StrAppend(&sql, " AND h.rule = ",
                    filter.rule.empty() ? "0" : "(SELECT id FROM names WHERE name = ?)");
    absl::StatusOr<Statement> statement = Statement::Prepare(database, sql);
    if (!statement.ok()) return statement.status();
    if (!filter.rule.empty()) statement->BindText(1, filter.rule);
    absl::StatusOr<bool> row = statement->Step();
    if (!row.ok()) return row.status();
    count = statement->Number(0);
  }
  for (const AuditFilter& edge : span.edges) {
    absl::StatusOr<int64_t> more = CountRows(database, edge);
    if (!more.ok()) return more.status();
    count += *more;
  }
  return count;
}

}  // namespace reeve
