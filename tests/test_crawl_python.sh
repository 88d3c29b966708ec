#!/bin/sh
# test_crawl_python.sh BIN: 200 pages from a server that is not ours, Python's,
# every byte; and what it prints as JSON, read by somebody else's reader.
set -eu

uva=$1/uva
skip()
{
    echo "SKIP: $1"
    exit 77
}
[ -x "$uva" ] || skip "the uva command is not built"
command -v python3 >/dev/null || skip "no python3"

folder=$(mktemp -d)
server=
clean()
{
    [ -z "$server" ] || kill "$server" 2>/dev/null || true
    rm -rf "$folder"
}
trap clean EXIT
trap 'exit 1' INT TERM

mkdir "$folder/site"
python3 - "$folder/site" <<'END'
import pathlib, random, sys
random.seed(7)
for i in range(1, 201):
    size = 0 if i == 13 else int(2 ** random.uniform(0, 20))
    pathlib.Path(sys.argv[1], f"page-{i}.bin").write_bytes(random.randbytes(size))
END

python3 -u -m http.server 0 --bind 127.0.0.1 --directory "$folder/site" \
    >"$folder/log" 2>&1 &
server=$!
port=
tries=0
while [ -z "$port" ]; do
    tries=$((tries + 1))
    [ $tries -le 300 ] || { cat "$folder/log"; exit 1; }
    sleep 0.1
    port=$(sed -n 's/.* port \([0-9]*\) .*/\1/p' "$folder/log")
done

set --
i=1
while [ $i -le 200 ]; do
    set -- "$@" "http://127.0.0.1:$port/page-$i.bin"
    i=$((i + 1))
done
"$uva" crawl --json -o "$folder/out" "$@" >"$folder/json"

i=1
while [ $i -le 200 ]; do
    name=page-$i.bin
    cmp "$folder/site/$name" "$folder/out/$(printf '%04d' $i)-$name"
    i=$((i + 1))
done
[ "$(ls "$folder/out" | wc -l)" -eq 200 ]

python3 - "$folder" <<'END'
import json, os, sys
folder = sys.argv[1]
with open(f"{folder}/json") as file:
    report = json.load(file)
assert list(report) == ["pages", "wall_ms", "cpu_ms"], list(report)
assert 0 < report["cpu_ms"] and 0 < report["wall_ms"]
assert [page["index"] for page in report["pages"]] == list(range(1, 201))
for page in report["pages"]:
    assert list(page) == ["index", "url", "status", "bytes", "ms", "file", "error"]
    assert page["status"] == 200 and page["error"] is None, page
    assert page["bytes"] == os.path.getsize(page["file"]), page
    assert page["file"].startswith(f"{folder}/out/"), page
END

# A page that is not there, beside one that is.
status=0
"$uva" crawl "http://127.0.0.1:$port/none" "$1" >"$folder/text" 2>"$folder/errors" ||
    status=$?
[ $status -eq 1 ]
grep -q '/none: status 404$' "$folder/errors"
grep -q '^2 pages, .* 1 failed$' "$folder/text"
echo "200 pages, every byte"
