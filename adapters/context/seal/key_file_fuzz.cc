// Whatever a file of keys holds: it is refused at a place, by a line that holds nothing of it; or
// it is taken, and then written as it was, but for the order of a ring's keys.
#include <unistd.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "absl/strings/str_split.h"
#include "reeve/adapters/context/context_error.h"
#include "reeve/adapters/context/seal/host_key.h"
#include "reeve/adapters/context/seal/key_file.h"
#include "reeve/adapters/context/seal/key_ring.h"
#include "reeve/engine/text.h"

namespace {

constexpr auto kIfAllowed = reeve::SecretMemory::Lock::kIfAllowed;

void Check(bool condition) {
  if (!condition) std::abort();
}

void CheckRefusal(const absl::Status& status) {
  Check(reeve::ContextErrorOf(status) == reeve::ContextError::kMalformed ||
        reeve::ContextErrorOf(status) == reeve::ContextError::kUnsupportedVersion);
  const std::string message(status.message());
  Check(absl::StartsWith(message, "f:") && !reeve::HasControlCharacter(message));
  Check(message.size() < 200);
}

// What `save` writes.
template <typename Save>
std::string Written(const Save& save) {
  const char* const folder = std::getenv("TEST_TMPDIR");
  static const std::string& path =
      *new std::string(std::string(folder != nullptr ? folder : "/tmp") + "/key_file_fuzz." +
                       std::to_string(getpid()));
  Check(save(path).ok());
  std::ifstream file(path);
  std::string text(std::istreambuf_iterator<char>(file), {});
  unlink(path.c_str());
  return text;
}

std::string Sorted(const std::string& text) {
  std::vector<std::string> lines = absl::StrSplit(text, '\n');
  std::sort(lines.begin(), lines.end());
  std::string all;
  for (const std::string& line : lines) all += line + "\n";
  return all;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  const absl::Span<const uint8_t> bytes(data, size);
  const auto ring = reeve::KeyRing::Parse(bytes, "f", kIfAllowed);
  if (ring.ok()) {
    const auto written = Written([&](const std::string& path) {
      return (*ring)->Save(path, reeve::ExistingFile::kReplace);
    });
    Check(Sorted(written) == Sorted(text));
    Check(!(*ring)->Keys(absl::InfiniteFuture()).empty());
  } else {
    CheckRefusal(ring.status());
  }
  const auto host = reeve::HostKey::Parse(bytes, "f", kIfAllowed);
  if (host.ok()) {
    Check(Written([&](const std::string& path) {
            return (*host)->Save(path, reeve::ExistingFile::kReplace);
          }) == text);
  } else {
    CheckRefusal(host.status());
  }
  const auto host_public = reeve::HostPublicKey::Parse(text, "f");
  if (host_public.ok()) {
    Check(host_public->ToText() == text);
  } else {
    CheckRefusal(host_public.status());
  }
  Check(ring.ok() + host.ok() + host_public.ok() <= 1);
  return 0;
}
