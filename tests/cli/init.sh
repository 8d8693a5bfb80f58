#!/bin/sh
# init.sh -- models of networks, new and from weights.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

run 'a list' 0 adze-init --list
out_has '^resnet20  *269722  \[N,3,32,32\]$'
out_has '^resnet50-vd  *25576264 '
[ "$(awk 'NR > 1 { print index($0, "[N,") }' "$out" | sort -u | wc -l)" = 1 ]
ok 'in columns' || explain <"$out"
run 'the text of a network' 0 adze-init --print=resnet50-vd
out_has '^base: resnet.yaml$'
adze-init -q lenet5 -o classes=10 | adze-export -q --untrained -O ten.onnx && adze-import -q ten.onnx -O ten.st
seq 3 >three
run 'a new head for a model' 0 adze-init ten.st --head=new -o classes=3 --classes=three -O three.st
cp ten.st ten
run 'whatever the file is called' 0 adze-init ten --head=new -o classes=3 -O any.st
rm ten any.st
err_has "new head 2: '[^']*weight' '[^']*bias'"
run 'of three classes' 0 adze-show three.st
out_has '3'
run 'its history' 0 adze-show --history three.st
out_has 'import'
out_has 'init.*head=new'
fails 'which must be trained' 2 'head was never trained' sh -c 'adze-synth -n 1 -f tar | adze-infer -m three.st'
fails 'a model without a wish' 2 "'ten.st' is a model: --head=new -o classes=K makes a new head" adze-init ten.st -O none.st
fails 'no number of classes' 2 "'ten.st' is a model: --head=new -o classes=K" adze-init ten.st --head=new -O none.st
fails 'another key' 2 "it takes no -o conv=dbb" adze-init ten.st --head=new -o classes=3 -o conv=dbb -O none.st
fails 'too many names' 3 "'three': 3 names for a head of 4" \
    adze-init ten.st --head=new -o classes=4 --classes=three -O none.st
rm -f ten.onnx ten.st three three.st
fails 'a head of no file' 2 'weights of --from' adze-init resnet20 --head=new -O none.st
fails 'a part of no file' 2 'weights of --from' adze-init resnet20 --partial -O none.st
fails 'a list of one' 2 'takes no network' adze-init --list resnet20
fails 'an input that is no picture' 3 'pictures have 1 or 3' adze-init lenet5 -o channels=4 -O none.st
run 'an option without effect' 0 adze-init senet154 -o size=32 -o dcn=[4] -O idle.st
err_is "adze-init: -o dcn=[4] changes nothing in this network"
run 'an option that is given twice' 0 adze-init resnet20 -o classes=3 -o classes=4 -O twice.st
err_is 'adze-init: -o classes=3 is overridden by -o classes=4'
rm twice.st
rm idle.st
run 'what is so anyway' 0 adze-init lenet5 -o classes=10 -O idle.st
[ ! -s "$err" ]
ok 'needs no notice'
rm idle.st
fails 'a file for what is printed' 2 '-O is for a model' adze-init --list -O list.txt
fails 'no such text' 2 "did you mean 'resnet20'" adze-init --print=resnet2
fails 'no network' 2 'which network' adze-init
fails 'an unknown network' 2 "did you mean 'lenet5'" adze-init lenet
fails 'a network as timm calls it' 2 "did you mean 'vit-t-16'" adze-init vit_tiny_patch16_224.augreg_in21k
fails 'as Paddle does' 2 "did you mean 'mobilenet-v3-large'" adze-init --print=MobileNetV3_large_x1_0
fails 'an unknown parameter' 2 "did you mean 'classes'" adze-init lenet5 -o clases=3
fails 'a value that is no number' 2 "-o classes=nan: built-in network 'resnet20'.*an integer, not 'nan'" \
    adze-init resnet20 -o depths='[1, 1, 1]' -o classes=nan
fails 'no number of classes' 2 '-o classes=-1: ' adze-init resnet20 -o classes=-1
fails 'a list that is none' 2 "-o dcn=3: .*'3' is not a list: write \[3\]" adze-init resnet20 -o dcn=3
fails 'a word that is none' 2 '-o shortcut=foo: ' adze-init resnet20 -o shortcut=foo
fails 'a picture that is too small' 2 '-o size=4: ' adze-init lenet5 -o size=4
fails 'a list that does not end' 2 '-o depths=\[1,2' adze-init resnet20 -o 'depths=[1,2'
fails 'no value' 2 'not KEY=VALUE' adze-init lenet5 -o classes
fails 'a missing file' 3 "'x.yaml'" adze-init x.yaml
fails 'too many classes' 2 'is not in' adze-init resnet20 -o classes=100000000000000
fails 'two networks' 2 '' adze-init lenet5 lenet5

run 'a model' 0 adze-init lenet5 -O a.st
[ ! -s "$err" ]
ok 'quiet'
run 'again' 0 adze-init lenet5 -s 1 -j 3 -O b.st
same a.st b.st
run 'to a pipe' 0 sh -c 'adze-init lenet5 | cat >c.st'
same a.st c.st
run 'another seed' 0 adze-init lenet5 -s 2 -O b.st
! cmp -s a.st b.st
ok 'is another model'
only a.st b.st c.st

run 'a picture that patches do not fill' 0 adze-init vit-t-32 -o size=70 -o depth=1 -O vit.st
err_has "'patch_embed.proj' takes patches of 32 pixels: of 70 the last 6 are never read"
rm vit.st
run 'a head of another size' 0 adze-init lenet5 --from a.st --head=new -o classes=3 -O d.st
err_has 'took 8 tensors with 60856 parameters'
err_has "new head 2: 'fc3.weight' 'fc3.bias'"
fails 'which must be asked for' 3 'is \[10,84\] in the file, \[3,84\] here: --head=new' \
    adze-init lenet5 --from a.st -o classes=3
fails 'weights of another network' 3 "the file has 'conv2.bias' .16., the network 'bn1.weight' .16.; is it of another" \
    adze-init resnet20 --partial --from a.st
adze-init -q resnet20 -o classes=10 -O b.st
fails 'weights of a larger one' 3 'fit, so it may be of another network' adze-init resnet20 -o depths='[9, 9, 9]' --from b.st
fails 'weights of plain convolutions' 3 "'conv1.weight' is of one convolution, here are branches" \
    adze-init resnet20 -o classes=10 -o conv=acb --from b.st
fails 'what is no attention' 2 "no block 'relu', but se, ese" adze-init resnet20 -o attention=relu -O b.st
run 'a small network' 0 adze-init resnet20 -O small.st
fails 'in a larger one' 3 "missing 'layer1.3.conv1.weight', .* and 55 more" adze-init resnet32 --from small.st
run 'a part of them' 0 adze-init lenet5 -o channels=3 --partial --from a.st -O e.st
err_has "of another shape, initialised 1: 'conv1.weight' \[6,1,5,5\], not \[6,3,5,5\]"
cat >bare.yaml <<'END'
input: {size: [1, 8, 8]}
body:
  - conv: {as: conv1, out: 2, kernel: 3, bias: yes}
  - bn: {as: bn1}
  - flatten
  - linear: {as: fc, out: 3}
END
for part in module model; do
    sed "s/as: [a-z]/as: $part.&/; s/as: $part.as: /as: $part./" bare.yaml >wrapped.yaml
    run "names behind $part." 0 \
        sh -c 'adze-init ./wrapped.yaml -O w.st && adze-init ./bare.yaml --from w.st -O bare.st'
    err_has "^adze-init: without the prefix '$part.' of 8 names\$"
    err_has 'took 8 tensors with '
done
sed '/linear/d' bare.yaml >part.yaml
fails 'a tensor too many' 3 "unexpected 'fc.weight', 'fc.bias' (6 of 6 fit; --partial" adze-init ./part.yaml --from bare.st -O x.st
run 'which may be left' 0 adze-init ./part.yaml --partial --from bare.st -O x.st
err_has "left in the file 2: 'fc.weight' 'fc.bias'"
rm bare.* wrapped.yaml part.yaml w.st x.st

# Parts of a network, each from a file of its own.
cat >parts.yaml <<'END'
network: parts
input: {size: [3, 8, 8]}
body:
  - {as: left, do: [conv: {as: conv1, out: 4, kernel: 3}, global_avg_pool]}
  - {as: right, from: image, do: [conv: {as: conv1, out: 5, kernel: 3}, global_avg_pool]}
  - concat: [identity, identity: {from: left}]
  - linear: {as: fc, out: 2}
END
for n in 4 5; do
    printf 'network: p\ninput: {size: [3, 8, 8]}\nbody: [conv: {as: conv1, out: %d, kernel: 3}, global_avg_pool]\n' $n >p.yaml
    adze-init ./p.yaml -s $n -O p$n.st
done
run 'each part from a file' 0 adze-init ./parts.yaml --head=new --from left=p4.st --from right=p5.st -O parts.st
err_has 'took 2 tensors with 243 parameters'
fails 'a part that does not fit' 3 "'left.conv1.weight' is .5,3,3,3., not .4,3,3,3." \
    adze-init ./parts.yaml --head=new --from left=p5.st --from right=p5.st -O x.st
fails 'a part that is missing' 3 "missing 'right.conv1.weight'" adze-init ./parts.yaml --head=new --from left=p4.st -O x.st
fails 'one name twice' 3 "'p5.st': 'conv1.weight' is in a file before it, too: put one of them under a scope" \
    adze-init ./parts.yaml --from p4.st --from p5.st -O x.st
echo 'preprocess: {mean: 0.25, std: 0.5}' >>p.yaml && adze-init ./p.yaml -O other.st
run 'pictures that were prepared in two ways' 0 \
    adze-init ./parts.yaml --head=new --from left=p4.st --from right=other.st -O parts.st
err_has "'other.st' prepares pictures otherwise than a file before it, whose way is kept"
cp p4.st p=4.st
run 'a name with =' 0 adze-init ./parts.yaml --partial --from ./p=4.st --from right=p5.st -O x.st
err_has "left in the file 1: 'conv1.weight'"
fails 'no file' 3 "cannot open ''" adze-init ./parts.yaml --from left= -O y.st
run 'the file that is read is replaced' 0 adze-init lenet5 --from d.st --head=new -O d.st
fails 'a directory' 3 "'.'" adze-init lenet5 --from .
echo '{"a": 1}' >x.st
fails 'no weights' 3 "'x.st'" adze-init lenet5 --from x.st
# PyTorch's own files: the zip of today, the pickle of old, and by the name.
printf 'PK\003\004%026d%s' 0 archive/data.pkl >p.bin
printf '\200\002\212\012l\374\234\106\371 j\250P\031.' >p.th
cp x.st p.pt
for file in p.bin p.th p.pt; do
    fails "a pickle, $file" 3 "'$file' is a pickle of PyTorch, .*torch.load('$file'.*'p.safetensors')" \
        adze-init lenet5 --from $file
done
cp p.bin p.safetensors
fails 'a pickle that the advice leaves alone' 3 "'p.converted.safetensors')" adze-init lenet5 --from p.safetensors
printf 'PK\003\004%026d%s' 0 archive/constants.pkl >p.pt
fails 'TorchScript' 3 "'p.pt' is TorchScript, .*jit.load('p.pt'" adze-init lenet5 --from p.pt
rm p.*

cat >r.yaml <<'END'
model: {init: {linear: normal 0.01, conv1.bias: constant 2}}
END
run 'initialisers of a recipe' 0 adze-init lenet5 -c ./r.yaml -O f.st
run 'are in the numbers' 0 adze-show --state -m f.st
out_has 'conv1.bias .* 2  *0 '
echo 'global: {seed: 2}' >r.yaml
run 'the seed of a recipe' 0 adze-init lenet5 -c ./r.yaml -O k.st
run 'is that of -s' 0 adze-init lenet5 -s 2 -O l.st
same k.st l.st
run 'which goes before it' 0 adze-init lenet5 -c ./r.yaml -s 1 -O k.st
same k.st a.st
{
    echo 'model:'
    echo '  init:'
    for i in $(seq 100); do echo "    conv1.bia*$(printf "%0${i}d" 0 | tr 0 '*'): zeros"; done
} >r.yaml
run 'a hundred rules' 0 adze-init lenet5 -c ./r.yaml -O k.st
run 'are all in the history' 0 sh -c 'tr , "\n" <k.st | grep -ac "init.conv1.bia.*zeros"'
out_is 100
echo 'model: {init: {lenear: zeros}}' >r.yaml
fails 'a rule that concerns nothing' 2 "r.yaml:1:16: 'lenear' is no op.*; did you mean 'linear'?" \
    adze-init lenet5 -c ./r.yaml
echo 'model: {init: {conv3.wieght: zeros}}' >r.yaml
fails 'a name that no tensor has' 2 "did you mean 'conv1.weight'?" \
    adze-init lenet5 -c ./r.yaml
echo 'model: {init: {linear: normal}}' >r.yaml
fails 'a rule without its number' 2 "takes one number" adze-init lenet5 -c ./r.yaml
echo 'model: {init: {linear: kaming}}' >r.yaml
fails 'an unknown initialiser' 2 "did you mean 'kaiming'" adze-init lenet5 -c ./r.yaml

run 'parameters of the network' 0 adze-init lenet5 -o channels=1 -o classes=7 -o channels=3 -O k.st
run 'are in the history, the last of each' 0 adze-show --history -m k.st
out_has ' network=lenet5 seed=1 with.channels=3 with.classes=7$'
run 'a part of a file, too' 0 sh -c 'adze-init -q lenet5 --partial --from k.st | adze-show --history'
out_has ' network=lenet5 partial=yes seed=1 from='

cat >mine.yaml <<'END'
base: resnet.yaml
with: {widths: [8, 16], depths: [1, 1], stem: cifar, size: 16, classes: 4}
END
run 'a file of my own' 0 adze-init ./mine.yaml -O g.st
run 'is a model' 0 adze-show -m g.st
out_has '^layer2.0.conv1 '
adze-export -q --untrained -m g.st -O g.onnx
fails 'ONNX' 3 "'./g.onnx' is ONNX.*adze-import" adze-init ./g.onnx
if [ -d "$data" ]; then
    run 'weights of others' 0 adze-init resnet20 -o classes=10 \
        --from "$data/resnet20-cifar10.safetensors" -O h.st
    err_is 'adze-init: took 97 tensors with 269722 parameters'
else
    skip 'weights of others' '../shared/data is not here'
fi
