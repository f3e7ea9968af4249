# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service manager hears of the broker: sd_notify(3)'s words on a socket of ours."""

import contextlib
import os
import signal
import socket
import time

from device import READY_TIMEOUT, Device
from lab import Lab, program
from scenario import scenario

WATCHDOG = 0.4      # s; a sign of life is due every half of it


def _heard(manager, seconds):
    """What comes within so many seconds."""
    words, deadline = [], time.monotonic() + seconds
    while (left := deadline - time.monotonic()) > 0:
        manager.settimeout(left)
        with contextlib.suppress(TimeoutError):
            words.append(manager.recv(4096).decode())
    return words


def _await_word(manager, word, timeout):
    deadline = time.monotonic() + timeout
    while True:
        manager.settimeout(max(deadline - time.monotonic(), 0.001))
        heard = manager.recv(4096).decode()
        if heard == word:
            return
        assert heard not in ("READY=1", "STOPPING=1"), f"{heard} came before {word}"


@scenario()
def the_manager_hears_of_start_life_and_end(folder):
    with Lab(folder) as lab:
        alice = Device(lab, lab.host("alice", lab.home("eim")), 1)
        path = os.path.join(folder, "notify")
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as manager:
            manager.bind(path)
            os.chmod(path, 0o777)
            started = time.monotonic()
            alice.broker = alice.host.start(
                ["env", f"NOTIFY_SOCKET={path}", f"WATCHDOG_USEC={int(WATCHDOG * 1e6)}",
                 program("punchguard-broker"), "-c", alice.conf_path], "broker")
            _await_word(manager, "READY=1", READY_TIMEOUT)
            ready = time.monotonic() - started
            alice.await_ready()
            alive = _heard(manager, 4 * WATCHDOG).count("WATCHDOG=1")
            assert 6 <= alive <= 9, f"{alive} signs of life in {4 * WATCHDOG} s"
            alice.broker.signal(signal.SIGSTOP)
            _heard(manager, 0.1)
            assert not _heard(manager, 2 * WATCHDOG), "a broker that stands still gave a sign of life"
            alice.broker.signal(signal.SIGCONT)
            _await_word(manager, "WATCHDOG=1", WATCHDOG)
            alice.broker.signal(signal.SIGTERM)
            _await_word(manager, "STOPPING=1", WATCHDOG)
            assert alice.broker.wait(5) == 0
        return f"ready after {ready:.2f} s"
