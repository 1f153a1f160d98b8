#!/bin/sh
# Makes the key and the self-signed certificate of the tests' own server on 127.0.0.1, valid from 2020 to 2120, so that no clock
# makes the tests fail. Made with OpenSSL 3.0.19; no program trusts them.
set -eu
cd "$(dirname "$0")"
tmp=$(mktemp -d)
trap 'rm -rf "$tmp"' EXIT
cat >"$tmp/config" <<END
[ca]
default_ca = test
[test]
database = $tmp/index
new_certs_dir = $tmp
rand_serial = yes
default_md = sha256
policy = names
[names]
commonName = supplied
[server]
basicConstraints = critical, CA:FALSE
subjectAltName = IP:127.0.0.1
END
touch "$tmp/index"
openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj "/CN=siskin test" -keyout key.pem -out "$tmp/request"
openssl ca -batch -selfsign -config "$tmp/config" -extensions server -notext -keyfile key.pem -in "$tmp/request" \
    -startdate 20200101000000Z -enddate 21200101000000Z -out certificate.pem
