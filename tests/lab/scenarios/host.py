# SPDX-License-Identifier: GPL-3.0-or-later
"""What a host itself does to packets must not stop the tunnel (the redirect's three cases)."""

from device import connect, join_pair
from lab import Lab
from plain_wireguard import plain_wireguard
from scenario import scenario

_DROP_ALL = """
table inet hostfw {
    chain input {
        type filter hook input priority filter; policy drop
        ct state established,related accept
        iifname { "lo", "pg0" } accept
        meta l4proto ipv6-icmp accept
    }
    chain output {
        type filter hook output priority filter; policy drop
        ct state new,established,related accept
    }
}
"""

_MASQUERADE_RANDOM = """
table ip hostnat {
    chain postrouting {
        type nat hook postrouting priority srcnat
        oifname "eth0" masquerade random
    }
}
"""


def _carries_traffic(alice, bob):
    took = connect(alice, bob)
    alice.await_direct(bob)
    bob.await_direct(alice)
    with bob.pinger(alice) as pinger:
        lost = pinger.run(1).lost()
        assert lost == 0, f"{lost} of {len(pinger.sent)} pings lost"
    return f"presence to first ping {took:.2f} s"


@scenario(timeout=120)
def drop_all_firewall_on_both(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        alice.host.nft(_DROP_ALL)
        bob.host.nft(_DROP_ALL)
        return _carries_traffic(alice, bob)


@scenario(timeout=120)
def masquerade_random_on_a_host(folder):
    """Such a host is behind a symmetric NAT of its own: only a far NAT that filters by nothing can be punched, and a
    second mapping for WireGuard's packets, beside STUN's, would be seen there as another endpoint."""
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eif")
        alice.host.nft(_MASQUERADE_RANDOM)
        return _carries_traffic(alice, bob)


@scenario(timeout=120)
def base_is_not_the_preferred_source(folder):
    """Alice has two addresses. Only from the one the kernel would not choose can UDP get out."""
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        base = str(alice.host.addresses[4])
        preferred = str(alice.host.addresses[4] + 100)
        gateway = alice.host.lan.gateway(4)
        alice.host.ip(f"address add {preferred}/24 dev eth0",
                      f"route replace default via {gateway} dev eth0 src {preferred}")
        alice.host.lan.router.node.nft(
            f"insert rule inet filter forward ip saddr {preferred} meta l4proto udp drop\n")
        text = _carries_traffic(alice, bob)
        assert alice.await_direct(bob)["base"]["address"] == base
        return text


@scenario(timeout=120)
def another_tunnel_between_the_hosts_is_no_path(folder):
    """A path through it would be shorter, by host candidates alone; and WireGuard in WireGuard."""
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        plain_wireguard(alice, bob)
        text = _carries_traffic(alice, bob)
        path = alice.await_direct(bob)
        assert path["remote"]["address"] == str(bob.host.lan.router.address), path
        return text
