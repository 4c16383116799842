#ifndef REEVE_EXAMPLES_HANDOFF_MESSAGES_H_
#define REEVE_EXAMPLES_HANDOFF_MESSAGES_H_

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "reeve/adapters/context/context_package.h"
#include "reeve/examples/document_server/stream.h"

namespace handoff {

// "replayed: the context was opened before": why something of a context failed, for a person.
std::string Describe(const absl::Status& status);

// A stream whose bytes travel as encrypted messages, each a frame: what the keys of a security
// context are for. One thread at a time.
class MessageStream final : public document_server::Stream {
 public:
  using Wrap = std::function<absl::StatusOr<std::string>(std::string_view)>;
  using Unwrap =
      std::function<absl::StatusOr<reeve::ContextSession::Message>(std::string_view wrapped)>;

  // `below` is not owned, and must outlive this, as must what `wrap` and `unwrap` use.
  MessageStream(document_server::Stream* below, Wrap wrap, Unwrap unwrap);

  // 0 with failure() set if a message came that is not what the peer protected, or is not
  // encrypted, or comes when the context is over.
  size_t Receive(char* bytes, size_t size) override;
  bool Send(std::string_view bytes) override;
  std::string failure() const override { return failure_; }

 private:
  document_server::Stream& below_;
  const Wrap wrap_;
  const Unwrap unwrap_;
  std::string text_;  // Of the last message, what was not asked for yet.
  std::string failure_;
};

}  // namespace handoff

#endif  // REEVE_EXAMPLES_HANDOFF_MESSAGES_H_
