# SPDX-License-Identifier: GPL-3.0-or-later
"""punchguard-wg-setup on a host of the lab, driven by its protocol, and what it leaves there."""

import base64
import hashlib
import json
import os
import re

from lab import program

INTERFACE = "pg0"
PATIENCE = 15  # s for an answer; an emulated processor is slow


def id_of(key):
    """The id of a public identity key: PG1, base32 of it and 4 bytes of checksum."""
    checksum = hashlib.blake2b(b"\0" + key, digest_size=32, key=b"PunchGuard id checksum").digest()[:4]
    return "PG1" + base64.b32encode(key + checksum).decode().rstrip("=")


def has_kernel_wireguard(host):
    """Whether `auto` can mean the kernel on this machine."""
    try:
        host.ip("link add probe0 type wireguard", "link delete probe0")
        return True
    except RuntimeError:
        return False


def backend_here(host):
    return "kernel" if has_kernel_wireguard(host) else "userspace"


class WgSetup:
    """The program on one host. Its overlay address is 10.66.0.NUMBER."""

    def __init__(self, host, number, backend="auto", interface=INTERFACE):
        self.program = program("punchguard-wg-setup")
        self.host = host
        self.name = host.name
        self.overlay = f"10.66.0.{number}"
        self.id = id_of(hashlib.sha256(self.name.encode()).digest())
        self.interface = {"name": interface, "addresses": [f"{self.overlay}/24"], "mtu": 1280,
                          "listen_port": 0, "backend": backend}
        self.state_dir = os.path.join(host.folder, f"wg-state-{interface}")
        self.conf_path = self.state_dir + ".json"
        self.grant({})
        self.process = None
        self.ready = None
        self._ref = 0

    def grant(self, allowed_of, inbound_of=None):
        """Writes the configuration: a dict of WgSetup: the prefixes it may have, and one of WgSetup: what it
        may begin."""
        inbound = {peer: {"inbound": what} for peer, what in (inbound_of or {}).items()}
        conf = {"name": self.name, "state_dir": self.state_dir,
                "interface": self.interface,
                "peers": [{"name": peer.name, "id": peer.id, "allowed_ips": allowed, **inbound.get(peer, {})}
                          for peer, allowed in allowed_of.items()]}
        with open(self.conf_path, "w", encoding="utf-8") as file:
            json.dump(conf, file)

    def argv(self):
        return [self.program, "-c", self.conf_path]

    def start(self):
        self.process = self.host.start(self.argv(), "wg-setup")
        self.process.await_event(lambda event: event.get("type") == "hello", PATIENCE, "hello")
        self.process.send({"type": "configure", "interface": self.interface})
        return self

    def await_ready(self):
        self.ready = self.process.await_event(
            lambda event: event.get("type") in ("ready", "error"), PATIENCE, "ready")
        assert self.ready["type"] == "ready", self.ready
        return self.ready

    def await_error(self):
        said = self.process.await_event(
            lambda event: event.get("type") in ("ready", "error"), PATIENCE, "error")
        assert said["type"] == "error", said
        return said

    def ask(self, type_, **fields):
        """Sends a message with a ref and waits for the answer; returns what was said until then."""
        self._ref += 1
        ref, start = self._ref, len(self.process.events)
        self.process.send(dict(fields, type=type_, ref=ref))
        answer = self.process.await_event(lambda event: event.get("ref") == ref, PATIENCE,
                                          f"answer to {type_}", start)
        assert answer["type"] == "done", answer
        return self.process.events[start:]

    def refuse(self, type_, **fields):
        """The same where an error is the right answer; returns it."""
        self._ref += 1
        ref = self._ref
        self.process.send(dict(fields, type=type_, ref=ref))
        answer = self.process.await_event(lambda event: event.get("ref") == ref, PATIENCE,
                                          f"answer to {type_}")
        assert answer["type"] == "error", answer
        return answer

    def set_peer(self, peer, keepalive=25, allowed_ips=None):
        self.ask("peer-set", peer=peer.name, id=peer.id, wg_public_key=peer.ready["wg_public_key"],
                 allowed_ips=allowed_ips or [f"{peer.overlay}/32"], keepalive=keepalive)

    def reach(self, peer, port=41000):
        """A direct path to a peer on the same link, both with that port."""
        base = endpoint(self.host.addresses[4], port)
        self.ask("port-open", peer=peer.name, base=base)
        self.ask("path-set", peer=peer.name, kind="direct", base=base, remote=endpoint(peer.host.addresses[4], port))

    def status_of(self, peer):
        said = self.ask("status")
        return [event for event in said
                if event["type"] == "peer-status" and event["peer"] == peer.name][-1]

    def end_input(self):
        """EOF alone; returns the exit status."""
        self.process.close_input()
        return self.process.wait(PATIENCE)

    def shut_down(self):
        self.process.send({"type": "shutdown"})
        return self.end_input()


def endpoint(address, port):
    return {"address": str(address), "port": port}


def interface_index(host):
    """The interface's number, None where there is none."""
    found = re.match(r"(\d+): ", host.run(["ip", "-o", "link", "show", "dev", INTERFACE], check=False))
    return int(found[1]) if found else None


_SNAPSHOT = """
ip -oneline -details link; ip -oneline address; ip route show table all; ip -6 route show table all
ip rule; ip -6 rule; nft list ruleset; ss -Hanutwx; find /run -type s; wg showconf pg0 2>/dev/null; cat /etc/hosts
"""


def snapshot(host):
    """What wg-setup may change on a host, as a sorted list of lines, and the processes there."""
    lines = host.run(["sh", "-c", _SNAPSHOT], check=False).splitlines()
    return sorted(set(lines)), host.pids()
