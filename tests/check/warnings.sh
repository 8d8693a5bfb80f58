#!/bin/sh
# warnings.sh -- the compilers find nothing to say.
# SPDX-License-Identifier: MIT
# The build leaves each compiler message beside its object; those of clang
# are asked for here, where there is one; without base/banned.h in front, so
# that a file includes what it uses.
. tests/cli/lib.sh
cd "$top" || exit 1
for c in $SOURCES; do
    cat "$O/${c%.c}.warn"
done >"$out" 2>&1
[ -n "$SOURCES" ] && [ ! -s "$out" ]
ok 'no warning in the build' || explain <"$out"

if command -v clang >/dev/null; then
    # shellcheck disable=SC2086
    for c in $SOURCES; do
        case $c in
        *_avx2.c) isa='-mavx2 -mfma -mf16c' ;;
        *_avx512.c) isa='-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mf16c' ;;
        *_vnni.c) isa='-mavx512f -mavx512bw -mavx512vl -mavx512dq -mavx2 -mfma -mavx512vnni' ;;
        *) isa= ;;
        esac
        clang -std=c11 -D_GNU_SOURCE -DADZE_VERSION='"0"' -DADZE_BUILD='""' -Ilib -I"${B:-.build}/gen" \
            $WARN $isa -fsyntax-only "$c"
    done >"$out" 2>&1
    [ ! -s "$out" ]
    ok 'no warning from clang' || grep -A3 'warning\|error' "$out" | explain
else
    skip 'no warning from clang' 'clang is not here'
fi
