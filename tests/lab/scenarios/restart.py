# SPDX-License-Identifier: GPL-3.0-or-later
"""Warm start: what both sides remember makes the tunnel come back before signalling does."""

import os
import statistics
import time

from device import connect, join_pair
from lab import Lab
from scenario import promised, scenario

ROUNDS = 5
TIMES = 100
TRANSPORT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../transport"))


def _stop_all(*devices):
    for device in devices:
        assert device.stop() == 0


def _start_and_ping(devices, alice, bob):
    """Starts the devices; s from the last start to the first reply."""
    for device in devices:
        started = time.monotonic()
        device.start()
    with alice.pinger(bob) as pinger:
        return pinger.first_reply(30) - started


@scenario(timeout=120)
def both_restarted_traffic_within_a_second(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        connect(alice, bob)
        alice.await_direct(bob)
        took = []
        for _ in range(ROUNDS):
            _stop_all(alice, bob)
            took.append(_start_and_ping((alice, bob), alice, bob))
            for device, peer in ((alice, bob), (bob, alice)):
                device.await_direct(peer)
                assert not device.presence_known(peer), "signalling was faster than a warm start"
        assert statistics.median(took) < 1, took
        alice.await_presence(bob)
        return f"start to first ping {statistics.median(took):.2f} s, median of {ROUNDS} " \
               f"({min(took):.2f} … {max(took):.2f}), all before signalling"


@scenario(timeout=120)
def one_restarted_finds_the_other_still_there(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        connect(alice, bob)
        alice.await_direct(bob)
        took = []
        for device, peer in ((alice, bob), (bob, alice)):
            _stop_all(device)
            took.append(_start_and_ping((device,), alice, bob))
            assert not device.presence_known(peer), "signalling was faster than a warm start"
            device.await_presence(peer)
        assert max(took) < 1.5, took
        return f"start to first ping {took[0]:.2f} s and {took[1]:.2f} s"


@scenario(timeout=120)
def wrong_or_one_sided_memory_costs_nothing(folder):
    """Alice remembers rubbish, bob nothing: they meet by signalling as ever."""
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        connect(alice, bob)
        alice.await_direct(bob)
        _stop_all(alice, bob)
        os.unlink(bob.state_file("resume"))
        path = alice.state_file("resume")
        with open(path, encoding="utf-8") as file:
            good = file.read()
        assert "198.51" not in good
        with open(path, "w", encoding="utf-8") as file:
            file.write("rubbish\n{\"type\":\"resume\"}\n")
            file.write(good.replace("203.0.113.", "198.51.100."))
        took = connect(alice, bob)
        assert took < 2, took
        alice.await_direct(bob)
        assert "passed over" in alice.broker.log_tail(100)
        return f"presence to first ping {took:.2f} s"


@scenario(timeout=400)
def both_restart_at_the_same_moment_100_times(folder):
    """Over a transport that is there at once; with what both remember, and every other time without."""
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        shared = os.path.join(lab.folder, "shared")
        os.makedirs(shared)
        os.chmod(shared, 0o777)
        for device in (alice, bob):
            device.set_command([TRANSPORT, shared])
        took = {True: [], False: []}
        for number in range(TIMES):
            cold = number % 2 == 0
            if cold:
                alice.forget()
                bob.forget()
            took[cold].append(_start_and_ping((alice, bob), alice, bob))
            _stop_all(alice, bob)
        assert max(took[True] + took[False]) < promised(10), took
        return f"{TIMES} tunnels, start to first ping: cold {statistics.median(took[True]):.2f} s (at most " \
               f"{max(took[True]):.2f}), with memory {statistics.median(took[False]):.2f} s (at most {max(took[False]):.2f})"
