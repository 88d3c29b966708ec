#!/bin/sh
# sh cmake/dev.sh WORD: everything from a bare machine on. It installs what is
# missing with the machine's package manager, configures and builds
# build/release with plain CMake commands, and runs the word.
set -eu

cd "$(dirname "$0")/.."

usage()
{
    cat <<'END'
sh cmake/dev.sh WORD

  demo    fetch 50 slow pages one after another, by threads and by uva
  test    build everything and run the tests
  check   all presets with gcc and clang, Valgrind, AArch64 by qemu; takes its
          time
  bench   measure, beside the floors and the peers that are installed
  docs    build the API reference
  clean   remove build/
  help    this text
END
}

say()
{
    printf '== %s\n' "$*"
}

die()
{
    printf 'dev.sh: %s\n' "$*" >&2
    exit 1
}

have()
{
    command -v "$1" >/dev/null 2>&1
}

jobs_count()
{
    getconf _NPROCESSORS_ONLN 2>/dev/null || sysctl -n hw.ncpu 2>/dev/null || echo 2
}

# --- what the machine lacks ---------------------------------------------------

manager()
{
    for candidate in apt-get dnf apk pacman brew; do
        if have "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    echo none
}

as_root()
{
    if [ "$(id -u)" = 0 ]; then
        "$@"
    else
        sudo "$@"
    fi
}

# install_packages PACKAGE...: by whatever manager there is.
install_packages()
{
    say "installing: $*"
    if [ "$(manager)" != brew ] && [ "$(id -u)" != 0 ] && ! have sudo; then
        say "that takes root or sudo"
        return 1
    fi
    case $(manager) in
    apt-get)
        # Package lists of last month name files that are gone; once is enough.
        if [ -z "${lists_are_fresh:-}" ]; then
            as_root apt-get update -qq || true
            lists_are_fresh=1
        fi
        as_root env DEBIAN_FRONTEND=noninteractive \
            apt-get install -y -qq --no-install-recommends "$@" >/dev/null
        ;;
    dnf) as_root dnf install -y -q "$@" ;;
    apk) as_root apk add -q "$@" ;;
    pacman) as_root pacman -Sy --needed --noconfirm "$@" ;;
    brew) brew install -q "$@" ;;
    none) die "no apt, dnf, apk, pacman or brew here; install by hand: $*" ;;
    esac
}

# package THING: what the manager calls it; nothing where it comes otherwise.
package()
{
    case $(manager):$1 in
    apt-get:cc) echo gcc libc6-dev ;;
    apk:cc) echo gcc musl-dev ;;
    brew:cc) die "no C compiler: run xcode-select --install" ;;
    *:cc) echo gcc ;;
    apt-get:pkg-config) echo pkg-config ;;
    dnf:pkg-config) echo pkgconf-pkg-config ;;
    *:pkg-config) echo pkgconf ;;
    apt-get:libuv) echo libuv1-dev ;;
    dnf:libuv) echo libuv-devel ;;
    apk:libuv) echo libuv-dev ;;
    apt-get:check) echo check libsubunit-dev ;;
    dnf:check) echo check-devel ;;
    apk:check) echo check-dev ;;
    apt-get:c++ | apk:c++) echo g++ ;;
    dnf:c++) echo gcc-c++ ;;
    pacman:c++ | brew:c++) ;;
    apt-get:clang) echo clang libclang-rt-dev ;;
    dnf:clang | apk:clang) echo clang compiler-rt ;;
    brew:clang | brew:valgrind) ;;
    dnf:clang-tidy | dnf:clang-format) echo clang-tools-extra ;;
    apk:clang-tidy | apk:clang-format) echo clang-extra-tools ;;
    pacman:clang-tidy | pacman:clang-format) echo clang ;;
    brew:clang-tidy) ;;
    pacman:python3) echo python ;;
    apt-get:nc | apk:nc) echo netcat-openbsd ;;
    dnf:nc) echo netcat ;;
    pacman:nc) echo openbsd-netcat ;;
    brew:nc) ;; # The system has it.
    apt-get:aarch64-gcc) echo gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
    apt-get:qemu-aarch64) echo qemu-user ;;
    # Elsewhere they come without a static libc, or not at all.
    *:aarch64-gcc | *:qemu-aarch64) ;;
    apt-get:host-uvloop) echo python3-uvloop ;;
    apt-get:host-neovim) echo neovim ;;
    apt-get:host-luv) echo luajit lua-luv ;;
    apt-get:host-node) echo nodejs libnode-dev ;;
    apt-get:host-raft) echo libraft-dev ;;
    apt-get:host-libwebsockets) echo libwebsockets-dev libwebsockets-evlib-uv ;;
    apt-get:host-hiredis) echo libhiredis-dev redis-server ;;
    # Elsewhere the tests take what they find.
    *:host-*) ;;
    *) echo "$1" ;;
    esac
}

has_header_of()
{
    have pkg-config && pkg-config --exists "$1"
}

# What every word needs. Asking the machine takes milliseconds, asking its
# package manager seconds, so the manager is asked only for what is missing.
prepare()
{
    missing=
    have cc || have gcc || have clang || missing="$missing $(package cc)"
    have cmake || missing="$missing $(package cmake)"
    have make || have ninja || missing="$missing $(package make)"
    have pkg-config || missing="$missing $(package pkg-config)"
    has_header_of 'libuv >= 1.44' || missing="$missing $(package libuv)"
    has_header_of 'check >= 0.15' || missing="$missing $(package check)"
    if [ -n "$missing" ]; then
        # A library that cannot be had is built from vendor/.
        # shellcheck disable=SC2086 # a list of names
        install_packages $missing || say "could not install all of:$missing"
        have cmake || die "nothing goes without cmake"
    fi
}

# Whether a client for the servers of examples/ is here. Debian has two kinds of
# nc: the traditional one cannot end its half, which -N does.
has_client()
{
    case $(manager):$1 in
    apt-get:nc) have nc && nc -h 2>&1 | grep -q '\[-[0-9A-Za-z]*N' ;;
    *) have "$1" ;;
    esac
}

# Without one its tests are skipped.
prepare_test()
{
    for tool in python3 curl nc socat; do
        if ! has_client "$tool"; then
            names=$(package "$tool")
            # shellcheck disable=SC2086 # a list of names
            [ -z "$names" ] || install_packages $names || say "going on without $tool"
        fi
    done
}

# Debian has the runtime of clang's sanitizers in a package of its own.
clang_sanitizes()
{
    echo 'int main(void) { return 0; }' |
        clang -fsanitize=address -x c - -o /dev/null 2>/dev/null
}

# host_is_here HOST: whether tests/hosts can run it.
host_is_here()
{
    case $1 in
    uvloop)
        python3 -c 'import uvloop' 2>/dev/null ||
            /usr/bin/python3 -c 'import uvloop' 2>/dev/null
        ;;
    neovim) have nvim ;;
    luv) have luajit && luajit -e 'require("luv")' 2>/dev/null ;;
    node)
        { have node || have nodejs; } && {
            [ -e /usr/include/node/node_api.h ] ||
                [ -e /usr/local/include/node/node_api.h ]
        }
        ;;
    hiredis) has_header_of hiredis && have redis-server ;;
    *) has_header_of "$1" ;;
    esac
}

# What only check needs: one that cannot be had is left out.
prepare_check()
{
    for host in uvloop neovim luv node raft libwebsockets hiredis; do
        if ! host_is_here "$host"; then
            names=$(package "host-$host")
            # shellcheck disable=SC2086 # a list of names
            [ -z "$names" ] || install_packages $names || say "going on without $host"
        fi
    done
    for tool in gcc:cc clang:clang g++:c++ valgrind:valgrind doxygen:doxygen \
        clang-tidy:clang-tidy clang-format:clang-format \
        aarch64-linux-gnu-gcc:aarch64-gcc qemu-aarch64:qemu-aarch64; do
        if ! have "${tool%%:*}" || { [ "$tool" = clang:clang ] && ! clang_sanitizes; }; then
            names=$(package "${tool#*:}")
            # shellcheck disable=SC2086 # a list of names
            [ -z "$names" ] || install_packages $names || say "going on without ${tool%%:*}"
        fi
    done
}

# --- building -----------------------------------------------------------------

# tenths: pass on what make, ninja or ctest print, but of their lines of progress
# and of tests that passed just one for each tenth of the way.
tenths()
{
    awk '
        function way(done, all, what) {
            if (int(10 * done / all) > tenth) {
                tenth = int(10 * done / all)
                printf "   %3d %% %s\n", 10 * tenth, what
                fflush()
            }
        }
        /^\[ *[0-9]+%\]/ {
            split($0, part, /[][% ]+/)
            way(part[2], 100, "built")
            next
        }
        /^\[[0-9]+\/[0-9]+\]/ {
            split($0, part, /[][\/ ]+/)
            way(part[2], part[3], "built")
            next
        }
        /^ *[0-9]+\/[0-9]+ +Test +#/ {
            split($1, part, "/")
            way(part[1], part[2], "tested")
            if (/(Passed|\*\*\*Skipped) +[0-9.]+ sec/) {
                next
            }
        }
        /^(make|gmake)(\[[0-9]+\])?: (Entering|Leaving) / || /^ +Start +[0-9]+: / ||
            /^(Consolidate compiler generated )?dependencies of target / ||
            /^Scanning dependencies of target / {
            next
        }
        { print; fflush() }
    '
}

# told COMMAND...: run it with its output through tenths; its status.
told()
{
    { "$@" 2>&1 && echo 0 >build/status || echo $? >build/status; } | tenths
    return "$(cat build/status)"
}

# configure_release [OPTION...]
configure_release()
{
    prepare
    mkdir -p build
    say "configuring build/release (log: build/configure.log)"
    # CMake's own choice is make; ask for ninja where there is nothing else.
    if ! have make && [ ! -e build/release/CMakeCache.txt ]; then
        set -- -G Ninja "$@"
    fi
    cmake -S . -B build/release -DCMAKE_BUILD_TYPE=Release "$@" >build/configure.log 2>&1 || {
        cat build/configure.log >&2
        exit 1
    }
}

# build_release WHAT [OPTION...]
build_release()
{
    say "building $1"
    shift
    told cmake --build build/release -j "$(jobs_count)" "$@"
}

# run NAME COMMAND...: one line of check. The output goes to a log; the tail of
# it is shown when the command fails, and its last line, which says why, when
# the command ends with 77: it lacks something here.
run()
{
    name=$1
    shift
    log=build/check/$name.log
    code=0
    "$@" >"$log" 2>&1 || code=$?
    case $code in
    0) printf '%-18s passed  %s\n' "$name" "$(grep 'tests passed' "$log" || true)" ;;
    77) printf '%-18s left out  %s\n' "$name" "$(tail -n 1 "$log")" ;;
    *)
        printf '%-18s FAILED  %s\n' "$name" "$(grep 'tests passed' "$log" || true)"
        tail -n 40 "$log"
        failures="$failures $name"
        ;;
    esac
}

# preset COMPILER PRESET FOLDER TESTS [OPTION...]: configure, build and test in
# FOLDER; TESTS are options for ctest.
preset()
{
    compiler=$1
    preset=$2
    folder=$3
    tests=$4
    shift 4
    # shellcheck disable=SC2086 # words
    cmake --preset "$preset" -B "$folder" -DCMAKE_C_COMPILER="$compiler" "$@" &&
        cmake --build "$folder" -j "$(jobs_count)" &&
        ctest --test-dir "$folder" -j "$(jobs_count)" --output-on-failure $tests
}

# run_preset COMPILER NAME PRESET [OPTION...]
run_preset()
{
    compiler=$1
    name=$1-$2
    preset=$3
    shift 3
    # The text of the tree and the installed files are the same in each build.
    case $name in
    gcc-release) tests= ;;
    *-fuzz) tests='-R ^fuzz\.' ;;
    *) tests='-LE tidy|install' ;;
    esac
    run "$name" preset "$compiler" "$preset" "build/check/$name" "$tests" "$@"
}

check()
{
    prepare
    prepare_test
    prepare_check
    cmake --list-presets >/dev/null 2>&1 || die "check needs CMake 3.25, for the presets"
    mkdir -p build/check
    failures=
    for compiler in gcc clang; do
        if ! have "$compiler"; then
            say "no $compiler: left out"
            continue
        fi
        for preset in release dev tsan uv minimal; do
            run_preset "$compiler" "$preset" "$preset"
        done
        # Interpreters load the guest of tests/hosts as a shared library.
        run_preset "$compiler" asan asan -DUVA_BUILD_SHARED=ON
        if have valgrind; then
            # Valgrind 3.19 cannot read the DWARF 5 of clang 14.
            run_preset "$compiler" valgrind dev -DUVA_TEST_VALGRIND=ON \
                -DCMAKE_BUILD_TYPE=RelWithDebInfo -DCMAKE_C_FLAGS=-gdwarf-4
        fi
    done
    if have gcc; then
        run_preset gcc coverage coverage
    fi
    if have clang; then
        run_preset clang fuzz fuzz
    fi
    if have clang && have clang-tidy; then
        run clang-tidy cmake --build build/check/clang-release --target lint
    fi
    run aarch64 sh tests/aarch64.sh build/check/aarch64
    [ -z "$failures" ] || die "failed:$failures (logs in build/check)"
    say "all passed"
}

# --- words --------------------------------------------------------------------

case ${1:-} in
demo)
    shift
    configure_release
    build_release "the library and the program uva" --target uva_command
    say "running build/release/bin/uva crawl${*:+ $*}"
    exec build/release/bin/uva crawl "$@"
    ;;
test)
    shift
    prepare_test
    configure_release
    build_release "the library, the programs and the tests"
    say "testing"
    told ctest --test-dir build/release --output-on-failure -j "$(jobs_count)" "$@"
    ;;
check)
    check
    ;;
bench)
    shift
    configure_release
    build_release "the library and the benchmarks"
    [ -e bench/run.sh ] || die "there is no bench/run.sh"
    exec sh bench/run.sh build/release/bin "$@"
    ;;
docs)
    have doxygen || install_packages doxygen
    configure_release
    build_release "the API reference" --target docs
    ;;
clean)
    rm -rf build
    ;;
help | -h | --help)
    usage
    ;;
*)
    [ $# -eq 0 ] || printf 'dev.sh: no such word: %s\n\n' "$1" >&2
    usage >&2
    exit 2
    ;;
esac
