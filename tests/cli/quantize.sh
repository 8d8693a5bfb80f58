#!/bin/sh
# quantize.sh -- adze-quantize: models in 8 bits.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-init resnet20 -o depths='[1, 1, 1]' -s 5 -O raw.st && adze-synth -n 4 -O d.tar &&
    adze-fuse-bn -q -m raw.st -O a.st && adze-calibrate -q -m a.st -d d.tar -n 20 -O r.st
ok 'makes a model, pictures and ranges'

run 'quantizes by ranges' 0 adze-quantize -m a.st --ranges r.st -O q.st
err_has 'largest difference .* of the largest output; the best class agrees'
err_has 'weights [0-9]* -> [0-9]* bytes'
run 'calibrates by itself' 0 adze-quantize -m a.st -d d.tar -n 20 -O q2.st
same q.st q2.st
if command -v script >/dev/null; then
    many=d.tar+d.tar+d.tar+d.tar+d.tar
    script -qec "TERM=xterm adze-quantize --cpu=portable -j 1 -m a.st -d $many+$many+$many+$many+$many -n 1000 -O bar.st" /dev/null </dev/null >"$out"
    grep -q 'calibrate [0-9]*/' "$out" && grep -q 'check [0-9]*/1000 [0-9]*%, [0-9]* s left, [0-9.]* pictures/s' "$out"
    ok 'shows progress of calibrating and of checking' || tr '\r' '\n' <"$out" | explain
else
    skip 'shows progress of calibrating and of checking' 'script is not here'
fi
run 'through pipes' 0 sh -c 'adze-fuse-bn -q <raw.st | adze-quantize -q -d d.tar -n 20 >q3.st'
same q.st q3.st
[ "$(wc -c <q.st)" -lt "$(($(wc -c <a.st) / 2))" ]
ok 'is less than half as large'
run 'can be shown' 0 adze-show -m q.st --state
out_has '^conv1.weight .*i8'
# parameters MODEL: what adze-show and adze-benchmark count.
parameters() {
    adze-show -m "$1" | sed -n 's/^# network .*: \([0-9]*\) parameters.*/\1/p'
    adze-benchmark -q --json --seconds 0.01 "$1" | sed -n 's/.*"params": \([0-9]*\),.*/\1/p'
}
adze-quantize -q -m raw.st -d d.tar -n 4 -O bn.st
parameters a.st >want && parameters q.st | cmp -s - want &&
    parameters raw.st >want && parameters bn.st | cmp -s - want &&
    [ "$(sort -u want | wc -l)" = 1 ]
ok 'the parameters are those of the float model, for all who count' || { cat want; parameters bn.st; } | explain
fails 'once more' 3 "in 8 bits already ('.*'): begin with the float model" \
    adze-quantize -m q.st -d d.tar -n 20 -O q4.st
fails 'once more, by ranges' 3 'in 8 bits already' adze-quantize -m q.st --ranges r.st -O q4.st
[ ! -e q4.st ]
ok 'nothing is written'

run 'weights of 7 bits' 0 adze-quantize -m a.st --ranges r.st --reduce-range -O r7.st
err_has 'the best class agrees'
# at_work MODEL LEVEL: the kernels of convolutions of 1 x 1 and linear layers.
at_work() { adze-show --plan --cpu="$2" "$1" | grep -o '\(conv2d_direct\|linear_packed\)_[78]_[a-z0-9]*' | sort -u | tr '\n' ' '; }
if adze-show --plan --cpu=avx2 q.st >/dev/null 2>&1; then
    [ "$(at_work r7.st avx2)" = 'conv2d_direct_7_avx2 linear_packed_7_avx2 ' ]
    ok 'they have kernels of their own' || at_work r7.st avx2 | explain
    [ "$(at_work q.st avx2)" = 'conv2d_direct_8_avx2 linear_packed_8_avx2 ' ]
    ok 'which 8 bits do not get' || at_work q.st avx2 | explain
else
    skip 'they have kernels of their own' 'no AVX2 here'
fi
run 'they are asked for in the history' 0 adze-show -m r7.st --history
out_has 'reduce-range'
run 'all layers stay float' 0 adze-quantize -m a.st -d d.tar -n 4 --skip '*' -O s.st
err_has 'nothing is in 8 bits'
run 'one layer stays float' 0 adze-quantize -q -m a.st -d d.tar -n 20 --skip conv1 -O s.st
run 'as asked' 0 adze-show -m s.st --state
out_has '^conv1.weight .*f32'
out_has '^linear.weight .*i8'
fails 'what is partly in 8 bits' 3 'in 8 bits already' adze-quantize -m s.st -d d.tar -O x.st
for c in fuse-bn reparam; do
    fails "$c of it" 3 "in 8 bits already ('.*'): begin with the float model" adze-$c -m q.st -O x.st
done
fails 'training it' 3 'in 8 bits already' adze-train -m q.st -d d.tar -o train.batch=4 -O x.st
run 'timing its training' 3 adze-benchmark --train q.st
err_has 'in 8 bits already'
fails 'a network from it' 3 "'q.st': adze-quantize has changed its tensors" \
    adze-init resnet20 -o depths='[1, 1, 1]' --from q.st -O x.st
fails 'a network from a fused one' 3 "'a.st': adze-fuse-bn has changed its tensors" \
    adze-init resnet20 -o depths='[1, 1, 1]' --from a.st -O x.st
run 'what was never trained is told of' 0 adze-quantize -m a.st -d d.tar -n 4 -O x.st
err_has 'never trained'
adze-train -q -m a.st -d d.tar -n 1 -o train.batch=4 -O x.st 2>"$err" && [ ! -s "$err" ] &&
    adze-train -m a.st -d d.tar -n 1 -o train.batch=4 -O t.st 2>"$err" && grep -q 'adze-fuse-bn has folded' "$err"
ok 'so is training what was folded' || explain <"$err"
run 'what was trained is not' 0 adze-quantize -m t.st -d d.tar -n 4 -O x.st
! grep -q 'never trained' "$err"
ok 'said nothing of it'
run 'batch-norm is named' 0 adze-quantize -m raw.st -d d.tar -n 4 -O x.st
err_has 'batch normalisations stay float'

fails 'a node that is not there' 2 "no node matches 'nope'" adze-quantize -m a.st -d d.tar \
    --skip conv1 --skip nope
fails 'a share of no method' 2 'for --method=percentile' adze-quantize -m a.st -d d.tar --percentile 99
fails 'a method for ranges' 2 'for -d' adze-quantize -m a.st --ranges r.st --method entropy
fails 'neither data nor ranges' 2 'either' adze-quantize -m a.st
fails 'both' 2 'either' adze-quantize -m a.st -d d.tar --ranges r.st
fails 'model and data from one pipe' 2 'standard input cannot be both the model and the data' adze-quantize -d - <a.st
fails 'over the data' 2 "'./d.tar' is the data itself" adze-quantize -m a.st -d d.tar -O ./d.tar
cp a.st in.st
run 'in place, from standard input' 0 sh -c 'adze-quantize -q -d d.tar -n 20 -O in.st <in.st'
same q.st in.st
fails 'over the ranges' 2 "'r.st' is the file of ranges itself" adze-quantize -m a.st --ranges r.st -O r.st
fails 'ranges of another model' 2 'another model' adze-quantize -q -m raw.st --ranges r.st
fails 'a model for ranges' 3 'holds no ranges' adze-quantize -m a.st --ranges a.st
fails 'ranges that are not there' 3 "'none.st'" adze-quantize -m a.st --ranges none.st
fails 'a gate that is missed' 1 'agrees' adze-quantize -q -m a.st -d d.tar -n 20 \
    --method percentile --percentile 50 --min-agreement 1 -O g.st
[ ! -e g.st ]
ok 'nothing is written'
fails 'a full disk' 4 '/dev/full' adze-quantize -q -m a.st --ranges r.st -O /dev/full

if [ -e "$data/cifar10-test.tar" ]; then
    adze-init -q resnet20 -o classes=10 --from "$data/resnet20-cifar10.safetensors" | adze-fuse-bn -q >cifar.st
    ok 'takes the weights of a trained network'
    for bits in '' --reduce-range; do
        adze-quantize -q -m cifar.st -d "$data/cifar10-train.tar" -O cifar8.st $bits
        run "measures it in 8 bits${bits:+, $bits}" 0 adze-evaluate -q -m cifar8.st -d "$data/cifar10-test.tar" --json
        sed -n 's/.*"top1": \([0-9.]*\).*/\1/p' "$out" | awk '{ ok = $1 > 0.8103 - 0.005 } END { exit !ok }'
        ok 'which loses less than half a point' || explain <"$out"
    done
else
    skip 'measures a trained network in 8 bits' '../shared/data is not here'
fi
