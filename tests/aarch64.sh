#!/bin/sh
# aarch64.sh [BUILD-FOLDER]: build src/core/coro for AArch64 and run its tests
# under qemu-user. Without the cross compiler or qemu it says so and exits with
# 77. The tests run in one process without Check (tests/support/nocheck).
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
build=${1:-$root/build/aarch64}
compiler=${UVA_AARCH64_CC:-aarch64-linux-gnu-gcc}
emulator=${UVA_AARCH64_EMULATOR:-qemu-aarch64}

for program in "$compiler" "$emulator"; do
    if ! command -v "$program" > /dev/null; then
        echo "SKIP: no $program (Debian: gcc-aarch64-linux-gnu, qemu-user)"
        exit 77
    fi
done

# Only uv/errno.h of libuv is needed; it is the same on every machine.
uv=$(pkg-config --variable=includedir libuv 2> /dev/null || echo /usr/include)
if [ ! -e "$uv/uv/errno.h" ]; then
    echo "SKIP: no uv/errno.h in $uv (Debian: libuv1-dev)"
    exit 77
fi

cd "$root"
mkdir -p "$build/include/uv"
cp "$uv/uv/errno.h" "$build/include/uv/"

compile() {
    output=$1
    shift
    # shellcheck disable=SC2086
    "$compiler" -std=c11 -static -g -D_GNU_SOURCE= -DUVA_STACK_CLASH=1 \
        -fstack-clash-protection \
        --param=stack-clash-protection-guard-size=12 \
        -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Wstrict-prototypes \
        -Wmissing-prototypes -Wcast-qual -Wvla -Werror \
        -I"$build/include" -Iinclude -Isrc -Itests/support \
        -Itests/support/nocheck "$@" src/stack/*.c src/stack/*.S \
        src/base/descriptors.c tests/support/nocheck/base.c \
        -o "$build/$output" -lpthread
}

# qemu has no guard markers, ignores RLIMIT_AS, and maps a guest's memory in its
# own way: the cases Limit and Scale are left to real machines.
for flags in "-O2" "-O0" "-O2 -mbranch-protection=standard" \
    "-O2 -DUVA_SWITCH_UCONTEXT"; do
    for test in switch stacks measure overflow; do
        # shellcheck disable=SC2086
        compile "test_$test" $flags "tests/stack/test_$test.c"
    done
    echo "== $flags"
    "$emulator" "$build/test_switch"
    for case in Guard Pool Trim; do
        CK_RUN_CASE=$case "$emulator" "$build/test_stacks"
    done
    "$emulator" "$build/test_measure"
    "$emulator" "$build/test_overflow"
done
echo "AArch64: all tests passed"
