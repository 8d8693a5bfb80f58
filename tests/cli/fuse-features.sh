#!/bin/sh
# fuse-features.sh -- two networks' features, fused by discriminant correlation
# analysis, as files and in one network.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

# pictures SEED COUNT: of nine classes, three colours in three patterns, in
# noise.  Numbers are below 2^53, so that every awk has the same.
pictures() {
    awk -v seed="$1" -v count="$2" '
    function noise(most) { seed = seed * 16807 % 2147483647; return int(seed / 64) % most }
    function on(pattern, x, y) { return ((pattern != 2) * int(y / 2) + (pattern != 1) * int(x / 2)) % 2 }
    BEGIN {
        split("red green blue", colour, " ")
        split("rows columns squares", pattern, " ")
        for (c = 1; c <= 3; c++) for (p = 1; p <= 3; p++) for (i = 0; i < count; i++) {
            file = colour[c] "-" pattern[p] "/" i ".ppm"
            print "P3 16 16 255" >file
            at = noise(4)
            for (y = 0; y < 16; y++) for (x = 0; x < 16; x++)
                for (k = 1; k <= 3; k++)
                    printf "%d ", 60 + 30 * on(p, x + at, y) + 12 * (k == c) + noise(110) >file
            close(file)
        }
    }'
}
for set in train:1 val:2; do
    mkdir -p "d/${set%:*}" && cd "d/${set%:*}" || exit
    for c in red green blue; do mkdir $c-rows $c-columns $c-squares; done
    pictures "${set#*:}" 20
    cd ../..
    find "d/${set%:*}" -name '*.ppm' | sort >"${set%:*}"
done
[ "$(wc -l <val)" = 180 ]
ok 'draws pictures'

# tower WIDTH: the steps of a network that ends in so many features.
tower() {
    cat <<Y
  - conv: {as: conv1, out: 12, kernel: 3, pad: 1}
  - bn: {as: bn1}
  - relu
  - conv: {as: conv2, out: $1, kernel: 3, stride: 2, pad: 1}
  - bn: {as: bn2}
  - relu
  - global_avg_pool
Y
}
for m in a:24 b:16; do
    printf 'network: %s\nwith: {classes: 9}\ninput: {size: [3, 16, 16]}\nbody:\n' "${m%:*}"
    tower "${m#*:}"
    echo '  - linear: {as: fc, out: $classes}'
done | awk '/^network/ { file = $2 ".yaml" } { print >file }'
{
    printf 'network: both\nuse: fusion\nwith: {to: 4, how: add}\ninput: {size: [3, 16, 16]}\nbody:\n'
    for m in left:24 right:16; do
        echo '  - do:'
        tower "${m#*:}" | sed 's/^/    /'
        printf '    from: image\n    as: %s\n' "${m%:*}"
    done
    echo '  - dcafuse: {as: fuse, first: left, second: right, to: $to, how: $how}'
    echo 'outputs: {features: fuse}'
} >both.yaml
for m in a b; do
    adze-init -s 3 ./$m.yaml | adze-train -q -d d -o global.epochs=6 -o train.batch=18 -O $m.trained.st &&
        adze-init -q ./$m.yaml -o classes=0 --from $m.trained.st --head=new -O $m.st &&
        for s in train val; do
            adze-infer -m $m.st --features=features -O $m.$s.st <$s >$m.$s || break
        done
done
[ -s b.val.st ]
ok 'trains two networks and writes their features'

run 'fits' 0 adze-fuse-features -n 4 a.train.st b.train.st -O dca.st
err_has '^adze-fuse-features: 24 and 16 features of 180 samples in 9 classes become 4$'
err_has '^adze-fuse-features: nearest to the mean of their class: by the first [0-9.]* %, the second [0-9.]* %, added [0-9.]* %, side by side [0-9.]* %$'
run 'with one thread' 0 adze-fuse-features -q -n 4 -j 1 a.train.st b.train.st -O one.st
[ ! -s "$err" ]
ok 'quietly'
adze-fuse-features -q -n 4 -j 3 a.train.st b.train.st >three.st
ok 'with three, to a pipe'
same dca.st one.st
same dca.st three.st
for how in add concat; do
    run "applies it: $how" 0 adze-fuse-features --apply=dca.st --how=$how a.val.st b.val.st -O $how.st
    run "the network of both: $how" 0 adze-init -q ./both.yaml -o how=$how --from left=a.st --from right=b.st \
        --from fuse=dca.st -O both.$how.st
    adze-infer -m both.$how.st --features=features -O net.st <val >$how.val &&
        adze-compare --max-abs=1e-5 $how.st net.st >"$out"
    ok "and gives the same: $how" || explain <"$out"
done
grep -qa '"paths":"\[\\"d/val/' add.st
ok 'paths are kept'
run 'as an array' 0 adze-fuse-features --apply=dca.st a.val.st b.val.st -O add.npy
head -c 128 add.npy | grep -qa "'shape': (180, 4)"
ok 'of four numbers'
adze-infer -m both.add.st <train >add.train && adze-infer -m both.concat.st <train >concat.train
ok 'of the pictures that it was fitted to'

# nearest NAME: pictures of val whose class has the nearest mean in train.
nearest() {
    awk -F '\t' '
        /^#/ { next }
        { split($1, at, "/"); c = at[3]; k = split($2, x, " ") }
        FILENAME ~ /train$/ { n[c]++; for (i = 1; i <= k; i++) sum[c, i] += x[i]; next }
        {
            best = ""
            for (m in n) {
                far = 0
                for (i = 1; i <= k; i++) far += (x[i] - sum[m, i] / n[m]) ^ 2
                if (best == "" || far < least) { least = far; best = m }
            }
            right += best == c
        }
        END { print right }' "$1.train" "$1.val"
}
a=$(nearest a) b=$(nearest b)
for how in add concat; do
    fused=$(nearest $how)
    [ "$fused" -gt "$a" ] && [ "$fused" -gt "$b" ]
    ok "$how: $fused of 180 are nearest to the mean of their class, by one alone $a and $b"
done

run 'all directions' 0 adze-fuse-features a.train.st b.train.st -O all.st
err_has 'in 9 classes become 8$'
run 'fit a network of eight' 0 \
    adze-init -q ./both.yaml -o to=8 --from left=a.st --from right=b.st --from fuse=all.st -O all.both.st
fails 'and no other' 3 "'fuse.first.weight' is .*8,24.*4,24" \
    adze-init -q ./both.yaml --from left=a.st --from right=b.st --from fuse=all.st -O no.st

# The classes as numbers, in .npy: the header, and 8 bytes each.
# labels SHAPE NUMBER...
labels() {
    printf '\223NUMPY\001\000\166\000'
    printf "%-117s\n" "{'descr': '<i8', 'fortran_order': False, 'shape': ($1,), }"
    shift
    for i in "$@"; do printf "\\$(printf %03o "$i")\\0\\0\\0\\0\\0\\0\\0"; done
}
# shellcheck disable=SC2046
labels 180 $(awk -F / '$3 != was { was = $3; n += 7 } { print n }' train) >labels.npy
run 'takes classes as numbers' 0 adze-fuse-features -q -n 4 --classes=labels.npy a.train.st b.train.st -O x.st
same dca.st x.st
# shellcheck disable=SC2046
labels 180 $(yes 1 | head -180) >same.npy && labels 2 1 2 >two.npy
fails 'one class' 3 'all samples are of one class' adze-fuse-features --classes=same.npy a.train.st b.train.st -O no.st
fails 'two numbers' 3 "'two.npy': holds i64 \[2\], not an integer for each of 180 rows" \
    adze-fuse-features --classes=two.npy a.train.st b.train.st -O no.st
fails 'no numbers' 3 "'add.npy': holds f32 \[180,4\]" adze-fuse-features --classes=add.npy a.val.st b.val.st -O no.st

head -100 val | adze-infer -m b.st --features=features -O some.st >"$out"
fails 'other pictures' 3 'the first file has 180 rows, the second 100' adze-fuse-features a.val.st some.st -O no.st
fails 'in another order' 3 "row 1 is of 'd/train/[^']*' in the first file, of 'd/val/" \
    adze-fuse-features a.train.st b.val.st -O no.st
adze-infer -m a.st --features=features -O array.npy <val >"$out"
fails 'no classes' 3 'the first file has no paths that would tell the classes: give --classes' \
    adze-fuse-features array.npy array.npy -O no.st
run 'the second may have none' 0 adze-fuse-features -q a.val.st array.npy -O x.st
cp "$(head -1 val)" 1.ppm && cp "$(tail -1 val)" 2.ppm
printf '1.ppm\n2.ppm\n' | adze-infer -m a.st --features=features -O bare.st >"$out"
fails 'no folders' 3 "'1.ppm' stands in no folder that would be its class" adze-fuse-features bare.st bare.st -O no.st
adze-infer -m a.st --features=conv1,conv2 -O maps.st 1.ppm >"$out"
fails 'which of them' 3 "'maps.st': holds 2 tensors and no 'features': write one with adze-infer --features=NAME" \
    adze-fuse-features maps.st maps.st -O no.st
fails 'a projection of others' 3 "'dca.st': the second set has 24 features, its projection was fitted to 16" \
    adze-fuse-features --apply=dca.st a.val.st array.npy -O no.st
for v in conv2 bn2; do
    adze-infer -m a.st --features=$v -O $v.st <val >"$out" || break
done
run 'two values of one network and width' 0 adze-fuse-features -q conv2.st bn2.st -O maps.dca.st
fails 'in swapped order' 3 "'maps.dca.st': the first set is what the second was when this was fitted: give them in" \
    adze-fuse-features --apply=maps.dca.st bn2.st conv2.st -O no.st
fails 'one twice' 3 "the second set is what the first was when this was fitted: give one that the same model" \
    adze-fuse-features --apply=maps.dca.st conv2.st conv2.st -O no.st
adze-fuse-bn -q -m a.st -O folded.st && adze-infer -m folded.st --features=features -O folded.val.st <val >"$out"
run 'a model that was folded since' 0 adze-fuse-features --apply=dca.st folded.val.st b.val.st -O x.npy
err_has "^adze-fuse-features: the first set is of another model or value than that which 'dca.st' was fitted to$"
[ "$(wc -l <"$err")" = 1 ]
ok 'and of the second nothing is said'
fails 'no projection' 3 "'a.st': has no tensor 'first.weight'; adze-fuse-features writes it" \
    adze-fuse-features --apply=a.st a.val.st b.val.st -O no.st
fails 'fitting and applying' 2 '--count is for fitting' adze-fuse-features -n 3 --apply=dca.st a.val.st b.val.st -O no.st
fails 'how to fit' 2 '--how is for --apply' adze-fuse-features --how=concat a.val.st b.val.st -O no.st
fails 'one file' 2 'operand' adze-fuse-features a.val.st
fails 'no folder to write to' 4 "'no/x.st'" adze-fuse-features a.val.st b.val.st -O no/x.st
[ ! -e no.st ]
ok 'nothing is left of what failed'
