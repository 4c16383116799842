#include "policy/value_reader.h"

#include <cmath>
#include <utility>

#include "absl/strings/ascii.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "reeve/policy/unicode.h"

namespace reeve {
namespace {

absl::string_view View(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

std::optional<EntityId> ValueReader::ReadEntityId(YamlNode node) {
  const auto text = ReadVisibleText(node, "an entity");
  if (!text.has_value()) return std::nullopt;
  absl::StatusOr<EntityId> id = ParseEntityId(*text);
  if (id.ok()) return *std::move(id);
  Report(node.position(), std::string(id.status().message()));
  return std::nullopt;
}

std::vector<EntityId> ValueReader::ReadParents(const Fields& fields) {
  std::vector<EntityId> parents;
  const auto list = Find(fields, "parents");
  if (!list.has_value()) return parents;
  if (!CheckList(*list, "parents", "; remove the key if there are none")) return parents;
  for (const YamlNode item : list->items()) {
    if (std::optional<EntityId> parent = ReadEntityId(item)) parents.push_back(*std::move(parent));
  }
  return parents;
}

Attributes ValueReader::ReadAttributes(YamlNode node, const std::string& what) {
  if (!node.IsMapping()) {
    Report(node.position(), absl::StrCat(what, " is not a mapping of names to values"));
    return {};
  }
  Attributes attributes = ReadMap(node, 1);
  if (const std::string_view defect = DefectOf(attributes); !defect.empty()) {
    Report(node.position(), std::string(defect));
  }
  return attributes;
}

// Recursive, to kMaxValueDepth.
Attributes ValueReader::ReadMap(YamlNode node, int depth) {
  Attributes attributes;
  for (const auto [key, value] : node.members()) {
    if (std::optional<Value> read = ReadValue(value, depth)) {
      attributes.Set(std::string(key.text()), *std::move(read));
    }
  }
  return attributes;
}

std::optional<Value> ValueReader::ReadValue(YamlNode node, int depth) {
  if (node.IsScalar()) {
    return node.plain() ? ReadPlainValue(node) : Value::String(std::string(node.text()));
  }
  if (depth == kMaxValueDepth) {
    Report(node.position(),
           absl::StrCat("values are nested more than ", kMaxValueDepth, " levels deep"));
    return std::nullopt;
  }
  if (node.IsMapping()) return Value::Of(ReadMap(node, depth + 1));
  Value::List list;
  for (const YamlNode item : node.items()) {
    if (std::optional<Value> value = ReadValue(item, depth + 1)) list.push_back(*std::move(value));
  }
  return Value::Of(std::move(list));
}

std::optional<Value> ValueReader::ReadPlainValue(YamlNode node) {
  const std::string_view text = node.text();
  const auto refuse = [this, node, text](const char* what) {
    Report(node.position(), absl::StrCat(Quoted(text), " ", what));
    return std::nullopt;
  };
  if (text.empty()) {
    Report(node.position(), "a value is missing; write `null` if that is meant, or `\"\"`");
    return std::nullopt;
  }
  if (text == "null") return Value();
  if (node.IsNull())
    return refuse("is another spelling of null; write `null`, or put it in quotes");
  if (text == "true" || text == "false") return Value::Bool(text == "true");
  if (LooksLikeBool(text)) {
    return refuse("is another spelling of a boolean; write `true` or `false`, or put it in quotes");
  }
  if (!LooksLikeNumber(text)) return Value::String(std::string(text));

  std::string_view digits = text;
  if (digits[0] == '-') digits.remove_prefix(1);
  const bool leading_zero = digits.size() > 1 && digits[0] == '0' && absl::ascii_isdigit(digits[1]);
  const bool decimal = absl::ascii_isdigit(digits[0]) && absl::ascii_isdigit(digits.back());
  if (leading_zero || !decimal || digits.find_first_of("xo") != std::string_view::npos) {
    return refuse("is not a plain decimal number; write it as one, or put it in quotes");
  }
  if (digits.find_first_of(".eE") == std::string_view::npos) {
    int64_t integer;
    if (absl::SimpleAtoi(View(text), &integer)) return Value::Int(integer);
    return refuse("does not fit 64 bits; put it in quotes");
  }
  double number;
  if (absl::SimpleAtod(View(text), &number) && std::isfinite(number)) return Value::Double(number);
  return refuse("is not a number that a double can hold; put it in quotes");
}

}  // namespace reeve
