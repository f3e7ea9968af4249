# SPDX-License-Identifier: GPL-3.0-or-later
"""A signalling plugin of 40 lines of shell in place of punchguard-signal-tox."""

import os

from device import FOLDER_PLUGIN, connect, join_pair, share_folder
from lab import Lab
from scenario import scenario


@scenario(timeout=120)
def shell_plugin_over_a_shared_folder(folder):
    with open(FOLDER_PLUGIN, encoding="utf-8") as file:
        assert len(file.readlines()) <= 40
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        shared = share_folder(lab, alice, bob)
        took = connect(alice, bob)
        alice.await_direct(bob)
        assert alice.stop() == 0 and bob.stop() == 0
        assert not os.listdir(shared), "the plugin left files behind"
    return f"presence to first ping {took:.2f} s"
