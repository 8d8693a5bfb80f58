#!/bin/sh
# man.sh -- manual pages are well formed and say what --help says.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh
cd "$top" || exit 1
command -v mandoc >/dev/null || skip_all 'mandoc is not here'

mandoc -Tlint -Wwarning man/*.[1-9] >"$out" 2>&1
ok 'mandoc finds nothing to warn of' || explain <"$out"

# section NAME PAGE: its text on one line.
section() {
    mandoc -Tascii -O width=78 "$2" | col -bx |
        awk -v want="$1" '/^[A-Z]/ { in_it = $0 == want; next } in_it' |
        tr -s ' \n' '  ' | sed 's/^ //;s/ $//'
    echo
}

for c in bin/*; do
    page=man/${c#bin/}.1
    [ -e "$page" ] || continue # names.sh complains
    "$c" --help >"$work/help" 2>&1 || { ! ok "$c --help" || true; continue; }

    sed -n 's/^usage: //p' "$work/help" >"$work/a"
    section SYNOPSIS "$page" >"$work/b"
    cmp -s "$work/a" "$work/b"
    ok "$page: SYNOPSIS is the usage line" || cat "$work/a" "$work/b" | explain

    sed -n '1s/^adze[a-z-]*: //p' "$work/help" >"$work/a"
    sed -n 's/^\.Nd //p' "$page" >"$work/b"
    cmp -s "$work/a" "$work/b"
    ok "$page: NAME is the brief line" || cat "$work/a" "$work/b" | explain

    # .It Fl n , -count Ns = Ns Ar N      .It Fl -json
    # .It Fl -features Ns Oo = Ns Ar NAMES Oc
    sed -n 's/^  \(-.,\|   \) \(--[a-z0-9-]*\(\[\{0,1\}=[^ ]*\)\{0,1\}\).*/\1 \2/p' "$work/help" |
        sed 's/^ *//' | sort >"$work/a"
    sed -n '/^\.Sh EXAMPLES/q
        s/^\.It Fl \(.\) , \(-[a-z0-9-]*\)/\1, -\2/p
        s/^\.It Fl \(-[a-z0-9-]*\)/-\1/p' "$page" |
        sed 's/ Ns Oo = Ns Ar \(.*\) Oc/[=\1]/;s/ Ns = Ns Ar /=/;s/^\(.\),/-\1,/' | sort >"$work/b"
    diff "$work/a" "$work/b" >"$out"
    ok "$page: the options are those of --help" || explain <"$out"

    for s in DESCRIPTION 'EXIT STATUS' EXAMPLES 'SEE ALSO'; do
        grep -q "^\.Sh $s" "$page" || echo "no $s"
    done >"$out"
    [ ! -s "$out" ]
    ok "$page: has its sections" || explain <"$out"
done
