#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Signalling with a device that this one may log in to.

Here: "command": ["over-ssh.py", "ssh", "far", "over-ssh.py", "--join", "SOCKET"]
There: "command": ["over-ssh.py", "--wait", "SOCKET"]
"""
import contextlib
import os
import socket
import subprocess
import sys
import threading

from helper import run
from stream import Peer, peers, write


def dial():
    ssh = subprocess.Popen(sys.argv[1:],
                           stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    return ssh.stdout, ssh.stdin, lambda: (ssh.kill(), ssh.wait())


def wait(path):
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)
    server = socket.socket(socket.AF_UNIX)
    server.bind(path)
    server.listen()
    while True:
        threading.Thread(target=answer, args=server.accept()[:1], daemon=True).start()


def answer(link):
    with link, link.makefile("rb") as lines, link.makefile("wb") as out:
        rendezvous = lines.readline().decode().strip()
        for peer in [peer for peer in peers.copy().values() if peer.rendezvous == rendezvous]:
            write(out, "known")
            peer.hang_up = lambda: link.shutdown(socket.SHUT_RDWR)
            peer.talk(lines, out)


def join(path):
    """What the other device starts here: it speaks through this to the plugin that waits."""
    link = socket.socket(socket.AF_UNIX)
    link.connect(path)
    threading.Thread(target=copy, args=(0, link.fileno()), daemon=True).start()
    copy(link.fileno(), 1)


def copy(one, other):
    while data := os.read(one, 65536):
        os.write(other, data)
    os._exit(0)


dialling = None if sys.argv[1] == "--wait" else dial
if sys.argv[1] == "--join":
    join(sys.argv[2])
if sys.argv[1] == "--wait":
    threading.Thread(target=wait, args=sys.argv[2:], daemon=True).start()
run("over-ssh", peers, lambda peer, rendezvous: Peer(peer, rendezvous, dialling))
