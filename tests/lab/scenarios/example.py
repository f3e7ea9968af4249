# SPDX-License-Identifier: GPL-3.0-or-later
"""The scripts of tests/examples, as a person would run them, between two hosts of the lab.

A script finds in its environment: ALICE and BOB, the beginning of a command line that runs on that
host ("$ALICE punchguard-ice-agent …", unquoted); STUN, a STUN server; TOX_BOOTSTRAP, the public Tox
nodes as the JSON list for the plugin's option `bootstrap`; WORK, an empty folder; the built programs
in PATH. Exit 0: passed, 77: skipped. A line "# lab: KIND" names the pair of NATs (Lab.pair;
eim/eim without it).
"""

import json
import os
import re
import subprocess

from lab import Lab, program_folders
from scenario import Skip, scenario

FOLDER = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                       "../../examples"))


def _run(script, folder):
    with open(script, encoding="utf-8") as file:
        text = file.read()
    kind = re.search(r"^# lab: (\S+)$", text, re.MULTILINE)
    with Lab(folder) as lab:
        lab.start_stun()
        if "TOX_BOOTSTRAP" in text:
            lab.start_tox()
        alice, bob = lab.pair(kind.group(1) if kind else "eim/eim")
        family = min(alice.addresses)
        work = os.path.join(folder, "work")
        os.makedirs(work)
        environment = dict(
            os.environ, ALICE=" ".join(alice.inside([])), BOB=" ".join(bob.inside([])), WORK=work,
            STUN=next(server for server in lab.stun if server.startswith("[") == (family == 6)),
            TOX_BOOTSTRAP=json.dumps(lab.bootstrap[family]),
            PATH=":".join(program_folders() + [os.environ["PATH"]]))
        done = subprocess.run([script], env=environment, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, text=True)
    print(done.stdout)
    last = (done.stdout.strip().splitlines() or [""])[-1]
    if done.returncode == 77:
        raise Skip(last)
    assert done.returncode == 0, f"exit status {done.returncode}; last line of output: {last}"
    return last


def _register():
    for entry in sorted(os.listdir(FOLDER)) if os.path.isdir(FOLDER) else []:
        if entry.endswith(".sh"):
            path = os.path.join(FOLDER, entry)
            scenario(timeout=90, name=entry[:-3])(lambda folder, path=path: _run(path, folder))


_register()
