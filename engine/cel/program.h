// A condition in the form in which it is evaluated: a flat list of instructions for a stack of
// cells. Internal; policy/cel/compiler.h makes them.
#ifndef REEVE_ENGINE_CEL_PROGRAM_H_
#define REEVE_ENGINE_CEL_PROGRAM_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/regex.h"

namespace reeve::cel {

// What an instruction does with the stack, whose top is on the right, and with its operands a, b,
// c. An operation on an error leaves the first error in the place of its operands.
enum class Op : uint8_t {
  kConstant,        // -> constants[c]
  kVariable,        // -> the value of variables[c]
  kPath,            // -> what paths[c] leads to
  kLocal,           // -> locals[c]
  kStore,           // x ->   locals[c] = x
  kSelect,          // x -> x.name, where constants[c] is the name
  kHas,             // x -> has(x.name)
  kOptionalSelect,  // x -> x.?name
                    // With two operands; if a is 1, y is constants[c] and not on the stack
  kIndex,           // x y -> x[y]
  kOptionalIndex,   // x y -> x[?y]
  kEqual,           // x y -> x == y, and so on
  kNotEqual,
  kLess,
  kLessOrEqual,
  kGreater,
  kGreaterOrEqual,
  kAdd,
  kSubtract,
  kMultiply,
  kDivide,
  kModulo,
  kIn,
  kStartsWith,  // x y -> x.startsWith(y), and so on
  kEndsWith,
  kNegate,            // x -> -x
  kNot,               // x -> !x
  kAnd,               // x y -> x && y
  kOr,                // x y -> x || y
  kNotStrictlyFalse,  // x -> false if x is false, else true
  kInSet,             // x -> x in sets[c]
  kMatches,           // x -> x.matches(regexes[c])
  kLocalTime,       // x -> the timestamp x as a clock in zones[c] shows it, read as if it were UTC
  kCall,            // x1 … xa -> Functions()[c](x1, …, xa)
  kList,            // x1 … xb -> [x1, …]; if a is 1, those of optional_flags[c] are optional
  kMap,             // k1 v1 … kb vb -> {k1: v1, …}; the same
  kAppend,          // list x -> list + [x], in place
  kPut,             // map k v -> map with an entry more, in place; b is the loop
  kJump,            // goes on at c
  kJumpIfFalse,     // x -> x   at c if x is false
  kJumpIfTrue,      // x -> x   at c if x is true
  kJumpIfNotBool,   // x -> x   at c if x is no bool, as an error
  kJumpIfError,     // x -> x   at c if x is an error
  kPopJumpIfFalse,  // x ->     at c if x is false
  kPopJumpIfTrue,   // x ->     at c if x is true
  kJumpIfPresent,   // x -> x   at c if the optional x has a value, or x is an error; if a is 1 it
                    //          leaves the value. Else x is taken away
  kOptional,        // x -> x, or an error if x is no optional
  kLoop,            // x ->     loops[b] walks x; at c, leaving an error, if x cannot be walked
  kNext,            // ->       sets the variables of loops[b]; at c if there are no more elements.
                    //          Those of a partial list have to decide before the end of the
                    //          loop; if they do not, an error, where kLoop leaves one
  kShared,          // ->       at c with the value of shared[b], if it is known in this decision
  kKeep,            // x -> x   now it is
                    // Tests: of paths only
  kCompare,         // -> paths[b] OP constants[c], where a is the Op
  kComparePaths,    // -> paths[b] OP paths[c]
  kInPath,          // -> constants[c] in paths[b]
  kPathInSet,       // -> paths[b] in sets[c]
  kHasPath,         // -> has(paths[b]), a path of one name
  kReturn,          // x        is the result
};

struct Instruction {
  Op op;
  uint8_t a = 0;
  uint16_t b = 0;
  uint32_t c = 0;
};
static_assert(sizeof(Instruction) == 8);

// Whether it is one that looks at facts only, and at nothing on the stack, and gives a bool.
constexpr bool IsTest(Op op) { return op >= Op::kCompare && op <= Op::kHasPath; }

// Whether it has two operands that Instruction::a is about.
inline bool IsBinary(Op op) { return op >= Op::kIndex && op <= Op::kEndsWith; }
// Whether it is a comparison: kEqual to kGreaterOrEqual.
inline bool IsComparison(Op op) { return op >= Op::kEqual && op <= Op::kGreaterOrEqual; }

// A variable, and the names of what is selected from it: `resource.owner`.
struct Path {
  uint32_t variable;
  std::vector<Cell> names;  // kString
};

struct Loop {
  uint32_t variable;                // local
  uint32_t variable2 = UINT32_MAX;  // local, or none
  uint32_t cost = 1;                // of one element
};

struct CompiledRegex {
  std::string text;
  std::unique_ptr<const Regex> regex;
};

// Scalars among which values are looked for: the constants of `x in [1, 2, 3]`.
class CellSet {
 public:
  // `cell` is a bool, number, string or bytes value, and no NaN.
  void Add(const Cell& cell);
  // Whether it equals one of them, as `==` does. Of any value that is no error.
  bool Contains(const Cell& value) const;
  size_t size() const { return few_.size() + many_.size(); }

 private:
  struct HashOf {
    size_t operator()(const Cell& cell) const { return Hash(cell); }
  };
  struct AreEqual {
    bool operator()(const Cell& a, const Cell& b) const { return Compare(a, b) == 0; }
  };

  // All are here while there are at most kFew, which are as quickly compared as hashed.
  static constexpr size_t kFew = 8;
  std::vector<Cell> few_;
  absl::flat_hash_set<Cell, HashOf, AreEqual> many_;
};

// Immutable once it is made: any thread. Its cells point into it.
struct Program {
  // Programs of one text, on the same values of their variables, have the same value.
  std::string text;
  std::vector<Instruction> code;
  std::vector<Cell> constants;
  std::vector<std::string> variables;  // Their names.
  std::vector<Path> paths;
  std::vector<CellSet> sets;
  std::vector<CompiledRegex> regexes;
  std::vector<absl::TimeZone> zones;
  std::vector<std::vector<bool>> optional_flags;
  std::vector<Loop> loops;
  // Parts that another condition of the set may have too, and that are worth keeping: as text.
  std::vector<std::string> shared;
  uint32_t locals = 0;  // How many there are.
  uint32_t stack = 0;   // How many cells it needs at most.
  Context memory;       // What constants point to.
};

// "kConstant" and so on, without the k.
std::string_view ToString(Op op);
// An instruction a line, for people and tests.
std::string ToString(const Program& program);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_PROGRAM_H_
