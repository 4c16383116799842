// A condition in the form in which it is evaluated: a flat list of instructions for a stack of
// cells. Internal; policy/cel/compiler.h makes them.
#ifndef REEVE_ENGINE_CEL_PROGRAM_H_
#define REEVE_ENGINE_CEL_PROGRAM_H_

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/regex.h"

namespace reeve::cel {

struct ProgramNeeds;  // verifier.h

// The names of variables that conditions mostly have. They take no room in a program.
inline constexpr std::string_view kUsualVariables[] = {"principal", "action", "resource",
                                                       "context"};

// What an instruction does with the stack, whose top is on the right, and with its operands a, b,
// c, which are 0 where nothing is said of them. An operation on an error leaves the first error in
// the place of its operands.
//
// The numbers are stored (program_encoding.h): whoever changes one, or what one means, raises
// kProgramFormat.
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
  kLocalTime,       // x -> the timestamp x as a clock in zones[c] shows it, read as if it were UTC,
                    // for Functions()[b]
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
  kShared,          // ->       at c with the value of shared[b], if it is known in this decision;
                    //          what is before c finds it, and ends with kKeep
  kKeep,            // x -> x   now it is
                    // Tests: of paths only
  kCompare,         // -> paths[b] OP constants[c], where a is the Op
  kComparePaths,    // -> paths[b] OP paths[c]
  kInPath,          // -> constants[c] in paths[b]
  kPathInSet,       // -> paths[b] in sets[c]
  kHasPath,         // -> has(paths[b]), a path of one name
  kIsInPath,        // -> variables[c].isIn(paths[b])
                    // No test, but alike
  kIsIn,            // -> variables[b].isIn(constants[c])
  kReturn,          // x        is the result
};

struct Instruction {
  Op op;
  uint8_t a = 0;
  uint16_t b = 0;
  uint32_t c = 0;
};
static_assert(sizeof(Instruction) == 8);

// Whether it is one that looks at paths[b], and at nothing on the stack, and gives a bool.
constexpr bool IsTest(Op op) { return op >= Op::kCompare && op <= Op::kIsInPath; }

// Whether it has two operands that Instruction::a is about.
constexpr bool IsBinary(Op op) { return op >= Op::kIndex && op <= Op::kEndsWith; }
// Whether it is a comparison: kEqual to kGreaterOrEqual.
inline bool IsComparison(Op op) { return op >= Op::kEqual && op <= Op::kGreaterOrEqual; }

// A variable, and the names of what is selected from it: `resource.owner`.
struct Path {
  uint32_t variable;
  uint32_t first;  // Of `count` names, at least one.
  uint32_t count;
};

struct Loop {
  uint32_t variable;                // local
  uint32_t variable2 = UINT32_MAX;  // local, or none
  uint32_t cost = 0;                // of one element; Program::Make() finds it
};

struct CompiledRegex {
  std::string text;
  std::unique_ptr<const Regex> regex;
};

// Scalars among which values are looked for: the constants of `x in [1, 2, 3]`. Points into memory
// that it is given.
class CellSet {
 public:
  // Whether it can be in a set: a bool, number, string or bytes value, no NaN, and no double that
  // equals integers which differ.
  static bool CanHold(const Cell& cell);
  // How many slots a set of as many cells needs.
  static size_t SlotsFor(size_t cells);
  // Of those that CanHold(), each once, in their order. `memory` has room for all, and `slots` for
  // SlotsFor() them.
  static CellSet Of(absl::Span<const Cell> cells, Cell* memory, uint32_t* slots);

  // Whether it equals one of them, as `==` does. Of any value that is no error.
  bool Contains(const Cell& value) const;
  absl::Span<const Cell> cells() const { return {cells_, size_}; }
  size_t size() const { return size_; }

 private:
  // The slot of the cell that equals `value`, else the empty one where it belongs.
  uint32_t* FindSlot(const Cell& value) const;

  const Cell* cells_;
  uint32_t* slots_;  // Number of cell plus one; null if there are few, which are compared.
  uint32_t size_;
  uint32_t mask_;
};

// What a program is made of. What its cells and names point to need not outlive Program::Make().
struct ProgramParts {
  std::vector<Instruction> code;
  std::vector<Cell> constants;
  std::vector<std::string_view> variables;  // Their names.
  std::vector<Path> paths;
  std::vector<Cell> names;  // Of paths: kString.
  std::vector<std::vector<Cell>> sets;
  std::vector<CompiledRegex> regexes;
  std::vector<absl::TimeZone> zones;
  std::vector<std::vector<bool>> optional_flags;
  std::vector<Loop> loops;
  // Parts that another condition of the set may have too, and that are worth keeping: as text.
  std::vector<std::string> shared;
};

inline constexpr size_t kMaxProgramCode = 200'000;  // Instructions.
inline constexpr size_t kMaxProgramLocals = 4096;

// What programs that differ only in their constants have together: the rules of a set mostly ask
// the same few things, of other values. All that it consists of lies side by side, and what few
// have apart. Immutable: any thread. Its cells point into it.
class ProgramShape {
  struct Private {};

 public:
  // Of what verifier.h has found right, and found that it `needs`. Takes from `parts` what it does
  // not copy; their constants are none of it.
  static std::shared_ptr<ProgramShape> Make(const ProgramNeeds& needs, ProgramParts* parts);

  explicit ProgramShape(Private) {}
  ProgramShape(const ProgramShape&) = delete;
  ProgramShape& operator=(const ProgramShape&) = delete;

  absl::Span<const Instruction> code() const {
    return {reinterpret_cast<const Instruction*>(cells() + cells_), code_};
  }
  absl::Span<const CellSet> sets() const {
    return {reinterpret_cast<const CellSet*>(code().end()), sets_};
  }
  absl::Span<const Path> paths() const {
    return {reinterpret_cast<const Path*>(sets().end()), paths_};
  }
  // Of one of its paths: kString.
  absl::Span<const Cell> names(const Path& path) const {
    return {cells() + path.first, path.count};
  }
  size_t variable_count() const { return variables_; }
  std::string_view variable(uint32_t number) const;
  std::vector<std::string_view> variables() const;
  // Whether both are the same, and have no sets and nothing that few have.
  bool IsLike(const ProgramShape& other) const;
  // Whether one of the variables is none of kUsualVariables.
  bool reads_others() const { return reads_others_; }
  absl::Span<const CompiledRegex> regexes() const { return rare().regexes; }
  absl::Span<const absl::TimeZone> zones() const { return rare().zones; }
  const std::vector<std::vector<bool>>& optional_flags() const { return rare().optional_flags; }
  absl::Span<const Loop> loops() const { return rare().loops; }
  absl::Span<const std::string> shared() const { return rare().shared; }
  // One of them, without a look whether there are any.
  const Regex& regex(uint32_t number) const { return *rare_->regexes[number].regex; }
  absl::TimeZone zone(uint32_t number) const { return rare_->zones[number]; }
  const Loop& loop(uint32_t number) const { return rare_->loops[number]; }
  uint32_t locals() const { return locals_; }  // How many there are.
  uint32_t stack() const { return stack_; }    // How many cells it needs at most.

 private:
  friend class Program;
  // What most do not have.
  struct Rare {
    std::vector<CompiledRegex> regexes;
    std::vector<absl::TimeZone> zones;
    std::vector<std::vector<bool>> optional_flags;
    std::vector<Loop> loops;
    std::vector<std::string> shared;
    Context memory;  // Of maps among the constants of the program that it was made for.
  };
  static const Rare kNothingRare;

  const Cell* cells() const { return reinterpret_cast<const Cell*>(block_.get()); }
  const Rare& rare() const { return rare_ == nullptr ? kNothingRare : *rare_; }

  // Cells (names of paths, then those of variables, then what sets hold), instructions, sets,
  // paths, numbers of variables, slots of sets, texts.
  std::unique_ptr<char[]> block_;
  std::unique_ptr<Rare> rare_;
  uint32_t cells_ = 0;
  uint32_t code_ = 0;
  uint32_t stack_ = 0;
  uint16_t sets_ = 0;
  uint16_t paths_ = 0;
  uint16_t variables_ = 0;
  uint16_t locals_ = 0;
  bool reads_others_ = false;
};

// Immutable: any thread. Its cells point into it.
class Program {
  struct Private {};

 public:
  // InvalidArgument unless `parts` are what verifier.h asks for: the machine checks nothing. Takes
  // from them what it does not copy.
  static absl::StatusOr<std::shared_ptr<const Program>> Make(ProgramParts* parts);
  // One of the shape of `model` with other constants, which need not outlive it. Null unless these
  // are values of the same kinds, none of them a map: so it is as good as `model`.
  static std::shared_ptr<const Program> MakeLike(const Program& model,
                                                 absl::Span<const Cell> constants);

  // `maps` is for those among the constants, and outlives this.
  Program(Private, std::shared_ptr<const ProgramShape> shape, absl::Span<const Cell> constants,
          Context* maps);
  Program(const Program&) = delete;
  Program& operator=(const Program&) = delete;

  const ProgramShape& shape() const { return *shape_; }
  absl::Span<const Cell> constants() const {
    return {reinterpret_cast<const Cell*>(block_.get()), constants_};
  }

  // As its shape says.
  absl::Span<const Instruction> code() const { return shape_->code(); }
  absl::Span<const CellSet> sets() const { return shape_->sets(); }
  absl::Span<const Path> paths() const { return shape_->paths(); }
  absl::Span<const Cell> names(const Path& path) const { return shape_->names(path); }
  size_t variable_count() const { return shape_->variable_count(); }
  std::string_view variable(uint32_t number) const { return shape_->variable(number); }
  std::vector<std::string_view> variables() const { return shape_->variables(); }
  absl::Span<const CompiledRegex> regexes() const { return shape_->regexes(); }
  absl::Span<const absl::TimeZone> zones() const { return shape_->zones(); }
  const std::vector<std::vector<bool>>& optional_flags() const { return shape_->optional_flags(); }
  absl::Span<const Loop> loops() const { return shape_->loops(); }
  absl::Span<const std::string> shared() const { return shape_->shared(); }

 private:
  std::shared_ptr<const ProgramShape> shape_;
  std::unique_ptr<char[]> block_;  // Cells (constants, then what these consist of), texts.
  uint32_t constants_ = 0;
};

// "Constant" and so on.
std::string_view ToString(Op op);
// An instruction a line, for people and tests.
std::string ToString(const Program& program);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_PROGRAM_H_
