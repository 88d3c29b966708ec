#!/bin/sh
# test_gdb.sh PROGRAM SCRIPT: what uva-gdb.py finds of the tasks of a program
# that aborts: of the process, of a stripped one, of the core file it leaves.
set -eu

program=$1
script=$2
for tool in gdb strip; do
    if ! command -v $tool >/dev/null 2>&1; then
        echo "no $tool"
        exit 77
    fi
done
if ! gdb -nx -batch -ex 'python print(gdb.VERSION)' >/dev/null 2>&1; then
    echo "a gdb without python"
    exit 77
fi
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

debug()
{
    gdb -nx -batch -ex 'set confirm off' -ex 'set language c' \
        -ex 'set debuginfod enabled off' -ex "source $script" "$@" 2>&1
}

# expect NAME FILE PATTERN...: each line that a pattern describes is in FILE.
expect()
{
    name=$1
    file=$2
    shift 2
    for pattern in "$@"; do
        if ! grep -Eq "$pattern" "$file"; then
            echo "$name: no line like: $pattern"
            failed=1
        fi
    done
    [ $failed = 0 ] || { cat "$file"; exit 1; }
}

expect_tasks()
{
    expect "$1" "$2" \
        '^1  waiting  top +uva_join, task 2$' \
        '^2  waiting  waiter +uva_gather, a gathering future$' \
        '^3  waiting  locker +the locker +uva_lock_acquire$' \
        '^4  waiting  dozer +line 3[0-9]$' \
        '^4 tasks of 1 loops$' \
        '^task 3, locker, waiting$' \
        '^  it has no stack: line 3[0-9]$'
}

debug -ex run -ex 'info uva-tasks' -ex 'uva bt 3' -ex 'uva bt 4' \
    -ex 'uva bt 5' -ex 'bt 1' -ex kill "$program" >"$folder/live" || true
if ! grep -q SIGABRT "$folder/live"; then
    echo "no process can be debugged here"
    exit 77
fi
expect_tasks "a process" "$folder/live"
expect "a process" "$folder/live" \
    '^#[0-9]+ .* uva_lock_acquire ' '^#[0-9]+ .* acquire_below ' \
    'no task has the number 5'
if [ "$(grep -c '^#[0-9]* .* acquire_below ' "$folder/live")" != 4 ]; then
    echo "not each call of the body is there, once"
    cat "$folder/live"
    exit 1
fi
# Nothing of the process was changed: its own stack is as it was.
if [ "$(grep -c '^#[0-9]* .* uva_lock_acquire ' "$folder/live")" != 1 ]; then
    echo "the stack of the task stayed selected"
    cat "$folder/live"
    exit 1
fi

strip -o "$folder/stripped" "$program"
debug -ex run -ex 'info uva-tasks' -ex 'uva bt 3' -ex 'uva bt 4' -ex kill \
    "$folder/stripped" >"$folder/bare" || true
expect_tasks "a stripped process" "$folder/bare"
expect "a stripped process" "$folder/bare" '^#6 '

# shellcheck disable=SC3045 # where there is no such limit there is no file
(cd "$folder" && ulimit -c unlimited && exec ./stripped) 2>/dev/null || true
core=$(find "$folder" -name 'core*' | head -n 1)
if [ -z "$core" ]; then
    echo "no core file is left here: not tried"
    exit 0
fi
debug -ex 'info uva-tasks' -ex 'uva bt 3' -ex 'uva bt 4' \
    "$folder/stripped" "$core" >"$folder/dead" || true
expect_tasks "a core file" "$folder/dead"
expect "a core file" "$folder/dead" '^#6 '
