#!/bin/sh
# Everything that has to pass, in the order in which it fails fastest. The tests' own summary is the last thing printed.
set -eu
cd "$(dirname "$0")/.."

step() { echo "==> $*"; "$@"; }

step cargo fmt --all --check
step cargo clippy --workspace --all-targets --locked -- -D warnings
step cargo test --workspace --doc --locked --quiet
if cargo nextest --version >/dev/null 2>&1; then
    step cargo nextest run --workspace --locked --no-fail-fast --status-level fail --final-status-level fail
else
    step cargo test --workspace --all-targets --locked --no-fail-fast --quiet
fi
