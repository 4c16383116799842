#include "reeve/policy/snapshot_file_testing.h"

#include <sodium.h>

namespace reeve {
namespace {

constexpr size_t kRulesAt = 16;
constexpr size_t kFilesAt = 24;
constexpr size_t kDigestsAt = 32;

void Put64(size_t at, uint64_t value, std::string* bytes) {
  for (int i = 0; i < 8; ++i) (*bytes)[at + i] = static_cast<char>(value >> 8 * i);
}

}  // namespace

void SealSnapshotFile(uint64_t rules, std::string* bytes) {
  const uint64_t files = bytes->size() - kSnapshotHeaderBytes - rules;
  Put64(kRulesAt, rules, bytes);
  Put64(kFilesAt, files, bytes);
  const struct {
    size_t begin;
    size_t size;
  } sections[] = {{kSnapshotHeaderBytes, rules}, {kSnapshotHeaderBytes + rules, files}, {0, 96}};
  size_t at = kDigestsAt;
  for (const auto& [begin, size] : sections) {
    auto* const data = reinterpret_cast<unsigned char*>(bytes->data());
    crypto_generichash(data + at, 32, data + begin, size, nullptr, 0);
    at += 32;
  }
}

uint64_t RulesSize(std::string_view bytes) {
  uint64_t size = 0;
  for (int i = 0; i < 8; ++i) {
    size |= uint64_t{static_cast<unsigned char>(bytes[kRulesAt + i])} << 8 * i;
  }
  return size;
}

}  // namespace reeve
