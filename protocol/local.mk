# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += protocol/libprotocol.a
protocol_libprotocol_a_SOURCES = \
	protocol/await.c protocol/await.h \
	protocol/contact.c protocol/contact.h \
	protocol/endpoint.c protocol/endpoint.h \
	protocol/error.c protocol/error.h \
	protocol/file.c protocol/file.h \
	protocol/helper.c protocol/helper.h \
	protocol/id.c protocol/id.h \
	protocol/identity_key.c protocol/identity_key.h \
	protocol/inbound.c protocol/inbound.h \
	protocol/interface.c protocol/interface.h \
	protocol/invitation.c protocol/invitation.h \
	protocol/json.c protocol/json.h \
	protocol/line.c protocol/line.h \
	protocol/log.c protocol/log.h \
	protocol/message.c protocol/message.h \
	protocol/messages.def protocol/messages.undef \
	protocol/outbox.c protocol/outbox.h \
	protocol/signalling.c protocol/signalling.h \
	protocol/text.c protocol/text.h
protocol_libprotocol_a_CFLAGS = $(PG_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS)

# Apart, so that only who uses it needs libseccomp.
noinst_LIBRARIES += protocol/libsandbox.a
protocol_libsandbox_a_SOURCES = protocol/sandbox.c protocol/sandbox.h
protocol_libsandbox_a_CFLAGS = $(PG_CFLAGS) $(SECCOMP_CFLAGS)

# Before PROTOCOL_LIBS, which it uses.
SANDBOX_LIBS = protocol/libsandbox.a $(SECCOMP_LIBS)
PROTOCOL_LIBS = protocol/libprotocol.a $(JANSSON_LIBS) $(SODIUM_LIBS)

include protocol/check.mk
