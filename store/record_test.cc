#include "reeve/store/record.h"

#include <memory>
#include <string>

#include "gtest/gtest.h"
#include "reeve/engine/testing.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

struct Kept {
  std::string host;
  bool escaped;
};

Kept Keep(const std::string& host) {
  static const std::unique_ptr<const MaskSet> masks = *MaskSet::Create({}, "");
  static Principal ada = testing::MakePrincipal("user:ada");
  static FlatRecord flat;
  ada.host = host;
  const EntityId resource("doc", "1");
  Flatten({Request(ada, "doc.read", resource), Decision(), {}}, AuditLevel::kRecorded, *masks,
          &flat);
  return {std::string(FieldsOf(flat.sizes, flat.bytes.data())[static_cast<size_t>(Field::kHost)]),
          (flat.head.flags & kEscaped) != 0};
}

// Words of eight bytes overlap, and shorter texts are put together: none must be overlooked.
TEST(RecordTest, AnOddByteIsFoundWhereverItIs) {
  for (size_t size = 0; size <= 26; ++size) {
    for (size_t at = 0; at < size; ++at) {
      for (int byte = 0; byte < 256; ++byte) {
        std::string text(size, byte % 2 == 0 ? ' ' : '~');
        text[at] = static_cast<char>(byte);
        const bool odd = byte < 0x20 || byte >= 0x7F;
        const Kept kept = Keep(text);
        ASSERT_EQ(kept.escaped, odd) << size << ", " << at << ": " << byte;
        ASSERT_EQ(kept.host, odd ? Printable(text) : text) << size << ", " << at << ": " << byte;
      }
    }
  }
}

TEST(RecordTest, TextsThatAreNotAsciiStay) {
  for (const std::string character : {"\u00e9", "\u20ac", "\U0001f512"}) {
    for (size_t size = 0; size <= 26; ++size) {
      for (size_t at = 0; at <= size; ++at) {
        const std::string text = std::string(at, 'a') + character + std::string(size - at, 'b');
        const Kept kept = Keep(text);
        ASSERT_FALSE(kept.escaped) << text;
        ASSERT_EQ(kept.host, text);
      }
    }
  }
}

TEST(RecordTest, AnEmptyTextIsAnEmptyField) {
  EXPECT_EQ(Keep("").host, "");
  EXPECT_FALSE(Keep("").escaped);
}

}  // namespace
}  // namespace reeve
