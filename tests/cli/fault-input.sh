#!/bin/sh
# fault-input.sh -- every command with the wrong file in each place (F-003,
# F-004, F-027, F-028, F-065, F-066, F-096, F-097).
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

toy
adze-synth -n 3 --size 16 -s 7 -f folder -O few && toy_train m.st -o global.epochs=1 &&
    adze-calibrate -q -m m.st -d few -n 10 -O ranges.st && adze-export -q -m m.st -f safetensors -O plain.st &&
    find few -name '*.png' | adze-infer -m m.st --features=features -O rows.st >rows
ok 'makes a model'
picture=few/star/00000.png

complain() { echo "$*" >>"$work/bad"; }
each() {
    [ ! -s "$work/bad" ]
    ok "$1" || explain <"$work/bad"
    : >"$work/bad"
}
: >"$work/bad"

# ---- files with the names of options ----

cp $picture ./-x && cp $picture ./-
run 'F-003 a picture named -x' 0 adze-infer -m m.st -- -x
out_has '^-x	'
run 'F-004 a picture named -' 0 adze-infer -m m.st ./-
out_has '^\./-	'
run 'F-004 - is standard input, once' 3 adze-infer -m m.st - - <$picture
[ "$(grep -c '^-	' "$out")" = 2 ] && [ "$(wc -l <"$err")" = 1 ]
ok 'and then it is empty' || explain <"$err"
rm ./-x ./-

# ---- networks and recipes ----

truncate -s 5G large.yaml && mkfifo pipe.yaml
fails 'F-027 more classes than memory' 4 'linear.weight.*no memory' adze-init resnet20 -o classes=1000000000
fails 'F-027 pictures of no pixel' 2 "'0' is not a size" adze-init lenet5 -o size=0
fails 'F-027 pictures of too many' 2 'more than 65535' adze-init resnet20 -o size=65536
for o in schedule.lr=-1 train.batch=0 train.batch=-1 train.batch=010 train.batch=1_000 train.batch=1:30 train.batch=1e3 \
    global.epochs=0 schedule.lr=.nan schedule.lr=0,1 optimizer.nesterov=on; do
    toy_train x.st -o $o >"$out" 2>"$err"
    [ $? = 2 ] && [ "$(wc -l <"$err")" = 1 ] && grep -q "'${o%=*}' is .*'${o#*=}'" "$err" || complain "$o: $(cat "$err")"
done
each 'F-023 F-027 values of a recipe'
fails 'F-028 a network of 5 GB' 3 "'./large.yaml' is larger than the limit of 16777216 bytes" adze-init ./large.yaml
fails 'F-028 a recipe of 5 GB' 3 "'./large.yaml' is larger than the limit of 1048576 bytes" toy_train x.st -c ./large.yaml
fails 'F-028 a folder as network' 3 "'./few': Is a directory" adze-init ./few
fails 'F-028 a folder as recipe' 3 "'./few': Is a directory" toy_train x.st -c ./few
cat toy.yaml >pipe.yaml &
run 'F-028 a network from a pipe' 0 timeout 20 adze-init ./pipe.yaml -s 5 -O piped.st
wait
same piped.st start.st
echo 'global: {seed: 3}' >pipe.yaml &
run 'F-028 a recipe from a pipe' 0 timeout 20 adze-init ./toy.yaml -c ./pipe.yaml -O piped.st
wait

# ---- data ----

for set in one:star 'names:A a '"$(printf 'k\303\244se ka\314\210se')"; do
    mkdir "${set%%:*}" && for class in ${set#*:}; do cp -r few/star "${set%%:*}/$class"; done
    n=$(ls "${set%%:*}" | wc -l)
    adze-init ./toy.yaml -o classes="$n" | adze-train -q -d "${set%%:*}" -o global.epochs=1 -o train.batch=3 -O "$n.st" &&
        adze-evaluate -m "$n.st" -d "${set%%:*}" --classes >"$out" && [ "$(sed '1,/^# class/d' "$out" | cut -f2 | sort -u)" = 3 ] ||
        complain "$set: $(cat "$out")"
done 2>"$err"
each 'F-065 one class; classes whose names differ by case or by composition'
mkdir less more && cp -r few/star few/ring less && cp -r few/* more && cp -r few/star more/comet
run 'F-066 classes that the data has not' 0 adze-evaluate -m m.st -d less
err_has 'checker'
fails 'F-066 a class that the model has not' 3 "class 'comet' is not among the 10 classes" adze-evaluate -m m.st -d more
fails 'F-066 nor while it is trained' 3 "class 'comet' is not among the 10 classes" toy_train x.st -e more

# ---- weights ----

printf '{"metadata": {"total_size": 8}, "weight_map": {"conv1.weight": "../plain.st"}}\n' >index.json
fails 'F-097 an index of shards' 3 "'index.json': this is JSON, .* index of shards, join them" \
    adze-init ./toy.yaml --from index.json
adze-init lenet5 -s 1 -O one.st && adze-init lenet5 -s 2 -O two.st
for i in 1 2 3 4 5 6 7 8 9 10; do
    adze-init lenet5 -s 1 -O there.st &
    adze-init lenet5 -s 2 -O there.st || complain "a writer fails"
    wait
    cmp -s there.st one.st || cmp -s there.st two.st || complain "$i: neither"
    [ -z "$(ls -A | grep tmp)" ] || complain "leaves $(ls -A | grep tmp)"
done
each 'F-096 two writers of one file: one of them wins'

# ---- the wrong file in every place ----

# places VERB: commands, one a line, with MODEL, DATA, YAML ... where a file goes;
# none for those that read none.
places() {
    case $1 in
    augment) echo '-d DATA -n 2 -f tar -O x' ;;
    benchmark) echo '--seconds=0.01 MODEL' ;;
    calibrate) echo '-m MODEL -d few -O x' && echo '-m m.st -d DATA -O x' ;;
    compare) echo 'm.st MODEL' && echo 'm.st m.st -d DATA' ;;
    evaluate) echo '-m MODEL -d few' && echo '-m m.st -d DATA' ;;
    export) echo '-m MODEL -f onnx -O x' ;;
    fuse-bn | reparam) echo '-m MODEL -O x' ;;
    fuse-features)
        echo 'ROWS rows.st -O x'
        echo 'rows.st ROWS -O x'
        echo '--apply=ROWS rows.st rows.st -O x'
        echo '--classes=ROWS rows.st rows.st -O x'
        ;;
    import) echo 'ONNX -O x' ;;
    infer) echo "-m MODEL $picture" ;;
    init)
        echo './YAML -O x'
        echo './toy.yaml -c ./YAML -O x'
        echo './toy.yaml --from WEIGHTS -O x'
        ;;
    quantize)
        echo '-m MODEL -d few -O x'
        echo '-m m.st -d DATA -O x'
        echo '-m m.st --ranges RANGES -O x'
        ;;
    show) echo '-m MODEL' ;;
    train)
        echo '-m MODEL -d few -o train.batch=10 -O x'
        echo '-m start.st -d DATA -o train.batch=1 -O x'
        echo '-m start.st -d few -e DATA -o train.batch=10 -O x'
        echo '-m start.st -d few -c ./YAML -O x'
        ;;
    synth) ;;
    *) complain "places() has no line for adze-$1" ;;
    esac
}

printf 'some words\n' >words && : >empty && head -c 5000 m.st >half && head -c 70000 /dev/zero >zeros
head -c 60000 train.tar >half.tar && cp $picture picture && mkdir folder
printf '{"a": [1, 2]}\n' >json
for c in "$top"/bin/adze-*; do
    verb=${c##*/adze-}
    places "$verb" >"$work/places"
    while read -r place; do
        case $place in
        *MODEL*) word=MODEL files='words empty half zeros picture folder json half.tar toy.yaml ranges.st plain.st gone' ;;
        *ONNX*) word=ONNX files='words empty half zeros picture folder json half.tar toy.yaml m.st gone' ;;
        *WEIGHTS*) word=WEIGHTS files='words empty half zeros picture folder json half.tar toy.yaml ranges.st gone' ;;
        *RANGES*) word=RANGES files='words empty half zeros picture folder json half.tar toy.yaml m.st plain.st gone' ;;
        *ROWS*) word=ROWS files='words empty half zeros picture folder json half.tar toy.yaml ranges.st plain.st m.st gone' ;;
        *DATA*) word=DATA files='words empty half zeros picture folder half.tar m.st gone' ;;
        *) word=YAML files='words half zeros picture folder half.tar m.st gone' ;;
        esac
        for f in $files; do
            # shellcheck disable=SC2046
            timeout 20 "adze-$verb" -q $(echo "$place" | sed "s/$word/$f/") >"$out" 2>"$err"
            got=$?
            what="$verb $place with $f"
            case $got in 2 | 3) ;; *) complain "$what: status $got" ;; esac
            [ "$(wc -l <"$err")" = 1 ] && grep -q "^adze-$verb: .*$f" "$err" || complain "$what: $(cat "$err")"
            [ $verb = benchmark ] || [ ! -s "$out" ] || complain "$what: writes $(head -c 200 "$out")"
            [ ! -e x ] || complain "$what: makes a file"
            rm -f x
        done
    done <"$work/places"
    [ ! -s "$work/places" ] && [ ! -s "$work/bad" ] || each "adze-$verb: a line for each wrong file"
done
