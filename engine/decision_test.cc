#include "reeve/engine/decision.h"

#include <array>
#include <string>
#include <vector>

#include "gtest/gtest.h"

namespace reeve {
namespace {

constexpr std::array<ClauseOutcome, 4> kOutcomes = {ClauseOutcome::kNotEvaluated,
                                                    ClauseOutcome::kFalse, ClauseOutcome::kUnknown,
                                                    ClauseOutcome::kTrue};

TEST(ClauseOutcomesTest, NothingIsEvaluatedAtFirst) {
  const ClauseOutcomes outcomes;
  for (size_t i = 0; i < kMaxClauses; ++i) EXPECT_EQ(outcomes[i], ClauseOutcome::kNotEvaluated);
  EXPECT_EQ(outcomes.bits(), 0u);
}

TEST(ClauseOutcomesTest, EachClauseHasItsOwn) {
  ClauseOutcomes outcomes;
  for (const size_t step : {0, 1, 2, 3}) {  // each clause gets each outcome over another
    for (size_t i = 0; i < kMaxClauses; ++i) outcomes.Set(i, kOutcomes[(i + step) % 4]);
    for (size_t i = 0; i < kMaxClauses; ++i) {
      EXPECT_EQ(outcomes[i], kOutcomes[(i + step) % 4]) << step << ", clause " << i;
    }
  }
}

TEST(ClauseOutcomesTest, BitsAreTheNumbersOfTheOutcomes) {
  ClauseOutcomes outcomes;
  outcomes.Set(0, ClauseOutcome::kTrue);
  outcomes.Set(1, ClauseOutcome::kUnknown);
  outcomes.Set(2, ClauseOutcome::kFalse);
  outcomes.Set(31, ClauseOutcome::kTrue);
  EXPECT_EQ(outcomes.bits(), 0xC00000000000001Bu);

  ClauseOutcomes others;
  EXPECT_FALSE(outcomes == others);
  others.Set(31, ClauseOutcome::kTrue);
  others.Set(2, ClauseOutcome::kFalse);
  others.Set(1, ClauseOutcome::kUnknown);
  others.Set(0, ClauseOutcome::kTrue);
  EXPECT_TRUE(outcomes == others);
}

TEST(ClauseOutcomesTest, OutcomesHaveWords) {
  std::vector<std::string> words;
  for (const ClauseOutcome outcome : kOutcomes) words.emplace_back(ToString(outcome));
  EXPECT_EQ(words, (std::vector<std::string>{"not_evaluated", "false", "unknown", "true"}));
}

}  // namespace
}  // namespace reeve
