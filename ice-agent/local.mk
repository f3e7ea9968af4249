# SPDX-License-Identifier: GPL-3.0-or-later
noinst_PROGRAMS += tests/stun-server
tests_stun_server_SOURCES = tests/stun-server.c
tests_stun_server_LDADD = protocol/libprotocol.a
