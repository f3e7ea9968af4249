# SPDX-License-Identifier: GPL-3.0-or-later
"""punchguard-ice-agent --netcheck says of each kind of NAT what that NAT is."""

import contextlib
import json
import os
import select
import subprocess
import time

from lab import STUN_PORT, Lab, program, program_folders
from probe import mapped_endpoint
from scenario import promised, scenario

EIM, ADDRESS, PORT = "endpoint-independent", "address-dependent", "address-and-port-dependent"
UNKNOWN = "unknown"
# Other addresses of the STUN servers 11 and 12 (RFC 5780).
BOTH_ELSEWHERE = {11: 13, 12: 14}


def _run(host, servers, *options):
    """Exit status, and standard output."""
    argv = [program("punchguard-ice-agent"), "--netcheck", *options]
    for server in servers:
        argv += ["--stun", server]
    began = time.monotonic()
    done = subprocess.run(host.inside(argv), stdin=subprocess.DEVNULL, capture_output=True,
                          text=True, timeout=20)
    took = time.monotonic() - began
    print(done.stdout, done.stderr, f"{took:.2f} s", flush=True)
    assert took < promised(5), took
    return done.returncode, done.stdout


def _check(host, servers, *options):
    status, text = _run(host, servers, "--json", *options)
    found = json.loads(text)
    assert status == (0 if found["can_punch"] else 1), (status, found)
    return found


def _behaviour(place):
    return place["mapping"], place["filtering"]


def _only(found, family="IPv4"):
    places = [place for place in found["addresses"] if place["family"] == family]
    assert len(places) == 1, found
    return places[0]


def _asserts(place, host, mapping, filtering, punch, public, preserved, hairpin=False):
    assert place["interface"] == "eth0", place
    assert place["local"]["address"] in map(str, host.addresses.values()), place
    assert place["public"]["address"] == public, place
    assert _behaviour(place) == (mapping, filtering), place
    assert place["port_preserved"] is preserved, place
    assert place["hairpin"] is hairpin, place
    assert place["nat"] is (public not in map(str, host.addresses.values())), place
    assert place["punch"] == punch, place


def _nat(folder, kind, *expected, **more):
    """A host behind that kind, asked by two servers of RFC 5780."""
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home(kind))
        found = _check(host, lab.stun)
        _asserts(_only(found), host, *expected, public=host.lan.outermost.address, **more)
        assert found["udp"] == "passes", found
        assert found["ipv6"] == {"address": False, "reachable": None}, found
        return ", ".join(_behaviour(_only(found)))


@scenario()
def eim(folder):
    return _nat(folder, "eim", EIM, PORT, "all-but-symmetric", preserved=True)


@scenario()
def cgn(folder):
    return _nat(folder, "cgn", EIM, PORT, "all-but-symmetric", preserved=True)


@scenario()
def eif(folder):
    return _nat(folder, "eif", EIM, EIM, "all", preserved=True)


@scenario()
def symmetric(folder):
    return _nat(folder, "symmetric", PORT, PORT, "only-open", preserved=False, hairpin=None)


@scenario()
def routed(folder):
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("routed"))
        found = _check(host, lab.stun)
        _asserts(_only(found), host, EIM, PORT, "all-but-symmetric",
                 public=str(host.addresses[4]), preserved=True, hairpin=None)


@scenario()
def ipv6_alone(folder):
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("ipv6"))
        found = _check(host, lab.stun)
        assert [place["family"] for place in found["addresses"]] == ["IPv6"], found
        _asserts(_only(found, "IPv6"), host, EIM, PORT, "all-but-symmetric",
                 public=str(host.addresses[6]), preserved=True, hairpin=None)
        assert [server["asked"] for server in found["servers"]] == [False, True] * 2, found


@scenario()
def no_nat_and_no_firewall(folder):
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.public_server("alice", 60)
        found = _check(host, lab.stun)
        for family, version in (("IPv4", 4), ("IPv6", 6)):
            _asserts(_only(found, family), host, EIM, EIM, "all",
                     public=str(host.addresses[version]), preserved=True, hairpin=None)
        assert found["ipv6"] == {"address": True, "reachable": True}, found


@scenario()
def blocked_udp(folder):
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("udp-blocked"))
        found = _check(host, lab.stun)
        assert found["udp"] == "blocked" and not found["can_punch"], found
        assert found["punch"] == "nobody" and "only forwarded paths" in found["summary"], found
        assert _only(found)["public"] is None, found
        assert {server["rtt_ms"] for server in found["servers"]} == {None}, found


@scenario()
def udp_blocked_by_the_host_itself(folder):
    """Its own firewall has sending fail, which is not the same as to have no route."""
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("eim"))
        host.nft("""
            table inet own {
                chain output {
                    type filter hook output priority filter
                    meta l4proto udp drop
                }
            }
            """)
        found = _check(host, lab.stun)
        assert found["udp"] == "blocked" and "only forwarded paths" in found["summary"], found


@scenario()
def no_address(folder):
    with Lab(folder) as lab:
        host = lab.node("alice", mounts=True)
        found = _check(host, ["203.0.113.11"])
        assert found["udp"] == "unknown" and found["addresses"] == [], found
        assert "usable address" in found["summary"], found


@scenario()
def filter_by_address_alone(folder):
    """Linux has no such NAT: whom a port of the host's has sent to may send to it."""
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("eim"))
        host.lan.router.node.nft(f"""
            table ip restricted {{
                set contacted {{ type ipv4_addr . inet_service; size 64; flags dynamic; }}
                chain forward {{
                    type filter hook forward priority -10
                    oifname "wan" meta l4proto udp update @contacted {{ ip daddr . udp sport }}
                }}
                chain prerouting {{
                    type nat hook prerouting priority dstnat
                    iifname "wan" ip saddr . udp dport @contacted dnat to {host.addresses[4]}
                }}
            }}
            insert rule inet filter forward iifname "wan" ct status dnat accept
            """)
        found = _check(host, lab.stun)
        _asserts(_only(found), host, EIM, ADDRESS, "all",
                 public=host.lan.router.address, preserved=True)


@scenario()
def mapping_by_address_alone(folder):
    """Linux has no such NAT: each address of a server has a public port of its own for one port."""
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("eim"))
        router = host.lan.router
        rules = "\n".join(f'oifname "wan" udp sport 40001 ip daddr 203.0.113.{number} '
                          f"snat to {router.address}:{41000 + number}" for number in range(11, 15))
        router.node.nft("table ip by_address { chain postrouting {\n"
                        f"type nat hook postrouting priority srcnat - 10\n{rules}\n}}\n}}\n")
        found = _check(host, lab.stun, "--port", "40001")
        _asserts(_only(found), host, ADDRESS, PORT, "only-open", public=router.address,
                 preserved=False, hairpin=None)


@scenario()
def a_port_that_another_host_has_taken(folder):
    """Linux' masquerade keeps the port until it clashes. Then it takes another, for all that follow
    from there too: who clashes first has an endpoint-independent mapping, who clashes later none."""
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        alice = lab.host("alice", lab.home("eim"))
        bob = lab.host("bob", alice.lan)
        with bob.socket() as first, bob.socket() as later:
            first.bind(("0.0.0.0", 40001))
            mapped_endpoint(first, ("203.0.113.11", STUN_PORT))
            later.bind(("0.0.0.0", 40002))
            mapped_endpoint(later, ("203.0.113.12", STUN_PORT))
            # The servers are asked in the order of the command line.
            clash_first = _only(_check(alice, lab.stun, "--port", "40001"))
            clash_later = _only(_check(alice, lab.stun, "--port", "40002"))
        for place, mapping, punch in ((clash_first, EIM, "all-but-symmetric"),
                                      (clash_later, PORT, "only-open")):
            assert _behaviour(place) == (mapping, PORT), place
            assert place["port_preserved"] is False and place["punch"] == punch, place
        assert _behaviour(_only(_check(alice, lab.stun))) == (EIM, PORT)


@scenario()
def hairpin(folder):
    """A router that takes what its LAN sends to its public address for what the world sends there."""
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("eif"))
        router = host.lan.router
        router.node.nft(f"""
            table ip hairpin {{
                chain prerouting {{
                    type nat hook prerouting priority dstnat
                    iifname "lan0" ip daddr {router.address} meta l4proto udp dnat to {host.addresses[4]}
                }}
                chain postrouting {{
                    type nat hook postrouting priority srcnat
                    oifname "lan0" ip saddr {host.addresses[4]} snat to {router.address}
                }}
            }}
            """)
        # Else the bridge itself would send on what stays on the LAN, but never to where it came from.
        with contextlib.suppress(FileNotFoundError):
            router.node.sysctl("net/bridge/bridge-nf-call-iptables", 0)
        found = _check(host, lab.stun)
        _asserts(_only(found), host, EIM, EIM, "all", public=router.address, preserved=True,
                 hairpin=True)


def _at_terminal(host, argv):
    """What it says on standard error, where that is a terminal, until standard output has something."""
    ours, its = os.openpty()
    with subprocess.Popen(host.inside(argv), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=its) as run:
        os.close(its)
        said = os.read(ours, 4096).decode()
        assert not select.select([run.stdout], [], [], 0)[0], "it came with the answer"
        run.communicate(timeout=20)
    os.close(ours)
    return said


@scenario()
def who_waits_at_a_terminal_is_told_for_what(folder):
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("eim"))
        conf = os.path.join(host.folder, "conf.json")
        with open(conf, "w", encoding="ascii") as file:
            json.dump({"ice": {"stun": lab.stun}, "signalling": [], "peers": []}, file)
        env = ["env", "PATH=" + ":".join(program_folders() + [os.environ["PATH"]])]
        wanted = f"asking {len(lab.stun)} STUN servers\r\n"
        for command in (["netcheck"], ["doctor", "--json"]):
            argv = [*env, program("punchguard"), "-c", conf, *command]
            assert _at_terminal(host, argv) == wanted, command
        piped = subprocess.run(host.inside(argv), capture_output=True, text=True, timeout=20)
        assert "asking" not in piped.stderr, piped.stderr
        one = [*env, program("punchguard"), "-c", conf, "netcheck", "--stun", lab.stun[0]]
        assert _at_terminal(host, one) == "asking 1 STUN server\r\n"


def _expected(one, other):
    """Whether two hosts punch, by what was said of each."""
    if "nobody" in (one, other):
        return False
    return "all" in (one, other) or (one, other) == ("all-but-symmetric",) * 2


def _punch(lab, alice, bob):
    """Whether two agents, joined as by pipes, find a path within 10 s; they need one where they do."""
    agents = {}

    def say(to, event):
        with contextlib.suppress(KeyError, OSError):
            agents[to].send(event)
    for host, to, role in ((alice, bob, "--controlling"), (bob, alice, "--controlled")):
        argv = [program("punchguard-ice-agent"), role, "--stun", lab.stun[0], "--stun", lab.stun[2]]
        agents[host] = host.start(argv, listener=lambda event, to=to: say(to, event))
    # What the first said before there was a second is said again.
    for event in agents[alice].events[:]:
        say(bob, event)
    try:
        agents[alice].await_event(lambda event: event["type"] == "selected", 10)
    except TimeoutError:
        return False
    finally:
        for agent in agents.values():
            agent.close_input()
    return True


@scenario(timeout=120)
def what_it_says_comes_true(folder):
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        homes = {kind: lab.host(kind, lab.home(kind)) for kind in ("eim", "eif", "symmetric")}
        homes["eim2"] = lab.host("eim2", lab.home("eim"))
        said = {kind: _check(homes[kind], lab.stun)["punch"] for kind in homes}
        for one, other, punches in (("eim", "eim2", True), ("eif", "symmetric", True),
                                    ("eif", "eim", True), ("eim", "symmetric", False)):
            assert _expected(said[one], said[other]) is punches, (one, other, said)
            assert _punch(lab, homes[one], homes[other]) is punches, (one, other)


@scenario()
def servers_that_cannot_answer_from_elsewhere(folder):
    """The mapping takes two of any kind; the filter stays unknown."""
    with Lab(folder) as lab:
        lab.start_stun()
        host = lab.host("alice", lab.home("eim"))
        place = _only(_check(host, lab.stun))
        assert _behaviour(place) == (EIM, UNKNOWN), place
        assert place["punch"] == "all-but-symmetric", place
        place = _only(_check(host, lab.stun[:1]))
        assert _behaviour(place) == (UNKNOWN, UNKNOWN) and place["punch"] == UNKNOWN, place
        host = lab.host("bob", lab.home("symmetric"))
        place = _only(_check(host, lab.stun))
        assert _behaviour(place) == ("endpoint-dependent", UNKNOWN), place
        assert place["punch"] == "only-open", place


@scenario()
def a_server_that_never_answers_from_elsewhere(folder):
    """Its other address is dead, or it does not do as it is asked: that is no filter of ours."""
    with Lab(folder) as lab:
        node, _ = lab.start_stun({11: 13})
        host = lab.host("alice", lab.home("eim"))
        node.nft("""
            table inet deaf {
                chain output {
                    type filter hook output priority filter
                    ip saddr 203.0.113.13 drop
                }
            }
            """)
        place = _only(_check(host, lab.stun))
        assert _behaviour(place) == (EIM, UNKNOWN), place


@scenario()
def names_that_nobody_resolves(folder):
    """The name server is dead; that takes no longer than the filter does."""
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("eim"))
        host.run(["sh", "-c", "echo nameserver 203.0.113.99 >/run/resolv.conf && "
                              "mount --bind /run/resolv.conf /etc/resolv.conf"])
        place = _only(_check(host, ["stun.example.org", *lab.stun]))
        assert _behaviour(place) == (EIM, PORT), place
        found = _check(host, ["stun.example.org", "stun.example.net"])
        assert found["udp"] == "unknown" and "could be asked" in found["summary"], found


@scenario()
def loss(folder):
    """One datagram of ten is lost each way."""
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("eim"))
        host.lan.router.node.nft("""
            table inet loss {
                chain forward {
                    type filter hook forward priority -200
                    meta l4proto udp numgen random mod 100 < 10 drop
                }
            }
            """)
        place = _only(_check(host, lab.stun))
        assert _behaviour(place) == (EIM, PORT), place


@scenario()
def two_interfaces(folder):
    """Each is looked at by itself; the best one counts."""
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("symmetric"))
        other = lab.home("eim")
        host.ip("route delete default")
        address = other.join(host, "eth1")[4]
        # By source address, so that each leaves by its own router.
        host.ip(f"rule add from {host.addresses[4]} lookup 100",
                f"route add default via {host.lan.gateway(4)} dev eth0 table 100")
        found = _check(host, lab.stun)
        places = {place["interface"]: place for place in found["addresses"]}
        assert places["eth0"]["punch"] == "only-open", found
        assert places["eth1"]["punch"] == "all-but-symmetric", found
        assert places["eth1"]["local"]["address"] == str(address), found
        assert places["eth1"]["public"]["address"] == other.router.address, found
        assert found["punch"] == "all-but-symmetric", found


@scenario()
def what_people_read(folder):
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("eim"))
        status, text = _run(host, lab.stun + ["stun.invalid"])
        assert status == 0, status
        for words in ("eth0", host.lan.router.address, EIM, PORT, "preserved", "hairpin", "IPv6",
                      "RFC 5780", " ms", "has no address",
                      "can punch with everything but a symmetric NAT"):
            assert words in text, words
        assert max(map(len, text.splitlines())) <= 100, text


@scenario()
def the_person_s_command_asks_the_configuration_s_servers(folder):
    with Lab(folder) as lab:
        lab.start_stun(BOTH_ELSEWHERE)
        host = lab.host("alice", lab.home("eim"))
        path = os.path.join(host.folder, "conf.json")
        search = f"PATH={':'.join(program_folders() + [os.environ['PATH']])}"

        def command(stun, *options):
            with open(path, "w", encoding="ascii") as file:
                json.dump({"ice": {"stun": stun}, "peers": []}, file)
            argv = ["env", search, program("punchguard"), "-c", path, "netcheck", *options]
            done = subprocess.run(host.inside(argv), capture_output=True, text=True, timeout=20)
            print(done.stdout, done.stderr)
            return done.returncode, done.stdout, done.stderr
        status, text, _ = command(lab.stun, "--json")
        found = json.loads(text)
        assert status == 0 and found["punch"] == "all-but-symmetric", found
        assert [server["server"] for server in found["servers"]] == lab.stun, found
        status, text, _ = command(["203.0.113.99"], "--stun", lab.stun[0])
        assert status == 0 and "can punch" in text and "203.0.113.99" not in text, text
        assert command(["203.0.113.99"])[0] == 1
        for wrong, where in (([], "$.ice.stun"), ([5], "$.ice.stun[0]"), ("x", "$.ice.stun")):
            status, text, log = command(wrong)
            assert (status, text) == (2, "") and where in log, (status, log)
