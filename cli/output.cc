#include "reeve/cli/output.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

// The first `width` code points of `text`, the last one a mark where more was cut.
std::string Cut(std::string_view text, size_t width) {
  if (WidthOf(text) <= width) return std::string(text);
  size_t end = 0;
  for (size_t shown = 0; end < text.size(); ++end) {
    const bool begins = (text[end] & 0xC0) != 0x80;
    if (begins && ++shown == width) break;
  }
  return absl::StrCat(absl::string_view(text.data(), end), "…");
}

// Takes from the widest columns behind the first `whole` until the line fits. None goes below a few
// characters.
void Narrow(size_t width, size_t gap, size_t whole, std::vector<size_t>* columns) {
  constexpr size_t kLeast = 6;
  size_t line = gap * (columns->size() - 1);
  for (const size_t column : *columns) line += column;
  while (line > width) {
    const auto widest = std::max_element(columns->begin() + whole, columns->end());
    if (widest == columns->end() || *widest <= kLeast) return;
    --*widest;
    --line;
  }
}

}  // namespace

bool IsTerminal() {
  const char* const term = std::getenv("TERM");
  return isatty(STDOUT_FILENO) != 0 && std::getenv("NO_COLOR") == nullptr && term != nullptr &&
         std::string_view(term) != "dumb";
}

size_t TerminalWidth() {
  if (const char* const columns = std::getenv("COLUMNS")) {
    size_t width;
    if (absl::SimpleAtoi(columns, &width) && width > 0) return width;
  }
  winsize size;
  if (isatty(STDOUT_FILENO) != 0 && ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0) {
    return size.ws_col;
  }
  return 0;
}

std::string Colour(std::string_view text, const char* colour, bool on) {
  if (!on) return std::string(text);
  return absl::StrCat("\x1b[", colour, "m", absl::string_view(text.data(), text.size()), "\x1b[0m");
}

size_t WidthOf(std::string_view text) {
  return std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xC0) != 0x80; });
}

void Table::AddRow(const std::vector<std::string>& cells) {
  std::vector<std::string>& row = rows_.emplace_back();
  for (const std::string& cell : cells) row.push_back(Printable(cell));
}

std::string Table::ToString(size_t width) const {
  constexpr size_t kGap = 2;
  std::vector<size_t> columns(rows_[0].size());
  for (const std::vector<std::string>& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) columns[i] = std::max(columns[i], WidthOf(row[i]));
  }
  if (width > 0) Narrow(width, kGap, whole_, &columns);
  std::string text;
  for (const std::vector<std::string>& row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      const std::string cell = Cut(row[i], columns[i]);
      line += cell;
      line.append(columns[i] - WidthOf(cell) + kGap, ' ');
    }
    line.erase(line.find_last_not_of(' ') + 1);
    absl::StrAppend(&text, line, "\n");
  }
  return text;
}

std::optional<absl::Time> ParseMoment(std::string_view text, absl::Time now) {
  if (text.empty()) return std::nullopt;
  int64_t count;
  if (absl::SimpleAtoi(absl::string_view(text.data(), text.size() - 1), &count) && count >= 0) {
    switch (text.back()) {
      case 's':
        return now - absl::Seconds(count);
      case 'm':
        return now - absl::Minutes(count);
      case 'h':
        return now - absl::Hours(count);
      case 'd':
        return now - absl::Hours(24) * count;
      case 'w':
        return now - absl::Hours(24 * 7) * count;
      default:
        break;
    }
  }
  absl::Time time;
  for (const char* format :
       {absl::RFC3339_full, "%Y-%m-%d", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M:%S"}) {
    if (absl::ParseTime(format, absl::string_view(text.data(), text.size()), &time, nullptr)) {
      return time;
    }
  }
  return std::nullopt;
}

}  // namespace reeve
