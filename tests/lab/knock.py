# SPDX-License-Identifier: GPL-3.0-or-later
"""Asking whether something gets in."""

import contextlib
import socket
import threading
import time

from probe import Pinger

REFUSED = 1.5  # s without an answer; a SYN is sent again after 1 s


def listen(node, address, port):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    sock = node.socket(family, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    sock.bind((address, port))
    sock.listen()
    return sock


def connects(node, address, port, patience=REFUSED):
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with node.socket(family, socket.SOCK_STREAM) as sock:
        sock.settimeout(patience)
        with contextlib.suppress(TimeoutError, socket.timeout):
            sock.connect((address, port))
            return True
    return False


def pings(node, address):
    with Pinger(node, address, 0.1) as pinger:
        return bool(pinger.run(0.5).replies)


class Knocker:
    """Sends datagrams to a port that is not let in, all the time; counts those that arrive."""

    def __init__(self, sender, node, address, port):
        self.there, self.here = node.socket(), sender.socket()
        self.there.bind((address, port))
        self.there.setblocking(False)
        self.target = (address, port)
        self.sent = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._run)

    def _run(self):
        while not self._done.is_set():
            with contextlib.suppress(OSError):  # there may be no route yet
                self.here.sendto(b"knock", self.target)
                self.sent += 1
            time.sleep(0.0001)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._done.set()
        self._thread.join()
        self.here.close()
        self.there.close()

    def arrived(self):
        count = 0
        with contextlib.suppress(BlockingIOError):
            while self.there.recv(100):
                count += 1
        return count
