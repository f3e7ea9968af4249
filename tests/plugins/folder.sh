#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
# Signalling over a folder that both devices see: "command": ["folder.sh", "/mnt/shared"]. A message
# is a file RENDEZVOUS.SENDER.NUMBER.msg; RENDEZVOUS.SENDER.here, kept fresh, tells of presence.
# Texts stay in JSON's quotes from the line that brought them to the line that takes them away.
shopt -s nullglob
set -o pipefail
export LC_ALL=C
folder=$1 me=$(</proc/sys/kernel/random/uuid) number=0 tick=0 watched=0
declare -A rendezvous online waiting
coproc jq -Rr --unbuffered '
    def fail($code; $text; $ref): {type: "error", code: $code, message: $text} + $ref | ["error", tojson];
    def kind: if . == "ref" then "number" else "string" end;
    {ping: ["ref"], send: ["ref", "peer", "data"], "peer-add": ["peer", "rendezvous"],
     "peer-remove": ["peer"], request: ["ref"]} as $needed
    | (try fromjson catch null) as $m
    | ([scan("\"[^\"\\\\]*+(?:\\\\.[^\"\\\\]*+)*+\"\\s*:?") | select(endswith(":"))] | length) as $keys
    | if ($m | type) != "object" then fail("bad-json"; "the line is no JSON object"; {})
      elif $keys != ([$m | paths | last | strings] | length)
      then fail("duplicate-key"; "a key is there twice"; {})
      else $m | {ref: (.ref | numbers)} // {} | . as $ref
      | [("type", (($m.type | strings) as $type | $needed[$type] // [] | .[])) | . as $field
         | select(($m[$field] | type) != kind)][0] as $wrong
      | if $wrong == null then [$m.type, ($m | .ref, .peer, .data | tojson), $m.rendezvous // "-"]
        elif $m | has($wrong) then fail("wrong-type"; "\($wrong): a \($wrong | kind) is right"; $ref)
        else fail("missing-field"; "\($wrong) is missing"; $ref) end
      end | join("\u001f")'
error() { echo "{\"type\":\"error\",\"code\":\"$1\",\"message\":\"$2\"$3}"; }
leave() { rm -f "$folder"/*."$me".*; exit 0; }
trap leave TERM INT
take() { # a line from the broker
    ((${#1} < 65536)) || { error line-too-long "a line has 65536 bytes at most"; return; }
    line=$1 # and characters of several bytes as \uXXXX, for jq -R cuts long lines between the bytes of one
    [[ $1 != *[$'\200'-$'\377']* ]] || line=$(iconv -f utf-8 -t utf-8 <<<"$1" | jq -ac .) ||
        { error bad-json "the line is no JSON in UTF-8"; return; }
    printf '%s\n' "$line" >&"${COPROC[1]}"
    IFS=$'\037' read -r type ref peer data secret <&"${COPROC[0]}"
    case $type in
    error) echo "$ref" ;;
    configure) echo '{"type":"ready","address":""}' ;;
    ping) echo "{\"type\":\"pong\",\"ref\":$ref}" ;;
    shutdown) leave ;;
    peer-add) rendezvous[$peer]=$secret online[$peer]=false ;;
    peer-remove) [[ ! ${rendezvous[$peer]} ]] || rm -f "$folder/${rendezvous[$peer]}.$me".*
        unset 'rendezvous[$peer]' ;;
    send) [[ ${rendezvous[$peer]} ]] || { error unknown-peer "peer-add it first" ",\"ref\":$ref"; return; }
        printf -v "waiting[$ref]" '%s.%09d.msg' "$folder/${rendezvous[$peer]}.$me" $((++number))
        echo "$data" >"${waiting[$ref]}.new" && mv "${waiting[$ref]}"{.new,} ;;
    request) error no-request "a folder has no addresses" ",\"ref\":$ref" ;;
    esac
}
watch() { # what the peers left in the folder, and what they took of ours
    watched=${EPOCHREALTIME/./} tick=$((tick + 1))
    for peer in "${!rendezvous[@]}"; do
        for file in "$folder/${rendezvous[$peer]}".*.msg; do [[ $file == *".$me."* ]] ||
            { read -r data <"$file" && rm "$file" &&
                echo "{\"type\":\"receive\",\"peer\":$peer,\"data\":$data}"; }
        done
        ((tick % 5)) || touch "$folder/${rendezvous[$peer]}.$me.here"
        [[ $(find "$folder" -name "${rendezvous[$peer]}.*.here" ! -name "*.$me.*" \
            -newermt '-5 seconds') ]] && now=true || now=false
        [[ $now == "${online[$peer]}" ]] ||
            echo "{\"type\":\"presence\",\"peer\":$peer,\"online\":$now,\"via\":\"folder\"}"
        online[$peer]=$now
    done
    for ref in "${!waiting[@]}"; do [[ -e ${waiting[$ref]} ]] ||
        { echo "{\"type\":\"sent\",\"ref\":$ref}"; unset "waiting[$ref]"; }; done
}
echo '{"type":"hello","protocol":1,"role":"signal","name":"folder","version":"1","capabilities":[]}'
exec {never}<> <(:) # waiting for more there is waiting without a process
while :; do # read -t would lose what comes as its time is up, but with 0, which only looks
    while read -rt 0; do
        IFS= read -r line || leave
        [[ ! $line ]] || take "$line"
        ((${EPOCHREALTIME/./} < watched + 50000)) || watch
    done
    read -rt 0.05 -u "$never"
    watch
done
