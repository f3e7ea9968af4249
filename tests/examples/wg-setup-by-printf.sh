#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# punchguard-wg-setup driven by printf: a WireGuard tunnel between two hosts on one network, which stands after its
# input has ended. Run in the lab: tests/lab/run example/wg-setup-by-printf
# lab: same-link
#
# ALICE and BOB begin a command line that runs on that host; WORK is an empty folder.
set -eu
: "${ALICE:?run by tests/lab/run}" "${BOB:?}" "${WORK:?}"

address() { # HOST: its address on the network between the two
    # shellcheck disable=SC2086
    ${!1} ip -4 -o address show dev eth0 | sed 's|.* inet \([0-9.]*\)/.*|\1|'
}

wg_setup() { # HOST NUMBER: what comes in by standard input is what a broker would say
    # shellcheck disable=SC2086
    ${!1} punchguard-wg-setup --interface pg0 --address "10.66.0.$2/24" --state-dir "$WORK/$1"
}

ready() { # HOST FIELD: of what it said when it was up
    sed -n "s/.*\"type\":\"ready\".*\"$2\":\"*\([^\",}]*\).*/\1/p" "$WORK/$1.said"
}

tell() { # HOST NUMBER PEER NUMBER: about the peer, and the path to it
    printf '%s\n' \
        "{\"type\":\"peer-set\",\"ref\":1,\"peer\":\"$3\",\"wg_public_key\":\"$(ready "$3" wg_public_key)\",\"allowed_ips\":[\"10.66.0.$4/32\"],\"keepalive\":25}" \
        "{\"type\":\"port-open\",\"ref\":2,\"peer\":\"$3\",\"base\":{\"address\":\"$(address "$1")\",\"port\":4100$2}}" \
        "{\"type\":\"path-set\",\"ref\":3,\"peer\":\"$3\",\"kind\":\"direct\",\"base\":{\"address\":\"$(address "$1")\",\"port\":4100$2},\"remote\":{\"address\":\"$(address "$3")\",\"port\":4100$4}}" |
        wg_setup "$1" "$2" >"$WORK/$1.said"
    grep -c '"type":"done"' "$WORK/$1.said" | grep -qx 3
}

# The interfaces, which stand when this has ended; then peers and paths, by a further start each.
wg_setup ALICE 1 </dev/null >"$WORK/ALICE.said"
wg_setup BOB 2 </dev/null >"$WORK/BOB.said"
tell ALICE 1 BOB 2
tell BOB 2 ALICE 1

$ALICE ping -q -c 3 -i 0.2 -W 5 10.66.0.2
$ALICE wg show pg0

# `shutdown` takes it down.
for host in ALICE BOB; do
    printf '{"type":"shutdown"}\n' | wg_setup $host "$([ $host = ALICE ] && echo 1 || echo 2)" >/dev/null
    # shellcheck disable=SC2086
    if ${!host} ip link show pg0 2>/dev/null; then
        echo "$host: pg0 is still there"
        exit 1
    fi
done
echo "up by printf, pinged through, down by shutdown"
