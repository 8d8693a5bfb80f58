#!/bin/sh
# compare.sh -- adze-compare: models and tensor files.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-init resnet20 -o classes=10 -o depths='[1, 1, 1]' -s 5 -O a.st &&
    adze-init resnet20 -o classes=10 -o depths='[1, 1, 1]' -s 6 -O b.st &&
    adze-synth -n 2 -O d.tar
ok 'makes two models'

run 'a model equals itself' 0 adze-compare a.st a.st
out_has '^max_abs	0$'
out_has '^top1_agreement	1$'
run 'two models differ' 1 adze-compare a.st b.st
out_has '^first_divergent	conv1	'
err_has 'differ by'
run 'within a large tolerance' 0 adze-compare a.st b.st --tolerance 100
run 'on pictures, as JSON' 1 adze-compare a.st b.st -d d.tar -n 20 --json
out_has '"samples": 20'
run 'by class' 1 adze-compare a.st b.st --classes
out_has '^class	9	[0-9]'
[ "$(grep -c '^class	' "$out")" = 10 ]
ok 'a row a class'
echo 'model: {init: {bn1.running_var: constant -1}}' >nan.yaml
adze-init resnet20 -o classes=10 -o depths='[1, 1, 1]' -c ./nan.yaml -O nan.st
run 'numbers that are on neither side' 6 adze-compare nan.st nan.st
out_has '^neither	160$'
err_has '160 of 160 outputs are not finite, on both sides alike'
run 'on one side alone' 1 adze-compare a.st nan.st
out_has '^nonfinite	160$'
out_has '^max_abs	inf$'
run 'as JSON' 1 adze-compare a.st nan.st --json
out_has '"max_abs": null, .*"nonfinite": 160, "neither": 0, "first_divergent": "conv1"'
adze-export -q --untrained -m a.st -f safetensors -O w.st
fails 'a model and weights' 3 "'a.st' is a model, 'w.st' is not: make one .* adze-init NETWORK --from" adze-compare a.st w.st
fails 'needs two operands' 2 'A B' adze-compare a.st
fails 'an answer that cannot be written' 4 'No space left' sh -c 'adze-compare a.st b.st >/dev/full'
fails 'a file that is not there' 3 'none.st' adze-compare a.st none.st
adze-init resnet20 -o classes=7 -o depths='[1, 1, 1]' -O seven.st
fails 'models of other classes' 3 "'a.st' and 'seven.st': the outputs differ: \[N,10\] and \[N,7\]" \
    adze-compare a.st seven.st
run 'one of them from a pipe' 0 sh -c 'cat a.st | adze-compare a.st -'

adze-export -q --untrained -m a.st -O a.onnx
run 'an ONNX file equals its model' 0 adze-compare a.onnx a.st
out_has '^max_abs	0$'
run 'on either side' 0 adze-compare a.st a.onnx
adze-fuse-bn -q <a.st | adze-export -q --untrained -O f.onnx
run 'one with normalisation folded, too' 0 adze-compare a.st f.onnx
! grep -q first_divergent "$out"
ok 'no node diverges' || explain <"$out"
run 'that of another model diverges' 1 adze-compare b.st f.onnx
out_has '^first_divergent	conv1	'
fails 'an ONNX file that is none' 3 "'w.onnx': no ONNX file" sh -c 'cp w.st w.onnx; adze-compare a.st w.onnx'
fails 'and weights' 3 "'a.onnx' is a model, 'w.st' is not" adze-compare w.st a.onnx
