// Runs programs. Internal.
#ifndef REEVE_ENGINE_CEL_MACHINE_H_
#define REEVE_ENGINE_CEL_MACHINE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/text.h"
#include "reeve/engine/value.h"

namespace reeve::cel {

// Where the variables of programs come from.
class Variables {
 public:
  // Attributes, of which the first that have a name count. Each may be null; the third is if the
  // second is.
  struct Layers {
    const Attributes* first = nullptr;
    const Attributes* second = nullptr;
    const Attributes* third = nullptr;
    bool partial = false;  // There may be others: one that is not found is kPartialFacts.
  };

  virtual ~Variables() = default;

  // The value of a variable, or an error, by the number that the program's Link gives it.
  virtual Cell Get(uint32_t number, Context& context) const = 0;
  // `variable.name`, by the number that the Link gives to paths that begin so.
  virtual Cell GetMember(uint32_t number, std::string_view name, Context& context) const = 0;

  // The same of a variable that has nothing but attributes, or of one of whose members this is an
  // attribute, by the number of its layers. Most that conditions ask for is this.
  Cell GetAttribute(uint32_t number, std::string_view name) const {
    return GetAttribute(layers_[number], name);
  }

 protected:
  static constexpr size_t kMaxLayers = 4;

  static Cell GetAttribute(const Layers& layers, std::string_view name) {
    // Most requests have few, which are looked through here.
    if (layers.first == nullptr || layers.first->size() > kFew) return Search(layers, name);
    for (const Attributes::Entry& entry : *layers.first) {
      if (SameText(entry.first, name)) return Cell::Of(entry.second);
    }
    if (layers.second != nullptr || layers.partial) {
      return Search({nullptr, layers.second, layers.third, layers.partial}, name);
    }
    return Cell::Error(ErrorCode::kNoSuchKey, name);
  }

  Layers layers_[kMaxLayers];

 private:
  static constexpr size_t kFew = 8;

  static Cell Search(const Layers& layers, std::string_view name);
};

class Machine;

// A program among others of a set, ready to run: what its numbers mean to all of them, by the
// number of a variable, a path and a shared part. As much as comes from memory at once.
struct alignas(64) Link {
  static constexpr uint32_t kNone = UINT32_MAX;

  // All that is needed to follow a path.
  struct Path {
    // `names` are of the path, and outlive this.
    Path(absl::Span<const Cell> names, uint32_t member_number, uint32_t kept_slot,
         uint32_t layers_number = kNone)
        : member(member_number),
          layers(layers_number),
          slot(kept_slot),
          name(names[0].text()),
          rest(names.subspan(1)) {}

    uint32_t member;              // For Variables::GetMember(),
    uint32_t layers;              // or, unless it is kNone, for GetAttribute().
    uint32_t slot;                // Where the value is kept during a decision, or kNone.
    std::string_view name;        // The first of the path,
    absl::Span<const Cell> rest;  // and the others.
  };

  // All of it outlives this.
  Link(const Program& program, absl::Span<const uint32_t> variable_numbers,
       absl::Span<const Path> linked_paths, absl::Span<const uint32_t> shared_slots,
       uint32_t own_slot = kNone);

  const ProgramShape* shape;
  const Path* paths;
  const Cell* constants;
  Cell (*run)(Machine& machine, const Link& link, const Variables& variables);
  // What most programs consist of: a test, or its negation. Here, so that nothing else of the
  // program need be looked at.
  Instruction test = {Op::kReturn};
  uint32_t cost;
  uint32_t slot;              // Where the value of the whole is kept, or kNone.
  const uint32_t* variables;  // For Variables::Get().
  const uint32_t* shared;     // Slots, or kNone.
};
static_assert(sizeof(Link) == 64);

// The memory in which programs run, used again by one decision after the other. What it has kept of
// one decision is forgotten at the next Begin(). One thread at a time.
class Machine {
 public:
  // What the programs of one set need at most.
  struct Room {
    // Makes room for `program`.
    void Add(const Program& program);

    uint32_t cells = 0;
    uint32_t walks = 0;
    uint32_t slots = 0;  // For values that Links tell to keep.
  };

  // Begins a decision by programs for which there is `room`.
  void Begin(uint64_t cost, size_t memory, const Room& room);

  // The value of the program, or an error; what it was before in this decision, if that is kept.
  // Does not recurse.
  Cell Run(const Link& link, const Variables& variables) {
    return link.slot == Link::kNone ? RunAnew(link, variables) : RunOnce(link, variables);
  }

  Context& context() { return context_; }

 private:
  friend struct Link;

  struct Walk {
    Cell container;
    Cell elements;
    uint32_t next;
    uint32_t incomplete;  // Where it goes on, with an error, if it ends and is partial.
    MapBuilder* builder;
    const Loop* loop;
  };
  struct Kept {
    uint64_t decision = 0;  // In which the value was found.
    Cell value;
  };

  Cell RunAnew(const Link& link, const Variables& variables) {
    // Every instruction runs once but for those of loops, which charge for themselves.
    if (!context_.Charge(link.cost)) return context_.LimitError();
    const Cell value = link.run(*this, link, variables);
    // A limit stays met, whatever the expression made of the error.
    return context_.exhausted() ? context_.LimitError() : value;
  }
  Cell RunOnce(const Link& link, const Variables& variables);

  // For Link::run. Any program; one of a single test.
  static Cell RunAll(Machine& machine, const Link& link, const Variables& variables);
  template <Op kTest, bool kNegated>
  static Cell RunTest(Machine& machine, const Link& link, const Variables& variables);

  Cell RunCode(const Link& link, const Variables& variables);
  Cell Call(const Function& function, absl::Span<const Cell> arguments);
  // The map of *builder, which is null if there is none yet, with an entry more.
  Cell Put(const Cell& map, const Cell& key, const Cell& value, MapBuilder** builder);
  // What an instruction of which IsTest() is true gives, and kIsIn.
  template <Op kTest>
  Cell Test(const Link& link, const Variables& variables, Instruction test);
  // `variable.isIn(names)`, by the number of the variable in the program.
  Cell IsInOf(const Link& link, const Variables& variables, uint32_t variable, const Cell& names);
  Cell Follow(const Link::Path& path, const Variables& variables);
  Cell FollowAnew(const Link::Path& path, const Variables& variables);
  Cell FollowRest(const Link::Path& path, Cell value);
  // Seconds east of UTC.
  int64_t OffsetAt(const absl::TimeZone& zone, int64_t seconds);

  Context context_;
  std::vector<Cell> cells_;  // The stack and, below it, the locals.
  std::vector<Walk> walks_;
  std::vector<Kept> kept_;
  uint64_t decision_ = 0;
  // What OffsetAt() answered last. Most decisions ask it what one before them did, since many are
  // made in a second.
  struct {
    absl::TimeZone zone = absl::UTCTimeZone();
    int64_t seconds = 0;
    int64_t offset = 0;
  } offset_;
  const Function* const functions_ = Functions().data();
};

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_MACHINE_H_
