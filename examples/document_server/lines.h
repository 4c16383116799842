#ifndef REEVE_EXAMPLES_DOCUMENT_SERVER_LINES_H_
#define REEVE_EXAMPLES_DOCUMENT_SERVER_LINES_H_

#include <cstddef>
#include <string>
#include <string_view>

// What the example's server and client share: AF_UNIX stream sockets that carry lines of text.
// Nothing here is about authorization.
namespace document_server {

// The longest line, without its end.
inline constexpr size_t kMaxLineBytes = 4096;

// A listening socket at `path` that every local user may connect to; -1 with *error set on
// failure. What a server that is gone left at `path` is removed. A server that still listens there,
// or anything else than a socket, is an error.
int Listen(const std::string& path, std::string* error);

// A connection to the server at `path`; -1 with *error set on failure.
int Connect(const std::string& path, std::string* error);

// Sends `line` and a line end. False if the other side has gone or takes too long to read.
bool SendLine(int fd, std::string_view line);

// Reads lines from a socket, which it does not own. One thread at a time.
class LineReader {
 public:
  enum class Result {
    kLine,
    kTooLong,  // More than kMaxLineBytes came without an end. What follows cannot be trusted.
    kEnd,      // The other side has ended or kept silent too long. A line without its end is none.
  };

  explicit LineReader(int fd) : fd_(fd) {}

  // Waits for the next line.
  Result Next(std::string* line);

 private:
  const int fd_;
  std::string buffer_;
};

}  // namespace document_server

#endif  // REEVE_EXAMPLES_DOCUMENT_SERVER_LINES_H_
