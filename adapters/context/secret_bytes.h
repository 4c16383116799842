#ifndef REEVE_ADAPTERS_CONTEXT_SECRET_BYTES_H_
#define REEVE_ADAPTERS_CONTEXT_SECRET_BYTES_H_

#include <string.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>

#include "absl/types/span.h"

namespace reeve {

// Bytes that are as good as a password: what a sealed context holds, above all a session key. Not
// copied, and zeroed when they go (explicit_bzero(3)). Of fixed size, so that no copy stays behind
// when they grow.
//
// Thread-compatible: const methods from any threads, others alone.
class SecretBytes {
 public:
  SecretBytes() = default;
  // `size` zeros.
  explicit SecretBytes(size_t size)
      : bytes_(size == 0 ? nullptr : new uint8_t[size]()), size_(size) {}
  explicit SecretBytes(std::string_view bytes) : SecretBytes(bytes.size()) {
    if (size_ != 0) memcpy(bytes_.get(), bytes.data(), size_);
  }
  SecretBytes(SecretBytes&& other) noexcept
      : bytes_(std::move(other.bytes_)), size_(std::exchange(other.size_, 0)) {}
  SecretBytes& operator=(SecretBytes&& other) noexcept {
    std::swap(bytes_, other.bytes_);
    std::swap(size_, other.size_);
    return *this;
  }
  ~SecretBytes() {
    if (size_ != 0) explicit_bzero(bytes_.get(), size_);
  }

  uint8_t* data() { return bytes_.get(); }
  const uint8_t* data() const { return bytes_.get(); }
  size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  std::string_view view() const { return {reinterpret_cast<const char*>(bytes_.get()), size_}; }
  absl::Span<const uint8_t> span() const { return {bytes_.get(), size_}; }

 private:
  std::unique_ptr<uint8_t[]> bytes_;
  size_t size_ = 0;
};

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_SECRET_BYTES_H_
