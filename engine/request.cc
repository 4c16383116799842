#include "reeve/engine/request.h"

#include "reeve/engine/text.h"

namespace reeve {
namespace {

std::string_view DefectOfPrincipal(const Principal& principal) {
  if (std::string_view defect = DefectOf(principal.id); !defect.empty()) return defect;
  if (principal.groups.size() > kMaxGroups) return "the principal has too many groups";
  for (const std::string& group : principal.groups) {
    if (std::string_view defect = DefectOf(EntityView{"group", group}); !defect.empty()) {
      return defect;
    }
  }
  if (principal.parents.size() > kMaxParents) return "the principal has too many parents";
  for (const EntityId& parent : principal.parents) {
    if (std::string_view defect = DefectOf(parent); !defect.empty()) return defect;
  }
  return DefectOf(principal.attributes);
}

}  // namespace

std::string_view DefectOfAction(std::string_view action) {
  if (action.empty()) return "the action is empty";
  if (action.size() > kMaxActionBytes) return "the action is too long";
  if (!HasControlCharacter(action)) return {};
  return IsValidUtf8(action) ? "the action has a control character"
                             : "the action is not valid UTF-8";
}

std::string_view DefectOf(const Request& request) {
  if (!request.defect.empty()) return request.defect;
  if (std::string_view defect = DefectOfPrincipal(*request.principal); !defect.empty()) {
    return defect;
  }
  if (std::string_view defect = DefectOfAction(request.action); !defect.empty()) return defect;
  if (std::string_view defect = DefectOf(request.resource); !defect.empty()) return defect;
  if (request.resource_parents.size() > kMaxParents) return "the resource has too many parents";
  for (const EntityId& parent : request.resource_parents) {
    if (std::string_view defect = DefectOf(parent); !defect.empty()) return defect;
  }
  for (const Attributes* attributes : {request.resource_attributes, request.context}) {
    if (attributes == nullptr) continue;
    if (std::string_view defect = DefectOf(*attributes); !defect.empty()) return defect;
  }
  return {};
}

}  // namespace reeve
