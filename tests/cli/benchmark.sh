#!/bin/sh
# benchmark.sh -- adze-benchmark: rows, formats, refusals; no test of a time.
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
0*) grep -q 'above 1' "$err" && false ;;
*) grep -q "share of 'q.st' is above 1: the peak is that of fp32" "$err" ;;
esac
ok 'a share above 1 is explained'
run 'a profile' 0 adze-benchmark --seconds 0.01 --profile 'a,b.st'
out_has '^# node	kernel	ms	gflops$'
run 'a model on standard input' 0 sh -c 'adze-benchmark --seconds 0.01 <a,b.st'
fails '-m' 2 "unknown option '-m'; files are named without it: adze-benchmark .*MODEL" adze-benchmark -m 'a,b.st'
fails '--model' 2 "unknown option '--model'; files" adze-benchmark --model='a,b.st'
fails 'refuses a profile in JSON' 2 'has one form' adze-benchmark --profile --json 'a,b.st'
fails 'refuses a batch of none' 2 "'--batch' needs a list of numbers from 1 to 1000000 such as 1,8, not '0'" \
    adze-benchmark -b 0 'a,b.st'
fails 'refuses a list with rubbish' 2 "list of numbers" adze-benchmark -b 1,x 'a,b.st'
run 'goes on after a model that is not there' 3 adze-benchmark --seconds 0.01 none.st 'a,b.st'
out_has '^  a,b.st'
