#ifndef REEVE_ENGINE_ENTITY_H_
#define REEVE_ENGINE_ENTITY_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/engine/value.h"

namespace reeve {

// The name of an entity, `type:id`, without owning it: `user:ada@EXAMPLE.COM` is {"user",
// "ada@EXAMPLE.COM"}. The type ends at the first colon; an id may hold more of them.
struct EntityView {
  std::string_view type;
  std::string_view id;
};

// The name of an entity, owning it.
struct EntityId {
  EntityId() = default;
  EntityId(std::string type, std::string id) : type(std::move(type)), id(std::move(id)) {}
  explicit EntityId(EntityView view) : type(view.type), id(view.id) {}

  operator EntityView() const { return {type, id}; }  // NOLINT(google-explicit-constructor)

  std::string type;
  std::string id;
};

inline bool operator==(EntityView a, EntityView b) { return a.type == b.type && a.id == b.id; }
inline bool operator!=(EntityView a, EntityView b) { return !(a == b); }
inline bool operator<(EntityView a, EntityView b) {
  return a.type != b.type ? a.type < b.type : a.id < b.id;
}

// "type:id".
std::string ToString(EntityView entity);

// The id without its realm, which is what follows the last `@`: `ada` of `user:ada@EXAMPLE.COM`. A
// path has none: all of `doc:/a@b/c`.
inline std::string_view NameOf(EntityView entity) {
  return entity.id.substr(0, entity.id[0] == '/' ? std::string_view::npos : entity.id.rfind('@'));
}

// What is known of an entity apart from a request: its attributes and what it lies in.
struct Entity {
  EntityId id;
  std::vector<EntityId> parents;
  Attributes attributes;
};

inline constexpr size_t kMaxTypeBytes = 64;
inline constexpr size_t kMaxIdBytes = 4096;  // PATH_MAX of Linux

// Types that a policy author or a request cannot use: `role` names what a policy grants.
inline constexpr std::string_view kRoleType = "role";

// Empty if `entity` is a well-formed name, else what is wrong with it, a text that lives as long as
// the program. Allocates nothing.
//   type  [A-Za-z_][A-Za-z0-9_.-]*, at most kMaxTypeBytes, and not `role`
//   id    not empty, at most kMaxIdBytes, valid UTF-8 without control characters, and canonical, so
//         that one thing has one name: an id that begins with `/` is a path without empty segments
//         (`/` alone is the root), and no segment of any id, as slashes part it, is `.` or `..`
std::string_view DefectOf(EntityView entity);

// The same of an id, whatever its type.
std::string_view DefectOfId(std::string_view id);

// InvalidArgument if `text` is not a well-formed `type:id`.
absl::StatusOr<EntityId> ParseEntityId(std::string_view text);

}  // namespace reeve

#endif  // REEVE_ENGINE_ENTITY_H_
