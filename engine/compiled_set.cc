#include "engine/compiled_set.h"

#include "engine/set_words.h"

namespace reeve {

CompiledRule CompiledSet::compiled(uint32_t rule) const {
  const RuleHead& head = heads_[rule];
  const uint32_t* const words = words_.data();
  CompiledRule read;
  uint32_t at = head.words;
  if (head.clause_count > 0) {
    read.clauses = head.clauses();
    at += 1 + head.clause_count;
  }
  read.principals = ReadAlternatives(words, &at);
  read.actions = ReadAlternatives(words, &at);
  read.resources = ReadAlternatives(words, &at);
  const Counts counts = ReadCounts(words, &at);
  if (head.has_text) ++at;
  read.bindings = Take(counts.sizes[0], &at);
  read.facts = Take(counts.sizes[1], &at);
  return read;
}

const RuleTexts* CompiledSet::texts(uint32_t rule) const {
  if (!heads_[rule].has_text) return nullptr;
  // Their number stands before the bindings.
  return &texts_[words_[compiled(rule).bindings.begin - 1]];
}

Rule CompiledSet::rule(uint32_t number) const {
  const RuleHead& head = heads_[number];
  Rule rule;
  rule.id = id(number);
  rule.effect = head.deny ? Effect::kDeny : Effect::kAllow;
  rule.shadow = head.shadow;
  rule.audit = head.audit;
  ByteReader written(
      std::string_view(written_).substr(head.written + sizeof(uint32_t) + rule.id.size()));
  rule.principals = ReadPatterns(false, &written);
  rule.actions = ReadPatterns(true, &written);
  rule.resources = ReadPatterns(false, &written);
  for (const Condition* condition : when(number)) rule.when.push_back(*condition);
  if (const RuleTexts* said = texts(number); said != nullptr) {
    rule.message = said->message;
    rule.obligations = said->obligations;
  }
  return rule;
}

std::vector<Pattern> CompiledSet::ReadPatterns(bool of_actions, ByteReader* written) const {
  std::vector<Pattern> patterns;
  uint64_t count = 0;
  written->Varint(&count);
  for (; count > 0; --count) {
    uint64_t item = 0;
    written->Varint(&item);
    const auto number = static_cast<uint32_t>(item >> kKindBits);
    switch (static_cast<Pattern::Kind>(item & ((1 << kKindBits) - 1))) {
      case Pattern::Kind::kAny:
        patterns.push_back(Pattern::Any());
        break;
      case Pattern::Kind::kAuthenticated:
        patterns.push_back(Pattern::Authenticated());
        break;
      case Pattern::Kind::kLiteral:
        // They were well formed when they were given.
        patterns.push_back(of_actions ? *Pattern::Action(actions_.TextOf(number))
                                      : *Pattern::Entity(ToString(graph_.NameOf(number))));
        break;
      case Pattern::Kind::kGlob:
      case Pattern::Kind::kRegex:
        patterns.push_back(patterns_.At(number));
        break;
      case Pattern::Kind::kRole:
        patterns.push_back(Pattern::Role((number & 1) != 0
                                             ? conditional_roles_[number >> 1].name
                                             : std::string(graph_.NameOf(number >> 1).id)));
        break;
    }
  }
  return patterns;
}

}  // namespace reeve
