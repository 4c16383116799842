// What a policy file may be made of: well-formed UTF-8 that shows all it says.
#ifndef REEVE_POLICY_UNICODE_H_
#define REEVE_POLICY_UNICODE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace reeve {

// Reads the code point at the start of `text` into *code_point and returns its length in bytes.
// Returns 0 if `text` does not begin with well-formed UTF-8: overlong, truncated, a surrogate, or
// above U+10FFFF (RFC 3629, section 4).
size_t DecodeUtf8(std::string_view text, char32_t* code_point);

// Appends `code_point`, which is no surrogate and not above U+10FFFF, to *out.
void AppendUtf8(char32_t code_point, std::string* out);

// Why a character may not stand in a policy file.
enum class CharacterFault {
  kNone,
  kControl,  // C0 and C1 but tab and line feed: terminals obey them.
  kHidden,   // Shows nothing, or reorders what is shown: the reviewer would read another text.
};
CharacterFault FaultOf(char32_t code_point);

// "U+200B".
std::string CodePointName(char32_t code_point);

// `text` in back-quotes, made safe to print and to read: control, hidden and malformed characters
// and spaces other than U+0020 are escaped, and a long text is cut after 60 characters.
std::string Quoted(std::string_view text);

}  // namespace reeve

#endif  // REEVE_POLICY_UNICODE_H_
