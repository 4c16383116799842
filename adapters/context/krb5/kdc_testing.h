// A KDC of MIT Kerberos on the loopback, and its users' tickets, for tests of any folder.
#ifndef REEVE_ADAPTERS_CONTEXT_KRB5_KDC_TESTING_H_
#define REEVE_ADAPTERS_CONTEXT_KRB5_KDC_TESTING_H_

#include <sys/types.h>

#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/adapters/context/krb5/krb5_acceptor.h"
#include "reeve/adapters/context/krb5/krb5_initiator.h"
#include "reeve/adapters/socket/process_testing.h"

namespace reeve {
namespace krb5_testing {

// Empty if a KDC can be run here, else what to install.
std::string WhyNoKdc();

// Ends the process if the script is not where Bazel puts it. For tests that go on as a user who
// cannot read it: call it before.
const std::string& KdcScript();

// The realm REEVE.TEST, as kdc.sh says: its principals, passwords and keytabs. Takes about two
// seconds to make: make one in a test program, before there are threads. This process and its
// children then use its krb5.conf and caches, by the variables of the environment. The destructor
// ends it, and so does the end of this process.
//
// One thread at a time.
class Kdc {
 public:
  Kdc();
  ~Kdc();
  Kdc(const Kdc&) = delete;
  Kdc& operator=(const Kdc&) = delete;

  // The path of `name` in its folder.
  std::string operator/(std::string_view name) const { return files_ / name; }

  // Puts a ticket of `user` into the cache `ccache`: by password, by password within FAST (armored
  // by the tickets in another cache), or by certificate. False, and says why, if there is none.
  bool Kinit(const std::string& user, const std::string& password, const std::string& ccache) const;
  bool KinitFast(const std::string& user, const std::string& password, const std::string& armor,
                 const std::string& ccache) const;
  bool KinitCertificate(const std::string& user, const std::string& ccache) const;
  // The same of a service or host, by its key in a keytab; of nobody, anonymously.
  bool KinitKeytab(const std::string& principal, const std::string& keytab,
                   const std::string& ccache) const;
  bool KinitAnonymous(const std::string& ccache) const;

  // Ends the KDC for good. What it gave stays.
  void Stop();

 private:
  bool Run(const std::vector<std::string>& command, const std::string& input) const;

  peer_testing::TempDirectory files_;
  pid_t pid_ = -1;
};

// Passes tokens between the two until both are done: what the acceptor made of it.
absl::StatusOr<EstablishedContext> Handshake(Krb5Initiator* initiator, Krb5Acceptor* acceptor,
                                             absl::Time now);

}  // namespace krb5_testing
}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_KRB5_KDC_TESTING_H_
