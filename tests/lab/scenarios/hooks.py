# SPDX-License-Identifier: GPL-3.0-or-later
"""Commands that the broker runs on its events: as whom, with what, and that they cost nothing."""

import json
import os
import time

from device import Device, join, share_folder
from lab import Lab
from scenario import scenario
from scenarios.faults import Traffic, _await
from scenarios.pairing import _by_folder, _invite, _punchguard, _up

# Beside the event it notes as whom it runs, whether it may gain privilege, and its arguments.
_NOTE = """#!/bin/sh
read -r event
{ id -u; grep -h NoNewPrivs /proc/$$/status; grep -h CapEff /proc/$$/status; echo "$*"; } >"${0%/*}/who"
printf '%s\\n' "$event" >>"${0%/*}/events"
"""


def _script(folder, name, text):
    path = os.path.join(folder, name)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755)
    return path


def _pair(lab):
    lab.start_stun()
    pair = [Device(lab, host, number) for number, host in enumerate(lab.pair("eim/eim"), start=1)]
    share_folder(lab, *pair)
    join(*pair)
    return pair


def _notes_folder(lab):
    notes = os.path.join(lab.folder, "notes")
    os.makedirs(notes)
    os.chmod(notes, 0o777)
    return notes


def _events(notes):
    path = os.path.join(notes, "events")
    if not os.path.exists(path):
        return []
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _types(notes):
    return [event["type"] for event in _events(notes)]


@scenario(timeout=90)
def a_hook_is_told_of_a_peer_that_comes_and_goes(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        notes = _notes_folder(lab)
        hook = _script(notes, "note", _NOTE)
        alice.conf["hooks"] = [{"events": ["ready", "peer-up", "peer-down"],
                                "command": [hook, "$(id)", "a b;c"]}]
        alice.set_peers({bob: bob.show_id()})
        alice.start()
        bob.start()
        _await(lambda: _types(notes) == ["ready", "peer-up"], 30, "ready and peer-up")
        told = _events(notes)[1]
        assert alice.await_event("peer-up", bob)["mono_ms"] == told["mono_ms"], told
        assert told["allowed_ips"] == [f"{bob.overlay}/32"] and told["kind"] == "direct", told
        with open(os.path.join(notes, "who"), encoding="utf-8") as file:
            user, privileges, capabilities, arguments = file.read().splitlines()
        assert user == alice.host.run(["id", "-u", "punchguard"]).strip(), user
        assert privileges.split()[1] == "1" and int(capabilities.split()[1], 16) == 0
        assert arguments == "$(id) a b;c", arguments
        bob.stop()
        _await(lambda: _types(notes)[2:] == ["peer-down"], 30, "peer-down")
        bob.start()
        _await(lambda: _types(notes)[3:] == ["peer-up"], 30, "peer-up again")
        assert alice.stop() == 0
        assert _types(notes)[4:] == ["peer-down"], _types(notes)
        return f"{len(_events(notes))} events, run as user {user}"


def _log(device):
    return device.broker.log_tail(100000)


@scenario(timeout=90)
def a_hook_that_hangs_or_floods_costs_nothing(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        notes = _notes_folder(lab)
        hang = _script(notes, "hang", "#!/bin/sh\nexec sleep 300\n")
        flood = _script(notes, "flood", "#!/bin/sh\nexec yes this is a line that nobody wants\n")
        alice.conf["hooks"] = [
            {"events": ["peer-up", "path", "presence"], "command": [hang], "timeout": 1},
            {"events": ["peer-up"], "command": [flood], "timeout": 3},
            {"events": ["peer-up"], "command": [os.path.join(notes, "hang")], "timeout": 300}]
        alice.set_peers({bob: bob.show_id()})
        alice.start()
        bob.start()
        alice.await_direct(bob)
        with Traffic(alice, bob) as traffic:
            traffic.back_after(time.monotonic(), 15)
            begun = time.monotonic()
            _await(lambda: "did not end in time: killed" in _log(alice), 30, "the kill of the first")
            # A reload takes the hooks away while two of them run.
            del alice.conf["hooks"]
            assert alice.reload() == ["other hooks, from the next event on"]
            traffic.none_lost_since(begun, "hooks")
        lines = sum("hook" in line for line in _log(alice).splitlines())
        assert lines < 300, lines
        begun = time.monotonic()
        assert alice.stop() == 0
        ended = time.monotonic() - begun
        assert ended < 4, ended
        return f"0 lost, {lines} lines of log, ended in {ended:.1f} s"


@scenario(timeout=90)
def hooks_go_on_when_a_peer_joins_by_invitation(folder):
    with Lab(folder) as lab:
        alice, bob = _by_folder(lab)
        notes = _notes_folder(lab)
        alice.conf["hooks"] = [{"events": ["peer-up", "peer-down"],
                                "command": [_script(notes, "note", _NOTE)]}]
        alice.set_peers({})
        _up(alice, bob)
        _punchguard(bob, "join", _invite(alice, "--name", "desk"))
        _await(lambda: _types(notes) == ["peer-up"], 30, "peer-up")
        _punchguard(alice, "remove", "desk")
        _await(lambda: _types(notes) == ["peer-up", "peer-down"], 30, "peer-down")
        assert all(event["peer"] == "desk" for event in _events(notes)), _events(notes)
