#!/usr/bin/env bash
# Bazel's disk cache (.bazelrc) grows by gigabytes with each change, and Bazel 4.2 never takes anything away. Removes what
# was not used for longest until at most so many gigabytes (15) are left. What is missing is built again, also by a build that runs.
#
#   tools/trim_cache.sh [GIGABYTES [FOLDER]]
set -euo pipefail
limit=${1:-15}
folder=${2:-$HOME/.cache/reeve-bazel}
[[ -d $folder/cas ]] || exit 0
cd "$folder"

# Reading sets %A@ once a day at most (relatime). The names in the cache are digests: no blanks. Builds may take files away.
{ find ac cas -type f -printf '%A@ %s %p\n' 2> /dev/null || true; } | sort -rn |
  awk -v limit="$limit" '{ bytes += $2; if (bytes > limit * 1e9) print $3 }' |
  xargs -r rm -f
