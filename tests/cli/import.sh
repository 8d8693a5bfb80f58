#!/bin/sh
# import.sh -- adze-import: ONNX files as models.  What other programs write is
# read in tests/interop/import.py.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-init resnet20 -o depths='[1, 1, 1]' -o classes=10 -O new.st && adze-synth -q -n 20 --size 32 -O d &&
    adze-train -q -m new.st -d d -o global.epochs=1 -o train.batch=20 -O m.st && adze-export -q -m m.st -O m.onnx
ok 'makes a model and its ONNX file'

run 'our own file' 0 adze-import m.onnx -O a.st
err_has 'operators became [0-9]* ops with [0-9]* parameters; input \[N,3,32,32\], 10 classes$'
run 'computes the same' 0 adze-compare m.st a.st
run 'quietly, through pipes' 0 sh -c 'adze-import -q - <m.onnx | cat >b.st'
[ ! -s "$err" ]
ok 'says nothing'
run 'is the same but for its name' 0 adze-compare --tolerance 0 a.st b.st
run 'keeps names of weights' 0 adze-show --graph -m a.st
out_has '  - conv2d: {as: layer1.0.conv1, '
out_has '^network: m$'
run 'and classes and history' 0 adze-show --history -m a.st
out_has 'train'
out_has 'import'
adze-fuse-bn -q <m.st | adze-quantize -q -d d -n 50 -O q.st && adze-export -q -m q.st -O q.onnx
run '8 bits' 0 adze-import -q q.onnx -O qa.st
run 'compute the same' 0 adze-compare --tolerance 0 q.st qa.st
run 'once more' 0 sh -c 'adze-export -q -m a.st | adze-import -q - -O c.st'
run 'computes the same again' 0 adze-compare m.st c.st
run 'can be trained on' 0 adze-train -q -m a.st -d d -o global.epochs=1 -o train.batch=20 -O t.st

printf '%s\n' a b c d e f g h i j >names
run 'names of classes' 0 adze-import -q m.onnx --classes names -o mean=0.25 -O n.st
run 'options are history' 0 adze-show --history -m n.st
out_has 'import.*mean=0.25'
find d -name '*.png' | head -1 | adze-infer -q -m n.st >"$out"
out_has '	[a-j]	'
run 'preprocessing' 0 adze-import -q m.onnx -o mean=0.5 -o std='[0.5, 0.25, 0.5]' -O p.st
grep -qa '0.25' p.st
ok 'is in the model'
fails 'means of pixels to 255' 2 "'mean' cannot be '128': it is a number from -1 to 1" \
    adze-import m.onnx -o mean=128 -O x.st
printf 'network: t\ninput: {size: [3, 8, 8]}\nbody: [global_avg_pool, linear: {as: fc, out: 4}, sigmoid]\n' >share.yaml
adze-init -q ./share.yaml | adze-export -q --untrained -O share.onnx
run 'shares of classes by themselves' 0 adze-import share.onnx -O share.st
err_has 'it ends in a sigmoid'
head -9 names >few && { cat names; echo k; } >many && { echo b; tail -9 names; } >twice
fails 'too few names' 3 "'few': 9 names for a head of 10" adze-import m.onnx --classes few -O x.st
fails 'too many' 3 "'many': more than the 10" adze-import m.onnx --classes many -O x.st
fails 'a name twice' 3 "'twice': 'b' stands in lines 1 and 2" adze-import m.onnx --classes twice -O x.st
fails 'another size' 2 'channels=3, size=.32,32.' adze-import m.onnx -o size='[64, 64]' -O x.st
fails 'an unknown key' 2 "no key 'meen'; did you mean 'mean'" adze-import m.onnx -o meen=1 -O x.st
fails 'no key' 2 'KEY=VALUE' adze-import m.onnx -o mean -O x.st
run 'from a pipe' 0 sh -c 'adze-import -q <m.onnx >pipe.st'
run 'from a pipe by its name' 0 sh -c 'adze-import -q - <m.onnx | cmp - pipe.st'
fails 'no file' 3 "'none.onnx'" adze-import none.onnx -O x.st
fails 'no ONNX' 3 "'m.st': no ONNX file: this is a safetensors file" adze-import m.st -O x.st
fails 'NPZ' 3 "'w.npz': no ONNX file: this is a zip" sh -c 'adze-export -q -m m.st -O w.npz; adze-import w.npz -O x.st'
fails 'a damaged file as a model' 3 "'cut.onnx': this is ONNX, .*adze-import" \
    sh -c 'head -c 500 m.onnx >cut.onnx; adze-show -m cut.onnx'
fails 'half a file' 3 "'half.onnx': this ONNX file is cut off: it ends after 5000 bytes" sh -c 'head -c 5000 m.onnx >half.onnx; adze-import half.onnx -O x.st'
sed 's/\x04Relu/\x04Rulu/' m.onnx >rulu.onnx
fails 'an operator that is not known' 3 "'rulu.onnx': ONNX operator 'Rulu' at '.*': not read here" \
    adze-import rulu.onnx -O x.st
fails 'two inputs of one stream' 2 'standard input' sh -c 'adze-import - --classes - <m.onnx'
fails 'a full disk' 4 "'/dev/full'" adze-import -q m.onnx -O /dev/full
[ ! -e x.st ]
ok 'failures write nothing'

adze-init -q lenet5 -o classes=0 -O bare.st && adze-export -q --untrained -m bare.st -O bare.onnx
run 'a network without a head' 0 adze-import -q bare.onnx -O again.st
run 'is one again' 0 adze-show --graph -m again.st
out_has '^outputs: {features: '
