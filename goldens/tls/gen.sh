#!/bin/sh
# The certificates of the tests of the HTTP client: of a server and of a client, each signed by itself and good for a century, and the
# client's key once more with the password `secret`. OpenSSL 3. Run from the repository's root.
set -eu
folder=crates/ilab-openai/tests/tls
mkdir -p "$folder"
new_certificate() {
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc -days 36500 -subj "/CN=$1" \
        -addext "basicConstraints=critical,CA:FALSE" \
        -addext "subjectAltName=IP:127.0.0.1,DNS:localhost" -keyout "$folder/$1_key.pem" -out "$folder/$1.pem"
}
new_certificate server
new_certificate client
openssl pkcs8 -topk8 -in "$folder/client_key.pem" -out "$folder/client_key_locked.pem" -passout pass:secret
