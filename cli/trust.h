// `--trust KEY`: whose signatures a policy set must have.
#ifndef REEVE_CLI_TRUST_H_
#define REEVE_CLI_TRUST_H_

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "reeve/policy/load_input.h"

namespace reeve {

// One thread at a time.
class Trust {
 public:
  CLI::Option* AddOption(CLI::App* command);

  // Reads the keys that were named. Returns false, having said why, if one cannot be read.
  bool Read();
  // What loading has to ask for. Valid as long as this.
  LoadLimits limits() const;

 private:
  std::vector<std::string> files_;
  std::vector<PolicyKey> keys_;
};

}  // namespace reeve

#endif  // REEVE_CLI_TRUST_H_
