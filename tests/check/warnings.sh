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
        isa=${c%.c}
        isa=${isa##*_} # as the Makefile: the flags bear its name
        case " $ISAS " in *" $isa "*) eval "isa=\$$isa" ;; *) isa= ;; esac
        clang -std=c11 -D_GNU_SOURCE -DADZE_VERSION='"0"' -DADZE_BUILD='""' -Ilib -I"${B:-.build}/gen" \
            $WARN $isa -fsyntax-only "$c"
    done >"$out" 2>&1
    [ ! -s "$out" ]
    ok 'no warning from clang' || grep -A3 'warning\|error' "$out" | explain
else
    skip 'no warning from clang' 'clang is not here'
fi
