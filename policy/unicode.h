// What a policy file may be made of: well-formed UTF-8 that shows all it says.
#ifndef REEVE_POLICY_UNICODE_H_
#define REEVE_POLICY_UNICODE_H_

#include <cstddef>
#include <string>
#include <string_view>

namespace reeve {

// Why a character may not stand in a policy file.
enum class CharacterFault {
  kNone,
  kControl,  // C0 and C1 but tab and line feed: terminals obey them.
  kHidden,   // Shows nothing, or reorders what is shown: the reviewer would read another text.
};
CharacterFault FaultOf(char32_t code_point);

// Whether a reader of a name sees the character, and sees it as what it is: not what FaultOf()
// names, line feed and tab, spaces other than U+0020, variation selectors and the empty Braille
// pattern.
bool IsVisible(char32_t code_point);

// "U+200B".
std::string CodePointName(char32_t code_point);

// `text` in back-quotes, made safe to print and to read: control, hidden and malformed characters
// and spaces other than U+0020 are escaped, and a long text is cut after 60 characters.
std::string Quoted(std::string_view text);

}  // namespace reeve

#endif  // REEVE_POLICY_UNICODE_H_
