#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Records the four lines of README.md on two hosts behind two NATs, as a picture (SVG) on standard output.

    PUNCHGUARD_BUILD=… tests/lab/session.py >doc/session.svg
"""

import json
import os
import pty
import re
import select
import subprocess
import sys
import time

sys.dont_write_bytecode = True

from device import Device  # noqa: E402
from lab import Lab, program, program_folders  # noqa: E402

COLUMNS, SIZE, LINE = 108, 13, 16   # characters; px
WIDTH = 7.83                       # px, of a character of that size in most monospaced fonts
MARGIN = 14
PAPER = "\x1b[30;47m"              # what follows is black on white
BLOCKS = {"█": (0, 1), "▀": (0, 0.5), "▄": (0.5, 0.5)}   # from, height: of the line
STYLE = """text { font: %dpx ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; fill: #d8dee9; white-space: pre }
.prompt { fill: #8fbc8f; font-weight: bold } .note { fill: #7f8c9b }""" % SIZE


class Person:
    """Somebody at a terminal of that host, with an empty machine but for the nodes of the lab."""

    def __init__(self, host, conf):
        self.host = host
        folder = re.search(r"\((/\S+)/punchguard/conf\.json\)", host.run([program("punchguard"), "--help"]))[1]
        host.run(["sh", "-c", f"for d in /var/lib /var/log {folder}; do mount -t tmpfs tmpfs $d; done && "
                              f"mkdir {folder}/punchguard && cat >{folder}/punchguard/conf.json"],
                 stdin=json.dumps(conf))

    def types(self, *words):
        """What the terminal shows, and the seconds that it took."""
        path = ":".join(program_folders() + [os.environ["PATH"]])
        command = self.host.inside(["unshare", "--uts", "sh", "-c", 'hostname "$0" && exec "$@"', self.host.name,
                                    "env", f"PATH={path}", *words])
        ours, theirs = pty.openpty()
        start = time.monotonic()
        with subprocess.Popen(command, stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True) as process:
            os.close(theirs)
            shown = b""
            while process.poll() is None or select.select([ours], [], [], 0)[0]:
                if not select.select([ours], [], [], 0.1)[0]:
                    continue
                try:
                    shown += os.read(ours, 65536)
                except OSError:
                    break
        os.close(ours)
        if process.returncode != 0:
            raise RuntimeError(f"{self.host.name}: {words}: exit {process.returncode}: {shown.decode()}")
        text = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown.decode().replace(PAPER, "\1")).replace("\r", "")
        return text.rstrip("\n").split("\n"), time.monotonic() - start


def record():
    """A list of (who, what was typed, the lines that it showed, the seconds)."""
    with Lab() as lab:
        lab.start_tox()
        lab.start_stun()
        people = {}
        for number, host in enumerate(lab.pair("eim/eim"), start=1):
            conf = Device(lab, host, number).conf
            people[host.name] = Person(host, {key: conf[key] for key in ("signalling", "ice", "peers")})
        session = []

        def line(name, text):
            shown, took = people[name].types(*text.split())
            session.append((name, text, shown, took))
            return shown

        line("alice", "punchguard up")
        invitation = next(text for text in line("alice", "punchguard invite --name bob") if text.startswith("PGI1-"))
        line("bob", f"punchguard join {invitation}")
        line("bob", "ping -c 3 alice.pg.internal")
        for person in people.values():
            person.types("punchguard", "down")
        return session


def escape(text):
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


class Picture:
    def __init__(self):
        self.items, self.row = [], 0

    def text(self, column, text, style=""):
        y = MARGIN + (self.row + 0.75) * LINE
        self.items.append(f'<text x="{MARGIN + column * WIDTH:.1f}" y="{y:.1f}"{style}>{escape(text)}</text>')

    def blocks(self, text):
        """A line of a QR code: fonts leave gaps between lines."""
        y = MARGIN + self.row * LINE
        self.items.append(f'<rect x="{MARGIN}" y="{y}" width="{len(text) * WIDTH:.2f}" height="{LINE + 0.05}" fill="#fff"/>')
        for column, character in enumerate(text):
            if character in BLOCKS:
                begin, height = BLOCKS[character]
                self.items.append(f'<rect x="{MARGIN + column * WIDTH:.2f}" y="{y + begin * LINE:.1f}" '
                                  f'width="{WIDTH + 0.05:.2f}" height="{height * LINE + 0.05:.2f}"/>')

    def lines(self, text):
        if text.startswith("\1"):
            self.blocks(text[1:])
            self.row += 1
            return
        for start in range(0, max(len(text), 1), COLUMNS):
            if text:
                self.text(0, text[start:start + COLUMNS])
            self.row += 1

    def step(self, who, typed, shown, took):
        prompt = f"{who}$ "
        typed = f"sudo {typed}" if typed.startswith("punchguard") else typed
        self.text(0, prompt, ' class="prompt"')
        for start in range(0, len(typed), COLUMNS - len(prompt)):
            self.text(len(prompt), typed[start:start + COLUMNS - len(prompt)])
            self.row += 1
        for line in shown:
            self.lines(line)
        self.text(0, f"# {took:.1f} s", ' class="note"')
        self.row += 2

    def __str__(self):
        width, height = 2 * MARGIN + COLUMNS * WIDTH, 2 * MARGIN + (self.row - 1) * LINE
        return "\n".join([f'<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" shape-rendering="crispEdges" viewBox="0 0 {width:.0f} {height:.0f}" '
                          f'width="{width:.0f}" height="{height:.0f}">',
                          "<!-- SPDX-License-Identifier: GPL-3.0-or-later; made by tests/lab/session.py -->",
                          f"<style>{STYLE}</style>", '<rect width="100%" height="100%" rx="8" fill="#20242c"/>',
                          *self.items, "</svg>"])


picture = Picture()
for step in record():
    picture.step(*step)
print(picture)
