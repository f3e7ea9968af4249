# SPDX-License-Identifier: GPL-3.0-or-later
EXTRA_DIST += \
    tests/bench/run \
    tests/check \
    tests/demo \
    tests/install-packages \
    tests/lab/demo.py \
    tests/lab/session.py \
    doc/session.svg \
    tests/lab/device.py \
    tests/lab/knock.py \
    tests/lab/lab.py \
    tests/lab/node.py \
    tests/lab/pcap.py \
    tests/lab/plain_wireguard.py \
    tests/lab/probe.py \
    tests/lab/process.py \
    tests/lab/recipes.py \
    tests/lab/run \
    tests/lab/scenario.py \
    tests/lab/ssh.py \
    tests/lab/transport \
    tests/lab/scenarios/control.py \
    tests/lab/scenarios/dht.py \
    tests/lab/scenarios/doctor.py \
    tests/lab/scenarios/example.py \
    tests/lab/scenarios/faults.py \
    tests/lab/scenarios/hooks.py \
    tests/lab/scenarios/host.py \
    tests/lab/scenarios/inbound.py \
    tests/lab/scenarios/kernel.py \
    tests/lab/scenarios/lan.py \
    tests/lab/scenarios/loss.py \
    tests/lab/scenarios/mesh.py \
    tests/lab/scenarios/names.py \
    tests/lab/scenarios/nat.py \
    tests/lab/scenarios/netcheck.py \
    tests/lab/scenarios/outage.py \
    tests/lab/scenarios/pairing.py \
    tests/lab/scenarios/path.py \
    tests/lab/scenarios/plugin.py \
    tests/lab/scenarios/plugin_check.py \
    tests/lab/scenarios/recipe.py \
    tests/lab/scenarios/restart.py \
    tests/lab/scenarios/roam.py \
    tests/lab/scenarios/routes.py \
    tests/lab/scenarios/service.py \
    tests/lab/scenarios/shutdown.py \
    tests/lab/scenarios/signal.py \
    tests/lab/scenarios/state.py \
    tests/lab/scenarios/teardown.py \
    tests/lab/scenarios/transports.py \
    tests/lab/scenarios/upgrade.py \
    tests/lab/scenarios/wg_setup.py \
    tests/lab/scenarios/wire.py \
    tests/lab/wg_setup.py \
    tests/examples/signal-tox-from-shell.sh \
    tests/package \
    tests/package-room \
    tests/packages \
    tests/plugins/folder.sh \
    tests/plugins/minimal.sh \
    tests/plugins/helper.py \
    tests/plugins/over-ssh.py \
    tests/plugins/rendezvous.py \
    tests/plugins/stream.py

dist_check_SCRIPTS += tests/wrong-configurations
TESTS += tests/wrong-configurations

noinst_PROGRAMS += tests/tox-node
tests_tox_node_SOURCES = tests/tox-node.c
tests_tox_node_CFLAGS = $(AM_CFLAGS) $(TOX_CFLAGS) $(SODIUM_CFLAGS)
tests_tox_node_LDADD = $(TOX_LIBS) $(SODIUM_LIBS)

noinst_PROGRAMS += tests/forge-invitations
tests_forge_invitations_SOURCES = tests/forge-invitations.c
tests_forge_invitations_CFLAGS = $(PG_CFLAGS) $(SODIUM_CFLAGS)
tests_forge_invitations_LDADD = $(PROTOCOL_LIBS)

if WITH_DHT
noinst_PROGRAMS += tests/dht-node
tests_dht_node_SOURCES = tests/dht-node.c
tests_dht_node_CFLAGS = $(AM_CFLAGS) $(DHT_CFLAGS)
tests_dht_node_LDADD = $(DHT_LIBS) -lpthread
endif

bench: all
	PUNCHGUARD_BUILD=$(abs_builddir) $(srcdir)/tests/bench/run
.PHONY: bench

include tests/vm.mk
