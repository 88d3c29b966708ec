#!/bin/sh
# many.sh BIN [COUNT]: COUNT connections at once (10,000) to an echo server, each
# echoing, then closed: of streams of both kinds of task and of a
# protocol, over TCP and over a unix socket. The client is a process of its own.
# Fails at an error, or if the server keeps a socket. Prints one line a run.
set -eu

bin=$1
count=${2:-10000}
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
ulimit -n "$((count + 200))" 2>/dev/null || true
failed=0

# How many sockets the server has.
descriptors()
{
    ls -l "/proc/$server/fd" 2>/dev/null | grep -c socket
}

# wait_for COMMAND...: until it succeeds, for ten seconds.
wait_for()
{
    left=100
    until "$@"; do
        left=$((left - 1))
        [ "$left" -gt 0 ] || return 1
        sleep 0.1
    done
}

listens()
{
    grep -q '^listening on' "$folder/says"
}

few()
{
    [ "$(descriptors)" -le "$before" ]
}

# run NAME PORT ARGUMENT...
run()
{
    name=$1
    port=$2
    shift 2
    "$bin/uva_bench" "$@" --port "$port" >"$folder/says" 2>"$folder/errors" &
    server=$!
    wait_for listens || { echo "$name: the server did not start"; exit 1; }
    port=$(sed -n 's/^listening on [^:]*://p' "$folder/says")
    before=$(descriptors)
    "$bin/load_echo" "$port" -c "$count" -s 64 -n "$((count * 3))" -p "$server" \
        -L "$name" >"$folder/load" || { echo "$name: the load failed"; failed=1; }
    if ! wait_for few || [ -s "$folder/errors" ]; then
        echo "$name: $(descriptors) sockets, before $before"
        cat "$folder/errors"
        failed=1
    fi
    sed 's/.*"n":\([0-9]*\),.*/'"$name"': \1 echoes/' "$folder/load"
    kill "$server"
    wait "$server" 2>/dev/null || true
    server=
}

for where in 0 "$folder/socket"; do
    case $where in
        0) medium=TCP ;;
        *) medium=unix ;;
    esac
    run "streams, $medium" "$where" echo stream
    run "streams, stackless, $medium" "$where" --stackless echo stream
    run "protocol, $medium" "$where" echo protocol
done
exit $failed
