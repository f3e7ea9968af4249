# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += wg-setup/libwg.a
wg_setup_libwg_a_SOURCES = \
	wg-setup/address.c wg-setup/address.h \
	wg-setup/clock.h \
	wg-setup/device.h \
	wg-setup/device_kernel.c \
	wg-setup/device_userspace.c \
	wg-setup/forward.c wg-setup/forward.h \
	wg-setup/grants.c wg-setup/grants.h \
	wg-setup/hosts.c wg-setup/hosts.h \
	wg-setup/hosts_file.c wg-setup/hosts_file.h \
	wg-setup/inbound.c wg-setup/inbound.h \
	wg-setup/inbound_text.c \
	wg-setup/key.c wg-setup/key.h \
	wg-setup/learned.c wg-setup/learned.h \
	wg-setup/limits.c wg-setup/limits.h \
	wg-setup/names.c wg-setup/names.h \
	wg-setup/peer.c wg-setup/peer.h \
	wg-setup/redirect.c wg-setup/redirect.h \
	wg-setup/redirect_text.c \
	wg-setup/rtnetlink.c wg-setup/rtnetlink.h \
	wg-setup/rules.c wg-setup/rules.h \
	wg-setup/rules_text.c \
	wg-setup/ruleset.c wg-setup/ruleset.h \
	wg-setup/sysctl.c wg-setup/sysctl.h \
	wg-setup/tunnel.c wg-setup/tunnel.h wg-setup/tunnel_state.h \
	wg-setup/tunnel_adopt.c \
	wg-setup/tunnel_grant.c \
	wg-setup/tunnel_inbound.c \
	wg-setup/tunnel_request.c \
	wg-setup/tunnel_routes.c \
	wg-setup/uapi.c wg-setup/uapi.h \
	wg-setup/watch.c wg-setup/watch.h
wg_setup_libwg_a_CFLAGS = $(PG_CFLAGS) $(MNL_CFLAGS) $(NFT_CFLAGS) $(SECCOMP_CFLAGS) $(SODIUM_CFLAGS)

WG_LIBS = wg-setup/libwg.a $(PROTOCOL_LIBS) $(MNL_LIBS) $(NFT_LIBS) $(SECCOMP_LIBS)

bin_PROGRAMS += punchguard-wg-setup
punchguard_wg_setup_SOURCES = wg-setup/main.c
punchguard_wg_setup_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
punchguard_wg_setup_LDADD = $(WG_LIBS)

if HAVE_CMOCKA
WG_TESTS = tests/unit/test_uapi tests/unit/test_redirect tests/unit/test_forward tests/unit/test_grants \
	tests/unit/test_inbound_text tests/unit/test_key tests/unit/test_address tests/unit/test_limits \
	tests/unit/test_peer tests/unit/test_rules tests/unit/test_sysctl tests/unit/test_tunnel \
	tests/unit/test_hosts tests/unit/test_hosts_file tests/unit/test_names
check_PROGRAMS += $(WG_TESTS)
TESTS += $(WG_TESTS)
endif
WG_TEST_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
WG_TEST_LIBS = $(WG_LIBS) $(CMOCKA_LIBS)

tests_unit_test_uapi_SOURCES = tests/unit/test_uapi.c
tests_unit_test_uapi_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_uapi_LDADD = $(WG_TEST_LIBS)
tests_unit_test_redirect_SOURCES = tests/unit/test_redirect.c
tests_unit_test_redirect_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_redirect_LDADD = $(WG_TEST_LIBS)
tests_unit_test_grants_SOURCES = tests/unit/test_grants.c
tests_unit_test_grants_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_grants_LDADD = $(WG_TEST_LIBS)
tests_unit_test_inbound_text_SOURCES = tests/unit/test_inbound_text.c
tests_unit_test_inbound_text_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_inbound_text_LDADD = $(WG_TEST_LIBS)
tests_unit_test_key_SOURCES = tests/unit/test_key.c
tests_unit_test_key_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_key_LDADD = $(WG_TEST_LIBS)
tests_unit_test_address_SOURCES = tests/unit/test_address.c
tests_unit_test_address_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_address_LDADD = $(WG_TEST_LIBS)
tests_unit_test_limits_SOURCES = tests/unit/test_limits.c
tests_unit_test_limits_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_limits_LDADD = $(WG_TEST_LIBS)
tests_unit_test_peer_SOURCES = tests/unit/test_peer.c
tests_unit_test_peer_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_peer_LDADD = $(WG_TEST_LIBS)
tests_unit_test_hosts_SOURCES = tests/unit/test_hosts.c
tests_unit_test_hosts_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_hosts_LDADD = $(WG_TEST_LIBS)
tests_unit_test_hosts_file_SOURCES = tests/unit/test_hosts_file.c
tests_unit_test_hosts_file_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_hosts_file_LDADD = $(WG_TEST_LIBS)
tests_unit_test_names_SOURCES = tests/unit/test_names.c
tests_unit_test_names_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_names_LDADD = $(WG_TEST_LIBS)
tests_unit_test_forward_SOURCES = tests/unit/test_forward.c
tests_unit_test_forward_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_forward_LDADD = $(WG_TEST_LIBS)
tests_unit_test_rules_SOURCES = tests/unit/test_rules.c
tests_unit_test_rules_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_rules_LDADD = $(WG_TEST_LIBS)
tests_unit_test_sysctl_SOURCES = tests/unit/test_sysctl.c
tests_unit_test_sysctl_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_sysctl_LDADD = $(WG_TEST_LIBS)
# Brings its own device, redirect and address: what the linker finds there it does not take from the library.
tests_unit_test_tunnel_SOURCES = tests/unit/test_tunnel.c
tests_unit_test_tunnel_CFLAGS = $(WG_TEST_CFLAGS)
tests_unit_test_tunnel_LDADD = $(WG_TEST_LIBS)

WG_FUZZERS = tests/fuzz/fuzz_hosts tests/fuzz/fuzz_inbound tests/fuzz/fuzz_redirect tests/fuzz/fuzz_uapi
check_PROGRAMS += $(WG_FUZZERS)
TESTS += $(WG_FUZZERS)
tests_fuzz_fuzz_hosts_SOURCES = tests/fuzz/fuzz_hosts.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_hosts_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_hosts_LDADD = $(WG_LIBS)
tests_fuzz_fuzz_inbound_SOURCES = tests/fuzz/fuzz_inbound.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_inbound_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_inbound_LDADD = $(WG_LIBS)
tests_fuzz_fuzz_redirect_SOURCES = tests/fuzz/fuzz_redirect.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_redirect_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_redirect_LDADD = $(WG_LIBS)
tests_fuzz_fuzz_uapi_SOURCES = tests/fuzz/fuzz_uapi.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_uapi_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_fuzz_fuzz_uapi_LDADD = $(WG_LIBS)

dist_man_MANS += wg-setup/punchguard-wg-setup.8
EXTRA_DIST += tests/examples/wg-setup-by-printf.sh
