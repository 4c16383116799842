#!/usr/bin/env bash
# Prints each line of the product that calls a function of glibc that changes the ids of a process,
# and fails if there is one: see adapters/socket/impersonate/run_as.h. Tests and their helpers
# (names with `test`), benchmarks and examples may, in processes of their own.
set -uo pipefail
cd "$(dirname "$0")/.." || exit 3

functions='set(e|re|res)?[ug]id|setgroups|initgroups'
# A call or an address; not SYS_setresuid, not the `setresuid(2)` of a comment or a message.
git ls-files -z --cached --others --exclude-standard -- \
  'adapters/*.cc' 'adapters/*.h' 'cli/*.cc' 'cli/*.h' 'engine/*.cc' 'engine/*.h' \
  'policy/*.cc' 'policy/*.h' 'store/*.cc' 'store/*.h' ':!:*test*' |
  xargs -0 awk -v pattern="(^|[^A-Za-z0-9_])($functions)([^A-Za-z0-9_]|\$)" '
    {
      code = $0
      sub(/\/\/.*/, "", code)          # comments
      gsub(/"([^"\\]|\\.)*"/, "", code) # strings
    }
    code ~ pattern { print FILENAME ":" FNR ": " $0; found = 1 }
    END { exit found }'
