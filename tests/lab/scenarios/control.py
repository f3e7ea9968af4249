# SPDX-License-Identifier: GPL-3.0-or-later
"""The person's command and the control socket: what they say while a path is made, and to whom."""

import json

from device import join_pair, share_folder
from lab import Lab, program
from scenario import scenario


def _punchguard(device, *arguments, **options):
    return device.host.run([program("punchguard"), "-c", device.conf_path, *arguments], **options)


def _status(device):
    return json.loads(_punchguard(device, "status", "--json"))


@scenario()
def status_says_how_a_path_is_made(folder):
    with Lab(folder) as lab:
        alice, bob = join_pair(lab, "eim/eim")
        share_folder(lab, alice, bob)
        alice.start()
        alice.await_ready()
        print(json.dumps(_status(alice), indent=1))
        bob.start()
        alice.await_direct(bob)
        with alice.pinger(bob) as pinger:
            pinger.first_reply(10)
        print(json.dumps(_status(alice), indent=1))
        print(_punchguard(alice, "status"))
        print(_punchguard(alice, "status", "--prometheus"))
        print(_punchguard(alice, "peers"))
        print(_punchguard(alice, "id"))
        print(_punchguard(alice, "ping", "bob", "-c", "2"))
        print(_punchguard(alice, "down"))
