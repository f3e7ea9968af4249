# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += signal-lan/liblan.a
signal_lan_liblan_a_SOURCES = \
	signal-lan/bucket.h \
	signal-lan/links.c signal-lan/links.h \
	signal-lan/options.c signal-lan/options.h \
	signal-lan/parcel.c signal-lan/parcel.h \
	signal-lan/peer.c signal-lan/peer.h \
	signal-lan/place.h \
	signal-lan/sandbox.c signal-lan/sandbox.h \
	signal-lan/seal.c signal-lan/seal.h \
	signal-lan/transport.c signal-lan/transport.h \
	signal-lan/wire.c signal-lan/wire.h
signal_lan_liblan_a_CFLAGS = $(PG_CFLAGS) $(MNL_CFLAGS) $(SECCOMP_CFLAGS) $(SODIUM_CFLAGS)

SIGNAL_LAN_LIBS = signal-lan/liblan.a $(SANDBOX_LIBS) $(PROTOCOL_LIBS) $(MNL_LIBS)

bin_PROGRAMS += punchguard-signal-lan
punchguard_signal_lan_SOURCES = signal-lan/main.c
punchguard_signal_lan_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
punchguard_signal_lan_LDADD = $(SIGNAL_LAN_LIBS)

dist_man_MANS += signal-lan/punchguard-signal-lan.8

SIGNAL_LAN_UNIT_TESTS = tests/unit/test_lan_links tests/unit/test_lan_options tests/unit/test_lan_parcel \
	tests/unit/test_lan_peer tests/unit/test_lan_sandbox tests/unit/test_lan_seal
SIGNAL_LAN_FUZZ_TESTS = tests/fuzz/fuzz_lan_options tests/fuzz/fuzz_lan_parcel tests/fuzz/fuzz_lan_peer
check_PROGRAMS += $(SIGNAL_LAN_FUZZ_TESTS)
TESTS += $(SIGNAL_LAN_FUZZ_TESTS)
if HAVE_CMOCKA
check_PROGRAMS += $(SIGNAL_LAN_UNIT_TESTS)
TESTS += $(SIGNAL_LAN_UNIT_TESTS)
endif

SIGNAL_LAN_TEST_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(MNL_CFLAGS) $(SODIUM_CFLAGS)
SIGNAL_LAN_TEST_LIBS = $(SIGNAL_LAN_LIBS) $(CMOCKA_LIBS)

tests_unit_test_lan_links_SOURCES = tests/unit/test_lan_links.c
tests_unit_test_lan_links_CFLAGS = $(SIGNAL_LAN_TEST_CFLAGS)
tests_unit_test_lan_links_LDADD = $(SIGNAL_LAN_TEST_LIBS)
tests_unit_test_lan_options_SOURCES = tests/unit/test_lan_options.c
tests_unit_test_lan_options_CFLAGS = $(SIGNAL_LAN_TEST_CFLAGS)
tests_unit_test_lan_options_LDADD = $(SIGNAL_LAN_TEST_LIBS)
tests_unit_test_lan_parcel_SOURCES = tests/unit/test_lan_parcel.c
tests_unit_test_lan_parcel_CFLAGS = $(SIGNAL_LAN_TEST_CFLAGS)
tests_unit_test_lan_parcel_LDADD = $(SIGNAL_LAN_TEST_LIBS)
tests_unit_test_lan_peer_SOURCES = tests/unit/test_lan_peer.c
tests_unit_test_lan_peer_CFLAGS = $(SIGNAL_LAN_TEST_CFLAGS)
tests_unit_test_lan_peer_LDADD = $(SIGNAL_LAN_TEST_LIBS)
tests_unit_test_lan_sandbox_SOURCES = tests/unit/test_lan_sandbox.c
tests_unit_test_lan_sandbox_CFLAGS = $(SIGNAL_LAN_TEST_CFLAGS)
tests_unit_test_lan_sandbox_LDADD = $(SIGNAL_LAN_TEST_LIBS)
tests_unit_test_lan_seal_SOURCES = tests/unit/test_lan_seal.c
tests_unit_test_lan_seal_CFLAGS = $(SIGNAL_LAN_TEST_CFLAGS)
tests_unit_test_lan_seal_LDADD = $(SIGNAL_LAN_TEST_LIBS)

tests_fuzz_fuzz_lan_options_SOURCES = tests/fuzz/fuzz_lan_options.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_lan_options_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_lan_options_LDADD = $(SIGNAL_LAN_LIBS)
tests_fuzz_fuzz_lan_parcel_SOURCES = tests/fuzz/fuzz_lan_parcel.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_lan_parcel_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_lan_parcel_LDADD = $(SIGNAL_LAN_LIBS)
tests_fuzz_fuzz_lan_peer_SOURCES = tests/fuzz/fuzz_lan_peer.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_lan_peer_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_lan_peer_LDADD = $(SIGNAL_LAN_LIBS)

# As a process, over its pipes.
dist_check_SCRIPTS += tests/signal-lan
TESTS += tests/signal-lan
