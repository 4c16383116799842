// The processes behind UserWorkers, and what is said to them. Private to this folder.
//
// A broker is forked from the server, once. It forks a worker for each user that the server names:
// so workers are copies of what the server was early, without its threads and what it has learnt
// since. What runs in them is written here and in worker_process.cc with system calls only: no
// allocation, no locks, no stdio.
//
//   server -- Spawn, three descriptors -->  broker      (one socket for all)
//   server <-- Ready --------------------   worker      (a socket of its own, made by the server)
//   server -- OpenRequest, path --------->  worker
//   server <-- OpenReply, descriptor -----  worker
//
// All are packets (SOCK_SEQPACKET), in the layout of this build: both sides are the same program.
//
// The leash. A server that is not root may not signal a worker, which is another user's; and one
// that dies cannot. So each worker (and the broker) asks the kernel to send it SIGKILL when
// anything happens on a second socket: a byte comes, or its other end is closed, which the death of
// the server does. Source: fcntl(2), F_SETSIG.
#ifndef REEVE_ADAPTERS_SOCKET_IMPERSONATE_WORKER_PROCESS_H_
#define REEVE_ADAPTERS_SOCKET_IMPERSONATE_WORKER_PROCESS_H_

#include <sys/socket.h>
#include <sys/types.h>

#include <cstddef>
#include <cstdint>

namespace reeve {
namespace impersonate_internal {

// Make a worker. With its socket, its leash, and a file of the groups (gid_t each, sorted, each
// once) if there are any.
struct Spawn {
  uid_t uid;
  gid_t gid;
  uint32_t group_count;
  uint32_t umask;
};

// Whether it is that user now.
struct Ready {
  enum Stage : uint32_t { kDone, kFork, kGroups, kGid, kUid, kCapabilities, kConfine, kVerify };
  Stage stage;
  int32_t error;
};

// Followed by the path, without a NUL. With a directory's descriptor, or none.
struct OpenRequest {
  uint64_t number;
  uint64_t flags;
  uint64_t mode;
  uint64_t resolve;
};

// With a descriptor if `error` is 0.
struct OpenReply {
  uint64_t number;
  int32_t error;
  uint32_t zero;
};

constexpr size_t kMaxDescriptors = 4;

// A packet as it arrived.
struct Packet {
  ssize_t size = -1;  // As recvmsg(2): 0 at the end, -1 for an error.
  int error = 0;
  bool cut = false;  // It, or its descriptors, did not fit.
  int fds[kMaxDescriptors];
  size_t fd_count = 0;
  bool has_sender = false;
  ucred sender;  // By the kernel's word, where the socket has SO_PASSCRED.

  void CloseAll();
};

// Async-signal-safe; sendmsg(2) and recvmsg(2) with these `flags`. Descriptors arrive with
// close-on-exec. Send() returns 0 or the errno.
int Send(int socket, const void* head, size_t head_size, const void* body, size_t body_size,
         const int* fds, size_t fd_count, int flags);
Packet Receive(int socket, void* head, size_t head_size, void* body, size_t body_size, int flags);

// What the child of the server becomes. Called with all signals blocked.
[[noreturn]] void RunBroker(int socket, int leash);

}  // namespace impersonate_internal
}  // namespace reeve

#endif  // REEVE_ADAPTERS_SOCKET_IMPERSONATE_WORKER_PROCESS_H_
