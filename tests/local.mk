# SPDX-License-Identifier: GPL-3.0-or-later
EXTRA_DIST += \
    tests/install-packages \
    tests/packages \
    tests/lab/lab.py \
    tests/lab/node.py \
    tests/lab/probe.py \
    tests/lab/process.py \
    tests/lab/run \
    tests/lab/scenario.py \
    tests/lab/scenarios/nat.py \
    tests/lab/scenarios/teardown.py
