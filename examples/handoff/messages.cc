#include "reeve/examples/handoff/messages.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "reeve/adapters/context/context_error.h"
#include "reeve/examples/handoff/frames.h"

namespace handoff {

std::string Describe(const absl::Status& status) {
  const std::optional<reeve::ContextError> error = reeve::ContextErrorOf(status);
  const std::string what(status.message());
  return error.has_value() ? std::string(reeve::ToString(*error)) + ": " + what : what;
}

MessageStream::MessageStream(document_server::Stream* below, Wrap wrap, Unwrap unwrap)
    : below_(*below), wrap_(std::move(wrap)), unwrap_(std::move(unwrap)) {}

size_t MessageStream::Receive(char* bytes, size_t size) {
  if (text_.empty()) {
    std::string wrapped;
    if (!failure_.empty() || !ReceiveFrame(&below_, &wrapped)) return 0;
    absl::StatusOr<reeve::ContextSession::Message> message = unwrap_(wrapped);
    if (!message.ok()) {
      failure_ = Describe(message.status());
    } else if (!message->encrypted) {
      failure_ = "the message is not encrypted";
    } else if (message->text.empty()) {
      failure_ = "the message is empty";
    } else {
      text_ = std::move(message->text);
    }
  }
  const size_t got = std::min(size, text_.size());
  text_.copy(bytes, got);
  text_.erase(0, got);
  return got;
}

bool MessageStream::Send(std::string_view bytes) {
  const absl::StatusOr<std::string> wrapped = wrap_(bytes);
  if (!wrapped.ok()) failure_ = Describe(wrapped.status());
  return wrapped.ok() && SendFrame(&below_, *wrapped);
}

}  // namespace handoff
