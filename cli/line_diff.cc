#include "reeve/cli/line_diff.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/str_cat.h"
#include "reeve/engine/text.h"

namespace reeve {
namespace {

constexpr size_t kContext = 3;
// Bytes of the table that compares lines.
constexpr size_t kMaxCells = size_t{16} << 20;

using Lines = std::vector<std::string_view>;

Lines LinesOf(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size() - 1) + 1;
    lines.push_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return lines;
}

struct Step {
  char sign;  // ' ', '-' or '+'
  std::string_view line;
};

// The longest common subsequence of what is between the common beginning and end.
void Compare(const Lines& a, const Lines& b, size_t begin, size_t end_a, size_t end_b,
             std::vector<Step>* steps) {
  const size_t rows = end_a - begin;
  const size_t columns = end_b - begin;
  size_t i = 0;
  size_t j = 0;
  if (rows > 0 && columns > 0 && (rows + 1) * (columns + 1) <= kMaxCells / sizeof(uint32_t)) {
    std::vector<uint32_t> common((rows + 1) * (columns + 1));
    const auto at = [&](size_t row, size_t column) -> uint32_t& {
      return common[row * (columns + 1) + column];
    };
    for (size_t row = rows; row-- > 0;) {
      for (size_t column = columns; column-- > 0;) {
        at(row, column) = a[begin + row] == b[begin + column]
                              ? at(row + 1, column + 1) + 1
                              : std::max(at(row + 1, column), at(row, column + 1));
      }
    }
    while (i < rows && j < columns) {
      if (a[begin + i] == b[begin + j]) {
        steps->push_back({' ', a[begin + i++]});
        ++j;
      } else if (at(i + 1, j) >= at(i, j + 1)) {
        steps->push_back({'-', a[begin + i++]});
      } else {
        steps->push_back({'+', b[begin + j++]});
      }
    }
  }
  while (i < rows) steps->push_back({'-', a[begin + i++]});
  while (j < columns) steps->push_back({'+', b[begin + j++]});
}

}  // namespace

std::string UnifiedDiff(std::string_view name, std::string_view before, std::string_view after) {
  if (before == after) return {};
  const Lines a = LinesOf(before);
  const Lines b = LinesOf(after);
  size_t begin = 0;
  while (begin < std::min(a.size(), b.size()) && a[begin] == b[begin]) ++begin;
  size_t same_end = 0;
  while (same_end < std::min(a.size(), b.size()) - begin &&
         a[a.size() - 1 - same_end] == b[b.size() - 1 - same_end]) {
    ++same_end;
  }
  std::vector<Step> steps;
  for (size_t i = 0; i < begin; ++i) steps.push_back({' ', a[i]});
  Compare(a, b, begin, a.size() - same_end, b.size() - same_end, &steps);
  for (size_t i = a.size() - same_end; i < a.size(); ++i) steps.push_back({' ', a[i]});

  const std::string shown = Printable(name, SIZE_MAX);
  std::string out = absl::StrCat("--- ", shown, "\n+++ ", shown, "\n");
  size_t line_a = 1;
  size_t line_b = 1;
  for (size_t at = 0; at < steps.size();) {
    if (steps[at].sign == ' ') {
      ++at, ++line_a, ++line_b;
      continue;
    }
    const size_t first = at - std::min(at, kContext);
    // Changes with few lines between them are one hunk.
    size_t last = at;
    for (size_t i = at; i < steps.size() && i <= last + 2 * kContext + 1; ++i) {
      if (steps[i].sign != ' ') last = i;
    }
    const size_t end = std::min(last + 1 + kContext, steps.size());
    const size_t start_a = line_a - (at - first);
    const size_t start_b = line_b - (at - first);
    std::string body;
    size_t count_a = 0;
    size_t count_b = 0;
    for (size_t i = first; i < end; ++i) {
      const Step& step = steps[i];
      count_a += step.sign != '+';
      count_b += step.sign != '-';
      absl::StrAppend(&body, std::string(1, step.sign), std::string(step.line));
      if (step.line.back() != '\n') body += "\n\\ No newline at end of file\n";
    }
    const auto range = [](size_t start, size_t count) {
      return count == 1 ? absl::StrCat(start)
                        : absl::StrCat(count == 0 ? start - 1 : start, ",", count);
    };
    absl::StrAppend(&out, "@@ -", range(start_a, count_a), " +", range(start_b, count_b), " @@\n",
                    body);
    line_a = start_a + count_a;
    line_b = start_b + count_b;
    at = end;
  }
  return out;
}

}  // namespace reeve
