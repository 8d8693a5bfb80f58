#!/bin/sh
# avx512.sh -- the kernels for AVX-512, VNNI and BF16 pass their tests where the
# processor has AVX2 alone: built with those instructions written in AVX2's.
# SPDX-License-Identifier: MIT
#
# `make test-avx512 T=cpu/conv2d_direct' runs one of them.
. tests/emulated/lib.sh
grep -qw avx2 /proc/cpuinfo || skip_all 'this processor has no AVX2'

# The flags of make's for files of these names, in place of the compiler's.
build avx512 "$(echo tests/cpu/*.c tests/run/*.c tests/format/answers.c tests/train/loop.c)" \
    avx512='$(avx2) -DSTANDIN_AVX512' vnni='$(avx512) -DSTANDIN_VNNI' bf16='$(avx512) -DSTANDIN_BF16' \
    CFLAGS='-O1 -Wno-psabi -DADZE_EMULATED -include tests/standin/avx512.h'
pass
