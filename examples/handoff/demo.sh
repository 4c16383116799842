#!/usr/bin/env bash
# The front, the worker and the client at work, with a real KDC: who may, who may not and why; contexts that are stolen; a
# KDC that is gone; and what the worker recorded of it all. As root the three are three users, elsewhere all are you. Run by
# `bazel run //examples/handoff:demo`, or anywhere with the environment naming the parts:
#   FRONT, WORKER, CLIENT, ROGUE, TLS_CLIENT, REEVE   the programs
#   KDC                                               the script that runs a KDC
#   POLICY                                            the policy directory, which is copied
# Needs the packages krb5-kdc, krb5-admin-server, krb5-user and openssl, and Linux 6.9; without them it says so and does nothing.
# Exit status: 0 if everything came out as it should, else 3.
set -euo pipefail

here=.
[[ ! -d $0.runfiles/reeve ]] || here=$0.runfiles/reeve
front_program=${FRONT:-$here/examples/handoff/front}
worker_program=${WORKER:-$here/examples/handoff/worker}
client_program=${CLIENT:-$here/examples/handoff/client}
rogue_program=${ROGUE:-$here/examples/handoff/rogue}
tls_client_program=${TLS_CLIENT:-$here/examples/document_server/document_client}
reeve=${REEVE:-$here/cli/reeve}
kdc_script=${KDC:-$here/adapters/context/krb5/kdc.sh}
policy_source=${POLICY:-$here/examples/handoff/policy}
patience=60 # seconds without a sign of a program, after which something is wrong
PATH=$PATH:/usr/sbin:/sbin
unset KRB5_CONFIG KRB5_KTNAME KRB5CCNAME KRB5RCACHENAME KRB5_KDC_PROFILE REEVE_KDC_PARENT

fail() {
  echo "demo: $*" >&2
  exit 3
}
skip() {
  echo "demo: skipped: $*"
  exit 0
}
title() { printf '\n== %s\n' "$*"; }

for program in "$front_program" "$worker_program" "$client_program" "$rogue_program" "$tls_client_program" "$reeve"; do
  [[ -x $program ]] || fail "$program: no such program"
done
while read -r program package; do
  command -v "$program" > /dev/null || skip "needs the program $program; apt-get install $package"
done <<'END'
krb5kdc krb5-kdc
kadmin.local krb5-admin-server
kinit krb5-user
openssl openssl
setpriv util-linux
END
[[ $(uname -r) =~ ^([0-9]+)\.([0-9]+) ]] || fail "which Linux is this?"
if ((BASH_REMATCH[1] < 6 || (BASH_REMATCH[1] == 6 && BASH_REMATCH[2] < 9))); then
  skip "contexts are sealed to one process by its number, which Linux has since 6.9; this is $(uname -r)"
fi

# Short enough for the path of a socket, and other users can enter it.
work=$(mktemp -d /tmp/reeve-handoff.XXXXXX)
pids=()
finish() {
  local pid
  for pid in "${pids[@]}"; do
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  done
  rm -rf "$work"
}
trap finish EXIT
trap 'exit 3' INT TERM HUP
chmod 711 "$work"
# Other users may not be able to read where they are.
mkdir -m 755 "$work/bin"
for program in front_program worker_program client_program rogue_program tls_client_program; do
  cp -L "${!program}" "$work/bin/$program"
  chmod 755 "$work/bin/$program"
  declare "$program=$work/bin/$program"
done

# Forgets the program $1, which has ended.
ended() {
  local pid
  local -a left=()
  for pid in "${pids[@]}"; do [[ $pid == "$1" ]] || left+=("$pid"); done
  pids=("${left[@]}")
}

# Who runs what: the arrays begin a command.
as_front=() as_worker=() as_client=() as_stranger=()
front_uid=$EUID worker_uid=$EUID client_uid=$EUID
if [[ $EUID -eq 0 ]]; then
  front_uid=4001 worker_uid=4002 client_uid=4003
  as_front=(setpriv --reuid $front_uid --regid $front_uid --clear-groups)
  as_worker=(setpriv --reuid $worker_uid --regid $worker_uid --clear-groups)
  as_client=(setpriv --reuid $client_uid --regid $client_uid --clear-groups)
  # Of the front's group, so that it can reach the worker's socket.
  as_stranger=(setpriv --reuid 4004 --regid $front_uid --clear-groups)
fi
# private USER FOLDER [GROUP]: a folder of that user, which the group may enter if one is given.
private() {
  mkdir "$2"
  chmod 700 "$2"
  [[ $EUID -ne 0 ]] || chown "$1:${3:-$1}" "$2"
  [[ -z ${3:-} ]] || chmod 710 "$2"
}
# give USER FILE...
give() {
  chmod 600 "${@:2}"
  [[ $EUID -ne 0 ]] || chown "$1:$1" "${@:2}"
}
private "$front_uid" "$work/front"
private "$worker_uid" "$work/worker"
private "$worker_uid" "$work/run" "$front_uid" # the sockets of workers
private "$client_uid" "$work/client"
[[ $EUID -ne 0 ]] || private 4004 "$work/stranger"

title 'A KDC starts, and users sign in there'
bash "$kdc_script" "$work/kdc" > "$work/kdc.log" 2>&1 &
kdc_pid=$!
pids+=("$kdc_pid")
for ((i = 0; i < patience * 20; ++i)); do
  [[ ! -e $work/kdc/env ]] || break
  kill -0 "$kdc_pid" 2>/dev/null || fail "the KDC does not start: $(cat "$work/kdc.log")"
  read -r -t 0.05 _ <> <(:) || true
done
[[ -e $work/kdc/env ]] || fail 'the KDC does not start'
cp "$work/kdc/krb5.conf" "$work/krb5.conf"
chmod 644 "$work/krb5.conf"
export KRB5_CONFIG=$work/krb5.conf
kinit -k -t "$work/kdc/service.keytab" -c "$work/armor" host/localhost
kinit -T "$work/armor" -c "$work/client/alice" alice <<< alicepw > "$work/kinit.log"
kinit -c "$work/client/bob" bob <<< bobpw > "$work/kinit.log"
kinit -c "$work/client/root" root/admin <<< rootpw > "$work/kinit.log"
give "$client_uid" "$work/client"/*
echo '   alice, by a password within FAST: the KDC notes the indicator `strongpw`'
echo '   bob, and root/admin, by a password alone'

# certify NAME SUBJECT ISSUER EXTENSION: makes NAME.pem and NAME.key, by ISSUER or, if that is empty, by itself.
certify() {
  local name=$1 subject=$2 issuer=$3 extension=$4
  local -a by=(-signkey "$name.key")
  [[ -z $issuer ]] || by=(-CA "$issuer.pem" -CAkey "$issuer.key" -CAcreateserial)
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "$subject" -keyout "$name.key" -out "$name.csr"
  openssl x509 -req -in "$name.csr" "${by[@]}" -days 1 -extfile <(printf '%s\n' "$extension") -out "$name.pem"
} 2>>"$work/openssl.log"
mkdir -m 700 "$work/ca"
(
  cd "$work/ca"
  certify authority '/CN=The demo authority' '' $'basicConstraints=critical,CA:TRUE\nkeyUsage=critical,keyCertSign'
  certify server '/CN=documents' authority 'subjectAltName=IP:127.0.0.1'
  certify writer '/CN=report writer' authority 'subjectAltName=URI:spiffe://example.org/report-writer'
  certify foreign '/CN=report writer' authority 'subjectAltName=URI:spiffe://example.com/report-writer'
) || fail "openssl could not make the certificates: $(cat "$work/openssl.log")"
cp "$work/ca/authority.pem" "$work/authority.pem"
chmod 644 "$work/authority.pem"
cp "$work/ca"/server.{pem,key} "$work/kdc/service.keytab" "$work/front/"
cp "$work/ca"/{writer,foreign}.{pem,key} "$work/client/"
give "$front_uid" "$work/front"/*
give "$client_uid" "$work/client"/*

# Shows what the program $2, whose output is the descriptor $1, says until a line begins with $3, which is left in $heard.
heard=
hear() {
  local line
  while IFS= read -r -t "$patience" line <&"$1"; do
    printf '   %s: %s\n' "$2" "${line//"$work/"/}"
    heard=$line
    [[ $line != "$3"* ]] || return 0
  done
  fail "the $2 did not say \"$3\""
}
# start NAME COMMAND...: in the background, with its output to be heard: leaves $pid and $says.
start() {
  mkfifo "$work/$1.says"
  "${@:2}" > "$work/$1.says" 2>&1 < /dev/null &
  pid=$!
  pids+=("$pid")
  exec {says}<"$work/$1.says"
}

title 'The worker starts, with the policy; and the front, with the keys'
mkdir "$work/policy"
cp "$policy_source"/*.yaml "$work/policy/"
cat > "$work/policy/machine.yaml" <<END
reeve: 1
description: Which user of this machine the front is.
entities:
  - {id: "uid:$front_uid", parents: ["group:fronts"]}
END
chmod 755 "$work/policy"
chmod 644 "$work/policy"/*
for number in 1 2; do
  start "worker$number" "${as_worker[@]}" "$worker_program" --socket "$work/run/worker$number" --policy "$work/policy" \
    --audit "$work/worker/audit$number.db" --clients "$work/authority.pem"
  hear "$says" "worker $number" 'listening on'
done
worker2_pid=$pid
worker1_pid=${pids[-2]}
start front env KRB5RCACHENAME="file2:$work/front/rcache" "${as_front[@]}" "$front_program" \
  --krb5 127.0.0.1:0 --keytab "$work/front/service.keytab" --service documents@localhost \
  --tls 127.0.0.1:0 --certificate "$work/front/server.pem" --key "$work/front/server.key" --clients "$work/authority.pem" \
  --worker "$work/run/worker1" --worker-uid "$worker_uid"
front_pid=$pid
front_says=$says
hear "$front_says" front 'listening on'
heard=${heard#listening on }
krb5_address=${heard% for Kerberos}
hear "$front_says" front 'listening on'
heard=${heard#listening on }
tls_address=${heard% with TLS}
if [[ $EUID -eq 0 ]]; then
  ls -ld "$work"/{front,worker,run,client} | awk '{ n = split($9, p, "/"); printf "   %s  uid %-5s group %-5s %s\n", $1, $3, $4, p[n] }'
else
  echo '   skipped: three users, for only root can act as others; the front, the worker and the client are all you'
fi

allowed=0
refused=1
failed=3
# ask WHO EXPECTED-STATUS COMMAND...: asks as the client, by $by, that is the program with its options.
ask() {
  local who=$1 expected=$2 status=0 answer
  shift 2
  answer=$("${as_client[@]}" "${by[@]}" "$@" 2>&1) || status=$?
  printf '   %-12s %-34s -> %s\n' "$who" "$*" "$answer"
  [[ $status -eq $expected ]] || fail "expected exit status $expected, not $status"
}
# by_krb5 USER [ADDRESS]: sets $by.
by_krb5() { by=("$client_program" --krb5 "${2:-$krb5_address}" --service documents@localhost --ccache "FILE:$work/client/$1"); }
krb5() {
  by_krb5 "$1"
  ask "$@"
  hear "$front_says" front 127
}
tls() {
  by=("$tls_client_program" --tls "$tls_address" --ca "$work/authority.pem")
  [[ -z $1 ]] || by+=(--certificate "$work/client/$1.pem" --key "$work/client/$1.key")
  ask "${1:-unnamed}" "${@:2}"
  hear "$front_says" front 127
}

title 'By Kerberos'
krb5 alice $allowed read /public/welcome
krb5 alice $allowed read /finance/q3
krb5 bob $allowed read /public/welcome
echo '   bob is of finance as alice is, and has not signed in as strongly:'
krb5 bob $refused read /finance/q3
echo '   the front may not hand over administrators:'
krb5 root $failed read /public/welcome

title 'By TLS'
tls writer $allowed write /finance/report A fair year.
tls writer $refused read /finance/q3
echo '   the same name in another trust domain, and no certificate:'
tls foreign $failed read /finance/report
tls '' $failed read /public/welcome

# steal MODE EXPECTED: alice comes to a front that misbehaves so; its last line must be EXPECTED. Runs as $thief.
steal() {
  local mode=$1 expected=$2 who=$3 line last= rogue rogue_says
  rm -f "$work/rogue.says"
  start rogue "${thief[@]}" "$rogue_program" --krb5 127.0.0.1:0 --keytab "$keytab" --worker "$work/run/worker1" \
    --worker-uid "$worker_uid" --other "$work/run/worker2" "$mode"
  rogue=$pid
  rogue_says=$says
  IFS= read -r -t "$patience" line <&"$rogue_says" || fail 'the rogue says nothing'
  by_krb5 alice "${line#listening on }"
  "${as_client[@]}" timeout "$patience" "${by[@]}" read /public/welcome > /dev/null 2>&1 && fail 'the rogue let alice in'
  while IFS= read -r -t "$patience" line <&"$rogue_says"; do last=$line && printf '   %-34s -> %s\n' "$who" "$line"; done
  exec {rogue_says}<&-
  wait "$rogue" || fail 'the rogue failed'
  ended "$rogue"
  [[ $last == "$expected" ]] || fail "expected \"$expected\""
}

title 'A context that was stolen: alice comes to a front that misbehaves'
thief=(env KRB5RCACHENAME="file2:$work/front/rcache" "${as_front[@]}")
keytab=$work/front/service.keytab
steal twice 'refused: replayed' 'the same one again'
steal altered 'refused: authentication_failed' 'with one bit turned'
steal by-child 'refused: exporter_not_allowed' 'again, by another process'
steal elsewhere 'refused: unknown_key' 'to another worker'
steal misaddressed 'refused: wrong_target' 'to that one, for the process of this'
if [[ $EUID -eq 0 ]]; then
  cp "$work/front/service.keytab" "$work/stranger/"
  give 4004 "$work/stranger/service.keytab"
  keytab=$work/stranger/service.keytab
  thief=(env KRB5RCACHENAME="file2:$work/stranger/rcache" "${as_stranger[@]}")
  steal once 'refused: exporter_not_allowed' 'by another user, with the keytab'
else
  echo '   skipped: by another user, for only root can act as others'
fi

title 'The KDC stops; who has a context needs it no longer'
by_krb5 alice
mkfifo "$work/asks" "$work/answers"
"${as_client[@]}" "${by[@]}" < "$work/asks" > "$work/answers" 2>&1 &
alice_pid=$!
pids+=("$alice_pid")
exec {asks}> "$work/asks" {answers}< "$work/answers"
echo 'read /finance/q3' >&"$asks"
hear "$answers" alice ok
kill "$kdc_pid"
wait "$kdc_pid" || true
ended "$kdc_pid"
echo '   the KDC has stopped'
echo 'write /finance/q3 Up by a third.' >&"$asks"
hear "$answers" alice ok
exec {asks}>&-
wait "$alice_pid" || fail "alice's client failed"
ended "$alice_pid"
hear "$front_says" front 127

title 'The front is killed; who is handed over stays'
"${as_client[@]}" "${by[@]}" < "$work/asks" > "$work/answers" 2>&1 &
alice_pid=$!
pids+=("$alice_pid")
exec {asks}> "$work/asks" {answers}< "$work/answers"
echo 'read /finance/q3' >&"$asks"
hear "$answers" alice ok
kill -KILL "$front_pid"
wait "$front_pid" 2> /dev/null || true
ended "$front_pid"
echo '   the front is gone'
echo 'read /finance/q3' >&"$asks"
hear "$answers" alice ok
exec {asks}>&-
wait "$alice_pid" || fail "alice's client failed"
ended "$alice_pid"

title 'The workers end'
for pid in "$worker1_pid" "$worker2_pid"; do
  kill -TERM "$pid"
  wait "$pid" || fail "a worker ended with status $?"
  ended "$pid"
done
[[ ! -e $work/run/worker1 && ! -e $work/run/worker2 ]] || fail 'a worker left its socket behind'
echo '   in order, and their sockets are gone'

title 'What was recorded: reeve audit query audit1.db, and audit2.db of the other worker'
"$reeve" audit query "$work/worker/audit1.db" --oldest-first
"$reeve" audit query "$work/worker/audit2.db" --oldest-first

title 'And how each was known: the fields via, principal_assurance and evidence of the records'
"$reeve" audit query "$work/worker/audit1.db" --oldest-first --format jsonl |
  sed -E 's/.*"principal":"([^"]*)".*"principal_assurance":"([^"]*)","via":"([^"]*)"[^}]*"evidence":"([^"]*)","groups.*/\1\t\3\t\2\t\4/' |
  awk -F '\t' '!seen[$1]++ { printf "   %s by %s (%s)\n      %s\n", $1, $3, $2, $4 }'
