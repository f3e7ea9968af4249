# SPDX-License-Identifier: GPL-3.0-or-later
include broker/child.mk
include broker/seal.mk
