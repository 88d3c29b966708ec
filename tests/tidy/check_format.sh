#!/bin/sh
# check_format.sh CLANG-FORMAT ROOT: fail with the places that it would change.
set -eu

cd "$2"
find src include tests examples bench tools -name '*.[ch]' -exec \
    "$1" --dry-run --Werror {} +
