#!/bin/sh
# fault-number.sh -- numbers and names at their limits (F-149 to F-156).
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

toy
adze-synth -n 5 --size 16 -s 7 -f folder -O few && toy_train m.st -o global.epochs=1
ok 'makes a model'
train() { # OUTPUT OPTION...
    to=$1
    shift
    adze-train -q -m start.st -d few -o global.epochs=2 -o train.batch=10 -O "$to" "$@"
}

# ---- F-149 ----

for c in a b; do
    mkdir -p flat/$c
    for i in 1 2 3 4 5; do
        { printf 'P6 16 16 255\n' && head -c 768 /dev/zero; } >flat/$c/$i.ppm
    done
done
adze-init ./toy.yaml -o classes=2 -O two.st
run 'F-149 pictures that are all equal: a variance of 0' 0 \
    adze-train -q -m two.st -d flat -e flat -o global.epochs=2 -o train.batch=5 -O flat.st
run 'they are evaluated' 0 adze-evaluate -m flat.st -d flat
out_has '^top1	0.5$'
run 'fused' 0 adze-fuse-bn -q -m flat.st -O fused.st
run 'quantised' 0 adze-quantize -q -m fused.st -d flat -O int8.st
cat >one.yaml <<'Y'
network: one
input: {size: [3, 16, 16]}
body: [{adaptive_avg_pool: {size: 1}}, {conv: {out: 8, kernel: 1}}, bn, flatten, {linear: {as: fc, out: 10}}]
Y
adze-init ./one.yaml -O one.st
run 'F-149 a batch of one, one value a channel' 0 train x.st -m one.st -o train.batch=1
run 'is evaluated' 0 adze-evaluate -m x.st -d few
run 'F-149 a last batch of one' 0 train x.st -o train.batch=7 -o train.last=keep
run 'F-149 a last batch of two' 0 train x.st -o train.batch=16 -o train.last=keep
run 'F-149 smoothing 1' 0 train x.st -o train.loss.smoothing=1
run 'F-149 smoothing 1 over the others' 0 train x.st -o train.loss.smoothing=1 -o train.loss.rule=k-1
rm x.st
fails 'F-149 a rate of 1e30' 6 "^adze-train: step 1: loss nan, .* at learning rate .*; the first such value is 'conv" \
    train x.st -o schedule.lr=1e30 -R run -o schedule.warmup='1 steps'
[ ! -e x.st ] && [ ! -e run/last.st ]
ok 'and nothing that is no number is kept'

# ---- F-150 ----

{ cat toy.yaml && echo '  - clip: {min: 0, max: 0}'; } >tie.yaml
sed '0,/  - relu/s//  - relu\n  - repeat: 7\n    as: big$i\n    do: [{conv: {out: 8, kernel: 1}}]/' toy.yaml >nan.yaml
echo 'model: {init: {big*: constant 1e6}}' >big.yaml
adze-init -q ./tie.yaml --from m.st -O tie.st && adze-init -q ./nan.yaml -c ./big.yaml --partial --from m.st -O nan.st
ok 'makes models with ties and without numbers'
run 'F-150 ties and more classes than there are' 0 adze-infer -m tie.st -n 20 few/star/00000.png
[ "$(sed 1d "$out")" = "few/star/00000.png	checker	0.1	circle	0.1	cross	0.1	dots	0.1	ring	0.1	spiral	0.1	square	0.1	star	0.1	stripes	0.1	triangle	0.1	" ]
ok 'the lower class first' || explain <"$out"
run 'ties, evaluated' 0 adze-evaluate -m tie.st -d few --classes
out_has '^top1	0.1$'
out_has '^top5	0.5$'
run 'F-150 no numbers' 6 adze-infer -m nan.st few/star/00000.png few/star/00001.png
[ "$(sed -n 2p "$out")" = 'few/star/00000.png			the outputs of the model are not finite' ] && [ "$(wc -l <"$err")" = 2 ]
ok 'each row says so' || explain <"$out"
run 'as JSON' 6 adze-infer -m nan.st --json few/star/00000.png
out_is '{"path":"few/star/00000.png","error":"the outputs of the model are not finite","top":[]}'
run 'no numbers, evaluated' 6 adze-evaluate -m nan.st -d few --json
out_has '"top1": 0.0, "top5": 0.0, "loss": null'
err_has 'for 50 of 50 pictures are not finite'
run 'is not the same as one with numbers' 1 adze-compare nan.st m.st
run 'and has no ranges' 6 adze-calibrate -m nan.st -d few -O r.st
fails 'is not exported' 6 '160 of 160 outputs are not finite, on both sides alike' adze-export -q -m nan.st -f onnx -O x.onnx
fails 'nor fused' 6 'that proves nothing' adze-fuse-bn -q -m nan.st -O x.st
[ ! -e x.onnx ] && [ ! -e x.st ]
ok 'and nothing is written'

# ---- F-153 ----

n=0
for name in '<script>alert(1)</script>' '"quoted"' "it's" 'a,b' '=cmd|calc' 'a	b' 'back\slash' "$(printf 'new\nline')" \
    "$(printf '\033[31mred')" "$(printf '\342\200\256rtl')" '&amp;' '{}' "$(printf 'K\303\244se')"; do
    n=$((n + 1))
    mkdir -p "odd/$(printf '%s' "$name" | tr / _)"
    cp few/star/0000*.png "odd/$(printf '%s' "$name" | tr / _)"
done
adze-init ./toy.yaml -o classes=$n -O odd.st
run 'F-153 classes with odd names' 0 \
    adze-train -m odd.st -d odd -e odd -o global.epochs=1 -o train.batch=5 -R odd.run -O odd.m
! grep -q '<script>alert' odd.run/report.html && ! grep -q '<script>alert\|cmd|calc' odd.run/metrics.csv
ok 'none stands in the page as it is, or in the table'
LC_ALL=C grep -l "$(printf '\033')" odd.run/*.html odd.run/*.csv odd.run/*.jsonl odd.run/*.txt "$err" >"$out" 2>/dev/null
[ ! -s "$out" ]
ok 'no escape sequence anywhere' || explain <"$out"
# rows PRINTED: a table of as many rows and columns as there should be
table() { # ROWS COLUMNS FILE
    awk -F'\t' -v r="$1" -v c="$2" 'NF != c { bad = 1 } END { exit bad || NR != r }' "$3" &&
        ! LC_ALL=C grep -q "$(printf '[\001-\010\013-\037\177]')" "$3"
}
adze-evaluate -m odd.m -d odd --classes --confusion odd.tsv >"$out" 2>"$err"
table $((n + 1)) $((n + 1)) odd.tsv && sed -n '/^# class/,$p' "$out" >rows && table $((n + 1)) 6 rows
ok 'F-153 rows stay rows' || explain <"$out"
adze-infer -m odd.m few/star/00000.png few/star/00001.png -n $n >"$out" 2>"$err" && table 3 $((2 * n + 2)) "$out"
ok 'of infer, too' || explain <"$out"
cp few/star/00000.png "$(printf 'new\nline\t\033[31m"x"=.png')"
adze-infer -m odd.m ./new* ./none* >"$out" 2>"$err"
table 3 4 "$out" && [ "$(wc -l <"$err")" = 1 ]
ok 'with odd paths' || explain <"$out"
cp m.st '=1+1,"x".st'
run 'F-153 a model with an odd name as CSV' 0 adze-benchmark --seconds=0.01 -j 1 -f csv '=1+1,"x".st'
out_has "^\"'=1+1,\"\"x\"\".st\",\"f32\",1,1,"
if command -v python3 >/dev/null; then
    json() { python3 -c 'import json, sys
for line in sys.stdin: json.loads(line)' <"$1" 2>"$err"; }
    adze-evaluate -m odd.m -d odd --json --classes >"$out" 2>"$err" && json "$out"
    ok 'F-153 JSON of evaluate' || explain <"$err"
    adze-infer -m odd.m ./new* ./none* --json -n $n >"$out" 2>"$err"
    json "$out"
    ok 'of infer' || explain <"$err"
    adze-benchmark --seconds=0.01 -j 1 --json '=1+1,"x".st' >"$out" 2>"$err" && json "$out"
    ok 'of benchmark' || explain <"$err"
    adze-compare odd.m odd.m --json --classes >"$out" 2>"$err" && json "$out" && grep -q '"name": "<script>' "$out"
    ok 'of compare' || explain <"$err"
    adze-evaluate -m nan.st -d few --logits n.npy >"$out" 2>&1
    adze-evaluate -m m.st -d few --logits l.npy >"$out" 2>&1
    adze-compare n.npy l.npy --json >"$out" 2>"$err"
    json "$out" && grep -q '"max_abs": null' "$out"
    ok 'of compare, where there are no numbers' || explain <"$out"
    json odd.run/metrics.jsonl
    ok 'of metrics.jsonl' || explain <"$err"
else
    skip 'F-153 JSON' 'python3 is not here'
fi
mkdir -p "$(printf 'bad/K\344se')" bad/b && cp few/star/00000.png bad/b && cp few/star/00000.png bad/K*
fails 'F-153 a class name that is not UTF-8' 3 "'K.xe4se' is not UTF-8" \
    adze-train -m start.st -d bad -o train.batch=2 -O x.st

# ---- F-155, F-156 ----

if localedef -i de_DE -f UTF-8 "$work/de_DE.UTF-8" 2>/dev/null; then
    LOCPATH=$work
    export LOCPATH
fi
outputs() {
    adze-evaluate -m m.st -d few --json --classes
    adze-evaluate -m m.st -d few
    adze-infer -m m.st few/star/0000*.png -n 3
    adze-infer -m m.st few/star/0000*.png -n 3 --json
    adze-compare m.st start.st --tolerance=1.5
    adze-show -m m.st --state
    adze-show -m m.st --json
    rm -rf de && train de.st -e few -R de && cat de.st de/metrics.* de/recipe.yaml de/report.html
}
outputs >plain 2>&1
if [ "$(LC_ALL=de_DE.UTF-8 locale decimal_point 2>/dev/null)" = , ]; then
    LC_ALL=de_DE.UTF-8 outputs >german 2>&1
    LC_ALL=C
    cmp plain german >"$out" 2>&1
    ok 'F-155 a comma as decimal point changes nothing' || explain <"$out"
else
    skip 'F-155 a comma as decimal point changes nothing' 'no such locale can be made'
fi

# What is printed is read back to the same bits: the scores add up to 1 as
# they did, and the loss of the page is that of the log.
run 'F-156 scores' 0 adze-infer -m m.st -n 10 few/star/00000.png
awk -F'\t' 'NR == 2 { for (i = 3; i <= 21; i += 2) s += $i; d = s - 1; exit !(d < 1e-6 && d > -1e-6) }' "$out"
ok 'add up to 1'
adze-evaluate -m m.st -d few --logits l.npy --json >json
adze-evaluate -m m.st -d few >table
# The table's numbers are as short as reading them back allows.
perl -ne '$v{$1} = $2 if /^(\w+)\t(\S+)$/; $j{$1} = $2 while /"(\w+)": ([-+.e0-9]+)/g;
    END { for (qw(top1 top5 loss ece)) { exit 1 if !defined $j{$_} || $v{$_} != $j{$_} } }' table json
ok 'metrics are the same numbers in the table and as JSON' || cat table json | explain
adze-compare m.st start.st --tolerance=9 --json >"$out" && adze-compare m.st start.st --tolerance=9 --json -j 1 | cmp - "$out"
grep -q '"max_abs": [0-9.]*[0-9]\{11\}' "$out"
ok 'differences have all their digits' || explain <"$out"
run 'logits are the same again' 0 adze-compare l.npy l.npy --max-abs 0
out_has '^array	500	0	0	0	0	0	-$'

# ---- shared memory ----

if command -v strace >/dev/null && strace -o /dev/null true 2>/dev/null; then
    strace -f -e trace=openat,memfd_create,shmget -o "$work/trace" \
        adze-train -q -m start.st -d few -e few -o global.epochs=1 -o train.batch=10 -j 3 -O x.st
    ! grep -q 'dev/shm\|shmget\|memfd' "$work/trace"
    ok 'no shared memory is used: 64 KB of it change nothing'
else
    nm -D "$top/bin/adze-train" >"$out" 2>&1
    ! grep -q ' U shm_open\| U shmget\| U memfd_create' "$out"
    ok 'no shared memory is called for: 64 KB of it change nothing'
fi
