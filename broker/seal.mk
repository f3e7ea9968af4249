# SPDX-License-Identifier: GPL-3.0-or-later
# The configuration, and what seals messages between peers, apart from the broker's event loop.
noinst_LIBRARIES += broker/libseal.a
broker_libseal_a_SOURCES = \
	broker/bucket.h \
	broker/envelope.c broker/envelope.h \
	broker/identity.c broker/identity.h \
	broker/joining.c broker/joining.h \
	broker/keyring.c broker/keyring.h \
	broker/learned.c broker/learned.h \
	broker/noise.c broker/noise.h \
	broker/pairing.c broker/pairing.h broker/pairing_state.h \
	broker/pairing_inviter.c broker/pairing_joiner.c \
	broker/window.c broker/window.h
broker_libseal_a_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)

noinst_LIBRARIES += broker/libconfig.a
broker_libconfig_a_SOURCES = \
	broker/config.c broker/config.h broker/config_read.h \
	broker/config_diff.c broker/config_diff.h \
	broker/config_learned.c broker/config_learned.h \
	broker/config_hook.c broker/config_ice.c broker/config_peer.c broker/config_transport.c
broker_libconfig_a_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)

# libconfig.a looks programs up with child.mk's library.
SEAL_LIBS = broker/libconfig.a broker/libseal.a $(PROTOCOL_LIBS)

if HAVE_CMOCKA
SEAL_TESTS = tests/unit/test_noise tests/unit/test_window tests/unit/test_envelope \
	tests/unit/test_identity tests/unit/test_config tests/unit/test_config_diff \
	tests/unit/test_joining tests/unit/test_learned tests/unit/test_config_learned \
	tests/unit/test_pairing tests/unit/test_hook
check_PROGRAMS += $(SEAL_TESTS)
TESTS += $(SEAL_TESTS)
endif
dist_man_MANS += broker/punchguard.conf.5 broker/punchguard-broker.8 broker/punchguard-control.7
EXTRA_DIST += tests/data/noise-vectors.json

tests_unit_test_noise_SOURCES = tests/unit/test_noise.c
tests_unit_test_noise_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_noise_LDADD = $(SEAL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_window_SOURCES = tests/unit/test_window.c
tests_unit_test_window_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_window_LDADD = $(SEAL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_envelope_SOURCES = tests/unit/test_envelope.c
tests_unit_test_envelope_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_envelope_LDADD = $(SEAL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_identity_SOURCES = tests/unit/test_identity.c
tests_unit_test_identity_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_identity_LDADD = $(SEAL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_joining_SOURCES = tests/unit/test_joining.c
tests_unit_test_joining_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_joining_LDADD = $(SEAL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_learned_SOURCES = tests/unit/test_learned.c
tests_unit_test_learned_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_learned_LDADD = $(SEAL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_config_SOURCES = tests/unit/test_config.c
tests_unit_test_config_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_config_LDADD = $(SEAL_LIBS) $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_config_learned_SOURCES = tests/unit/test_config_learned.c
tests_unit_test_config_learned_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_config_learned_LDADD = $(SEAL_LIBS) $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_pairing_SOURCES = tests/unit/test_pairing.c
tests_unit_test_pairing_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_pairing_LDADD = $(SEAL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_hook_SOURCES = tests/unit/test_hook.c broker/hook.c
tests_unit_test_hook_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS) $(UV_CFLAGS)
tests_unit_test_hook_LDADD = $(SEAL_LIBS) $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_config_diff_SOURCES = tests/unit/test_config_diff.c
tests_unit_test_config_diff_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_config_diff_LDADD = $(SEAL_LIBS) $(CHILD_LIBS) $(CMOCKA_LIBS)
