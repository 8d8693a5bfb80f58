#!/bin/sh
# style.sh -- what grep can see of the house style.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh
cd "$top" || exit 1
files=$(find lib src tests \( -name '*.[ch]' -o -name '*.inc' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cc' \) | sort)

# shellcheck disable=SC2086
{
    awk 'function licence() { if (file && !known) print file ": no licence line" }
        FNR == 1 {
            licence()
            file = FILENAME; known = 0
            name = file; sub(/.*\//, "", name)
            if (index($0, "/* " name " -- ") != 1) print file ": the first line does not say what the file is"
        }
        FNR <= 60 && /SPDX-License-Identifier: MIT/ { known = 1 }
        END { licence() }' $files
    for f in $files; do [ -s "$f" ] || echo "$f: is empty"; done
} >"$out"
[ ! -s "$out" ]
ok 'files say what they are and their licence' || explain <"$out"

# shellcheck disable=SC2086
{
    grep -n 'TODO\|FIXME\|XXX:' $files
    grep -n '#.*ifn*def *\(CUDA\|BLAS\|JPEG\|HAVE_\)' $files
    grep -n '#include "[a-z_0-9]*\.\(h\|inc\)"' $(printf '%s\n' $files | grep '^lib/')
    grep -n 'alloca *(' $files
    grep -n 'ffast-math' Makefile
} >"$out" 2>/dev/null
[ ! -s "$out" ]
ok 'no TODO, no #ifdef of a library, no alloca' || explain <"$out"

# What an op is stands in its record; who must know asks node_is().
grep -n 'strn*cmp([^;()]*op->name' $(printf '%s\n' $files | grep '^lib/') |
    grep -v '^lib/\(format/opstep\|graph/ask\|pass/simplify\|run/choose\)\.c:' >"$out"
[ ! -s "$out" ]
ok 'few places know an op by its name' || explain <"$out"

grep -l 'printf *(\|puts *(\|fputs *(' $(printf '%s\n' $files | grep '^lib/' | grep -v '^lib/cli/') |
    xargs grep -n '[^a-z_]\(printf\|puts\|putchar\|perror\) *(\|[a-z]*printf *(stderr\|fputs *(.*std\|[^a-z_]exit *(' |
    grep -v ':[ /]*\*\|^lib/base/\(err\|mem\)\.c' >"$out"
[ ! -s "$out" ]
ok 'the library neither prints nor exits' || explain <"$out"

for f in scripts/* tests/check/*.sh tests/cli/*.sh .ci/run; do
    [ -f "$f" ] || continue
    case $f in */lib.sh | *.py) continue ;; esac
    [ -x "$f" ] || echo "$f is not executable"
    case $(head -1 "$f") in '#!/bin/sh') sh -n "$f" 2>&1 ;; esac
done >"$out"
[ ! -s "$out" ]
ok 'scripts can be run' || explain <"$out"

# clang-format leaves comments alone.
# shellcheck disable=SC2086
awk '/^ *(\/\*|\*)/ && length($0) > (FILENAME ~ /lib\/(cpu|cuda)\// ? 100 : 80) {
    print FILENAME ":" FNR ": " length($0) " columns" }' $(printf '%s\n' $files | grep -v '/ref_') >"$out"
[ ! -s "$out" ]
ok 'comments end at column 80, in the kernels at 100' || explain <"$out"

[ "$(wc -l <Makefile)" -le 264 ] # with the flags of two architectures and of CUDA
ok 'the Makefile is short'

big=$(find . -path ./.git -prune -o -path ./.build -prune -o -path ./bin -prune -o -type f -size +100k -print)
[ -z "$big" ]
ok 'no file over 100 kB' || echo "$big" | explain

scripts/longest 1000000 >"$out"
awk '{ n[NR] = $1 } END { exit !(NR && n[int((NR + 1) / 2)] < 15) }' "$out"
ok 'the median function has under 15 lines' || head -5 "$out" | explain
awk '$1 > 80' "$out" >"$err"
[ ! -s "$err" ]
ok 'no function over 80 lines' || explain <"$err"
