// Makes a small world and a few requests of the bytes, and compares the engine with the reference.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "reeve/tests/differential/compare.h"
#include "reeve/tests/differential/generate.h"
#include "reeve/tests/reference/reference.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace reeve::differential;  // NOLINT(google-build-using-namespace)
  BytesChoices choices(std::string_view(reinterpret_cast<const char*>(data), size));
  const Size world_size = {choices.Below(8), choices.Below(8), choices.Below(4),
                           choices.Below(4) + 1};
  const reeve::reference::World world = MakeWorld(choices, world_size);
  Comparison comparison(world);
  for (int i = 0; i < 8 && !choices.empty(); ++i) {
    OwnedRequest request;
    MakeRequest(choices, world, world_size, /*malformed=*/8, &request);
    if (comparison.Agree(request.View(), /*explain=*/true)) continue;
    std::fprintf(stderr, "%s", comparison.failure().c_str());
    std::abort();
  }
  return 0;
}
