# SPDX-License-Identifier: GPL-3.0-or-later
"""PunchGuard is replaced by another build over its own tunnel."""

import os
import shutil
import signal
import time

from device import connect, join_pair
from lab import Lab, program
from scenario import scenario

PROGRAMS = ("punchguard-broker", "punchguard-signal-tox", "punchguard-ice-agent", "punchguard-wg-setup")
LINES, EVERY = 100, 0.1
PAUSE_MAX = 1.0  # s between two lines; TCP sends again after 0.2 s what was lost
DOWN = 2         # s; how long there is no broker
COUNT = f"for n in $(seq {LINES}); do echo '{{\"n\":'$n'}}'; sleep {EVERY}; done"


_SERVER = """
mount -t tmpfs -o mode=0700 tmpfs /root && mkdir -m 0700 /root/.ssh &&
dropbearkey -y -f "$1/user" | grep ^ssh- >/root/.ssh/authorized_keys &&
exec dropbear -F -E -m -r "$1/host" -P /root/pid
"""


def _ssh_server(device):
    """On the device, with a root's home of its own; the command line of a client that it lets in."""
    folder = os.path.join(device.host.folder, "ssh")
    os.makedirs(folder, mode=0o700)
    for name in ("host", "user"):
        device.host.run(["dropbearkey", "-t", "ed25519", "-f", f"{folder}/{name}"])
    server = device.host.start(["unshare", "--mount", "sh", "-c", _SERVER, "sh", folder], "sshd")
    deadline = time.monotonic() + 10
    while "Not backgrounding" not in server.log_tail():
        assert time.monotonic() < deadline and server.running(), server.log_tail()
        time.sleep(0.02)
    return ["dbclient", "-y", "-y", "-i", f"{folder}/user", f"root@{device.overlay}"]


def _other_build(folder):
    """Programs that are other files, as after an upgrade. Where the broker is of them."""
    build = os.path.join(folder, "build")
    os.makedirs(build)
    for name in PROGRAMS:
        shutil.copy(program(name), build)
    return os.path.join(build, PROGRAMS[0])


@scenario(timeout=120)
def ssh_session_through_the_tunnel_notices_nothing(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        connect(alice, bob)
        for device, peer in ((alice, bob), (bob, alice)):
            device.await_direct(peer)
            device.await_event("handshake", peer)
        session = alice.host.start(_ssh_server(bob) + [COUNT], "session")
        session.await_event(lambda event: event["n"] == 5, 15)
        bob.broker.signal(signal.SIGQUIT)
        assert bob.broker.wait(5) == 0
        time.sleep(DOWN)
        bob.broker = bob.host.start([_other_build(lab.folder), "-c", bob.conf_path], "new-broker")
        bob.await_ready()
        bob.await_direct(alice)
        assert session.wait(30) == 0, session.log_tail()
        assert [event["n"] for event in session.events] == list(range(1, LINES + 1))
        at = [event["received"] for event in session.events]
        longest = max(after - before for before, after in zip(at, at[1:]))
        assert longest < PAUSE_MAX, f"the session stood still for {longest:.2f} s"
        return f"{LINES} lines, the longest pause {longest:.2f} s"
