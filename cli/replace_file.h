#ifndef REEVE_CLI_REPLACE_FILE_H_
#define REEVE_CLI_REPLACE_FILE_H_

#include <string>
#include <string_view>

namespace reeve {

// Replaces the text of the regular file `path`, which was `old_text` when it was read, by
// `new_text`: whoever reads it sees the one or the other, also after a crash. Mode, owner and group
// stay; if `path` is a symbolic link it stays, and the file that it leads to is replaced. Returns
// what went wrong, nothing having changed then; empty if it is done.
std::string ReplaceFile(const std::string& path, std::string_view old_text,
                        std::string_view new_text);

}  // namespace reeve

#endif  // REEVE_CLI_REPLACE_FILE_H_
