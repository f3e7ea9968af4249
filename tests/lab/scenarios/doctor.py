# SPDX-License-Identifier: GPL-3.0-or-later
"""`punchguard doctor`: nothing to complain of where all is well, and each fault by its name."""

import contextlib
import json
import os
import subprocess

from device import Device, share_folder
from lab import Lab, program, program_folders
from scenario import scenario

# What the machine decides that the lab runs on.
OF_THE_MACHINE = ("clock", "kernel", "wireguard-go", "tun")


def _argv(device, *options, path=None):
    """Programs of the system are found in `path`."""
    path = os.environ["PATH"] if path is None else path
    return ["env", "PATH=" + ":".join([*program_folders(), path]),
            program("punchguard"), "-c", device.conf_path, "doctor", *options]


def _doctor(device, *options, path=None):
    """Exit status, and {check: [(level, text and remedy)]}."""
    argv = _argv(device, *options, path=path)
    done = subprocess.run(device.host.inside([*argv, "--json"]), stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60)
    print(done.stdout, done.stderr, flush=True)
    found = json.loads(done.stdout)
    levels = [finding["level"] for finding in found["findings"]]
    assert found["level"] == max(levels, key=("ok", "skip", "warn", "fail").index), found
    assert done.returncode == (1 if "fail" in levels else 0), (done.returncode, levels)
    checks = {}
    for finding in found["findings"]:
        assert finding["level"] in ("ok", "skip") or finding["remedy"] or finding["check"] == "NAT", finding
        checks.setdefault(finding["check"], []).append(
            (finding["level"], f"{finding['text']} → {finding['remedy']}"))
    return done.returncode, checks


def _assert(checks, check, level, *words):
    assert any(found == level and all(word in text for word in words)
               for found, text in checks.get(check, [])), (check, level, words, checks)


def _device(lab):
    lab.start_stun()
    lab.start_tox()
    return Device(lab, lab.host("alice", lab.home("eim")), 1)


@contextlib.contextmanager
def _setting(device, **values):
    """The configuration with other members, without the broker's knowing."""
    before = dict(device.conf)
    device.conf.update(values)
    device.set_peers({})
    if "peers" in values:
        device.conf["peers"] = values["peers"]
        device._write()
    yield
    device.conf.clear()
    device.conf.update(before)
    device.set_peers({})


@scenario(timeout=90)
def a_device_that_is_well_is_told_so(folder):
    with Lab(folder) as lab:
        alice = _device(lab)
        _, checks = _doctor(alice, "--offline")
        _assert(checks, "broker", "warn", "no broker listens", "punchguard up")
        _assert(checks, "state folder", "ok", "will be made")
        assert "NAT" not in checks and "Tox" not in checks, checks
        alice.start()
        alice.await_ready()
        alice.await_event("transport")
        status, checks = _doctor(alice)
        for check in ("configuration", "state folder", "nftables", "firewall", "addresses", "MTU",
                      "broker", "signalling", "control socket", "STUN", "NAT", "Tox"):
            assert [level for level, _ in checks[check]].count("ok") == len(checks[check]), checks[check]
        assert len(checks["clock"]) == len(checks["kernel"]) == 1, checks
        others = set(checks) - set(OF_THE_MACHINE)
        assert len(others) == 12 and status == 0, checks
        said = alice.host.run(_argv(alice, "--offline"))
        assert "\nok    broker          it runs, with interface pg0" in said, said


@scenario(timeout=120)
def each_fault_is_told_with_its_remedy(folder):
    with Lab(folder) as lab:
        alice = _device(lab)
        shown = alice.show_id()
        with _setting(alice, sginalling=[]):
            status, checks = _doctor(alice, "--offline")
            _assert(checks, "configuration", "fail", "did you mean 'signalling'?")
            assert status == 1
        peer = {"name": "home", "id": shown["id"], "addresses": shown["addresses"],
                "allowed_ips": ["192.168.0.0/16"]}
        with _setting(alice, peers=[peer], interface={"name": "pg0", "mtu": 1440}):
            _, checks = _doctor(alice, "--offline")
            _assert(checks, "addresses", "warn", "192.168.0.0/16 of peer 'home'", "eth0")
            _assert(checks, "MTU", "warn", "1520", "eth0", '"mtu": 1420')
        alice.host.nft("table inet fw { chain input { type filter hook input priority 0; policy drop; "
                       "iif lo accept; tcp dport 22 accept; }; }")
        os.chmod(alice.state_file("identity.key"), 0o644)
        status, checks = _doctor(alice, "--offline")
        _assert(checks, "firewall", "warn", "inet fw input", "ct state established,related accept")
        _assert(checks, "state folder", "fail", "identity.key", "chmod 600")
        assert status == 1
        alice.host.nft("delete table inet fw")
        alice.host.nft("table inet fw { chain output { type filter hook output priority 0; "
                       "udp dport 3478 drop; }; }")
        nobody = [{"address": "203.0.113.11", "udp_port": 1, "tcp_ports": [1], "public_key": "0" * 64}]
        options = dict(alice.conf["signalling"][0]["options"], bootstrap=nobody)
        with _setting(alice, signalling=[dict(alice.conf["signalling"][0], options=options)],
                      ice={"stun": [*alice.conf["ice"]["stun"], "no-such-name.invalid"]}):
            status, checks = _doctor(alice)
        _assert(checks, "NAT", "fail", "let UDP out")
        _assert(checks, "DNS", "warn", "no-such-name.invalid")
        _assert(checks, "Tox", "fail", "none of 1 nodes answers", "let TCP out")
        assert status == 1


def _kernel_has_wireguard(host):
    argv = ["ip", "link", "add", "trial", "type", "wireguard"]
    made = subprocess.run(host.inside(argv), capture_output=True)
    if made.returncode == 0:
        host.run(["ip", "link", "del", "trial"])
    return made.returncode == 0


@scenario(timeout=60)
def what_wireguard_lacks_is_told(folder):
    """In the kernel, and what one in user space needs."""
    with Lab(folder) as lab:
        lab.start_stun()
        alice = Device(lab, lab.host("alice", lab.home("eim")), 1)
        has = _kernel_has_wireguard(alice.host)
        _, checks = _doctor(alice, "--offline")
        _assert(checks, "kernel", "ok" if has else "warn", "WireGuard")
        with _setting(alice, interface={"name": "pg0", "backend": "kernel"}):
            status, checks = _doctor(alice, "--offline")
            _assert(checks, "kernel", "ok" if has else "fail", *(() if has else ("modprobe wireguard",)))
            assert "tun" not in checks and status == (0 if has else 1), checks
        with _setting(alice, interface={"name": "pg0", "backend": "userspace"}):
            status, checks = _doctor(alice, "--offline", path="/nonexistent")
            _assert(checks, "kernel", "ok", "userspace")
            _assert(checks, "wireguard-go", "fail", "not in PATH", "apt install wireguard-go")
            _assert(checks, "nftables", "skip", "not installed")
            assert status == 1, checks
            alice.host.run(["sh", "-c", "mkdir /run/bin && ln -s /bin/true /run/bin/wireguard-go"])
            status, checks = _doctor(alice, "--offline", path="/run/bin")
            _assert(checks, "wireguard-go", "ok", "installed")
            _assert(checks, "tun", "ok", "can be opened")
            assert status == 0, checks
            alice.host.run(["mount", "-t", "tmpfs", "tmpfs", "/dev/net"])
            status, checks = _doctor(alice, "--offline")
            _assert(checks, "tun", "fail", "No such file", "modprobe tun")
            assert status == 1, checks


def _ipv4(shown):
    return next(text.split("/")[0] for text in shown["overlay"] if "." in text)


@scenario(timeout=90)
def addresses_that_nobody_wrote_down_are_compared(folder):
    """Those that follow from the ids of this device and of who joined, with a carrier's network."""
    with Lab(folder) as lab:
        lab.start_stun()
        alice, bob = [Device(lab, lab.host(name, lab.home("eim")), number)
                      for number, name in enumerate(("alice", "bob"), start=1)]
        share_folder(lab, alice, bob)
        alice.conf["interface"].pop("addresses")
        alice._write()
        alice.host.run(["ip", "address", "add", "100.64.0.9/10", "dev", "eth0"])
        _, checks = _doctor(alice, "--offline")
        _assert(checks, "addresses", "skip", "first start")
        own, joined = alice.show_id(), bob.show_id()
        with open(alice.state_file("peers.json"), "w", encoding="ascii") as file:
            json.dump({"version": 1, "invitations": [],
                       "peers": [{"name": "desk", "id": joined["id"], "addresses": {}}]}, file)
        argv = _argv(alice, "--offline", "--json")
        done = alice.host.inside(["setpriv", "--reuid=61007", "--regid=61007", "--clear-groups", *argv])
        assert "ask as root" in subprocess.run(done, capture_output=True, text=True, timeout=30).stdout
        with open(alice.state_file("identity.key"), "r+", encoding="ascii") as file:
            whole = file.read()
            title, digits, checksum = whole.splitlines()
            file.seek(0)
            file.write("\n".join([title, digits[::-1], checksum, ""]))
            file.flush()
            _, checks = _doctor(alice, "--offline")
            _assert(checks, "addresses", "skip", "identity.key can't be read")
            file.seek(0)
            file.write(whole)
        for broker in (False, True):
            if broker:
                alice.start()
                alice.await_ready()
            _, checks = _doctor(alice, "--offline")
            _assert(checks, "addresses", "warn", _ipv4(own), "this device", "100.64.0.9/10", "eth0")
            _assert(checks, "addresses", "warn", _ipv4(joined), "peer 'desk'")
        alice.host.run(["ip", "address", "del", "100.64.0.9/10", "dev", "eth0"])
        _, checks = _doctor(alice, "--offline")
        _assert(checks, "addresses", "ok", "4 were compared")


@scenario(timeout=60)
def who_may_see_less_is_told_what_was_skipped(folder):
    with Lab(folder) as lab:
        alice = _device(lab)
        os.chmod(alice.conf_path, 0o600)
        argv = _argv(alice, "--offline", "--json")
        done = subprocess.run(alice.host.inside(["setpriv", "--reuid=61007", "--regid=61007",
                                                 "--clear-groups", *argv]), capture_output=True,
                              text=True, timeout=30)
        assert done.returncode == 4 and "Permission denied" in done.stderr, done
        os.chmod(alice.conf_path, 0o644)
        done = subprocess.run(alice.host.inside(["setpriv", "--reuid=61007", "--regid=61007",
                                                 "--clear-groups", *argv]), capture_output=True,
                              text=True, timeout=30)
        found = {finding["check"]: finding["level"] for finding in json.loads(done.stdout)["findings"]}
        assert found["nftables"] == "skip" and found["broker"] == "warn", found
