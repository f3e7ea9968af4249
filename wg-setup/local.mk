# SPDX-License-Identifier: GPL-3.0-or-later
bin_PROGRAMS += punchguard-wg-setup
punchguard_wg_setup_SOURCES = \
	wg-setup/address.c wg-setup/address.h \
	wg-setup/device.h \
	wg-setup/device_kernel.c \
	wg-setup/device_userspace.c \
	wg-setup/grants.c wg-setup/grants.h \
	wg-setup/key.c wg-setup/key.h \
	wg-setup/limits.c wg-setup/limits.h \
	wg-setup/main.c \
	wg-setup/redirect.c wg-setup/redirect.h \
	wg-setup/tunnel.c wg-setup/tunnel.h \
	wg-setup/uapi.c wg-setup/uapi.h \
	wg-setup/watch.c wg-setup/watch.h
punchguard_wg_setup_CFLAGS = $(PG_CFLAGS) $(MNL_CFLAGS) $(NFT_CFLAGS) $(SODIUM_CFLAGS)
punchguard_wg_setup_LDADD = $(PROTOCOL_LIBS) $(MNL_LIBS) $(NFT_LIBS)
