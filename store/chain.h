// The chain of hashes that ties a writer's segments together, and signed statements of where it
// stands. doc/audit-format.md says what is hashed.
#ifndef REEVE_STORE_CHAIN_H_
#define REEVE_STORE_CHAIN_H_

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

namespace reeve {

inline constexpr size_t kHashBytes = 32;       // BLAKE2b-256
inline constexpr size_t kUuidBytes = 16;       // of a writer
inline constexpr size_t kPublicKeyBytes = 32;  // Ed25519
inline constexpr size_t kSeedBytes = 32;       // of an Ed25519 key
inline constexpr size_t kSignatureBytes = 64;  // Ed25519

using Hash = std::array<char, kHashBytes>;

inline std::string_view View(const Hash& hash) { return {hash.data(), hash.size()}; }

// A writer as it opened.
struct Opening {
  int64_t id = 0;
  std::string_view uuid;
  int64_t opened = 0;  // microseconds since 1970
  int64_t pid = 0;
  int64_t started = 0;
  std::string_view host, boot, process;
  // The damaged file that was set aside before the file began; empty if none was.
  std::string_view follows;
};

// A segment as it stands in its row.
struct SegmentRow {
  int64_t first_seq = 0;
  int64_t count = 0;
  int64_t min_time = 0;
  int64_t max_time = 0;
  std::string_view bytes;
};

// Records of a writer that were removed on purpose, as its row says.
struct Pruning {
  int64_t id = 0;         // counts the prunings of the file from 1
  std::string_view uuid;  // of the writer
  int64_t first_seq = 0, last_seq = 0;
  int64_t min_time = 0, max_time = 0;  // of the records
  std::string_view last_hash;  // of the last segment that was removed; empty without a chain
  int64_t time = 0;            // microseconds since 1970
  int64_t uid = 0;             // who removed them
  std::string_view reason;
};

// `previous` is the hash of the opening of the writer whose id is one less; empty if there is none,
// or it has no chain.
Hash HashOfOpening(const Opening& opening, std::string_view previous);
// `previous` is the hash of the writer's segment before, or of its opening.
Hash HashOfSegment(std::string_view uuid, const SegmentRow& segment, std::string_view previous);
// `previous` as above. `last_seq` is the number of the last record, `closed` in microseconds.
Hash HashOfClosing(std::string_view uuid, int64_t last_seq, int64_t closed,
                   std::string_view previous);

// `previous` is the hash of the pruning before in the file, whose id is one less; empty if there is
// none.
Hash HashOfPruning(const Pruning& pruning, std::string_view previous);

// Where a writer's chain stood at some time, or that of the prunings. `hash` is that of the segment
// whose last record is `seq`, of the opening (`seq` is 0), of the closing, or of the pruning whose
// id is `seq`.
struct Checkpoint {
  enum class Kind : uint8_t { kRecords, kPruning };

  Kind kind = Kind::kRecords;
  std::string uuid;  // of the writer
  int64_t seq = 0;
  int64_t time = 0;  // microseconds since 1970
  std::string hash;
  std::string key;        // the public key
  std::string signature;  // of all above
};

// One line of text, without an end:
//   reeve-checkpoint-1 UUID SEQ TIME HASH KEY SIGNATURE
// with another first word, reeve-pruning-1, for a pruning; the UUID as text, the numbers decimal,
// the bytes in hexadecimal of lower case. What is signed is the line up to the space before
// SIGNATURE.
std::string ToLine(const Checkpoint& checkpoint);
// InvalidArgument if `line` is not exactly what ToLine() writes.
absl::StatusOr<Checkpoint> ParseCheckpoint(std::string_view line);

// Whether the signature is that of the key for what the checkpoint says.
bool HasValidSignature(const Checkpoint& checkpoint);

// Signs. Holds a secret key, and wipes it at the end.
//
// Immutable: any thread.
class CheckpointKey {
 public:
  // InvalidArgument unless `seed` has kSeedBytes.
  static absl::StatusOr<std::unique_ptr<CheckpointKey>> FromSeed(std::string_view seed);
  ~CheckpointKey();
  CheckpointKey(const CheckpointKey&) = delete;
  CheckpointKey& operator=(const CheckpointKey&) = delete;

  const std::string& public_key() const { return public_key_; }
  // Fills in the key and the signature.
  void Sign(Checkpoint* checkpoint) const;

 private:
  CheckpointKey() = default;

  std::string public_key_;
  std::array<unsigned char, 64> secret_;
};

}  // namespace reeve

#endif  // REEVE_STORE_CHAIN_H_
