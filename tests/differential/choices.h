// Where generators of random things take their choices from.
#ifndef REEVE_TESTS_DIFFERENTIAL_CHOICES_H_
#define REEVE_TESTS_DIFFERENTIAL_CHOICES_H_

#include <cstdint>
#include <random>
#include <string_view>

namespace reeve::differential {

// Takes one choice after the other. One thread at a time.
class Choices {
 public:
  virtual ~Choices() = default;

  // A number below `n`, which is from 1 to 65536.
  virtual uint32_t Below(uint32_t n) = 0;

  bool OneIn(uint32_t n) { return Below(n) == 0; }
};

// From a seed: the same numbers on every machine. One thread at a time.
class RandomChoices final : public Choices {
 public:
  explicit RandomChoices(uint64_t seed) : random_(seed) {}
  uint32_t Below(uint32_t n) override { return static_cast<uint32_t>(random_() % n); }

 private:
  std::mt19937_64 random_;
};

// From the input of a fuzzer; zeros once it ends. One thread at a time.
class BytesChoices final : public Choices {
 public:
  // `bytes` must outlive this.
  explicit BytesChoices(std::string_view bytes) : bytes_(bytes) {}
  uint32_t Below(uint32_t n) override;
  bool empty() const { return bytes_.empty(); }

 private:
  uint32_t TakeByte();

  std::string_view bytes_;
};

}  // namespace reeve::differential

#endif  // REEVE_TESTS_DIFFERENTIAL_CHOICES_H_
