#!/bin/sh
# train.sh -- adze-train: the same bytes for any number of threads and after
# any interruption; options; refusals.  What may go wrong outside is in
# fault-checkpoint.sh and fault-signal.sh.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

toy

run 'trains' 0 toy_train one.st -j 1
run 'trains with two threads' 0 toy_train two.st -j 2
same one.st two.st
run 'trains with three threads' 0 toy_train three.st -j 3
same one.st three.st
run 'trains with another seed' 0 toy_train seed.st -s 2
! cmp -s one.st seed.st
ok 'another seed gives another model'

run 'keeps a run folder' 0 toy_train run.st -R run
same one.st run.st
same one.st run/best.st
[ "$(wc -l <run/metrics.csv)" = 6 ] && head -1 run/metrics.csv | grep -q '^epoch,step,lr,loss,top1,'
ok 'metrics.csv has a row an epoch'
[ "$(grep -Ec '^epoch .*, [0-9.]+ s \([0-9.]+ s waiting for data\)' run/log.txt)" = 5 ]
ok 'the log has a line an epoch, with the time that steps waited for data' || explain <run/log.txt
[ "$(cd run && echo epoch-*.st)" = 'epoch-000003.st epoch-000004.st epoch-000005.st' ]
ok 'checkpoints of the last three epochs'
awk -F, 'NR == 2 { first = $4 } { last = $4 } END { exit !(last < 0.97 * first) }' run/metrics.csv
ok 'learns' || explain <run/metrics.csv
grep -q '<svg' run/report.html && ! grep -q '\bnan\b' run/report.html
ok 'a page of curves'
grep -q 'Confusion of the evaluation of epoch 5' run/report.html && grep -q '>checker<' run/report.html
ok 'and what was taken for what'
cp train.tar in.tar
fails 'over the data' 2 "'in.tar' is the data itself" adze-train -q -m start.st -d in.tar -O in.tar
rm in.tar
fails 'takes no folder that holds a run' 2 '--resume' toy_train x.st -R run
run 'resumes a run that has ended' 0 toy_train again.st -R run --resume
same one.st again.st
run 'says which model it writes' 0 adze-train -m start.st -d train.tar -e valid.tar -c run/recipe.yaml -R run --resume -O x.st
# of the best top-1 the first epoch
best=$(awk -F, 'NR > 1 && $7 > top { top = $7; at = $1 } END { printf "%d: valid top1 %.2f%%", at, 100 * top }' run/metrics.csv)
printf '%s\n' 'adze-train: going on from step 50 of 50' "adze-train: writing the best model, of epoch $best" | cmp -s - "$err"
ok 'and from where it goes on' || explain <"$err"

# What cannot be written is said before the run.
for r in new ./new new/ new/run; do
    fails "the output is to be the run folder, $r" 2 "'new' is the run folder of -R" toy_train new -R $r
done
run 'a folder of another name' 0 toy_train new.st -R new -n 1
run 'the output in it' 0 toy_train new/out.st -R new --resume -n 2
rm -r new new.st

# What the user has in a folder is not replaced.
mkdir exp && printf '# my notes: try 3\nglobal: {epochs: 2}\n' >exp/recipe.yaml && cp exp/recipe.yaml mine.yaml
fails 'does not write over the recipe that it is given' 2 "over 'exp/recipe.yaml'" \
    toy_train x.st -c exp/recipe.yaml -R exp
fails 'nor in a folder of a run' 2 "over 'exp/recipe.yaml'" toy_train x.st -c exp/recipe.yaml -R exp --resume
fails 'nor over a recipe of another' 2 "'exp' holds 'recipe.yaml', which no run wrote" toy_train x.st -R exp
same exp/recipe.yaml mine.yaml
for f in best.st metrics.csv report.html log.txt; do
    mkdir own && touch own/$f
    fails "nor over a file $f" 2 "'own' holds '$f'" toy_train x.st -R own
    [ "$(ls own)" = $f ]
    ok 'and leaves nothing there'
    rm -r own
done
mkdir own && touch own/notes.txt
run 'takes a folder with other files' 0 toy_train x.st -R own -n 1
rm own/last.st
run 'and one whose run had no checkpoint yet' 0 toy_train x.st -R own -n 1

# Stopped and resumed, with other numbers of threads.
rm -rf run
for n in 1 9 10 11 37; do
    toy_train x.st -R run --resume -n $n -j $((n % 3 + 1)) || break
done
run 'goes on after five stops' 0 toy_train stop.st -R run --resume
same one.st stop.st

fails 'with another recipe' 2 'with the same recipe, recipe.yaml of the run folder' toy_train x.st -R run --resume -s 9

# Killed at twenty moments, resumed each time; begun anew when it came to its
# end before.
rm -rf run
long='-o global.epochs=40 -o train.mix.mixup=0.2 -o train.mix.cutmix=1'
run 'a longer run, of mixed batches' 0 toy_train long.st $long
kills=0 i=0
while [ $kills -lt 20 ] && [ $i -lt 400 ]; do
    i=$((i + 1))
    rm -f kill.st run/lock
    toy_train kill.st -R run --resume -j $((i % 3 + 1)) $long 2>"$err" &
    sleep 0.0$((i * 37 % 9 + 1))
    pid=$(cat run/lock 2>/dev/null)
    [ -n "$pid" ] && kill -KILL "$pid" && kills=$((kills + 1))
    wait $!
    [ ! -e kill.st ] || rm -rf run
done 2>/dev/null
[ $kills = 20 ]
ok 'kills it twenty times' || echo "$kills kills" | explain
run 'ends after twenty kills' 0 toy_train kill.st -R run --resume $long
same long.st kill.st
grep -q 'top1 [0-9.]*% of mixed pictures' run/log.txt
ok 'says that pictures are mixed'
[ -z "$(ls -A run | grep tmp)" ]
ok 'no temporary file is left'

rm -f x.st
fails 'needs data' 2 '-d' adze-train -m start.st -O x.st
fails 'names an unknown key' 2 "did you mean 'schedule.lr'" toy_train x.st -o schedule.ls=1
fails 'names the part of a key' 2 "did you mean 'global.epochs'" toy_train x.st -o epochs=1
fails 'a key for an option' 2 "'--epochs'; did you mean '-o global.epochs=VALUE'" toy_train x.st --epochs 3
for k in schedule.learning_rate=0.1:schedule.lr train.batch_size=3:train.batch train.batchsize=3:train.batch; do
    fails "the name of another program, $k" 2 "did you mean '${k#*:}'" toy_train x.st -o "${k%:*}"
done
printf 'train: {batch: 5}\nshedule: {lr: 1}\n' >bad.yaml
fails 'names the place of an unknown part' 2 "bad.yaml:2:1: .*; did you mean 'schedule'" toy_train x.st -c ./bad.yaml
fails 'a pattern of layers that are not there' 2 "'conv3\*' in model.freeze matches no parameter" \
    toy_train x.st -o model.freeze="['conv1*', 'conv3*']"
fails 'a layer for its parameters' 2 "did you mean 'conv1\*'?" toy_train x.st -o model.freeze='[conv1]'
fails 'a batch larger than the set' 2 'train.batch' toy_train x.st -o train.batch=5000
fails 'the head is wrong before the batch' 3 'adze-init -o classes=10' sh -c \
    "adze-init ./toy.yaml -o classes=4 | adze-train -d valid.tar -o train.batch=5000 -O x.st"
run 'more classes than labels' 0 sh -c \
    "adze-init ./toy.yaml -o classes=13 | adze-train -d valid.tar -o train.batch=20 -o global.epochs=1 -O t.st"
err_has 'the head has 13 classes, the largest label of the data is 9: none from 10 on is ever seen'
fails 'needs a run folder to resume' 2 '-R' toy_train x.st --resume
fails 'both sets from one pipe' 2 'cannot be both the data and the data for evaluation' \
    sh -c 'adze-train -m start.st -d - -e - -O x.st <train.tar'
fails 'model and data from one pipe' 2 'cannot be both the model and the data:' sh -c 'adze-train -d - -O x.st <train.tar'
fails 'an empty pipe' 3 'standard input is empty' sh -c 'adze-train -m start.st -d - -O x.st </dev/null'
fails 'a device that is none, before the data' 2 "no device 'gpu'" adze-train -m start.st -d none.tar -D gpu -O x.st
fails 'names what is missing' 3 'none.tar' adze-train -m start.st -d none.tar -O x.st
fails 'sees at the start that it cannot write' 4 "'none/x.st'" toy_train none/x.st
[ ! -e x.st ]
ok 'leaves no output behind'

run 'a checkpoint as the model to begin with' 0 adze-train -m run/epoch-000040.st -d train.tar -O x.st -n 1
err_has 'begins anew'
run 'prints the recipe' 0 adze-train --print-config -o schedule.lr=0.25
out_has 'lr: 0.25'

adze-synth -q -n 6 -O both/train && adze-synth -q -n 3 -s 2 -O both/val && touch both/labels.csv
run 'a loose file beside train and val changes nothing' 0 \
    adze-train -m start.st -d both -n 2 -o train.batch=20 -O x.st
! grep -q 'never seen' "$err" && head -c 20000 x.st | grep -aq 'checker'
ok 'its classes are those of the pictures'
adze-train -q -m start.st -d both -o global.epochs=1 -o train.batch=20 -R ck -O x.st
run 'a checkpoint can be used' 0 adze-evaluate -m ck/last.st -d both/val
run 'and passed on' 0 sh -c 'adze-fuse-bn -q <ck/last.st | adze-evaluate -d both/val'

# A vision transformer, with another optimiser.
adze-init -q vit-b-16 -o classes=10 -o size=32 -o patch=8 -o dim=48 -o heads=3 -o depth=2 -O vit.st
vit_train() { # OUTPUT OPTION...
    vit=$1
    shift
    adze-train -q -m vit.st -d train.tar -O "$vit" -o global.epochs=8 -o optimizer.kind=adamw \
        -o schedule.lr=2e-3 -o train.batch=25 -o train.augment='[]' "$@"
}
run 'trains a transformer' 0 vit_train vit1.st -j 1 -R vit
run 'trains it with three threads' 0 vit_train vit3.st -j 3
same vit1.st vit3.st
awk -F, 'NR == 2 { first = $4 } { last = $4 } END { exit !(last < 0.85 * first && last < 2.1) }' vit/metrics.csv
ok 'it learns more than to guess' || explain <vit/metrics.csv
