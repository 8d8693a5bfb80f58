#!/bin/sh
# hotloops.sh -- loops of products keep their vectors in registers.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh
cd "$top" || exit 1
[ "$(uname -m)" = x86_64 ] && command -v objdump >/dev/null || skip_all 'no objdump for x86-64 here'

for isa in ${ISAS:?is set by make}; do
    ls "$O"/lib/cpu/*_$isa.o
done | xargs scripts/hot-loops >"$out"
[ "$(sed -n 's/ loops$//p' "$out")" -ge 600 ]
ok 'there are hot loops' || explain <"$out"
grep -v " loops$" "$out" | sed "s|^$O/||" >"$work/found"
[ ! -s "$work/found" ]
ok 'none has a vector on the stack' || explain <"$work/found"

# one that does, as the script must see it
cat >"$work/bad.c" <<'C'
#include <immintrin.h>
void bad(const float *x, const float *w, float *y, long n)
{
    volatile __m512 spilt = _mm512_setzero_ps();
    __m512 a[8] = {0};

    for (long k = 0; k < n; k++, w += 16)
#pragma GCC unroll 8
        for (int i = 0; i < 8; i++)
            a[i] = i ? _mm512_fmadd_ps(_mm512_set1_ps(x[8 * k + i]), _mm512_loadu_ps(w), a[i])
                     : (spilt = _mm512_fmadd_ps(spilt, _mm512_loadu_ps(w), a[i]));
    for (int i = 0; i < 8; i++)
        _mm512_storeu_ps(y + 16 * i, a[i]);
}
C
${CC:-cc} -O3 -mavx512f -c "$work/bad.c" -o "$work/bad.o" 2>"$err" && scripts/hot-loops "$work/bad.o" >"$out"
grep -q 'bad: v.*(%[a-z0-9]*)' "$out"
ok 'one that has is found' || explain <"$out"

# one whose sums are all moved to the stack, so that products are few among much
{
    printf '.globl moved\nmoved:\n'
    for i in 0 1 2 3 4 5 6 7; do
        printf 'vpbroadcastd %d(%%rdi), %%zmm8\nvmovdqa64 %d(%%rsp), %%zmm9\n' $((4 * i)) $((64 * i))
        printf 'vpdpbusd %%zmm0, %%zmm8, %%zmm9\nvmovdqa64 %%zmm9, %d(%%rsp)\n' $((64 * i))
    done
    printf 'cmp %%rdi, %%rsi\njne moved\nret\n'
} >"$work/moved.s"
${CC:-cc} -c "$work/moved.s" -o "$work/moved.o" 2>"$err" && scripts/hot-loops "$work/moved.o" >"$out"
[ "$(grep -c 'moved: vmovdqa64 .*(%rsp)' "$out")" = 16 ]
ok 'one that moves them all is found' || explain <"$out"
