#!/bin/sh
# run.sh BIN [OPTION...]: floors, uva and the peers that are installed, in one
# interleaved run of some ten minutes; a report in build/bench. The options
# are those of run.py: --seconds N, --pairs N, --out FOLDER.
set -eu

bin=$1
shift
here=$(dirname "$0")
if ! command -v python3 >/dev/null 2>&1; then
    echo "bench: the run and its report need python3, which is not here"
    echo "bench: single figures: $bin/uva_bench"
    exit 0
fi
out=$here/../build/bench
mkdir -p "$out"
if command -v go >/dev/null 2>&1; then
    GO111MODULE=off GOFLAGS='' go build -o "$out/peer_go" "$here/peers/peer_go.go" ||
        echo "bench: the Go peer does not build and is left out"
fi
PYTHONDONTWRITEBYTECODE=1 exec python3 "$here/run.py" "$bin" --out "$out" "$@"
