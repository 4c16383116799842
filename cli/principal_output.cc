#include "reeve/cli/principal_output.h"

#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

// Names of users and groups come from whoever keeps them.
std::string Shown(std::string_view text) {
  constexpr size_t kMaxBytes = 4096;
  return Printable(text, kMaxBytes);
}

}  // namespace

std::string ToText(const Principal& principal) {
  std::string text = absl::StrCat(
      "principal  ", Shown(ToString(EntityView(principal.id))), "\n", "assurance  ",
      std::string(ToString(principal.assurance)), "\n", "via        ", Shown(principal.via), "\n",
      "host       ", Shown(principal.host), "\n", "groups     ",
      absl::StrJoin(principal.groups, " ",
                    [](std::string* out, const std::string& group) { *out += Shown(group); }),
      principal.groups_complete  ? ""
      : principal.groups.empty() ? "(not known)"
                                 : " (not all are known)",
      "\n", "parents    ",
      absl::StrJoin(
          principal.parents, " ",
          [](std::string* out, const EntityId& parent) { *out += Shown(ToString(parent)); }),
      "\n");
  for (const auto& [name, value] : principal.attributes) {
    absl::StrAppend(&text, Shown(name), std::string(name.size() < 11 ? 11 - name.size() : 1, ' '),
                    Shown(value.ToString()), "\n");
  }
  return absl::StrCat(text, "evidence   ", Shown(principal.evidence), "\n");
}

nlohmann::ordered_json ToJson(const Principal& principal) {
  nlohmann::ordered_json parents = nlohmann::ordered_json::array();
  for (const EntityId& parent : principal.parents) parents.push_back(ToString(parent));
  nlohmann::ordered_json attributes = nlohmann::ordered_json::object();
  for (const auto& [name, value] : principal.attributes) {
    if (value.kind() == Value::Kind::kInt) {
      attributes[name] = value.int_value();
    } else {
      attributes[name] = value.ToString();
    }
  }
  return {{"principal", ToString(EntityView(principal.id))},
          {"assurance", std::string(ToString(principal.assurance))},
          {"via", principal.via},
          {"host", principal.host},
          {"groups", principal.groups},
          {"groups_complete", principal.groups_complete},
          {"parents", std::move(parents)},
          {"attributes", std::move(attributes)},
          {"evidence", principal.evidence}};
}

}  // namespace reeve
