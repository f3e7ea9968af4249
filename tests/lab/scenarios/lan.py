# SPDX-License-Identifier: GPL-3.0-or-later
"""Devices on one link, found by punchguard-signal-lan: in most of these there is no Internet at all."""

import ipaddress
import os
import statistics
import time

from device import PRESENCE_TIMEOUT, READY_TIMEOUT, Device, join
from lab import Lab, Lan, program
from scenario import promised, scenario

GOAL = 1.0  # s from a cold start of both brokers to the first ping reply, median
ROUNDS = int(os.environ.get("PUNCHGUARD_ROUNDS", 5))
RENDEZVOUS = "5a" * 32
NETWORKS = {4: ipaddress.ip_network("192.168.50.0/24"), 6: ipaddress.ip_network("fd00:50::/64")}
SECOND_NETWORKS = {4: ipaddress.ip_network("192.168.51.0/24"), 6: ipaddress.ip_network("fd00:51::/64")}
LAN = {"name": "lan", "command": ["punchguard-signal-lan"]}
HARD = """
table inet loss {
    chain input { type filter hook input priority filter; numgen random mod 100 < 20 drop; }
}
"""
# A host that lets in what it asked for, and what punchguard-signal-lan(8) says.
FIREWALL = """
table inet filter {
    chain input {
        type filter hook input priority filter; policy drop
        ct state established,related accept
        iifname { "lo", "pg0" } accept
        meta l4proto ipv6-icmp accept
        ip daddr 239.255.80.71 udp dport 20551 accept
        ip6 daddr ff12::8050:4731 udp dport 20551 accept
    }
}
"""


class Room:
    """A link that leads nowhere: nobody on it is a router, and no host has a default route."""

    def __init__(self, lab, families=(4, 6), networks=None):
        networks = networks or NETWORKS
        self.lab = lab
        self.lan = Lan(lab.node("switch"), "room", {family: networks[family] for family in families}, 10)

    def host(self, name):
        host = self.lab.node(name, mounts=True)
        host.addresses = self.enter(host)
        return host

    def enter(self, host, interface="eth0"):
        addresses = self.lan.join(host, interface)
        for family in addresses:
            host.run(["ip", f"-{family}", "route", "delete", "default"])
        return addresses

    def devices(self, *names):
        devices = [Device(self.lab, self.host(name), number)
                   for number, name in enumerate(names, start=1)]
        for device in devices:
            device.set_signalling([LAN])
        join(*devices)
        return devices


def _cold_start(alice, bob):
    """Seconds from the start of both brokers to the first ping reply."""
    for device in (alice, bob):
        device.forget()
    began = time.monotonic()
    alice.start()
    bob.start()
    with alice.pinger(bob, 0.01) as pinger:
        replied = pinger.first_reply(READY_TIMEOUT)
    for device, peer in ((alice, bob), (bob, alice)):
        device.await_direct(peer)
    return replied - began


def _await_and_stop(*devices):
    for device in devices:
        assert device.stop() == 0, device.broker.log_tail()


def _told(took):
    text = (f"start to first ping {statistics.median(took):.2f} s, median of {len(took)} "
            f"({min(took):.2f} … {max(took):.2f})")
    assert statistics.median(took) < promised(GOAL), text
    return text


def _without_internet(folder, families, rules=None):
    took = []
    with Lab(folder) as lab:
        alice, bob = Room(lab, families).devices("alice", "bob")
        for device in (alice, bob):
            if rules:
                device.host.nft(rules)
        for _ in range(ROUNDS):
            took.append(_cold_start(alice, bob))
            _await_and_stop(alice, bob)
    return _told(took)


@scenario(timeout=120)
def two_without_internet(folder):
    return _without_internet(folder, (4, 6))


@scenario(timeout=120)
def two_without_internet_ipv4(folder):
    return _without_internet(folder, (4,))


@scenario(timeout=120)
def two_without_internet_ipv6(folder):
    return _without_internet(folder, (6,))


@scenario(timeout=120)
def two_behind_host_firewalls(folder):
    """Each lets in no more than the manual page asks for."""
    return _without_internet(folder, (4, 6), FIREWALL)


@scenario(timeout=120)
def three_in_a_room(folder):
    with Lab(folder) as lab:
        devices = Room(lab).devices("alice", "bob", "carol")
        began = time.monotonic()
        for device in devices:
            device.start()
        replied = []
        for device in devices:
            for peer in devices:
                if peer is not device:
                    with device.pinger(peer) as pinger:
                        replied.append(pinger.first_reply(READY_TIMEOUT))
        took = max(replied) - began
        assert took < promised(2 * GOAL), f"all pairs after {took:.2f} s"
        _await_and_stop(*devices)
    return f"start to pings between all pairs {took:.2f} s"


@scenario(timeout=120)
def with_tox_besides(folder):
    """Two at home, where Tox works too: the tunnel does not wait for it, nor does it break later."""
    with Lab(folder) as lab:
        lab.start_stun()
        lab.start_tox()
        alice, bob = [Device(lab, host, number)
                      for number, host in enumerate(lab.pair("same-link"), start=1)]
        for device in (alice, bob):
            device.set_signalling(device.conf["signalling"] + [LAN])
        join(alice, bob)
        took = _cold_start(alice, bob)
        started = alice.await_event("presence", bob, online=True, transport="lan")["mono_ms"]
        with alice.pinger(bob, 0.1) as pinger:
            tox = alice.await_event("presence", bob, PRESENCE_TIMEOUT, online=True, transport="tox")
            lost = pinger.run(3).lost()
        later = (tox["mono_ms"] - started) / 1000
        text = f"start to first ping {took:.2f} s; Tox {later:.1f} s after the link"
        assert took < promised(GOAL), text
        assert later > 1, text
        assert lost == 0, f"{lost} pings lost when Tox came"
        _await_and_stop(alice, bob)
    return text


class Plugin:
    """A signal-lan on a host, driven as the broker would."""

    def __init__(self, host, *peers):
        self.host = host
        self.process = host.start([program("punchguard-signal-lan")], "signal-lan")
        self.process.send({"type": "configure", "state_dir": host.folder, "options": {}})
        self.await_type("ready")
        for peer in peers:
            self.process.send({"type": "peer-add", "peer": peer, "rendezvous": RENDEZVOUS})

    def await_type(self, kind, timeout=5, start=0, **fields):
        wanted = dict(fields, type=kind)
        return self.process.await_event(
            lambda event: all(event.get(key) == value for key, value in wanted.items()),
            timeout, f"{wanted}"[:200], start)

    def count(self, kind, **fields):
        return sum(event["type"] == kind and fields.items() <= event.items()
                   for event in list(self.process.events))

    def end(self):
        self.process.send({"type": "shutdown"})
        assert self.process.wait(2) == 0


@scenario(timeout=120)
def every_fifth_packet_lost(folder):
    messages = 100
    with Lab(folder) as lab:
        room = Room(lab)
        hosts = [room.host("alice"), room.host("bob")]
        for host in hosts:
            host.nft(HARD)
        alice, bob = Plugin(hosts[0], "bob"), Plugin(hosts[1], "alice")
        began = time.monotonic()
        online = [plugin.await_type("presence", 10, online=True)["received"] for plugin in (alice, bob)]
        took = []
        for ref in range(messages):
            data = (f"{ref}-" * 16384)[:16384]
            sent = time.monotonic()
            alice.process.send({"type": "send", "ref": ref, "peer": "bob", "data": data})
            bob.await_type("receive", 10, data=data)
            took.append(alice.await_type("sent", 10, ref=ref)["received"] - sent)
        time.sleep(15)  # of questions and answers
        assert alice.count("receive") == 0 and bob.count("receive") == messages
        assert not any(plugin.count("presence", online=False) for plugin in (alice, bob)), "taken for away"
        alice.end()
        bob.end()
    return (f"online after {max(online) - began:.2f} s; 16 KiB in {1000 * statistics.median(took):.0f} ms "
            f"(at most {1000 * max(took):.0f}), {messages} of {messages} once")


@scenario(timeout=60)
def an_interface_that_comes_later(folder):
    """Both started before they are in the room; one then leaves without a word and comes back."""
    with Lab(folder) as lab:
        room = Room(lab)
        hosts = [lab.node(name, mounts=True) for name in ("alice", "bob")]
        alice, bob = Plugin(hosts[0], "bob"), Plugin(hosts[1], "alice")
        room.enter(hosts[0])
        began = time.monotonic()
        room.enter(hosts[1])
        came = max(plugin.await_type("presence", online=True)["received"] for plugin in (alice, bob))
        assert came - began < promised(1), f"{came - began:.2f} s"
        hosts[1].ip("link set eth0 down")
        alice.await_type("presence", 15, online=False)
        bob.await_type("presence", 15, online=False)
        back = time.monotonic()
        mark = len(alice.process.events)
        hosts[1].ip("link set eth0 up")
        again = alice.await_type("presence", start=mark, online=True)["received"]
        assert again - back < promised(1), f"{again - back:.2f} s"
        alice.process.send({"type": "send", "ref": 1, "peer": "bob", "data": "hello"})
        bob.await_type("receive", data="hello")
        alice.end()
        bob.end()
    return f"present {came - began:.2f} s after the interface came, {again - back:.2f} s after it came back"


@scenario(timeout=60)
def one_of_two_links_fails(folder):
    """Both are on two links; the one in use goes deaf without a sign of it."""
    with Lab(folder) as lab:
        rooms = [Room(lab), Room(lab, networks=SECOND_NETWORKS)]
        hosts = [rooms[0].host(name) for name in ("alice", "bob")]
        for host in hosts:
            rooms[1].enter(host, "eth1")
        alice, bob = Plugin(hosts[0], "bob"), Plugin(hosts[1], "alice")
        for plugin in (alice, bob):
            plugin.await_type("presence", online=True)
        alice.process.send({"type": "send", "ref": 1, "peer": "bob", "data": "before"})
        alice.await_type("sent", ref=1)
        in_use = max(("eth0", "eth1"), key=lambda name: _sent(hosts[0], name))
        hosts[0].nft(f"""table netdev deaf {{
            chain ingress {{ type filter hook ingress device {in_use} priority 0; policy drop; }}
        }}""")
        cut = time.monotonic()
        alice.process.send({"type": "send", "ref": 2, "peer": "bob", "data": "after"})
        took = bob.await_type("receive", data="after")["received"] - cut
        told = alice.await_type("sent", ref=2)["received"] - cut
        assert told < promised(3), f"{told:.1f} s"
        assert not any(plugin.count("presence", online=False) for plugin in (alice, bob))
        alice.end()
        bob.end()
    return f"message passed {took:.2f} s, told {told:.2f} s after {in_use} went deaf"


def _sent(host, interface):
    with open(f"/proc/{host.holder_pid}/net/dev", encoding="ascii") as file:
        for line in file:
            name, _, numbers = line.partition(":")
            if name.strip() == interface:
                return int(numbers.split()[9])
    raise KeyError(interface)
