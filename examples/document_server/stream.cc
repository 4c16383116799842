#include "reeve/examples/document_server/stream.h"

#include <sys/socket.h>
#include <sys/types.h>

#include <cerrno>

namespace document_server {

size_t SocketStream::Receive(char* bytes, size_t size) {
  ssize_t received;
  do {
    received = recv(fd_, bytes, size, 0);
  } while (received < 0 && errno == EINTR);
  return received < 0 ? 0 : static_cast<size_t>(received);
}

bool SocketStream::Send(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace document_server
