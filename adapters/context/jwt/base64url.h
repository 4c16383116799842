#ifndef REEVE_ADAPTERS_CONTEXT_JWT_BASE64URL_H_
#define REEVE_ADAPTERS_CONTEXT_JWT_BASE64URL_H_

#include <optional>
#include <string>
#include <string_view>

namespace reeve {

// The bytes that `text` encodes as RFC 7515, 2, has it: the alphabet of RFC 4648, 5, without
// padding, space or line ends. Nothing if it is something else, or if the bits behind the last byte
// are not zero, so that no two texts are the same bytes. Empty text is no bytes.
std::optional<std::string> DecodeBase64Url(std::string_view text);

}  // namespace reeve

#endif  // REEVE_ADAPTERS_CONTEXT_JWT_BASE64URL_H_
