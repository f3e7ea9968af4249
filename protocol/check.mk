# SPDX-License-Identifier: GPL-3.0-or-later
# The tests of protocol/.
PROTOCOL_TEST_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS)
PROTOCOL_TEST_LIBS = $(PROTOCOL_LIBS) $(CMOCKA_LIBS)

if HAVE_CMOCKA
PROTOCOL_TESTS = \
	tests/unit/test_await \
	tests/unit/test_endpoint \
	tests/unit/test_error \
	tests/unit/test_file \
	tests/unit/test_helper \
	tests/unit/test_id \
	tests/unit/test_inbound \
	tests/unit/test_interface \
	tests/unit/test_invitation \
	tests/unit/test_json \
	tests/unit/test_line \
	tests/unit/test_log \
	tests/unit/test_message \
	tests/unit/test_outbox
check_PROGRAMS += $(PROTOCOL_TESTS)
TESTS += $(PROTOCOL_TESTS)
endif

tests_unit_test_await_SOURCES = tests/unit/test_await.c
tests_unit_test_await_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_await_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_endpoint_SOURCES = tests/unit/test_endpoint.c
tests_unit_test_endpoint_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_endpoint_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_error_SOURCES = tests/unit/test_error.c
tests_unit_test_error_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_error_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_file_SOURCES = tests/unit/test_file.c
tests_unit_test_file_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_file_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_helper_SOURCES = tests/unit/test_helper.c
tests_unit_test_helper_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_helper_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_id_SOURCES = tests/unit/test_id.c
tests_unit_test_id_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_id_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_inbound_SOURCES = tests/unit/test_inbound.c
tests_unit_test_inbound_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_inbound_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_interface_SOURCES = tests/unit/test_interface.c
tests_unit_test_interface_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_interface_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_invitation_SOURCES = tests/unit/test_invitation.c
tests_unit_test_invitation_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_invitation_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_json_SOURCES = tests/unit/test_json.c
tests_unit_test_json_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_json_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_line_SOURCES = tests/unit/test_line.c
tests_unit_test_line_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_line_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_log_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_message_SOURCES = tests/unit/test_message.c tests/unit/walk.c tests/unit/walk.h
tests_unit_test_message_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_message_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_outbox_SOURCES = tests/unit/test_outbox.c
tests_unit_test_outbox_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_outbox_LDADD = $(PROTOCOL_TEST_LIBS)
# The test turns the clock of the limit on log lines.
tests_unit_test_log_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime

# Each parser is fuzzed for a moment; tests/fuzz/fuzz.h tells how to do it for long.
FUZZERS = tests/fuzz/fuzz_endpoint tests/fuzz/fuzz_id tests/fuzz/fuzz_invitation \
	tests/fuzz/fuzz_json tests/fuzz/fuzz_line tests/fuzz/fuzz_message
check_PROGRAMS += $(FUZZERS)
TESTS += $(FUZZERS)
FUZZ_SOURCES = tests/fuzz/driver.c tests/fuzz/fuzz.h tests/fuzz/invariant.c

tests_fuzz_fuzz_endpoint_SOURCES = tests/fuzz/fuzz_endpoint.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_endpoint_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_fuzz_fuzz_endpoint_LDADD = $(PROTOCOL_LIBS)
tests_fuzz_fuzz_id_SOURCES = tests/fuzz/fuzz_id.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_id_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_fuzz_fuzz_id_LDADD = $(PROTOCOL_LIBS)
tests_fuzz_fuzz_invitation_SOURCES = tests/fuzz/fuzz_invitation.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_invitation_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_fuzz_fuzz_invitation_LDADD = $(PROTOCOL_LIBS)
tests_fuzz_fuzz_json_SOURCES = tests/fuzz/fuzz_json.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_json_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_fuzz_fuzz_json_LDADD = $(PROTOCOL_LIBS)
tests_fuzz_fuzz_line_SOURCES = tests/fuzz/fuzz_line.c $(FUZZ_SOURCES)
tests_fuzz_fuzz_line_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_fuzz_fuzz_line_LDADD = $(PROTOCOL_LIBS)
tests_fuzz_fuzz_message_SOURCES = tests/fuzz/fuzz_message.c $(FUZZ_SOURCES) \
	tests/unit/walk.c tests/unit/walk.h
tests_fuzz_fuzz_message_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_fuzz_fuzz_message_LDADD = $(PROTOCOL_LIBS)

dist_man_MANS += protocol/punchguard-helpers.7 protocol/punchguard-protocol.7
dist_check_SCRIPTS += tests/check-manual tests/check-recipes
TESTS += tests/check-manual tests/check-recipes
