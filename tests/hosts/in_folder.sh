#!/bin/sh
# in_folder.sh COMMAND...: run it with a fresh folder as its last argument.
set -eu

folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$@" "$folder"
