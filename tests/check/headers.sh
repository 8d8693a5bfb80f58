#!/bin/sh
# headers.sh -- each header compiles alone, and in C files comes first.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh
cd "$top" || exit 1
for h in $(find lib tests -name '*.h' ! -path 'tests/cuda/emu/*' | sort); do
    printf '#include "%s"\n' "${h#lib/}" |
        ${CC:-cc} -std=c11 -D_GNU_SOURCE -Ilib -I. -I"${B:-.build}/gen" -Wall -Wextra -Werror \
            -fsyntax-only -x c - 2>"$err" || {
        echo "$h"
        sed 's/^/    /' "$err"
    }
done >"$out" 2>&1
[ ! -s "$out" ]
ok 'each header compiles alone' || explain <"$out"

# A file with a header of its own includes it before anything else, so that
# the header is tried alone by every build as well.
for c in $(find lib -name '*.c' | sort); do
    h=${c#lib/} h=${h%.c}.h
    [ -e "lib/$h" ] || continue
    first=$(sed -n 's/^# *include *"\([^"]*\)".*/\1/p;s/^# *include *<\([^>]*\)>.*/<\1>/p' "$c" | head -1)
    [ "$first" = "$h" ] || echo "$c includes $first first"
done >"$out"
[ ! -s "$out" ]
ok 'a file includes its own header first' || explain <"$out"
