#include "reeve/engine/snapshot_image.h"

#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/engine/cel/program_encoding.h"
#include "reeve/engine/encoding.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using testing::MakeCondition;
using testing::MakeEntity;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeRule;
using testing::PrincipalPattern;

constexpr SnapshotImageLimits kLimits = {1000, 1000, 1000, 10000};

std::string N(uint64_t number) {
  std::string bytes;
  AppendVarint(number, &bytes);
  return bytes;
}
std::string T(const std::string& text) {
  std::string bytes;
  AppendSized(text, &bytes);
  return bytes;
}
template <typename... Items>
std::string L(const Items&... items) {
  return N(sizeof...(items)) + absl::StrCat("", items...);
}
std::string P(Pattern::Kind kind, uint64_t number = 0) {
  return N(number << 3 | static_cast<uint64_t>(kind));
}
std::string Member(Pattern::Kind kind, const std::string& text) {
  return N(static_cast<uint64_t>(kind)) + T(text);
}

constexpr auto kAny = Pattern::Kind::kAny;
constexpr auto kAuthenticated = Pattern::Kind::kAuthenticated;
constexpr auto kLiteral = Pattern::Kind::kLiteral;
constexpr auto kGlob = Pattern::Kind::kGlob;
constexpr auto kRegex = Pattern::Kind::kRegex;
constexpr auto kRole = Pattern::Kind::kRole;

// A condition of a program that reads `principal` only, or what patterns bind as `name`.
std::string ConditionBytes(const std::string& text, const std::string& program = {}) {
  return T(text) + T(program.empty() ? cel::EncodingOf(*MakeCondition("x").program) : program);
}

// `name`, as a condition.
std::string ReadsName() {
  const std::string code = std::string("\2", 1) +    // instructions
                           std::string("\1\0", 2) +  // Variable 0
                           static_cast<char>(cel::Op::kReturn);
  return N(cel::kProgramFormat) + L() + N(1) + N(7) + "name" + L() + L() + N(0) + code;
}

struct RuleBytes {
  std::string id = "p/a";
  std::string principals = L(P(kRole, 2 << 1));
  std::string actions = L(P(kLiteral, 0));
  std::string resources = L(P(kGlob, 0));
  std::string flags = N(1 | 4);
  std::string clauses = L(N(1), N(0));
  std::string texts = T("m") + L(N(1) + N(2)) + L();
  std::string Bytes() const {
    return T(id) + principals + actions + resources + flags + clauses + texts;
  }
};

// One that there could be, piece by piece.
struct Image {
  std::string types = L(T("user"), T("doc"));
  std::string nodes = L(N(1) + T("ada"), N(2) + T("d"), N(0) + T("p/r"), N(2) + T("x*y"));
  std::string actions = L(T("doc.read"));
  std::string patterns = L(N(0) + T("doc:/a/{name}/**"), N(1) + T("doc:/b.*"), N(0) + T("doc.*"));
  std::string kept = N(2);
  std::string conditions =
      L(ConditionBytes("yes"), ConditionBytes("name", ReadsName()), ConditionBytes("fact"));
  std::string entities = L(N(0) + L(N(1)) + T(""));
  std::string roles = L(T("p/r") + L(Member(kLiteral, "user:ada")) + L());
  RuleBytes rule;
  std::string more_rules;
  std::string rule_count = N(1);

  std::string Bytes() const {
    return N(1) + N(cel::kProgramFormat) + T("digest") + types + nodes + actions + patterns + kept +
           conditions + entities + roles + rule_count + rule.Bytes() + more_rules;
  }
};

// What is wrong, without the place; or "decoded".
std::string Decode(const std::string& bytes, std::optional<Schema> schema = {},
                   const SnapshotImageLimits& limits = kLimits) {
  const auto snapshot = DecodeSnapshot(bytes, std::move(schema), limits);
  if (snapshot.ok()) {
    // What nobody asks for may be wrong, too.
    for (size_t i = 0; i < (*snapshot)->rule_count(); ++i) (*snapshot)->rule(i);
    return "decoded";
  }
  std::string message(snapshot.status().message());
  if (message.substr(0, 5) == "byte ") message.erase(0, message.find(": ") + 2);
  return message;
}

Reason DecideUnder(const std::string& bytes, const std::string& user, const std::string& resource) {
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const auto engine = Engine::Create(options);
  const auto snapshot = DecodeSnapshot(bytes, {}, kLimits);
  EXPECT_TRUE((*engine)->Replace(*snapshot).ok());
  const Principal principal = MakePrincipal(user);
  return (*engine)->Decide(Request(principal, "doc.read", {"doc", resource})).reason();
}

TEST(SnapshotImageTest, DecidesAsItSays) {
  Image image;
  EXPECT_EQ(Decode(image.Bytes()), "decoded");
  EXPECT_EQ(EncodeSnapshot(**DecodeSnapshot(image.Bytes(), {}, kLimits)), image.Bytes());
  EXPECT_EQ(DecideUnder(image.Bytes(), "user:ada", "/a/b/c"), Reason::kDenyUnknown);
  EXPECT_EQ(DecideUnder(image.Bytes(), "user:bob", "/a/b/c"), Reason::kNoRule);
  EXPECT_EQ(DecideUnder(image.Bytes(), "user:ada", "/b/c"), Reason::kNoRule);
}

// Room is made for a folder of each glob, and most of it given back.
TEST(SnapshotImageTest, GlobsMayShareAFolder) {
  SnapshotBuilder builder;
  builder.SetDigest("d");
  for (int i = 0; i < 100; ++i) {
    builder.AddRule(MakeRule(absl::StrCat("+", i), {"user:ada"}, {"any"},
                             {absl::StrCat("doc:/f", i / 50, "/*.", i)}));
  }
  const std::string bytes = EncodeSnapshot(**builder.Build());
  EXPECT_EQ(DecideUnder(bytes, "user:ada", "/f0/x.49"), Reason::kAllowRule);
  EXPECT_EQ(DecideUnder(bytes, "user:ada", "/f1/x.99"), Reason::kAllowRule);
  EXPECT_EQ(DecideUnder(bytes, "user:ada", "/f0/x.99"), Reason::kNoRule);
  EXPECT_EQ(DecideUnder(bytes, "user:ada", "/f2/x.99"), Reason::kNoRule);
}

struct Row {
  const char* name;
  void (*change)(Image* image);
  const char* issue;
};

TEST(SnapshotImageTest, IsRefusedUnlessItIsWellFormed) {
  constexpr char kAbsent[] = "a number of what is not there";
  constexpr char kNoPattern[] = "a pattern of a rule that is none";
  const Row rows[] = {
      {"Type", [](Image* i) { i->types = L(T("user"), T("d:c")); }, "a type is malformed"},
      {"TypeOfRoles", [](Image* i) { i->types = L(T("user"), T("role")); }, "a type is malformed"},
      {"TypeTwice", [](Image* i) { i->types = L(T("user"), T("user")); }, "a type is there twice"},
      {"TooManyTypes", [](Image* i) { i->types = N(1 << 20) + T("user"); },
       "a number is out of range"},
      {"NodeOfNoType", [](Image* i) { i->nodes = L(N(3) + T("ada")); }, kAbsent},
      {"Id", [](Image* i) { i->nodes = L(N(1) + T("/a/../b")); }, "an id is malformed"},
      {"IdWithLineFeed", [](Image* i) { i->nodes = L(N(1) + T("a\nb")); }, "an id is malformed"},
      {"IdTwice", [](Image* i) { i->nodes = L(N(1) + T("ada"), N(1) + T("ada")); },
       "an entity or a role is there twice"},
      {"RoleTwice", [](Image* i) { i->nodes = L(N(0) + T("p/r"), N(0) + T("p/r")); },
       "an entity or a role is there twice"},
      {"RoleWithoutAName", [](Image* i) { i->nodes = L(N(0) + T("")); }, "a name is malformed"},
      {"Action", [](Image* i) { i->actions = L(T("")); }, "an action is malformed"},
      {"ActionWithWildcard", [](Image* i) { i->actions = L(T("doc.*")); },
       "an action with wildcards"},
      {"ActionTwice", [](Image* i) { i->actions = L(T("a"), T("a")); }, "an action is there twice"},
      {"PatternOfNoKind", [](Image* i) { i->patterns = L(N(2) + T("doc:*")); },
       "a number is out of range"},
      {"PatternWithoutWildcards", [](Image* i) { i->patterns = L(N(0) + T("doc:a")); },
       "a pattern without wildcards"},
      {"Glob", [](Image* i) { i->patterns = L(N(0) + T("doc:{")); },
       "`doc:{`: `{` begins the name of a binding, as in `{name}`; for a literal brace write {re: "
       "…}"},
      {"ActionPatternWithoutWildcards", [](Image* i) { i->patterns = L(N(0) + T("doc")); },
       "a pattern without wildcards"},
      {"GlobWithEscape", [](Image* i) { i->patterns = L(N(0) + T("doc:\x1B*")); },
       "`doc:\\x1b*`: can never match: the action has a control character"},
      {"GlobWithTab", [](Image* i) { i->patterns = L(N(0) + T("doc:a*b\t")); },
       "`doc:a*b\\x09`: can never match: the action has a control character"},
      {"GlobOfActionsWithEscape", [](Image* i) { i->patterns = L(N(0) + T("doc.*\x1B")); },
       "`doc.*\\x1b`: can never match: the action has a control character"},
      {"GlobIsNoText", [](Image* i) { i->patterns = L(N(0) + T("doc:\xFF*")); },
       "`doc:\\xff*`: can never match: the action is not valid UTF-8"},
      {"GlobIsEmpty", [](Image* i) { i->patterns = L(N(0) + T("")); }, "the pattern is empty"},
      {"Regex", [](Image* i) { i->patterns = L(N(1) + T("doc:(")); }, "`doc:(`: missing ): doc:("},
      {"MoreClausesThanConditions", [](Image* i) { i->kept = N(4); },
       "more clauses than conditions"},
      {"ConditionIsNoText", [](Image* i) { i->conditions = L(ConditionBytes("\xFF"), N(0), N(0)); },
       "a text is malformed"},
      {"ConditionWithEscape",
       [](Image* i) { i->conditions = L(ConditionBytes("a\x1B"), N(0), N(0)); },
       "a text is malformed"},
      {"PatternWithEscape", [](Image* i) { i->patterns = L(N(1) + T("doc:\x1B")); },
       "a text is malformed"},
      {"ProgramLeavesBytes",
       [](Image* i) {
         i->conditions =
             L(ConditionBytes("x", ReadsName() + "x"), ConditionBytes("y"), ConditionBytes("z"));
       },
       "bytes are left over"},
      {"NoEntity", [](Image* i) { i->entities = L(N(4) + L() + T("")); }, kAbsent},
      {"EntityIsARole", [](Image* i) { i->entities = L(N(2) + L() + T("")); },
       "a role where an entity is meant"},
      {"ParentIsARole", [](Image* i) { i->entities = L(N(0) + L(N(2)) + T("")); },
       "a role where an entity is meant"},
      {"NoParent", [](Image* i) { i->entities = L(N(0) + L(N(9)) + T("")); }, kAbsent},
      {"EntityTwice", [](Image* i) { i->entities = L(N(0) + L() + T(""), N(0) + L() + T("")); },
       "entities are out of order"},
      {"Attributes", [](Image* i) { i->entities = L(N(0) + L() + T("x")); },
       "a count is larger than what follows"},
      {"ParentsInACircle",
       [](Image* i) { i->entities = L(N(0) + L(N(1)) + T(""), N(1) + L(N(0)) + T("")); },
       "parents form a cycle: `user:ada` -> `doc:d`"},
      {"RolesOutOfOrder",
       [](Image* i) { i->roles = L(T("p/r") + L() + L(), T("p/q") + L() + L()); },
       "roles are out of order"},
      {"NodeOfNoRole", [](Image* i) { i->roles = L(); }, "roles are not those that are named"},
      {"RoleWithoutANode", [](Image* i) { i->roles = L(T("p/q") + L() + L()); },
       "roles are not those that are named"},
      {"MemberWithoutANode",
       [](Image* i) { i->roles = L(T("p/r") + L(Member(kLiteral, "user:bob")) + L()); },
       "roles are not those that are named"},
      {"MemberWithoutAPattern",
       [](Image* i) { i->roles = L(T("p/r") + L(Member(kGlob, "user:b*")) + L()); },
       "roles are not those that are named"},
      {"MemberOfAnotherKind",
       [](Image* i) { i->roles = L(T("p/r") + L(Member(kGlob, "user:ada")) + L()); },
       "a member of another kind"},
      {"MemberOfNoKind", [](Image* i) { i->roles = L(T("p/r") + L(N(6) + T("user:ada")) + L()); },
       "a pattern of an unknown kind"},
      {"RoleInItself", [](Image* i) { i->roles = L(T("p/r") + L(Member(kRole, "p/r")) + L()); },
       "role `p/r` contains itself through role `p/r`"},
      {"RoleWithABinding", [](Image* i) { i->roles = L(T("p/r") + L() + L(N(1))); },
       "a name that no pattern binds"},
      {"RoleWithoutACondition", [](Image* i) { i->roles = L(T("p/r") + L() + L(N(3))); }, kAbsent},
      {"TooManyRules", [](Image* i) { i->rule_count = N(1001) + std::string(5000, '\0'); },
       "the set has more than 1000 rules"},
      {"FewerRules", [](Image* i) { i->rule_count = N(0); }, "bytes are left over"},
      {"MoreRules", [](Image* i) { i->rule_count = N(2); }, "the bytes end too early"},
      {"NoId", [](Image* i) { i->rule.id = ""; }, "a name is malformed"},
      {"IdOfRule", [](Image* i) { i->rule.id = "a\x1B"; }, "a name is malformed"},
      {"RuleTwice",
       [](Image* i) {
         i->rule_count = N(2);
         i->more_rules = i->rule.Bytes();
       },
       "rules are out of order"},
      {"NoPrincipals", [](Image* i) { i->rule.principals = L(); }, "an empty list of patterns"},
      {"NoActions", [](Image* i) { i->rule.actions = L(); }, "an empty list of patterns"},
      {"NoResources", [](Image* i) { i->rule.resources = L(); }, "an empty list of patterns"},
      {"AnyWithANumber", [](Image* i) { i->rule.principals = L(P(kAny, 1)); }, kNoPattern},
      {"AuthenticatedResource", [](Image* i) { i->rule.resources = L(P(kAuthenticated)); },
       kNoPattern},
      {"PrincipalBehindTheLast", [](Image* i) { i->rule.principals = L(P(kLiteral, 4)); },
       kNoPattern},
      {"PrincipalFarAway", [](Image* i) { i->rule.principals = L(P(kLiteral, 1ull << 32)); },
       kNoPattern},
      {"PrincipalIsARole", [](Image* i) { i->rule.principals = L(P(kLiteral, 2)); }, kNoPattern},
      {"PrincipalWithWildcard", [](Image* i) { i->rule.principals = L(P(kLiteral, 3)); },
       kNoPattern},
      {"RoleIsAPrincipal", [](Image* i) { i->rule.principals = L(P(kRole, 0)); }, kNoPattern},
      {"RoleBehindTheLast", [](Image* i) { i->rule.principals = L(P(kRole, 8)); }, kNoPattern},
      {"NoConditionalRole", [](Image* i) { i->rule.principals = L(P(kRole, 1)); }, kNoPattern},
      {"RoleAmongResources", [](Image* i) { i->rule.resources = L(P(kRole, 4)); }, kNoPattern},
      {"ActionBehindTheLast", [](Image* i) { i->rule.actions = L(P(kLiteral, 1)); }, kNoPattern},
      {"RegexOfActions", [](Image* i) { i->rule.actions = L(P(kRegex, 1)); }, kNoPattern},
      {"GlobBehindTheLast", [](Image* i) { i->rule.resources = L(P(kGlob, 3)); }, kNoPattern},
      {"GlobIsARegex", [](Image* i) { i->rule.resources = L(P(kGlob, 1)); }, kNoPattern},
      {"RegexIsAGlob", [](Image* i) { i->rule.resources = L(P(kRegex, 0)); }, kNoPattern},
      {"GlobOfActionsAmongResources", [](Image* i) { i->rule.resources = L(P(kGlob, 2)); },
       kNoPattern},
      {"PatternOfNoKind2", [](Image* i) { i->rule.resources = L(N(6)); }, kNoPattern},
      {"MorePatternsThanBytes", [](Image* i) { i->rule.resources = N(1 << 20) + P(kAny); },
       "a number is out of range"},
      {"AuditLevel", [](Image* i) { i->rule.flags = N(3 << 3); },
       "an audit level that does not exist"},
      {"TooManyClauses", [](Image* i) { i->rule.clauses = N(33) + std::string(33, '\0'); },
       "a rule has too many clauses"},
      {"ClauseBehindTheLast", [](Image* i) { i->rule.clauses = L(N(2)); }, kAbsent},
      {"ClauseReadsWhatIsNotBound",
       [](Image* i) {
         i->rule.clauses = L(N(1));
         i->rule.resources = L(P(kRegex, 1));
       },
       "a name that no pattern binds"},
      {"TextsThatAreNone", [](Image* i) { i->rule.flags = N(5), i->rule.texts = L() + L() + L(); },
       "texts that say nothing"},
      {"TextsWithoutAFlag", [](Image* i) { i->rule.flags = N(1); }, "bytes are left over"},
      {"FactBehindTheText",
       [](Image* i) { i->rule.flags = N(5), i->rule.texts = T("m") + L(N(2) + N(2)) + L(); },
       kAbsent},
      {"FactInACharacter",
       [](Image* i) { i->rule.flags = N(5), i->rule.texts = T("\u00e9") + L(N(1) + N(2)) + L(); },
       "a fact stands where none can"},
      {"FactsOutOfOrder",
       [](Image* i) {
         i->rule.flags = N(5), i->rule.texts = T("m") + L(N(1) + N(2), N(0) + N(2)) + L();
       },
       "a fact stands where none can"},
      {"FactWithoutACondition",
       [](Image* i) { i->rule.flags = N(5), i->rule.texts = T("m") + L(N(0) + N(3)) + L(); },
       kAbsent},
      {"ParameterTwice",
       [](Image* i) {
         i->rule.flags = N(5);
         i->rule.texts = L() + L() + L(T("o") + L(T("a") + T("") + L(), T("a") + T("") + L()));
       },
       "a parameter is there twice"},
      {"LeftOver", [](Image* i) { i->more_rules = "x"; }, "bytes are left over"},
  };
  for (const Row& row : rows) {
    Image image;
    row.change(&image);
    EXPECT_EQ(Decode(image.Bytes()), row.issue) << row.name;
  }
}

TEST(SnapshotImageTest, SaysAllThatARuleCanSay) {
  Image image;
  image.rule.principals = L(P(kAny), P(kAuthenticated), P(kLiteral, 0), P(kRole, 4));
  image.rule.actions = L(P(kGlob, 2), P(kLiteral, 0), P(kAny));
  image.rule.resources = L(P(kRegex, 1), P(kGlob, 0), P(kLiteral, 1), P(kAny));
  image.rule.flags = N(1 | 2 | 4 | 2 << 3);
  image.rule.clauses = L(N(1), N(0));
  image.rule.texts = T("m\u00e9") + L(N(0) + N(2), N(3) + N(2)) +
                     L(T("o") + L(T("b") + T("x") + L(), T("a") + T("") + L(N(0) + N(2))));
  ASSERT_EQ(Decode(image.Bytes()), "decoded");
  EXPECT_EQ(EncodeSnapshot(**DecodeSnapshot(image.Bytes(), {}, kLimits)), image.Bytes());
  const auto snapshot = *DecodeSnapshot(image.Bytes(), {}, kLimits);
  const Rule rule = snapshot->rule(0);
  EXPECT_EQ(rule.id, "p/a");
  EXPECT_EQ(rule.effect, Effect::kDeny);
  EXPECT_TRUE(rule.shadow);
  EXPECT_EQ(rule.audit, AuditLevel::kDurable);
  EXPECT_EQ(rule.when[0].text + rule.when[1].text, "nameyes");
  EXPECT_EQ(rule.message.facts[1].at, 3);
  EXPECT_EQ(rule.obligations[0].with[1].second.facts[0].expression.text, "fact");
  EXPECT_EQ(snapshot->digest(), "digest");
  EXPECT_EQ(snapshot->roles()[0].members[0].text(), "user:ada");
}

TEST(SnapshotImageTest, EveryLengthButTheWholeIsRefused) {
  const std::string bytes = Image().Bytes();
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(Decode(bytes.substr(0, size)), "decoded") << size;
  }
}

// Whatever a byte becomes, the image is refused or is that of another set.
TEST(SnapshotImageTest, AnyByteMayBeAnyOther) {
  const std::string bytes = Image().Bytes();
  int refused = 0;
  int decoded = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int bits : {1, 2, 3, 4, 8, 0x10, 0x40, 0x80, 0xFF}) {
      std::string other = bytes;
      other[at] = static_cast<char>(other[at] ^ bits);
      Decode(other) == "decoded" ? ++decoded : ++refused;
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(decoded, 200);
}

TEST(SnapshotImageTest, IsHeldToItsSchema) {
  Schema schema;
  schema.entities = {{"user", {"doc"}, {}, false}, {"doc", {}, {}, false}};
  schema.actions = {{"doc.read", {"user"}, {"doc"}, {}}};
  EXPECT_EQ(Decode(Image().Bytes(), schema), "decoded");
  struct SchemaRow {
    const char* name;
    std::function<void(Schema*)> change;
    std::string issue;
  };
  const SchemaRow rows[] = {
      {"Type",
       [](Schema* s) {
         s->entities[1].name = s->entities[0].parents[0] = s->actions[0].resources[0] = "img";
       },
       "a type that is not declared"},
      {"Action", [](Schema* s) { s->actions[0].name = "doc.write"; },
       "an action that is not declared"},
      {"Entity", [](Schema* s) { s->entities[0].parents.clear(); }, "an entity does not fit"},
  };
  for (const SchemaRow& row : rows) {
    Schema other = schema;
    row.change(&other);
    EXPECT_EQ(Decode(Image().Bytes(), other), row.issue) << row.name;
  }
}

TEST(SnapshotImageTest, HoldsNoMoreThanItMay) {
  SnapshotImageLimits limits = kLimits;
  limits.max_rules = 0;
  EXPECT_EQ(Decode(Image().Bytes(), {}, limits), "the set has more than 0 rules");
  limits = kLimits;
  limits.max_entities = 0;
  EXPECT_EQ(Decode(Image().Bytes(), {}, limits), "the set has more than 0 entities");
  limits = kLimits;
  limits.max_regex_steps = 3;
  EXPECT_EQ(Decode(Image().Bytes(), {}, limits), "the regular expressions are too large together");

  limits = kLimits;
  limits.max_list = 1;
  EXPECT_EQ(Decode(Image().Bytes(), {}, limits), "decoded");
  const struct {
    const char* name;
    void (*change)(Image* image);
  } rows[] = {
      {"Parents", [](Image* i) { i->entities = L(N(0) + L(N(1), N(3)) + T("")); }},
      {"Members",
       [](Image* i) {
         i->roles = L(T("p/r") + L(Member(kLiteral, "user:ada"), Member(kLiteral, "doc:d")) + L());
       }},
      {"Principals", [](Image* i) { i->rule.principals = L(P(kAny), P(kAuthenticated)); }},
      {"Actions", [](Image* i) { i->rule.actions = L(P(kAny), P(kLiteral, 0)); }},
      {"Resources", [](Image* i) { i->rule.resources = L(P(kGlob, 0), P(kLiteral, 1)); }},
  };
  for (const auto& row : rows) {
    Image image;
    row.change(&image);
    EXPECT_EQ(Decode(image.Bytes()), "decoded") << row.name;
    EXPECT_EQ(Decode(image.Bytes(), {}, limits), "a list has more than 1 items") << row.name;
  }
}

TEST(SnapshotImageTest, IsOfOneVersion) {
  std::string bytes = Image().Bytes();
  EXPECT_TRUE(CanDecodeSnapshot(bytes));
  for (const size_t at : {0, 1}) {
    std::string other = bytes;
    ++other[at];
    EXPECT_FALSE(CanDecodeSnapshot(other));
    EXPECT_EQ(Decode(other), "the rules are of another version of Reeve");
  }
  EXPECT_FALSE(CanDecodeSnapshot(bytes.substr(0, 1)));
}

// In another order the same rules are the same set, under other numbers of what they name.
TEST(SnapshotImageTest, HoldsWhatABuilderWasGiven) {
  SnapshotBuilder builder;
  builder.SetDigest("d");
  builder.AddRole("p/z", {PrincipalPattern("role:p/a"), PrincipalPattern("user:b*")});
  builder.AddRole("p/a", {PrincipalPattern("group:g")}, {MakeCondition("c")});
  builder.AddRole("p/m", {PrincipalPattern("user:*"), PrincipalPattern("group:h")});
  builder.AddEntity(MakeEntity("user:ada", {"group:g", "group:h"}));
  builder.AddEntity(MakeEntity("user:x*y", {}));
  builder.AddRule(MakeRule("+p/2", {"role:p/z", "role:p/m"}, {"any"}, {"doc:/a/*"}));
  builder.AddRule(MakeRule("-p/1", {"role:p/a", "authenticated"}, {"a.*", "b"}, {"re:doc:.*"}));
  const auto snapshot = *builder.Build();
  const std::string bytes = EncodeSnapshot(*snapshot);
  EXPECT_EQ(Decode(bytes), "decoded");
  const auto decoded = *DecodeSnapshot(bytes, {}, kLimits);
  EXPECT_EQ(EncodeSnapshot(*decoded), bytes);
  EXPECT_EQ(decoded->rule_count(), 2);
  EXPECT_EQ(decoded->entity_count(), 2);
  EXPECT_EQ(decoded->rule(1).principals[0].text(), "p/z");
  EXPECT_EQ(decoded->rule(0).resources[0].text(), "doc:.*");
  ASSERT_EQ(decoded->roles().size(), 3);
  EXPECT_EQ(decoded->roles()[2].members[0].text(), "p/a");
}

}  // namespace
}  // namespace reeve
