# SPDX-License-Identifier: GPL-3.0-or-later
"""NAME.pg.internal in /etc/hosts: there while the tunnel is, and nobody else's line is touched."""

import os
import shutil
import signal
import time

from device import INTERFACE, Device, join, share_folder
from lab import Lab
from scenario import Skip, scenario
from scenarios.faults import Traffic, _await
from scenarios.pairing import _by_folder, _invite, _punchguard, _reaches, _up

HOSTS = "/etc/hosts"
STATUS = 15     # s; within which the broker asks wg-setup, which looks at the file then
BEGIN, END = f"# punchguard {INTERFACE} begin", f"# punchguard {INTERFACE} end\n"


def _pair(lab):
    lab.start_stun()
    pair = [Device(lab, host, number) for number, host in enumerate(lab.pair("eim/eim"), start=1)]
    share_folder(lab, *pair)
    join(*pair)
    return pair


def _read(device):
    return device.host.run(["cat", HOSTS])


def _write(device, text):
    device.host.run(["tee", HOSTS], stdin=text)


def _block(device):
    """The names between the marks, as {name: [addresses]}; None where there is no block."""
    text = _read(device)
    if BEGIN not in text:
        return None
    names = {}
    for line in text.partition(BEGIN)[2].partition(END)[0].splitlines()[1:]:
        address, name = line.split("\t")
        names.setdefault(name, []).append(address)
    return names


def _await_block(device, wanted, timeout=10):
    _await(lambda: _block(device) == wanted, timeout, f"the names {wanted}")


def _expected(device, *peers):
    return {f"{one.name}.pg.internal": [one.overlay] for one in (device, *peers)}


@scenario(timeout=90)
def a_peer_is_reached_by_its_name(folder):
    if not shutil.which("ping"):
        raise Skip("there is no ping(8)")
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        before = "127.0.0.1\tlocalhost\n\n# mine \n10.9.8.7 printer  # no newline"
        _write(alice, before)
        others = _read(bob)
        alice.start()
        bob.start()
        alice.await_direct(bob)
        _await_block(alice, _expected(alice, bob))
        _await_block(bob, _expected(bob, alice))
        with alice.pinger(bob) as pinger:
            pinger.first_reply(10)
        said = alice.host.run(["ping", "-c", "3", "-i", "0.2", "-W", "2", "bob.pg.internal"])
        assert " 0% packet loss" in said and f"({bob.overlay})" in said, said
        found = alice.host.run(["getent", "hosts", bob.overlay])
        assert found.split() == [bob.overlay, "bob.pg.internal"], found
        # An upgrade: the names go on.
        alice.broker.signal(signal.SIGQUIT)
        alice.broker.wait(5)
        assert _block(alice) == _expected(alice, bob)
        alice.start()
        alice.await_direct(bob)
        assert _block(alice) == _expected(alice, bob) and before in _read(alice), _read(alice)
        assert alice.stop() == 0 and bob.stop() == 0
        assert _read(alice) == before, _read(alice)
        assert _read(bob) == others, _read(bob)
        return said.strip().splitlines()[-1]


@scenario(timeout=90)
def a_peer_that_joined_by_invitation_has_a_name(folder):
    if not shutil.which("ping"):
        raise Skip("there is no ping(8)")
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        _up(alice, bob)
        _punchguard(bob, "join", _invite(alice, "--name", "Desk"))
        _reaches(bob, alice)
        for host, name in ((bob.host, "alice"), (alice.host, "desk")):
            _await(lambda host=host, name=name: f"\t{name}.pg.internal\n" in host.run(["cat", HOSTS]), 10,
                   f"the name {name}")
            said = host.run(["ping", "-c", "3", "-i", "0.2", "-W", "2", f"{name}.pg.internal"])
            assert " 0% packet loss" in said, said
        _punchguard(alice, "remove", "Desk")
        _await(lambda: "desk" not in _read(alice), 10, "the end of the name")
        return said.strip().splitlines()[-1]


@scenario(timeout=90)
def names_follow_the_configuration_and_outlive_who_rewrites_the_file(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        alice.start()
        bob.start()
        alice.await_direct(bob)
        _await_block(alice, _expected(alice, bob))
        with Traffic(alice, bob) as traffic:
            traffic.back_after(time.monotonic(), 15)
            begun = time.monotonic()
            _write(alice, "127.0.0.1 localhost\n")
            _await_block(alice, _expected(alice, bob), STATUS)
            alice.conf["names"] = False
            assert alice.reload() == ["names in /etc/hosts: removed"]
            _await_block(alice, None)
            assert _read(alice) == "127.0.0.1 localhost\n", _read(alice)
            alice.conf["names"], alice.conf["name"] = True, "Laptop-7"
            alice.reload()
            _await_block(alice, {"laptop-7.pg.internal": [alice.overlay],
                                 "bob.pg.internal": [bob.overlay]})
            traffic.none_lost_since(begun, "names that come and go")
            alice.conf["peers"][0]["name"] = "bob_s"
            alice.reload()
            _await_block(alice, {"laptop-7.pg.internal": [alice.overlay]})
            assert "'bob_s' has no name in pg.internal: a DNS label has letters" in \
                alice.broker.log_tail(10000)
        alice.stop()
        assert _block(alice) is None


@scenario(timeout=90)
def a_file_that_cannot_be_written_costs_the_names_alone(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        before = _read(alice)
        alice.host.run(["mount", "-o", "remount,ro,bind", HOSTS])
        alice.start()
        bob.start()
        alice.await_direct(bob)
        with alice.pinger(bob) as pinger:
            pinger.first_reply(10)
        _await(lambda: "cannot write /etc/hosts: Read-only file system" in
               alice.broker.log_tail(10000), 10, "word of it")
        assert alice.stop() == 0
        assert _read(alice) == before
        said = alice.broker.log_tail(10000).count("cannot write /etc/hosts")
        assert said == 1, said


@scenario(timeout=60)
def two_interfaces_have_names_of_their_own(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        host = lab.pair("eim/eim")[0]
        devices = []
        for number in (1, 2):
            device = Device(lab, host, number)
            device.conf_path = os.path.join(host.folder, f"conf-{number}.json")
            device.conf["name"] = f"device-{number}"
            device.conf["interface"]["name"] = f"pg{number}"
            device.conf["state_dir"] += str(number)
            devices.append(device)
        share_folder(lab, *devices)
        before = _read(devices[0])
        for device in devices:
            device.start()
            device.await_ready()
        for device in devices:
            _await(lambda device=device: f"{device.overlay}\tdevice-{device.overlay[-1]}.pg.internal\n"
                   in _read(device), 10, "the name of each")
        devices[0].stop()
        text = _read(devices[0])
        assert "pg1" not in text and "# punchguard pg2 begin" in text, text
        devices[1].stop()
        assert _read(devices[0]) == before
