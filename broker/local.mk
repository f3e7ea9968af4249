# SPDX-License-Identifier: GPL-3.0-or-later
include broker/child.mk
include broker/seal.mk

if HAVE_CMOCKA
check_PROGRAMS += tests/unit/test_session
TESTS += tests/unit/test_session
endif
tests_unit_test_session_SOURCES = tests/unit/test_session.c broker/session.c
tests_unit_test_session_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_session_LDADD = $(PROTOCOL_LIBS) $(CMOCKA_LIBS)
