// The variables of conditions, read from a request and a compiled set. Internal to engine/.
#ifndef REEVE_ENGINE_REQUEST_VARIABLES_H_
#define REEVE_ENGINE_REQUEST_VARIABLES_H_

#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "engine/clause_set.h"
#include "engine/facts.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/request.h"

namespace reeve {

// One thread at a time. Neither copied nor moved: cells point into it.
class RequestVariables final : public cel::Variables {
 public:
  RequestVariables()
      : principal_(kPrincipal, *this), resource_(kResource, *this), context_(kContext, *this) {}
  RequestVariables(const RequestVariables&) = delete;
  RequestVariables& operator=(const RequestVariables&) = delete;

  // Both arguments outlive the questions; `facts` has gathered those of `request`.
  void Begin(const Request& request, const Facts& facts, absl::Time now);

  // What the names of a rule's patterns stand for, by their numbers; one with a null pointer for
  // data stands for nothing.
  std::vector<std::string_view>& bindings() { return bindings_; }

  // What `principal.roles` is to the next condition: a list.
  void set_roles(const cel::Cell& roles) { roles_ = roles; }

  cel::Cell Get(uint32_t number, cel::Context& context) const override;

  cel::Cell GetMember(uint32_t number, std::string_view name, cel::Context& context) const override;

 private:
  static Layers LayersOf(const Attributes* request, const ProvidedEntity* provided,
                         const Attributes* stored);

  // `principal`, `resource` or `context` as a whole.
  class Map final : public cel::EntityFacts {
   public:
    Map(Variable variable, const RequestVariables& variables)
        : variable_(variable), variables_(variables) {}
    cel::Cell Find(std::string_view name, cel::Context& context) const override;
    cel::Cell All(cel::Context& context) const override;
    cel::Cell IsIn(std::string_view name, cel::Context& context) const override;

   private:
    const Variable variable_;
    const RequestVariables& variables_;
  };

  static_assert(kFirstBinding <= kMaxLayers, "layers are numbered by Variable");

  const Request* request_ = nullptr;
  const Facts* facts_ = nullptr;
  absl::Time now_;
  const Map principal_;
  const Map resource_;
  const Map context_;
  std::vector<std::string_view> bindings_;
  cel::Cell roles_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_REQUEST_VARIABLES_H_
