// Any bytes: they are refused, or are one program after the other that can be run, of which each
// has one encoding. What a decoder has decoded before makes no difference.
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "reeve/engine/cel/program_encoding.h"
#include "reeve/engine/cel/program_testing.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::string_view bytes(reinterpret_cast<const char*>(data), size);
  reeve::cel::ProgramDecoder decoder;
  while (!bytes.empty()) {
    reeve::ByteReader reader(bytes);
    reeve::ByteReader reader_alone(bytes);
    const auto program = decoder.Decode(&reader);
    const auto alone = reeve::cel::ProgramDecoder().Decode(&reader_alone);
    if (program.ok() != alone.ok() || (program.ok() && reader.rest() != reader_alone.rest())) {
      std::fprintf(stderr, "it depends on what was decoded before: %s\n",
                   std::string((program.ok() ? alone : program).status().message()).c_str());
      std::abort();
    }
    if (!program.ok()) return 0;
    if (reeve::cel::EncodingOf(**program) != bytes.substr(0, bytes.size() - reader.rest())) {
      std::fprintf(stderr, "a second encoding of\n%s", ToString(**program).c_str());
      std::abort();
    }
    reeve::cel::RunOnMany(**program);
    bytes.remove_prefix(bytes.size() - reader.rest());
  }
  return 0;
}
