// Why a security context was not imported, exported or used, for programs. A status from this
// folder has a code and a message for a person; where the reason is one of these it has that, too.
#ifndef REEVE_ADAPTERS_CONTEXT_CONTEXT_ERROR_H_
#define REEVE_ADAPTERS_CONTEXT_CONTEXT_ERROR_H_

#include <cstdint>
#include <optional>
#include <string_view>

#include "absl/status/status.h"

namespace reeve {

// The numbers are this version's; records have the names.
enum class ContextError : uint8_t {
  // It is not what it should be: InvalidArgument.
  kUnknownPackage,      // no package of that name, or it is not among the options
  kMalformed,           // too short, too long, or not of the form
  kUnsupportedVersion,  // of a format that this program does not know
  // It cannot be believed: Unauthenticated.
  kUnknownKey,            // sealed or signed by a key that this program does not have
  kAuthenticationFailed,  // changed on its way, or made by somebody else
  kMechanism,             // the mechanism inside refuses it: Kerberos, a claim of a JWT, a chain
  kExpired,
  kNotYetValid,
  // This program cannot import at all: FailedPrecondition.
  kNoCredentials,  // it has no key, no verifier
  // It is not for this program, or not from that one: PermissionDenied.
  kWrongTarget,         // made for another process, service or machine
  kReplayed,            // imported already, or made before this program remembers imports
  kExporterNotAllowed,  // who handed it over may not, or is not who should have
  // ResourceExhausted.
  kResourceExhausted,  // no memory, or a limit that was configured
  // Internal.
  kInternal,  // the machine failed; the import could not be recorded
  // Of contexts that were imported or accepted.
  kInvalidHandle,   // FailedPrecondition: the context was exported or deleted
  kNotSupported,    // Unimplemented: such a context does not do that
  kMessageAltered,  // Unauthenticated: a message is not what the peer protected
  kOutOfSequence,   // Unauthenticated: a message is a replay, late, or one is missing before it
};

// "replayed", "wrong_target": in records.
std::string_view ToString(ContextError error);

// A status of the code above. `message` says what is wrong and what to do (house rule: lower case,
// no full stop), and holds no byte of a key or of a context.
absl::Status MakeContextError(ContextError error, std::string_view message);

// The reason that MakeContextError() gave; nothing for another status.
std::optional<ContextError> ContextErrorOf(const absl::Status& status);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_CONTEXT_ERROR_H_
