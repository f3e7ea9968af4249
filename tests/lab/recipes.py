# SPDX-License-Identifier: GPL-3.0-or-later
"""The recipes of punchguard-helpers(7), taken out of its source, and hosts of the lab to run them on.

A recipe is a display (.Bd) behind a line '.\\" recipe: NAME'. It runs as it is written, so a host is
what the page takes for granted: the programs are installed, "far" can be reached by ssh, and the public
servers that are compiled in answer. Of these, ssh and the nodes of Tox are stand-ins: a script that
enters the other host, and one that puts the lab's nodes into `configure`.
"""

import contextlib
import json
import os
import re
import signal
import textwrap

from lab import program_folders

TREE = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)), "../.."))
INDENTATION = " " * 11  # of a display, as mandoc shows it
PAGE = os.path.join(TREE, "protocol/punchguard-helpers.7")

_SSH = """#!/bin/sh
host=${{1#*@}}
shift
exec setsid --wait nsenter --target="$(cat {hosts}/$host)" --net --mount -- {hosts}/enter-$host sh -c "$*"
"""

_SIGNAL_TOX = """#!/bin/bash
[ $# -eq 0 ] || exec {program} "$@"
exec {program} < <(jq -c --unbuffered --argjson nodes '{nodes}' \\
    'if .type == "configure" then .options.bootstrap = $nodes else . end')
"""

# What a recipe writes there is this host's alone; what the machine has in /usr/local/bin stays.
_PRIVATE_FOLDERS = """
mkdir -p "$1" "$2"
mount --bind /usr/local/bin "$1"
mount --bind "$2" /usr/local/bin
ln -sft "$2" "$1/"* "$3/"punchguard-*
mount -t tmpfs -o mode=755 tmpfs /var/lib
"""

_ENTER = """#!/bin/sh
export HOME={home} PATH={path}
cd {home} && exec env --default-signal=INT,PIPE "$@"
"""


def read(page):
    """{name: text} of all recipes of a page; ValueError where a display is none."""
    found, name, lines = {}, None, None
    for number, line in enumerate(page.splitlines(), start=1):
        marker = re.fullmatch(r'\.\\" recipe: ([a-z-]+)', line)
        if marker:
            name = marker[1]
        elif line.startswith(".Bd "):
            if name is None or name in found:
                raise ValueError(f"line {number}: a display without a name of its own before it")
            lines = []
        elif line == ".Ed":
            found[name] = "".join(f"{_unescape(text)}\n" for text in lines)
            name = lines = None
        elif lines is not None:
            lines.append(line)
    return found


def _unescape(line):
    """What mandoc makes of a line of a literal display."""
    if line.startswith((".", "'")) or re.search(r"\\[^e]", line):
        raise ValueError(f"more of mdoc than \\e: {line}")
    return line.replace("\\e", "\\")


def _as_pasted(text):
    return textwrap.indent(text, INDENTATION)


def recipe(name):
    with open(PAGE, encoding="utf-8") as file:
        return read(file.read())[name]


def _write(path, text, mode=0o755):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, mode)


def _server_names():
    with open(os.path.join(TREE, "ice-agent/stun-servers.txt"), encoding="ascii") as file:
        return [line.split(":")[0] for line in file if not line.startswith("#")]


class Machine:
    """A host on which recipes run."""

    def __init__(self, lab, host, name):
        self.lab = lab
        self.host = host
        self.name = name
        self.home = os.path.join(host.folder, "home")
        self.bin = os.path.join(host.folder, "bin")
        self._files = 0
        for folder in (self.home, self._hosts()):
            os.makedirs(folder, exist_ok=True)
        self._prepare()

    def _hosts(self):
        return os.path.join(self.lab.folder, "machines")

    def _prepare(self):
        _write(os.path.join(self._hosts(), self.name), str(self.host.holder_pid))
        _write(os.path.join(self._hosts(), f"enter-{self.name}"),
               _ENTER.format(home=self.home, path=f"/usr/local/bin:{os.environ['PATH']}"))
        self.host.run(["sh", "-ec", _PRIVATE_FOLDERS, "-", os.path.join(self.host.folder, "usr-local-bin"), self.bin,
                       program_folders()[0]])
        self._install("ssh", _SSH.format(hosts=self._hosts()))

    def _install(self, name, text):
        with contextlib.suppress(FileNotFoundError):
            os.unlink(os.path.join(self.bin, name))
        _write(os.path.join(self.bin, name), text)

    def knows(self, others):
        """/etc/hosts: the other machines, and the lab's STUN servers under the names of public ones."""
        stun = [server.split(":")[0] for server in self.lab.stun if not server.startswith("[")]
        lines = [f"{stun[number % len(stun)]} {name}" for number, name in enumerate(_server_names())]
        lines += [f"{other.host.addresses[4]} {other.name}" for other in others]
        file = os.path.join(self.host.folder, "hosts")
        _write(file, "\n".join(["127.0.0.1 localhost", *lines, ""]), 0o644)
        self.host.run(["mount", "--bind", file, "/etc/hosts"])

    def use_tox_of_the_lab(self):
        real = os.path.join(program_folders()[0], "punchguard-signal-tox")
        self._install("punchguard-signal-tox",
                      _SIGNAL_TOX.format(program=real, nodes=json.dumps(self.lab.bootstrap[4])))

    def save(self, path, text):
        """As a person would, who pastes it into a file; a relative path begins in the home folder."""
        self.host.run(self._entered(["dd", "status=none", f"of={path}"]), stdin=_as_pasted(text))

    def _entered(self, argv):
        return [os.path.join(self._hosts(), f"enter-{self.name}"), *argv]

    def _as_file(self, text):
        self._files += 1
        path = os.path.join(self.host.folder, f"recipe{self._files}")
        _write(path, _as_pasted(text))
        return path

    def run(self, text, check=True):
        """A recipe, or a command line, to its end; returns what it printed, as lines."""
        return self.host.run(self._entered(["bash", self._as_file(text)]), check=check, timeout=30).splitlines()

    def start(self, text):
        """One that runs until it is interrupted."""
        return self.host.start(self._entered(["bash", self._as_file(text)]), f"recipe{self._files}")

    def pids(self):
        return self.host.pids()


def interrupt(process):
    """What Ctrl-C does: SIGINT to all that the recipe has started."""
    os.killpg(process.pid, signal.SIGINT)


def machines(lab, kind):
    """near and far, behind NATs as in Lab.pair."""
    if not lab.stun:
        lab.start_stun()
    near, far = (Machine(lab, host, name) for host, name in zip(lab.pair(kind), ("near", "far")))
    near.knows([far])
    far.knows([near])
    return near, far
