#ifndef REEVE_ENGINE_PREPARED_H_
#define REEVE_ENGINE_PREPARED_H_

#include <memory>

#include "reeve/engine/principal.h"

namespace reeve {

class PrincipalFacts;

// A principal made ready for many requests: what its name and its groups are to the policy set in
// force, and what they lie in, is looked up once and kept. It follows the engine by itself: the
// first decision under another set looks it up anew. Made at accept, it makes each request cheaper;
// a request that names it is decided and recorded as one that names principal() would be.
//
// Movable. One thread at a time, decisions that name it included: one for a connection, or one for
// each thread that serves it.
class PreparedPrincipal {
 public:
  // Takes over a principal that does not change any more. It need not be well formed: each request
  // of a malformed one is denied as such.
  explicit PreparedPrincipal(Principal principal);
  ~PreparedPrincipal();
  PreparedPrincipal(PreparedPrincipal&&) noexcept;
  PreparedPrincipal& operator=(PreparedPrincipal&&) noexcept;

  // As it was given; where it lies does not change when this is moved. Not after a move from this.
  const Principal& principal() const;

  // Internal to engine/.
  PrincipalFacts& facts() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_PREPARED_H_
