#ifndef REEVE_ENGINE_PATTERN_H_
#define REEVE_ENGINE_PATTERN_H_

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/glob.h"

namespace re2 {
class RE2;
}  // namespace re2

namespace reeve {

// What a rule asks of a principal, an action or a resource.
//
// Immutable: any thread. A copy shares its content.
class Pattern {
 public:
  enum class Kind {
    kAny,            // `anyone` of principals, `any` of actions and resources
    kAuthenticated,  // every principal that is not anonymous
    kLiteral,  // `group:staff`: the entity itself, and what lies in it; `doc.read`: the action
    kGlob,     // `file:/home/{name}/**`, `doc.*`
    kRegex,    // {re: "doc:/[a-z]+"}
    kRole,     // `role:editor`, a named set of principals
  };

  static Pattern Any();
  static Pattern Authenticated();

  // A set given to SnapshotBuilder::AddRole() under `name`.
  static Pattern Role(std::string name);

  // `type:glob`, for principals and resources. A pattern without wildcards names an entity. Not a
  // word such as `anyone`: which words mean what depends on where they stand, so they are the
  // reader's affair. InvalidArgument if it is malformed or can never match a well-formed name.
  static absl::StatusOr<Pattern> Entity(std::string_view text);
  // A name or a glob of names.
  static absl::StatusOr<Pattern> Action(std::string_view text);
  // An RE2 expression that matches the whole `type:id`. InvalidArgument if it does not compile or
  // needs more than kMaxRegexMemory.
  static absl::StatusOr<Pattern> Regex(std::string_view expression);

  // Internal to engine/: what Entity() and Action() ask of a text that parses, with wildcards or
  // without.
  static absl::Status CheckEntity(const GlobView& glob);
  static absl::Status CheckAction(const GlobView& glob);

  Kind kind() const { return content_->kind; }
  // As written, without the word `re`.
  const std::string& text() const {
    return kind() == Kind::kGlob ? content_->glob->text() : content_->text;
  }
  // Of a kLiteral or kGlob of principals or resources: what stands before the first colon.
  std::string_view type() const { return std::string_view(text()).substr(0, text().find(':')); }
  // Of a kLiteral of principals or resources. Points into this.
  EntityView entity() const { return {type(), std::string_view(text()).substr(type().size() + 1)}; }

  // Of a kGlob: whether it matches the whole of `text`, an action or the `type:id` of an entity.
  const Glob& glob() const { return *content_->glob; }
  // Of a kRegex: the steps of its program, with which its memory and the time to make it grow.
  size_t regex_size() const;
  bool RegexMatches(std::string_view text) const;

 private:
  friend class PatternTable;

  struct Content {
    Kind kind;
    std::string text;                       // Not of a kGlob,
    std::optional<Glob> glob;               // which has it.
    std::shared_ptr<const re2::RE2> regex;  // Of a kRegex.
  };

  explicit Pattern(std::shared_ptr<const Content> content) : content_(std::move(content)) {}
  static Pattern Make(Kind kind, std::string text);
  static Pattern Make(Glob glob);
  static absl::StatusOr<Pattern> Parse(std::string_view text,
                                       absl::Status (*check)(const GlobView& glob));

  std::shared_ptr<const Content> content_;  // Never null.
};

inline constexpr int64_t kMaxRegexMemory = 1 << 20;  // Bytes, as RE2::Options::max_mem.

}  // namespace reeve

#endif  // REEVE_ENGINE_PATTERN_H_
