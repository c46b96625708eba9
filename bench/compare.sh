#!/bin/sh
# The alternating benchmark against etcd: builds both of our binaries, then leaves the work to `loadgen compare`.
#
#   bench/compare.sh /path/to/etcd [--only put256,get] [--rounds 5] [--duration 5s] …
#
# Without an etcd's path the one in $PATH is taken. CAMPANILE names another binary to be judged.
set -eu
cd "$(dirname "$0")/.."

case "${1:-}" in
'' | -*) etcd=$(command -v etcd) || { echo "compare.sh: no etcd in PATH; give its path" >&2; exit 2; } ;;
*) etcd=$1; shift ;;
esac

cargo build --release --quiet -p campanile-loadgen
if [ -z "${CAMPANILE:-}" ]; then
    cargo build --release --quiet -p campanile
    CAMPANILE=target/release/campanile
fi
exec target/release/loadgen compare --etcd "$etcd" --campanile "$CAMPANILE" "$@"
