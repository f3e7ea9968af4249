# SPDX-License-Identifier: GPL-3.0-or-later
"""PunchGuard is replaced by another build over its own tunnel."""

import os
import shutil
import signal
import time

from device import connect, join_pair
from lab import Lab, program
from scenario import scenario
from ssh import start_ssh_server

PROGRAMS = ("punchguard-broker", "punchguard-signal-tox", "punchguard-ice-agent", "punchguard-wg-setup")
LINES, EVERY = 100, 0.1
PAUSE_MAX = 1.0  # s between two lines; TCP sends again after 0.2 s what was lost
DOWN = 2         # s; how long there is no broker
COUNT = f"for n in $(seq {LINES}); do echo '{{\"n\":'$n'}}'; sleep {EVERY}; done"


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
        session = alice.host.start(start_ssh_server(bob.host) + [f"root@{bob.overlay}", COUNT], "session")
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
