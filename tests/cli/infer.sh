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

for n in png ppm bmp; do
    case $n in
    png) cat "$first" "$first" ;;
    ppm) printf 'P6 1 1 255\nabc' && cat "$first" ;;
    bmp) printf 'BM\036\0\0\0\0\0\0\0\032\0\0\0\014\0\0\0\001\0\001\0\001\0\030\0abc\0' && cat "$first" ;;
    esac >two.$n
done
for n in png ppm bmp; do
    fails "$n: several pictures, one behind the other" 3 'a second picture begins at byte [0-9]*: give one, a tar' \
        adze-infer -m m.st <two.$n
done
{ cat "$first" && echo more; } >more.png
run 'other bytes behind one' 0 adze-infer -m m.st <more.png

# A list that pauses: rows come before the next path does.
for sep in '\n' '\0'; do
    mkfifo paths
    [ $sep = '\n' ] && zero= || zero=-0
    adze-infer $zero -m m.st <paths >slow 2>"$err" &
    exec 3>paths
    for n in 2 3 4; do
        printf "$first$sep" >&3
        i=0
        while [ "$(wc -l <slow)" -lt $n ] && [ $((i += 1)) -lt 600 ]; do sleep 0.05; done
    done
    [ "$(wc -l <slow)" = 4 ]
    ok "a row as each path comes, '$sep'" || explain <"$err"
    exec 3>&-
    wait $!
    rm paths
done

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
err_has '^adze-infer: pictures are prepared on cpu$'
err_has '^adze-infer: level .* of the instruction set, [0-9]* threads$'
adze-infer -m m.st --prepare=cpu <list | cmp -s - rows
ok 'and so it is where the CPU is asked for that'
fails 'a place that is none' 2 "not 'gpu'" adze-infer -m m.st --prepare=gpu "$first"
run 'writes JSON lines' 0 adze-infer -m m.st --json -n 3 "$first"
out_has '"label":'
printf '%s\n' "$first" | adze-infer -m m.st >/dev/full 2>"$err"
[ $? = 4 ]
ok 'a full disk ends with 4'
cp "$first" "a'b.png"
adze-infer -m m.st --json "a'b.png" >"$out" && grep -q "{\"path\":\"a'b.png\"" "$out"
ok 'a name with a quote is itself in JSON'
cp "$first" "$(printf 'bad\377.png')" && cp "$first" 'bad\xff.png'
adze-infer -m m.st --json bad* >"$out"
[ "$(grep -c '{"path":"bad..xff.png"' "$out")" = 2 ] && [ "$(grep -c ',"path_hex":"626164ff2e706e67",' "$out")" = 1 ]
ok 'bytes that are no text are told from what they are shown as' || explain <"$out"
rm bad*
adze-infer -m m.st "a'b.png" | grep -q "^a'b.png	"
ok 'and in a row'
printf 'a.png\0b.png\0' >z
run 'paths that end with NUL need -0' 2 adze-infer -m m.st <z
err_has 'read with -0'
adze-synth -q -n 1 -O one && touch one/.DS_Store one/ring/Thumbs.db one/ring/._00000.png && tar -cf one.tar one
run 'what is no picture in a tar is passed over' 0 adze-infer -m m.st <one.tar
[ "$(wc -l <"$out")" = 11 ]
ok 'ten rows' || explain <"$out"
run 'an empty standard input has no rows' 0 adze-infer -m m.st </dev/null
out_is "$(head -1 rows)"
err_is 'adze-infer: standard input holds no picture: did the command before it find none?'
run 'nor in JSON' 0 adze-infer --json -m m.st </dev/null
err_has 'holds no picture'
[ ! -s "$out" ]
ok 'nothing is printed'
run 'quietly' 0 adze-infer -q -m m.st </dev/null
[ ! -s "$err" ]
ok 'nothing is said' || explain <"$err"
mkdir none && touch none/.hidden && tar -cf none.tar none
run 'a tar without pictures' 0 adze-infer -m m.st <none.tar
err_has 'holds no picture'
run 'features of an empty standard input' 3 adze-infer -m m.st --features -O x.st </dev/null
err_is "adze-infer: no picture was read: 'x.st' is not written"
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
if command -v script >/dev/null; then
    script -qec "{ echo $first; sleep 1; echo $first; echo $first; } | TERM=xterm adze-infer -m m.st >'$work/rows'" \
        /dev/null </dev/null >"$out"
    grep -q 'infer [23], .* pictures/s' "$out"
    ok 'shows progress on a terminal' || explain <"$out"
    script -qec "{ echo $first; sleep 1; echo $first; echo $first; } | TERM=xterm adze-infer -m m.st" \
        /dev/null </dev/null >"$out"
    ! grep -q 'pictures/s' "$out"
    ok 'but not between rows' || explain <"$out"
else
    skip 'shows progress on a terminal' 'script is not here'
fi
fails 'model and pictures from one pipe' 2 'cannot be both the model and the pictures' sh -c 'adze-infer -m - <m.st'
run 'the model from a pipe' 0 sh -c 'adze-infer -m - "$0" <m.st' "$first"
fails 'needs a model' 2 '-m' adze-infer "$first"
fails 'an untrained head is refused' 2 'never trained' adze-infer -m start.st "$first"

# Values inside, and networks that end before their classifier.
run 'writes features' 0 adze-infer -m m.st --features -O f.st <list
cmp -s "$out" rows
ok 'and the rows'
adze-infer -m m.st -b 3 --features -O g.st <list >"$out" && cmp -s f.st g.st
ok 'the same for batches of 3'
run 'of those that can be read' 3 adze-infer -m m.st --features=features -O f.npy "$first" none.png cut.png "$first"
head -c 128 f.npy | grep -qa "'shape': (2, 64)"
ok 'a row for each'
for name in layer1.0.relu_2:16,32,32 layer2.0.relu_2:32,16,16 layer3.0.relu_2:64,8,8 features:64; do
    grep -qa "\"${name%:*}\":{\"dtype\":\"F32\",\"shape\":\[200,${name#*:}\]" f.st
    ok "the maps in front of each down-sampling: ${name%:*}" || head -c 900 f.st | explain
done
grep -qa '"paths":"\[\\"d/' f.st
ok 'the paths of the rows'
adze-synth -q -n 1 -O q.tar && adze-fuse-bn -q -m m.st | adze-quantize -q -d q.tar -O m8.st
fails 'features of 8 bits' 2 'in 8 bits and keeps no features' adze-infer -m m8.st --features -O f8.st "$first"
run 'a scope means its last value' 0 adze-infer -m m.st --features=layer2,conv1 -O h.st "$first"
grep -qa '"layer2":{"dtype":"F32","shape":\[1,32,16,16\]' h.st
ok 'as in messages'
fails 'a name that is none' 2 "has no value 'layer9'" adze-infer -m m.st --features=layer9 -O x.st "$first"
fails 'a parameter' 2 "'bn1.weight' is no value of a picture" \
    adze-infer -m m.st --features=bn1.weight -O x.st "$first"
fails 'features over the picture' 2 'is the picture itself' adze-infer -m m.st --features -O "$first" "$first"
cp list in.list
fails 'features over the list' 2 "'in.list' is the pictures itself" sh -c 'adze-infer -m m.st --features -O in.list <in.list'
rm in.list
fails 'features over the model' 2 "'./m.st' is the model itself" adze-infer -m m.st --features -O ./m.st "$first"
fails 'an empty name' 2 'an empty name' adze-infer -m m.st --features=a, -O x.st "$first"
fails 'several in one array' 2 "'x.npy' holds one value, not 2" \
    adze-infer -m m.st --features=layer1,layer2 -O x.npy "$first"
fails 'features as NPZ' 2 "'x.npz': features are written as safetensors" \
    adze-infer -m m.st --features -O x.npz "$first"
run 'a folder' 3 adze-infer -m m.st d
err_has "^adze-infer: 'd' is a folder: give the pictures in it, as by find d -name"
fails 'features without a file' 2 'a file for the values: -O FILE' adze-infer -m m.st --features "$first"
fails 'a file without features' 2 '-O is for the values' adze-infer -m m.st -O x.st "$first"
fails 'a folder that is not there' 4 "'no/x.st'" adze-infer -m m.st --features -O no/x.st "$first"
run 'features of nothing' 3 adze-infer -m m.st --features -O x.st none.png
err_has "no picture was read: 'x.st' is not written"
[ ! -e x.st ] && [ ! -e x.npy ]
ok 'nothing is left of what failed'

adze-init -q resnet20 -o classes=0 -o depths='[1, 1, 1]' --from=m.st --head=new -O e.st
ok 'a network without classes'
run 'prints vectors' 0 adze-infer -m e.st "$first"
[ "$(head -1 "$out")" = "# path	features	error" ] && [ "$(tail -1 "$out" | cut -f2 | wc -w)" = 64 ]
ok 'of 64 numbers'
run 'as JSON' 0 adze-infer -m e.st --json "$first"
out_has '"features":\[[0-9.e+-]*\(,[0-9.e+-]*\)\{63\}\]'
adze-infer -m e.st --features=features -O e.npy "$first" >"$out"
tail -c +129 e.npy >a && tail -c +129 f.npy | head -c 256 | cmp -s - a
ok 'the numbers that the classifier had read'
adze-fuse-bn -q -m e.st | adze-compare e.st - >"$out"
ok 'other commands take it'
fails 'it has no classes to count' 2 '-n counts classes' adze-infer -m e.st -n 3 "$first"
fails 'it has no classes to train' 3 "the network's head 0 classes" adze-train -q -m e.st -d d -O x.st
fails 'or to evaluate' 3 '0 classes' adze-evaluate -m e.st -d d
