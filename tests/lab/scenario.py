# SPDX-License-Identifier: GPL-3.0-or-later
"""The list of scenarios: functions marked with @scenario, each given a folder for its logs."""

import os

SCENARIOS = {}


class Skip(Exception):
    """The scenario can't run here; the message says why."""


def promised(seconds):
    """The time that PROMISES say, longer on a machine that has more to do than it has processors."""
    return seconds * min(max(os.getloadavg()[0] / os.cpu_count(), 1), 3)


def scenario(timeout=60, name=None, unasked=True):
    """Registers a function as GROUP/NAME. It returns what it measured as text, or None.

    With `unasked` false it runs only where it is named.
    """
    def register(function):
        group = function.__module__.rpartition(".")[2].replace("_", "-")
        label = f"{group}/{name or function.__name__.replace('_', '-')}"
        function.scenario_timeout = timeout
        function.scenario_unasked = unasked
        SCENARIOS[label] = function
        return function
    return register
