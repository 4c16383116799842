#include "reeve/engine/cel/program.h"

#include <algorithm>
#include <array>
#include <limits>
#include <utility>

#include "absl/container/inlined_vector.h"
#include "absl/numeric/bits.h"
#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/verifier.h"
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
    "IsInPath",
    "IsIn",
    "Return",
};

std::string PathText(const Program& program, uint32_t path) {
  const Path& of = program.paths()[path];
  std::string text(program.variable(of.variable));
  for (const Cell& name : program.names(of)) {
    absl::StrAppend(&text, ".", std::string(name.text()));
  }
  return text;
}

// What the operands of `i` mean.
std::string OperandsText(const Program& program, const Instruction& i) {
  if (IsBinary(i.op)) return i.a == 1 ? ToString(program.constants()[i.c]) : "";
  switch (i.op) {
    case Op::kConstant:
    case Op::kSelect:
    case Op::kHas:
    case Op::kOptionalSelect:
      return ToString(program.constants()[i.c]);
    case Op::kVariable:
      return std::string(program.variable(i.c));
    case Op::kPath:
      return PathText(program, i.c);
    case Op::kCompare:
      return absl::StrCat(PathText(program, i.b), " ", std::string(ToString(static_cast<Op>(i.a))),
                          " ", ToString(program.constants()[i.c]));
    case Op::kHasPath:
      return PathText(program, i.b);
    case Op::kInPath:
      return absl::StrCat(ToString(program.constants()[i.c]), " ", PathText(program, i.b));
    case Op::kComparePaths:
      return absl::StrCat(PathText(program, i.b), " ", std::string(ToString(static_cast<Op>(i.a))),
                          " ", PathText(program, i.c));
    case Op::kIsInPath:
      return absl::StrCat(std::string(program.variable(i.c)), " ", PathText(program, i.b));
    case Op::kIsIn:
      return absl::StrCat(std::string(program.variable(i.b)), " ",
                          ToString(program.constants()[i.c]));
    case Op::kPathInSet:
      return absl::StrCat(PathText(program, i.b), " of ", program.sets()[i.c].size());
    case Op::kLocal:
    case Op::kStore:
      return absl::StrCat(i.c);
    case Op::kInSet:
      return absl::StrCat("of ", program.sets()[i.c].size());
    case Op::kMatches:
      return program.regexes()[i.c].text;
    case Op::kLocalTime:
      return program.zones()[i.c].name();
    case Op::kCall:
      return absl::StrCat(std::string(Functions()[i.c].name), "/", i.a);
    case Op::kList:
    case Op::kMap: {
      std::string text = absl::StrCat(i.b);
      if (i.a == 1) {
        for (const bool optional : program.optional_flags()[i.c]) {
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
      return absl::StrCat(i.b, " ", program.shared()[i.b], " -> ", i.c);
    case Op::kKeep:
      return absl::StrCat(i.b);
    default:
      return "";
  }
}

// Texts of few bytes in all are stored once.
constexpr size_t kSearchedBytes = 1024;
// As many cells are as quickly compared as hashed.
constexpr size_t kFew = 8;

bool HoldsMap(const Cell& cell) {
  if (cell.kind() == Kind::kMap) return true;
  if (cell.kind() == Kind::kOptional) {
    return cell.optional_value() != nullptr && HoldsMap(*cell.optional_value());
  }
  if (cell.kind() != Kind::kList) return false;
  for (size_t i = 0; i < cell.list_size(); ++i) {
    if (HoldsMap(cell.At(i))) return true;
  }
  return false;
}

}  // namespace

// --- Sets ---

bool CellSet::CanHold(const Cell& cell) {
  constexpr double k2To63 = 9223372036854775808.0;
  switch (cell.kind()) {
    case Kind::kBool:
    case Kind::kInt:
    case Kind::kUint:
    case Kind::kString:
    case Kind::kBytes:
      return true;
    case Kind::kDouble:
      // At the end of what doubles can tell apart; no NaN is less than anything.
      return cell.double_value() < k2To63 && cell.double_value() > -k2To63;
    default:
      return false;
  }
}

size_t CellSet::SlotsFor(size_t cells) { return cells <= kFew ? 0 : absl::bit_ceil(2 * cells); }

CellSet CellSet::Of(absl::Span<const Cell> cells, Cell* memory, uint32_t* slots) {
  CellSet set;
  set.cells_ = memory;
  set.size_ = 0;
  const size_t count = SlotsFor(cells.size());
  set.slots_ = count == 0 ? nullptr : slots;
  set.mask_ = count == 0 ? 0 : static_cast<uint32_t>(count - 1);
  std::fill_n(slots, count, 0);
  for (const Cell& cell : cells) {
    if (set.Contains(cell)) continue;
    memory[set.size_++] = cell;
    if (set.slots_ != nullptr) *set.FindSlot(cell) = set.size_;
  }
  return set;
}

uint32_t* CellSet::FindSlot(const Cell& value) const {
  auto at = static_cast<uint32_t>(Hash(value)) & mask_;
  while (slots_[at] != 0 && Compare(cells_[slots_[at] - 1], value) != 0) at = (at + 1) & mask_;
  return &slots_[at];
}

bool CellSet::Contains(const Cell& value) const {
  if (slots_ != nullptr) {
    // Lists and maps have no hash.
    return value.kind() > Kind::kNull && value.kind() < Kind::kTimestamp && *FindSlot(value) != 0;
  }
  if (value.kind() == Kind::kString) {
    for (const Cell& cell : cells()) {
      if (cell.kind() == Kind::kString && SameText(cell.text(), value.text())) return true;
    }
  } else {
    for (const Cell& cell : cells()) {
      if (Compare(cell, value) == 0) return true;
    }
  }
  return false;
}

// --- Programs ---

namespace {

// Copies what cells point to. All of it is to be counted before, in the order in which it is
// copied.
class Packer {
 public:
  void Count(const Cell& cell) {
    switch (cell.kind()) {
      case Kind::kString:
      case Kind::kBytes:
      case Kind::kType:
        return CountText(cell.text());
      case Kind::kIp:
      case Kind::kCidr:
        return CountText(BytesOf(cell));
      case Kind::kOptional:
        if (cell.optional_value() == nullptr) return;
        ++cells_;
        return Count(*cell.optional_value());
      case Kind::kList:
        cells_ += cell.list_size();
        for (size_t i = 0; i < cell.list_size(); ++i) Count(cell.At(i));
        return;
      case Kind::kMap:
        for (uint32_t i = 0; i < cell.entries().size; ++i) {
          Count(cell.entries().entries[i].key);
          Count(cell.entries().entries[i].value);
        }
        return;
      default:
        return;
    }
  }

  // How many cells more there are than were given to Count().
  size_t cells() const { return cells_; }
  const std::string& texts() const { return texts_; }

  // Begins to copy: to `cells`, to `texts`, where texts() are already, and maps to `memory`.
  void Begin(Cell* cells, const char* texts, Context* memory) {
    next_cell_ = cells;
    copied_texts_ = texts;
    memory_ = memory;
  }

  Cell Copy(const Cell& cell) {
    switch (cell.kind()) {
      case Kind::kString:
        return Cell::String(CopyText(cell.text()));
      case Kind::kBytes:
        return Cell::Bytes(CopyText(cell.text()));
      case Kind::kType:
        return Cell::Type(CopyText(cell.text()));
      case Kind::kIp:
      case Kind::kCidr: {
        const auto* const address =
            reinterpret_cast<const IpBytes*>(CopyText(BytesOf(cell)).data());
        return cell.kind() == Kind::kIp ? Cell::Ip(address, cell.is_v6())
                                        : Cell::Cidr(address, cell.is_v6(), cell.prefix());
      }
      case Kind::kOptional: {
        if (cell.optional_value() == nullptr) return cell;
        Cell* const value = next_cell_++;
        *value = Copy(*cell.optional_value());
        return Cell::Optional(value, cell.depth());
      }
      case Kind::kList: {
        Cell* const elements = next_cell_;
        next_cell_ += cell.list_size();
        for (size_t i = 0; i < cell.list_size(); ++i) elements[i] = Copy(cell.At(i));
        return Cell::List({elements, cell.list_size()}, cell.depth());
      }
      case Kind::kMap: {
        MapBuilder builder(cell.entries().size, *memory_);
        for (uint32_t i = 0; i < cell.entries().size; ++i) {
          const Cell key = Copy(cell.entries().entries[i].key);
          // The limits are those of memory_ only.
          if (builder.Add(key, Copy(cell.entries().entries[i].value)).is_error()) break;
        }
        return builder.Build();
      }
      default:
        return cell;
    }
  }

 private:
  static std::string_view BytesOf(const Cell& address) {
    return {reinterpret_cast<const char*>(address.ip().bytes), sizeof address.ip().bytes};
  }

  void CountText(std::string_view text) {
    size_t at = texts_.size() <= kSearchedBytes ? texts_.find(text) : std::string::npos;
    if (at == std::string::npos) {
      at = texts_.size();
      texts_.append(text);
    }
    places_.push_back(at);
  }

  std::string_view CopyText(std::string_view text) {
    return {copied_texts_ + places_[next_place_++], text.size()};
  }

  size_t cells_ = 0;
  std::string texts_;
  absl::InlinedVector<size_t, 16> places_;  // Of each text, in texts_.
  size_t next_place_ = 0;
  Cell* next_cell_ = nullptr;
  const char* copied_texts_ = nullptr;
  Context* memory_ = nullptr;
};

}  // namespace

const ProgramShape::Rare ProgramShape::kNothingRare;

std::shared_ptr<ProgramShape> ProgramShape::Make(const ProgramNeeds& needs, ProgramParts* given) {
  ProgramParts& parts = *given;
  auto shape = std::make_shared<ProgramShape>(Private());
  const bool has_map = std::any_of(parts.constants.begin(), parts.constants.end(), HoldsMap);
  if (has_map || !parts.regexes.empty() || !parts.zones.empty() || !parts.optional_flags.empty() ||
      !parts.loops.empty() || !parts.shared.empty()) {
    auto rare = std::make_unique<Rare>();
    rare->regexes = std::move(parts.regexes);
    rare->zones = std::move(parts.zones);
    rare->optional_flags = std::move(parts.optional_flags);
    rare->loops = std::move(parts.loops);
    for (size_t i = 0; i < needs.loop_costs.size(); ++i) rare->loops[i].cost = needs.loop_costs[i];
    rare->shared = std::move(parts.shared);
    rare->memory.Reset(std::numeric_limits<uint64_t>::max(), std::numeric_limits<size_t>::max());
    shape->rare_ = std::move(rare);
  }

  constexpr size_t kUsual = std::size(kUsualVariables);
  Packer packer;
  size_t count = parts.names.size();
  size_t slots = 0;
  for (const Cell& cell : parts.names) packer.Count(cell);
  absl::InlinedVector<uint32_t, 8>
      variables;  // Usual ones by their number, others by that of a cell.
  for (const std::string_view name : parts.variables) {
    const auto* const usual =
        std::find(std::begin(kUsualVariables), std::end(kUsualVariables), name);
    variables.push_back(static_cast<uint32_t>(usual - std::begin(kUsualVariables)));
    if (variables.back() < kUsual) continue;
    shape->reads_others_ = true;
    variables.back() = static_cast<uint32_t>(kUsual + count++);
    packer.Count(Cell::String(name));
  }
  for (const std::vector<Cell>& set : parts.sets) {
    for (const Cell& cell : set) packer.Count(cell);
    count += set.size();
    slots += CellSet::SlotsFor(set.size());
  }

  shape->cells_ = static_cast<uint32_t>(count);
  shape->code_ = static_cast<uint32_t>(parts.code.size());
  shape->stack_ = needs.stack;
  shape->sets_ = static_cast<uint16_t>(parts.sets.size());
  shape->paths_ = static_cast<uint16_t>(parts.paths.size());
  shape->variables_ = static_cast<uint16_t>(parts.variables.size());
  shape->locals_ = static_cast<uint16_t>(needs.locals);
  shape->block_ = std::unique_ptr<char[]>(
      new char[count * sizeof(Cell) + parts.code.size() * sizeof(Instruction) +
               parts.sets.size() * sizeof(CellSet) + parts.paths.size() * sizeof(Path) +
               (variables.size() + slots) * sizeof(uint32_t) + packer.texts().size()]);

  auto* cells = reinterpret_cast<Cell*>(shape->block_.get());
  auto* const code = reinterpret_cast<Instruction*>(cells + count);
  auto* sets = reinterpret_cast<CellSet*>(std::copy(parts.code.begin(), parts.code.end(), code));
  auto* const paths = reinterpret_cast<Path*>(sets + parts.sets.size());
  auto* const numbers =
      reinterpret_cast<uint32_t*>(std::copy(parts.paths.begin(), parts.paths.end(), paths));
  auto* slot = std::copy(variables.begin(), variables.end(), numbers);
  auto* const texts = reinterpret_cast<char*>(slot + slots);
  std::copy(packer.texts().begin(), packer.texts().end(), texts);
  packer.Begin(cells + count, texts, nullptr);  // Sets hold scalars.
  for (const Cell& cell : parts.names) *cells++ = packer.Copy(cell);
  for (size_t i = 0; i < variables.size(); ++i) {
    if (variables[i] >= kUsual) *cells++ = packer.Copy(Cell::String(parts.variables[i]));
  }
  for (std::vector<Cell>& set : parts.sets) {
    for (Cell& cell : set) cell = packer.Copy(cell);
    *sets++ = CellSet::Of(set, cells, slot);
    cells += set.size();
    slot += CellSet::SlotsFor(set.size());
  }
  return shape;
}

std::string_view ProgramShape::variable(uint32_t number) const {
  const auto* const numbers = reinterpret_cast<const uint32_t*>(paths().end());
  constexpr uint32_t kUsual = std::size(kUsualVariables);
  return numbers[number] < kUsual ? kUsualVariables[numbers[number]]
                                  : cells()[numbers[number] - kUsual].text();
}

std::vector<std::string_view> ProgramShape::variables() const {
  std::vector<std::string_view> names;
  for (uint32_t i = 0; i < variables_; ++i) names.push_back(variable(i));
  return names;
}

bool ProgramShape::IsLike(const ProgramShape& other) const {
  const auto same_code = [](const Instruction& a, const Instruction& b) {
    return a.op == b.op && a.a == b.a && a.b == b.b && a.c == b.c;
  };
  if (rare_ != nullptr || other.rare_ != nullptr || sets_ > 0 || other.sets_ > 0 ||
      variables_ != other.variables_ || paths_ != other.paths_ || code_ != other.code_ ||
      !std::equal(code().begin(), code().end(), other.code().begin(), same_code)) {
    return false;
  }
  for (uint32_t i = 0; i < variables_; ++i) {
    if (variable(i) != other.variable(i)) return false;
  }
  for (size_t i = 0; i < paths_; ++i) {
    const Path& path = paths()[i];
    const Path& other_path = other.paths()[i];
    if (path.variable != other_path.variable || path.count != other_path.count) return false;
    for (size_t n = 0; n < path.count; ++n) {
      if (names(path)[n].text() != other.names(other_path)[n].text()) return false;
    }
  }
  return true;
}

absl::StatusOr<std::shared_ptr<const Program>> Program::Make(ProgramParts* parts) {
  ProgramNeeds needs;
  if (absl::Status status = Verify(*parts, &needs); !status.ok()) return status;
  std::shared_ptr<ProgramShape> shape = ProgramShape::Make(needs, parts);
  Context* const maps = shape->rare_ == nullptr ? nullptr : &shape->rare_->memory;
  return std::make_shared<Program>(Private(), std::move(shape), parts->constants, maps);
}

std::shared_ptr<const Program> Program::MakeLike(const Program& model,
                                                 absl::Span<const Cell> constants) {
  const absl::Span<const Cell> others = model.constants();
  if (constants.size() != others.size()) return nullptr;
  for (size_t i = 0; i < constants.size(); ++i) {
    if (constants[i].kind() != others[i].kind()) return nullptr;
  }
  if (!AreValues(constants) || std::any_of(constants.begin(), constants.end(), HoldsMap)) {
    return nullptr;
  }
  return std::make_shared<Program>(Private(), model.shape_, constants, nullptr);
}

Program::Program(Private, std::shared_ptr<const ProgramShape> shape,
                 absl::Span<const Cell> constants, Context* maps)
    : shape_(std::move(shape)), constants_(static_cast<uint32_t>(constants.size())) {
  if (constants.empty()) return;
  Packer packer;
  for (const Cell& cell : constants) packer.Count(cell);
  const size_t count = constants.size() + packer.cells();
  block_ = std::unique_ptr<char[]>(new char[count * sizeof(Cell) + packer.texts().size()]);
  auto* cells = reinterpret_cast<Cell*>(block_.get());
  auto* const texts = reinterpret_cast<char*>(cells + count);
  std::copy(packer.texts().begin(), packer.texts().end(), texts);
  packer.Begin(cells + constants.size(), texts, maps);
  for (const Cell& cell : constants) *cells++ = packer.Copy(cell);
}

std::string_view ToString(Op op) { return kNames[static_cast<size_t>(op)]; }

std::string ToString(const Program& program) {
  std::string text;
  const absl::Span<const Instruction> code = program.code();
  for (size_t i = 0; i < code.size(); ++i) {
    const std::string operands = OperandsText(program, code[i]);
    absl::StrAppend(&text, i, " ", std::string(ToString(code[i].op)), operands.empty() ? "" : " ",
                    operands, "\n");
  }
  return text;
}

}  // namespace reeve::cel
