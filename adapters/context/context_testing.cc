#include "reeve/adapters/context/context_testing.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/adapters/context/context_error.h"

namespace reeve::context_testing {
namespace {

// What stands in front of the body.
struct Head {
  uint64_t number;
  absl::Time not_before;
  absl::Time expires;
};

std::string Names(absl::Span<const EntityId> entities) {
  return absl::StrCat("[",
                      absl::StrJoin(entities, " ",
                                    [](std::string* out, const EntityId& id) {
                                      absl::StrAppend(out, ToString(id));
                                    }),
                      "]");
}

}  // namespace

absl::StatusOr<std::string> PlainSeal::Seal(absl::Span<const uint8_t> body, absl::Time not_before,
                                            absl::Time expires) const {
  if (!sealing.ok()) return sealing;
  Head head = {0, not_before, expires};
  {
    MutexLock lock(mutex_);
    head.number = ++last_;
  }
  std::string packed(sizeof(head) + body.size(), '\0');
  std::memcpy(packed.data(), &head, sizeof(head));
  std::memcpy(packed.data() + sizeof(head), body.data(), body.size());
  return packed;
}

absl::StatusOr<OpenedSeal> PlainSeal::Open(absl::Span<const uint8_t> packed, absl::Time now,
                                           const PeerToken*) {
  if (!opening.ok()) return opening;
  Head head;
  if (packed.size() < sizeof(head)) {
    return MakeContextError(ContextError::kMalformed, "the seal is too short");
  }
  std::memcpy(static_cast<void*>(&head), packed.data(), sizeof(head));
  if (now < head.not_before) {
    return MakeContextError(ContextError::kNotYetValid, "the seal is not yet valid");
  }
  if (now >= head.expires) return MakeContextError(ContextError::kExpired, "the seal has expired");
  {
    MutexLock lock(mutex_);
    if (!opened_.insert(head.number).second) {
      return MakeContextError(ContextError::kReplayed, "the seal was opened before");
    }
  }
  packed.remove_prefix(sizeof(head));
  OpenedSeal opened;
  opened.body =
      SecretBytes(std::string_view(reinterpret_cast<const char*>(packed.data()), packed.size()));
  opened.not_before = head.not_before;
  opened.expires = head.expires;
  opened.evidence = evidence;
  return opened;
}

std::atomic<int> TestSession::alive = 0;

absl::StatusOr<std::string> TestSession::Wrap(std::string_view message, bool encrypt) {
  return absl::StrCat(encrypt ? "encrypted:" : "plain:", std::string(message));
}

absl::StatusOr<ContextSession::Message> TestSession::Unwrap(std::string_view wrapped) {
  for (const bool encrypted : {true, false}) {
    const std::string_view head = encrypted ? "encrypted:" : "plain:";
    if (wrapped.substr(0, head.size()) == head) {
      return Message{std::string(wrapped.substr(head.size())), encrypted};
    }
  }
  return MakeContextError(ContextError::kMessageAltered, "the message is another");
}

absl::StatusOr<SecretBytes> TestSession::Export() {
  if (state_ == "broken") {
    return MakeContextError(ContextError::kMechanism, "the session is broken");
  }
  return SecretBytes(state_);
}

absl::StatusOr<EstablishedContext> TestPackage::Open(absl::Span<const uint8_t> bytes,
                                                     absl::Time) const {
  return open_({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

absl::Status TextSink::Append(const AuditRecord& record, AuditLevel) {
  const Request& request = record.request;
  const Decision& decision = record.decision;
  const auto text_of = [](const Attributes* attributes) {
    return attributes == nullptr ? std::string("none") : Value::Of(*attributes).ToString();
  };
  std::vector<std::string> rules;
  for (const RuleOutcome& rule : decision.rules()) rules.emplace_back(rule.id());
  MutexLock lock(mutex_);
  principals_.push_back(Describe(*request.principal));
  rows_.push_back(absl::StrCat(
      decision.allowed() ? "allow " : "deny ", std::string(ToString(decision.reason())), " [",
      absl::StrJoin(rules, " "), "] | ", ToString(request.principal->id), " ",
      std::string(request.action), " ", ToString(request.resource), " in ",
      Names(request.resource_parents), " ", text_of(request.resource_attributes), " | ",
      text_of(request.context), " | ", std::string(decision.error())));
  return status;
}

std::vector<std::string> TextSink::rows() const {
  MutexLock lock(mutex_);
  return rows_;
}

std::vector<std::string> TextSink::principals() const {
  MutexLock lock(mutex_);
  return principals_;
}

std::unique_ptr<Engine> MakeEngine(const std::vector<Rule>& rules, const Clock* clock,
                                   TextSink* sink) {
  Engine::Options options;
  options.audit = sink;
  options.clock = clock;
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(options);
  SnapshotBuilder builder;
  for (const Rule& rule : rules) builder.AddRule(rule);
  const absl::StatusOr<std::shared_ptr<const Snapshot>> snapshot = builder.Build();
  EXPECT_TRUE(snapshot.ok()) << snapshot.status();
  EXPECT_TRUE((*engine)->Replace(*snapshot).ok());
  return *std::move(engine);
}

PeerToken ThisProcess(const NameService& names) {
  int ends[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) std::abort();
  PeerOptions options;
  options.origin = SocketOrigin::kInherited;
  options.names = &names;
  absl::StatusOr<PeerToken> token = PeerToken::FromSocket(ends[0], options);
  EXPECT_TRUE(token.ok()) << token.status();
  close(ends[0]);
  close(ends[1]);
  return *std::move(token);
}

Principal Ada() {
  Principal ada({"user", "ada@EXAMPLE.COM"}, Assurance::kCrypto);
  ada.groups = {"staff"};
  ada.parents = {{"realm", "EXAMPLE.COM"}};
  ada.attributes = {{"acr", Value::String("mfa")}};
  ada.via = "krb5";
  ada.host = "laptop7";
  ada.evidence = "ticket of 12:00";
  return ada;
}

std::string Describe(const Principal& principal) {
  return absl::StrCat(ToString(principal.id), " ", std::string(ToString(principal.assurance)), " [",
                      absl::StrJoin(principal.groups, " "),
                      principal.groups_complete ? "]" : " ...]", " in ", Names(principal.parents),
                      " ", Value::Of(principal.attributes).ToString(), " via `", principal.via,
                      "` host `", principal.host, "` actor `", principal.actor, "` evidence `",
                      principal.evidence, "`");
}

std::string Describe(const absl::Status& status) {
  if (status.ok()) return "OK";
  const std::optional<ContextError> error = ContextErrorOf(status);
  return absl::StrCat(
      error.has_value() ? std::string(ToString(*error)) : absl::StatusCodeToString(status.code()),
      ": ", status.message());
}

}  // namespace reeve::context_testing
