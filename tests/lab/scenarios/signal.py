# SPDX-License-Identifier: GPL-3.0-or-later
"""punchguard-signal-tox alone: two of them behind NATs find each other and pass messages."""

import os
import time

from device import PRESENCE_TIMEOUT
from lab import Lab, program
from scenario import scenario

RENDEZVOUS = "5a" * 32
MESSAGE_MAX = 16 * 1024


class Plugin:
    """A signal-tox on a host, driven as the broker would."""

    def __init__(self, lab, host, udp=True, offline=False):
        self.host = host
        self.state_dir = os.path.join(host.folder, "state")
        self.process = host.start([program("punchguard-signal-tox")], "signal-tox")
        os.makedirs(self.state_dir, mode=0o700, exist_ok=True)
        self.await_type("hello")
        self.process.send({"type": "configure", "state_dir": self.state_dir,
                           "offline": offline, "options": {
            "udp": udp, "lan_discovery": False, "bootstrap": lab.bootstrap[4]}})
        self.address = self.await_type("ready")["address"]

    def await_type(self, kind, timeout=5, **fields):
        wanted = dict(fields, type=kind)
        return self.process.await_event(
            lambda event: all(event.get(key) == value for key, value in wanted.items()),
            timeout, f"{wanted}")

    def add(self, peer, address=None):
        self.process.send({"type": "peer-add", "peer": peer.host.name,
                           "address": address or peer.address, "rendezvous": RENDEZVOUS})

    def send(self, ref, peer, data):
        self.process.send({"type": "send", "ref": ref, "peer": peer, "data": data})

    def seen(self, *types):
        return [event for event in self.process.events if event["type"] in types]

    def end(self):
        self.process.send({"type": "shutdown"})
        assert self.process.wait(2) == 0
        left = self.host.run(["ss", "-Hant"])
        assert not left, f"connections left: {left}"


def _exchange(folder, kind, udp=True):
    with Lab(folder) as lab:
        lab.start_tox()
        started = time.monotonic()
        alice, bob = [Plugin(lab, host, udp) for host in lab.pair(kind)]
        alice.add(bob)
        bob.add(alice)
        online = [plugin.await_type("presence", PRESENCE_TIMEOUT, online=True)
                  for plugin in (alice, bob)]
        present = max(event["received"] for event in online)
        for ref, size in enumerate((1, 1372, 1373, 5000, MESSAGE_MAX)):
            data = (f"{ref}-" * size)[:size]
            alice.send(ref, "bob", data)
            assert bob.await_type("receive", 10, peer="alice", data=data)
            alice.await_type("sent", 10, ref=ref)
        last = max(event["received"] for event in alice.process.events)
        alice.end()
        bob.await_type("presence", 2, peer="alice", online=False)
        bob.end()
    return (f"online after {present - started:.1f} s, via {online[0].get('via')}; "
            f"5 messages in {last - present:.2f} s")


@scenario(timeout=90)
def eim_eim(folder):
    return _exchange(folder, "eim/eim")


@scenario(timeout=90)
def symmetric_symmetric(folder):
    return _exchange(folder, "symmetric/symmetric")


@scenario(timeout=90)
def udp_blocked_leaves_the_relay(folder):
    return _exchange(folder, "udp-blocked/udp-blocked")


@scenario(timeout=90)
def tcp_by_choice(folder):
    return _exchange(folder, "eim/eim", udp=False)


def _text(length):
    return "".join(chr(ord("a") + number * 7 % 26) for number in range(length))


@scenario(timeout=120)
def a_friend_that_comes_later_and_a_stranger(folder):
    """What is sent to one who is away arrives whole, once; what a stranger does changes nothing."""
    with Lab(folder) as lab:
        lab.start_tox()
        at_alice, at_bob = lab.pair("eim/eim")
        eve = Plugin(lab, lab.host("eve", lab.home("eim")))
        alice, bob = Plugin(lab, at_alice), Plugin(lab, at_bob, offline=True)
        address = bob.address
        bob.end()
        alice.add(bob)
        eve.add(alice)
        alice.send(1, "bob", _text(MESSAGE_MAX))
        eve.send(1, "alice", "let me in")

        bob = Plugin(lab, at_bob)
        assert bob.address == address
        bob.add(alice)
        received = bob.await_type("receive", PRESENCE_TIMEOUT, peer="alice")
        assert received["data"] == _text(MESSAGE_MAX)
        assert alice.await_type("sent", 5, ref=1)["received"] >= received["received"]

        bob.process.kill()
        bob.process.wait(5)
        alice.send(2, "bob", _text(5000))
        bob = Plugin(lab, at_bob)
        bob.add(alice)
        received = bob.await_type("receive", PRESENCE_TIMEOUT, peer="alice")
        alice.await_type("sent", 5, ref=2)
        assert [event["data"] for event in bob.seen("receive")] == [_text(5000)]

        assert not eve.seen("presence", "sent", "receive"), eve.process.events
        for event in alice.seen("presence", "receive"):
            assert event["peer"] == "bob", event
        assert not alice.seen("receive", "error")
        for plugin in (alice, bob, eve):
            plugin.end()


@scenario(timeout=120)
def one_who_asks_becomes_a_peer(folder):
    with Lab(folder) as lab:
        lab.start_tox()
        alice, bob = [Plugin(lab, host) for host in lab.pair("eim/eim")]
        bob.process.send({"type": "request", "ref": 1, "address": alice.address,
                          "data": "let me in"})
        request = alice.await_type("request", PRESENCE_TIMEOUT)
        assert request["data"] == "let me in"
        assert request["address"] == bob.address[:64]
        assert not alice.seen("presence")
        alice.add(bob, request["address"])
        # Bob is connected before he adds alice, or after: both are told.
        alice.await_type("presence", PRESENCE_TIMEOUT, peer="bob", online=True)
        bob.add(alice)
        bob.await_type("presence", PRESENCE_TIMEOUT, peer="alice", online=True)
        bob.send(2, "alice", "hello")
        alice.await_type("receive", 10, peer="bob", data="hello")
        bob.await_type("sent", 5, ref=2)
        assert not bob.seen("error"), bob.seen("error")
        alice.end()
        bob.end()
