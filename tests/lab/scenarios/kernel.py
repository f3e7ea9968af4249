# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's WireGuard, where there is one: tests/vm runs these in Debian's own kernel."""

from device import connect, join_pair
from lab import Lab
from scenario import Skip, scenario


def _connects_in_kernel(folder, impairment=None, most_lost=0):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        if not _has_wireguard(alice.host):
            raise Skip("this kernel has no WireGuard; tests/vm has one that does")
        for device in (alice, bob):
            if impairment:
                device.host.lan.router.node.run(
                    ["tc", "qdisc", "add", "dev", "wan", "root", "netem"] + impairment)
        took = connect(alice, bob)
        for device, peer in ((alice, bob), (bob, alice)):
            assert device.await_ready()["backend"] == "kernel"
            device.await_direct(peer)
        with alice.pinger(bob, 0.1) as pinger:
            lost = pinger.run(5).lost()
            assert lost <= most_lost * len(pinger.sent), \
                f"{lost} of {len(pinger.sent)} pings lost"
        assert alice.stop() == 0 and bob.stop() == 0
    return f"presence to first ping {took:.2f} s, {lost} of {len(pinger.sent)} pings lost"


def _has_wireguard(host):
    try:
        host.ip("link add probe0 type wireguard", "link delete probe0")
        return True
    except RuntimeError:
        return False


@scenario(timeout=240, unasked=False)
def eim_eim(folder):
    return _connects_in_kernel(folder)


@scenario(timeout=240, unasked=False)
def eim_eim_with_100_ms_and_2_percent_loss(folder):
    # Twice 2 % on the way there and back: 4 %; the bound is what 50 pings exceed once in 10^4.
    return _connects_in_kernel(folder, ["delay", "100ms", "loss", "2%"], 0.16)
