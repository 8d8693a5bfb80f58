#!/bin/sh
# arm64.sh -- the layers that work without other libraries pass their tests on
# arm64: built by a cross-compiler, run in an emulator.
# SPDX-License-Identifier: MIT
#
# `make test-arm64 T=op/conv2d' runs one of them.
. tests/emulated/lib.sh
cross=aarch64-linux-gnu- layers='base tensor graph op pass cpu run'
for program in ${cross}gcc qemu-aarch64; do
    command -v $program >/dev/null || skip_all "$program is not here; 'make test-arm64' installs it"
done

# All but those that read networks, recipes or JSON.
files=$(for l in $layers; do ls tests/"$l"/*.c; done |
    grep -v -e graph/summary -e run/bench -e run/params -e run/parity -e run/profile \
        -e run/training -e tensor/frame -e tensor/safetensors)

# xxHash is all in its header; cmocka is what the tests need of it.
build arm64 "$files" LAYERS="$layers" PROTO= ZOO= BLAS=0 JPEG=0 \
    CC=${cross}gcc AR=${cross}ar LD=${cross}ld NM=${cross}nm OBJCOPY=${cross}objcopy \
    CFLAGS='-O2 -DADZE_EMULATED -Itests/standin -idirafter /usr/include -DXXH_INLINE_ALL' LDFLAGS=-static \
    LDLIBS='-lm -pthread' TESTLIBS=-lm
pass qemu-aarch64
