#include "reeve/store/chain.h"

#include <sodium.h>

#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/escaping.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "reeve/engine/encoding.h"

namespace reeve {
namespace {

// What is hashed begins with what it is. Files keep the numbers: never change them.
constexpr char kOpening = 1;
constexpr char kSegment = 2;
constexpr char kClosing = 3;
constexpr char kPruning = 4;

constexpr char kCheckpointWord[] = "reeve-checkpoint-1";
constexpr char kPruningWord[] = "reeve-pruning-1";

// sodium_init() must come before the rest; it may come again.
void Initialize() {
  static const int done = sodium_init();
  static_cast<void>(done);
}

Hash HashOf(std::string_view head, std::string_view bytes) {
  Initialize();
  Hash hash;
  crypto_generichash_state state;
  crypto_generichash_init(&state, nullptr, 0, hash.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(head.data()),
                            head.size());
  crypto_generichash_update(&state, reinterpret_cast<const unsigned char*>(bytes.data()),
                            bytes.size());
  crypto_generichash_final(&state, reinterpret_cast<unsigned char*>(hash.data()), hash.size());
  return hash;
}

std::string Head(char what, std::string_view previous, std::string_view uuid) {
  std::string head(1, what);
  AppendSized(previous, &head);
  AppendSized(uuid, &head);
  return head;
}

std::string Hex(std::string_view bytes) {
  return absl::BytesToHexString({bytes.data(), bytes.size()});
}

// `text` as `size` bytes in hexadecimal of lower case. Empty if it is something else.
std::string FromHex(absl::string_view text, size_t size) {
  if (text.size() != 2 * size) return {};
  for (char c : text) {
    if (!absl::ascii_isdigit(c) && (c < 'a' || c > 'f')) return {};
  }
  return absl::HexStringToBytes(text);
}

std::string UuidText(std::string_view uuid) {
  const std::string hex = Hex(uuid);
  return absl::StrCat(hex.substr(0, 8), "-", hex.substr(8, 4), "-", hex.substr(12, 4), "-",
                      hex.substr(16, 4), "-", hex.substr(20));
}

std::string SignedPart(const Checkpoint& checkpoint) {
  const bool records = checkpoint.kind == Checkpoint::Kind::kRecords;
  return absl::StrCat(records ? kCheckpointWord : kPruningWord, " ", UuidText(checkpoint.uuid), " ",
                      checkpoint.seq, " ", checkpoint.time, " ", Hex(checkpoint.hash), " ",
                      Hex(checkpoint.key));
}

}  // namespace

Hash HashOfOpening(const Opening& opening, std::string_view previous) {
  std::string head = Head(kOpening, previous, opening.uuid);
  AppendSigned(opening.id, &head);
  AppendSigned(opening.opened, &head);
  AppendSigned(opening.pid, &head);
  AppendSigned(opening.started, &head);
  AppendSized(opening.host, &head);
  AppendSized(opening.boot, &head);
  AppendSized(opening.process, &head);
  if (!opening.follows.empty()) AppendSized(opening.follows, &head);
  return HashOf(head, {});
}

Hash HashOfSegment(std::string_view uuid, const SegmentRow& segment, std::string_view previous) {
  std::string head = Head(kSegment, previous, uuid);
  AppendSigned(segment.first_seq, &head);
  AppendSigned(segment.count, &head);
  AppendSigned(segment.min_time, &head);
  AppendSigned(segment.max_time, &head);
  return HashOf(head, segment.bytes);
}

Hash HashOfClosing(std::string_view uuid, int64_t last_seq, int64_t closed,
                   std::string_view previous) {
  std::string head = Head(kClosing, previous, uuid);
  AppendSigned(last_seq, &head);
  AppendSigned(closed, &head);
  return HashOf(head, {});
}

Hash HashOfPruning(const Pruning& pruning, std::string_view previous) {
  std::string head = Head(kPruning, previous, pruning.uuid);
  for (const int64_t number : {pruning.id, pruning.first_seq, pruning.last_seq, pruning.min_time,
                               pruning.max_time, pruning.time, pruning.uid}) {
    AppendSigned(number, &head);
  }
  AppendSized(pruning.last_hash, &head);
  AppendSized(pruning.reason, &head);
  return HashOf(head, {});
}

std::string ToLine(const Checkpoint& checkpoint) {
  return absl::StrCat(SignedPart(checkpoint), " ", Hex(checkpoint.signature));
}

absl::StatusOr<Checkpoint> ParseCheckpoint(std::string_view line) {
  const std::vector<absl::string_view> words =
      absl::StrSplit(absl::string_view(line.data(), line.size()), ' ');
  Checkpoint checkpoint;
  if (words.size() == 7 && words[1].size() == 36) {
    if (words[0] == kPruningWord) checkpoint.kind = Checkpoint::Kind::kPruning;
    std::string uuid(words[1]);
    for (size_t dash : {23, 18, 13, 8}) uuid.erase(dash, 1);
    checkpoint.uuid = FromHex(uuid, kUuidBytes);
    const bool numbers =
        absl::SimpleAtoi(words[2], &checkpoint.seq) && absl::SimpleAtoi(words[3], &checkpoint.time);
    checkpoint.hash = FromHex(words[4], kHashBytes);
    checkpoint.key = FromHex(words[5], kPublicKeyBytes);
    checkpoint.signature = FromHex(words[6], kSignatureBytes);
    const bool whole = !checkpoint.uuid.empty() && !checkpoint.hash.empty() &&
                       !checkpoint.key.empty() && !checkpoint.signature.empty();
    if (numbers && whole && ToLine(checkpoint) == line) return checkpoint;
  }
  return absl::InvalidArgumentError("not a checkpoint");
}

bool HasValidSignature(const Checkpoint& checkpoint) {
  if (checkpoint.uuid.size() != kUuidBytes || checkpoint.hash.size() != kHashBytes ||
      checkpoint.key.size() != kPublicKeyBytes || checkpoint.signature.size() != kSignatureBytes) {
    return false;
  }
  Initialize();
  const std::string text = SignedPart(checkpoint);
  return crypto_sign_verify_detached(
             reinterpret_cast<const unsigned char*>(checkpoint.signature.data()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(),
             reinterpret_cast<const unsigned char*>(checkpoint.key.data())) == 0;
}

absl::StatusOr<std::unique_ptr<CheckpointKey>> CheckpointKey::FromSeed(std::string_view seed) {
  static_assert(
      kSeedBytes == crypto_sign_SEEDBYTES && kPublicKeyBytes == crypto_sign_PUBLICKEYBYTES,
      "Ed25519");
  if (seed.size() != kSeedBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("the key for checkpoints has ", seed.size(), " bytes; give it ", kSeedBytes));
  }
  Initialize();
  std::unique_ptr<CheckpointKey> key(new CheckpointKey);
  key->public_key_.resize(kPublicKeyBytes);
  crypto_sign_seed_keypair(reinterpret_cast<unsigned char*>(key->public_key_.data()),
                           key->secret_.data(),
                           reinterpret_cast<const unsigned char*>(seed.data()));
  return key;
}

CheckpointKey::~CheckpointKey() { sodium_memzero(secret_.data(), secret_.size()); }

void CheckpointKey::Sign(Checkpoint* checkpoint) const {
  checkpoint->key = public_key_;
  checkpoint->signature.resize(kSignatureBytes);
  const std::string text = SignedPart(*checkpoint);
  crypto_sign_detached(reinterpret_cast<unsigned char*>(checkpoint->signature.data()), nullptr,
                       reinterpret_cast<const unsigned char*>(text.data()), text.size(),
                       secret_.data());
}

}  // namespace reeve
