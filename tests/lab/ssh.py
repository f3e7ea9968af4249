# SPDX-License-Identifier: GPL-3.0-or-later
"""A host of the lab that can be logged in to."""

import os
import time

_SERVER = """
mount -t tmpfs -o mode=0700 tmpfs /root && mkdir -m 0700 /root/.ssh &&
dropbearkey -y -f "$1/user" | grep ^ssh- >/root/.ssh/authorized_keys &&
exec dropbear -F -E -m -r "$1/host" -P /root/pid
"""


def start_ssh_server(host):
    """With a root's home of its own; the command line of a client that it lets in, but for root@ADDRESS."""
    folder = os.path.join(host.folder, "ssh")
    os.makedirs(folder)
    for name in ("host", "user"):
        host.run(["dropbearkey", "-t", "ed25519", "-f", f"{folder}/{name}"])
    os.chmod(f"{folder}/user", 0o644)  # a broker's helpers are not root
    server = host.start(["unshare", "--mount", "sh", "-c", _SERVER, "sh", folder], "sshd")
    deadline = time.monotonic() + 10
    while "Not backgrounding" not in server.log_tail():
        assert time.monotonic() < deadline and server.running(), server.log_tail()
        time.sleep(0.02)
    return ["dbclient", "-y", "-y", "-i", f"{folder}/user"]
