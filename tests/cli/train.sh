#!/bin/sh
# train.sh -- adze-train: the same bytes for any number of threads and after
# any interruption; bad input; signals.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-synth -n 200 --size 32 -s 3 -O train.tar && adze-synth -n 60 --size 32 -s 4 -O valid.tar &&
    adze-init resnet20 -o classes=10 -o depths='[1, 1, 1]' -s 5 -O start.st
ok 'makes data and a network'

train() { # OUTPUT OPTION...
    to=$1
    shift
    adze-train -q -m start.st -d train.tar -e valid.tar -o global.epochs=3 -o train.batch=32 \
        -o schedule.warmup='5 steps' -O "$to" "$@"
}

# The same, to be put into the background: $! is then the program itself.
start() {
    to=$1
    shift
    exec adze-train -q -m start.st -d train.tar -e valid.tar -o global.epochs=3 -o train.batch=32 \
        -o schedule.warmup='5 steps' -O "$to" "$@"
}

run 'trains' 0 train one.st -j 1
run 'trains with two threads' 0 train two.st -j 2
same one.st two.st
run 'trains with three threads' 0 train three.st -j 3
same one.st three.st
run 'trains with another seed' 0 train seed.st -s 2
! cmp -s one.st seed.st
ok 'another seed gives another model'

run 'learns' 0 adze-evaluate -m one.st -d valid.tar --min-top1 0.2
run 'keeps a run folder' 0 train run.st -R run
same one.st run.st
same one.st run/best.st
[ "$(wc -l <run/metrics.csv)" = 4 ] && head -1 run/metrics.csv | grep -q '^epoch,step,lr,loss,top1,'
ok 'metrics.csv has a row an epoch'
[ "$(ls run/epoch-*.st | wc -l)" = 3 ]
ok 'checkpoints of three epochs'

# Killed at any moment, resumed, killed again ...
rm -rf run
i=0
while [ $i -lt 8 ]; do
    i=$((i + 1))
    start kill.st -R run --resume >/dev/null 2>&1 &
    sleep 0.$(((i * 37) % 7 + 2))
    kill -KILL $! 2>/dev/null
    wait $! 2>/dev/null
done
run 'ends after kills' 0 train kill.st -R run --resume
same one.st kill.st

# TERM saves and ends with 75; USR1 saves and goes on.
rm -rf run
start term.st -R run 2>"$err" &
pid=$!
sleep 0.7
kill -TERM $pid 2>/dev/null
wait $pid
[ $? = 75 ] || [ -s term.st ]
ok 'TERM ends with 75'
run 'goes on after TERM' 0 train term.st -R run --resume
same one.st term.st

fails 'refuses another recipe on resuming' 2 'lr: 0.1 per 128' train x.st -R run --resume -o schedule.lr=0.3
fails 'refuses other data on resuming' 2 'evaluation data' \
    adze-train -m start.st -d train.tar -o global.epochs=3 -o train.batch=32 -o schedule.warmup='5 steps' -R run --resume -O x.st
fails 'needs data' 2 "-d" adze-train -m start.st -O x.st
fails 'names an unknown key' 2 "did you mean 'schedule.lr'" train x.st -o schedule.ls=1
fails 'a batch larger than the set' 2 'train.batch' train x.st -o train.batch=5000
fails 'stops at a loss that is no number' 6 'learning rate' train x.st -o schedule.lr=1e30 -o schedule.warmup=0
fails 'needs a run folder to resume' 2 '-R' train x.st --resume
fails 'names what is missing' 3 'none.tar' adze-train -m start.st -d none.tar -O x.st
[ ! -e x.st ]
ok 'leaves no output behind'

run 'prints the recipe' 0 adze-train --print-config -o schedule.lr=0.25
out_has 'lr: 0.25'
