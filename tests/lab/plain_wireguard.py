# SPDX-License-Identifier: GPL-3.0-or-later
"""A WireGuard tunnel between two hosts as wg(8) makes it, without PunchGuard."""

from probe import Pinger

INTERFACE, PORT = "hand0", 51820


def _make_interface(host):
    host.run(["ip", "link", "add", INTERFACE, "type", "wireguard"], check=False)
    if INTERFACE in host.run(["ip", "-brief", "link"]):
        return "kernel"
    host.run(["wireguard-go", INTERFACE])
    return "userspace"


def plain_wireguard(alice, bob, mtu=1280):
    """Joins two devices' hosts, both behind port-preserving NATs: 10.77.0.1 and 10.77.0.2. What WireGuard it is."""
    keys = {}
    for device in (alice, bob):
        private = device.host.run(["wg", "genkey"])
        keys[device] = private, device.host.run(["wg", "pubkey"], stdin=private).strip()
    for number, device, peer in ((1, alice, bob), (2, bob, alice)):
        host = device.host
        backend = _make_interface(host)
        host.run(["wg", "set", INTERFACE, "listen-port", str(PORT),
                  "private-key", "/dev/stdin", "peer", keys[peer][1],
                  "endpoint", f"{peer.host.lan.router.address}:{PORT}",
                  "allowed-ips", f"10.77.0.{3 - number}/32", "persistent-keepalive", "1"],
                 stdin=keys[device][0])
        host.ip(f"address add 10.77.0.{number}/24 dev {INTERFACE}",
                f"link set {INTERFACE} mtu {mtu} up")
    with Pinger(alice.host, "10.77.0.2") as pinger:
        pinger.first_reply(20)
    return backend
