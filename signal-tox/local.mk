# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += signal-tox/libtox.a
signal_tox_libtox_a_SOURCES = \
	signal-tox/hurry.c signal-tox/hurry.h \
	signal-tox/options.c signal-tox/options.h \
	signal-tox/parcel.c signal-tox/parcel.h \
	signal-tox/sandbox.c signal-tox/sandbox.h \
	signal-tox/sockets.c signal-tox/sockets.h \
	signal-tox/state.c signal-tox/state.h \
	signal-tox/transport.c signal-tox/transport.h
nodist_signal_tox_libtox_a_SOURCES = signal-tox/nodes.inc
signal_tox_libtox_a_CFLAGS = $(PG_CFLAGS) $(SECCOMP_CFLAGS) $(SODIUM_CFLAGS) $(TOX_CFLAGS)

SIGNAL_TOX_LIBS = signal-tox/libtox.a $(SANDBOX_LIBS) $(PROTOCOL_LIBS) $(TOX_LIBS)

bin_PROGRAMS += punchguard-signal-tox
punchguard_signal_tox_SOURCES = signal-tox/main.c
punchguard_signal_tox_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
punchguard_signal_tox_LDADD = $(SIGNAL_TOX_LIBS)

# The public nodes compiled in.
dist_man_MANS += signal-tox/punchguard-signal-tox.8
EXTRA_DIST += signal-tox/nodes.awk signal-tox/nodes.json
BUILT_SOURCES += signal-tox/nodes.inc
CLEANFILES += signal-tox/nodes.inc
signal-tox/nodes.inc: signal-tox/nodes.awk signal-tox/nodes.json
	$(AM_V_GEN)$(MKDIR_P) signal-tox && \
	$(AWK) -f $(srcdir)/signal-tox/nodes.awk $(srcdir)/signal-tox/nodes.json >$@

SIGNAL_TOX_UNIT_TESTS = tests/unit/test_hurry tests/unit/test_parcel tests/unit/test_sockets tests/unit/test_state \
	tests/unit/test_tox_options tests/unit/test_tox_requests tests/unit/test_tox_sandbox
SIGNAL_TOX_FUZZ_TESTS = tests/fuzz/fuzz_parcel tests/fuzz/fuzz_tox_options
check_PROGRAMS += $(SIGNAL_TOX_FUZZ_TESTS)
TESTS += $(SIGNAL_TOX_FUZZ_TESTS)
if HAVE_CMOCKA
check_PROGRAMS += $(SIGNAL_TOX_UNIT_TESTS)
TESTS += $(SIGNAL_TOX_UNIT_TESTS)
endif

tests_unit_test_hurry_SOURCES = tests/unit/test_hurry.c
tests_unit_test_hurry_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_hurry_LDADD = $(SIGNAL_TOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_parcel_SOURCES = tests/unit/test_parcel.c
tests_unit_test_parcel_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_parcel_LDADD = $(SIGNAL_TOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_sockets_SOURCES = tests/unit/test_sockets.c
tests_unit_test_sockets_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_sockets_LDADD = $(SIGNAL_TOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_state_SOURCES = tests/unit/test_state.c
tests_unit_test_state_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_state_LDADD = $(SIGNAL_TOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tox_options_SOURCES = tests/unit/test_tox_options.c
tests_unit_test_tox_options_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_tox_options_LDADD = $(SIGNAL_TOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tox_requests_SOURCES = tests/unit/test_tox_requests.c
tests_unit_test_tox_requests_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(TOX_CFLAGS)
tests_unit_test_tox_requests_LDADD = $(SIGNAL_TOX_LIBS) $(CMOCKA_LIBS)
tests_unit_test_tox_sandbox_SOURCES = tests/unit/test_tox_sandbox.c
tests_unit_test_tox_sandbox_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_tox_sandbox_LDADD = $(SIGNAL_TOX_LIBS) $(CMOCKA_LIBS)

tests_fuzz_fuzz_parcel_SOURCES = tests/fuzz/fuzz_parcel.c tests/fuzz/mutate.c tests/fuzz/mutate.h
tests_fuzz_fuzz_parcel_CFLAGS = $(PG_CFLAGS)
tests_fuzz_fuzz_parcel_LDADD = $(SIGNAL_TOX_LIBS)
tests_fuzz_fuzz_tox_options_SOURCES = tests/fuzz/fuzz_tox_options.c tests/fuzz/mutate.c tests/fuzz/mutate.h
tests_fuzz_fuzz_tox_options_CFLAGS = $(PG_CFLAGS)
tests_fuzz_fuzz_tox_options_LDADD = $(SIGNAL_TOX_LIBS)

# As a process, over its pipes.
dist_check_SCRIPTS += tests/signal-tox
TESTS += tests/signal-tox
