# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += ice-agent/libice.a
ice_agent_libice_a_SOURCES = \
	ice-agent/addresses.c ice-agent/addresses.h \
	ice-agent/agent.c ice-agent/agent.h \
	ice-agent/candidate.c ice-agent/candidate.h \
	ice-agent/probe.c ice-agent/probe.h \
	ice-agent/remote.c ice-agent/remote.h \
	ice-agent/resolver.c ice-agent/resolver.h \
	ice-agent/sandbox.c ice-agent/sandbox.h \
	ice-agent/settings.c ice-agent/settings.h \
	ice-agent/stun.c ice-agent/stun.h \
	ice-agent/stun_race.c ice-agent/stun_race.h \
	ice-agent/turn.c ice-agent/turn.h
nodist_ice_agent_libice_a_SOURCES = ice-agent/stun_servers.inc
ice_agent_libice_a_CFLAGS = $(PG_CFLAGS) $(NICE_CFLAGS) $(SECCOMP_CFLAGS) $(SODIUM_CFLAGS)

ICE_LIBS = ice-agent/libice.a $(PROTOCOL_LIBS) $(NICE_LIBS) $(SECCOMP_LIBS) $(SODIUM_LIBS)

bin_PROGRAMS += punchguard-ice-agent
punchguard_ice_agent_SOURCES = ice-agent/main.c
punchguard_ice_agent_CFLAGS = $(PG_CFLAGS) $(NICE_CFLAGS) $(SODIUM_CFLAGS)
punchguard_ice_agent_LDADD = $(ICE_LIBS)

# The default STUN servers, as a list of C strings.
EXTRA_DIST += ice-agent/stun-servers.txt
BUILT_SOURCES += ice-agent/stun_servers.inc
CLEANFILES += ice-agent/stun_servers.inc
ice-agent/stun_servers.inc: ice-agent/stun-servers.txt
	$(AM_V_GEN)$(MKDIR_P) ice-agent && \
	sed -n 's|^\([^#].*\)$$|"\1",|p' $(srcdir)/ice-agent/stun-servers.txt >$@

noinst_PROGRAMS += tests/stun-server
tests_stun_server_SOURCES = tests/stun-server.c
tests_stun_server_LDADD = protocol/libprotocol.a

# Also the README's example of two agents without a broker. Skipped where we are not root.
dist_check_SCRIPTS += tests/examples/ice-agents-by-pipes.sh
TESTS += tests/examples/ice-agents-by-pipes.sh
