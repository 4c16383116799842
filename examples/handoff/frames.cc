#include "reeve/examples/handoff/frames.h"

#include <arpa/inet.h>

#include <cstdint>
#include <cstring>

namespace handoff {
namespace {

// Exactly `size` bytes.
bool ReceiveAll(document_server::Stream* stream, char* bytes, size_t size) {
  while (size > 0) {
    const size_t got = stream->Receive(bytes, size);
    if (got == 0) return false;
    bytes += got;
    size -= got;
  }
  return true;
}

}  // namespace

bool SendFrame(document_server::Stream* stream, std::string_view bytes) {
  if (bytes.size() > kMaxFrameBytes) return false;
  const uint32_t size = htonl(static_cast<uint32_t>(bytes.size()));
  std::string frame(reinterpret_cast<const char*>(&size), sizeof(size));
  frame.append(bytes);
  return stream->Send(frame);
}

bool ReceiveFrame(document_server::Stream* stream, std::string* bytes) {
  char header[sizeof(uint32_t)];
  if (!ReceiveAll(stream, header, sizeof(header))) return false;
  uint32_t size;
  std::memcpy(&size, header, sizeof(size));
  size = ntohl(size);
  if (size > kMaxFrameBytes) return false;
  bytes->resize(size);
  return ReceiveAll(stream, bytes->data(), size);
}

}  // namespace handoff
