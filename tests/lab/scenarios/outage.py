# SPDX-License-Identifier: GPL-3.0-or-later
"""Signalling is gone: tunnels that stand live on."""

from device import connect, join_pair
from lab import Lab
from scenario import scenario
from scenarios.roam import back_after, change_address, steady


def _connected_then_alone(lab, kind):
    """Every public Tox node is gone, and so is what the two said to each other over Tox."""
    alice, bob = join_pair(lab, kind)
    connect(alice, bob)
    for device, peer in ((alice, bob), (bob, alice)):
        device.await_direct(peer)
    for process in lab.tox:
        process.kill()
    for device in (alice, bob):
        device.host.lan.router.node.nft("""
            table inet notox {
                chain forward {
                    type filter hook forward priority -20
                    tcp dport 33445 drop
                    udp dport 33445 drop
                    udp sport 33445 drop
                }
            }
            """)
    return alice, bob


@scenario(timeout=150)
def standing_tunnel_loses_nothing_while_every_tox_node_is_gone(folder):
    with Lab(folder) as lab:
        alice, bob = _connected_then_alone(lab, "eim/eim")
        with alice.pinger(bob, 0.1) as pinger:
            lost = pinger.run(45).lost()
        assert lost == 0, f"{lost} of {len(pinger.sent)} pings lost"
        paths = [event for event in alice.broker.events if event["type"] == "path"]
        assert paths[-1]["kind"] == "direct", paths
        return f"{len(pinger.sent)} pings in 45 s, 0 lost"


@scenario(timeout=150)
def address_changed_traffic_within_5_s_where_the_other_nat_filters_by_nothing(folder):
    with Lab(folder) as lab:
        alice, bob = _connected_then_alone(lab, "eim/eif")
        took = back_after(alice, bob, lambda: change_address(alice), 5)
        steady(alice, bob)
        return f"back after {took:.2f} s"


@scenario(timeout=150)
def address_changed_is_told_as_waiting_for_signalling_where_it_filters(folder):
    with Lab(folder) as lab:
        alice, bob = _connected_then_alone(lab, "eim/eim")
        known = len(alice.broker.events)
        change_address(alice)
        alice.host.lan.router.node.nft(
            'insert rule inet filter forward ip saddr != '
            f'{alice.host.addresses[4]} iifname "lan*" drop\n')
        said = alice.await_event("path", bob, 60, start=known, kind="none")
        while "waiting for signalling" not in said.get("reason", ""):
            said = alice.await_event("path", bob, 60, kind="none",
                                     start=alice.broker.events.index(said) + 1)
        return said["reason"]
