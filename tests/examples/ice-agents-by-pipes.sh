#!/bin/bash
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Two ice-agents joined by plain pipes punch through two NATs, without a broker. On real machines:
#
#     mkfifo back
#     ssh far punchguard-ice-agent --controlled <back | punchguard-ice-agent --controlling >back
#
# Here both hosts, both NATs and the internet with its STUN server are network namespaces of this machine:
#
#     alice 10.1.0.2 -- nat 192.0.2.2 -- internet -- 198.51.100.2 nat -- 10.2.0.2 bob
#
# usage: [LOSS=PERCENT] ice-agents-by-pipes.sh   (in the build folder, as root)
set -eu
[ "$(id -u)" -eq 0 ] || { echo "needs root, for network namespaces" >&2; exit 77; }

build=${PUNCHGUARD_BUILD:-$PWD}
agent=$build/punchguard-ice-agent
stun=192.0.2.1
space=ice-agent-$$ # namespaces: $space-internet, and so on
work=$(mktemp -d)
started=()

finish() {
    kill "${started[@]}" 2>/dev/null || true
    wait || true
    for name in internet nat-alice nat-bob alice bob; do
        ip netns delete "$space-$name" 2>/dev/null || true
    done
    rm -rf "$work"
}
trap finish EXIT

node() { # NAME: a namespace
    ip netns add "$space-$1"
    ip -n "$space-$1" link set lo up
}

cable() { # NAME INTERFACE ADDRESS NAME INTERFACE ADDRESS
    ip -n "$space-$1" link add "$2" type veth peer name "$5" netns "$space-$4"
    ip -n "$space-$1" address add "$3/24" dev "$2"
    ip -n "$space-$4" address add "$6/24" dev "$5"
    ip -n "$space-$1" link set "$2" up
    ip -n "$space-$4" link set "$5" up
}

forward() { # NAME
    ip netns exec "$space-$1" sysctl -qw net.ipv4.ip_forward=1
}

nat() { # NAME: masquerades what leaves by wan, lets in only answers
    forward "$1"
    ip netns exec "$space-$1" nft -f - <<END
table ip nat {
    chain input { type filter hook input priority 0; iifname wan ct state new drop; }
    chain forward { type filter hook forward priority 0; iifname wan ct state new drop; }
    chain postrouting { type nat hook postrouting priority srcnat; oifname wan masquerade; }
}
END
}

home() { # HOST LAN-PREFIX ROUTER WAN-ADDRESS: a host behind its own NAT
    node "$1"
    node "nat-$1"
    cable "$1" eth0 "$2.2" "nat-$1" lan "$2.1"
    cable "nat-$1" wan "$4" internet "$1" "$3"
    ip -n "$space-$1" route add default via "$2.1"
    ip -n "$space-nat-$1" route add default via "$3"
    nat "nat-$1"
}

relay() { # LOG FIFO: passes lines on, with a copy that tells when
    while IFS= read -r line; do
        printf '%s %s\n' "${EPOCHREALTIME/./}" "$line" >>"$work/$1"
        printf '%s\n' "$line"
    done >"$work/$2"
}

await() { # LOG TEXT: until a line holds the text; 10 s at most
    timeout 10 sh -c 'tail -n +1 -f "$1" | grep -q -m 1 -e "$2"' - "$work/$1" "$2" || {
        echo "no $2 in $1:" >&2
        cat "$work/$1" >&2
        exit 1
    }
}

line() { # LOG TYPE: the first of them, "MICROSECONDS JSON"
    grep -m 1 "\"type\":\"$2\"" "$work/$1"
}

node internet
home alice 10.1.0 $stun 192.0.2.2
home bob 10.2.0 198.51.100.1 198.51.100.2
forward internet
ip netns exec "$space-internet" nft -f - <<END
table ip faults {
    chain forward { type filter hook forward priority 0; numgen random mod 100 < ${LOSS:-0} drop; }
}
END
ip netns exec "$space-internet" "$build/tests/stun-server" --listen=$stun >"$work/stun" &
started+=($!)
mkfifo "$work/to-alice" "$work/to-bob"
: >"$work/alice" >"$work/bob"

await stun listening
ip netns exec "$space-bob" "$agent" --controlled --stun $stun <"$work/to-bob" | relay bob to-alice &
started+=($!)
ip netns exec "$space-alice" "$agent" --controlling --stun $stun <"$work/to-alice" | relay alice to-bob &
started+=($!)

await alice '"selected"'
await bob '"selected"'

descriptions=0
for host in alice bob; do
    at=$(line $host description)
    at=${at%% *}
    [ "$at" -le "$descriptions" ] || descriptions=$at
done
for host in alice bob; do
    selected=$(line $host selected)
    echo "$host: ${selected#* }"
    ms=$(((${selected%% *} - descriptions) / 1000))
    echo "$host: selected $ms ms after both descriptions"
    grep -q '"kind":"direct"' <<<"$selected"
    # With loss, what is lost is sent again after 200 ms, then 400 ms, and so on.
    [ "$ms" -le $((${LOSS:-0} > 0 ? 9000 : 1000)) ]
done
line alice selected | grep -q '"remote":{"address":"198.51.100.2"'
line bob selected | grep -q '"remote":{"address":"192.0.2.2"'
