#include "reeve/engine/entity.h"

#include <algorithm>
#include <cstdint>
#include <cstring>

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

// False only if `id` is no short one, and no `.` or `/` in it stands right before another.
bool MayHaveDotsAndSlashesTogether(std::string_view id) {
  constexpr size_t kLooked = sizeof(uint64_t) + 1;  // At once: each byte and the one behind it.
  if (id.size() < kLooked) return true;
  const auto mark = [&id](size_t at) {
    uint64_t word;
    std::memcpy(&word, id.data() + at, sizeof word);
    return MarkByte(word | EachByte('.' ^ '/'), '/');
  };
  const size_t last = id.size() - kLooked;
  for (size_t at = 0;; at = std::min(at + sizeof(uint64_t), last)) {
    if ((mark(at) & mark(at + 1)) != 0) return true;
    if (at == last) return false;
  }
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
  // A bad segment has a slash beside its dots or its other slash, unless it is all of a short id or
  // ends a path: most ids have no such places.
  if (!MayHaveDotsAndSlashesTogether(id) && !(is_path && id.back() == '/')) return {};
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
