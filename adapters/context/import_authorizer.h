// Who may hand over whose contexts, and a record of each that was handed over.
#ifndef REEVE_ADAPTERS_CONTEXT_IMPORT_AUTHORIZER_H_
#define REEVE_ADAPTERS_CONTEXT_IMPORT_AUTHORIZER_H_

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "reeve/adapters/socket/peer.h"
#include "reeve/engine/engine.h"
#include "reeve/engine/principal.h"

namespace reeve {

// One import, refused or about to be accepted. A view, valid during the call.
struct ImportAttempt {
  std::string_view package;  // As the caller named it.
  // Whose context it is; null if that was not found out, because the import is refused.
  const Principal* principal = nullptr;
  absl::Time expires = absl::InfinitePast();
  const PeerToken* exporter = nullptr;  // ImportOptions::exporter
  // What the seal says of itself: "seal=ring key=0123456789abcdef id=...". Empty without one. No
  // byte of a key or of the context.
  std::string_view evidence;
  absl::Status refusal;  // Why it is refused; OK if it will be accepted, should this agree.
};

// Asked once for each import, after all else was checked.
//
// Thread-safe.
class ImportAuthorizer {
 public:
  virtual ~ImportAuthorizer() = default;

  // Keeps a record of `attempt`, and says whether it may be: OK, or an error that refuses it, made
  // by MakeContextError(): kExporterNotAllowed; kInternal, if the record could not be kept. What it
  // answers to an attempt that is refused already means nothing.
  virtual absl::Status Authorize(const ImportAttempt& attempt) = 0;
};

// Lets the policy decide, and so records each import as a decision. To the policy an import is this
// request:
//
//   principal  who hands the context over, as its PeerToken says; anonymous, with evidence `no
//              exporter`, if none was given: of a JWT, which who bears it shows himself
//   action     `context.import`
//   resource   whose context it is, `user:ada@EXAMPLE.COM`, with its attributes, and its groups and
//              parents as parents, so that `group:staff` and `realm:EXAMPLE.COM` mean those in it;
//              `context:<package>` if that was not found out
//   context    package    string
//              via        string: the mechanism that told who it is: "krb5"
//              assurance  string: "crypto"
//              evidence   string: what the mechanism saw
//              seal       string: what the seal says of itself
//              expires    timestamp
//              groups_complete  bool: false if the groups are not all known; then a rule about
//                         `group:staff` does not match who may be in it, so let a deny rule ask
//
//   - id: front-hands-over-staff
//     effect: allow
//     principals: [user:front]
//     actions: [context.import]
//     resources: [group:staff]
//     when: context.assurance == "crypto"
//
// An import that was refused before is recorded as a malformed request (`bad_request`), with the
// reason, `replayed: ...`, as its error. An engine of the level AuditLevel::kOff keeps no record of
// imports either. A rule with obligations does not allow: nobody here could
// meet them.
class ImportByPolicy final : public ImportAuthorizer {
 public:
  static constexpr std::string_view kAction = "context.import";

  // Not owned; must outlive this.
  explicit ImportByPolicy(const Engine& engine) : engine_(engine) {}

  absl::Status Authorize(const ImportAttempt& attempt) override;

 private:
  const Engine& engine_;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_IMPORT_AUTHORIZER_H_
