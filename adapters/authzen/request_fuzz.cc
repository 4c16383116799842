// Any bytes are a request or a batch, malformed or not: reading them ends, twice with the same
// result, and what was read says the same when it is written out and read again.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "absl/time/time.h"
#include "nlohmann/json.hpp"
#include "reeve/adapters/authzen/request_json.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/request.h"
#include "reeve/engine/value.h"

namespace reeve {
namespace {

using Json = nlohmann::json;

void Require(bool condition) {
  if (!condition) std::abort();
}

// Recursive, for values within kMaxValueDepth.
Json Write(const Value& value) {
  switch (value.kind()) {
    case Value::Kind::kNull:
      return nullptr;
    case Value::Kind::kBool:
      return value.bool_value();
    case Value::Kind::kInt:
      return value.int_value();
    case Value::Kind::kUint:
      return value.uint_value();
    case Value::Kind::kDouble:
      return value.double_value();
    case Value::Kind::kString:
      return value.string_value();
    case Value::Kind::kList: {
      Json list = Json::array();
      for (const Value& element : value.list_value()) list.push_back(Write(element));
      return list;
    }
    case Value::Kind::kMap: {
      Json object = Json::object();
      for (const auto& [name, element] : value.map_value()) object[name] = Write(element);
      return object;
    }
    case Value::Kind::kTimestamp:
      return absl::FormatTime("%E4Y-%m-%dT%H:%M:%E9SZ", value.timestamp_value(),
                              absl::UTCTimeZone());
    case Value::Kind::kBytes:
    case Value::Kind::kDuration:
      break;
  }
  std::abort();  // No JSON makes these.
}

Json Write(const Attributes& attributes) { return Write(Value::Of(attributes)); }

Json Write(absl::Span<const EntityId> parents) {
  Json list = Json::array();
  for (const EntityId& parent : parents) list.push_back(ToString(parent));
  return list;
}

std::string Write(const Request& request) {
  const Principal& principal = *request.principal;
  Json json = {
      {"subject",
       {{"type", principal.id.type},
        {"id", principal.id.id},
        {"properties", Write(principal.attributes)}}},
      {"action", {{"name", request.action}}},
      {"resource",
       {{"type", request.resource.type},
        {"id", request.resource.id},
        {"properties", Write(*request.resource_attributes)}}},
      {"context", Write(*request.context)},
  };
  json["subject"]["properties"]["groups"] = principal.groups;
  json["subject"]["properties"]["parents"] = Write(principal.parents);
  json["resource"]["properties"]["parents"] = Write(request.resource_parents);
  return json.dump();
}

bool Same(const Request& a, const Request& b) {
  return a.principal->id == b.principal->id && a.principal->assurance == b.principal->assurance &&
         a.principal->groups == b.principal->groups &&
         a.principal->parents == b.principal->parents &&
         a.principal->attributes == b.principal->attributes && a.action == b.action &&
         a.resource == b.resource && *a.resource_attributes == *b.resource_attributes &&
         a.resource_parents == b.resource_parents && *a.context == *b.context && a.time == b.time &&
         a.defect == b.defect;
}

// What the text may not decide.
void CheckProvenance(const Principal& principal) {
  Require(principal.via == "json" && principal.host.empty() && principal.actor.empty() &&
          principal.evidence.empty() && principal.groups_complete);
  Require(
      principal.assurance ==
      (principal.id.type == Principal::kAnonymousType ? Assurance::kNone : Assurance::kAsserted));
}

void CheckRequest(const JsonRequest& json) {
  const Request request = json.request();
  CheckProvenance(*request.principal);
  if (!DefectOf(request).empty()) return;
  const std::string text = Write(request);
  if (text.size() > 1024 * 1024) return;  // Escapes made it longer.
  Require(Same(request, JsonRequest::Parse(text).request()));
}

void Check(std::string_view text) {
  const JsonBatch batch = JsonBatch::Parse(text);
  const JsonBatch again = JsonBatch::Parse(text);
  Require(!batch.requests.empty() && batch.requests.size() <= kMaxBatchItems);
  Require(!batch.single || batch.requests.size() == 1);
  Require(batch.single == again.single && batch.semantic == again.semantic);
  Require(batch.requests.size() == again.requests.size());
  for (size_t i = 0; i < batch.requests.size(); ++i) {
    Require(Same(batch.requests[i].request(), again.requests[i].request()));
    if (i < 10) CheckRequest(batch.requests[i]);
  }
  const JsonRequest single = JsonRequest::Parse(text);
  Require(batch.single ? Same(single.request(), batch.requests[0].request())
                       : !single.defect().empty());
}

}  // namespace
}  // namespace reeve

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  reeve::Check({reinterpret_cast<const char*>(data), size});
  return 0;
}
