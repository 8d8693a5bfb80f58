#!/bin/sh
# adze.sh -- the dispatcher finds, runs and names commands.
# SPDX-License-Identifier: MIT
. tests/cli/lib.sh

mkdir bin other
cp "$top/bin/adze" bin
printf '#!/bin/sh\necho "beside $#:$1:$2"\nexit 7\n' >bin/adze-beside
printf '#!/bin/sh\necho in path\n' >other/adze-far-off
chmod +x bin/adze-beside other/adze-far-off
PATH=$work/dir/bin:$work/dir/other:/usr/bin:/bin

run 'runs the command beside it, with its arguments and status' 7 adze beside '' '--help me'
out_is 'beside 2::--help me'
run 'runs a command in PATH' 0 adze far-off
out_is 'in path'
run 'lists commands, sorted' 0 adze --list
out_is "beside
far-off"
run 'works with PATH unset' 7 env -u PATH "$work/dir/bin/adze" beside
fails 'a wrong command has a near one' 2 "'besid' is not a command; did you mean 'beside'" adze besid
fails 'a command is not a path' 2 "not a command" adze ../bin/adze-beside
fails 'an empty command' 2 'not a command' adze ''
fails 'no command' 2 'a command is missing' adze
fails 'control bytes are escaped' 2 "'x.x1b.x0ay'" adze "$(printf 'x\033\ny')"
run '--help' 0 adze --help
out_has '^usage: adze '
run 'help' 0 adze help
out_has '^usage: adze '
run 'help of a command without a page' 7 adze help beside
out_has '1:--help'
mkdir man-is && printf '#!/bin/sh\nbasename "$1"\n' >man-is/man && chmod +x man-is/man
run 'by its whole name' 7 adze help adze-beside
out_has '1:--help'
run 'help of formats' 0 env PATH="$work/dir/man-is:$PATH" "$top/bin/adze" help formats
out_has '^adze-formats.5$'
run 'completion for bash is a script' 0 sh -c 'adze completion bash | bash -n'
fails 'completion for another shell' 2 'bash, zsh or fish' adze completion csh
run 'completion offers commands' 0 bash -c 'eval "$(adze completion bash)"
    COMP_WORDS=(adze far) COMP_CWORD=1; _adze adze; [ "${COMPREPLY[*]}" = far-off ]'
PATH=$top/bin:$PATH
run 'completion offers the options of the table' 0 bash -c 'eval "$(adze completion bash)"
    COMP_WORDS=(adze --l) COMP_CWORD=2; _adze x; COMP_WORDS=(x --l); COMP_CWORD=1; _adze adze
    c=adze; COMP_WORDS=(adze-x --ve); adze-x() { adze "$@"; }; _adze adze-x; [ "${COMPREPLY[*]}" = --version ]'
run '--version' 0 adze -V
out_has '^adze (adze) [0-9]'
out_has '^instruction set: '
