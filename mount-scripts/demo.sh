#!/usr/bin/env bash
# The demo from a checkout: builds trackfs if it is not installed, then runs `trackfs demo` with the same arguments.
set -euo pipefail

if command -v trackfs >/dev/null; then
    exec trackfs demo "$@"
fi
cd "$(dirname "$0")/.."
cargo build --release --quiet
exec target/release/trackfs demo "$@"
