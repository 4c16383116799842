#include "reeve/engine/glob.h"

#include <gtest/gtest.h>
#include <re2/re2.h>

#include <array>
#include <random>
#include <string>
#include <vector>

namespace reeve {
namespace {

struct MatchCase {
  const char* name;
  const char* glob;
  std::vector<const char*> matches;
  std::vector<const char*> misses;
};

std::ostream& operator<<(std::ostream& os, const MatchCase& c) { return os << c.name; }

class GlobMatchTest : public testing::TestWithParam<MatchCase> {};

TEST_P(GlobMatchTest, MatchesWholeTexts) {
  const MatchCase& c = GetParam();
  const auto glob = Glob::Parse(c.glob);
  ASSERT_TRUE(glob.ok()) << glob.status();
  for (const char* text : c.matches) EXPECT_TRUE(glob->Matches(text)) << text;
  for (const char* text : c.misses) EXPECT_FALSE(glob->Matches(text)) << text;
}

const MatchCase kMatchCases[] = {
    {"Literal", "doc:a", {"doc:a"}, {"doc:", "doc:ab", "Doc:a", "xdoc:a", ""}},
    {"LiteralIsNoRegex", "doc:a.b+[c]", {"doc:a.b+[c]"}, {"doc:axb+[c]", "doc:a.bb[c]"}},
    {"Star", "doc:/a/*", {"doc:/a/", "doc:/a/b"}, {"doc:/a", "doc:/a/b/c", "doc:/a/b/"}},
    {"StarInside", "doc:*.txt", {"doc:.txt", "doc:a.txt", "doc:a.txt.txt"}, {"doc:a/b.txt"}},
    {"Run", "doc:/a/**", {"doc:/a/", "doc:/a/b", "doc:/a/b/c"}, {"doc:/a", "doc:/ab"}},
    {"RunInside", "doc:/**/x", {"doc:/a/x", "doc:/a/b/x", "doc://x"}, {"doc:/x", "doc:/a/xy"}},
    {"Binding",
     "file:/home/{n}/**",
     {"file:/home/a/", "file:/home/a/b/c"},
     {"file:/home//b", "file:/home/a", "file:/home/"}},
    {"BindingAtEnd", "user:{n}", {"user:a", "user:a@B"}, {"user:", "user:a/b"}},
    {"Affixes",
     "user:svc-*@{realm}",
     {"user:svc-@R", "user:svc-x@R", "user:svc-x@@"},
     {"user:svc-x@", "user:sv-x@R"}},
    {"StarAfterRun", "f:**/a*z", {"f:x/az", "f:ab/ayz", "f:a/b/a1z"}, {"f:az", "f:x/a/z"}},
    {"StarsThenRun", "f:*/b*/**", {"f:a/b/", "f:/bc/d/e"}, {"f:a/c/", "f:a/b"}},
    {"ManyStars", "a*b*c*d", {"abcd", "axxbxxcxxd", "abcdabcd"}, {"abdc", "ab/cd"}},
    // `**` must end in a later segment than the first one that looks right.
    {"RunSkipsASegment", "f:**a*b", {"f:a/ab", "f:aa/a/axb"}, {"f:a/b", "f:ab/c"}},
    {"Utf8", "doc:*ß", {"doc:ß", "doc:Straß"}, {"doc:ss"}},
};

INSTANTIATE_TEST_SUITE_P(All, GlobMatchTest, testing::ValuesIn(kMatchCases),
                         [](const auto& info) { return info.param.name; });

struct BadCase {
  const char* name;
  const char* glob;
  const char* message;
};

std::ostream& operator<<(std::ostream& os, const BadCase& c) { return os << c.name; }

class GlobBadTest : public testing::TestWithParam<BadCase> {};

TEST_P(GlobBadTest, IsRefused) {
  const auto glob = Glob::Parse(GetParam().glob);
  ASSERT_FALSE(glob.ok());
  EXPECT_EQ(std::string(glob.status().message()), GetParam().message);
}

constexpr char kBrace[] =
    "`{` begins the name of a binding, as in `{name}`; for a literal brace write {re: …}";

const BadCase kBadCases[] = {
    {"Empty", "", "the pattern is empty"},
    {"ThreeStars", "a:***", "`a:***`: two wildcards touch; put a character between them"},
    {"BindingAfterStar", "a:*{x}", "`a:*{x}`: two wildcards touch; put a character between them"},
    {"BoundTwice", "a:{x}/{x}", "`a:{x}/{x}`: `x` is bound twice"},
    {"StrayBrace", "a:}", "`a:}`: `}` without `{`; for a literal brace write {re: …}"},
};

INSTANTIATE_TEST_SUITE_P(All, GlobBadTest, testing::ValuesIn(kBadCases),
                         [](const auto& info) { return info.param.name; });

TEST(GlobTest, RefusesBracesThatBindNothing) {
  for (const char* text : {"a:{", "a:{x", "a:{}", "a:{1}", "a:{a b}", "a:{a{b}}"}) {
    const auto glob = Glob::Parse(text);
    ASSERT_FALSE(glob.ok()) << text;
    EXPECT_NE(glob.status().message().find(kBrace), std::string::npos) << glob.status();
  }
}

TEST(GlobTest, LimitsWildcards) {
  std::string text = "a:";
  for (size_t i = 0; i < Glob::kMaxWildcards; ++i) text += "*/";
  EXPECT_TRUE(Glob::Parse(text).ok());
  EXPECT_EQ(std::string(Glob::Parse(text + "*").status().message()),
            "`" + text + "*`: more than 16 wildcards");
}

std::string BindingsOf(const char* pattern, std::string_view text) {
  const auto glob = Glob::Parse(pattern);
  if (!glob.ok()) return std::string(glob.status().message());
  Glob::Binding bindings[Glob::kMaxWildcards];
  if (!glob->Bind(text, bindings)) return "does not match";
  std::string out;
  for (size_t i = 0; i < glob->binding_names().size(); ++i) {
    out.append(bindings[i].name).append("=").append(bindings[i].value).append(";");
  }
  return out;
}

TEST(GlobTest, BindsTheShortestRunsLeftmostFirst) {
  EXPECT_EQ(BindingsOf("file:/home/{name}/**", "file:/home/ada/x/y"), "name=ada;");
  EXPECT_EQ(BindingsOf("t:{a}-{b}", "t:x-y-z"), "a=x;b=y-z;");
  EXPECT_EQ(BindingsOf("t:{a}.txt", "t:x.txt.txt"), "a=x.txt;");
  EXPECT_EQ(BindingsOf("t:**/{a}/x", "t:p/q/x"), "a=q;");
  EXPECT_EQ(BindingsOf("t:*-{a}", "t:-x-y"), "a=x-y;");
  EXPECT_EQ(BindingsOf("t:{a}/x", "t:p/y"), "does not match");
}

// Every glob is also a regular expression: RE2 is the slow, obvious reference. The expressions are
// not greedy, so that RE2 cuts a text as Glob::Bind() does.
std::string AsRegex(std::string_view glob) {
  std::string regex;
  for (size_t i = 0; i < glob.size(); ++i) {
    if (glob.substr(i, 2) == "**") {
      regex += ".*?";
      ++i;
    } else if (glob[i] == '*') {
      regex += "[^/]*?";
    } else if (glob[i] == '{') {
      regex += "([^/]+?)";
      i = glob.find('}', i);
    } else {
      regex += RE2::QuoteMeta(std::string(1, glob[i]));
    }
  }
  return regex;
}

TEST(GlobTest, AgreesWithRegularExpressions) {
  std::mt19937 random(20261121);
  const auto draw = [&random](const std::vector<std::string>& from, int most) {
    std::string text;
    for (int n = static_cast<int>(random() % (most + 1)); n > 0; --n) {
      text += from[random() % from.size()];
    }
    return text;
  };
  int compared = 0;
  int matched = 0;
  while (compared < 200000) {
    const std::string pattern = draw({"a", "b", "/", "*", "**", "{x}", "{y}"}, 8);
    const auto glob = Glob::Parse(pattern);
    if (!glob.ok()) continue;
    const RE2 regex(AsRegex(pattern));
    for (int i = 0; i < 20; ++i, ++compared) {
      const std::string text = draw({"a", "b", "/"}, 10);
      const bool want = RE2::FullMatch(text, regex);
      ASSERT_EQ(glob->Matches(text), want) << pattern << " " << text;
      if (!want) continue;
      ++matched;
      Glob::Binding bindings[Glob::kMaxWildcards];
      ASSERT_TRUE(glob->Bind(text, bindings));
      std::array<re2::StringPiece, 1 + Glob::kMaxWildcards> groups;
      ASSERT_TRUE(regex.Match(text, 0, text.size(), RE2::ANCHOR_BOTH, groups.data(),
                              1 + static_cast<int>(glob->binding_names().size())));
      for (size_t i = 0; i < glob->binding_names().size(); ++i) {
        ASSERT_EQ(bindings[i].value, std::string_view(groups[i + 1].data(), groups[i + 1].size()))
            << pattern << " " << text;
      }
    }
  }
  EXPECT_GT(matched, compared / 50);  // the comparison is about something
}

}  // namespace
}  // namespace reeve
