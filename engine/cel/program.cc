#include "reeve/engine/cel/program.h"

#include <array>

#include "absl/strings/str_cat.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/text.h"

namespace reeve::cel {
namespace {

constexpr std::array<std::string_view, static_cast<size_t>(Op::kReturn) + 1> kNames = {
    "Constant",
    "Variable",
    "Path",
    "Local",
    "Store",
    "Select",
    "Has",
    "OptionalSelect",
    "Index",
    "OptionalIndex",
    "Equal",
    "NotEqual",
    "Less",
    "LessOrEqual",
    "Greater",
    "GreaterOrEqual",
    "Add",
    "Subtract",
    "Multiply",
    "Divide",
    "Modulo",
    "In",
    "StartsWith",
    "EndsWith",
    "Negate",
    "Not",
    "And",
    "Or",
    "NotStrictlyFalse",
    "InSet",
    "Matches",
    "LocalTime",
    "Call",
    "List",
    "Map",
    "Append",
    "Put",
    "Jump",
    "JumpIfFalse",
    "JumpIfTrue",
    "JumpIfNotBool",
    "JumpIfError",
    "PopJumpIfFalse",
    "PopJumpIfTrue",
    "JumpIfPresent",
    "Optional",
    "Loop",
    "Next",
    "Shared",
    "Keep",
    "Compare",
    "ComparePaths",
    "InPath",
    "PathInSet",
    "HasPath",
    "Return",
};

std::string PathText(const Program& program, uint32_t path) {
  std::string text = program.variables[program.paths[path].variable];
  for (const Cell& name : program.paths[path].names) {
    absl::StrAppend(&text, ".", std::string(name.text()));
  }
  return text;
}

// What the operands of `i` mean.
std::string Operands(const Program& program, const Instruction& i) {
  if (IsBinary(i.op)) return i.a == 1 ? ToString(program.constants[i.c]) : "";
  switch (i.op) {
    case Op::kConstant:
    case Op::kSelect:
    case Op::kHas:
    case Op::kOptionalSelect:
      return ToString(program.constants[i.c]);
    case Op::kVariable:
      return program.variables[i.c];
    case Op::kPath:
      return PathText(program, i.c);
    case Op::kCompare:
      return absl::StrCat(PathText(program, i.b), " ", std::string(ToString(static_cast<Op>(i.a))),
                          " ", ToString(program.constants[i.c]));
    case Op::kHasPath:
      return PathText(program, i.b);
    case Op::kInPath:
      return absl::StrCat(ToString(program.constants[i.c]), " ", PathText(program, i.b));
    case Op::kComparePaths:
      return absl::StrCat(PathText(program, i.b), " ", std::string(ToString(static_cast<Op>(i.a))),
                          " ", PathText(program, i.c));
    case Op::kPathInSet:
      return absl::StrCat(PathText(program, i.b), " of ", program.sets[i.c].size());
    case Op::kLocal:
    case Op::kStore:
      return absl::StrCat(i.c);
    case Op::kInSet:
      return absl::StrCat("of ", program.sets[i.c].size());
    case Op::kMatches:
      return program.regexes[i.c].text;
    case Op::kLocalTime:
      return program.zones[i.c].name();
    case Op::kCall:
      return absl::StrCat(std::string(Functions()[i.c].name), "/", i.a);
    case Op::kList:
    case Op::kMap: {
      std::string text = absl::StrCat(i.b);
      if (i.a == 1) {
        for (const bool optional : program.optional_flags[i.c]) {
          absl::StrAppend(&text, optional ? " ?" : " -");
        }
      }
      return text;
    }
    case Op::kPut:
      return absl::StrCat(i.b);
    case Op::kJump:
    case Op::kJumpIfFalse:
    case Op::kJumpIfTrue:
    case Op::kJumpIfNotBool:
    case Op::kJumpIfError:
    case Op::kPopJumpIfFalse:
    case Op::kPopJumpIfTrue:
      return absl::StrCat("-> ", i.c);
    case Op::kJumpIfPresent:
      return absl::StrCat(i.a == 1 ? "value " : "", "-> ", i.c);
    case Op::kLoop:
    case Op::kNext:
      return absl::StrCat(i.b, " -> ", i.c);
    case Op::kShared:
      return absl::StrCat(i.b, " ", program.shared[i.b], " -> ", i.c);
    case Op::kKeep:
      return absl::StrCat(i.b);
    default:
      return "";
  }
}

}  // namespace

void CellSet::Add(const Cell& cell) {
  if (Contains(cell)) return;
  if (many_.empty() && few_.size() < kFew) return few_.push_back(cell);
  many_.insert(few_.begin(), few_.end());
  few_.clear();
  many_.insert(cell);
}

bool CellSet::Contains(const Cell& value) const {
  if (value.kind() == Kind::kString) {
    for (const Cell& cell : few_) {
      if (cell.kind() == Kind::kString && SameText(cell.text(), value.text())) return true;
    }
  } else {
    for (const Cell& cell : few_) {
      if (Compare(cell, value) == 0) return true;
    }
  }
  // Lists and maps have no hash.
  return !many_.empty() && value.kind() > Kind::kNull && value.kind() < Kind::kTimestamp &&
         many_.contains(value);
}

std::string_view ToString(Op op) { return kNames[static_cast<size_t>(op)]; }

std::string ToString(const Program& program) {
  std::string text;
  for (size_t i = 0; i < program.code.size(); ++i) {
    const std::string operands = Operands(program, program.code[i]);
    absl::StrAppend(&text, i, " ", std::string(ToString(program.code[i].op)),
                    operands.empty() ? "" : " ", operands, "\n");
  }
  return text;
}

}  // namespace reeve::cel
