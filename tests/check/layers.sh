#!/bin/sh
# layers.sh -- a file in lib/ includes only from its own layer or a lower one.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh
cd "$top" || exit 1
layers=${LAYERS:-$(sed -n 's/^LAYERS *:= *//p' Makefile)}
scripts/check-layers "$layers" >"$out" 2>&1
ok 'includes point down' || explain <"$out"

mkdir -p "$work/dir/lib/base"
echo '#include "run/plan.h"' >"$work/dir/lib/base/x.c"
(cd "$work/dir" && ! "$top/scripts/check-layers" "$layers" >/dev/null)
ok 'the check finds an include that points up'
