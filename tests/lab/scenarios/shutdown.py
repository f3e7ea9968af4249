# SPDX-License-Identifier: GPL-3.0-or-later
"""SIGTERM at any moment leaves nothing on the host."""

import concurrent.futures
import random
import threading

from device import Device, join
from lab import Lab
from scenario import scenario

VICTIMS = 5
# Moments of each victim: seconds after the start, or after the tunnel's first ping reply.
EARLY, STARTING, SIGNALLING, CONNECTED = (0, 0.3), (0.3, 2), (2, 12), (0, 3)

_SNAPSHOT = """
ip -oneline address; ip route show table all; ip -6 route show table all; ip rule; ip -6 rule
nft list ruleset; ss -Hanutwx; find /run
"""


def _snapshot(host):
    return sorted(set(host.run(["sh", "-c", _SNAPSHOT]).splitlines())), host.pids()


def _stops_clean(victim, hub, before, moment, after_ping):
    broker = victim.start()
    if after_ping:
        victim.await_ready()
        with victim.pinger(hub) as pinger:
            pinger.first_reply(60)
    threading.Event().wait(moment)
    status = victim.stop()
    after = _snapshot(victim.host)
    new = [line for line in after[0] if line not in before[0]]
    gone = [line for line in before[0] if line not in after[0]]
    when = f"SIGTERM {moment:.2f} s after {'the ping' if after_ping else 'the start'}"
    assert not new and not gone, f"{when}: left {new}, lost {gone}"
    assert not after[1], f"{when}: processes {after[1]} left"
    # Before main has set its handlers, SIGTERM ends the process as it ends any other.
    assert status in (0, -15), f"{when}: exit status {status}: {broker.log_tail()}"


def _stops_clean_four_times(victim, hub, seed):
    moments = random.Random(seed)
    before = _snapshot(victim.host)
    for span in (EARLY, STARTING, SIGNALLING, CONNECTED):
        _stops_clean(victim, hub, before, moments.uniform(*span), span is CONNECTED)


@scenario(timeout=240)
def nothing_stays_after_sigterm_at_random_moments(folder):
    seed = random.randrange(1 << 32)
    print("seed", seed)
    with Lab(folder) as lab:
        lab.start_stun()
        lab.start_tox()
        hub = Device(lab, lab.host("hub", lab.home("eim")), 1)
        victims = [Device(lab, lab.host(f"victim{number}", lab.home("eim")), number + 1)
                   for number in range(1, VICTIMS + 1)]
        join(hub, *victims)
        hub.start()
        for victim in victims:  # makes what stays by design: state_dir, and folders in /run
            victim.start()
            victim.await_ready()
            assert victim.stop() == 0
        with concurrent.futures.ThreadPoolExecutor(VICTIMS) as pool:
            for result in [pool.submit(_stops_clean_four_times, victim, hub, seed + number)
                           for number, victim in enumerate(victims)]:
                result.result()
        assert hub.stop() == 0
    return f"{4 * VICTIMS} moments"
