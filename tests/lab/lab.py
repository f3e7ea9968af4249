# SPDX-License-Identifier: GPL-3.0-or-later
"""A small internet on one machine: public servers, NATs and hosts as network namespaces.

    with Lab() as lab:
        alice = lab.host("alice", lab.home("eim"))
        bob = lab.host("bob", lab.home("cgn"))
        lab.start_stun()

Nothing of it has a name on the machine, so any number of labs run side by side. Leaving the with
block, an exception, SIGINT and SIGTERM take everything down; after SIGKILL the kernel does.
"""

import contextlib
import ipaddress
import os
import re
import shutil
import signal
import sys
import tempfile
import time

from node import Node

TOX_NODES = 4
TOX_PORT = 33445
DHT_PORT = 4222
STUN_PORT = 3478
FAMILIES = {4, 6}

# How each kind of router treats what its hosts send; the words are RFC 4787's.
#   eim        Linux' masquerade, as home routers do it: keeps the port, address and port-dependent
#              filtering; seen from outside its mapping is endpoint-independent
#   eif        the same with endpoint-independent filtering ("full cone"): Linux has no such NAT, so
#              a static dnat stands for it: all UDP to the router's address goes to the first host
#              on its LAN, port kept, so that a mapping and its filter are what that NAT would have
#   symmetric  a new random port for every remote endpoint: address and port-dependent mapping
#   routed     public addresses, a stateful firewall and no NAT
_MASQUERADE = {"eim": "masquerade", "eif": "masquerade", "symmetric": "masquerade random,fully-random", "routed": None}


def _add_address(address, length, interface):
    """A command of ip(8). Without "nodad" a new IPv6 address can't be bound until the kernel has looked at it again."""
    return f"address add {address}/{length} dev {interface}{' nodad' if address.version == 6 else ''}"


class Lan:
    """An Ethernet: a bridge in `node`, which is the gateway of everybody on it."""

    def __init__(self, node, bridge, networks, first_host):
        self.node = node
        self.bridge = bridge
        self.networks = networks
        self._next_host = first_host
        self._ports = 0
        node.ip(f"link add {bridge} type bridge forward_delay 0 mcast_snooping 0",
                f"link set {bridge} up",
                *[_add_address(self.gateway(family), networks[family].prefixlen, bridge)
                  for family in networks])

    def gateway(self, family):
        return self.networks[family][1 if self.networks[family].prefixlen == 28 else 254]

    def join(self, node, interface, families=None, number=None):
        """Joins `node` by a new interface; returns its addresses, {4: …, 6: …}."""
        self._ports += 1
        port = f"{self.bridge}p{self._ports}"
        if number is None:
            number = self._next_host
            self._next_host += 1
        families = sorted(set(self.networks) & (families or FAMILIES))
        self.node.ip(f"link add {port} type veth peer name {interface} netns {node.holder_pid}",
                     f"link set {port} master {self.bridge} up")
        node.sysctl(f"net/ipv6/conf/{interface}/disable_ipv6", 0 if 6 in families else 1)
        addresses = {family: self.networks[family][number] for family in families}
        node.ip(*[_add_address(addresses[family], self.networks[family].prefixlen, interface)
                  for family in families],
                f"link set {interface} up",
                *[f"route add default via {self.gateway(family)} dev {interface}"
                  for family in families])
        return addresses


class Router:
    """A home's or a carrier's router: hosts on its LANs, `wan` towards the uplink."""

    def __init__(self, lab, name, kind, uplink):
        self.lab = lab
        self.kind = kind
        self.node = lab.node(name)
        self.uplink = uplink
        self._lans = 0
        for key in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            self.node.sysctl(key, 1)
        self.addresses = uplink.join(self.node, "wan", None if kind == "routed" else {4})
        self.node.nft(_router_rules(_MASQUERADE[kind]))

    @property
    def address(self):
        """The address the world sees (for routed ones: the router's own)."""
        return str(self.addresses[4])

    def lan(self, families=None):
        """A further LAN of this router."""
        bridge = f"lan{self._lans}"
        self._lans += 1
        return Lan(self.node, bridge, self.lab.allot(self, families or {4}), 10)

    def let_all_udp_in(self, address):
        """To that host behind it, from anywhere."""
        self.node.nft(f"""
            table ip nat {{
                chain prerouting {{
                    type nat hook prerouting priority dstnat
                    iifname "wan" meta l4proto udp dnat to {address}
                }}
            }}
            insert rule inet filter forward iifname "wan" meta l4proto udp ct status dnat accept
            """)

    def block_udp(self):
        """From now on no UDP passes; TCP does."""
        self.node.nft("insert rule inet filter forward meta l4proto udp drop\n")


def _router_rules(masquerade):
    rules = """
    table inet filter {
        chain input {
            type filter hook input priority filter; policy drop
            ct state established,related accept
            iifname "lan*" accept
            meta l4proto ipv6-icmp accept
        }
        chain forward {
            type filter hook forward priority filter; policy drop
            ct state established,related accept
            iifname "lan*" accept
        }
    }
    """
    if masquerade:
        rules += """
        table ip nat {
            chain postrouting {
                type nat hook postrouting priority srcnat
                oifname "wan" %s
            }
        }
        """ % masquerade
    return rules


class Lab:
    """The internet and everything on it. `folder` keeps logs and state; None: a temporary one."""

    def __init__(self, folder=None):
        self._temporary = folder is None
        self.folder = folder or tempfile.mkdtemp(prefix="punchguard-lab-")
        os.makedirs(self.folder, exist_ok=True)
        os.chmod(self.folder, 0o755)
        self.nodes = []
        self.stun = []
        self.tox = []  # the processes of the public Tox nodes
        self.bootstrap = {4: [], 6: []}
        self.dht = {4: [], 6: []}  # the public nodes of OpenDHT, "address:port"
        self._dht_nodes, self._dht_processes = [], []
        self._numbers = {}

    def __enter__(self):
        self._old_handler = signal.getsignal(signal.SIGTERM)
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
        try:
            self._make_internet()
        except BaseException:
            self.__exit__(None, None, None)
            raise
        return self

    def __exit__(self, *_):
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
        self._kill_processes()
        for node in self.nodes:
            node.end()
        if self._temporary:
            shutil.rmtree(self.folder, ignore_errors=True)
        with contextlib.suppress(ValueError):
            signal.signal(signal.SIGTERM, self._old_handler)

    def _kill_processes(self):
        deadline = time.monotonic() + 5
        while time.monotonic() < deadline:
            pids = [pid for node in self.nodes for pid in node.pids()]
            if not pids:
                return
            for pid in pids:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.01)

    def _make_internet(self):
        gateway = self.node("internet")
        for key in ("net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"):
            gateway.sysctl(key, 1)
        gateway.sysctl("net/ipv4/conf/all/send_redirects", 0)
        gateway.sysctl("net/ipv4/conf/default/send_redirects", 0)
        self.internet = Lan(gateway, "world", {4: ipaddress.ip_network("203.0.113.0/24"),
                                               6: ipaddress.ip_network("2001:db8::/64")}, 101)

    def node(self, name, mounts=False):
        node = Node(self, name, mounts)
        self.nodes.append(node)
        return node.await_ready()

    def allot(self, router, families):
        """Networks for a new LAN of `router`; public ones are routed to it."""
        if router.kind == "routed":
            number = self._count("routed")
            networks = {4: ipaddress.ip_network(f"198.51.100.{16 * number}/28"),
                        6: ipaddress.ip_network(f"2001:db8:{number:x}::/64")}
            networks = {family: networks[family] for family in networks if family in families}
            router.uplink.node.ip(*[f"route add {networks[family]} "
                                    f"via {router.addresses[family]}" for family in networks])
            return networks
        if router.carrier:
            return {4: ipaddress.ip_network(f"100.64.{self._count('carrier')}.0/24")}
        return {4: ipaddress.ip_network(f"192.168.{self._count('home')}.0/24")}

    def _count(self, what):
        self._numbers[what] = self._numbers.get(what, 0) + 1
        return self._numbers[what]

    def router(self, kind, uplink=None, carrier=False):
        router = Router(self, f"router{self._count('router')}", kind, uplink or self.internet)
        router.carrier = carrier
        return router

    def home(self, kind):
        """The LAN of a new home. Kinds: those of a router, `cgn` (an eim home router behind a
        carrier's NAT), `ipv6` (routed, IPv6 alone), `udp-blocked` (eim, no UDP passes)."""
        if kind == "cgn":
            carrier = self.router("eim", carrier=True)
            return self._lan_of(self.router("eim", carrier.lan()), outermost=carrier)
        if kind == "ipv6":
            return self._lan_of(self.router("routed"), families={6})
        if kind == "udp-blocked":
            lan = self._lan_of(self.router("eim"))
            lan.router.block_udp()
            return lan
        return self._lan_of(self.router(kind))

    @staticmethod
    def _lan_of(router, families=None, outermost=None):
        lan = router.lan(families)
        lan.router = router
        lan.outermost = outermost or router
        return lan

    def host(self, name, lan):
        """A host on `lan`, with a /run of its own."""
        host = self.node(name, mounts=True)
        host.lan = lan
        host.addresses = lan.join(host, "eth0")
        if lan.router.kind == "eif":
            lan.router.let_all_udp_in(host.addresses[4])
        return host

    def pair(self, kind):
        """Two hosts, alice and bob. `kind`: two kinds of home joined by a slash ("cgn/eim"),
        `same-nat` (two LANs of one router), `same-link` (one LAN), or `ipv6`."""
        if kind == "same-nat":
            first = self.home("eim")
            second = self._lan_of(first.router)
        elif kind == "same-link":
            first = second = self.home("eim")
        else:
            kinds = kind.split("/") if "/" in kind else [kind, kind]
            first, second = self.home(kinds[0]), self.home(kinds[1])
        return self.host("alice", first), self.host("bob", second)

    def public_server(self, name, number, further=()):
        """A server on the internet's Ethernet, 203.0.113.NUMBER and 2001:db8::NUMBER."""
        node = self.node(name)
        node.addresses = self.internet.join(node, "eth0", number=number)
        for extra in further:
            node.ip(_add_address(self.internet.networks[4][extra], 24, "eth0"),
                    _add_address(self.internet.networks[6][extra], 64, "eth0"))
        return node

    def start_stun(self, other=()):
        """Two STUN servers, at two addresses. Fills `stun`, a list of "address:port".

        Those named in `other`, {11: 13, 12: 14} say, have that number as their other address, and
        STUN_PORT + 1 as their other port (RFC 5780). Returns their nodes.
        """
        nodes = []
        for number in (11, 12):
            further = [other[number]] if number in other else []
            node = self.public_server(f"stun{number}", number, further)
            addresses = [str(node.addresses[family]) for family in (4, 6)]
            if further:
                _start_stun_pair(node, addresses, [str(self.internet.networks[family][further[0]])
                                                   for family in (4, 6)])
            else:
                _start_stun_server(node, addresses)
            self.stun += [f"{addresses[0]}:{STUN_PORT}", f"[{addresses[1]}]:{STUN_PORT}"]
            nodes.append(node)
        return nodes

    def start_tox(self):
        """The public nodes of a private Tox network. Fills `bootstrap`, as in conf.json."""
        first = None
        nodes = []
        for number in range(1, TOX_NODES + 1):
            node = self.public_server(f"tox{number}", number)
            argv = [program("tox-node"), str(TOX_PORT)]
            nodes.append((node, node.start(argv + (first or []))))
            if first is None:
                first = [str(node.addresses[4]), str(TOX_PORT), _public_key(nodes[0][1])]
        self.tox = [process for _, process in nodes]
        for node, process in nodes:
            for family in (4, 6):
                self.bootstrap[family].append({
                    "address": str(node.addresses[family]), "udp_port": TOX_PORT,
                    "tcp_ports": [TOX_PORT], "public_key": _public_key(process)})


    def start_dht(self):
        """The public nodes of a private OpenDHT network. Fills `dht`."""
        for number in (21, 22):
            node = self.public_server(f"dht{number}", number)
            self._dht_nodes.append(node)
            self.dht[4].append(f"{node.addresses[4]}:{DHT_PORT}")
            self.dht[6].append(f"[{node.addresses[6]}]:{DHT_PORT}")
        self.restart_dht()

    def restart_dht(self):
        """The same public nodes, that remember nobody."""
        for process in self._dht_processes:
            process.kill()
            process.wait(5)
        first = []
        self._dht_processes = []
        for node in self._dht_nodes:
            process = node.start([program("dht-node"), str(DHT_PORT)] + first)
            process.await_line(lambda line: line.startswith("ready"), 5, "word that it is ready")
            self._dht_processes.append(process)
            first = [str(node.addresses[4]), str(DHT_PORT)]


def _start_stun_server(node, addresses):
    listen = [f"--listen={_bracket(address)}:{STUN_PORT}" for address in addresses]
    process = node.start([program("stun-server")] + listen)
    process.await_line(lambda line: True, 5, "word that it listens")


def _start_stun_pair(node, addresses, others):
    pairs = [f"--pair={_bracket(address)}:{STUN_PORT},{_bracket(other)}:{STUN_PORT + 1}"
             for address, other in zip(addresses, others)]
    process = node.start([program("stun-server")] + pairs)
    process.await_line(lambda line: True, 5, "word that it listens")


def _bracket(address):
    return f"[{address}]" if ":" in address else address


def _public_key(process):
    line = process.await_line(lambda text: re.search(r"\b[0-9A-Fa-f]{64}\b", text), 10,
                              "public key")
    return re.search(r"\b[0-9A-Fa-f]{64}\b", line).group()


def program_folders():
    """Where the build (PUNCHGUARD_BUILD, default: the current folder) leaves its programs."""
    build = os.path.abspath(os.environ.get("PUNCHGUARD_BUILD", "."))
    return [build, os.path.join(build, "punchguard"), os.path.join(build, "tests")]


def find_program(name):
    """Path of a program of the build, or None."""
    for folder in program_folders():
        path = os.path.join(folder, name)
        if os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def program(name):
    path = find_program(name)
    if not path:
        raise NotBuilt(f"{name} is not in the build folder (PUNCHGUARD_BUILD)")
    return path


class NotBuilt(Exception):
    """A program the scenario needs has not been built."""
