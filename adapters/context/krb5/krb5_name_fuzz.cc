// Whatever bytes come as a name, as a token or as an exported context, what is read of them here
// neither crashes nor says what no id may be. libgssapi is not asked: what it does with such bytes
// is why there is a seal.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "reeve/adapters/context/krb5/krb5_name.h"
#include "reeve/adapters/context/krb5/krb5_options.h"
#include "reeve/adapters/context/krb5/krb5_token.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/text.h"

namespace {

using reeve::Krb5Mechanism;

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckMessage(const absl::Status& status) {
  const std::string message(status.message());
  Check(!message.empty() && !reeve::HasControlCharacter(message) && message.size() < 1000);
}

void CheckName(std::string_view text) {
  const absl::StatusOr<reeve::Krb5Named> named = reeve::NamedByKrb5(text);
  if (!named.ok()) return CheckMessage(named.status());
  Check(reeve::DefectOf(named->id).empty() && reeve::DefectOf(named->realm).empty());
  // From the entity, the principal: so no two have one.
  const std::string again = named->id.type == "host" ? "host/" + named->id.id : named->id.id;
  Check(again == text);
  Check(text.size() > named->realm.id.size() &&
        text.substr(text.size() - named->realm.id.size() - 1) == "@" + named->realm.id);
  const bool slash = named->id.id.find('/') != std::string::npos;
  Check(slash == (named->id.type == "service"));
}

void CheckExported(std::string_view bytes, Krb5Mechanism mechanism) {
  const std::vector<std::string> profiles = {"/etc/krb5.conf"};
  const absl::StatusOr<std::string_view> exported = reeve::ExportedKrb5(bytes, mechanism, profiles);
  if (!exported.ok()) return CheckMessage(exported.status());
  Check(bytes.size() - exported->size() == reeve::ExportedFrame(mechanism).size());
  Check(exported->data() + exported->size() == bytes.data() + bytes.size());
  Check(exported->size() >= 8 && bytes.size() <= reeve::kMaxExportedKrb5Bytes);
  // Of no other mechanism.
  const Krb5Mechanism other =
      mechanism == Krb5Mechanism::kKrb5 ? Krb5Mechanism::kSpnego : Krb5Mechanism::kKrb5;
  Check(!reeve::ExportedKrb5(bytes, other, profiles).ok());
  // Without a krb5.conf of our own it is taken if it names none.
  if (bytes.find("\xAA\xCA\x60\x12") == std::string_view::npos) {
    Check(reeve::ExportedKrb5(bytes, mechanism, {}).ok());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  CheckName(bytes);
  CheckExported(bytes, Krb5Mechanism::kKrb5);
  CheckExported(bytes, Krb5Mechanism::kSpnego);
  if (const auto mechanism = reeve::MechanismOfToken(bytes); !mechanism.ok()) {
    CheckMessage(mechanism.status());
  }
  if (const absl::Status status = reeve::CheckExportedTicket(bytes); !status.ok()) {
    CheckMessage(status);
  }
  return 0;
}
