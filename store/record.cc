#include "reeve/store/record.h"

#include <algorithm>
#include <cstring>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/entity_provider.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/request.h"
#include "reeve/engine/rule.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

// What Printable() adds at most is less than what is left up to kMaxTextBytes.
constexpr size_t kMaxEscapedBytes = kMaxTextBytes - 64;

constexpr uint64_t kEach = 0x0101010101010101;

template <typename Word>
uint64_t Load(const char* from) {
  Word word;
  std::memcpy(&word, from, sizeof word);
  return word;
}

// Has a high bit set if one of the eight bytes is not printable ASCII.
uint64_t OddBytes(uint64_t word) { return word | (word + kEach) | (word - 0x20 * kEach); }

// Whether all of `text` is printable ASCII, as most is: words that overlap leave no rest.
bool IsPlain(std::string_view text) {
  const char* const first = text.data();
  const size_t size = text.size();
  uint64_t odd = 0;
  if (size >= 8) {
    for (size_t at = 0; at + 8 < size; at += 8) odd |= OddBytes(Load<uint64_t>(first + at));
    odd |= OddBytes(Load<uint64_t>(first + size - 8));
  } else if (size >= 4) {
    odd = OddBytes(Load<uint32_t>(first) | Load<uint32_t>(first + size - 4) << 32);
  } else if (size > 0) {
    const auto byte = [&](size_t at) { return Load<uint8_t>(first + at); };
    odd = OddBytes(byte(0) | byte(size / 2) << 8 | byte(size - 1) << 16 | 0x2020202020 << 24);
  }
  return (odd & 0x80 * kEach) == 0;
}

// Has the cache get `size` bytes, which will be read.
void Fetch(const void* from, size_t size) {
  constexpr size_t kLine = 64;
  for (size_t at = 0; at < size; at += kLine) {
    __builtin_prefetch(static_cast<const char*>(from) + at);
  }
}

class Flattener {
 public:
  // `mask` is null if nothing is masked.
  Flattener(RecordMask* mask, FlatRecord* out) : mask_(mask), out_(*out) {}

  void Flatten(const AuditRecord& record, AuditLevel level) {
    const Request& request = record.request;
    const Principal& principal = *request.principal;
    const Decision& decision = record.decision;

    // What may be far away comes while what is near is written.
    Fetch(&decision, sizeof decision);
    Fetch(&principal, sizeof principal);
    Fetch(request.resource.id.data(), 1);
    Fetch(principal.id.id.data(), 1);
    Fetch(principal.groups.data(), 1);
    Fetch(principal.evidence.data(), 1);

    out_.bytes.clear();
    out_.head = RecordHead();
    out_.head.id = decision.id();
    out_.head.set_time(decision.clock_time());
    out_.head.latency =
        std::max<int64_t>(0, absl::ToInt64Nanoseconds(record.latency));  // saturates
    out_.head.level = level;
    out_.head.reason = decision.reason();
    out_.head.assurance = principal.assurance;
    const auto is_partial = [](const ProvidedEntity* told) {
      return told != nullptr && !told->complete;
    };
    if (!principal.groups_complete || is_partial(request.provided_principal)) {
      out_.head.flags |= kGroupsPartial;
    }
    if (is_partial(request.provided_principal)) out_.head.flags |= kPrincipalPartial;
    if (is_partial(request.provided_resource)) out_.head.flags |= kResourcePartial;
    if (request.time.has_value()) out_.head.set_fixed_time(*request.time);

    // In the order of Field.
    Entity(Masked(MaskedPart::kPrincipalId, EntityView(principal.id)));
    Text(principal.via);
    Text(Masked(MaskedPart::kHost, principal.host));
    Actor(principal.actor);
    Text(Masked(MaskedPart::kEvidence, principal.evidence));
    const auto& groups = principal.groups;
    List(Items(MaskedPart::kGroups, groups.size()), kNoGroups,
         [&](size_t i) { Item(Masked(MaskedPart::kGroups, groups[i])); });
    Entities(MaskedPart::kPrincipalParents, principal.parents, request.provided_principal,
             kNoPrincipalParents);
    Map(MaskedPart::kPrincipalAttributes, &principal.attributes, request.provided_principal,
        kNoPrincipalAttributes);
    Text(Masked(MaskedPart::kAction, request.action));
    Entity(Masked(MaskedPart::kResourceId, request.resource));
    Entities(MaskedPart::kResourceParents, request.resource_parents, request.provided_resource,
             kNoResourceParents);
    Map(MaskedPart::kResourceAttributes, request.resource_attributes, request.provided_resource,
        kNoResourceAttributes);
    Map(MaskedPart::kContext, request.context, nullptr, kNoContext);
    Rules(decision.rules());
    Rules(decision.near_misses());
    ShadowRules(decision);
    Made(MaskedPart::kMessage, decision.message(), decision.message_has_facts());
    Obligations(decision);
    Made(MaskedPart::kError, decision.error(),
         decision.error_has_facts() || !request.defect.empty());
    Text(decision.policy_digest());
    Done();
  }

 private:
  // What stands for `text`, until the next call.
  std::string_view Masked(MaskedPart part, std::string_view text) {
    return mask_ == nullptr ? text : mask_->Text(part, text);
  }

  EntityView Masked(MaskedPart part, EntityView entity) {
    return {entity.type, Masked(part, entity.id)};
  }

  // How many items stand for `size`.
  size_t Items(MaskedPart part, size_t size) {
    return mask_ == nullptr ? size : mask_->Items(part, size);
  }

  static bool IsSafe(std::string_view text) {
    return text.size() <= kMaxTextBytes && (IsPlain(text) || !HasControlCharacter(text));
  }

  // What is kept of a text that may be too long: not through the middle of a character.
  static std::string_view Beginning(std::string_view text) {
    size_t end = std::min(text.size(), kMaxEscapedBytes);
    while (end < text.size() && end + 3 > kMaxEscapedBytes && (text[end] & 0xC0) == 0x80) --end;
    return text.substr(0, end);
  }

  // The text that stands for one that is not safe. Looks at no more of it than is kept.
  std::string Escape(std::string_view text) {
    out_.head.flags |= kEscaped;
    const std::string_view kept = Beginning(text);
    std::string escaped = Printable(kept, kMaxEscapedBytes);
    if (kept.size() < text.size() && escaped.size() <= kMaxEscapedBytes) escaped += "...";
    return escaped;
  }

  void EndField(size_t begin) {
    out_.sizes[field_++] = static_cast<uint32_t>(out_.bytes.size() - begin);
  }

  void Text(std::string_view text) {
    if (text.empty()) return EndField(out_.bytes.size());
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

  // `type:id`, of which the id is masked.
  void Actor(std::string_view actor) {
    const size_t colon = actor.find(':');
    if (mask_ == nullptr || colon == std::string_view::npos) {
      return Text(Masked(MaskedPart::kActor, actor));
    }
    const std::string_view id = Masked(MaskedPart::kActor, actor.substr(colon + 1));
    if (id.empty()) return Text({});
    Entity({actor.substr(0, colon), id});
  }

  // A text of the answer. With facts in it, it may tell what is masked.
  void Made(MaskedPart part, std::string_view text, bool has_facts) {
    if (mask_ != nullptr && mask_->active() && has_facts && !text.empty()) {
      mask_->Remove(part);
      text = {};
    }
    Text(Masked(part, text));
  }

  void Obligations(const Decision& decision) {
    const auto obligations = decision.obligations();
    List(Items(MaskedPart::kObligations, obligations.size()), kEscaped, [&](size_t i) {
      if (mask_ == nullptr || !mask_->active() || !obligations[i].has_facts()) {
        return Item(obligations[i].ToString());
      }
      mask_->Remove(MaskedPart::kObligations);
      Item(obligations[i].id());
    });
  }

  // What was masked, and how.
  void Done() {
    const size_t begin = out_.bytes.size();
    if (mask_ != nullptr) mask_->AppendDone(&out_.bytes);
    if (out_.bytes.size() > begin) out_.head.flags |= kMasked;
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
      AppendSized(text, &out_.bytes);
    } else {
      AppendSized(Escape(text), &out_.bytes);
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

  // Those of the request, then those that a provider told.
  void Entities(MaskedPart part, absl::Span<const EntityId> entities,
                const ProvidedEntity* provided, RecordFlag left_out) {
    const auto more = provided == nullptr ? absl::Span<const EntityId>() : provided->parents;
    List(Items(part, entities.size() + more.size()), left_out, [&](size_t i) {
      const EntityView entity = i < entities.size() ? entities[i] : more[i - entities.size()];
      EntityItem(Masked(part, entity));
    });
  }

  // What is kept so far of the clauses of one field.
  struct Kept {
    size_t clauses = 0;
    size_t text_bytes = 0;
  };

  void Rules(Decision::Rules rules) {
    // A policy set with more rules at once than fit is beyond every limit of the engine.
    Kept kept;
    List(rules.size(), kEscaped, [&](size_t i) { RuleItem("", rules[i], &kept); });
  }

  // Those of the live set, then what a shadow set would have answered, and by which rules: items
  // that begin with `@`, which no rule does.
  void ShadowRules(const Decision& decision) {
    const Decision::Rules rules = decision.shadow_rules();
    const Decision* const shadow = decision.shadow();
    if (shadow == nullptr) return Rules(rules);
    Kept kept;
    List(rules.size() + 1 + shadow->rules().size(), kEscaped, [&](size_t i) {
      if (i < rules.size()) return RuleItem("", rules[i], &kept);
      if (i > rules.size()) return RuleItem("@", shadow->rules()[i - rules.size() - 1], &kept);
      std::string answer(shadow->allowed() ? "@allow " : "@deny ");
      answer.append(ToString(shadow->reason())).append(" ").append(shadow->policy_digest());
      Item(answer);
      AppendVarint(0, &out_.bytes);
    });
  }

  void RuleItem(const char* before, const RuleOutcome& rule, Kept* kept) {
    if (*before == '\0') {
      Item(rule.id());
    } else {
      Item(before + std::string(rule.id()));
    }
    size_t count = std::min(rule.when().size(), kMaxClauses);
    if (kept->clauses + count > kMaxKeptClauses) {
      out_.head.flags |= kEscaped;
      count = 0;
    }
    kept->clauses += count;
    AppendVarint(count, &out_.bytes);
    for (size_t c = 0; c < count; ++c) {
      Clause(rule.clauses[c], rule.when()[c]->text, &kept->text_bytes);
    }
  }

  // The text stands as it was written, over several lines if it was. It is cut if it is too long
  // itself, and left out if those of the field, `text_bytes` so far, would be.
  void Clause(ClauseOutcome outcome, std::string_view text, size_t* text_bytes) {
    std::string changed;
    const std::string_view kept = text.size() <= kMaxTextBytes ? text : Beginning(text);
    if (*text_bytes + kept.size() > kMaxClauseTextBytes) {
      out_.head.flags |= kEscaped;
      text = {};
    } else if (!IsValidUtf8(kept)) {
      changed = Escape(text);
      text = changed;
    } else if (kept.size() < text.size()) {
      out_.head.flags |= kEscaped;
      changed = std::string(kept) + "...";
      text = changed;
    }
    // What was changed may be longer than it was.
    if (*text_bytes + text.size() > kMaxClauseTextBytes) text = {};
    *text_bytes += text.size();
    AppendClause({outcome, text}, &out_.bytes);
  }

  // Those of the request, and those that a provider told and they do not overlay.
  void Map(MaskedPart part, const Attributes* attributes, const ProvidedEntity* provided,
           RecordFlag left_out) {
    const size_t begin = out_.bytes.size();
    Attributes all;
    if (provided != nullptr && provided->attributes != nullptr) {
      all = *provided->attributes;
      if (attributes != nullptr) {
        for (const auto& [name, value] : *attributes) all.Set(name, value);
      }
      attributes = &all;
    }
    if (attributes != nullptr &&
        !(mask_ == nullptr ? AppendAttributes(*attributes, &out_.bytes)
                           : mask_->AppendMap(part, *attributes, &out_.bytes))) {
      out_.head.flags |= left_out;
    }
    EndField(begin);
  }

  RecordMask* const mask_;
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

void Flatten(const AuditRecord& record, AuditLevel level, const MaskSet& masks, FlatRecord* out) {
  if (masks.empty()) return Flattener(nullptr, out).Flatten(record, level);
  RecordMask mask(masks, record.decision);
  Flattener(&mask, out).Flatten(record, level);
}

}  // namespace reeve
