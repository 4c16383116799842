#!/usr/bin/env bash
# What tools/trim_cache.sh takes away, and what it leaves.
set -euo pipefail
script=$PWD/tools/trim_cache.sh
cache=$TEST_TMPDIR/cache

fail() {
  echo "$1" >&2
  exit 1
}

# The names of what is left, in one line.
left() { (cd "$cache" && find . -type f | sort | tr '\n' ' '); }

"$script" 0 "$TEST_TMPDIR/absent" || fail "a folder that is not there is an error"

mkdir -p "$cache/ac/01" "$cache/cas/02"
for name in ac/01/a cas/02/b cas/02/c other; do head -c 100000 /dev/zero > "$cache/$name"; done
touch -d 2026-01-01 "$cache/other" "$cache/cas/02/b"
touch -d 2026-01-02 "$cache/ac/01/a"
touch -d 2026-01-03 "$cache/cas/02/c"

"$script" 0.00035 "$cache"
[[ $(left) == "./ac/01/a ./cas/02/b ./cas/02/c ./other " ]] || fail "something went though there is room: $(left)"
"$script" 0.00025 "$cache"
[[ $(left) == "./ac/01/a ./cas/02/c ./other " ]] || fail "not the oldest went: $(left)"
"$script" 0 "$cache"
[[ $(left) == "./other " ]] || fail "what is no part of the cache went, or not all of it: $(left)"
