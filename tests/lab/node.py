# SPDX-License-Identifier: GPL-3.0-or-later
"""Nodes of the lab: a network namespace each, hosts with a private mount namespace as well."""

import contextlib
import ctypes
import os
import socket
import subprocess

from process import Process

CLONE_NEWNET = 0x40000000
_libc = ctypes.CDLL(None, use_errno=True)

# What a host hides from the machine: /run holds WireGuard's and the control sockets, /sys shows the
# interfaces of the namespace it was mounted in; /etc/hosts gets the names of peers. The user the broker
# becomes may not exist yet.
_HOST_MOUNTS = """
mount -t sysfs sysfs /sys &&
mount -t tmpfs -o mode=755 tmpfs /run &&
{ [ -e /etc/hosts ] || : >/etc/hosts; } && cat /etc/hosts >/run/hosts && mount --bind /run/hosts /etc/hosts &&
if ! getent passwd punchguard >/dev/null; then
    { cat /etc/passwd; echo 'punchguard:x:64711:64711::/nonexistent:/usr/sbin/nologin'; } >/run/passwd
    { cat /etc/group; echo 'punchguard:x:64711:'; } >/run/group
    mount --bind /run/passwd /etc/passwd && mount --bind /run/group /etc/group
fi &&
"""


class Node:
    """A network namespace, kept alive by a process that only sleeps.

    The namespace has no name: it is gone when its last process is, even after SIGKILL of the test.
    """

    def __init__(self, lab, name, mounts=False):
        self.lab = lab
        self.name = name
        self.folder = os.path.join(lab.folder, name)
        os.makedirs(self.folder, exist_ok=True)
        script = (_HOST_MOUNTS if mounts else "") + "echo; exec sleep infinity"
        self._holder = subprocess.Popen(
            ["setpriv", "--pdeathsig", "KILL", "unshare", "--net", "--mount", "sh", "-c", script],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
        self._count = 0
        self.holder_pid = self._holder.pid

    def await_ready(self):
        """Waits until the namespaces exist; nodes start in parallel."""
        if not self._holder.stdout.readline():
            raise RuntimeError(f"the namespaces of {self.name} could not be made (needs root)")
        self.ip("link set lo up")
        # Addresses are unique by construction; detection would delay neighbour discovery by 1 s.
        for scope in ("all", "default"):
            self.sysctl(f"net/ipv6/conf/{scope}/accept_dad", 0)
        return self

    def inside(self, argv):
        """The command line that runs `argv` in this node's namespaces."""
        return ["nsenter", f"--target={self.holder_pid}", "--net", "--mount", "--"] + list(argv)

    def run(self, argv, stdin=None, check=True, timeout=30):
        """Runs a command to its end; returns its standard output."""
        done = subprocess.run(self.inside(argv), input=stdin, capture_output=True, text=True,
                              timeout=timeout)
        if check and done.returncode != 0:
            raise RuntimeError(f"{self.name}: {' '.join(argv)}: exit {done.returncode}: "
                               f"{done.stderr.strip()}")
        return done.stdout

    def start(self, argv, name=None, listener=None):
        """Starts a program that runs until the lab ends or it is stopped."""
        self._count += 1
        label = name or os.path.basename(argv[0])
        return Process(f"{self.name}/{label}", ["setpriv", "--pdeathsig", "KILL"] +
                       self.inside(argv), os.path.join(self.folder, f"{self._count}-{label}"),
                       listener)

    def ip(self, *commands):
        """Carries out commands of ip(8) in one call."""
        self.run(["ip", "-batch", "-"], stdin="\n".join(commands) + "\n")

    def nft(self, rules):
        self.run(["nft", "-f", "-"], stdin=rules)

    def sysctl(self, key, value):
        with self.entered(), open(f"/proc/sys/{key}", "w", encoding="ascii") as file:
            file.write(str(value))

    @contextlib.contextmanager
    def entered(self):
        """This thread is in the node's network namespace inside the with block."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        there = os.open(f"/proc/{self.holder_pid}/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        try:
            _setns(there)
            try:
                yield
            finally:
                _setns(home)
        finally:
            os.close(home)
            os.close(there)

    def socket(self, family=socket.AF_INET, kind=socket.SOCK_DGRAM, protocol=0):
        """A socket of this process that lives in the node's network."""
        with self.entered():
            return socket.socket(family, kind, protocol)

    def pids(self):
        """Processes in this node's network namespace, the holder left out."""
        mine = os.readlink(f"/proc/{self.holder_pid}/ns/net")
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit() or int(entry) == self.holder_pid:
                continue
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{entry}/ns/net") == mine:
                    found.append(int(entry))
        return found

    def end(self):
        self._holder.kill()
        self._holder.wait()
        self._holder.stdout.close()


def _setns(descriptor):
    if _libc.setns(descriptor, CLONE_NEWNET) != 0:
        error = ctypes.get_errno()
        raise OSError(error, f"setns: {os.strerror(error)}")
