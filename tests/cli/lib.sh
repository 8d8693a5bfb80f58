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
