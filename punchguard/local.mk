# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += punchguard/libcommand.a
punchguard_libcommand_a_SOURCES = \
	punchguard/client.c punchguard/client.h \
	punchguard/echo.c punchguard/echo.h \
	punchguard/layout.c punchguard/layout.h \
	punchguard/metrics.c \
	punchguard/service.c punchguard/service.h \
	punchguard/settings.c punchguard/settings.h \
	punchguard/snapshot.c punchguard/snapshot.h \
	punchguard/status_table.c punchguard/status_table.h \
	punchguard/watching.c punchguard/watching.h
punchguard_libcommand_a_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"$(sysconfdir)"'
punchguard_libcommand_a_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)

# One file a command; main.c lists them. Its folder has the program's name, so it is built inside.
bin_PROGRAMS += punchguard/punchguard
punchguard_punchguard_SOURCES = \
	punchguard/command.h \
	punchguard/down.c \
	punchguard/events.c \
	punchguard/id.c \
	punchguard/main.c \
	punchguard/peers.c \
	punchguard/ping.c \
	punchguard/reload.c \
	punchguard/status.c \
	punchguard/up.c
punchguard_punchguard_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"$(sysconfdir)"'
punchguard_punchguard_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
punchguard_punchguard_LDADD = punchguard/libcommand.a $(PROTOCOL_LIBS)
