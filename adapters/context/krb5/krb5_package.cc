#include "reeve/adapters/context/krb5/krb5_package.h"

#include <utility>

#include "reeve/adapters/context/krb5/gss.h"
#include "reeve/adapters/context/krb5/krb5_context.h"
#include "reeve/adapters/context/krb5/krb5_import.h"
#include "reeve/adapters/context/krb5/krb5_token.h"

namespace reeve {

struct Krb5Package::Impl {
  Krb5Mechanism mechanism;
  Krb5Rules rules;
  std::vector<std::string> profiles;
};

Krb5Package::Krb5Package(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Krb5Package::~Krb5Package() = default;

absl::StatusOr<std::unique_ptr<Krb5Package>> Krb5Package::Create(Krb5Mechanism mechanism,
                                                                 const Krb5Options& options) {
  absl::StatusOr<Krb5Rules> rules = MakeKrb5Rules(options);
  if (!rules.ok()) return rules.status();
  return std::unique_ptr<Krb5Package>(new Krb5Package(
      std::make_unique<Impl>(Impl{mechanism, *std::move(rules), ProfilesOfThisProcess()})));
}

std::string_view Krb5Package::name() const { return NameOf(impl_->mechanism); }

absl::StatusOr<EstablishedContext> Krb5Package::Open(absl::Span<const uint8_t> bytes,
                                                     absl::Time now) const {
  const absl::StatusOr<std::string_view> exported =
      ExportedKrb5({reinterpret_cast<const char*>(bytes.data()), bytes.size()}, impl_->mechanism,
                   impl_->profiles);
  if (!exported.ok()) return exported.status();
  // Nothing of SPNEGO is left to be done in a context that stands: its messages are those of
  // Kerberos.
  absl::StatusOr<GssContext> context = ImportGssContext(*exported);
  if (!context.ok()) return context.status();
  return DescribeKrb5(*std::move(context), impl_->mechanism, impl_->rules, now);
}

}  // namespace reeve
