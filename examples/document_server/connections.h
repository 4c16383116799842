#ifndef REEVE_EXAMPLES_DOCUMENT_SERVER_CONNECTIONS_H_
#define REEVE_EXAMPLES_DOCUMENT_SERVER_CONNECTIONS_H_

#include <functional>
#include <set>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "reeve/engine/mutex.h"

namespace document_server {

// Accepts connections and serves each on one of a fixed number of threads; more of them wait in the
// listener's queue. A peer that is silent, or does not read, for ten seconds is let go. Nothing
// here is about authorization.
class Connections {
 public:
  // Runs `serve` for each connection to `listener`, which is not owned and must outlive this, on
  // several threads at once. `serve` does not close the socket.
  Connections(int listener, int threads, std::function<void(int fd)> serve);

  // Accepts no more, lets each connection finish what it is doing, and ends.
  ~Connections();
  Connections(const Connections&) = delete;
  Connections& operator=(const Connections&) = delete;

 private:
  void Work();
  void ServeOne(int fd);

  const int listener_;
  const std::function<void(int fd)> serve_;
  reeve::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::set<int> open_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;
};

}  // namespace document_server

#endif  // REEVE_EXAMPLES_DOCUMENT_SERVER_CONNECTIONS_H_
