#include "reeve/engine/cel/program_testing.h"

#include <cstdint>
#include <numeric>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "reeve/engine/cel/cell_testing.h"
#include "reeve/engine/cel/machine.h"
#include "reeve/engine/cel/operators.h"
#include "reeve/engine/value.h"

namespace reeve::cel {
namespace {

constexpr uint64_t kCost = 5000;
constexpr size_t kMemory = 1 << 16;

std::vector<Cell> ManyValues() {
  Attributes attributes;
  attributes.Set("id", Value::String("ada"));
  attributes.Set("level", Value::Int(5));
  attributes.Set("a", Value::Bool(true));
  attributes.Set("tags",
                 Value::Of(Value::List{Value::String("x"), Value::String("y"), Value::Int(3)}));
  static const auto& kept = *new Attributes(std::move(attributes));
  return {Ada(),
          Cell::Map(&kept),
          ListOf({Cell::Int(1), Cell::String("x"), Cell::Uint(2), Cell::Double(0.5)}),
          StringsOf({"a", "b", "group:staff"}),
          StringsOf({"a"}).Partial(),
          Cell::String("text/of.a+kind"),
          Cell::Int(-7),
          MapOf({{Cell::String("a"), Cell::Int(1)}, {Cell::String("tags"), ListOf({})}}),
          OptionalOf(Cell::Map(&kept)),
          Cell::Timestamp(1790000000, 5),
          Cell::Error(ErrorCode::kNoSuchVariable)};
}

// Variables that are values, the first the one at `first`.
class Rotated final : public Variables {
 public:
  Rotated(absl::Span<const Cell> values, size_t first) : values_(values), first_(first) {}

  Cell Get(uint32_t number, Context&) const override {
    return values_[(first_ + number) % values_.size()];
  }
  Cell GetMember(uint32_t number, std::string_view name, Context& context) const override {
    const Cell variable = Get(number, context);
    return variable.is_error() ? variable : Select(variable, name, context);
  }

 private:
  const absl::Span<const Cell> values_;
  const size_t first_;
};

}  // namespace

std::string RunOnMany(const Program& program) {
  static const auto& values = *new std::vector<Cell>(ManyValues());
  Machine::Room room;
  room.Add(program);
  std::vector<uint32_t> variables(program.variable_count());
  std::iota(variables.begin(), variables.end(), 0);
  std::vector<Link::Path> paths;
  for (const Path& path : program.paths()) {
    paths.emplace_back(program.names(path), path.variable, room.slots++);
  }
  std::vector<uint32_t> shared(program.shared().size());
  std::iota(shared.begin(), shared.end(), room.slots);
  room.slots += static_cast<uint32_t>(shared.size());
  const Link link(program, variables, paths, shared);
  Machine machine;
  std::string text;
  for (size_t first = 0; first < values.size(); ++first) {
    machine.Begin(kCost, kMemory, room);
    const Rotated rotated(values, first);
    for (int again = 0; again < 2; ++again) {
      text += ToString(machine.Run(link, rotated)).substr(0, 1000) + "\n";
    }
  }
  return text;
}

}  // namespace reeve::cel
