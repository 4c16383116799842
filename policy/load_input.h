#ifndef REEVE_POLICY_LOAD_INPUT_H_
#define REEVE_POLICY_LOAD_INPUT_H_

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace reeve {

// The text of one file, and the name to call it by in issues.
struct SourceFile {
  std::string name;
  std::string text;
};

// An Ed25519 public key (RFC 8032), of those who sign snapshot files.
using PolicyKey = std::array<uint8_t, 32>;

// Most that a policy set may hold. doc/policy-language.md states them for authors.
struct LoadLimits {
  size_t max_files = 10000;
  size_t max_file_bytes = size_t{64} << 20;
  size_t max_total_bytes = size_t{512} << 20;
  size_t max_rules = 2'000'000;
  size_t max_entities = 4'000'000;
  size_t max_list = 100'000;  // Of one list of principals, actions, resources or parents.
  // Unless it is null nothing is loaded but snapshot files that one of these keys has signed: no
  // YAML, and no part of a set. An empty list trusts nobody. Not owned; outlives whatever uses
  // this.
  const std::vector<PolicyKey>* trusted_keys = nullptr;
};

}  // namespace reeve

#endif  // REEVE_POLICY_LOAD_INPUT_H_
