// Private to this folder: as much of tokens as is read here, before libgssapi sees them. All of it
// takes any bytes.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_TOKEN_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_TOKEN_H_

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/context/krb5/krb5_options.h"

namespace reeve {

// The bytes of the mechanisms' object identifiers.
inline constexpr std::string_view kKrb5Oid = "\x2A\x86\x48\x86\xF7\x12\x01\x02\x02";
inline constexpr std::string_view kSpnegoOid = "\x2B\x06\x01\x05\x05\x02";

// OK if a token of a handshake is neither empty nor longer than kMaxKrb5TokenBytes, and is one of
// the first kMaxKrb5Rounds.
absl::Status CheckKrb5Token(std::string_view token, int round);

// What the first token of a client begins (RFC 2743, 3.1). Tokens without that frame, as NTLM has
// them, and other mechanisms are refused. Errors: kMalformed, kMechanism.
absl::StatusOr<Krb5Mechanism> MechanismOfToken(std::string_view token);

// No exported context is longer.
inline constexpr size_t kMaxExportedKrb5Bytes = 65536;

// What an exported context of SPNEGO has before the one of Kerberos; nothing for Kerberos itself.
std::string_view ExportedFrame(Krb5Mechanism mechanism);

// The exported context of Kerberos in `bytes`, if they are what gss_export_sec_context(3) of MIT
// makes of a context of `mechanism`, as far as can be told from without:
//
//   u32 length of the object identifier | the identifier | context
//   context of Kerberos: u32 mark | ... | u32 the same mark
//   context of SPNEGO: an exported context of Kerberos
//
// and if the krb5.conf that it names are among `profiles`. Each would be read: an attacker's could
// be a FIFO, to wait for ever. They stand within it as
//
//   u32 0xAACA6012 | u32 count | count times: u32 length, path | u32 0xAACA6012
//
// which is looked for at every place, since what comes before it has no fixed length; a mark that
// begins no such list is an error. Numbers are big endian. Errors: kMalformed; kMechanism for
// another mechanism or another krb5.conf.
absl::StatusOr<std::string_view> ExportedKrb5(std::string_view bytes, Krb5Mechanism mechanism,
                                              const std::vector<std::string>& profiles);

// OK if `bytes` are what gss_export_cred(3) of MIT makes of a credential of Kerberos, which may
// have come through SPNEGO, as far as can be told from without: one or two times
//
//   u32 length of the object identifier | the identifier | u32 length | credential
//
// Errors: kMalformed; kMechanism for another mechanism.
absl::Status CheckExportedTicket(std::string_view bytes);

// The krb5.conf of this process, as libkrb5 finds them: KRB5_CONFIG, or the system's
// (krb5.conf(5)). A program that runs with more rights than its user has by set-user-ID has the
// system's, as libkrb5 does.
std::vector<std::string> ProfilesOfThisProcess();

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KRB5_TOKEN_H_
