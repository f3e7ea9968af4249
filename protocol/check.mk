# SPDX-License-Identifier: GPL-3.0-or-later
# The tests of protocol/.
PROTOCOL_TEST_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS)
PROTOCOL_TEST_LIBS = $(PROTOCOL_LIBS) $(CMOCKA_LIBS)

if HAVE_CMOCKA
PROTOCOL_TESTS = \
	tests/unit/test_error \
	tests/unit/test_log
check_PROGRAMS += $(PROTOCOL_TESTS)
TESTS += $(PROTOCOL_TESTS)
endif

tests_unit_test_error_SOURCES = tests/unit/test_error.c
tests_unit_test_error_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_error_LDADD = $(PROTOCOL_TEST_LIBS)
tests_unit_test_log_SOURCES = tests/unit/test_log.c
tests_unit_test_log_CFLAGS = $(PROTOCOL_TEST_CFLAGS)
tests_unit_test_log_LDADD = $(PROTOCOL_TEST_LIBS)
# The test turns the clock of the limit on log lines.
tests_unit_test_log_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=clock_gettime
