# SPDX-License-Identifier: GPL-3.0-or-later
"""A PunchGuard device on a host of the lab: its configuration, its broker, its events."""

import contextlib
import json
import os
import signal

from lab import program
from probe import Pinger

INTERFACE = "pg0"
READY_TIMEOUT = 15      # s; start of all helpers, on a busy machine
PRESENCE_TIMEOUT = 45   # s; Tox finds a friend in 9 s, now and then it takes a second round
PATH_TIMEOUT = 15       # s after presence


class Device:
    """One device. Its overlay address is 10.66.0.NUMBER."""

    def __init__(self, lab, host, number, signalling_command=("punchguard-signal-tox",)):
        self.lab = lab
        self.host = host
        self.name = host.name
        self.overlay = f"10.66.0.{number}"
        self.conf_path = os.path.join(host.folder, "conf.json")
        self.broker = None
        families = sorted(host.addresses)
        self.conf = {
            "name": self.name,
            "state_dir": os.path.join(host.folder, "state"),
            "interface": {"name": INTERFACE, "addresses": [f"{self.overlay}/24"]},
            "signalling": [{
                "name": "tox", "command": list(signalling_command),
                "options": {"lan_discovery": False, "bootstrap": [
                    node for family in families for node in lab.bootstrap[family]]}}],
            "ice": {"stun": [server for server in lab.stun
                             if (6 if server.startswith("[") else 4) in families]},
            "peers": [],
        }
        self._write()

    def _write(self):
        new = self.conf_path + ".new"
        with open(new, "w", encoding="utf-8") as file:
            json.dump(self.conf, file, indent=1)
        os.chmod(new, 0o644)
        os.replace(new, self.conf_path)  # as editors do: a helper may be reading it

    def show_id(self):
        """What --show-id prints: {"id", "addresses", "overlay"}."""
        return json.loads(self.host.run([program("punchguard-broker"), "-c", self.conf_path,
                                         "--show-id"]))

    def set_command(self, command):
        """Another signalling plugin; nothing else of the configuration changes."""
        self.conf["signalling"][0]["command"] = list(command)
        self._write()

    def set_peers(self, peers):
        """`peers`: a dict of Device: what its --show-id printed."""
        self.conf["peers"] = [{"name": peer.name, "id": shown["id"],
                               "addresses": shown["addresses"],
                               "allowed_ips": [f"{peer.overlay}/32"]}
                              for peer, shown in peers.items()]
        self._write()

    def add_transport(self, name, command, options=None):
        self.conf["signalling"].append(
            {"name": name, "command": list(command), **({"options": options} if options else {})})
        self._write()

    def remove_transport(self, name):
        """With the peers' addresses on it."""
        self.conf["signalling"] = [one for one in self.conf["signalling"] if one["name"] != name]
        for peer in self.conf["peers"]:
            peer["addresses"].pop(name, None)
        self._write()

    def reload(self):
        """Writes the configuration as it is by now, sends SIGHUP; returns what changed, or the
        errors."""
        self._write()
        return self.hang_up()

    def hang_up(self):
        start = len(self.broker.events)
        self.broker.signal(signal.SIGHUP)
        told = self.broker.await_event(lambda event: event["type"] in ("reload", "error"),
                                       READY_TIMEOUT, "word of the reload", start)
        return told["changed"] if told["type"] == "reload" else [
            event["message"] for event in self.broker.events[start:] if event["type"] == "error"]

    def start(self, listener=None):
        self.broker = self.host.start([program("punchguard-broker"), "-c", self.conf_path],
                                      "broker", listener)
        return self.broker

    def stop(self):
        """SIGTERM; returns the broker's exit status."""
        return self.broker.stop(5)

    def await_event(self, type_, peer=None, timeout=PATH_TIMEOUT, start=0, **fields):
        """The first event of type `type_` (about `peer`, with these fields) from index `start`."""
        wanted = dict(fields, type=type_, **({"peer": peer.name} if peer else {}))
        return self.broker.await_event(
            lambda event: all(event.get(key) == value for key, value in wanted.items()),
            timeout, f"event {wanted}", start)

    def await_ready(self):
        return self.await_event("ready", timeout=READY_TIMEOUT)

    def await_presence(self, peer):
        return self.await_event("presence", peer, PRESENCE_TIMEOUT, online=True)

    def presence_known(self, peer):
        """Whether some transport has said already that the peer is online."""
        return any(event.get("type") == "presence" and event.get("peer") == peer.name
                   and event.get("online") for event in self.broker.events)

    def state_file(self, name):
        return os.path.join(self.conf["state_dir"], name)

    def forget(self):
        """What was remembered of earlier paths, so that the next start is a cold one."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.state_file("resume"))

    def await_direct(self, peer):
        return self.await_event("path", peer, kind="direct")

    def pinger(self, peer, interval=0.02):
        return Pinger(self.host, peer.overlay, interval)


def join(*devices):
    """Makes every device a peer of every other one."""
    shown = {device: device.show_id() for device in devices}
    for device in devices:
        device.set_peers({peer: shown[peer] for peer in devices if peer is not device})


FOLDER_PLUGIN = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                              "../plugins/folder.sh"))


def share_folder(lab, *devices):
    """Signalling over a folder in place of Tox: it is there at once, and no network can break it."""
    shared = os.path.join(lab.folder, "shared")
    os.makedirs(shared)
    os.chmod(shared, 0o777)
    for device in devices:
        device.set_command([FOLDER_PLUGIN, shared])
    return shared


def join_pair(lab, kind, **options):
    """Two devices behind the NATs of `kind` (Lab.pair), configured for each other."""
    if not lab.stun:
        lab.start_stun()
        lab.start_tox()
    pair = [Device(lab, host, number, **options)
            for number, host in enumerate(lab.pair(kind), start=1)]
    join(*pair)
    return pair


def connect(alice, bob):
    """Starts both and waits for a ping reply; returns the seconds from the later presence to it."""
    alice.start()
    bob.start()
    alice.await_ready()
    bob.await_ready()
    with alice.pinger(bob) as pinger:
        replied = pinger.first_reply(PRESENCE_TIMEOUT + PATH_TIMEOUT)
    present = max(alice.await_presence(bob)["mono_ms"], bob.await_presence(alice)["mono_ms"])
    return replied - present / 1000
