#include "reeve/engine/schema.h"

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "engine/clause_set.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

bool IsReserved(Variable variable, std::string_view name) {
  const auto names = ReservedNamesOf(variable).names;
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

SchemaType SchemaType::List(SchemaType element) {
  SchemaType type = Kind::kList;
  type.element.push_back(std::move(element));
  return type;
}

SchemaType SchemaType::Map(SchemaType element) {
  SchemaType type = Kind::kMap;
  type.element.push_back(std::move(element));
  return type;
}

SchemaType SchemaType::Record(std::vector<SchemaField> fields) {
  SchemaType type = Kind::kRecord;
  type.fields = std::move(fields);
  return type;
}

bool operator==(const SchemaField& a, const SchemaField& b) {
  return a.name == b.name && a.required == b.required && a.type == b.type;
}

bool operator==(const SchemaType& a, const SchemaType& b) {
  return a.kind == b.kind && a.element == b.element && a.fields.size() == b.fields.size() &&
         std::is_permutation(a.fields.begin(), a.fields.end(), b.fields.begin());
}

std::string ToString(const SchemaType& type) {
  switch (type.kind) {
    case SchemaType::Kind::kAny:
      return "any";
    case SchemaType::Kind::kNull:
      return "null";
    case SchemaType::Kind::kBool:
      return "bool";
    case SchemaType::Kind::kInt:
      return "int";
    case SchemaType::Kind::kUint:
      return "uint";
    case SchemaType::Kind::kDouble:
      return "double";
    case SchemaType::Kind::kString:
      return "string";
    case SchemaType::Kind::kBytes:
      return "bytes";
    case SchemaType::Kind::kTimestamp:
      return "timestamp";
    case SchemaType::Kind::kDuration:
      return "duration";
    case SchemaType::Kind::kList:
      return absl::StrCat("list(", ToString(type.element[0]), ")");
    case SchemaType::Kind::kMap:
      return absl::StrCat("map(", ToString(type.element[0]), ")");
    case SchemaType::Kind::kRecord:
      break;
  }
  std::string text = "{";
  for (const SchemaField& field : type.fields) {
    absl::StrAppend(&text, text.size() > 1 ? ", " : "", Printable(field.name), ": ",
                    ToString(field.type), field.required ? "" : " or missing");
  }
  return text + "}";
}

bool IsReservedForPrincipals(std::string_view name) { return IsReserved(kPrincipal, name); }

bool IsReservedForResources(std::string_view name) { return IsReserved(kResource, name); }

bool IsReservedForContexts(std::string_view name) { return IsReserved(kContext, name); }

}  // namespace reeve
