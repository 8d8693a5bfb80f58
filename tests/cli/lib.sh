# lib.sh -- what shell tests need: TAP, a scratch folder, expectations.
# SPDX-License-Identifier: MIT
#
#   . tests/cli/lib.sh
#   run 'draws ten pictures' 0 adze-synth -n 10 -O d.tar
#   out_has '^# pictures 10$'
#   fails 'refuses rubbish' 2 "not '7x'" adze-synth -n 7x
#
# Each of the words below is one TAP test, except skip_all.  A test runs in
# an empty scratch folder that goes away; files `out' and `err' beside it
# ($out, $err) hold what the last command wrote.  $top is the source tree,
# $data the pictures that are not in it.

top=$PWD
data=$top/../shared/data
tests=0
work=$(mktemp -d "${TMPDIR:-/tmp}/adze-test.XXXXXX") || exit 1
out=$work/out err=$work/err
mkdir "$work/dir"
cd "$work/dir" || exit 1
PATH=$top/bin:$PATH
LC_ALL=C
export PATH LC_ALL
trap 'cd /; chmod -R u+rwX "$work"; rm -rf "$work"; echo "1..$tests"' EXIT
trap 'exit 1' INT TERM

# ok NAME: the last command's status decides.  A diagnosis comes from stdin
# of `explain'.
ok() {
    if [ $? = 0 ]; then
        tests=$((tests + 1))
        echo "ok $tests - $1"
        return 0
    fi
    tests=$((tests + 1))
    echo "not ok $tests - $1"
    return 1
}

explain() {
    sed 's/^/#   /' | head -20
}

skip() { # NAME REASON
    tests=$((tests + 1))
    echo "ok $tests - $1 # SKIP $2"
}

skip_all() { # REASON
    trap 'rm -rf "$work"' EXIT
    echo "1..0 # SKIP $1"
    exit 0
}

need_data() {
    [ -d "$data" ] || skip_all "../shared/data is not here"
}

# need_preload: builds tests/preload.c, which breaks what ADZE_FAULT says, in
# commands that are run by `broken FAULT COMMAND...'.
need_preload() {
    # the sanitizer must be the first library
    ! ldd "$top/bin/adze" 2>/dev/null | grep -q 'libasan' &&
        ${CC:-cc} -shared -fPIC -o "$work/fault.so" "$top/tests/preload.c" -ldl 2>"$err" ||
        skip_all 'nothing can be preloaded here'
}
broken() {
    fault=$1
    shift
    ADZE_FAULT=$fault LD_PRELOAD=$work/fault.so "$@"
}
# calls WHAT COMMAND...: how many calls of this kind it makes.
calls() {
    fault=$1
    shift
    ADZE_FAULT=$fault:0 ADZE_FAULT_COUNT=$work/count LD_PRELOAD=$work/fault.so "$@" >/dev/null 2>&1
    cat "$work/count"
}

# toy: the network toy.yaml and data train.tar and valid.tar of its size: ten
# steps an epoch at a batch of 40, in milliseconds, with all that a run could
# forget (running statistics, momentum, random crops, dropout).
toy() {
    cat >toy.yaml <<'Y'
network: toy
with: {classes: 10}
input: {size: [3, 16, 16]}
body:
  - conv: {as: conv1, out: 8, kernel: 3, pad: 1, stride: 2}
  - bn: {as: bn1}
  - relu
  - conv: {as: conv2, out: 16, kernel: 3, pad: 1, stride: 2}
  - bn: {as: bn2}
  - relu
  - global_avg_pool
  - dropout: {rate: 0.1}
  - linear: {as: fc, out: $classes}
Y
    adze-synth -n 40 --size 16 -s 3 -O train.tar && adze-synth -n 10 --size 16 -s 4 -O valid.tar &&
        adze-init ./toy.yaml -s 5 -O start.st
    ok 'makes data and a small network'
}

# toy_train OUTPUT OPTION...: five epochs of it.
toy_train() {
    to=$1
    shift
    adze-train -q -m start.st -d train.tar -e valid.tar -o global.epochs=5 -o train.batch=40 \
        -o schedule.warmup='5 steps' -o schedule.lr=0.3 -O "$to" "$@"
}

# run NAME STATUS COMMAND...: ends with STATUS and reports no bug.
run() {
    name=$1 want=$2
    shift 2
    "$@" >"$out" 2>"$err"
    got=$?
    [ $got = "$want" ] && ! grep -q 'adze: bug\|Sanitizer\|runtime error' "$err"
    ok "$name" || {
        echo "status $got, not $want, of: $*"
        cat "$err"
    } | explain
}

# fails NAME STATUS PATTERN COMMAND...: ends with STATUS, writes nothing to
# stdout and one line to stderr: "adze...: ...PATTERN...".
fails() {
    name=$1 want=$2 pattern=$3
    shift 3
    "$@" >"$out" 2>"$err"
    got=$?
    [ $got = "$want" ] && [ ! -s "$out" ] && [ "$(wc -l <"$err")" = 1 ] &&
        grep -q '^adze[a-z-]*: ' "$err" && grep -q -e "$pattern" "$err"
    ok "$name" || {
        echo "status $got, not $want, or not one line with \"$pattern\", of: $*"
        echo "stdout has $(wc -c <"$out") bytes, stderr:"
        cat "$err"
    } | explain
}

# What the last command wrote.
out_is() { # TEXT
    printf '%s\n' "$1" | cmp -s - "$out"
    ok "$name: output" || { echo "expected:"; echo "$1"; echo "got:"; cat "$out"; } | explain
}
out_has() { # PATTERN
    grep -q -e "$1" "$out"
    ok "$name: output has $1" || explain <"$out"
}
err_is() { # TEXT
    printf '%s\n' "$1" | cmp -s - "$err"
    ok "$name: message" || { echo "expected: $1"; echo "got:"; cat "$err"; } | explain
}
err_has() { # PATTERN
    grep -q -e "$1" "$err"
    ok "$name: message has $1" || explain <"$err"
}
same() { # FILE FILE
    cmp -s "$1" "$2"
    ok "$name: '$1' and '$2' are the same bytes"
}
# only FILE...: the scratch folder holds these and nothing else.
only() {
    [ "$(ls -A | sort)" = "$(printf '%s\n' "$@" | sort)" ]
    ok "$name: leaves only: $*" || ls -A | explain
}
