# SPDX-License-Identifier: GPL-3.0-or-later
"""Several peers in one configuration."""

import json

from device import INTERFACE, Device, join
from lab import Lab
from scenario import scenario

HOMES = ("eim", "cgn", "routed", "eim")


@scenario(timeout=180)
def three_peers_each_one_interface_one_port(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        lab.start_tox()
        devices = [Device(lab, lab.host(f"device{number}", lab.home(kind)), number)
                   for number, kind in enumerate(HOMES, start=1)]
        join(*devices)
        for device in devices:
            device.start()
        for device in devices:
            for peer in devices:
                if peer is not device:
                    device.await_presence(peer)
                    device.await_direct(peer)
                    with device.pinger(peer) as pinger:
                        pinger.first_reply(10)
        for device in devices:
            _has_one_interface_and_port(device)
            assert device.stop() == 0
        return f"{len(devices) * (len(devices) - 1)} tunnels' ends, all direct"


def _has_one_interface_and_port(device):
    links = json.loads(device.host.run(["ip", "-json", "link"]))
    names = sorted(link["ifname"] for link in links)
    assert names == ["eth0", "lo", INTERFACE], names
    dump = device.host.run(["wg", "show", INTERFACE, "dump"]).splitlines()
    assert len(dump) == len(HOMES), dump  # the interface's line and one for each peer
    port = dump[0].split("\t")[2]
    bound = {line.split()[3].rpartition(":")[2]
             for line in device.host.run(["ss", "-Hnulp"]).splitlines() if "wireguard" in line}
    assert bound == {port}, f"WireGuard listens on {bound}, its port is {port}"
