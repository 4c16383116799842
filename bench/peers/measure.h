// What the peers in C++ share; measure/ is for those in Go.
#ifndef REEVE_BENCH_PEERS_MEASURE_H_
#define REEVE_BENCH_PEERS_MEASURE_H_

#include <algorithm>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>
#include <vector>

namespace reeve::bench {

// Nanoseconds of processor time of the process: what else the machine does is not in it.
inline double ProcessorTime() {
  timespec now;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return 1e9 * static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec);
}

// Asks the requests of a case in rounds, and prints its line: the middle of what one decision took
// in each of them. `make(row)` makes a request of a line of requests.jsonl, and `allows(request)`
// decides it. Returns false, and prints no line, if an answer is not the expected one.
template <typename Make, typename Allows>
bool Measure(const std::filesystem::path& directory, const char* peer, const char* version,
             Make make, Allows allows) {
  constexpr double kBudgetNs = 5e8;
  constexpr size_t kMinRounds = 5;
  std::vector<decltype(make(nlohmann::json()))> requests;
  std::ifstream file(directory / "requests.jsonl");
  for (std::string line; std::getline(file, line);) {
    const nlohmann::json row = nlohmann::json::parse(line);
    requests.push_back(make(row));
    if (allows(requests.back()) == row["allow"].get<bool>()) continue;
    std::fprintf(stderr, "%s: another answer than expected: %s\n", directory.c_str(), line.c_str());
    return false;
  }
  if (requests.empty()) {
    std::fprintf(stderr, "%s: no requests\n", directory.c_str());
    return false;
  }
  std::vector<double> rounds;
  const double end = ProcessorTime() + kBudgetNs;
  while (rounds.size() < kMinRounds || ProcessorTime() < end) {
    size_t allowed = 0;
    const double begin = ProcessorTime();
    for (const auto& request : requests) allowed += allows(request);
    const double time = ProcessorTime() - begin;
    if (allowed > requests.size()) return false;  // so that the decisions are not in vain
    rounds.push_back(time / static_cast<double>(requests.size()));
  }
  std::sort(rounds.begin(), rounds.end());
  std::puts(nlohmann::ordered_json{{"case", directory.filename().string()},
                                   {"peer", peer},
                                   {"version", version},
                                   {"ns", rounds[rounds.size() / 2]}}
                .dump()
                .c_str());
  std::fflush(stdout);
  return true;
}

// Measures each of the directories `argv` in which `peer` has a folder. Returns the program's
// status.
template <typename MeasureOne>
int MeasureAll(int argc, char** argv, const char* peer, MeasureOne measure) {
  int status = 0;
  for (int i = 1; i < argc; ++i) {
    const std::filesystem::path directory(argv[i]);
    if (std::filesystem::is_directory(directory / peer) && !measure(directory)) status = 1;
  }
  return status;
}

}  // namespace reeve::bench

#endif  // REEVE_BENCH_PEERS_MEASURE_H_
