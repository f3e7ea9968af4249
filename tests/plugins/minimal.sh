#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Signalling over a folder that both devices see, in 40 lines: "command": ["minimal.sh", "/mnt/shared"]. What a
# tunnel needs and no more: folder.sh bears bad lines and slow readers too. A message is a file
# RENDEZVOUS.SENDER.NUMBER.msg; RENDEZVOUS.SENDER.here, kept fresh, tells of presence.
shopt -s nullglob
folder=$1 me=$(</proc/sys/kernel/random/uuid) number=0 tick=0 partial=
declare -A rendezvous online waiting
leave() { rm -f "$folder"/*."$me".*; exit 0; }
trap leave TERM INT
take() { # a line from the broker
    IFS=$'\t' read -r type ref peer secret < <(
        jq -r '[.type, .ref // "-", .peer // "-", .rendezvous] | @tsv' <<<"$1")
    case $type in
    configure) echo '{"type":"ready","address":"folder"}' ;;
    ping) echo "{\"type\":\"pong\",\"ref\":$ref}" ;;
    shutdown) leave ;;
    peer-add) rendezvous[$peer]=$secret online[$peer]=false ;;
    peer-remove) rm -f "$folder/${rendezvous[$peer]}.$me".*; unset "rendezvous[$peer]" ;;
    send) printf -v "waiting[$ref]" '%s.%09d.msg' "$folder/${rendezvous[$peer]}.$me" $((++number))
        jq -c '{data}' <<<"$1" >"${waiting[$ref]}.new" && mv "${waiting[$ref]}"{.new,} ;;
    esac
}
watch() { # what the peers left in the folder, and what they took of ours
    for peer in "${!rendezvous[@]}"; do
        for file in "$folder/${rendezvous[$peer]}".*.msg; do [[ $file == *".$me."* ]] ||
            { jq -c --arg p "$peer" '{type: "receive", peer: $p, data}' "$file" && rm "$file"; }; done
        ((tick % 5)) || touch "$folder/${rendezvous[$peer]}.$me.here"
        [[ $(find "$folder" -name "${rendezvous[$peer]}.*.here" ! -name "*.$me.*" \
            -newermt '-5 seconds') ]] && now=true || now=false
        [[ $now == "${online[$peer]}" ]] || jq -cn --arg p "$peer" \
            "{type: \"presence\", peer: \$p, online: $now, via: \"folder\"}"; online[$peer]=$now
    done
    for ref in "${!waiting[@]}"; do [[ -e ${waiting[$ref]} ]] ||
        { echo "{\"type\":\"sent\",\"ref\":$ref}"; unset "waiting[$ref]"; }; done
}
echo '{"type":"hello","protocol":1,"role":"signal","name":"folder","version":"1","capabilities":[]}'
while read -r -t 0.05 line; result=$?; ((result == 0 || result > 128)); do
    if ((result)); then partial+=$line; watch; ((++tick)); else take "$partial$line"; partial=; fi
done; leave
