#!/bin/sh
# check_format.sh CLANG-FORMAT ROOT [OPTION...]: fail with the places that it
# would change; with -i, change them.
set -eu

program=$1
cd "$2"
shift 2
[ $# -gt 0 ] || set -- --dry-run --Werror
find src include tests examples bench tools -name '*.[ch]' -exec "$program" "$@" {} +
