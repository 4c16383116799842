// What a decision allocates: nothing, but for the exceptions at the end.
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>
#include <string>
#include <vector>

#include "reeve/engine/testing.h"

namespace {

thread_local int64_t allocations = 0;
thread_local size_t allocated_bytes = 0;

void* Allocate(size_t bytes, size_t alignment) {
  ++allocations;
  allocated_bytes += bytes;
  // aligned_alloc(3) wants a multiple of the alignment.
  void* memory =
      alignment <= alignof(std::max_align_t)
          ? std::malloc(bytes == 0 ? 1 : bytes)
          : std::aligned_alloc(alignment, (bytes + alignment - 1) / alignment * alignment);
  if (memory == nullptr) std::abort();
  return memory;
}

}  // namespace

void* operator new(size_t bytes) { return Allocate(bytes, 1); }
void* operator new[](size_t bytes) { return Allocate(bytes, 1); }
void* operator new(size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment));
}
void* operator new[](size_t bytes, std::align_val_t alignment) {
  return Allocate(bytes, static_cast<size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t, std::align_val_t) noexcept { std::free(memory); }

namespace reeve {
namespace {

using testing::Ids;
using testing::MakeEntity;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeRule;
using testing::PrincipalPattern;

// Keeps nothing.
class CountingSink final : public AuditSink {
 public:
  absl::Status Append(const AuditRecord&, AuditLevel) override {
    ++rows;
    return status;
  }
  int rows = 0;
  absl::Status status;
};

std::shared_ptr<const Snapshot> MakeSnapshot(const std::vector<Rule>& rules) {
  SnapshotBuilder builder;
  builder.SetDigest("sha256:test");
  for (const Rule& rule : rules) builder.AddRule(rule);
  builder.AddEntity(MakeEntity("group:leads", {"group:staff"}));
  builder.AddEntity(MakeEntity("user:cy", {"group:leads"}));
  builder.AddEntity(MakeEntity("doc:/f/q3", {"folder:finance"}));
  builder.AddEntity(MakeEntity("folder:finance", {"folder:all"}));
  builder.AddRole("listed", {PrincipalPattern("group:staff"), PrincipalPattern("user:eve")});
  builder.AddRole("asked", {PrincipalPattern("user:ed-*"), PrincipalPattern("re:user:.*a")});
  builder.AddRole("outer", {PrincipalPattern("role:listed"), PrincipalPattern("role:asked")});
  // Of several parents.
  builder.AddEntity(MakeEntity("group:forked", {"group:a", "group:b", "group:leads"}));
  return *builder.Build();
}

// Of the second and third call, once the thread has what it keeps.
int64_t AllocationsOf(const Engine& engine, const Request& request) {
  (void)engine.Decide(request);
  const int64_t before = allocations;
  for (int i = 0; i < 2; ++i) (void)engine.Decide(request);
  return allocations - before;
}

struct Case {
  const char* name;
  std::vector<Rule> rules;
  Principal principal;
  const char* action;
  const char* resource;
  Reason reason;
};

std::ostream& operator<<(std::ostream& os, const Case& c) { return os << c.name; }

class AllocationTest : public ::testing::TestWithParam<Case> {};

TEST_P(AllocationTest, ADecisionAllocatesNothing) {
  const Case& c = GetParam();
  const EntityId resource = MakeId(c.resource);
  const Request request(c.principal, c.action, resource);
  CountingSink sink;
  for (const AuditLevel level : {AuditLevel::kOff, AuditLevel::kRecorded}) {
    Engine::Options options;
    options.audit = &sink;
    options.audit_level = level;
    const std::unique_ptr<Engine> engine = *Engine::Create(options);
    ASSERT_TRUE(engine->Replace(MakeSnapshot(c.rules)).ok());
    EXPECT_EQ(AllocationsOf(*engine, request), 0) << ToString(level);
    const PreparedPrincipal prepared = engine->Prepare(c.principal);
    const int64_t before = allocations;
    EXPECT_EQ(engine->Decide(Request(prepared, c.action, resource)).reason(), c.reason);
    EXPECT_EQ(allocations - before, 0) << "prepared, " << ToString(level);
    EXPECT_EQ(engine->Decide(request).reason(), c.reason);
  }
  EXPECT_EQ(sink.rows, 5);  // of the second engine
}

std::vector<Rule> Allow(const char* principal, const char* action, const char* resource) {
  return {MakeRule("+a", {principal}, {action}, {resource})};
}

std::vector<Rule> AllowAndDeny(const char* principal, const char* action, const char* resource) {
  return {MakeRule("+a", {"anyone"}, {"any"}, {"any"}),
          MakeRule("-d", {principal}, {action}, {resource})};
}

// As many rules as a decision has room for.
std::vector<Rule> AsManyAsFitIn(const char* principal) {
  std::vector<Rule> rules;
  for (const char* id : {"+a", "+b", "+c", "+d"}) {
    rules.push_back(MakeRule(id, {principal}, {"any"}, {"any"}));
  }
  return rules;
}

Principal WithUnknownGroups(Principal principal) {
  principal.groups_complete = false;
  return principal;
}

Principal WithParent(Principal principal, EntityId parent) {
  principal.parents = {std::move(parent)};
  return principal;
}

Principal Reserved() {
  Principal principal = MakePrincipal("user:x");
  principal.id.type = kRoleType;
  return principal;
}

constexpr char kLongPath[] = "doc:/home/ada/a/path/that/no/small/string/has/room/for/in/itself.txt";
constexpr Reason kAllowed = Reason::kAllowRule;
constexpr Reason kDenied = Reason::kDenyRule;
constexpr Reason kNone = Reason::kNoRule;
const Principal kAda = MakePrincipal("user:ada", {"staff"});
const Principal kCy = MakePrincipal("user:cy-with-a-name-of-some-length@EXAMPLE.COM", {"leads"});

const Case kCases[] = {
    {"Anyone", Allow("anyone", "any", "any"), Principal(), "read", "doc:1", kAllowed},
    {"Authenticated", Allow("authenticated", "any", "any"), kAda, "read", "doc:1", kAllowed},
    {"Literal", Allow("user:ada", "read", "doc:1"), kAda, "read", "doc:1", kAllowed},
    {"LongNames", Allow("authenticated", "read", kLongPath), kCy, "read", kLongPath, kAllowed},
    {"Group", Allow("group:staff", "read", "any"), kAda, "read", "doc:1", kAllowed},
    {"GroupOfAGroup", Allow("group:staff", "any", "any"), kCy, "read", "doc:1", kAllowed},
    {"RoleByAList", Allow("role:listed", "read", "any"), kAda, "read", "doc:1", kAllowed},
    {"RoleByGlobOrRegex", Allow("role:asked", "read", "any"), kAda, "read", "doc:1", kAllowed},
    {"RoleOfRoles", Allow("role:outer", "read", "any"), kAda, "read", "doc:1", kAllowed},
    {"SeveralParents", Allow("group:staff", "read", "any"),
     MakePrincipal("user:x", {"forked", "b"}), "read", "doc:1", kAllowed},
    {"GlobMissed", Allow("user:a*b", "read", "any"), kAda, "read", "doc:1", kNone},
    {"PathGlob", Allow("anyone", "any", "doc:/home/**"), kAda, "x", kLongPath, kAllowed},
    {"BindingGlob", Allow("anyone", "any", "doc:/home/{n}/**"), kAda, "x", kLongPath, kAllowed},
    {"SuffixGlob", Allow("anyone", "any", "doc:/home/*/a/**/*.txt"), kAda, "x", kLongPath,
     kAllowed},
    {"PathGlobMissed", Allow("anyone", "any", "doc:/home/*.txt"), kAda, "x", kLongPath, kNone},
    {"PrincipalGlob", Allow("user:a*", "any", "any"), kAda, "x", "doc:1", kAllowed},
    {"ActionGlob", Allow("anyone", "doc.*", "any"), kAda, "doc.read", "doc:1", kAllowed},
    {"Regex", Allow("anyone", "any", "re:doc:/home/[a-z/]+\\.txt"), kAda, "x", kLongPath, kAllowed},
    {"RegexMissed", Allow("anyone", "any", "re:doc:[0-9]+"), kAda, "x", kLongPath, kNone},
    {"Parents", Allow("anyone", "any", "folder:all"), kAda, "x", "doc:/f/q3", kAllowed},
    {"ParentsOfTheRequest", Allow("team:t", "any", "any"), WithParent(kAda, EntityId("team", "t")),
     "x", "doc:1", kAllowed},
    {"ParentsOfTheResource", Allow("anyone", "any", "folder:finance"), kAda, "x", "doc:/f/q3",
     kAllowed},
    {"UnknownTypes", Allow("anyone", "any", "doc:1"), MakePrincipal("ghost:x", {"none"}), "x",
     "thing:y", kNone},
    {"NoRules", {}, kAda, "x", "doc:1", kNone},
    {"NoRule", Allow("user:bob", "any", "any"), kAda, "x", "doc:1", kNone},
    {"Deny", AllowAndDeny("user:ada", "any", "any"), kAda, "x", "doc:1", kDenied},
    {"DenyByGlob", AllowAndDeny("anyone", "any", "doc:/home/**"), kAda, "x", kLongPath, kDenied},
    {"DenyByGroup", AllowAndDeny("group:staff", "x", "any"), kAda, "x", "doc:1", kDenied},
    {"DenyByRole", AllowAndDeny("role:outer", "any", "doc:1"), kAda, "x", "doc:1", kDenied},
    {"DenyByRegex", AllowAndDeny("re:user:a.*", "any", "any"), kAda, "x", "doc:1", kDenied},
    {"DenyByLiteral", AllowAndDeny("user:ada", "x", "doc:1"), kAda, "x", "doc:1", kDenied},
    {"DenyByParent", AllowAndDeny("anyone", "any", "folder:all"), kAda, "x", "doc:/f/q3", kDenied},
    {"DenyByAction", AllowAndDeny("anyone", "doc.*", "any"), kAda, "doc.read", "doc:1", kDenied},
    {"DenyByBinding", AllowAndDeny("anyone", "any", "doc:/home/{n}/**"), kAda, "x", kLongPath,
     kDenied},
    {"BadPrincipal", Allow("anyone", "any", "any"), Reserved(), "x", "doc:1", Reason::kBadRequest},
    {"DenyOfAnother", AllowAndDeny("user:bob", "any", "any"), kAda, "x", "doc:1", kAllowed},
    {"UnknownGroupAllows", AsManyAsFitIn("group:g"), WithUnknownGroups(kAda), "x", "doc:1", kNone},
    {"UnknownGroupDenies", AllowAndDeny("group:g", "any", "any"), WithUnknownGroups(kAda), "x",
     "doc:1", Reason::kDenyUnknown},
    {"BadRequest", Allow("anyone", "any", "any"), kAda, "", "doc:1", Reason::kBadRequest},
    {"FourRules", AsManyAsFitIn("group:staff"), kAda, "x", "doc:1", kAllowed},
};

INSTANTIATE_TEST_SUITE_P(All, AllocationTest, ::testing::ValuesIn(kCases),
                         [](const auto& info) { return info.param.name; });

// ---- Where it is not nothing ----

class AllocationExceptionTest : public ::testing::Test {
 protected:
  AllocationExceptionTest() : engine_(NewEngine()) {}

  std::unique_ptr<Engine> NewEngine() {
    Engine::Options options;
    options.audit = &sink_;
    return *Engine::Create(options);
  }

  CountingSink sink_;
  const std::unique_ptr<Engine> engine_;
  const Request request_{kAda, "x", {"doc", "1"}};
};

TEST_F(AllocationExceptionTest, NothingWithoutAPolicy) {
  EXPECT_EQ(AllocationsOf(*engine_, request_), 0);
}

TEST_F(AllocationExceptionTest, TheFirstCallAfterReplace) {
  // Without a regular expression, which allocates when it first sees a text; and kept here, since
  // who lets go of a snapshot last pays for its end, be it a decision.
  std::vector<std::shared_ptr<const Snapshot>> snapshots;
  const auto replace = [&] {
    SnapshotBuilder builder;
    builder.AddRule(MakeRule("+a", {"anyone"}, {"any"}, {"any"}));
    snapshots.push_back(*builder.Build());
    return engine_->Replace(snapshots.back());
  };
  ASSERT_TRUE(replace().ok());
  (void)engine_->Decide(request_);  // the thread's own memory
  for (int i = 0; i < 3; ++i) {
    ASSERT_TRUE(replace().ok());
    const int64_t before = allocations;
    (void)engine_->Decide(request_);
    EXPECT_EQ(allocations - before, 1) << "the thread's handle";
    EXPECT_EQ(AllocationsOf(*engine_, request_), 0);
  }
}

TEST_F(AllocationExceptionTest, MoreRulesThanFit) {
  std::vector<Rule> rules = AsManyAsFitIn("group:staff");
  rules.push_back(MakeRule("+e", {"anyone"}, {"any"}, {"any"}));
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(rules)).ok());
  (void)engine_->Decide(request_);
  const int64_t before = allocations;
  const Decision decision = engine_->Decide(request_);
  EXPECT_EQ(allocations - before, 1);
  EXPECT_EQ(Ids(decision.rules()), "a b c d e");
}

// The ancestors were once gathered for each repetition: seconds, and half a gigabyte that the
// thread kept.
TEST_F(AllocationExceptionTest, AGroupThatIsListedOftenCostsItsAncestorsOnce) {
  constexpr int kDepth = 500;
  SnapshotBuilder builder;
  builder.AddRule(MakeRule("+a", {"group:0"}, {"any"}, {"any"}));
  for (int i = 1; i <= kDepth; ++i) {
    builder.AddEntity(MakeEntity("group:" + std::to_string(i), {"group:" + std::to_string(i - 1)}));
  }
  ASSERT_TRUE(engine_->Replace(*builder.Build()).ok());
  const Principal principal =
      MakePrincipal("user:x", std::vector<std::string>(kMaxGroups, std::to_string(kDepth)));
  const size_t before = allocated_bytes;
  EXPECT_TRUE(engine_->Decide(Request(principal, "x", {"doc", "1"})).allowed());
  EXPECT_LT(allocated_bytes - before, 2 << 20);  // 65,536 numbers in a vector that doubles
}

// Fits, and does not: by the type of an attribute, one that is missing though looked for in the
// set, one that is not declared, and an action.
TEST_F(AllocationExceptionTest, NothingForASchema) {
  SnapshotBuilder builder;
  Schema schema;
  const SchemaType record = SchemaType::Record({{"a", SchemaType::Kind::kInt}});
  schema.entities = {
      {"user",
       {"group"},
       {{"level", SchemaType::Kind::kInt}, {"list", SchemaType::List(record), false}}},
      {"group", {}, {}},
      {"doc", {}, {{"owner", SchemaType::Kind::kString}}}};
  schema.actions = {{"x", {"user"}, {"doc"}, {}}};
  builder.SetSchema(schema);
  builder.AddEntity(
      {EntityId("doc", "a document with a long name"), {}, {{"owner", Value::String("ada")}}});
  builder.AddRule(MakeRule("+a", {"anyone"}, {"any"}, {"any"}));
  ASSERT_TRUE(engine_->Replace(*builder.Build()).ok());
  const Value list = Value::Of(Value::List{Value::Of(Attributes{{"a", Value::Int(1)}})});
  const std::pair<Attributes, const char*> cases[] = {
      {{{"level", Value::Int(1)}, {"list", list}}, ""},
      {{{"level", Value::Bool(true)}}, "the attribute `level` of `user` is not of type int"},
      {{}, "`user` lacks the attribute `level`, which is required"},
      {{{"x", Value::Int(1)}},
       "`user` has an attribute that is not declared; declared are `level`, `list`"},
  };
  for (const auto& [attributes, want] : cases) {
    Principal principal = MakePrincipal("user:a user with a long name", {"staff"});
    principal.attributes = attributes;
    const Request request(principal, "x", {"doc", "a document with a long name"});
    EXPECT_EQ(engine_->Decide(request).error(), want);
    EXPECT_EQ(AllocationsOf(*engine_, request), 0) << want;
    const Request other(principal, "y", {"doc", "a document with a long name"});
    EXPECT_EQ(engine_->Decide(other).error(), "the action is not declared");
    EXPECT_EQ(AllocationsOf(*engine_, other), 0);
  }
}

// One for all of them, and one for their list.
TEST_F(AllocationExceptionTest, ObligationsOfTheRulesThatDetermined) {
  std::vector<Rule> rules = Allow("anyone", "any", "any");
  rules[0].obligations = {{"stamp"}};
  rules[0].message = "a message without facts, which is longer than a small string";
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(rules)).ok());
  EXPECT_EQ(AllocationsOf(*engine_, request_), 2 * 2);
  rules.push_back(MakeRule("-d", {"anyone"}, {"any"}, {"any"}));  // and now it does not
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(rules)).ok());
  EXPECT_EQ(AllocationsOf(*engine_, request_), 0);
}

TEST_F(AllocationExceptionTest, AShadowSet) {
  const auto snapshot = MakeSnapshot(Allow("anyone", "any", "any"));
  ASSERT_TRUE(engine_->Replace(snapshot).ok());
  EXPECT_EQ(AllocationsOf(*engine_, request_), 0);
  engine_->ReplaceShadow(snapshot);
  EXPECT_EQ(AllocationsOf(*engine_, request_), 2 * 1);
}

// One that answers from its memory.
class CachingProvider final : public EntityProvider {
 public:
  absl::Status Read(EntityView entity, ProvidedEntity* found) const override {
    if (entity.type != "user") return absl::OkStatus();
    found->parents = *parents;
    found->keep = parents;
    return absl::OkStatus();
  }
  std::shared_ptr<const std::vector<EntityId>> parents =
      std::make_shared<const std::vector<EntityId>>(1, EntityId("group", "leads"));
};

TEST_F(AllocationExceptionTest, NothingForAProviderThatAllocatesNothing) {
  const CachingProvider provider;
  Engine::Options options;
  options.audit = &sink_;
  options.entities = &provider;
  const std::unique_ptr<Engine> engine = *Engine::Create(options);
  ASSERT_TRUE(engine->Replace(MakeSnapshot(Allow("group:staff", "any", "any"))).ok());
  const Principal stranger = MakePrincipal("user:x");
  const Request request(stranger, "x", {"doc", "1"});
  EXPECT_EQ(AllocationsOf(*engine, request), 0);
  EXPECT_TRUE(engine->Decide(request).allowed());
}

TEST_F(AllocationExceptionTest, ARecordThatCouldNotBeKept) {
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(Allow("anyone", "any", "any"))).ok());
  sink_.status = absl::ResourceExhaustedError("the disk is full, and this is a long text");
  EXPECT_GT(AllocationsOf(*engine_, request_), 0) << "the text of the error";
}

TEST_F(AllocationExceptionTest, MoreEnginesThanAThreadKeepsHandlesFor) {
  std::vector<std::unique_ptr<Engine>> engines;
  for (int i = 0; i < 5; ++i) {
    engines.push_back(NewEngine());
    ASSERT_TRUE(engines.back()->Replace(MakeSnapshot({})).ok());
  }
  const auto ask = [&](size_t count) {
    const int64_t before = allocations;
    for (size_t i = 0; i < count; ++i) (void)engines[i]->Decide(request_);
    return allocations - before;
  };
  (void)ask(4);
  EXPECT_EQ(ask(4), 0);
  (void)ask(5);
  EXPECT_EQ(ask(5), 5);
}

TEST_F(AllocationExceptionTest, ATextThatARegexHasNotSeen) {
  // RE2 adds to its automaton what a text needs. Afterwards the same text costs nothing.
  ASSERT_TRUE(engine_->Replace(MakeSnapshot(Allow("anyone", "any", "re:doc:.*a.{3}c*"))).ok());
  (void)engine_->Decide(request_);
  const Request other(kAda, "x", {"doc", "abababcccc"});
  const int64_t before = allocations;
  (void)engine_->Decide(other);
  EXPECT_GT(allocations - before, 0);
  EXPECT_EQ(AllocationsOf(*engine_, other), 0);
}

}  // namespace
}  // namespace reeve
