#include "reeve/engine/cel/cell_testing.h"

#include <algorithm>
#include <deque>

#include "reeve/engine/cel/function.h"
#include "reeve/engine/cel/operators.h"

namespace reeve::cel {
namespace {

template <typename T>
const T& Keep(T value) {
  static auto& kept = *new std::deque<T>;
  return kept.emplace_back(std::move(value));
}

const IpBytes* KeepAddress(std::initializer_list<uint8_t> bytes) {
  IpBytes address = {};
  std::copy(bytes.begin(), bytes.end(), address.bytes);
  return &Keep(address);
}

class AdaFacts : public EntityFacts {
 public:
  Cell Find(std::string_view name, Context&) const override {
    const Value* value = attributes_.Find(name);
    return value != nullptr ? Cell::Of(*value) : Cell::Error(ErrorCode::kNoSuchKey, name);
  }
  Cell All(Context& context) const override {
    MapBuilder map(attributes_.size(), context);
    for (const auto& [name, value] : attributes_) map.Add(Cell::String(name), Cell::Of(value));
    return map.Build();
  }
  Cell IsIn(std::string_view name, Context&) const override {
    if (name == "group:remote") return Cell::Error(ErrorCode::kIncomplete);
    return Cell::Bool(name == "user:ada" || name == "group:staff");
  }

 private:
  const Attributes attributes_ = {
      {"name", Value::String("ada")},
      {"level", Value::Int(3)},
      {"groups", Value::Of(Value::List{Value::String("group:staff")})},
  };
};

}  // namespace

Context& AmpleContext() {
  static Context& context = *new Context;
  static const bool ready = [] {
    context.Reset(uint64_t{1} << 40, size_t{1} << 30);
    return true;
  }();
  static_cast<void>(ready);
  return context;
}

Cell ListOf(std::vector<Cell> elements) {
  return AmpleContext().MakeList(Keep(std::move(elements)));
}

Cell MapOf(const std::vector<std::pair<Cell, Cell>>& entries) {
  MapBuilder map(0, AmpleContext());
  for (const auto& [key, value] : entries) {
    if (const Cell error = map.Add(key, value); error.is_error()) return error;
  }
  return map.Build();
}

Cell OptionalOf(const Cell& value) { return MakeOptional(value, AmpleContext()); }
Cell Fact(Value value) { return Cell::Of(Keep(std::move(value))); }
Cell StringsOf(std::vector<std::string> strings) { return Cell::Strings(Keep(std::move(strings))); }

Cell IpOf(std::initializer_list<uint8_t> bytes) {
  return Cell::Ip(KeepAddress(bytes), bytes.size() == 16);
}

Cell CidrOf(std::initializer_list<uint8_t> bytes, uint8_t prefix) {
  return Cell::Cidr(KeepAddress(bytes), bytes.size() == 16, prefix);
}

Cell Ada() {
  static const AdaFacts& ada = *new AdaFacts;
  return Cell::Entity(&ada);
}

std::string Call(std::string_view function, const std::vector<Cell>& arguments) {
  const Function* found = FindFunction(function);
  if (found == nullptr) return "no function of this name";
  if (arguments.size() < found->min_arguments ||
      (found->max_arguments != kAnyNumber && arguments.size() > found->max_arguments)) {
    return "wrong number of arguments";
  }
  return ToString(found->call(arguments, AmpleContext()));
}

}  // namespace reeve::cel
