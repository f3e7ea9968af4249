# SPDX-License-Identifier: GPL-3.0-or-later
"""Networks behind a peer, up to the whole internet: what carries the tunnel never goes into it."""

import ipaddress
import os
import signal
import socket

from device import Device, INTERFACE, connect, join, share_folder
from lab import Lab, Lan
from probe import Pinger, mapped_endpoint
from scenario import scenario
from scenarios.roam import back_after, change_address, steady
from wg_setup import PATIENCE, WgSetup, snapshot

INNER = "192.168.77.0/24"
HELPERS = "64711"  # the uid of user punchguard in the lab (node.py)

# Whatever of the helpers goes into the tunnel.
_LEAKS = f"""
table inet leaks {{
    counter leaked {{ }}
    chain output {{
        type filter hook output priority 300
        oifname "{INTERFACE}" meta skuid != 0 counter name leaked
    }}
}}
"""
_SETTINGS = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding", "net/ipv4/conf/all/src_valid_mark"]


def _state(host):
    """All that may be left behind; not what the lab's own bridge counts."""
    with host.entered():
        settings = []
        for name in _SETTINGS:
            with open(f"/proc/sys/{name}", encoding="ascii") as file:
                settings.append(f"{name} = {file.read()}")
    return [line for line in snapshot(host)[0] if "inner" not in line] + settings


def _differs(before, after):
    return sorted(set(before) ^ set(after))


def _seen_as(host, server):
    """The address under which a public server sees what a program of the host sends."""
    address, port = server.rsplit(":", 1)
    address = address.strip("[]")
    with host.socket(10 if ":" in address else 2) as sock:
        return mapped_endpoint(sock, (address, int(port)))[0]


def _leaked(host):
    return host.run(["nft", "list", "counter", "inet", "leaks", "leaked"])


def _exit_pair(lab, kind):
    """alice, whose everything goes through bob, who may begin nothing towards her; not started."""
    lab.start_stun()
    lab.start_tox()
    alice, bob = (Device(lab, host, number) for number, host in enumerate(lab.pair(kind), start=1))
    join(alice, bob)
    alice.conf["peers"][0]["allowed_ips"] += ["0.0.0.0/0", "::/0"]
    alice.conf["peers"][0]["inbound"] = "none"
    bob.conf["interface"]["forward"] = "masquerade"
    for device in (alice, bob):
        device._write()
    return alice, bob


class _Visit:
    """A connection from the internet to a service of the host's, which its router lets in."""

    def __init__(self, lab, host):
        host.lan.router.node.nft(f"""
            table ip nat {{
                chain prerouting {{
                    type nat hook prerouting priority dstnat
                    iifname "wan" tcp dport 22 dnat to {host.addresses[4]}
                }}
            }}
            insert rule inet filter forward iifname "wan" ct status dnat accept
            """)
        self.visitor = lab.public_server("visitor", 20)
        self.target = (host.lan.router.address, 22)
        self.service = host.socket(kind=socket.SOCK_STREAM)
        self.service.bind(("0.0.0.0", 22))
        self.service.listen()
        self.ends = self.come()

    def come(self):
        there = self.visitor.socket(kind=socket.SOCK_STREAM)
        there.settimeout(PATIENCE)
        there.connect(self.target)
        here, _ = self.service.accept()
        here.settimeout(PATIENCE)
        return there, here

    @staticmethod
    def carries(ends):
        there, here = ends
        there.sendall(b"word")
        assert here.recv(100) == b"word"
        here.sendall(b"answer")
        return there.recv(100) == b"answer"


@scenario(timeout=120)
def exit_node_carries_everything_but_what_carries_the_tunnel(folder):
    """Tox, STUN and WireGuard go beside, at a new address as well, and so do answers to who came from beside. rp_filter
    is strict, as some distributions have it."""
    with Lab(folder) as lab:
        alice, bob = _exit_pair(lab, "eim/cgn")
        alice.host.sysctl("net/ipv4/conf/all/rp_filter", 1)
        visit = _Visit(lab, alice.host)
        assert visit.carries(visit.ends)
        server = lab.stun[0]
        before = _state(alice.host), _state(bob.host)
        assert _seen_as(alice.host, server) == alice.host.lan.router.address
        alice.host.nft(_LEAKS)
        connect(alice, bob)
        for device, peer in ((alice, bob), (bob, alice)):
            device.await_direct(peer)
            device.await_event("handshake", peer)
        exits = bob.host.lan.outermost.address
        assert _seen_as(alice.host, server) == exits
        assert visit.carries(visit.ends) and visit.carries(visit.come())
        assert not _pings(bob.host, alice.overlay, 1)
        so_far = len(alice.broker.events)
        # Tox moves too.
        took = back_after(alice, bob, lambda: change_address(alice), 15)
        alice.await_event("presence", bob, online=True, start=so_far)
        alice.await_event("path", bob, kind="direct", start=so_far)
        steady(alice, bob)
        assert _seen_as(alice.host, server) == exits
        assert "packets 0 " in _leaked(alice.host), _leaked(alice.host)
        alice.host.run(["nft", "delete", "table", "inet", "leaks"])
        for device, state in ((alice, before[0]), (bob, before[1])):
            assert device.stop() == 0
            left = [line for line in _differs(state, _state(device.host)) if "192.168." not in line]
            assert not left, left
        return f"back after {took:.2f} s"


@scenario(timeout=240)
def exit_node_carries_ipv6(folder):
    """Of what carries the tunnel nothing goes into it, at a new address neither."""
    with Lab(folder) as lab:
        alice, bob = _exit_pair(lab, "ipv6")
        server = lab.stun[1]
        before = _state(alice.host), _state(bob.host)
        assert _seen_as(alice.host, server) == str(alice.host.addresses[6])
        for device in (alice, bob):
            device.conf["interface"]["addresses"].append(f"fd00:66::{device.overlay[-1]}/64")
        alice.conf["peers"][0]["allowed_ips"].append("fd00:66::2/128")
        bob.conf["peers"][0]["allowed_ips"].append("fd00:66::1/128")
        for device in (alice, bob):
            device._write()
        alice.host.nft(_LEAKS)
        connect(alice, bob)
        for device, peer in ((alice, bob), (bob, alice)):
            device.await_direct(peer)
            device.await_event("handshake", peer)
        assert _seen_as(alice.host, server) == str(bob.host.addresses[6])
        so_far = len(alice.broker.events)
        took = back_after(alice, bob, lambda: change_address(alice, 6), 15)
        path = alice.await_event("path", bob, kind="direct", start=so_far)
        assert path["base"]["address"] == str(alice.host.addresses[6]), path
        steady(alice, bob)
        assert _seen_as(alice.host, server) == str(bob.host.addresses[6])
        assert "packets 0 " in _leaked(alice.host), _leaked(alice.host)
        alice.host.run(["nft", "delete", "table", "inet", "leaks"])
        for device in (alice, bob):
            assert device.stop() == 0
        assert _seen_as(alice.host, server) == str(alice.host.addresses[6])
        for device, state in ((alice, before[0]), (bob, before[1])):
            left = [line for line in _differs(state, _state(device.host)) if "2001:db8:" not in line]
            assert not left, left
        return f"back after {took:.2f} s"


@scenario(timeout=90)
def at_home_the_path_is_the_network_behind_the_peer(folder):
    """Each is to the other the way to the network on which both are now: they meet there, not by way of the internet."""
    with Lab(folder) as lab:
        lab.start_stun()
        alice, bob = (Device(lab, host, number) for number, host in enumerate(lab.pair("same-link"), start=1))
        join(alice, bob)
        for device in (alice, bob):
            device.conf["peers"][0]["allowed_ips"].append(str(alice.host.lan.networks[4]))
        share_folder(lab, alice, bob)
        connect(alice, bob)
        path = alice.await_direct(bob)
        assert path["remote"]["address"] == str(bob.host.addresses[4]), path
        assert path["base"]["address"] == str(alice.host.addresses[4]), path
        for device in (alice, bob):
            assert device.stop() == 0


def _neighbours(lab):
    alice, bob = (WgSetup(host, number) for number, host in enumerate(lab.pair("same-link"), start=1))
    bob.interface["forward"] = "masquerade"
    return alice, bob


def _begin(alice, bob, networks):
    allowed = [f"{bob.overlay}/32", *networks]
    alice.grant({bob: allowed})
    bob.grant({alice: [f"{alice.overlay}/32"]})
    for one in (alice, bob):
        one.start().await_ready()
    alice.set_peer(bob, allowed_ips=allowed)
    bob.set_peer(alice)
    alice.reach(bob)
    bob.reach(alice)


def _pings(host, address, seconds=PATIENCE):
    with Pinger(host, str(address), 0.1) as pinger:
        return bool(pinger.run(seconds, lambda p: p.replies).replies)


def _inner(lab, wg):
    node = lab.node("inner")
    node.addresses = Lan(wg.host, "inner", {4: ipaddress.ip_network(INNER)}, 10).join(node, "eth0")
    return node


@scenario(timeout=90)
def network_behind_a_peer_is_reached(folder):
    """One that is that peer's alone, and the very one on which both are: the tunnel does not go into itself."""
    with Lab(folder) as lab:
        alice, bob = _neighbours(lab)
        inner = _inner(lab, bob)
        inner.ip("route del default")  # so it answers nobody but bob
        shared = str(alice.host.lan.networks[4])
        before = _state(alice.host), _state(bob.host)
        _begin(alice, bob, [INNER, shared])
        assert _pings(alice.host, bob.overlay)
        assert _pings(alice.host, inner.addresses[4])
        assert _pings(alice.host, bob.host.addresses[4])
        alice.grant({bob: [f"{bob.overlay}/32"]})
        alice.ask("reload")
        alice.set_peer(bob)
        assert not _pings(alice.host, inner.addresses[4], 1)
        assert _pings(alice.host, bob.overlay)
        assert "5047" not in alice.host.run(["sh", "-c", f"ip rule; ip -6 rule; wg show {INTERFACE} fwmark; nft list ruleset"])
        for one, state in ((alice, before[0]), (bob, before[1])):
            assert one.shut_down() == 0
            assert not _differs(state, _state(one.host)), _differs(state, _state(one.host))


@scenario(timeout=90)
def what_a_crash_left_is_taken_over_and_undone(folder):
    """Both are killed; the next ones know what the kernel's settings were, and put back what others removed."""
    with Lab(folder) as lab:
        alice, bob = _neighbours(lab)
        inner = _inner(lab, bob)
        inner.ip("route del default")
        before = _state(alice.host), _state(bob.host)
        _begin(alice, bob, [INNER, "0.0.0.0/0"])
        assert _pings(alice.host, inner.addresses[4])
        for one, peer in ((alice, bob), (bob, alice)):
            one.process.kill()
            one.process.wait(PATIENCE)
            one.start().await_ready()
            one.set_peer(peer, allowed_ips=[f"{bob.overlay}/32", INNER, "0.0.0.0/0"] if one is alice else None)
        assert _pings(alice.host, inner.addresses[4])
        for one in (alice, bob):
            one.host.run(["nft", "flush", "ruleset"])
        alice.host.run(["sh", "-c", "ip rule del fwmark 0x5047; ip rule del suppress_prefixlength 0"])
        assert _pings(alice.host, inner.addresses[4]) and _pings(alice.host, inner.addresses[4])
        for _ in range(2):
            rules = alice.host.run(["ip", "rule"])
        assert "0x5047" in rules and "suppress_prefixlength 0" in rules, rules
        for one, state in ((alice, before[0]), (bob, before[1])):
            os.kill(one.process.pid, signal.SIGTERM)
            assert one.process.wait(PATIENCE) == 0
            assert not _differs(state, _state(one.host)), _differs(state, _state(one.host))


@scenario(timeout=60)
def crashed_exit_is_undone_by_one_that_forwards_no_more(folder):
    with Lab(folder) as lab:
        alice, bob = _neighbours(lab)
        before = _state(bob.host)
        _begin(alice, bob, [])
        bob.process.kill()
        bob.process.wait(PATIENCE)
        assert any("ip_forward = 1" in line for line in _state(bob.host))
        bob.interface["forward"] = "none"
        bob.grant({alice: [f"{alice.overlay}/32"]})
        bob.start().await_ready()
        assert any("ip_forward = 0" in line for line in _state(bob.host))
        assert bob.shut_down() == 0
        assert not _differs(before, _state(bob.host))
        assert alice.shut_down() == 0


@scenario(timeout=90)
def two_that_forward_on_one_host_end_one_after_the_other(folder):
    """The kernel's settings stay while either needs them, be it one that crashed, and then are as before."""
    with Lab(folder) as lab:
        alice, bob = _neighbours(lab)
        inner = _inner(lab, bob)
        inner.ip("route del default")
        first = WgSetup(bob.host, 3, interface="pg1")
        first.interface.update(addresses=[], forward="masquerade")
        first.grant({})
        before = _state(bob.host)
        first.start().await_ready()
        _begin(alice, bob, [INNER])
        assert _pings(alice.host, inner.addresses[4])
        assert first.shut_down() == 0
        assert _pings(alice.host, inner.addresses[4])
        first.start().await_ready()
        bob.process.kill()
        bob.process.wait(PATIENCE)
        assert first.shut_down() == 0
        assert _pings(alice.host, inner.addresses[4])
        bob.start().await_ready()
        assert bob.shut_down() == 0
        assert not _differs(before, _state(bob.host)), _differs(before, _state(bob.host))
