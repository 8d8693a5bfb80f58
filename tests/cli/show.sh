#!/bin/sh
# show.sh -- what a model file holds.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-init lenet5 -O a.st
run 'layers' 0 adze-show -m a.st
out_has '^# network lenet5: 61706 parameters, 0 numbers of state, input \[N,1,32,32\]$'
# conv2: 16 x 10 x 10 outputs of 2 x 6 x 5 x 5 - 1 flop, and one for the bias
out_has '^conv2  *conv2d  *\[N,16,10,10\]  *2416  *480000  *240000  *[0-9]*  *[0-9.]*$'
out_has '^total  *-  *\[N,10\]  *61706 '
run 'from a pipe' 0 sh -c 'adze-init resnet20 | adze-show --depth=1'
out_has '^layer1  *-  *\[N,16,32,32\]  *14016 '
out_has '^total  *-  *\[N,10\]  *269722  *81569024  *40739456 '
adze-show -m a.st >layers; adze-show a.st | cmp -s - layers
ok 'a model as an operand'
run 'no model from a command that failed' 3 sh -c ': | adze-show'
err_is 'adze-show: standard input is empty: did the command before it fail?'
: >empty.st
fails 'an empty file' 3 "'empty.st' is empty" adze-show empty.st
fails 'two models' 2 'one model at a time' adze-show -m a.st b.st
run 'as JSON' 0 adze-show -m a.st --json
out_has '^{"network":"lenet5","kind":"model","input":\["N",1,32,32\],'
out_has '"total":{"name":"total","op":null,"output":\["N",10\],"parameters":61706,'
run 'tensors' 0 adze-show -m a.st --state
out_has '^fc3.bias  *parameter  *f32  *\[10\]  *0  *0  *0  *0  *no$'
run 'tensors as JSON' 0 adze-show -m a.st --state --json
out_has '{"name":"fc3.bias","kind":"parameter","dtype":"f32","shape":\[10\],"mean":0.0,'
run 'the graph' 0 adze-show -m a.st --graph
cp "$out" flat.yaml
run 'is a network file' 0 adze-init ./flat.yaml -O b.st
run 'of the same network' 0 adze-show -m b.st --graph
same flat.yaml "$out"
run 'dot' 0 adze-show -m a.st --dot
out_has '^  n0 -> n1;$'
run 'the plan' 0 adze-show -m a.st --plan -b 4
out_has '^# batch 4, '
run 'the plan in fp32' 0 adze-show -m a.st --plan --precision=fp32
out_has '	conv2d_.*	c16	'
fails 'a precision without a plan' 2 'is for --plan' adze-show -m a.st --precision=bf16
run 'the past' 0 adze-show -m a.st --history
out_has '^init [0-9.]* network=lenet5 seed=1$'
run 'the past as JSON' 0 adze-show -m a.st --history --json
out_has '^\[{"command":"init",'
run 'a check' 0 adze-show -m a.st --check
out_is 'ok: model, 10 tensors, hashes verified'

cp a.st broken.st
printf 'X' | dd of=broken.st bs=1 seek=20000 conv=notrunc 2>/dev/null
fails 'a damaged file' 3 "'broken.st'.*damaged" adze-show -m broken.st
head -c 30000 a.st >short.st
fails 'a short file' 3 "'short.st'" adze-show -m short.st
echo 'model: {init: {fc3.bias: constant 1e39}}' >r.yaml
fails 'a number that no tensor holds' 2 'constant' adze-init lenet5 -c ./r.yaml -O inf.st
fails 'two views' 2 'one at a time' adze-show -m a.st --state --graph
fails 'a view and a depth' 2 'one at a time' adze-show -m a.st --state --depth=1
fails 'no JSON form' 2 'no JSON form' adze-show -m a.st --plan --json
# Kernels that would take these, too, were 2 to 4 times as slow.
for n in resnext50-32x4d shufflenet-v1-g3 sk-resnet18; do
    adze-init -q $n -o size=64 | adze-show --plan >"$out" && ! grep -E 'conv2d_gemm|	reference	' "$out"
    ok "$n needs no plain code for groups and factors" || explain <"$out"
done
fails 'no model' 3 "'flat.yaml'" adze-show -m flat.yaml
fails 'no file' 3 "'nothing.st': No such file" adze-show -m nothing.st
if [ -d "$data" ]; then
    fails 'plain weights' 3 'plain weights, not a model: use .adze-init' \
        adze-show -m "$data/resnet20-cifar10.safetensors"
else
    skip 'plain weights' '../shared/data is not here'
fi

run 'the zoo' 0 adze-show --zoo
out_has '^resnet50  *25557032  *4100298240 '
run 'the zoo as JSON' 0 adze-show --zoo --json
out_has '"top1":[0-9]'
out_has '{"network":"lenet5","parameters":61706,'
fails 'the zoo of a model' 2 'shows no model' adze-show --zoo a.st
fails 'a latency of no zoo' 2 'is for --zoo' adze-show --latency a.st
