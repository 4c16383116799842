#ifndef REEVE_STORE_MASK_H_
#define REEVE_STORE_MASK_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/engine/decision.h"
#include "reeve/engine/glob.h"
#include "reeve/engine/value.h"
#include "reeve/store/audit_mask.h"

namespace reeve {

// The most masks of one store.
inline constexpr size_t kMaxMasks = 60;
inline constexpr size_t kMinMaskKeyBytes = 32;
inline constexpr size_t kMaxMaskKeyBytes = 64;  // crypto_generichash_KEYBYTES_MAX

// The key that a file holds, all of it. Errors:
//   InvalidArgument     it has not 32 to 64 bytes
//   FailedPrecondition  it is a symbolic link or no regular file, others than its owner may read
//                       or write it, or its owner is neither this user nor root
//   Unavailable         it cannot be read
absl::StatusOr<std::string> ReadMaskKey(const std::string& path);

// The parts of a record that are no maps and can be masked, and those that are.
enum class MaskedPart : uint8_t {
  kPrincipalId,
  kHost,
  kActor,
  kEvidence,
  kGroups,
  kPrincipalParents,
  kAction,
  kResourceId,
  kResourceParents,
  kMessage,
  kObligations,
  kError,
  kPrincipalAttributes,
  kResourceAttributes,
  kContext,
};
inline constexpr size_t kMaskedPartCount = 15;

// Masks, made ready. Immutable: any thread.
class MaskSet {
 public:
  // InvalidArgument if one of `masks` breaks a rule of audit_mask.h. With an empty `key` each mask
  // that hashes fails.
  static absl::StatusOr<std::unique_ptr<const MaskSet>> Create(const std::vector<AuditMask>& masks,
                                                               std::string key);
  ~MaskSet();  // Wipes the key.
  MaskSet(const MaskSet&) = delete;
  MaskSet& operator=(const MaskSet&) = delete;

  bool empty() const { return masks_.empty(); }

 private:
  friend class RecordMask;

  using PathNumber = uint8_t;
  static constexpr PathNumber kNoPath = 0xFF;

  struct Mask {
    std::optional<Glob> rule;  // nothing: any
    AuditMask::Kind kind;
    std::string text;
    PathNumber path;
  };
  // A value in a map, and what in it is masked.
  struct Node {
    std::string name;
    PathNumber path = kNoPath;  // of the value itself
    std::vector<Node> children;

    const Node* Find(std::string_view child) const;
    Node& Add(std::string_view child);
  };

  MaskSet() = default;

  std::vector<Mask> masks_;
  std::vector<std::string> paths_;  // sorted, each once
  std::array<PathNumber, kMaskedPartCount> parts_ = {};
  std::array<Node, kMaskedPartCount> roots_;  // of the maps
  std::string key_;
};

// The masks that hold for one record, while it is written, and what they did. Allocates nothing.
class RecordMask {
 public:
  // `masks` must outlive this.
  RecordMask(const MaskSet& masks, const Decision& decision);

  // Whether any mask holds for the record, whatever the record has: then no text may stand in it
  // that was made from facts.
  bool active() const { return active_; }

  // What stands for `text`, empty if nothing does. Valid until the next call, and as long as the
  // text and the masks.
  std::string_view Text(MaskedPart part, std::string_view text);
  // How many items stand for a list of `size`; each is then masked by Text().
  size_t Items(MaskedPart part, size_t size);
  // Notes that a part was left out since it was made from facts.
  void Remove(MaskedPart part);
  // As AppendAttributes(), with what stands for the values that are masked.
  bool AppendMap(MaskedPart part, const Attributes& map, std::string* out);

  // Appends a map of the paths that were masked, with how: "remove", "replace", "hash", or
  // "failed", where the value was dropped for want of a hash. Nothing if none was.
  void AppendDone(std::string* out) const;

 private:
  enum class Action : uint8_t { kKeep, kHash, kReplace, kRemove };  // The later prevails.
  enum class Done : uint8_t { kNothing, kRemoved, kReplaced, kHashed, kFailed };
  static constexpr size_t kMaxPaths = kMaxMasks + 3;

  struct State {
    Action action = Action::kKeep;
    Done done = Done::kNothing;
    const std::string* text = nullptr;  // for kReplace
  };

  State* StateOf(MaskSet::PathNumber path);
  bool Drops(MaskSet::PathNumber path);
  std::string_view HashText(std::string_view head, std::string_view bytes);
  bool AppendValueIn(const MaskSet::Node& node, const Value& value, std::string* out);
  bool AppendMapIn(const MaskSet::Node& node, const Attributes& map, bool is_field,
                   std::string* out);
  bool AppendMasked(State* state, const Value& value, std::string* out);

  const MaskSet& masks_;
  bool active_ = false;
  std::array<State, kMaxPaths> states_;
  std::array<char, 40> hash_;
};

}  // namespace reeve

#endif  // REEVE_STORE_MASK_H_
