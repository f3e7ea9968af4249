# SPDX-License-Identifier: GPL-3.0-or-later
if WITH_DHT
noinst_LIBRARIES += signal-dht/libdht.a
signal_dht_libdht_a_SOURCES = \
	signal-dht/link.c signal-dht/link.h \
	signal-dht/node.c signal-dht/node.h \
	signal-dht/options.c signal-dht/options.h \
	signal-dht/sandbox.c signal-dht/sandbox.h \
	signal-dht/seal.c signal-dht/seal.h \
	signal-dht/transport.c signal-dht/transport.h \
	signal-dht/value.c signal-dht/value.h
signal_dht_libdht_a_CFLAGS = $(PG_CFLAGS) $(DHT_CFLAGS) $(SECCOMP_CFLAGS) $(SODIUM_CFLAGS)

SIGNAL_DHT_LIBS = signal-dht/libdht.a $(SANDBOX_LIBS) $(PROTOCOL_LIBS) $(DHT_LIBS) -lpthread

bin_PROGRAMS += punchguard-signal-dht
punchguard_signal_dht_SOURCES = signal-dht/main.c
punchguard_signal_dht_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
punchguard_signal_dht_LDADD = $(SIGNAL_DHT_LIBS)
endif
