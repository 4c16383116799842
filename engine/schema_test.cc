#include "reeve/engine/schema.h"

#include <gtest/gtest.h>

#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using Kind = SchemaType::Kind;
using testing::FakeClock;
using testing::MakeEntity;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeRule;

Schema Documents() {
  Schema schema;
  const SchemaType address =
      SchemaType::Record({{"city", Kind::kString}, {"zip", Kind::kInt, false}});
  schema.entities = {
      {"group", {"group"}, {}},
      {"user",
       {"group", "team"},
       {{"level", Kind::kInt},
        {"address", address, false},
        {"any", Kind::kAny, false},
        {"tags", SchemaType::List(Kind::kString), false},
        {"limits", SchemaType::Map(SchemaType::List(Kind::kInt)), false},
        {"homes", SchemaType::List(address), false}}},
      {"team", {}, {}},
      {"token", {}, {}, true},
      {"folder", {"folder"}, {}},
      {"doc",
       {"folder"},
       {{"null", Kind::kNull, false},
        {"bool", Kind::kBool, false},
        {"int", Kind::kInt, false},
        {"uint", Kind::kUint, false},
        {"double", Kind::kDouble, false},
        {"string", Kind::kString, false},
        {"bytes", Kind::kBytes, false},
        {"time", Kind::kTimestamp, false},
        {"span", Kind::kDuration, false}}},
  };
  schema.actions = {{"doc.read", {"user", "token"}, {"doc", "folder"}, {}},
                    {"doc.write", {"user"}, {"doc"}, {{"reason", Kind::kString}}}};
  schema.context = {{"secure", Kind::kBool, false}};
  return schema;
}

// A request of ada, who is of level 1, to read a document.
struct Asked {
  Principal principal = MakePrincipal("user:ada");
  std::string action = "doc.read";
  EntityId resource = MakeId("doc:/a");
  std::vector<EntityId> resource_parents;
  Attributes resource_attributes;
  Attributes context;
  // What a provider tells of the principal, if it tells anything.
  std::optional<ProvidedEntity> provided;
  Attributes provided_attributes;
  std::vector<EntityId> provided_parents;
};

struct Case {
  const char* name;
  std::function<void(Asked*)> change;
  const char* want;  // The defect; empty if the request fits.
};
std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

// How a value that was written as text is to be read.
struct Written {
  const char* name;
  SchemaType type;
  Value value;
  Value want;
};

TEST(SchemaTypeTest, ReadsValuesAsOfAType) {
  const Value text = Value::String("x");
  const auto at = absl::FromUnixSeconds(1795165200);
  const SchemaType place =
      SchemaType::Record({{"lat", Kind::kDouble}, {"since", Kind::kTimestamp}});
  const Written cases[] = {
      {"double", Kind::kDouble, Value::Int(-7), Value::Double(-7)},
      {"the largest exact double", Kind::kDouble, Value::Int(int64_t{1} << 53),
       Value::Double(9007199254740992.0)},
      {"no exact double", Kind::kDouble, Value::Int((int64_t{1} << 53) + 1),
       Value::Int((int64_t{1} << 53) + 1)},
      {"no double", Kind::kDouble, text, text},
      {"uint", Kind::kUint, Value::Int(7), Value::Uint(7)},
      {"negative", Kind::kUint, Value::Int(-1), Value::Int(-1)},
      {"int stays", Kind::kInt, Value::Int(7), Value::Int(7)},
      {"double is no int", Kind::kInt, Value::Double(7), Value::Double(7)},
      {"timestamp", Kind::kTimestamp, Value::String("2026-11-20T09:00:00Z"), Value::Timestamp(at)},
      {"no timestamp", Kind::kTimestamp, Value::String("noon"), Value::String("noon")},
      {"number for a timestamp", Kind::kTimestamp, Value::Int(1), Value::Int(1)},
      {"duration", Kind::kDuration, Value::String("1h30m"), Value::Duration(absl::Minutes(90))},
      {"endless", Kind::kDuration, Value::String("inf"), Value::String("inf")},
      {"text stays text", Kind::kString, Value::String("1h30m"), Value::String("1h30m")},
      {"any stays", Kind::kAny, Value::String("1h30m"), Value::String("1h30m")},
      {"list", SchemaType::List(Kind::kDouble), Value::Of(Value::List{Value::Int(1), text}),
       Value::Of(Value::List{Value::Double(1), text})},
      {"map", SchemaType::Map(Kind::kUint), Value::Of(Attributes{{"a", Value::Int(1)}}),
       Value::Of(Attributes{{"a", Value::Uint(1)}})},
      {"list for a map", SchemaType::Map(Kind::kUint), Value::Of(Value::List{Value::Int(1)}),
       Value::Of(Value::List{Value::Int(1)})},
      {"record", place,
       Value::Of(Attributes{{"lat", Value::Int(1)},
                            {"other", Value::Int(1)},
                            {"since", Value::String("2026-11-20T09:00:00Z")}}),
       Value::Of(Attributes{
           {"lat", Value::Double(1)}, {"other", Value::Int(1)}, {"since", Value::Timestamp(at)}})},
      {"records in a list", SchemaType::List(place),
       Value::Of(Value::List{Value::Of(Attributes{{"lat", Value::Int(1)}})}),
       Value::Of(Value::List{Value::Of(Attributes{{"lat", Value::Double(1)}})})},
  };
  for (const Written& c : cases) EXPECT_EQ(As(c.type, c.value), c.want) << c.name;
}

class SchemaRequestTest : public ::testing::TestWithParam<Case> {};

TEST_P(SchemaRequestTest, HoldsRequestsToTheSchema) {
  SnapshotBuilder builder;
  builder.SetSchema(Documents());
  builder.AddRule(MakeRule("+all", {"anyone"}, {"any"}, {"any"}));
  builder.AddEntity({MakeId("user:eve"), {}, {{"level", Value::Int(7)}}});
  builder.AddEntity({MakeId("user:bob"), {}, {{"tags", Value::Of(Value::List())}}});
  auto snapshot = builder.Build();
  ASSERT_TRUE(snapshot.ok()) << snapshot.status();
  FakeClock clock;
  Engine::Options options;
  options.clock = &clock;
  options.audit_level = AuditLevel::kOff;
  auto engine = Engine::Create(options);
  ASSERT_TRUE(engine.ok()) << engine.status();
  ASSERT_TRUE((*engine)->Replace(*snapshot).ok());

  Asked asked;
  asked.principal.attributes.Set("level", Value::Int(1));
  GetParam().change(&asked);
  Request request(asked.principal, asked.action, asked.resource);
  request.resource_parents = asked.resource_parents;
  request.resource_attributes = &asked.resource_attributes;
  request.context = &asked.context;
  if (asked.provided.has_value()) {
    asked.provided->attributes = &asked.provided_attributes;
    asked.provided->parents = asked.provided_parents;
    request.provided_principal = &*asked.provided;
  }
  const Decision got = (*engine)->Decide(request);
  // The text belongs to the snapshot, which the decision keeps.
  ASSERT_TRUE((*engine)->Replace(*SnapshotBuilder().Build()).ok());
  snapshot->reset();
  const std::string want = GetParam().want;
  EXPECT_EQ(got.reason(), want.empty() ? Reason::kAllowRule : Reason::kBadRequest);
  EXPECT_EQ(got.error(), want);
}

Value Strings(const std::vector<std::string>& texts) {
  Value::List list;
  for (const std::string& text : texts) list.push_back(Value::String(text));
  return Value::Of(std::move(list));
}

// A document with one attribute.
std::function<void(Asked*)> Doc(std::string name, Value value) {
  return [=](Asked* a) { a->resource_attributes.Set(name, value); };
}
// A user with one attribute more.
std::function<void(Asked*)> User(std::string name, Value value) {
  return [=](Asked* a) { a->principal.attributes.Set(name, value); };
}

const Case kCases[] = {
    {"Fits", [](Asked*) {}, ""},
    {"PrincipalType", [](Asked* a) { a->principal = MakePrincipal("robot:1"); },
     "the principal's entity type is not declared"},
    {"ResourceType", [](Asked* a) { a->resource = MakeId("file:/a"); },
     "the resource's entity type is not declared"},
    {"Action", [](Asked* a) { a->action = "doc.raed"; }, "the action is not declared"},
    {"ActionNotForPrincipal",
     [](Asked* a) {
       a->principal = MakePrincipal("token:1");
       a->action = "doc.write";
     },
     "`doc.write` is not for a principal of this type; it is for `user`"},
    {"ActionNotForResource",
     [](Asked* a) {
       a->action = "doc.write";
       a->resource = MakeId("folder:f");
     },
     "`doc.write` does not apply to a resource of this type; it applies to `doc`"},
    {"GroupIsNoResource", [](Asked* a) { a->resource = MakeId("group:staff"); },
     "`doc.read` does not apply to a resource of this type; it applies to `doc`, `folder`"},
    {"AnonymousIsForEveryAction", [](Asked* a) { a->principal = Principal(); }, ""},
    {"AnonymousHasNoAttributes",
     [](Asked* a) {
       a->principal = Principal();
       a->principal.attributes.Set("level", Value::Int(1));
     },
     "`anonymous` has an attribute that is not declared; declared are none"},

    {"Groups", [](Asked* a) { a->principal.groups = {"staff"}; }, ""},
    {"GroupsOfOneThatHasNone",
     [](Asked* a) {
       a->principal = MakePrincipal("token:1", {"staff"});
     },
     "`token` cannot lie in an entity of this type; it can lie in none"},
    {"Parents", [](Asked* a) { a->principal.parents = {MakeId("team:red")}; }, ""},
    {"PrincipalParent", [](Asked* a) { a->principal.parents = {MakeId("folder:f")}; },
     "`user` cannot lie in an entity of this type; it can lie in `group`, `team`"},
    {"UndeclaredParent", [](Asked* a) { a->principal.parents = {MakeId("x:f")}; },
     "`user` cannot lie in an entity of this type; it can lie in `group`, `team`"},
    {"ResourceParents", [](Asked* a) { a->resource_parents = {MakeId("folder:f")}; }, ""},
    {"ResourceParent", [](Asked* a) { a->resource_parents = {MakeId("team:red")}; },
     "`doc` cannot lie in an entity of this type; it can lie in `folder`"},

    {"Undeclared", User("levl", Value::Int(1)),
     "`user` has an attribute that is not declared; declared are `address`, `any`, `homes`, "
     "`level`, `limits`, `tags`"},
    {"UndeclaredOfAnOpenType",
     [](Asked* a) {
       a->principal = MakePrincipal("token:1");
       a->principal.attributes.Set("x", Value::Int(1));
     },
     ""},
    {"ReservedIsNotLookedAt", User("id", Value::Int(1)), ""},
    {"ReservedOfPrincipalsOnly", Doc("host", Value::String("x")),
     "`doc` has an attribute that is not declared; declared are `bool`, `bytes`, `double`, `int`, "
     "`null`, `span`, `string`, `time` and 1 more"},
    {"WrongType", User("level", Value::String("1")),
     "the attribute `level` of `user` is not of type int"},
    {"NullIsNotMissing", User("level", Value()),
     "the attribute `level` of `user` is not of type int"},
    {"Missing", [](Asked* a) { a->principal.attributes = {}; },
     "`user` lacks the attribute `level`, which is required"},
    {"MissingButStored",
     [](Asked* a) {
       a->principal = MakePrincipal("user:eve");
     },
     ""},
    {"MissingAndOtherStored",
     [](Asked* a) {
       a->principal = MakePrincipal("user:bob");
     },
     "`user` lacks the attribute `level`, which is required"},
    {"StoredButOverlaid",
     [](Asked* a) {
       a->principal = MakePrincipal("user:eve");
       a->principal.attributes.Set("level", Value::Double(7));
     },
     "the attribute `level` of `user` is not of type int"},
    {"Any", User("any", Value::Of(Value::List{Value(), Value::Int(1)})), ""},
    {"List", User("tags", Strings({"a", "b"})), ""},
    {"NoList", User("tags", Value::String("a")), "the attribute `tags` of `user` is not of type list"},
    {"ListElement", User("tags", Value::Of(Value::List{Value::String("a"), Value::Int(1)})),
     "the attribute `tags[]` of `user` is not of type string"},
    {"Map", User("limits", Value::Of(Attributes{{"a", Value::Of(Value::List{Value::Int(1)})}})), ""},
    {"MapElement",
     User("limits", Value::Of(Attributes{{"a", Value::Of(Value::List{Value::Bool(true)})}})),
     "the attribute `limits[][]` of `user` is not of type int"},
    {"Record", User("address", Value::Of(Attributes{{"city", Value::String("Bonn")}})), ""},
    {"NoRecord", User("address", Value::String("Bonn")),
     "the attribute `address` of `user` is not a map"},
    {"RecordLacks", User("address", Value::Of(Attributes{{"zip", Value::Int(1)}})),
     "`user` lacks the attribute `address.city`, which is required"},
    {"RecordUndeclared",
     User("address", Value::Of(Attributes{{"city", Value::String("Bonn")}, {"x", Value()}})),
     "`user` has an attribute inside `address.` that is not declared; declared are `city`, `zip`"},
    {"RecordReservesNothing",
     User("address", Value::Of(Attributes{{"city", Value::String("Bonn")}, {"id", Value()}})),
     "`user` has an attribute inside `address.` that is not declared; declared are `city`, `zip`"},
    {"RecordInList",
     User("homes", Value::Of(Value::List{Value::Of(Attributes{{"city", Value::Int(1)}})})),
     "the attribute `homes[].city` of `user` is not of type string"},

    // What a provider tells.
    {"Provided",
     [](Asked* a) {
       a->principal.attributes = {};
       a->provided.emplace();
       a->provided_attributes = {{"level", Value::Int(1)}};
       a->provided_parents = {MakeId("group:staff")};
     },
     ""},
    {"ProvidedOfWrongType",
     [](Asked* a) {
       a->provided.emplace();
       a->provided_attributes = {{"level", Value::String("1")}};
     },
     "the attribute `level` of `user` is not of type int"},
    {"ProvidedParent",
     [](Asked* a) {
       a->provided.emplace();
       a->provided_parents = {MakeId("folder:f")};
     },
     "`user` cannot lie in an entity of this type; it can lie in `group`, `team`"},
    {"NotProvided",
     [](Asked* a) {
       a->principal.attributes = {};
       a->provided.emplace();
     },
     "`user` lacks the attribute `level`, which is required"},
    {"NotKnownToBeMissing",
     [](Asked* a) {
       a->principal.attributes = {};
       a->provided.emplace();
       a->provided->complete = false;
     },
     ""},

    {"Context",
     [](Asked* a) {
       a->action = "doc.write";
       a->context = {{"reason", Value::String("x")}, {"secure", Value::Bool(true)}};
     },
     ""},
    {"ContextLacks", [](Asked* a) { a->action = "doc.write"; },
     "the context of `doc.write` lacks the field `reason`, which is required"},
    {"ContextOfAnotherAction", [](Asked* a) { a->context = {{"reason", Value::String("x")}}; },
     "the context of `doc.read` has a field that is not declared; declared are `secure`"},
    {"ContextType", [](Asked* a) { a->context = {{"secure", Value::Int(1)}}; },
     "the field `secure` of the context of `doc.read` is not of type bool"},
    {"ContextTime", [](Asked* a) { a->context = {{"time", Value::Int(1)}}; }, ""},
};
INSTANTIATE_TEST_SUITE_P(Cases, SchemaRequestTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return std::string(info.param.name); });

// Each type takes the values of its kind, and no others.
TEST(SchemaTest, TypesTakeTheirKind) {
  const std::pair<const char*, Value> kinds[] = {
      {"null", Value()},
      {"bool", Value::Bool(false)},
      {"int", Value::Int(0)},
      {"uint", Value::Uint(0)},
      {"double", Value::Double(0)},
      {"string", Value::String("")},
      {"bytes", Value::Bytes("")},
      {"time", Value::Timestamp(absl::UnixEpoch())},
      {"span", Value::Duration(absl::ZeroDuration())},
      {"list", Value::Of(Value::List())},
      {"map", Value::Of(Attributes())},
  };
  for (const auto& [type, unused] : kinds) {
    for (const auto& [kind, value] : kinds) {
      SnapshotBuilder builder;
      builder.SetSchema(Documents());
      builder.AddEntity({MakeId("doc:/a"), {}, {{type, value}}});
      const bool declared = std::string(type) != "list" && std::string(type) != "map";
      EXPECT_EQ(builder.Build().ok(), declared && std::string(type) == kind) << type << " " << kind;
    }
  }
}

struct BuildCase {
  const char* name;
  std::function<void(Schema*, SnapshotBuilder*)> change;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const BuildCase& c) { return os << c.name; }

class SchemaBuildTest : public ::testing::TestWithParam<BuildCase> {};

TEST_P(SchemaBuildTest, RefusesWhatDoesNotFit) {
  Schema schema = Documents();
  SnapshotBuilder builder;
  GetParam().change(&schema, &builder);
  builder.SetSchema(std::move(schema));
  EXPECT_EQ(builder.Build().status().message(), GetParam().want);
}

SchemaType Nested(int depth) {
  SchemaType type = Kind::kInt;
  for (int i = 1; i < depth; ++i) type = SchemaType::List(std::move(type));
  return type;
}

const BuildCase kBuildCases[] = {
    {"Fits",
     [](Schema* s, SnapshotBuilder*) {
       s->context.push_back({"x", Nested(16)});
     },
     ""},
    {"TypeTwice",
     [](Schema* s, SnapshotBuilder*) {
       s->entities.push_back({"doc", {}, {}});
     },
     "schema: entity type `doc` is declared twice"},
    {"TypeRole",
     [](Schema* s, SnapshotBuilder*) {
       s->entities.push_back({"role", {}, {}});
     },
     "schema: `role` cannot be an entity type"},
    {"UndeclaredParent",
     [](Schema* s, SnapshotBuilder*) {
       s->entities.push_back({"x", {"y"}, {}});
     },
     "schema: entity type `x` names `y`, which is not declared"},
    {"ActionTwice",
     [](Schema* s, SnapshotBuilder*) {
       s->actions.push_back({"doc.read", {"user"}, {"doc"}, {}});
     },
     "schema: action `doc.read` is declared twice"},
    {"ActionName",
     [](Schema* s, SnapshotBuilder*) {
       s->actions.push_back({"", {"user"}, {"doc"}, {}});
     },
     "schema: `` cannot be an action"},
    {"ActionOfNobody",
     [](Schema* s, SnapshotBuilder*) {
       s->actions.push_back({"x", {}, {"doc"}, {}});
     },
     "schema: action `x` has no principals or no resources; empty never means any"},
    {"ActionOfUndeclared",
     [](Schema* s, SnapshotBuilder*) {
       s->actions.push_back({"x", {"user"}, {"y"}, {}});
     },
     "schema: action `x` names `y`, which is not declared"},
    {"FieldTwice",
     [](Schema* s, SnapshotBuilder*) {
       s->context.push_back({"secure", Kind::kInt});
     },
     "schema: `secure` of the context of `doc.read` is declared twice"},
    {"ContextTwice",
     [](Schema* s, SnapshotBuilder*) {
       s->actions[0].context = {{"secure", Kind::kBool, false}};
     },
     "schema: `secure` of the context of `doc.read` is declared twice"},
    {"ReservedField",
     [](Schema* s, SnapshotBuilder*) {
       s->context.push_back({"time", Kind::kInt});
     },
     "schema: `time` of the context of `doc.read` is reserved"},
    {"ReservedAttribute",
     [](Schema* s, SnapshotBuilder*) {
       s->entities.push_back({"x", {}, {{"id", Kind::kInt}}});
     },
     "schema: `id` of `x` is reserved"},
    {"ReservedForPrincipals",
     [](Schema* s, SnapshotBuilder*) {
       s->entities[1].attributes.push_back({"host", Kind::kString});
     },
     "schema: attribute `host` of `user` is reserved for principals, which action `doc.read` makes "
     "it"},
    {"FieldWithoutName",
     [](Schema* s, SnapshotBuilder*) {
       s->context.push_back({"", Kind::kInt});
     },
     "schema: `` of the context of `doc.read` cannot be a name"},
    {"TooDeep",
     [](Schema* s, SnapshotBuilder*) {
       s->context.push_back({"x", Nested(17)});
     },
     "schema: `x[][][][][][][][][][][][][][][][]` of the context of `doc.read` is nested more than "
     "16 levels deep"},
    {"ListOfNothing",
     [](Schema* s, SnapshotBuilder*) {
       s->context.push_back({"x", SchemaType(Kind::kList)});
     },
     "schema: the type of `x` of the context of `doc.read` is malformed"},
    {"RuleOfUndeclaredType",
     [](Schema*, SnapshotBuilder* b) {
       b->AddRule(MakeRule("+r", {"anyone"}, {"any"}, {"dok:/**"}));
     },
     "rule `r` names entity type `dok`, which is not declared"},
    {"RuleOfUndeclaredAction",
     [](Schema*, SnapshotBuilder* b) { b->AddRule(MakeRule("+r", {"anyone"}, {"x"}, {"any"})); },
     "rule `r` names action `x`, which is not declared"},
    {"RoleOfUndeclaredType",
     [](Schema*, SnapshotBuilder* b) { b->AddRole("r", {testing::PrincipalPattern("usr:ada")}); },
     "role `r` names entity type `usr`, which is not declared"},
    {"EntityOfUndeclaredType",
     [](Schema*, SnapshotBuilder* b) { b->AddEntity(MakeEntity("dok:1", {})); },
     "entity type `dok` is not declared"},
    {"EntityWithWrongParent",
     [](Schema*, SnapshotBuilder* b) { b->AddEntity(MakeEntity("doc:1", {"group:staff"})); },
     "entity `doc:1` does not fit: `doc` cannot lie in an entity of this type; it can lie in "
     "`folder`"},
    {"EntityWithWrongAttribute",
     [](Schema*, SnapshotBuilder* b) {
       b->AddEntity({MakeId("user:ada"), {}, {{"level", Value::Bool(true)}}});
     },
     "entity `user:ada` does not fit: the attribute `level` of `user` is not of type int"},
    {"EntityMayLackWhatIsRequired",
     [](Schema*, SnapshotBuilder* b) { b->AddEntity(MakeEntity("user:ada", {})); }, ""},
};
INSTANTIATE_TEST_SUITE_P(Cases, SchemaBuildTest, ::testing::ValuesIn(kBuildCases),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(SchemaTest, SnapshotTellsItsSchema) {
  SnapshotBuilder builder;
  builder.SetSchema(Documents());
  const auto snapshot = *builder.Build();
  ASSERT_NE(snapshot->schema(), nullptr);
  ASSERT_EQ(snapshot->schema()->entities.size(), Documents().entities.size() + 1);
  EXPECT_EQ(snapshot->schema()->entities.back().name, "anonymous");
  EXPECT_EQ(ToString(snapshot->schema()->entities[1].attributes[1].type),
            "{city: string, zip: int or missing}");
  EXPECT_EQ(ToString(snapshot->schema()->entities[1].attributes[4].type), "map(list(int))");
  EXPECT_EQ((*SnapshotBuilder().Build())->schema(), nullptr);
}

}  // namespace
}  // namespace reeve
