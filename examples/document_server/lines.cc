#include "reeve/examples/document_server/lines.h"

namespace document_server {

bool SendLine(Stream* stream, std::string_view line) {
  std::string bytes(line);
  bytes += '\n';
  return stream->Send(bytes);
}

LineReader::Result LineReader::Next(std::string* line) {
  for (;;) {
    const size_t end = buffer_.find('\n');
    if (end != std::string::npos && end <= kMaxLineBytes) {
      line->assign(buffer_, 0, end);
      buffer_.erase(0, end + 1);
      return Result::kLine;
    }
    if (buffer_.size() > kMaxLineBytes) return Result::kTooLong;
    char bytes[kMaxLineBytes];
    const size_t size = stream_->Receive(bytes, sizeof(bytes));
    if (size == 0) return Result::kEnd;
    buffer_.append(bytes, size);
  }
}

}  // namespace document_server
