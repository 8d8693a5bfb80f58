#!/bin/sh
# augment.sh -- the augmentation pipeline as a filter.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-synth -n 4 --size=16 -O set
adze-synth -n 4 --size=16 -O set.tar
picture=set/star/00001.png

run 'a folder as a tar' 0 adze-augment -d set -O a.tar
run 'a tar from a pipe, by several threads' 0 sh -c 'adze-augment -j 3 -d - -O b.tar <set.tar'
same a.tar b.tar
[ "$(tar -tf a.tar | wc -l)" = 40 ] && tar -tf a.tar | grep -qx 'star/000029.png'
ok 'class folders of numbers'
run 'standard input needs no option' 0 sh -c 'adze-augment -f tar <set.tar'
same "$out" a.tar
run 'another seed' 0 adze-augment -d set -s 2 -O b.tar
! cmp -s a.tar b.tar
ok 'is another result'
run 'the seed of the recipe' 0 adze-augment -d set -o global.seed=2 -O c.tar
same b.tar c.tar
run 'seed 0' 0 adze-augment -d set -o global.seed=2 -s 0 -O b.tar
run 'is a seed' 0 adze-augment -d set -o global.seed=0 -O c.tar
same b.tar c.tar
! cmp -s a.tar b.tar
ok 'and its result is its own'
run 'no operators' 0 adze-augment --policy='[]' -d set -O plain
run 'changes no pixel' 0 adze-augment --policy='[flip, {flip: {p: 0}}]' -o train.augment='[]' -d plain -O twice
cmp -s plain/ring/000016.png set/ring/00000.png
ok 'PNG in, PNG out: the same bytes'
run 'a flip that always fires, twice' 0 adze-augment --policy='[{flip: {p: 1}}, {flip: {p: 1}}]' -d set -O flipped
diff -r plain flipped >"$out"
ok 'is nothing' || explain <"$out"
run 'the counts' 0 adze-augment -v --policy='[{flip: {p: 1}}, {grey: {p: 0}}]' -d set -O counted
err_has '^adze-augment: level .* of the instruction set, [0-9]* threads$'
err_is "$(head -1 "$err")"'
adze-augment: flip changed 40 of 40 pictures (100.0 %)
adze-augment: grey changed 0 of 40 pictures (0.0 %)'
run 'several epochs' 0 adze-augment --epochs=3 -n 10 -d set -O three.tar
[ "$(tar -tf three.tar | wc -l)" = 30 ] && tar -tf three.tar | grep -qx 'circle/000001-2.png'
ok 'three of each of ten' || tar -tf three.tar | explain
run 'pictures as operands' 0 adze-augment --size=8 -O p $picture set/dots/00000.png
only a.tar b.tar c.tar counted flipped p plain set set.tar three.tar twice
[ "$(ls p | tr '\n' ' ')" = '000000.png 000001.png ' ]
ok 'have no class'

run 'frames' 0 adze-augment -d set -b 16 -n 20 -O f.st
run 'frames are a data set' 0 sh -c 'adze-augment --policy="[]" -f tar <f.st'
cp "$out" g.tar
run 'the same as without them' 0 adze-augment -d set -n 20 -O h.tar
same g.tar h.tar
tar -tf g.tar | cut -d/ -f1 | uniq | tr '\n' ' ' >"$out"
grep -q '^checker circle .*triangle $' "$out"
ok 'class names come along' || explain <"$out"
fails 'frames cut short' 3 'standard input: ' sh -c 'head -c 9000 f.st | adze-augment -O x.tar'
run 'frames of two epochs' 0 adze-augment -d set --epochs=2 -O f2.st
fails 'are no data set' 3 'several epochs' adze-augment -d f2.st -O x.tar

run 'a folder of pictures without classes' 0 adze-augment -d p -O flat
[ "$(ls flat | tr '\n' ' ')" = '000000.png 000001.png ' ]
ok 'they have no class'

# the reader for other programs
if python3 -c 'import numpy' 2>/dev/null; then
    run 'adze_stream.py reads frames from a pipe' 0 sh -c "adze-augment -d set -b 16 -n 20 --epochs=2 | python3 $top/scripts/adze_stream.py"
    out_is '0 NHWC target int64[16] image uint8[16, 16, 16, 3]
0 NHWC target int64[4] image uint8[4, 16, 16, 3]
1 NHWC target int64[16] image uint8[16, 16, 16, 3]
1 NHWC target int64[4] image uint8[4, 16, 16, 3]'
    run 'and sees a writer that died' 1 sh -c "head -c 9000 f.st | python3 $top/scripts/adze_stream.py"
    err_has 'stream ends after'
else
    skip 'adze_stream.py reads frames from a pipe' 'numpy is not here'
fi

run 'a contact sheet' 0 adze-augment -d set --size=20 -n 3 --epochs=4 --grid=s.png
[ "$(od -An -tu1 -j16 -N8 s.png | tr -s ' ')" = ' 0 0 1 152 0 0 0 244' ]
ok 'five columns and three rows of 80 pixels, gaps of 2' || od -An -tu1 -j16 -N8 s.png | explain

fails 'an operator that is not' 2 "no augmentation 'flop'; did you mean 'flip'" adze-augment --policy='[flop]' -d set -O x
fails 'an argument that is not' 2 "no argument 'pd'; did you mean 'pad'" adze-augment --policy='[{pad_crop: {pd: 4}}]' -d set -O x
fails 'a value out of range' 2 "'p' of augmentation 'flip' is a number from 0 to 1, not '2'" adze-augment --policy='[{flip: {p: 2}}]' -d set -O x
fails 'pictures and a set' 2 'not both' adze-augment -d set -O x $picture
fails 'no such set' 3 "cannot open 'gone'" adze-augment -d gone -O x.tar
run 'a sheet of mixed pictures' 0 adze-augment -d set --size=20 -n 3 --epochs=4 -o train.mix.mixup=1 --grid=m.png
! cmp -s s.png m.png
ok 'is another sheet'
run 'mixes nothing but a sheet' 0 adze-augment -d set --size=20 -n 3 -o train.mix.mixup=1 -O m.tar
err_has 'pictures are not mixed'
cp $picture in.png
fails 'a sheet over the picture' 2 "'in.png' is the picture itself: name another file with --grid" \
    adze-augment in.png --grid=in.png -n 1
tar -cf in.tar -C set .
fails 'over what standard input reads' 2 "'in.tar' is the data itself: name another file with -O" \
    sh -c 'adze-augment -O in.tar <in.tar'
same $picture in.png
rm in.png in.tar
fails 'a sheet and an output' 2 'one at a time' adze-augment -d set --grid=x.png -O x
fails 'a sheet that is no PNG' 2 "'x.jpg': the sheet is a PNG" adze-augment -d set --grid=x.jpg
fails 'a packed tar' 2 "'x.zip': only plain tar is written" adze-augment -d set -O x.zip
fails 'a folder that is not there' 4 "cannot write 'x/': the name is that of a folder" adze-augment -d set -f frames -O x/
fails 'a sheet that is too large' 2 'lower -n or --epochs' adze-augment -d set --epochs=5000 --grid=x.png
head -c 60 $picture >cut.png
run 'a broken picture is left out' 3 adze-augment -f folder -O left $picture cut.png $picture
err_has "^adze-augment: 'cut.png'"
[ "$(ls left | tr '\n' ' ')" = '000000.png 000002.png ' ]
ok 'the others are there' || ls left | explain
run 'one at a time' 3 adze-augment -b 1 -f folder -O left1 $picture cut.png $picture
diff -r left left1
ok 'is the same'
fails 'nothing but broken pictures of a known size' 3 "no picture can be used; the first: 'cut.png'" \
    adze-augment --size 16 -O x cut.png cut.png
fails 'nothing but broken pictures' 3 "'cut.png'" adze-augment -O x cut.png cut.png
fails 'a full disk' 4 'No space left' adze-augment -d set -f tar -O /dev/full
