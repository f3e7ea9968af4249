# SPDX-License-Identifier: GPL-3.0-or-later
if WITH_DHT
noinst_LIBRARIES += signal-dht/libdht.a
signal_dht_libdht_a_SOURCES = \
	signal-dht/link.c signal-dht/link.h \
	signal-dht/node.c signal-dht/node.h \
	signal-dht/options.c signal-dht/options.h \
	signal-dht/sandbox.c signal-dht/sandbox.h \
	signal-dht/seal.c signal-dht/seal.h \
	signal-dht/transport.c signal-dht/transport.h \
	signal-dht/value.c signal-dht/value.h
signal_dht_libdht_a_CFLAGS = $(PG_CFLAGS) $(DHT_CFLAGS) $(SECCOMP_CFLAGS) $(SODIUM_CFLAGS)

SIGNAL_DHT_LIBS = signal-dht/libdht.a $(SANDBOX_LIBS) $(PROTOCOL_LIBS) $(DHT_LIBS) -lpthread

bin_PROGRAMS += punchguard-signal-dht
punchguard_signal_dht_SOURCES = signal-dht/main.c
punchguard_signal_dht_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
punchguard_signal_dht_LDADD = $(SIGNAL_DHT_LIBS)

dist_man_MANS += signal-dht/punchguard-signal-dht.8

SIGNAL_DHT_UNIT_TESTS = tests/unit/test_dht_options tests/unit/test_dht_sandbox tests/unit/test_link \
	tests/unit/test_seal tests/unit/test_value
SIGNAL_DHT_FUZZ_TESTS = tests/fuzz/fuzz_dht_options tests/fuzz/fuzz_link
check_PROGRAMS += $(SIGNAL_DHT_FUZZ_TESTS)
TESTS += $(SIGNAL_DHT_FUZZ_TESTS)
if HAVE_CMOCKA
check_PROGRAMS += $(SIGNAL_DHT_UNIT_TESTS)
TESTS += $(SIGNAL_DHT_UNIT_TESTS)
endif

SIGNAL_DHT_TEST_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
SIGNAL_DHT_TEST_LIBS = $(SIGNAL_DHT_LIBS) $(CMOCKA_LIBS)
tests_unit_test_dht_options_SOURCES = tests/unit/test_dht_options.c
tests_unit_test_dht_options_CFLAGS = $(SIGNAL_DHT_TEST_CFLAGS)
tests_unit_test_dht_options_LDADD = $(SIGNAL_DHT_TEST_LIBS)
tests_unit_test_dht_sandbox_SOURCES = tests/unit/test_dht_sandbox.c
tests_unit_test_dht_sandbox_CFLAGS = $(SIGNAL_DHT_TEST_CFLAGS)
tests_unit_test_dht_sandbox_LDADD = $(SIGNAL_DHT_TEST_LIBS)
tests_unit_test_link_SOURCES = tests/unit/test_link.c
tests_unit_test_link_CFLAGS = $(SIGNAL_DHT_TEST_CFLAGS)
tests_unit_test_link_LDADD = $(SIGNAL_DHT_TEST_LIBS)
tests_unit_test_seal_SOURCES = tests/unit/test_seal.c
tests_unit_test_seal_CFLAGS = $(SIGNAL_DHT_TEST_CFLAGS)
tests_unit_test_seal_LDADD = $(SIGNAL_DHT_TEST_LIBS)
tests_unit_test_value_SOURCES = tests/unit/test_value.c
tests_unit_test_value_CFLAGS = $(SIGNAL_DHT_TEST_CFLAGS)
tests_unit_test_value_LDADD = $(SIGNAL_DHT_TEST_LIBS)

tests_fuzz_fuzz_dht_options_SOURCES = tests/fuzz/fuzz_dht_options.c tests/fuzz/mutate.c tests/fuzz/mutate.h
tests_fuzz_fuzz_dht_options_CFLAGS = $(SIGNAL_DHT_TEST_CFLAGS)
tests_fuzz_fuzz_dht_options_LDADD = $(SIGNAL_DHT_LIBS)
tests_fuzz_fuzz_link_SOURCES = tests/fuzz/fuzz_link.c tests/fuzz/mutate.c tests/fuzz/mutate.h
tests_fuzz_fuzz_link_CFLAGS = $(SIGNAL_DHT_TEST_CFLAGS)
tests_fuzz_fuzz_link_LDADD = $(SIGNAL_DHT_LIBS)

# As a process, over its pipes.
TESTS += tests/signal-dht
endif
EXTRA_DIST += signal-dht/punchguard-signal-dht.8 tests/signal-dht
