#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# punchguard-signal-tox alone, driven from a shell: alice sends bob a message over Tox. On real machines run
# each half on its own and leave the options out: the public Tox nodes are compiled in.
set -eu
cd "$WORK"
mkfifo alice.in alice.out bob.in bob.out

# shellcheck disable=SC2086 # each is the beginning of a command line
$ALICE punchguard-signal-tox <alice.in >alice.out &
# shellcheck disable=SC2086
$BOB punchguard-signal-tox <bob.in >bob.out &
exec 3>alice.in 4<alice.out 5>bob.in 6<bob.out

await() { # DESCRIPTOR FILTER: the next message from there that passes jq's filter
    while read -r line <&"$1"; do
        echo "$line" | jq -ce "select($2)" && return
    done
    echo "no message that is $2" >&2
    exit 1
}

configure() { # FOLDER
    jq -nc --arg dir "$WORK/$1" --argjson nodes "$TOX_BOOTSTRAP" \
        '{type: "configure", state_dir: $dir, options: {bootstrap: $nodes}}'
}

peer_add() { # NAME, and its `ready` on standard input
    jq -c --arg name "$1" \
        '{type: "peer-add", peer: $name, address, rendezvous: ("0" * 64)}'
}

configure alice >&3
configure bob >&5
await 4 '.type == "ready"' | peer_add alice >&5
await 6 '.type == "ready"' | peer_add bob >&3
await 4 '.type == "presence" and .online'

echo '{"type":"send","ref":1,"peer":"bob","data":"Hello Bob"}' >&3
await 6 '.type == "receive" and .data == "Hello Bob"'
await 4 '.type == "sent" and .ref == 1'

echo '{"type":"shutdown"}' | tee /dev/fd/5 >&3
wait
echo "bob has alice's message, and alice knows"
