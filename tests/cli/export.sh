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
same m.st in.st
rm in.st
run 'the proof is a tensor file' 0 adze-compare p.st p.st
out_has '^image	16384	0	'
out_has '^logits	160	0	'
run 'another operator set' 0 adze-export -q -m m.st --opset 17 -O o.onnx
! cmp -s m.onnx o.onnx
ok 'is another file'

run 'plain weights by the ending' 0 adze-export -m m.st -O w.safetensors
err_has ' 10 tensors$'
run 'load again' 0 adze-init lenet5 --from w.safetensors -O again.st
run 'to the same model' 0 adze-compare --tolerance 0 m.st again.st
run 'plain weights to a pipe' 0 sh -c 'adze-export -q -f safetensors <m.st | cat >x.safetensors'
same w.safetensors x.safetensors
! grep -qa 'adze\.' w.safetensors
ok 'hold nothing of ours'

# The file in 8 bits must run by the same kernels as the model: a sum that is
# rounded otherwise lands on another step now and then.
adze-init resnet20 -o depths='[1, 1, 1]' | adze-fuse-bn -q |
    adze-quantize -q -d d -n 50 -O q.st
run 'a network in 8 bits' 0 adze-export --untrained -m q.st -O q.onnx
err_has 'outputs differ by 0, 0 of the largest'
for word in QuantizeLinear DequantizeLinear; do grep -qa $word q.onnx || echo $word; done >"$out"
[ ! -s "$out" ]
ok 'has steps of 8 bits' || explain <"$out"

rm -f ?.onnx q.st
fails 'a head that was never trained' 2 'never trained' adze-export -m new.st -O a.onnx
run 'which may be wanted' 0 adze-export -q --untrained -m new.st -O b.onnx
cat >soft.yaml <<END
network: soft
input: {size: [3, 8, 8]}
body: [global_avg_pool, {linear: {as: fc, out: 4}}, softmax]
END
adze-init ./soft.yaml -O soft.st
fails 'an op that the operator set has not' 3 "op 'softmax' at 'softmax' needs opset 13, not 12" \
    adze-export --untrained -m soft.st --opset 12 -O c.onnx
fails 'an operator set that is not' 2 'from 11 to 20' adze-export -m m.st --opset 10 -O c.onnx
fails 'an operator set for weights' 2 'for ONNX alone' adze-export -m m.st --opset 12 -O c.safetensors
fails 'an ending of another format' 2 'names no format' adze-export -m m.st -O c.tflite
fails 'a file for two outputs' 2 'two outputs' adze-export -m m.st --proof c.onnx -O c.onnx
fails 'the same by another name' 2 'two outputs' adze-export -m m.st --proof b.onnx -O ./b.onnx
fails 'no model' 3 "'none.st'" adze-export -m none.st -O c.onnx
fails 'plain weights are no model' 3 'plain weights' adze-export -m w.safetensors -O c.onnx
fails 'a full disk' 4 "'/dev/full'" adze-export -q -m m.st -O /dev/full
only again.st b.onnx d m.st new.st p.st soft.st soft.yaml w.safetensors x.safetensors
