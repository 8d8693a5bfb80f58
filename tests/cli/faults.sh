#!/bin/sh
# faults.sh -- what no command may do, whatever it is given (F-001 to F-015).
# SPDX-License-Identifier: MIT
# Loops over all commands; what an option takes is read from --help: N is an
# integer, X a real number.
. tests/cli/lib.sh
bin=$top/bin

# each NAME: collects the complaints of a loop, one a line in $out.
each() {
    [ ! -s "$work/bad" ]
    ok "$1" || explain <"$work/bad"
    : >"$work/bad"
}
complain() { echo "$*" >>"$work/bad"; }
: >"$work/bad"

# status WANT... -- COMMAND...: one of these statuses, no bug, in 20 seconds.
status() {
    wants=
    while [ "$1" != -- ]; do wants="$wants $1" && shift; done
    shift
    timeout 20 "$@" >"$out" 2>"$err"
    got=$?
    case "$wants " in
    *" $got "*) ;;
    *) complain "status $got, not$wants: $*: $(head -c 300 "$err")" ;;
    esac
    if grep -q 'adze: bug\|Sanitizer\|runtime error' "$err"; then
        complain "bug: $*: $(head -c 300 "$err")"
    fi
}

# refused COMMAND...: status 2, nothing on stdout, one line that is safe.
refused() {
    status 2 -- "$@"
    [ ! -s "$out" ] || complain "writes to stdout: $*"
    [ "$(wc -l <"$err")" = 1 ] || complain "not one line: $*: $(cat "$err")"
    head -1 "$err" | grep -q "^${1##*/}: " || complain "no name in front: $*: $(cat "$err")"
    tr -d '\n' <"$err" | LC_ALL=C grep -q '[[:cntrl:]]' && complain "control bytes: $*"
}

# options COMMAND PATTERN: its long options whose line of --help has PATTERN.
options() {
    "$1" --help | sed -n "s/^  \(-., \|    \)\(--[a-z0-9-]*\)$2\( .*\|\)\$/\2/p"
}

for c in "$bin"/adze*; do status 0 1 2 3 -- "$c" </dev/null; done
each 'F-001 no arguments, empty input: ends'
if command -v script >/dev/null; then
    for c in "$bin"/adze*; do
        status 0 1 2 3 -- script -qec "$c" /dev/null
        [ -s "$out" ] || complain "$c says nothing"
    done
    each 'F-001 no arguments on a terminal: says something'
else
    skip 'F-001 no arguments on a terminal: says something' 'script is not here'
fi

for c in "$bin"/adze*; do
    refused "$c" --no-such-option
    refused "$c" "--no-such$(printf '\033[31m\nx')"
    refused "$c" '-%'
    for o in $(options "$c" '=[^ ]*'); do
        refused "$c" "$o"
        refused "$c" "$o="
    done
    for o in $(options "$c" ''); do refused "$c" "$o=1"; done
done
each 'F-002 unknown options, missing and empty values'

for c in "$bin"/adze-*; do
    [ -e "$c" ] || continue
    status 2 3 -- "$c" -- -no-such-file </dev/null
    status 2 3 -- "$c" - - </dev/null
done
each 'F-003 F-004 operands "-- -x" and "- -"'

for c in "$bin"/adze*; do
    for o in $(options "$c" =N); do
        for v in -1 9223372036854775808 1e3 ' 7' 7x 0x10 '' 1,5; do
            refused "$c" "$o=$v"
        done
    done
    for o in $(options "$c" =X); do
        for v in nan inf -inf 1e-400x 0,5 '' ' 1' 0x1p3; do
            refused "$c" "$o=$v"
        done
    done
done
each 'F-005 numbers'

for c in "$bin"/adze*; do
    status 0 -- sh -c '"$1" -V <&-' - "$c"
    status 4 -- sh -c '"$1" -V >&-' - "$c"
    status 0 -- sh -c '"$1" -V 2>&-' - "$c"
    status 4 -- sh -c '"$1" -h <&- >&- 2>&-' - "$c"
    status 4 -- sh -c '"$1" -h >/dev/full' - "$c"
    grep -q 'standard output' "$err" || complain "$c says nothing of /dev/full"
    status 0 1 2 3 4 -- sh -c 'exec "$1" <&- >&- 2>&-' - "$c"
    [ -z "$(ls -A)" ] || complain "$c left $(ls -A)"
done
each 'F-006 closed descriptors, full output'

if command -v perl >/dev/null; then
    for c in "$bin"/adze*; do
        status 0 1 2 3 -- perl -e 'exec {$ARGV[0]} ""' "$c" </dev/null
        status 0 1 2 3 -- perl -e '@a = (); exec {$ARGV[0]} @a' "$c" </dev/null
    done
    each 'F-007 an empty argv[0], no argv at all'
else
    skip 'F-007 an empty argv[0], no argv at all' 'perl is not here'
fi

for c in "$bin"/adze*; do
    "$c" -h >"$work/plain"
    for e in 'LANG=garbage LC_ALL=garbage' 'LC_ALL=de_DE.UTF-8' 'NO_COLOR=1 TERM=dumb COLUMNS=0' \
        'COLUMNS=99999999999 TERM=' 'OMP_NUM_THREADS=abc OPENBLAS_NUM_THREADS=99999' \
        'TMPDIR=/nonexistent HOME=/nonexistent'; do
        # shellcheck disable=SC2086
        status 0 -- env $e "$c" -h
        cmp -s "$out" "$work/plain" || complain "$e changes $c -h"
    done
    status 0 -- env -i "$c" -h
    cmp -s "$out" "$work/plain" || complain "an empty environment changes $c -h"
done
each 'F-008 F-011 F-012 the environment changes nothing'

mkdir gone
(
    cd gone && rmdir ../gone
    for c in "$bin"/adze*; do status 0 -- "$c" -V; done
    status 0 -- adze-init lenet5 -O "$work/dir/elsewhere"
    status 4 -- adze-init lenet5 -O here
    status 3 -- adze-show -m here
)
[ -s elsewhere ] || complain "writes nothing elsewhere"
rm -f elsewhere
each 'F-009 the current folder is gone'

long=$(printf '%0300d' 0)
longer=$(printf '%05000d' 0)
for c in "$bin"/adze-*; do
    [ -e "$c" ] || continue
    for f in "$long" "$longer" "$(printf 'a\nb\tc\033[31m\377')" /nonexistent/x ""; do
        for o in $(options "$c" '=\(FILE\|DATA\)'); do
            case $o in
            --output) continue ;;
            --confusion | --grid | --logits | --proof) written=4 ;;
            *) written= ;;
            esac
            # shellcheck disable=SC2086
            status 2 3 $written -- "$c" "$o=$f" </dev/null
            tr '\n' ' ' <"$err" | LC_ALL=C grep -q '[[:cntrl:]]' && complain "control bytes: $c $o"
        done
        status 2 3 -- "$c" "$f" </dev/null
        tr '\n' ' ' <"$err" | LC_ALL=C grep -q '[[:cntrl:]]' && complain "control bytes: $c"
    done
done
each 'F-014 names that are too long or hold control bytes'

# ---- the output: for commands that write a file with -O ----

# job VERB: a small run of adze-VERB that writes to -O, without the -O; what
# it reads is made by `inputs'.  None for those that have no -O.
job() {
    case $1 in
    synth) echo adze-synth -n 1 --size=8 -f tar ;;
    init) echo adze-init lenet5 ;;
    augment) echo adze-augment -n 4 --size=8 -f frames -d set.tar ;;
    fuse-bn | reparam) echo "adze-$1 -m in.st" ;;
    calibrate | quantize) echo "adze-$1 -m in.st -d set.tar -n 10" ;;
    fuse-features) echo adze-fuse-features -q rows.st rows.st ;;
    export) echo adze-export -m in.st -f onnx ;;
    import) echo adze-import in.onnx ;;
    train) echo adze-train -m in.st -d set.tar -o global.epochs=1 -o train.batch=10 ;;
    benchmark | compare | evaluate | infer | show) ;;
    *) complain "job() has no line for adze-$1" ;;
    esac
}

inputs() {
    adze-synth -q -n 2 -O set.tar &&
        adze-init -q lenet5 -o classes=10 |
        adze-train -q -d set.tar -o global.epochs=1 -o train.batch=10 -O in.st &&
        adze-export -q -m in.st -O in.onnx &&
        adze-synth -q -n 2 -f folder -O set && find set -name '*.png' |
        adze-infer -m in.st --features=features -O rows.st >rows && rm -r set
}

rm -rf ./* && mkdir folder shut
inputs
ls -A >"$work/before"

# A name space of its own, for mounts: as root, or where users may have one.
for ns in 'unshare -m' 'unshare -rm' ''; do
    # shellcheck disable=SC2086
    [ -n "$ns" ] && $ns mount -t tmpfs tmpfs "$work/dir/shut" 2>/dev/null && break
done
closed='mount --bind shut shut && mount -o remount,ro,bind shut && exec "$@"'
small='mount -t tmpfs -o size=64k tmpfs /dev/shm && exec "$@"'
cpu=$(taskset -cp $$ 2>/dev/null | sed 's/.*: \([0-9]*\).*/\1/')

# output WANT... -- TARGET: the job with -O TARGET ends with one of these and
# leaves no temporary file.
output() {
    wants=
    while [ "$1" != -- ]; do wants="$wants $1" && shift; done
    # shellcheck disable=SC2086
    status $wants -- $run -q -O "$2"
    ls -A folder . | grep -q 'tmp\|temp\|\.adze' && complain "$run -O $2 leaves $(ls -A folder .)"
}

for c in "$bin"/adze-*; do
    run=$(job "${c##*/adze-}")
    [ -n "$run" ] || continue
    output 0 -- good
    output 4 -- folder
    [ -d folder ] || complain "$run replaces a folder"
    output 4 -- missing/x
    # shellcheck disable=SC2001
    gone=$(echo "$run" | sed 's/in\.st/gone.st/; s/in\.onnx/gone.onnx/; s/set\.tar/gone.tar/')
    # shellcheck disable=SC2086
    status 4 -- $gone -q -O missing/x
    grep -q "'missing/x'" "$err" || complain "$gone reads before it sees that it cannot write"
    output 4 -- "$longer"
    output 4 -- "folder/$long"
    output 4 -- /dev/full
    ln -s loop loop && output 4 -- loop
    ln -s folder/real link && output 0 -- link
    cmp -s good folder/real && [ -L link ] || complain "$run does not follow a link"
    echo old >there && chmod 640 there && output 0 -- there
    cmp -s good there || complain "$run does not replace a file"
    [ "$(stat -c %a there)" = 640 ] || complain "$run changes the mode to $(stat -c %a there)"
    mkfifo pipe && { cat pipe >got & } && output 0 -- pipe; wait
    cmp -s good got || complain "$run writes something else to a FIFO"
    (umask 0777 && output 0 -- masked)
    [ -e masked ] || complain "$run writes nothing under umask 0777"
    if [ -n "$ns" ]; then
        # shellcheck disable=SC2086
        status 4 -- $ns sh -c "$closed" - $run -q -O shut/x
        # shellcheck disable=SC2086
        status 0 -- $ns sh -c "$small" - $run -q -O other
        cmp -s good other || complain "$run writes something else where /dev/shm is small"
    fi
    for e in 'LANG=garbage LC_ALL=garbage TMPDIR=/nonexistent HOME=/nonexistent NO_COLOR=1 TERM=dumb COLUMNS=0' \
        'OMP_NUM_THREADS=abc OPENBLAS_NUM_THREADS=99999' "-i PATH=$bin" ${cpu:+"taskset -c $cpu"}; do
        # shellcheck disable=SC2086
        status 0 -- env $e $run -q -O other
        cmp -s good other || complain "$e changes what $run writes"
    done
    name=$(printf 'a\nb\033')
    output 0 -- "$name"
    cmp -s good "$name" || complain "$run fails on a strange name"
    (ulimit -f 0 && output 4 -- big)
    # a training run says that its model is lost
    case $run in *train*) end=4 ;; *) end=141 ;; esac
    # shellcheck disable=SC2086
    status $end -- bash -o pipefail -c "(sleep .1; exec $run -q) | true"
    # a model in the place of a model; ranges are none, which is refused
    if case $run in *calibrate*) false ;; *in.st*) true ;; *) false ;; esac then
        cp in.st kept
        output 0 -- in.st
        cmp -s good in.st || complain "$run -O in.st differs from another name"
        mv kept in.st
    fi
    rm -rf good other loop link there pipe got masked folder/real "$name"
    ls -A | cmp -s - "$work/before" || complain "$run left $(ls -A)"
done
each 'F-008 F-010 F-012 F-013 whatever the output and the environment are'
[ -n "$ns" ] || skip 'a read-only folder, 64 KB of /dev/shm' 'no mounts here'
[ -n "$cpu" ] || skip 'F-012 one processor' 'taskset is not here'

for run in 'adze-evaluate -m gone.st -d gone.tar --logits' 'adze-export -m gone.st -O x.onnx --proof' \
    'adze-evaluate -m gone.st -d gone.tar --confusion' 'adze-augment -d gone.tar --grid'; do
    # shellcheck disable=SC2086
    status 4 -- $run missing/x
    grep -q "'missing/x'" "$err" || complain "$run reads before it sees that it cannot write"
    # shellcheck disable=SC2086
    status 3 -- $run good
    [ ! -e good ] || complain "$run makes a file before it has something to write"
done
each 'other files are seen before the work as well'

# A clock that runs backwards from 1969 on.
cat >clock.c <<'E2'
#include <sys/time.h>
#include <time.h>
static long now = -1000000;
int clock_gettime(clockid_t id, struct timespec *t) { (void)id; t->tv_sec = now--; t->tv_nsec = 0; return 0; }
int gettimeofday(struct timeval *t, void *z) { (void)z; t->tv_sec = now--; t->tv_usec = 0; return 0; }
time_t time(time_t *t) { now--; if (t) *t = now; return now; }
E2
if ${CC:-cc} -shared -fPIC -o clock.so clock.c 2>/dev/null && ! ldd "$bin/adze" | grep -q asan; then
    for c in "$bin"/adze-*; do
        run=$(job "${c##*/adze-}")
        [ -n "$run" ] || continue
        # shellcheck disable=SC2086
        status 0 -- $run -q -O good
        # shellcheck disable=SC2086
        status 0 -- env LD_PRELOAD="$PWD/clock.so" $run -q -O bad
        cmp -s good bad || complain "the clock changes what $run writes"
    done
    each 'F-015 a clock that runs backwards'
else
    skip 'F-015 a clock that runs backwards' 'no preloading here'
fi
