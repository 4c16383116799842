#include "reeve/engine/cel/verifier.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "absl/container/inlined_vector.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "reeve/engine/cel/function.h"

namespace reeve::cel {
namespace {

constexpr Operands OperandsBySwitch(Op op) {
  constexpr auto kNothing = Operand::kNone;
  if (IsBinary(op)) return {Operand::kFlag, kNothing, Operand::kFlaggedConstant};
  switch (op) {
    case Op::kConstant:
      return {kNothing, kNothing, Operand::kConstant};
    case Op::kVariable:
      return {kNothing, kNothing, Operand::kVariable};
    case Op::kPath:
      return {kNothing, kNothing, Operand::kPath};
    case Op::kLocal:
    case Op::kStore:
      return {kNothing, kNothing, Operand::kLocal};
    case Op::kSelect:
    case Op::kHas:
    case Op::kOptionalSelect:
      return {kNothing, kNothing, Operand::kName};
    case Op::kInSet:
      return {kNothing, kNothing, Operand::kSet};
    case Op::kMatches:
      return {kNothing, kNothing, Operand::kRegex};
    case Op::kLocalTime:
      return {kNothing, Operand::kFunction, Operand::kZone};
    case Op::kCall:
      return {Operand::kCount, kNothing, Operand::kFunction};
    case Op::kList:
    case Op::kMap:
      return {Operand::kFlag, Operand::kCount, Operand::kFlags};
    case Op::kPut:
      return {kNothing, Operand::kLoop, kNothing};
    case Op::kJump:
    case Op::kJumpIfFalse:
    case Op::kJumpIfTrue:
    case Op::kJumpIfNotBool:
    case Op::kJumpIfError:
    case Op::kPopJumpIfFalse:
    case Op::kPopJumpIfTrue:
      return {kNothing, kNothing, Operand::kTarget};
    case Op::kJumpIfPresent:
      return {Operand::kFlag, kNothing, Operand::kTarget};
    case Op::kLoop:
    case Op::kNext:
      return {kNothing, Operand::kLoop, Operand::kTarget};
    case Op::kShared:
      return {kNothing, Operand::kShared, Operand::kTarget};
    case Op::kKeep:
      return {kNothing, Operand::kShared, kNothing};
    case Op::kCompare:
      return {Operand::kTest, Operand::kPath, Operand::kConstant};
    case Op::kComparePaths:
      return {Operand::kTest, Operand::kPath, Operand::kPath};
    case Op::kInPath:
      return {kNothing, Operand::kPath, Operand::kConstant};
    case Op::kPathInSet:
      return {kNothing, Operand::kPath, Operand::kSet};
    case Op::kHasPath:
      return {kNothing, Operand::kPathOfOne, kNothing};
    case Op::kIsInPath:
      return {kNothing, Operand::kPath, Operand::kVariable};
    case Op::kIsIn:
      return {kNothing, Operand::kVariable, Operand::kConstant};
    default:
      return {};
  }
}

// Of whatever byte an op may be.
constexpr std::array<Operands, 256> AllOperands() {
  std::array<Operands, 256> all;
  for (size_t i = 0; i < all.size(); ++i) all[i] = OperandsBySwitch(static_cast<Op>(i));
  return all;
}

constexpr std::array<Operands, 256> kOperands = AllOperands();

constexpr size_t kMaxNumbered = UINT16_MAX;  // Of variables, paths and sets.
// Of the bits that say which locals are stored before which instruction.
constexpr size_t kMaxWords = size_t{1} << 22;
constexpr uint32_t kNone = UINT32_MAX;

bool IsValue(const Cell& cell) {
  switch (cell.kind()) {
    case Kind::kError:
      return false;
    case Kind::kOptional:
      return cell.optional_value() == nullptr || IsValue(*cell.optional_value());
    case Kind::kList:
      if (cell.is_partial()) return false;
      for (size_t i = 0; i < cell.list_size(); ++i) {
        if (!IsValue(cell.At(i))) return false;
      }
      return true;
    case Kind::kMap: {
      if (cell.form() != Cell::Form::kCells) return false;
      const MapEntries& entries = cell.entries();
      return std::all_of(
          entries.entries, entries.entries + entries.size,
          [](const MapEntries::Entry& e) { return IsValue(e.key) && IsValue(e.value); });
    }
    default:
      return true;
  }
}

class Verifier {
 public:
  Verifier(const ProgramParts& parts, ProgramNeeds* needs)
      : parts_(parts), code_(parts.code), needs_(*needs) {}

  absl::Status Run() {
    if (CheckTables() && CheckInstructions() && CheckFlow()) return absl::OkStatus();
    return absl::InvalidArgumentError(
        at_ == kNone ? absl::StrCat("the program has ", error_)
                     : absl::StrCat("instruction ", at_, " of the program has ", error_));
  }

 private:
  struct LoopPlaces {
    uint32_t loop = kNone;
    uint32_t next = kNone;
    uint32_t end = kNone;  // The jump back.
    bool open = false;
  };

  // `error` ends "the program has …".
  bool Fail(absl::string_view error) {
    error_ = error;
    return false;
  }

  bool CheckTables() {
    if (code_.size() > kMaxProgramCode) return Fail("too many instructions");
    if (parts_.variables.size() > kMaxNumbered || parts_.paths.size() > kMaxNumbered ||
        parts_.sets.size() > kMaxNumbered) {
      return Fail("too many variables, paths or sets");
    }
    for (const std::string_view name : parts_.variables) {
      if (name.empty()) return Fail("a variable without a name");
    }
    for (const Path& path : parts_.paths) {
      if (path.variable >= parts_.variables.size()) return Fail("a path of no variable");
      if (path.count == 0 || path.count > kMaxNumbered || path.first > parts_.names.size() ||
          path.count > parts_.names.size() - path.first) {
        return Fail("a path without names");
      }
    }
    for (const Cell& name : parts_.names) {
      if (name.kind() != Kind::kString) return Fail("a name that is no string");
    }
    if (!AreValues(parts_.constants)) return Fail("a constant that is no value");
    for (const std::vector<Cell>& set : parts_.sets) {
      if (!std::all_of(set.begin(), set.end(), CellSet::CanHold)) {
        return Fail("a set of what is no scalar");
      }
    }
    for (const CompiledRegex& regex : parts_.regexes) {
      if (regex.regex == nullptr || !regex.regex->error().empty()) {
        return Fail("a regular expression that is none");
      }
    }
    for (const Loop& loop : parts_.loops) {
      if (!NeedLocal(loop.variable)) return false;
      if (loop.variable2 != UINT32_MAX && !NeedLocal(loop.variable2)) return false;
    }
    return true;
  }

  bool NeedLocal(uint32_t local) {
    if (local >= kMaxProgramLocals) return Fail("too many local variables");
    needs_.locals = std::max(needs_.locals, local + 1);
    return true;
  }

  // What is wrong with an instruction that can be told from it and its neighbours, and whether
  // loops lie in each other.
  bool CheckInstructions() {
    if (code_.empty() || code_.back().op != Op::kReturn) return Fail("no return at its end");
    places_.resize(parts_.loops.size());
    if (!places_.empty()) around_.resize(code_.size(), kNone);
    std::vector<uint32_t> open;
    for (at_ = 0; at_ < code_.size(); ++at_) {
      const Instruction i = code_[at_];
      if (i.op > Op::kReturn) return Fail("an operation that does not exist");
      const Operands operands = OperandsOf(i.op);
      if (!CheckOperand(operands.a, i.a, i) || !CheckOperand(operands.b, i.b, i) ||
          !CheckOperand(operands.c, i.c, i)) {
        return false;
      }
      if (!open.empty()) around_[at_] = open.back();
      switch (i.op) {
        case Op::kReturn:
          if (at_ + 1 != code_.size()) return Fail("a return before the end");
          break;
        case Op::kShared:
          if (i.c == at_ + 1 || code_[i.c - 1].op != Op::kKeep || code_[i.c - 1].b != i.b) {
            return Fail("a shared part that is not kept");
          }
          break;
        case Op::kLoop:
          if (places_[i.b].loop != kNone) return Fail("a loop that begins twice");
          places_[i.b].loop = at_;
          places_[i.b].open = true;
          open.push_back(i.b);
          break;
        case Op::kNext: {
          LoopPlaces& places = places_[i.b];
          if (open.empty() || open.back() != i.b || places.next != kNone) {
            return Fail("a round of no loop");
          }
          const Instruction& back = code_[i.c - 1];
          if (back.op != Op::kJump || back.c != at_) return Fail("a loop that does not end");
          places.next = at_;
          places.end = i.c - 1;
          break;
        }
        case Op::kPut:
          if (!places_[i.b].open) return Fail("an entry outside of its loop");
          break;
        case Op::kJump:
          if (i.c > at_) break;
          if (open.empty() || places_[open.back()].end != at_) {
            return Fail("a jump backwards");
          }
          places_[open.back()].open = false;
          open.pop_back();
          break;
        default:
          break;
      }
    }
    at_ = kNone;
    if (!open.empty()) return Fail("a loop that does not end");
    for (const LoopPlaces& places : places_) {
      if (places.end == kNone) return Fail("a loop that is not there");
      needs_.loop_costs.push_back(places.end + 1 - places.next);
    }
    return true;
  }

  bool CheckOperand(Operand operand, uint32_t value, const Instruction& i) {
    const auto below = [this, value](size_t count) {
      return value < count || Fail("an operand that is out of range");
    };
    switch (operand) {
      case Operand::kNone:
        return value == 0 || Fail("an operand that it does not take");
      case Operand::kFlag:
        return below(2);
      case Operand::kTest: {
        const auto op = static_cast<Op>(value);
        return IsComparison(op) || op == Op::kStartsWith || op == Op::kEndsWith ||
               Fail("a test that is none");
      }
      case Operand::kConstant:
        return below(parts_.constants.size());
      case Operand::kFlaggedConstant:
        return CheckOperand(i.a == 1 ? Operand::kConstant : Operand::kNone, value, i);
      case Operand::kName:
        return below(parts_.constants.size()) && (parts_.constants[value].kind() == Kind::kString ||
                                                  Fail("a name that is no string"));
      case Operand::kVariable:
        return below(parts_.variables.size());
      case Operand::kPath:
        return below(parts_.paths.size());
      case Operand::kPathOfOne:
        return below(parts_.paths.size()) &&
               (parts_.paths[value].count == 1 || Fail("a path of several names"));
      case Operand::kLocal:
        return NeedLocal(value);
      case Operand::kSet:
        return below(parts_.sets.size());
      case Operand::kRegex:
        return below(parts_.regexes.size());
      case Operand::kZone:
        return below(parts_.zones.size());
      case Operand::kFunction: {
        if (!below(Functions().size())) return false;
        if (i.op != Op::kCall) return true;
        const Function& function = Functions()[value];
        const bool takes = i.a >= function.min_arguments &&
                           (function.max_arguments == kAnyNumber || i.a <= function.max_arguments);
        return takes || Fail("a call with another number of arguments");
      }
      case Operand::kCount:
        return true;
      case Operand::kFlags:
        if (i.a == 0) return CheckOperand(Operand::kNone, value, i);
        return below(parts_.optional_flags.size()) &&
               (parts_.optional_flags[value].size() == i.b ||
                Fail("another number of flags than of elements"));
      case Operand::kLoop:
        return below(parts_.loops.size());
      case Operand::kShared:
        return below(parts_.shared.size());
      case Operand::kTarget:
        if (!below(code_.size())) return false;
        return value > at_ || i.op == Op::kJump || Fail("a jump backwards");
    }
    return false;
  }

  // How many cells an instruction takes off the stack when it does not jump. All but
  // LeavesNothing() then put one there.
  static uint32_t Takes(const Instruction& i) {
    if (IsBinary(i.op)) return i.a == 1 ? 1 : 2;
    switch (i.op) {
      case Op::kCall:
        return i.a;
      case Op::kList:
        return i.b;
      case Op::kMap:
        return 2 * uint32_t{i.b};
      case Op::kPut:
        return 3;
      case Op::kAnd:
      case Op::kOr:
      case Op::kAppend:
        return 2;
      case Op::kStore:
      case Op::kSelect:
      case Op::kHas:
      case Op::kOptionalSelect:
      case Op::kNegate:
      case Op::kNot:
      case Op::kNotStrictlyFalse:
      case Op::kInSet:
      case Op::kMatches:
      case Op::kLocalTime:
      case Op::kJumpIfFalse:
      case Op::kJumpIfTrue:
      case Op::kJumpIfNotBool:
      case Op::kJumpIfError:
      case Op::kPopJumpIfFalse:
      case Op::kPopJumpIfTrue:
      case Op::kJumpIfPresent:
      case Op::kOptional:
      case Op::kLoop:
      case Op::kKeep:
      case Op::kReturn:
        return 1;
      default:
        return 0;
    }
  }

  static bool LeavesNothing(Op op) {
    switch (op) {
      case Op::kStore:
      case Op::kJump:
      case Op::kPopJumpIfFalse:
      case Op::kPopJumpIfTrue:
      case Op::kJumpIfPresent:
      case Op::kLoop:
      case Op::kNext:
      case Op::kShared:
      case Op::kReturn:
        return true;
      default:
        return false;
    }
  }

  // How many cells more than `after`, which is how many there are when it does not jump, there are
  // when it does.
  static uint32_t MoreAtTarget(Op op) {
    return op == Op::kJumpIfPresent || op == Op::kLoop || op == Op::kShared ? 1 : 0;
  }

  // Goes through all ways at once: all but those back to a loop lead forwards.
  bool CheckFlow() {
    words_ = (needs_.locals + 63) / 64;
    if (words_ * code_.size() > kMaxWords) return Fail("too many local variables");
    depths_.assign(code_.size(), kNone);
    stored_.assign(words_ * code_.size(), 0);
    now_.assign(words_, 0);
    depths_[0] = 0;
    for (at_ = 0; at_ < code_.size(); ++at_) {
      const Instruction i = code_[at_];
      if (depths_[at_] == kNone) return Fail("no way that leads to it");
      std::copy_n(stored_.begin() + static_cast<std::ptrdiff_t>(words_ * at_), words_,
                  now_.begin());
      const uint32_t takes = Takes(i);
      if (depths_[at_] < takes) return Fail("too few values to work on");
      const uint32_t after = depths_[at_] - takes + (LeavesNothing(i.op) ? 0 : 1);
      needs_.stack = std::max({needs_.stack, after, depths_[at_]});
      if (i.op == Op::kReturn) {
        if (after != 0) return Fail("values left over");
        break;
      }
      if (i.op == Op::kLocal && !IsStored(i.c)) return Fail("a local variable that has no value");
      if (i.op == Op::kStore) SetStored(i.c);
      if (i.op == Op::kLoop && i.c <= places_[i.b].end)
        return Fail("a loop that is left too early");
      if (OperandsOf(i.op).c == Operand::kTarget && !Reach(i.c, after + MoreAtTarget(i.op))) {
        return false;
      }
      if (i.op == Op::kJump) continue;
      if (i.op == Op::kNext) {
        // If elements of a partial list do not decide.
        if (!Reach(code_[places_[i.b].loop].c, after + 1)) return false;
        const Loop& loop = parts_.loops[i.b];
        SetStored(loop.variable);
        if (loop.variable2 != UINT32_MAX) SetStored(loop.variable2);
      }
      if (!Reach(at_ + 1, after)) return false;
    }
    return true;
  }

  bool Reach(uint32_t target, uint32_t depth) {
    needs_.stack = std::max(needs_.stack, depth);
    const uint32_t around = around_.empty() ? kNone : around_[target];
    if (around != kNone && at_ < places_[around].loop) return Fail("a jump into a loop");
    const bool is_first = depths_[target] == kNone;
    if (is_first) depths_[target] = depth;
    if (depths_[target] != depth) return Fail("another number of values on another way");
    for (size_t word = 0; word < words_; ++word) {
      uint64_t& stored = stored_[words_ * target + word];
      if (target <= at_) {
        // Into the loop that it is in: what was stored when that began still is.
        if ((stored & ~now_[word]) != 0) return Fail("a local variable that has no value");
      } else {
        stored = is_first ? now_[word] : stored & now_[word];
      }
    }
    return true;
  }

  bool IsStored(uint32_t local) const { return (now_[local / 64] >> local % 64 & 1) != 0; }
  void SetStored(uint32_t local) { now_[local / 64] |= uint64_t{1} << local % 64; }

  const ProgramParts& parts_;
  const std::vector<Instruction>& code_;
  ProgramNeeds& needs_;
  absl::string_view error_;
  uint32_t at_ = kNone;  // The instruction that is looked at.
  std::vector<LoopPlaces> places_;
  std::vector<uint32_t> around_;  // The innermost loop around an instruction, if there are any.
  size_t words_ = 0;              // Of bits, for an instruction.
  absl::InlinedVector<uint32_t, 32>
      depths_;                    // Of the stack before an instruction, as far as it is known.
  std::vector<uint64_t> stored_;  // The locals that have a value before it.
  std::vector<uint64_t> now_;     // Those at at_.
};

}  // namespace

Operands OperandsOf(Op op) { return kOperands[static_cast<uint8_t>(op)]; }

bool AreValues(absl::Span<const Cell> constants) {
  return std::all_of(constants.begin(), constants.end(), IsValue);
}

absl::Status Verify(const ProgramParts& parts, ProgramNeeds* needs) {
  return Verifier(parts, needs).Run();
}

}  // namespace reeve::cel
