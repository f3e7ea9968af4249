# SPDX-License-Identifier: GPL-3.0-or-later
bin_PROGRAMS += punchguard-signal-tox
punchguard_signal_tox_SOURCES = \
	signal-tox/main.c \
	signal-tox/nodes.def \
	signal-tox/options.c signal-tox/options.h \
	signal-tox/parcel.c signal-tox/parcel.h \
	signal-tox/state.c signal-tox/state.h \
	signal-tox/transport.c signal-tox/transport.h
punchguard_signal_tox_CFLAGS = $(PG_CFLAGS) $(TOX_CFLAGS) $(SODIUM_CFLAGS)
punchguard_signal_tox_LDADD = $(PROTOCOL_LIBS) $(TOX_LIBS)
EXTRA_DIST += signal-tox/nodes.json

