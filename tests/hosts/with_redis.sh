#!/bin/sh
# with_redis.sh REDIS-SERVER COMMAND...: run it with the socket of a fresh Redis
# server as its last argument.
set -eu

server=$1
shift
folder=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill "$pid"; rm -rf "$folder"' EXIT
mkfifo "$folder/says"
"$server" --port 0 --unixsocket "$folder/socket" --save '' --appendonly no \
    --dir "$folder" >"$folder/says" 2>&1 &
pid=$!
exec 3<"$folder/says"
while read -r line <&3; do
    case $line in
    *eady\ to\ accept\ connections*) break ;;
    esac
done
if [ ! -S "$folder/socket" ]; then
    echo "FAIL: the Redis server does not start: $line"
    exit 1
fi
"$@" "$folder/socket"
