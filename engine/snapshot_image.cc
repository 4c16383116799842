// Numbers are varints (encoding.h), texts a length and as many bytes, lists a number of things and
// they. Things are numbered in the order in which they stand here. An image is
//
//   byte        kImageFormat
//   byte        cel::kProgramFormat
//   text        the digest
//   types       each a text
//   nodes       each 0 for a role, else the number of its type plus one; the id or the name
//   actions     each a text
//   patterns    each a byte, 0 for a glob and 1 for a regular expression; the text
//   number      how many of the conditions are clauses of rules: the first ones
//   conditions  each the text; the program (cel/program_encoding.h) as a text
//   entities    each the node, which ascends; the nodes of its parents; its attributes as a text
//   roles       each the name, which ascends; its members, each a byte, the kind, and the text;
//               its clauses, each a number of a condition
//   rules       each the id, which ascends; its principals, its actions, its resources, each 8
//               times a number plus the kind; a byte, 1 to deny, 2 for shadow, 4 for texts and 8
//               times the audit level; its clauses, each a number of a condition; its texts
//
// where the number of a pattern of a rule is that of a node, an action or a pattern, or of a role
// twice its node, or twice the number of a conditional role plus one; texts are the message, and
// of each obligation the id and its parameters, each a name and a text; and such a text is what
// stands in it and its facts, each the offset and the number of a condition.
#include "reeve/engine/snapshot_image.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "engine/compiled_schema.h"
#include "engine/compiled_set.h"
#include "engine/set_words.h"
#include "reeve/engine/cel/program_encoding.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/snapshot.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr uint8_t kImageFormat = 1;

}  // namespace

class CompiledSet::Encoder {
 public:
  Encoder(const CompiledSet& set, std::string* out) : set_(set), out_(*out) {}

  void Encode(const std::vector<Role>& roles) {
    FindConditions();
    EncodeNames();
    EncodePatterns();
    Number(set_.conditions_.size());
    Number(conditions_.size());
    for (const Condition* condition : conditions_) {
      Text(condition->text);
      Text(cel::EncodingOf(*condition->program));
    }
    EncodeEntities();
    EncodeRoles(roles);
    Number(set_.rule_count());
    for (uint32_t i = 0; i < set_.rule_count(); ++i) EncodeRule(i);
  }

 private:
  void Number(uint64_t number) { AppendVarint(number, &out_); }
  void Text(std::string_view text) { AppendSized(text, &out_); }
  void Byte(uint8_t byte) { out_.push_back(static_cast<char>(byte)); }

  // Those of clauses first, as they are numbered.
  void FindConditions() {
    for (const Condition& condition : set_.conditions_) conditions_.push_back(&condition);
    for (const ConditionalRole& role : set_.conditional_roles_) {
      for (const Condition& condition : role.when) FindCondition(condition);
    }
    for (const RuleTexts& texts : set_.texts_) {
      FindFacts(texts.message);
      for (const Obligation& obligation : texts.obligations) {
        for (const auto& [name, text] : obligation.with) FindFacts(text);
      }
    }
  }
  void FindFacts(const TextTemplate& text) {
    for (const TextTemplate::Fact& fact : text.facts) FindCondition(fact.expression);
  }
  void FindCondition(const Condition& condition) {
    const auto number = static_cast<uint32_t>(conditions_.size());
    if (others_.try_emplace(KeyOf(condition), number).second) conditions_.push_back(&condition);
  }
  static std::pair<const cel::Program*, absl::string_view> KeyOf(const Condition& condition) {
    return {condition.program.get(), condition.text};
  }

  void EncodeNames() {
    Number(set_.graph_.type_count());
    for (uint32_t i = 0; i < set_.graph_.type_count(); ++i) Text(set_.graph_.NameOfType(i));
    Number(set_.graph_.size());
    for (EntityGraph::Node node = 0; node < set_.graph_.size(); ++node) {
      Number(set_.graph_.IsRole(node) ? 0 : uint64_t{set_.graph_.TypeOf(node)} + 1);
      Text(set_.graph_.NameOf(node).id);
    }
    Number(set_.actions_.size());
    for (uint32_t i = 0; i < set_.actions_.size(); ++i) Text(set_.actions_.TextOf(i));
  }

  void EncodePatterns() {
    Number(set_.patterns_.size());
    for (uint32_t i = 0; i < set_.patterns_.size(); ++i) {
      Byte(set_.patterns_.kind(i) == Pattern::Kind::kGlob ? kImageGlob : kImageRegex);
      Text(set_.patterns_.text(i));
    }
  }

  void EncodeEntities() {
    Number(set_.attributes_.size());
    for (EntityGraph::Node node = 0; node < set_.graph_.size(); ++node) {
      const Attributes* const attributes = set_.StoredAttributes(node);
      if (attributes == nullptr) continue;
      Number(node);
      // What lies in a role is said by the role.
      std::vector<EntityGraph::Node> parents = set_.graph_.Parents(node);
      parents.erase(std::remove_if(parents.begin(), parents.end(),
                                   [this](EntityGraph::Node n) { return set_.graph_.IsRole(n); }),
                    parents.end());
      Number(parents.size());
      for (const EntityGraph::Node parent : parents) Number(parent);
      std::string encoded;
      AppendAttributes(*attributes, &encoded);  // They are well formed.
      Text(encoded);
    }
  }

  void EncodeRoles(const std::vector<Role>& roles) {
    Number(roles.size());
    for (const Role& role : roles) {
      Text(role.name);
      Number(role.members.size());
      for (const Pattern& member : role.members) {
        Byte(static_cast<uint8_t>(member.kind()));
        Text(member.text());
      }
      const auto conditional =
          std::find_if(set_.conditional_roles_.begin(), set_.conditional_roles_.end(),
                       [&role](const ConditionalRole& one) { return one.name == role.name; });
      if (conditional == set_.conditional_roles_.end()) {
        Number(0);
        continue;
      }
      Number(conditional->when.size());
      for (const Condition& condition : conditional->when) Number(others_.at(KeyOf(condition)));
    }
  }

  void EncodeRule(uint32_t rule) {
    const RuleHead& head = set_.heads_[rule];
    const std::string_view id = set_.id(rule);
    Text(id);
    const size_t lists = head.written + sizeof(uint32_t) + id.size();
    const size_t end =
        rule + 1 < set_.rule_count() ? set_.heads_[rule + 1].written : set_.written_.size();
    out_.append(set_.written_, lists, end - lists);
    Byte(static_cast<uint8_t>((head.deny ? kImageDeny : 0) | (head.shadow ? kImageShadow : 0) |
                              (head.has_text ? kImageTexts : 0) |
                              static_cast<int>(head.audit) << kImageAuditShift));
    Number(head.clause_count);
    for (const Condition* condition : set_.when(rule)) {
      Number(static_cast<uint64_t>(condition - set_.conditions_.data()));
    }
    const RuleTexts* const texts = set_.texts(rule);
    if (texts == nullptr) return;
    EncodeText(texts->message);
    Number(texts->obligations.size());
    for (const Obligation& obligation : texts->obligations) {
      Text(obligation.id);
      Number(obligation.with.size());
      for (const auto& [name, text] : obligation.with) {
        Text(name);
        EncodeText(text);
      }
    }
  }

  void EncodeText(const TextTemplate& text) {
    Text(text.text);
    Number(text.facts.size());
    for (const TextTemplate::Fact& fact : text.facts) {
      Number(fact.at);
      Number(others_.at(KeyOf(fact.expression)));
    }
  }

  const CompiledSet& set_;
  std::string& out_;
  std::vector<const Condition*> conditions_;
  // The numbers of those that are no clauses of rules.
  absl::flat_hash_map<std::pair<const cel::Program*, absl::string_view>, uint32_t> others_;
};

void CompiledSet::Encode(const std::vector<Role>& roles, std::string* out) const {
  Encoder(*this, out).Encode(roles);
}

std::string EncodeSnapshot(const Snapshot& snapshot) {
  std::string image = {static_cast<char>(kImageFormat), static_cast<char>(cel::kProgramFormat)};
  AppendSized(snapshot.digest(), &image);
  std::vector<CompiledSet::Role> roles;
  for (const Snapshot::Role& role : snapshot.roles())
    roles.push_back({role.name, role.members, {}});
  snapshot.compiled().Encode(roles, &image);
  return image;
}

bool CanDecodeSnapshot(std::string_view image) {
  return image.size() >= 2 && static_cast<uint8_t>(image[0]) == kImageFormat &&
         static_cast<uint8_t>(image[1]) == cel::kProgramFormat;
}

absl::StatusOr<std::shared_ptr<const Snapshot>> DecodeSnapshot(std::string_view image,
                                                               std::optional<Schema> schema,
                                                               const SnapshotImageLimits& limits) {
  if (!CanDecodeSnapshot(image)) {
    return absl::DataLossError("the rules are of another version of Reeve");
  }
  ByteReader in(image);
  std::string_view version, digest;
  if (!in.Bytes(2, &version) || !in.Sized(kMaxImageText, &digest)) return in.status();
  if (HasControlCharacter(digest)) return absl::DataLossError("the digest is malformed");
  std::unique_ptr<const CompiledSchema> held_to;
  if (schema.has_value()) {
    auto made = CompiledSchema::Compile(*std::move(schema));
    if (!made.ok()) return made.status();
    held_to = *std::move(made);
  }
  std::vector<CompiledSet::Role> decoded;
  auto compiled = CompiledSet::Decode(image, in, std::move(held_to), limits, &decoded);
  if (!compiled.ok()) return compiled.status();
  std::vector<Snapshot::Role> roles;
  for (CompiledSet::Role& role : decoded) {
    roles.push_back({std::move(role.name), std::move(role.members)});
  }
  return std::shared_ptr<const Snapshot>(
      new Snapshot(std::string(digest), std::move(roles), *std::move(compiled)));
}

}  // namespace reeve
