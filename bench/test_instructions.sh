#!/bin/sh
# test_instructions.sh BIN LIB: instructions and system calls of the paths that
# users meet, each with a gate. A gate is what a user may be asked to pay: the
# largest cost that the project accepts for the sake of simpler code. It is no
# record of the best figure, so a change that stays below it needs no word here.
# A change that must exceed one says in its commit what users get for it.
#
# What is counted is the slope between two sizes of one run, so that start and
# end do not count, on a clock that does not know how slow callgrind is.
set -eu

bin=$1
clock=$2/uva_still_clock.so
for tool in valgrind awk; do
    if ! command -v $tool >/dev/null 2>&1; then
        echo "no $tool: nothing was counted"
        exit 77
    fi
done
folder=$(mktemp -d)
server=
trap '[ -z "$server" ] || kill "$server" 2>/dev/null; rm -rf "$folder"' EXIT
failed=0

counting()
{
    LD_PRELOAD=$clock valgrind --tool=callgrind --callgrind-out-file=/dev/null \
        --log-file="$folder/log" "$@"
}

collected()
{
    sed -n 's/.*Collected : \([0-9]*\).*/\1/p' "$folder/log" | tail -n 1
}

# judge NAME GATE LESS MORE UNITS
judge()
{
    awk -v name="$1" -v gate="$2" -v less="$3" -v more="$4" -v units="$5" '
        BEGIN {
            each = (more - less) / units
            good = less > 0 && more > less && each <= gate
            printf "%-34s %8.1f  at most %6.1f%s\n", name, each, gate,
                good ? "" : "  TOO MANY"
            exit !good
        }' || failed=1
}

# program NAME GATE COUNT ARGUMENT...: COUNT stands for @ in the arguments.
program()
{
    name=$1
    gate=$2
    count=$3
    shift 3
    less=$(sized "$count" "$@")
    more=$(sized $((count * 3)) "$@")
    judge "$name" "$gate" "$less" "$more" $((count * 2))
}

sized()
{
    size=$1
    shift
    # shellcheck disable=SC2046 # words
    counting "$bin/uva_bench" $(echo "$*" | sed "s/@/$size/") >/dev/null
    collected
}

# serve COMMAND...: start a server, wait for its port.
serve()
{
    : >"$folder/says"
    "$@" >"$folder/says" 2>/dev/null &
    server=$!
    port=
    for _ in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do
        port=$(sed -n 's/^listening on .*://p' "$folder/says")
        [ -z "$port" ] || return 0
        sleep 0.25
    done
    echo "the server did not start"
    exit 1
}

# Ctrl-C is how it ends; what a shell starts beside itself may be deaf to it.
hearing=
if env --default-signal=INT true 2>/dev/null; then
    hearing='env --default-signal=INT'
fi

end_server()
{
    kill -INT "$server"
    wait "$server" || true
    server=
}

# served REQUESTS ARGUMENT...: instructions of a server for so many requests.
# Its profile stays, for mallocs.
served()
{
    requests=$1
    shift
    # shellcheck disable=SC2086 # words
    serve $hearing env LD_PRELOAD="$clock" valgrind --tool=callgrind \
        --callgrind-out-file="$folder/profile" --log-file="$folder/log" \
        "$bin/uva_bench" "$@"
    "$bin/load_echo" "$port" -c 100 -s 1024 -n "$requests" >/dev/null
    end_server
    collected
}

# mallocs: how often the server of the last profile asked for memory. A profile
# names a function once and then by its number; "calls=" follows the callee.
mallocs()
{
    awk '
        /^c?fn=/ {
            id = $1
            sub(/^c?fn=/, "", id)
            if (NF > 1)
                name[id] = $2
            callee = name[id]
        }
        /^calls=/ && callee ~ /^(malloc|calloc|realloc|posix_memalign|aligned_alloc)$/ {
            sub(/calls=/, "", $1)
            sum += $1
        }
        END { print sum + 0 }' "$folder/profile"
}

# echo_row NAME GATE ARGUMENT...
echo_row()
{
    name=$1
    gate=$2
    shift 2
    less=$(served 2000 "$@")
    few=$(mallocs)
    more=$(served 8000 "$@")
    judge "$name" "$gate" "$less" "$more" 6000
    if [ "$few" -eq 0 ]; then
        echo "the profile shows no malloc at all: it is not what it was taken for"
        failed=1
    fi
    # What a connection needs comes with the connection.
    limit "malloc of 6000 more" $(($(mallocs) - few)) 0
}

# calls NAME: of that system call in the summary of strace.
calls()
{
    awk -v name="$1" '$NF == name { sum += $4 } END { print sum + 0 }' \
        "$folder/calls"
}

# traced REQUESTS ARGUMENT...: the system calls of a server for so many requests.
traced()
{
    requests=$1
    shift
    # shellcheck disable=SC2086 # words
    serve $hearing strace -f -c -o "$folder/calls" "$bin/uva_bench" "$@"
    "$bin/load_echo" "$port" -c 100 -s 1024 -n "$requests" >/dev/null
    # The tracer does not pass the signal on: its child is the server.
    tracer=$server
    child=$(cat "/proc/$tracer/task/$tracer/children")
    # shellcheck disable=SC2086 # a number and a space
    kill -INT $child
    wait "$tracer" || true
    server=
    polls=$(($(calls epoll_wait) + $(calls epoll_pwait)))
}

# A busy server: one read and one write a request, next to nothing else.
system_calls()
{
    requests=20000
    traced "$requests" "$@"
    # One poll finds many of the 100 sockets, unless the machine is too busy to
    # let the clients send: then another run has to show it.
    for _ in 1 2 3; do
        [ "$polls" -gt $((requests / 50)) ] || break
        traced "$requests" "$@"
    done
    reads=$(($(calls read) + $(calls recvfrom) + $(calls readv) + $(calls recvmsg)))
    writes=$(($(calls write) + $(calls sendto) + $(calls writev) + $(calls sendmsg)))
    # Each of the 100 connections ends with a read: 1.005 a request. What the
    # program itself reads and writes at its start and end comes on top.
    limit "$* read" "$reads" $((requests + 100 + 50))
    limit "$* write" "$writes" $((requests + 50))
    limit "$* epoll_wait" "$polls" $((requests / 50))
    # Six a connection, none a request.
    limit "$* epoll_ctl" "$(calls epoll_ctl)" 640
    limit "$* futex" "$(calls futex)" 8
    limit "$* brk" "$(calls brk)" 16
    limit "$* mmap" "$(calls mmap)" 200
}

limit()
{
    verdict=
    if [ "$2" -gt "$3" ]; then
        verdict='  TOO MANY'
        failed=1
    fi
    printf '%-34s %8d  at most %6d%s\n' "$1" "$2" "$3" "$verdict"
}

echo "instructions"
program 'yield, 2 tasks'                66 20000 ctx 2 @
program 'yield, 1000 tasks'             60 20000 ctx 1000 @
program 'yield, 2 tasks, stackless'     44 20000 --stackless ctx 2 @
program 'yield, 1000 tasks, stackless'  40 20000 --stackless ctx 1000 @
program 'spawn and join'               400 10000 spawn_seq @
program 'spawn and join, stackless'    320 10000 --stackless spawn_seq @
program 'spawn, batches'               300 20000 spawn_batch @ 10000
program 'spawn, batches, stackless'    250 20000 --stackless spawn_batch @ 10000
program 'queue item, 1'                600 10000 chan @ 1
program 'queue item, 1, stackless'     590 10000 --stackless chan @ 1
program 'queue item, 128'              165 20000 chan @ 128
program 'queue item, 128, stackless'   145 20000 --stackless chan @ 128
program 'round trip in memory'        2500 20000 pair @
echo_row 'echo of 1 KiB'               660 echo stream
echo_row 'echo of 1 KiB, stackless'    590 --stackless echo stream
echo_row 'echo of 1 KiB, protocol'     465 echo protocol

if command -v strace >/dev/null 2>&1 && strace -o /dev/null true 2>/dev/null; then
    echo "system calls of 20000 echoes"
    system_calls echo stream
    system_calls --stackless echo stream
else
    echo "no strace: system calls were not counted"
fi
exit $failed
