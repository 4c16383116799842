#!/usr/bin/env bash
# The document server at work, on a Unix socket, on TCP and with TLS: several users and services, allowed and refused; a
# policy that is broken, mended and changed while the server runs; and what the records say of it all. Run by `bazel run //examples/document_server:demo`, or anywhere with
# the environment naming the parts:
#   DOCUMENT_SERVER, DOCUMENT_CLIENT, REEVE   the programs
#   POLICY                                    the policy directory, which is copied
# The program openssl makes the certificates; without it the part about TLS is skipped, and says so.
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

# Shows what the server says until a line begins with $1, which is left in $heard.
heard=
hear() {
  local line
  while IFS= read -r -t "$patience" line <&"$server_says"; do
    printf '   server: %s\n' "${line//"$work/"/}"
    heard=$line
    [[ $line != "$1"* ]] || return 0
  done
  fail "the server did not say \"$1\""
}

# ask WHO EXPECTED-STATUS COMMAND...: asks by the way $by, that is the client's options for it.
ask() {
  local who=$1 expected=$2 status=0 answer
  shift 2
  answer=$("$client_program" "${by[@]}" "$@" 2>&1) || status=$?
  printf '   %-24s %-34s -> %s\n' "$who" "$*" "$answer"
  [[ $status -eq $expected ]] || fail "expected exit status $expected, not $status"
}
allowed=0
refused=1
failed=3

by_socket=(--socket "$socket")
by_tcp=() # Known when the server listens.
# as UID GROUPS WHO ...: asks as that user, with those other groups, by the way $to.
as() {
  local -a by=("${to[@]}")
  if [[ $EUID -eq 0 ]]; then
    by+=(--uid "$1" --gid "$1")
    [[ -z $2 ]] || by+=(--groups "$2")
  fi
  ask "${@:3}"
}
book() { as 1234 '' 'uid 1234, bookkeeper' "$@"; }
auditor() { as 4321 7002 'uid 4321, auditor' "$@"; }
stranger() { as 5678 '' 'uid 5678, nobody special' "$@"; }
self() { as "$EUID" '' "uid $EUID, yourself" "$@"; }

# certify NAME SUBJECT ISSUER EXTENSION: makes NAME.pem and NAME.key, by ISSUER or, if that is empty, by itself.
certify() {
  local name=$1 subject=$2 issuer=$3 extension=$4
  local -a by=(-signkey "$name.key")
  [[ -z $issuer ]] || by=(-CA "$issuer.pem" -CAkey "$issuer.key" -CAcreateserial)
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$subject" -keyout "$name.key" -out "$name.csr"
  openssl x509 -req -in "$name.csr" "${by[@]}" -days 1 -extfile <(printf '%s\n' "$extension") -out "$name.pem"
} 2>>"$work/openssl.log"

tls_options=()
if command -v openssl >/dev/null; then
  (
    cd "$work"
    authority=$'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'
    certify authority '/CN=The demo authority' '' "$authority"
    certify stranger-authority '/CN=Nobody knows it' '' "$authority"
    certify server '/CN=documents' authority 'subjectAltName=IP:127.0.0.1'
    certify writer '/CN=report writer' authority 'subjectAltName=URI:spiffe://example.org/report-writer'
    certify ada '/CN=Ada' authority 'subjectAltName=email:ada@example.com'
    certify false-ada '/CN=Ada' stranger-authority 'subjectAltName=email:ada@example.com'
  ) || fail "openssl could not make the certificates: $(cat "$work/openssl.log")"
  tls_options=(--tls 127.0.0.1:0 --certificate "$work/server.pem" --key "$work/server.key" --clients "$work/authority.pem")
fi
# With the certificate $1, or none.
with() {
  local -a by=("${by_tls[@]}")
  [[ -z $1 ]] || by+=(--certificate "$work/$1.pem" --key "$work/$1.key")
  ask "${@:2}"
}
writer() { with writer 'spiffe, report-writer' "$@"; }
ada() { with ada 'ada@example.com' "$@"; }
false_ada() { with false-ada 'ada, of another CA' "$@"; }
unnamed() { with '' 'without a certificate' "$@"; }

title 'The server starts'
mkfifo "$work/says"
"$server_program" --socket "$socket" --tcp 127.0.0.1:0 "${tls_options[@]}" --policy "$work/policy" --audit "$db" >"$work/says" 2>&1 &
server_pid=$!
exec {server_says}<"$work/says"
hear 'listening on 127'
by_tcp=(--tcp "${heard#listening on }")
if [[ ${#tls_options[@]} -gt 0 ]]; then
  hear 'listening on 127'
  heard=${heard#listening on }
  by_tls=(--tls "${heard% with TLS}" --ca "$work/authority.pem")
fi
hear "listening on $socket"

title 'Users ask on the Unix socket; the kernel says who they are'
to=("${by_socket[@]}")
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

title 'On TCP within this machine: the kernel says it, too, but not the groups'
to=("${by_tcp[@]}")
if [[ $EUID -eq 0 ]]; then
  book $allowed read /finance/q3
  stranger $refused read /finance/q3
  auditor $refused read /finance/report
else
  self $allowed read /public/welcome
  self $refused read /finance/q3
fi

title 'With TLS: certificates say who they are'
if [[ ${#tls_options[@]} -gt 0 ]]; then
  writer $allowed write /finance/report A fair year.
  writer $refused read /finance/ledger
  ada $allowed read /finance/q3
  ada $refused write /finance/q3 Down.
  unnamed $refused read /public/welcome
  false_ada $failed read /finance/q3
  hear 'no session with'
else
  echo '   skipped: needs the program openssl, of the package openssl, to make certificates'
fi
to=("${by_socket[@]}")

title 'An edit with a typing error: the old policy stays'
sed -i 's/principals: \[authenticated\]/principls: [authenticated]/' "$policy"
kill -HUP "$server_pid"
hear 'policy refused'
$later $allowed read /public/welcome
$later $refused read /finance/q3

title 'The error mended, and a new rule: everyone may read the figures of the quarter'
sed -i 's/principls:/principals:/; s|\[doc:/public/\*\*\]|[doc:/public/**, doc:/finance/q3]|' "$policy"
kill -HUP "$server_pid"
hear 'policy sha256:'
$later $allowed read /finance/q3

title "What was recorded: reeve audit query audit.db"
"$reeve" audit query "$db"

title 'And how each was known: the fields via, principal_assurance and evidence of the records'
"$reeve" audit query "$db" --format jsonl --oldest-first |
  sed -E 's/.*"principal":"([^"]*)".*"principal_assurance":"([^"]*)","via":"([^"]*)".*"evidence":"([^"]*)".*/\1\t\3\t\2\t\4/' |
  awk -F '\t' '!seen[$1, $2]++ { printf "   %-33s %-7s %-7s %s\n", $1, $2, $3, $4 }'

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
