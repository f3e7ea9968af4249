# SPDX-License-Identifier: GPL-3.0-or-later
include broker/child.mk
include broker/seal.mk
include broker/service.mk

bin_PROGRAMS += punchguard-broker
punchguard_broker_SOURCES = \
	broker/agent.c \
	broker/broker.c broker/broker.h \
	broker/clock.h \
	broker/clockwatch.c broker/clockwatch.h \
	broker/control.c broker/control.h \
	broker/control_client.c broker/control_client.h \
	broker/control_socket.c broker/control_socket.h \
	broker/event.c broker/event.h \
	broker/hook.c broker/hook.h \
	broker/main.c \
	broker/pairing_broker.c broker/pairing_broker.h \
	broker/peer.c \
	broker/reload.c broker/reload.h \
	broker/report.c broker/report.h \
	broker/resume.c broker/resume.h \
	broker/session.c broker/session.h broker/session_state.h \
	broker/session_agent.c broker/session_health.c broker/session_path.c \
	broker/session_resume.c broker/session_say.c broker/session_slot.c \
	broker/session_view.c \
	broker/showid.c broker/showid.h \
	broker/transport.c \
	broker/wireguard.c
punchguard_broker_CFLAGS = $(PG_CFLAGS) $(UV_CFLAGS) $(SODIUM_CFLAGS)
punchguard_broker_LDADD = $(SEAL_LIBS) $(CHILD_LIBS)

if HAVE_CMOCKA
BROKER_TESTS = tests/unit/test_session tests/unit/test_resume tests/unit/test_exchange \
	tests/unit/test_control
check_PROGRAMS += $(BROKER_TESTS)
TESTS += $(BROKER_TESTS)
endif
tests_unit_test_exchange_SOURCES = tests/unit/test_exchange.c broker/peer.c
tests_unit_test_exchange_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS) $(UV_CFLAGS)
tests_unit_test_exchange_LDADD = $(SEAL_LIBS) $(CHILD_LIBS) $(CMOCKA_LIBS)
tests_unit_test_control_SOURCES = tests/unit/test_control.c tests/unit/walk.c tests/unit/walk.h broker/control.c \
	broker/control_client.c broker/control_socket.c
tests_unit_test_control_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(UV_CFLAGS) $(JANSSON_CFLAGS)
tests_unit_test_control_LDADD = $(CHILD_LIBS) $(CMOCKA_LIBS) $(JANSSON_LIBS)
# The test says who connects.
tests_unit_test_control_LDFLAGS = $(AM_LDFLAGS) -Wl,--wrap=getsockopt
tests_unit_test_resume_SOURCES = tests/unit/test_resume.c broker/resume.c broker/clockwatch.c
tests_unit_test_resume_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS) $(SODIUM_CFLAGS)
tests_unit_test_resume_LDADD = $(PROTOCOL_LIBS) $(CMOCKA_LIBS)
tests_unit_test_session_SOURCES = tests/unit/test_session.c broker/session.c \
	broker/session_agent.c broker/session_health.c broker/session_path.c \
	broker/session_resume.c broker/session_say.c broker/session_slot.c broker/session_view.c
tests_unit_test_session_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
tests_unit_test_session_LDADD = $(PROTOCOL_LIBS) $(CMOCKA_LIBS)
