#ifndef REEVE_EXAMPLES_DOCUMENT_SERVER_LINES_H_
#define REEVE_EXAMPLES_DOCUMENT_SERVER_LINES_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "reeve/examples/document_server/stream.h"

// Lines of text, which the example's server and client exchange. Nothing here is about
// authorization.
namespace document_server {

// The longest line, without its end.
inline constexpr size_t kMaxLineBytes = 4096;

// Sends `line` and a line end. False as Stream::Send().
bool SendLine(Stream* stream, std::string_view line);

// Reads lines from a stream, which it does not own. One thread at a time.
class LineReader {
 public:
  enum class Result {
    kLine,
    kTooLong,  // More than kMaxLineBytes came without an end. What follows cannot be trusted.
    kEnd,      // The other side has ended or kept silent too long. A line without its end is none.
  };

  explicit LineReader(Stream* stream) : stream_(stream) {}

  // Waits for the next line.
  Result Next(std::string* line);

 private:
  Stream* const stream_;
  std::string buffer_;
};

}  // namespace document_server

#endif  // REEVE_EXAMPLES_DOCUMENT_SERVER_LINES_H_
