#include "reeve/examples/document_server/connections.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <utility>

namespace document_server {
namespace {

// Before accept() is tried again when the machine has run out of descriptors or memory.
constexpr std::chrono::milliseconds kPause(100);

}  // namespace

Connections::Connections(int listener, int threads, std::chrono::seconds patience,
                         std::function<void(int fd)> serve)
    : listener_(listener), patience_(patience), serve_(std::move(serve)) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Work(); });
}

Connections::~Connections() {
  {
    reeve::MutexLock lock(mutex_);
    stopping_ = true;
    // Wakes who waits in accept() or recv().
    shutdown(listener_, SHUT_RDWR);
    for (const int fd : open_) shutdown(fd, SHUT_RD);
  }
  for (std::thread& thread : threads_) thread.join();
}

void Connections::Work() {
  for (;;) {
    const int fd = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd >= 0) {
      ServeOne(fd);
      continue;
    }
    if (errno == EINTR || errno == ECONNABORTED) continue;
    {
      reeve::MutexLock lock(mutex_);
      if (stopping_) return;
    }
    std::this_thread::sleep_for(kPause);
  }
}

void Connections::ServeOne(int fd) {
  const timeval patience = {patience_.count(), 0};
  setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
  setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
  bool serve;
  {
    reeve::MutexLock lock(mutex_);
    serve = !stopping_;
    if (serve) open_.insert(fd);
  }
  if (serve) {
    serve_(fd);
    reeve::MutexLock lock(mutex_);
    open_.erase(fd);
  }
  close(fd);
}

}  // namespace document_server
