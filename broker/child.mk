# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += broker/libchild.a
broker_libchild_a_SOURCES = \
	broker/backoff.c broker/backoff.h \
	broker/child.c broker/child.h \
	broker/child_log.c broker/child_log.h \
	broker/handshake.c broker/handshake.h \
	broker/launcher.c broker/launcher.h \
	broker/notify.c broker/notify.h \
	broker/privilege.c broker/privilege.h \
	broker/state_dir.c broker/state_dir.h \
	broker/process.c broker/process.h \
	broker/program.c broker/program.h \
	broker/watch.c broker/watch.h
broker_libchild_a_CFLAGS = $(PG_CFLAGS) $(UV_CFLAGS) $(JANSSON_CFLAGS)

CHILD_LIBS = broker/libchild.a $(PROTOCOL_LIBS) $(UV_LIBS)

if HAVE_CMOCKA
CHILD_TESTS = tests/unit/test_backoff tests/unit/test_child tests/unit/test_child_log \
	tests/unit/test_event tests/unit/test_handshake tests/unit/test_launcher \
	tests/unit/test_notify tests/unit/test_privilege tests/unit/test_process tests/unit/test_program \
	tests/unit/test_state_dir
check_PROGRAMS += $(CHILD_TESTS) tests/bad-helper
TESTS += $(CHILD_TESTS)
endif

tests_bad_helper_SOURCES = tests/bad-helper.c
tests_unit_test_backoff_SOURCES = tests/unit/test_backoff.c
tests_unit_test_backoff_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_backoff_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_child_SOURCES = tests/unit/test_child.c
tests_unit_test_child_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(UV_CFLAGS)
tests_unit_test_child_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_child_log_SOURCES = tests/unit/test_child_log.c
tests_unit_test_child_log_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(UV_CFLAGS)
tests_unit_test_child_log_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_event_SOURCES = tests/unit/test_event.c broker/event.c
tests_unit_test_event_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(UV_CFLAGS)
tests_unit_test_event_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_handshake_SOURCES = tests/unit/test_handshake.c
tests_unit_test_handshake_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_handshake_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_launcher_SOURCES = tests/unit/test_launcher.c
tests_unit_test_launcher_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_launcher_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_notify_SOURCES = tests/unit/test_notify.c
tests_unit_test_notify_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(UV_CFLAGS)
tests_unit_test_notify_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_state_dir_SOURCES = tests/unit/test_state_dir.c
tests_unit_test_state_dir_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_state_dir_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_privilege_SOURCES = tests/unit/test_privilege.c
tests_unit_test_privilege_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_privilege_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_process_SOURCES = tests/unit/test_process.c
tests_unit_test_process_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_process_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_program_SOURCES = tests/unit/test_program.c
tests_unit_test_program_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_program_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS)
