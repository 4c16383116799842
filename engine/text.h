#ifndef REEVE_ENGINE_TEXT_H_
#define REEVE_ENGINE_TEXT_H_

#include <string>
#include <string_view>

namespace reeve {

// Whether `text` is well-formed UTF-8 (RFC 3629: no overlong forms, no surrogates, at most
// U+10FFFF).
bool IsValidUtf8(std::string_view text);

// Whether `text` holds a control character of ASCII or Latin-1 (U+0000-001F, U+007F-009F), or one
// that changes how the text around it is shown: a line or paragraph separator, a bidirectional
// control, a zero-width character, a byte order mark. True of text that is not valid UTF-8.
bool HasHiddenCharacter(std::string_view text);

// `text` in a form that is safe in a log line and on a terminal: what HasHiddenCharacter() names
// and bytes that are not UTF-8 stand as \xNN or \u{NNNN}. Shortened with "..." beyond `max_bytes`.
std::string Printable(std::string_view text, size_t max_bytes = 200);

}  // namespace reeve

#endif  // REEVE_ENGINE_TEXT_H_
