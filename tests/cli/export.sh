#!/bin/sh
# export.sh -- adze-export: ONNX and plain weights, proved.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-init lenet5 -O new.st && adze-synth -q -n 20 --size 32 -O d &&
    adze-train -q -m new.st -d d -o global.epochs=1 -o train.batch=20 -O m.st
ok 'makes a model'

run 'ONNX by the ending' 0 adze-export -m m.st -O m.onnx --proof p.st
err_has 'read back, outputs differ by 0, 0 of the largest, on 16 inputs; the best class agrees on 16$'
err_has 'top of the first input, the model: [a-z]* [-0-9.]*, '
run 'and by default, through pipes' 0 sh -c 'adze-export -q <m.st | cat >n.onnx'
[ ! -s "$err" ]
ok 'quietly'
same m.onnx n.onnx
for word in adze.classes adze.preprocess adze.history Gemm fc1.weight ring; do
    grep -qa "$word" m.onnx || echo "$word"
done >"$out"
[ ! -s "$out" ]
ok 'holds names, preprocessing and history' || explain <"$out"
cp m.st in.st
fails 'the model itself' 2 "'in.st' is the model itself" adze-export -m in.st -O in.st
fails 'the model that is redirected' 2 "'in.st' is the model itself" sh -c 'adze-export -O in.st <in.st'
same m.st in.st
rm in.st
adze-export -q -m m.st -O bad.safetensors
printf '\000\000\200\177' | dd of=bad.safetensors bs=1 seek=$(($(wc -c <bad.safetensors) - 4)) conv=notrunc 2>"$err"
adze-init -q lenet5 --from bad.safetensors -O in.st
for format in onnx safetensors npz c; do
    fails "a weight that is infinite, as $format" 6 'not finite: take a model from before' \
        adze-export -q -m in.st -f $format -O bad.out
done
[ ! -e bad.out ]
ok 'nothing is written'
rm in.st bad.safetensors
run 'the proof is a tensor file' 0 adze-compare p.st p.st
out_has '^image	16384	0	'
out_has '^logits	160	0	'
run 'another operator set' 0 adze-export -q -m m.st --opset 17 -O o.onnx
! cmp -s m.onnx o.onnx
ok 'is another file'

run 'plain weights by the ending' 0 adze-export -m m.st -O w.safetensors
err_has 'read back, outputs differ by 0, 0 of the largest'
err_has ' 10 tensors$'
run 'load again' 0 adze-init lenet5 --from w.safetensors -O again.st
run 'to the same model' 0 adze-compare --tolerance 0 m.st again.st
run 'plain weights to a pipe' 0 sh -c 'adze-export -q -f safetensors <m.st | cat >x.safetensors'
same w.safetensors x.safetensors
! grep -qa 'adze\.' w.safetensors
ok 'hold nothing of ours'
run 'an archive of NumPy' 0 adze-export -m m.st -O w.npz
err_has 'read back, outputs differ by 0, 0 of the largest'
err_has 'top of the first input, the file: [a-z]* [-0-9.]*, '
err_has ' 10 tensors$'
run 'loads again' 0 adze-init lenet5 --from w.npz -O again.st
run 'to the same model' 0 adze-compare --tolerance 0 m.st again.st
head -c 20000 w.npz >cut.npz
fails 'an archive that is cut' 3 "'cut.npz': NPZ archive: no directory: it is cut off" adze-init lenet5 --from cut.npz
rm w.npz cut.npz
run 'the count of classes' 0 adze-export -q -m m.st --classes=10 -O w.safetensors
fails 'another one' 2 '^adze-export: --classes=7: the head has 10; ' adze-export -m m.st --classes=7 -O c.onnx

# The file in 8 bits must run by the same kernels as the model: a sum that is
# rounded otherwise lands on another step now and then.
adze-init resnet20 -o depths='[1, 1, 1]' | adze-fuse-bn -q |
    adze-quantize -q -d d -n 50 -O q.st
run 'a network in 8 bits' 0 adze-export --untrained -m q.st -O q.onnx
err_has 'outputs differ by 0, 0 of the largest'
for word in QuantizeLinear DequantizeLinear; do grep -qa $word q.onnx || echo $word; done >"$out"
[ ! -s "$out" ]
ok 'has steps of 8 bits' || explain <"$out"

fails '8 bits in fp16' 3 'in 8 bits' adze-export --untrained -m q.st --dtype=fp16 -O c.onnx
# C of a network in float and in 8 bits: compiled as strictly as one can, run.
compiles() { # FILE NAME
    "${CC:-cc}" -std=c11 -O1 -Wall -Wextra -Werror -pedantic "-D$2_TEST" -x c "$1" -o a.out -lm
}
run 'a C header' 0 adze-export -m m.st -O m.h
err_has '^adze-export: 246824 bytes of weights, 23520 bytes of RAM$'
err_has 'top of the first input, the model, .*: [a-z]* [-0-9.]*, '
run 'the same to a pipe' 0 sh -c 'adze-export -q -f c <m.st | cat >n.h'
same m.h n.h
run 'is C' 0 compiles m.h lenet5
run 'and computes the same' 0 ./a.out
out_has '^[a-z]*$'
out_has '^here class \([0-9]\), .*the model class \1, .* differ by [0-9.e-]* of the largest$'
run 'C in 8 bits' 0 adze-export -q --untrained -m q.st -O q.h
grep -q 'static const int8_t' q.h
ok 'has weights of 8 bits'
run 'is C, too' 0 compiles q.h resnet20
run 'and computes the same levels' 0 ./a.out
out_has ' differ by 0 of the largest$'
adze-init mobilenet-v1-x0.25 -o size=32 -o classes=10 | adze-export -q --untrained -f c -O n.h
run 'a network of 27 convolutions' 0 sh -c "$(command -v "${CC:-cc}") -std=c11 -Dmobilenet_v1_x0_25_TEST -x c n.h -lm && ./a.out"
rm -f a.out ?.h
fails 'an op that has no C' 3 "op 'tokens' at '[a-z_.]*' has no C" \
    sh -c 'adze-init -q vit-t-16 -o size=32 -o classes=10 -o depth=1 | adze-export -q --untrained -f c -O v.h'
fails 'too many weights' 3 'has 25530472 weights; a C header is for small ones' \
    sh -c 'adze-init -q resnet50 | adze-export -q --untrained -f c -O v.h'

# Tokens in 8 bits come back as layers in 8 bits.
adze-init -q vit-t-16 -o size=32 -o classes=4 -o depth=2 | adze-quantize -q -d d -n 8 -O v.st
run 'a transformer in 8 bits' 0 adze-export --untrained -m v.st -O v.onnx
err_has 'outputs differ by 0,'

rm -f ?.onnx q.st v.st
fails 'a head that was never trained' 2 'never trained' adze-export -m new.st -O a.onnx
run 'which may be wanted' 0 adze-export -q --untrained -m new.st -O b.onnx
cat >soft.yaml <<END
network: soft
input: {size: [3, 8, 8]}
body: [pad_channels: {to: 4}, subsample: {stride: 2}, gelu, global_avg_pool, {linear: {as: fc, out: 4, bias: no}}, softmax]
END
adze-init ./soft.yaml -O soft.st
fails 'an op that the operator set has not' 3 "op 'gelu' at 'gelu' needs opset 9, not 8" \
    adze-export --untrained -m soft.st --opset 8 -O c.onnx
for n in 9 10 11 12 21; do
    run "which operator set $n has" 0 adze-export --untrained -m soft.st --opset $n -O c.onnx
    err_has 'the best class agrees on 16$'
done
run 'the oldest' 0 adze-export -m m.st --opset 7 -O c.onnx
err_has 'the best class agrees on 16$'
rm c.onnx
fails 'an operator set that is not' 2 'from 7 to 21' adze-export -m m.st --opset 6 -O c.onnx
run 'in fp16' 0 adze-export -m m.st --dtype=fp16 -O h.onnx --proof h.st
err_has 'fp16 may differ by 0.01[0-9]* of the largest: two roundings of 2^-11 in each of [0-9]* steps$'
err_has 'read back, outputs differ by [0-9.e-]*, [0-9.]*e-0[45] of the largest\|0.000[0-9]* of the largest'
err_has 'top of the first input, the file: [a-z]* [-0-9.]*, '
adze-export -q -m m.st -O f.onnx
[ "$(wc -c <h.onnx)" -lt $(($(wc -c <f.onnx) * 6 / 10)) ]
ok 'is half as large'
run 'and a model when it is read' 0 adze-import -q h.onnx -O i.st
run 'which differs by roundings' 0 adze-compare --tolerance 0.01 m.st i.st
run 'with preprocessing inside' 0 adze-export -m m.st --with-preprocess -O h.onnx --proof h.st
err_has 'read back, outputs differ by 0, 0 of the largest, on 16 inputs; the best class agrees on 16$'
run 'it reads levels' 0 adze-compare h.st h.st
out_has '^image_u8	16384	0	'
grep -qa 'image_u8' h.onnx
ok 'by another name'
run 'and a model when it is read' 0 adze-import -q h.onnx -O i.st
run 'the same one' 0 adze-compare --tolerance 0 m.st i.st
run 'all at once' 0 adze-export -m m.st --with-preprocess --dtype=fp16 --opset=7 -O h.onnx
rm [fh].onnx h.st i.st
fails 'fp16 of weights' 2 "'--dtype' is for ONNX alone" adze-export -m m.st --dtype=fp16 -O c.npz
fails 'preprocessing of C' 2 "'--with-preprocess' is for ONNX alone" adze-export -m m.st --with-preprocess -O c.h
fails 'a proof over the model' 2 "'m.st' is the model itself" adze-export -q -m m.st -O c.onnx --proof m.st
fails 'an operator set for weights' 2 'for ONNX alone' adze-export -m m.st --opset 12 -O c.safetensors
fails 'an ending of another format' 2 'names no format' adze-export -m m.st -O c.tflite
fails 'a file for two outputs' 2 'two outputs' adze-export -m m.st --proof c.onnx -O c.onnx
fails 'the same by another name' 2 'two outputs' adze-export -m m.st --proof b.onnx -O ./b.onnx
fails 'no model' 3 "'none.st'" adze-export -m none.st -O c.onnx
fails 'plain weights are no model' 3 'plain weights' adze-export -m w.safetensors -O c.onnx
fails 'a full disk' 4 "'/dev/full'" adze-export -q -m m.st -O /dev/full
only again.st b.onnx d m.st new.st p.st soft.st soft.yaml w.safetensors x.safetensors
