#ifndef REEVE_CLI_CHART_H_
#define REEVE_CLI_CHART_H_

#include <cstddef>
#include <string>
#include <vector>

#include "reeve/store/audit_reader.h"

namespace reeve {

// How a chart is drawn.
struct ChartStyle {
  size_t width = 0;      // of a line; 0 means 80
  bool blocks = false;   // with Unicode's blocks; else `#`, and `x` for what was denied
  bool colours = false;  // what was denied in red
};

// A line for each hour, or for a longer time where there were more than 31: when it began, a bar,
// what was denied first, and the numbers. `hours` are the oldest first. Empty without any.
std::string Chart(const std::vector<AuditStatistics::Hour>& hours, const ChartStyle& style);

}  // namespace reeve

#endif  // REEVE_CLI_CHART_H_
