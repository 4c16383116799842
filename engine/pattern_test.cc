#include "reeve/engine/pattern.h"

#include <gtest/gtest.h>

#include <string>

#include "reeve/engine/request.h"

namespace reeve {
namespace {

enum Where { kEntity, kAction, kRegex };

absl::StatusOr<Pattern> Parse(Where where, std::string_view text) {
  switch (where) {
    case kEntity:
      return Pattern::Entity(text);
    case kAction:
      return Pattern::Action(text);
    case kRegex:
      return Pattern::Regex(text);
  }
  return absl::UnknownError("");
}

struct Case {
  const char* name;
  Where where;
  const char* text;
  const char* error;  // empty: it parses
  Pattern::Kind kind = Pattern::Kind::kAny;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class PatternTest : public testing::TestWithParam<Case> {};

TEST_P(PatternTest, ParsesOrSaysWhyNot) {
  const Case& c = GetParam();
  const auto pattern = Parse(c.where, c.text);
  EXPECT_EQ(std::string(pattern.status().message()), c.error);
  if (pattern.ok()) {
    EXPECT_EQ(pattern->kind(), c.kind);
    EXPECT_EQ(pattern->text(), c.text);
  }
}

using Kind = Pattern::Kind;
const Case kCases[] = {
    {"Literal", kEntity, "group:staff", "", Kind::kLiteral},
    {"Glob", kEntity, "user:*@EXAMPLE.COM", "", Kind::kGlob},
    {"ResourceGlob", kEntity, "file:/home/{name}/**", "", Kind::kGlob},
    {"Action", kAction, "doc.read", "", Kind::kLiteral},
    {"ActionGlob", kAction, "doc.*", "", Kind::kGlob},
    {"Regex", kRegex, "doc:/[a-z]+", "", Kind::kRegex},
    {"StrayBrace", kEntity, "group:a}",
     "`group:a}`: `}` without `{`; for a literal brace write {re: …}"},
    {"StrayBraceOfAction", kAction, "a}",
     "`a}`: `}` without `{`; for a literal brace write {re: …}"},
    {"LiteralWithDots", kEntity, "doc:/a/../b",
     "`doc:/a/../b`: can never match: the entity id has a `.` or `..` segment"},
    {"NoColon", kEntity, "staff", "`staff`: a pattern is `type:id`, as in `group:staff`"},
    {"NoColonAndABrace", kEntity, "staff}",
     "`staff}`: a pattern is `type:id`, as in `group:staff`"},
    {"NothingNamesNoEntity", kEntity, "", "``: a pattern is `type:id`, as in `group:staff`"},
    {"ColonInABinding", kEntity, "d{a:b}",
     "`d{a:b}`: `{` begins the name of a binding, as in `{name}`; for a literal brace write {re: "
     "…}"},
    {"WildcardForAType", kEntity, "*:x", "`*:x`: the type before the colon cannot have wildcards"},
    {"NoType", kEntity, ":*", "`:*`: can never match: the entity type is empty"},
    {"ControlCharacter", kEntity, "doc:*\x1b",
     "`doc:*\\x1b`: can never match: the entity id has a control character"},
    {"ActionWithControlCharacter", kAction, "doc.*\x1b",
     "`doc.*\\x1b`: can never match: the action has a control character"},
    {"EmptyId", kEntity, "group:", "`group:`: can never match: the entity id is empty"},
    {"WildcardType", kEntity, "d*c:x", "`d*c:x`: the type before the colon cannot have wildcards"},
    {"RoleIsNoPattern", kEntity, "role:x",
     "`role:x`: can never match: the entity type `role` is reserved for roles of a policy"},
    {"PathWithDots", kEntity, "doc:/a/../**",
     "`doc:/a/../**`: can never match: the entity id has a `.` or `..` segment"},
    {"PathWithTrailingSlash", kEntity, "doc:/a*/",
     "`doc:/a*/`: can never match: the entity id has an empty path segment"},
    {"EmptyAction", kAction, "", "the pattern is empty"},
    {"BadGlob", kAction, "doc.{",
     "`doc.{`: `{` begins the name of a binding, as in `{name}`; for a "
     "literal brace write {re: …}"},
    {"RegexWithoutType", kRegex, "/ledger/.*",
     "`/ledger/.*`: can never match: it is held against the whole `type:id`, as in `doc:/a/.*`"},
    {"RegexOfRoles", kRegex, "role:.*",
     "`role:.*`: can never match: it is held against the whole `type:id`, as in `doc:/a/.*`"},
    {"RegexThatBeginsWithAnything", kRegex, ".*ledger.*", "", Kind::kRegex},
    {"BadRegex", kRegex, "doc:(", "`doc:(`: missing ): doc:("},
    {"HugeRegex", kRegex, "((a{1000}){1000}){1000}",
     "`((a{1000}){1000}){1000}`: invalid repetition size: {1000}"},
    {"RegexBeyondMemory", kRegex, "((\\pL{90}){10}|(\\pL{91}){10})",
     "`((\\pL{90}){10}|(\\pL{91}){10})`: pattern too large - compile failed"},
};

INSTANTIATE_TEST_SUITE_P(All, PatternTest, testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// What it could match is what must not be too long.
TEST(PatternTest, NamesOfBindingsMayBeLong) {
  const std::string name(kMaxIdBytes, 'x');
  EXPECT_TRUE(Pattern::Entity("doc:{" + name + "}").ok());
  EXPECT_FALSE(Pattern::Entity("doc:" + name + "*").ok());
  const std::string action_name(kMaxActionBytes, 'x');
  EXPECT_TRUE(Pattern::Action("doc.{" + action_name + "}").ok());
  EXPECT_FALSE(Pattern::Action(action_name + "*").ok());
}

TEST(PatternTest, RegexMatchesTheWhole) {
  const auto pattern = Pattern::Regex("doc:/[a-z]+");
  ASSERT_TRUE(pattern.ok());
  EXPECT_TRUE(pattern->RegexMatches("doc:/abc"));
  EXPECT_FALSE(pattern->RegexMatches("doc:/abc/d"));
  EXPECT_FALSE(pattern->RegexMatches("xdoc:/abc"));
}

}  // namespace
}  // namespace reeve
