#ifndef REEVE_EXAMPLES_DOCUMENT_SERVER_CONNECTIONS_H_
#define REEVE_EXAMPLES_DOCUMENT_SERVER_CONNECTIONS_H_

#include <chrono>
#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "reeve/engine/mutex.h"

namespace document_server {

// Accepts connections and serves each on one of a fixed number of threads; more of them wait in the
// listener's queue. Nothing here is about authorization.
class Connections {
 public:
  // Runs `serve` for each connection to `listener`, which is not owned and must outlive this, on
  // several threads at once. `serve` does not close the socket. Of a peer that is silent, or does
  // not read, for longer than `patience`, its calls of recv(2) and send(2) fail.
  Connections(int listener, int threads, std::chrono::seconds patience,
              std::function<void(int fd)> serve);

  // Accepts no more, tells each `serve` that its peer sends no more, and ends when all have
  // returned. What was received before, and by TCP what comes later, can still be read: `serve`
  // should not.
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

 private:
  void Work();
  void ServeOne(int fd);

  const int listener_;
  const std::chrono::seconds patience_;
  const std::function<void(int fd)> serve_;
  reeve::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<int> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace document_server

#endif  // REEVE_EXAMPLES_DOCUMENT_SERVER_CONNECTIONS_H_
