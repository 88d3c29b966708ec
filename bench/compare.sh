#!/bin/sh
# compare.sh BIN_A BIN_B [PAIRS]: the rows of the report that users meet, of two
# builds of uva in one run, paired: a table of medians, of B's ratio to A, and
# of the middle half of these ratios. Ten pairs take some two minutes. BIN is
# the folder with the programs of a build, such as build/release/bin.
set -eu

if [ $# -lt 2 ]; then
    echo "usage: compare.sh BIN_A BIN_B [PAIRS]" >&2
    exit 2
fi
PYTHONDONTWRITEBYTECODE=1 exec python3 "$(dirname "$0")/run.py" "$1" \
    --against "$2" --pairs "${3:-10}"
