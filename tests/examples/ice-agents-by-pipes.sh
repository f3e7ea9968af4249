#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Two ice-agents joined by plain pipes punch through two NATs, without a broker. Between two real machines:
#
#     mkfifo back
#     ssh far punchguard-ice-agent --controlled <back | punchguard-ice-agent --controlling | tee back
#
# Here "ssh far" is $BOB; both sides' words are kept in the files alice and bob.
# lab: eim/eim
set -eu
cd "$WORK"

await() { # TEXT: until both have said it
    timeout 10 sh -c 'until grep -q "$1" alice && grep -q "$1" bob; do sleep 0.01; done' - "$1" ||
        { cat alice bob; exit 1; }
    date +%s%3N
}

mkfifo to-alice to-bob
$ALICE punchguard-ice-agent --controlling --stun "$STUN" <to-alice | tee alice >to-bob &
$BOB punchguard-ice-agent --controlled --stun "$STUN" <to-bob | tee bob >to-alice &
described=$(await '"type":"description"')
selected=$(await '"type":"selected","kind":"direct"')
kill $! # one end of input is followed by the other
wait

# Each sees the other where the other's NAT is, which is what STUN has said.
for pair in "alice bob" "bob alice"; do
    set -- $pair
    remote=$(sed -n 's/.*"selected".*"remote":{"address":"\([^"]*\)".*/\1/p' "$1")
    grep -q "\"candidate:.* $remote .* typ srflx" "$2"
    grep '"selected"' "$1"
done
echo "direct $((selected - described)) ms after both descriptions"
[ $((selected - described)) -lt 1000 ]
