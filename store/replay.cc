#include "reeve/store/replay.h"

#include <algorithm>
#include <limits>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "reeve/engine/entity_provider.h"
#include "reeve/engine/text.h"
#include "reeve/store/schema.h"
#include "reeve/store/segment.h"
#include "reeve/store/sqlite.h"

namespace reeve {
namespace {

// Read in one go, so that no transaction holds up the log of a writer for long.
constexpr int64_t kPage = 64;
// Kept, so that equal records are unpacked once.
constexpr size_t kMaxCases = 100000;

constexpr uint32_t kLeftOut = kNoGroups | kNoPrincipalParents | kNoPrincipalAttributes |
                              kNoResourceParents | kNoResourceAttributes | kNoContext;

EntityId Split(std::string_view text) {
  const size_t colon = std::min(text.find(':'), text.size());
  return {std::string(text.substr(0, colon)),
          std::string(text.substr(std::min(colon + 1, text.size())))};
}

// The segment was decoded, so its fields are what they should be.
std::vector<std::string> ListOf(std::string_view bytes) {
  const absl::StatusOr<std::vector<std::string_view>> list = DecodeList(bytes);
  if (!list.ok()) return {};
  return {list->begin(), list->end()};
}

std::vector<EntityId> EntitiesOf(std::string_view bytes) {
  std::vector<EntityId> entities;
  for (const std::string& text : ListOf(bytes)) entities.push_back(Split(text));
  return entities;
}

Attributes MapOf(std::string_view bytes) {
  absl::StatusOr<Attributes> map = DecodeAttributes(bytes);
  return map.ok() ? *std::move(map) : Attributes();
}

std::vector<ReplayedRule> RulesOf(std::string_view bytes, uint8_t format) {
  std::vector<ReplayedRule> rules;
  const absl::StatusOr<std::vector<RecordedRule>> recorded = DecodeRules(bytes, format);
  if (!recorded.ok()) return rules;
  for (const RecordedRule& from : *recorded) {
    ReplayedRule& rule = rules.emplace_back();
    rule.id = std::string(from.id);
    for (const RecordedClause& clause : from.clauses) {
      rule.clauses.push_back({clause.outcome, std::string(clause.text)});
    }
  }
  return rules;
}

}  // namespace

// The decisions that were unpacked, by what they are made of.
class AuditReplay::Cases {
 public:
  // To be called before the records of each segment.
  void Begin(const Segment& segment) {
    segment_ = &segment;
    by_refs_.clear();
    if (cases_.size() > kMaxCases) cases_.clear();
  }

  // Valid until the next Begin().
  const RecordedDecision& Get(const Segment::Record& record) {
    Refs refs = {record.refs, record.head.flags, record.head.reason, record.head.assurance};
    const auto [known, is_new] = by_refs_.try_emplace(refs, nullptr);
    if (is_new) known->second = &Unpack(record);
    return *known->second;
  }

 private:
  struct Refs {
    std::array<uint32_t, kFieldCount> refs;
    uint32_t flags;
    Reason reason;
    Assurance assurance;

    friend bool operator==(const Refs& a, const Refs& b) {
      return a.refs == b.refs && a.flags == b.flags && a.reason == b.reason &&
             a.assurance == b.assurance;
    }
    template <typename H>
    friend H AbslHashValue(H h, const Refs& r) {
      return H::combine(std::move(h), r.refs, r.flags, r.reason, r.assurance);
    }
  };

  const RecordedDecision& Unpack(const Segment::Record& record) {
    const Segment& segment = *segment_;
    key_.clear();
    AppendVarint(segment.format, &key_);
    AppendVarint(record.head.flags, &key_);
    key_.push_back(static_cast<char>(record.head.reason));
    key_.push_back(static_cast<char>(record.head.assurance));
    const Fields fields = segment.fields(record);
    for (const std::string_view field : fields) AppendSized(field, &key_);
    std::unique_ptr<const RecordedDecision>& known = cases_[key_];
    if (known == nullptr) known = Make(record, fields);
    return *known;
  }

  std::unique_ptr<const RecordedDecision> Make(const Segment::Record& record,
                                               const Fields& fields) {
    const auto field = [&fields](Field f) { return fields[static_cast<size_t>(f)]; };
    const auto text = [&field](Field f) { return std::string(field(f)); };
    const uint8_t format = segment_->format;
    auto made = std::make_unique<RecordedDecision>();
    made->number = ++count_;
    Principal& principal = made->principal;
    principal = Principal(Split(field(Field::kPrincipal)), record.head.assurance);
    principal.via = text(Field::kVia);
    principal.host = text(Field::kHost);
    principal.actor = text(Field::kActor);
    principal.evidence = text(Field::kEvidence);
    principal.groups = ListOf(field(Field::kGroups));
    principal.groups_complete = (record.head.flags & kGroupsPartial) == 0;
    principal.parents = EntitiesOf(field(Field::kPrincipalParents));
    principal.attributes = MapOf(field(Field::kPrincipalAttributes));
    made->action = text(Field::kAction);
    made->resource = Split(field(Field::kResource));
    made->resource_parents = EntitiesOf(field(Field::kResourceParents));
    made->resource_attributes = MapOf(field(Field::kResourceAttributes));
    made->context = MapOf(field(Field::kContext));
    made->reason = record.head.reason;
    made->rules = RulesOf(field(Field::kRules), format);
    made->near_misses = RulesOf(field(Field::kNearMisses), format);
    made->shadow_rules = RulesOf(field(Field::kShadowRules), format);
    made->message = text(Field::kMessage);
    made->obligations = ListOf(field(Field::kObligations));
    made->error = text(Field::kError);
    made->policy_digest = text(Field::kPolicyDigest);
    made->escaped = (record.head.flags & kEscaped) != 0;
    made->left_out = (record.head.flags & kLeftOut) != 0;
    made->time_fixed = (record.head.flags & kTimeFixed) != 0;
    for (const auto& [path, how] : MapOf(field(Field::kMasked))) {
      if (how.kind() == Value::Kind::kString) made->masked.emplace_back(path, how.string_value());
    }
    made->principal_complete = (record.head.flags & kPrincipalPartial) == 0;
    made->resource_complete = (record.head.flags & kResourcePartial) == 0;
    return made;
  }

  const Segment* segment_ = nullptr;
  absl::flat_hash_map<Refs, const RecordedDecision*> by_refs_;
  absl::flat_hash_map<std::string, std::unique_ptr<const RecordedDecision>> cases_;
  std::string key_;
  uint64_t count_ = 0;
};

Request RecordedDecision::RequestAt(absl::Time time) const {
  Request request(principal, action, resource);
  request.resource_attributes = &resource_attributes;
  request.resource_parents = resource_parents;
  request.context = &context;
  request.time = time;
  static const ProvidedEntity* const kPartly = [] {
    auto* const told = new ProvidedEntity();
    told->complete = false;
    return told;
  }();
  if (!principal_complete) request.provided_principal = kPartly;
  if (!resource_complete) request.provided_resource = kPartly;
  return request;
}

std::string_view RecordedDecision::obstacle() const {
  // Texts of the answer are not asked.
  const bool asks_masked = std::any_of(masked.begin(), masked.end(), [](const auto& part) {
    return part.first != "message" && part.first != "obligations" && part.first != "error";
  });
  return asks_masked ? "masked" : left_out ? "left_out" : escaped ? "escaped" : std::string_view();
}

AuditReplay::AuditReplay(std::string name, std::unique_ptr<Database> database)
    : name_(std::move(name)), database_(std::move(database)), cases_(std::make_unique<Cases>()) {}

AuditReplay::~AuditReplay() = default;

absl::StatusOr<std::unique_ptr<AuditReplay>> AuditReplay::Open(const std::string& path) {
  absl::StatusOr<std::unique_ptr<Database>> database = OpenForReading(path);
  if (!database.ok()) return database.status();
  return std::unique_ptr<AuditReplay>(new AuditReplay(Printable(path, 1000), *std::move(database)));
}

// Visits the records of a segment that lie between two times. False if that is to be the end.
bool AuditReplay::VisitSegment(int64_t writer, int64_t first_seq, std::string_view bytes,
                               int64_t first_us, int64_t last_us, const Visit& visit) {
  const absl::StatusOr<Segment> segment = DecodeSegment(bytes);
  if (!segment.ok()) {
    if (damage_.segments++ == 0) {
      damage_.first = absl::StrCat(name_, ": writer ", writer, ", segment ", first_seq, ": ",
                                   segment.status().message());
    }
    return true;
  }
  cases_->Begin(*segment);
  for (size_t i = segment->records.size(); i-- > 0;) {
    const Segment::Record& record = segment->records[i];
    if (record.head.micros() < first_us || record.head.micros() > last_us) continue;
    const ReplayRecord view = {cases_->Get(record),
                               record.head.id,
                               record.head.time(),
                               record.head.request_time(),
                               absl::Nanoseconds(record.head.latency),
                               record.head.level,
                               writer,
                               first_seq + static_cast<int64_t>(i)};
    if (!visit(view)) return false;
  }
  return true;
}

absl::Status AuditReplay::Walk(int64_t first_us, int64_t last_us, const Visit& visit,
                               const std::function<void(int64_t done, int64_t of)>& progress) {
  int64_t total = 0, done = 0;
  if (progress != nullptr) {
    const absl::StatusOr<int64_t> count = database_->Number("SELECT count(*) FROM segments");
    if (!count.ok()) return count.status();
    total = *count;
  }
  absl::StatusOr<Statement> page = Statement::Prepare(
      *database_,
      "SELECT rowid, writer, first_seq, bytes FROM segments WHERE rowid < ?1 AND max_time >= ?2 "
      "AND min_time <= ?3 ORDER BY rowid DESC LIMIT ?4");
  if (!page.ok()) return page.status();
  int64_t before = std::numeric_limits<int64_t>::max();
  while (true) {
    page->Bind(1, before);
    page->Bind(2, first_us);
    page->Bind(3, last_us);
    page->Bind(4, kPage);
    int64_t got = 0;
    while (true) {
      const absl::StatusOr<bool> row = page->Step();
      if (!row.ok()) return row.status();
      if (!*row) break;
      ++got;
      before = page->Number(0);
      const int64_t writer = page->Number(1), first_seq = page->Number(2);
      if (!VisitSegment(writer, first_seq, page->Blob(3), first_us, last_us, visit)) {
        return absl::OkStatus();
      }
    }
    page->Reset();
    done += got;
    if (progress != nullptr) progress(got < kPage ? total : done, total);
    if (got < kPage) return absl::OkStatus();
  }
}

absl::Status AuditReplay::ForEach(const Range& range, const Visit& visit,
                                  const std::function<void(int64_t done, int64_t of)>& progress) {
  damage_ = Damage();
  // Microseconds rounded down select; the times themselves decide.
  const int64_t first = range.since.has_value() ? absl::ToUnixMicros(*range.since)
                                                : std::numeric_limits<int64_t>::min();
  const int64_t last = range.until.has_value() ? absl::ToUnixMicros(*range.until)
                                               : std::numeric_limits<int64_t>::max();
  return Walk(
      first, last,
      [&](const ReplayRecord& record) {
        const bool in_range = (!range.since.has_value() || record.time >= *range.since) &&
                              (!range.until.has_value() || record.time < *range.until);
        return !in_range || visit(record);
      },
      progress);
}

// The segment of the record whose row has that time and id, if that holds it.
absl::Status AuditReplay::VisitByRow(int64_t first_us, int64_t last_us, const std::string& id,
                                     const Visit& visit) {
  absl::StatusOr<Statement> find = Statement::Prepare(
      *database_,
      "SELECT s.writer, s.first_seq, s.bytes FROM records r CROSS JOIN segments s "
      "ON s.writer = r.writer AND s.first_seq = (SELECT max(first_seq) FROM segments "
      "WHERE writer = r.writer AND first_seq <= r.seq) "
      "WHERE r.time BETWEEN ?1 AND ?2 AND r.id = ?3 LIMIT 1");
  if (!find.ok()) return find.status();
  find->Bind(1, first_us);
  find->Bind(2, last_us);
  find->BindBlob(3, id);
  const absl::StatusOr<bool> row = find->Step();
  if (!row.ok()) return row.status();
  if (*row) {
    VisitSegment(find->Number(0), find->Number(1), find->Blob(2), first_us, last_us, visit);
  }
  return absl::OkStatus();
}

absl::Status AuditReplay::Find(std::string_view prefix, const Visit& visit) {
  const std::string_view form = "xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx";
  bool valid = !prefix.empty() && prefix.size() <= form.size();
  int64_t first_ms = 0, last_ms = 0;
  size_t digits = 0;
  for (size_t i = 0; valid && i < prefix.size(); ++i) {
    const auto c = static_cast<unsigned char>(prefix[i]);
    const bool digit = absl::ascii_isdigit(c) || (c >= 'a' && c <= 'f');
    valid = form[i] == '-' ? c == '-' : digit;
    if (form[i] == '-' || digits++ >= 12) continue;
    const int value = absl::ascii_isdigit(c) ? c - '0' : c - 'a' + 10;
    first_ms = first_ms << 4 | value;
  }
  if (!valid) {
    return absl::InvalidArgumentError(absl::StrCat(
        "`", Printable(prefix), "` is not the id of a decision, nor the beginning of one"));
  }
  last_ms = first_ms;
  for (; digits < 12; ++digits) {
    first_ms <<= 4;
    last_ms = last_ms << 4 | 0xF;
  }
  // Ids know no time before 1970.
  const int64_t first_us = first_ms == 0 ? std::numeric_limits<int64_t>::min() : first_ms * 1000;
  const int64_t last_us = last_ms * 1000 + 999;
  damage_ = Damage();
  bool found = false;
  const bool whole = prefix.size() == form.size();
  const Visit visit_found = [&](const ReplayRecord& record) {
    if (record.id.ToString().compare(0, prefix.size(), prefix.data(), prefix.size()) != 0) {
      return true;
    }
    found = true;
    return visit(record) && !whole;
  };
  if (whole) {
    const std::string id = absl::HexStringToBytes(
        absl::StrReplaceAll(absl::string_view(prefix.data(), prefix.size()), {{"-", ""}}));
    absl::Status status = VisitByRow(first_us, last_us, id, visit_found);
    if (!status.ok() || found) return status;
    damage_ = Damage();
  }
  return Walk(first_us, last_us, visit_found, nullptr);
}

}  // namespace reeve
