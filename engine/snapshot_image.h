// Snapshots as bytes, for a file that is loaded often: what a set was compiled to, by numbers, so
// that whoever loads it reads no text of a policy. reeve/policy/compile.h makes such files.
#ifndef REEVE_ENGINE_SNAPSHOT_IMAGE_H_
#define REEVE_ENGINE_SNAPSHOT_IMAGE_H_

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "reeve/engine/schema.h"

namespace reeve {

class Snapshot;

// Most that an image may hold.
struct SnapshotImageLimits {
  size_t max_rules = 0;
  size_t max_entities = 0;
  size_t max_list = 0;  // Patterns of one list of a rule, members of a role, parents of an entity.
  size_t max_regex_steps = 0;  // Of all regular expressions, as Pattern::regex_size().
};

// What `snapshot` decides by, but its schema. Snapshots that were built alike give the same bytes.
std::string EncodeSnapshot(const Snapshot& snapshot);

// Whether the bytes say that they are of this version of Reeve.
bool CanDecodeSnapshot(std::string_view image);

// The snapshot that `image` was made of, held to `schema`. The bytes may be anyone's: what it
// returns was checked as SnapshotBuilder::Build() does, and finds its rules by an index that is
// built anew. What its conditions and texts are called is believed. Keeps nothing of the bytes.
// DataLoss if EncodeSnapshot() did not make them, or InvalidArgument; ResourceExhausted if they are
// more than `limits` allow.
absl::StatusOr<std::shared_ptr<const Snapshot>> DecodeSnapshot(std::string_view image,
                                                               std::optional<Schema> schema,
                                                               const SnapshotImageLimits& limits);

}  // namespace reeve

#endif  // REEVE_ENGINE_SNAPSHOT_IMAGE_H_
