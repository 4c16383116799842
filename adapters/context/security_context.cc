#include "reeve/adapters/context/security_context.h"

#include <algorithm>
#include <iterator>
#include <new>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"
#include "reeve/adapters/context/context_body.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

absl::Time NowOf(const Clock* clock) { return (clock == nullptr ? Clock::System() : *clock).Now(); }

absl::Status Expired(absl::Time expires) {
  return MakeContextError(
      ContextError::kExpired,
      absl::StrCat("the context ended at ",
                   absl::FormatTime(absl::RFC3339_sec, expires, absl::UTCTimeZone()),
                   "; let the client authenticate again"));
}

absl::StatusOr<const ContextPackage*> FindPackage(std::string_view name,
                                                  const ImportOptions& options) {
  if (name == kReevePackage) return nullptr;
  for (const ContextPackage* package : options.packages) {
    if (package->name() == name) return package;
  }
  std::string known(kReevePackage);
  for (const ContextPackage* package : options.packages) {
    absl::StrAppend(&known, ", ", std::string(package->name()));
  }
  return MakeContextError(ContextError::kUnknownPackage,
                          absl::StrCat("there is no package `", Printable(name, 64),
                                       "` here; this program imports ", known));
}

// `name` as one word, so that nothing in it can look like a field of the evidence.
std::string Word(std::string_view name) {
  return absl::StrReplaceAll(Printable(name), {{" ", "\\x20"}});
}

// The context in `body`, of `package`, or of `reeve` if that is null.
absl::StatusOr<EstablishedContext> OpenBody(ContextBody body, const ContextPackage* package,
                                            absl::Time now) {
  const std::string_view name = package == nullptr ? kReevePackage : package->name();
  if (body.package != name) {
    return MakeContextError(
        ContextError::kMechanism,
        absl::StrCat("the context is of package `", body.package, "` and was imported as `",
                     std::string(name), "`; name the package that it was exported with"));
  }
  EstablishedContext stated;
  stated.principal = std::move(body.principal);
  stated.established = body.established;
  stated.expires = body.expires;
  if (package == nullptr) {
    if (body.payload.empty()) return stated;
    return MakeContextError(ContextError::kMalformed,
                            "the context is of package `reeve` and holds more than a principal");
  }
  absl::StatusOr<EstablishedContext> proved = package->Open(body.payload.span(), now);
  if (!proved.ok()) return proved.status();
  if (!(proved->principal.id == stated.principal.id)) {
    return MakeContextError(
        ContextError::kMechanism,
        absl::StrCat("the context is of `", Printable(ToString(proved->principal.id)),
                     "`, and its exporter says that it is of `",
                     Printable(ToString(stated.principal.id)), "`; do not believe that exporter"));
  }
  proved->expires = std::min(proved->expires, stated.expires);
  return proved;
}

absl::StatusOr<EstablishedContext> OpenPacked(const ContextPackage* package,
                                              absl::Span<const uint8_t> packed,
                                              const ImportOptions& options, absl::Time now,
                                              std::string* seal) {
  if (package != nullptr && !package->sealed()) return package->Open(packed, now);
  if (options.opener == nullptr) {
    return MakeContextError(ContextError::kNoCredentials,
                            "this program has no key to open sealed contexts with; set "
                            "ImportOptions::opener");
  }
  absl::StatusOr<OpenedSeal> opened = options.opener->Open(packed, now, options.exporter);
  if (!opened.ok()) return opened.status();
  *seal = opened->evidence;
  absl::StatusOr<ContextBody> body = DecodeContextBody(opened->body.span());
  if (!body.ok()) return body.status();
  return OpenBody(*std::move(body), package, now);
}

absl::StatusOr<EstablishedContext> Open(std::string_view name, absl::Span<const uint8_t> packed,
                                        const ImportOptions& options, absl::Time now,
                                        std::string* seal) {
  const absl::StatusOr<const ContextPackage*> package = FindPackage(name, options);
  if (!package.ok()) return package.status();
  absl::StatusOr<EstablishedContext> context = OpenPacked(*package, packed, options, now, seal);
  if (!context.ok()) return context;
  context->expires = std::min(context->expires, now + options.max_lifetime);
  if (now >= context->expires) return Expired(context->expires);
  if (std::string_view defect = DefectOfContextPrincipal(context->principal); !defect.empty()) {
    return MakeContextError(
        ContextError::kMechanism,
        absl::StrCat("package `", std::string(name), "` made no principal: ", std::string(defect)));
  }
  return context;
}

}  // namespace

absl::StatusOr<SecurityContext> SecurityContext::Establish(std::string_view package,
                                                           EstablishedContext context) {
  if (std::string_view defect = DefectOfContextPrincipal(context.principal); !defect.empty()) {
    return MakeContextError(
        ContextError::kMalformed,
        absl::StrCat("there is no context of this principal: ", std::string(defect)));
  }
  return SecurityContext(package, std::move(context));
}

absl::StatusOr<SecurityContext> SecurityContext::OfPrincipal(Principal principal,
                                                             absl::Time established,
                                                             absl::Time expires) {
  EstablishedContext context;
  context.principal = std::move(principal);
  context.established = established;
  context.expires = expires;
  return Establish(kReevePackage, std::move(context));
}

SecurityContext::~SecurityContext() = default;

absl::Status SecurityContext::Check(absl::Time now) const {
  if (!live_) {
    return MakeContextError(ContextError::kInvalidHandle,
                            "the context was exported or moved away; nothing is left of it here");
  }
  if (now >= context_.expires) return Expired(context_.expires);
  return absl::OkStatus();
}

absl::StatusOr<const Principal*> SecurityContext::principal(absl::Time now) const {
  if (absl::Status status = Check(now); !status.ok()) return status;
  return &context_.principal;
}

absl::StatusOr<std::string> SecurityContext::Wrap(std::string_view message, bool encrypt,
                                                  absl::Time now) {
  if (absl::Status status = Check(now); !status.ok()) return status;
  if (context_.session == nullptr) {
    return MakeContextError(ContextError::kNotSupported,
                            "the context has no session to protect messages with");
  }
  return context_.session->Wrap(message, encrypt);
}

absl::StatusOr<ContextSession::Message> SecurityContext::Unwrap(std::string_view wrapped,
                                                                absl::Time now) {
  if (absl::Status status = Check(now); !status.ok()) return status;
  if (context_.session == nullptr) {
    return MakeContextError(ContextError::kNotSupported,
                            "the context has no session that messages could be of");
  }
  return context_.session->Unwrap(wrapped);
}

absl::StatusOr<std::string> SecurityContext::Export(const ExportOptions& options) && {
  // Whatever happens, nothing of it stays.
  SecurityContext context = std::move(*this);
  const absl::Time now = NowOf(options.clock);
  if (options.sealer == nullptr) {
    return absl::InvalidArgumentError("ExportOptions::sealer is null");
  }
  if (options.window <= absl::ZeroDuration() || options.max_lifetime <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("a time of ExportOptions is not more than zero");
  }
  if (absl::Status status = context.Check(now); !status.ok()) return status;

  ContextBody body;
  body.package = std::string(kReevePackage);
  if (options.with_session) {
    if (context.context_.session == nullptr) {
      return MakeContextError(
          ContextError::kNotSupported,
          "the context has no session to take along; set ExportOptions::with_session to false");
    }
    absl::StatusOr<SecretBytes> payload = context.context_.session->Export();
    if (!payload.ok()) return payload.status();
    body.package = context.package_;
    body.payload = *std::move(payload);
  }
  body.principal = std::move(context.context_.principal);
  body.established = context.context_.established;
  body.expires = std::min(context.context_.expires, now + options.max_lifetime);
  const absl::StatusOr<SecretBytes> bytes = EncodeContextBody(body);
  if (!bytes.ok()) return bytes.status();
  return options.sealer->Seal(bytes->span(), now, std::min(now + options.window, body.expires));
}

absl::StatusOr<SecurityContext> ImportSecurityContext(std::string_view package,
                                                      absl::Span<const uint8_t> packed,
                                                      const ImportOptions& options) {
  if (options.authorizer == nullptr) {
    return absl::InvalidArgumentError(
        "ImportOptions::authorizer is null; give it an ImportByPolicy");
  }
  if (options.max_lifetime <= absl::ZeroDuration()) {
    return absl::InvalidArgumentError("ImportOptions::max_lifetime is not more than zero");
  }
  const absl::Time now = NowOf(options.clock);
  ImportAttempt attempt;
  attempt.package = package;
  attempt.exporter = options.exporter;

  std::string seal;
  absl::StatusOr<EstablishedContext> context = absl::UnknownError("not opened");
  try {
    context = Open(package, packed, options, now, &seal);
  } catch (const std::bad_alloc&) {
    context = MakeContextError(ContextError::kResourceExhausted,
                               "there is no memory left to import the context with");
  }
  attempt.evidence = seal;
  if (context.ok()) {
    attempt.principal = &context->principal;
    attempt.expires = context->expires;
  } else {
    attempt.refusal = context.status();
  }
  absl::Status authorized = options.authorizer->Authorize(attempt);
  if (!context.ok()) return context.status();
  if (!authorized.ok()) return authorized;

  if (options.exporter != nullptr) {
    absl::StrAppend(&seal, seal.empty() ? "" : " ",
                    "exporter=", Word(ToString(options.exporter->principal().id)));
  }
  if (!seal.empty()) {
    // Room for the escape and the "..." by which Printable() may go beyond what it is asked for.
    const size_t taken = std::min(seal.size() + std::size("; \\u{10ffff}..."), kMaxProvenanceBytes);
    std::string& evidence = context->principal.evidence;
    evidence = evidence.empty()
                   ? seal
                   : absl::StrCat(Printable(evidence, kMaxProvenanceBytes - taken), "; ", seal);
  }
  return SecurityContext::Establish(package, *std::move(context));
}

absl::StatusOr<SecurityContext> ImportSecurityContext(std::string_view package,
                                                      std::string_view packed,
                                                      const ImportOptions& options) {
  return ImportSecurityContext(
      package, absl::MakeConstSpan(reinterpret_cast<const uint8_t*>(packed.data()), packed.size()),
      options);
}

}  // namespace reeve
