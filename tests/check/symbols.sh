#!/bin/sh
# symbols.sh -- a name tells where it lives.
# SPDX-License-Identifier: MIT
# A module may bear several nouns (base/stream has in_, out_ and bytes_), so
# the rule is: a header of the same layer declares the name, and a first word
# belongs to one layer.
. tests/cli/lib.sh
cd "$top" || exit 1
command -v nm >/dev/null || skip_all 'nm is not here'

# one line a name: layer, name
for c in $SOURCES; do
    case $c in lib/*) echo "$O/${c%.c}.o" ;; esac
done | xargs nm -A -g --defined-only |
    sed -n 's|^.*/lib/\([a-z]*\)/[^:]*:[0-9a-f]* [A-Z] |\1 |p' | sort >"$work/names"
[ -s "$work/names" ]
ok 'there are names to look at'

cut -d' ' -f2 "$work/names" | sort | uniq -d >"$out"
[ ! -s "$out" ]
ok 'no name is defined twice' || explain <"$out"

for layer in $LAYERS; do
    cat lib/$layer/*.h lib/$layer/*.def 2>/dev/null | sed 's/^OP(\(.*\))/op_\1/' |
        tr -c 'A-Za-z0-9_' '\n' | sed 's/_kernels_[a-z0-9]*$/_kernels/' | sort -u >"$work/words"
    # a table that is compiled once for each instruction set
    sed -n "s/^$layer //p" "$work/names" | sed 's/_kernels_[a-z0-9]*$/_kernels/' |
        sort -u | comm -23 - "$work/words" |
        sed "s/^/lib\/$layer: /"
done >"$out"
[ ! -s "$out" ]
ok 'a header of its layer declares each exported name' || explain <"$out"

# fuzz_ is for the readers of all layers; the devices name kernels by op.
sed 's/_.*//' "$work/names" | sort -u | grep -v ' fuzz$\|^cpu \|^cuda ' |
    awk '{ if ($2 in at) printf "%s_ is used in %s and %s\n", $2, at[$2], $1; at[$2] = $1 }' >"$out"
[ ! -s "$out" ]
ok 'a first word belongs to one layer' || explain <"$out"

# Used by its own file alone: a name with a header for nobody.  A writer to a
# stream stands beside its reader, though commands ask for the file.
{
    for c in $SOURCES; do echo "$O/${c%.c}.o"; done | xargs nm -u | sed -n 's/^ *U //p'
    cat $(find tests -name '*.[ch]') | tr -c 'A-Za-z0-9_' '\n'
} | sort -u >"$work/used"
cut -d' ' -f2 "$work/names" | sort | comm -23 - "$work/used" | grep -vx 'model_write\|npy_write' >"$out"
[ ! -s "$out" ]
ok 'each exported name is used outside its file' || explain <"$out"
