#!/bin/sh
# calibrate.sh -- adze-calibrate: the ranges of activations.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-init resnet20 -o depths='[1, 1, 1]' -s 5 -O a.st && adze-synth -n 4 -O d.tar
ok 'makes a model and pictures'

run 'calibrates' 0 adze-calibrate -m a.st -d d.tar -n 20 -O r.st
err_has 'ranges of [0-9]* values$'
err_has 'never trained'
grep -q '"adze.kind":"ranges"' r.st && grep -q '"image":' r.st
ok 'the file says what it is'
run 'another number of threads' 0 adze-calibrate -j 2 -q -m a.st -d d.tar -n 20 -O r2.st
same r.st r2.st
run 'through a pipe' 0 sh -c 'adze-calibrate -q -d d.tar -n 20 <a.st >r3.st'
same r.st r3.st
run 'another seed' 0 adze-calibrate -q -m a.st -d d.tar -n 20 -s 2 -O r4.st
! cmp -s r.st r4.st
ok 'draws other pictures'
for m in percentile entropy; do
    run "by $m" 0 adze-calibrate -q -m a.st -d d.tar -n 20 --method $m -O m.st
    ! cmp -s r.st m.st
    ok "$m gives other ranges"
done
run 'one picture' 0 adze-calibrate -q -m a.st -d d.tar -n 1 -O one.st

cp a.st in.st && cp d.tar in.tar
fails 'ranges over the model' 2 "'in.st' is the model itself" adze-calibrate -m ./in.st -d d.tar -O in.st
fails 'over the one that is redirected' 2 "'in.st' is the model itself" sh -c 'adze-calibrate -d d.tar -O in.st <in.st'
fails 'over the data' 2 "'in.tar' is the data itself" adze-calibrate -m a.st -d in.tar -O in.tar
cmp -s a.st in.st && cmp -s d.tar in.tar
ok 'all is as it was'
rm in.st in.tar

fails 'model and data from one pipe' 2 'both the model and the data' sh -c 'adze-calibrate -d - <d.tar'
fails 'no data' 2 'give it with -d' adze-calibrate -m a.st
fails 'no model' 3 "'none.st'" adze-calibrate -m none.st -d d.tar
adze-quantize -q -m a.st --ranges r.st -O q.st
fails 'a model in 8 bits' 3 'in 8 bits already' adze-calibrate -m q.st -d d.tar
fails 'no pictures' 3 "'none.tar'" adze-calibrate -m a.st -d none.tar
mkdir -p empty/x
fails 'an empty set' 3 '' adze-calibrate -m a.st -d empty
fails 'an unknown method' 2 'minmax' adze-calibrate -m a.st -d d.tar --method mean
fails 'a full disk' 4 '/dev/full' adze-calibrate -q -m a.st -d d.tar -n 4 -O /dev/full
