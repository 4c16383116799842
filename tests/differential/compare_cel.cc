#include "reeve/tests/differential/compare_cel.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <memory>
#include <numeric>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/time/time.h"
#include "absl/types/span.h"
#include "policy/cel/checker.h"
#include "policy/cel/compiler.h"
#include "policy/cel/expression.h"
#include "policy/cel/parser.h"
#include "policy/cel/type.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/cel/program_encoding.h"
#include "reeve/engine/value.h"
#include "reeve/tests/differential/generate_cel.h"

namespace reeve::differential {
namespace {

using cel::Cell;
using cel::ErrorCode;
using reference::Outcome;
using reference::RefBytes;
using reference::RefCidr;
using reference::RefDuration;
using reference::RefIp;
using reference::RefList;
using reference::RefMap;
using reference::RefNull;
using reference::RefOptional;
using reference::RefTimestamp;
using reference::RefType;
using reference::RefValue;
using reference::Wide;

using Variables = std::map<std::string, RefValue>;
using Cells = std::map<std::string, Cell, std::less<>>;
using Texts = std::vector<std::string>;

constexpr uint64_t kSteps = 1'000'000;
constexpr size_t kMemory = size_t{16} << 20;
constexpr Wide kNanosPerSecond = 1'000'000'000;

// What differs from one condition of a decision to the next: of a type each that much is made of.
constexpr const char* kChanging[] = {"i", "s", "names", "p"};

// ---- Entities ----

// What the one entity, `user:ann`, lies in; of `folder:a` it is not known.
Outcome IsIn(const RefValue&, const std::string& name) {
  if (name == "none") return {std::nullopt, true, false, "not a name"};
  if (name == "folder:a") return {std::nullopt, true, false, "not known"};
  return {RefValue{name == "group:staff" || name == "user:ann"}, false, false, {}};
}

// ---- Values of the reference as cells ----

// Owns what cells point to.
class CellMaker {
 public:
  CellMaker() { context_.Reset(kSteps, kMemory); }

  Cell Make(const RefValue& value) {
    return std::visit([this](const auto& v) { return Of(v); }, value.v);
  }

  // As the engine sees facts: lists of values rather than of cells, and so on. What cannot be a
  // fact, as Make() has it.
  Cell MakeFact(const RefValue& value) {
    std::optional<Value> fact = ToFact(value);
    if (!fact.has_value()) return Make(value);
    facts_.push_back(*std::move(fact));
    return Cell::Of(facts_.back());
  }

 private:
  class Entity final : public cel::EntityFacts {
   public:
    Entity(const RefMap& map, CellMaker* maker) {
      for (const auto& [key, value] : map.entries) {
        attributes_.emplace_back(*key.As<std::string>(), maker->Make(value));
      }
    }

    Cell Find(std::string_view name, cel::Context&) const override {
      for (const auto& [key, value] : attributes_) {
        if (key == name) return value;
      }
      return Cell::Error(ErrorCode::kNoSuchKey, name);
    }
    Cell All(cel::Context& context) const override {
      cel::MapBuilder builder(attributes_.size(), context);
      for (const auto& [key, value] : attributes_) builder.Add(Cell::String(key), value);
      return builder.Build();
    }
    Cell IsIn(std::string_view name, cel::Context&) const override {
      const Outcome outcome = differential::IsIn(RefValue{}, std::string(name));
      if (outcome.is_error) return Cell::Error(ErrorCode::kIncomplete);
      return Cell::Bool(*outcome.value->As<bool>());
    }

   private:
    std::vector<std::pair<std::string, Cell>> attributes_;
  };

  static std::pair<int64_t, uint32_t> Seconds(Wide nanos) {
    const Wide seconds = nanos / kNanosPerSecond - (nanos % kNanosPerSecond < 0 ? 1 : 0);
    return {static_cast<int64_t>(seconds),
            static_cast<uint32_t>(nanos - seconds * kNanosPerSecond)};
  }

  std::string_view Keep(std::string text) { return texts_.emplace_back(std::move(text)); }

  Cell Of(const RefNull&) { return Cell::Null(); }
  Cell Of(bool value) { return Cell::Bool(value); }
  Cell Of(int64_t value) { return Cell::Int(value); }
  Cell Of(uint64_t value) { return Cell::Uint(value); }
  Cell Of(double value) { return Cell::Double(value); }
  Cell Of(const std::string& value) { return Cell::String(Keep(value)); }
  Cell Of(const RefBytes& value) { return Cell::Bytes(Keep(value.bytes)); }
  Cell Of(const RefTimestamp& value) {
    const auto [seconds, nanos] = Seconds(value.nanos);
    return Cell::Timestamp(seconds, nanos);
  }
  Cell Of(const RefDuration& value) {
    const auto [seconds, nanos] = Seconds(value.nanos);
    return Cell::Duration(seconds, nanos);
  }
  Cell Of(const RefType& value) { return Cell::Type(Keep(value.name)); }
  Cell Of(const RefList& value) {
    std::vector<Cell> cells;
    int depth = 0;
    for (const RefValue& element : value.elements) {
      cells.push_back(Make(element));
      depth = std::max<int>(depth, cells.back().depth());
    }
    const Cell list = Cell::List(lists_.emplace_back(std::move(cells)), depth + 1);
    return value.partial ? list.Partial() : list;
  }
  Cell Of(const RefMap& value) {
    if (!value.entity.empty()) {
      return Cell::Entity(entities_.emplace_back(std::make_unique<Entity>(value, this)).get());
    }
    cel::MapBuilder builder(value.entries.size(), context_);
    for (const auto& [key, element] : value.entries) builder.Add(Make(key), Make(element));
    return builder.Build();
  }
  Cell Of(const RefOptional& value) {
    if (value.value.empty()) return Cell::Optional(nullptr, 1);
    const Cell& cell = cells_.emplace_back(Make(value.value[0]));
    return Cell::Optional(&cell, cell.depth() + 1);
  }
  const cel::IpBytes* Bytes(const RefIp& value) {
    cel::IpBytes& bytes = addresses_.emplace_back();
    std::copy(value.bytes.begin(), value.bytes.end(), bytes.bytes);
    return &bytes;
  }
  Cell Of(const RefIp& value) { return Cell::Ip(Bytes(value), value.v6); }
  Cell Of(const RefCidr& value) {
    return Cell::Cidr(Bytes(value.address), value.address.v6, static_cast<uint8_t>(value.prefix));
  }

  static std::optional<Value> ToFact(const RefValue& value) {
    if (value.As<RefNull>() != nullptr) return Value();
    if (const auto* x = value.As<bool>()) return Value::Bool(*x);
    if (const auto* x = value.As<int64_t>()) return Value::Int(*x);
    if (const auto* x = value.As<uint64_t>()) return Value::Uint(*x);
    if (const auto* x = value.As<double>()) return Value::Double(*x);
    if (const auto* x = value.As<std::string>()) return Value::String(*x);
    if (const auto* x = value.As<RefBytes>()) return Value::Bytes(x->bytes);
    if (const auto* x = value.As<RefTimestamp>()) {
      const auto [seconds, nanos] = Seconds(x->nanos);
      return Value::Timestamp(absl::FromUnixSeconds(seconds) + absl::Nanoseconds(nanos));
    }
    if (const auto* x = value.As<RefDuration>()) {
      const auto [seconds, nanos] = Seconds(x->nanos);
      return Value::Duration(absl::Seconds(seconds) + absl::Nanoseconds(nanos));
    }
    if (const auto* x = value.As<RefList>(); x != nullptr && !x->partial) {
      Value::List list;
      for (const RefValue& element : x->elements) {
        std::optional<Value> fact = ToFact(element);
        if (!fact.has_value()) return std::nullopt;
        list.push_back(*std::move(fact));
      }
      return Value::Of(std::move(list));
    }
    if (const auto* x = value.As<RefMap>(); x != nullptr && x->entity.empty()) {
      Attributes attributes;
      for (const auto& [key, element] : x->entries) {
        std::optional<Value> fact = ToFact(element);
        if (!fact.has_value() || key.As<std::string>() == nullptr) return std::nullopt;
        attributes.Set(*key.As<std::string>(), *std::move(fact));
      }
      return Value::Of(std::move(attributes));
    }
    return std::nullopt;
  }

  cel::Context context_;
  std::deque<std::string> texts_;
  std::deque<std::vector<Cell>> lists_;
  std::deque<Cell> cells_;
  std::deque<cel::IpBytes> addresses_;
  std::deque<Value> facts_;
  std::deque<std::unique_ptr<Entity>> entities_;
};

// ---- Cells as values of the reference ----

RefValue FromCell(const Cell& cell, cel::Context& context);

RefValue FromMap(const Cell& map, cel::Context& context) {
  RefMap result;
  if (map.form() == Cell::Form::kAttributes) {
    for (const auto& [name, value] : map.attributes()) {
      result.entries.push_back({{name}, FromCell(Cell::Of(value), context)});
    }
    return {std::move(result)};
  }
  const Cell all = map.form() == Cell::Form::kEntity ? map.entity().All(context) : map;
  for (uint32_t i = 0; i < all.entries().size; ++i) {
    const auto& [key, value] = all.entries().entries[i];
    result.entries.push_back({FromCell(key, context), FromCell(value, context)});
  }
  return {std::move(result)};
}

RefValue FromCell(const Cell& cell, cel::Context& context) {
  const auto nanos = [&cell] { return Wide{cell.seconds()} * kNanosPerSecond + cell.nanos(); };
  const auto ip = [&cell] {
    RefIp result;
    result.v6 = cell.is_v6();
    std::copy_n(cell.ip().bytes, result.v6 ? 16 : 4, result.bytes.begin());
    return result;
  };
  switch (cell.kind()) {
    case cel::Kind::kError:
      return {std::string("an error where none can be: ") + cel::ToString(cell)};
    case cel::Kind::kNull:
      return {RefNull{}};
    case cel::Kind::kBool:
      return {cell.bool_value()};
    case cel::Kind::kInt:
      return {cell.int_value()};
    case cel::Kind::kUint:
      return {cell.uint_value()};
    case cel::Kind::kDouble:
      return {cell.double_value()};
    case cel::Kind::kString:
      return {std::string(cell.text())};
    case cel::Kind::kBytes:
      return {RefBytes{std::string(cell.text())}};
    case cel::Kind::kTimestamp:
      return {RefTimestamp{nanos()}};
    case cel::Kind::kDuration:
      return {RefDuration{nanos()}};
    case cel::Kind::kList: {
      RefList list;
      list.partial = cell.is_partial();
      for (size_t i = 0; i < cell.list_size(); ++i) {
        list.elements.push_back(FromCell(cell.At(i), context));
      }
      return {std::move(list)};
    }
    case cel::Kind::kMap:
      return FromMap(cell, context);
    case cel::Kind::kType:
      return {RefType{std::string(cell.text())}};
    case cel::Kind::kOptional: {
      RefOptional optional;
      if (const Cell* value = cell.optional_value()) {
        optional.value.push_back(FromCell(*value, context));
      }
      return {std::move(optional)};
    }
    case cel::Kind::kIp:
      return {ip()};
    case cel::Kind::kCidr:
      return {RefCidr{ip(), cell.prefix()}};
  }
  return {};
}

std::string TextOf(const Cell& cell, cel::Context& context) {
  return cell.is_error() ? "error" : reference::ToString(FromCell(cell, context));
}

std::string TextOf(const std::vector<cel::Defect>& defects) {
  std::string text;
  for (const cel::Defect& defect : defects) text += defect.message + "\n";
  return text;
}

// ---- Ways to evaluate ----

const cel::Environment& TypedEnvironment() {
  static const auto* const kEnvironment = [] {
    auto* environment = new cel::Environment;
    for (const CelVariable& variable : CelVariables()) {
      environment->AddVariable(variable.name, *cel::ParseType(variable.type));
    }
    return environment;
  }();
  return *kEnvironment;
}

// Variables that stand for literals.
constexpr size_t kMaxLiterals = 1000;

std::string LiteralName(size_t number) { return "literal_" + std::to_string(number); }

const cel::Environment& DynamicEnvironment() {
  static const auto* const kEnvironment = [] {
    auto* environment = new cel::Environment;
    for (const CelVariable& variable : CelVariables()) {
      environment->AddVariable(variable.name, cel::Type::Dyn());
    }
    for (size_t i = 0; i < kMaxLiterals; ++i) {
      environment->AddVariable(LiteralName(i), cel::Type::Dyn());
    }
    return environment;
  }();
  return *kEnvironment;
}

// Whose memory one decision uses, and the next one again.
cel::Machine& SharedMachine() {
  static thread_local cel::Machine machine;
  return machine;
}

// What one expression came to.
struct Got {
  std::string value;  // Empty if it was refused, or a limit was met.
  std::string defects;
  bool limit = false;
};

Got Evaluate(const std::string& text, bool check_types, const Cells& cells) {
  cel::ExpressionOptions options;
  options.check.check_types = check_types;
  std::vector<cel::Defect> defects;
  const auto expression = cel::Expression::Compile(
      text, check_types ? TypedEnvironment() : DynamicEnvironment(), options, &defects);
  if (!expression.has_value()) return {"", "refused: " + TextOf(defects), false};
  cel::Machine& machine = SharedMachine();
  machine.Begin(kSteps, kMemory, expression->room());
  const Cell value = expression->Evaluate(cells, &machine);
  if (machine.context().exhausted()) return {"", "", true};
  return {TextOf(value, machine.context()), "", false};
}

// The numbers of the variables that paths begin with.
std::vector<cel::Link::Path> UnkeptPathsOf(const cel::Program& program) {
  std::vector<cel::Link::Path> paths;
  for (const cel::Path& path : program.paths()) {
    paths.emplace_back(program.names(path), path.variable, cel::Link::kNone);
  }
  return paths;
}

// The same by way of its bytes.
std::shared_ptr<const cel::Program> FromBytes(const cel::Program& program) {
  const auto decoded = cel::DecodeProgram(cel::EncodingOf(program));
  if (decoded.ok()) return *decoded;
  std::fprintf(stderr, "%s\n%s", decoded.status().ToString().c_str(), ToString(program).c_str());
  std::abort();
}

class ByName final : public cel::Variables {
 public:
  ByName(const cel::Program& program, const Cells* cells) : program_(program), cells_(cells) {}

  Cell Get(uint32_t number, cel::Context&) const override {
    const auto found = cells_->find(program_.variable(number));
    return found == cells_->end() ? Cell::Error(ErrorCode::kNoSuchVariable) : found->second;
  }
  Cell GetMember(uint32_t number, std::string_view name, cel::Context& context) const override {
    const Cell variable = Get(number, context);
    return variable.is_error() ? variable : cel::Select(variable, name, context);
  }

 private:
  const cel::Program& program_;
  const Cells* const cells_;
};

// With each literal in a variable of its own, as long as there are any, so that nothing is known
// before it is evaluated.
Got EvaluateWithoutConstants(const std::string& text, Cells cells, CellMaker* maker) {
  std::vector<cel::Defect> defects;
  std::optional<cel::Ast> ast = cel::Parse(text, {}, &defects);
  if (!ast.has_value()) return {"", "does not parse: " + TextOf(defects), false};
  size_t literals = 0;
  for (cel::Expr& expr : ast->nodes) {
    if (expr.kind != cel::ExprKind::kLiteral || literals == kMaxLiterals) continue;
    const std::string name = LiteralName(literals++);
    const RefValue value = std::visit(
        [](const auto& literal) -> RefValue {
          using T = std::decay_t<decltype(literal)>;
          if constexpr (std::is_same_v<T, cel::NullLiteral>) {
            return {RefNull{}};
          } else if constexpr (std::is_same_v<T, cel::BytesLiteral>) {
            return {RefBytes{literal.bytes}};
          } else {
            return {literal};
          }
        },
        expr.literal);
    cells[name] = maker->Make(value);
    expr.kind = cel::ExprKind::kIdent;
    expr.name = name;
  }
  cel::CheckOptions check;
  check.check_types = false;
  const auto checked = cel::Check(*std::move(ast), DynamicEnvironment(), check, &defects);
  if (!checked.has_value()) return {"", "refused: " + TextOf(defects), false};
  const auto compiled = cel::Compile(*checked, {}, &defects, nullptr);
  if (compiled == nullptr) return {"", "refused: " + TextOf(defects), false};
  const auto program = FromBytes(*compiled);
  std::vector<uint32_t> variables(program->variable_count());
  std::iota(variables.begin(), variables.end(), 0);
  const std::vector<cel::Link::Path> paths = UnkeptPathsOf(*program);
  const std::vector<uint32_t> none(program->shared().size(), cel::Link::kNone);
  cel::Machine& machine = SharedMachine();
  cel::Machine::Room room;
  room.Add(*program);
  machine.Begin(kSteps, kMemory, room);
  const Cell value =
      machine.Run(cel::Link(*program, variables, paths, none), ByName(*program, &cells));
  if (machine.context().exhausted()) return {"", "", true};
  return {TextOf(value, machine.context()), "", false};
}

// Conditions of one policy set, linked so that all that can be kept during a decision is.
class Together {
 public:
  // Returns false if it is refused.
  bool Add(const std::string& text) {
    static const auto* const kNames =
        new std::vector<std::string>(std::begin(kChanging), std::end(kChanging));
    std::vector<cel::Defect> defects;
    std::optional<cel::Ast> ast = cel::Parse(text, {}, &defects);
    if (!ast.has_value()) return false;
    cel::CheckOptions check;
    check.check_types = false;
    const auto checked = cel::Check(*std::move(ast), DynamicEnvironment(), check, &defects);
    if (!checked.has_value()) return false;
    Part part;
    part.program = cel::Compile(*checked, {nullptr, "", kNames}, &defects, nullptr);
    if (part.program == nullptr) return false;
    part.program = FromBytes(*part.program);
    const auto slot = [this](const std::string& key) {
      return slots_.try_emplace(key, static_cast<uint32_t>(slots_.size())).first->second;
    };
    const cel::Program& program = *part.program;
    part.variables.resize(program.variable_count());
    std::iota(part.variables.begin(), part.variables.end(), 0);
    for (const cel::Path& path : program.paths()) {
      const std::string variable(program.variable(path.variable));
      std::string key = "path " + variable;
      for (const Cell& name : program.names(path)) key += "\n" + std::string(name.text());
      const bool changes = std::find(kNames->begin(), kNames->end(), variable) != kNames->end();
      part.paths.emplace_back(program.names(path), path.variable,
                              changes ? cel::Link::kNone : slot(key));
    }
    for (const std::string& shared : program.shared())
      part.shared.push_back(slot("part " + shared));
    room_.Add(program);
    room_.slots = static_cast<uint32_t>(slots_.size());
    parts_.push_back(std::move(part));
    return true;
  }

  size_t slots() const { return slots_.size(); }

  void Begin() { SharedMachine().Begin(kSteps, kMemory, room_); }
  // Of the nth that was added.
  Got Evaluate(size_t n, const Cells& cells) {
    const Part& part = parts_[n];
    cel::Machine& machine = SharedMachine();
    const Cell value =
        machine.Run(cel::Link(*part.program, part.variables, part.paths, part.shared),
                    ByName(*part.program, &cells));
    if (machine.context().exhausted()) return {"", "", true};
    return {TextOf(value, machine.context()), "", false};
  }

 private:
  struct Part {
    std::shared_ptr<const cel::Program> program;
    std::vector<uint32_t> variables, shared;
    std::vector<cel::Link::Path> paths;
  };
  std::map<std::string, uint32_t> slots_;
  std::vector<Part> parts_;
  cel::Machine::Room room_;
};

// ---- The comparison ----

// The values of the variables, in the forms of both.
struct Facts {
  Facts(const Variables& bindings, const Variables& changed) {
    scope.variables = bindings;
    scope.is_in = IsIn;
    for (const auto& [name, value] : bindings) {
      cells[name] = maker.Make(value);
      facts[name] = maker.MakeFact(value);
    }
    changed_scope = scope;
    changed_cells = cells;
    for (const auto& [name, value] : changed) {
      changed_scope.variables[name] = value;
      changed_cells[name] = maker.Make(value);
    }
  }

  CellMaker maker;
  reference::Scope scope, changed_scope;
  Cells cells, facts, changed_cells;
};

std::optional<cel::Ast> ParseRaw(const std::string& text) {
  cel::ParseOptions options;
  options.expand_macros = false;
  std::vector<cel::Defect> defects;
  return cel::Parse(text, options, &defects);
}

std::string Differs(const char* how, const std::string& text, const Got& got, const Outcome& want) {
  const std::string value = got.value.empty() ? got.defects : got.value;
  return text + "\nengine, " + how + ": " + value + "\nreference: " + ToString(want) +
         (want.is_error ? ": " + want.error : "") + "\n";
}

void Count(const Outcome& want, CelTally* tally) {
  ++tally->expressions;
  const auto* truth = want.is_error ? nullptr : want.value->As<bool>();
  ++*(want.is_error      ? &tally->errors
      : truth == nullptr ? &tally->others
      : *truth           ? &tally->true_values
                         : &tally->false_values);
}

// Whether an expression was refused for a constant that its function does not take: a time zone,
// the name of an entity, a regular expression.
bool IsOfConstant(const std::string& defects) {
  for (const char* words : {"is no time zone; write", "refused: this is no regular expression: ",
                            "names no entity; write `type:id`"}) {
    if (defects.find(words) != std::string::npos) return true;
  }
  return false;
}

// Empty if they agree.
std::string DifferenceOfOne(const std::string& text, Facts& facts, CelTally* tally) {
  const std::optional<cel::Ast> ast = ParseRaw(text);
  if (!ast.has_value()) return "does not parse: " + text + "\n";
  const Outcome want = reference::Evaluate(*ast, facts.scope);
  Count(want, tally);
  if (want.limit) {
    ++tally->limits;
    return {};
  }
  const std::string want_text = ToString(want);
  const auto agrees = [&](const Got& got) {
    if (got.limit) ++tally->limits;
    return got.limit || got.value == want_text;
  };
  const Got hidden = EvaluateWithoutConstants(text, facts.cells, &facts.maker);
  if (!agrees(hidden)) return Differs("without constants", text, hidden, want);
  const Got plain = Evaluate(text, false, facts.cells);
  const bool refused = !plain.defects.empty();
  if (refused) {
    ++tally->refused;
    if (!IsOfConstant(plain.defects)) return Differs("without types", text, plain, want);
  } else if (!agrees(plain)) {
    return Differs("without types", text, plain, want);
  }
  const Got typed = Evaluate(text, true, facts.facts);
  if (!typed.defects.empty()) {
    if (!refused) ++tally->ill_typed;
  } else if (refused) {
    return Differs("with types, and refused without them", text, typed, want);
  } else if (!agrees(typed)) {
    return Differs("with types", text, typed, want);
  }
  return {};
}

std::string DifferenceTogether(const Texts& texts, Facts& facts, CelTally* tally) {
  Together together;
  std::vector<const std::string*> added;
  for (const std::string& text : texts) {
    if (together.Add(text)) added.push_back(&text);
  }
  tally->kept += together.slots();
  together.Begin();
  // Again, with other values of what may change, and with the first ones.
  for (const bool changed : {false, true, false}) {
    for (size_t i = 0; i < added.size(); ++i) {
      const Outcome want =
          reference::Evaluate(*ParseRaw(*added[i]), changed ? facts.changed_scope : facts.scope);
      if (want.limit) continue;
      const Got got = together.Evaluate(i, changed ? facts.changed_cells : facts.cells);
      if (got.limit) return {};
      if (got.value != ToString(want)) {
        return Differs(changed ? "in a decision, changed" : "in a decision", *added[i], got, want);
      }
    }
  }
  return {};
}

std::string Difference(const Texts& texts, Facts& facts, CelTally* tally) {
  for (const std::string& text : texts) {
    std::string difference = DifferenceOfOne(text, facts, tally);
    if (!difference.empty()) return difference;
  }
  return DifferenceTogether(texts, facts, tally);
}

// ---- Shrinking ----

// What an expression is refused for, without the user's words; empty of other differences.
std::string RefusalOf(const std::string& difference) {
  const size_t refusal = difference.find(": refused: ");
  return refusal == std::string::npos ? "" : difference.substr(refusal, 20);
}

// Whether these differ as `before` says that others do.
bool StillDiffers(const Texts& texts, Facts& facts, const std::string& before) {
  for (const std::string& text : texts) {
    if (!ParseRaw(text).has_value()) return false;
  }
  CelTally ignored;
  const std::string difference = Difference(texts, facts, &ignored);
  return !difference.empty() && RefusalOf(difference) == RefusalOf(before);
}

// Where a text can be cut: around names and numbers, and at every other character.
std::vector<size_t> Cuts(const std::string& text) {
  std::vector<size_t> cuts = {0};
  const auto is_word = [](char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_' || (c & 0x80) != 0;
  };
  for (size_t i = 1; i < text.size(); ++i) {
    if (!is_word(text[i - 1]) || !is_word(text[i])) cuts.push_back(i);
  }
  cuts.push_back(text.size());
  return cuts;
}

// Makes the nth smaller, to a part of it or without a part of it. Returns false if it cannot.
bool ShrinkOnce(Texts* texts, size_t n, Facts& facts, const std::string& before) {
  const std::string text = (*texts)[n];
  const std::vector<size_t> cuts = Cuts(text);
  for (size_t length = cuts.size() - 1; length > 0; --length) {
    for (size_t from = 0; from + length < cuts.size(); ++from) {
      const size_t begin = cuts[from];
      const size_t end = cuts[from + length];
      const std::string part = text.substr(begin, end - begin);
      const std::string rest = text.substr(end);
      for (const std::string& smaller :
           {part, text.substr(0, begin) + rest, text.substr(0, begin) + "1" + rest}) {
        if (smaller.size() >= text.size() || smaller.empty()) continue;
        (*texts)[n] = smaller;
        if (StillDiffers(*texts, facts, before)) return true;
      }
    }
  }
  (*texts)[n] = text;
  return false;
}

void Shrink(Texts* texts, Facts& facts, const std::string& before) {
  for (size_t i = texts->size(); i-- > 0 && texts->size() > 1;) {
    Texts fewer = *texts;
    fewer.erase(fewer.begin() + static_cast<ptrdiff_t>(i));
    if (StillDiffers(fewer, facts, before)) *texts = fewer;
  }
  for (size_t i = 0; i < texts->size(); ++i) {
    while (ShrinkOnce(texts, i, facts, before)) {
    }
  }
}

}  // namespace

std::string EngineValueOf(const std::string& expression, const Variables& variables) {
  const Facts facts(variables, {});
  const Got got = Evaluate(expression, false, facts.cells);
  if (got.limit) return "limit";
  return got.defects.empty() ? got.value : got.defects;
}

CelComparison::CelComparison(Choices& choices) : bindings_(MakeBindings(choices)) {
  const Variables others = MakeBindings(choices);
  for (const char* name : kChanging) changed_[name] = others.at(name);
}

bool CelComparison::Agree(const Texts& expressions, CelTally* tally) {
  Facts facts(bindings_, changed_);
  failure_ = Difference(expressions, facts, tally);
  if (failure_.empty()) return true;
  Texts smallest = expressions;
  Shrink(&smallest, facts, failure_);
  CelTally ignored;
  failure_ += "the smallest that differs:\n";
  for (const std::string& text : smallest) failure_ += "  " + text + "\n";
  failure_ += Difference(smallest, facts, &ignored) + "where\n";
  for (const auto& [name, value] : bindings_) {
    const bool used = std::any_of(
        smallest.begin(), smallest.end(),
        [&name = name](const auto& text) { return text.find(name) != std::string::npos; });
    if (!used) continue;
    failure_ += "  " + name + ": " + ToString(value);
    const auto changed = changed_.find(name);
    failure_ += changed == changed_.end() ? "\n" : ", then " + ToString(changed->second) + "\n";
  }
  return false;
}

}  // namespace reeve::differential
