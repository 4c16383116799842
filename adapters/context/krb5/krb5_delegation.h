// Tickets that a client gave to a server, so that it may act in the client's name.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_DELEGATION_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_DELEGATION_H_

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "absl/types/span.h"

namespace reeve {

// A delegated ticket in a cache of this process. It is gone with this.
//
// Thread-compatible: const methods from any threads, others alone.
class DelegatedTicket {
 public:
  ~DelegatedTicket();
  DelegatedTicket(const DelegatedTicket&) = delete;
  DelegatedTicket& operator=(const DelegatedTicket&) = delete;

  // "MEMORY:reeve-0123456789abcdef", for Krb5Initiator::Options::ccache and whatever else takes the
  // name of a cache. Every thread of this process can use it, and no other process.
  const std::string& ccache() const { return ccache_; }
  // Whose it is: "ada@EXAMPLE.COM".
  const std::string& client() const { return client_; }

 private:
  friend absl::StatusOr<std::unique_ptr<DelegatedTicket>> ImportDelegated(
      absl::Span<const uint8_t> bytes);

  DelegatedTicket(std::string ccache, std::string client);

  const std::string ccache_;
  const std::string client_;
};

// What Krb5Acceptor::ExportDelegated() gave. Bytes that did not come out of a verified seal must
// not come here: they can name files to be read, and whose ticket it is.
//
// Errors: kMalformed  not an exported credential of Kerberos
//         kMechanism  libgssapi refuses it
//         kExpired    the ticket has ended
//         kInternal   it cannot be kept
absl::StatusOr<std::unique_ptr<DelegatedTicket>> ImportDelegated(absl::Span<const uint8_t> bytes);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_DELEGATION_H_
