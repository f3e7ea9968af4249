# SPDX-License-Identifier: GPL-3.0-or-later
"""The lines to and from the broker, for rendezvous.py and over-ssh.py."""
import json
import sys
import threading

KINDS = {"type": str, "ref": int, "peer": str, "data": str, "rendezvous": str}
LINE_MAX = 65536
lock = threading.Lock()


def say(type, **fields):
    with lock:
        print(json.dumps({"type": type, **fields}), flush=True)


def unique(pairs):
    if len(dict(pairs)) < len(pairs):
        raise ValueError("a key is there twice")
    return dict(pairs)


def take(line, answers):
    """A field that is missing is a TypeError of the function that answers, and named by it."""
    ref = {}
    try:
        message = json.loads(line[:LINE_MAX - 1].decode(), object_pairs_hook=unique)
        ref = {"ref": message["ref"]} if isinstance(message.get("ref"), int) else {}
        for field in message.keys() & KINDS.keys():
            if not isinstance(message[field], KINDS[field]):
                raise TypeError(f"{field}: {KINDS[field].__name__} is right")
        answers.get(message["type"], lambda **_: None)(**message)
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        say("error", code="bad-line", message=f"{line[:40]}: {error}", **ref)


def run(name, peers, add):
    """Until shutdown or the end of input. `peers` are those that add() has added, by name."""
    say("hello", protocol=1, role="signal", name=name, version="1", capabilities=[])
    answers = {
        "configure": lambda state_dir, **_: say("ready", address=""),
        "ping": lambda ref, **_: say("pong", ref=ref),
        "shutdown": lambda **_: sys.exit(),
        "peer-add": lambda peer, rendezvous, **_:
            peer in peers or add(peer, rendezvous),
        "peer-remove": lambda peer, **_:
            peer in peers and peers.pop(peer).end(),
        "send": lambda ref, peer, data, **_:
            peer in peers and peers[peer].tell("data", ref, data),
        "request": lambda ref, **_:
            say("error", ref=ref, code="no-request", message="there are no addresses"),
    }
    try:
        for line in sys.stdin.buffer:
            if line.endswith(b"\n") and not line.isspace():
                take(line, answers)
    finally:
        for peer in list(peers.values()):
            peer.end()
