#!/bin/sh
# synth.sh -- the embedded data set as folder and tar.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

run 'a tar on standard output' 0 adze-synth -n 3 --size=16
cp "$out" ../a.tar
tar -tf ../a.tar >../names
[ "$(wc -l <../names)" = 30 ] && [ "$(sed 's|/.*||' ../names | uniq | tr '\n' ' ')" = \
    'checker circle cross dots ring spiral square star stripes triangle ' ]
ok 'ten classes, three pictures of each'
fails 'a packed archive' 2 'only plain tar' adze-synth -n 1 -O s.tar.gz
only
run 'a folder' 0 adze-synth -n 3 --size=16 -O set
only set
mkdir ../b && tar -xf ../a.tar -C ../b && diff -r ../b set >"$out"
ok 'the folder holds what the tar holds' || explain <"$out"
run 'threads change nothing' 0 adze-synth -n 3 --size=16 -j 3 -O t.tar
same t.tar ../a.tar
run 'nor does the instruction set' 0 adze-synth -n 3 --size=16 --cpu=portable -O t.tar
same t.tar ../a.tar
fails 'one in capitals' 2 "^adze-synth: option '--cpu': unknown cpu level 'AVX2'; known .*; did you mean 'avx2'?$" \
    adze-synth -n 3 --cpu=AVX2 -O t.tar
run 'a folder by option' 0 adze-synth -n 1 -f folder -O x.tar
[ -d x.tar ]
ok 'is one'
run 'a tar by option' 0 adze-synth -n 1 -f tar -O y
tar -tf y >/dev/null
ok 'is one'
run 'fewer pictures are the first of more' 0 adze-synth -n 2 --size=16 -O less
cmp -s less/star/00001.png set/star/00001.png
ok 'they are'
run 'another seed' 0 adze-synth -n 1 --size=16 -s 2 -O two
! cmp -s two/star/00000.png set/star/00000.png
ok 'is another picture'
fails 'a folder that is not empty' 4 "folder 'set' is not empty" adze-synth -n 1 -O set
run 'an empty folder is filled' 0 sh -c 'mkdir e && adze-synth -n 1 -O e/ && test -f e/dots/00000.png'
fails 'a folder has no place on standard output' 2 'give -O FOLDER' adze-synth -f folder
fails 'a full disk' 4 'No space left' adze-synth -O /dev/full -f tar
run 'folders above it are made' 0 adze-synth -n 1 --size=8 -O new/er/set
fails 'no folder to write to' 4 "cannot create folder 'y': Not a directory\|cannot write to folder 'y/set'" adze-synth -O y/set
fails 'pictures have a size' 2 "whole number from 8 to 4096, not '7'" adze-synth --size=7
fails 'no operands' 2 '' adze-synth x
fails 'an empty name' 2 'empty value' adze-synth -O ''
rm -rf ./*
adze-synth -n 100000 -O big &
pid=$!
sleep 0.3
kill -TERM $pid
wait $pid 2>/dev/null
[ ! -e big ]
ok 'killed, it leaves nothing under the name'
