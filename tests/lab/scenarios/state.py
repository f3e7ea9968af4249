# SPDX-License-Identifier: GPL-3.0-or-later
"""The state folder is full, read-only or torn: the identity is never lost, nor replaced unasked."""

import os

from device import connect, join_pair, share_folder
from lab import Lab
from scenario import scenario

SIZE = "512k"


def _pair(lab):
    """Alice's state folder is a small file system of its own."""
    alice, bob = join_pair(lab, "eim/eim")
    share_folder(lab, alice, bob)
    state = alice.conf["state_dir"]
    kept = state + ".kept"
    alice.host.run(["sh", "-euc", f"""
        cp -a {state} {kept}
        mount -t tmpfs -o size={SIZE} tmpfs {state}
        cp -a {kept}/. {state}/
        chown --reference={kept} {state}
        chmod --reference={kept} {state}
    """])
    return alice, bob


def _id(device):
    return device.await_ready()["id"]


def _again(alice, bob):
    """Alice's broker is started anew; her id, and the tunnel is there."""
    assert alice.stop() == 0
    alice.start()
    with alice.pinger(bob) as pinger:
        pinger.first_reply(30)
    return _id(alice)


@scenario(timeout=120)
def full_or_read_only_the_identity_and_the_tunnel_are_kept(folder):
    with Lab(folder) as lab:
        alice, bob = _pair(lab)
        connect(alice, bob)
        own, state = _id(alice), alice.conf["state_dir"]
        alice.host.run(["sh", "-c", f"head -c 1M /dev/zero >{state}/filler"], check=False)
        assert _again(alice, bob) == own, "another identity with a full folder"
        alice.host.run(["rm", f"{state}/filler"])
        alice.host.run(["mount", "-o", "remount,ro", state])
        assert _again(alice, bob) == own, "another identity with a read-only folder"
        alice.host.run(["mount", "-o", "remount,rw", state])
        assert _again(alice, bob) == own
        assert alice.stop() == 0 and bob.stop() == 0


@scenario(timeout=120)
def torn_the_copy_serves_and_without_one_nothing_is_replaced(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        share_folder(lab, alice, bob)
        connect(alice, bob)
        own = _id(alice)
        key, copy = (alice.state_file(name) for name in ("identity.key", "identity.key.previous"))
        os.truncate(key, 10)
        assert _again(alice, bob) == own, "another identity where the file is torn"
        assert alice.stop() == 0
        for path in (key, copy):
            with open(path, "r+b") as file:
                file.write(b"\0" * os.path.getsize(path))
        alice.start()
        assert alice.broker.wait(10) == 1
        assert "identity.key" in alice.broker.log_tail(), alice.broker.log_tail()
        with open(key, "rb") as file:
            assert not file.read().strip(b"\0"), "something was written in place of the zeros"
        assert bob.stop() == 0
        return alice.broker.log_tail(1)
