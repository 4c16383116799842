#include "reeve/adapters/authzen/request_json.h"

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "gtest/gtest.h"

namespace reeve {
namespace {

std::string List(absl::Span<const EntityId> entities) {
  return "[" +
         absl::StrJoin(entities, " ",
                       [](std::string* out, EntityView entity) { out->append(ToString(entity)); }) +
         "]";
}

// All that the engine would see, a part a line.
std::string Describe(const Request& request) {
  const Principal& principal = *request.principal;
  std::string text = ToString(principal.id);
  text += " " + std::string(ToString(principal.assurance)) + " via " + principal.via + " [" +
          absl::StrJoin(principal.groups, " ") + "] " + List(principal.parents) + " " +
          Value::Of(principal.attributes).ToString() + "\n";
  text += std::string(request.action) + "\n";
  text += ToString(request.resource) + " " + List(request.resource_parents) + " " +
          Value::Of(*request.resource_attributes).ToString() + "\n";
  text += Value::Of(*request.context).ToString();
  if (request.time.has_value()) {
    text += " at " + absl::FormatTime("%Y-%m-%dT%H:%M:%E*S", *request.time, absl::UTCTimeZone());
  }
  if (!request.defect.empty()) text += "\n" + std::string(request.defect);
  return text;
}

struct Good {
  const char* name;
  const char* json;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const Good& c) { return os << c.name; }

class GoodRequestTest : public testing::TestWithParam<Good> {};

TEST_P(GoodRequestTest, IsRead) {
  const JsonRequest request = JsonRequest::Parse(GetParam().json);
  EXPECT_EQ(request.defect(), "");
  EXPECT_EQ(DefectOf(request.request()), "");
  EXPECT_EQ(Describe(request.request()), GetParam().want);
}

const Good kGood[] = {
    {"Whole",
     R"({"subject": {"type": "user", "id": "ada@EXAMPLE.COM",
                     "properties": {"groups": ["staff", "leads"], "level": 7}},
         "action": {"name": "doc.read"},
         "resource": {"type": "doc", "id": "/finance/q3", "properties": {"owner": "ada"}},
         "context": {"time": "2026-11-20T09:00:00Z", "tls": true}})",
     "user:ada@EXAMPLE.COM asserted via json [staff leads] [] {\"level\": 7}\n"
     "doc.read\n"
     "doc:/finance/q3 [] {\"owner\": \"ada\"}\n"
     "{\"time\": timestamp(\"2026-11-20T09:00:00Z\"), \"tls\": true} at 2026-11-20T09:00:00"},
    {"Least",
     R"({"subject": {"type": "user", "id": "a"}, "action": {"name": "r"},
         "resource": {"type": "doc", "id": "x"}})",
     "user:a asserted via json [] [] {}\nr\ndoc:x [] {}\n{}"},
    {"Parents",
     R"({"subject": {"type": "user", "id": "a",
                     "properties": {"parents": ["team:x", "org:a:b"], "groups": []}},
         "action": {"name": "r"},
         "resource": {"type": "doc", "id": "x", "properties": {"parents": ["folder:/f"]}}})",
     "user:a asserted via json [] [team:x org:a:b] {}\nr\ndoc:x [folder:/f] {}\n{}"},
    {"AnonymousIsNotAsserted",
     R"({"subject": {"type": "anonymous", "id": "anonymous"}, "action": {"name": "r"},
         "resource": {"type": "doc", "id": "x"}})",
     "anonymous:anonymous none via json [] [] {}\nr\ndoc:x [] {}\n{}"},
    {"UnknownMembersAreIgnored",
     R"({"subject": {"type": "user", "id": "a", "_note": "who"}, "action": {"name": "r", "x": [1]},
         "resource": {"type": "doc", "id": "x", "y": null}, "zone": {"deep": [{}]},
         "options": 5, "evaluations": []})",
     "user:a asserted via json [] [] {}\nr\ndoc:x [] {}\n{}"},
    {"ActionPropertiesAreIgnored",
     R"({"subject": {"type": "user", "id": "a"},
         "action": {"name": "r", "properties": {"method": "GET"}},
         "resource": {"type": "doc", "id": "x"}})",
     "user:a asserted via json [] [] {}\nr\ndoc:x [] {}\n{}"},
    {"NamingPropertiesAreIgnored",
     R"({"subject": {"type": "user", "id": "a",
                     "properties": {"type": "admin", "id": 0, "name": "Ada"}},
         "action": {"name": "r"},
         "resource": {"type": "doc", "id": "x",
                      "properties": {"type": "t", "id": "i", "name": "n", "host": "h"}}})",
     "user:a asserted via json [] [] {}\nr\ndoc:x [] {\"host\": \"h\"}\n{}"},
    {"GroupsOfAResourceAreAnAttribute",
     R"({"subject": {"type": "user", "id": "a"}, "action": {"name": "r"},
         "resource": {"type": "doc", "id": "x", "properties": {"groups": 1}}})",
     "user:a asserted via json [] [] {}\nr\ndoc:x [] {\"groups\": 1}\n{}"},
    {"StringsStayStrings",
     R"({"subject": {"type": "user", "id": "a"}, "action": {"name": "r"},
         "resource": {"type": "doc", "id": "x", "properties": {"time": "2026-11-20T09:00:00Z"}},
         "context": {"at": "2026-11-20T09:00:00Z", "assurance": "crypto", "null": null}})",
     "user:a asserted via json [] [] {}\nr\n"
     "doc:x [] {\"time\": \"2026-11-20T09:00:00Z\"}\n"
     "{\"assurance\": \"crypto\", \"at\": \"2026-11-20T09:00:00Z\", \"null\": null}"},
};

Schema Declared() {
  using Kind = SchemaType::Kind;
  Schema schema;
  schema.entities = {{"user", {}, {{"level", Kind::kDouble}, {"since", Kind::kTimestamp}}},
                     {"doc", {}, {{"size", Kind::kUint}}}};
  schema.actions = {{"read", {"user"}, {"doc"}, {{"load", Kind::kDouble}}},
                    {"write", {"user"}, {"doc"}, {{"load", Kind::kUint}}}};
  schema.context = {{"wait", Kind::kDuration}};
  return schema;
}

TEST(SchemaTest, SaysWhatValuesAre) {
  const Schema schema = Declared();
  const std::string parts =
      R"("subject": {"type": "user", "id": "a", "properties":
                     {"level": 7, "since": "2026-11-20T09:00:00Z", "more": 7}},
         "resource": {"type": "doc", "id": "d", "properties": {"size": 7}},
         "context": {"load": 1, "wait": "1m", "time": "2026-11-20T09:00:00Z"})";
  const auto described = [](const char* action, const char* load) {
    return absl::StrCat(
        "user:a asserted via json [] [] "
        "{\"level\": 7.0, \"more\": 7, \"since\": timestamp(\"2026-11-20T09:00:00Z\")}\n",
        action, "\ndoc:d [] {\"size\": 7u}\n{\"load\": ", load,
        ", \"time\": timestamp(\"2026-11-20T09:00:00Z\"), \"wait\": duration(\"1m\")} at "
        "2026-11-20T09:00:00");
  };
  EXPECT_EQ(Describe(JsonRequest::Parse(
                         absl::StrCat("{", parts, R"(, "action": {"name": "read"}})"), &schema)
                         .request()),
            described("read", "1.0"));
  // What items share is read for each as its action has it.
  const JsonBatch batch =
      JsonBatch::Parse(absl::StrCat("{", parts,
                                    R"(, "evaluations": [{"action": {"name": "read"}},
                        {"action": {"name": "write"}}]})"),
                       &schema);
  ASSERT_EQ(batch.requests.size(), 2u);
  EXPECT_EQ(Describe(batch.requests[0].request()), described("read", "1.0"));
  EXPECT_EQ(Describe(batch.requests[1].request()), described("write", "1u"));
  // What is not declared stays.
  EXPECT_EQ(Describe(JsonRequest::Parse(R"({"subject": {"type": "x", "id": "a", "properties":
                       {"level": 7}}, "resource": {"type": "y", "id": "d", "properties":
                       {"size": 7}}, "action": {"name": "go"}, "context": {"wait": "1m"}})",
                                        &schema)
                         .request()),
            "x:a asserted via json [] [] {\"level\": 7}\ngo\ny:d [] {\"size\": 7}\n"
            "{\"wait\": \"1m\"}");
}

INSTANTIATE_TEST_SUITE_P(Table, GoodRequestTest, testing::ValuesIn(kGood),
                         [](const auto& info) { return std::string(info.param.name); });

struct Bad {
  const char* name;
  std::string json;
  const char* want_defect;
};
std::ostream& operator<<(std::ostream& os, const Bad& c) { return os << c.name; }

class BadRequestTest : public testing::TestWithParam<Bad> {};

TEST_P(BadRequestTest, SaysWhatIsWrong) {
  const JsonRequest request = JsonRequest::Parse(GetParam().json);
  // Some are found by the reader, and some, in names and values, by the engine.
  EXPECT_EQ(DefectOf(request.request()), GetParam().want_defect);
  EXPECT_EQ(request.request().defect, request.defect());
}

constexpr char kSubject[] = R"({"type": "user", "id": "a"})";
constexpr char kAction[] = R"({"name": "r"})";
constexpr char kResource[] = R"({"type": "doc", "id": "x"})";

// A request that is well formed but for the parts given.
std::string With(const std::string& subject, const std::string& action, const std::string& resource,
                 const std::string& context = "{}") {
  return R"({"subject": )" + subject + R"(, "action": )" + action + R"(, "resource": )" + resource +
         R"(, "context": )" + context + "}";
}
std::string Subject(const std::string& json) { return With(json, kAction, kResource); }
std::string SubjectWith(const std::string& properties) {
  return Subject(R"({"type": "user", "id": "a", "properties": )" + properties + "}");
}
std::string Action(const std::string& json) { return With(kSubject, json, kResource); }
std::string Resource(const std::string& json) { return With(kSubject, kAction, json); }
std::string ResourceWith(const std::string& properties) {
  return Resource(R"({"type": "doc", "id": "x", "properties": )" + properties + "}");
}
std::string Context(const std::string& json) { return With(kSubject, kAction, kResource, json); }

std::string Deep(size_t depth) {
  return R"({"a": )" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
}

constexpr char kGroups[] = "`subject.properties.groups` is not a list of names";
constexpr char kParents[] = "`subject.properties.parents` is not a list of `type:id`";
constexpr char kResourceParents[] = "`resource.properties.parents` is not a list of `type:id`";
constexpr char kTime[] = "`context.time` is not an RFC 3339 time";

const Bad kBad[] = {
    {"Nothing", "", "the request is not JSON"},
    {"NoObject", "[]", "the request is not an object"},
    {"Text", R"("subject")", "the request is not an object"},
    {"RepeatedMember", R"({"subject": 1, "subject": 2})", "a member is repeated"},
    {"RepeatedInIgnored", R"({"x": {"a": 1, "a": 1}})", "a member is repeated"},
    {"NumberInIgnored", R"({"x": 1e999})", "a number is out of range"},
    {"NotUtf8", "{\"\xFF\": 1}", "the request is not valid UTF-8"},
    {"TooLarge", std::string(1024 * 1024, ' ') + "{}", "the request is too large"},
    {"TooDeep", Context(Deep(40)), "the request is nested too deeply"},
    {"TooDeepForAttributes", Context(Deep(17)), "values are nested too deeply"},

    {"NoSubject", R"({"action": {"name": "r"}})", "`subject` is missing"},
    {"NoAction", R"({"subject": {"type": "user", "id": "a"}})", "`action` is missing"},
    {"NoResource", R"({"subject": {"type": "user", "id": "a"}, "action": {"name": "r"}})",
     "`resource` is missing"},
    {"SubjectNull", Subject("null"), "`subject` is not an object"},
    {"SubjectString", Subject(R"("user:a")"), "`subject` is not an object"},
    {"SubjectTypeMissing", Subject(R"({"id": "a"})"), "`subject.type` is missing"},
    {"SubjectTypeNumber", Subject(R"({"type": 1, "id": "a"})"), "`subject.type` is not a string"},
    {"SubjectTypeNull", Subject(R"({"type": null, "id": "a"})"), "`subject.type` is not a string"},
    {"SubjectTypeEmpty", Subject(R"({"type": "", "id": "a"})"), "`subject.type` is blank"},
    {"SubjectTypeBad", Subject(R"({"type": "a b", "id": "a"})"),
     "the entity type is not a name of letters, digits, `_.-`"},
    {"SubjectTypeRole", Subject(R"({"type": "role", "id": "admin"})"),
     "the entity type `role` is reserved for roles of a policy"},
    {"SubjectIdMissing", Subject(R"({"type": "user"})"), "`subject.id` is missing"},
    {"SubjectIdNumber", Subject(R"({"type": "user", "id": 7})"), "`subject.id` is not a string"},
    {"SubjectIdEmpty", Subject(R"({"type": "user", "id": ""})"), "`subject.id` is blank"},
    {"SubjectIdBlank", Subject(R"({"type": "user", "id": "  "})"), "`subject.id` is blank"},
    {"SubjectIdZero", Subject(R"({"type": "user", "id": "a\u0000b"})"),
     "the entity id has a control character"},
    {"PropertiesNull", SubjectWith("null"), "`subject.properties` is not an object"},
    {"PropertiesList", SubjectWith("[]"), "`subject.properties` is not an object"},
    {"GroupsString", SubjectWith(R"({"groups": "staff"})"), kGroups},
    {"GroupsNull", SubjectWith(R"({"groups": null})"), kGroups},
    {"GroupsObject", SubjectWith(R"({"groups": {}})"), kGroups},
    {"GroupNumber", SubjectWith(R"({"groups": ["staff", 7]})"), kGroups},
    {"GroupEmpty", SubjectWith(R"({"groups": [""]})"), kGroups},
    {"GroupBlank", SubjectWith(R"({"groups": [" "]})"), kGroups},
    {"ParentsString", SubjectWith(R"({"parents": "team:x"})"), kParents},
    {"ParentWithoutType", SubjectWith(R"({"parents": ["x"]})"), kParents},
    {"ParentWithoutId", SubjectWith(R"({"parents": ["team:"]})"), kParents},
    {"ParentRole", SubjectWith(R"({"parents": ["role:admin"]})"), kParents},
    {"ParentNull", SubjectWith(R"({"parents": [null]})"), kParents},
    {"Assurance", SubjectWith(R"({"assurance": "kernel"})"),
     "`subject.properties.assurance` is reserved"},
    {"Via", SubjectWith(R"({"via": "unix"})"), "`subject.properties.via` is reserved"},
    {"Host", SubjectWith(R"({"host": "web-1"})"), "`subject.properties.host` is reserved"},
    {"Actor", SubjectWith(R"({"actor": "user:b"})"), "`subject.properties.actor` is reserved"},

    {"ActionString", Action(R"("r")"), "`action` is not an object"},
    {"ActionNull", Action("null"), "`action` is not an object"},
    {"ActionNameMissing", Action("{}"), "`action.name` is missing"},
    {"ActionNameNumber", Action(R"({"name": 1})"), "`action.name` is not a string"},
    {"ActionNameEmpty", Action(R"({"name": ""})"), "`action.name` is blank"},
    {"ActionNameControl", Action(R"({"name": "r\u0007"})"), "the action has a control character"},
    {"ActionProperties", Action(R"({"name": "r", "properties": []})"),
     "`action.properties` is not an object"},

    {"ResourceList", Resource("[]"), "`resource` is not an object"},
    {"ResourceTypeMissing", Resource(R"({"id": "x"})"), "`resource.type` is missing"},
    {"ResourceTypeList", Resource(R"({"type": [], "id": "x"})"), "`resource.type` is not a string"},
    {"ResourceTypeBlank", Resource(R"({"type": " ", "id": "x"})"), "`resource.type` is blank"},
    {"ResourceIdMissing", Resource(R"({"type": "doc"})"), "`resource.id` is missing"},
    {"ResourceIdBool", Resource(R"({"type": "doc", "id": true})"), "`resource.id` is not a string"},
    {"ResourceIdEmpty", Resource(R"({"type": "doc", "id": ""})"), "`resource.id` is blank"},
    {"ResourceIdDots", Resource(R"({"type": "doc", "id": "/a/../b"})"),
     "the entity id has a `.` or `..` segment"},
    {"ResourceProperties", ResourceWith("1"), "`resource.properties` is not an object"},
    {"ResourceParents", ResourceWith(R"({"parents": [1]})"), kResourceParents},
    {"ResourceParentsNull", ResourceWith(R"({"parents": null})"), kResourceParents},

    {"ContextNull", Context("null"), "`context` is not an object"},
    {"ContextString", Context(R"("now")"), "`context` is not an object"},
    {"TimeNumber", Context(R"({"time": 1795165200})"), kTime},
    {"TimeNull", Context(R"({"time": null})"), kTime},
    {"TimeOtherForm", Context(R"({"time": "20 Nov 2026"})"), kTime},

    {"Batch", R"({"evaluations": [{}]})", "`evaluations` makes this a batch, not one request"},
    {"BatchIllTyped", R"({"evaluations": {}})", "`evaluations` is not a list"},
    // The first part with a defect is named.
    {"First", With("1", "2", "3", "4"), "`subject` is not an object"},
};

INSTANTIATE_TEST_SUITE_P(Table, BadRequestTest, testing::ValuesIn(kBad),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(JsonRequestTest, KeepsWhatIsWellFormedForTheRecord) {
  const JsonRequest request = JsonRequest::Parse(
      R"({"subject": {"type": "user", "id": "a", "properties": {"assurance": "kernel"}},
          "action": {"name": 1}, "resource": {"type": "doc", "id": "x"}})");
  EXPECT_EQ(Describe(request.request()),
            "user:a asserted via json [] [] {\"assurance\": \"kernel\"}\n\ndoc:x [] {}\n{}\n"
            "`subject.properties.assurance` is reserved");
}

TEST(JsonRequestTest, OfNothingAsksAnonymously) {
  EXPECT_EQ(Describe(JsonRequest::Parse("{").request()),
            "anonymous:anonymous none via json [] [] {}\n\n: [] {}\n{}\nthe request is not JSON");
}

TEST(JsonRequestTest, ViewOutlivesMovesAndLivesWithCopies) {
  auto text = std::make_unique<std::string>(With(kSubject, kAction, kResource));
  JsonRequest first = JsonRequest::Parse(*text);
  text.reset();
  const Request view = first.request();
  const std::string want = Describe(view);
  const JsonRequest copy = first;
  std::vector<JsonRequest> others;
  others.push_back(std::move(first));
  EXPECT_EQ(Describe(view), want);
  others.clear();
  EXPECT_EQ(Describe(view), want);
  EXPECT_EQ(Describe(copy.request()), want);
}

// What each request of a batch asks, a line each.
std::string Lines(const JsonBatch& batch) {
  return absl::StrJoin(batch.requests, "\n", [](std::string* out, const JsonRequest& item) {
    const Request request = item.request();
    *out += item.defect().empty()
                ? ToString(request.principal->id) + " " + std::string(request.action) + " " +
                      ToString(request.resource) + " " + Value::Of(*request.context).ToString()
                : std::string(item.defect());
  });
}

struct BatchCase {
  const char* name;
  std::string json;
  bool want_single;
  BatchSemantic want_semantic;
  const char* want;
};
std::ostream& operator<<(std::ostream& os, const BatchCase& c) { return os << c.name; }

class JsonBatchTest : public testing::TestWithParam<BatchCase> {};

TEST_P(JsonBatchTest, IsExpanded) {
  const JsonBatch batch = JsonBatch::Parse(GetParam().json);
  EXPECT_EQ(batch.single, GetParam().want_single);
  EXPECT_EQ(batch.semantic, GetParam().want_semantic);
  EXPECT_EQ(Lines(batch), GetParam().want);
}

// A request with `kSubject` and so on, and these members.
std::string And(const std::string& members) {
  std::string json = With(kSubject, kAction, kResource, R"({"c": 1, "d": 2})");
  json.pop_back();
  return json + ", " + members + "}";
}

std::string Items(size_t count) {
  std::string json = R"("evaluations": [{})";
  for (size_t i = 1; i < count; ++i) json += ",{}";
  return json + "]";
}

constexpr BatchSemantic kAll = BatchSemantic::kExecuteAll;

const BatchCase kBatches[] = {
    {"NoEvaluations", And(R"("x": 1)"), true, kAll, R"(user:a r doc:x {"c": 1, "d": 2})"},
    {"EmptyEvaluations", And(R"("evaluations": [])"), true, kAll,
     R"(user:a r doc:x {"c": 1, "d": 2})"},
    {"DefaultsAreReplacedWhole", And(R"("evaluations": [
              {},
              {"resource": {"type": "doc", "id": "y"}},
              {"subject": {"type": "user", "id": "b"}, "action": {"name": "w"}},
              {"context": {"c": 3}}])"),
     false, kAll,
     "user:a r doc:x {\"c\": 1, \"d\": 2}\n"
     "user:a r doc:y {\"c\": 1, \"d\": 2}\n"
     "user:b w doc:x {\"c\": 1, \"d\": 2}\n"
     "user:a r doc:x {\"c\": 3}"},
    {"NothingIsMerged", And(R"("evaluations": [{"resource": {"id": "y"}}])"), false, kAll,
     "`resource.type` is missing"},
    {"NothingIsTakenFromTheItemBefore",
     R"({"subject": {"type": "user", "id": "a"}, "action": {"name": "r"},
         "evaluations": [{"resource": {"type": "doc", "id": "y"}, "context": {"c": 1}}, {}]})",
     false, kAll, "user:a r doc:y {\"c\": 1}\n`resource` is missing"},
    {"MalformedItemsKeepTheirPlace",
     And(R"("evaluations": [5, {"subject": null}, {}, [], null, {"action": {"name": ""}}])"), false,
     kAll,
     "the request is not an object\n"
     "`subject` is not an object\n"
     "user:a r doc:x {\"c\": 1, \"d\": 2}\n"
     "the request is not an object\n"
     "the request is not an object\n"
     "`action.name` is blank"},
    {"MalformedDefaultCountsWhereItIsUsed",
     R"({"subject": {"type": "user"}, "action": {"name": "r"},
         "resource": {"type": "doc", "id": "x"},
         "evaluations": [{"subject": {"type": "user", "id": "b"}}, {}]})",
     false, kAll, "user:b r doc:x {}\n`subject.id` is missing"},
    {"MembersOfAnItemAreIgnored", And(R"("evaluations": [{"evaluations": 1, "options": 2}])"),
     false, kAll, R"(user:a r doc:x {"c": 1, "d": 2})"},
    {"ExecuteAll",
     And(R"("evaluations": [{}], "options": {"evaluations_semantic": "execute_all"})"), false, kAll,
     R"(user:a r doc:x {"c": 1, "d": 2})"},
    {"DenyOnFirstDeny",
     And(R"("evaluations": [{}], "options": {"evaluations_semantic": "deny_on_first_deny"})"),
     false, BatchSemantic::kDenyOnFirstDeny, R"(user:a r doc:x {"c": 1, "d": 2})"},
    {"PermitOnFirstPermit",
     And(R"("evaluations": [{}], "options": {"evaluations_semantic": "permit_on_first_permit"})"),
     false, BatchSemantic::kPermitOnFirstPermit, R"(user:a r doc:x {"c": 1, "d": 2})"},
    {"OtherOptionsAreIgnored", And(R"("evaluations": [{}], "options": {"x": 1})"), false, kAll,
     R"(user:a r doc:x {"c": 1, "d": 2})"},

    {"NotJson", "[", true, kAll, "the request is not JSON"},
    {"NotAnObject", "[]", true, kAll, "the request is not an object"},
    {"EvaluationsNull", And(R"("evaluations": null)"), true, kAll, "`evaluations` is not a list"},
    {"EvaluationsObject", And(R"("evaluations": {})"), true, kAll, "`evaluations` is not a list"},
    {"OptionsNull", And(R"("evaluations": [{}], "options": null)"), true, kAll,
     "`options` is not an object"},
    {"SemanticUnknown",
     And(R"("evaluations": [{}], "options": {"evaluations_semantic": "Execute_All"})"), true, kAll,
     "`options.evaluations_semantic` is unknown"},
    {"SemanticNumber", And(R"("evaluations": [{}], "options": {"evaluations_semantic": 1})"), true,
     kAll, "`options.evaluations_semantic` is unknown"},
    {"TooManyItems", And(Items(1001)), true, kAll, "`evaluations` has too many items"},
    {"TooLargeTogether",
     R"({"context": {"a": ")" + std::string(16 * 1024 * 1024 / 1000, 'a') + R"("}, )" +
         Items(1000) + "}",
     true, kAll, "the batch is too large"},
};

INSTANTIATE_TEST_SUITE_P(Table, JsonBatchTest, testing::ValuesIn(kBatches),
                         [](const auto& info) { return std::string(info.param.name); });

TEST(JsonBatchTest, TakesAsManyItemsAsItSays) {
  EXPECT_EQ(JsonBatch::Parse(And(Items(1000))).requests.size(), 1000u);
}

TEST(JsonBatchTest, SharesItsDefaults) {
  const JsonBatch batch = JsonBatch::Parse(And(R"("evaluations": [{}, {"context": {}}])"));
  EXPECT_EQ(batch.requests[0].request().principal, batch.requests[1].request().principal);
}

}  // namespace
}  // namespace reeve
