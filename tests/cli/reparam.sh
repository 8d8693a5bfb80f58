#!/bin/sh
# reparam.sh -- adze-reparam: branches become one convolution, exactly.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

# Three sums of a 3x3, a 1x1 and the value itself, and the same as a chain.
cat >branches.yaml <<END
network: branches
input: {size: [3, 32, 32]}
body:
  - conv: {as: stem, out: 8, kernel: 1}
  - repeat: 3
    as: \$i
    do:
      - add:
          - do: [{conv: {as: three, out: 8, kernel: 3, pad: 1}}, {bn: {as: bn3}}]
          - do: [{conv: {as: one, out: 8, kernel: 1}}, {bn: {as: bn1}}]
          - bn: {as: bn0}
  - global_avg_pool
  - linear: {as: fc, out: 5}
END
cat >stats.yaml <<END
model:
  init: {"*.running_mean": normal 0.3, "*.running_var": constant 0.4, "*.bn?.bias": normal 0.2}
END
adze-init ./branches.yaml -c stats.yaml -O a.st
ok 'makes a model'

run 'reparam' 0 adze-reparam --json -m a.st -O b.st
cp "$err" report
[ "$(tr ',' '\n' <report | sed -n 's/.*"params":\([0-9]*\).*/\1/p' | tr '\n' ' ')" = '2133 1821 ' ]
ok 'has the parameters of a chain' || explain <report
run 'the models agree' 0 adze-compare a.st b.st
for op in batchnorm2d '\badd:'; do
    grep -qa "$op" a.st && ! grep -qa "$op" b.st
    ok "no $op is left"
done
run 'says it in words' 0 adze-reparam -m a.st -O c.st
err_has 'outputs differ by .* of the largest, on 16 inputs$'
same b.st c.st
run 'a chain has nothing to do' 0 adze-reparam -m b.st -O d.st
err_is 'adze-reparam: nothing to re-parameterise: no sum has parallel linear branches of one value'
run 'and stays what it was' 0 adze-compare --tolerance=0 b.st d.st

# At a sum stand the input of its branches, the sum so far and the next branch;
# in a chain the input and output of a layer.  Beyond the output that is twice
# as much.  The rest is the picture.  Values lie in blocks of 16 channels.
unit=$((16 * 32 * 32 * 4)) picture=$((3 * 32 * 32 * 4))
set -- $(tr ',' '\n' <report | sed -n 's/.*"value_bytes":\([0-9]*\).*/\1/p')
[ $(($1 - picture)) -ge $((3 * unit)) ] && [ $(($2 - picture)) -lt $((2 * unit + 999)) ]
ok 'branches need twice the memory of the chain' || explain <report

adze-init repvgg-a0 -c stats.yaml -o size=32 -o classes=10 -O v.st 2>/dev/null ||
    adze-init repvgg-a0 -o size=32 -o classes=10 -O v.st
run 'a RepVGG' 0 adze-reparam -q -m v.st -O w.st
run 'agrees with its plain form' 0 adze-compare v.st w.st

# Several branches of one shape, depthwise ones, a sum of one.
cat >plain.yaml <<END
model:
  init: {"*.running_mean": normal 0.1, "*.running_var": constant 0.9}
END
plain() { # NAME TRAINED DEPLOYED
    adze-init "$1" -c plain.yaml -o size=32 -O v.st
    run "$1" 0 adze-reparam --json -m v.st -O w.st
    grep -q "\"params\":$2,.*\"params\":$3," "$err"
    ok "$1 is made plain" || explain <"$err"
    run "$1 agrees with its plain form" 0 adze-compare v.st w.st
}
plain mobileone-s0 5293272 2078504
plain pp-lcnet-v2-small 4128552 4092840

# Networks whose convolutions are forms for training: learnt statistics, then
# the plain shape with the same logits.
toy
adze-init ./toy.yaml | adze-fuse-bn -q | adze-show --graph >plain
for form in acb dbb rep; do
    run "conv=$form: trains a network" 0 sh -c "adze-init ./toy.yaml -o conv=$form -s 5 |
        adze-train -q -m - -d train.tar -e valid.tar -o global.epochs=1 -o train.batch=40 -O $form.st"
    run 'says by how much it differs' 0 adze-reparam -m $form.st -O plain-$form.st
    err_has 'outputs differ by .* of the largest, on 16 inputs$'
    run 'agrees with its plain form' 0 adze-compare $form.st plain-$form.st
    adze-show --graph -m plain-$form.st | cmp - plain
    ok 'is the plain network, name by name'
done
fails 'a form that is none' 2 "-o conv=ac: .*'conv' is none of plain, acb, dbb, rep: 'ac'" \
    adze-init resnet20 -o conv=ac
fails 'no model' 3 "'none.st'" adze-reparam -m none.st -O x.st
fails 'a full disk' 4 "'/dev/full'" adze-reparam -q -m a.st -O /dev/full
