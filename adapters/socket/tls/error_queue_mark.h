// For this folder and adapters/context.
#ifndef REEVE_ADAPTERS_SOCKET_TLS_ERROR_QUEUE_MARK_H_
#define REEVE_ADAPTERS_SOCKET_TLS_ERROR_QUEUE_MARK_H_

#include <openssl/err.h>

namespace reeve {

// Takes back what OpenSSL adds to the thread's queue of errors while this lives: what is left there
// makes a later SSL_get_error(3) on any session take a good read for a failed one.
class ErrorQueueMark {
 public:
  // On an empty queue it marks nothing, and ERR_pop_to_mark(3) then empties it.
  ErrorQueueMark() { ERR_set_mark(); }
  ~ErrorQueueMark() { ERR_pop_to_mark(); }
  ErrorQueueMark(const ErrorQueueMark&) = delete;
  ErrorQueueMark& operator=(const ErrorQueueMark&) = delete;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_TLS_ERROR_QUEUE_MARK_H_
