#!/bin/sh
# fault-checkpoint.sh -- adze-train when files cannot be written, and when it
# is given the wrong ones (F-115 to F-127).
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

toy
cp "$work"/dir/* "$work" # what `fresh' brings back

# fresh: a folder with the toy alone.
fresh() {
    cd "$work" && rm -rf dir && mkdir dir && cp toy.yaml start.st train.tar valid.tar dir && cd dir || exit 1
}

# A short run with all that is saved: best, last, numbered, metrics.
short() {
    to=$1
    shift
    toy_train "$to" -o global.epochs=2 -o train.batch=100 -o global.save.keep=1 -R run "$@"
}
fresh
short one.st
cp one.st "$work/one.st"
rm run/lock run/log.txt
cp -r run "$work/run"
ok 'the run that nothing stops'

complain() { echo "$*" >>"$work/bad"; }
each() {
    [ ! -s "$work/bad" ]
    ok "$1" || explain <"$work/bad"
    : >"$work/bad"
}
: >"$work/bad"

# resumed WHAT: the run that was broken by WHAT goes on, and leaves what the
# one leaves that nothing stopped.  (The log holds times.)
resumed() {
    short one.st --resume >"$out" 2>&1 || complain "$1: does not go on: $(cat "$out")"
    cmp -s one.st "$work/one.st" || complain "$1: ends in another model"
    rm -f run/lock run/log.txt
    # a page that could not be written was told, and is not written again
    grep -q "report.html" "$err" && cp "$work/run/report.html" run
    diff -r run "$work/run" >"$out" || complain "$1: the run folder differs: $(head -3 "$out")"
}

# one_line WHAT: of the last command.
one_line() {
    [ "$(wc -l <"$err")" = 1 ] || complain "$1: not one line: $(cat "$err")"
    [ -z "$(ls -A . run 2>/dev/null | grep tmp)" ] || complain "$1: leaves $(ls -A . run)"
}

# ---- writing (F-115 to F-120) ----

need_preload
fresh
steps=$(calls file short one.st)
[ "$steps" -gt 30 ]
ok "counts what is done to files ($steps)"
k=0
while [ $k -lt "$steps" ]; do
    k=$((k + 1))
    fresh
    broken file:$k:kill short one.st >/dev/null 2>&1
    [ $? = 137 ] || complain "step $k is not reached"
    resumed "SIGKILL at step $k"
done 2>/dev/null
each 'F-115 SIGKILL before each step and within each write'

# The last call syncs the folder: the name is new by then, and old before.
echo old >old
adze-init ./toy.yaml -O new
last=$(calls file adze-init ./toy.yaml -O there)
k=0
while [ $k -lt "$last" ]; do
    k=$((k + 1))
    cp old there
    broken file:$k:kill adze-init ./toy.yaml -O there >/dev/null 2>&1
    cmp -s there "$([ $k = "$last" ] && echo new || echo old)" || complain "step $k of $last"
done 2>/dev/null
rm -f .adze*
each 'F-115 old or new, never neither'

k=1 error=0
while [ $k -lt "$steps" ]; do
    # 28 ENOSPC, 5 EIO, 122 EDQUOT, 27 EFBIG, in turns
    error=$((error == 28 ? 5 : error == 5 ? 122 : error == 122 ? 27 : 28))
    fresh
    broken file:$k:$error short one.st >/dev/null 2>"$err"
    status=$?
    case $status in
    4) one_line "error $error at step $k" ;;
    0) cmp -s one.st "$work/one.st" || complain "error $error at step $k goes unsaid" ;; # of removing an old file
    *) complain "error $error at step $k ends with $status: $(cat "$err")" ;;
    esac
    resumed "error $error at step $k"
    k=$((k + 1))
done
each 'F-116 F-117 an error at each step, and a run that goes on'

for n in 1 8 20 30; do
    fresh
    (ulimit -f $n && short one.st) >/dev/null 2>"$err"
    [ $? = 4 ] || complain "ulimit -f $n: does not end with 4: $(cat "$err")"
    # the page, which ends no run, is told of apart
    grep -v "'run/report.html'" "$err" >"$work/others"
    mv "$work/others" "$err"
    one_line "ulimit -f $n"
    resumed "ulimit -f $n"
done
each 'F-116 a limit of the size of files'

renames=$(fresh && calls rename short one.st)
k=1
while [ $k -le "$renames" ]; do
    fresh
    broken rename:$k+:lost short one.st >/dev/null 2>&1
    resumed "renames from $k on are lost"
    k=$((k + 2))
done
each 'F-118 power lost before the folder was written'

fresh
short one.st -o global.epochs=100000 2>"$err" &
while [ ! -e run/last.st ]; do sleep 0.02; done
mv run gone
wait $!
[ $? = 4 ] && grep -q "'run/.*: No such file" "$err"
ok 'F-119 the run folder goes away' || explain <"$err"

fresh
fails 'F-120 the disk is full at the start' 4 "needs [0-9]* bytes for checkpoints, 1000 free" \
    broken statvfs:1000 short one.st
[ ! -e run/last.st ]
ok 'and nothing is trained'

# ---- resuming from the wrong thing (F-121, F-122, F-127) ----

fresh
short one.st -n 6
rm run/lock
cp -r run before
good=run/last.st
size=$(stat -c %s $good)

# refused STATUS PATTERN WHAT OPTION...: and the run folder stays as it is.
refused() {
    want=$1 pattern=$2 what=$3
    shift 3
    short x.st --resume "$@" >"$out" 2>"$err"
    got=$?
    [ ! -e x.st ] || complain "$what: writes a model"
    [ $got = "$want" ] || complain "$what: status $got, not $want: $(cat "$err")"
    grep -q -e "$pattern" "$err" || complain "$what: not '$pattern' but $(cat "$err")"
    one_line "$what"
    rm -f run/lock
    diff -r run before >"$out" || complain "$what: changes $(head -3 "$out")"
}

for n in 0 1 7 8 100 1000 $((size / 2)) $((size - 1)); do
    head -c "$n" before/last.st >$good && cp $good before/cut
    mv before/last.st "$work/last.st" && mv before/cut before/last.st
    refused 3 'last.st' "cut to $n bytes"
    mv "$work/last.st" before/last.st && cp before/last.st $good
done
each 'F-121 a checkpoint that is cut'

flip() { # FILE OFFSET: the lowest bit of a byte
    byte=$(od -An -tu1 -j "$2" -N 1 "$1")
    # shellcheck disable=SC2059
    printf "\\$(printf %03o $((byte ^ 1)))" | dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}
at=3
while [ $at -lt "$size" ]; do
    flip $good $at && flip before/last.st $at
    refused 3 'last.st' "bit flipped in byte $at"
    flip $good $at && flip before/last.st $at
    at=$((at + 997))
done
cmp -s $good before/last.st && refused 2 'with global.seed: 1, not 2:' 'another seed' -s 2
each 'F-121 a checkpoint with a wrong bit, every 997 bytes'

adze-init ./toy.yaml -s 6 -O seed.st
sed 's/out: 8/out: 12/' toy.yaml >wide.yaml && adze-init ./wide.yaml -O wide.st
adze-init ./toy.yaml -o classes=12 -O twelve.st
adze-synth -n 39 --size 16 -s 3 -O fewer.tar
adze-synth -n 40 --size 16 -s 9 -O others.tar
refused 2 'the model is not what' 'other weights' -m seed.st
refused 2 'the model is not what' 'another network' -m wide.st
refused 2 'the model is not what' 'another number of classes' -m twelve.st
refused 3 'none.st' 'no such model' -m none.st
refused 2 'with optimizer.kind: sgd, not adamw:' 'another optimiser' -o optimizer.kind=adamw
refused 2 'with global.epochs: 2, not 4:' 'another number of epochs' -o global.epochs=4
refused 2 'with train.batch: 100, not 50:' 'another batch' -o train.batch=50
refused 2 'training data is not what' 'fewer pictures' -d fewer.tar
refused 2 'training data is not what' 'other pictures' -d others.tar
refused 2 'evaluation data is not what' 'other pictures to evaluate on' -e others.tar
refused 2 'instruction set' 'another instruction set' --cpu=portable
each 'F-121 another model, recipe, data, instruction set'

echo old >run/.adze-1-0.tmp && echo old >run/.adze-77-3.tmp
run 'F-122 goes on beside files of a killed run' 0 short one.st --resume
cmp -s one.st "$work/one.st" && [ -z "$(ls -A run | grep tmp)" ]
ok 'and removes them'
fresh
short one.st -o global.epochs=100000 2>"$work/first" &
while [ ! -e run/last.st ]; do sleep 0.02; done
pid=$(cat run/lock)
fails 'F-122 two runs in one folder' 4 "in use by process $pid" short two.st --resume
kill -TERM "$pid"
wait $!
[ $? = 75 ]
ok 'the first one goes on until it is stopped'

fresh
short one.st -n 6
cp run/last.st early.st
short one.st --resume
cp early.st run/last.st
run 'F-127 rows behind the checkpoint' 0 short x.st --resume -n 6
cut -d, -f2 run/metrics.csv | tr '\n' ' ' >"$out"
[ "$(cat "$out")" = 'step 4 ' ]
ok 'are gone' || explain <"$out"
short one.st --resume
diff run/metrics.csv "$work/run/metrics.csv" >"$out"
ok 'and come again, once' || explain <"$out"

# The newest of the others in the place of last.st.
fresh
two='-o global.save.keep=2'
short one.st $two
head -c 1000 run/last.st >cut.st && mv cut.st run/last.st
fails 'F-121 a damaged checkpoint beside sound ones' 3 \
    "'run/last.st': .*; remove the file to go on from 'run/epoch-000002.st'" short x.st $two --resume
rm run/last.st run/epoch-000002.st
fails 'F-121 a run without last.st is a run' 2 'holds a run' short x.st $two
run 'F-121 goes on from the newest that is left' 0 adze-train -c run/recipe.yaml -d train.tar -e valid.tar -R run --resume -O x.st
err_has "^adze-train: no 'run/last.st': going on from 'run/epoch-000001.st'"
same one.st x.st

# Broken pictures: a resumed run knows those of before.
fresh
mkdir set && tar xf train.tar -C set && cp -r set/ring set/dots . && rm train.tar
for f in ring/00001 star/00002 dots/00003; do head -c 90 set/ring/00000.png >set/$f.png; done
broken_set() {
    to=$1
    shift
    short "$to" -d set -o train.max_bad=0.01 "$@"
}
run 'trains with broken pictures' 0 broken_set one.st
mv run whole && [ "$(grep -c '^{"index": [0-9]*, "reason": ".*"}$' whole/bad.jsonl)" = 3 ]
ok 'bad.jsonl names each' || explain <whole/bad.jsonl
for n in 1 2 5 7; do broken_set x.st --resume -n $n; done
run 'the same in five pieces' 0 broken_set two.st --resume
same one.st two.st
same run/bad.jsonl whole/bad.jsonl
fails 'too many broken pictures' 3 'cannot be used, 0 are allowed' broken_set x.st -R none -o train.max_bad=0
[ "$(grep -c '^{"index": [0-9]*, "reason": ".*"}$' none/bad.jsonl)" -ge 1 ]
ok 'and are listed' || explain <none/bad.jsonl
run 'without a run folder' 0 adze-train -m start.st -d set -o global.epochs=1 -o train.batch=100 -O x.st
[ "$(grep -c "^adze-train: skipped: '.*00[0-9]*.png': " "$err")" = 3 ]
ok 'each is named' || explain <"$err"
err_has ', 3 pictures skipped$'
