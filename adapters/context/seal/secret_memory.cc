#include "reeve/adapters/context/seal/secret_memory.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "absl/strings/str_cat.h"
#include "reeve/adapters/context/context_error.h"

namespace reeve {
namespace {

constexpr uint64_t kMark = 0x52656576656B6579;
// Before the bytes, so that they are aligned for anything.
constexpr size_t kMarkBytes = 16;

absl::Status NoMemory(size_t size, int error) {
  return MakeContextError(ContextError::kResourceExhausted,
                          absl::StrCat("there are no ", size, " bytes of memory for keys: ",
                                       std::strerror(error), "; raise RLIMIT_AS"));
}

}  // namespace

absl::StatusOr<SecretMemory> SecretMemory::Create(size_t size, Lock lock) {
  const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
  if (size > SIZE_MAX - kMarkBytes - page) return NoMemory(size, ENOMEM);
  const size_t mapped = (size + kMarkBytes + page - 1) / page * page;
  void* const pages =
      mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (pages == MAP_FAILED) return NoMemory(size, errno);
  SecretMemory memory;  // Gives the pages back whatever comes.
  memory.pages_ = static_cast<uint8_t*>(pages);
  memory.mapped_ = mapped;
  memory.bytes_ = memory.pages_ + kMarkBytes;
  memory.size_ = size;
  if (madvise(pages, mapped, MADV_WIPEONFORK) != 0 || madvise(pages, mapped, MADV_DONTDUMP) != 0) {
    return MakeContextError(ContextError::kInternal,
                            absl::StrCat("the kernel does not keep keys from children and core "
                                         "dumps: ",
                                         std::strerror(errno), "; run Linux 4.14 or later"));
  }
  if (mlock(pages, mapped) != 0 && lock == Lock::kRequired) {
    return MakeContextError(
        ContextError::kResourceExhausted,
        absl::StrCat("the memory for keys cannot be locked: ", std::strerror(errno),
                     "; raise RLIMIT_MEMLOCK (`ulimit -l`) by ", mapped / 1024,
                     " KiB, or let it be swapped by SecretMemory::Lock::kIfAllowed"));
  }
  std::memcpy(memory.pages_, &kMark, sizeof(kMark));
  return memory;
}

SecretMemory::SecretMemory(SecretMemory&& other) noexcept { *this = std::move(other); }

SecretMemory& SecretMemory::operator=(SecretMemory&& other) noexcept {
  std::swap(pages_, other.pages_);
  std::swap(mapped_, other.mapped_);
  std::swap(bytes_, other.bytes_);
  std::swap(size_, other.size_);
  return *this;
}

SecretMemory::~SecretMemory() {
  if (pages_ == nullptr) return;
  explicit_bzero(pages_, mapped_);
  munmap(pages_, mapped_);
}

bool SecretMemory::here() const {
  if (pages_ == nullptr) return false;
  // The kernel changes it, in a child.
  return *reinterpret_cast<const volatile uint64_t*>(pages_) == kMark;
}

}  // namespace reeve
