#ifndef REEVE_ENGINE_SCHEMA_H_
#define REEVE_ENGINE_SCHEMA_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "reeve/engine/value.h"

namespace reeve {

struct SchemaField;

// What a value may be. A value type.
struct SchemaType {
  enum class Kind : uint8_t {
    kAny,
    kNull,
    kBool,
    kInt,
    kUint,
    kDouble,
    kString,
    kBytes,
    kTimestamp,
    kDuration,
    kList,    // of `element`
    kMap,     // of names to `element`
    kRecord,  // a map of the names in `fields`
  };

  SchemaType() = default;                // any
  SchemaType(Kind kind) : kind(kind) {}  // NOLINT(google-explicit-constructor): kString is a type
  static SchemaType List(SchemaType element);
  static SchemaType Map(SchemaType element);
  static SchemaType Record(std::vector<SchemaField> fields);

  Kind kind = Kind::kAny;
  std::vector<SchemaType> element;  // One of a list or a map, else none.
  std::vector<SchemaField> fields;  // Of a record; none of another.
};

// A name of a record, of the attributes of an entity or of the context, and what stands under it.
struct SchemaField {
  std::string name;
  SchemaType type;
  bool required = true;
};

// In any order of fields.
bool operator==(const SchemaType& a, const SchemaType& b);
inline bool operator!=(const SchemaType& a, const SchemaType& b) { return !(a == b); }
bool operator==(const SchemaField& a, const SchemaField& b);
inline bool operator!=(const SchemaField& a, const SchemaField& b) { return !(a == b); }

// `value`, which was written where there are only null, booleans, integers, doubles, texts, lists
// and maps, as a value of `type`: an integer as a double, if it loses nothing, or as a uint, a text
// as a timestamp (RFC 3339) or a duration (absl::ParseDuration(): `1h30m`), elements and fields
// likewise. What cannot be one stays as it is, and does not fit.
Value As(const SchemaType& type, Value value);
Attributes As(const std::vector<SchemaField>& fields, Attributes attributes);

// As schema files write it: `list(string)`, `map(int)`, `any`; of a record `{city: string}`.
std::string ToString(const SchemaType& type);

// What requests and entities may be under a policy set. What is not declared does not fit. A value
// type.
//
// Names that conditions reserve (`type`, `id`, `name`; of principals also `groups`, `assurance`,
// `via`, `host`, `actor`, `roles`; of the context `time`) are not declared, and what claims them is
// not looked at: no condition can see it.
struct Schema {
  struct EntityType {
    std::string name;
    // The types that one of these may lie in directly. A principal's groups are of type `group`.
    std::vector<std::string> parents;
    std::vector<SchemaField> attributes;
    // Whether there may be attributes that are not declared, of any type.
    bool open = false;
  };
  // Something that principals of one of the types may do to resources of one of the types.
  struct Action {
    std::string name;
    std::vector<std::string> principals;
    std::vector<std::string> resources;
    std::vector<SchemaField> context;
  };

  // Null if it is not declared. Takes time in proportion to what is.
  const EntityType* FindType(std::string_view type_name) const;
  const Action* FindAction(std::string_view action_name) const;

  // The type `anonymous` is declared always, if not here then without attributes and parents; a
  // principal of it may be in requests for every action.
  std::vector<EntityType> entities;
  std::vector<Action> actions;
  // Of every action, in addition to its own.
  std::vector<SchemaField> context;
};

// What a schema must keep to.
inline constexpr size_t kMaxSchemaTypes = 1000;
inline constexpr size_t kMaxSchemaActions = 4000;
inline constexpr size_t kMaxSchemaFields = 1000;  // Of one entity type, record or context.
inline constexpr size_t kMaxFieldNameBytes = 128;

// Whether no attribute of a principal, or of a resource, can have this name.
bool IsReservedForPrincipals(std::string_view name);
bool IsReservedForResources(std::string_view name);
// Whether no field of the context can.
bool IsReservedForContexts(std::string_view name);

}  // namespace reeve

#endif  // REEVE_ENGINE_SCHEMA_H_
