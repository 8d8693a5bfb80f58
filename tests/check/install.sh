#!/bin/sh
# install.sh -- a second make does nothing; install and uninstall are even.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh
cd "$top" || exit 1
# the knobs of the make that runs the tests, without its job server
MAKEFLAGS=$(printf '%s' "${MAKEFLAGS:-}" | sed 's/--jobserver-[a-z]*=[^ ]*//g;s/\(^\| \)-j[0-9]*//g')
export MAKEFLAGS

make --no-print-directory >"$out" 2>&1
[ ! -s "$out" ] || grep -q 'Nothing to be done' "$out"
ok 'a second make does nothing' || explain <"$out"

make install DESTDIR="$work/dir" PREFIX=/usr >"$out" 2>&1
ok 'make install' || explain <"$out"
root=$work/dir/usr
ls bin | sort >"$work/a"
ls "$root/bin" | sort >"$work/b"
cmp -s "$work/a" "$work/b"
ok 'every command is installed' || diff "$work/a" "$work/b" | explain
(cd man && ls *.[1-9]) | sort >"$work/a"
(cd "$root/share/man" && ls man*/* | sed 's|.*/||') | sort >"$work/b"
cmp -s "$work/a" "$work/b"
ok 'every page is installed' || diff "$work/a" "$work/b" | explain
[ -z "$(nm "$root/bin/adze-train" 2>/dev/null)" ]
ok 'without what only debuggers read'
(cd / && "$root/bin/adze" --version) >"$out" 2>&1
ok 'the installed adze runs' || explain <"$out"

make uninstall DESTDIR="$work/dir" PREFIX=/usr >"$out" 2>&1
[ -z "$(find "$work/dir" -type f)" ]
ok 'make uninstall leaves no file' || find "$work/dir" -type f | explain
