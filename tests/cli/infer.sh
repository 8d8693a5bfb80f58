#!/bin/sh
# infer.sh -- adze-infer: rows in order, for any batch, also for what fails.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-synth -n 20 --size 32 -s 3 -f folder -O d && adze-synth -n 20 --size 32 -s 3 -O d.tar &&
    adze-init resnet20 -o classes=10 -o depths='[1, 1, 1]' -s 5 -O start.st &&
    adze-train -q -m start.st -d d -o global.epochs=1 -o train.batch=20 -O m.st
ok 'makes a model'
find d -name '*.png' | sort >list

run 'reads a list of paths' 0 adze-infer -m m.st <list
[ "$(wc -l <"$out")" = 201 ]
ok 'a row a picture'
cp "$out" rows
for b in 1 3 32; do
    adze-infer -m m.st -b $b <list | cmp -s - rows
    ok "the same rows for batches of $b"
done
find d -name '*.png' -print0 | sort -z | adze-infer -0 -m m.st | cmp -s - rows
ok 'paths that end with NUL'
adze-infer -m m.st -j 2 $(cat list) | cmp -s - rows
ok 'paths as operands'
adze-infer -m m.st <d.tar >"$out" && [ "$(wc -l <"$out")" = 201 ]
ok 'a tar on standard input'
first=$(head -1 list)
adze-infer -m m.st <"$first" | tail -1 | cut -f2- >a && sed -n 2p rows | cut -f2- >b && cmp -s a b
ok 'one picture on standard input'

head -c 100 "$first" >cut.png
echo hello >text.png
run 'goes on after what cannot be read' 3 adze-infer -m m.st "$first" none.png cut.png text.png "$first"
[ "$(wc -l <"$out")" = 6 ] && [ "$(wc -l <"$err")" = 3 ]
ok 'a row for each, a message for each that failed'
[ "$(head -1 "$err")" = "adze-infer: cannot open 'none.png': No such file or directory" ]
ok 'the message names it once' || explain <"$err"
sed -n 3p "$out" | grep -q 'No such file'
ok 'the row says why'
run 'says with -v which kernel computes what' 0 adze-infer -v -m m.st "$first"
err_has '^adze-infer: conv1: conv2d_direct_'
err_has '^adze-infer: level .* of the instruction set, [0-9]* threads$'
run 'writes JSON lines' 0 adze-infer -m m.st --json -n 3 "$first"
out_has '"label":'
printf '%s\n' "$first" | adze-infer -m m.st >/dev/full 2>"$err"
[ $? = 4 ]
ok 'a full disk ends with 4'
cp "$first" "a'b.png"
adze-infer -m m.st --json "a'b.png" >"$out" && grep -q "{\"path\":\"a'b.png\"" "$out"
ok 'a name with a quote is itself in JSON'
adze-infer -m m.st "a'b.png" | grep -q "^a'b.png	"
ok 'and in a row'
printf 'a.png\0b.png\0' >z
run 'paths that end with NUL need -0' 2 adze-infer -m m.st <z
err_has 'read with -0'
adze-synth -q -n 1 -O one && touch one/.DS_Store one/ring/Thumbs.db one/ring/._00000.png && tar -cf one.tar one
run 'what is no picture in a tar is passed over' 0 adze-infer -m m.st <one.tar
[ "$(wc -l <"$out")" = 11 ]
ok 'ten rows' || explain <"$out"
gzip -c one.tar >one.tgz
run 'a packed tar' 3 adze-infer -m m.st <one.tgz
err_has 'standard input: gzip data, not a tar: unpack it first, as in: gzip -dc FILE | adze-'
run 'frames' 3 sh -c 'adze-augment -q -d one | adze-infer -m m.st'
err_has 'standard input: a stream of frames'
echo 07070 | adze-infer -m m.st >"$out" 2>"$err"
err_has "cannot open '07070'"
if command -v script >/dev/null; then
    script -qec 'adze-infer -m m.st' /dev/null </dev/null >"$out"
    [ $? = 2 ] && grep -q 'standard input is a terminal' "$out"
    ok 'does not wait for a terminal'
else
    skip 'does not wait for a terminal' 'script is not here'
fi
fails 'needs a model' 2 '-m' adze-infer "$first"
fails 'an untrained head is refused' 2 'never trained' adze-infer -m start.st "$first"
