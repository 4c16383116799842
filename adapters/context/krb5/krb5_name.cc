#include "reeve/adapters/context/krb5/krb5_name.h"

#include <algorithm>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr auto kMaxComponents = 3;

absl::Status Refuse(std::string_view text, std::string_view why) {
  return MakeContextError(ContextError::kMechanism,
                          absl::StrCat("the principal `", Printable(text), "` is not taken: ",
                                       absl::string_view(why.data(), why.size())));
}

}  // namespace

absl::StatusOr<Krb5Named> NamedByKrb5(std::string_view text) {
  if (text.find('\\') != std::string_view::npos) {
    return Refuse(text, "it has a slash, an @ or a control character within a component");
  }
  const size_t at = text.find('@');
  if (at == std::string_view::npos) return Refuse(text, "it has no realm");
  const std::string_view realm = text.substr(at + 1);
  if (realm.find_first_of("@/") != std::string_view::npos) {
    return Refuse(text, "its realm has an @ or a slash");
  }
  const std::string_view name = text.substr(0, at);
  if (std::count(name.begin(), name.end(), '/') >= kMaxComponents) {
    return Refuse(text, "it has more than three components");
  }
  const size_t slash = name.find('/');
  const std::string_view first = name.substr(0, slash);
  if (first.empty() || name.back() == '/' || name.find("//") != std::string_view::npos) {
    return Refuse(text, "a component is empty");
  }
  if (first == "WELLKNOWN" || realm.substr(0, 10) == "WELLKNOWN:") {
    return Refuse(text, "it is of nobody, as anonymous is");
  }
  Krb5Named named;
  named.realm = EntityId("realm", std::string(realm));
  if (slash == std::string_view::npos) {
    named.id = EntityId("user", std::string(text));
  } else if (first == "host" && name.find('/', slash + 1) == std::string_view::npos) {
    named.id = EntityId("host", std::string(text.substr(slash + 1)));
  } else {
    named.id = EntityId("service", std::string(text));
  }
  for (const EntityId& id : {named.realm, named.id}) {
    if (const std::string_view defect = DefectOf(id); !defect.empty()) return Refuse(text, defect);
  }
  return named;
}

}  // namespace reeve
