// What may stand in policy files, as tables: the readers take keys, words and limits from them, the
// formatter the order of keys, and the JSON Schema all of it.
#ifndef REEVE_POLICY_FILE_FORMAT_H_
#define REEVE_POLICY_FILE_FORMAT_H_

#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/types/span.h"
#include "reeve/engine/entity.h"

namespace reeve {

struct KeyFormat;

// A value. Immutable, and lives as long as the program.
struct ValueFormat {
  enum class Kind : uint8_t {
    kVersion,    // 1
    kBool,       // `true` or `false`
    kWord,       // one of `words`
    kName,       // of a policy, a rule, a role, an action set, an obligation
    kText,       // of at most `most` bytes
    kCondition,  // an expression
    kPrincipal,  // a pattern, a role or a word, as text
    kResource,   // a pattern or a word, as text
    kAction,     // an action, an action set or a word
    kEntityId,   // `type:id`
    kTypeName,   // what stands before the colon of one, or a word
    kWarning,    // the name of a warning
    kReference,  // what something is called, as text
    kContext,    // the name of a context of tests
    kTime,       // RFC 3339
    kList,       // of `item`s, at least one, and at most `most`
    kMapping,    // with these `keys`
    kNamed,      // a mapping of names to `item`s, one to `most` unless that is 0
    kAnyOf,      // of one of the `alternatives`
    kValue,      // of an attribute
    kType,       // of a value: words, or a mapping that says more (kFieldFormat)
  };

  Kind kind;
  size_t most = 0;
  const ValueFormat* item = nullptr;
  absl::Span<const std::string_view> words = {};
  absl::Span<const KeyFormat> keys = {};
  absl::Span<const ValueFormat* const> alternatives = {};
  // The canonical layout: each item or member on lines of its own, even if all would fit on one.
  bool block = false;
  // Of such a list: an empty line between the items.
  bool apart = false;
};

// One key of a mapping. Their order in the table is the canonical one.
struct KeyFormat {
  std::string_view name;
  const ValueFormat* value;
  bool required;
  std::string_view about;  // For an author, in an editor.
};

// A kind of files, told by a key that no other kind has.
struct FileFormat {
  std::string_view kind;
  const ValueFormat* root;
};

// All kinds.
absl::Span<const FileFormat> FileFormats();

// Mappings.
extern const ValueFormat kPolicyFormat;
extern const ValueFormat kRoleFormat;
extern const ValueFormat kRuleFormat;
extern const ValueFormat kRegexFormat;
extern const ValueFormat kObligationFormat;
extern const ValueFormat kEntitiesFormat;
extern const ValueFormat kEntityFormat;
extern const ValueFormat kSchemaFormat;
extern const ValueFormat kEntityTypeFormat;
extern const ValueFormat kSchemaActionFormat;
extern const ValueFormat kFieldFormat;    // Of what a record has.
extern const ValueFormat kElementFormat;  // Of what a list or a map has.
extern const ValueFormat kTestsFormat;
extern const ValueFormat kPrincipalFormat;
extern const ValueFormat kTestedResourceFormat;
extern const ValueFormat kCaseFormat;
extern const ValueFormat kExpectationFormat;
extern const ValueFormat kExpectedOfSomeFormat;
// Words.
extern const ValueFormat kEffectFormat;
extern const ValueFormat kAuditLevelFormat;
extern const ValueFormat kAssuranceFormat;
extern const ValueFormat kDecisionFormat;
extern const ValueFormat kReasonFormat;

// The key `name` of a mapping, or null.
const KeyFormat* FindKey(const ValueFormat& mapping, std::string_view name);

inline constexpr size_t kMaxNameBytes = 128;
inline constexpr size_t kMaxDescriptionBytes = 64 * 1024;
inline constexpr size_t kMaxMessageBytes = 1024;
inline constexpr size_t kMaxObligations = 64;
inline constexpr size_t kMaxParameters = 16;  // of an obligation
inline constexpr size_t kMaxAccepts = 100;
inline constexpr size_t kMaxCaseNameBytes = 200;
inline constexpr size_t kMaxExpectedMessageBytes = 64 * 1024;
inline constexpr size_t kMaxWordBytes = kMaxTypeBytes + 1 + kMaxIdBytes;  // Of a visible text.

}  // namespace reeve

#endif  // REEVE_POLICY_FILE_FORMAT_H_
