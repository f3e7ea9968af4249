# SPDX-License-Identifier: GPL-3.0-or-later
# What a service manager needs to run the broker. Folders that make install fills are made by configure.
noinst_DATA = broker/punchguard.service broker/sysusers/punchguard.conf broker/tmpfiles/punchguard.conf
EXTRA_DIST += broker/punchguard.service.in broker/punchguard.sysusers broker/punchguard.tmpfiles
CLEANFILES += $(noinst_DATA)

if WITH_SYSTEMDSYSTEMUNITDIR
systemdsystemunit_DATA = broker/punchguard.service
endif
if WITH_SYSUSERSDIR
sysusers_DATA = broker/sysusers/punchguard.conf
endif
if WITH_TMPFILESDIR
tmpfiles_DATA = broker/tmpfiles/punchguard.conf
endif

broker/punchguard.service: broker/punchguard.service.in Makefile
	$(AM_V_GEN)sed -e 's,@bindir[@],$(bindir),g' -e 's,@sysconfdir[@],$(sysconfdir),g' \
		$(srcdir)/broker/punchguard.service.in >$@.tmp && mv $@.tmp $@
broker/sysusers/punchguard.conf: broker/punchguard.sysusers
	$(AM_V_GEN)$(MKDIR_P) broker/sysusers && cp $(srcdir)/broker/punchguard.sysusers $@
broker/tmpfiles/punchguard.conf: broker/punchguard.tmpfiles
	$(AM_V_GEN)$(MKDIR_P) broker/tmpfiles && cp $(srcdir)/broker/punchguard.tmpfiles $@

# Folders of the system itself are not distcheck's.
AM_DISTCHECK_CONFIGURE_FLAGS = \
	--with-systemdsystemunitdir='$$dc_install_base/lib/systemd/system' \
	--with-sysusersdir='$$dc_install_base/lib/sysusers.d' \
	--with-tmpfilesdir='$$dc_install_base/lib/tmpfiles.d'

dist_check_SCRIPTS += tests/service
TESTS += tests/service
