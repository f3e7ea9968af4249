# SPDX-License-Identifier: GPL-3.0-or-later
"""wg-setup alone, on the back end this machine has: the kernel's in tests/vm, else the userspace one."""

import ipaddress
import json
import os
import shutil
import signal
import socket
import threading
import time

from lab import Lab
from probe import Pinger, receive
from scenario import Skip, promised, scenario
from wg_setup import (INTERFACE, PATIENCE, WgSetup, backend_here, endpoint, interface_index,
                      snapshot)

WIREGUARD_TYPES = (1, 2, 3, 4)


def _single(lab):
    return WgSetup(lab.host("alice", lab.home("eim")), 1)


@scenario(timeout=120)
def configure_by_printf_stands_until_shutdown(folder):
    """EOF leaves interface and key standing; the next start adopts them; shutdown undoes all."""
    with Lab(folder) as lab:
        alice = _single(lab)
        host = alice.host
        before = snapshot(host)
        message = json.dumps({"type": "configure", "interface": alice.interface})
        said = host.run(alice.argv(), stdin=message + "\n", timeout=PATIENCE).splitlines()
        first = [json.loads(line) for line in said]
        assert [event["type"] for event in first] == ["hello", "ready"], first
        assert first[1]["backend"] == backend_here(host), first
        index = interface_index(host)
        shown = host.run(["ip", "address", "show", "dev", INTERFACE])
        assert "mtu 1280" in shown and "10.66.0.1/24" in shown and ",UP" in shown, shown
        port = host.run(["wg", "show", INTERFACE, "listen-port"]).strip()
        assert port == str(first[1]["listen_port"])

        again = alice.start().await_ready()
        for field in ("backend", "listen_port", "wg_public_key", "interface"):
            assert again[field] == first[1][field], (again, first)
        assert interface_index(host) == index, "the interface was made anew"
        assert alice.shut_down() == 0
        assert snapshot(host) == before


@scenario(timeout=120)
def sigterm_undoes_everything(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        for one in (alice, bob):
            before = snapshot(one.host)
            one.start().await_ready()
            one.process.stop(PATIENCE)
            after = snapshot(one.host)
            assert after == before, set(after[0]) ^ set(before[0])


@scenario(timeout=60)
def name_taken_by_another_kind_of_interface_is_left_alone(folder):
    with Lab(folder) as lab:
        alice = _single(lab)
        alice.host.ip(f"link add {INTERFACE} type bridge", f"address add 192.0.2.1/24 dev {INTERFACE}")
        before = snapshot(alice.host)
        error = alice.start().await_error()
        assert INTERFACE in error["message"], error
        alice.end_input()
        assert snapshot(alice.host) == before, error
        return error["message"]


@scenario(timeout=60)
def foreign_wireguard_on_the_name_is_left_alone(folder):
    """Another key and peers that are not ours: somebody else's tunnel."""
    with Lab(folder) as lab:
        alice = _single(lab)
        host = alice.host
        if backend_here(host) == "kernel":
            host.ip(f"link add {INTERFACE} type wireguard")
        else:
            host.run(["wireguard-go", INTERFACE])
        theirs = host.run(["wg", "genkey"])
        peer = host.run(["wg", "pubkey"], stdin=host.run(["wg", "genkey"])).strip()
        host.run(["wg", "set", INTERFACE, "private-key", "/dev/stdin", "listen-port", "40000", "peer", peer,
                  "allowed-ips", "192.0.2.7/32"], stdin=theirs)
        before = snapshot(host)
        error = alice.start().await_error()
        assert INTERFACE in error["message"], error
        alice.end_input()
        assert snapshot(host) == before, error
        return error["message"]


def _pair(lab, kind="eim/eim"):
    alice, bob = (WgSetup(host, number) for number, host in enumerate(lab.pair(kind), start=1))
    alice.grant({bob: [f"{bob.overlay}/32"]})
    bob.grant({alice: [f"{alice.overlay}/32"]})
    return alice, bob


class _Hole:
    """One side's ICE socket, and the other side's endpoint as seen from here."""

    def __init__(self, wg, port):
        self.wg = wg
        self.port = port
        family = min(wg.host.addresses)
        self.base = endpoint(wg.host.addresses[family], port)
        self.mapped = endpoint(wg.host.lan.outermost.address, port) if family == 4 else self.base
        self.socket = wg.host.socket(socket.AF_INET if family == 4 else socket.AF_INET6)
        self.socket.bind((self.base["address"], port))

    def send(self, other, data=b"\0\1 as STUN begins"):
        self.socket.sendto(data, (other.mapped["address"], other.mapped["port"]))

    def drain(self):
        """First bytes of everything that has come to the ICE socket."""
        seen = []
        while got := receive(self.socket, 0.1):
            seen.append(got[0][0])
        return seen


def _punch(first, second):
    first.send(second)
    second.send(first)
    assert receive(first.socket, 3), "no hole"
    first.send(second)
    assert receive(second.socket, 3), "no hole"


def _direct(hole, other):
    hole.wg.ask("port-open", peer=other.wg.name, base=hole.base)
    hole.wg.ask("path-set", peer=other.wg.name, kind="direct", remote=other.mapped, base=hole.base)


def _joined(lab, port, kind="eim/eim"):
    """Two started sides with a hole between them and the path set on both."""
    alice, bob = _pair(lab, kind)
    for one in (alice, bob):
        assert one.start().await_ready()["backend"] == backend_here(one.host)
    holes = _Hole(alice, port), _Hole(bob, port + 1)
    _punch(*holes)
    alice.set_peer(bob)
    bob.set_peer(alice)
    _direct(holes[0], holes[1])
    _direct(holes[1], holes[0])
    return holes


class _Background:
    """Pings from alice to bob in a thread of their own, so that this one starts and ends programs (a
    program of the lab is killed when the thread that started it ends)."""

    def __init__(self, alice, bob, interval):
        self.pinger = Pinger(alice.host, bob.overlay, interval)
        self._done = threading.Event()
        self._thread = threading.Thread(
            target=lambda: self.pinger.run(100, lambda _: self._done.is_set()))

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_):
        if self._thread.is_alive():
            self.stop()
        self.pinger.__exit__()

    def stop(self):
        self._done.set()
        self._thread.join()

    def lost(self):
        self.stop()
        return self.pinger.lost()

    def await_reply_after(self, moment, timeout):
        """Seconds from then to the first reply to a ping sent later."""
        deadline = moment + timeout
        while time.monotonic() < deadline:
            back = [at for number, at in list(self.pinger.replies.items())
                    if self.pinger.sent[number] >= moment]
            if back:
                return min(back) - moment
            time.sleep(0.01)
        raise TimeoutError(f"no reply within {timeout} s")


def _await_traffic(alice, bob):
    with Pinger(alice.host, bob.overlay, 0.1) as pinger:
        pinger.first_reply(PATIENCE)


def _loses_nothing(alice, bob, seconds=1, meanwhile=None, interval=0.02):
    """Pings at least so long, and while `meanwhile` runs; returns how many."""
    _await_traffic(alice, bob)
    with _Background(alice, bob, interval) as pings:
        ends = time.monotonic() + seconds
        if meanwhile:
            meanwhile()
        time.sleep(max(ends - time.monotonic(), 0))
        lost = pings.lost()
        assert lost == 0, f"{lost} of {len(pings.pinger.sent)} pings lost"
        return len(pings.pinger.sent)


@scenario(timeout=120)
def redirect_carries_wireguard_over_the_punched_port(folder):
    """Between two NATs: WireGuard passes the hole, STUN still reaches the ICE socket, both count."""
    with Lab(folder) as lab:
        mine, theirs = _joined(lab, 41000)
        alice, bob = mine.wg, theirs.wg
        _loses_nothing(alice, bob)
        status = alice.status_of(bob)
        assert status["endpoint"] == theirs.mapped and status["latest_handshake"] > 0, status
        assert status["rx_bytes"] > 0 and status["tx_bytes"] > 0, status
        for hole, other in ((mine, theirs), (theirs, mine)):
            hole.drain()
            other.send(hole)
            assert receive(hole.socket, 3), "the redirect swallows STUN"
            assert not set(hole.drain()) & set(WIREGUARD_TYPES)
        refused = alice.refuse("path-set", peer="bob", kind="forwarded",
                               remote=endpoint("203.0.113.99", 1))
        _loses_nothing(alice, bob)
        for one in (alice, bob):
            assert one.shut_down() == 0
            assert interface_index(one.host) is None
            assert "pg0" not in one.host.run(["nft", "list", "ruleset"])
        return refused["message"]


def _learned(host):
    """The map's elements: key as text: port."""
    listed = json.loads(host.run(["nft", "--json", "list", "map", "inet", f"punchguard_{INTERFACE}",
                                  "learned"]))
    elements = listed["nftables"][1]["map"].get("elem", [])
    return {json.dumps(key["elem"]["val"]["concat"]): port for key, port in elements}


def _learn(host, port):
    """As from a peer whose NAT rebinds: who sends to the port of its own pair is not learned."""
    host.nft(f"add element inet punchguard_{INTERFACE} learned {{ 198.51.100.9 . 4000 : {port} }}\n")


def _device(host):
    """What WireGuard has of its peers, what traffic changes left out."""
    kept = []
    for line in host.run(["wg", "show", INTERFACE, "dump"]).splitlines()[1:]:
        key, preshared, remote, allowed, handshake, _, _, keepalive = line.split("\t")
        kept.append((key, preshared, remote, allowed, handshake, keepalive))
    return kept


def _taken_over(folder, port, end, kind="eim/eim"):
    """alice's wg-setup is ended by `end` and another one started, told what a broker would tell."""
    with Lab(folder) as lab:
        mine, theirs = _joined(lab, port, kind)
        alice, bob = mine.wg, theirs.wg
        host = alice.host
        _loses_nothing(alice, bob)
        _learn(host, mine.base["port"])
        before = _device(host), _table(host), _learned(host), interface_index(host)
        assert before[2], "nothing was learned"
        watch = host.start(["ip", "monitor", "link", "address", "route"], "ip-monitor")
        notices = []

        def replace():
            end(alice)
            assert alice.process.wait(PATIENCE) is not None
            alice.start().await_ready()
            assert (_device(host), _table(host), _learned(host), interface_index(host)) == before
            alice.set_peer(bob)
            notices.append(alice.status_of(bob))
            _direct(mine, theirs)
        count = _loses_nothing(alice, bob, 5, replace)
        assert notices[0]["endpoint"] == theirs.mapped, notices
        assert notices[0]["base"] == mine.base, notices
        assert (_device(host), _table(host), _learned(host), interface_index(host)) == before
        assert not watch.lines, watch.lines
        alice.ask("port-close", peer=bob.name, base=mine.base)
        assert "elements" not in host.run(
            ["nft", "list", "set", "inet", f"punchguard_{INTERFACE}", "ice"])
        assert not _learned(host), "what was learned outlives its port"
        for one in (alice, bob):
            assert one.shut_down() == 0
        return f"0 of {count} pings lost"


@scenario(timeout=120)
def eof_leaves_the_tunnel_standing_for_adoption(folder):
    """Without wg-setup nothing is lost; the next one takes over without touching anything."""
    def end(wg):
        assert wg.end_input() == 0
    return _taken_over(folder, 42000, end)


@scenario(timeout=120)
def killed_wg_setup_is_replaced_without_loss(folder):
    def end(wg):
        wg.process.kill()
        wg.process.wait(PATIENCE)
    return _taken_over(folder, 42100, end)


@scenario(timeout=120)
def ipv6_tunnel_is_taken_over_without_loss(folder):
    def end(wg):
        assert wg.end_input() == 0
    return _taken_over(folder, 42150, end, "ipv6")


@scenario(timeout=120)
def adopted_peer_without_grant_is_dropped(folder):
    """One whose addresses the configuration grants to nobody any more does not stay."""
    with Lab(folder) as lab:
        mine, theirs = _joined(lab, 42200)
        alice, bob = mine.wg, theirs.wg
        _loses_nothing(alice, bob)
        assert alice.end_input() == 0
        alice.grant({})
        alice.start().await_ready()
        assert alice.host.run(["wg", "show", INTERFACE, "peers"]) == ""
        assert bob.ready["wg_public_key"] in alice.process.log_tail()
        for one in (alice, bob):
            assert one.shut_down() == 0


@scenario(timeout=120)
def path_change_keeps_what_was_learned(folder):
    """A change of one peer's ports must not make others' replies lose their way."""
    with Lab(folder) as lab:
        mine, theirs = _joined(lab, 42300)
        alice, bob = mine.wg, theirs.wg
        _loses_nothing(alice, bob)
        _learn(alice.host, mine.base["port"])
        before = _learned(alice.host)
        alice.ask("port-open", peer=bob.name, base=endpoint(mine.base["address"], 42350))
        alice.ask("port-close", peer=bob.name, base=endpoint(mine.base["address"], 42350))
        assert before and _learned(alice.host) == before
        for one in (alice, bob):
            assert one.shut_down() == 0


@scenario(timeout=120)
def replaced_address_is_left_at_once(folder):
    """The host moves to another address of its network: nobody tells wg-setup, packets leave with the
    new one, and where the peer's NAT filters endpoint-independently the tunnel goes on."""
    with Lab(folder) as lab:
        mine, theirs = _joined(lab, 45000, "eim/eif")
        alice, bob = mine.wg, theirs.wg
        _await_traffic(alice, bob)
        old, new = mine.base["address"], str(ipaddress.ip_address(mine.base["address"]) + 50)
        gateway = alice.host.lan.gateway(4)
        took = []
        for add, remove in ((new, old), (old, new)):
            with _Background(alice, bob, 0.02) as pings:
                alice.host.ip(f"address delete {remove}/24 dev eth0", f"address add {add}/24 dev eth0",
                              f"route add default via {gateway} dev eth0")
                moved = time.monotonic()
                took.append(pings.await_reply_after(moved, PATIENCE))
            sources = alice.host.run(
                ["nft", "list", "map", "inet", f"punchguard_{INTERFACE}", "source"])
            assert (old in sources) == (add == old), sources
            alice.process.await_event(lambda event: event["type"] == "network-changed", 1)
        for one in (alice, bob):
            assert one.shut_down() == 0
        assert max(took) < 1, took
        return f"a ping is back after {took[0]:.2f} s, and after moving back {took[1]:.2f} s"


def _back_after(folder, port, damage):
    """Seconds until a ping passes again after `damage(host)`, everything told once more by wg-setup."""
    with Lab(folder) as lab:
        mine, theirs = _joined(lab, port)
        alice, bob = mine.wg, theirs.wg
        _await_traffic(alice, bob)
        routes = alice.host.run(["ip", "route", "show", "dev", INTERFACE])
        before = [peer[:4] + peer[5:] for peer in _device(alice.host)]
        with _Background(alice, bob, 0.02) as pings:
            damage(alice.host)
            broken = time.monotonic()
            took = pings.await_reply_after(broken, PATIENCE)
        assert [peer[:4] + peer[5:] for peer in _device(alice.host)] == before
        assert alice.host.run(["ip", "route", "show", "dev", INTERFACE]) == routes
        for one in (alice, bob):
            assert one.shut_down() == 0
            assert interface_index(one.host) is None
        assert took < 3, took
        return f"a ping is back after {took:.2f} s"


@scenario(timeout=120)
def deleted_interface_is_made_again(folder):
    return _back_after(folder, 46000, lambda host: host.ip(f"link delete {INTERFACE}"))


@scenario(timeout=120)
def killed_userspace_wireguard_is_started_again(folder):
    def kill(host):
        if backend_here(host) == "kernel":
            raise Skip("the kernel's WireGuard can't be killed")
        for pid in host.pids():
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                if file.read().strip() == "wireguard-go":
                    os.kill(pid, signal.SIGKILL)
    return _back_after(folder, 46100, kill)


def _await_endpoints(holes):
    """Until WireGuard on both sides goes by these holes: what is on its way may lead it back before."""
    calm, deadline = 0, time.monotonic() + promised(PATIENCE)
    while calm < 10 and time.monotonic() < deadline:
        moved = all(hole.wg.status_of(other.wg)["endpoint"] == other.mapped
                    for hole, other in (holes, holes[::-1]))
        calm = calm + 1 if moved else 0
        time.sleep(0.02)
    assert calm == 10, "WireGuard does not keep to the new path"


@scenario(timeout=120)
def path_moves_to_another_port_without_loss(folder):
    with Lab(folder) as lab:
        mine, theirs = _joined(lab, 43000)
        alice, bob = mine.wg, theirs.wg
        other = _Hole(alice, 43500), _Hole(bob, 43501)
        _punch(*other)

        def move():
            # Both ports first, as two brokers do: what goes to a port that is not open yet is lost.
            for hole, remote in (other, other[::-1]):
                hole.wg.ask("port-open", peer=remote.wg.name, base=hole.base)
            for hole, remote in (other, other[::-1]):
                _direct(hole, remote)
            _await_endpoints(other)
            for hole, peer in ((mine, bob), (theirs, alice)):
                hole.wg.ask("port-close", peer=peer.name, base=hole.base)
        _loses_nothing(alice, bob, 4, move)
        assert alice.status_of(bob)["endpoint"] == other[1].mapped
        for one in (alice, bob):
            assert one.shut_down() == 0


@scenario(timeout=120)
def flushed_table_is_back_within_a_second(folder):
    with Lab(folder) as lab:
        mine, theirs = _joined(lab, 44000)
        alice, bob = mine.wg, theirs.wg
        _loses_nothing(alice, bob)
        before = _table(alice.host)
        alice.host.run(["nft", "flush", "ruleset"])
        deadline = time.monotonic() + 1
        while (after := _table(alice.host)) != before and time.monotonic() < deadline:
            pass
        assert after == before, after
        _loses_nothing(alice, bob)
        for one in (alice, bob):
            assert one.shut_down() == 0


def _table(host):
    """The rules without what traffic adds to them."""
    ruleset = json.loads(host.run(["nft", "--json", "--stateless", "list", "ruleset"]))
    for item in ruleset["nftables"]:
        for kind, thing in item.items():
            thing.pop("handle", None)
            if kind == "map" and thing["name"] == "learned":
                thing.pop("elem", None)
    return ruleset["nftables"][1:]


@scenario(timeout=120)
def peer_gets_nothing_that_is_not_granted(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        for one in (alice, bob):
            one.start().await_ready()
        key = bob.ready["wg_public_key"]
        common = {"wg_public_key": key, "keepalive": 25}
        for fields in ({"peer": "bob", "id": bob.id, "allowed_ips": ["0.0.0.0/0"]},
                       {"peer": "bob", "id": bob.id, "allowed_ips": ["10.66.0.0/24"]},
                       {"peer": "bob", "id": alice.id, "allowed_ips": ["10.66.0.2/32"]},
                       {"peer": "mallory", "id": bob.id, "allowed_ips": ["10.66.0.2/32"]}):
            alice.refuse("peer-set", **common, **fields)
        assert alice.host.run(["wg", "show", INTERFACE, "peers"]) == ""
        for one in (alice, bob):
            assert one.shut_down() == 0


@scenario(timeout=60)
def what_is_granted_is_read_again(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        alice.interface["addresses"] = ["10.66.0.1/32"]
        alice.grant({})
        for one in (alice, bob):
            one.start().await_ready()
        routes = lambda: alice.host.run(["ip", "route", "show", "table", "all", "dev", INTERFACE])  # noqa: E731
        alice.grant({bob: ["10.66.0.2/32", "10.77.0.0/16"]})
        wide = {"peer": "bob", "id": bob.id, "wg_public_key": bob.ready["wg_public_key"],
                "keepalive": 25, "allowed_ips": ["10.66.0.2/32", "10.77.0.0/16"]}
        alice.refuse("peer-set", **wide)
        alice.ask("reload")
        alice.ask("peer-set", **wide)
        assert "10.77.0.0/16" in routes()
        alice.grant({bob: ["10.66.0.2/32"]})
        alice.ask("reload")
        assert "10.77.0.0/16" not in routes() and "10.66.0.2" in routes()
        with open(alice.conf_path, "w", encoding="utf-8") as file:
            file.write("{")
        assert alice.conf_path in alice.refuse("reload")["message"]
        alice.set_peer(bob)
        alice.grant({})
        alice.ask("reload")
        assert alice.host.run(["wg", "show", INTERFACE, "peers"]) == ""
        assert "10.66.0.2" not in routes()
        alice.refuse("peer-set", **wide)
        for one in (alice, bob):
            assert one.shut_down() == 0


@scenario(timeout=60)
def removed_peer_leaves_no_route(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        alice.interface["addresses"] = ["10.66.0.1/32"]
        alice.grant({bob: ["10.66.0.2/32"]})
        for one in (alice, bob):
            one.start().await_ready()
        alice.set_peer(bob)
        assert "10.66.0.2" in alice.host.run(["ip", "route", "show", "dev", INTERFACE])
        alice.ask("peer-remove", peer="bob")
        assert "10.66.0.2" not in alice.host.run(["ip", "route", "show", "dev", INTERFACE])
        assert alice.host.run(["wg", "show", INTERFACE, "peers"]) == ""
        for one in (alice, bob):
            one.process.signal(signal.SIGTERM)
            assert one.process.wait(PATIENCE) is not None


@scenario(timeout=60)
def userspace_wireguard_that_always_ends_is_started_once_a_second(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        if backend_here(alice.host) == "kernel":
            raise Skip("the kernel's WireGuard does not end")
        starts = os.path.join(folder, "starts")
        with open(os.path.join(folder, "wireguard-go"), "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\necho >>{starts}\n"
                       f"exec timeout --foreground -s KILL 0.3 {shutil.which('wireguard-go')} \"$@\"\n")
        os.chmod(file.name, 0o755)
        plain = alice.argv()
        alice.argv = lambda: ["env", f"PATH={folder}:{os.environ['PATH']}"] + plain
        for one in (alice, bob):
            one.start().await_ready()
        time.sleep(4)
        alice.process.send({"type": "ping", "ref": 77})
        alice.process.await_event(lambda event: event["type"] == "pong", 3, "pong")
        with open(starts, encoding="ascii") as file:
            count = len(file.readlines())
        assert 3 <= count <= 6, count
        for one in (alice, bob):
            one.process.stop(PATIENCE)
        return f"{count} starts in 4 s"


def _limits_of(pid):
    """What /proc says a process may do: capabilities, no_new_privs, seccomp's mode."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in file if ":\t" in line)
    return {name: fields[name].strip()
            for name in ("CapPrm", "CapEff", "CapBnd", "NoNewPrivs", "Seccomp")}


@scenario(timeout=60)
def nothing_but_net_admin_is_kept(folder):
    """wg-setup itself, and the userspace WireGuard that it started."""
    net_admin = f"{1 << 12:016x}"
    with Lab(folder) as lab:
        alice = _single(lab)
        alice.start().await_ready()
        pids = alice.host.pids()
        assert len(pids) == (1 if backend_here(alice.host) == "kernel" else 2), pids
        for pid in pids:
            assert _limits_of(pid) == {"CapPrm": net_admin, "CapEff": net_admin, "CapBnd": net_admin,
                                       "NoNewPrivs": "1", "Seccomp": "2"}, _limits_of(pid)
        assert alice.shut_down() == 0


# What a kernel without netfilter's netlink answers, by a filter of system calls: family, any type, protocol.
_WITHOUT_NFTABLES = """
import ctypes, errno, os, socket, sys
class Condition(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]
EQUAL, ALLOW, ERRNO, NETFILTER = 4, 0x7fff0000, 0x00050000, 12
library = ctypes.CDLL("libseccomp.so.2")
library.seccomp_init.restype = ctypes.c_void_p
library.seccomp_rule_add_array.argtypes = [ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint,
                                           ctypes.POINTER(Condition)]
library.seccomp_load.argtypes = [ctypes.c_void_p]
conditions = (Condition * 2)(Condition(0, EQUAL, socket.AF_NETLINK, 0), Condition(2, EQUAL, NETFILTER, 0))
rules = library.seccomp_init(ALLOW)
call = library.seccomp_syscall_resolve_name(b"socket")
assert library.seccomp_rule_add_array(rules, ERRNO | errno.EPROTONOSUPPORT, call, 2, conditions) == 0
assert library.seccomp_load(rules) == 0
os.execv(sys.argv[1], sys.argv[1:])
"""


@scenario(timeout=60)
def without_nftables_direct_paths_are_refused_and_forwarded_ones_work(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        plain = alice.argv()
        alice.argv = lambda: ["python3", "-c", _WITHOUT_NFTABLES] + plain
        for one in (alice, bob):
            one.start().await_ready()
        alice.set_peer(bob)
        base = endpoint(alice.host.addresses[4], 47000)
        error = alice.refuse("port-open", peer=bob.name, base=base)
        assert error["code"] == "nftables" and "nf_tables" in error["message"], error
        alice.refuse("path-set", peer=bob.name, kind="direct", base=base, remote=endpoint("192.0.2.1", 1))
        alice.ask("path-set", peer=bob.name, kind="forwarded", remote=endpoint("127.0.0.1", 47001))
        assert alice.status_of(bob)["endpoint"] == endpoint("127.0.0.1", 47001)
        for one in (alice, bob):
            assert one.shut_down() == 0
            assert interface_index(one.host) is None
        alice.grant({bob: [f"{bob.overlay}/32"]}, {bob: "none"})
        alice.start().await_ready()
        closed = alice.refuse("peer-set", peer=bob.name, id=bob.id, wg_public_key=bob.ready["wg_public_key"],
                              allowed_ips=[f"{bob.overlay}/32"], keepalive=25)
        assert closed["code"] == "nftables" and "inbound" in closed["message"], closed
        assert alice.host.run(["wg", "show", INTERFACE, "peers"]) == ""
        assert alice.shut_down() == 0
        return error["message"]
