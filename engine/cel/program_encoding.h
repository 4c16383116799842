// Programs as canonical bytes: one content has one encoding, and no other bytes decode. Internal.
//
// Numbers are varints (engine/encoding.h), texts a length and as many bytes. A program is
//
//   byte       kProgramFormat
//   functions  their number, then the name of each, in the order in which they are first used
//   variables  their number, then each: n below 4 is kUsualVariables[n], else the name follows, of
//              n - 3 bytes
//   constants  their number, then each value
//   paths      their number, then of each the number of its variable, how many names, the names
//   byte       which of the following there are: 1 sets, 2 regexes, 4 zones, 8 flags, 16 loops,
//              32 shared; each its number, which is not 0, then
//                sets     how many values, the values in the order of their bytes
//                regexes  the text
//                zones    0 and the minutes east of UTC, or 1 and a name
//                flags    how many, a byte each
//                loops    the first local; 0, or 1 and the number of the second
//                shared   the text
//   code       the number of instructions, then of each the Op as a byte and those of a, b, c that
//              it has (verifier.h), functions by their place above
//
// and a value is a byte and what follows it: 0 null, 1 false, 2 true, 3 an int, 4 a uint, 5 a
// double (8 bytes, the lowest first), 6 a string, 7 bytes, 8 a timestamp (seconds, nanoseconds), 9
// a duration (the same), 10 a list (its size, the elements), 11 a map (its size, keys and values),
// 12 the name of a type, 13 no optional value, 14 an optional value, 15 an address (4 bytes), 16
// one of 16 bytes, 17 and 18 a prefix of such and its length.
//
// What can be worked out is not there: how many locals and cells there are, what loops cost.
#ifndef REEVE_ENGINE_CEL_PROGRAM_ENCODING_H_
#define REEVE_ENGINE_CEL_PROGRAM_ENCODING_H_

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/engine/cel/cell.h"
#include "reeve/engine/cel/context.h"
#include "reeve/engine/cel/program.h"
#include "reeve/engine/encoding.h"

namespace reeve::cel {

// Of all versions of Reeve with the same instructions, functions and encoding, of which each means
// the same. Bytes of another one are refused. program_encoding_test.cc lists what it stands for.
inline constexpr uint8_t kProgramFormat = 2;

void AppendProgram(const Program& program, std::string* out);
// Programs with the same encoding have the same value where their variables have.
std::string EncodingOf(const Program& program);

// Takes one program after the other off the front of bytes, which may be anyone's: what it returns
// is safe to run (verifier.h). One that differs from one of the last in its constants only has the
// same shape, which was verified with that. But its parts may be called what those of others are
// called, and a small text may be a large regex: the caller bounds the sum of Regex::steps(). One
// thread at a time.
class ProgramDecoder {
 public:
  // DataLoss if there is none at the front. Keeps nothing of the bytes. The reader has failed, or
  // is not to be used any more, after an error.
  absl::StatusOr<std::shared_ptr<const Program>> Decode(ByteReader* reader);

 private:
  // A program that was decoded, and its bytes before its constants and behind them.
  struct Model {
    std::string before;
    std::string behind;
    std::shared_ptr<const Program> program;
  };
  static constexpr size_t kModels = 16;
  static constexpr size_t kMaxModelBytes = 4096;

  // If the bytes are those of one of models_ but for its constants: takes them, and returns one of
  // its shape. Else null, and takes nothing.
  std::shared_ptr<const Program> DecodeAlike(ByteReader* reader);
  absl::StatusOr<std::shared_ptr<const Program>> DecodeAnew(ByteReader* reader);
  // Reads constants, and what follows them, from `reader`.
  void Begin(ByteReader* reader);
  bool DecodeFunctions();
  bool DecodeVariables();
  bool DecodeConstants();
  bool DecodePaths();
  bool DecodeRareParts();
  bool DecodeSet();
  bool DecodeRegex();
  bool DecodeZone();
  bool DecodeFlags();
  bool DecodeLoop();
  bool DecodeShared();
  bool DecodeCode();
  bool DecodeValue(int depth, Cell* value);
  bool DecodeList(int depth, Cell* value);
  bool DecodeMap(int depth, Cell* value);
  bool DecodeTime(bool is_duration, Cell* value);
  bool DecodeAddress(bool is_v6, bool has_prefix, Cell* value);
  // A number of things of which each takes at least one byte, and not 0 if `some`.
  bool Count(size_t* count, bool some = false);

  // Of the program that is decoded. Kept, so that the next finds room.
  ByteReader* reader_ = nullptr;
  ProgramParts parts_;
  std::vector<uint32_t> functions_;  // By their place in the program.
  Context memory_;                   // What constants consist of.

  std::vector<Model> models_;
  size_t next_model_ = 0;  // The oldest, which the next one replaces if there are kModels.
};

// The same of bytes that are exactly one program.
absl::StatusOr<std::shared_ptr<const Program>> DecodeProgram(std::string_view bytes);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_PROGRAM_ENCODING_H_
