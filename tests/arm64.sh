#!/bin/sh
# arm64.sh -- the layers that work without other libraries pass their tests on
# arm64: built by a cross-compiler, run in an emulator.
# SPDX-License-Identifier: MIT
#
# `make test-arm64 T=op/conv2d' runs one of them.
. tests/cli/lib.sh
cd "$top" || exit 1
cross=aarch64-linux-gnu- layers='base tensor graph op pass cpu run'
for program in ${cross}gcc qemu-aarch64; do
    command -v $program >/dev/null || skip_all "$program is not here; 'make test-arm64' installs it"
done

# All but those that read networks, recipes or JSON.
tests() {
    case $T in
    '' | arm64) for l in $layers; do ls tests/"$l"/*.c; done ;;
    *) ls tests/"$T".c tests/"$T"/*.c 2>/dev/null ;;
    esac | grep -v -e graph/summary -e run/bench -e run/params -e run/parity -e run/profile \
        -e run/training -e tensor/frame -e tensor/safetensors
}

# xxHash is all in its header; cmocka is what the tests need of it.
unset MAKEFLAGS MFLAGS # the job server is another make's
objects=.build/arm64-$(cat Makefile tests/arm64.sh | cksum | cut -d' ' -f1)
programs=$(tests | sed "s|\(.*\)\.c|$objects/\1|")
make --no-print-directory O="$objects" LAYERS="$layers" PROTO= ZOO= T= SAN= CUDA=0 BLAS=0 JPEG=0 \
    CC=${cross}gcc AR=${cross}ar LD=${cross}ld NM=${cross}nm OBJCOPY=${cross}objcopy \
    CFLAGS='-O2 -DADZE_EMULATED -Itests/standin -idirafter /usr/include -DXXH_INLINE_ALL' LDFLAGS=-static \
    LDLIBS='-lm -pthread' TESTLIBS=-lm ${programs:-none} >"$out" 2>"$err" && [ ! -s "$err" ]
ok 'builds without a warning' || { explain <"$err"; exit 1; }

for program in $programs; do
    name=${program#*/tests/}
    qemu-aarch64 "$program" >"$out" 2>&1
    ok "$name" || grep -v '^ok' "$out" | explain
    sed -n 's/^ok [0-9]* - \(.*\) # SKIP.*/\1/p' "$out" >"$work/skipped"
    while read -r test; do skip "$name: $test" 'in an emulator'; done <"$work/skipped"
done
