#include "reeve/policy/snapshot_file.h"

#include <gtest/gtest.h>
#include <sodium.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <optional>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/explain.h"
#include "reeve/policy/compile.h"
#include "reeve/policy/snapshot_file_testing.h"
#include "reeve/policy/source_files.h"
#include "reeve/policy/yaml_tree.h"

namespace reeve {
namespace {

namespace fs = std::filesystem;

constexpr char kPolicy[] = R"(reeve: 1
policy: documents
let: {high: 'principal.level >= 3'}
roles:
  editor: [group:staff]
rules:
  - id: edit
    effect: allow
    principals: [role:editor]
    actions: [doc.write, "doc.r*"]
    resources: ["doc:/caf\u00e9/{name}/**"]
    when:
      - high
      - name == principal.name
    message: |
      Ask Ada,
      or Bob.
    obligations: [{id: stamp}]
  - {id: never, effect: deny, principals: [anyone], actions: [any], resources: [doc:ledger], when: resource.shut}
)";
constexpr char kEntities[] =
    "\xEF\xBB\xBFreeve: 1\r\nentities:\r\n  - {id: 'user:ada', parents: [group:staff], attributes: "
    "{level: "
    "7}}\r\n";

struct Key {
  Key() { crypto_sign_keypair(public_key.data(), secret.data()); }
  PolicyKey public_key;
  std::array<uint8_t, 64> secret;
};

const Key& TheKey() {
  static const Key& key = *new Key;
  return key;
}

std::vector<SourceFile> Files() { return {{"p.yaml", kPolicy}, {"sub/e.yml", kEntities}}; }

std::string Compiled(const std::vector<SourceFile>& files, const Key* key = nullptr) {
  CompileResult result = CompilePolicy(files, key == nullptr ? nullptr : key->secret.data());
  EXPECT_TRUE(result.loaded.ok());
  return std::move(result.bytes);
}

// Lives as long as `keys`.
LoadLimits Trusting(const std::vector<PolicyKey>& keys) {
  LoadLimits limits;
  limits.trusted_keys = &keys;
  return limits;
}

std::string Issues(const LoadResult& loaded) {
  std::string text;
  for (const Issue& issue : loaded.issues) text += ToString(issue) + "\n" + Excerpt(issue);
  return text;
}

// Loads a snapshot file; what is wrong, or "loaded".
std::string Load(const std::string& bytes, const LoadLimits& limits = {}) {
  const LoadResult loaded = LoadPolicy({{"s", bytes}}, limits);
  return loaded.ok() ? "loaded" : Issues(loaded);
}

// All that a person or a record would see of a decision, but its id.
std::string Show(const Snapshot& snapshot, const Decision& decision, const Request& request) {
  std::ostringstream out;
  out << snapshot.digest() << " " << ToString(decision.reason()) << " " << decision.error() << " "
      << decision.message() << "\n";
  for (const auto& rules : {decision.rules(), decision.near_misses(), decision.shadow_rules()}) {
    for (const RuleOutcome& rule : rules) {
      out << rule.id() << " " << ToString(rule.effect()) << " " << rule.clauses.bits() << "\n";
    }
  }
  for (const MadeObligation& obligation : decision.obligations()) out << obligation.id() << "\n";
  for (const RuleExplanation& rule : Explain(decision, request).rules) {
    out << rule.rule->id << ToString(rule.principals) << ToString(rule.actions)
        << ToString(rule.resources);
    for (const ClauseExplanation& clause : rule.clauses) {
      out << " " << clause.clause->text << "=" << ToString(clause.outcome) << " " << clause.error;
    }
    out << "\n";
  }
  return out.str();
}

// What the set answers to requests that sets of tests often speak of.
std::string Answers(const std::shared_ptr<const Snapshot>& snapshot) {
  Engine::Options options;
  options.audit_level = AuditLevel::kOff;
  const auto engine = Engine::Create(options);
  EXPECT_TRUE((*engine)->Replace(snapshot).ok());
  std::string answers;
  for (const char* user : {"ada", "bob", "ada@EXAMPLE.COM"}) {
    Principal principal(EntityId("user", user), Assurance::kKernel);
    principal.groups = {"staff", "leads"};
    principal.attributes.Set("level", Value::Int(7));
    for (const char* action : {"doc.read", "doc.write", "a"}) {
      for (const char* id :
           {"/finance/q3", "/caf\u00e9/ada/x", "ledger", "/a/b", "/home/ada/x", "b"}) {
        Request request(principal, action, {"doc", id});
        request.time = absl::FromUnixSeconds(1800000000);
        answers += Show(*snapshot, (*engine)->Decide(request), request);
      }
    }
  }
  return answers;
}

void ExpectSame(const std::vector<SourceFile>& files) {
  const LoadResult plain = LoadPolicy(files);
  const CompileResult compiled = CompilePolicy(files);
  EXPECT_EQ(Issues(compiled.loaded), Issues(plain));
  EXPECT_EQ(compiled.bytes.empty(), !plain.ok());
  if (!plain.ok()) return;
  const LoadResult loaded = LoadPolicy({{"s", compiled.bytes}});
  // With the same warnings at the same places, and their lines.
  EXPECT_EQ(absl::StrReplaceAll(Issues(loaded), {{"s/", ""}}), Issues(plain));
  ASSERT_TRUE(loaded.ok());
  EXPECT_EQ(loaded.snapshot->digest(), plain.snapshot->digest());
  EXPECT_EQ(loaded.snapshot->entity_count(), plain.snapshot->entity_count());
  EXPECT_EQ(Answers(loaded.snapshot), Answers(plain.snapshot));
}

TEST(SnapshotFileTest, DecidesAsItsTextsDo) { ExpectSame(Files()); }

TEST(SnapshotFileTest, DecidesAsAnyTextDoes) {
  int loaded = 0;
  int refused = 0;
  for (const auto& entry : fs::directory_iterator("policy/load_corpus")) {
    std::ifstream file(entry.path(), std::ios::binary);
    std::string text((std::istreambuf_iterator<char>(file)), {});
    SCOPED_TRACE(entry.path());
    // Of the many that do not load, some.
    if (!LoadPolicy({{"f.yaml", text}}).ok() && ++refused % 20 != 0) continue;
    ++loaded;
    ExpectSame({{"f.yaml", std::move(text)}});
  }
  EXPECT_GT(loaded, 90);
}

TEST(SnapshotFileTest, SaysAllThatItsTextsWouldSay) {
  // An entity that is there twice is found only once all files are together.
  const std::vector<SourceFile> files = {{"s", Compiled(Files())}, {"e.yaml", kEntities}};
  const LoadResult loaded = LoadPolicy(files);
  EXPECT_EQ(Issues(loaded),
            "s/sub/e.yml:3:10: entity `user:ada` is defined twice; first at e.yaml:3:10\n");
}

TEST(SnapshotFileTest, IsNotLoadedTwice) {
  const std::string bytes = Compiled(Files());
  EXPECT_EQ(Issues(LoadPolicy({{"s", bytes}, {"s", bytes}})),
            "s/p.yaml: is given twice\ns/sub/e.yml: is given twice\n");
  // Nor is a file taken for a part of it.
  EXPECT_EQ(Issues(LoadPolicy({{"s/p.yaml", kPolicy}, {"s", bytes}})),
            "s/p.yaml: is given twice\n");
}

class FilesTest : public testing::Test {
 protected:
  FilesTest() {
    std::string path = testing::TempDir() + "/snapshot_XXXXXX";
    root_ = mkdtemp(path.data());
    for (const char* set : {"a", "b/long/way"}) {
      for (const SourceFile& file : Files()) Write(root_ / set / file.name, file.text);
    }
  }
  ~FilesTest() override { fs::remove_all(root_); }
  static void Write(const fs::path& path, const std::string& text) {
    fs::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
  }

  fs::path root_;
};

TEST_F(FilesTest, TheSameFilesGiveTheSameBytesWhereverTheyLie) {
  const std::string bytes = CompilePolicy(root_ / "a").bytes;
  EXPECT_FALSE(bytes.empty());
  EXPECT_EQ(CompilePolicy(root_ / "b/long/way/").bytes, bytes);
  EXPECT_EQ(bytes, Compiled(Files()));
  Write(root_ / "set", bytes);
  EXPECT_EQ(CompilePolicy(root_ / "set").bytes, bytes);
  EXPECT_EQ(LoadPolicy(root_ / "set").snapshot->digest(),
            LoadPolicy(root_ / "a").snapshot->digest());
  EXPECT_EQ(CompilePolicy(root_ / "a/p.yaml", {root_ / "a/sub/e.yml"}).bytes,
            Compiled({{"p.yaml", kPolicy}, {"e.yml", kEntities}}));
}

TEST_F(FilesTest, ReportsWhatItCannotCompile) {
  Write(root_ / "c/x\ny.yaml", "reeve: 1\nentities: [{id: user:eve}]\n");
  const std::string a = root_ / "a/p.yaml";
  struct Row {
    const char* name;
    CompileResult result;
    std::string issues;
  };
  const Row rows[] = {
      {"NoFile", CompilePolicy(root_ / "none"),
       (root_ / "none").string() + ": cannot be read: No such file or directory\n"},
      {"NameTwice", CompilePolicy(root_ / "a", {root_ / "b/long/way/p.yaml"}),
       (root_ / "b/long/way/p.yaml").string() +
           ": has the name of another file of the set; rename it\n"},
      {"Broken", CompilePolicy({{"p.yaml", "reeve: 1\npolicy: p\nrules: []\n"}}),
       "p.yaml:3:8: `rules` is empty; write a rule or remove the file\n  rules: []\n         ^\n"},
      {"NoYaml", CompilePolicy({{"p.yaml", "{"}}), "p.yaml:1:1: `{` is never closed\n  {\n  ^\n"},
  };
  for (const Row& row : rows) {
    EXPECT_EQ(Issues(row.result.loaded), row.issues) << row.name;
    EXPECT_EQ(row.result.bytes, "") << row.name;
  }
  const CompileResult control = CompilePolicy(root_ / "a", {root_ / "c"});
  EXPECT_EQ(control.bytes, "");
  EXPECT_NE(Issues(control.loaded).find("has a name with control characters; rename it"),
            std::string::npos);
}

constexpr size_t kHeader = kSnapshotHeaderBytes;

// Beside it the files of a set are read.
SourceFile MoreSchema() { return {"u.yaml", "reeve: 1\nschema: b\nentities:\n  img: {}\n"}; }

// Where a signed file of Files() is what.
constexpr size_t kDigestAt = 96;
size_t SignatureAt(const std::string& bytes) { return bytes.size() - 96; }

TEST(SignatureTest, EveryFlippedBitIsRefused) {
  const std::string bytes = Compiled(Files(), &TheKey());
  const std::vector<PolicyKey> keys = {TheKey().public_key};
  const LoadLimits trusting = Trusting(keys);
  ASSERT_EQ(Load(bytes, trusting), "loaded");
  ASSERT_EQ(Load(bytes), "loaded");
  const size_t files = kHeader + RulesSize(bytes);
  const auto is_taken = [&](size_t at) { return at < files || at >= SignatureAt(bytes); };
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int bit : {0, 3, 7}) {
      std::string flipped = bytes;
      flipped[at] = static_cast<char>(flipped[at] ^ 1 << bit);
      // Alone, its texts and trees are not looked at.
      EXPECT_EQ(Load(flipped, trusting) != "loaded", is_taken(at)) << at << " " << bit;
      // Also by who trusts anybody.
      EXPECT_EQ(Load(flipped) != "loaded", is_taken(at)) << at << " " << bit;
      // By lint they are.
      EXPECT_FALSE(LintPolicy({{"s", flipped}}).ok()) << at << " " << bit;
    }
  }
  // And where they decide, with all that is in the file.
  for (const size_t at : {kHeader + 40, files + 40}) {
    std::string flipped = bytes;
    flipped[at] ^= 1;
    EXPECT_EQ(Issues(LoadPolicy({{"s", flipped}, MoreSchema()})),
              "s: is damaged: its digest does not match; compile it again\n");
  }
}

TEST(SignatureTest, EveryLengthButTheWholeIsRefused) {
  const std::string bytes = Compiled(Files(), &TheKey());
  const std::vector<PolicyKey> keys = {TheKey().public_key};
  const LoadLimits trusting = Trusting(keys);
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_NE(Load(bytes.substr(0, size), trusting), "loaded") << size;
    // Without its signature it is an unsigned one.
    EXPECT_EQ(Load(bytes.substr(0, size)) == "loaded", size == SignatureAt(bytes)) << size;
  }
  for (const size_t more : {1, 32, 96}) {
    EXPECT_NE(Load(bytes + std::string(more, '\0')), "loaded") << more;
  }
}

TEST(SignatureTest, TrustsOnlyWhatIsWholeAndSignedByATrustedKey) {
  const Key other;
  const std::string bytes = Compiled(Files(), &TheKey());
  const std::string unsigned_bytes = Compiled(Files());
  const std::string more = Compiled({{"p.yaml", std::string(kPolicy) + "# more\n"}}, &TheKey());
  const std::string from_other = Compiled(Files(), &other);
  std::string transplanted = more;
  transplanted.replace(SignatureAt(more), 96, bytes, SignatureAt(bytes), 96);
  std::string renamed = from_other;
  renamed.replace(SignatureAt(renamed), 32, bytes, SignatureAt(bytes), 32);
  // By the key, but of the bytes alone, as it might sign anything else.
  std::string bare = bytes;
  crypto_sign_detached(reinterpret_cast<unsigned char*>(&bare[bare.size() - 64]), nullptr,
                       reinterpret_cast<const unsigned char*>(&bare[kDigestAt]), 32,
                       TheKey().secret.data());
  const std::string hex = [&other] {
    char text[65];
    return std::string(sodium_bin2hex(text, sizeof text, other.public_key.data(), 32));
  }();
  const std::string no_key =
      ": is not signed, and only what a trusted key has signed may be loaded; ";
  const std::string sign = no_key + "sign it by `reeve compile --sign`\n";
  const std::string compile = no_key + "compile and sign the set by `reeve compile --sign`\n";
  const std::string foreign = "s: is signed by the key " + hex +
                              ", which is not trusted; sign it by one that is, or trust this one\n";
  const std::string wrong =
      "s: is damaged: its signature is not that of the key that it names; compile it again\n";
  struct Row {
    const char* name;
    std::vector<SourceFile> files;
    std::optional<std::vector<PolicyKey>> keys;
    std::string issues;
  };
  const std::vector<PolicyKey> key = {TheKey().public_key};
  const Row rows[] = {
      {"Signed", {{"s", bytes}}, key, ""},
      {"OneOfTwo", {{"s", bytes}}, {{other.public_key, TheKey().public_key}}, ""},
      {"NobodyAsks", {{"s", from_other}}, std::nullopt, ""},
      {"NobodyIsTrusted", {{"s", from_other}}, {{}}, foreign},
      {"Other", {{"s", from_other}}, key, foreign},
      {"Unsigned", {{"s", unsigned_bytes}}, key, "s" + sign},
      {"Yaml", Files(), key, "p.yaml" + compile},
      {"YamlWithSigned", {{"s", bytes}, {"e.yaml", kEntities}}, key, "e.yaml" + compile},
      {"UnsignedWithSigned", {{"a", bytes}, {"s", unsigned_bytes}}, key, "s" + sign},
      {"SignatureOfOtherContent", {{"s", transplanted}}, key, wrong},
      {"SignatureOfOtherContentAndNobodyAsks", {{"s", transplanted}}, std::nullopt, wrong},
      {"NamesAnotherKey", {{"s", renamed}}, key, wrong},
      {"SignedAsSomethingElse", {{"s", bare}}, key, wrong},
  };
  for (const Row& row : rows) {
    LoadLimits limits;
    if (row.keys.has_value()) limits.trusted_keys = &*row.keys;
    const LoadResult loaded = LoadPolicy(row.files, limits);
    EXPECT_EQ(Issues(loaded), row.issues) << row.name;
    EXPECT_EQ(loaded.ok(), row.issues.empty()) << row.name;
  }
  // What is not trusted is not compiled, and so not signed.
  EXPECT_EQ(CompilePolicy({{"s", from_other}}, TheKey().secret.data(), Trusting(key)).bytes, "");
}

// The bytes of a file, whose files may have another length, with the digests that belong to them.
std::string Sealed(std::string bytes) {
  SealSnapshotFile(RulesSize(bytes), &bytes);
  return bytes;
}

void Put(std::string* bytes, size_t at, uint32_t value) {
  for (int i = 0; i < 4; ++i) (*bytes)[at + i] = static_cast<char>(value >> 8 * i);
}

uint32_t Get(const std::string& bytes, size_t at) {
  uint32_t value = 0;
  for (int i = 0; i < 4; ++i) value |= uint32_t{static_cast<uint8_t>(bytes[at + i])} << 8 * i;
  return value;
}

// Where the programs of the first file of a set are, behind their size.
size_t ProgramsAt(const std::string& bytes) {
  size_t at = kHeader + RulesSize(bytes);
  for (uint32_t left = Get(bytes, 12); left > 0; --left) {
    at += 16 + Get(bytes, at) + Get(bytes, at + 4) + Get(bytes, at + 8) + Get(bytes, at + 12);
  }
  return at + 4;
}
std::string ProgramsOf(const std::string& bytes) {
  const size_t at = ProgramsAt(bytes);
  return bytes.substr(at, Get(bytes, at - 4));
}
std::string RulesOf(const std::string& bytes) { return reeve::RulesOf({"s", bytes}, {}); }
// The same set with others; with none, its trees decide.
std::string WithRules(const std::string& bytes, const std::string& rules) {
  std::string other = bytes;
  other.replace(kHeader, RulesSize(bytes), rules);
  SealSnapshotFile(rules.size(), &other);
  return other;
}
// The same set without rules, and with other programs.
std::string WithPrograms(const std::string& bytes, const std::string& programs) {
  std::string other = WithRules(bytes, "");
  const size_t at = ProgramsAt(other);
  other.replace(at, Get(other, at - 4), programs);
  Put(&other, at - 4, static_cast<uint32_t>(programs.size()));
  return Sealed(std::move(other));
}

constexpr char kForged[] =
    "s/p.yaml: is not what the snapshot file decides by: `reeve compile` did not make it; "
    "compile it again, and look for who wrote it\n";
constexpr char kOthers[] =
    "s/p.yaml:1:1: the snapshot file holds other conditions than `reeve compile` makes of this "
    "file; compile it again\n  reeve: 1\n  ^\n";

constexpr char kLevels[] = R"(reeve: 1
policy: p
let: {low: principal.level < 5}
roles:
  staff: {principals: [anyone], when: principal.level > 0}
rules:
  - id: r
    effect: allow
    principals: [role:staff]
    actions: [any]
    resources: ["doc:/{name}/*"]
    when: [principal.level >= 3, low, 'name.matches("[a-z]+")', "name in ['a', 'finance']"]
    message: "not {name}"
)";

// A file whose conditions are taken from it: what they say decides, as of its trees.
TEST(ProgramsTest, DecideAsTheySayAndLintFindsThatTheyAreNotOfTheirText) {
  const std::string bytes = Compiled({{"p.yaml", kLevels}});
  EXPECT_EQ(WithPrograms(bytes, ProgramsOf(bytes)), WithRules(bytes, ""));
  const std::string high = absl::StrReplaceAll(kLevels, {{"level >= 3", "level >= 8"}});
  const std::string others = Compiled({{"p.yaml", high}});
  const auto answers = [](const std::string& set) {
    const LoadResult loaded = LoadPolicy({{"s", set}});
    EXPECT_TRUE(loaded.ok()) << Issues(loaded);
    // Without the digest, and what the clauses are called.
    return absl::StrReplaceAll(Answers(loaded.snapshot),
                               {{std::string(loaded.snapshot->digest()), ""}, {">= 8", ">= 3"}});
  };
  ASSERT_NE(answers(bytes), answers(others));
  // Those of another text are none of this one, which is compiled.
  EXPECT_EQ(answers(WithPrograms(bytes, ProgramsOf(others))), answers(bytes));
  // Those that say that they are of it.
  const std::string forged =
      WithPrograms(bytes, absl::StrReplaceAll(ProgramsOf(others), {{"level >= 8", "level >= 3"}}));
  EXPECT_EQ(answers(forged), answers(others));
  EXPECT_EQ(Issues(LintPolicy({{"s", forged}})), kForged);
  EXPECT_TRUE(LintPolicy({{"s", bytes}}).ok());
}

TEST(ProgramsTest, AreOfThisVersionOrNotTaken) {
  const std::string bytes = Compiled({{"p.yaml", kLevels}});
  std::string programs = ProgramsOf(bytes);
  programs[0] ^= '\x40';
  programs.resize(programs.size() / 2);
  const LoadResult loaded = LoadPolicy({{"s", WithPrograms(bytes, programs)}});
  ASSERT_TRUE(loaded.ok()) << Issues(loaded);
  EXPECT_EQ(Answers(loaded.snapshot), Answers(LoadPolicy({{"s", bytes}}).snapshot));
  for (const char* none : {"", "\x40"}) {
    EXPECT_EQ(Load(WithPrograms(bytes, none)), "loaded");
  }
  EXPECT_TRUE(LintPolicy({{"s", WithPrograms(bytes, "")}}).ok());
}

// Beside another schema a condition may come to something else: then its text counts.
TEST(ProgramsTest, AreOfTheSchemasThatTheyWereCompiledWith) {
  const std::string bytes = Compiled({{"p.yaml", kLevels}});
  const std::string others =
      Compiled({{"p.yaml", absl::StrReplaceAll(kLevels, {{"level >= 3", "level >= 8"}})}});
  const std::string forged =
      WithPrograms(bytes, absl::StrReplaceAll(ProgramsOf(others), {{"level >= 8", "level >= 3"}}));
  const SourceFile schema = {"t.yaml",
                             "reeve: 1\nschema: a\nentities:\n"
                             "  user: {parents: [group], attributes: {level: int}}\n"
                             "  group: {}\n  doc: {}\nactions:\n"
                             "  doc.read: {principals: [user], resources: [doc]}\n"};
  const LoadResult plain = LoadPolicy({{"p.yaml", kLevels}, schema});
  const LoadResult loaded = LoadPolicy({{"s", forged}, schema});
  ASSERT_TRUE(plain.ok()) << Issues(plain);
  ASSERT_TRUE(loaded.ok()) << Issues(loaded);
  EXPECT_EQ(Answers(loaded.snapshot), Answers(plain.snapshot));
  // Also where the schema is in the set, and another one is beside it.
  const std::string with = Compiled({{"p.yaml", kLevels}, schema});
  const std::string high =
      Compiled({{"p.yaml", absl::StrReplaceAll(kLevels, {{"level >= 3", "level >= 8"}})}, schema});
  const std::string said = absl::StrReplaceAll(ProgramsOf(high), {{"level >= 8", "level >= 3"}});
  const std::string forged_with = WithPrograms(with, said);
  EXPECT_NE(Answers(LoadPolicy({{"s", forged_with}}).snapshot),
            Answers(LoadPolicy({{"s", with}}).snapshot));
  EXPECT_EQ(Answers(LoadPolicy({{"s", forged_with}, MoreSchema()}).snapshot),
            Answers(LoadPolicy({{"s", with}, MoreSchema()}).snapshot));
}

// What a file of YAML could not have either: regular expressions that take more than all may.
TEST(ProgramsTest, HaveNoMoreRegularExpressionsThanAFileMay) {
  const std::string text = absl::StrReplaceAll(kLevels, {{"[a-z]+", "[a-z]{1,900}"}});
  const std::string programs = ProgramsOf(Compiled({{"p.yaml", text}}));
  // A condition again and again, each of another text that the file does not have.
  const std::string before("\0\0\1\4name\x1c", 9);
  const std::string condition = "name.matches(\"[a-z]{1,900}\")";
  const size_t begin = programs.find(before + condition);
  const size_t end = programs.find(std::string("\1\0\1\4name", 8));  // that of the message
  ASSERT_LT(begin, end);
  const std::string entry = programs.substr(begin, end - begin);
  std::string many = programs.substr(0, begin);
  for (char a = '!'; a < '~'; ++a) {
    for (char b = '!'; b < '~'; ++b) {
      std::string other = entry;
      other[before.size()] = a;
      other[before.size() + 1] = b;
      many += other;
    }
  }
  EXPECT_EQ(Load(WithPrograms(Compiled({{"p.yaml", text}}), many)), kOthers);
}

TEST(ProgramsTest, ThatNobodyCompiledAreRefused) {
  const std::string bytes = Compiled({{"p.yaml", kLevels}});
  const std::string programs = ProgramsOf(bytes);
  const auto other = [&](const char* from, const char* to) {
    const std::string changed = absl::StrReplaceAll(programs, {{from, to}});
    EXPECT_NE(changed, programs) << from;
    return Load(WithPrograms(bytes, changed));
  };
  // A variable that is neither known nor bound; one that is bound, and read by no program.
  EXPECT_EQ(other("\4name", "\4nama"), kOthers);
  EXPECT_EQ(other("\1\4name", "\1\4nama"), kOthers);
  EXPECT_EQ(Load(WithPrograms(bytes, programs + programs.substr(1))), kOthers) << "twice";
  for (size_t size = 1; size < programs.size(); ++size) {
    const std::string cut = Load(WithPrograms(bytes, programs.substr(0, size)));
    EXPECT_TRUE(cut == "loaded" || cut == kOthers) << size << " " << cut;
  }
}

// Whatever a byte becomes, the set is refused or decides something.
TEST(ProgramsTest, AnyByteMayBeAnyOther) {
  const std::string bytes = Compiled({{"p.yaml", kLevels}});
  const std::string programs = ProgramsOf(bytes);
  int refused = 0;
  int decided = 0;
  for (size_t at = 1; at < programs.size(); ++at) {
    for (const int bits : {1, 2, 4, 0x10, 0x80, 0xFF}) {
      std::string changed = programs;
      changed[at] = static_cast<char>(changed[at] ^ bits);
      const LoadResult loaded = LoadPolicy({{"s", WithPrograms(bytes, changed)}});
      loaded.ok() ? ++decided : ++refused;
      if (loaded.ok()) {
        EXPECT_NE(Answers(loaded.snapshot), "");
      }
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(decided, 100);
}

// Rules that are not those of the texts: they decide, as long as the file is alone.
SourceFile SchemaOfLevels() {
  return {"a.yaml",
          "reeve: 1\nschema: a\nentities:\n"
          "  user: {parents: [group], attributes: {level: int}}\n"
          "  group: {}\n  doc: {}\nactions:\n"
          "  doc.read: {principals: [user], resources: [doc]}\n"};
}

TEST(RulesTest, DecideAsTheySayAndLintFindsThatTheyAreNotOfTheirText) {
  const std::string bytes = Compiled({{"p.yaml", kLevels}});
  const std::string others =
      Compiled({{"p.yaml", absl::StrReplaceAll(kLevels, {{"level >= 3", "level >= 8"}})}});
  const auto answers = [](const std::vector<SourceFile>& files) {
    const LoadResult loaded = LoadPolicy(files);
    EXPECT_TRUE(loaded.ok()) << Issues(loaded);
    return Answers(loaded.snapshot);
  };
  ASSERT_NE(RulesOf(bytes), "");
  ASSERT_NE(answers({{"s", bytes}}), answers({{"s", others}}));
  EXPECT_EQ(WithRules(bytes, RulesOf(bytes)), bytes);
  const std::string forged = WithRules(bytes, RulesOf(others));
  // Under the digest of these, too: it is theirs.
  EXPECT_EQ(answers({{"s", forged}}), answers({{"s", others}}));
  const char* const issue =
      "s: is not what the snapshot file decides by: `reeve compile` did not make it; compile it "
      "again, and look for who wrote it\n";
  EXPECT_EQ(Issues(LintPolicy({{"s", forged}})), issue);
  EXPECT_TRUE(LintPolicy({{"s", bytes}}).ok());
  // With another file the trees decide, and lint finds it all the same.
  const SourceFile entities = {"e.yaml", kEntities};
  EXPECT_EQ(answers({{"s", forged}, entities}), answers({{"s", bytes}, entities}));
  EXPECT_EQ(Issues(LintPolicy({{"s", forged}, entities})), issue);
  // What is compiled of it is of the texts.
  EXPECT_EQ(CompilePolicy({{"s", forged}}).loaded.snapshot->digest(),
            LoadPolicy({{"s", bytes}}).snapshot->digest());
}

TEST(RulesTest, AreOfThisVersionOrNotTaken) {
  const std::string bytes = Compiled({{"p.yaml", kLevels}});
  const std::string answers = Answers(LoadPolicy({{"s", bytes}}).snapshot);
  std::string other = RulesOf(bytes);
  ++other[4];  // Behind the number of schemas, which is 0.
  for (const std::string& rules : {other, other.substr(0, 4), std::string()}) {
    const std::string without = WithRules(bytes, rules);
    const LoadResult loaded = LoadPolicy({{"s", without}});
    ASSERT_TRUE(loaded.ok()) << Issues(loaded);
    EXPECT_EQ(Answers(loaded.snapshot), answers);
    EXPECT_TRUE(LintPolicy({{"s", without}}).ok());
  }
}

TEST(RulesTest, AreHeldToTheSchemasOfTheFile) {
  const std::vector<SourceFile> files = {{"p.yaml", kLevels}, SchemaOfLevels()};
  ExpectSame(files);
  const std::string bytes = Compiled(files);
  const std::string rules = RulesOf(bytes);
  ASSERT_EQ(rules.substr(0, 4), std::string("\1\0\0\0", 4));
  EXPECT_EQ(LoadPolicy({{"s", bytes}}).snapshot->schema()->entities.size(), 4);
  const size_t image = 4 + 16 + Get(rules, 4) + Get(rules, 8) + Get(rules, 12) + Get(rules, 16);
  const std::string none = std::string(4, '\0') + rules.substr(image);
  struct Row {
    const char* name;
    std::string rules;
    const char* issue;
  };
  const std::string declared = absl::StrReplaceAll(rules, {{"doc: {}", "img: {}"}});
  const Row rows[] = {
      {"CutShort", "\1\0", "s: is damaged: the rules in it are cut short; compile it again\n"},
      {"SchemaIsNotThere", std::string("\1\0\0\0", 4),
       "s: is damaged: a file in it is cut short; compile it again\n"},
      {"SchemaTwice", std::string("\2\0\0\0", 4) + rules.substr(4, image - 4) + rules.substr(4),
       "s: is damaged: the names in it are wrong; compile it again\n"},
      {"SchemaIsNoText", absl::StrReplaceAll(rules, {{"doc: {}", "doc: \xFF}"}}),
       "s: is damaged: `a.yaml` in it is none that can be read; compile it again\n"},
  };
  for (const Row& row : rows) {
    const std::string forged = WithRules(bytes, row.rules);
    EXPECT_EQ(Issues(LoadPolicy({{"s", forged}})), row.issue) << row.name;
    // Also where the trees decide.
    const LoadResult linted = LintPolicy({{"s", forged}, MoreSchema()});
    EXPECT_EQ(Issues(linted).substr(0, 45), "s: is not what the snapshot file decides by: ")
        << row.name;
  }
  EXPECT_FALSE(LoadPolicy({{"s", WithRules(bytes, declared)}}).ok());
  EXPECT_EQ(Issues(LintPolicy({{"s", WithRules(bytes, none)}})).substr(0, 45),
            "s: is not what the snapshot file decides by: ");
}

// They do not say it.
TEST(RulesTest, AreNotThereWhereThereIsAWarning) {
  const std::string warned = absl::StrReplaceAll(kPolicy, {{"let: {", "let: {unused: 'true', "}});
  EXPECT_NE(RulesOf(Compiled({{"p.yaml", kPolicy}})), "");
  EXPECT_EQ(RulesOf(Compiled({{"p.yaml", warned}})), "");
  ExpectSame({{"p.yaml", warned}});
}

// --- From disk ---

// Of a file that is alone no more is read than is taken.
TEST_F(FilesTest, OfRulesNothingElseIsRead) {
  const std::string bytes = Compiled(Files(), &TheKey());
  const std::string path = root_ / "set";
  Write(path, bytes);
  SourceFile file;
  size_t left_out = 0;
  ASSERT_TRUE(ReadSnapshotRules(path, {}, &file, &left_out));
  const size_t files = kHeader + RulesSize(bytes);
  EXPECT_EQ(left_out, SignatureAt(bytes) - files);
  EXPECT_EQ(file.name, path);
  EXPECT_EQ(file.text, bytes.substr(0, files) + bytes.substr(SignatureAt(bytes)));
  LoadLimits limits;
  limits.max_total_bytes = bytes.size() - 1;
  EXPECT_FALSE(ReadSnapshotRules(path, limits, &file, &left_out));
  EXPECT_EQ(Issues(LoadPolicy(path, {}, limits)),
            absl::StrCat(path, ": is longer than ", bytes.size() - 1, " bytes\n"));
  for (const fs::path& other : {root_ / "a", root_ / "none", root_ / "a/p.yaml"}) {
    EXPECT_FALSE(ReadSnapshotRules(other, {}, &file, &left_out)) << other;
  }
}

// Whatever a file holds, it is loaded from disk as from memory, and the same is said of it.
TEST_F(FilesTest, AnyBytesLoadFromDiskAsFromMemory) {
  const std::string path = root_ / "set";
  const std::vector<PolicyKey> keys = {TheKey().public_key};
  const LoadLimits trusting = Trusting(keys);
  const auto expect_same = [&](const std::string& bytes, const std::string& what) {
    Write(path, bytes);
    for (const LoadLimits& limits : {LoadLimits(), trusting}) {
      const LoadResult disk = LoadPolicy(path, {}, limits);
      const LoadResult memory = LoadPolicy({{path, bytes}}, limits);
      EXPECT_EQ(Issues(disk), Issues(memory)) << what;
      ASSERT_EQ(disk.ok(), memory.ok()) << what;
      if (!disk.ok()) continue;
      EXPECT_EQ(disk.snapshot->digest(), memory.snapshot->digest()) << what;
    }
  };
  for (const Key* key : {static_cast<const Key*>(nullptr), &TheKey()}) {
    const std::string bytes = Compiled({{"p.yaml", kLevels}, SchemaOfLevels()}, key);
    for (size_t at = 0; at < bytes.size(); at += at < kHeader ? 1 : 13) {
      std::string other = bytes;
      other[at] = static_cast<char>(other[at] ^ 1 << at % 8);
      expect_same(other, absl::StrCat("byte ", at));
      expect_same(bytes.substr(0, at), absl::StrCat("length ", at));
    }
    for (const size_t more : {0, 1, 95, 96, 97, 192}) {
      expect_same(bytes + std::string(more, '\0'), absl::StrCat(more, " bytes more"));
    }
  }
  const std::string bytes = Compiled({{"p.yaml", kLevels}});
  std::string other = RulesOf(bytes);
  ++other[4];  // Of another version.
  for (const std::string& rules : {other, other.substr(0, 4), std::string()}) {
    expect_same(WithRules(bytes, rules), "without rules");
    EXPECT_TRUE(LoadPolicy(path).ok());
  }
  // The sizes of the rules and of the files, under a digest that is theirs.
  for (const uint64_t size : {uint64_t{1} << 40, uint64_t{1} << 62, ~uint64_t{0}}) {
    for (const size_t at : {size_t{16}, size_t{24}}) {
      std::string large = bytes;
      SealSnapshotFile(RulesSize(bytes), &large);
      std::memcpy(&large[at], &size, sizeof size);
      crypto_generichash(reinterpret_cast<unsigned char*>(&large[kDigestAt]), 32,
                         reinterpret_cast<const unsigned char*>(large.data()), kDigestAt, nullptr,
                         0);
      expect_same(large, absl::StrCat("a size at ", at));
    }
  }
}

// Their numbers go by the order of names in the file, not by where the files lay.
TEST_F(FilesTest, RulesAreInTheOrderOfTheNamesInTheFile) {
  Write(root_ / "z/p.yaml", kPolicy);
  Write(root_ / "y/q.yaml", kEntities);
  const std::string bytes = CompilePolicy(root_ / "z", {root_ / "y/q.yaml"}).bytes;
  EXPECT_NE(RulesOf(bytes), "");
  EXPECT_EQ(bytes, Compiled({{"p.yaml", kPolicy}, {"q.yaml", kEntities}}));
  EXPECT_TRUE(LintPolicy({{"s", bytes}}).ok());
}

TEST(RulesTest, ThatNobodyCompiledAreRefused) {
  const std::string bytes = Compiled({{"p.yaml", kLevels}});
  const std::string rules = RulesOf(bytes);
  EXPECT_EQ(Load(WithRules(bytes, rules.substr(0, rules.size() - 1))),
            "s: is damaged: its rules are none that can be read: byte " +
                std::to_string(rules.size() - 5) + ": the bytes end too early; compile it again\n");
  // More files than it has room for: what the rules may need grows with them.
  std::string many = bytes;
  Put(&many, 12, 900);
  EXPECT_EQ(Load(Sealed(std::move(many))),
            "s: is damaged: a file in it is cut short; compile it again\n");
  LoadLimits limits;
  limits.max_rules = 0;
  EXPECT_EQ(Load(bytes, limits), "s: the set has more than 0 rules\n");
  limits = {};
  limits.max_list = 0;
  EXPECT_EQ(Load(bytes, limits), "s: a list has more than 0 items\n");
}

// Whatever a byte becomes, the set is refused or decides something.
TEST(RulesTest, AnyByteMayBeAnyOther) {
  const std::string bytes = Compiled({{"p.yaml", kLevels}});
  const std::string rules = RulesOf(bytes);
  int refused = 0;
  int decided = 0;
  for (size_t at = 6; at < rules.size(); ++at) {
    for (const int bits : {1, 2, 4, 0x10, 0x80, 0xFF}) {
      std::string changed = rules;
      changed[at] = static_cast<char>(changed[at] ^ bits);
      const LoadResult loaded = LoadPolicy({{"s", WithRules(bytes, changed)}});
      loaded.ok() ? ++decided : ++refused;
      if (loaded.ok()) {
        EXPECT_NE(Answers(loaded.snapshot), "");
      }
    }
  }
  EXPECT_GT(refused, 1000);
  EXPECT_GT(decided, 100);
}

// What is sealed, and yet none that could be.
TEST(DamageTest, IsFoundBehindADigestThatMatches) {
  // "k: [a, bc]" without its line end: a mapping, `k`, a sequence, `a`, `bc`.
  const std::string text = "k: [a, bc]";
  YamlTree tree;
  tree.source = text;
  tree.nodes = {{0, 5, YamlTreeNode::kMapping, 1},
                {0, 0, YamlTreeNode::kPlain, 1},
                {3, 5, YamlTreeNode::kSequence, 2},
                {4, 4, YamlTreeNode::kPlain, 1},
                {7, 7, YamlTreeNode::kPlain, 2}};
  const YamlDocument yaml(std::make_unique<YamlTree>(tree));
  const std::string good = EncodeSnapshotFile({{"n", &text, &yaml}}, "", nullptr);
  constexpr size_t kPart = kHeader;
  constexpr size_t kText = kPart + 16 + 1;
  const size_t nodes = kText + text.size();
  const auto with = [&text, &tree](void (*change)(YamlTree*)) {
    return [&text, &tree, change](std::string* bytes) {
      YamlTree changed = tree;
      change(&changed);
      const YamlDocument other(std::make_unique<YamlTree>(changed));
      *bytes = EncodeSnapshotFile({{"n", &text, &other}}, "", nullptr);
    };
  };
  const std::string none = "s: is damaged: `n` in it is none that can be read; compile it again\n";
  const std::string cut = "s: is damaged: a file in it is cut short; compile it again\n";
  // It is YAML, but no policy.
  ASSERT_EQ(Load(good).substr(0, 46), "s/n:1:1: every file begins with `reeve: 1`\n  k");
  struct Row {
    const char* name;
    std::function<void(std::string*)> damage;
    std::string issue;
  };
  const auto put = [](size_t at, uint32_t value) {
    return [at, value](std::string* bytes) { Put(bytes, at, value); };
  };
  const Row rows[] = {
      {"Version", put(8, 1),
       "s: is of version 1, and this program reads version 4; compile it again\n"},
      {"VersionBefore", put(8, 3),
       "s: is of version 3, and this program reads version 4; compile it again\n"},
      {"NoFiles", put(12, 0), "s: is damaged: it holds no file; compile it again\n"},
      {"TwoFiles", put(12, 2), cut},
      {"NameTooLong", put(kPart, 0xFFFFFFFF), cut},
      {"NoName", put(kPart, 0), "s: is damaged: the names in it are wrong; compile it again\n"},
      {"TextTooLong", put(kPart + 4, 0xFFFFFFF0), cut},
      {"DecodedTooLong", put(kPart + 8, 0xFFFFFFF0), cut},
      {"TooManyNodes", put(kPart + 12, 0xFFFFFFFF), cut},
      {"FewerNodes", with([](YamlTree* t) { t->nodes.pop_back(); }), none},
      {"NoNodes", with([](YamlTree* t) { t->nodes.clear(); }), none},
      {"NodeCutShort",
       [&](std::string* bytes) {
         const uint32_t size = Get(*bytes, kPart + 12);
         bytes->erase(nodes + size - 1, 1);
         Put(bytes, kPart + 12, size - 1);
       },
       none},
      {"BeginsBeforeTheFile", [&](std::string* bytes) { (*bytes)[nodes] = 1; }, none},
      {"BeginsFarAway",
       [&](std::string* bytes) {
         Put(bytes, kPart + 12, Get(*bytes, kPart + 12) + 5);
         bytes->replace(nodes, 1, "\x82\x80\x80\x80\x80\x40");
       },
       none},
      {"NotUtf8", [](std::string* bytes) { (*bytes)[kText + 9] = '\xFF'; }, none},
      {"Nul", [](std::string* bytes) { (*bytes)[kText + 9] = '\0'; }, none},
      {"Control", [](std::string* bytes) { (*bytes)[kText + 9] = '\x1B'; }, none},
      {"BeginsBehindTheEnd", with([](YamlTree* t) { t->nodes[4].begin = 11; }), none},
      {"BeginsBefore", with([](YamlTree* t) { t->nodes[4].begin = 1; }), none},
      {"TextBehindTheEnd", with([](YamlTree* t) { t->nodes[4].text_or_end = 11; }), none},
      {"TextPastTheEnd", with([](YamlTree* t) { t->nodes[4].text_or_end = 9; }), none},
      {"TextFarAway", with([](YamlTree* t) { t->nodes[4].text_or_end = 0xFFFFFFFF; }), none},
      {"TextTooLarge", with([](YamlTree* t) { t->nodes[4].size = 0x1FFFFFFF; }), none},
      {"UnknownType", with([](YamlTree* t) { t->nodes[4].type = 7; }), none},
      {"EndsBeforeIt", with([](YamlTree* t) { t->nodes[2].text_or_end = 2; }), none},
      {"EndsInItself", with([](YamlTree* t) { t->nodes[2].text_or_end = 3; }), none},
      {"EndsTooEarly", with([](YamlTree* t) { t->nodes[2].text_or_end = 4; }), none},
      {"EndsTooLate", with([](YamlTree* t) { t->nodes[2].text_or_end = 6; }), none},
      {"MoreItems", with([](YamlTree* t) { t->nodes[2].size = 3; }), none},
      {"FewerItems", with([](YamlTree* t) { t->nodes[2].size = 1; }), none},
      {"KeyWithoutValue", with([](YamlTree* t) { t->nodes[0].size = 2; }), none},
      {"KeyIsAList", with([](YamlTree* t) { t->nodes[1].type = YamlTreeNode::kSequence; }), none},
      {"RootEndsTooEarly", with([](YamlTree* t) { t->nodes[0].text_or_end = 2; }), none},
      {"ProgramsTooLong", [](std::string* bytes) { Put(bytes, bytes->size() - 4, 9); },
       "s: is damaged: the conditions in it are cut short; compile it again\n"},
      {"NoPrograms", [](std::string* bytes) { bytes->resize(bytes->size() - 4); },
       "s: is damaged: the conditions in it are cut short; compile it again\n"},
      {"LeftOver", [](std::string* bytes) { bytes->push_back('x'); },
       "s: is damaged: bytes are left over; compile it again\n"},
  };
  for (const Row& row : rows) {
    std::string bytes = good;
    row.damage(&bytes);
    EXPECT_EQ(Load(Sealed(std::move(bytes))), row.issue) << row.name;
  }
}

TEST(DamageTest, FindsAKeyThatIsThereTwice) {
  const std::string text = "{a: 1, b: 2}";
  YamlTree tree;
  tree.source = text;
  tree.nodes = {{0, 5, YamlTreeNode::kMapping, 2},
                {1, 1, YamlTreeNode::kPlain, 1},
                {4, 4, YamlTreeNode::kPlain, 1},
                {7, 1, YamlTreeNode::kPlain, 1},  // `a` again, where `b` is
                {10, 10, YamlTreeNode::kPlain, 1}};
  const YamlDocument yaml(std::make_unique<YamlTree>(tree));
  EXPECT_EQ(Load(EncodeSnapshotFile({{"n", &text, &yaml}}, "", nullptr)),
            "s: is damaged: `n` in it is none that can be read; compile it again\n");
}

TEST(DamageTest, LintFindsATreeThatIsNotThatOfItsText) {
  const std::string text = absl::StrReplaceAll(kPolicy, {{"effect: deny", "effect: deny "}});
  std::string bytes = Compiled({{"p.yaml", text}});
  ASSERT_TRUE(LintPolicy({{"s", bytes}}).ok());
  std::vector<SourceFile> files = {{"s", bytes}};
  UnpackedFiles unpacked;
  std::vector<Issue> issues;
  UnpackSnapshotFiles({}, &files, &unpacked, &issues);
  YamlTree tree = unpacked.begin()->second.yaml.tree();
  // The rule that denies takes its effect from the one that allows.
  for (YamlTreeNode& node : tree.nodes) {
    if (node.begin != text.find("deny")) continue;
    node.text_or_end = static_cast<uint32_t>(text.find("allow"));
    node.size = 5;
  }
  const YamlDocument yaml(std::make_unique<YamlTree>(tree));
  // Without rules: else the tree does not decide.
  bytes = EncodeSnapshotFile({{"p.yaml", &text, &yaml}}, "", nullptr);
  const LoadResult loaded = LoadPolicy({{"s", bytes}});
  ASSERT_TRUE(loaded.ok()) << Issues(loaded);
  EXPECT_EQ(loaded.snapshot->rule(1).effect, Effect::kAllow);
  EXPECT_EQ(Issues(LintPolicy({{"s", bytes}})),
            "s/p.yaml: is not what the snapshot file decides by: `reeve compile` did not make it; "
            "compile it again, and look for who wrote it\n");
}

TEST(LimitsTest, HoldForEachFileInIt) {
  const std::string bytes = Compiled(Files());
  LoadLimits files;
  files.max_files = 1;
  EXPECT_EQ(Load(bytes, files), "s: holds more than 1 files\n");
  LoadLimits size;
  size.max_file_bytes = 100;
  EXPECT_EQ(Issues(LoadPolicy({{"s", bytes}, MoreSchema()}, size)),
            "s: holds `p.yaml`, which is longer than 100 bytes\n");
  // Alone, they are not read.
  EXPECT_EQ(Load(bytes, size), "loaded");
}

}  // namespace
}  // namespace reeve
