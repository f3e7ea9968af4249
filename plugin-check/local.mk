# SPDX-License-Identifier: GPL-3.0-or-later
dist_bin_SCRIPTS += plugin-check/punchguard-plugin-check
