#ifndef REEVE_EXAMPLES_HANDOFF_KERBEROS_H_
#define REEVE_EXAMPLES_HANDOFF_KERBEROS_H_

#include <string>

#include "absl/status/statusor.h"
#include "reeve/adapters/context/krb5/krb5_acceptor.h"
#include "reeve/adapters/context/security_context.h"
#include "reeve/engine/clock.h"
#include "reeve/examples/document_server/stream.h"

namespace handoff {

// A client that has proved by Kerberos who it is.
struct KerberosClient {
  reeve::SecurityContext context;
  // To be sent to it as the last frame of the handshake. It tells the client that it is taken.
  std::string last_token;
};

// Takes the tokens that a client sends in frames, until it has proved who it is.
absl::StatusOr<KerberosClient> AcceptKerberos(const reeve::Krb5Service& service,
                                              document_server::Stream* stream,
                                              const reeve::Clock& clock);

}  // namespace handoff

#endif  // REEVE_EXAMPLES_HANDOFF_KERBEROS_H_
