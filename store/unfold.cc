#include "reeve/store/unfold.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/store/json.h"

namespace reeve {
namespace {

// Of the names, and of the texts, whose ids are remembered.
constexpr size_t kMaxKnownBytes = 16 << 20;

// A text is looked for among so many of the newest ones, or twice as many: in a large file that
// keeps what is looked at small. Older ones are stored again.
constexpr int kTextSpanBits = 16;

// Which table keeps a field, and as what.
enum class Keep : uint8_t { kName, kText, kList, kMap, kRules };
constexpr size_t kKeepCount = 5;

Keep KeepOf(Field field) {
  switch (field) {
    case Field::kPrincipal:
    case Field::kAction:
    case Field::kResource:
    case Field::kVia:
    case Field::kHost:
    case Field::kActor:
    case Field::kPolicyDigest:
      return Keep::kName;
    default:
      break;
  }
  switch (KindOf(field)) {
    case FieldKind::kText:
      return Keep::kText;
    case FieldKind::kList:
      return Keep::kList;
    case FieldKind::kMap:
      return Keep::kMap;
    case FieldKind::kRules:
      return Keep::kRules;
  }
  return Keep::kText;
}

constexpr int64_t kSecondsPerHour = 3600;

// Hours since 1970, rounded down.
int64_t HourOf(int64_t seconds) {
  return (seconds - (seconds < 0 ? kSecondsPerHour - 1 : 0)) / kSecondsPerHour;
}

// FNV-1a, 64 bits. Files keep it: never change it.
int64_t HashOf(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (unsigned char c : text) hash = (hash ^ c) * 0x100000001b3;
  return static_cast<int64_t>(hash);
}

// The fields that a row has a reference for, in the order of the statement's parameters.
constexpr Field kReferences[] = {
    Field::kPrincipal,
    Field::kAction,
    Field::kResource,
    Field::kVia,
    Field::kHost,
    Field::kActor,
    Field::kPolicyDigest,
    Field::kEvidence,
    Field::kGroups,
    Field::kPrincipalParents,
    Field::kPrincipalAttributes,
    Field::kResourceParents,
    Field::kResourceAttributes,
    Field::kContext,
    Field::kRules,
    Field::kNearMisses,
    Field::kShadowRules,
    Field::kMessage,
    Field::kObligations,
    Field::kError,
    Field::kMasked,
};
static_assert(sizeof(kReferences) / sizeof(kReferences[0]) == kFieldCount,
              "a field lacks a column");

constexpr char kInsertRecord[] =
    "INSERT INTO records(number, writer, seq, time, id, latency, level, reason, assurance, flags, "
    "principal, action, resource, via, host, actor, policy, evidence, groups, principal_parents, "
    "principal_attributes, resource_parents, resource_attributes, context, rules, near_misses, "
    "shadow_rules, message, obligations, error, masked, clauses, fixed_time) "
    "VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)";

std::string JsonOf(std::string_view bytes, Keep keep, uint8_t format) {
  if (keep == Keep::kRules) {
    absl::StatusOr<std::vector<RecordedRule>> rules = DecodeRules(bytes, format);
    if (!rules.ok()) return {};
    std::vector<std::string_view> ids;
    ids.reserve(rules->size());
    for (const RecordedRule& rule : *rules) ids.push_back(rule.id);
    return ToJson(ids);
  }
  if (keep == Keep::kList) {
    absl::StatusOr<std::vector<std::string_view>> list = DecodeList(bytes);
    return list.ok() ? ToJson(*list) : std::string();
  }
  absl::StatusOr<Attributes> map = DecodeAttributes(bytes);
  return map.ok() ? ToJson(*map) : std::string();
}

}  // namespace

struct Unfolder::Statements {
  Database& database;
  std::unique_ptr<ListWriter> lists;
  Statement begin, finish, find_name, add_name, find_text, add_text, add_record, add_hour,
      drop_hour;
};

// What is known of the strings of one segment's table.
struct Unfolder::Lookup {
  explicit Lookup(const Segment& segment)
      : segment(segment), ids(segment.table.size() * kKeepCount), rules(segment.table.size()) {}

  const Segment& segment;
  std::vector<int64_t> ids;                 // by reference and Keep; 0 if not known yet
  std::vector<std::vector<int64_t>> rules;  // by the reference of a list of rules
  // The text of the clauses by the references of rules, near misses and shadow rules; 0 if there
  // are none.
  absl::flat_hash_map<std::array<uint32_t, 3>, int64_t> clauses;
};

Unfolder::Unfolder(std::unique_ptr<Statements> statements) : statements_(std::move(statements)) {}

Unfolder::~Unfolder() = default;

absl::StatusOr<std::unique_ptr<Unfolder>> Unfolder::Create(Database& database) {
  auto statements =
      std::unique_ptr<Statements>(new Statements{database, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}});
  const struct {
    Statement& statement;
    const char* sql;
  } table[] = {
      {statements->begin,
       "SELECT next_number, (SELECT coalesce(max(id), 0) FROM texts) FROM unfolding"},
      {statements->finish, "UPDATE unfolding SET next_number = ?"},
      {statements->find_name, "SELECT id FROM names WHERE name = ?"},
      {statements->add_name, "INSERT INTO names(name) VALUES(?)"},
      // The first of equal hashes only: texts that somebody chose to collide are stored again.
      {statements->find_text,
       "SELECT id, text = ?2 FROM texts WHERE id >> 16 = ?3 AND hash = ?1 LIMIT 1"},
      {statements->add_text, "INSERT INTO texts(hash, text) VALUES(?, ?)"},
      {statements->add_record, kInsertRecord},
      {statements->add_hour,
       "INSERT INTO hours(hour, rule, reason, count) VALUES(?1, ?2, ?3, ?4) "
       "ON CONFLICT(hour, rule, reason) DO UPDATE SET count = count + ?4"},
      {statements->drop_hour,
       "DELETE FROM hours WHERE hour = ? AND rule = ? AND reason = ? AND count = 0"},
  };
  for (const auto& row : table) {
    absl::StatusOr<Statement> statement = Statement::Prepare(database, row.sql);
    if (!statement.ok()) return statement.status();
    row.statement = *std::move(statement);
  }
  absl::StatusOr<std::unique_ptr<ListWriter>> lists = ListWriter::Create(database);
  if (!lists.ok()) return lists.status();
  statements->lists = *std::move(lists);
  return std::unique_ptr<Unfolder>(new Unfolder(std::move(statements)));
}

int64_t Unfolder::Known::Find(std::string_view text) const {
  const auto found = ids_.find(absl::string_view(text.data(), text.size()));
  return found == ids_.end() ? 0 : found->second;
}

void Unfolder::Known::Add(std::string_view text, int64_t id) {
  // With what an entry takes beside its text, about.
  bytes_ += text.size() + 64;
  if (bytes_ > kMaxKnownBytes) Clear();
  ids_.emplace(std::string(text), id);
}

void Unfolder::Known::Clear() {
  ids_.clear();
  bytes_ = 0;
}

void Unfolder::Forget() {
  names_.Clear();
  texts_.Clear();
  statements_->lists->Forget();
  next_number_ = 0;
}

absl::Status Unfolder::Begin() {
  if (next_number_ != 0) return absl::OkStatus();
  Statement& begin = statements_->begin;
  absl::StatusOr<bool> row = begin.Step();
  if (row.ok() && *row) {
    next_number_ = std::max<int64_t>(begin.Number(0), 1);
    last_text_ = begin.Number(1);
  }
  begin.Reset();
  if (row.ok() && !*row) {
    return absl::DataLossError(
        absl::StrCat(statements_->database.name(), ": the table `unfolding` is empty; reindex it"));
  }
  return row.status();
}

absl::Status Unfolder::Finish() {
  if (next_number_ == 0) return absl::OkStatus();
  statements_->finish.Bind(1, next_number_);
  next_number_ = 0;
  if (absl::Status status = statements_->finish.Finish(); !status.ok()) return status;
  return statements_->lists->Flush();
}

absl::StatusOr<int64_t> Unfolder::NameId(std::string_view name) {
  if (const int64_t known = names_.Find(name); known != 0) return known;
  Statement& find = statements_->find_name;
  find.BindText(1, name);
  absl::StatusOr<bool> found = find.Step();
  int64_t id = found.ok() && *found ? find.Number(0) : 0;
  find.Reset();
  if (!found.ok()) return found.status();
  if (id == 0) {
    statements_->add_name.BindText(1, name);
    if (absl::Status status = statements_->add_name.Finish(); !status.ok()) return status;
    id = sqlite3_last_insert_rowid(statements_->database.get());
  }
  names_.Add(name, id);
  return id;
}

absl::StatusOr<int64_t> Unfolder::TextId(std::string_view text) {
  if (const int64_t known = texts_.Find(text); known != 0) return known;
  const int64_t hash = HashOf(text);
  const int64_t newest = last_text_ >> kTextSpanBits;
  int64_t id = 0;
  for (int64_t span = newest; id == 0 && span >= 0 && span + 1 >= newest; --span) {
    Statement& find = statements_->find_text;
    find.Bind(1, hash);
    find.BindText(2, text);
    find.Bind(3, span);
    absl::StatusOr<bool> found = find.Step();
    if (found.ok() && *found && find.Number(1) != 0) id = find.Number(0);
    find.Reset();
    if (!found.ok()) return found.status();
  }
  if (id == 0) {
    statements_->add_text.Bind(1, hash);
    statements_->add_text.BindText(2, text);
    if (absl::Status status = statements_->add_text.Finish(); !status.ok()) return status;
    id = last_text_ = sqlite3_last_insert_rowid(statements_->database.get());
  }
  texts_.Add(text, id);
  return id;
}

absl::Status Unfolder::BindField(int at, const Segment::Record& record, Field field,
                                 Lookup& lookup) {
  const uint32_t ref = record.ref(field);
  const Keep keep = KeepOf(field);
  if (ref == 0 && keep != Keep::kName) return absl::OkStatus();  // NULL
  const bool required =
      field == Field::kPrincipal || field == Field::kAction || field == Field::kResource;
  if (ref == 0 && !required) return absl::OkStatus();
  int64_t& id = lookup.ids[ref * kKeepCount + static_cast<size_t>(keep)];
  if (id == 0) {
    const std::string_view bytes = lookup.segment.table[ref];
    absl::StatusOr<int64_t> found = keep == Keep::kName ? NameId(bytes)
                                    : keep == Keep::kText
                                        ? TextId(bytes)
                                        : TextId(JsonOf(bytes, keep, lookup.segment.format));
    if (!found.ok()) return found.status();
    id = *found;
  }
  statements_->add_record.Bind(at, id);
  return absl::OkStatus();
}

absl::Status Unfolder::BindClauses(int at, const Segment::Record& record, Lookup& lookup) {
  const std::array<uint32_t, 3> refs = {record.ref(Field::kRules), record.ref(Field::kNearMisses),
                                        record.ref(Field::kShadowRules)};
  const auto [known, is_new] = lookup.clauses.try_emplace(refs, 0);
  if (is_new) {
    std::vector<RecordedRule> all;
    for (const uint32_t ref : refs) {
      absl::StatusOr<std::vector<RecordedRule>> rules =
          DecodeRules(lookup.segment.table[ref], lookup.segment.format);
      if (!rules.ok()) return rules.status();
      for (RecordedRule& rule : *rules) {
        if (!rule.clauses.empty()) all.push_back(std::move(rule));
      }
    }
    if (!all.empty()) {
      absl::StatusOr<int64_t> id = TextId(ClausesToJson(all));
      if (!id.ok()) return id.status();
      known->second = *id;
    }
  }
  if (known->second != 0) statements_->add_record.Bind(at, known->second);
  return absl::OkStatus();
}

absl::StatusOr<const std::vector<int64_t>*> Unfolder::RuleIds(const Segment::Record& record,
                                                              Lookup& lookup) {
  const uint32_t ref = record.ref(Field::kRules);
  if (ref == 0) return nullptr;
  std::vector<int64_t>& rules = lookup.rules[ref];
  if (rules.empty()) {
    absl::StatusOr<std::vector<RecordedRule>> list =
        DecodeRules(lookup.segment.table[ref], lookup.segment.format);
    if (!list.ok()) return list.status();
    for (const RecordedRule& rule : *list) {
      absl::StatusOr<int64_t> id = NameId(rule.id);
      if (!id.ok()) return id.status();
      if (std::find(rules.begin(), rules.end(), *id) == rules.end()) rules.push_back(*id);
    }
  }
  return &rules;
}

absl::Status Unfolder::AddToLists(const Segment::Record& record, Lookup& lookup) {
  ListWriter& lists = *statements_->lists;
  const int64_t number = next_number_, time = record.head.micros();
  for (const auto& [field, kind] : {std::pair(Field::kPrincipal, ListKind::kPrincipal),
                                    std::pair(Field::kResource, ListKind::kResource)}) {
    const int64_t id =
        lookup.ids[record.ref(field) * kKeepCount + static_cast<size_t>(Keep::kName)];
    if (absl::Status status = lists.Add(number, time, kind, id); !status.ok()) return status;
  }
  const absl::StatusOr<const std::vector<int64_t>*> rules = RuleIds(record, lookup);
  if (!rules.ok()) return rules.status();
  if (*rules == nullptr) return absl::OkStatus();
  for (const int64_t rule : **rules) {
    absl::Status status = lists.Add(number, time, ListKind::kRule, rule);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Unfolder::Count(const Segment::Record& record, Lookup& lookup, int64_t by) {
  const int64_t hour = HourOf(record.head.seconds);
  const auto reason = static_cast<int64_t>(record.head.reason);
  hours_[{hour, 0, reason}] += by;
  const absl::StatusOr<const std::vector<int64_t>*> rules = RuleIds(record, lookup);
  if (!rules.ok()) return rules.status();
  if (*rules == nullptr) return absl::OkStatus();
  for (const int64_t rule : **rules) hours_[{hour, rule, reason}] += by;
  return absl::OkStatus();
}

absl::Status Unfolder::AddHours() {
  Statement &add = statements_->add_hour, &drop = statements_->drop_hour;
  for (const auto& [key, count] : hours_) {
    for (Statement* statement : {&add, &drop}) {
      statement->Bind(1, std::get<0>(key));
      statement->Bind(2, std::get<1>(key));
      statement->Bind(3, std::get<2>(key));
    }
    add.Bind(4, count);
    if (absl::Status status = add.Finish(); !status.ok()) return status;
    if (count > 0) continue;
    if (absl::Status status = drop.Finish(); !status.ok()) return status;
  }
  return absl::OkStatus();
}

absl::Status Unfolder::Discount(const Segment& segment) {
  Lookup lookup(segment);
  hours_.clear();
  for (const Segment::Record& record : segment.records) {
    if (absl::Status status = Count(record, lookup, -1); !status.ok()) return status;
  }
  return AddHours();
}

absl::Status Unfolder::Unfold(int64_t writer, int64_t first_seq, const Segment& segment) {
  if (absl::Status status = Begin(); !status.ok()) return status;
  Lookup lookup(segment);
  hours_.clear();
  Statement& add = statements_->add_record;
  int64_t seq = first_seq;
  for (const Segment::Record& record : segment.records) {
    const RecordHead& head = record.head;
    add.Bind(1, next_number_);
    add.Bind(2, writer);
    add.Bind(3, seq++);
    add.Bind(4, head.micros());
    add.BindBlob(5, {reinterpret_cast<const char*>(head.id.bytes.data()), head.id.bytes.size()});
    add.Bind(6, static_cast<int64_t>(head.latency));
    add.Bind(7, static_cast<int64_t>(head.level));
    add.Bind(8, static_cast<int64_t>(head.reason));
    add.Bind(9, static_cast<int64_t>(head.assurance));
    add.Bind(10, static_cast<int64_t>(head.flags));
    int at = 11;
    for (Field field : kReferences) {
      if (absl::Status status = BindField(at++, record, field, lookup); !status.ok()) {
        return status;
      }
    }
    if (absl::Status status = BindClauses(at++, record, lookup); !status.ok()) return status;
    if ((head.flags & kTimeFixed) != 0) add.Bind(at, head.fixed_micros());
    if (absl::Status status = add.Finish(); !status.ok()) return status;
    if (absl::Status status = AddToLists(record, lookup); !status.ok()) return status;
    if (absl::Status status = Count(record, lookup, 1); !status.ok()) return status;
    ++next_number_;
  }
  return AddHours();
}

}  // namespace reeve
