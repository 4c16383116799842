#include "reeve/store/record.h"

#include <algorithm>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/request.h"
#include "reeve/engine/rule.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

// What Printable() adds at most is less than what is left up to kMaxTextBytes.
constexpr size_t kMaxEscapedBytes = kMaxTextBytes - 64;

class Flattener {
 public:
  explicit Flattener(FlatRecord* out) : out_(*out) {}

  void Flatten(const AuditRecord& record, AuditLevel level) {
    const Request& request = record.request;
    const Principal& principal = *request.principal;
    const Decision& decision = record.decision;

    out_.bytes.clear();
    out_.head = RecordHead();
    out_.head.id = decision.id();
    out_.head.set_time(decision.time());
    out_.head.latency =
        std::max<int64_t>(0, absl::ToInt64Nanoseconds(record.latency));  // saturates
    out_.head.level = level;
    out_.head.reason = decision.reason();
    out_.head.assurance = principal.assurance;
    if (!principal.groups_complete) out_.head.flags |= kGroupsPartial;
    if (request.time.has_value()) out_.head.flags |= kTimeFixed;

    // In the order of Field.
    Entity(principal.id);
    Text(principal.via);
    Text(principal.host);
    Text(principal.actor);
    Text(principal.evidence);
    const auto& groups = principal.groups;
    List(groups.size(), kNoGroups, [&](size_t i) { Item(groups[i]); });
    Entities(principal.parents, kNoPrincipalParents);
    Map(&principal.attributes, kNoPrincipalAttributes);
    Text(request.action);
    Entity(request.resource);
    Entities(request.resource_parents, kNoResourceParents);
    Map(request.resource_attributes, kNoResourceAttributes);
    Map(request.context, kNoContext);
    Rules(decision.rules());
    Rules(decision.near_misses());
    Rules(decision.shadow_rules());
    Text(decision.message());
    Obligations(decision.rules());
    Text(decision.error());
    Text(decision.policy_digest());
  }

 private:
  static bool IsSafe(std::string_view text) {
    return text.size() <= kMaxTextBytes && !HasControlCharacter(text);
  }

  // The text that stands for one that is not safe. Looks at no more of it than is kept.
  std::string Escape(std::string_view text) {
    out_.head.flags |= kEscaped;
    size_t end = std::min(text.size(), kMaxEscapedBytes);
    // Not through the middle of a character.
    while (end < text.size() && end + 3 > kMaxEscapedBytes && (text[end] & 0xC0) == 0x80) --end;
    const std::string_view kept = text.substr(0, end);
    std::string escaped = Printable(kept, kMaxEscapedBytes);
    if (kept.size() < text.size() && escaped.size() <= kMaxEscapedBytes) escaped += "...";
    return escaped;
  }

  void EndField(size_t begin) {
    out_.sizes[field_++] = static_cast<uint32_t>(out_.bytes.size() - begin);
  }

  void Text(std::string_view text) {
    const size_t begin = out_.bytes.size();
    if (IsSafe(text)) {
      out_.bytes.append(text);
    } else {
      out_.bytes.append(Escape(text));
    }
    EndField(begin);
  }

  void Entity(EntityView entity) {
    const size_t begin = out_.bytes.size();
    if (IsSafe(entity.type) && IsSafe(entity.id) &&
        entity.type.size() + entity.id.size() < kMaxTextBytes) {
      out_.bytes.append(entity.type).append(1, ':').append(entity.id);
    } else {
      std::string text = Escape(entity.type.substr(0, kMaxIdBytes));
      text.append(1, ':').append(Escape(entity.id));
      out_.bytes.append(IsSafe(text) ? text : Escape(text));
    }
    EndField(begin);
  }

  // Writes a list of `size` items, each by `item`, or nothing if it becomes too long.
  template <typename WriteItem>
  void List(size_t size, RecordFlag left_out, const WriteItem& item) {
    const size_t begin = out_.bytes.size();
    bool fits = size <= kMaxListItems;
    if (fits && size > 0) AppendVarint(size, &out_.bytes);
    for (size_t i = 0; fits && i < size; ++i) {
      item(i);
      fits = out_.bytes.size() - begin <= kMaxFieldBytes;
    }
    if (!fits) {
      out_.bytes.resize(begin);
      out_.head.flags |= left_out;
    }
    EndField(begin);
  }

  void Item(std::string_view text) {
    if (IsSafe(text)) {
      AppendVarint(text.size(), &out_.bytes);
      out_.bytes.append(text);
    } else {
      const std::string escaped = Escape(text);
      AppendVarint(escaped.size(), &out_.bytes);
      out_.bytes.append(escaped);
    }
  }

  void EntityItem(EntityView entity) {
    const size_t size = entity.type.size() + 1 + entity.id.size();
    if (size <= kMaxTextBytes && IsSafe(entity.type) && IsSafe(entity.id)) {
      AppendVarint(size, &out_.bytes);
      out_.bytes.append(entity.type).append(1, ':').append(entity.id);
    } else {
      std::string text(entity.type.substr(0, kMaxTextBytes));
      text.append(1, ':').append(entity.id.substr(0, kMaxTextBytes));
      Item(text);
    }
  }

  void Entities(absl::Span<const EntityId> entities, RecordFlag left_out) {
    List(entities.size(), left_out, [&](size_t i) { EntityItem(entities[i]); });
  }

  void Rules(Decision::Rules rules) {
    // A policy set with more rules at once than fit is beyond every limit of the engine.
    List(rules.size(), kEscaped, [&](size_t i) { Item(rules[i]->id); });
  }

  void Obligations(Decision::Rules rules) {
    size_t size = 0;
    for (const RuleOutcome& rule : rules) size += rule->obligations.size();
    size_t at = 0, in_rule = 0;
    List(size, kEscaped, [&](size_t) {
      while (in_rule == rules[at]->obligations.size()) {
        ++at;
        in_rule = 0;
      }
      Item(rules[at]->obligations[in_rule++].id);
    });
  }

  void Map(const Attributes* attributes, RecordFlag left_out) {
    const size_t begin = out_.bytes.size();
    if (attributes != nullptr && !AppendAttributes(*attributes, &out_.bytes)) {
      out_.head.flags |= left_out;
    }
    EndField(begin);
  }

  FlatRecord& out_;
  size_t field_ = 0;
};

}  // namespace

Fields FieldsOf(const std::array<uint32_t, kFieldCount>& sizes, const char* bytes) {
  Fields fields;
  for (size_t i = 0; i < kFieldCount; ++i) {
    fields[i] = {bytes, sizes[i]};
    bytes += sizes[i];
  }
  return fields;
}

void Flatten(const AuditRecord& record, AuditLevel level, FlatRecord* out) {
  Flattener(out).Flatten(record, level);
}

}  // namespace reeve
