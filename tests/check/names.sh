#!/bin/sh
# names.sh -- a thing has one name: command = source = man page = test, op =
# record = test.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh
cd "$top" || exit 1

# compare NAME FILE FILE: two sorted lists are the same.
compare() {
    diff "$2" "$3" >"$out"
    ok "$1" || explain <"$out"
}

verb() { sed 's|.*/||;s/\.[a-z0-9]*$//;s/^adze-//' | sort; }

ls src/*.c | verb >"$work/src"
ls man/adze.1 man/adze-*.1 2>/dev/null | verb >"$work/man"
ls tests/cli/*.sh | grep -v '/lib.sh$\|/faults.sh$\|/fault-.*\|/pipe-.*' | verb >"$work/test"
compare 'each command has a man page and no page is alone' "$work/src" "$work/man"
compare 'each command has a test script' "$work/src" "$work/test"
{ echo adze && sed -n 's/^\.It Xr adze-\([a-z-]*\) 1$/\1/p' man/adze.7; } | sort >"$work/seven"
compare 'the overview lists each command once' "$work/src" "$work/seven"

sed -n 's/^OP(\([a-z0-9_]*\)).*/\1/p' lib/op/op.def | sort >"$work/def"
grep -l '^const struct op op_' lib/op/*.c | verb >"$work/records"
compare 'each op in op.def has a file with its record' "$work/def" "$work/records"
for op in $(cat "$work/def"); do
    grep -q "^const struct op op_$op = " "lib/op/$op.c" || echo "lib/op/$op.c"
    [ -e "tests/op/$op.c" ] || echo "tests/op/$op.c is missing"
done >"$out"
[ ! -s "$out" ]
ok 'the file of each op holds its record, and has a test' || explain <"$out"
sed -n 's/^OP(\([a-z0-9_]*\)).*/\1/p' lib/op/op.def | LC_ALL=C sort -c 2>"$out"
ok 'op.def is in alphabetical order' || explain <"$out"

# match_op(n, "conv2d|linear"): a misspelt name is never met.
cat lib/*/*.[ch] lib/*/*.cu* | tr -s '\n ' ' ' |
    grep -o '\(node_is\|match_op\|match_source\)([^";{}]*"[a-z0-9|]*"' | sed 's/[^"]*//' |
    tr -d '"' | tr '|' '\n' | sed '/^$/d' | sort -u >"$work/asked"
[ -s "$work/asked" ] && comm -23 "$work/asked" "$work/def" >"$out" && [ ! -s "$out" ]
ok 'code asks for ops by names that they have' || explain <"$out"

# The same in tables: lists of names, and what kernels say of theirs.
# A word that ends with _ is a part of one.
words() { grep -oh '"[a-z0-9_|]*"' | tr -d '"' | tr '|' '\n' | sed '/^$/d; /_$/d'; }
kernels=$(ls lib/cpu/*.[ch] lib/cuda/*.c lib/cuda/*.cu*)
# shellcheck disable=SC2086
{
    grep -h '"[a-z0-9_|]*|[a-z0-9_|]*"' lib/graph/*.c lib/pass/*.[ch] lib/run/*.[ch] $kernels
    grep -oh '\.\(op\|side\) = "[a-z0-9_]*"' $kernels
    for list in $(grep -oh '\.epilogue = [a-z0-9_]*' $kernels | sed 's/.* //' | sort -u); do
        sed -n "/const $list\[\] = {/,/;/p" $kernels
    done
    sed -n 's/^ *X(\("[a-z0-9_]*"\), ACT_.*/\1/p' lib/cuda/act.cuh
} | words | sort -u >"$work/tabled"
[ "$(wc -l <"$work/tabled")" -gt 20 ] && comm -23 "$work/tabled" "$work/def" >"$out" && [ ! -s "$out" ]
ok 'tables name ops by names that they have' || explain <"$out"

# What --cpu may be, in the help and on pages: a, b, c; a, b or c.
levels=$(sed -n 's/^    X("\([a-z0-9]*\)", .*/\1/p' lib/base/cpuinfo.c | paste -sd , | sed 's/,/, /g')
must='which the processor must have:'
{
    grep -q "\"highest instruction set: $levels\"" lib/cli/rows.h || echo "lib/cli/rows.h: not $levels"
    grep "$must" man/*.1 || echo "no page says $must"
} | grep -v "^man/.*:$must ${levels%, *} or ${levels##*, }\\.$" >"$out"
[ ! -s "$out" ]
ok 'help and pages name the levels of instruction sets' || explain <"$out"

scripts/coverage --check >"$out" 2>&1
[ ! -s "$out" ]
ok 'each reader is fuzzed, and has a row in scripts/coverage' || explain <"$out"

for t in $(cd tests && ls -d */*.c 2>/dev/null); do
    case $t in cli/* | check/*) continue ;; esac
    [ -d "lib/${t%/*}" ] || echo "tests/$t mirrors nothing in lib"
done >"$out"
[ ! -s "$out" ]
ok 'unit tests mirror the layers of lib' || explain <"$out"
