#!/bin/sh
# examples.sh -- the examples of the manual pages work.
# SPDX-License-Identifier: MIT
#
# Each line of EXAMPLES that begins with "$ " is run by sh in a scratch
# folder and must end with status 0; a line ending in \e goes on.  A display
# behind a line  .\" file: NAME  is written to that file first.  What else the
# examples may use is made by `world' below.  An example that needs more than
# a test has (a GPU, an hour) stands behind a line  .\" not run: REASON
. tests/cli/lib.sh

have() { command -v "$1" >/dev/null; }

# The folder that examples run in: a data set, pictures, a network that was
# not trained, and a model that was; as far as the commands are there.
world() {
    have adze-synth || return 0
    adze-synth -q -n 20 -O data/train && adze-synth -q -n 10 -s 2 -O data/val || return
    mkdir photos && cp data/val/ring/0000[0-4].png photos || return
    have adze-init || return 0
    adze-init -q resnet20 -o classes=10 -O new.st || return
    have adze-train || return 0
    adze-train -q -d data -o global.epochs=1 -O model.st <new.st
}

# The examples of a page, one a line; "# " in front of one not to run.
examples() {
    awk '
    /^\.Sh/ { on = /^\.Sh EXAMPLES/ }
    /^\.\\" not run/ { off = 1 }
    on && (/^\$ / || /^\.Dl \$ / || more) {
        sub(/^\.Dl /, ""); sub(/^\$ /, "")
        gsub(/\\\(dq/, "\""); gsub(/\\\(aq/, "\047"); gsub(/\\\(ti/, "~"); gsub(/\\&/, ""); gsub(/\\-/, "-")
        more = sub(/\\e$/, "")
        line = line $0
        if (!more) { print (off ? "# " : "") line; line = ""; off = 0 }
    }' "$1"
}

# Write the files that a page shows.
files() {
    awk '
    /^\.\\" file: / { name = $3 }
    /^\.Ed/ && name { close(name); name = "" }
    on && name { gsub(/\\e/, "\\"); gsub(/\\&/, ""); gsub(/\\-/, "-"); print > name }
    /^\.Bd/ { on = 1 }
    /^\.Ed/ { on = 0 }' "$1"
}

shell=$(command -v bash || command -v sh)
world >"$out" 2>&1
ok 'the world of the examples' || explain <"$out"
for page in "$top"/man/*.[1-9]; do
    files "$page"
    examples "$page" >"$work/examples"
    while read -r line; do
        case $line in '# '*) skip "${page##*/}: ${line#\# }" 'marked not to run' ; continue ;; esac
        "$shell" -c "$line" >"$out" 2>"$err" </dev/null
        ok "${page##*/}: $line" || cat "$err" "$out" | explain
    done <"$work/examples"
done
