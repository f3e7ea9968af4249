# SPDX-License-Identifier: GPL-3.0-or-later
"""Packets get lost between the NATs."""

import os

from device import connect, join_pair, share_folder
from lab import Lab
from scenario import promised, scenario

# s; the promise is an hour, which PUNCHGUARD_LOSS_SECONDS=3600 shows
LONG = int(os.environ.get("PUNCHGUARD_LOSS_SECONDS", "60"))


def _lose(device, percent):
    """Both ways, at the device's router."""
    device.host.lan.router.node.nft(f"""
        table inet loss {{
            chain forward {{
                type filter hook forward priority -10
                meta l4proto udp numgen random mod 100 < {percent} drop
            }}
        }}
        """)


@scenario(timeout=150)
def loss_of_20_percent_while_connecting(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        _lose(alice, 20)
        took = connect(alice, bob)
        alice.await_direct(bob)
        assert took < promised(10), f"presence to first ping {took:.1f} s"
        return f"presence to first ping {took:.2f} s"


@scenario(timeout=90 + LONG)
def loss_of_5_percent_makes_no_false_failure(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        share_folder(lab, alice, bob)
        connect(alice, bob)
        for device, peer in ((alice, bob), (bob, alice)):
            device.await_direct(peer)
        _lose(alice, 5)
        with alice.pinger(bob, 0.1) as pinger:
            lost = pinger.run(LONG).lost()
        for device in (alice, bob):
            paths = [event for event in device.broker.events if event["type"] == "path"]
            assert len(paths) == 1, paths
        # One way in twenty is lost there and one back: 9.75 %, and 600 pings exceed 16 % once in 10^6.
        assert lost < 0.16 * len(pinger.sent), f"{lost} of {len(pinger.sent)} pings lost"
        return f"{LONG} s, {lost} of {len(pinger.sent)} pings lost, the path stayed"
