#ifndef REEVE_POLICY_YAML_LIMITS_H_
#define REEVE_POLICY_YAML_LIMITS_H_

#include <cstddef>

namespace reeve {

// What a file may ask for. All are inclusive.
struct YamlLimits {
  // Of the file. Not above 512 MiB, which is taken instead.
  size_t max_bytes = size_t{64} << 20;
  // Collections inside one another. Not above 256, which is taken instead: yaml-cpp recurses.
  int max_depth = 32;
  // Scalars, sequences and mappings. 12 bytes of memory each.
  size_t max_nodes = 25'000'000;
  // Of one scalar's text.
  size_t max_scalar_bytes = size_t{1} << 20;
  // From the start of a key to its `:`. Not above 1024, YAML's own limit, which is taken instead.
  size_t max_key_bytes = 1024;
  // Issues of one file; the rest are not looked for.
  size_t max_issues = 1000;
};

}  // namespace reeve

#endif  // REEVE_POLICY_YAML_LIMITS_H_
