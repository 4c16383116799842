#ifndef REEVE_EXAMPLES_DOCUMENT_SERVER_DOCUMENTS_H_
#define REEVE_EXAMPLES_DOCUMENT_SERVER_DOCUMENTS_H_

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "absl/base/thread_annotations.h"
#include "reeve/engine/mutex.h"

// What the example server serves, and the language it is asked in. Nothing here is about
// authorization.
namespace document_server {

// `read PATH`, `write PATH TEXT` or `delete PATH`, taken apart. A view of the line.
struct Command {
  std::string_view verb;
  std::string_view path;
  std::string_view text;
  std::string_view defect;  // Why it is none of the three; empty if it is.
};

// Never fails: of a line that is no command, what can be told is kept, with the defect.
Command ParseCommand(std::string_view line);

// Texts by path, in memory.
//
// Thread-safe: any thread may call any method at any time.
class Documents {
 public:
  // Some to begin with.
  Documents();

  // Does what `command`, which has no defect, asks. The answer is one line: `ok`, `ok TEXT`, or
  // `missing` if there is no such document.
  std::string Do(const Command& command);

 private:
  reeve::Mutex mutex_;
  std::map<std::string, std::string, std::less<>> texts_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace document_server

#endif  // REEVE_EXAMPLES_DOCUMENT_SERVER_DOCUMENTS_H_
