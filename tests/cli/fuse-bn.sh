#!/bin/sh
# fuse-bn.sh -- adze-fuse-bn: exact, proved, and refused where it is not.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

cat >stats.yaml <<END
model:
  init:
    "*.running_mean": normal 0.3
    "*.running_var": constant 0.4
    "*.bn?.weight": uniform 1.5
    "*.bn?.bias": normal 0.2
END
adze-init resnet20 -c stats.yaml -o depths='[1, 1, 1]' -O a.st
ok 'makes a model'

run 'fuses' 0 adze-fuse-bn -m a.st -O b.st
err_has 'outputs differ by .* of the largest, on 16 inputs$'
err_has 'parameters [0-9]* -> [0-9]*, MFLOP'
err_has 'planned peak of values [0-9.]* -> [0-9.]* MB, with scratch'
run 'the models agree' 0 adze-compare a.st b.st
run 'a layer is called by what it gives' 0 adze-show --plan b.st
out_has '^bn1	conv2d+relu	'
run 'and its parameters as before' 0 adze-show --state b.st
out_has '^conv1.weight '
adze-init -q -o depths='[1, 1, 1]' resnet20 -O u.st
adze-fuse-bn -q <u.st | cat >c.st
run 'through a pipe' 0 adze-compare u.st c.st
run 'quiet' 0 adze-fuse-bn -q -m a.st -j 2 -O d.st
[ ! -s "$err" ]
ok 'says nothing'
same b.st d.st
adze-init -q resnet20 -c stats.yaml -o depths='[1, 1, 1]' -o 'dcn=[3]' -O f.st
run 'a deformable layer takes one, too' 0 adze-fuse-bn -m f.st -O g.st
run 'and the models agree' 0 adze-compare f.st g.st
[ "$(adze-show --graph -m g.st | grep -c batchnorm)" = 0 ]
ok 'none is left'
run 'once more changes nothing but the history' 0 adze-fuse-bn -m b.st -O e.st
err_is 'adze-fuse-bn: nothing to fuse: no batch-norm alone reads a convolution or linear layer'
adze-show --graph -m b.st >before && adze-show --graph -m e.st | cmp -s before -
ok 'and the network is the same'
run 'JSON says so too' 0 adze-fuse-bn -q --json -m b.st -O e2.st
err_has '"changed":false,'
run 'quietly' 0 adze-fuse-bn -q -m b.st -O e2.st
[ ! -s "$err" ]
ok 'nothing is said of nothing'
run 'and computes the same' 0 adze-compare --tolerance=0 b.st e.st

run 'a report in JSON' 0 adze-fuse-bn -q --json -m a.st -O f.st
err_has '^{"max_abs":.*"changed":true,"before":{"params":.*"plan_bytes":.*"after":{.*"latency_ms":[0-9.]*}}$'
grep -q 'batchnorm2d' a.st && ! grep -q 'batchnorm2d' b.st
ok 'no batch-norm is left'
grep -q 'fuse-bn' b.st
ok 'the history says so'

# Branches that cancel to the last bit, until their weights are rounded anew.
cat >cancel.yaml <<END
network: cancel
input: {size: [1, 8, 8]}
body:
  - add:
      - do:
          - conv: {as: a1, out: 1, kernel: 1}
          - conv: {as: a2, out: 1, kernel: 1}
          - bn: {as: a3}
      - do:
          - conv: {as: b1, out: 1, kernel: 1}
          - conv: {as: b2, out: 1, kernel: 1}
          - bn: {as: b3}
  - global_avg_pool
  - linear: {as: fc, out: 2}
END
cat >cancel.rules.yaml <<END
model:
  init:
    "*.running_var": constant 0.3
    a1.weight: constant 3
    a2.weight: constant 1
    b1.weight: constant 1
    b2.weight: constant -3
END
adze-init ./cancel.yaml -c cancel.rules.yaml -O far.st
fails 'what is not exact' 1 'not exact: outputs differ by' \
    adze-fuse-bn -q -m far.st -O far2.st
[ ! -e far2.st ]
ok 'nothing is written'
echo 'model: {init: {layer2.0.bn1.running_var: constant -1}}' >neg.yaml
adze-init resnet20 -c neg.yaml -o depths='[1, 1, 1]' -O neg.st
fails 'a negative variance' 6 'layer2.0.bn1' adze-fuse-bn -q -m neg.st -O neg2.st
fails 'no model' 3 "'none.st'" adze-fuse-bn -m none.st -O x.st
head -c 5000 a.st >cut.st
fails 'half a model' 3 '' adze-fuse-bn -q -m cut.st -O x.st
fails 'a full disk' 4 "'/dev/full'" adze-fuse-bn -q -m a.st -O /dev/full
fails 'an operand' 2 "unexpected operand 'a.st'; the model is named with -m" adze-fuse-bn a.st
