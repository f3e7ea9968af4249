# SPDX-License-Identifier: GPL-3.0-or-later
noinst_LIBRARIES += wg-setup/libwg.a
wg_setup_libwg_a_SOURCES = \
	wg-setup/address.c wg-setup/address.h \
	wg-setup/clock.h \
	wg-setup/device.h \
	wg-setup/device_kernel.c \
	wg-setup/device_userspace.c \
	wg-setup/grants.c wg-setup/grants.h \
	wg-setup/key.c wg-setup/key.h \
	wg-setup/limits.c wg-setup/limits.h \
	wg-setup/peer.c wg-setup/peer.h \
	wg-setup/redirect.c wg-setup/redirect.h \
	wg-setup/redirect_text.c \
	wg-setup/tunnel.c wg-setup/tunnel.h wg-setup/tunnel_state.h \
	wg-setup/tunnel_adopt.c \
	wg-setup/tunnel_request.c \
	wg-setup/uapi.c wg-setup/uapi.h \
	wg-setup/watch.c wg-setup/watch.h
wg_setup_libwg_a_CFLAGS = $(PG_CFLAGS) $(MNL_CFLAGS) $(NFT_CFLAGS) $(SODIUM_CFLAGS)

WG_LIBS = wg-setup/libwg.a $(PROTOCOL_LIBS) $(MNL_LIBS) $(NFT_LIBS)

bin_PROGRAMS += punchguard-wg-setup
punchguard_wg_setup_SOURCES = wg-setup/main.c
punchguard_wg_setup_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
punchguard_wg_setup_LDADD = $(WG_LIBS)
