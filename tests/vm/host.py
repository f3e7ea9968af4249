# SPDX-License-Identifier: GPL-3.0-or-later
"""Running the host's programs, and saying what the host lacks."""
import os
import shlex
import shutil
import subprocess


class Unavailable(Exception):
    """What the virtual machine needs can't be had on this host."""


def tool(name, package):
    path = shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if not path:
        raise Unavailable(f"{name} not found; it is in Debian's package {package}")
    return path


def run_in(folder, *argv):
    """Runs a program to its end and gives back what it printed."""
    try:
        done = subprocess.run(argv, cwd=folder, stdout=subprocess.PIPE, text=True, check=True,
                              env={**os.environ, "LC_ALL": "C"})
        return done.stdout
    except OSError as error:
        raise Unavailable(f"{argv[0]}: {error.strerror}") from error
    except subprocess.CalledProcessError as error:
        raise Unavailable(f"{shlex.join(argv)}: exit code {error.returncode}") from error
