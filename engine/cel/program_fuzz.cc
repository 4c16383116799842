// Any bytes: they are refused, or are the one encoding of a program that can be run.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "reeve/engine/cel/program_encoding.h"
#include "reeve/engine/cel/program_testing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const auto program = reeve::cel::DecodeProgram(bytes);
  if (!program.ok()) return 0;
  if (reeve::cel::EncodingOf(**program) != bytes) {
    std::fprintf(stderr, "a second encoding of\n%s", ToString(**program).c_str());
    std::abort();
  }
  reeve::cel::RunOnMany(**program);
  return 0;
}
