// Runs any program, for tests of which.
#ifndef REEVE_ENGINE_CEL_PROGRAM_TESTING_H_
#define REEVE_ENGINE_CEL_PROGRAM_TESTING_H_

#include <string>

#include "reeve/engine/cel/program.h"

namespace reeve::cel {

// What the program is, in one decision after the other: with variables that are values of many
// kinds, in another order each time, twice in each decision, and with as little to use up as a
// decision may have. A line each.
std::string RunOnMany(const Program& program);

}  // namespace reeve::cel

#endif  // REEVE_ENGINE_CEL_PROGRAM_TESTING_H_
