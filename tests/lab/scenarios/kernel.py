# SPDX-License-Identifier: GPL-3.0-or-later
"""The kernel's WireGuard, where there is one: tests/vm runs these in Debian's own kernel."""

import contextlib
import subprocess
import time

from device import INTERFACE, connect, join_pair
from lab import Lab
from scenario import Skip, scenario
from wg_setup import WgSetup, has_kernel_wireguard, interface_index


def _connects_in_kernel(folder, impairment=None, most_lost=0):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        if not has_kernel_wireguard(alice.host):
            raise Skip("this kernel has no WireGuard; tests/vm has one that does")
        for device in (alice, bob):
            if impairment:
                device.host.lan.router.node.run(
                    ["tc", "qdisc", "add", "dev", "wan", "root", "netem"] + impairment)
        took = connect(alice, bob)
        for device, peer in ((alice, bob), (bob, alice)):
            assert device.await_ready()["backend"] == "kernel"
            device.await_direct(peer)
            # Until a side knows of the first handshake it may begin another one.
            device.await_event("handshake", peer)
        with alice.pinger(bob, 0.1) as pinger:
            lost = pinger.run(5).lost()
            assert lost <= most_lost * len(pinger.sent), \
                f"{lost} of {len(pinger.sent)} pings lost: numbers {sorted(set(pinger.sent) - set(pinger.replies))}"
        assert alice.stop() == 0 and bob.stop() == 0
    return f"presence to first ping {took:.2f} s, {lost} of {len(pinger.sent)} pings lost"


@scenario(timeout=240, unasked=False)
def eim_eim(folder):
    return _connects_in_kernel(folder)


@scenario(timeout=240, unasked=False)
def eim_eim_with_100_ms_and_2_percent_loss(folder):
    # Twice 2 % on the way there and back: 4 %; the bound is what 50 pings exceed once in 10^4.
    return _connects_in_kernel(folder, ["delay", "100ms", "loss", "2%"], 0.16)


def _handshake_of(device):
    """When WireGuard's latest handshake was, by the wall clock of then."""
    return int(device.host.run(["wg", "show", INTERFACE, "latest-handshakes"]).split()[1])


@scenario(timeout=240, unasked=False)
def clock_set_an_hour_back_and_forward_traffic_within_30_s(folder):
    """Both hosts have the machine's clock: each refuses what the other sends until it has forgotten the old time."""
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        if not has_kernel_wireguard(alice.host):
            raise Skip("the clock that would be set is the machine's own; tests/vm has one to spare")
        connect(alice, bob)
        for device, peer in ((alice, bob), (bob, alice)):
            device.await_direct(peer)
            device.await_event("handshake", peer)
        at = time.monotonic()
        time.clock_settime(time.CLOCK_REALTIME, time.time() - 3600)
        try:
            with alice.pinger(bob, 0.1) as pinger:
                pinger.run(30, lambda p: 0 < _handshake_of(alice) <= time.time() + 1)
                took = time.monotonic() - at
                assert 0 < _handshake_of(alice) <= time.time() + 1, "no handshake by the new clock"
                assert pinger.run(3).replies, "no traffic"
            with alice.pinger(bob, 0.1) as pinger:
                lost = pinger.run(2).lost()
            assert lost == 0, f"{lost} of {len(pinger.sent)} pings lost afterwards"
        finally:
            time.clock_settime(time.CLOCK_REALTIME, time.time() + 3600)
        at = time.monotonic()
        with alice.pinger(bob, 0.1) as pinger:
            forward = pinger.first_reply(30) - at
            lost = pinger.run(3).lost()
        assert lost == 0, f"{lost} of {len(pinger.sent)} pings lost after the clock was set forward"
        return f"a new handshake {took:.1f} s after the clock was set back; " \
               f"forward again, a reply after {forward:.2f} s"


@contextlib.contextmanager
def _without_module():
    """The kernel's WireGuard is unloaded and can't be loaded inside the with block."""
    path = "/proc/sys/kernel/modprobe"
    with open(path, encoding="ascii") as file:
        loader = file.read()
    subprocess.run(["modprobe", "--remove", "wireguard"], check=True)
    subprocess.run(["modprobe", "tun"], check=True)  # what a userspace WireGuard needs
    try:
        with open(path, "w", encoding="ascii") as file:
            file.write("/bin/false")
        yield
    finally:
        with open(path, "w", encoding="ascii") as file:
            file.write(loader)


@scenario(timeout=120, unasked=False)
def missing_module_falls_back_to_userspace_and_says_so(folder):
    with Lab(folder) as lab:
        host = lab.host("alice", lab.home("eim"))
        if not has_kernel_wireguard(host):
            raise Skip("this kernel has no WireGuard to take away; tests/vm has one")
        with _without_module():
            automatic = WgSetup(host, 1)
            assert automatic.start().await_ready()["backend"] == "userspace"
            assert automatic.shut_down() == 0
            log = automatic.process.log_tail(50)
            assert "kernel" in log and "userspace" in log, f"not said: {log!r}"
            kernel_only = WgSetup(host, 1, backend="kernel")
            error = kernel_only.start().await_error()
            assert "kernel" in error["message"], error
            kernel_only.end_input()
            assert interface_index(host) is None
        automatic = WgSetup(host, 1)
        assert automatic.start().await_ready()["backend"] == "kernel"
        assert automatic.shut_down() == 0
    return error["message"]
