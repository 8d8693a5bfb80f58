#!/bin/sh
# fault-signal.sh -- signals at any time, readers and writers that go away
# (F-128 to F-133, F-138, F-139).
# SPDX-License-Identifier: MIT
# ADZE_FAULT_SIGNALS: how many signals are sent at random times (60).
. tests/cli/lib.sh
ulimit -c 0
signals=${ADZE_FAULT_SIGNALS:-60}

toy
long='-o global.epochs=30 -R run'
# shellcheck disable=SC2086
toy_train one.st $long
rm -rf run
ok 'the run that nothing stops'

complain() { echo "$*" >>"$work/bad"; }
each() {
    [ ! -s "$work/bad" ]
    ok "$1" || explain <"$work/bad"
    : >"$work/bad"
}
: >"$work/bad"

# start OPTION...: the run in the background, $pid; a shell would let it ignore
# INT and QUIT, and this test may run under nohup.
start() {
    rm -f run/lock x.st
    # shellcheck disable=SC2086
    perl -e '$SIG{INT} = $SIG{QUIT} = $SIG{HUP} = "DEFAULT"; exec @ARGV or die' \
        adze-train -q -m start.st -d train.tar -e valid.tar -o global.epochs=5 -o train.batch=40 \
        -o schedule.warmup='5 steps' -o schedule.lr=0.3 $long --resume -O x.st "$@" >"$out" 2>"$err" &
    pid=$!
}
# Until the run is under way: then it catches signals.
started() {
    while [ ! -s run/lock ] && kill -0 $pid 2>/dev/null; do :; done
    while [ ! -e run/recipe.yaml ] && kill -0 $pid 2>/dev/null; do :; done
}
ends() { # STATUS...
    wait $pid
    got=$?
    case " $* " in
    *" $got "*) ;;
    *) complain "status $got, not $*: $(cat "$err")" ;;
    esac
    grep -q 'adze: bug\|Sanitizer' "$err" && complain "$(cat "$err")"
}

# The kernel's default may come before the program has said otherwise, and
# the end of the run before the signal.
i=0
while [ $i -lt "$signals" ]; do
    i=$((i + 1))
    start -j $((i % 3 + 1))
    sleep 0.$(printf %03d $((i * 37 % 130)))
    case $((i % 8)) in
    0) sig=INT wants='0 75 130' ;;
    1) sig=TERM wants='0 75 143' ;;
    2) sig=HUP wants='0 75 129' ;;
    3) sig=XCPU wants='0 75 152' ;;
    4) sig=USR1 wants='0 138' ;;
    5) sig=USR2 wants='0 140' ;;
    6) sig=PIPE wants='0 141' ;;
    7) sig=QUIT wants='0 131' ;;
    esac
    kill -$sig $pid 2>/dev/null
    # shellcheck disable=SC2086
    ends $wants 2>/dev/null
    [ -e x.st ] || continue
    cmp -s x.st one.st || complain "after $i signals: another model"
    rm -rf run
done
each "F-128 $signals signals at any time"
start
ends 0
cmp -s x.st one.st
ok 'the same bytes in the end'

# caught SIGNAL STATUS: under way, it does what is promised.
caught() {
    rm -rf run
    start
    started
    kill -"$1" $pid
    ends "$2"
}
for s in INT TERM HUP XCPU; do
    caught $s 75
    grep -q '^adze-train: interrupted at step [0-9]* of 300; go on with --resume$' "$err" || complain "$s: $(cat "$err")"
    [ ! -e x.st ] && [ -s run/last.st ] || complain "$s: $(ls . run)"
done
each 'F-128 INT TERM HUP XCPU save and end with 75'
start
ends 0
cmp -s x.st one.st
ok 'and the run goes on from there'
caught USR1 0
cmp -s x.st one.st
each 'F-128 USR1 saves and goes on'

rm -rf run
start
started
perl -e 'for (1 .. 300) { kill 15, $ARGV[0]; select undef, undef, undef, .0005 }' $pid
ends 75
each 'F-129 TERM a thousand times a second'
rm -rf run
start -j 3
started
case $(uname -m) in aarch64) tgkill=131 ;; *) tgkill=234 ;; esac
perl -e 'my ($p, $call) = @ARGV;
    for (</proc/$p/task/*>) { m{(\d+)$}; syscall $call + 0, $p + 0, $1 + 0, 15 if $1 != $p }' $pid $tgkill
ends 0
cmp -s x.st one.st
each 'F-129 TERM to the worker threads: it is not for them'

# A run whose steps take long.
adze-synth -n 30 -s 3 -O large.tar && adze-init resnet20 -o classes=10 -O large.st
long='-m large.st -d large.tar -e large.tar -R slow -o train.batch=300'
start
until [ -e slow/recipe.yaml ]; do sleep 0.01; done
kill -INT $pid
sleep 0.05
kill -INT $pid
ends 130
[ -z "$(ls -A slow | grep tmp)" ] || complain "leaves $(ls -A slow)"
each 'F-129 the second INT ends at once'
long='-o global.epochs=30 -R run'

rm -rf run
start
started
kill -STOP $pid && sleep 0.3 && kill -CONT $pid
ends 0
cmp -s x.st one.st
each 'F-130 stopped for a while'

# ---- readers and writers ----

# shellcheck disable=SC2086
loud() { adze-train -m start.st -d train.tar -e valid.tar -o train.batch=40 -o global.epochs=4 "$@"; }
rm -rf run
loud -O quiet.st 2>/dev/null
{ loud -O head.st -R run 2>&1 && echo done >there; } | head -c 1 >"$out"
while [ ! -e there ] && [ $((i += 1)) -lt 1000 ]; do sleep 0.01; done
name='F-131 the reader of the log goes away'
same quiet.st head.st
rm -rf run
run 'F-138 messages go nowhere' 0 sh -c 'adze-train -m start.st -d train.tar -e valid.tar -o train.batch=40 \
    -o global.epochs=4 -R run -O closed.st 2>&-'
same quiet.st closed.st
rm -rf run
run 'F-138 nor to a full disk' 0 sh -c 'adze-train -m start.st -d train.tar -e valid.tar -o train.batch=40 \
    -o global.epochs=4 -R run -O full.st 2>/dev/full'
same quiet.st full.st

rm -rf run
(
    trap '' HUP
    toy_train up.st -R run -o global.epochs=30 &
    sleep 0.1
    kill -HUP "$(cat run/lock)"
    wait
)
cmp -s up.st one.st
ok 'F-139 nohup'

# A command that fills a folder, killed while it does.
for sig in INT:130 TERM:143 HUP:129; do
    for c in 'synth -n 20000 --size=16' 'augment -d train.tar --epochs=2000 -f folder'; do
        # shellcheck disable=SC2086
        perl -e '$SIG{INT} = $SIG{HUP} = "DEFAULT"; exec @ARGV or die' adze-$c -q -O filled >"$out" 2>"$err" &
        pid=$!
        until ls filled.adze-*/*/* >"$out" 2>&1 || ! kill -0 $pid 2>/dev/null; do :; done
        kill -"${sig%:*}" $pid
        ends "${sig#*:}" 2>/dev/null
        left=$(echo filled*)
        [ "$left" = 'filled*' ] || complain "$c: leaves $left"
    done
done
each 'F-128 a folder that was being filled is gone'

# deaf COMMAND...: nobody reads what it says.
deaf() { perl -e 'pipe R, W; close R; open STDERR, ">&", W; $SIG{PIPE} = "DEFAULT"; exec @ARGV or die' "$@"; }
seq 10 >names
for c in 'init ./toy.yaml --from one.st' 'init ./toy.yaml -v --classes=names' 'fuse-bn -m one.st' \
    'fuse-bn --json -m one.st' 'reparam -m one.st' 'quantize -m one.st -n 20 -d train.tar' \
    'calibrate -m one.st -n 20 -d train.tar' 'export -m one.st' 'synth -n 1 -v -f tar' 'augment -d train.tar -v -f tar'; do
    rm -f deaf.st
    # shellcheck disable=SC2086
    deaf adze-$c -O deaf.st >"$out"
    got=$?
    [ $got = 0 ] && [ -s deaf.st ] || complain "$c: status $got"
done
each 'F-131 a report that nobody reads costs no file'

adze-synth -n 20 --size 16 -f folder -O few
for c in 'synth -n 200' 'infer -m one.st -b 1 few/*/*.png' 'augment -d train.tar --epochs=9 -f frames' \
    'init ./toy.yaml' 'show -m one.st --state'; do
    bash -o pipefail -c "(sleep .05; exec adze-$c) | head -c 0" >"$out" 2>"$err"
    [ $? = 141 ] || complain "$c: status $?"
    [ ! -s "$err" ] || complain "$c: $(cat "$err")"
done
each 'F-131 filters end without a word'

fails 'F-132 half a model' 3 'standard input' sh -c 'head -c 5000 one.st | adze-show'
head -c 60000 train.tar | adze-infer -m one.st >"$out" 2>"$err"
[ $? = 3 ] && [ "$(wc -l <"$out")" -gt 10 ] && [ "$(wc -l <"$err")" = 1 ]
ok 'F-132 half a tar: the rows before, and 3' || explain <"$err"
adze-augment -d train.tar --size=16 -b 40 -f frames -O frames.st
run 'trains from a pipe' 0 sh -c 'adze-train -q -m start.st -d - -o train.batch=40 -o global.epochs=1 -O piped.st <frames.st'
size=$(stat -c %s frames.st)
for n in 100 $((size / 2)) $((size - 1)); do
    head -c $n frames.st | adze-train -q -m start.st -d - -o train.batch=40 -o global.epochs=1 -O cut.st >"$out" 2>"$err"
    got=$?
    [ $got = 3 ] && [ ! -e cut.st ] && [ "$(wc -l <"$err")" = 1 ] || complain "$n bytes: status $got: $(cat "$err")"
done
each 'F-132 half a stream of frames'
cat >slow.pl <<'P'
# slow.pl COMMAND...: its input and output pass byte by byte, and do not block.
use Fcntl;
sub unblock { fcntl $_[0], F_SETFL, fcntl($_[0], F_GETFL, 0) | O_NONBLOCK }
pipe my $in, my $feed; pipe my $drain, my $to;
unblock($_) for $in, $to;
if (!fork) { open STDIN, '<&', $in; open STDOUT, '>&', $to; close $_ for $feed, $drain, $in, $to; exec @ARGV }
close $in; close $to;
if (!fork) { close $drain; while (sysread STDIN, my $c, 1 + rand 700) { my $at = 0; while ($at < length $c) { $at += syswrite $feed, $c, 97, $at } } exit }
close $feed;
while (sysread $drain, my $c, 1 + rand 500) { print $c }
wait; wait;
P
perl slow.pl adze-fuse-bn -q <one.st >slow.st 2>"$err" && adze-fuse-bn -q -m one.st -O fast.st && cmp slow.st fast.st
ok 'F-133 input and output that do not block, in small pieces' || explain <"$err"
