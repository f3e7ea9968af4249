# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += signal-tox/libtox.a
signal_tox_libtox_a_SOURCES = \
	signal-tox/options.c signal-tox/options.h \
	signal-tox/parcel.c signal-tox/parcel.h \
	signal-tox/sandbox.c signal-tox/sandbox.h \
	signal-tox/sockets.c signal-tox/sockets.h \
	signal-tox/state.c signal-tox/state.h \
	signal-tox/transport.c signal-tox/transport.h
nodist_signal_tox_libtox_a_SOURCES = signal-tox/nodes.inc
signal_tox_libtox_a_CFLAGS = $(PG_CFLAGS) $(SECCOMP_CFLAGS) $(SODIUM_CFLAGS) $(TOX_CFLAGS)

SIGNAL_TOX_LIBS = signal-tox/libtox.a $(PROTOCOL_LIBS) $(TOX_LIBS) $(SECCOMP_LIBS)

bin_PROGRAMS += punchguard-signal-tox
punchguard_signal_tox_SOURCES = signal-tox/main.c
punchguard_signal_tox_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
punchguard_signal_tox_LDADD = $(SIGNAL_TOX_LIBS)

# The public nodes compiled in.
EXTRA_DIST += signal-tox/nodes.awk signal-tox/nodes.json
BUILT_SOURCES += signal-tox/nodes.inc
CLEANFILES += signal-tox/nodes.inc
signal-tox/nodes.inc: signal-tox/nodes.awk signal-tox/nodes.json
	$(AM_V_GEN)$(MKDIR_P) signal-tox && \
	$(AWK) -f $(srcdir)/signal-tox/nodes.awk $(srcdir)/signal-tox/nodes.json >$@
