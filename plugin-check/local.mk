# SPDX-License-Identifier: GPL-3.0-or-later
dist_bin_SCRIPTS += plugin-check/punchguard-plugin-check
dist_man_MANS += plugin-check/punchguard-plugin-check.1

# That it finds what is wrong, and finds nothing wrong with the examples.
dist_check_SCRIPTS += tests/test-plugin-check tests/check-plugins tests/check-quotes
TESTS += tests/test-plugin-check tests/check-plugins tests/check-quotes
EXTRA_DIST += tests/bad-plugin
