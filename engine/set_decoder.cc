// CompiledSet::Compiler of what CompiledSet::Encode() wrote: snapshot_image.cc says which byte is
// what. The bytes may be anyone's, so that each number is checked before it is used.
#include <algorithm>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/base/attributes.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/set_compiler.h"
#include "engine/set_words.h"
#include "reeve/engine/cel/program_encoding.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/request.h"
#include "reeve/engine/text.h"

namespace reeve {

// One thread at a time.
class CompiledSet::Compiler::Decoder {
 public:
  // `in` has taken from `image` what is before the types.
  Decoder(Compiler* compiler, const SnapshotImageLimits& limits, std::string_view image,
          const ByteReader& in)
      : compiler_(*compiler), set_(compiler->set_), limits_(limits), image_(image), in_(in) {}

  absl::Status Decode(std::vector<Role>* roles) {
    const bool decoded = DecodeTypes() && DecodeNodes() && DecodeActions() && DecodePatterns() &&
                         DecodeConditions() && DecodeEntities() && DecodeRoles(roles) &&
                         DecodeRules() && in_.End();
    if (decoded) return absl::OkStatus();
    return status_.ok() ? in_.status() : status_;
  }

 private:
  // Whom the patterns of a list are about.
  enum class List { kPrincipals, kActions, kResources };

  // What is known of a condition.
  struct Known {
    std::string_view encoding;  // Of its program.
    bool binds = false;         // It reads names that patterns bind,
    bool reads_roles = false;   // and `principal.roles`. If neither,
    uint32_t clause = kNone;    // its number in the clause set, once it has one.
  };
  static constexpr uint32_t kNone = UINT32_MAX;
  static constexpr size_t kUsualWords = 12;  // Of a rule.

  bool Fail(absl::Status status) {
    status_ = std::move(status);
    return false;
  }
  // A number of things, of which each takes at least a byte.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool Count(size_t* count) {
    uint64_t number;
    if (!in_.Number(in_.rest(), &number)) return false;
    *count = number;
    return true;
  }
  // Of a list whose length an author chooses.
  ABSL_ATTRIBUTE_ALWAYS_INLINE bool CountOfList(size_t* count) {
    return Count(count) && (*count <= limits_.max_list || FailAsTooLong());
  }
  ABSL_ATTRIBUTE_NOINLINE bool FailAsTooLong() {
    return Fail(absl::ResourceExhaustedError(
        absl::StrCat("a list has more than ", limits_.max_list, " items")));
  }
  // Of something that there is.
  bool Index(size_t size, uint32_t* index) {
    uint64_t number;
    if (!in_.Varint(&number)) return false;
    if (number >= size) return in_.Fail("a number of what is not there");
    *index = static_cast<uint32_t>(number);
    return true;
  }
  // As it can come from a file: with no control character but tab and line feed.
  bool Text(std::string_view* text) {
    if (!in_.Sized(kMaxImageText, text)) return false;
    return !HasControlCharacter(*text) || IsTextOfLines(*text) || in_.Fail("a text is malformed");
  }
  static bool IsTextOfLines(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
      char32_t character;
      const size_t length = DecodeUtf8(text.substr(at), &character);
      const bool ends_line_or_word = character == '\t' || character == '\n';
      if (length == 0 || (IsControl(character) && !ends_line_or_word)) return false;
      at += length;
    }
    return true;
  }
  bool Name(std::string_view* name) {
    if (!in_.Sized(kMaxImageText, name)) return false;
    return (!name->empty() && !HasControlCharacter(*name)) || in_.Fail("a name is malformed");
  }
  // Adds to those of one kind.
  bool CountSteps(uint64_t steps, uint64_t* sum) {
    *sum += steps;
    return *sum <= limits_.max_regex_steps ||
           in_.Fail("the regular expressions are too large together");
  }

  // Whether a pattern can name it: an entity may have wildcards in its id, where they are none.
  static bool CanBeLiteral(std::string_view text) {
    return text.find_first_of("*{}") == std::string_view::npos;
  }

  bool DecodeTypes() {
    size_t count;
    if (!Count(&count)) return false;
    for (size_t i = 0; i < count; ++i) {
      std::string_view type;
      if (!in_.Sized(kMaxImageText, &type)) return false;
      if (!DefectOf(EntityView{type, "x"}).empty()) return in_.Fail("a type is malformed");
      if (set_.schema_ != nullptr && !set_.schema_->IsDeclared(type)) {
        return in_.Fail("a type that is not declared");
      }
      if (set_.graph_.AddType(type) != i) return in_.Fail("a type is there twice");
    }
    return true;
  }

  bool DecodeNodes() {
    size_t count;
    if (!Count(&count)) return false;
    set_.graph_.Reserve(count);
    for (size_t i = 0; i < count; ++i) {
      uint32_t type = 0;
      std::string_view id;
      EntityGraph::Node node;
      if (!Index(set_.graph_.type_count() + 1, &type)) return false;
      if (type == 0) {
        if (!Name(&id)) return false;
        node = set_.graph_.AddRole(id);
        ++role_nodes_;
      } else {
        if (!in_.Sized(kMaxImageText, &id)) return false;
        if (!DefectOfId(id).empty()) return in_.Fail("an id is malformed");
        node = set_.graph_.Add(type - 1, id);
      }
      if (node != i) return in_.Fail("an entity or a role is there twice");
      nodes_that_patterns_name_.push_back(type != 0 && CanBeLiteral(id));
    }
    nodes_ = count;
    return true;
  }

  bool DecodeActions() {
    size_t count;
    if (!Count(&count)) return false;
    set_.actions_.Reserve(count);
    for (size_t i = 0; i < count; ++i) {
      std::string_view action;
      if (!in_.Sized(kMaxImageText, &action)) return false;
      if (!DefectOfAction(action).empty()) return in_.Fail("an action is malformed");
      if (set_.schema_ != nullptr && !set_.schema_->IsDeclaredAction(action)) {
        return in_.Fail("an action that is not declared");
      }
      if (!CanBeLiteral(action)) return in_.Fail("an action with wildcards");
      if (set_.actions_.Add(0, action) != i) return in_.Fail("an action is there twice");
    }
    return true;
  }

  bool DecodePatterns() {
    size_t count;
    if (!Count(&count)) return false;
    set_.patterns_.Reserve(count);
    names_entities_.reserve(count);
    for (size_t i = 0; i < count; ++i) {
      uint64_t kind;
      if (!in_.Number(kImageRegex, &kind)) return false;
      if (!(kind == kImageRegex ? DecodeRegex() : DecodeGlob())) return false;
    }
    return true;
  }

  bool DecodeRegex() {
    std::string_view text;
    if (!Text(&text)) return false;
    const absl::StatusOr<Pattern> pattern = Pattern::Regex(text);
    if (!pattern.ok()) return Fail(pattern.status());
    if (!CountSteps(pattern->regex_size(), &steps_)) return false;
    set_.patterns_.Add(*pattern);
    names_entities_.push_back(true);
    return true;
  }

  bool DecodeGlob() {
    std::string_view text;
    // That it is text is for CheckEntity() and CheckAction() to see.
    if (!in_.Sized(kMaxImageText, &text)) return false;
    Glob::Token tokens[Glob::kMaxTokens];
    const absl::StatusOr<GlobView> glob = GlobView::Parse(text, tokens);
    if (!glob.ok()) return Fail(glob.status());
    const bool names_entities = Pattern::CheckEntity(*glob).ok();
    if (!names_entities) {
      if (absl::Status status = Pattern::CheckAction(*glob); !status.ok()) {
        return Fail(std::move(status));
      }
    }
    if (glob->IsLiteral()) return in_.Fail("a pattern without wildcards");
    names_entities_.push_back(names_entities && IsDeclared(text.substr(0, text.find(':'))));
    set_.patterns_.Add(*glob);
    return true;
  }

  bool IsDeclared(std::string_view type) const {
    return set_.schema_ == nullptr || set_.schema_->IsDeclared(type);
  }

  bool DecodeConditions() {
    size_t kept;
    size_t count;
    if (!Count(&kept) || !Count(&count)) return false;
    if (kept > count) return in_.Fail("more clauses than conditions");
    set_.conditions_.reserve(kept);
    known_.reserve(count);
    cel::ProgramDecoder decoder;
    const cel::ProgramShape* shape = nullptr;  // Of the one before: that of most is the same.
    bool reads_roles = false;
    for (size_t i = 0; i < count; ++i) {
      std::string_view text;
      Known known;
      if (!Text(&text) || !in_.Sized(kMaxImageText, &known.encoding)) return false;
      ByteReader bytes(known.encoding);
      auto program = decoder.Decode(&bytes);
      if (!program.ok()) return Fail(std::move(program).status());
      if (!bytes.End()) return Fail(bytes.status());
      for (const cel::CompiledRegex& regex : (*program)->regexes()) {
        if (!CountSteps(regex.regex->steps(), &steps_)) return false;
      }
      Condition condition = {std::string(text), *std::move(program)};
      if (shape != &condition.program->shape()) {
        shape = &condition.program->shape();
        reads_roles = ReadsRoles(condition);
      }
      known.binds = shape->reads_others();
      known.reads_roles = reads_roles;
      known_.push_back(known);
      (i < kept ? set_.conditions_ : others_).push_back(std::move(condition));
    }
    return true;
  }

  static bool IsUsual(std::string_view variable) {
    return std::find(std::begin(cel::kUsualVariables), std::end(cel::kUsualVariables), variable) !=
           std::end(cel::kUsualVariables);
  }

  const Condition& ConditionAt(uint32_t number) const {
    const size_t kept = set_.conditions_.size();
    return number < kept ? set_.conditions_[number] : others_[number - kept];
  }

  bool DecodeEntityNode(EntityGraph::Node* node) {
    if (!Index(nodes_, node)) return false;
    return !set_.graph_.IsRole(*node) || in_.Fail("a role where an entity is meant");
  }

  bool DecodeEntities() {
    size_t count;
    if (!Count(&count)) return false;
    if (count > limits_.max_entities) {
      return Fail(absl::ResourceExhaustedError(
          absl::StrCat("the set has more than ", limits_.max_entities, " entities")));
    }
    set_.attributes_.reserve(count);
    EntityGraph::Node before = 0;
    for (size_t i = 0; i < count; ++i) {
      Entity entity;
      EntityGraph::Node node = 0;
      size_t parents;
      std::string_view encoded;
      if (!DecodeEntityNode(&node)) return false;
      if (i > 0 && node <= before) return in_.Fail("entities are out of order");
      before = node;
      if (!CountOfList(&parents)) return false;
      for (; parents > 0; --parents) {
        EntityGraph::Node parent = 0;
        if (!DecodeEntityNode(&parent)) return false;
        set_.graph_.AddParent(node, parent);
        if (set_.schema_ != nullptr) entity.parents.emplace_back(set_.graph_.NameOf(parent));
      }
      if (!in_.Sized(kMaxAttributesBytes, &encoded)) return false;
      auto attributes = DecodeAttributes(encoded);
      if (!attributes.ok()) return Fail(std::move(attributes).status());
      entity.attributes = *std::move(attributes);
      if (!DefectOf(entity.attributes).empty()) return in_.Fail("attributes are malformed");
      if (set_.schema_ != nullptr) {
        entity.id = EntityId(set_.graph_.NameOf(node));
        if (!set_.schema_->DefectOf(entity).empty()) return in_.Fail("an entity does not fit");
      }
      compiler_.KeepAttributes(node, std::move(entity.attributes));  // Each once: they ascend.
    }
    return true;
  }

  bool DecodeRoles(std::vector<Role>* roles) {
    size_t count;
    if (!Count(&count)) return false;
    bool has_patterns = false;
    for (size_t i = 0; i < count; ++i) {
      Role role;
      std::string_view name;
      size_t members;
      size_t clauses;
      if (!Name(&name)) return false;
      role.name = name;
      if (i > 0 && role.name <= roles->back().name) return in_.Fail("roles are out of order");
      if (!CountOfList(&members)) return false;
      for (; members > 0; --members) {
        uint8_t kind;
        std::string_view text;
        if (!in_.Byte(&kind) || !Text(&text)) return false;
        absl::StatusOr<Pattern> member = MemberOf(kind, text);
        if (!member.ok()) return Fail(std::move(member).status());
        if (static_cast<uint8_t>(member->kind()) != kind) {
          return in_.Fail("a member of another kind");
        }
        if (member->kind() == Pattern::Kind::kRegex &&
            !CountSteps(member->regex_size(), &steps_of_members_)) {
          return false;
        }
        has_patterns |= kind == static_cast<uint8_t>(Pattern::Kind::kGlob) ||
                        kind == static_cast<uint8_t>(Pattern::Kind::kRegex);
        role.members.push_back(*std::move(member));
      }
      if (!Count(&clauses)) return false;
      for (; clauses > 0; --clauses) {
        uint32_t number = 0;
        if (!Index(known_.size(), &number)) return false;
        if (known_[number].binds) return in_.Fail("a name that no pattern binds");
        role.when.push_back(ConditionAt(number));
      }
      roles->push_back(std::move(role));
    }
    if (has_patterns) {
      for (uint32_t i = 0; i < set_.patterns_.size(); ++i) {
        compiler_.patterns_.try_emplace(KeyOf(set_.patterns_.kind(i), set_.patterns_.text(i)), i);
      }
      if (compiler_.patterns_.size() != set_.patterns_.size()) {
        return in_.Fail("a pattern is there twice");
      }
    }
    if (absl::Status status = compiler_.AddRoles(*roles); !status.ok()) return Fail(status);
    const auto named =
        std::count_if(compiler_.roles_.begin(), compiler_.roles_.end(),
                      [](const auto& role) { return role.second.node != EntityGraph::kNone; });
    // A rule must not name the node of a role that is none.
    const bool known =
        set_.graph_.size() == nodes_ && set_.patterns_.size() == names_entities_.size();
    return (known && static_cast<size_t>(named) == role_nodes_) ||
           in_.Fail("roles are not those that are named");
  }

  static absl::StatusOr<Pattern> MemberOf(uint8_t kind, std::string_view text) {
    switch (static_cast<Pattern::Kind>(kind)) {
      case Pattern::Kind::kAny:
        return Pattern::Any();
      case Pattern::Kind::kAuthenticated:
        return Pattern::Authenticated();
      case Pattern::Kind::kLiteral:
      case Pattern::Kind::kGlob:
        return Pattern::Entity(text);
      case Pattern::Kind::kRegex:
        return Pattern::Regex(text);
      case Pattern::Kind::kRole:
        return Pattern::Role(std::string(text));
    }
    return absl::DataLossError("a pattern of an unknown kind");
  }

  bool DecodeRules() {
    size_t count;
    if (!Count(&count)) return false;
    if (count > limits_.max_rules) {
      return Fail(absl::ResourceExhaustedError(
          absl::StrCat("the set has more than ", limits_.max_rules, " rules")));
    }
    set_.heads_.reserve(count);
    set_.written_.reserve(in_.rest());
    set_.words_.reserve(set_.words_.size() + kUsualWords * count);
    set_.clauses_.Reserve(set_.conditions_.size());
    set_.prefixes_.Reserve(set_.patterns_.size());
    for (size_t i = 0; i < count; ++i) {
      if (!DecodeRule()) return false;
    }
    return true;
  }

  bool DecodeRule() {
    std::string_view id;
    if (!Name(&id)) return false;
    if (!set_.heads_.empty() && id <= last_id_) return in_.Fail("rules are out of order");
    last_id_ = id;
    rule_.head = RuleHead();
    if (absl::Status status = compiler_.BeginRule(id, &rule_.head); !status.ok()) {
      return Fail(std::move(status));
    }
    const size_t begin = image_.size() - in_.rest();
    if (!DecodeList(List::kPrincipals, &rule_.principals) ||
        !DecodeList(List::kActions, &rule_.actions) ||
        !DecodeList(List::kResources, &rule_.resources)) {
      return false;
    }
    set_.written_.append(image_.substr(begin, image_.size() - in_.rest() - begin));
    uint8_t flags;
    size_t clauses;
    if (!in_.Byte(&flags) || !Count(&clauses)) return false;
    if (flags >> kImageAuditShift > static_cast<uint8_t>(AuditLevel::kDurable)) {
      return in_.Fail("an audit level that does not exist");
    }
    rule_.head.deny = (flags & kImageDeny) != 0;
    rule_.head.shadow = (flags & kImageShadow) != 0;
    rule_.head.audit = static_cast<AuditLevel>(flags >> kImageAuditShift);
    if (clauses > kMaxClauses) return in_.Fail("a rule has too many clauses");
    rule_.conditions.clear();
    facts_.clear();
    for (; clauses > 0; --clauses) {
      uint32_t number = 0;
      if (!Index(set_.conditions_.size(), &number)) return false;
      rule_.conditions.push_back(number);
    }
    RuleTexts texts;
    if ((flags & kImageTexts) != 0 && !DecodeTexts(&texts)) return false;
    return NumberConditions(id) && (compiler_.EndRule(rule_, &texts), true);
  }

  bool DecodeList(List list, Listed* listed) {
    listed->any = listed->authenticated = listed->binds = false;
    listed->literals.clear();
    listed->patterns.clear();
    listed->roles.clear();
    size_t count;
    if (!CountOfList(&count)) return false;
    if (count == 0) return in_.Fail("an empty list of patterns");
    for (; count > 0; --count) {
      uint64_t item;
      if (!in_.Varint(&item)) return false;
      const auto kind = static_cast<Pattern::Kind>(item & ((1 << kKindBits) - 1));
      if (!DecodePattern(list, kind, item >> kKindBits, listed)) {
        return in_.Fail("a pattern of a rule that is none");
      }
    }
    if (listed->literals.size() > 1) Sort(&listed->literals);
    return true;
  }

  ABSL_ATTRIBUTE_ALWAYS_INLINE bool DecodePattern(List list, Pattern::Kind kind, uint64_t number,
                                                  Listed* listed) {
    const auto index = static_cast<uint32_t>(number);
    switch (kind) {
      case Pattern::Kind::kAny:
        listed->any = true;
        return number == 0;
      case Pattern::Kind::kAuthenticated:
        listed->authenticated = true;
        return number == 0 && list == List::kPrincipals;
      case Pattern::Kind::kLiteral:
        listed->literals.push_back(index);
        if (list == List::kActions) return number < set_.actions_.size();
        return number < nodes_ && nodes_that_patterns_name_[index];
      case Pattern::Kind::kGlob:
        if (number >= set_.patterns_.size() || set_.patterns_.kind(index) != kind) return false;
        listed->patterns.push_back(index);
        listed->binds |= set_.patterns_.Binds(index);
        return list == List::kActions || names_entities_[index];
      case Pattern::Kind::kRegex:
        if (number >= set_.patterns_.size() || set_.patterns_.kind(index) != kind) return false;
        listed->patterns.push_back(index);
        return list != List::kActions;
      case Pattern::Kind::kRole: {
        if (list != List::kPrincipals) return false;
        const uint64_t role = number >> 1;
        if ((number & 1) != 0) {
          listed->roles.push_back(static_cast<uint32_t>(role));
          return role < set_.conditional_roles_.size();
        }
        listed->literals.push_back(static_cast<uint32_t>(role));
        return role < nodes_ && set_.graph_.IsRole(static_cast<uint32_t>(role));
      }
    }
    return false;
  }

  bool DecodeTexts(RuleTexts* texts) {
    size_t obligations;
    if (!DecodeText(&texts->message) || !Count(&obligations)) return false;
    for (; obligations > 0; --obligations) {
      Obligation& obligation = texts->obligations.emplace_back();
      std::string_view id;
      size_t parameters;
      if (!Name(&id) || !Count(&parameters)) return false;
      obligation.id = id;
      std::vector<std::string_view> names;
      for (; parameters > 0; --parameters) {
        auto& [name, text] = obligation.with.emplace_back();
        std::string_view given;
        if (!Name(&given) || !DecodeText(&text)) return false;
        name = given;
        names.push_back(given);
      }
      std::sort(names.begin(), names.end());
      if (std::adjacent_find(names.begin(), names.end()) != names.end()) {
        return in_.Fail("a parameter is there twice");
      }
    }
    return !texts->message.empty() || !texts->obligations.empty() ||
           in_.Fail("texts that say nothing");
  }

  bool DecodeText(TextTemplate* text) {
    std::string_view without_facts;
    size_t facts;
    if (!Text(&without_facts) || !Count(&facts)) return false;
    text->text = without_facts;
    size_t before = 0;
    for (; facts > 0; --facts) {
      uint32_t at = 0;
      uint32_t number = 0;
      if (!Index(without_facts.size() + 1, &at) || !Index(known_.size(), &number)) return false;
      const bool in_character = at < without_facts.size() &&
                                (static_cast<unsigned char>(without_facts[at]) & 0xC0) == 0x80;
      if (at < before || in_character) return in_.Fail("a fact stands where none can");
      before = at;
      text->facts.push_back({at, ConditionAt(number)});
      facts_.push_back(number);
    }
    return true;
  }

  // Of the rule that was decoded.
  bool NumberConditions(std::string_view id) {
    rule_.clauses.clear();
    rule_.bindings.clear();
    rule_.facts.clear();
    std::vector<std::string_view> bindings;
    bool reads_roles = false;
    for (const auto* numbers : {&facts_, &rule_.conditions}) {
      for (const uint32_t number : *numbers) {
        reads_roles |= known_[number].reads_roles;
        if (known_[number].binds && !AddBindings(*ConditionAt(number).program, &bindings)) {
          return in_.Fail("a name that no pattern binds");
        }
      }
    }
    const uint32_t policy =
        reads_roles ? compiler_.PolicyThatReadsRoles(id) : ClauseSet::kReadsNoRoles;
    for (const uint32_t number : rule_.conditions) {
      rule_.clauses.push_back(NumberOf(number, bindings, policy));
    }
    for (const uint32_t number : facts_) {
      rule_.facts.push_back(NumberOf(number, bindings, policy));
    }
    for (const std::string_view name : bindings) {
      rule_.bindings.push_back(compiler_.NumberOfBinding(name));
    }
    return true;
  }

  // Those that it reads, each once. False if the patterns of the rule do not bind one.
  bool AddBindings(const cel::Program& program, std::vector<std::string_view>* bindings) const {
    for (uint32_t n = 0; n < program.variable_count(); ++n) {
      const std::string_view name = program.variable(n);
      if (IsUsual(name)) continue;
      if (!Binds(rule_.principals, name) && !Binds(rule_.resources, name)) return false;
      if (std::find(bindings->begin(), bindings->end(), name) == bindings->end()) {
        bindings->push_back(name);
      }
    }
    return true;
  }
  bool Binds(const Listed& listed, std::string_view name) const {
    return listed.binds &&
           std::any_of(listed.patterns.begin(), listed.patterns.end(),
                       [this, name](uint32_t number) {
                         return set_.patterns_.kind(number) == Pattern::Kind::kGlob &&
                                set_.patterns_.glob(number).Binds(name);
                       });
  }

  uint32_t NumberOf(uint32_t condition, const std::vector<std::string_view>& bindings,
                    uint32_t policy) {
    Known& known = known_[condition];
    if (known.clause != kNone) {
      set_.clauses_.AddAgain(known.clause);
      return known.clause;
    }
    const uint32_t clause =
        set_.clauses_.Add(ConditionAt(condition), bindings, policy, known.encoding);
    if (!known.binds && !known.reads_roles) known.clause = clause;
    return clause;
  }

  Compiler& compiler_;
  CompiledSet& set_;
  const SnapshotImageLimits limits_;
  const std::string_view image_;
  ByteReader in_;
  absl::Status status_;
  uint64_t steps_ = 0;             // Of patterns and conditions;
  uint64_t steps_of_members_ = 0;  // those of roles are among the patterns, too.
  size_t nodes_ = 0;
  size_t role_nodes_ = 0;
  std::vector<bool> nodes_that_patterns_name_;
  std::vector<bool> names_entities_;  // By pattern: it can stand among principals and resources.
  std::vector<Known> known_;          // By condition.
  std::vector<Condition> others_;     // Those that are no clauses of rules.
  std::string_view last_id_;
  // Of the rule that is decoded.
  NumberedRule rule_;
  std::vector<uint32_t> facts_;  // Numbers of conditions.
};

absl::Status CompiledSet::Compiler::Decode(const SnapshotImageLimits& limits,
                                           std::string_view image, const ByteReader& in,
                                           std::vector<Role>* roles) {
  return Decoder(this, limits, image, in).Decode(roles);
}

absl::StatusOr<std::unique_ptr<const CompiledSet>> CompiledSet::Decode(
    std::string_view image, const ByteReader& in, std::unique_ptr<const CompiledSchema> schema,
    const SnapshotImageLimits& limits, std::vector<Role>* roles) {
  std::unique_ptr<CompiledSet> set = Compiler::NewSet(std::move(schema));
  Compiler compiler(set.get());
  absl::Status status = compiler.Decode(limits, image, in, roles);
  if (status.ok()) status = compiler.Close(nullptr);
  if (!status.ok()) return status;
  return std::unique_ptr<const CompiledSet>(std::move(set));
}

}  // namespace reeve
