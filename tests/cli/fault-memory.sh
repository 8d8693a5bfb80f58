#!/bin/sh
# fault-memory.sh -- every command when there is no memory (F-140), and with
# next to none (F-142, F-143).
# SPDX-License-Identifier: MIT
# One allocation in ADZE_FAULT_STEP (33) fails: by turns it alone, and it with
# all behind it.
. tests/cli/lib.sh
need_preload

toy
adze-synth -n 3 --size 16 -s 7 -f folder -O few && toy_train trained.st -o global.epochs=1 &&
    adze-calibrate -q -m trained.st -d few -n 10 -O ranges.st && adze-export -q -m trained.st -O trained.onnx &&
    find few -name '*.png' | adze-infer -m trained.st --features=features -O rows.st >rows &&
    adze-fuse-features -q rows.st rows.st -O dca.st
ok 'makes what the commands read'
step=${ADZE_FAULT_STEP:-33}

complain() { echo "$*" >>"$work/bad"; }

# jobs VERB: small runs of adze-VERB, one a line; OUT is an output file.
jobs() {
    case $1 in
    augment) echo '-d few -n 4 -f tar -O OUT' ;;
    benchmark) echo '--seconds=0.01 -j 1 trained.st' ;;
    calibrate) echo '-m trained.st -d few -n 10 -O OUT' ;;
    compare)
        echo 'start.st trained.st --tolerance=100'
        echo 'start.st trained.st --tolerance=100 -d few --json --classes'
        ;;
    evaluate) echo '-m trained.st -d few --json --classes --logits OUT --confusion OUT2' ;;
    export)
        echo '-m trained.st -f onnx -O OUT'
        echo '-m trained.st -f safetensors -O OUT'
        ;;
    fuse-bn) echo '-m trained.st -O OUT' ;;
    fuse-features)
        echo 'rows.st rows.st -O OUT'
        echo '--apply=dca.st rows.st rows.st -O OUT'
        ;;
    import) echo 'trained.onnx -O OUT' ;;
    infer)
        echo '-m trained.st few/star/00000.png'
        echo '-m trained.st --json -n 3 few/star/00000.png'
        ;;
    init)
        echo './toy.yaml -O OUT'
        echo './toy.yaml --from trained.st -O OUT'
        ;;
    quantize) echo '-m trained.st --ranges ranges.st -O OUT' ;;
    reparam) echo '-m trained.st -O OUT' ;;
    show)
        echo '-m trained.st'
        echo '-m trained.st --json'
        echo '-m trained.st --plan'
        ;;
    synth) echo '-n 1 --size=8 -f tar -O OUT' ;;
    train) echo '-m start.st -d few -e few -o global.epochs=1 -o train.batch=15 -R run -O OUT' ;;
    esac
}

# one_line: the message of the end, beside those of a log or page of a run,
# which end nothing.
one_line() {
    [ -s "$err" ] && [ "$(grep -cv "cannot write 'run/\(log.txt\|report.html\)'" "$err")" -le 1 ]
}

# one WHAT COMMAND...: ends with 4 and one line, or does its work as if
# nothing had been: an allocation may have been for speed alone.
one() {
    what=$1
    shift
    rm -rf OUT OUT2 run
    broken "$what" timeout 20 "$@" >"$out" 2>"$err" </dev/null
    got=$?
    case $got in
    0) [ ! -e "$work/good" ] || cmp -s OUT "$work/good" || complain "$what: status 0, another output" ;;
    4)
        one_line || complain "$what: not one line: $(head -c 500 "$err")"
        grep -q 'memory' "$err" || complain "$what: $(cat "$err")"
        # whole, if memory ran out behind it
        [ ! -e OUT ] || cmp -s OUT "$work/good" || complain "$what: writes another output"
        ;;
    3) # the system's own words, of a call that may have other reasons
        [ "$(wc -l <"$err")" = 1 ] && grep -q ': Cannot allocate memory' "$err" ||
            complain "$what: status 3: $(head -c 500 "$err")"
        ;;
    *) complain "$what: status $got: $(head -c 500 "$err")" ;;
    esac
    [ -z "$(ls -A . run 2>/dev/null | grep tmp)" ] || complain "$what: leaves $(ls -A | grep tmp)"
}

for c in "$top"/bin/adze-*; do
    verb=${c##*/adze-}
    jobs "$verb" >"$work/jobs"
    [ -s "$work/jobs" ] || ok "jobs() has a line for adze-$verb"
    while read -r options; do
        : >"$work/bad"
        rm -rf OUT OUT2 run "$work/good"
        # shellcheck disable=SC2086
        n=$(calls malloc adze-$verb -q $options)
        [ ! -e OUT ] || cp OUT "$work/good"
        [ "$n" -gt 30 ] || complain "only $n allocations"
        k=$((step / 2))
        while [ $k -lt "$n" ]; do
            # shellcheck disable=SC2086
            one malloc:$k adze-$verb -q $options
            k=$((k + step))
            # shellcheck disable=SC2086
            one malloc:$k+ adze-$verb -q $options
            k=$((k + step))
        done
        [ ! -s "$work/bad" ]
        ok "F-140 $n allocations of adze-$verb $options" || explain <"$work/bad"
    done <"$work/jobs"
done

rm -rf OUT OUT2 run
fails 'F-142 a limit of memory' 4 'memory' \
    bash -c 'ulimit -v 400000; exec adze-infer -j 1 -m trained.st -b 1000000 few/star/00000.png'
# A head of 20,000 classes on 1024 features: 82 MB.  Training holds six of it
# (the file, weights, momentum, gradient, two packed forms), inference two.
cat >wide.yaml <<'Y'
network: wide
input: {size: [3, 16, 16]}
body:
  - conv: {as: conv, out: 1024, kernel: 4, stride: 4}
  - bn: {as: bn}
  - relu
  - global_avg_pool
  - linear: {as: fc, out: 20000}
Y
adze-synth -n 4 --size 16 -f folder -O wide
limited() { # KB COMMAND...
    kb=$1
    shift
    bash -c "ulimit -v $kb; exec \"\$@\"" limited "$@"
}
run 'a large head is made in 260 MB' 0 limited 260000 adze-init -q ./wide.yaml -O wide.st
run 'trained in 740 MB' 0 limited 740000 adze-train -q -j 1 -m wide.st -d wide \
    -o global.epochs=1 -o train.batch=8 -n 1 -O wide.st
run 'used in 260 MB' 0 limited 260000 adze-infer -j 1 -m wide.st "$(find wide -name '*.png' | sort | head -1)"
rm -rf wide wide.st
run 'F-142 a stack of 64 KB' 0 bash -c 'ulimit -s 64; exec adze-evaluate -m trained.st -d few -j 2'
run 'F-143 ten files at a time' 0 bash -c 'ulimit -n 10; exec adze-evaluate -m trained.st -d few -j 2'
run 'trains so, too' 0 bash -c 'ulimit -n 10; ulimit -s 64
    exec adze-train -q -m start.st -d few -e few -o global.epochs=1 -o train.batch=15 -R run -O OUT'
