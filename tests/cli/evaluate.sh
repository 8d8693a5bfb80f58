#!/bin/sh
# evaluate.sh -- adze-evaluate: figures, gates, files, bad pictures.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-synth -n 100 --size 32 -s 3 -O d.tar &&
    adze-init resnet20 -o classes=10 -o depths='[1, 1, 1]' -s 5 -O start.st &&
    adze-train -q -m start.st -d d.tar -o global.epochs=1 -o train.batch=25 -O m.st
ok 'makes a model'

fails 'one file for two outputs' 2 'two outputs' adze-evaluate -m m.st -d d.tar --confusion=c --logits=c
cp m.st c.st
fails 'the matrix over the model' 2 "'c.st' is the model itself: name another file with --confusion" \
    adze-evaluate -m c.st -d d.tar --confusion c.st
ln c.st hard.st
fails 'the logits over it, by another name' 2 "'hard.st' is the model itself" \
    adze-evaluate -m c.st -d d.tar --logits hard.st
fails 'over the model that is redirected' 2 'is the model itself' \
    sh -c 'adze-evaluate -d d.tar --confusion c.st <c.st'
fails 'over the data' 2 "'d.tar' is the data itself" adze-evaluate -m m.st -d ./d.tar --confusion d.tar
same c.st m.st
fails 'model and data from one pipe' 2 'standard input cannot be both the model and the data: name a file' \
    sh -c 'adze-evaluate -d - <d.tar'
run 'data from a pipe' 0 sh -c 'adze-evaluate -m m.st -d - <d.tar'
run 'evaluates' 0 adze-evaluate -m m.st -d d.tar
out_has '^top1	0\.'
out_has '^n	1000$'
cp "$out" text
run 'the same for another batch' 0 adze-evaluate -m m.st -d d.tar -b 7 -j 2
cmp -s "$out" text
ok 'batch and threads change no figure'
run 'writes JSON' 0 adze-evaluate -m m.st -d d.tar --json --classes
out_has '"top1": 0\.'
out_has '"confusion": \[\['
fails 'two results on one standard output' 2 '--confusion wants a file; with --classes' \
    adze-evaluate -m m.st -d d.tar --json --confusion -
fails 'nor logits there' 2 '--logits wants a file' adze-evaluate -m m.st -d d.tar --logits -
adze-evaluate -m m.st -d d.tar --json >json && adze-evaluate -m m.st -d d.tar >"$out"
[ "$(sed 's/.*"top1": \([^,]*\),.*/\1/' json)" = "$(sed -n 's/^top1	//p' "$out")" ] && grep -q '"classes": \[\]}$' json
ok 'figures are the same text in both' || cat json "$out" | explain
run 'writes logits and the confusion matrix' 0 \
    adze-evaluate -m m.st -d d.tar --logits l.npy --confusion c.tsv
[ "$(wc -l <c.tsv)" = 11 ] && [ "$(head -c 6 l.npy | tail -c 5)" = NUMPY ]
ok 'both files are there'
adze-evaluate -q -m m.st -d d.tar --confusion c >"$out" && cmp -s c c.tsv
ok 'a table without an ending, too'
run 'the matrix as a picture' 0 adze-evaluate -m m.st -d d.tar --confusion c.svg
head -c 40 c.svg | grep -q '^<svg xmlns=' && [ "$(grep -c 'right: ' c.svg)" -le 10 ] && grep -q '>checker<' c.svg
ok 'with names' || head -c 900 c.svg | explain
run 'as a page' 0 adze-evaluate -m m.st -d d.tar --confusion c.html
grep -q '^<!DOCTYPE html>' c.html && grep -q '<svg' c.html && grep -q 'taken for</th>' c.html
ok 'with the mistakes' || head -c 900 c.html | explain
for f in x.png x.csv x.st; do
    fails "no matrix as $f" 2 "'$f': the confusion matrix is written as .tsv, or drawn as .svg or .html" \
        adze-evaluate -m m.st -d d.tar --confusion=$f
done
fails 'no logits as text' 2 "'l.txt': the logits are an .npy file" adze-evaluate -m m.st -d d.tar --logits=l.txt
[ -z "$(ls x.* l.txt 2>/dev/null)" ]
ok 'nothing is left of these'
fails 'the gate says no' 1 'below' sh -c 'adze-evaluate -m m.st -d d.tar --min-top1 0.999 >/dev/null'
gzip -c m.st >m.gz
fails 'a packed model' 3 "'m.gz': this is gzip data, .* gzip -dc FILE" adze-evaluate -m m.gz -d d.tar
fails 'an untrained head is refused' 2 'never trained' adze-evaluate -m start.st -d d.tar
mkdir -p both/train both/val
fails 'sets are not classes' 3 'which are sets' adze-evaluate -m m.st -d both
fails 'needs data' 2 '-d' adze-evaluate -m m.st
fails 'a device that is none, before the data' 2 "no device 'gpu'" adze-evaluate -m m.st -d none -D gpu
run 'data given twice' 0 adze-evaluate -m m.st -d none -d d.tar
err_has "^adze-evaluate: -d is given twice: 'none' is left out; 'none+d.tar' would be both"
adze-evaluate -q -m m.st -d d.tar -d none -d d.tar >"$out" 2>"$err" && [ ! -s "$err" ] &&
    adze-evaluate -m m.st -d d.tar -d none -d d.tar >"$out" 2>"$err"
[ "$(grep -c 'given twice' "$err")" = 1 ] && grep -q "'none' is left out" "$err"
ok 'each that is left out is named, but not what counts' || explain <"$err"
cp d.tar e.tar
fails 'over a part of the data' 2 "'e.tar' is the data itself" \
    adze-evaluate -q -m m.st -d d.tar+e.tar --confusion e.tar
same d.tar e.tar
fails 'model and plan from one pipe' 2 'cannot be both the model and the plan' adze-evaluate -d d.tar --plan - <m.st
run 'a matrix by any other name' 0 adze-evaluate -q -m m.st -d d.tar --confusion matrix.first
fails 'but not as what it is not' 2 "'m.CSV': the confusion matrix is written as .tsv" \
    adze-evaluate -q -m m.st -d d.tar --confusion m.CSV
fails 'data that is not there' 3 'none' adze-evaluate -m m.st -d none

if command -v script >/dev/null; then
    script -qec "TERM=xterm adze-evaluate --cpu=portable -j 1 -b 10 -m m.st -d d.tar+d.tar+d.tar >'$work/text'" \
        /dev/null </dev/null >"$out"
    grep -q 'evaluate [0-9]*/3000 [0-9]*%, [0-9]* s left, [0-9.]* pictures/s' "$out" && grep -q '^n	3000$' "$work/text"
    ok 'shows progress on a terminal' || explain <"$out"
else
    skip 'shows progress on a terminal' 'script is not here'
fi

# broken pictures are left out, for any batch, with their labels and rows
adze-synth -n 3 --size 32 -s 4 -O good
cp -r good mixed
for n in 1 2 3 4 5; do echo junk >mixed/ring/0000${n}x.png; done
run 'pictures that are all good' 0 adze-evaluate -q -m m.st -d good --classes --logits good.npy
sed 's/^bad	0$/bad	5/' "$out" >want
for b in 1 3 32; do
    run "broken ones among them, -b $b" 0 adze-evaluate -m m.st -d mixed -b $b --classes --logits mixed.npy --skip-bad
    cmp -s want "$out"
    ok "-b $b: the figures are those of the good ones"
    same good.npy mixed.npy
    [ "$(grep -c "^adze-evaluate: left out: 'mixed/ring/0000.x.png': " "$err")" = 5 ]
    ok "-b $b: each is named"
done
mkdir -p "odd/it's" odd/a\\b && cp good/ring/*.png "odd/it's" && cp good/star/*.png odd/a\\b
adze-init resnet20 -o classes=2 -o depths='[1, 1, 1]' -O odd.st &&
    adze-train -q -m odd.st -d odd -n 1 -o train.batch=4 -O odd.st
run 'names of classes are cells' 0 adze-evaluate -q -m odd.st -d odd --classes --confusion odd.tsv
out_has "^it's	3	"
out_has '^a\\\\b	3	'
grep -q "^# true.predicted	a.*b	it's$" odd.tsv
ok 'in the matrix too' || explain <odd.tsv
mkdir few && cp -r good/ring good/star few
run 'classes without a picture' 0 adze-evaluate -m m.st -d few
err_is "adze-evaluate: 8 classes have no picture: 'checker', 'circle', 'cross', 'dots', 'spiral', ..."
# weights of another program have no names of classes; --classes gives them
adze-export -q -m m.st -f safetensors -O w.safetensors && ls good >names &&
    adze-init -q resnet20 -o classes=10 -o depths='[1, 1, 1]' --from w.safetensors -O un.st
run 'classes without names' 0 adze-evaluate -m un.st -d good
err_has "classes have no names: the data's, 'checker' and so on, are taken as its first 10"
adze-init -q resnet20 -o classes=10 -o depths='[1, 1, 1]' --from w.safetensors --classes names -O named.st
run 'with names' 0 adze-evaluate -m named.st -d few
! grep 'no names' "$err"
ok 'says nothing of that'
adze-evaluate -q -m m.st -d few >want
cmp -s want "$out"
ok 'and is right about some of the classes alone' || diff want "$out" | explain
fails 'the first ends the run else' 3 "^adze-evaluate: '[^']*00001x.png': [^']*$" adze-evaluate -m m.st -d mixed
rm mixed/*/*[0-9].png
fails 'none is good' 3 'none of 5 pictures can be used' adze-evaluate -q -m m.st -d mixed --skip-bad

if [ -e "$data/cifar10-test.tar" ]; then
    adze-init resnet20 -o classes=10 --from "$data/resnet20-cifar10.safetensors" -O cifar.st 2>"$err"
    ok 'takes the weights of a trained network'
    run 'measures it on CIFAR-10' 0 adze-evaluate -m cifar.st -d "$data/cifar10-test.tar" --json --logits l.npy
    out_has '"top1": 0\.810'
    run 'logits as PyTorch gives them' 0 adze-compare l.npy "$data/resnet20-cifar10-logits.npy" --max-abs 1e-3
else
    skip 'measures a trained network on CIFAR-10' '../shared/data is not here'
fi
