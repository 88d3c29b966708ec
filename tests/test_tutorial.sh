#!/bin/sh
# test_tutorial.sh BIN: the server and the client of docs/tutorial.md, as a
# reader would run them: two clients, then Ctrl-C.
set -eu

bin=$1
if [ ! -x "$bin/tutorial_a_server" ]; then
    echo "no programs of the tutorial: built without programs, or without awk"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

# A shell starts what it runs beside itself deaf to Ctrl-C. So the server runs
# in front, and the clients beside it; and whoever started this may have been
# deaf as well.
hearing=
if env --default-signal=INT true 2>/dev/null; then
    hearing='env --default-signal=INT'
fi

clients()
{
    read -r line <"$folder/says"
    port=${line##* }
    [ "$line" = "listening on port $port" ] || echo "the server said: $line"
    for time in 1 2; do
        said=$("$bin/tutorial_a_client" "$port") || echo "client $time failed"
        [ "$said" = "hello, port $port" ] || echo "client $time got: $said"
    done
    kill -INT "$(cat "$folder/pid")"
}

mkfifo "$folder/says"
clients >"$folder/complaints" 2>&1 &
status=0
# shellcheck disable=SC2016,SC2086 # for the inner shell; words
sh -c 'echo $$ >"$0"; exec "$@"' "$folder/pid" $hearing \
    "$bin/tutorial_a_server" >"$folder/says" || status=$?
wait
cat "$folder/complaints"
if [ -s "$folder/complaints" ] || [ "$status" -ne 0 ]; then
    echo "the server ended with $status"
    exit 1
fi
