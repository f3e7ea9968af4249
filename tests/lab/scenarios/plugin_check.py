# SPDX-License-Identifier: GPL-3.0-or-later
"""punchguard-plugin-check between two hosts of the lab, for the plugins that need a network."""

import json
import os
import re
import subprocess

from lab import Lab, program
from scenario import scenario

CHECK = os.path.realpath(os.path.join(os.path.dirname(os.path.abspath(__file__)),
                                      "../../../plugin-check/punchguard-plugin-check"))
# In the host whose number the checker gives it.
ENTER = 'case $0 in 1) exec {} ;; 2) exec {} ;; esac'

PATIENCE = "60"
# On a busy machine toxcore was seen to carry only three messages a second for minutes, instead of hundreds.
PATIENCE_TOX = "300"
# A network of two nodes is held up for seconds by one that has just gone: a goodbye may come too late, and then it is the
# silence that tells, after two minutes (punchguard-signal-dht(8)).
PATIENCE_DHT = "150"

# Plugin: (pair of NATs, what its network needs, its options, s for an answer).
PLUGINS = {
    "punchguard-signal-tox": ("eim/eim", Lab.start_tox,
                              lambda lab: {"lan_discovery": False, "bootstrap": lab.bootstrap[4]}, PATIENCE_TOX),
    "punchguard-signal-dht": ("symmetric/eim", Lab.start_dht, lambda lab: {"bootstrap": lab.dht[4]}, PATIENCE_DHT),
    "punchguard-signal-lan": ("same-link", lambda lab: None, lambda lab: {}, PATIENCE),
}


def _check(folder, plugin):
    kind, start_network, options, patience = PLUGINS[plugin]
    with Lab(folder) as lab:
        start_network(lab)
        commands = [" ".join(host.inside([program(plugin)])) for host in lab.pair(kind)]
        done = subprocess.run([CHECK, "--timeout", patience, "--options", json.dumps(options(lab)), "sh", "-c", ENTER.format(*commands),
                               "{n}"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True)
    print(done.stdout, flush=True)
    failed = re.findall(r"^not ok \d+ - (\S+)", done.stdout, re.MULTILINE)
    skipped = re.findall(r"^ok \d+ - (\S+) # SKIP", done.stdout, re.MULTILINE)
    passed = len(re.findall(r"^ok ", done.stdout, re.MULTILINE)) - len(skipped)
    assert done.returncode == 0 and not failed, f"failed: {', '.join(failed)}"
    return f"{passed} checks passed, not applicable: {', '.join(skipped) or 'none'}"


for _name in PLUGINS:
    scenario(timeout=600, name=_name.removeprefix("punchguard-"))(
        lambda folder, name=_name: _check(folder, name))
