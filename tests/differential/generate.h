// Random policy sets and requests, made of choices that a generator of random numbers or a fuzzer
// takes.
#ifndef REEVE_TESTS_DIFFERENTIAL_GENERATE_H_
#define REEVE_TESTS_DIFFERENTIAL_GENERATE_H_

#include <cstdint>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/request.h"
#include "reeve/tests/reference/reference.h"

namespace reeve::differential {

// Takes one choice after the other. One thread at a time.
class Choices {
 public:
  virtual ~Choices() = default;

  // A number below `n`, which is from 1 to 65536.
  virtual uint32_t Below(uint32_t n) = 0;

  bool OneIn(uint32_t n) { return Below(n) == 0; }
};

// From a seed: the same numbers on every machine. One thread at a time.
class RandomChoices final : public Choices {
 public:
  explicit RandomChoices(uint64_t seed) : random_(seed) {}
  uint32_t Below(uint32_t n) override { return static_cast<uint32_t>(random_() % n); }

 private:
  std::mt19937_64 random_;
};

// From the input of a fuzzer; zeros once it ends. One thread at a time.
class BytesChoices final : public Choices {
 public:
  // `bytes` must outlive this.
  explicit BytesChoices(std::string_view bytes) : bytes_(bytes) {}
  uint32_t Below(uint32_t n) override;
  bool empty() const { return bytes_.empty(); }

 private:
  uint32_t TakeByte();

  std::string_view bytes_;
};

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
  std::string_view defect;
};

// A request that speaks of what `world` speaks of, mostly. One in `malformed` is malformed, mostly.
void MakeRequest(Choices& choices, const reference::World& world, const Size& size,
                 uint32_t malformed, OwnedRequest* request);

}  // namespace reeve::differential

#endif  // REEVE_TESTS_DIFFERENTIAL_GENERATE_H_
