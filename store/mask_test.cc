// What records must not hold is in no file, queue or answer of the store.
#include "reeve/store/mask.h"

#include <sys/stat.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"
#include "reeve/engine/encoding.h"
#include "reeve/store/audit_reader.h"
#include "reeve/store/audit_store.h"
#include "reeve/store/replay.h"
#include "reeve/store/testing.h"

namespace reeve {
namespace {

using testing::Decider;
using testing::MakeId;
using testing::MakePrincipal;
using testing::MakeRule;
using testing::MakeTempDir;
using testing::Select;
using testing::SelectOne;
using testing::Verify;

using Kind = AuditMask::Kind;

const std::string kKey(32, 'k');

std::string ReadFile(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

AuditMask Remove(const std::string& path) { return {"any", path, Kind::kRemove, ""}; }
AuditMask Replace(const std::string& path, const std::string& text) {
  return {"any", path, Kind::kReplace, text};
}
AuditMask HashOf(const std::string& path) { return {"any", path, Kind::kHash, ""}; }
AuditMask For(const std::string& rule, AuditMask mask) {
  mask.rule = rule;
  return mask;
}

// The secret stands in every part of the request that can be masked.
constexpr char kSecret[] = "s3cr3t";

class MaskTest : public ::testing::Test {
 protected:
  MaskTest() {
    ada_ = MakePrincipal("user:ada", {"staff", kSecret});
    ada_.host = kSecret;
    ada_.actor = absl::StrCat("user:", kSecret);
    ada_.evidence = kSecret;
    ada_.parents = {MakeId(absl::StrCat("org:", kSecret)), MakeId("org:acme")};
    ada_.attributes = {{"email", Value::String(kSecret)}, {"level", Value::Int(7)}};
    facts_ = {{"owner", Value::String(kSecret)}, {"size", Value::Int(1)}};
    context_ = {
        {"ip", Value::String(kSecret)},
        {"a.b", Value::Bytes(kSecret)},
        {"items", Value::Of(Value::List{
                      Value::Of(Attributes{{"card", Value::String(kSecret)}, {"n", Value::Int(1)}}),
                      Value::Of(Attributes{{"n", Value::Int(2)}}), Value::Int(3)})},
        {"tls", Value::Bool(true)}};
  }

  AuditStore::Options With(std::vector<AuditMask> masks) const {
    AuditStore::Options options;
    options.max_wait = absl::Seconds(60);
    options.masks = std::move(masks);
    options.mask_key = kKey;
    return options;
  }

  void Append(AuditStore& store, const char* action = "doc.read",
              AuditLevel level = AuditLevel::kDurable) {
    const EntityId resource = MakeId("doc:1");
    const std::vector<EntityId> parents = {MakeId(absl::StrCat("folder:", kSecret))};
    Request request(ada_, action, resource);
    request.resource_parents = parents;
    request.resource_attributes = &facts_;
    request.context = &context_;
    ASSERT_EQ(decider_.Append(store, request, level), absl::OkStatus());
  }

  // One record under `options`, in a file of its own.
  void Record(const AuditStore::Options& options) {
    path_ = MakeTempDir() + "audit.db";
    absl::StatusOr<std::unique_ptr<AuditStore>> store = AuditStore::Open(path_, options);
    ASSERT_EQ(store.status(), absl::OkStatus());
    Append(**store);
  }

  std::string Column(const std::string& column) {
    return SelectOne(path_, absl::StrCat("SELECT ", column, " FROM decisions"));
  }

  Principal ada_;
  Attributes facts_, context_;
  Decider decider_;
  std::string path_;
};

// Of a text, as it is documented: the hash of a value of the kind string.
std::string Hashed(const std::string& text) {
  const auto set = MaskSet::Create({HashOf("context.x")}, kKey);
  const Decision decision;
  RecordMask mask(**set, decision);
  std::string map;
  EXPECT_TRUE(mask.AppendMap(MaskedPart::kContext, {{"x", Value::String(text)}}, &map));
  return std::string(DecodeAttributes(map)->Find("x")->string_value());
}

// BLAKE2b with 16 bytes of output, of `05 06 s3cr3t`, with a key of 32 `k`: by another program.
TEST(MaskHashTest, IsTheDocumentedOne) {
  EXPECT_EQ(Hashed(kSecret), "hash:34368519e20bb6e633479212da303b36");
}

TEST_F(MaskTest, EachKindOfEachPart) {
  const std::string hash = Hashed(kSecret);
  const struct {
    const char* name;
    AuditMask mask;
    const char* column;
    std::string want;
  } kCases[] = {
      {"Attribute", Remove("principal.attributes.email"), "principal_attributes", R"({"level":7})"},
      {"AttributeReplaced", Replace("principal.attributes.email", "x"), "principal_attributes",
       R"({"email":"x","level":7})"},
      {"AttributeHashed", HashOf("principal.attributes.email"), "principal_attributes",
       absl::StrCat(R"({"email":")", hash, R"(","level":7})")},
      {"NumberHashed", Replace("principal.attributes.level", "some"), "principal_attributes",
       R"({"email":"s3cr3t","level":"some"})"},
      {"AllAttributes", Remove("principal.attributes"), "principal_attributes", "{}"},
      {"OfResource", HashOf("resource.attributes.owner"), "resource_attributes",
       absl::StrCat(R"({"owner":")", hash, R"(","size":1})")},
      {"AllOfResource", Remove("resource.attributes"), "resource_attributes", "{}"},
      {"Context", HashOf("context.ip"), "context->>'ip'", hash},
      {"AllOfContext", Remove("context"), "context", "{}"},
      {"NameWithDot", Replace("context.a\\.b", "x"), "context->>'$.\"a.b\"'", "x"},
      {"ThroughLists", Remove("context.items.card"), "context->>'items'", R"([{"n":1},{"n":2},3])"},
      {"ThroughListsHashed", HashOf("context.items.card"), "context->>'items'",
       absl::StrCat(R"([{"card":")", hash, R"(","n":1},{"n":2},3])")},
      {"WholeList", Replace("context.items", "x"), "context->>'items'", "x"},
      {"Host", Remove("principal.host"), "host", "NULL"},
      {"HostHashed", HashOf("principal.host"), "host", hash},
      {"Actor", HashOf("principal.actor"), "actor", "user:" + hash},
      {"ActorRemoved", Remove("principal.actor"), "actor", "NULL"},
      {"Evidence", Replace("principal.evidence", "x"), "evidence", "x"},
      {"Groups", Remove("principal.groups"), "groups", "[]"},
      {"GroupsReplaced", Replace("principal.groups", "x"), "groups", R"(["x"])"},
      {"GroupsHashed", HashOf("principal.groups"), "groups",
       absl::StrCat(R"([")", Hashed("staff"), R"(",")", hash, R"("])")},
      {"Parents", HashOf("principal.parents"), "principal_parents",
       absl::StrCat(R"(["org:)", hash, R"(","org:)", Hashed("acme"), R"("])")},
      {"ResourceParents", Replace("resource.parents", "x"), "resource_parents", R"(["folder:x"])"},
      {"Principal", HashOf("principal.id"), "principal", "user:" + Hashed("ada")},
      {"PrincipalReplaced", Replace("principal.id", "someone"), "principal", "user:someone"},
      {"Resource", HashOf("resource.id"), "resource", "doc:" + Hashed("1")},
      {"Action", HashOf("action"), "action", Hashed("doc.read")},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    Record(With({c.mask}));
    EXPECT_EQ(Column(c.column), c.want);
    const char* const words[] = {"remove", "replace", "hash"};
    std::string path = c.mask.path;
    if (path == "context.a\\.b") path = "context.a\\\\.b";  // as JSON
    EXPECT_EQ(Column("masked"),
              absl::StrCat("{\"", path, "\":\"", words[static_cast<int>(c.mask.kind)], "\"}"));
    EXPECT_EQ(Verify(path_), "");
  }
}

// What is not there was not masked, and a record without a mask is as it always was.
TEST_F(MaskTest, WhatIsNotThereIsNotNoted) {
  Record(With({Remove("context.none"), HashOf("context.ip.none"), Remove("resource.attributes.x.y"),
               For("docs/never", Remove("context.ip")), For("docs", Remove("context.ip")),
               For("other/*", Remove("context.ip"))}));
  EXPECT_EQ(Column("masked"), "{}");
  EXPECT_EQ(Column("context->>'ip'"), kSecret);
}

TEST_F(MaskTest, ByRule) {
  ada_.id = MakeId("user:ada");
  const struct {
    const char* name;
    const char* rule;
    const char* action;
    bool want;
  } kCases[] = {
      {"Any", "any", "doc.read", true},
      {"Whole", "docs/read", "doc.read", true},
      {"Other", "docs/read", "doc.delete", false},
      {"Glob", "docs/*", "doc.delete", true},
      {"AnyGlob", "**", "doc.read", true},
      {"NoRuleAtAll", "**", "doc.write", false},
      {"AnyWithoutRule", "any", "doc.write", true},
      {"Denial", "docs/never", "doc.delete", true},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    path_ = MakeTempDir() + "audit.db";
    auto store = AuditStore::Open(path_, With({For(c.rule, Remove("context.ip"))}));
    ASSERT_EQ(store.status(), absl::OkStatus());
    Append(**store, c.action);
    EXPECT_EQ(Column("context->>'ip'"), c.want ? "NULL" : kSecret);
  }
}

// A rule in shadow, or one that nearly allowed, masks as well.
TEST_F(MaskTest, ByARuleInShadow) {
  path_ = MakeTempDir() + "audit.db";
  auto store = AuditStore::Open(path_, With({For("docs/later", HashOf("resource.id"))}));
  ASSERT_EQ(store.status(), absl::OkStatus());
  ASSERT_EQ(decider_.Append(**store, "doc.read", "doc:/secret/1"), absl::OkStatus());
  EXPECT_EQ(Column("resource"), "doc:" + Hashed("/secret/1"));
}

TEST_F(MaskTest, TheStrongerPrevailsAndTheOuter) {
  const struct {
    const char* name;
    std::vector<AuditMask> masks;
    std::string want;  // of `context`, without what is not masked
    std::string masked;
  } kCases[] = {
      {"RemoveOverAll",
       {HashOf("context.ip"), Replace("context.ip", "x"), Remove("context.ip")},
       "NULL",
       R"({"context.ip":"remove"})"},
      {"ReplaceOverHash",
       {Replace("context.ip", "x"), HashOf("context.ip")},
       "x",
       R"({"context.ip":"replace"})"},
      {"TheFirstText",
       {Replace("context.ip", "x"), Replace("context.ip", "y")},
       "x",
       R"({"context.ip":"replace"})"},
      {"AnotherRulesDoesNotCount",
       {HashOf("context.ip"), For("docs/never", Remove("context.ip"))},
       Hashed(kSecret),
       R"({"context.ip":"hash"})"},
      {"TheWhole", {HashOf("context.ip"), Remove("context")}, "NULL", R"({"context":"remove"})"},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    Record(With(c.masks));
    EXPECT_EQ(Column("context->>'ip'"), c.want);
    EXPECT_EQ(Column("masked"), c.masked);
  }
  Record(With({Remove("context.items.card"), Replace("context.items", "x")}));
  EXPECT_EQ(Column("context->>'items'"), "x");
  EXPECT_EQ(Column("masked"), R"({"context.items":"replace"})");
}

// Nothing that was masked is anywhere in the file or beside it, at either level, in any order of
// events: while it is queued and held, in the log, in rows, after a checkpoint.
TEST_F(MaskTest, TheSecretIsInNoByteOfAnyFile) {
  std::vector<AuditMask> masks;
  for (const char* path :
       {"principal.host", "principal.actor", "principal.evidence", "principal.groups",
        "principal.parents", "resource.parents", "principal.attributes.email",
        "resource.attributes.owner", "context.ip", "context.a\\.b", "context.items.card"}) {
    masks.push_back(HashOf(path));
  }
  const std::string directory = MakeTempDir();
  path_ = directory + "audit.db";
  const auto expect_clean = [&](const char* when) {
    size_t files = 0;
    for (const char* suffix : {"", "-wal", "-shm"}) {
      const std::string bytes = ReadFile(path_ + suffix);
      files += !bytes.empty();
      EXPECT_FALSE(absl::StrContains(bytes, kSecret)) << when << suffix;
    }
    EXPECT_GE(files, 1u) << when;
  };
  {
    auto store = AuditStore::Open(path_, With(masks));
    ASSERT_EQ(store.status(), absl::OkStatus());
    for (int i = 0; i < 3; ++i) {
      Append(**store, "doc.read", AuditLevel::kRecorded);
      Append(**store, "doc.delete", AuditLevel::kDurable);
      expect_clean("in the log");
    }
    ASSERT_EQ((*store)->Unfold(), absl::OkStatus());
    expect_clean("with rows");
  }
  expect_clean("closed");
  EXPECT_EQ(SelectOne(path_, "SELECT count(*) FROM decisions WHERE masked <> '{}'"), "6");
  // Without the masks it is found: the test looks in the right place.
  Record(With({}));
  EXPECT_TRUE(absl::StrContains(ReadFile(path_) + ReadFile(path_ + "-wal"), kSecret));
}

// Equal values have one hash in all places, under one key.
TEST_F(MaskTest, HashesJoin) {
  Record(With({HashOf("principal.attributes.email"), HashOf("resource.attributes.owner")}));
  EXPECT_EQ(Column("principal_attributes->>'email' = resource_attributes->>'owner'"), "1");
  const std::string before = Column("principal_attributes->>'email'");
  AuditStore::Options other = With({HashOf("principal.attributes.email")});
  other.mask_key = std::string(64, 'k');
  Record(other);
  EXPECT_NE(Column("principal_attributes->>'email'"), before);
}

// A value that cannot be hashed is dropped, and the record kept.
TEST_F(MaskTest, AMaskThatFailsDropsTheValue) {
  AuditStore::Options options = With(
      {HashOf("context.ip"), HashOf("context.items.card"), HashOf("principal.id"), HashOf("action"),
       HashOf("principal.groups"), HashOf("principal.host"), Replace("principal.evidence", "x")});
  options.mask_key.clear();
  options.mask_key_file = MakeTempDir() + "none";
  path_ = MakeTempDir() + "audit.db";
  auto store = AuditStore::Open(path_, options);
  ASSERT_EQ(store.status(), absl::OkStatus());
  Append(**store);
  EXPECT_EQ((*store)->stats().mask_status.code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(SelectOne(path_, "SELECT principal, action, groups, host, evidence FROM decisions"),
            "user:masked|masked|[]|NULL|x");
  EXPECT_EQ(Column("context->>'ip'"), "NULL");
  EXPECT_EQ(Column("context->>'items'"), R"([{"n":1},{"n":2},3])");
  EXPECT_EQ(Column("masked"),
            R"({"action":"failed","context.ip":"failed","context.items.card":"failed",)"
            R"("principal.evidence":"replace","principal.groups":"failed",)"
            R"("principal.host":"failed","principal.id":"failed"})");
  EXPECT_EQ(Verify(path_), "");
}

TEST_F(MaskTest, TheKeyFileMustBeItsOwners) {
  const std::string directory = MakeTempDir();
  const auto write = [&](const char* name, const std::string& bytes, mode_t mode) {
    const std::string path = directory + name;
    std::ofstream(path, std::ios::binary) << bytes;
    EXPECT_EQ(chmod(path.c_str(), mode), 0);
    return path;
  };
  const std::string good = write("good", kKey, 0600);
  ASSERT_EQ(symlink(good.c_str(), (directory + "link").c_str()), 0);
  const struct {
    const char* name;
    std::string path;
    absl::StatusCode want;
  } kCases[] = {
      {"Good", good, absl::StatusCode::kOk},
      {"ReadOnly", write("ro", kKey, 0400), absl::StatusCode::kOk},
      {"Longest", write("longest", std::string(64, '\n'), 0600), absl::StatusCode::kOk},
      {"Group", write("group", kKey, 0640), absl::StatusCode::kFailedPrecondition},
      {"World", write("world", kKey, 0604), absl::StatusCode::kFailedPrecondition},
      {"Short", write("short", std::string(31, 'k'), 0600), absl::StatusCode::kInvalidArgument},
      {"Long", write("long", std::string(65, 'k'), 0600), absl::StatusCode::kInvalidArgument},
      {"Link", directory + "link", absl::StatusCode::kFailedPrecondition},
      {"Directory", directory, absl::StatusCode::kFailedPrecondition},
      {"None", directory + "none", absl::StatusCode::kUnavailable},
  };
  for (const auto& c : kCases) {
    const absl::StatusOr<std::string> key = ReadMaskKey(c.path);
    EXPECT_EQ(key.status().code(), c.want) << c.name << ": " << key.status();
    EXPECT_FALSE(absl::StrContains(key.status().message(), kKey)) << c.name;
  }
  EXPECT_EQ(*ReadMaskKey(good), kKey);
  AuditStore::Options options = With({HashOf("context.ip")});
  options.mask_key.clear();
  options.mask_key_file = good;
  Record(options);
  EXPECT_EQ(Column("context->>'ip'"), Hashed(kSecret));
}

TEST_F(MaskTest, RefusesMasksThatCannotBe) {
  const std::string long_text(257, 'x');
  const struct {
    const char* name;
    AuditMask mask;
  } kCases[] = {
      {"NoRule", {"", "context.ip", Kind::kRemove, ""}},
      {"BadGlob", {"a/{x", "context.ip", Kind::kRemove, ""}},
      {"Binding", {"a/{x}", "context.ip", Kind::kRemove, ""}},
      {"NoPath", Remove("")},
      {"Unknown", Remove("subject.id")},
      {"Prefix", Remove("contexts")},
      {"TextHasNoNames", Remove("principal.host.x")},
      {"NoName", Remove("context.")},
      {"EmptyName", Remove("context..x")},
      {"Backslash", Remove("context.a\\x")},
      {"BackslashAtEnd", Remove("context.a\\")},
      {"Control", Remove("context.\n")},
      {"TooDeep", Remove("context.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a.a")},
      {"Time", Remove("context.time")},
      {"Rules", Remove("rules")},
      {"Via", Remove("principal.via")},
      {"PrincipalRemoved", Remove("principal.id")},
      {"ResourceRemoved", Remove("resource.id")},
      {"ActionRemoved", Remove("action")},
      {"MapHashed", HashOf("context")},
      {"MapReplaced", Replace("principal.attributes", "x")},
      {"MessageHashed", HashOf("message")},
      {"NoText", Replace("context.ip", "")},
      {"TextTooLong", Replace("context.ip", long_text)},
      {"TextWithEscape", Replace("context.ip", "\x1b")},
      {"TextNotUtf8", Replace("context.ip", "\xff")},
      {"TextForNothing", {"any", "context.ip", Kind::kRemove, "x"}},
  };
  const std::string path = MakeTempDir() + "audit.db";
  for (const auto& c : kCases) {
    EXPECT_EQ(AuditStore::Open(path, With({c.mask})).status().code(),
              absl::StatusCode::kInvalidArgument)
        << c.name;
  }
  AuditStore::Options no_key = With({HashOf("context.ip")}), two_keys = no_key, short_key = no_key,
                      many = With(std::vector<AuditMask>(kMaxMasks + 1, Remove("context.ip")));
  no_key.mask_key.clear();
  two_keys.mask_key_file = path;
  short_key.mask_key = "short";
  for (const AuditStore::Options& options : {no_key, two_keys, short_key, many}) {
    EXPECT_EQ(AuditStore::Open(path, options).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_NE(access(path.c_str(), F_OK), 0) << "nothing was made";
  std::vector<AuditMask> most;
  for (size_t i = 0; i < kMaxMasks; ++i) most.push_back(Remove(absl::StrCat("context.x", i)));
  EXPECT_EQ(AuditStore::Open(path, With(most)).status(), absl::OkStatus());
}

// Facts may stand in what the answer says, so it is kept only as far as it is the policy's own.
TEST_F(MaskTest, TextsMadeFromFactsAreNotKept) {
  SnapshotBuilder builder;
  Rule rule = MakeRule("-docs/never", {"anyone"}, {"any"}, {"any"});
  rule.message = "Never.";
  rule.obligations = {{"page"}, {"tell", {{"whom", "ops"}}}};
  builder.AddRule(rule);
  path_ = MakeTempDir() + "audit.db";
  auto store = AuditStore::Open(path_, With({Remove("context.ip")}));
  ASSERT_EQ(store.status(), absl::OkStatus());
  Engine::Options options;
  options.audit = store->get();
  options.audit_level = AuditLevel::kDurable;
  const std::unique_ptr<Engine> engine = *Engine::Create(options);
  ASSERT_EQ(engine->Replace(*builder.Build()), absl::OkStatus());
  const Principal ada = MakePrincipal("user:ada");
  Request request(ada, "x", {"doc", "1"});
  EXPECT_FALSE(engine->Decide(request).allowed());
  request.defect = "`s3cr3t` is no member";
  EXPECT_FALSE(engine->Decide(request).allowed());
  const Request malformed(ada, "", {"doc", "1"});
  EXPECT_FALSE(engine->Decide(malformed).allowed());
  EXPECT_EQ(
      Select(path_,
             "SELECT message, obligations, error IS NULL, masked FROM decisions ORDER BY seq"),
      (std::vector<std::string>{R"(Never.|["page","tell {\"whom\":\"ops\"}"]|1|{})",
                                R"(NULL|[]|1|{"error":"remove"})", "NULL|[]|0|{}"}));
  EXPECT_FALSE(absl::StrContains(ReadFile(path_) + ReadFile(path_ + "-wal"), kSecret));
}

// A record that does not hold what was asked says so to those who would decide it again.
TEST_F(MaskTest, IsNotDecidedAgain) {
  const struct {
    const char* name;
    AuditMask mask;
    const char* want;
  } kCases[] = {
      {"Asked", Remove("context.ip"), "masked"},
      {"Hashed", HashOf("principal.id"), "masked"},
      {"AnswerOnly", Remove("message"), ""},
      {"NotThere", Remove("context.none"), ""},
  };
  for (const auto& c : kCases) {
    SCOPED_TRACE(c.name);
    path_ = MakeTempDir() + "audit.db";
    auto store = AuditStore::Open(path_, With({c.mask}));
    ASSERT_EQ(store.status(), absl::OkStatus());
    Append(**store, "doc.delete");
    const auto replay = AuditReplay::Open(path_);
    ASSERT_EQ(replay.status(), absl::OkStatus());
    std::string obstacle = "no record";
    ASSERT_EQ((*replay)->ForEach({},
                                 [&obstacle](const ReplayRecord& record) {
                                   obstacle = std::string(record.decision.obstacle());
                                   return true;
                                 }),
              absl::OkStatus());
    EXPECT_EQ(obstacle, c.want);
    const auto reader = AuditReader::Open(path_);
    const auto rows = (*reader)->Query({});
    ASSERT_EQ(rows->size(), 1u);
    EXPECT_EQ(rows->at(0).masked, Column("masked"));
  }
}

// What cannot be kept at all is left out, as without masks.
TEST_F(MaskTest, AMalformedOrTooLargeMapIsLeftOut) {
  context_ = {{"ip", Value::String(kSecret)}, {"x", Value::String("\xff")}};
  Record(With({HashOf("context.ip")}));
  EXPECT_EQ(Column("context"), "NULL");
  Value::List large(80, Value::String(std::string(kMaxStringBytes, 'x')));
  context_ = {{"ip", Value::String(kSecret)}, {"x", Value::Of(std::move(large))}};
  Record(With({HashOf("context.ip")}));
  EXPECT_EQ(Column("context"), "NULL");
  Record(With({Remove("context.x")}));
  EXPECT_EQ(Column("context"), R"({"ip":"s3cr3t"})");
}

}  // namespace
}  // namespace reeve
