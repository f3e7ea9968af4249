#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signalling over a TCP server of one's own, rendezvous-server.py: "command": ["rendezvous.py", "HOST", "PORT"]."""
import json, socket, sys, threading, time  # noqa: E401

peers, lock = {}, threading.Lock()

def say(type, **fields):
    with lock:
        print(json.dumps({"type": type, **fields}), flush=True)

class Peer:  # with a connection of its own, whose first line names the rendezvous
    def __init__(self, name, rendezvous):
        self.peer, self.rendezvous, self.online, self.link = name, rendezvous, False, None
        peers[name] = self
        threading.Thread(target=self.run, daemon=True).start()
    def run(self):
        while peers.get(self.peer) is self:
            try:
                self.link = socket.create_connection(sys.argv[1:3], 5)
                self.link.settimeout(None)
                self.link.sendall(self.rendezvous.encode() + b"\n")
                for line in self.link.makefile():
                    self.hear(*json.loads(line))
            except (OSError, ValueError, TypeError) as error:
                print(f"rendezvous.py: {error}", file=sys.stderr)
            self.hear("bye")
            time.sleep(0.5)
    def hear(self, what, ref=None, data=None):
        if peers.get(self.peer) is not self:
            return  # it was removed
        if self.online != (what != "bye"):
            self.online = not self.online
            say("presence", peer=self.peer, online=self.online, via="tcp")
        if what == "data":
            say("receive", peer=self.peer, data=data)
            self.tell("ack", ref)
        elif what == "ack":
            say("sent", ref=ref)
    def tell(self, *what):
        try:
            self.link.sendall(json.dumps(what).encode() + b"\n")
        except (OSError, AttributeError):
            pass  # best effort: run() connects again, and the broker sends again
    def end(self):
        peers.pop(self.peer)
        self.link and self.link.shutdown(socket.SHUT_RDWR)

answers = {  # a field that is missing is a TypeError that names it
    "configure": lambda state_dir, **_: say("ready", address=""),
    "ping": lambda ref, **_: say("pong", ref=ref),
    "shutdown": lambda **_: sys.exit(),
    "peer-add": lambda peer, rendezvous, **_: peer in peers or Peer(peer, rendezvous),
    "peer-remove": lambda peer, **_: peer in peers and peers[peer].end(),
    "send": lambda ref, peer, data, **_: peer in peers and peers[peer].tell("data", ref, data),
    "request": lambda ref, **_: say("error", ref=ref, code="no-request", message="there are no addresses"),
}
kinds = {"type": str, "ref": int, "peer": str, "data": str, "rendezvous": str}

def unique(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)

def take(line, ref={}):
    try:
        message = json.loads(line[:65535].decode(), object_pairs_hook=unique)  # too long a line is cut
        ref = {"ref": message["ref"]} if isinstance(message.get("ref"), int) else {}
        for field in message.keys() & kinds.keys():
            if not isinstance(message[field], kinds[field]):
                raise TypeError(f"{field}: {kinds[field].__name__} is right")
        answers.get(message["type"], lambda **_: None)(**message)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        say("error", code="bad-line", message=f"{line[:40]}: {error}", **ref)

say("hello", protocol=1, role="signal", name="rendezvous", version="1", capabilities=[])
for line in sys.stdin.buffer:
    if line.endswith(b"\n") and not line.isspace():
        take(line)
