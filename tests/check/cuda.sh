#!/bin/sh
# cuda.sh -- kernels for GPUs keep to registers; the emulator is true to CUDA.
# SPDX-License-Identifier: MIT
# V=1 prints the registers of each kernel, as the build's reports have them.
. tests/cli/lib.sh
cd "$top" || exit 1

# kernels REPORT...: a line for each: architecture, registers, bytes spilt, name
kernels() {
    sed -n "s/^.*Compiling entry function '\(.*\)' for '\(.*\)'/K \1 \2/p
        s/^ *[0-9]* bytes stack frame, \([0-9]*\) bytes spill stores, \([0-9]*\) bytes spill loads/S \1 \2/p
        s/^.*Used \([0-9]*\) registers.*/R \1/p" "$@" |
        awk '$1 == "K" { name = $2; arch = $3 }
            $1 == "S" { spilt = $2 + $3 }
            $1 == "R" { print arch, $2, spilt, name }' | { c++filt 2>/dev/null || cat; }
}

if [ "$EMU" = 1 ]; then
    # What was built; T=check alone builds none.
    # shellcheck disable=SC2086
    if cat $EMUWARN >"$out" 2>&1 || [ "$(grep -vc 'No such file' "$out")" != 0 ]; then
        [ ! -s "$out" ]
        ok 'no warning from kernels as C++' || explain <"$out"
    else
        skip 'no warning from kernels as C++' 'they are not built: make test T=cuda'
    fi
    for h in lib/base/*.h lib/tensor/*.h lib/graph/*.h lib/op/*.h lib/cuda/*.h; do
        [ "$h" = lib/base/banned.h ] || printf 'extern "C" {\n#include "%s"\n}\n' "${h#lib/}"
    done >"$work/all.cc"
    # shellcheck disable=SC2086
    "$CXX" ${EMUCXX% -MMD -MP} -include cstdlib -include cstring -fsyntax-only "$work/all.cc" >"$out" 2>&1
    ok 'headers that kernels may include are C++ too' || explain <"$out"
else
    skip 'kernels in the emulator' 'no C++20 compiler for this machine, so tests/cuda is not run'
fi

if command -v "${NVCC:=nvcc}" >/dev/null; then
    for c in tests/cuda/*.cu; do
        # shellcheck disable=SC2086
        "$NVCC" $NVCCFLAGS -Itests/cuda -gencode arch=compute_90a,code=sm_90a -Xptxas -v \
            -c -o "$work/x.o" "$c" || echo "$c does not compile"
    done >"$work/report" 2>&1
    ! grep 'error\|warning\|does not compile' "$work/report" >"$out"
    ok 'nvcc takes what the emulator takes' || explain <"$out"
    kernels "$work/report" >"$out"
    grep -q '^sm_90a [1-9][0-9]* 0 ' "$out"
    ok 'the report of a kernel is understood' || explain <"$work/report"
    # C programs link kernels: with what the Makefile links, and no libstdc++
    nm -u "$work/x.o" | grep ' _Z\|__cxa_\|__gxx' >"$out"
    [ ! -s "$out" ]
    ok 'kernels need nothing of the C++ library' || explain <"$out"
else
    skip 'nvcc takes what the emulator takes' 'nvcc is not here'
fi

# lib/cuda/vendor.h against the vendor's headers, our graphs against cuDNN.
include=$(command -v "$NVCC") && include=$(dirname "$(dirname "$(readlink -f "$include")")")/include
if [ "$EMU" = 1 ] && [ -e "$include/cublasLt.h" ] && [ -e "$include/cudnn.h" ]; then
    "$CXX" -std=c++20 -Ilib -isystem "$include" -fsyntax-only tests/cuda/gpu/vendor.cc >"$out" 2>&1
    ok 'calls and numbers are those of cublasLt.h and cudnn.h' || explain <"$out"
else
    skip 'calls and numbers are those of cublasLt.h and cudnn.h' 'the headers are not here'
fi
${CC:-cc} -std=c11 -D_GNU_SOURCE -Ilib -o "$work/graphs" tests/cuda/gpu/graphs.c \
    lib/cuda/dnngraph.c lib/cuda/vendor.c -ldl >"$out" 2>&1 && "$work/graphs" >"$out" 2>&1
case $? in
77) skip 'cuDNN has kernels for our graphs, on A100 and H100' 'cuDNN 9.11 or newer is not here' ;;
0) ok 'cuDNN has kernels for our graphs, on A100 and H100' ;;
*)
    false
    ok 'cuDNN has kernels for our graphs, on A100 and H100' || explain <"$out"
    ;;
esac

if [ -n "$REPORTS" ]; then
    # shellcheck disable=SC2086
    kernels $REPORTS >"$work/kernels"
    [ -z "$V" ] || explain <"$work/kernels"
    awk '$3' "$work/kernels" >"$out"
    [ -s "$work/kernels" ] && [ ! -s "$out" ]
    ok 'no kernel keeps registers in memory' || explain <"$out"
else
    skip 'no kernel keeps registers in memory' 'built without CUDA'
fi
