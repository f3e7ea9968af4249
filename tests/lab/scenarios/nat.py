# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: each kind of NAT behaves as its name says."""

import os
import socket

from lab import STUN_PORT, Lab
from probe import Pinger, mapped_endpoint, receive
from scenario import scenario

STUN_SERVERS = [("203.0.113.11", STUN_PORT), ("203.0.113.12", STUN_PORT)]


def _bound_socket(host, port=0):
    sock = host.socket()
    sock.bind(("0.0.0.0", port))
    return sock


def _mappings(host, port):
    """How the two STUN servers see one socket of `host`."""
    with _bound_socket(host, port) as sock:
        return [mapped_endpoint(sock, server) for server in STUN_SERVERS]


@scenario()
def eim_keeps_port_and_mapping(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        host = lab.host("alice", lab.home("eim"))
        expected = (host.lan.router.address, 40001)
        assert _mappings(host, 40001) == [expected, expected]


@scenario()
def cgn_maps_twice(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        host = lab.host("alice", lab.home("cgn"))
        assert host.lan.router.address.startswith("100.64."), host.lan.router.address
        expected = (host.lan.outermost.address, 40001)
        assert _mappings(host, 40001) == [expected, expected]


@scenario()
def routed_does_not_map(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        host = lab.host("alice", lab.home("routed"))
        expected = (str(host.addresses[4]), 40001)
        assert _mappings(host, 40001) == [expected, expected]


@scenario()
def symmetric_maps_by_remote_endpoint(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        host = lab.host("alice", lab.home("symmetric"))
        mappings = _mappings(host, 40001)
        assert {address for address, _ in mappings} == {host.lan.router.address}
        assert len({port for _, port in mappings} | {40001}) == 3, mappings


def _asserts_filtering(alice, bob, address_of_alice, family=socket.AF_INET):
    """bob's datagram reaches alice only after alice has sent one to bob's endpoint."""
    with alice.socket(family) as mine, bob.socket(family) as theirs:
        mine.bind(("", 40001))
        theirs.bind(("", 40002))
        theirs.sendto(b"before", (address_of_alice, 40001))
        assert receive(mine, 0.3) is None, "an unasked datagram came in"
        mine.sendto(b"ask", (str(bob.addresses[4 if family == socket.AF_INET else 6]), 40002))
        assert receive(theirs, 1) == (b"ask", (address_of_alice, 40001))
        with bob.socket(family) as other:
            other.bind(("", 40003))
            other.sendto(b"other port", (address_of_alice, 40001))
            assert receive(mine, 0.3) is None, "a datagram from another port came in"
        theirs.sendto(b"answer", (address_of_alice, 40001))
        assert receive(mine, 1)[0] == b"answer"


@scenario()
def every_kind_filters_by_address_and_port(folder):
    with Lab(folder) as lab:
        server = lab.public_server("server", 50)
        for number, kind in enumerate(("eim", "cgn", "routed")):
            host = lab.host(f"host{number}", lab.home(kind))
            seen = host.addresses[4] if kind == "routed" else host.lan.outermost.address
            _asserts_filtering(host, server, str(seen))
        host = lab.host("host6", lab.home("ipv6"))
        assert 4 not in host.addresses
        _asserts_filtering(host, server, str(host.addresses[6]), socket.AF_INET6)


@scenario()
def eif_lets_anybody_in(folder):
    """To the port that the host has on the inside, whomever it has sent to before."""
    with Lab(folder) as lab:
        server = lab.public_server("server", 50)
        host = lab.host("host", lab.home("eif"))
        with _bound_socket(host, 40001) as mine, _bound_socket(server, 7) as anybody:
            anybody.sendto(b"hello", (host.lan.router.address, 40001))
            assert receive(mine, 1) == (b"hello", (str(server.addresses[4]), 7))
            mine.sendto(b"back", (str(server.addresses[4]), 7))
            assert receive(anybody, 1) == (b"back", (host.lan.router.address, 40001))


@scenario()
def two_eim_hosts_punch_by_hand(folder):
    with Lab(folder) as lab:
        alice, bob = lab.pair("eim/eim")
        with _bound_socket(alice, 40001) as mine, _bound_socket(bob, 40002) as theirs:
            mine.sendto(b"lost at bob's NAT", (bob.lan.router.address, 40002))
            assert receive(theirs, 0.3) is None
            theirs.sendto(b"through", (alice.lan.router.address, 40001))
            assert receive(mine, 1) == (b"through", (bob.lan.router.address, 40002))


@scenario()
def same_nat_and_same_link_reach_each_other(folder):
    with Lab(folder) as lab:
        for kind in ("same-nat", "same-link"):
            alice, bob = lab.pair(kind)
            assert (alice.lan is bob.lan) == (kind == "same-link")
            with Pinger(alice, str(bob.addresses[4])) as pinger:
                pinger.first_reply(2)


@scenario()
def blocked_udp_leaves_tcp(folder):
    with Lab(folder) as lab:
        host = lab.host("alice", lab.home("udp-blocked"))
        server = lab.public_server("server", 50)
        with server.socket() as theirs, host.socket() as mine:
            theirs.bind(("", 40002))
            mine.sendto(b"lost", (str(server.addresses[4]), 40002))
            assert receive(theirs, 0.3) is None
        with server.socket(kind=socket.SOCK_STREAM) as listener, \
                host.socket(kind=socket.SOCK_STREAM) as mine:
            listener.bind(("", 40002))
            listener.listen()
            mine.settimeout(3)
            mine.connect((str(server.addresses[4]), 40002))


@scenario()
def two_labs_do_not_meet(folder):
    with Lab(os.path.join(folder, "one")) as one, Lab(os.path.join(folder, "two")) as two:
        first, _ = one.pair("eim/eim")
        second, _ = two.pair("eim/eim")
        assert first.addresses == second.addresses
        two.start_stun()
        with _bound_socket(second) as sock:
            mapped_endpoint(sock, STUN_SERVERS[0])
        with _bound_socket(first) as sock:
            try:
                mapped_endpoint(sock, STUN_SERVERS[0], 0.3)
            except TimeoutError:
                return
        raise AssertionError("a host of one lab reached the other lab's STUN server")
