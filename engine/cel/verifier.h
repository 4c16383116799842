// Whether a program is one that the machine can run, since the machine itself checks nothing.
// Internal to engine/cel/.
//
// What the machine (machine.cc), and the functions that read programs, take for granted, and
// Verify() makes sure of for any parts:
//
//   - Operands are in range: numbers of constants, variables, paths, locals, sets, regexes, zones,
//     functions, flags, loops and shared parts are below how many there are; those that an
//     instruction does not have are 0.
//   - The constants of kSelect, kHas and kOptionalSelect are strings. The op of kCompare and
//     kComparePaths is a comparison, kStartsWith or kEndsWith.
//   - A path has a name; that of kHasPath has only one. All are strings.
//   - A call has as many arguments as its function takes. There are as many flags as a list has
//     elements, or a map entries.
//   - Constants are complete values: no errors, no facts, maps made by MapBuilder. Sets hold what
//     CellSet::CanHold(). Regexes have no error().
//   - No instruction takes a cell off an empty stack, and all ways to an instruction leave as many
//     on it. So no more than ProgramNeeds::stack are ever there.
//   - A local is stored before it is read, on all ways: what another program left in it points
//     nowhere. ProgramShape::locals() is above them all.
//   - Each loop has one kLoop, then one kNext, then one kJump back to it, where it ends; kNext goes
//     on behind that, and kLoop there or later. Loops lie in each other or apart, and nothing jumps
//     into one, so that kNext and kPut find what kLoop began.
//   - All other jumps lead forwards. So every round of a loop passes its kNext, which charges for
//     it what Loop::cost says, the instructions of the round; every other instruction runs once at
//     most, and the whole pays for it. Then the budget ends every run.
//   - The last instruction is kReturn, with one cell on the stack; there is no other kReturn, and
//     none is never reached. So a program of a test, or of a test and kNot, does this and returns.
//   - What is before the target of kShared is kKeep of the same part.
//
// What shared parts are called is believed: programs of one set must come from one compiler.
#ifndef REEVE_ENGINE_CEL_VERIFIER_H_
#define REEVE_ENGINE_CEL_VERIFIER_H_

#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/types/span.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/program.h"

namespace reeve::cel {

// What an operand of an instruction is.
enum class Operand : uint8_t {
  kNone,
  kFlag,  // 0 or 1
  kTest,  // an Op
  kConstant,
  kFlaggedConstant,  // if a is 1, else none
  kName,             // a constant that is a string
  kVariable,
  kPath,
  kPathOfOne,  // of one name
  kLocal,
  kSet,
  kRegex,
  kZone,
  kFunction,
  kCount,
  kFlags,  // if a is 1, else none
  kLoop,
  kShared,
  kTarget,
};

struct Operands {
  Operand a = Operand::kNone;
  Operand b = Operand::kNone;
  Operand c = Operand::kNone;
};
Operands OperandsOf(Op op);

// What Program::Make() works out.
struct ProgramNeeds {
  uint32_t locals = 0;
  uint32_t stack = 0;
  std::vector<uint32_t> loop_costs;  // By loop.
};

// Whether each is a complete value.
bool AreValues(absl::Span<const Cell> constants);

// InvalidArgument if the machine cannot run it.
absl::Status Verify(const ProgramParts& parts, ProgramNeeds* needs);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_VERIFIER_H_
