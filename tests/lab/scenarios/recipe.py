# SPDX-License-Identifier: GPL-3.0-or-later
"""Every recipe of punchguard-helpers(7), as it is written there."""

import contextlib
import json
import os
import re
import time

from device import Device, connect, join
from lab import Lab
from recipes import interrupt, machines, recipe
from scenario import promised, scenario

LOG = "/var/lib/punchguard/tox.log"


@contextlib.contextmanager
def _pair(folder, kind="eim/eim"):
    with Lab(folder) as lab:
        yield machines(lab, kind)


def _await(what, condition, timeout=5):
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, f"not within {timeout} s: {what}"
        time.sleep(0.01)


@scenario()
def helpers_tell_what_they_understand(folder):
    with _pair(folder) as (near, _):
        said = near.run(recipe("describe"))
        for line in ("configure", "peer-set", "path-set", "shutdown", "ref true", "kind true", "remote false",
                     "presence", "receive"):
            assert said.count(line) == 1, f"{line} in {said}"
        assert not {"done", "peer-status", "send"} & set(said), said
        said = near.run(recipe("ping"))
        assert said == ["hello signal-tox", "pong 7"], said


@scenario()
def public_endpoint(folder):
    with _pair(folder, "eim/cgn") as pair:
        for machine in pair:
            seen = machine.host.lan.outermost.address
            said = machine.run(recipe("public-endpoint"))
            assert len(said) == 1 and re.fullmatch(rf"{re.escape(seen)} \d+", said[0]), f"{said}, not {seen}"


@scenario()
def nat_kind(folder):
    with _pair(folder, "eim/symmetric") as (near, far):
        eim, symmetric = near.run(recipe("nat-kind")), far.run(recipe("nat-kind"))
        assert eim == [f"      2 {near.host.lan.outermost.address} 41000"], eim
        assert len(symmetric) == 2 and all(line.startswith("      1 ") for line in symmetric), symmetric


@scenario()
def agents_over_ssh(folder):
    with _pair(folder) as (near, far):
        process = near.start(recipe("agents-over-ssh"))
        selected = process.await_event(lambda event: event["type"] == "selected", 10, "a path")
        assert selected["remote"]["address"] == far.host.lan.outermost.address, selected
        interrupt(process)
        _await("the end of both agents", lambda: not near.pids() and not far.pids())


@contextlib.contextmanager
def _pair_on_tox(folder):
    """The two, and each one's address on Tox."""
    with Lab(folder) as lab:
        lab.start_tox()
        pair = machines(lab, "eim/eim")
        for machine in pair:
            machine.use_tox_of_the_lab()
        yield pair, [machine.run(recipe("tox-address"))[0] for machine in pair]


@scenario()
def talking_over_tox(folder):
    with _pair_on_tox(folder) as (pair, addresses):
        talks = []
        for machine, other in zip(pair, reversed(addresses)):
            machine.save("talk", recipe("talk"))
            talks.append(machine.start(f"exec bash talk {other}"))
        for saying, hearing, word in (talks[0], talks[1], "Hello far"), (talks[1], talks[0], "Hello near"):
            saying.send({"say": word})
            hearing.await_event(lambda event, word=word: event["say"] == word, 30, word)
        for machine, talk in zip(pair, talks):
            talk.close_input()
            assert talk.wait(5) == 0
            assert not machine.pids(), machine.pids()


@scenario()
def wg_setup_by_printf(folder):
    with _pair(folder, "same-link") as (near, far):
        said = near.run(recipe("wg-by-printf"))
        assert any(", 0% packet loss" in line for line in said), said
        endpoint = near.run("wg show pg0 endpoints")
        assert endpoint[0].endswith(f"\t{far.host.addresses[4]}:41000"), endpoint
        _take_down(near, far)


def _take_down(near, far):
    near.run(recipe("take-down"))
    for machine in near, far:
        assert machine.run("ip -o link show dev pg0", check=False) == [], f"pg0 is left on {machine.name}"
        _await(f"the end of all on {machine.name}", lambda machine=machine: not machine.pids())


@scenario()
def tunnel_over_ssh(folder):
    with _pair(folder) as (near, far):
        process = near.start(recipe("tunnel-over-ssh"))
        selected = process.await_event(lambda event: event["type"] == "selected", 15, "a path")
        said = _ping(near)
        _by_the_punched_port(near, far, selected)
        interrupt(process)
        process.wait(5)
        _take_down(near, far)
    return said


def _ping(near):
    # Handshakes that cross each other take 5 s.
    _await("a handshake", lambda: re.search(r"\t[1-9]", "".join(near.run("wg show pg0 latest-handshakes"))),
           promised(4))
    said = near.run("ping -q -c 5 -i 0.2 -W 5 10.9.0.2")
    assert any(", 0% packet loss" in line for line in said), said
    return said[-1]


@scenario(timeout=120)
def tunnel_without_a_broker(folder):
    script = recipe("tunnel")
    assert len(script.splitlines()) <= 30, f"{len(script.splitlines())} lines"
    with _pair_on_tox(folder) as ((near, far), addresses):
        for machine in near, far:
            machine.save("tunnel", script)
        running = [near.start(f"exec bash tunnel 10.9.0.1 10.9.0.2 {addresses[1]}"),
                   far.start(f"exec bash tunnel 10.9.0.2 10.9.0.1 {addresses[0]}")]
        for process, other in zip(running, (far, near)):
            selected = process.await_event(lambda event: event["type"] == "selected", 60, "a path")
            assert selected["remote"]["address"] == other.host.lan.outermost.address, selected
        said = _ping(near)
        _by_the_punched_port(near, far, running[0].events[0])
        for process in running:
            interrupt(process)
        for machine in near, far:
            _await(f"the end of all on {machine.name}",
                   lambda machine=machine: not machine.pids() and not machine.run("ip -o link show dev pg0", check=False))
    return said


def _by_the_punched_port(near, far, selected):
    """WireGuard sends to the other's NAT, and nobody but ICE has opened that."""
    remote = selected["remote"]
    assert remote["address"] == far.host.lan.outermost.address, selected
    endpoint = near.run("wg show pg0 endpoints")[0].split("\t")[1]
    assert endpoint == f"{remote['address']}:{remote['port']}", (endpoint, selected)
    port = near.run("wg show pg0 listen-port")[0]
    assert port != str(selected["base"]["port"]), "WireGuard has the port of ICE by itself"
    assert str(selected["base"]["port"]) in near.host.run(["nft", "list", "table", "inet", "punchguard_pg0"])
    for machine in near, far:
        inside = machine.run("ss -Hnlu src 10.9.0.0/24")
        assert inside == [], f"the agent on {machine.name} looks for a path through the tunnel itself: {inside}"


@scenario(timeout=120)
def watching_and_replaying_a_plugin(folder):
    with Lab(folder) as lab:
        lab.start_tox()
        pair = machines(lab, "eim/eim")
        devices = [Device(lab, machine.host, number) for number, machine in enumerate(pair, start=1)]
        near, alice = pair[0], devices[0]
        near.use_tox_of_the_lab()
        os.environ["PATH"] = f"/usr/local/bin:{os.environ['PATH']}"
        near.save("/usr/local/bin/watched", recipe("watched"))
        near.host.run(["install", "-d", "-m", "700", "-o", "punchguard", "/var/lib/punchguard"])
        alice.conf["state_dir"] = "/var/lib/punchguard"
        alice.set_command(json.loads("{%s}" % recipe("watched-signalling"))["signalling"][0]["command"])
        join(*devices)
        watching = near.start(recipe("watch"))
        connect(*devices)
        for line in (r'-> \{"type":"configure"', r'<- \{"type":"presence"', r'-> \{"type":"send"'):
            watching.await_line(lambda text, line=line: re.fullmatch(rf"\d{{4}}-\S+Z {line}.*", text), 5, line)
        watching.await_line(lambda text: '<- {"type":"pong"' in text, 10, "a pong")
        interrupt(watching)
        assert alice.stop() == 0
        _await("the last word", lambda: near.run(f"grep -c shutdown {LOG}", check=False) == ["1"])
        counts = _counts(near, recipe("count"))
        assert counts["to", "send"] >= counts["from", "sent"] >= 1, counts
        _counts(near, recipe("count").replace(LOG, f"{LOG}.before"))  # of --show-id
        _replay(near)


def _counts(near, text):
    counts = {tuple(line.split()[1:]): int(line.split()[0]) for line in near.run(text)}
    for once in ("from", "hello"), ("to", "configure"), ("from", "ready"), ("to", "shutdown"):
        assert counts.get(once) == 1, f"{once} in {counts}"
    return counts


def _replay(near):
    assert near.run(recipe("replay")) == ["as before"]
    near.run(f"sed -i 's/\"pong\",\"ref\":1/\"pong\",\"ref\":77/' {LOG}")
    said = near.run(recipe("replay"), check=False)
    assert said and "as before" not in said, f"another record was not told from this one: {said}"
