# SPDX-License-Identifier: GPL-3.0-or-later
"""Debian's kernel: downloaded, unpacked but not installed, and kept in a cache folder."""
import fcntl
import lzma
import os
import re
import shutil
import struct
import tempfile

from host import Unavailable, run_in, tool

METAPACKAGE = "linux-image-amd64"


class Kernel:
    """One unpacked kernel package: `vmlinux`, and `modules`, the folder with VERSION/ in it."""

    def __init__(self, folder):
        self.folder = folder
        self.vmlinux = os.path.join(folder, "vmlinux")
        self.modules = os.path.join(folder, "lib/modules")

    def version(self):
        return os.listdir(self.modules)[0]

    def modules_for(self, names):
        """Files of the named modules and of what they need, each after those it needs."""
        files = []
        for name in names:
            lines = run_in("/", tool("modprobe", "kmod"), "-d", self.folder, "-S", self.version(),
                           "--show-depends", name)
            for line in lines.splitlines():
                verb, file = line.split()[:2]
                if verb == "insmod" and file not in files:
                    files.append(file)
        return files


def kernel_get(cache):
    """The kernel to boot. What is in the cache is used without asking apt, until it is deleted."""
    os.makedirs(cache, mode=0o700, exist_ok=True)
    status = os.lstat(cache)
    if status.st_uid != os.geteuid() or status.st_mode & 0o022:
        raise Unavailable(f"{cache} is not ours alone to write; choose another with --cache")
    with open(os.path.join(cache, "lock"), "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        cached = [os.path.join(cache, name) for name in os.listdir(cache) if name.startswith("linux-")]
        return Kernel(max(cached, key=os.path.getmtime) if cached else kernel_fetch(cache))


def kernel_fetch(cache):
    """Downloads the kernel package and prepares it in the cache; the folder made."""
    name, version = candidate_package()
    folder = os.path.join(cache, f"{name}_{version}")
    with tempfile.TemporaryDirectory(dir=cache, prefix="new-") as work:
        run_in(work, "apt-get", "-qq", "-o", "APT::Sandbox::User=root", "download", f"{name}={version}")
        package = [file for file in os.listdir(work) if file.endswith(".deb")][0]
        run_in(work, "dpkg-deb", "-x", package, "root")
        kernel = Kernel(os.path.join(work, "root"))
        run_in(kernel.folder, tool("depmod", "kmod"), "-b", kernel.folder, kernel.version())
        boot = os.path.join(kernel.folder, "boot")
        with open(os.path.join(boot, "vmlinuz-" + kernel.version()), "rb") as file:
            vmlinux = vmlinux_of(file.read())
        with open(kernel.vmlinux, "wb") as file:
            file.write(vmlinux)
        shutil.rmtree(boot)
        os.rename(kernel.folder, folder)
    return folder


def candidate_package():
    """Name and version of the package behind Debian's metapackage now."""
    depends = run_in("/", "apt-cache", "depends", "--important", METAPACKAGE)
    found = re.search(r"Depends: (linux-image-\S+)", depends)
    if not found:
        raise Unavailable(f"apt knows no kernel package behind {METAPACKAGE}; try apt-get update")
    policy = run_in("/", "apt-cache", "policy", found[1])
    version = re.search(r"Candidate: (\S+)", policy)
    if not version or version[1] == "(none)":
        raise Unavailable(f"apt has no candidate for {found[1]}; try apt-get update")
    return found[1], version[1]


def vmlinux_of(bzimage):
    """The ELF kernel within a bzImage: qemu starts it directly (PVH), which saves decompressing it
    under emulation. Offsets: the kernel's Documentation/x86/boot.rst, setup_sects, payload_offset."""
    setup_sectors = bzimage[0x1F1] or 4
    offset, length = struct.unpack_from("<II", bzimage, 0x248)
    payload = bzimage[(setup_sectors + 1) * 512 + offset:][:length]
    try:
        return lzma.LZMADecompressor().decompress(payload)
    except lzma.LZMAError as error:
        raise Unavailable(f"the kernel image is not packed with xz, as Debian 12's is: {error}") from error
