/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "broker/identity.h"

static char folder[64];

static const char *file(const char *name)
{
    static char path[2][128];
    static unsigned turn;

    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static int folder_make(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-identity-XXXXXX");
    return mkdtemp(folder) == NULL;
}

static int folder_remove(void **state)
{
    (void)state;
    unlink(file("identity.key"));
    unlink(file("identity.key.previous"));
    unlink(file("elsewhere"));
    rmdir(file(".identity.key.new"));
    return rmdir(folder);
}

static size_t read_file(const char *name, char *out, size_t size)
{
    FILE *f = fopen(file(name), "r");
    size_t length;

    assert_non_null(f);
    length = fread(out, 1, size, f);
    fclose(f);
    return length;
}

static void write_file(const char *name, const void *data, size_t length)
{
    FILE *f = fopen(file(name), "w");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, length, f), length);
    fclose(f);
}

static void load(uint8_t public[32])
{
    struct error err;
    struct identity *identity = identity_load(folder, &err);
    uint8_t derived[32];

    assert_non_null(identity);
    crypto_scalarmult_base(derived, identity->secret);
    assert_memory_equal(derived, identity->public, 32);
    memcpy(public, identity->public, 32);
    identity_destroy(identity);
}

static void load_same(const uint8_t public[32])
{
    uint8_t again[32];

    load(again);
    assert_memory_equal(again, public, 32);
}

static void load_fails(const char *part)
{
    struct error err;

    assert_null(identity_load(folder, &err));
    if (strstr(err.message, part) == NULL)
        fail_msg("'%s' is not in '%s'", part, err.message);
    assert_non_null(strstr(err.message, folder));
}

static void it_is_made_once_for_the_owner_alone_and_kept(void **state)
{
    struct stat about;
    uint8_t public[32];

    (void)state;
    load(public);
    assert_int_equal(stat(file("identity.key"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    assert_int_equal(stat(file("identity.key.previous"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
    load_same(public);
}

static void a_torn_file_gives_the_previous_copy_and_is_put_right(void **state)
{
    uint8_t public[32];
    char good[512], bad[512], now[512];
    size_t length;

    (void)state;
    load(public);
    length = read_file("identity.key", good, sizeof good);
    for (size_t cut = 0; cut < length; cut += 7) {
        write_file("identity.key", good, cut);
        load_same(public);
        assert_int_equal(read_file("identity.key", now, sizeof now), length);
        assert_memory_equal(now, good, length);
    }
    for (size_t at = 0; at < length - 1; at++) {
        memcpy(bad, good, length);
        bad[at] ^= 1;
        write_file("identity.key", bad, length);
        load_same(public);
    }
    memset(bad, 0, sizeof bad);
    write_file("identity.key", bad, length);
    load_same(public);
    write_file("identity.key", bad, sizeof bad);
    load_same(public);
}

static void a_missing_copy_is_made_again_from_the_other(void **state)
{
    uint8_t public[32];

    (void)state;
    load(public);
    unlink(file("identity.key"));
    load_same(public);
    unlink(file("identity.key.previous"));
    load_same(public);
    unlink(file("identity.key"));
    load_same(public);
}

static void with_both_copies_torn_there_is_no_new_identity(void **state)
{
    uint8_t public[32];
    char now[512];

    (void)state;
    load(public);
    write_file("identity.key", "x", 1);
    write_file("identity.key.previous", "y", 1);
    load_fails("identity.key is torn");
    load_fails("identity.key.previous is torn");
    assert_int_equal(read_file("identity.key", now, sizeof now), 1);
    assert_int_equal(now[0], 'x');
    unlink(file("identity.key.previous"));
    load_fails("identity.key is torn");
    unlink(file("identity.key"));
    write_file("identity.key.previous", "y", 1);
    load_fails("identity.key.previous is torn");
}

static void a_folder_that_cannot_be_written_costs_no_identity(void **state)
{
    uint8_t public[32];

    (void)state;
    assert_int_equal(mkdir(file(".identity.key.new"), 0700), 0);
    load_fails("identity.key"); /* no new one that would be lost at once */
    rmdir(file(".identity.key.new"));
    load(public);
    assert_int_equal(mkdir(file(".identity.key.new"), 0700), 0);
    write_file("identity.key", "", 0);
    load_same(public);
    load_same(public);
}

static void a_link_in_the_place_of_the_key_is_refused(void **state)
{
    uint8_t public[32];

    (void)state;
    load(public);
    assert_int_equal(rename(file("identity.key"), file("elsewhere")), 0);
    assert_int_equal(symlink("elsewhere", file("identity.key")), 0);
    load_fails("identity.key");
}

static void a_key_that_others_could_read_is_closed(void **state)
{
    struct stat about;
    uint8_t public[32];

    (void)state;
    load(public);
    assert_int_equal(chmod(file("identity.key"), 0644), 0);
    load_same(public);
    assert_int_equal(stat(file("identity.key"), &about), 0);
    assert_int_equal(about.st_mode & 0777, 0600);
}

static void a_key_put_there_by_hand_replaces_the_previous_copy(void **state)
{
    uint8_t first[32], second[32];
    char key[512];
    size_t length;

    (void)state;
    load(first);
    length = read_file("identity.key", key, sizeof key);
    unlink(file("identity.key"));
    unlink(file("identity.key.previous"));
    load(second);
    assert_memory_not_equal(first, second, 32);
    write_file("identity.key", key, length);
    load_same(first);
    unlink(file("identity.key"));
    load_same(first);
}

static void the_rendezvous_is_common_to_two_on_one_transport(void **state)
{
    struct identity a, b, c;
    char ab[65], ba[65], ac[65], lan[65];
    uint8_t low[32] = {0};

    (void)state;
    crypto_box_keypair(a.public, a.secret);
    crypto_box_keypair(b.public, b.secret);
    crypto_box_keypair(c.public, c.secret);
    assert_int_equal(identity_rendezvous(&a, b.public, "tox", ab), 0);
    assert_int_equal(identity_rendezvous(&b, a.public, "tox", ba), 0);
    assert_int_equal(identity_rendezvous(&a, c.public, "tox", ac), 0);
    assert_int_equal(identity_rendezvous(&a, b.public, "lan", lan), 0);
    assert_int_equal(strlen(ab), 64);
    assert_string_equal(ab, ba);
    assert_string_not_equal(ab, ac);
    assert_string_not_equal(ab, lan);
    assert_int_equal(identity_rendezvous(&a, low, "tox", ab), -EINVAL);
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, folder_make, folder_remove)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(it_is_made_once_for_the_owner_alone_and_kept),
        CASE(a_torn_file_gives_the_previous_copy_and_is_put_right),
        CASE(a_missing_copy_is_made_again_from_the_other),
        CASE(with_both_copies_torn_there_is_no_new_identity),
        CASE(a_folder_that_cannot_be_written_costs_no_identity),
        CASE(a_link_in_the_place_of_the_key_is_refused),
        CASE(a_key_that_others_could_read_is_closed),
        CASE(a_key_put_there_by_hand_replaces_the_previous_copy),
        CASE(the_rendezvous_is_common_to_two_on_one_transport),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
