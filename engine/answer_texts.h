// The texts of an answer: its message and its obligations, with the facts of the request in them.
// Internal to engine/.
#ifndef REEVE_ENGINE_ANSWER_TEXTS_H_
#define REEVE_ENGINE_ANSWER_TEXTS_H_

#include <cstddef>
#include <string>
#include <vector>

#include "absl/types/span.h"
#include "engine/compiled_set.h"
#include "engine/matcher.h"
#include "reeve/engine/decision.h"

namespace reeve {

// What the facts of one text come to: above it a message is cut, and an obligation not made.
inline constexpr size_t kMaxFactBytes = 256;        // In a message, printable.
inline constexpr size_t kMaxParameterBytes = 4096;  // A parameter with its facts.

// Makes texts of rules that determined a decision. One decision.
class AnswerTexts {
 public:
  // Both outlive this; `matcher` has matched the rules that are asked about.
  AnswerTexts(const CompiledSet& set, Matcher* matcher) : set_(set), matcher_(*matcher) {}

  // The message of the rule of this number with its facts.
  std::string Message(uint32_t rule, const TextTemplate& message);

  // Makes the obligations of `rules`, each once, at most `most`. If `forgiving`, what is not known
  // stands as `(unknown)`, and those beyond `most` are left out; else the first that cannot be made
  // ends it, and what is wrong goes to *defect.
  bool MakeObligations(Decision::Rules rules, bool forgiving, size_t most,
                       std::vector<MadeObligation>* made, std::string* defect);

 private:
  // *at counts the facts of the rule's texts.
  bool MakeValues(uint32_t rule, const Obligation& obligation, bool forgiving, size_t* at,
                  bool* bound, std::vector<std::string>* values, std::string* defect);

  const CompiledSet& set_;
  Matcher& matcher_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_ANSWER_TEXTS_H_
