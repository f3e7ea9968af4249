#!/usr/bin/python3
# SPDX-License-Identifier: GPL-3.0-or-later
"""Joins two hosts behind two NATs in a lab and tells what happens, as it happens."""

import json
import os
import queue
import statistics
import sys
import time

sys.dont_write_bytecode = True

from device import join_pair  # noqa: E402
from lab import Lab  # noqa: E402

TIMEOUT = 60          # s until both sides must have a direct path
PINGS, PING_EVERY = 20, 0.05
THROUGHPUT_SECONDS = 5

PICTURE = """
   alice {alice:13} ── NAT {nat_alice:13} ──┐
                                             ├── internet: {tox} Tox nodes, {stun} STUN servers
   bob   {bob:13} ── NAT {nat_bob:13} ──┘
"""


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if os.environ.get("PUNCHGUARD_COLOUR") else text


def endpoint_text(endpoint):
    address, port = endpoint["address"], endpoint["port"]
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def candidate_text(value):
    """An SDP candidate (RFC 8839 section 5.1) in the words that matter to a person."""
    fields = value.split()
    return f"{fields[7]} {fields[4]}:{fields[5]}"


def describe(event):
    """One line about an event, or None for those that would only be noise here."""
    kind = event["type"]
    if kind == "ready":
        return f"ready: interface {event['interface']}, WireGuard in the {event['backend']}" \
            if event["backend"] == "kernel" else f"ready: interface {event['interface']}, " \
            "WireGuard in user space"
    if kind == "presence":
        via = f", over {event['via']}" if event.get("via") else ""
        return f"Tox: {event['peer']} is {'online' if event['online'] else 'offline'}{via}"
    if kind == "candidate":
        whose = "offers" if event["side"] == "local" else "hears of"
        return f"{whose} candidate {candidate_text(event['candidate'])}"
    if kind == "path" and event["kind"] == "direct":
        return paint("1;32", f"path to {event['peer']}: direct") + \
            f", {endpoint_text(event['base'])} → {endpoint_text(event['remote'])}, " \
            f"{event['rtt_ms']} ms"
    if kind == "path":
        return f"path to {event['peer']}: {event['kind']} ({event.get('reason', 'no reason')})"
    if kind == "handshake":
        return paint("1;32", f"WireGuard handshake with {event['peer']}")
    if kind == "error":
        return paint("1;31", f"error {event['code']}: {event['message']}")
    return None


class TimeLine:
    """Prints what happened when, counted from its making."""

    def __init__(self):
        self.start = time.monotonic()

    def tell(self, who, text, at=None):
        seconds = (at or time.monotonic()) - self.start
        print(f"{seconds:8.2f} s  {paint('1', f'{who:5}')}  {text}", flush=True)


def await_handshakes(devices, events, line):
    """Tells events until both sides have a direct path and a handshake."""
    missing = {(device.name, kind) for device in devices for kind in ("direct", "handshake")}
    deadline = time.monotonic() + TIMEOUT
    while missing:
        try:
            who, event = events.get(timeout=max(deadline - time.monotonic(), 0))
        except queue.Empty:
            sys.exit(f"no tunnel within {TIMEOUT} s; still missing: {sorted(missing)}")
        if text := describe(event):
            line.tell(who, text, event["mono_ms"] / 1000)
        missing -= {(who, event["type"]), (who, event.get("kind"))}


def tell_pings(alice, bob, line):
    with alice.pinger(bob, PING_EVERY) as pinger:
        pinger.run(PINGS * PING_EVERY, lambda p: len(p.replies) >= PINGS)
        lost = pinger.lost()
        times = [(pinger.replies[n] - pinger.sent[n]) * 1000 for n in pinger.replies]
    line.tell("alice", f"ping {bob.overlay}: {len(times)} replies, {lost} lost, "
                       f"{statistics.median(times):.2f} ms")


def tell_throughput(alice, bob, line):
    server = bob.host.start(["iperf3", "--server", "--one-off", "--forceflush"])
    server.await_line(lambda text: "listening" in text, 5)
    result = json.loads(alice.host.run(["iperf3", "--client", bob.overlay, "--json", "--time",
                                        str(THROUGHPUT_SECONDS)], timeout=30))
    rate = result["end"]["sum_received"]["bits_per_second"] / 1e6
    line.tell("alice", f"TCP through the tunnel for {THROUGHPUT_SECONDS} s: "
                       + paint("1;32", f"{rate:.0f} Mbit/s"))


def main():
    events = queue.Queue()
    with Lab() as lab:
        alice, bob = join_pair(lab, "eim/eim")
        print(PICTURE.format(
            alice=str(alice.host.addresses[4]), nat_alice=alice.host.lan.router.address,
            bob=str(bob.host.addresses[4]), nat_bob=bob.host.lan.router.address,
            tox=len(lab.bootstrap[4]), stun=len(lab.stun) // 2))
        line = TimeLine()
        for device in (alice, bob):
            line.tell(device.name, f"key {device.show_id()['id']}, overlay {device.overlay}")
        for device in (alice, bob):
            device.start(lambda event, name=device.name: events.put((name, event)))
        await_handshakes((alice, bob), events, line)
        tell_pings(alice, bob, line)
        tell_throughput(alice, bob, line)
        for device in (alice, bob):
            device.stop()
        line.tell("both", "stopped; nothing is left")


if __name__ == "__main__":
    main()
