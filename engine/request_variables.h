// The variables of conditions, read from a request and a compiled set. Internal to engine/.
#ifndef REEVE_ENGINE_REQUEST_VARIABLES_H_
#define REEVE_ENGINE_REQUEST_VARIABLES_H_

#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "engine/facts.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/request.h"

namespace reeve {

// One thread at a time. Neither copied nor moved: cells point into it.
class RequestVariables final : public cel::Variables {
 public:
  RequestVariables() : principal_(*this), resource_(*this), context_(*this) {}
  RequestVariables(const RequestVariables&) = delete;
  RequestVariables& operator=(const RequestVariables&) = delete;

  // Both arguments outlive the questions; `facts` has gathered those of `request`.
  void Begin(const Request& request, const Facts& facts, absl::Time now);

  // What the names of a rule's patterns stand for, by their numbers; one with a null pointer for
  // data stands for nothing.
  std::vector<std::string_view>& bindings() { return bindings_; }

  cel::Cell Get(uint32_t number, cel::Context& context) const override;

 private:
  // One of the variables that are maps.
  class Map : public cel::EntityFacts {
   public:
    explicit Map(const RequestVariables& variables) : variables_(variables) {}
    cel::Cell Find(std::string_view name, cel::Context& context) const final;
    cel::Cell All(cel::Context& context) const final;

   protected:
    // The names that are no attributes; kNoSuchKey if `name` is none, or is not known.
    virtual cel::Cell FindReserved(std::string_view name) const = 0;
    virtual absl::Span<const std::string_view> reserved() const = 0;
    // Attributes, the first of those that have a name counting. Each may be null.
    virtual const Attributes* given() const = 0;
    virtual const Attributes* stored() const = 0;

    const RequestVariables& variables_;
  };
  class PrincipalMap final : public Map {
   public:
    using Map::Map;
    cel::Cell IsIn(std::string_view name) const override;

   private:
    cel::Cell FindReserved(std::string_view name) const override;
    absl::Span<const std::string_view> reserved() const override;
    const Attributes* given() const override;
    const Attributes* stored() const override;
  };
  class ResourceMap final : public Map {
   public:
    using Map::Map;
    cel::Cell IsIn(std::string_view name) const override;

   private:
    cel::Cell FindReserved(std::string_view name) const override;
    absl::Span<const std::string_view> reserved() const override;
    const Attributes* given() const override;
    const Attributes* stored() const override;
  };
  class ContextMap final : public Map {
   public:
    using Map::Map;
    cel::Cell IsIn(std::string_view name) const override;

   private:
    cel::Cell FindReserved(std::string_view name) const override;
    absl::Span<const std::string_view> reserved() const override;
    const Attributes* given() const override;
    const Attributes* stored() const override;
  };

  const Request* request_ = nullptr;
  const Facts* facts_ = nullptr;
  cel::Cell now_;
  PrincipalMap principal_;
  ResourceMap resource_;
  ContextMap context_;
  std::vector<std::string_view> bindings_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_REQUEST_VARIABLES_H_
