// Asks the engine and the reference the same question.
#ifndef REEVE_TESTS_DIFFERENTIAL_COMPARE_H_
#define REEVE_TESTS_DIFFERENTIAL_COMPARE_H_

#include <memory>
#include <string>

#include "reeve/engine/engine.h"
#include "reeve/tests/reference/reference.h"

namespace reeve::differential {

// One world under both. One thread at a time.
class Comparison {
 public:
  // `world` must outlive this, unchanged. Dies if the engine refuses it.
  explicit Comparison(const reference::World& world);

  // Decides `request` by both, and by an engine whose snapshot came back from bytes also with a
  // prepared principal, in a batch and in lists. Returns true if the answers agree, and if
  // `explain` the explanations as well; else failure() tells why.
  bool Agree(const Request& request, bool explain);

  // How the answers differ, and the smallest part of the world that shows it, in readable form.
  std::string failure() const;

  // Of the last request.
  const Decision& decision() const { return decision_; }

 private:
  const reference::World& world_;
  reference::Evaluator reference_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Engine> from_bytes_;
  Decision decision_;
  uint64_t asked_ = 0;
  std::string failure_;
};

// As a person would write them, with what cannot be printed escaped.
std::string Describe(const reference::World& world);
std::string Describe(const Request& request);

}  // namespace reeve::differential

#endif  // REEVE_TESTS_DIFFERENTIAL_COMPARE_H_
