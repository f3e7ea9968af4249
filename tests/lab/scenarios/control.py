# SPDX-License-Identifier: GPL-3.0-or-later
"""The person's command and the control socket: what they say of a path, to whom, and at what cost."""

import json
import os
import re
import socket
import subprocess
import time

from device import READY_TIMEOUT, Device, join, share_folder
from lab import Lab, program, program_folders
from scenario import Skip, promised, scenario

SOCKET = "/run/punchguard/pg0.sock"
READER, STRANGER = 61001, 61002
EVENT_BYTES = 1 << 20
ANSWER = 0.5        # s; a status while others do not read


def _argv(device, *arguments):
    return [program("punchguard"), "-c", device.conf_path, *arguments]


def _punchguard(device, *arguments):
    return device.host.run(_argv(device, *arguments), timeout=90)


def _try(device, *arguments, before=()):
    """Exit status, standard output and standard error."""
    done = subprocess.run(device.host.inside([*before, *_argv(device, *arguments)]), timeout=90,
                          capture_output=True, text=True)
    return done.returncode, done.stdout, done.stderr


def _status(device):
    return json.loads(_punchguard(device, "status", "--json"))


def _peer(device):
    return _status(device)["peers"][0]


def _await(look, wanted, timeout=15):
    """The first result of `look` that `wanted` accepts."""
    deadline = time.monotonic() + timeout
    while not wanted(seen := look()):
        assert time.monotonic() < deadline, f"still {seen}"
    return seen


def _pair(lab):
    alice, bob = pair = [Device(lab, host, number)
                         for number, host in enumerate(lab.pair("eim/eim"), start=1)]
    share_folder(lab, *pair)
    join(*pair)
    return alice, bob


def _metrics(text):
    """The text format of Prometheus, as {name with labels: number}; anything else in it raises."""
    types, found = {}, {}
    for line in text.splitlines():
        if match := re.fullmatch(r"# (HELP|TYPE) (\w+) (.*)", line):
            if match[1] == "TYPE":
                assert match[2] not in types and match[3] in ("gauge", "counter"), line
                types[match[2]] = match[3]
            continue
        match = re.fullmatch(r'(\w+)(?:\{(\w+="(?:[^"\\]|\\.)*",?)*\})? (\S+)', line)
        assert match and match[1] in types, line
        found[line.rpartition(" ")[0]] = float(match[3])
    return found


@scenario(timeout=90)
def status_says_how_a_path_is_made(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        alice, bob = _pair(lab)
        alice.start()
        alice.await_ready()
        alone = _await(lambda: _peer(alice), lambda peer: peer["state"] == "offline")
        assert alone["path"] == "none" and alone["rx_bytes"] == 0 and not alone["online"], alone
        assert "no transport reaches the peer" in _punchguard(alice, "status")
        bob.start()
        alice.await_direct(bob)
        with alice.pinger(bob) as pinger:
            pinger.first_reply(15)
        status = _status(alice)
        peer, device = status["peers"][0], status["device"]
        assert (peer["state"], peer["path"], peer["online"]) == ("connected", "direct", ["tox"]), peer
        event = alice.await_direct(bob)
        assert (peer["endpoint"], peer["base"]) == (event["remote"], event["base"]), (peer, event)
        assert abs(peer["latest_handshake"] - time.time()) < 60 and peer["rx_bytes"] > 0, peer
        assert device["ready"] and device["overlay"] == [f"{alice.overlay}/24"], device
        assert status["transports"][0]["state"] == "ready", status["transports"]
        shown = alice.show_id()
        assert json.loads(_punchguard(alice, "id", "--json")) == shown
        assert shown["id"] in _punchguard(alice, "id") and device["id"] == shown["id"]
        assert _punchguard(alice, "peers", "--names").split() == ["bob"]
        table = _punchguard(alice, "status")
        assert re.search(r"^bob +direct +connected +203\.0\.113\.\d+:\d+ +\d+ ms", table, re.M), table
        metrics = _metrics(_punchguard(alice, "status", "--prometheus"))
        assert metrics['punchguard_peer_path{peer="bob",path="direct"}'] == 1, metrics
        assert metrics['punchguard_peer_receive_bytes_total{peer="bob"}'] >= peer["rx_bytes"]
        assert metrics["punchguard_up"] == 1


@scenario(timeout=90)
def a_path_that_fails_says_why(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        alice, bob = [Device(lab, host, number)
                      for number, host in enumerate(lab.pair("symmetric/symmetric"), start=1)]
        share_folder(lab, alice, bob)
        join(alice, bob)
        for device in (alice, bob):
            device.start()
            device.await_ready()
        said = _await(lambda: _peer(alice), lambda peer: peer["state"] == "retrying", 30)
        assert said["path"] == "none" and said["reason"] and said["retry_ms"] >= 0, said
        status, out, err = _try(alice, "ping", "bob", "-c", "1")
        assert status == 1 and said["reason"] in out and "0 of 1" in err, (status, out, err)
        return said["reason"]


@scenario(timeout=90)
def ping_waits_for_a_direct_path(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        alice, bob = _pair(lab)
        alice.start()
        alice.await_ready()
        assert _try(alice, "ping", "nobody")[0] == 5
        assert _try(alice, "ping", "bob", "--until-direct", "--timeout", "1")[0] == 6
        ping = alice.host.start(_argv(alice, "ping", "--until-direct", "bob"))
        ping.await_line(lambda line: "offline: no transport reaches the peer" in line, 10)
        bob.start()
        assert ping.wait(30) == 0
        assert re.fullmatch(r"bob \(10\.66\.0\.2\): \d+\.\d\d ms, direct path by "
                            r"203\.0\.113\.\d+:\d+", ping.lines[-1]), ping.lines
        took = json.loads(_punchguard(alice, "ping", "bob", "-c", "1", "--json"))
        assert took["path"] == "direct" and took["rtt_ms"] < 1000, took
        return ping.lines[-1]


@scenario(timeout=60)
def events_are_what_the_broker_prints(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        alice, bob = _pair(lab)
        alice.start()
        alice.await_ready()
        events = alice.host.start(_argv(alice, "events", "--json"))
        people = alice.host.start(_argv(alice, "events"), "people")
        _await(lambda: _sockets(alice.host), lambda count: count >= 2)
        begun = len(alice.broker.lines)
        bob.start()
        alice.await_direct(bob)
        events.await_event(lambda event: event["type"] == "path", 10)
        path = next(line for line in alice.broker.lines[begun:] if '"type":"path"' in line)
        assert path in events.lines, events.lines
        people.await_line(lambda line: " path " in line and "kind=\"direct\"" in line, 10)
        assert alice.stop() == 0
        assert events.wait(5) == 3 and people.wait(5) == 3, "the end of the broker is exit status 3"


def _sockets(host):
    """Clients that are connected to the control socket."""
    return host.run(["ss", "-Hxn", "state", "established"]).count(SOCKET)


@scenario(timeout=60)
def reload_says_what_changed_and_loses_nothing(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        alice, bob = _pair(lab)
        for device in (alice, bob):
            device.start()
        for device, peer in ((alice, bob), (bob, alice)):
            device.await_direct(peer)
        with alice.pinger(bob, 0.1) as pinger:
            pinger.first_reply(15)
        with alice.pinger(bob, 0.1) as pinger:
            alice.conf["peers"].append(dict(alice.conf["peers"][0], name="carol",
                                            id=_new_id(alice), allowed_ips=["10.66.0.3/32"]))
            alice._write()
            pinger.run(0.3)
            assert _punchguard(alice, "reload") == "peer 'carol' added\n"
            assert _punchguard(alice, "peers", "--names").split() == ["bob", "carol"]
            pinger.run(0.3)
            assert json.loads(_punchguard(alice, "reload", "--json")) == {"changed": []}
            alice.conf["peers"][1]["allowed_ips"] = ["10.66.0.300/32"]
            alice._write()
            status, _, err = _try(alice, "reload")
            assert status == 1 and "$.peers[1].allowed_ips[0]" in err, (status, err)
            assert _peer(alice)["state"] == "connected"
            lost = pinger.run(0.5).lost()
        assert lost == 0, f"{lost} pings lost"


def _new_id(device):
    """Of a device that is nowhere."""
    path = os.path.join(device.host.folder, "nowhere.json")
    with open(path, "w", encoding="ascii") as file:
        json.dump(dict(device.conf, peers=[], state_dir=os.path.join(device.host.folder, "nowhere")), file)
    return json.loads(device.host.run([program("punchguard-broker"), "-c", path, "--show-id"]))["id"]


def _as(uid, group):
    return ["setpriv", f"--reuid={uid}", f"--regid={uid}", f"--groups={group}", "--"]


@scenario(timeout=60)
def status_of_one_peer_leaves_the_others_out(folder):
    with Lab(folder) as lab:
        lab.start_stun()
        alice, _ = _pair(lab)
        alice.conf["peers"].append(dict(alice.conf["peers"][0], name="carol", id=_new_id(alice),
                                        allowed_ips=["10.66.0.3/32"]))
        alice._write()
        alice.start()
        alice.await_ready()
        told = json.loads(_punchguard(alice, "status", "--json", "carol"))
        assert [peer["peer"] for peer in told["peers"]] == ["carol"] and told["device"]["ready"], told
        table = _punchguard(alice, "status", "bob")
        assert re.search("^bob ", table, re.M) and "carol" not in table, table
        watch = alice.host.start(_argv(alice, "status", "carol", "--watch"))
        for _ in range(2):
            watch.await_line(lambda line: line.startswith("carol "), 10)
        assert not any(line.startswith("bob ") for line in watch.lines), watch.lines
        for options in ((), ("--json",), ("--watch",), ("--prometheus",)):
            status, out, err = _try(alice, "status", "nobody", *options)
            assert status == 5 and "nobody" in err and not out, (options, status, out, err)


@scenario(timeout=60)
def readers_may_ask_and_not_change(folder):
    with Lab(folder) as lab:
        alice, _ = _pair(lab)
        alice.start()
        alice.await_ready()
        group = alice.host.run(["stat", "-c", "%a %G %g", SOCKET]).split()
        assert group[:2] == ["660", "punchguard"], group
        reader, stranger = _as(READER, group[2]), _as(STRANGER, STRANGER)
        for command in ("status", "peers", "id"):
            assert _try(alice, command, before=reader)[0] == 0, command
            status, _, err = _try(alice, command, before=stranger)
            assert status == 4 and "punchguard" in err, (command, status, err)
        for command in ("down", "reload"):
            status, _, err = _try(alice, command, before=reader)
            assert status == 4 and "only root" in err, (command, status, err)
        for path in ("/run/punchguard/x", alice.state_file("x")):
            made = subprocess.run(alice.host.inside([*reader, "touch", path]), capture_output=True)
            assert made.returncode != 0, f"a reader can write {path}"
        assert alice.broker.running()
        assert _try(alice, "down")[0] == 0
        assert alice.broker.wait(10) == 0
        assert not alice.host.run(["ls", "/run/punchguard"]), "the socket stays"
        assert _try(alice, "status")[0] == 3


NOISE = """#!/usr/bin/python3
# A transport over which a peer seems to come and go without end, once the file beside it is there.
import json, os, sys, threading, time
def say(**message):
    sys.stdout.write(json.dumps(message) + "\\n")
    sys.stdout.flush()
def flood(peer):
    while not os.path.exists(sys.argv[0] + ".go"):
        time.sleep(0.02)
    for number in range(12000):
        say(type="presence", peer=peer, online=number % 2 == 0, via="x" * 60)
say(type="hello", protocol=1, role="signal", name="noise", version="1", capabilities=[])
for line in sys.stdin:
    message = json.loads(line)
    if message["type"] == "configure":
        say(type="ready", address="noise")
    elif message["type"] == "ping":
        say(type="pong", ref=message["ref"])
    elif message["type"] == "peer-add":
        threading.Thread(target=flood, args=(message["peer"],), daemon=True).start()
    elif message["type"] == "shutdown":
        break
"""


@scenario(timeout=90)
def a_client_that_does_not_read_holds_nobody(folder):
    """It subscribes to more events than may wait for it, and never reads."""
    with Lab(folder) as lab:
        lab.start_stun()
        alice, bob = _pair(lab)
        noise = os.path.join(lab.folder, "noise")
        with open(noise, "w", encoding="ascii") as file:
            file.write(NOISE)
        os.chmod(noise, 0o755)
        alice.conf["signalling"].append({"name": "noise", "command": [noise]})
        alice.set_command(alice.conf["signalling"][0]["command"])
        for device in (alice, bob):
            device.start()
            device.await_ready()
        alice.await_direct(bob)
        bob.await_direct(alice)
        with alice.pinger(bob) as pinger:
            pinger.first_reply(15)
        slow = _subscribe(alice.host)
        took = []
        with alice.pinger(bob, 0.1) as pinger:
            open(f"{noise}.go", "w", encoding="ascii").close()
            begun = time.monotonic()
            while _event_bytes(alice) < 2 * EVENT_BYTES:
                asked = time.monotonic()
                _status(alice)
                took.append(time.monotonic() - asked)
                pinger.run(0.05)
                assert time.monotonic() - begun < 30, f"{_event_bytes(alice)} bytes of events"
            lost = pinger.run(0.5).lost()
        assert lost == 0, f"{lost} pings lost"
        assert max(took) < promised(ANSWER), took
        assert "too-slow" in _last_line(slow)
        return f"a status took {max(took):.2f} s at most of {len(took)}"


def _subscribe(host):
    client = socket.socket(socket.AF_UNIX)
    client.connect(f"/proc/{host.holder_pid}/root{SOCKET}")
    client.sendall(b'{"type":"events","ref":1}\n')
    return client


def _event_bytes(device):
    return os.path.getsize(device.broker.out_path)


def _last_line(client):
    client.settimeout(10)
    data = b""
    while chunk := client.recv(65536):
        data = (data + chunk)[-65536:]
    return data.decode().splitlines()[-1]


class Terminal:
    """A terminal of its own in a host, with one command in it."""

    def __init__(self, host, columns, rows, argv, name="tmux"):
        self._host = host
        self._tmux = ["env", "LC_ALL=C.UTF-8", "TERM=xterm", "tmux", "-u", "-f", "/dev/null", "-S",
                      os.path.join(host.folder, name)]
        # No prompt: it may come before or after what is typed.
        self._run("new-session", "-d", "-x", str(columns), "-y", str(rows), "env PS1= sh")
        self._run("set", "-g", "status", "off")
        self.keys(" ".join(argv) + "; echo ended $?", "Enter")

    def _run(self, *arguments):
        return self._host.run([*self._tmux, *arguments])

    def keys(self, *keys):
        self._run("send-keys", *keys)

    def screen(self):
        return self._run("capture-pane", "-p").splitlines()

    def resize(self, columns, rows):
        self._run("resize-window", "-x", str(columns), "-y", str(rows))

    def await_screen(self, pattern, timeout=15):
        return _await(self.screen, lambda lines: re.search(pattern, "\n".join(lines), re.M), timeout)


def _need_tmux():
    if subprocess.run(["sh", "-c", "command -v tmux"], capture_output=True).returncode != 0:
        raise Skip("tmux is not installed")


@scenario(timeout=90)
def watch_redraws_in_place(folder):
    _need_tmux()
    with Lab(folder) as lab:
        lab.start_stun()
        alice, bob = _pair(lab)
        terminal = Terminal(alice.host, 120, 20, _argv(alice, "status", "--watch"))
        terminal.await_screen("^punchguard: no broker|no broker listens")
        alice.start()
        alice.await_ready()
        terminal.await_screen("^bob +none +offline")
        bob.start()
        lines = terminal.await_screen(r"^bob +direct +connected +203\.")
        assert lines[0].startswith("alice  pg0"), lines
        assert sum(line.startswith("bob") for line in lines) == 1, lines
        assert not any("offline" in line for line in lines), lines
        with alice.pinger(bob, 0.01) as pinger:
            pinger.first_reply(15)
            pinger.run(3)
            terminal.await_screen(r"^bob .* \d[\d.]* (B|KiB)/s +\d[\d.]* (B|KiB)/s$")
        terminal.resize(30, 12)
        narrow = terminal.await_screen(r"^PEER  PATH +IN +OUT$")
        assert narrow[0].endswith("…") and len(narrow[0]) == 30 and narrow[1].startswith("wire"), narrow
        alice.stop()
        terminal.await_screen("no broker listens")
        terminal.keys("q")
        lines = terminal.await_screen("^ended 0$")
        assert "--watch" in "".join(lines), f"the screen before is not back: {lines}"


@scenario(timeout=60)
def invite_shows_a_code_on_a_terminal(folder):
    _need_tmux()
    with Lab(folder) as lab:
        lab.start_stun()
        alice, _ = _pair(lab)
        del alice.conf["interface"]["addresses"]
        alice._write()
        alice.start()
        alice.await_ready()
        alice.await_event("transport")
        for option, shown in (("--expires=1h", True), ("--qr", True), ("--json", False)):
            terminal = Terminal(alice.host, 120, 60, _argv(alice, "invite", option), f"tmux{option}")
            lines = terminal.await_screen("^ended 0$")
            assert sum("PGI1-" in line for line in lines) >= 1, lines
            code = [line for line in lines if re.fullmatch(" {4}[▀▄█ ]{20,}", line)]
            assert (len(code) > 10) == shown, lines


def _path():
    return f"PATH={':'.join(program_folders() + [os.environ['PATH']])}"


@scenario(timeout=90)
def up_starts_and_waits_and_down_ends(folder):
    with Lab(folder) as lab:
        alice, _ = _pair(lab)
        log = os.path.join(alice.host.folder, "up.log")
        status, out, err = _try(alice, "up", "--log", log, before=["env", _path()])
        assert status == 0 and "starting punchguard-broker" in err, (status, out, err)
        assert re.search(r"^tox +ready$", out, re.M), out
        status, out, err = _try(alice, "up", "--log", log, "--json", before=["env", _path()])
        assert status == 0 and "runs already" in err and json.loads(out)["device"]["ready"], err
        before = alice.host.pids()
        assert _try(alice, "down", "--keep")[0] == 0
        assert alice.host.run(["ip", "link", "show", "pg0"]), "the tunnel is gone"
        assert _try(alice, "up", "--log", log, before=["env", _path()])[0] == 0
        assert "the tunnels are down" in _punchguard(alice, "down")
        _await(alice.host.pids, lambda pids: not pids, 10)
        assert before
        alice.conf["interface"]["mtu"] = 3
        alice._write()
        status, _, err = _try(alice, "up", "--log", log, before=["env", _path()])
        assert status == 2 and "$.interface.mtu" in err, (status, err)


SYSTEMCTL = """#!/bin/sh
# What systemd would do with punchguard.service.
echo "$*" >>/run/systemctl.log
case $1 in
start)
    setsid punchguard-broker -c "$CONF" >/dev/null 2>/run/broker.log &
    echo $! >/run/broker.pid
    ;;
is-active) [ -e /run/broker.pid ] ;;
show)
    case $2 in
    --property=MainPID) echo "MainPID=$(cat /run/broker.pid)"; exit ;;
    esac
    case $(cat /run/fails 2>/dev/null) in
    '') printf '%s\n' Result=success ActiveState=activating SubState=start ExecMainStatus=0 ;;
    2) printf '%s\n' Result=exit-code ActiveState=failed SubState=failed ExecMainStatus=2 ;;
    *) printf '%s\n' Result=signal ActiveState=activating SubState=auto-restart ExecMainStatus=11 ;;
    esac
    ;;
stop)
    kill "$(cat /run/broker.pid)"
    tail --pid="$(cat /run/broker.pid)" -f /dev/null
    rm /run/broker.pid
    ;;
esac
"""


def _systemd(device):
    """Gives the host a systemctl; the command that finds it, and where the default configuration is."""
    usage = device.host.run([program("punchguard"), "--help"])
    conf = re.search(r"\((/\S+conf\.json)\)", usage)[1]
    etc = conf.removesuffix("/punchguard/conf.json")
    if etc == "/etc":
        raise Skip("the build's configuration is the machine's own")
    device.host.run(["sh", "-c", f"mkdir -p /run/systemd/system /run/bin && mount -t tmpfs tmpfs {etc} &&"
                                 f"mkdir {etc}/punchguard && cp {device.conf_path} {conf} &&"
                                 "cat >/run/bin/systemctl && chmod +x /run/bin/systemctl"],
                    stdin=SYSTEMCTL)
    return ["env", _path().replace("=", "=/run/bin:"), f"CONF={conf}", program("punchguard")], etc


@scenario(timeout=60)
def up_and_down_go_by_systemd_where_it_runs(folder):
    with Lab(folder) as lab:
        alice, _ = _pair(lab)
        command, etc = _systemd(alice)
        alice.host.run([*command, "up"])
        assert json.loads(alice.host.run([*command, "status", "--json"]))["device"]["ready"]
        alice.host.run([*command, "down"])
        asked = alice.host.run(["cat", "/run/systemctl.log"]).splitlines()
        assert "start --no-block punchguard.service" in asked, asked
        assert asked[-1] == "stop --quiet punchguard.service", asked
        assert not alice.host.pids(), "the broker goes on"
        other = alice.start()
        alice.host.run(["touch", "/run/broker.pid"])
        alice.host.run(["sed", "-i", "s,pg0,pg7,", f"{etc}/punchguard/conf.json"])
        alice.await_ready()
        alice.host.run([*command, "--socket", SOCKET, "down"])
        assert other.wait(5) == 0
        assert alice.host.run(["cat", "/run/systemctl.log"]).count("stop --quiet") == 1, "another broker's"
        alice.host.run(["rm", "/run/broker.pid"])
        alice.host.run(["sed", "-i", "s,pg7,pg0,", f"{etc}/punchguard/conf.json"])
        alice.host.run(["mv", f"{etc}/punchguard", f"{etc}/elsewhere"])
        alice.host.run(["ln", "-s", "elsewhere", f"{etc}/punchguard"])
        alice.host.run([*command, "up"])
        alice.host.run([*command, "down"])
        assert alice.host.run(["cat", "/run/systemctl.log"]).count("start --no-block") == 2, "by itself"
        alice.host.run([*command, "up"])
        said = alice.host.run([*command, "down", "--keep"])
        assert "systemd starts it again" in said and "stay" in said, said
        assert alice.host.run(["ip", "link", "show", "pg0"])


@scenario(timeout=60)
def down_finds_the_services_broker_by_any_name_of_its_socket(folder):
    with Lab(folder) as lab:
        alice, _ = _pair(lab)
        command, etc = _systemd(alice)
        conf = f"{etc}/punchguard/conf.json"
        alice.host.run(["ln", "-s", SOCKET.rsplit("/", 1)[0], "/run/link"])
        alice.host.run([*command, "up"])
        alice.host.run([*command, "--socket", f"/run/link/{SOCKET.rsplit('/', 1)[1]}", "down"])
        asked = alice.host.run(["cat", "/run/systemctl.log"])
        assert asked.count("stop --quiet") == 1, asked
        # A configuration that can't be read does not tell which socket the service's broker has.
        alice.host.run([*command, "up"])
        alice.host.run(["sh", "-c", f"mv {conf} {conf}.kept && mkdir {conf}"])
        alice.host.run([*command, "--socket", SOCKET, "down"])
        asked = alice.host.run(["cat", "/run/systemctl.log"])
        assert asked.count("stop --quiet") == 2, asked
        other = alice.start()
        alice.await_ready()
        alice.host.run(["sh", "-c", "echo 1 >/run/broker.pid"])
        alice.host.run([*command, "--socket", SOCKET, "down"])
        assert other.wait(5) == 0
        asked = alice.host.run(["cat", "/run/systemctl.log"])
        assert asked.count("stop --quiet") == 2, "another broker's"


@scenario(timeout=60)
def up_says_soon_that_the_service_fails_and_where_the_reason_is(folder):
    with Lab(folder) as lab:
        alice, _ = _pair(lab)
        command, _ = _systemd(alice)

        def up(*options):
            argv = alice.host.inside([*command, "up", *options])
            done = subprocess.run(argv, capture_output=True, text=True, timeout=30)
            return done.returncode, done.stderr

        alice.host.run(["sh", "-c", "ln -s /bin/true /run/bin/setsid"])
        for status, words in (("2", "exit-code, 2"), ("11", "signal, 11")):
            alice.host.run(["sh", "-c", f"echo {status} >/run/fails"])
            begun = time.monotonic()
            code, err = up()
            took = time.monotonic() - begun
            assert code == 1 and words in err and "journalctl -u punchguard" in err, (code, err)
            assert took < promised(3), took
        alice.host.run(["rm", "/run/fails"])
        code, err = up("--timeout", "1")
        assert code == 6 and "journalctl -u punchguard" in err, (code, err)


@scenario(timeout=60)
def up_makes_what_is_missing(folder):
    with Lab(folder) as lab:
        host = lab.host("alice", lab.home("eim"))
        host.run(["sh", "-c", "mount -t tmpfs tmpfs /var/lib && mkdir /run/etc"])
        command = ["env", _path(), program("punchguard"), "-c", "/run/etc/new/conf.json"]
        host.run([*command, "up", "--log", "/run/up.log"])
        assert json.loads(host.run(["cat", "/run/etc/new/conf.json"])) == {"peers": []}
        assert "no peers" in host.run([*command, "status"])
        host.run([*command, "down"])


@scenario(timeout=30)
def up_makes_no_configuration_over_one_that_it_may_not_read_and_no_torn_one(folder):
    with Lab(folder) as lab:
        host = lab.host("alice", lab.home("eim"))

        def up(*argv):
            done = subprocess.run(host.inside(argv), capture_output=True, text=True, timeout=20)
            return done.returncode, done.stderr

        usage = host.run([program("punchguard"), "--help"])
        conf = re.search(r"\((/\S+conf\.json)\)", usage)[1]
        etc = conf.removesuffix("/punchguard/conf.json")
        if etc == "/etc":
            raise Skip("the build's configuration is the machine's own")
        host.run(["sh", "-c", f"mount -t tmpfs tmpfs {etc} && mkdir {etc}/punchguard && mkdir /run/etc &&"
                              f"umask 077 && echo {{}} >{conf}"])
        for options in [], ["-c", conf], ["--socket", "/run/other.sock"]:
            status, err = up(*_as(61007, 61007), program("punchguard"), *options, "up")
            assert status == 4 and conf in err and "Permission denied" in err, (options, status, err)
        status, err = up("prlimit", "--fsize=5", "env", "--ignore-signal=XFSZ", program("punchguard"),
                         "-c", "/run/etc/conf.json", "up")
        assert status == 1 and "cannot make /run/etc/conf.json: No space" in err, (status, err)
        assert not host.run(["ls", "/run/etc"]), "a torn one is left"


@scenario(timeout=60)
def a_second_broker_is_refused_and_a_dead_ones_socket_replaced(folder):
    with Lab(folder) as lab:
        alice, _ = _pair(lab)
        first = alice.start()
        alice.await_ready()
        second = alice.start()
        assert second.wait(READY_TIMEOUT) == 1
        assert "another broker listens" in second.log_tail(), second.log_tail()
        assert first.running() and _status(alice)["device"]["ready"]
        first.kill()
        first.wait(5)
        assert alice.host.run(["ls", "/run/punchguard"]) == "pg0.sock\n"
        alice.start()
        alice.await_ready()
        assert _status(alice)["device"]["ready"]
        assert alice.stop() == 0


@scenario(timeout=30)
def a_broker_that_knows_no_inbound_is_not_asked_for_it(folder):
    path = os.path.join(folder, "old.sock")
    with socket.socket(socket.AF_UNIX) as old:
        old.bind(path)
        old.listen()
        for arguments in ("invite", "--inbound", "none"), ("accept", "--inbound", "none", "bob"):
            asking = subprocess.Popen([program("punchguard"), "--socket", path, *arguments],
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
            client, _ = old.accept()
            with client:
                client.sendall(b'{"type":"hello","protocol":1,"version":"0.1","changes":true}\n')
                out, err = asking.communicate(timeout=10)
                assert asking.returncode == 1 and "older than this command" in err and not out, err
                assert client.recv(1000) == b"", "it was asked"
