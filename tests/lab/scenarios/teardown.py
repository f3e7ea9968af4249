# SPDX-License-Identifier: GPL-3.0-or-later
"""The lab itself: however its process ends, nothing of it stays."""

import os
import signal
import subprocess
import sys
import time

from scenario import scenario

_PROGRAM = """
import signal, sys, time
# Who runs us in the background of a shell has it ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, sys.argv[1])
from lab import Lab
with Lab() as lab:
    host = lab.host("alice", lab.home("eim"))
    host.run(["sh", "-c", "setsid sleep 1000 >/dev/null 2>&1 &"])
    print(lab.folder, flush=True)
    if sys.argv[2] == "exception":
        raise ValueError
    time.sleep(60 if sys.argv[2] == "signal" else 0)
"""


def _ends_clean(how, number=None):
    here = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    before = set(_processes())
    child = subprocess.Popen([sys.executable, "-c", _PROGRAM, here, how],
                             stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    folder = child.stdout.readline().strip()
    if number:
        child.send_signal(number)
    child.wait(10)
    deadline = time.monotonic() + 2
    while set(_processes()) - before and time.monotonic() < deadline:
        time.sleep(0.02)
    left = set(_processes()) - before
    assert number == signal.SIGKILL or not left, f"processes left: {left}"
    assert not [pid for pid in left if _is_holder(pid)], "a namespace outlived SIGKILL"
    assert number == signal.SIGKILL or not os.path.exists(folder), f"{folder} is left"


def _processes():
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]


def _is_holder(pid):
    with open(f"/proc/{pid}/cmdline", "rb") as file:
        return file.read() == b"sleep\0infinity\0"


@scenario()
def nothing_stays_after_exit_exception_and_signals(_):
    _ends_clean("exit")
    _ends_clean("exception")
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL):
        _ends_clean("signal", number)
