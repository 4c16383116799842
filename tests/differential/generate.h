// Random policy sets and requests, made of choices that a generator of random numbers or a fuzzer
// takes.
#ifndef REEVE_TESTS_DIFFERENTIAL_GENERATE_H_
#define REEVE_TESTS_DIFFERENTIAL_GENERATE_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/request.h"
#include "reeve/tests/differential/choices.h"
#include "reeve/tests/reference/reference.h"

namespace reeve::differential {

// How much there is in a world.
struct Size {
  uint32_t rules;
  uint32_t entities;
  uint32_t roles;
  uint32_t names;  // Of one type; the fewer the more matches.
};

// A world that the engine accepts.
reference::World MakeWorld(Choices& choices, const Size& size);

// Owns what a Request points to. Neither copied nor moved.
struct OwnedRequest {
  OwnedRequest() = default;
  OwnedRequest(const OwnedRequest&) = delete;
  OwnedRequest& operator=(const OwnedRequest&) = delete;

  Request View() const;

  Principal principal;
  std::string action;
  EntityId resource;
  std::vector<EntityId> resource_parents;
  Attributes resource_attributes;
  Attributes context;
  std::optional<absl::Time> time;
  std::string_view defect;

  // What an entity provider tells of one of them, if it does.
  struct Provided {
    bool told = false;
    bool complete = true;
    Attributes attributes;
    std::vector<EntityId> parents;
    mutable ProvidedEntity view = {};
  };
  Provided provided_principal;
  Provided provided_resource;
};

// A request that speaks of what `world` speaks of, mostly. One in `malformed` is malformed, mostly.
void MakeRequest(Choices& choices, const reference::World& world, const Size& size,
                 uint32_t malformed, OwnedRequest* request);

}  // namespace reeve::differential

#endif  // REEVE_TESTS_DIFFERENTIAL_GENERATE_H_
