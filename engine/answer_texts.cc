#include "engine/answer_texts.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr char kUnknown[] = "(unknown)";

// The text with what `fact` gives for each of its facts, by their numbers from 0.
template <typename Fact>
std::string Fill(const TextTemplate& text, Fact fact) {
  std::string filled;
  size_t from = 0;
  for (size_t i = 0; i < text.facts.size(); ++i) {
    filled.append(text.text, from, text.facts[i].at - from);
    from = text.facts[i].at;
    filled += fact(i);
  }
  return filled.append(text.text, from);
}

}  // namespace

std::string AnswerTexts::Message(uint32_t rule, const TextTemplate& message) {
  const CompiledRule compiled = set_.compiled(rule);
  matcher_.BindAgain(compiled);
  const auto facts = set_.Clauses(compiled.facts);
  return Fill(message, [&](size_t i) {
    const cel::Cell value = matcher_.Fact(facts[i]);
    return value.kind() == cel::Kind::kString ? Printable(value.text(), kMaxFactBytes) : kUnknown;
  });
}

bool AnswerTexts::MakeObligations(Decision::Rules rules, bool forgiving, size_t most,
                                  std::vector<MadeObligation>* made, std::string* defect) {
  for (const RuleOutcome& rule : rules) {
    const RuleTexts* const texts = set_.texts(rule.number);
    if (texts == nullptr) continue;
    size_t at = texts->message.facts.size();
    bool bound = false;
    for (const Obligation& obligation : texts->obligations) {
      std::vector<std::string> values;
      if (!MakeValues(rule.number, obligation, forgiving, &at, &bound, &values, defect))
        return false;
      MadeObligation one(obligation, std::move(values));
      // Few, so that they are compared one by one.
      if (std::find(made->begin(), made->end(), one) != made->end()) continue;
      if (made->size() == most) {
        *defect = absl::StrCat("the decision has more than ", most, " obligations");
        return forgiving;
      }
      made->push_back(std::move(one));
    }
  }
  return true;
}

bool AnswerTexts::MakeValues(uint32_t rule, const Obligation& obligation, bool forgiving,
                             size_t* at, bool* bound, std::vector<std::string>* values,
                             std::string* defect) {
  bool constant = true;
  for (const auto& [name, text] : obligation.with) constant &= text.constant();
  if (constant) return true;
  const CompiledRule compiled = set_.compiled(rule);
  if (!*bound) matcher_.BindAgain(compiled);
  *bound = true;
  for (const auto& [name, text] : obligation.with) {
    std::string problem;
    std::string made = Fill(text, [&](size_t i) {
      const cel::Cell value = matcher_.Fact(set_.Clauses(compiled.facts)[*at + i]);
      if (value.kind() == cel::Kind::kString) return std::string(value.text());
      if (problem.empty()) {
        problem = value.is_error() ? cel::ToString(value) : "it is no text";
      }
      return std::string(kUnknown);
    });
    *at += text.facts.size();
    if (made.size() > kMaxParameterBytes) {
      problem = absl::StrCat("it is longer than ", kMaxParameterBytes, " bytes");
      made = kUnknown;
    }
    if (!problem.empty() && !forgiving) {
      *defect = absl::StrCat("`", name, "` of the obligation `", obligation.id, "` of rule `",
                             std::string(set_.id(rule)), "` cannot be made: ", Printable(problem));
      return false;
    }
    values->push_back(std::move(made));
  }
  return true;
}

}  // namespace reeve
