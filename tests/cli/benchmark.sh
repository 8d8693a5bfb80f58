#!/bin/sh
# benchmark.sh -- adze-benchmark: rows, formats, modes, refusals; no test of a
# time.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-init resnet20 -o classes=10 -o depths='[1, 1, 1]' -s 5 -O 'a,b.st'
ok 'makes a model'

run 'prints a table' 0 adze-benchmark --seconds 0.01 'a,b.st'
out_has '^# model '
[ "$(wc -l <"$out")" = 2 ]
ok 'a row a model'
run 'several batches and threads' 0 adze-benchmark --seconds 0.01 -b 1,4 --each-threads 1,2 'a,b.st' -f csv
[ "$(wc -l <"$out")" = 5 ]
ok 'a row for each'
out_has '^"a,b.st","f32",4,2,'
awk -F, 'NR > 1 { if (!($8 > 0 && $9 >= $8 && $10 >= $9)) exit 1 }' "$out"
ok 'the minimum is below the median, the median below the 90th percentile'
run 'JSON lines' 0 adze-benchmark --seconds 0.01 --json 'a,b.st'
out_has '^{"model": "a,b.st", "dtype": "f32", "batch": 1, .*}$'
# number KEY: of the line of JSON.
number() { sed -n "s/.*\"$1\": \([0-9.]*\).*/\1/p" "$out"; }
awk -v p="$(number peak)" -v a="$(number peak_before)" -v b="$(number peak_after)" \
    'BEGIN { exit !(a > 0 && b > 0 && p == (a > b ? a : b)) }'
ok 'the peak is the larger of that before and that after'
adze-synth -q -n 1 -O d.tar && adze-quantize -q -m 'a,b.st' -d d.tar -O q.st
run 'in 8 bits' 0 adze-benchmark --seconds 0.01 --json -b 8 q.st
case $(number share) in
0*) ! grep -q 'above 1' "$err" ;;
*) grep -q "share of 'q.st' is above 1: \(Winograd's transforms need fewer\|the machine was faster\)" "$err" ;;
esac
ok 'a share above 1 is explained'
run 'a profile' 0 adze-benchmark --seconds 0.01 --profile 'a,b.st'
out_has "^# 'a,b.st', batch 1, [0-9]* threads, f32\$"
out_has '^# node	kernel	ms	gflops	gb_s	roof$'
out_has '^# ceilings: [0-9.]* GB/s copied, [0-9.]* GFLOP/s fp32$'
out_has '^conv 3x3	forward	[0-9]*	[0-9.]*	0\.[0-9]*	[0-9.]*	[0-9.]*	[0-9.]*	[0-9.]*	[a-z]*	[0-9.]*$'
out_has '^all	-	'

run 'steps of training' 0 adze-benchmark --train --seconds 0.01 -b 4 --json 'a,b.st'
# A step is the forward pass, gradients of weights, and those of values but
# the picture: more than twice and less than three times the forward pass.
train=$(number mmac) params=$(number params)
run 'inference of the same' 0 adze-benchmark --seconds 0.01 --json 'a,b.st'
[ "$(number params)" = "$params" ]
ok 'the parameters are those of the network'
awk -v t="$train" -v i="$(number mmac)" 'BEGIN { exit !(t > 2 * i && t < 3 * i) }'
ok 'multiply-adds of the gradients count'
run 'the profile of a step' 0 adze-benchmark --train --profile --seconds 0.01 -b 4 'a,b.st'
out_has "^conv1'	[a-z_0-9]*	[0-9.]*	[0-9.]*	[0-9.]*	[0-9.]*\$" # the backward pass
out_has '^adze:sgd:linear.weight	'
out_has '^conv 3x3	backward	'
out_has '^update	update	'
run 'the optimiser is that of the recipe' 0 \
    adze-benchmark --train --profile --seconds 0.01 -b 4 -o optimizer.kind=adamw 'a,b.st'
out_has '^adze:adamw:linear.weight	'
# Every name is one of the network, but for what the page explains.
adze-init -q resnet20 -o classes=10 -o depths='[1, 1, 1]' -o attention=coord -O coord.st &&
    { adze-show --graph coord.st | sed -n 's/.*{as: \([^,]*\),.*/\1/p'; adze-show --state coord.st; echo loss; } |
    cut -d' ' -f1 | sort -u >names
for more in '' '--train -b 2 -o optimizer.clip=1 -o model.ema=0.9'; do
    adze-benchmark -q --profile --seconds 0.01 $more coord.st | sed -n '/^# ceil/q; s/^\([^#	]*\)	.*/\1/p'
done >steps
sed -e 's/^adze:grad_norm$/loss/' -e 's/^adze:\(sgd\|ema\)://' -e 's/^adze:d(/d(/' -e 's/^d(\(.*\))+*$/\1/' \
    -e "s/\.\(apply\|stats\)$//; s/'\.\(sums\|grad\)$//; s/['!]$//" steps | sort -u | comm -23 - names >"$out"
[ "$(wc -l <steps)" -gt 100 ] && [ ! -s "$out" ]
ok 'the names of steps are those of the page' || explain <"$out"
for name in loss "conv1'" 'bn1!' adze:grad_norm 'adze:d(linear.bias)' adze:sgd:linear.bias adze:ema:linear.bias; do
    grep -qxF "$name" steps || echo "$name"
done >"$out"
[ ! -s "$out" ]
ok 'and what the page explains is there' || explain <"$out"
run 'AdamW in a row' 0 adze-benchmark --train --seconds 0.01 -o optimizer.kind=adamw 'a,b.st'
fails 'a network that nothing is trained of' 2 'every parameter is frozen' \
    adze-benchmark --train --json -o 'model.freeze=["*"]' 'a,b.st'
cat >bare.yaml <<'Y'
network: bare
input: {size: [3, 8, 8]}
body:
  - conv: {as: conv1, out: 4, kernel: 1}
  - conv: {as: conv2, out: 4, kernel: 1}
  - global_avg_pool
  - linear: {as: fc, out: 3}
Y
echo 'model: {init: {"*.weight": normal 1e30}}' >huge.yaml
adze-init -q ./bare.yaml -c ./huge.yaml -O huge.st
fails 'a loss that is no number' 6 'loss .*, gradient norm' adze-benchmark --train --json huge.st

run 'reading pictures' 0 adze-benchmark --load d.tar --seconds 0.01 -b 4 --json 'a,b.st'
awk -v i="$(number images_s)" 'BEGIN { exit !(i > 0) }'
ok 'pictures a second'
for column in params mmac gflops peak share peak_before peak_after device_mb; do
    grep -q "\"$column\": null[,}]" "$out" || echo "$column"
done >want
[ ! -s want ]
ok 'and nothing computed' || explain <want
run 'in a table' 0 adze-benchmark --load d.tar --seconds 0.01 -b 4 'a,b.st'
out_has '^  a,b.st  *f32  *4  *[0-9]*  *-  *-  *[0-9.]* .* [0-9.]*  *-  *-  *-$'
run 'in CSV' 0 adze-benchmark --load d.tar --seconds 0.01 -b 4 -f csv 'a,b.st'
out_has '^"a,b.st","f32",4,[0-9]*,,,[0-9.]*,.*,[0-9.]*,,,,,,$'
fails 'more in a batch than there are' 2 'batch of 11 needs more than the 10 pictures .* lower it (-b) to 8$' \
    adze-benchmark --load d.tar --json -b 11 'a,b.st'
fails 'an augmentation that there is not' 2 'flop' \
    adze-benchmark --load d.tar --json -o 'train.augment=[flop]' 'a,b.st'
adze-synth -q -n 1 -f folder -O broken && echo rubbish >broken/ring/000000.png
fails 'a picture that cannot be read' 3 'ring/000000.png' \
    adze-benchmark --load broken --json -b 10 -o train.bad=fail 'a,b.st'

run 'a row for each line' 0 sh -c "printf '1\n\nnow\n' | adze-benchmark --turns --json --seconds 0.01 a,b.st"
[ "$(wc -l <"$out")" = 3 ] && [ "$(grep -c '"min_ms": [0-9]*[1-9.]' "$out")" = 3 ]
ok 'three lines, three rows'
run 'no line, no row' 0 sh -c "adze-benchmark --turns --json a,b.st </dev/null"
[ ! -s "$out" ]
ok 'nothing was asked'
# A row comes as soon as it is measured, not at the end.
mkfifo ask
adze-benchmark --turns --json --seconds 0.01 'a,b.st' <ask >answer 2>"$err" &
exec 3>ask
echo >&3
for i in 1 2 3 4 5 6 7 8 9 10; do [ -s answer ] && break || sleep 0.5; done
[ "$(wc -l <answer)" = 1 ]
ok 'the answer comes while the question stays open'
exec 3>&-
wait
run 'no model, no head' 3 adze-benchmark none.st
[ ! -s "$out" ]
ok 'nothing was measured'
fails 'a device that there is not' 2 "^adze-benchmark: no device 'gpu'" adze-benchmark --json -D gpu 'a,b.st'
fails 'libraries of the CPU' 2 "^adze-benchmark: no device 'cpu+libraries': cpu, cuda, cuda:N, cuda+libraries or" \
    adze-benchmark --json -D cpu+libraries a,b.st
# Whatever is there is hidden; a build without CUDA says so.
export CUDA_VISIBLE_DEVICES=
absent='no GPU 0: .*use -D cpu\|built without CUDA: .*use -D cpu'
fails 'a GPU that is not there: benchmark' 4 "$absent" adze-benchmark --json -D cuda 'a,b.st' 'a,b.st'
adze-train -q -m 'a,b.st' -d d.tar -o train.batch=5 -n 1 -O trained.st
fails 'infer' 4 "$absent" adze-infer -D cuda -m trained.st d.tar
fails 'evaluate' 4 "$absent" adze-evaluate -D cuda -m trained.st -d d.tar
fails 'compare' 4 "$absent" adze-compare -D cuda 'a,b.st' 'a,b.st'
fails 'train' 4 "$absent" adze-train -D cuda -m 'a,b.st' -d d.tar -O never.st
[ ! -e never.st ]
ok 'and no model is left behind'
fails 'turns of two batches' 2 'needs one named model' adze-benchmark --turns -b 1,2 'a,b.st'
fails 'turns of two models' 2 'needs one named model' adze-benchmark --turns 'a,b.st' 'a,b.st'
fails 'turns of standard input' 2 'needs one named model' adze-benchmark --turns
fails 'training and reading' 2 'one at a time' adze-benchmark --train --load d.tar 'a,b.st'
fails 'a profile of reading' 2 'one at a time' adze-benchmark --profile --load d.tar 'a,b.st'
fails 'a recipe for inference' 2 'for --train and --load' adze-benchmark -o train.batch=3 'a,b.st'
run 'a model on standard input' 0 sh -c 'adze-benchmark --seconds 0.01 <a,b.st'
fails '-m' 2 "unknown option '-m'; files are named without it: adze-benchmark .*MODEL" adze-benchmark -m 'a,b.st'
fails '--model' 2 "unknown option '--model'; files" adze-benchmark --model='a,b.st'
fails 'two formats' 2 'one at a time' adze-benchmark --json -f csv 'a,b.st'
cp 'a,b.st' keep.st
fails 'a plan in place of the model' 2 "'./keep.st' is the model itself: name another file" \
    adze-benchmark --seconds 0.01 --tune ./keep.st keep.st
cmp -s keep.st 'a,b.st'
ok 'which stays as it was'
fails 'a device for what computes nothing' 2 'computes nothing' adze-benchmark --load d.tar -D cuda 'a,b.st'
fails 'a device that there is not, unused' 2 "no device 'gpu'" adze-benchmark --load d.tar -D gpu 'a,b.st'
fails 'a full output' 4 'No space left on device' sh -c "adze-benchmark -q --seconds 0.01 a,b.st >/dev/full"
fails 'refuses a profile in JSON' 2 'has one form' adze-benchmark --profile --json 'a,b.st'
fails 'refuses a batch of none' 2 "'--batch' needs a list of numbers from 1 to 1000000 such as 1,8, not '0'" \
    adze-benchmark -b 0 'a,b.st'
fails 'refuses a list with rubbish' 2 "list of numbers" adze-benchmark -b 1,x 'a,b.st'
run 'goes on after a model that is not there' 3 adze-benchmark --seconds 0.01 none.st 'a,b.st'
out_has '^  a,b.st'
