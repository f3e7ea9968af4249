# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += broker/libchild.a
broker_libchild_a_SOURCES = \
	broker/backoff.c broker/backoff.h \
	broker/child.c broker/child.h \
	broker/child_log.c broker/child_log.h \
	broker/handshake.c broker/handshake.h \
	broker/launcher.c broker/launcher.h \
	broker/privilege.c broker/privilege.h \
	broker/process.c broker/process.h \
	broker/program.c broker/program.h \
	broker/watch.c broker/watch.h
broker_libchild_a_CFLAGS = $(PG_CFLAGS) $(UV_CFLAGS) $(JANSSON_CFLAGS)

CHILD_LIBS = broker/libchild.a $(PROTOCOL_LIBS) $(UV_LIBS)
