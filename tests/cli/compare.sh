#!/bin/sh
# compare.sh -- adze-compare: models and tensor files.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

adze-init resnet20 -o classes=10 -o depths='[1, 1, 1]' -s 5 -O a.st &&
    adze-init resnet20 -o classes=10 -o depths='[1, 1, 1]' -s 6 -O b.st &&
    adze-synth -n 2 -O d.tar
ok 'makes two models'

run 'a model equals itself' 0 adze-compare a.st a.st
out_has '^max_abs	0$'
out_has '^top1_agreement	1$'
run 'two models differ' 1 adze-compare a.st b.st
out_has '^first_divergent	conv1	'
err_has 'differ by'
run 'within a large tolerance' 0 adze-compare a.st b.st --tolerance 100
run 'on pictures, as JSON' 1 adze-compare a.st b.st -d d.tar -n 20 --json
out_has '"samples": 20'
run 'by class' 1 adze-compare a.st b.st --classes
[ "$(grep -c '^class	' "$out")" = 10 ]
ok 'a row a class'
fails 'needs two operands' 2 'A B' adze-compare a.st
fails 'a file that is not there' 3 'none.st' adze-compare a.st none.st
run 'one of them from a pipe' 0 sh -c 'cat a.st | adze-compare a.st -'
