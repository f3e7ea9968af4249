# SPDX-License-Identifier: GPL-3.0-or-later
"""A program running in a node of the lab: its NDJSON events, its log, its end."""

import json
import signal
import subprocess
import threading
import time


class ProgramEnded(Exception):
    """The program ended while an event of it was awaited."""


class Process:
    """One started program.

    Standard output is read line by line by a thread of its own; each line that is a JSON object
    becomes an event (a dict, with the time of its arrival as `received`, CLOCK_MONOTONIC seconds),
    given to `listener` too, in that thread. Output and log are kept in `log_path`.out and .err.
    """

    def __init__(self, name, argv, log_path, listener=None):
        self.name = name
        self.events = []
        self.lines = []
        self._changed = threading.Condition()
        self._ended = False
        self._listener = listener
        self.out_path = f"{log_path}.out"
        self.err_path = f"{log_path}.err"
        with open(self.err_path, "ab") as log:
            self._popen = subprocess.Popen(
                argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
                start_new_session=True)
        self.pid = self._popen.pid
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        with open(self.out_path, "ab") as copy:
            for raw in self._popen.stdout:
                received = time.monotonic()
                copy.write(raw)
                copy.flush()
                line = raw.decode("utf-8", "replace").rstrip("\n")
                event = _as_object(line)
                with self._changed:
                    self.lines.append(line)
                    if event is not None:
                        event["received"] = received
                        self.events.append(event)
                    self._changed.notify_all()
                if event is not None and self._listener:
                    self._listener(event)
        with self._changed:
            self._ended = True
            self._changed.notify_all()

    def send(self, message):
        """Writes one message (a dict) to the program's standard input."""
        self._popen.stdin.write(json.dumps(message).encode() + b"\n")
        self._popen.stdin.flush()

    def write(self, text):
        """Writes to the standard input of a program that does not take messages."""
        self._popen.stdin.write(text.encode())
        self._popen.stdin.flush()

    def close_input(self):
        self._popen.stdin.close()

    def await_event(self, predicate, timeout, what="an event", start=0):
        """Returns the first event from index `start` on that satisfies `predicate`.

        Raises TimeoutError after `timeout` seconds, ProgramEnded if the program ends first.
        """
        return self._await(self.events, predicate, timeout, what, start)

    def await_line(self, predicate, timeout, what="a line"):
        """The same for lines of output, whatever they hold."""
        return self._await(self.lines, predicate, timeout, what, 0)

    def _await(self, sequence, predicate, timeout, what, start):
        deadline = time.monotonic() + timeout
        seen = start
        with self._changed:
            while True:
                for item in sequence[seen:]:
                    if predicate(item):
                        return item
                seen = max(seen, len(sequence))
                if self._ended:
                    raise ProgramEnded(f"{self.name} ended while {what} was awaited: "
                                       f"{self.log_tail()}")
                left = deadline - time.monotonic()
                if left <= 0:
                    raise TimeoutError(f"{self.name}: no {what} within {timeout} s; last output "
                                       f"{self.lines[-3:]}; log: {self.log_tail()}")
                self._changed.wait(left)

    def log_tail(self, lines=6):
        with open(self.err_path, encoding="utf-8", errors="replace") as log:
            return "".join(log.readlines()[-lines:]).strip()

    def signal(self, number):
        if self._popen.poll() is None:
            self._popen.send_signal(number)

    def wait(self, timeout):
        """Returns the exit status; negative is the signal that ended the program."""
        status = self._popen.wait(timeout)
        self._reader.join(timeout)
        return status

    def running(self):
        return self._popen.poll() is None

    def stop(self, timeout=5):
        """SIGTERM, then SIGKILL where that does not end it. Returns the exit status."""
        self.signal(signal.SIGTERM)
        try:
            return self.wait(timeout)
        except subprocess.TimeoutExpired:
            self.kill()
            return self._popen.wait()

    def kill(self):
        self.signal(signal.SIGKILL)


def _as_object(line):
    try:
        value = json.loads(line)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None
