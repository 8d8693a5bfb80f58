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

# Tensors.  safetensors FILE HEADER BYTES: both for printf.
safetensors() {
    printf "\\$(printf %03o $((${#2} % 256)))\\$(printf %03o $((${#2} / 256)))\\0\\0\\0\\0\\0\\0" >"$1"
    printf %s "$2" >>"$1"
    printf "$3" >>"$1"
}
entry() { # NAME TYPE SHAPE FROM TO
    printf '"%s":{"dtype":"%s","shape":[%s],"data_offsets":[%s,%s]}' "$@"
}
one='\000\000\200\077' two='\000\000\000\100' half='\000\000\000\077' nan='\000\000\300\177' inf='\000\000\200\177'
safetensors x.st "{$(entry a F32 2 0 8),$(entry nan F32 2 8 16),$(entry shape F32 1,2 16 24),$(entry mine F32 1 24 28),$(entry type F32 1 28 32)}" \
    "$one$two$one$nan$one$two$one$one"
safetensors y.st "{$(entry a F32 2 0 8),$(entry nan F32 2 8 16),$(entry shape F32 2 16 24),$(entry theirs F32 1 24 28),$(entry type I32 1 28 32)}" \
    "$half$two$one$nan$one$two$one\001\000\000\000"
tab=$(printf '\t')
run 'tensor files equal themselves' 0 adze-compare x.st x.st
[ "$(grep -c "${tab}0${tab}0${tab}0${tab}0${tab}0${tab}-\$" "$out")" = 5 ]
ok 'in all tensors, NaN too' || explain <"$out"
run 'all that differs is listed' 1 adze-compare x.st y.st
cat >want <<W
# tensor	n	max_abs	max_rel	max_ulp	nmse	nonfinite	differs
a	2	0.5	0.25	8.38861e+06	0.0588235	0	values
nan	2	0	0	0	0	0	-
shape	-	-	-	-	-	-	shape [1,2] [2]
mine	-	-	-	-	-	-	first alone
type	1	0	0	0	0	0	type f32 i32
theirs	-	-	-	-	-	-	second alone
W
same want "$out"
err_is 'adze-compare: tensors: 1 in the first file alone, 1 in the second file alone, 1 of another shape; the others: differ by 0.25 of the largest, more than 0.0001'
run 'as JSON' 1 adze-compare x.st y.st --json
out_has '^{"name": "a", "n": 2, "max_abs": 0.5, .*, "nonfinite": 0, "differs": "values"}$'
out_has '^{"name": "nan", .*, "differs": ""}$'
out_has '^{"name": "mine", "n": null, "max_abs": null, .*, "nonfinite": null, "differs": "first alone"}$'
run 'where more is allowed' 1 adze-compare x.st y.st --max-abs=0.5
out_has "^a$tab.*$tab-\$"
err_is 'adze-compare: tensors: 1 in the first file alone, 1 in the second file alone, 1 of another shape'
entry a F32 3 0 12 >e
safetensors x.st "{$(cat e)}" "$one$nan$inf"
safetensors y.st "{$(cat e)}" "$one$one\000\000\200\377"
run 'NaN and a number, an infinity and the other' 1 adze-compare x.st y.st --max-abs=9
out_has "^a${tab}3${tab}inf${tab}inf${tab}inf${tab}inf${tab}2${tab}values\$"
err_is 'adze-compare: 2 elements are not finite, and not alike on both sides'
safetensors y.st "{$(entry a F64 3 0 24)}" '\0\0\0\0\0\0\360\077\0\0\0\0\0\0\370\377\0\0\0\0\0\0\360\177'
run 'another type alone' 0 adze-compare x.st y.st
out_has "^a${tab}3${tab}0${tab}0${tab}0${tab}0${tab}0${tab}type f32 f64\$"
for o in --classes '-d d.tar' '-D cpu' '-n 16' --precision=fp32 '-s 1'; do
    fails "$o for tensors" 2 "^adze-compare: ${o%%[ =]*} is for models, and 'x.st' holds tensors: leave it out$" \
        adze-compare $o x.st x.st
done
