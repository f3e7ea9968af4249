# SPDX-License-Identifier: GPL-3.0-or-later
"""The plugins of tests/plugins, in place of punchguard-signal-tox: the tunnel comes up over each."""

import os
import shutil

from device import FOLDER_PLUGIN, connect, join_pair, share_folder
from lab import Lab
from scenario import scenario
from ssh import start_ssh_server

PLUGINS = os.path.dirname(FOLDER_PLUGIN)
SERVER, PORT = 13, "7000"


def _tunnel(alice, bob):
    took = connect(alice, bob)
    alice.await_direct(bob)
    assert alice.stop() == 0 and bob.stop() == 0
    return f"presence to first ping {took:.2f} s"


@scenario(timeout=120)
def shell_plugin_over_a_shared_folder(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        shared = share_folder(lab, alice, bob)
        result = _tunnel(alice, bob)
        assert not os.listdir(shared), "the plugin left files behind"
    return result


@scenario(timeout=120)
def shell_plugin_of_40_lines(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        shared = share_folder(lab, alice, bob)
        plugin = f"{PLUGINS}/minimal.sh"
        with open(plugin, encoding="utf-8") as text:
            assert len(text.readlines()) <= 40
        for device in (alice, bob):
            device.set_command([plugin, shared])
        return _tunnel(alice, bob)


@scenario(timeout=120)
def rendezvous_at_a_server_of_ones_own(folder):
    with Lab(folder) as lab:
        server = lab.public_server("rendezvous", SERVER)
        address = str(server.addresses[4])
        server.start([f"{PLUGINS}/rendezvous.py", "--serve", address, PORT]).await_line(bool, 10)
        alice, bob = join_pair(lab, "eim/eim")
        for device in (alice, bob):
            device.set_command([f"{PLUGINS}/rendezvous.py", address, PORT])
        return _tunnel(alice, bob)


@scenario(timeout=120)
def log_in_over_ssh(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "same-link")
        # The ssh server has a root's home of its own: what is to run there must not be in that.
        plugin = shutil.copytree(PLUGINS, os.path.join(lab.folder, "plugins")) + "/over-ssh.py"
        sockets = os.path.join(lab.folder, "sockets")
        os.makedirs(sockets)
        os.chmod(sockets, 0o777)
        ssh = start_ssh_server(bob.host) + [f"root@{bob.host.addresses[4]}"]
        bob.set_command([plugin, "--wait", f"{sockets}/bob"])
        alice.set_command([plugin, *ssh, plugin, "--join", f"{sockets}/bob"])
        return _tunnel(alice, bob)
