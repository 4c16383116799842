// Runs programs. Internal.
#ifndef REEVE_ENGINE_CEL_MACHINE_H_
#define REEVE_ENGINE_CEL_MACHINE_H_

#include <cstdint>
#include <string_view>
#include <vector>

#include "absl/types/span.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"
#include "reeve/engine/cel/program.h"

namespace reeve::cel {

// Where the variables of programs come from.
class Variables {
 public:
  virtual ~Variables() = default;

  // The value of a variable, or an error, by the number that the program's Link gives it.
  virtual Cell Get(uint32_t number, Context& context) const = 0;
  // `variable.name`, by the number that the Link gives to paths that begin so.
  virtual Cell GetMember(uint32_t number, std::string_view name, Context& context) const = 0;
};

// What the numbers in one program mean to the others of a set: by the place in Program::variables,
// Program::paths (twice) and Program::shared.
struct Link {
  static constexpr uint32_t kNone = UINT32_MAX;

  absl::Span<const uint32_t> variables;  // For Variables::Get().
  absl::Span<const uint32_t> members;    // By path: for Variables::GetMember().
  absl::Span<const uint32_t> paths;      // Where its value is kept during a decision, or kNone.
  absl::Span<const uint32_t> shared;     // The same.
};

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

  // The value of `program`, or an error. Does not recurse.
  Cell Run(const Program& program, const Link& link, const Variables& variables);

  // The same, or what it was before in this decision, if that is kept in `slot`.
  Cell RunOnce(uint32_t slot, const Program& program, const Link& link, const Variables& variables);

  Context& context() { return context_; }

 private:
  struct Walk {
    Cell container;
    Cell elements;
    uint32_t next;
    uint32_t incomplete;  // Where it goes on, with an error, if it ends and is partial.
    MapBuilder* builder;
  };
  struct Kept {
    uint64_t decision = 0;  // In which the value was found.
    Cell value;
  };

  Cell RunAll(const Program& program, const Link& link, const Variables& variables);
  // What an instruction of which IsTest() is true gives.
  Cell Test(const Program& program, const Link& link, const Variables& variables, Instruction test);
  Cell Follow(const Program& program, const Link& link, const Variables& variables, uint32_t path);

  Context context_;
  std::vector<Cell> cells_;  // The stack and, below it, the locals.
  std::vector<Walk> walks_;
  std::vector<Kept> kept_;
  uint64_t decision_ = 0;
};

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_MACHINE_H_
