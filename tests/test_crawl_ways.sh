#!/bin/sh
# test_crawl_ways.sh BIN: the eight ways of docs/crawl-ways.md each get their
# ten pages, and all but the first have several requests under way at once. The
# server counts both; no time is compared.
set -eu

bin=$1
if [ ! -x "$bin/crawl_ways" ]; then
    echo "no crawl_ways: built without programs, or not for Linux"
    exit 77
fi
table=$("$bin/crawl_ways")
echo "$table"
echo "$table" | awk '
NR == 1 { next }
$2 != 10 { print $1 ": not ten pages"; bad = 1 }
$1 == "blocking" && $3 != 1 { print $1 ": not one at a time"; bad = 1 }
$1 != "blocking" && $3 < 2 { print $1 ": one after another"; bad = 1 }
$NF < 1 { print $1 ": its lines are not counted"; bad = 1 }
{ count++ }
END {
    if (count != 8) { print count " ways, not eight"; bad = 1 }
    exit bad
}'
