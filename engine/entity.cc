#include "reeve/engine/entity.h"

#include <algorithm>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

bool IsTypeName(std::string_view type) {
  if (type.empty() || !(absl::ascii_isalpha(type[0]) || type[0] == '_')) return false;
  return std::all_of(type.begin(), type.end(), [](unsigned char c) {
    return absl::ascii_isalnum(c) || c == '_' || c == '.' || c == '-';
  });
}

}  // namespace

std::string ToString(EntityView entity) {
  std::string text;
  text.reserve(entity.type.size() + 1 + entity.id.size());
  text.append(entity.type).append(1, ':').append(entity.id);
  return text;
}

std::string_view DefectOf(EntityView entity) {
  if (entity.type.empty()) return "the entity type is empty";
  if (entity.type.size() > kMaxTypeBytes) return "the entity type is too long";
  if (!IsTypeName(entity.type)) return "the entity type is not a name of letters, digits, `_.-`";
  if (entity.type == kRoleType) return "the entity type `role` is reserved for roles of a policy";
  return DefectOfId(entity.id);
}

std::string_view DefectOfId(std::string_view id) {
  if (id.empty()) return "the entity id is empty";
  if (id.size() > kMaxIdBytes) return "the entity id is too long";
  if (HasControlCharacter(id)) {
    return IsValidUtf8(id) ? "the entity id has a control character"
                           : "the entity id is not valid UTF-8";
  }
  if (id == "/") return {};
  const bool is_path = id[0] == '/';
  std::string_view rest = id.substr(is_path ? 1 : 0);
  while (true) {
    const size_t slash = rest.find('/');
    const std::string_view segment = rest.substr(0, slash);
    if (segment == "." || segment == "..") return "the entity id has a `.` or `..` segment";
    if (is_path && segment.empty()) return "the entity id has an empty path segment";
    if (slash == std::string_view::npos) return {};
    rest.remove_prefix(slash + 1);
  }
}

absl::StatusOr<EntityId> ParseEntityId(std::string_view text) {
  const size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", Printable(text), "` is not an entity; write `type:id`"));
  }
  const EntityView entity = {text.substr(0, colon), text.substr(colon + 1)};
  if (std::string_view defect = DefectOf(entity); !defect.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("`", Printable(text), "`: ", absl::string_view(defect.data(), defect.size())));
  }
  return EntityId(entity);
}

}  // namespace reeve
