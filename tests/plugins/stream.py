# SPDX-License-Identifier: GPL-3.0-or-later
"""A peer at the other end of a stream, for rendezvous.py and over-ssh.py."""
import contextlib
import json
import queue
import sys
import threading
import time

from helper import say

peers = {}


class Peer:
    """Each side sends the rendezvous and hears "known"; then the lines are [what, ref, data]."""

    def __init__(self, name, rendezvous, dial=None):
        self.name, self.rendezvous, self.dial = name, rendezvous, dial
        self.out, self.hang_up = None, lambda: None
        peers[name] = self
        if dial:
            threading.Thread(target=self.keep_dialling, daemon=True).start()

    def keep_dialling(self):
        while peers.get(self.name) is self:
            try:
                lines, out, self.hang_up = self.dial()
                write(out, self.rendezvous)
                if lines.readline() == b"known\n":
                    self.talk(lines, out)
                self.end()
            except OSError as error:
                print(error, file=sys.stderr)
            time.sleep(1)

    def end(self):
        with contextlib.suppress(OSError):
            self.hang_up()

    def talk(self, lines, out):
        """Until the stream ends."""
        self.out = waiting = queue.Queue(64)
        threading.Thread(target=write_all, args=(out, waiting), daemon=True).start()
        say("presence", peer=self.name, online=True)
        with contextlib.suppress(OSError, ValueError):
            for what, ref, data in map(json.loads, lines):
                if what == "data" and peers.get(self.name) is self:
                    say("receive", peer=self.name, data=data)
                    self.tell("ack", ref)
                elif what == "ack":
                    say("sent", ref=ref)
        if peers.get(self.name) is self:
            say("presence", peer=self.name, online=False)
        with contextlib.suppress(queue.Full):
            waiting.put_nowait(None)

    def tell(self, what, ref, data=None):
        """Best effort, and never waits: the broker sends again."""
        with contextlib.suppress(queue.Full, AttributeError):
            self.out.put_nowait(json.dumps([what, ref, data]))


def write_all(out, waiting):
    with contextlib.suppress(OSError, ValueError):
        while line := waiting.get():
            write(out, line)


def write(out, line):
    out.write(line.encode() + b"\n")
    out.flush()
