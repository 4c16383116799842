#include "reeve/engine/entity.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>

namespace reeve {
namespace {

struct Case {
  const char* name;
  EntityView entity;
  const char* defect;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class EntityTest : public testing::TestWithParam<Case> {};

TEST_P(EntityTest, IsJudged) { EXPECT_EQ(DefectOf(GetParam().entity), GetParam().defect); }

const std::string kLongId(kMaxIdBytes + 1, 'x');
const std::string kLongType(kMaxTypeBytes + 1, 'x');
constexpr char kEmptySegment[] = "the entity id has an empty path segment";
constexpr char kDots[] = "the entity id has a `.` or `..` segment";

const Case kCases[] = {
    {"Plain", {"user", "ada@EXAMPLE.COM"}, ""},
    {"ColonsInId", {"user", "uid:1000"}, ""},
    {"TypeWithAllKinds", {"_a.B-9", "x"}, ""},
    {"NoType", {"", "x"}, "the entity type is empty"},
    {"NoId", {"user", ""}, "the entity id is empty"},
    {"TypeStartsWithDigit", {"9a", "x"}, "the entity type is not a name of letters, digits, `_.-`"},
    {"TypeWithSlash", {"a/b", "x"}, "the entity type is not a name of letters, digits, `_.-`"},
    {"Role", {"role", "x"}, "the entity type `role` is reserved for roles of a policy"},
    {"LongType", {kLongType, "x"}, "the entity type is too long"},
    {"LongId", {"user", kLongId}, "the entity id is too long"},
    {"LongestId", {"user", std::string_view(kLongId).substr(1)}, ""},
    {"Newline", {"user", "a\nb"}, "the entity id has a control character"},
    {"ZeroWidth", {"user", "adm\xe2\x80\x8bin"}, ""},  // shown escaped, and equal to no other id
    {"NotUtf8", {"user", "\xff"}, "the entity id is not valid UTF-8"},
    {"Path", {"doc", "/a/b.c/..d/e..."}, ""},
    {"Root", {"doc", "/"}, ""},
    {"TrailingSlash", {"doc", "/a/"}, kEmptySegment},
    {"DoubleSlash", {"doc", "/a//b"}, kEmptySegment},
    {"LeadingDoubleSlash", {"doc", "//a"}, kEmptySegment},
    {"Dot", {"doc", "/a/./b"}, kDots},
    {"DotDot", {"doc", "/a/../b"}, kDots},
    {"DotDotAtEnd", {"doc", "/a/.."}, kDots},
    {"DotDotFirst", {"doc", "/../a"}, kDots},
    {"RelativeDotDot", {"doc", "a/../b"}, kDots},
    {"RelativeDotDotFirst", {"doc", "../b"}, kDots},
    {"DotsAlone", {"doc", ".."}, kDots},
    {"Url", {"url", "https://example.com/a"}, ""},
};

INSTANTIATE_TEST_SUITE_P(All, EntityTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// Segment by segment.
bool HasBadSegment(const std::string& id) {
  if (id == "/") return false;
  const bool is_path = id[0] == '/';
  for (size_t begin = is_path ? 1 : 0; begin <= id.size();) {
    const size_t end = std::min(id.find('/', begin), id.size());
    const std::string segment = id.substr(begin, end - begin);
    if (segment == "." || segment == ".." || (is_path && segment.empty())) return true;
    begin = end + 1;
  }
  return false;
}

// Ids are looked at by words: whatever the segments, and wherever they are.
TEST(DefectOfIdTest, FindsBadSegmentsAnywhere) {
  int bad = 0;
  for (int n = 0; n < 3 * 3 * 3 * 3; ++n) {
    std::string middle;
    for (int rest = n; middle.size() < 4; rest /= 3) middle += "a./"[rest % 3];
    for (const char* const first : {"", "/"}) {
      for (size_t before = 0; before <= 18; ++before) {
        for (size_t after = 0; after <= 18; ++after) {
          const std::string id =
              first + std::string(before, 'x') + middle + std::string(after, 'x');
          ASSERT_EQ(!DefectOfId(id).empty(), HasBadSegment(id)) << id;
          bad += HasBadSegment(id) ? 1 : 0;
        }
      }
    }
  }
  EXPECT_GT(bad, 1000);  // The comparison is about something.
}

TEST(ParseEntityIdTest, SplitsAtTheFirstColon) {
  const auto id = ParseEntityId("user:uid:1000");
  ASSERT_TRUE(id.ok()) << id.status();
  EXPECT_EQ(id->type, "user");
  EXPECT_EQ(id->id, "uid:1000");
  EXPECT_EQ(ToString(*id), "user:uid:1000");
}

TEST(ParseEntityIdTest, RefusesWhatIsNoEntity) {
  EXPECT_EQ(std::string(ParseEntityId("user").status().message()),
            "`user` is not an entity; write `type:id`");
  EXPECT_EQ(std::string(ParseEntityId("user:").status().message()),
            "`user:`: the entity id is empty");
  EXPECT_EQ(std::string(ParseEntityId("user:\x1b").status().message()),
            "`user:\\x1b`: the entity id has a control character");
}

}  // namespace
}  // namespace reeve
