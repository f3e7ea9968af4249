# SPDX-License-Identifier: GPL-3.0-or-later
dist_check_SCRIPTS += tests/check-layering tests/check-readme
TESTS += tests/check-layering tests/check-readme
EXTRA_DIST += \
    tests/cleanroom \
    tests/vm/guest-init \
    tests/vm/host.py \
    tests/vm/initramfs-init \
    tests/vm/initramfs.py \
    tests/vm/kernel.py \
    tests/vm/run \
    tests/vm/systemd
