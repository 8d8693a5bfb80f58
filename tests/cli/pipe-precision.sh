#!/bin/sh
# pipe-precision.sh -- models that compute in 16 bits: --precision and the recipe
# key; a factor on the loss.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

toy
run 'trains in fp32' 0 toy_train m.st -R wide
adze-fuse-bn -q -m m.st | adze-quantize -q -d valid.tar -n 20 -O q.st
ok 'makes a model of 8 bits'
fails '8 bits are no fp32' 2 'computes in 8 bits: bf16 is for models of fp32$' adze-evaluate -m q.st -d valid.tar --precision=bf16
fails 'a form that is none' 2 "not 'fp8'" adze-evaluate -m m.st -d valid.tar --precision=fp8
half='no fp16 on cpu, only on a GPU: use \(bf16 or \)\{0,1\}fp32$'
fails 'fp16 is not for the CPU' 4 "$half" adze-evaluate -m m.st -d valid.tar --precision=fp16
fails 'nor a plan for it' 4 "$half" adze-show --plan --precision=fp16 m.st
fails 'nor to train with' 4 "$half" toy_train no.st -o global.precision=fp16
fails 'nor for 8 bits' 2 'computes in 8 bits: fp16 is for models of fp32$' adze-evaluate -m q.st -d valid.tar --precision=fp16
slow='does not compute bf16 faster than fp32: use fp32$'
none="no bf16 at the level '.*' of the instruction set: use fp32$"
fails 'instructions that are not there' 4 "$none" \
    adze-evaluate -m m.st -d valid.tar --precision=bf16 --cpu=portable
fails 'nor while training' 4 "$none" toy_train no.st -o global.precision=bf16 --cpu=portable

# Powers of two change no bit of fp32.
huge='global.loss_scale=dynamic from 633825300114114700748351602688 every 9'
run 'multiplies the loss' 0 toy_train static.st -o global.loss_scale=1024 -R static
run 'which changes no number' 0 adze-compare m.st static.st
grep -q ', loss scale 1024$' static/log.txt
ok 'and is told' || explain <static/log.txt
run 'halves what is too large' 0 toy_train huge.st -o "$huge" -R huge
run 'without a trace in the model' 0 adze-compare m.st huge.st
grep -q ', loss scale [0-9.e+]*, [0-9]* overflows$' huge/log.txt
ok 'but in the log' || explain <huge/log.txt
awk -F, 'NR == 1 { ok = $9 == "loss_scale" && $10 == "overflows" } END { exit !(ok && $9 >= 1 && $9 < 1e30 && $10 > 0) }' huge/metrics.csv
ok 'and in the metrics' || explain <huge/metrics.csv
run 'is stopped' 0 toy_train stop.st -o "$huge" -R stop -n 23
fails 'the factor is part of a run' 2 'loss_scale: dynamic from' toy_train stop.st -R stop --resume
run 'is resumed' 0 toy_train stop.st -o "$huge" -R stop --resume
same huge.st stop.st
fails 'what is no factor' 2 'is a factor such as 1024,' toy_train no.st -o global.loss_scale=big

adze-compare -q m.st m.st --precision=bf16 --tolerance=1 >/dev/null 2>"$err"
if grep -q -e "$slow" -e "$none" "$err"; then
    skip 'computes in bf16' 'this machine does not compute bf16 faster than fp32'
    exit 0
fi
run 'is near fp32' 0 adze-compare m.st m.st --precision=bf16 --tolerance=0.03
fails 'but not equal' 1 'differ by' sh -c 'adze-compare m.st m.st --precision=bf16 >/dev/null'
run 'names it' 0 adze-benchmark --precision=bf16 --seconds=0.01 -f csv m.st
out_has '"m.st","bf16"'
tar xf valid.tar
find . -name '*.png' | sort >list
adze-infer -m m.st --precision=bf16 -n 10 -j 1 <list >rows
ok 'classifies pictures'
for n in 2 3; do
    adze-infer -m m.st --precision=bf16 -n 10 -j $n <list | cmp -s rows -
    ok "the same rows with $n threads"
done

run 'trains in bf16' 0 toy_train one.st -o global.precision=bf16 -j 1
! cmp -s one.st m.st
ok 'which gives another model'
for n in 2 3; do
    run "trains with $n threads" 0 toy_train more.st -o global.precision=bf16 -j $n
    same one.st more.st
done
run 'stops in the middle' 0 toy_train part.st -o global.precision=bf16 -R run -n 23
fails 'the precision is part of a run' 2 'precision: bf16' toy_train part.st -R run --resume
run 'goes on' 0 toy_train part.st -o global.precision=bf16 -R run --resume
same one.st part.st
last_loss() {
    tail -n 1 "$1/metrics.jsonl" | sed 's/.*"loss": *\([0-9.]*\).*/\1/'
}
awk -v a="$(last_loss wide)" -v b="$(last_loss run)" 'BEGIN { exit !(a > 0 && b > 0.99 * a && b < 1.01 * a) }'
ok 'learns as in fp32' || explain <run/metrics.jsonl

if [ -e "$data/cifar10-test.tar" ]; then
    adze-init resnet20 -o classes=10 --from "$data/resnet20-cifar10.safetensors" -O cifar.st 2>"$err"
    ok 'takes the weights of a trained network'
    run 'measures it on CIFAR-10' 0 adze-evaluate -m cifar.st -d "$data/cifar10-test.tar" --precision=bf16
    awk '$1 == "top1" { d = $2 - 0.8103; exit !(d <= 0.002 && d >= -0.002) }' "$out"
    ok 'within 20 of 10,000 pictures of fp32' || explain <"$out"
else
    skip 'measures a trained network on CIFAR-10' '../shared/data is not here'
fi
