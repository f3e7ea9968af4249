# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += ice-agent/libice.a
ice_agent_libice_a_SOURCES = \
	ice-agent/addresses.c ice-agent/addresses.h \
	ice-agent/agent.c ice-agent/agent.h \
	ice-agent/asker.c ice-agent/asker.h \
	ice-agent/behaviour.c ice-agent/behaviour.h \
	ice-agent/candidate.c ice-agent/candidate.h \
	ice-agent/footprint.c ice-agent/footprint.h \
	ice-agent/hairpin.c ice-agent/hairpin.h \
	ice-agent/names.c ice-agent/names.h \
	ice-agent/netcheck.c ice-agent/netcheck.h \
	ice-agent/netcheck_report.c ice-agent/netcheck_report.h \
	ice-agent/netcheck_run.c ice-agent/netcheck_run.h \
	ice-agent/probe.c ice-agent/probe.h \
	ice-agent/remote.c ice-agent/remote.h \
	ice-agent/resolver.c ice-agent/resolver.h \
	ice-agent/sandbox.c ice-agent/sandbox.h \
	ice-agent/settings.c ice-agent/settings.h \
	ice-agent/stun.c ice-agent/stun.h \
	ice-agent/stun_race.c ice-agent/stun_race.h \
	ice-agent/trial.c ice-agent/trial.h \
	ice-agent/turn.c ice-agent/turn.h
nodist_ice_agent_libice_a_SOURCES = ice-agent/stun_servers.inc
ice_agent_libice_a_CFLAGS = $(PG_CFLAGS) $(NICE_CFLAGS) $(SECCOMP_CFLAGS) $(SODIUM_CFLAGS)

ICE_LIBS = ice-agent/libice.a $(SANDBOX_LIBS) $(PROTOCOL_LIBS) $(NICE_LIBS) $(SODIUM_LIBS)

bin_PROGRAMS += punchguard-ice-agent
punchguard_ice_agent_SOURCES = ice-agent/main.c
punchguard_ice_agent_CFLAGS = $(PG_CFLAGS) $(NICE_CFLAGS) $(SODIUM_CFLAGS)
punchguard_ice_agent_LDADD = $(ICE_LIBS)

dist_man_MANS += ice-agent/punchguard-ice-agent.8

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

# The README's example of two agents without a broker, which the lab runs.
dist_check_SCRIPTS += tests/examples/ice-agents-by-pipes.sh

ICE_UNIT_TESTS = tests/unit/test_addresses tests/unit/test_asker \
	tests/unit/test_behaviour tests/unit/test_candidate tests/unit/test_netcheck \
	tests/unit/test_netcheck_report tests/unit/test_probe tests/unit/test_remote tests/unit/test_resolver tests/unit/test_sandbox tests/unit/test_settings \
	tests/unit/test_stun tests/unit/test_stun_race tests/unit/test_turn
ICE_FUZZ_TESTS = tests/fuzz/fuzz_candidate tests/fuzz/fuzz_probe tests/fuzz/fuzz_stun
check_PROGRAMS += $(ICE_FUZZ_TESTS)
TESTS += $(ICE_FUZZ_TESTS)
if HAVE_CMOCKA
check_PROGRAMS += $(ICE_UNIT_TESTS)
TESTS += $(ICE_UNIT_TESTS)
endif

tests_unit_test_addresses_SOURCES = tests/unit/test_addresses.c
tests_unit_test_addresses_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_addresses_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_asker_SOURCES = tests/unit/test_asker.c
tests_unit_test_asker_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_asker_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_behaviour_SOURCES = tests/unit/test_behaviour.c
tests_unit_test_behaviour_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_behaviour_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_candidate_SOURCES = tests/unit/test_candidate.c
tests_unit_test_candidate_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_candidate_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_netcheck_SOURCES = tests/unit/test_netcheck.c
tests_unit_test_netcheck_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_netcheck_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_netcheck_report_SOURCES = tests/unit/test_netcheck_report.c
tests_unit_test_netcheck_report_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_netcheck_report_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_probe_SOURCES = tests/unit/test_probe.c
tests_unit_test_probe_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_probe_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_remote_SOURCES = tests/unit/test_remote.c
tests_unit_test_remote_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_remote_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_resolver_SOURCES = tests/unit/test_resolver.c
tests_unit_test_resolver_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(NICE_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_resolver_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_sandbox_SOURCES = tests/unit/test_sandbox.c
tests_unit_test_sandbox_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sandbox_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_settings_SOURCES = tests/unit/test_settings.c
tests_unit_test_settings_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_settings_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_stun_SOURCES = tests/unit/test_stun.c
tests_unit_test_stun_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_stun_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_stun_race_SOURCES = tests/unit/test_stun_race.c
tests_unit_test_stun_race_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_stun_race_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)
tests_unit_test_turn_SOURCES = tests/unit/test_turn.c
tests_unit_test_turn_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_turn_LDADD = $(ICE_LIBS) $(CMOCKA_LIBS)

tests_fuzz_fuzz_candidate_SOURCES = tests/fuzz/fuzz_candidate.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_candidate_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_candidate_LDADD = $(ICE_LIBS)
tests_fuzz_fuzz_probe_SOURCES = tests/fuzz/fuzz_probe.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_probe_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_probe_LDADD = $(ICE_LIBS)
tests_fuzz_fuzz_stun_SOURCES = tests/fuzz/fuzz_stun.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_stun_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_stun_LDADD = $(ICE_LIBS)

dist_check_SCRIPTS += tests/test-ice-agent
TESTS += tests/test-ice-agent
