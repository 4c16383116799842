#include "reeve/examples/handoff/kerberos.h"

#include <utility>

#include "absl/status/status.h"
#include "reeve/examples/handoff/frames.h"

namespace handoff {

absl::StatusOr<KerberosClient> AcceptKerberos(const reeve::Krb5Service& service,
                                              document_server::Stream* stream,
                                              const reeve::Clock& clock) {
  // [handoff accept]
  reeve::Krb5Acceptor acceptor(&service);
  for (std::string token; ReceiveFrame(stream, &token);) {
    absl::StatusOr<reeve::Krb5Acceptor::Progress> progress = acceptor.Step(token, clock.Now());
    if (!progress.ok()) {
      if (!acceptor.refusal().empty()) SendFrame(stream, acceptor.refusal());
      return progress.status();
    }
    if (progress->context.has_value()) {
      const std::string package = progress->context->principal.via;
      absl::StatusOr<reeve::SecurityContext> context =
          reeve::SecurityContext::Establish(package, *std::move(progress->context));
      if (!context.ok()) return context.status();
      return KerberosClient{*std::move(context), std::move(progress->token)};
    }
    if (!SendFrame(stream, progress->token)) break;
  }
  // [/handoff]
  return absl::UnavailableError("it has gone");
}

}  // namespace handoff
