#ifndef REEVE_EXAMPLES_DOCUMENT_SERVER_STREAM_H_
#define REEVE_EXAMPLES_DOCUMENT_SERVER_STREAM_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace document_server {

// One end of a connection, whatever carries it. One thread at a time.
class Stream {
 public:
  virtual ~Stream() = default;

  // Waits for bytes, `size` at most, and returns how many came; 0 if the other side has ended or
  // the connection failed, or none came in time.
  virtual size_t Receive(char* bytes, size_t size) = 0;
  // Sends all of `bytes`. False if the other side has gone or takes too long to read.
  virtual bool Send(std::string_view bytes) = 0;
  // Why the last of these failed, for a person; empty if nothing more is known than that it did.
  virtual std::string failure() const { return ""; }
};

// A socket as it is; its own time-outs (socket(7), SO_RCVTIMEO) say what is in time. Not owned.
class SocketStream final : public Stream {
 public:
  explicit SocketStream(int fd) : fd_(fd) {}

  size_t Receive(char* bytes, size_t size) override;
  bool Send(std::string_view bytes) override;

 private:
  const int fd_;
};

}  // namespace document_server

#endif  // REEVE_EXAMPLES_DOCUMENT_SERVER_STREAM_H_
