#!/bin/sh
# pipe-plan.sh -- constants of the planner: adze-benchmark --tune, --plan FILE
# of the commands, what histories say of them.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

toy
run 'tunes' 0 adze-benchmark --tune fast.plan --seconds 0.01 -j 1 -b 4 start.st
out_has '^# constant  *value  *ms  *ratio taken$'
out_has '^  direct.band_bytes  *131072 .* \(yes\|no\)$'
head -1 fast.plan | grep -q "^# inference of 'start.st', batch 4, 1 threads, f32$"
ok 'the file says of what' || explain <fast.plan
run 'and reads it' 0 adze-benchmark --plan fast.plan --seconds 0.01 start.st
run 'tunes training' 0 adze-benchmark --tune train.plan --train --seconds 0.01 -b 4 -j 2 start.st
out_has '^  wgrad.pass_bytes '
run 'from a plan on' 0 adze-benchmark --plan fast.plan --tune more.plan --seconds 0.01 start.st
fails 'a file that cannot be written' 4 "'none/x.plan'" adze-benchmark --tune none/x.plan start.st
fails 'two models' 2 'tune needs one named model' adze-benchmark --tune x.plan start.st start.st
fails 'in JSON' 2 'tune prints a table' adze-benchmark --tune x.plan --json start.st

# plan FILE LINE...: such a plan, for the level in use.
level=$(sed -n 's/^level: //p' fast.plan)
plan() {
    to=$1
    shift
    { printf 'adze: 0.1.0\nlevel: %s\ncpu: none\n' "$level"; printf '%s\n' "$@" 'end: yes'; } >"$to"
}
plan cut.plan 'direct.band_bytes: 4096' 'direct.group_bytes: 4096' 'direct.tasks: 64' 'winograd.v_bytes: 4096'
plan sums.plan 'wgrad.pass_bytes: 4096' 'wgrad.range_rows: 16'
plan bad.plan 'direct.band_byte: 4096'
fails 'a misspelt name' 2 "bad.plan:4:1: no constant 'direct.band_byte'; did you mean 'direct.band_bytes'?$" \
    adze-benchmark --json --plan bad.plan start.st
plan bad.plan 'direct.band_bytes: 1'
fails 'a value out of range' 2 "bad.plan:4:20: 'direct.band_bytes' is a whole number from 4096 to 67108864 (bytes), not '1'$" \
    adze-infer --plan bad.plan -m start.st x.png
fails 'another level' 2 'measured at level .*, not at portable as here' \
    adze-evaluate --plan fast.plan --cpu=portable -m start.st -d valid.tar
head -n 4 cut.plan >bad.plan
fails 'a file that was cut' 3 "no line 'end: ...': the file was cut$" toy_train x.st --plan bad.plan
# The same words and status of all that read one; the model is not at fault.
says() { # NAME STATUS PATTERN
    fails "$1: adze-show" "$2" "^adze-show: $3" adze-show --plan --plan-file=bad.plan -m start.st
    fails "$1: adze-benchmark" "$2" "^adze-benchmark: $3" adze-benchmark --json --plan=bad.plan start.st
}
says 'a file that was cut' 3 "bad.plan:1:1: no line 'end: ...': the file was cut$"
printf 'adze: [1\n' >bad.plan
says 'no YAML' 3 'bad.plan:2:1: '
printf '\377\n' >bad.plan
says 'no text' 3 'bad.plan:1:1: this line is not UTF-8 text$'
: >bad.plan
says 'an empty file' 3 "bad.plan:1:1: no line 'adze: ...'$"
printf -- '- a\n' >bad.plan
says 'no map' 2 'bad.plan:1:1: a plan is a map of constants$'
plan bad.plan 'direct.tasks: many'
says 'no number' 2 "bad.plan:4:15: 'direct.tasks' is a whole number .*, not 'many'$"
rm bad.plan
says 'none at all' 3 "cannot open 'bad.plan': No such file or directory$"
fails 'before the model is read' 2 'cut.plan:' adze-show --plan --plan-file=cut.plan --cpu=portable -m none.st
fails 'a file for --plan itself' 2 "option '--plan' takes no value; did you mean '--plan-file'?$" \
    adze-show --plan=cut.plan -m start.st
fails 'no file' 3 "'none.plan'" adze-show --plan --plan-file=none.plan -m start.st
fails 'a plan for nothing' 2 'plan-file is for --plan' adze-show --plan-file=cut.plan -m start.st

run 'shows the constants' 0 adze-show --plan -m start.st
out_has '^# direct.band_bytes	262144 bytes	cut$'
run 'and those of a file' 0 adze-show --plan --plan-file=cut.plan -m start.st
out_has '^# direct.band_bytes	4096 bytes	cut	not 262144$'
out_has '^# direct.fewest_rows	2 rows	cut$'

# How work is cut changes nothing but the history.
run 'trains' 0 toy_train one.st
run 'cut otherwise' 0 toy_train cut.st --plan cut.plan -j 3
run 'the same numbers' 0 adze-compare one.st cut.st
adze-show --history -m one.st | tail -n 1 | sed 's/^/ /' >one.txt
run 'the history' 0 adze-show --history -m cut.st
out_has ' constants=direct.band_bytes=4096 direct.group_bytes=4096 direct.tasks=64 winograd.v_bytes=4096 '
out_has ' plan=[0-9a-f]\{32\}'
! grep -q ' constants=' one.txt
ok 'which names none where none was named' || explain <one.txt
tar xf valid.tar
find . -name '*.png' | sort >list
adze-infer -m one.st -n 10 <list >rows
adze-infer -m one.st -n 10 --plan cut.plan <list | cmp -s rows -
ok 'classifies alike'
adze-evaluate -m one.st -d valid.tar >rows
adze-evaluate -m one.st -d valid.tar --plan cut.plan | cmp -s rows -
ok 'evaluates alike'

# What is computed is part of a run.
run 'sums in other parts' 0 toy_train sums.st --plan sums.plan -R run -n 23
run 'which resumes' 0 toy_train sums.st --plan sums.plan -R run --resume -j 3
run 'the same without a stop' 0 toy_train whole.st --plan sums.plan
same sums.st whole.st
rm -rf run
run 'stops again' 0 toy_train sums.st --plan sums.plan -R run -n 23
fails 'a run goes on as it began' 2 'with the same --cpu, --plan and version' toy_train x.st -R run --resume
