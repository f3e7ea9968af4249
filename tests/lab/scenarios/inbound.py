# SPDX-License-Identifier: GPL-3.0-or-later
"""What a peer may begin towards us through the tunnel: wg-setup alone, two hosts on one link."""

import base64
import ipaddress
import socket
import time

from knock import REFUSED, Knocker, connects, listen, pings
from lab import Lab, Lan
from probe import Pinger, receive
from scenario import promised, scenario
from wg_setup import INTERFACE, PATIENCE, WgSetup, id_of

BEHIND = "192.168.77.0/24"  # alice, who forwards there


def _overlays(wg):
    return wg.overlay, f"fd00:66::{wg.overlay.rpartition('.')[2]}"


def _allowed(wg):
    return [f"{wg.overlay}/32", f"{_overlays(wg)[1]}/128"]


def _joined(lab, inbound, allowed_of_bob=()):
    """alice, who lets bob begin `inbound` (None: not written), and bob."""
    alice, bob = pair = [WgSetup(host, number) for number, host in enumerate(lab.pair("same-link"), start=1)]
    for one in pair:
        one.interface["addresses"].append(f"{_overlays(one)[1]}/64")
    allowed = _allowed(bob) + list(allowed_of_bob)
    alice.grant({bob: allowed}, {bob: inbound} if inbound else {})
    bob.grant({alice: [BEHIND, *_allowed(alice)]})
    for one in pair:
        one.start().await_ready()
    alice.set_peer(bob, allowed_ips=allowed)
    bob.set_peer(alice, allowed_ips=_allowed(alice))
    alice.reach(bob)
    bob.reach(alice)
    # A word from us, which brings the first handshake.
    with Pinger(alice.host, bob.overlay, 0.1) as pinger:
        pinger.first_reply(PATIENCE)
    return alice, bob


def _datagram_arrives(sender, node, address, port):
    with node.socket() as there, sender.socket() as here:
        there.bind((address, port))
        here.sendto(b"word", (address, port))
        return receive(there, 0.5) is not None


def _table(host):
    return host.run(["nft", "list", "table", "inet", f"punchguard-inbound_{INTERFACE}"], check=False)


def _end(*ones):
    for one in ones:
        assert one.shut_down() == 0


@scenario(timeout=90)
def peer_begins_what_its_list_names_and_nothing_else(folder):
    with Lab(folder) as lab:
        alice, bob = _joined(lab, ["tcp/22", "udp/53-54"])
        for address, other in zip(_overlays(alice), _overlays(bob)):
            with listen(alice.host, address, 22), listen(alice.host, address, 80), listen(bob.host, other, 8080):
                assert connects(bob.host, address, 22, PATIENCE)
                assert not connects(bob.host, address, 80)
                assert not pings(bob.host, address)
                assert connects(alice.host, other, 8080, PATIENCE), "the answer to what we began is kept out"
                assert pings(alice.host, other)
        assert _datagram_arrives(bob.host, alice.host, alice.overlay, 54)
        assert not _datagram_arrives(bob.host, alice.host, alice.overlay, 55)
        with listen(alice.host, str(alice.host.addresses[4]), 80):
            assert connects(bob.host, str(alice.host.addresses[4]), 80), "what does not come from the tunnel is judged"
        _end(alice, bob)
        assert "punchguard" not in alice.host.run(["nft", "list", "ruleset"])


@scenario(timeout=60)
def icmp_lets_a_peer_ping(folder):
    with Lab(folder) as lab:
        alice, bob = _joined(lab, ["icmp"])
        for address in _overlays(alice):
            assert pings(bob.host, address)
        with listen(alice.host, alice.overlay, 22):
            assert not connects(bob.host, alice.overlay, 22)
        _end(alice, bob)


def _inner(lab, wg):
    """A host on a network behind that one, which forwards."""
    wg.host.sysctl("net/ipv4/ip_forward", 1)
    node = lab.node("inner")
    lan = Lan(wg.host, "inner", {4: ipaddress.ip_network(BEHIND)}, 10)
    node.addresses = lan.join(node, "eth0")
    return node


@scenario(timeout=90)
def peer_with_none_reaches_neither_us_nor_what_is_behind_us(folder):
    with Lab(folder) as lab:
        alice, bob = _joined(lab, "none")
        inner = _inner(lab, alice)
        behind = str(inner.addresses[4])
        bob.set_peer(alice, allowed_ips=[BEHIND, *_allowed(alice)])
        with listen(alice.host, alice.overlay, 22), listen(inner, behind, 22), listen(bob.host, bob.overlay, 80):
            assert not connects(bob.host, alice.overlay, 22)
            assert not connects(bob.host, behind, 22)
            assert not pings(bob.host, alice.overlay) and not pings(bob.host, behind)
            assert connects(alice.host, bob.overlay, 80, PATIENCE)
            assert connects(inner, bob.overlay, 80, PATIENCE), "the answer to what began behind us is kept out"
        _end(alice, bob)


@scenario(timeout=60)
def peer_with_all_costs_no_rule(folder):
    with Lab(folder) as lab:
        alice, bob = _joined(lab, "all")
        assert _table(alice.host) == "" and _table(bob.host) == ""
        inner = _inner(lab, alice)
        bob.set_peer(alice, allowed_ips=[BEHIND, *_allowed(alice)])
        with listen(alice.host, alice.overlay, 22), listen(inner, str(inner.addresses[4]), 22):
            assert connects(bob.host, alice.overlay, 22, PATIENCE)
            assert connects(bob.host, str(inner.addresses[4]), 22, PATIENCE)
        _end(alice, bob)


@scenario(timeout=60)
def flushed_rules_are_back_within_a_second(folder):
    with Lab(folder) as lab:
        alice, bob = _joined(lab, ["tcp/22"])
        before = _table(alice.host)
        alice.host.run(["nft", "flush", "ruleset"])
        deadline = time.monotonic() + promised(1)
        while (after := _table(alice.host)) != before and time.monotonic() < deadline:
            pass
        assert after == before and "from_bob" in after, after
        with listen(alice.host, alice.overlay, 22), listen(alice.host, alice.overlay, 80):
            assert connects(bob.host, alice.overlay, 22, PATIENCE)
            assert not connects(bob.host, alice.overlay, 80)
        _end(alice, bob)


class _Flow:
    """A connection that bob began, and what becomes of it."""

    def __init__(self, alice, bob, port):
        with listen(alice.host, alice.overlay, port) as listening:
            self.bobs = bob.host.socket(socket.AF_INET, socket.SOCK_STREAM)
            self.bobs.settimeout(PATIENCE)
            self.bobs.connect((alice.overlay, port))
            self.alices, _ = listening.accept()
        self.alices.settimeout(PATIENCE)

    def carries(self):
        self.bobs.sendall(b"word")
        return self.alices.recv(100) == b"word"


@scenario(timeout=90)
def adopted_rules_have_no_gap(folder):
    """wg-setup is killed and another one takes over, ten times: nothing that knocks gets in."""
    with Lab(folder) as lab:
        alice, bob = _joined(lab, ["tcp/22"])
        flow = _Flow(alice, bob, 22)
        with Knocker(bob.host, alice.host, alice.overlay, 80) as knocker:
            for _ in range(10):
                alice.process.kill()
                alice.start().await_ready()
                alice.set_peer(bob, allowed_ips=_allowed(bob))
                assert flow.carries()
            assert knocker.arrived() == 0
            sent = knocker.sent
        _end(alice, bob)
        return f"{sent} knocks"


@scenario(timeout=90)
def rules_of_another_peer_change_without_a_gap(folder):
    with Lab(folder) as lab:
        alice, bob = _joined(lab, "none")
        carol = WgSetup(alice.host, 3)
        carol.name, carol.id = "carol", id_of(b"c" * 32)
        carol.ready = {"wg_public_key": base64.b64encode(b"c" * 32).decode()}
        alice.end_input()
        alice.grant({bob: _allowed(bob), carol: ["10.0.0.0/8"]}, {bob: "none", carol: ["tcp/22"]})
        alice.start().await_ready()
        alice.set_peer(bob, allowed_ips=_allowed(bob))
        with Knocker(bob.host, alice.host, alice.overlay, 80) as knocker:
            for _ in range(50):
                alice.set_peer(carol, allowed_ips=["10.0.0.0/8"])
                assert "from_carol" in _table(alice.host)
                alice.ask("peer-remove", peer="carol")
                assert "from_carol" not in _table(alice.host)
            assert knocker.arrived() == 0
            sent = knocker.sent
        _end(alice, bob)
        return f"{sent} knocks"


def _changes(folder, apply):
    """A flow that bob began goes on whatever he may begin afterwards; `apply` has wg-setup know of it."""
    with Lab(folder) as lab:
        alice, bob = _joined(lab, ["tcp/22"])
        flow = _Flow(alice, bob, 22)
        assert flow.carries()
        for inbound, ssh in (("none", False), (["tcp/80"], False), ("all", True), (["tcp/22"], True)):
            def grant(what=inbound):
                alice.grant({bob: _allowed(bob)}, {bob: what})
            apply(alice, grant)
            assert flow.carries(), f"{inbound} ended what was begun before"
            alice.set_peer(bob, allowed_ips=_allowed(bob))
            assert flow.carries()
            with listen(alice.host, alice.overlay, 22):
                assert connects(bob.host, alice.overlay, 22, PATIENCE if ssh else REFUSED) == ssh, inbound
            assert (_table(alice.host) == "") == (inbound == "all"), _table(alice.host)
        _end(alice, bob)


@scenario(timeout=90)
def changed_grant_rules_after_a_restart_and_flows_stay(folder):
    def restart(alice, grant):
        alice.end_input()
        grant()
        alice.start().await_ready()
    _changes(folder, restart)


@scenario(timeout=90)
def changed_grant_rules_after_a_reload_and_flows_stay(folder):
    def reload(alice, grant):
        grant()
        alice.ask("reload")
    _changes(folder, reload)
