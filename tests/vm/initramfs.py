# SPDX-License-Identifier: GPL-3.0-or-later
"""The archive that the VM's kernel starts from: busybox, a few modules and initramfs-init."""
import os
import re
import subprocess

from host import tool

HERE = os.path.dirname(os.path.realpath(__file__))
MODULES = ["virtio_pci", "9pnet_virtio", "9p", "overlay", "virtio_console"]
APPLETS = ["sh", "insmod", "mount", "mkdir", "ln", "switch_root"]


def initramfs_make(kernel, run_folder):
    """The archive's bytes; run_folder is where guest-init finds the command."""
    busybox = tool("busybox", "busybox")
    modules = kernel.modules_for(MODULES)
    files = {"bin/busybox": read(busybox), "init": read(os.path.join(HERE, "initramfs-init"))}
    files.update((library.lstrip("/"), read(library)) for library in shared_libraries(busybox))
    files.update(("modules/" + os.path.basename(file), read(file)) for file in modules)
    files["modules/order"] = lines(os.path.basename(file) for file in modules)
    files["paths"] = lines([HERE, kernel.modules, run_folder])
    folders = {"dev", "host", "overlay", "root"}
    for name in files:
        while name := os.path.dirname(name):
            folders.add(name)
    entries = [cpio_entry(name, 0o040755) for name in sorted(folders)]
    entries += [cpio_entry(name, 0o100755, data) for name, data in files.items()]
    entries += [cpio_entry("bin/" + applet, 0o120777, b"busybox") for applet in APPLETS]
    return b"".join(entries) + cpio_entry("TRAILER!!!", 0)


def cpio_entry(name, mode, data=b""):
    """One file (the kernel's Documentation/driver-api/early-userspace/buffer-format.rst)."""
    path = name.encode() + b"\0"
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(path), 0]
    head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
    return head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4)


def shared_libraries(program):
    """What the dynamic loader would load for it, itself included; none for a static program."""
    done = subprocess.run(["ldd", program], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, check=False)
    return re.findall(r"(/\S+) \(0x", done.stdout) if done.returncode == 0 else []


def lines(texts):
    return "".join(text + "\n" for text in texts).encode()


def read(path):
    with open(path, "rb") as file:
        return file.read()
