/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "wg-setup/key.h"

static char folder[64];

static int setup(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/test-key-XXXXXX");
    return mkdtemp(folder) ? 0 : -1;
}

static const char *path_of(const char *name)
{
    static char path[128];

    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int teardown(void **state)
{
    (void)state;
    unlink(path_of(KEY_FILE));
    unlink(path_of(KEY_PREVIOUS_FILE));
    return rmdir(folder);
}

static void put(const char *name, const char *text)
{
    int fd = open(path_of(name), O_WRONLY | O_CREAT | O_TRUNC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    close(fd);
}

static void get(const char *name, char text[64])
{
    FILE *file = fopen(path_of(name), "r");

    assert_non_null(file);
    text[fread(text, 1, 63, file)] = '\0';
    fclose(file);
}

static struct key load(void)
{
    struct error err = {.message = ""};
    struct key key;

    if (key_load(folder, &key, &err) < 0)
        fail_msg("%s", err.message);
    return key;
}

static void a_key_is_made_for_us_alone_and_kept(void **state)
{
    struct key first = load(), again = load();
    uint8_t public[KEY_BYTES];
    struct stat about;

    (void)state;
    assert_memory_equal(&first, &again, sizeof first);
    assert_int_equal(stat(path_of(KEY_FILE), &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(stat(path_of(KEY_PREVIOUS_FILE), &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    crypto_scalarmult_curve25519_base(public, first.secret);
    assert_memory_equal(first.public, public, sizeof public);
    assert_int_equal(first.secret[0] & 7, 0);
    assert_int_equal(first.secret[31] & 0xc0, 0x40);
}

static void a_torn_or_lost_key_comes_back_from_its_copy(void **state)
{
    static const char *const torn[] = {"", "QUJD", "\1\2\3",
                                       "no key at all, though it is as long as one\n"};
    struct key first = load(), again;
    char before[64], after[64];

    (void)state;
    get(KEY_FILE, before);
    for (size_t i = 0; i < sizeof torn / sizeof torn[0]; i++) {
        put(KEY_FILE, torn[i]);
        again = load();
        assert_memory_equal(&first, &again, sizeof first);
        get(KEY_FILE, after);
        assert_string_equal(before, after);
    }
    unlink(path_of(KEY_FILE));
    again = load();
    assert_memory_equal(&first, &again, sizeof first);
}

static void a_lost_copy_is_made_again(void **state)
{
    char text[64], copy[64];

    (void)state;
    load();
    unlink(path_of(KEY_PREVIOUS_FILE));
    load();
    get(KEY_FILE, text);
    get(KEY_PREVIOUS_FILE, copy);
    assert_string_equal(text, copy);
}

static void refused(int rc, const char *word)
{
    struct error err = {.message = ""};
    struct key key;

    assert_int_equal(key_load(folder, &key, &err), rc);
    assert_non_null(strstr(err.message, folder));
    assert_non_null(strstr(err.message, word));
    for (size_t i = 0; i < sizeof key; i++)
        assert_int_equal(((uint8_t *)&key)[i], 0);
}

static void without_a_good_copy_nothing_is_replaced(void **state)
{
    char text[64];

    (void)state;
    put(KEY_FILE, "torn");
    refused(-EINVAL, KEY_FILE);
    put(KEY_PREVIOUS_FILE, "torn too");
    refused(-EINVAL, KEY_FILE);
    get(KEY_FILE, text);
    assert_string_equal(text, "torn");
    unlink(path_of(KEY_FILE));
    refused(-EINVAL, KEY_PREVIOUS_FILE);
    assert_int_equal(access(path_of(KEY_FILE), F_OK), -1);
}

static void a_file_that_others_can_read_is_refused(void **state)
{
    (void)state;
    load();
    chmod(path_of(KEY_FILE), 0640);
    refused(-EPERM, "0600");
}

static void a_symbolic_link_is_not_followed(void **state)
{
    (void)state;
    load();
    assert_int_equal(unlink(path_of(KEY_FILE)), 0);
    assert_int_equal(symlink(KEY_PREVIOUS_FILE, path_of(KEY_FILE)), 0);
    refused(-ELOOP, KEY_FILE);
}

static void text_is_44_characters_of_base64(void **state)
{
    uint8_t key[KEY_BYTES] = {0}, read[KEY_BYTES];
    char text[KEY_TEXT_LENGTH + 1];

    (void)state;
    key[0] = 1;
    key_to_text(key, text);
    assert_int_equal(strlen(text), KEY_TEXT_LENGTH);
    assert_int_equal(key_from_text(text, read), 0);
    assert_memory_equal(key, read, KEY_BYTES);
    text[43] = 'A';
    assert_int_equal(key_from_text(text, read), -EINVAL);
    assert_int_equal(key_from_text("", read), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_key_is_made_for_us_alone_and_kept, setup, teardown),
        cmocka_unit_test_setup_teardown(a_torn_or_lost_key_comes_back_from_its_copy, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_lost_copy_is_made_again, setup, teardown),
        cmocka_unit_test_setup_teardown(without_a_good_copy_nothing_is_replaced, setup, teardown),
        cmocka_unit_test_setup_teardown(a_file_that_others_can_read_is_refused, setup, teardown),
        cmocka_unit_test_setup_teardown(a_symbolic_link_is_not_followed, setup, teardown),
        cmocka_unit_test(text_is_44_characters_of_base64),
    };

    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
