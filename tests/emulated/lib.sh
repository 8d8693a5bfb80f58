# lib.sh -- unit tests for a processor that is not here: built apart, and run by
# what stands in for it.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh
cd "$top" || exit 1

# build NAME TESTS VARIABLE=VALUE...: those of TESTS that T names, and all that
# they need, in a folder of their own.
build() {
    objects=.build/$1-$(cat Makefile tests/emulated/*.sh | cksum | cut -d' ' -f1) programs=''
    for t in $2; do
        case $T:$t in
        :* | emulated*:* | *:tests/"$T".c | *:tests/"$T"/*) programs="$programs $objects/${t%.c}" ;;
        esac
    done
    shift 2
    [ -n "$programs" ] || { false; ok "a test is called '$T'"; exit 1; }
    unset MAKEFLAGS MFLAGS # the job server is another make's
    make --no-print-directory O="$objects" T= SAN= CUDA=0 "$@" $programs >"$out" 2>"$err" &&
        [ ! -s "$err" ]
    ok 'builds without a warning' || { explain <"$err"; exit 1; }
}

# pass [EMULATOR]: what was built does.
pass() {
    for program in $programs; do
        name=${program#*/tests/}
        "$@" "$program" >"$out" 2>&1
        ok "$name" || grep -v '^ok' "$out" | explain
        sed -n 's/^ok [0-9]* - \(.*\) # SKIP.*/\1/p' "$out" >"$work/skipped"
        while read -r test; do skip "$name: $test" 'in an emulator'; done <"$work/skipped"
    done
}
