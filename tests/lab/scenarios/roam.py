# SPDX-License-Identifier: GPL-3.0-or-later
"""The network changes under a standing tunnel: how soon traffic is back.

Signalling goes over a shared folder where the time of a Tox that moves too is not what is measured.
"""

import os
import signal
import time

from device import connect, join_pair, share_folder
from lab import Lab
from scenario import promised, scenario

PING_EVERY = 0.1
AFTERWARDS = 2  # s of pings without a loss, once traffic is back
# s; the other side takes the path for dead after 10, and Tox the friend for gone after 32. Ten minutes are promised,
# which PUNCHGUARD_ASLEEP_SECONDS=600 shows.
ASLEEP = int(os.environ.get("PUNCHGUARD_ASLEEP_SECONDS", "40"))


def _connected(lab, kind, tox=False):
    alice, bob = join_pair(lab, kind)
    if not tox:
        share_folder(lab, alice, bob)
    connect(alice, bob)
    for device, peer in ((alice, bob), (bob, alice)):
        device.await_direct(peer)
        device.await_event("handshake", peer)
    return alice, bob


def back_after(alice, bob, fault, limit):
    """s from the fault to the reply to a ping that was sent after it."""
    with alice.pinger(bob, PING_EVERY) as pinger:
        pinger.run(1)
        fault()
        happened = time.monotonic()
        pinger.run(limit + 10, lambda p: any(p.sent[n] > happened for n in p.replies))
        back = [p for n, p in pinger.replies.items() if pinger.sent[n] > happened]
        assert back, f"no traffic {limit + 10} s after the fault"
    took = min(back) - happened
    assert took < promised(limit), f"traffic back after {took:.1f} s, promised {limit} s"
    return took


def steady(alice, bob):
    with alice.pinger(bob, PING_EVERY) as pinger:
        lost = pinger.run(AFTERWARDS).lost()
    assert lost == 0, f"{lost} of {len(pinger.sent)} pings lost afterwards"


def change_address(device, family=4):
    host = device.host
    old = host.addresses[family]
    new = old + 7
    length = host.lan.networks[family].prefixlen
    host.ip(f"address del {old}/{length} dev eth0", f"address add {new}/{length} dev eth0",
            f"route replace default via {host.lan.gateway(family)} dev eth0")
    host.addresses[family] = new


def _flap(device, seconds=1):
    host = device.host
    host.ip("link set eth0 down")
    time.sleep(seconds)  # the fault itself: a cable is out for so long
    host.ip("link set eth0 up", f"route replace default via {host.lan.gateway(4)} dev eth0")


def _rebind(device, peer):
    """The home's NAT forgets its mappings, and gives the path's port another number from now on."""
    router = device.host.lan.router
    gateway = router.uplink.gateway(4)
    port = device.await_direct(peer)["base"]["port"]
    router.node.nft(f'insert rule ip nat postrouting oifname "wan" udp sport {port} '
                    "masquerade to :25000\n")
    router.node.ip("link set wan down", "link set wan up",
                   f"route replace default via {gateway} dev wan")


@scenario(timeout=120)
def address_changed_new_path_within_3_s(folder):
    with Lab(folder) as lab:
        alice, bob = _connected(lab, "eim/eim")
        took = []
        for device in (alice, bob):
            took.append(back_after(alice, bob, lambda device=device: change_address(device), 3))
            steady(alice, bob)
        return f"back after {took[0]:.2f} s and, the other side's, {took[1]:.2f} s"


@scenario(timeout=120)
def link_down_and_up_within_3_s(folder):
    with Lab(folder) as lab:
        alice, bob = _connected(lab, "eim/eim")
        took = []
        for device in (alice, bob):
            took.append(back_after(alice, bob, lambda device=device: _flap(device), 3))
            steady(alice, bob)
        return f"back after {took[0]:.2f} s and, the other side's, {took[1]:.2f} s"


@scenario(timeout=120)
def default_route_moved_to_another_network_within_3_s(folder):
    """From the home's network to a carrier's, as a phone leaving the house does."""
    with Lab(folder) as lab:
        alice, bob = _connected(lab, "eim/eim")
        mobile = lab.home("cgn")
        alice.host.ip("route del default")
        mobile.join(alice.host, "eth1")
        alice.host.ip(f"route replace default via {alice.host.lan.gateway(4)} dev eth0")

        def leave():
            alice.host.ip(f"route replace default via {mobile.gateway(4)} dev eth1",
                          "link set eth0 down")
        took = back_after(alice, bob, leave, 3)
        steady(alice, bob)
        return f"back after {took:.2f} s"


def _signal_all(device, number):
    for pid in device.host.pids():
        os.kill(pid, number)


@scenario(timeout=140 + ASLEEP)
def host_stood_still_traffic_within_5_s_of_waking(folder):
    """Everything of Alice's stands still, and her NAT forgets her. No clock shows such a sleep; what one that does brings
    is the unit tests' of the clock watch and of the session."""
    with Lab(folder) as lab:
        alice, bob = _connected(lab, "eim/eim", tox=True)
        router = alice.host.lan.router
        _signal_all(alice, signal.SIGSTOP)
        router.node.ip("link set wan down", "link set wan up",
                       f"route replace default via {router.uplink.gateway(4)} dev wan")
        time.sleep(ASLEEP)
        took = back_after(alice, bob, lambda: _signal_all(alice, signal.SIGCONT), 5)
        steady(alice, bob)
        return f"back {took:.2f} s after {ASLEEP} s"


@scenario(timeout=120)
def nat_rebinding_on_one_side_within_5_s(folder):
    with Lab(folder) as lab:
        alice, bob = _connected(lab, "eim/eim")
        took = []
        for device, peer in ((alice, bob), (bob, alice)):
            fault = (lambda device=device, peer=peer: _rebind(device, peer))
            took.append(back_after(alice, bob, fault, 5))
            steady(alice, bob)
        return f"back after {took[0]:.2f} s and, the other side's, {took[1]:.2f} s"


@scenario(timeout=120)
def nat_rebinding_on_both_sides_within_10_s(folder):
    with Lab(folder) as lab:
        alice, bob = _connected(lab, "eim/eim")

        def both():
            _rebind(alice, bob)
            _rebind(bob, alice)
        took = back_after(alice, bob, both, 10)
        steady(alice, bob)
        return f"back after {took:.2f} s"


@scenario(timeout=150)
def address_changed_with_tox_alone_within_15_s(folder):
    with Lab(folder) as lab:
        alice, bob = _connected(lab, "eim/eim", tox=True)
        took = back_after(alice, bob, lambda: change_address(alice), 15)
        steady(alice, bob)
        return f"back after {took:.2f} s"
