#include "reeve/store/chain.h"

#include <sodium.h>

#include <string>
#include <vector>

#include "absl/strings/escaping.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "gtest/gtest.h"

namespace reeve {
namespace {

std::string Bytes(std::string hex) {
  return absl::HexStringToBytes(absl::StrReplaceAll(hex, {{" ", ""}}));
}

std::string Hex(std::string_view bytes) {
  return absl::BytesToHexString({bytes.data(), bytes.size()});
}

// By the simplest call of the library.
std::string Blake2b(const std::string& bytes) {
  std::string hash(32, '\0');
  crypto_generichash(reinterpret_cast<unsigned char*>(hash.data()), hash.size(),
                     reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(), nullptr,
                     0);
  return hash;
}

const std::string kUuid = Bytes("00112233445546778899aabbccddeeff");
const std::string kPrevious(32, '\x55');

Opening ExampleOpening() {
  Opening opening;
  opening.id = 3;
  opening.uuid = kUuid;
  opening.opened = 1800000000000000;
  opening.pid = 812;
  opening.started = 152186;
  opening.host = "web-1";
  opening.boot = "6f1c";
  opening.process = "documentd";
  return opening;
}

Pruning ExamplePruning() {
  Pruning pruning;
  pruning.id = 3;
  pruning.uuid = kUuid;
  pruning.first_seq = 1;
  pruning.last_seq = 2;
  pruning.min_time = -1;
  pruning.max_time = 3;
  pruning.last_hash = kPrevious;
  pruning.time = 1800000000000000;
  pruning.uid = 812;
  pruning.reason = "old";
  return pruning;
}

// What doc/audit-format.md says is hashed, byte by byte.
TEST(ChainTest, HashesWhatTheDocumentSays) {
  const std::string previous = "20" + Hex(kPrevious), uuid = "10" + Hex(kUuid);
  const std::string opening = uuid + "06 8080c489e5c5b206 d80c f4c912" + "05 7765622d31" +
                              "04 36663163" + "09 646f63756d656e7464";
  const std::string pruning =
      uuid + "06 02 04 01 06 8080c489e5c5b206 d80c" + "20" + Hex(kPrevious) + "03 6f6c64";
  const struct {
    const char* name;
    std::string bytes;
    Hash want;
  } kCases[] = {
      {"FirstOpening", "01 00" + opening, HashOfOpening(ExampleOpening(), {})},
      {"Opening", "01" + previous + opening, HashOfOpening(ExampleOpening(), kPrevious)},
      {"Segment", "02" + previous + uuid + "02 04 01 06 0201",
       HashOfSegment(kUuid, {1, 2, -1, 3, "\x02\x01"}, kPrevious)},
      {"FirstPruning", "04 00" + pruning, HashOfPruning(ExamplePruning(), {})},
      {"Pruning", "04" + previous + pruning, HashOfPruning(ExamplePruning(), kPrevious)},
      {"Closing", "03" + previous + uuid + "04 8080c489e5c5b206",
       HashOfClosing(kUuid, 2, 1800000000000000, kPrevious)},
  };
  for (const auto& c : kCases) {
    EXPECT_EQ(Hex(View(c.want)), Hex(Blake2b(Bytes(c.bytes)))) << c.name;
  }
}

// Two parts cannot be exchanged for each other, nor a byte move from one field to the next.
TEST(ChainTest, EveryPartCounts) {
  std::vector<Hash> hashes;
  const auto add_opening = [&](auto change) {
    Opening opening = ExampleOpening();
    change(opening);
    hashes.push_back(HashOfOpening(opening, kPrevious));
  };
  add_opening([](Opening&) {});
  add_opening([](Opening& o) { ++o.id; });
  add_opening([](Opening& o) { ++o.opened; });
  add_opening([](Opening& o) { ++o.pid; });
  add_opening([](Opening& o) { ++o.started; });
  add_opening([](Opening& o) { o.host = "web-16"; });
  add_opening([](Opening& o) { o.host = "web-", o.boot = "16f1c"; });
  add_opening([](Opening& o) { o.boot = "6f1cd", o.process = "ocumentd"; });
  add_opening([](Opening& o) { o.uuid = "0011223344556677"; });
  const SegmentRow row = {1, 2, 3, 4, "bytes"};
  for (int i = 0; i < 6; ++i) {
    SegmentRow changed = row;
    if (i == 1) ++changed.first_seq;
    if (i == 2) ++changed.count;
    if (i == 3) ++changed.min_time;
    if (i == 4) ++changed.max_time;
    if (i == 5) changed.bytes = "byteS";
    hashes.push_back(HashOfSegment(kUuid, changed, kPrevious));
  }
  hashes.push_back(HashOfSegment(kPrevious, row, kUuid));
  hashes.push_back(HashOfClosing(kUuid, 1, 2, kPrevious));
  hashes.push_back(HashOfClosing(kUuid, 2, 1, kPrevious));
  for (int i = 0; i < 11; ++i) {
    Pruning changed = ExamplePruning();
    int64_t* const numbers[] = {&changed.id,       &changed.first_seq, &changed.last_seq,
                                &changed.min_time, &changed.max_time,  &changed.time,
                                &changed.uid};
    if (i < 7) ++*numbers[i];
    if (i == 7) changed.uuid = "0011223344556677";
    if (i == 8) changed.last_hash = {};
    if (i == 9) changed.reason = "olD";
    hashes.push_back(HashOfPruning(changed, kPrevious));
  }
  for (size_t i = 0; i < hashes.size(); ++i) {
    for (size_t j = 0; j < i; ++j) EXPECT_NE(Hex(View(hashes[i])), Hex(View(hashes[j]))) << i;
  }
}

Checkpoint ExampleCheckpoint() {
  Checkpoint checkpoint;
  checkpoint.uuid = kUuid;
  checkpoint.seq = 8120;
  checkpoint.time = 1800000000000000;
  checkpoint.hash = kPrevious;
  (*CheckpointKey::FromSeed(std::string(32, 's')))->Sign(&checkpoint);
  return checkpoint;
}

TEST(CheckpointTest, IsALineOfTextAndBack) {
  const Checkpoint checkpoint = ExampleCheckpoint();
  const std::string line = ToLine(checkpoint);
  EXPECT_EQ(line.substr(0, line.find(" 5555")),
            "reeve-checkpoint-1 00112233-4455-4677-8899-aabbccddeeff 8120 1800000000000000");
  absl::StatusOr<Checkpoint> parsed = ParseCheckpoint(line);
  ASSERT_EQ(parsed.status(), absl::OkStatus());
  EXPECT_EQ(ToLine(*parsed), line);
  EXPECT_TRUE(HasValidSignature(*parsed));
}

TEST(CheckpointTest, EveryCharacterCounts) {
  const std::string line = ToLine(ExampleCheckpoint());
  for (size_t i = 0; i < line.size(); ++i) {
    for (char c : {'0', '1', 'a', 'A', ' ', '-', '\0'}) {
      if (line[i] == c) continue;
      std::string changed = line;
      changed[i] = c;
      const absl::StatusOr<Checkpoint> parsed = ParseCheckpoint(changed);
      EXPECT_FALSE(parsed.ok() && HasValidSignature(*parsed)) << changed;
    }
    std::string shorter = line;
    shorter.erase(i, 1);
    const absl::StatusOr<Checkpoint> parsed = ParseCheckpoint(shorter);
    EXPECT_FALSE(parsed.ok() && HasValidSignature(*parsed)) << shorter;
  }
  for (const std::string& more :
       {line + " ", " " + line, line + "\n", line + "00", std::string()}) {
    EXPECT_FALSE(ParseCheckpoint(more).ok()) << more;
  }
}

TEST(CheckpointTest, OfAPruningHasAnotherWord) {
  Checkpoint checkpoint = ExampleCheckpoint();
  checkpoint.kind = Checkpoint::Kind::kPruning;
  EXPECT_FALSE(HasValidSignature(checkpoint));
  (*CheckpointKey::FromSeed(std::string(32, 's')))->Sign(&checkpoint);
  EXPECT_TRUE(HasValidSignature(checkpoint));
  const std::string line = ToLine(checkpoint);
  EXPECT_EQ(line.substr(0, line.find(" 5555")),
            "reeve-pruning-1 00112233-4455-4677-8899-aabbccddeeff 8120 1800000000000000");
  const absl::StatusOr<Checkpoint> parsed = ParseCheckpoint(line);
  ASSERT_EQ(parsed.status(), absl::OkStatus());
  EXPECT_EQ(parsed->kind, Checkpoint::Kind::kPruning);
  EXPECT_EQ(ToLine(*parsed), line);
}

TEST(CheckpointTest, AKeyHas32Bytes) {
  for (size_t size : {0, 31, 33, 64}) {
    const absl::Status status = CheckpointKey::FromSeed(std::string(size, 'k')).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_FALSE(absl::StrContains(status.message(), "kkk")) << "a key in a message";
  }
}

TEST(CheckpointTest, AnotherKeyHasAnotherSignature) {
  Checkpoint checkpoint = ExampleCheckpoint();
  checkpoint.key = (*CheckpointKey::FromSeed(std::string(32, 't')))->public_key();
  EXPECT_FALSE(HasValidSignature(checkpoint));
  checkpoint.key.clear();
  EXPECT_FALSE(HasValidSignature(checkpoint));
}

}  // namespace
}  // namespace reeve
