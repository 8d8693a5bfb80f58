#!/bin/sh
# zoo.sh -- each network of the zoo trains, and does in 8 bits what it learned.
# SPDX-License-Identifier: MIT
#
# 20 steps on 16 drawn pictures lower the loss; after 50, when the running
# statistics have settled, without normalisation layers and in 8 bits the best
# class should stay for all of them.  Where it does not, what stays is said, and
# less than half is a failure.  NETWORKS='resnet18 vgg*' tries these alone,
# whatever their size.
. tests/cli/lib.sh

adze-synth -q -n 2 --size 64 -f folder -O all && mkdir data &&
    for class in ring star cross spiral square circle triangle checker; do cp -r all/$class data/; done
ok 'draws pictures'

# options NAME: pictures of 64 pixels will do for all but these.
options() {
    case $1 in
    lenet5 | resnet20 | resnet32 | resnet44 | resnet56 | resnet110 | resnet1202 | wrn-* | *-cifar | mlp) ;;
    alexnet) echo '-o size=96' ;;
    inception-v3) echo '-o size=96 -o aux=no' ;;
    *) echo '-o size=64' ;;
    esac
}

# one NAME: its losses of the first and the last step in NAME.loss, what
# quantising says in NAME.8.
one() {
    # shellcheck disable=SC2046
    adze-init -q "$1" -o classes=8 $(options "$1") |
        adze-train -j 1 -d data -o global.epochs=50 -o train.batch=16 -o train.augment=[] -o schedule.warmup=0 \
            -o optimizer.kind=adamw -o schedule.lr=0.001 -O "$1.st" 2>"$1.log"
    sed -n 's/^.*epoch \(1\|20\): .*, loss \([^,]*\),.*/\2/p' "$1.log" | paste -sd' ' >"$1.loss"
    adze-reparam -q -m "$1.st" | adze-fuse-bn -q | adze-quantize -j 1 -d data --min-agreement=0.5 2>"$1.8" >/dev/null
    echo $? >"$1.status"
    rm -f "$1.st"
}

wanted() {
    # those left out are wider or deeper forms of others
    for name in $(adze-init --list | awk -v all="$NETWORKS" '!/^#/ && (all || $2 < 3e7) { print $1 }'); do
        for pattern in ${NETWORKS:-*}; do
            # shellcheck disable=SC2254
            case $name in $pattern) echo "$name" ;; esac
        done
    done
}

# Two at a time: small ones would leave threads idle.
set -f
wanted >list
for half in 0 1; do
    awk -v half=$half 'NR % 2 == half' list | while read -r name; do one "$name"; done &
done
wait
while read -r name; do
    read -r first last <"$name.loss"
    awk -v a="$first" -v b="$last" 'BEGIN { exit !(b + 0 > 0 && b + 0 < a + 0) }'
    ok "$name: loss $first to $last" || tail -2 "$name.log" | explain
    share=$(sed -n 's/^.*best class agrees for \(.*\) of 16 inputs.*/\1/p' "$name.8")
    if [ "$(cat "$name.status")" = 0 ] && [ "$share" != '100.00 %' ]; then
        skip "$name in 8 bits" "the best class stays for $share"
        continue
    fi
    [ "$(cat "$name.status")" = 0 ]
    ok "$name in 8 bits" || explain <"$name.8"
done <list
