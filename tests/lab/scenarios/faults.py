# SPDX-License-Identifier: GPL-3.0-or-later
"""Whatever of ours dies or stands still, a tunnel that is up does not notice.

Each fault is one line of what PunchGuard promises. A ping goes through the tunnel every 100 ms all the
while, and the lost ones are counted from the fault until everything is back.
"""

import contextlib
import os
import re
import signal
import threading
import time

from device import INTERFACE, connect, join_pair
from lab import Lab
from scenario import scenario

PING_INTERVAL = 0.1
# In this order one after the other, so that no fault meets the wake of another: a new path is confirmed
# by wg-setup, and found by signalling, which Tox takes up to half a minute to find again.
HELPERS = {"wg-setup": "punchguard-wg-setup", "ice-agent": "punchguard-ice-agent",
           "tox": "punchguard-signal-tox"}
BACK = 1            # s; a killed helper
RECONCILED = 2      # s; wg-setup's peers and table
REPLACED = 11       # s; a helper that stands still
GONE = 2            # s; helpers of a broker that ended
SIGNALLING = 15     # s; presence with a new broker
STOPPED = 60        # s; the broker stands still so long
TRAFFIC = 3         # s; userspace WireGuard anew
TABLE = 1           # s; our nftables table
NEW_PATH = 15       # s; not promised: a session in place of the one whose ice-agent ended


class Traffic:
    """Pings from one device to another in a thread of its own."""

    def __init__(self, device, peer):
        self._pinger = device.pinger(peer, PING_INTERVAL)
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        self._pinger.run(3600, lambda _: self._ended.is_set())

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()
        self._pinger.__exit__()

    def back_after(self, moment, timeout):
        """Seconds from `moment` to the reply to the first ping sent after it that has one."""
        def replies():
            return [at for number, at in list(self._pinger.replies.items())
                    if self._pinger.sent[number] > moment]
        return min(_await(replies, timeout, "reply to a ping")) - moment

    def lost_since(self, moment, grace=1):
        """How many pings sent from `moment` until now get no reply, the last given `grace` seconds."""
        sent = [number for number, at in list(self._pinger.sent.items()) if at >= moment]

        def missing():
            return [number for number in sent if number not in self._pinger.replies]
        with contextlib.suppress(TimeoutError):
            _await(lambda: not missing(), grace, "the last replies")
        return len(missing())

    def none_lost_since(self, moment, what):
        lost = self.lost_since(moment)
        assert lost == 0, f"{what}: {lost} pings lost"


class Tunnel:
    """A pair of devices with a direct path and traffic, as context."""

    def __init__(self, folder):
        self._lab = Lab(folder)

    def __enter__(self):
        self._lab.__enter__()
        try:
            self.alice, self.bob = join_pair(self._lab, "eim/eim")
            connect(self.alice, self.bob)
            for device, peer in ((self.alice, self.bob), (self.bob, self.alice)):
                device.await_direct(peer)
                # Settled: a Tox friend known for less than this is found again much later.
                device.await_event("presence", peer, online=True, via="udp")
            self.traffic = Traffic(self.alice, self.bob).__enter__()
            self.traffic.back_after(time.monotonic(), 5)
        except BaseException:
            self._lab.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        self.traffic.__exit__()
        self._lab.__exit__(None, None, None)


def _await(probe, timeout, what):
    """The first true value of `probe`, asked for over and over where no event tells."""
    deadline = time.monotonic() + timeout
    while not (value := probe()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"no {what} within {timeout} s")
        time.sleep(0.01)
    return value


def _pids(device, program=None):
    """{pid: program} of the device's processes, zombies left out."""
    found = {}
    for pid in device.host.pids():
        with contextlib.suppress(OSError), open(f"/proc/{pid}/cmdline", "rb") as file:
            name = os.path.basename(file.read().split(b"\0")[0].decode())
            if name and program in (None, name):
                found[pid] = name
    return found


def _helpers(device):
    return {pid: name for pid, name in _pids(device).items() if name in HELPERS.values()}


def _transfer(device):
    """Bytes received from the only peer: they begin at 0 again where it was removed."""
    return int(device.host.run(["wg", "show", INTERFACE, "transfer"]).split()[1])


def _table(device):
    """Our nftables table, but for what it learned, which times out. Empty where there is none."""
    text = device.host.run(["nft", "list", "table", "inet", f"punchguard_{INTERFACE}"], check=False)
    return re.sub(r"(map learned \{[^}]*?)elements = \{[^}]*\}", r"\1", text).split()


def _signal_helper(device, helper, number):
    """Sends a signal to a helper of `device`; returns its pid, the moment, and the events so far."""
    [pid] = _pids(device, HELPERS[helper])
    start, moment = len(device.broker.events), time.monotonic()
    os.kill(pid, number)
    return pid, moment, start


def _await_back(device, helper, fault, limit):
    """Waits until another process stands in the helper's place; the others must be the same."""
    pid, moment, start = fault
    if helper == "ice-agent":  # each session has one of its own, which no event names

        def replaced():
            now = _pids(device, HELPERS[helper])
            return now and pid not in now
        _await(replaced, limit, f"new {helper}")
    else:
        for state in ("down", "up"):
            device.await_event("helper", helper=helper, state=state, timeout=limit, start=start)
    took = time.monotonic() - moment
    assert took < limit, f"{helper} was back after {took:.2f} s only"
    return took


def _other(tunnel, device):
    return tunnel.bob if device is tunnel.alice else tunnel.alice


def _await_session(tunnel, device, start):
    """After its ice-agent ended: a new session, and no moment without a path."""
    device.await_event("path", _other(tunnel, device), NEW_PATH, start, kind="direct")


def _helper_dies(tunnel, device, helper, number, limit):
    others = {pid for pid, name in _helpers(device).items() if name != HELPERS[helper]}
    received = _transfer(device)
    fault = _signal_helper(device, helper, number)
    took = _await_back(device, helper, fault, limit)
    if helper == "ice-agent":
        _await_session(tunnel, device, fault[2])
    elif helper == "wg-setup":
        _await(lambda: _table(device), fault[1] + RECONCILED - time.monotonic(), "table")
    assert others <= set(_helpers(device)), f"{helper}: other helpers were touched"
    assert _transfer(device) >= received, f"{helper}: the peer was removed"
    tunnel.traffic.none_lost_since(fault[1], f"{helper}, {signal.Signals(number).name}")
    return f"{helper} {took:.2f} s"


def _tunnel_stands(device, before):
    interface, table, received = before
    assert device.host.run(["ip", "-brief", "link", "show", INTERFACE]) == interface
    assert _table(device) == table, f"the table became {_table(device)}"
    assert _transfer(device) >= received


def _standing(device):
    return (device.host.run(["ip", "-brief", "link", "show", INTERFACE]), _table(device),
            _transfer(device))


def _broker_ends(tunnel, number):
    """Alice's broker ends so that the tunnel stays; another one is started 3 s later."""
    alice, bob, traffic = tunnel.alice, tunnel.bob, tunnel.traffic
    what = f"the broker, {signal.Signals(number).name}"
    before = _standing(alice)
    assert len(_helpers(alice)) == len(HELPERS)
    moment = time.monotonic()
    alice.broker.signal(number)
    alice.broker.wait(5)
    _await(lambda: not [name for name in _pids(alice).values() if name != "wireguard-go"], GONE,
           f"end of the helpers of {what}")
    gone = time.monotonic() - moment
    assert gone < GONE, f"{what}: helpers ended after {gone:.2f} s"
    _tunnel_stands(alice, before)
    traffic.none_lost_since(moment, f"{what}, before there is a new one")
    started = time.monotonic()
    alice.start()
    alice.await_ready()
    traffic.none_lost_since(moment, f"{what}, until the new one is ready")
    alice.await_event("presence", bob, SIGNALLING, online=True)
    signalling = time.monotonic() - started
    assert signalling < SIGNALLING, f"{what}: presence after {signalling:.1f} s"
    alice.await_direct(bob)
    traffic.none_lost_since(moment, what)
    assert _transfer(alice) >= before[2], f"{what}: the peer was removed"
    return f"helpers gone {gone:.2f} s, signalling {signalling:.1f} s"


@scenario(timeout=120)
def a_killed_helper_is_back_and_the_tunnel_does_not_notice(folder):
    with Tunnel(folder) as tunnel:
        return ", ".join(_helper_dies(tunnel, tunnel.alice, helper, signal.SIGKILL, BACK)
                         for helper in HELPERS)


@scenario(timeout=150)
def a_stopped_helper_is_replaced_and_the_tunnel_does_not_notice(folder):
    with Tunnel(folder) as tunnel:
        return ", ".join(_helper_dies(tunnel, tunnel.alice, helper, signal.SIGSTOP, REPLACED)
                         for helper in HELPERS)


@scenario(timeout=150)
def a_stopped_broker_goes_on_where_it_was(folder):
    with Tunnel(folder) as tunnel:
        alice, traffic = tunnel.alice, tunnel.traffic
        helpers = set(_helpers(alice))
        moment = time.monotonic()
        alice.broker.signal(signal.SIGSTOP)
        time.sleep(STOPPED)
        alice.broker.signal(signal.SIGCONT)
        traffic.none_lost_since(moment, "the broker, SIGSTOP")
        assert helpers == set(_helpers(alice)), "helpers were replaced that had done nothing wrong"
        start = len(alice.broker.events)
        for helper in HELPERS:
            _helper_dies(tunnel, alice, helper, signal.SIGKILL, BACK)
        alice.await_event("presence", tunnel.bob, SIGNALLING, start, online=True)
        traffic.none_lost_since(moment, "the broker, SIGCONT")
        return f"stopped for {STOPPED} s"


@scenario(timeout=150)
def a_killed_broker_is_followed_by_one_that_adopts_the_tunnel(folder):
    with Tunnel(folder) as tunnel:
        return _broker_ends(tunnel, signal.SIGKILL)


@scenario(timeout=150)
def a_new_broker_after_sigquit_adopts_the_tunnel(folder):
    with Tunnel(folder) as tunnel:
        return _broker_ends(tunnel, signal.SIGQUIT)


@scenario(timeout=120)
def userspace_wireguard_and_the_table_are_put_back(folder):
    with Tunnel(folder) as tunnel:
        alice, traffic = tunnel.alice, tunnel.traffic
        table, moment = _table(alice), time.monotonic()
        alice.host.run(["nft", "flush", "ruleset"])
        _await(lambda: _table(alice) == table, TABLE, "table as it was")
        flushed = time.monotonic() - moment
        traffic.back_after(time.monotonic(), TABLE)
        [pid] = _pids(alice, "wireguard-go")
        moment = time.monotonic()
        os.kill(pid, signal.SIGKILL)
        back = traffic.back_after(moment + PING_INTERVAL, TRAFFIC) + PING_INTERVAL
        assert back < TRAFFIC, f"traffic was back after {back:.2f} s"
        moment = time.monotonic()
        time.sleep(1)
        traffic.none_lost_since(moment, "afterwards")
        return f"table {flushed:.2f} s, traffic {back:.2f} s"


@scenario(timeout=120)
def a_device_with_another_key_is_never_accepted_and_said_once(folder):
    """Bob's Tox address stays and his identity is a new one: Alice's configuration has the id from before."""
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        for name in ("identity.key", "identity.key.previous"):
            os.unlink(bob.state_file(name))
        alice.start()
        bob.start()
        for device, peer in ((alice, bob), (bob, alice)):
            device.await_presence(peer)
            device.await_event("error", peer, 60, code="key-differs")
        time.sleep(5)
        for device in (alice, bob):
            told = [event for event in device.broker.events if event.get("code") == "key-differs"]
            assert len(told) == 1, told
            assert not [event for event in device.broker.events if event["type"] in ("path", "handshake")]
        assert alice.stop() == 0 and bob.stop() == 0
