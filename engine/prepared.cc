#include "reeve/engine/prepared.h"

#include <utility>

#include "engine/facts.h"

namespace reeve {

struct PreparedPrincipal::State {
  const Principal principal;
  PrincipalFacts facts;
};

PreparedPrincipal::PreparedPrincipal(Principal principal)
    : state_(new State{std::move(principal), PrincipalFacts()}) {}

PreparedPrincipal::~PreparedPrincipal() = default;
PreparedPrincipal::PreparedPrincipal(PreparedPrincipal&&) noexcept = default;
PreparedPrincipal& PreparedPrincipal::operator=(PreparedPrincipal&&) noexcept = default;

const Principal& PreparedPrincipal::principal() const { return state_->principal; }

PrincipalFacts& PreparedPrincipal::facts() const { return state_->facts; }

}  // namespace reeve
