#ifndef REEVE_EXAMPLES_HANDOFF_FRAMES_H_
#define REEVE_EXAMPLES_HANDOFF_FRAMES_H_

#include <cstddef>
#include <string>
#include <string_view>

#include "reeve/examples/document_server/stream.h"

// Frames: bytes with their number before them, four bytes of it, the high one first. In them travel
// the tokens and messages of Kerberos, and what a front hands over.
namespace handoff {

// The longest that is sent or taken.
inline constexpr size_t kMaxFrameBytes = 65536;

// False as Stream::Send(), or if `bytes` are too many.
bool SendFrame(document_server::Stream* stream, std::string_view bytes);

// Waits for a frame, and reads nothing beyond it: who has the stream next finds what follows. False
// if it did not come whole, or is too long.
bool ReceiveFrame(document_server::Stream* stream, std::string* bytes);

}  // namespace handoff

#endif  // REEVE_EXAMPLES_HANDOFF_FRAMES_H_
