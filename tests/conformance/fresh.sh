#!/bin/sh
# Compare uva with CPython on programs that nobody has seen before: a CPython
# 3.13 generates and runs them, uva_conform runs them again as stackful, as
# stackless and as mixed tasks.
set -eu

usage()
{
    cat <<'END'
usage: fresh.sh [-n COUNT] [-s START] [-p PROFILE] [-P PYTHON] UVA_CONFORM

  -n COUNT    seeds of each profile; 20000
  -s START    the first seed; the seconds since 1970, so that each run has
              seeds of its own
  -p PROFILE  exact or spread; both
  -P PYTHON   a CPython 3.13; the first that is found

Exit status: 0, 1 if a trace differs, 2 for misuse, 77 without a CPython 3.13.
END
}

fail()
{
    printf 'fresh.sh: %s\n' "$*" >&2
    exit 2
}

is_number()
{
    case $1 in
    '' | *[!0-9]*) return 1 ;;
    esac
}

is_reference()
{
    "$1" -c 'import sys
sys.exit(sys.implementation.name != "cpython" or sys.version_info[:2] != (3, 13))' \
        2>/dev/null
}

find_python()
{
    for candidate in python3.13 python3 "${HOME-}"/.pyenv/versions/3.13.*/bin/python3; do
        if is_reference "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
    done
}

count=20000
start=$(date +%s)
profiles='exact spread'
python=
while getopts n:s:p:P:h option; do
    case $option in
    n) count=$OPTARG ;;
    s) start=$OPTARG ;;
    p) profiles=$OPTARG ;;
    P) python=$OPTARG ;;
    h) usage && exit 0 ;;
    *) usage >&2 && exit 2 ;;
    esac
done
shift $((OPTIND - 1))
[ $# -eq 1 ] || { usage >&2 && exit 2; }
conform=$1
[ -x "$conform" ] || fail "$conform is no program"
is_number "$count" || fail "$count is no number"
is_number "$start" || fail "$start is no number"
case $profiles in
exact | spread | 'exact spread') ;;
*) fail "unknown profile $profiles" ;;
esac

here=$(cd "$(dirname "$0")" && pwd)
if [ -n "$python" ]; then
    is_reference "$python" || fail "$python is no CPython 3.13"
else
    python=$(find_python)
fi
if [ -z "$python" ]; then
    echo 'fresh.sh: no CPython 3.13 here'
    exit 77
fi
export PYTHONDONTWRITEBYTECODE=1

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM
"$python" --version

# A slice at a time, so that the programs never fill the disk.
status=0
slice=2000
for profile in $profiles; do
    first=$start
    end=$((start + count))
    equal=0
    total=0
    while [ "$first" -lt "$end" ]; do
        part=$((end - first < slice ? end - first : slice))
        "$python" "$here/corpus.py" emit "$profile" "$first" "$part" --all \
            >"$folder/programs" || fail 'the reference runner failed'
        for kind in '' --stackless --mixed; do
            # shellcheck disable=SC2086
            "$conform" $kind "$folder/programs" >"$folder/said" || status=1
            last=$(tail -n 1 "$folder/said")
            # Of each slice: "N of M equal", behind what differs.
            case $last in
            *' of '*' equal') ;;
            *) fail "uva_conform $kind ended early from seed $first: $last" ;;
            esac
            sed '$d' "$folder/said"
            equal=$((equal + ${last%% *}))
            seen=${last#* of }
            total=$((total + ${seen%% *}))
        done
        first=$((first + part))
    done
    echo "$profile, seeds $start to $((end - 1)), 3 kinds of task: $equal of $total equal"
    [ "$total" -eq $((3 * count)) ] || fail "$((3 * count)) were expected"
done
exit "$status"
