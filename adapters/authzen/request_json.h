#ifndef REEVE_ADAPTERS_AUTHZEN_REQUEST_JSON_H_
#define REEVE_ADAPTERS_AUTHZEN_REQUEST_JSON_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"
#include "reeve/engine/entity.h"
#include "reeve/engine/principal.h"
#include "reeve/engine/request.h"
#include "reeve/engine/schema.h"
#include "reeve/engine/value.h"

namespace reeve {

// How the answers to a batch make one another unnecessary (AuthZEN 1.0, "Evaluations Semantics").
enum class BatchSemantic : uint8_t { kExecuteAll, kDenyOnFirstDeny, kPermitOnFirstPermit };

inline constexpr size_t kMaxBatchItems = 1000;
// What a batch states once for all items, times the items.
inline constexpr size_t kMaxBatchBytes = 16 * 1024 * 1024;

// A request that was read from JSON, in the form of AuthZEN's Access Evaluation API. It owns what
// it was made of. The format, its limits and every defect are in doc/authzen.md.
//
// Immutable: any thread. A copy shares its content.
class JsonRequest {
 public:
  // Never fails: of a text that is no well-formed request it makes one that the engine denies
  // (Reason::kBadRequest) and records. `json` is at most 1 MiB and not needed afterwards.
  // Values are read as `schema`, if it is not null, declares them (As()); it is not needed
  // afterwards either.
  static JsonRequest Parse(std::string_view json, const Schema* schema = nullptr);

  // To be decided on. Points into what this and its copies share: valid as long as one of them
  // lives. The principal is asserted, whatever the text says of it.
  Request request() const;

  // What is wrong with the text: one line, which lives as long as the program; empty if nothing is.
  // The engine may still find a name or a value malformed, by DefectOf().
  std::string_view defect() const { return defect_; }

 private:
  friend class JsonRequestReader;

  struct Context {
    Attributes attributes;
    std::optional<absl::Time> time;
  };

  JsonRequest() = default;
  static std::shared_ptr<const Principal> Nobody();

  // None is null.
  std::shared_ptr<const Principal> principal_ = Nobody();
  std::shared_ptr<const std::string> action_ = std::make_shared<const std::string>();
  std::shared_ptr<const Entity> resource_ = std::make_shared<const Entity>();
  std::shared_ptr<const Context> context_ = std::make_shared<const Context>();
  std::string_view defect_;
};

// Requests that were read from one JSON text, in the form of AuthZEN's Access Evaluations API: the
// items of `evaluations`, each completed by the members that stand beside it. A text without items
// is a single request.
//
// Thread-compatible: const methods from any threads, others alone.
struct JsonBatch {
  // Never fails: a text that is no well-formed batch becomes one malformed request, a malformed
  // item a malformed request in its place. Limits: kMaxBatchItems, kMaxBatchBytes and those of
  // JsonRequest::Parse(), which says what `schema` is for.
  static JsonBatch Parse(std::string_view json, const Schema* schema = nullptr);

  bool single = true;  // To be answered by one decision, not by a list.
  BatchSemantic semantic = BatchSemantic::kExecuteAll;
  std::vector<JsonRequest> requests;  // In the order of the text; not empty.
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_AUTHZEN_REQUEST_JSON_H_
