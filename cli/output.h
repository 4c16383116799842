#ifndef REEVE_CLI_OUTPUT_H_
#define REEVE_CLI_OUTPUT_H_

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "absl/time/time.h"

namespace reeve {

// Whether standard output is a terminal that shows colours: not with NO_COLOR or TERM=dumb.
bool IsTerminal();

// The width of the terminal, or COLUMNS; 0, which means no limit, if standard output is none.
size_t TerminalWidth();

inline constexpr char kRed[] = "31";
inline constexpr char kGreen[] = "32";

// `text` in a colour if `on`.
std::string Colour(std::string_view text, const char* colour, bool on);

// The columns of the terminal that `text` takes, one for each code point.
size_t WidthOf(std::string_view text);

// Rows under a head, in columns. Cells are made safe to print.
class Table {
 public:
  // The first `whole` columns are never cut.
  explicit Table(const std::vector<std::string>& head, size_t whole = 0) : whole_(whole) {
    AddRow(head);
  }

  // As many cells as the head has.
  void AddRow(const std::vector<std::string>& cells);

  // With a width the widest columns are cut, with `…`, until a line fits; 0 cuts nothing. Each line
  // ends with a line feed.
  std::string ToString(size_t width) const;

 private:
  size_t whole_;
  std::vector<std::vector<std::string>> rows_;
};

// `json`, of nlohmann's, in one line. What is not UTF-8 is replaced.
template <typename Json>
std::string JsonText(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

// A moment as users write it: `1h`, `30m`, `7d` (before `now`) or RFC 3339 (`2026-11-20T09:00:00Z`,
// `2026-11-20`, which is UTC).
std::optional<absl::Time> ParseMoment(std::string_view text, absl::Time now);

}  // namespace reeve

#endif  // REEVE_CLI_OUTPUT_H_
