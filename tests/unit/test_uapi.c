/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "wg-setup/uapi.h"

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f"

static const char answer[] = "private_key=" KEY_B "\n"
                             "listen_port=51820\n"
                             "public_key=" KEY_A "\n"
                             "preshared_key=" KEY_B "\n"
                             "protocol_version=1\n"
                             "endpoint=203.0.113.5:41000\n"
                             "last_handshake_time_sec=1700000000\n"
                             "last_handshake_time_nsec=5\n"
                             "tx_bytes=11\n"
                             "rx_bytes=12\n"
                             "persistent_keepalive_interval=25\n"
                             "allowed_ip=10.66.0.2/32\n"
                             "allowed_ip=fd00::/64\n"
                             "public_key=" KEY_B "\n"
                             "endpoint=[2001:db8::1]:7\n"
                             "errno=0\n\n";

struct seen {
    struct device_status peers[4];
    size_t count;
};

static void on_peer(void *data, const struct device_status *status)
{
    struct seen *seen = data;

    assert_true(seen->count < 4);
    seen->peers[seen->count++] = *status;
}

static int read_text(const char *text, struct device_about *about, struct seen *seen)
{
    char *copy = strdup(text);
    int rc;

    memset(seen, 0, sizeof *seen);
    rc = uapi_read(copy, about, on_peer, seen);
    free(copy);
    return rc;
}

static void an_answer_tells_the_interface_and_every_peer(void **state)
{
    static struct seen seen;
    struct device_about about;
    uint8_t secret[32], public[32];
    struct prefix prefix;

    (void)state;
    assert_int_equal(read_text(answer, &about, &seen), 0);
    for (size_t i = 0; i < 32; i++)
        secret[i] = (uint8_t)(0x20 + i);
    crypto_scalarmult_curve25519_base(public, secret);
    assert_memory_equal(about.public_key, public, 32);
    assert_int_equal(about.listen_port, 51820);
    assert_int_equal(seen.count, 2);
    assert_int_equal(seen.peers[0].public_key[31], 0x1f);
    assert_memory_equal(seen.peers[0].preshared_key, secret, 32);
    assert_string_equal(seen.peers[0].endpoint.address, "203.0.113.5");
    assert_int_equal(seen.peers[0].endpoint.port, 41000);
    assert_int_equal(seen.peers[0].latest_handshake, 1700000000);
    assert_int_equal(seen.peers[0].tx_bytes, 11);
    assert_int_equal(seen.peers[0].rx_bytes, 12);
    assert_int_equal(seen.peers[0].keepalive, 25);
    assert_int_equal(seen.peers[0].allowed_count, 2);
    assert_int_equal(prefix_parse(&prefix, "fd00::/64", false, NULL), 0);
    assert_true(prefix_equal(&seen.peers[0].allowed[1], &prefix));
    assert_string_equal(seen.peers[1].endpoint.address, "2001:db8::1");
    assert_int_equal(seen.peers[1].allowed_count, 0);
    assert_int_equal(seen.peers[1].keepalive, 0);
}

static void more_allowed_ips_than_fit_are_counted_and_not_kept(void **state)
{
    static struct seen seen;
    struct device_about about;
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    (void)state;
    fputs("public_key=" KEY_A "\n", out);
    for (int i = 0; i < PEER_ALLOWED_MAX + 3; i++)
        fprintf(out, "allowed_ip=10.0.%d.%d/32\n", i / 256, i % 256);
    fputs("errno=0\n\n", out);
    fclose(out);
    assert_int_equal(read_text(text, &about, &seen), 0);
    assert_int_equal(seen.peers[0].allowed_count, PEER_ALLOWED_MAX + 3);
    free(text);
}

static void a_refusal_is_its_errno(void **state)
{
    static struct seen seen;
    struct device_about about;

    (void)state;
    assert_int_equal(read_text("errno=22\n\n", &about, &seen), -22);
    /* wireguard-go's are negative. */
    assert_int_equal(read_text("errno=-98\n\n", &about, &seen), -98);
}

static void an_answer_that_is_none_is_refused(void **state)
{
    static const char *const bad[] = {
        "",
        "\n",
        "listen_port=1\n\n",
        "errno=0\nnonsense\n\n",
        "public_key=12\nerrno=0\n\n",
        "public_key=" KEY_A "ff\nerrno=0\n\n",
        "private_key=zz\nerrno=0\n\n",
        "public_key=" KEY_A "\nallowed_ip=300.0.0.1/32\nerrno=0\n\n",
        "public_key=" KEY_A "\npreshared_key=00\nerrno=0\n\n",
        "public_key=" KEY_A "\nrx_bytes=-1\nerrno=0\n\n",
        "public_key=" KEY_A "\ntx_bytes=9223372036854775808\nerrno=0\n\n",
        "public_key=" KEY_A "\npersistent_keepalive_interval=65536\nerrno=0\n\n",
        "public_key=" KEY_A "\nlast_handshake_time_sec=\nerrno=0\n\n",
        "public_key=" KEY_A "\nendpoint=somewhere\nerrno=0\n\n",
        "listen_port=65536\nerrno=0\n\n",
        "errno=x\n\n",
    };
    static struct seen seen;
    struct device_about about;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++)
        assert_int_equal(read_text(bad[i], &about, &seen), -EBADMSG);
}

static char *written(const struct device_peer *peer)
{
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    uapi_write_peer(out, peer);
    fclose(out);
    return text;
}

static void only_what_is_to_change_is_written(void **state)
{
    struct device_peer peer = {.keepalive = 25};
    char *text;

    (void)state;
    for (size_t i = 0; i < 32; i++)
        peer.public_key[i] = (uint8_t)i;
    text = written(&peer);
    assert_string_equal(text, "set=1\npublic_key=" KEY_A "\n\n");
    free(text);
    peer.set_keepalive = peer.set_endpoint = true;
    endpoint_set(&peer.endpoint, "2001:db8::1", 9);
    text = written(&peer);
    assert_string_equal(text, "set=1\npublic_key=" KEY_A "\nendpoint=[2001:db8::1]:9\n"
                              "persistent_keepalive_interval=25\n\n");
    free(text);
}

static void allowed_ips_replace_those_that_were(void **state)
{
    struct prefix allowed;
    struct device_peer peer = {.allowed = &allowed, .allowed_count = 1, .set_allowed = true};
    char *text;

    (void)state;
    prefix_parse(&allowed, "10.66.0.2/32", false, NULL);
    text = written(&peer);
    assert_non_null(strstr(text, "\nreplace_allowed_ips=true\nallowed_ip=10.66.0.2/32\n\n"));
    free(text);
    peer.remove = true;
    text = written(&peer);
    assert_non_null(strstr(text, "\nremove=true\n\n"));
    assert_null(strstr(text, "allowed"));
    free(text);
}

static void the_interface_is_written_with_key_and_port(void **state)
{
    static const uint8_t secret[32] = {1};
    char *text = NULL;
    size_t length;
    FILE *out = open_memstream(&text, &length);

    (void)state;
    uapi_write_device(out, secret, 51820);
    fclose(out);
    assert_memory_equal(text, "set=1\nprivate_key=0100", 22);
    assert_non_null(strstr(text, "\nlisten_port=51820\n\n"));
    free(text);
}

static void a_mark_is_written_alone(void **state)
{
    char text[64] = "";
    FILE *out = fmemopen(text, sizeof text, "w");

    (void)state;
    assert_non_null(out);
    uapi_write_mark(out, 0x5047);
    fclose(out);
    assert_string_equal(text, "set=1\nfwmark=20551\n\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_answer_tells_the_interface_and_every_peer),
        cmocka_unit_test(more_allowed_ips_than_fit_are_counted_and_not_kept),
        cmocka_unit_test(a_refusal_is_its_errno),
        cmocka_unit_test(an_answer_that_is_none_is_refused),
        cmocka_unit_test(only_what_is_to_change_is_written),
        cmocka_unit_test(allowed_ips_replace_those_that_were),
        cmocka_unit_test(the_interface_is_written_with_key_and_port),
        cmocka_unit_test(a_mark_is_written_alone),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
