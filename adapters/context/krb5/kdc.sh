#!/bin/bash
# A KDC of its own on the loopback, for tests and demonstrations: as any user, in about two seconds,
# with nothing outside of its folder.
#
#   kdc.sh DIR &      ends with its parent, or by a signal, and the KDC with it
#   . DIR/env         appears when the KDC answers: KRB5_CONFIG and so on
#
# The realm is REEVE.TEST. In DIR:
#   service.keytab    documents/localhost, which users may give their tickets to, host/localhost,
#                     and brief/localhost, whose tickets last 3 seconds
#   archive.keytab    archive/localhost
#   stale.keytab      documents/localhost, of a key that is no longer in use
#   forged.keytab     documents/localhost, of the number that is in use, and another key
#   alice.pem, alicekey.pem, ca.pem    alice by certificate (PKINIT)
# Passwords: alicepw of alice, bobpw of bob, rootpw of root/admin. A password within FAST adds the indicator
# `strongpw`, a certificate `pkinit`.
#
# Source: kdc.conf(5), krb5.conf(5), RFC 4556 (3.2.2, 3.2.4), RFC 8129.
set -eu
umask 077
[ $# = 1 ] || { echo "usage: kdc.sh DIR" >&2; exit 2; }
# The kernel tells when the parent ends, unless it has ended before it was asked to.
if [ -z "${REEVE_KDC_PARENT:-}" ]; then
  REEVE_KDC_PARENT=$PPID exec setpriv --pdeathsig KILL bash "$0" "$1"
fi
[ "$REEVE_KDC_PARENT" = $PPID ] || exit 0
export PATH=/usr/sbin:/usr/bin:/sbin:/bin
mkdir -p "$1"
dir=$(cd "$1" && pwd)
kdc=
trap '[ -z "$kdc" ] || kill -KILL $kdc 2>/dev/null || true' EXIT
trap 'exit 0' TERM INT HUP

config() {
  cat > "$dir/krb5.conf" <<END
[libdefaults]
 default_realm = REEVE.TEST
 dns_lookup_realm = false
 dns_lookup_kdc = false
 dns_canonicalize_hostname = false
 rdns = false
 udp_preference_limit = 1
 default_ccache_name = FILE:$dir/ccache
 default_keytab_name = FILE:$dir/service.keytab
 forwardable = true
 permitted_enctypes = aes256-cts-hmac-sha384-192 aes256-cts-hmac-sha1-96
[realms]
 REEVE.TEST = {
  kdc = 127.0.0.1:$1
  pkinit_anchors = FILE:$dir/ca.pem
 }
[domain_realm]
 localhost = REEVE.TEST
END
  cat > "$dir/kdc.conf" <<END
[kdcdefaults]
 kdc_listen = 127.0.0.1:$1
 kdc_tcp_listen = 127.0.0.1:$1
[realms]
 REEVE.TEST = {
  database_name = $dir/principal
  key_stash_file = $dir/stash
  acl_file = $dir/acl
  max_life = 10h
  supported_enctypes = aes256-cts-hmac-sha384-192:normal aes256-cts-hmac-sha1-96:normal
  encrypted_challenge_indicator = strongpw
  pkinit_identity = FILE:$dir/kdc.pem,$dir/kdckey.pem
  pkinit_anchors = FILE:$dir/ca.pem
  pkinit_indicator = pkinit
 }
[logging]
 kdc = FILE:$dir/kdc.log
 default = FILE:$dir/krb5.log
END
}

# A port of the kernel's choice. Somebody may take it before the KDC does: see below.
free_port() {
  perl -MIO::Socket::INET -e 'print IO::Socket::INET->new(
    Listen => 1, LocalAddr => "127.0.0.1", LocalPort => 0)->sockport'
}

# The principal name that certificates for PKINIT bear: of type $3, with the components $4...
san() {
  local section=$1 usage=$2 type=$3
  shift 3
  cat <<END
[$section]
basicConstraints=CA:FALSE
keyUsage=digitalSignature,keyEncipherment,keyAgreement
extendedKeyUsage=$usage
subjectAltName=otherName:1.3.6.1.5.2.2;SEQUENCE:${section}_principal
[${section}_principal]
realm=EXP:0,GeneralString:REEVE.TEST
name=EXP:1,SEQUENCE:${section}_name
[${section}_name]
type=EXP:0,INTEGER:$type
parts=EXP:1,SEQUENCE:${section}_parts
[${section}_parts]
END
  local part
  for part; do echo "$part=GeneralString:$part"; done
}

certificates() {
  { san kdc 1.3.6.1.5.2.3.5 2 krbtgt REEVE.TEST; san alice 1.3.6.1.5.2.3.4 1 alice; } > "$dir/san.cnf"
  local name
  for name in kdc alice; do
    openssl req -newkey rsa:2048 -nodes -keyout "$dir/${name}key.pem" -out "$dir/$name.csr" \
      -subj "/CN=$name" &
  done
  openssl req -x509 -newkey rsa:2048 -nodes -keyout "$dir/cakey.pem" -out "$dir/ca.pem" \
    -subj "/CN=Reeve test CA" -days 2
  wait
  for name in kdc alice; do
    openssl x509 -req -in "$dir/$name.csr" -CA "$dir/ca.pem" -CAkey "$dir/cakey.pem" \
      -CAcreateserial -days 2 -out "$dir/$name.pem" -extfile "$dir/san.cnf" -extensions $name
  done
}

principals() {
  kdb5_util create -s -r REEVE.TEST -P master
  # The uid may have no name.
  kadmin.local -r REEVE.TEST -p reeve/admin@REEVE.TEST <<END
addprinc -pw alicepw +requires_preauth alice
addprinc -pw bobpw +requires_preauth bob
addprinc -pw rootpw +requires_preauth root/admin
addprinc -randkey WELLKNOWN/ANONYMOUS
addprinc -randkey +ok_as_delegate documents/localhost
addprinc -randkey host/localhost
addprinc -randkey archive/localhost
addprinc -randkey -maxlife 3s brief/localhost
ktadd -k $dir/stale.keytab documents/localhost
ktadd -k $dir/service.keytab documents/localhost host/localhost brief/localhost
ktadd -k $dir/archive.keytab archive/localhost
END
  ktutil <<END
addent -password -p documents/localhost@REEVE.TEST -k 3 -e aes256-cts-hmac-sha384-192
forged
wkt $dir/forged.keytab
END
}

config 1
cat > "$dir/env.new" <<END
export KRB5_CONFIG=$dir/krb5.conf KRB5_KDC_PROFILE=$dir/kdc.conf
export KRB5_KTNAME=FILE:$dir/service.keytab KRB5CCNAME=FILE:$dir/ccache
export KRB5RCACHENAME=file2:$dir/rcache
END
. "$dir/env.new"
certificates > "$dir/openssl.log" 2>&1 &
principals > "$dir/setup.log" 2>&1
wait

for _ in 1 2 3 4 5 6 7 8; do
  config "$(free_port)"
  setpriv --pdeathsig KILL krb5kdc -n -P "$dir/kdc.pid" > "$dir/kdc.out" 2>&1 &
  kdc=$!
  # It writes its number when it listens, and ends if it cannot.
  while kill -0 $kdc 2>/dev/null; do
    if [ -s "$dir/kdc.pid" ]; then
      mv "$dir/env.new" "$dir/env"
      wait $kdc || true
      exit 0
    fi
    read -r -t 0.02 _ <> <(:) || true
  done
  wait $kdc || true
done
echo "kdc.sh: the KDC does not start; see $dir/kdc.log" >&2
exit 1
