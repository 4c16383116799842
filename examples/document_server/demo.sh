#!/usr/bin/env bash
# The document server at work: several users, allowed and refused; a policy that is broken, mended and changed while the
# server runs; and what the records say of it all. Run by `bazel run //examples/document_server:demo`, or anywhere with
# the environment naming the parts:
#   DOCUMENT_SERVER, DOCUMENT_CLIENT, REEVE   the programs
#   POLICY                                    the policy directory, which is copied
# Exit status: 0 if everything came out as it should, else 3.
set -euo pipefail

here=.
[[ ! -d $0.runfiles/reeve ]] || here=$0.runfiles/reeve
server_program=${DOCUMENT_SERVER:-$here/examples/document_server/document_server}
client_program=${DOCUMENT_CLIENT:-$here/examples/document_server/document_client}
reeve=${REEVE:-$here/cli/reeve}
policy_source=${POLICY:-$here/examples/document_server/policy}
patience=60 # seconds without a sign of the server, after which something is wrong

fail() {
  echo "demo: $*" >&2
  exit 3
}

for program in "$server_program" "$client_program" "$reeve"; do
  [[ -x $program ]] || fail "$program: no such program"
done

# Short enough for the path of a socket, and other users can enter it.
work=$(mktemp -d /tmp/reeve-demo.XXXXXX)
server_pid=
finish() {
  if [[ -n $server_pid ]]; then
    kill "$server_pid" 2>/dev/null || true
    wait "$server_pid" 2>/dev/null || true
  fi
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 3' INT TERM HUP
chmod 711 "$work"
mkdir "$work/policy"
cp "$policy_source"/*.yaml "$work/policy/"
chmod u+w "$work/policy"/*
policy=$work/policy/documents.yaml
socket=$work/socket
db=$work/audit.db

title() { printf '\n== %s\n' "$*"; }

# Shows what the server says until a line begins with $1.
hear() {
  local line
  while IFS= read -r -t "$patience" line <&"$server_says"; do
    printf '   server: %s\n' "${line//"$work/"/}"
    [[ $line != "$1"* ]] || return 0
  done
  fail "the server did not say \"$1\""
}

# ask WHO EXPECTED-STATUS COMMAND...: asks as $uid, with the other groups $groups if it is not empty.
ask() {
  local who=$1 expected=$2 status=0 answer
  shift 2
  local -a as=()
  if [[ $EUID -eq 0 ]]; then
    as=(--uid "$uid" --gid "$uid")
    [[ -z $groups ]] || as+=(--groups "$groups")
  fi
  answer=$("$client_program" --socket "$socket" "${as[@]}" "$@") || status=$?
  printf '   %-24s %-34s -> %s\n' "$who" "$*" "$answer"
  [[ $status -eq $expected ]] || fail "expected exit status $expected, not $status"
}
allowed=0
refused=1

book() { uid=1234 groups='' ask 'uid 1234, bookkeeper' "$@"; }
auditor() { uid=4321 groups=7002 ask 'uid 4321, auditor' "$@"; }
stranger() { uid=5678 groups='' ask 'uid 5678, nobody special' "$@"; }
self() { uid=$EUID groups='' ask "uid $EUID, yourself" "$@"; }

title 'The server starts'
mkfifo "$work/says"
"$server_program" --socket "$socket" --policy "$work/policy" --audit "$db" >"$work/says" 2>&1 &
server_pid=$!
exec {server_says}<"$work/says"
hear 'listening on'

title 'Users ask; the kernel says who they are'
if [[ $EUID -eq 0 ]]; then
  book $allowed read /finance/q3
  book $allowed write /finance/q3 Up by a third.
  auditor $allowed read /finance/report
  auditor $allowed read /finance/q3
  stranger $allowed read /public/welcome
  stranger $refused read /finance/q3
  book $refused write /finance/ledger forget it
  stranger $refused read /public/../finance/q3
  later=stranger
else
  echo '   skipped: three other users, for only root can act as others; here is what you may do'
  self $allowed read /public/welcome
  self $refused read /finance/q3
  self $refused write /finance/ledger forget it
  self $refused read /public/../finance/q3
  later=self
fi

title 'An edit with a typing error: the old policy stays'
sed -i 's/principals: \[authenticated\]/principls: [authenticated]/' "$policy"
kill -HUP "$server_pid"
hear 'policy refused'
$later $allowed read /public/welcome
$later $refused read /finance/q3

title 'The error mended, and a new rule: everyone may read the figures of the quarter'
sed -i 's/principls:/principals:/; s|\["doc:/public/\*\*"\]|["doc:/public/**", "doc:/finance/q3"]|' "$policy"
kill -HUP "$server_pid"
hear 'policy sha256:'
$later $allowed read /finance/q3

title "What was recorded: reeve audit query audit.db"
"$reeve" audit query "$db"

title 'Why a refusal came out so: reeve check --explain policy request.json'
cat > "$work/request.json" <<'JSON'
{"subject": {"type": "user", "id": "uid:1234", "properties": {"parents": ["uid:1234"]}},
 "action": {"name": "doc.write"},
 "resource": {"type": "doc", "id": "/finance/ledger"}}
JSON
status=0
"$reeve" check "$work/policy" --explain "$work/request.json" || status=$?
[[ $status -eq $refused ]] || fail "reeve check: expected exit status $refused, not $status"

title 'The server ends'
kill -TERM "$server_pid"
status=0
wait "$server_pid" || status=$?
server_pid=
[[ $status -eq 0 ]] || fail "the server ended with status $status"
[[ ! -e $socket ]] || fail 'the server left its socket behind'
echo '   in order, and its socket is gone'
