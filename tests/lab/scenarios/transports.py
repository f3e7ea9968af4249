# SPDX-License-Identifier: GPL-3.0-or-later
"""Several transports at once: the quickest decides, and none of the others costs anything."""

import os
import signal
import threading
import time

from device import FOLDER_PLUGIN, Device, connect, join, join_pair
from lab import Lab
from scenario import promised, scenario
from scenarios.faults import HELPERS, Traffic, _await, _pids

TRANSPORT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../transport"))
NAMES = ("alice", "bob", "carol")
FIRST_PING = 1      # s from presence, as promised for one transport alone


def _shared(lab, name):
    path = os.path.join(lab.folder, name)
    os.makedirs(path)
    os.chmod(path, 0o777)
    return path


def _devices(lab, *transports, kinds=("eim", "eim")):
    """Devices, peers of each other, with these transports in place of Tox; each a name and a command."""
    lab.start_stun()
    devices = [Device(lab, lab.host(name, lab.home(kind)), number)
               for number, (name, kind) in enumerate(zip(NAMES, kinds), start=1)]
    for device in devices:
        device.conf["signalling"] = []
        for name, command in transports:
            device.add_transport(name, command)
    join(*devices)
    return devices


def _presence(device, peer, transport, online=True, start=0):
    return device.await_event("presence", peer, 60, start, transport=transport, online=online)


def _first_ping(alice, bob, transport):
    """Seconds from the later presence on that transport to the first reply."""
    alice.start()
    bob.start()
    with alice.pinger(bob) as pinger:
        replied = pinger.first_reply(30)
    return replied - max(_presence(device, peer, transport)["mono_ms"]
                         for device, peer in ((alice, bob), (bob, alice))) / 1000


def _new_session(device, peer, traffic):
    """Its ice-agent ends, so another session is made by what signalling there is."""
    [pid] = _pids(device, HELPERS["ice-agent"])
    start, moment = len(device.broker.events), time.monotonic()
    os.kill(pid, signal.SIGKILL)
    device.await_event("path", peer, 15, start, kind="direct")
    traffic.none_lost_since(moment, "a new session")
    return time.monotonic() - moment


def _beside(fault):
    def run(folder):
        with Lab(folder) as lab:
            good, bad = _shared(lab, "good"), _shared(lab, "bad")
            alice, bob = _devices(lab, ("bad", [TRANSPORT, bad]), ("good", [TRANSPORT, good]))
            for device in (alice, bob):
                device.conf["signalling"][0]["command"] = [TRANSPORT, bad, fault]
                device._write()
            first = _first_ping(alice, bob, "good")
            assert first < promised(FIRST_PING), f"first ping after {first:.2f} s"
            for device, peer in ((alice, bob), (bob, alice)):
                device.await_direct(peer)
            with Traffic(alice, bob) as traffic:
                traffic.back_after(time.monotonic(), 5)
                moment = time.monotonic()
                again = _new_session(alice, bob, traffic)
                time.sleep(6)  # what lags by 5 s comes now
                traffic.none_lost_since(moment, f"beside one that {fault}")
            paths = [event["kind"] for event in bob.broker.events if event["type"] == "path"]
            assert paths[-1] == "direct", paths
            assert alice.stop() == 0 and bob.stop() == 0
            return f"presence to first ping {first:.2f} s, a new session in {again:.2f} s, 0 lost"
    return run


for _fault in ("dies", "hangs", "lies", "lags"):
    scenario(timeout=120, name=f"one-that-{_fault}-costs-nothing")(_beside(_fault))


@scenario(timeout=180)
def tox_and_a_shared_folder_at_once(folder):
    """The folder brings the tunnel before Tox is there; each dies for ever in turn, and the other is enough."""
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        shared = _shared(lab, "shared")
        for device in (alice, bob):
            device.add_transport("folder", [FOLDER_PLUGIN, shared])
        join(alice, bob)
        first = _first_ping(alice, bob, "folder")
        assert first < promised(3), f"first ping after {first:.2f} s"  # it forks for each message
        pairs = ((alice, bob), (bob, alice))
        for device, peer in pairs:
            assert not [event for event in device.broker.events if event["type"] == "presence"
                        and event["transport"] == "tox" and event["online"]], "Tox was first"
            device.await_direct(peer)
        with Traffic(alice, bob) as traffic:
            traffic.back_after(time.monotonic(), 5)
            moment = time.monotonic()
            for device, peer in pairs:
                device.await_event("presence", peer, 45, transport="tox", online=True, via="udp")
            with _killed_for_ever(alice, "punchguard-signal-tox"):
                _presence(alice, bob, "tox", online=False)
                by_folder = _new_session(alice, bob, traffic)
            start = len(alice.broker.events)
            _presence(alice, bob, "tox", start=start)
            for device, _ in pairs:
                device.remove_transport("folder")
                assert device.reload() == ["transport 'folder' removed"]
            by_tox = _new_session(alice, bob, traffic)
            traffic.none_lost_since(moment, "while transports died and went")
        assert alice.stop() == 0 and bob.stop() == 0
        return f"first ping {first:.2f} s, new sessions by folder alone {by_folder:.2f} s, by Tox {by_tox:.2f} s"


class _killed_for_ever:
    """Kills the device's program whenever it is there, as context."""

    def __init__(self, device, program):
        self._device, self._program = device, program
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def _run(self):
        while not self._ended.wait(0.05):
            for pid in _pids(self._device, self._program):
                os.kill(pid, signal.SIGKILL)

    def __enter__(self):
        self._thread.start()

    def __exit__(self, *_):
        self._ended.set()
        self._thread.join()


def _state(device):
    """What an untouched part keeps: its helpers, and the interface's count of bytes."""
    return set(_pids(device)), int(device.host.run(["wg", "show", "pg0", "transfer"]).split()[1])


@scenario(timeout=120)
def transports_come_change_and_go_by_reload(folder):
    with Lab(folder) as lab:
        one, two = _shared(lab, "one"), _shared(lab, "two")
        alice, bob = _devices(lab, ("one", [TRANSPORT, one]))
        connect(alice, bob)
        for device, peer in ((alice, bob), (bob, alice)):
            device.await_direct(peer)
        with Traffic(alice, bob) as traffic:
            traffic.back_after(time.monotonic(), 5)
            moment = time.monotonic()
            before = _state(alice)
            for device, peer in ((alice, bob), (bob, alice)):
                device.add_transport("two", [TRANSPORT, two])
                assert device.reload() == ["transport 'two' added"]
            for device, peer in ((alice, bob), (bob, alice)):
                _presence(device, peer, "two")
            assert before[0] <= set(_pids(alice)), "a helper was touched"
            start = len(bob.broker.events)
            alice.conf["signalling"][1]["options"] = {"some": "thing"}
            assert alice.reload() == ["transport 'two': another options, started again"]
            _presence(bob, alice, "two", False, start)
            _presence(bob, alice, "two", True, start)
            # Bob may hear of Alice's end before his own.
            starts = {device: len(device.broker.events) for device in (alice, bob)}
            for device, peer in ((alice, bob), (bob, alice)):
                device.remove_transport("one")
                assert device.reload() == ["transport 'one' removed"]
                _presence(device, peer, "one", False, starts[device])
            again = _new_session(alice, bob, traffic)
            # The helper before is still there each time: two would fight for its folder.
            start = len(alice.broker.events)
            kept = alice.conf["signalling"][0]
            for _ in range(5):
                alice.conf["signalling"] = [dict(kept, name="third")]
                assert len(alice.reload()) == 2
                alice.conf["signalling"] = [kept]
                assert len(alice.reload()) == 2
            _presence(alice, bob, "two", True, start)
            alice.conf["ice"]["stun"].reverse()
            alice.conf["name"] = "somebody"
            assert len(alice.reload()) == 2
            assert alice.reload() == []
            traffic.none_lost_since(moment, "while transports came and went")
            assert _state(alice)[1] >= before[1], "the peer was removed"
        assert not [event for event in alice.broker.events if event["type"] == "error"]
        assert alice.stop() == 0 and bob.stop() == 0
        return f"0 lost; a new session over the second alone in {again:.2f} s"


@scenario(timeout=120)
def peers_come_change_and_go_by_reload(folder):
    """Carol, while alice and bob ping each other."""
    with Lab(folder) as lab:
        shared = _shared(lab, "shared")
        alice, bob, carol = _devices(lab, ("one", [TRANSPORT, shared]), kinds=("eim", "eim", "cgn"))
        known = {device: device.conf["peers"] for device in (alice, bob, carol)}
        for device in (alice, bob):
            device.conf["peers"] = [peer for peer in known[device] if peer["name"] != "carol"]
            device._write()
        connect(alice, bob)
        carol.start()
        with Traffic(alice, bob) as traffic:
            traffic.back_after(time.monotonic(), 5)
            moment, before, events = time.monotonic(), _state(alice), len(alice.broker.events)
            alice.conf["peers"] = [peer for peer in known[alice] if peer["name"] == "carol"] + \
                alice.conf["peers"]
            assert alice.reload() == ["peer 'carol' added"]
            with alice.pinger(carol) as pinger:
                came = pinger.first_reply(10) - moment
            carol_at_alice = alice.conf["peers"][0]
            carol_at_alice["allowed_ips"].append("10.77.0.0/16")
            assert alice.reload() == ["peer 'carol': other allowed_ips"]
            _await(lambda: "10.77.0.0/16" in alice.host.run(["ip", "route", "show", "table", "all"]), 2, "route")
            with alice.pinger(carol) as pinger:
                assert pinger.run(1).lost() == 0, "carol lost pings by a wider grant"
            carol_at_alice["allowed_ips"].pop()
            assert alice.reload() == ["peer 'carol': other allowed_ips"]
            _await(lambda: "10.77.0.0/16" not in alice.host.run(["ip", "route", "show", "table", "all"]), 2, "route gone")
            start = len(alice.broker.events)
            carol_at_alice["addresses"] = {"one": "elsewhere"}
            assert alice.reload() == ["peer 'carol': other addresses"]
            _presence(alice, carol, "one", False, start)
            _presence(alice, carol, "one", True, start)
            with alice.pinger(carol) as pinger:
                assert pinger.run(1).lost() == 0, "carol lost pings by another address"
            # By another name, then none.
            carol_at_alice["name"] = "caroline"
            start = len(alice.broker.events)
            assert alice.reload() == ["peer 'carol' removed", "peer 'caroline' added"]
            # wg-setup reads the file by itself, a moment later: what comes next must not be faster.
            alice.broker.await_event(
                lambda event: event["type"] == "peer-up" and event["peer"] == "caroline", 10,
                "a path to caroline", start)
            with alice.pinger(carol) as pinger:
                pinger.first_reply(10)
            alice.conf["peers"].pop(0)
            assert alice.reload() == ["peer 'caroline' removed"]
            _await(lambda: len(alice.host.run(["wg", "show", "pg0", "peers"]).split()) == 1, 2,
                   "peer gone")
            _await(lambda: len(_pids(alice, HELPERS["ice-agent"])) == 1, 4, "end of its ice-agent")
            with open(alice.state_file("resume"), encoding="utf-8") as file:
                _await(lambda: known[alice][1]["id"] not in open(file.name, encoding="utf-8").read(), 2,
                       "memory gone")
            traffic.none_lost_since(moment, "while carol came and went")
            assert before[0] <= set(_pids(alice)), "a helper was touched"
            assert _state(alice)[1] >= before[1], "bob was removed"
        touched = [event for event in alice.broker.events[events:]
                   if event["type"] == "error" or event.get("peer") == "bob"
                   and event["type"] in ("presence", "path")]
        assert not touched, touched
        for device in (alice, bob, carol):
            assert device.stop() == 0
        return f"0 lost; carol's first reply {came:.2f} s after the reload"


@scenario(timeout=120)
def a_wrong_configuration_is_told_and_changes_nothing(folder):
    with Lab(folder) as lab:
        shared = _shared(lab, "shared")
        alice, bob = _devices(lab, ("one", [TRANSPORT, shared]))
        connect(alice, bob)
        alice.await_direct(bob)
        good = dict(alice.conf)
        with Traffic(alice, bob) as traffic:
            traffic.back_after(time.monotonic(), 5)
            moment, before = time.monotonic(), _state(alice)
            for text, told in (("{", "line 1"), ("{}", "'peers'"), (None, "cannot open")):
                os.unlink(alice.conf_path)
                if text is not None:
                    with open(alice.conf_path, "w", encoding="utf-8") as file:
                        file.write(text)
                messages = alice.hang_up()
                assert alice.conf_path in messages[0] and told in messages[0], messages
                if text is None:
                    alice._write()
            own = dict(alice.conf["peers"][0], name="me", id=alice.show_id()["id"])
            for wrong, path in (({"sginalling": []}, "$"), ({"signalling": []}, "$.signalling"),
                                ({"peers": [own]}, "$.peers[0]")):
                alice.conf = dict(good, **wrong)
                [message] = alice.reload()
                assert alice.conf_path in message and path in message, message
            alice.conf = dict(good, interface=dict(good["interface"], mtu=1400, name="pg7"))
            told = alice.reload()
            assert [text.split()[0] for text in told] == ["$.interface.name", "$.interface.mtu"], told
            alice.conf = good
            assert alice.reload() == []
            traffic.none_lost_since(moment, "by wrong configurations")
            assert before[0] == set(_pids(alice)), "a helper was touched"
        assert alice.stop() == 0 and bob.stop() == 0
        return "0 lost"


@scenario(timeout=60)
def a_file_that_is_half_written_when_wg_setup_reads_it_is_read_once_more(folder):
    with Lab(folder) as lab:
        shared = _shared(lab, "shared")
        alice, bob = _devices(lab, ("one", [TRANSPORT, shared]))
        connect(alice, bob)
        alice.await_direct(bob)
        alice.conf["peers"][0]["allowed_ips"].append("10.77.0.0/16")
        [wg_setup] = _pids(alice, HELPERS["wg-setup"])
        os.kill(wg_setup, signal.SIGSTOP)
        assert alice.reload() == ["peer 'bob': other allowed_ips"]
        with open(alice.conf_path, "w", encoding="utf-8") as file:
            file.write("{")
        os.kill(wg_setup, signal.SIGCONT)
        alice.await_event("error", code="bad-json")
        alice._write()
        _await(lambda: "10.77.0.0/16" in alice.host.run(["ip", "route", "show", "table", "all"]), 10, "route")
        assert list(_pids(alice, HELPERS["wg-setup"])) == [wg_setup]
        assert alice.stop() == 0 and bob.stop() == 0


@scenario(timeout=120)
def a_configuration_that_only_root_may_read_is_read_again(folder):
    """The launcher opens it; wg-setup, which is root without CAP_DAC_OVERRIDE, reads root's own file, and starts again
    for somebody else's."""
    with Lab(folder) as lab:
        shared = _shared(lab, "shared")
        alice, bob, carol = _devices(lab, ("one", [TRANSPORT, shared]), kinds=("eim", "eim", "eim"))
        known = alice.conf["peers"]
        alice.conf["peers"] = known[:1]
        alice._write()
        os.chmod(alice.conf_path, 0o600)
        connect(alice, bob)
        carol.start()
        with Traffic(alice, bob) as traffic:
            traffic.back_after(time.monotonic(), 5)
            moment, helpers = time.monotonic(), set(_pids(alice))
            alice.conf["peers"] = known
            alice._write()
            os.chmod(alice.conf_path, 0o600)
            assert alice.hang_up() == ["peer 'carol' added"]
            with alice.pinger(carol) as pinger:
                pinger.first_reply(10)
            assert helpers <= set(_pids(alice)), "a helper was touched"
            alice.conf["peers"][1]["allowed_ips"].append("10.77.0.0/16")
            alice._write()
            os.chown(alice.conf_path, 65534, 65534)
            os.chmod(alice.conf_path, 0o600)
            assert alice.hang_up() == ["peer 'carol': other allowed_ips"]
            _await(lambda: "10.77.0.0/16" in alice.host.run(["ip", "route", "show", "table", "all"]), 5, "route")
            traffic.none_lost_since(moment, "meanwhile")
        assert not [event for event in alice.broker.events if event["type"] == "error"]
        for device in (alice, bob, carol):
            assert device.stop() == 0
        return "0 lost"
