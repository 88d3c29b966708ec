#!/bin/sh
# uva_conform from the outside: what it compares, what it says, how it ends.
# The recorded corpora are tests of their own.
set -u

conform=$1/uva_conform
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

# expect STATUS LAST-LINE ARGUMENT...: standard input is passed on.
expect()
{
    wanted=$1
    line=$2
    shift 2
    "$conform" "$@" >"$folder/said" 2>"$folder/complaint"
    status=$?
    last=$(tail -n 1 "$folder/said")
    if [ "$status" -ne "$wanted" ] || [ "$last" != "$line" ]; then
        printf 'uva_conform %s: status %s for %s, "%s" for "%s"\n' \
            "$*" "$status" "$wanted" "$last" "$line"
        cat "$folder/complaint"
        failed=1
    fi
}

cat >"$folder/program" <<'END'
uvaconf 1
seed 1
profile exact
theme core
feat
task 0
  spawn T1
  spawn T2
  sleep 2
  return 7
end
task 1
  sleep 1
end
task 2
  sleep 1
end
END
cat >"$folder/trace" <<'END'
0 T0 0 start
0 T0 7 ok
0 T0 8 ok
0 T1 0 start
0 T2 0 start
1 T1 13 ok
1 T1 0 end none
1 T2 16 ok
1 T2 0 end none
2 T0 9 ok
2 T0 10 return
2 T0 0 end 7
2 - 0 idle pending=-
2 - 0 final T0 7
2 - 0 final T1 none
2 - 0 final T2 none
END

# corpus PROGRAM TRACE: what they are together.
corpus()
{
    echo '%% program'
    cat "$1"
    echo '%% trace'
    cat "$2"
}

# A program alone prints its trace, with each kind of task.
for kind in '' --stackless --mixed; do
    # shellcheck disable=SC2086
    "$conform" $kind "$folder/program" >"$folder/printed" || failed=1
    cmp "$folder/trace" "$folder/printed" || failed=1
done

# A corpus is compared: whole, or for the profile spread task by task.
corpus "$folder/program" "$folder/trace" >"$folder/corpus"
expect 0 '1 of 1 equal' "$folder/corpus"
expect 0 '1 of 1 equal' --stackless "$folder/corpus"
expect 0 '1 of 1 equal' - <"$folder/corpus"
sed 's/profile exact/profile spread/' "$folder/program" >"$folder/spread"
# Two tasks in the other order: the same task by task, not as a whole.
sed '4{h;d;};5G' "$folder/trace" >"$folder/swapped"
corpus "$folder/program" "$folder/swapped" >"$folder/corpus"
expect 1 '0 of 1 equal' "$folder/corpus"
corpus "$folder/spread" "$folder/swapped" >"$folder/corpus"
expect 0 '1 of 1 equal' "$folder/corpus"
# One line of one task in another place, a line less, a line more.
sed '6{h;d;};7G' "$folder/trace" >"$folder/turned"
corpus "$folder/spread" "$folder/turned" >"$folder/corpus"
expect 1 '0 of 1 equal' "$folder/corpus"
for wrong in 3d 16d 16p; do
    sed "$wrong" "$folder/trace" >"$folder/wrong"
    for profile in program spread; do
        corpus "$folder/$profile" "$folder/wrong" >"$folder/corpus"
        expect 1 '0 of 1 equal' "$folder/corpus"
    done
done
# One that differs does not hide behind one that is equal.
{
    corpus "$folder/program" "$folder/trace"
    corpus "$folder/program" "$folder/wrong"
} >"$folder/corpus"
expect 1 '1 of 2 equal' "$folder/corpus"

# Misuse.
expect 2 ''
expect 2 '' --stackful "$folder/program"
expect 2 '' --stackless
expect 2 '' "$folder/nowhere"
expect 2 '' - </dev/null
{
    echo '%% program'
    cat "$folder/program"
} >"$folder/corpus"
expect 2 '' "$folder/corpus"
while read -r line; do
    sed "9s/.*/$line/" "$folder/program" >"$folder/broken"
    expect 2 '' "$folder/broken"
done <<'END'
dance 1
sleep
sleep soon
await Z1
spawn T99999
try
cb 0
reraise
END

exit "$failed"
