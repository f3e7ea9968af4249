# SPDX-License-Identifier: GPL-3.0-or-later
"""Joining by invitation: one text in one direction, and both have each other as peers."""

import base64
import ipaddress
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time

from device import Device, share_folder
from knock import REFUSED, Knocker, connects, listen, pings
from lab import Lab, program, program_folders
from probe import Pinger
from scenario import Skip, promised, scenario

JOINED = 15     # s from `join` to the first ping reply
KEPT = "peers.json"
FORGED = 1000
GROWN = 512     # KiB that a broker may grow by such strangers
TRANSPORT = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../transport"))


def _punchguard(device, *arguments, **options):
    return device.host.run([program("punchguard"), "-c", device.conf_path, *arguments], **options)


def _fails(device, *arguments, **options):
    """Its exit status and words are those of a failure; returns the words."""
    try:
        said = _punchguard(device, *arguments, **options)
    except RuntimeError as failure:
        return str(failure)
    raise AssertionError(f"{arguments} did not fail: {said}")


def _bare(device):
    """A configuration as `punchguard up` makes it: no peers, addresses that follow from the id."""
    device.conf["interface"].pop("addresses", None)
    device.set_peers({})
    shown = device.show_id()
    device.overlay = next(str(ipaddress.ip_interface(text).ip) for text in shown["overlay"]
                          if "." in text)
    return device


def _devices(lab, kind, tox=True):
    if tox:
        lab.start_tox()
    lab.start_stun()
    return [Device(lab, host, number) for number, host in enumerate(lab.pair(kind), start=1)]


def _up(*devices):
    for device in devices:
        device.start()
    for device in devices:
        device.await_ready()
        device.await_event("transport", timeout=15)


def _invite(device, *arguments):
    return json.loads(_punchguard(device, "invite", "--json", *arguments))["text"]


def _peers(device):
    return _punchguard(device, "peers", "--names").split()


def _kept(device):
    with open(device.state_file(KEPT), encoding="utf-8") as file:
        return json.load(file)


def _reaches(device, peer, timeout=10):
    with Pinger(device.host, peer.overlay, 0.02) as pinger:
        return pinger.first_reply(timeout)


def _by_folder(lab, kind="eim/eim"):
    alice, bob = _devices(lab, kind, tox=False)
    share_folder(lab, alice, bob)
    return _bare(alice), _bare(bob)


@scenario()
def over_a_folder_a_ping_comes_through_at_once(folder):
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        _up(alice, bob)
        start = time.monotonic()
        said = json.loads(_punchguard(bob, "join", "--json", _invite(alice, "--name", "desk")))
        assert said["state"] == "connected" and said["peer"] == "alice", said
        took = _reaches(bob, alice) - start
        assert took < promised(5), took
        assert _peers(alice) == ["desk"] and _peers(bob) == ["alice"]
        for device in alice, bob:
            mode = os.stat(device.state_file(KEPT)).st_mode & 0o777
            assert mode == 0o600, oct(mode)
            assert set(_kept(device)["peers"][0]) == {"name", "id", "addresses"}
        return f"ping {took:.1f} s after join"


@scenario()
def who_joins_a_peer_that_is_connected_is_told_so_at_once(folder):
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        _up(alice, bob)
        _punchguard(bob, "join", _invite(alice))
        _reaches(bob, alice)
        start = time.monotonic()
        said = json.loads(_punchguard(bob, "join", "--json", _invite(alice)))
        took = time.monotonic() - start
        assert said["state"] == "connected" and took < promised(5), (said, took)
        assert _peers(alice) == ["bob"] and _peers(bob) == ["alice"]
        return f"told after {took:.1f} s"


@scenario()
def a_peer_that_joined_may_be_written_into_the_configuration_and_out_of_it(folder):
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        _up(alice, bob)
        _punchguard(bob, "join", _invite(alice))
        _reaches(bob, alice)
        lost = []
        for peers in _kept(alice)["peers"], []:
            alice.conf["peers"] = peers
            with Pinger(bob.host, alice.overlay, 0.02) as pinger:
                pinger.first_reply(5)
                words = alice.reload()
                assert len(words) == 1 and words[0].startswith("peer 'bob': as it "), words
                pinger.run(0.5)
                alice.conf["names"] = not alice.conf.get("names", True)
                assert len(alice.reload()) == 1
                lost.append(pinger.run(2).lost())
            assert _peers(alice) == ["bob"]
        assert max(lost) < 25, f"{lost} of 100 pings lost"
        return f"{lost[0]} and {lost[1]} of 100 pings lost"


@scenario()
def an_address_that_another_has_is_withheld_and_told(folder):
    """Bob's configuration gives Alice's address to somebody else: he reaches her by the other one."""
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        fixed = Device(lab, bob.host, 3)
        fixed.conf["state_dir"] += "-fixed"
        fixed._write()
        bob.conf["peers"] = [{"name": "fixed", "id": fixed.show_id()["id"],
                              "allowed_ips": [f"{alice.overlay}/32"]}]
        bob._write()
        _up(alice, bob)
        said = json.loads(_punchguard(bob, "join", "--json", _invite(alice)))
        assert [text for text in said["overlay"] if "." in text] == [], said
        error = bob.await_event("error", alice, code="address-collision")
        what = f"'alice' goes without its address {alice.overlay}/32, which 'fixed' has: "
        assert what in error["message"], error
        shown = [line for line in _punchguard(bob, "status", "--json").splitlines() if "goes without" in line]
        assert len(shown) == 1, shown
        errors = [event for event in bob.broker.events if event["type"] == "error"]
        assert len(errors) == 1, errors


@scenario(timeout=120)
def over_tox_a_ping_comes_through_soon(folder):
    with Lab(folder) as lab:
        alice, bob = map(_bare, _devices(lab, "eim/eim"))
        _up(alice, bob)
        text = _invite(alice)
        start = time.monotonic()
        _punchguard(bob, "join", text, timeout=90)
        took = _reaches(bob, alice) - start
        assert took < promised(JOINED), took
        assert _peers(alice) == ["bob"] and _peers(bob) == ["alice"]
        return f"ping {took:.1f} s after join"


def _person(host, conf):
    """What a person types on that host, where the programs are installed; returns what is printed."""
    if not shutil.which("ping"):
        raise Skip("there is no ping(8)")
    host.run(["mount", "-t", "tmpfs", "tmpfs", "/var/log"])
    before = ["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', host.name, "env",
              f"PATH={':'.join(program_folders() + [os.environ['PATH']])}"]

    def types(*words, **options):
        if words[0] == "punchguard":
            words = [program("punchguard"), "-c", conf, *words[1:]]
        return host.run([*before, *words], **options)
    return types


def _four_lines(alice, bob):
    """Alice's and bob's, and how long the last two took together, in s."""
    try:
        alice("punchguard", "up")
        invitation = alice("punchguard", "invite", "--name", "bob")
        assert re.fullmatch(r"PGI1-\S+\n", invitation), invitation
        start = time.monotonic()
        joined = bob("punchguard", "join", invitation.strip(), timeout=90)
        pings = bob("ping", "-c", "3", "-i", "0.2", "-W", "2", "alice.pg.internal")
        took = time.monotonic() - start
        assert joined == "alice is a peer now: ping alice.pg.internal\n", joined
        assert " 0% packet loss" in pings, pings
        assert " 0% packet loss" in alice("ping", "-c", "3", "-i", "0.2", "-W", "2", "bob.pg.internal")
        return took
    finally:
        for device in alice, bob:
            device("punchguard", "down", check=False)


@scenario(timeout=90)
def four_lines_join_two_machines_that_have_nothing_yet(folder):
    """Where they find each other without the internet: the default configuration names public nodes."""
    with Lab(folder) as lab:
        people = []
        for host in lab.pair("same-link"):
            host.run(["sh", "-c", "mount -t tmpfs tmpfs /var/lib && mkdir /run/etc"])
            people.append(_person(host, "/run/etc/punchguard/conf.json"))
        took = _four_lines(*people)
        return f"join to three ping replies {took:.1f} s"


@scenario(timeout=120)
def four_lines_join_two_machines_behind_nats(folder):
    with Lab(folder) as lab:
        devices = _devices(lab, "eim/cgn")
        for device in devices:
            device.conf["interface"].pop("addresses")
            device.set_peers({})
        took = _four_lines(*(_person(device.host, device.conf_path) for device in devices))
        assert took < promised(JOINED), took
        return f"join to three ping replies {took:.1f} s"


def _without_addresses(lab, kind, *transport):
    """Two devices whose only transport knows no addresses; they meet by the invitation's secret."""
    pair = _devices(lab, kind, tox=False)
    for device in pair:
        device.conf["signalling"] = []
        device.add_transport(*transport)
    return [_bare(device) for device in pair]


def _joins(alice, bob):
    _up(alice, bob)
    start = time.monotonic()
    _punchguard(bob, "join", _invite(alice), timeout=60)
    took = _reaches(bob, alice) - start
    assert took < promised(JOINED), took
    assert _peers(alice) == ["bob"] and _peers(bob) == ["alice"]
    return f"ping {took:.1f} s after join"


@scenario(timeout=90)
def over_the_lan_they_meet_by_the_secret(folder):
    with Lab(folder) as lab:
        return _joins(*_without_addresses(lab, "same-link", "lan", ["punchguard-signal-lan"]))


@scenario(timeout=90)
def over_the_dht_they_meet_by_the_secret(folder):
    with Lab(folder) as lab:
        lab.start_dht()
        return _joins(*_without_addresses(lab, "eim/eim", "dht", ["punchguard-signal-dht"],
                                          {"bootstrap": lab.dht[4]}))


@scenario(timeout=120)
def over_tox_who_comes_second_is_told(folder):
    with Lab(folder) as lab:
        alice, bob = map(_bare, _devices(lab, "eim/eim"))
        carol = _bare(Device(lab, lab.host("carol", lab.home("eim")), 3))
        _up(alice, bob, carol)
        text = _invite(alice)
        _punchguard(bob, "join", text, timeout=90)
        words = _fails(carol, "join", text, timeout=90)
        assert "used before" in words, words
        assert _peers(carol) == [] and _peers(alice) == ["bob"]


@scenario()
def a_third_device_joins_and_one_that_is_removed_is_gone_at_once(folder):
    with Lab(folder) as lab:
        alice, bob = _devices(lab, "eim/eim", tox=False)
        carol = Device(lab, lab.host("carol", lab.home("eim")), 3)
        share_folder(lab, alice, bob, carol)
        for device in alice, bob, carol:
            _bare(device)
        _up(alice, bob, carol)
        first = _invite(alice)
        for device, text in (bob, first), (carol, _invite(alice)):
            _punchguard(device, "join", text)
            _reaches(device, alice)
        assert sorted(_peers(alice)) == ["bob", "carol"] and _peers(bob) == ["alice"]
        with Pinger(carol.host, alice.overlay, 0.1) as steady:
            _punchguard(alice, "remove", "bob")
            with Pinger(bob.host, alice.overlay, 0.02) as pinger:
                pinger.run(1)
                assert len(pinger.replies) <= 5, f"{len(pinger.replies)} replies after the removal"
            steady.run(3)
            assert len(steady.replies) >= len(steady.sent) - 1, "the other peer's tunnel suffered"
        assert _peers(alice) == ["carol"]
        assert [peer["name"] for peer in _kept(alice)["peers"]] == ["carol"]
        kept = alice.host.run(["grep", "-rl", bob.show_id()["id"], alice.conf["state_dir"]], check=False)
        assert not kept, f"something of the peer is kept: {kept}"
        _punchguard(bob, "remove", "alice")
        words = _fails(bob, "join", "--timeout", "5", first)
        assert _peers(alice) == ["carol"] and ("used" in words or "no answer" in words), words


@scenario(timeout=90)
def peers_that_joined_are_there_after_a_restart(folder):
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        _up(alice, bob)
        _punchguard(bob, "join", _invite(alice))
        _reaches(bob, alice)
        for device in alice, bob:
            assert device.stop() == 0
        _up(alice, bob)
        _reaches(bob, alice, 20)
        _punchguard(alice, "rename", "bob", "desk")
        assert _peers(alice) == ["desk"]
        _reaches(bob, alice, 20)


@scenario(timeout=90)
def who_joins_while_the_other_is_away_is_a_peer_once_it_is_back(folder):
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        _up(alice, bob)
        text = _invite(alice)
        alice.stop()
        assert "no answer yet" in _fails(bob, "join", "--timeout", "2", text)
        status = json.loads(_punchguard(bob, "status", "--json"))
        assert [peer["state"] for peer in status["peers"]] == ["joining"], status["peers"]
        bob.stop()
        _up(alice, bob)
        _reaches(bob, alice, 30)
        assert _peers(alice) == ["bob"] and _peers(bob) == ["alice"]


@scenario()
def what_is_mistyped_or_over_is_said(folder):
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        _up(alice, bob)
        text = _invite(alice, "--expires", "2s")
        wrong = text[:41] + ("B" if text[41] != "B" else "C") + text[42:]
        assert "group 7 of the invitation is mistyped" in _fails(bob, "join", wrong)
        assert "made that invitation" in _fails(alice, "join", text)
        time.sleep(2)
        assert "was good until" in _fails(bob, "join", text)
        assert "no peer 'x'" in _fails(bob, "remove", "x")
        assert _peers(alice) == _peers(bob) == []


class _Control:
    """The broker's control socket, over one connection: much quicker than a command each."""

    def __init__(self, device):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(f"/proc/{device.host.holder_pid}/root/run/punchguard/pg0.sock")
        self.lines = self.socket.makefile("r", encoding="utf-8")
        self.ref = 0

    def ask(self, **request):
        """The answers, before the last."""
        self.ref += 1
        self.socket.sendall(json.dumps(dict(request, ref=self.ref)).encode() + b"\n")
        answers = []
        for line in self.lines:
            answer = json.loads(line)
            assert answer["type"] != "error", answer
            if answer["type"] == "done":
                return answers
            answers.append(answer)
        raise AssertionError(f"no answer to {request}")


def _private_kib(device):
    with open(f"/proc/{device.broker.pid}/smaps_rollup", encoding="ascii") as file:
        return sum(int(line.split()[1]) for line in file if line.startswith("Private_"))


@scenario(timeout=150)
def a_wrong_secret_a_thousand_times_changes_nothing(folder):
    """The transport brings each of them to the inviter, as Tox would."""
    with Lab(folder) as lab:
        shared = os.path.join(lab.folder, "shared")
        os.makedirs(shared)
        os.chmod(shared, 0o777)
        alice, bob = _without_addresses(lab, "eim/eim", "shared", [TRANSPORT, shared, "asks"])
        _up(alice, bob)
        text = _invite(alice)
        forged = alice.host.run([program("forge-invitations"), str(FORGED), text]).split()
        assert len(set(forged)) == FORGED and text not in forged
        control, start = _Control(bob), time.monotonic()
        with open(alice.state_file(KEPT), "rb") as file:
            before = file.read()
        for number, wrong in enumerate(forged):
            if number == FORGED // 10:
                private = _private_kib(alice)
            control.ask(type="join", text=wrong)
            control.ask(type="remove", peer="alice")
        took = time.monotonic() - start
        alice.await_event("pairing", state="refused")
        assert _peers(alice) == _peers(bob) == []
        with open(alice.state_file(KEPT), "rb") as file:
            assert file.read() == before, "something of a stranger is kept"
        grown = _private_kib(alice) - private
        assert grown < GROWN, f"{grown} KiB more after the strangers"
        told = sum(event["type"] == "pairing" and event["state"] == "refused"
                   for event in alice.broker.events)
        assert 1 <= told <= 6 + took / 60, f"{told} words about strangers"
        time.sleep(2)   # one a second is read now
        _punchguard(bob, "join", text, timeout=80)
        _reaches(bob, alice)
        assert _peers(alice) == ["bob"] and _peers(bob) == ["alice"]
        return f"{FORGED} in {took:.0f} s, {grown} KiB more, {told} told"


@scenario()
def without_an_address_of_its_id_a_device_neither_invites_nor_joins(folder):
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        bob.conf["interface"]["addresses"] = ["10.66.0.2/24"]
        bob.set_peers({})
        _up(alice, bob)
        for words in _fails(bob, "invite"), _fails(bob, "join", _invite(alice)):
            assert f"make {bob.overlay}/32 the first" in words, words
        assert not os.path.exists(bob.state_file(KEPT))
        bob.conf["interface"]["addresses"].insert(0, bob.overlay)
        bob.set_peers({})
        bob.stop()
        _up(bob)
        _punchguard(bob, "join", _invite(alice))
        _reaches(bob, alice)


def _may_begin(alice, bob, ssh):
    """bob begins nothing with alice but, with `ssh`, that; she begins anything."""
    with listen(alice.host, alice.overlay, 22), listen(alice.host, alice.overlay, 80), \
            listen(bob.host, bob.overlay, 8080):
        assert connects(alice.host, bob.overlay, 8080, 20)
        assert connects(bob.host, alice.overlay, 22, 20 if ssh else REFUSED) == ssh
        assert not connects(bob.host, alice.overlay, 80)
        assert not pings(bob.host, alice.overlay) and pings(alice.host, bob.overlay)


def _inbound(device):
    return [peer["inbound"] for peer in json.loads(_punchguard(device, "peers", "--json"))]


@scenario(timeout=120)
def who_joins_begins_what_its_invitation_says_and_no_packet_more(folder):
    """Also where the inviter's broker restarts between, ends and leaves the tunnel, or takes it down."""
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        _up(alice, bob)
        assert "'tcp/0' has no port; tcp/22, udp/60000" in _fails(alice, "invite", "--inbound", "tcp/0")
        assert not os.path.exists(alice.state_file(KEPT))
        text = _invite(alice, "--inbound", "tcp/22")
        assert re.search(r"open.* tcp/22$", _punchguard(alice, "invite", "--list"), re.M)
        assert alice.stop() == 0
        _up(alice)
        with Knocker(bob.host, alice.host, alice.overlay, 80) as knocker:
            _punchguard(bob, "join", text)
            _may_begin(alice, bob, True)
            assert _inbound(alice) == ["tcp/22"] and _inbound(bob) == ["all"]
            assert re.search(r"^bob .* tcp/22 ", _punchguard(alice, "peers"), re.M)
            assert _kept(alice)["peers"][0]["inbound"] == ["tcp/22"]
            alice.conf["names"] = False  # wg-setup reads it, too
            assert alice.reload()
            _may_begin(alice, bob, True)
            for end in signal.SIGKILL, signal.SIGQUIT, signal.SIGTERM:
                alice.broker.signal(end)
                alice.broker.wait(10)
                _up(alice)
                _may_begin(alice, bob, True)
            assert knocker.arrived() == 0
            sent = knocker.sent
        return f"{sent} knocks"


@scenario(timeout=90)
def who_joins_says_what_the_inviter_may_begin(folder):
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        _up(alice, bob)
        text = _invite(alice)
        assert "nor a list such as" in _fails(bob, "join", "--inbound", "some", text)
        assert _peers(bob) == []
        _punchguard(bob, "join", "--inbound", "none", text)
        _may_begin(bob, alice, False)
        assert _inbound(alice) == ["all"] and _inbound(bob) == ["none"]
        with Knocker(alice.host, bob.host, bob.overlay, 80) as knocker:
            _punchguard(bob, "rename", "alice", "home")
            _reaches(bob, alice, 20)
            _may_begin(bob, alice, False)
            assert knocker.arrived() == 0


@scenario(timeout=90)
def an_identity_moves_to_another_machine_and_is_the_same_peer(folder):
    with Lab(folder) as lab:
        alice, bob = _devices(lab, "eim/eim", tox=False)
        carol = Device(lab, lab.host("carol", lab.home("eim")), 3)
        share_folder(lab, alice, bob, carol)
        for device in alice, bob, carol:
            _bare(device)
        _up(alice, bob)
        _punchguard(bob, "join", _invite(alice, "--inbound", "icmp"))
        _reaches(bob, alice)
        archive = os.path.join(lab.folder, "identity")
        _punchguard(alice, "export", archive)
        assert os.stat(archive).st_mode & 0o777 == 0o600
        alice.stop()
        assert "another identity is here" in _fails(carol, "import", archive)
        _punchguard(carol, "import", "--replace", archive)
        _up(carol)
        _reaches(bob, alice, 30)
        assert _peers(carol) == ["bob"] and _inbound(carol) == ["icmp"]
        assert "a broker runs here" in _fails(carol, "import", archive)


@scenario(timeout=60)
def an_identity_moves_to_a_machine_where_nothing_ever_ran(folder):
    with Lab(folder) as lab:
        alice = _bare(Device(lab, lab.host("alice", lab.home("eim")), 1))
        share_folder(lab, alice)
        host = lab.host("bob", lab.home("eim"))
        archive = os.path.join(lab.folder, "identity")
        _up(alice)
        shown = alice.show_id()["id"]
        _punchguard(alice, "export", archive)
        alice.stop()
        etc = re.search(r"\((/\S+)/punchguard/conf\.json\)", host.run([program("punchguard"), "--help"]))[1]
        if etc == "/etc":
            raise Skip("the build's configuration is the machine's own")
        host.run(["sh", "-c", f"mount -t tmpfs tmpfs /var/lib && mount -t tmpfs tmpfs {etc}"])
        path = f"PATH={':'.join(program_folders() + [os.environ['PATH']])}"
        command = ["env", path, program("punchguard")]
        host.run([*command, "import", archive])
        owner = host.run(["stat", "-c", "%U:%G %a", "/var/lib/punchguard"]).strip()
        assert owner == "punchguard:root 1770", owner
        host.run([*command, "up", "--log", "/run/up.log"])
        assert json.loads(host.run([*command, "id", "--json"]))["id"] == shown
        host.run([*command, "down"])
        # Without privileges as well: the folder is the person's own then.
        own = {"state_dir": "/run/own/state", "peers": []}
        host.run(["sh", "-c", "install -d -o 61001 /run/own && cat >/run/own/conf.json && "
                              f"install -o 61001 {archive} /run/own/archive"], stdin=json.dumps(own))
        host.run(["setpriv", "--reuid=61001", "--regid=61001", "--clear-groups", "--",
                  *command, "-c", "/run/own/conf.json", "import", "/run/own/archive"])
        kept = host.run(["stat", "-c", "%u %a", "/run/own/state", "/run/own/state/identity.key"])
        assert kept.splitlines() == ["61001 700", "61001 600"], kept
        said = host.run(["setpriv", "--reuid=61001", "--regid=61001", "--clear-groups", "--",
                         program("punchguard-broker"), "-c", "/run/own/conf.json", "--show-id"])
        assert json.loads(said)["id"] == shown, said


@scenario(timeout=60)
def an_export_that_fails_leaves_no_file_and_scripts_are_told_the_id(folder):
    with Lab(folder) as lab:
        alice = _bare(Device(lab, lab.host("alice", lab.home("eim")), 1))
        shown = alice.show_id()["id"]
        place = os.path.join(alice.host.folder, "full")
        alice.host.run(["sh", "-euc", f"mkdir {place}; mount -t tmpfs -o size=4k,mode=755 tmpfs {place};"
                                      f"head -c 4k /dev/zero >{place}/filler"])
        archive = os.path.join(place, "identity")
        assert "No space left" in _fails(alice, "export", archive)
        assert alice.host.run(["ls", place]).split() == ["filler"], "a part of the secret stays"
        alice.host.run(["rm", f"{place}/filler"])
        said = json.loads(_punchguard(alice, "export", "--json", archive))
        assert said == {"id": shown, "file": archive}, said
        assert "File exists" in _fails(alice, "export", archive)
        assert alice.host.run(["ls", place]).split() == ["identity"]
        whole = alice.host.run(["cat", archive])
        assert _punchguard(alice, "export", "--json") == whole, "the archive is not what is printed"
        said = json.loads(_punchguard(alice, "import", "--json", archive))
        assert said == {"id": shown}, said
        files = json.loads(whole)
        files["files"]["identity.key"] = base64.b64encode(b"PunchGuard identity key 1\n00\n").decode()
        alice.host.run(["sh", "-c", f"cat >{place}.torn"], stdin=json.dumps(files))
        words = _fails(alice, "import", "--replace", f"{place}.torn")
        assert "identity.key is torn or no identity key" in words, words
        assert alice.show_id()["id"] == shown
        # Another person may not write there.
        alice.host.run(["sh", "-c", f"chown -R 61001 {alice.conf['state_dir']}"])
        alice.host.run(["chmod", "755", alice.host.folder])
        done = subprocess.run(alice.host.inside(
            ["setpriv", "--reuid=61001", "--regid=61001", "--clear-groups", "--", program("punchguard"),
             "-c", alice.conf_path, "export", f"{place}/other"]), capture_output=True, text=True, timeout=20)
        assert done.returncode == 4 and "Permission denied" in done.stderr, (done.returncode, done.stderr)


@scenario(timeout=90)
def two_peers_that_are_introduced_reach_each_other_once_both_accept(folder):
    with Lab(folder) as lab:
        alice, bob = _devices(lab, "eim/eim", tox=False)
        carol = Device(lab, lab.host("carol", lab.home("eim")), 3)
        share_folder(lab, alice, bob, carol)
        for device in alice, bob, carol:
            _bare(device)
        carol.conf["introductions"] = "accept"
        carol.set_peers({})
        _up(alice, bob, carol)
        for device in bob, carol:
            _punchguard(device, "join", _invite(alice))
        assert "not one" in _fails(alice, "introduce", "bob", "bob")
        _punchguard(alice, "introduce", "bob", "carol")
        bob.await_event("pairing", carol, state="introduced")
        assert _peers(bob) == ["alice"]
        assert json.loads(_punchguard(bob, "accept", "--json"))[0]["by"] == "alice"
        _punchguard(bob, "accept", "--inbound", "none", "carol")
        _reaches(bob, carol)
        assert dict(zip(_peers(bob), _inbound(bob))) == {"alice": "all", "carol": "none"}
        assert not pings(carol.host, bob.overlay)
        assert sorted(_peers(bob)) == ["alice", "carol"] and sorted(_peers(carol)) == ["alice", "bob"]
