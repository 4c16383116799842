#ifndef REEVE_ENGINE_ENTITY_PROVIDER_H_
#define REEVE_ENGINE_ENTITY_PROVIDER_H_

#include <memory>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/value.h"

namespace reeve {

// What an EntityProvider tells of one entity. Points to what the provider keeps; the engine reads
// it until it has answered and recorded, then lets go of `keep`.
struct ProvidedEntity {
  // May be null. They overlay those that the snapshot stores, and those of the request overlay
  // them.
  const Attributes* attributes = nullptr;
  // What it lies in directly. They add to what the request and the snapshot say, and their own
  // parents are those that the snapshot stores.
  absl::Span<const EntityId> parents;
  // False if there may be more. An attribute that neither the request nor `attributes` has is then
  // unknown (not that of the snapshot, which could be overlaid), and membership that is not found
  // is unknown.
  bool complete = true;
  // Keeps the above alive; may be null, if something else does. A copy of a shared_ptr that the
  // provider has in its cache allocates nothing.
  std::shared_ptr<const void> keep;
};

// Knows more of entities than the snapshot does: a directory, a table of the server's own.
//
// The engine asks it at most twice for a decision, for the principal and then for the resource,
// before any rule is evaluated and never in the middle; a decision sees one answer, whatever
// changes meanwhile, also in a shadow set. It is not asked about a malformed request.
//
// Thread-safe: any thread may call Read() at any time.
class EntityProvider {
 public:
  virtual ~EntityProvider() = default;

  // Fills in *found, which is empty, with what is known of `entity`, whose name is well formed;
  // leaves it as it is for an entity that it knows nothing of, which is an answer and not an error.
  //
  // Runs on the thread that decides, and the decision waits for it: the provider must keep to a
  // time of its own, and return an error when that is over. (It answers from memory, or Decide()
  // takes as long as what it waits for.) Must not call the engine.
  //
  // Of any error, of an exception, and of an answer that breaks the limits of value.h, of
  // kMaxParents or the form of names, the engine keeps nothing: all that the provider could have
  // said is unknown then, as if `complete` were false. So no allow rule matches for want of an
  // answer, and a deny rule may. Decision::error() says what happened.
  virtual absl::Status Read(EntityView entity, ProvidedEntity* found) const = 0;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_ENTITY_PROVIDER_H_
