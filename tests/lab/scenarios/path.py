# SPDX-License-Identifier: GPL-3.0-or-later
"""Two hosts behind every pair of NATs: a direct path, and how soon traffic flows."""

import os
import statistics

from device import connect, join_pair
from lab import Lab
from scenario import scenario

ROUNDS = int(os.environ.get("PUNCHGUARD_ROUNDS", 5))
GOAL = 1.0  # s from the later presence to the first ping reply, median


def _connects(folder, kind):
    took = []
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, kind)
        for _ in range(ROUNDS):
            took.append(connect(alice, bob))
            for device, peer in ((alice, bob), (bob, alice)):
                device.await_direct(peer)
                # Until a side knows of the first handshake it may begin another one.
                device.await_event("handshake", peer)
                with device.pinger(peer, 0.02) as pinger:
                    lost = pinger.run(0.5).lost()
                    assert lost == 0, f"{lost} of {len(pinger.sent)} pings lost on a fresh path"
            assert alice.stop() == 0 and bob.stop() == 0
            for device in (alice, bob):
                device.forget()
    median = statistics.median(took)
    text = (f"presence to first ping {median:.2f} s, median of {ROUNDS} "
            f"({min(took):.2f} … {max(took):.2f})")
    assert median < GOAL, text
    return text


@scenario(timeout=300)
def eim_eim(folder):
    return _connects(folder, "eim/eim")


@scenario(timeout=300)
def cgn_eim(folder):
    return _connects(folder, "cgn/eim")


@scenario(timeout=300)
def routed_eim(folder):
    return _connects(folder, "routed/eim")


@scenario(timeout=300)
def same_nat(folder):
    return _connects(folder, "same-nat")


@scenario(timeout=300)
def same_link(folder):
    return _connects(folder, "same-link")


@scenario(timeout=300)
def ipv6_only(folder):
    return _connects(folder, "ipv6")


def _says_why(folder, kind):
    """Nothing can be punched: both say so in time, with a reason, and live on."""
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, kind)
        for device in (alice, bob):
            device.start()
        for device, peer in ((alice, bob), (bob, alice)):
            present = device.await_presence(peer)["mono_ms"]
            said = device.await_event("path", peer, 20, kind="none")
            while not said.get("reason"):
                said = device.await_event("path", peer, 20, kind="none",
                                          start=device.broker.events.index(said) + 1)
            assert said["mono_ms"] - present < 15000, said
        assert alice.stop() == 0 and bob.stop() == 0
        return f"said after {(said['mono_ms'] - present) / 1000:.1f} s: {said['reason']}"


@scenario(timeout=120)
def symmetric_symmetric_says_why(folder):
    return _says_why(folder, "symmetric/symmetric")


@scenario(timeout=120)
def udp_blocked_says_why(folder):
    return _says_why(folder, "udp-blocked/eim")
