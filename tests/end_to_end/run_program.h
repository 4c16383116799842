#ifndef REEVE_TESTS_END_TO_END_RUN_PROGRAM_H_
#define REEVE_TESTS_END_TO_END_RUN_PROGRAM_H_

#include <string>
#include <vector>

namespace reeve {
namespace end_to_end {

// What became of a program that has ended.
struct Ended {
  int status = -1;  // Of its exit; 128 and the number of the signal that ended it.
  std::string out;
  std::string err;
};

// Runs `arguments`, the first being the program, with `input` as its standard input and
// `environment`
// (`NAME=value`) on top of a small fixed one, and waits for its end. Aborts the test program if it
// cannot be started.
Ended RunProgram(const std::vector<std::string>& arguments, const std::string& input = "",
                 const std::vector<std::string>& environment = {});

}  // namespace end_to_end
}  // namespace reeve

#endif  // REEVE_TESTS_END_TO_END_RUN_PROGRAM_H_
