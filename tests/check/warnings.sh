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

# of ISA: the sources whose name ends with it, as in the Makefile; or with none
of() {
    for c in $SOURCES; do
        name=${c%.c}
        case " $ISAS " in *" ${name##*_} "*) name=${name##*_} ;; *) name= ;; esac
        [ "$name" != "$1" ] || echo "$c"
    done
}

if command -v clang >/dev/null; then
    # Modules: clang's own headers of intrinsics, which are most of what it
    # would read, are read once for each instruction set.
    # shellcheck disable=SC2046,SC2086,SC2154
    for isa in '' $ISAS; do
        flags=
        [ -z "$isa" ] || eval "flags=\$$isa"
        clang -std=c11 -D_GNU_SOURCE -DADZE_VERSION='"0"' -DADZE_BUILD='""' -Ilib -I"${B:-.build}/gen" \
            -fmodules -fmodules-cache-path="$work/modules" $WARN $flags -fsyntax-only $(of "$isa")
    done >"$out" 2>&1
    [ ! -s "$out" ]
    ok 'no warning from clang' || grep -A3 'warning\|error' "$out" | explain
else
    skip 'no warning from clang' 'clang is not here'
fi
