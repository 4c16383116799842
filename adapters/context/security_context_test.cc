// Contexts that are handed over: how long they live, what is exported, and each import with the
// record that it leaves.
#include "reeve/adapters/context/security_context.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <functional>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "reeve/adapters/context/context_body.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/context_testing.h"
#include "reeve/adapters/socket/names.h"
#include "reeve/engine/testing.h"

namespace reeve {
namespace {

using context_testing::Ada;
using context_testing::Describe;
using context_testing::MakeEngine;
using context_testing::PlainSeal;
using context_testing::TestPackage;
using context_testing::TestSession;
using context_testing::TextSink;
using context_testing::ThisProcess;
using testing::FakeClock;
using testing::MakeRule;

const absl::Time kNow = FakeClock().now;
const absl::Time kEstablished = kNow - absl::Minutes(1);
const absl::Time kExpires = kNow + absl::Hours(1);

SecurityContext ContextOf(Principal principal, absl::Time expires = kExpires) {
  absl::StatusOr<SecurityContext> context =
      SecurityContext::OfPrincipal(std::move(principal), kEstablished, expires);
  EXPECT_TRUE(context.ok()) << context.status();
  return *std::move(context);
}

EstablishedContext Established(Principal principal, const char* state = nullptr) {
  EstablishedContext context;
  context.principal = std::move(principal);
  context.established = kEstablished;
  context.expires = kExpires;
  if (state != nullptr) context.session = std::make_unique<TestSession>(state);
  return context;
}

SecurityContext WithSession(const char* state = "keys") {
  absl::StatusOr<SecurityContext> context =
      SecurityContext::Establish("krb5", Established(Ada(), state));
  EXPECT_TRUE(context.ok()) << context.status();
  return *std::move(context);
}

// ---- Whose a context can be.

struct PrincipalCase {
  const char* name;
  std::function<void(Principal*)> change;
  std::string want;  // Empty if it can.
};
std::ostream& operator<<(std::ostream& os, const PrincipalCase& c) { return os << c.name; }

constexpr char kProvenance[] = "the provenance is too long or has a control character";

const PrincipalCase kPrincipals[] = {
    {"Ada", [](Principal*) {}, ""},
    {"AssertedByTheProgram", [](Principal* p) { p->assurance = Assurance::kAsserted; }, ""},
    {"Anonymous", [](Principal* p) { *p = Principal(); }, "the principal is anonymous"},
    {"OfNoAssurance", [](Principal* p) { p->assurance = Assurance::kNone; },
     "the principal is anonymous"},
    {"OfNoId", [](Principal* p) { p->id.id = ""; }, "the entity id is empty"},
    {"OfNoType", [](Principal* p) { p->id.type = ""; }, "the entity type is empty"},
    {"OfAPathThatGoesUp", [](Principal* p) { p->id.id = "/a/../b"; },
     "the entity id has a `.` or `..` segment"},
    {"OfAMalformedGroup", [](Principal* p) { p->groups = {"a\nb"}; },
     "the entity id has a control character"},
    {"OfAMalformedParent",
     [](Principal* p) {
       p->parents = {{"role", "admin"}};
     },
     "the entity type `role` is reserved for roles of a policy"},
    {"OfAttributesOfNoText", [](Principal* p) { p->attributes.Set("a", Value::String("\xff")); },
     "an attribute is not valid UTF-8"},
    {"OfTwoLinesOfEvidence", [](Principal* p) { p->evidence = "a\nb"; }, kProvenance},
    {"OfLongEvidence", [](Principal* p) { p->evidence.assign(kMaxProvenanceBytes + 1, 'a'); },
     kProvenance},
};

class PrincipalTest : public ::testing::TestWithParam<PrincipalCase> {};

TEST_P(PrincipalTest, IsAccepted) {
  Principal principal = Ada();
  GetParam().change(&principal);
  const std::string want =
      GetParam().want.empty()
          ? "OK"
          : absl::StrCat("malformed: there is no context of this principal: ", GetParam().want);
  EXPECT_EQ(Describe(SecurityContext::OfPrincipal(principal, kEstablished, kExpires).status()),
            want);
  EXPECT_EQ(Describe(SecurityContext::Establish("krb5", Established(principal, "keys")).status()),
            want);
  EXPECT_EQ(TestSession::alive, 0);
}

INSTANTIATE_TEST_SUITE_P(, PrincipalTest, ::testing::ValuesIn(kPrincipals),
                         [](const auto& info) { return info.param.name; });

// ---- Lives.

constexpr char kEnded[] =
    "expired: the context ended at 2027-01-15T09:00:00+00:00; let the client authenticate again";
constexpr char kGone[] =
    "invalid_handle: the context was exported or moved away; nothing is left of it here";

struct LifeCase {
  const char* name;
  // Leaves the context to look at, and when.
  std::function<SecurityContext*(SecurityContext* context, std::optional<SecurityContext>* other)>
      change;
  absl::Time now;
  const char* want;  // Null if it lives.
};
std::ostream& operator<<(std::ostream& os, const LifeCase& c) { return os << c.name; }

SecurityContext* Untouched(SecurityContext* context, std::optional<SecurityContext>*) {
  return context;
}

const LifeCase kLives[] = {
    {"AtTheStart", Untouched, kNow, nullptr},
    {"JustBeforeTheEnd", Untouched, kExpires - absl::Nanoseconds(1), nullptr},
    {"AtTheEnd", Untouched, kExpires, kEnded},
    {"AfterTheEnd", Untouched, absl::InfiniteFuture(), kEnded},
    {"MovedTo",
     [](auto* context, auto* other) {
       other->emplace(std::move(*context));
       return &**other;
     },
     kNow, nullptr},
    {"MovedFrom",
     [](auto* context, auto* other) {
       other->emplace(std::move(*context));
       return context;
     },
     kNow, kGone},
    {"AssignedFrom",
     [](auto* context, auto* other) {
       other->emplace(ContextOf(Principal({"user", "bo"}, Assurance::kKernel)));
       **other = std::move(*context);
       return context;
     },
     kNow, kGone},
    {"AssignedTo",
     [](auto* context, auto* other) {
       other->emplace(ContextOf(Principal({"user", "bo"}, Assurance::kKernel)));
       *context = std::move(**other);
       **other = WithSession();
       return &**other;
     },
     kNow, nullptr},
    // Gone comes before expired: there is nothing that could have expired.
    {"MovedFromAfterTheEnd",
     [](auto* context, auto* other) {
       other->emplace(std::move(*context));
       return context;
     },
     kExpires, kGone},
    {"Exported",
     [](auto* context, auto*) {
       PlainSeal seal;
       FakeClock clock;
       ExportOptions options;
       options.sealer = &seal;
       options.clock = &clock;
       EXPECT_TRUE(std::move(*context).Export(options).ok());
       return context;
     },
     kNow, kGone},
};

class LifeTest : public ::testing::TestWithParam<LifeCase> {};

TEST_P(LifeTest, EndsForAllCallsAtOnce) {
  const LifeCase& c = GetParam();
  {
    SecurityContext first = WithSession();
    std::optional<SecurityContext> other;
    SecurityContext* const context = c.change(&first, &other);
    const absl::StatusOr<const Principal*> principal = context->principal(c.now);
    const absl::StatusOr<std::string> wrapped = context->Wrap("hello", true, c.now);
    const absl::StatusOr<ContextSession::Message> message =
        context->Unwrap("encrypted:hello", c.now);
    if (c.want == nullptr) {
      ASSERT_TRUE(principal.ok()) << principal.status();
      EXPECT_EQ(Describe(**principal), Describe(Ada()));
      EXPECT_EQ(context->package(), "krb5");
      EXPECT_EQ(context->established(), kEstablished);
      EXPECT_EQ(context->expires(), kExpires);
      EXPECT_TRUE(context->has_session());
      ASSERT_TRUE(wrapped.ok()) << wrapped.status();
      EXPECT_EQ(*wrapped, "encrypted:hello");
      ASSERT_TRUE(message.ok()) << message.status();
      EXPECT_EQ(message->text, "hello");
      EXPECT_TRUE(message->encrypted);
      EXPECT_EQ(TestSession::alive, 1);
    } else {
      for (const absl::Status& status : {principal.status(), wrapped.status(), message.status()}) {
        EXPECT_EQ(Describe(status), c.want);
      }
    }
  }
  EXPECT_EQ(TestSession::alive, 0);
}

INSTANTIATE_TEST_SUITE_P(, LifeTest, ::testing::ValuesIn(kLives),
                         [](const auto& info) { return info.param.name; });

TEST(SecurityContextTest, HasNoMessagesWithoutASession) {
  SecurityContext context = ContextOf(Ada());
  EXPECT_EQ(context.package(), "reeve");
  EXPECT_FALSE(context.has_session());
  EXPECT_EQ(Describe(context.Wrap("hello", false, kNow).status()),
            "not_supported: the context has no session to protect messages with");
  EXPECT_EQ(Describe(context.Unwrap("plain:hello", kNow).status()),
            "not_supported: the context has no session that messages could be of");
}

TEST(SecurityContextTest, SaysWhatItsSessionSays) {
  SecurityContext context = WithSession();
  EXPECT_EQ(*context.Wrap("hello", false, kNow), "plain:hello");
  EXPECT_EQ(Describe(context.Unwrap("hello", kNow).status()),
            "message_altered: the message is another");
}

// ---- Export.

struct ExportCase {
  const char* name;
  std::function<SecurityContext()> make;
  std::function<void(ExportOptions*, PlainSeal*)> change;
  // What the seal and the body say, or the error.
  std::string want;
};
std::ostream& operator<<(std::ostream& os, const ExportCase& c) { return os << c.name; }

SecurityContext OfAda() { return ContextOf(Ada()); }

const ExportCase kExports[] = {
    {"Principal", OfAda, [](auto*, auto*) {},
     "sealed +0s..+1m, reeve -1m..+1h of user:ada@EXAMPLE.COM with ``"},
    // No key travels unless it is asked for.
    {"PrincipalOfASession", [] { return WithSession(); }, [](auto*, auto*) {},
     "sealed +0s..+1m, reeve -1m..+1h of user:ada@EXAMPLE.COM with ``"},
    {"Session", [] { return WithSession(); }, [](auto* o, auto*) { o->with_session = true; },
     "sealed +0s..+1m, krb5 -1m..+1h of user:ada@EXAMPLE.COM with `keys`"},
    {"Window", OfAda, [](auto* o, auto*) { o->window = absl::Minutes(2); },
     "sealed +0s..+2m, reeve -1m..+1h of user:ada@EXAMPLE.COM with ``"},
    {"WindowEndsWithTheContext", OfAda, [](auto* o, auto*) { o->window = absl::Hours(2); },
     "sealed +0s..+1h, reeve -1m..+1h of user:ada@EXAMPLE.COM with ``"},
    {"MaxLifetime", OfAda, [](auto* o, auto*) { o->max_lifetime = absl::Minutes(10); },
     "sealed +0s..+1m, reeve -1m..+10m of user:ada@EXAMPLE.COM with ``"},
    {"MaxLifetimeEndsTheWindow", OfAda, [](auto* o, auto*) { o->max_lifetime = absl::Seconds(9); },
     "sealed +0s..+9s, reeve -1m..+9s of user:ada@EXAMPLE.COM with ``"},
    {"ForEver", [] { return ContextOf(Ada(), absl::InfiniteFuture()); }, [](auto*, auto*) {},
     "sealed +0s..+1m, reeve -1m..+inf of user:ada@EXAMPLE.COM with ``"},
    {"NoSealer", OfAda, [](auto* o, auto*) { o->sealer = nullptr; },
     "INVALID_ARGUMENT: ExportOptions::sealer is null"},
    {"NoWindow", OfAda, [](auto* o, auto*) { o->window = absl::ZeroDuration(); },
     "INVALID_ARGUMENT: a time of ExportOptions is not more than zero"},
    {"NoLifetime", OfAda, [](auto* o, auto*) { o->max_lifetime = -absl::Seconds(1); },
     "INVALID_ARGUMENT: a time of ExportOptions is not more than zero"},
    {"Expired", [] { return ContextOf(Ada(), kNow); }, [](auto*, auto*) {},
     "expired: the context ended at 2027-01-15T08:00:00+00:00; let the client authenticate again"},
    {"MovedFrom",
     [] {
       SecurityContext context = ContextOf(Ada());
       SecurityContext other = std::move(context);
       return context;  // NOLINT(bugprone-use-after-move)
     },
     [](auto*, auto*) {}, kGone},
    {"NoSession", OfAda, [](auto* o, auto*) { o->with_session = true; },
     "not_supported: the context has no session to take along; set ExportOptions::with_session to "
     "false"},
    {"BrokenSession", [] { return WithSession("broken"); },
     [](auto* o, auto*) { o->with_session = true; }, "mechanism: the session is broken"},
    {"BrokenSealer", [] { return WithSession(); },
     [](auto*, auto* seal) {
       seal->sealing = MakeContextError(ContextError::kWrongTarget, "the target is gone");
     },
     "wrong_target: the target is gone"},
    {"MalformedPackage",
     [] { return *SecurityContext::Establish("Kerberos", Established(Ada(), "keys")); },
     [](auto* o, auto*) { o->with_session = true; },
     "malformed: the context cannot be exported: the package's name is malformed"},
    {"TooLarge",
     [] {
       Principal ada = Ada();
       ada.attributes.Set("blob", Value::Bytes(std::string(kMaxSealedBodyBytes, 'a')));
       return ContextOf(ada);
     },
     [](auto*, auto*) {},
     "malformed: the context cannot be exported: it takes 65145 bytes, more than 65024; give the "
     "principal fewer groups or attributes"},
};

std::string Since(absl::Time time) {
  const absl::Duration since = time - kNow;
  return absl::StrCat(since < absl::ZeroDuration() ? "" : "+",
                      since == absl::ZeroDuration() ? "0s" : absl::FormatDuration(since));
}

class ExportTest : public ::testing::TestWithParam<ExportCase> {};

TEST_P(ExportTest, EndsTheContextInAnyCase) {
  PlainSeal seal;
  FakeClock clock;
  ExportOptions options;
  options.sealer = &seal;
  options.clock = &clock;
  GetParam().change(&options, &seal);
  SecurityContext context = GetParam().make();
  const absl::StatusOr<std::string> packed = std::move(context).Export(options);
  // Nothing of it stays, and it cannot be exported again.
  EXPECT_EQ(TestSession::alive, 0);
  EXPECT_EQ(Describe(context.principal(kNow).status()), kGone);
  if (options.sealer != nullptr && options.window > absl::ZeroDuration() &&
      options.max_lifetime > absl::ZeroDuration()) {
    EXPECT_EQ(Describe(std::move(context).Export(options).status()), kGone);
  }
  if (!packed.ok()) {
    EXPECT_EQ(Describe(packed.status()), GetParam().want);
    return;
  }
  const absl::StatusOr<OpenedSeal> opened = seal.Open(
      absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(packed->data()), packed->size()), kNow,
      nullptr);
  ASSERT_TRUE(opened.ok()) << opened.status();
  const absl::StatusOr<ContextBody> body = DecodeContextBody(opened->body.span());
  ASSERT_TRUE(body.ok()) << body.status();
  EXPECT_EQ(absl::StrReplaceAll(
                absl::StrCat("sealed ", Since(opened->not_before), "..", Since(opened->expires),
                             ", ", body->package, " ", Since(body->established), "..",
                             Since(body->expires), " of ", ToString(body->principal.id), " with `",
                             std::string(body->payload.view()), "`"),
                {{"m0s", "m"}, {"h0m", "h"}}),
            GetParam().want);
  EXPECT_EQ(Describe(body->principal), Describe(Ada()));
}

INSTANTIATE_TEST_SUITE_P(, ExportTest, ::testing::ValuesIn(kExports),
                         [](const auto& info) { return info.param.name; });

// ---- Import.

// What an import takes place in. The policy lets this process hand over who is in `staff`, and
// whoever bears it a context of `token:*`.
struct World {
  World() {
    Rule obliged = MakeRule("+obliged", {"user:*"}, {"context.import"}, {"group:obliged"});
    obliged.obligations = {{"log"}};
    engine =
        MakeEngine({MakeRule("+front", {"user:*"}, {"context.import"}, {"group:staff"}),
                    MakeRule("-never", {"anyone"}, {"context.import"}, {"group:admins"}),
                    MakeRule("+bearers", {"anyone"}, {"context.import"}, {"token:*"}), obliged},
                   &clock, &sink);
    authorizer = std::make_unique<ImportByPolicy>(*engine);
    options.packages = {&krb5, &jwt};
    options.opener = &seal;
    options.exporter = &peer;
    options.authorizer = authorizer.get();
    options.clock = &clock;
  }

  // A context as it travels.
  std::string Seal(const ContextBody& body) const {
    const absl::StatusOr<SecretBytes> bytes = EncodeContextBody(body);
    EXPECT_TRUE(bytes.ok()) << bytes.status();
    return SealBytes(bytes->view());
  }
  std::string SealBytes(std::string_view bytes) const {
    return *seal.Seal(
        absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()), kNow,
        kNow + absl::Minutes(1));
  }

  FakeClock clock;
  TextSink sink;
  PlainSeal seal;
  PeerToken peer = ThisProcess();
  // What the packages make of any bytes.
  std::function<absl::StatusOr<EstablishedContext>()> proved = [] {
    return Established(Ada(), "keys");
  };
  TestPackage krb5{"krb5", /*sealed=*/true, [this](auto) { return proved(); }};
  TestPackage jwt{"jwt", /*sealed=*/false, [this](auto) { return proved(); }};
  std::unique_ptr<Engine> engine;
  std::unique_ptr<ImportByPolicy> authorizer;
  ImportOptions options;
};

ContextBody Body(Principal principal, std::string_view package = "reeve",
                 std::string_view payload = "") {
  ContextBody body;
  body.package = std::string(package);
  body.principal = std::move(principal);
  body.established = kEstablished;
  body.expires = kExpires;
  body.payload = SecretBytes(payload);
  return body;
}

Principal Bearer() {
  Principal bearer({"token", "jo"}, Assurance::kCrypto);
  bearer.via = "jwt";
  return bearer;
}

struct ImportCase {
  const char* name;
  const char* package;
  // Makes the packed context, and changes the world.
  std::function<std::string(World*)> pack;
  // Of a context: its times and its principal. Else the error. SELF is this process.
  std::string want;
  // The record; empty if there is none.
  std::string want_row;
};
std::ostream& operator<<(std::ostream& os, const ImportCase& c) { return os << c.name; }

std::string PackAda(World* w) { return w->Seal(Body(Ada())); }
std::string PackSession(World* w) { return w->Seal(Body(Ada(), "krb5", "keys")); }

// What is recorded of Ada, up to the context.
constexpr char kOfAda[] =
    "SELF context.import user:ada@EXAMPLE.COM in [realm:EXAMPLE.COM group:staff] {\"acr\": "
    "\"mfa\"}";
std::string AdaRow(const char* outcome, const char* package = "reeve",
                   const char* expires = "2027-01-15T09:00:00Z") {
  return absl::StrCat(
      outcome, " | ", kOfAda,
      " | {\"assurance\": \"crypto\", \"evidence\": \"ticket of 12:00\", \"expires\": timestamp(\"",
      expires, "\"), \"groups_complete\": true, \"package\": \"", package,
      "\", \"seal\": \"seal=plain\", \"via\": \"krb5\"} | ");
}
// What is recorded of a context of which nothing is known but the seal.
std::string RefusedRow(const char* error, const char* package = "reeve",
                       const char* seal = ", \"seal\": \"seal=plain\"") {
  return absl::StrCat("deny bad_request [] | SELF context.import context:", package,
                      " in [] none | {\"package\": \"", package, "\"", seal, "} | ", error);
}
constexpr char kAdaSealed[] =
    "user:ada@EXAMPLE.COM crypto [staff] in [realm:EXAMPLE.COM] {\"acr\": \"mfa\"} via `krb5` host "
    "`laptop7` actor `` evidence `ticket of 12:00; seal=plain exporter=SELF`";
std::string Imported(const char* package, const char* times, std::string_view principal) {
  return absl::StrCat(package, " ", times, " ", std::string(principal));
}

const ImportCase kImports[] = {
    {"Principal", "reeve", PackAda, Imported("reeve", "-1m..+1h", kAdaSealed),
     AdaRow("allow allow_rule [front]")},
    {"Session", "krb5", PackSession, Imported("krb5 with session", "-1m..+1h", kAdaSealed),
     AdaRow("allow allow_rule [front]", "krb5")},
    // The mechanism's word stands, but for who it is.
    {"SessionKnowsBetter", "krb5",
     [](World* w) {
       Principal stated = Ada();
       stated.groups = {"admins"};
       stated.assurance = Assurance::kAsserted;
       stated.evidence = "invented";
       return w->Seal(Body(stated, "krb5", "keys"));
     },
     Imported("krb5 with session", "-1m..+1h", kAdaSealed),
     AdaRow("allow allow_rule [front]", "krb5")},
    {"SessionEndsFirst", "krb5",
     [](World* w) {
       w->proved = [] {
         EstablishedContext context = Established(Ada(), "keys");
         context.expires = kNow + absl::Minutes(5);
         return context;
       };
       return PackSession(w);
     },
     Imported("krb5 with session", "-1m..+5m", kAdaSealed),
     AdaRow("allow allow_rule [front]", "krb5", "2027-01-15T08:05:00Z")},
    {"ExporterEndsFirst", "krb5",
     [](World* w) {
       ContextBody body = Body(Ada(), "krb5", "keys");
       body.expires = kNow + absl::Minutes(5);
       return w->Seal(body);
     },
     Imported("krb5 with session", "-1m..+5m", kAdaSealed),
     AdaRow("allow allow_rule [front]", "krb5", "2027-01-15T08:05:00Z")},
    {"ImporterEndsFirst", "krb5",
     [](World* w) {
       w->options.max_lifetime = absl::Minutes(5);
       return PackSession(w);
     },
     Imported("krb5 with session", "-1m..+5m", kAdaSealed),
     AdaRow("allow allow_rule [front]", "krb5", "2027-01-15T08:05:00Z")},
    {"ForEverEndsAfterADay", "reeve",
     [](World* w) {
       ContextBody body = Body(Ada());
       body.expires = absl::InfiniteFuture();
       return w->Seal(body);
     },
     Imported("reeve", "-1m..+24h", kAdaSealed),
     AdaRow("allow allow_rule [front]", "reeve", "2027-01-16T08:00:00Z")},
    {"ForEverIfTheImporterLetsIt", "reeve",
     [](World* w) {
       ContextBody body = Body(Ada());
       body.expires = absl::InfiniteFuture();
       w->options.max_lifetime = absl::InfiniteDuration();
       return w->Seal(body);
     },
     Imported("reeve", "-1m..+inf", kAdaSealed),
     AdaRow("allow allow_rule [front]", "reeve", "infinite-future")},
    {"NoClock", "reeve",
     [](World* w) {
       // The clock of a machine that has lost it.
       w->clock.now = absl::InfiniteFuture();
       return PackAda(w);
     },
     "expired: the seal has expired", RefusedRow("expired: the seal has expired", "reeve", "")},
    {"LivesForASecond", "reeve",
     [](World* w) {
       ContextBody body = Body(Ada());
       body.expires = kNow + absl::Seconds(1);
       return w->Seal(body);
     },
     Imported("reeve", "-1m..+1s", kAdaSealed),
     AdaRow("allow allow_rule [front]", "reeve", "2027-01-15T08:00:01Z")},
    // Of who bears it, without exporter, and without a seal.
    {"Unsealed", "jwt",
     [](World* w) {
       w->proved = [] { return Established(Bearer()); };
       w->options.exporter = nullptr;
       w->options.opener = nullptr;
       return std::string("a.b.c");
     },
     Imported("jwt", "-1m..+1h",
              "token:jo crypto [] in [] {} via `jwt` host `` actor `` evidence ``"),
     "allow allow_rule [bearers] | anonymous:anonymous context.import token:jo in [] {} | "
     "{\"assurance\": \"crypto\", \"evidence\": \"\", \"expires\": "
     "timestamp(\"2027-01-15T09:00:00Z\"), \"groups_complete\": true, \"package\": \"jwt\", "
     "\"via\": \"jwt\"} | "},
    {"UnsealedFromAnExporter", "jwt",
     [](World* w) {
       w->proved = [] { return Established(Bearer()); };
       return std::string("a.b.c");
     },
     Imported("jwt", "-1m..+1h",
              "token:jo crypto [] in [] {} via `jwt` host `` actor `` evidence `exporter=SELF`"),
     "allow allow_rule [bearers] | SELF context.import token:jo in [] {} | {\"assurance\": "
     "\"crypto\", \"evidence\": \"\", \"expires\": timestamp(\"2027-01-15T09:00:00Z\"), "
     "\"groups_complete\": true, \"package\": \"jwt\", \"via\": \"jwt\"} | "},
    {"GroupsThatAreNotAllKnown", "reeve",
     [](World* w) {
       Principal ada = Ada();
       ada.groups_complete = false;
       return w->Seal(Body(ada));
     },
     Imported("reeve", "-1m..+1h", absl::StrReplaceAll(kAdaSealed, {{"[staff]", "[staff ...]"}})),
     absl::StrReplaceAll(AdaRow("allow allow_rule [front]"),
                         {{"\"groups_complete\": true", "\"groups_complete\": false"}})},

    // What is refused before anybody is asked.
    {"UnknownPackage", "ntlm", PackAda,
     "unknown_package: there is no package `ntlm` here; this program imports reeve, krb5, jwt",
     RefusedRow("unknown_package: there is no package `ntlm` here; this program imports reeve, "
                "krb5, jwt",
                "ntlm", "")},
    {"NoPackage", "", PackAda,
     "unknown_package: there is no package `` here; this program imports reeve, krb5, jwt",
     RefusedRow("unknown_package: there is no package `` here; this program imports reeve, krb5, "
                "jwt",
                "", "")},
    {"PackageOfAnotherCase", "KRB5", PackSession,
     "unknown_package: there is no package `KRB5` here; this program imports reeve, krb5, jwt",
     RefusedRow("unknown_package: there is no package `KRB5` here; this program imports reeve, "
                "krb5, jwt",
                "KRB5", "")},
    {"NoOpener", "reeve",
     [](World* w) {
       w->options.opener = nullptr;
       return PackAda(w);
     },
     "no_credentials: this program has no key to open sealed contexts with; set "
     "ImportOptions::opener",
     RefusedRow("no_credentials: this program has no key to open sealed contexts with; set "
                "ImportOptions::opener",
                "reeve", "")},
    {"SealRefuses", "reeve",
     [](World* w) {
       w->seal.opening = MakeContextError(ContextError::kAuthenticationFailed, "it was changed");
       return std::string("x");
     },
     "authentication_failed: it was changed",
     RefusedRow("authentication_failed: it was changed", "reeve", "")},
    {"Replayed", "reeve",
     [](World* w) {
       const std::string packed = PackAda(w);
       EXPECT_TRUE(ImportSecurityContext("reeve", packed, w->options).ok());
       return packed;
     },
     "replayed: the seal was opened before",
     AdaRow("allow allow_rule [front]") + "\n" +
         RefusedRow("replayed: the seal was opened before", "reeve", "")},
    {"NoBody", "reeve", [](World* w) { return w->SealBytes(""); },
     "malformed: the body of the context is malformed: byte 0: the bytes end too early; it was "
     "sealed by a program that does not keep to the format",
     RefusedRow("malformed: the body of the context is malformed: byte 0: the bytes end too early; "
                "it was sealed by a program that does not keep to the format")},
    {"BodyOfAnotherFormat", "reeve", [](World* w) { return w->SealBytes("\x02"); },
     "unsupported_version: the body of the context is of format 2; this program knows 1, so bring "
     "exporter and importer to one version",
     RefusedRow("unsupported_version: the body of the context is of format 2; this program knows "
                "1, so bring exporter and importer to one version")},
    {"BodyOfAPackage", "reeve", PackSession,
     "mechanism: the context is of package `krb5` and was imported as `reeve`; name the package "
     "that it was exported with",
     RefusedRow("mechanism: the context is of package `krb5` and was imported as `reeve`; name the "
                "package that it was exported with")},
    {"BodyOfReeve", "krb5", PackAda,
     "mechanism: the context is of package `reeve` and was imported as `krb5`; name the package "
     "that it was exported with",
     RefusedRow("mechanism: the context is of package `reeve` and was imported as `krb5`; name the "
                "package that it was exported with",
                "krb5")},
    {"PayloadOfReeve", "reeve", [](World* w) { return w->Seal(Body(Ada(), "reeve", "keys")); },
     "malformed: the context is of package `reeve` and holds more than a principal",
     RefusedRow("malformed: the context is of package `reeve` and holds more than a principal")},
    {"MechanismRefuses", "krb5",
     [](World* w) {
       w->proved = [] { return MakeContextError(ContextError::kMechanism, "no such ticket"); };
       return PackSession(w);
     },
     "mechanism: no such ticket", RefusedRow("mechanism: no such ticket", "krb5")},
    {"ProvedAnother", "krb5",
     [](World* w) {
       w->proved = [] {
         Principal bo = Ada();
         bo.id.id = "bo@EXAMPLE.COM";
         return Established(bo, "keys");
       };
       return PackSession(w);
     },
     "mechanism: the context is of `user:bo@EXAMPLE.COM`, and its exporter says that it is of "
     "`user:ada@EXAMPLE.COM`; do not believe that exporter",
     RefusedRow("mechanism: the context is of `user:bo@EXAMPLE.COM`, and its exporter says that it "
                "is of `user:ada@EXAMPLE.COM`; do not believe that exporter",
                "krb5")},
    {"ProvedNobody", "jwt",
     [](World* w) {
       w->proved = [] { return Established(Principal()); };
       return std::string("a.b.c");
     },
     "mechanism: package `jwt` made no principal: the principal is anonymous",
     RefusedRow("mechanism: package `jwt` made no principal: the principal is anonymous", "jwt",
                "")},
    {"ProvedNoName", "jwt",
     [](World* w) {
       w->proved = [] { return Established(Principal({"user", "a\nb"}, Assurance::kCrypto)); };
       return std::string("a.b.c");
     },
     "mechanism: package `jwt` made no principal: the entity id has a control character",
     RefusedRow("mechanism: package `jwt` made no principal: the entity id has a control "
                "character",
                "jwt", "")},
    {"EndsNow", "reeve",
     [](World* w) {
       ContextBody body = Body(Ada());
       body.expires = kNow;
       return w->Seal(body);
     },
     "expired: the context ended at 2027-01-15T08:00:00+00:00; let the client authenticate again",
     RefusedRow("expired: the context ended at 2027-01-15T08:00:00+00:00; let the client "
                "authenticate again")},
    {"SessionEndedBefore", "krb5",
     [](World* w) {
       w->proved = [] {
         EstablishedContext context = Established(Ada(), "keys");
         context.expires = kNow - absl::Hours(1);
         return context;
       };
       return PackSession(w);
     },
     "expired: the context ended at 2027-01-15T07:00:00+00:00; let the client authenticate again",
     RefusedRow("expired: the context ended at 2027-01-15T07:00:00+00:00; let the client "
                "authenticate again",
                "krb5")},

    // What the policy refuses.
    {"NobodyAllows", "reeve",
     [](World* w) {
       Principal ada = Ada();
       ada.groups = {"guests"};
       return w->Seal(Body(ada));
     },
     "exporter_not_allowed: no rule lets `SELF` hand over `user:ada@EXAMPLE.COM` (no_rule); allow "
     "the action `context.import`, or see the record ID",
     absl::StrReplaceAll(AdaRow("deny no_rule []"), {{"group:staff", "group:guests"}})},
    {"NobodyAllowsTheAnonymous", "reeve",
     [](World* w) {
       w->options.exporter = nullptr;
       return PackAda(w);
     },
     "exporter_not_allowed: no rule lets `anonymous:anonymous` hand over `user:ada@EXAMPLE.COM` "
     "(no_rule); allow the action `context.import`, or see the record ID",
     absl::StrReplaceAll(AdaRow("deny no_rule []"), {{"SELF", "anonymous:anonymous"}})},
    {"ARuleDenies", "reeve",
     [](World* w) {
       Principal ada = Ada();
       ada.groups.push_back("admins");
       return w->Seal(Body(ada));
     },
     "exporter_not_allowed: no rule lets `SELF` hand over `user:ada@EXAMPLE.COM` (deny_rule); "
     "allow the action `context.import`, or see the record ID",
     absl::StrReplaceAll(AdaRow("deny deny_rule [never]"),
                         {{"group:staff", "group:staff group:admins"}})},
    {"ARuleAllowsWithObligations", "reeve",
     [](World* w) {
       Principal ada = Ada();
       ada.groups = {"obliged"};
       return w->Seal(Body(ada));
     },
     "exporter_not_allowed: rule `obliged` lets the context be imported with obligations, which "
     "nothing meets; take them off the rule",
     absl::StrReplaceAll(AdaRow("allow allow_rule [obliged]"), {{"group:staff", "group:obliged"}})},
    {"NotRecorded", "reeve",
     [](World* w) {
       w->sink.status = absl::UnavailableError("the disk is full");
       return PackAda(w);
     },
     "internal: the import could not be recorded: the disk is full",
     AdaRow("allow allow_rule [front]")},
    // The first reason stands.
    {"RefusedAndNotRecorded", "reeve",
     [](World* w) {
       w->sink.status = absl::UnavailableError("the disk is full");
       return w->SealBytes("\x02");
     },
     "unsupported_version: the body of the context is of format 2; this program knows 1, so bring "
     "exporter and importer to one version",
     RefusedRow("unsupported_version: the body of the context is of format 2; this program knows "
                "1, so bring exporter and importer to one version")},

    // Options that break a rule: nothing is opened, nothing recorded.
    {"NoAuthorizer", "reeve",
     [](World* w) {
       w->options.authorizer = nullptr;
       return PackAda(w);
     },
     "INVALID_ARGUMENT: ImportOptions::authorizer is null; give it an ImportByPolicy", ""},
    {"NoLifetime", "reeve",
     [](World* w) {
       w->options.max_lifetime = absl::ZeroDuration();
       return PackAda(w);
     },
     "INVALID_ARGUMENT: ImportOptions::max_lifetime is not more than zero", ""},
};

// What every run has another of.
std::string Plain(std::string text) {
  const std::string self = absl::StrCat("user:uid:", getuid());
  text = absl::StrReplaceAll(text, {{self, "SELF"}, {"m0s", "m"}, {"h0m", "h"}});
  constexpr std::string_view kRecord = "see the record ";
  if (const size_t at = text.find(kRecord); at != std::string::npos) {
    text.replace(at + kRecord.size(), 36, "ID");
  }
  return text;
}

class ImportTest : public ::testing::TestWithParam<ImportCase> {};

TEST_P(ImportTest, IsDecidedAndRecorded) {
  const ImportCase& c = GetParam();
  {
    World world;
    const std::string packed = c.pack(&world);
    const absl::StatusOr<SecurityContext> context =
        ImportSecurityContext(c.package, packed, world.options);
    std::string got;
    if (context.ok()) {
      const absl::StatusOr<const Principal*> principal = context->principal(kNow);
      ASSERT_TRUE(principal.ok()) << principal.status();
      got = absl::StrCat(std::string(context->package()),
                         context->has_session() ? " with session " : " ",
                         Since(context->established()), "..", Since(context->expires()), " ",
                         Describe(**principal));
    } else {
      got = Describe(context.status());
    }
    EXPECT_EQ(Plain(got), c.want);
    std::string rows;
    for (const std::string& row : world.sink.rows()) {
      absl::StrAppend(&rows, rows.empty() ? "" : "\n", row);
    }
    EXPECT_EQ(Plain(rows), c.want_row);
  }
  EXPECT_EQ(TestSession::alive, 0);
}

INSTANTIATE_TEST_SUITE_P(, ImportTest, ::testing::ValuesIn(kImports),
                         [](const auto& info) { return info.param.name; });

// Terminals obey no name of a package, neither in the message nor in the record.
TEST(ImportSecurityContextTest, PrintsNamesSafely) {
  World world;
  const std::string name = "a\x1b[2J\n" + std::string(500, 'b');
  const absl::Status status = ImportSecurityContext(name, "x", world.options).status();
  EXPECT_EQ(ContextErrorOf(status), ContextError::kUnknownPackage);
  ASSERT_EQ(world.sink.rows().size(), 1u);
  for (const std::string& text : {std::string(status.message()), world.sink.rows()[0]}) {
    EXPECT_EQ(text.find_first_of("\x1b\n"), std::string::npos) << text;
    EXPECT_LT(text.size(), 500u);
  }
}

// However long what the mechanism saw: the seal stands at its end, and it can be handed on.
TEST(ImportSecurityContextTest, KeepsEvidenceWithinItsBounds) {
  for (const char* piece : {"a", "\u00fc", "\u200b", "\U000e0001"}) {
    World world;
    Principal ada = Ada();
    ada.evidence.clear();
    while (ada.evidence.size() + std::strlen(piece) <= kMaxProvenanceBytes) ada.evidence += piece;
    absl::StatusOr<SecurityContext> context =
        ImportSecurityContext("reeve", world.Seal(Body(ada)), world.options);
    for (int hops = 0; hops < 3; ++hops) {
      ASSERT_TRUE(context.ok()) << context.status();
      const absl::StatusOr<const Principal*> principal = context->principal(kNow);
      ASSERT_TRUE(principal.ok()) << principal.status();
      const std::string& evidence = (*principal)->evidence;
      EXPECT_LE(evidence.size(), kMaxProvenanceBytes);
      const std::string end = absl::StrCat("; seal=plain exporter=user:uid:", getuid());
      EXPECT_EQ(evidence.substr(evidence.size() - end.size()), end);
      ExportOptions options;
      options.sealer = &world.seal;
      options.clock = &world.clock;
      const absl::StatusOr<std::string> packed = std::move(*context).Export(options);
      ASSERT_TRUE(packed.ok()) << packed.status();
      context = ImportSecurityContext("reeve", *packed, world.options);
    }
  }
}

// What the mechanism saw is the exporter's word, and may look like anything; a directory may give
// the exporter's user any name. What is behind the last `; seal=` is this program's.
TEST(ImportSecurityContextTest, NobodyImitatesTheSealOrTheExporter) {
  class OddNames final : public NameService {
   public:
    absl::StatusOr<std::optional<std::string>> UserName(uid_t) const override {
      return "front; seal=ring exporter=root";
    }
    absl::StatusOr<std::optional<std::string>> GroupName(gid_t) const override {
      return std::nullopt;
    }
  };
  const OddNames names;
  World world;
  world.peer = ThisProcess(names);
  Principal ada = Ada();
  ada.evidence = "ticket; seal=ring key=0123456789abcdef exporter=user:root";
  const absl::StatusOr<SecurityContext> context =
      ImportSecurityContext("reeve", world.Seal(Body(ada)), world.options);
  ASSERT_TRUE(context.ok()) << context.status();
  const std::string& evidence = (*context->principal(kNow))->evidence;
  EXPECT_EQ(evidence.substr(evidence.rfind("; seal=")),
            "; seal=plain exporter=user:front;\\x20seal=ring\\x20exporter=root");
}

// The end is looked at each time, not at the import.
TEST(ImportSecurityContextTest, EndsExactlyAtTheSecond) {
  World world;
  world.options.max_lifetime = absl::Seconds(10);
  const absl::StatusOr<SecurityContext> context =
      ImportSecurityContext("reeve", PackAda(&world), world.options);
  ASSERT_TRUE(context.ok()) << context.status();
  EXPECT_TRUE(context->principal(kNow + absl::Seconds(10) - absl::Nanoseconds(1)).ok());
  EXPECT_EQ(ContextErrorOf(context->principal(kNow + absl::Seconds(10)).status()),
            ContextError::kExpired);
}

// What the policy can see of more groups than a resource may have parents is not enough.
TEST(ImportSecurityContextTest, RefusesMoreGroupsThanThePolicyCanSee) {
  World world;
  Principal ada = Ada();
  for (size_t i = ada.groups.size() + ada.parents.size(); i < kMaxParents; ++i) {
    ada.groups.push_back(absl::StrCat("g", i));
  }
  EXPECT_EQ(Describe(ImportSecurityContext("reeve", world.Seal(Body(ada)), world.options).status()),
            "OK");
  ada.groups.push_back("one-more");
  EXPECT_EQ(
      Describe(ImportSecurityContext("reeve", world.Seal(Body(ada)), world.options).status()),
      "exporter_not_allowed: no rule can be asked whether `user:ada@EXAMPLE.COM` may be handed "
      "over: the resource has too many parents");
}

// The record has all that is known of who handed over, or that there was nobody.
TEST(ImportByPolicyTest, RecordsTheExporter) {
  World world;
  EXPECT_TRUE(ImportSecurityContext("reeve", PackAda(&world), world.options).ok());
  EXPECT_FALSE(ImportSecurityContext("reeve", "", world.options).ok());
  world.options.exporter = nullptr;
  EXPECT_FALSE(ImportSecurityContext("reeve", "", world.options).ok());
  const std::string peer = Describe(world.peer.principal());
  EXPECT_EQ(world.sink.principals(),
            (std::vector<std::string>{peer, peer,
                                      "anonymous:anonymous none [] in [] {} via `context` host `` "
                                      "actor `` evidence `no exporter`"}));
}

TEST(ImportByPolicyTest, RefusesWithoutAPolicy) {
  World world;
  Engine::Options options;
  options.audit = &world.sink;
  options.clock = &world.clock;
  const absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(options);
  ImportByPolicy authorizer(**engine);
  world.options.authorizer = &authorizer;
  EXPECT_EQ(
      Plain(Describe(ImportSecurityContext("reeve", PackAda(&world), world.options).status())),
      "exporter_not_allowed: no rule lets `SELF` hand over `user:ada@EXAMPLE.COM` "
      "(no_policy); allow the action `context.import`, or see the record ID");
}

}  // namespace
}  // namespace reeve
