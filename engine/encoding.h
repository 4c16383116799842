// Facts as canonical bytes: one content has one encoding, and no other bytes decode. For records
// and for contexts that travel; doc/audit-format.md says which byte is what.
#ifndef REEVE_ENGINE_ENCODING_H_
#define REEVE_ENGINE_ENCODING_H_

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/engine/value.h"

namespace reeve {

inline constexpr size_t kMaxAttributesBytes = 4 << 20;

// Base-128, the low bits first; negative numbers alternate with positive ones (0, -1, 1, -2, ...).
void AppendVarint(uint64_t value, std::string* out);
void AppendSigned(int64_t value, std::string* out);

// Appends a length and as many bytes.
void AppendSized(std::string_view bytes, std::string* out);

// Appends whole seconds, rounded down, and the nanoseconds beyond them; infinite ones too.
void AppendDuration(absl::Duration duration, std::string* out);

// Appends the encoding of `attributes`, nothing if they are empty. Returns false, and leaves `out`
// as it was, if DefectOf(attributes) is not empty or they take more than kMaxAttributesBytes.
bool AppendAttributes(const Attributes& attributes, std::string* out);

// Appends the encoding of one value. Returns false, and leaves `out` as it was, if it breaks the
// limits of value.h or takes more than kMaxAttributesBytes.
bool AppendValue(const Value& value, std::string* out);

// DataLoss if `bytes` are not exactly what AppendAttributes() writes.
absl::StatusOr<Attributes> DecodeAttributes(std::string_view bytes);

// Takes bytes from the front. The first failure sticks, and every later call fails. Points into the
// bytes.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  bool ok() const { return error_.empty(); }
  size_t rest() const { return bytes_.size() - at_; }

  // Returns false. `error` outlives this.
  bool Fail(std::string_view error);

  // DataLoss, with the place, after a failure.
  absl::Status status() const;

  // Fails unless all is taken.
  bool End() { return rest() == 0 || Fail("bytes are left over"); }

  bool Byte(uint8_t* value);
  bool Varint(uint64_t* value) {
    // As most are, in the bytes of sets.
    if (ok() && rest() > 0 && static_cast<uint8_t>(bytes_[at_]) < 0x80) {
      *value = static_cast<uint8_t>(bytes_[at_++]);
      return true;
    }
    return LongVarint(value);
  }
  // At most `max`, which the caller has found reasonable.
  bool Number(uint64_t max, uint64_t* value) {
    return Varint(value) && (*value <= max || Fail("a number is out of range"));
  }
  bool Signed(int64_t* value);
  bool Bytes(size_t size, std::string_view* value) {
    if (!ok()) return false;
    if (size > rest()) return Fail("the bytes end too early");
    *value = {bytes_.data() + at_, size};
    at_ += size;
    return true;
  }
  // A length and as many bytes.
  bool Sized(size_t max, std::string_view* value) {
    uint64_t size;
    return Number(max, &size) && Bytes(size, value);
  }
  // Valid UTF-8, at most kMaxStringBytes.
  bool Text(std::string_view* value);
  bool Duration(absl::Duration* value);

 private:
  bool LongVarint(uint64_t* value);

  const std::string_view bytes_;
  size_t at_ = 0;
  std::string_view error_;
};

}  // namespace reeve

#endif  // REEVE_ENGINE_ENCODING_H_
