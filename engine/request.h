#ifndef REEVE_ENGINE_REQUEST_H_
#define REEVE_ENGINE_REQUEST_H_

#include <optional>
#include <string_view>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/entity_provider.h"
#include "reeve/engine/prepared.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/value.h"

namespace reeve {

inline constexpr size_t kMaxActionBytes = 256;
inline constexpr size_t kMaxGroups = 65536;  // NGROUPS_MAX of Linux
inline constexpr size_t kMaxParents = 1024;

// One question: may this principal do this action to this resource, in this context? A view: the
// caller keeps what it points to alive and unchanged until Decide() returns.
struct Request {
  Request(const Principal& principal, std::string_view action, EntityView resource)
      : principal(&principal), action(action), resource(resource) {}
  // The same of a principal that was made ready: see Engine::Prepare().
  Request(const PreparedPrincipal& prepared, std::string_view action, EntityView resource)
      : principal(&prepared.principal()), action(action), resource(resource), prepared(&prepared) {}

  const Principal* principal;  // Not null.
  std::string_view action;     // `doc.read`
  EntityView resource;         // `doc:/finance/q3`
  // What the caller knows of the resource. It overlays what the snapshot knows. May be null.
  const Attributes* resource_attributes = nullptr;
  absl::Span<const EntityId> resource_parents;
  // Facts of this one request that belong to neither. May be null.
  const Attributes* context = nullptr;
  // Fixes what conditions take for the time, for tests and replays; else it is that of the engine's
  // clock, which is recorded either way.
  std::optional<absl::Time> time;
  // What the engine's EntityProvider told; the engine sets them. May be null. Also for whoever
  // replays what a record keeps of them.
  const ProvidedEntity* provided_principal = nullptr;
  const ProvidedEntity* provided_resource = nullptr;
  // Of `principal`, or null.
  const PreparedPrincipal* prepared = nullptr;
  // Set by a reader of requests that found this one malformed, to have the refusal decided and
  // recorded like any other: what is wrong, a text that outlives the decision.
  std::string_view defect;
};

// Empty if `request` is well formed, else what is wrong, a text that lives as long as the program
// (or request.defect itself). Allocates nothing.
// Beyond what entity.h and value.h ask of names and values, an action is not empty, at most
// kMaxActionBytes, and valid UTF-8 without control or hidden characters.
std::string_view DefectOf(const Request& request);

// The same of an action alone.
std::string_view DefectOfAction(std::string_view action);

}  // namespace reeve

#endif  // REEVE_ENGINE_REQUEST_H_
