#!/bin/sh
# format.sh -- clang-format 14 would change nothing.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh
cd "$top" || exit 1
clang-format --version 2>/dev/null | grep -q 'version 14\.' ||
    skip_all "clang-format 14 is not here"
find lib src tests -name '*.[ch]' -o -name '*.inc' -o -name '*.cu' -o -name '*.cuh' -o -name '*.cc' | sort |
    xargs clang-format --dry-run 2>"$err"
[ ! -s "$err" ]
ok 'clang-format would change nothing (make format)' || grep ': warning' "$err" | explain
