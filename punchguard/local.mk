# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += punchguard/libcommand.a
punchguard_libcommand_a_SOURCES = \
	punchguard/archive.c punchguard/archive_restore.c punchguard/archive.h \
	punchguard/capture.c punchguard/capture.h \
	punchguard/client.c punchguard/client_ask.c punchguard/client.h \
	punchguard/clock.c punchguard/clock.h \
	punchguard/echo.c punchguard/echo.h \
	punchguard/findings.c punchguard/findings.h \
	punchguard/firewall.c punchguard/firewall.h \
	punchguard/layout.c punchguard/layout.h \
	punchguard/metrics.c \
	punchguard/service.c punchguard/service.h \
	punchguard/settings.c punchguard/settings.h \
	punchguard/snapshot.c punchguard/snapshot.h \
	punchguard/starting.c punchguard/starting.h \
	punchguard/status_table.c punchguard/status_table.h \
	punchguard/watching.c punchguard/watching.h
punchguard_libcommand_a_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"$(sysconfdir)"'
punchguard_libcommand_a_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)

# One file a command; main.c lists them. Its folder has the program's name, so it is built inside.
bin_PROGRAMS += punchguard/punchguard
punchguard_punchguard_SOURCES = \
	punchguard/change_peer.c \
	punchguard/command.h \
	punchguard/doctor.c punchguard/doctor.h \
	punchguard/doctor_addresses.c \
	punchguard/doctor_broker.c \
	punchguard/doctor_config.c \
	punchguard/doctor_host.c \
	punchguard/doctor_nat.c \
	punchguard/doctor_network.c \
	punchguard/doctor_tox.c \
	punchguard/down.c \
	punchguard/events.c \
	punchguard/id.c \
	punchguard/invite.c \
	punchguard/join.c \
	punchguard/main.c \
	punchguard/move.c \
	punchguard/netcheck.c \
	punchguard/peers.c \
	punchguard/ping.c \
	punchguard/qr.c punchguard/qr.h \
	punchguard/reload.c \
	punchguard/status.c \
	punchguard/up.c
punchguard_punchguard_CPPFLAGS = $(AM_CPPFLAGS) -DSYSCONFDIR='"$(sysconfdir)"'
punchguard_punchguard_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS) $(QRENCODE_CFLAGS)
punchguard_punchguard_LDADD = punchguard/libcommand.a $(PROTOCOL_LIBS) $(QRENCODE_LIBS)

dist_man_MANS += punchguard/punchguard.1

COMMAND_TEST_CFLAGS = $(PG_CFLAGS) $(CMOCKA_CFLAGS)
COMMAND_TEST_LIBS = punchguard/libcommand.a $(PROTOCOL_LIBS) $(CMOCKA_LIBS)
if HAVE_CMOCKA
COMMAND_TESTS = tests/unit/test_archive tests/unit/test_capture tests/unit/test_clock tests/unit/test_echo \
	tests/unit/test_firewall tests/unit/test_layout tests/unit/test_punchguard_settings \
	tests/unit/test_qr tests/unit/test_status_table
check_PROGRAMS += $(COMMAND_TESTS)
TESTS += $(COMMAND_TESTS)
endif
tests_unit_test_archive_SOURCES = tests/unit/test_archive.c
tests_unit_test_archive_CFLAGS = $(COMMAND_TEST_CFLAGS)
tests_unit_test_archive_LDADD = $(COMMAND_TEST_LIBS)
tests_unit_test_capture_SOURCES = tests/unit/test_capture.c
tests_unit_test_capture_CFLAGS = $(COMMAND_TEST_CFLAGS)
tests_unit_test_capture_LDADD = $(COMMAND_TEST_LIBS)
tests_unit_test_clock_SOURCES = tests/unit/test_clock.c
tests_unit_test_clock_CFLAGS = $(COMMAND_TEST_CFLAGS)
tests_unit_test_clock_LDADD = $(COMMAND_TEST_LIBS)
tests_unit_test_echo_SOURCES = tests/unit/test_echo.c
tests_unit_test_echo_CFLAGS = $(COMMAND_TEST_CFLAGS)
tests_unit_test_echo_LDADD = $(COMMAND_TEST_LIBS)
tests_unit_test_firewall_SOURCES = tests/unit/test_firewall.c
tests_unit_test_firewall_CFLAGS = $(COMMAND_TEST_CFLAGS)
tests_unit_test_firewall_LDADD = $(COMMAND_TEST_LIBS)
tests_unit_test_layout_SOURCES = tests/unit/test_layout.c
tests_unit_test_layout_CFLAGS = $(COMMAND_TEST_CFLAGS)
tests_unit_test_layout_LDADD = $(COMMAND_TEST_LIBS)
tests_unit_test_punchguard_settings_SOURCES = tests/unit/test_punchguard_settings.c
tests_unit_test_punchguard_settings_CFLAGS = $(COMMAND_TEST_CFLAGS)
tests_unit_test_punchguard_settings_LDADD = $(COMMAND_TEST_LIBS)
tests_unit_test_qr_SOURCES = tests/unit/test_qr.c punchguard/qr.c
tests_unit_test_qr_CFLAGS = $(COMMAND_TEST_CFLAGS) $(QRENCODE_CFLAGS)
tests_unit_test_qr_LDADD = $(CMOCKA_LIBS) $(QRENCODE_LIBS)
tests_unit_test_status_table_SOURCES = tests/unit/test_status_table.c
tests_unit_test_status_table_CFLAGS = $(COMMAND_TEST_CFLAGS)
tests_unit_test_status_table_LDADD = $(COMMAND_TEST_LIBS)

# Where each shell looks for what packages install.
bashcompletiondir = $(datadir)/bash-completion/completions
dist_bashcompletion_DATA = punchguard/completions/bash/punchguard
zshcompletiondir = $(datadir)/zsh/site-functions
dist_zshcompletion_DATA = punchguard/completions/zsh/_punchguard
fishcompletiondir = $(datadir)/fish/vendor_completions.d
dist_fishcompletion_DATA = punchguard/completions/fish/punchguard.fish

dist_check_SCRIPTS += tests/command-usage tests/command-answers tests/command-completions
TESTS += tests/command-usage tests/command-answers tests/command-completions
