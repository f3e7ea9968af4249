# SPDX-License-Identifier: GPL-3.0-or-later
"""What passes between the two NATs, seen by tcpdump on the internet's Ethernet."""

import collections
import os

from device import connect, join_pair
from lab import Lab
from pcap import datagrams, kind
from scenario import scenario


@scenario(timeout=120)
def only_stun_wireguard_and_probes_on_the_punched_port(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        path = os.path.join(lab.folder, "internet.pcap")
        capture = lab.internet.node.start(
            ["sh", "-c", f"exec tcpdump -Z root --immediate-mode -U -i world -w {path} udp 2>&1"], "tcpdump")
        capture.await_line(lambda line: "listening on" in line, 10, "word that it listens")
        connect(alice, bob)
        direct = alice.await_direct(bob), bob.await_direct(alice)
        with alice.pinger(bob) as pinger:
            assert pinger.run(3).lost() == 0
        capture.stop()
        return _judged(path, (alice, bob), direct)


def _judged(path, devices, direct):
    addresses = [device.host.lan.router.address for device in devices]
    ends = {(address, event["base"]["port"]) for address, event in zip(addresses, direct)}
    seen = {(event["remote"]["address"], event["remote"]["port"]) for event in direct}
    assert seen == ends, f"the NATs keep ports, yet {seen} is not {ends}"
    counts = collections.Counter()
    for datagram in datagrams(path):
        if {datagram.source[0], datagram.destination[0]} != set(addresses):
            continue
        what = kind(datagram.payload)
        if {datagram.source, datagram.destination} == ends:
            assert what != "other", f"{datagram} on the punched ports"
            counts[what, datagram.source[0]] += 1
        else:
            assert what not in ("wireguard", "probe"), f"{datagram} beside the punched ports"
            assert not {datagram.source, datagram.destination} & ends, \
                f"{datagram} from or to one punched port alone"
    for address in addresses:
        for what in ("stun", "wireguard", "probe"):
            assert counts[what, address] > 0, f"no {what} from {address}: {counts}"
    return ", ".join(f"{sum(counts[what, address] for address in addresses)} {what}"
                     for what in ("stun", "wireguard", "probe"))
