/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "protocol/log.h"
#include "signal-tox/state.h"

static char path[64];

static int folder_new(void **state)
{
    static int folder;

    snprintf(path, sizeof path, "test_state.XXXXXX");
    assert_non_null(mkdtemp(path));
    folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(folder >= 0);
    *state = &folder;
    return 0;
}

static int folder_free(void **state)
{
    int folder = *(int *)*state;

    fchmod(folder, 0700);
    unlinkat(folder, STATE_FILE, 0);
    unlinkat(folder, STATE_PREVIOUS, 0);
    unlinkat(folder, "elsewhere", 0);
    close(folder);
    return rmdir(path);
}

static void save(int folder, const char *text)
{
    struct error err;

    assert_int_equal(state_save(folder, (const uint8_t *)text, strlen(text), &err), 0);
}

/* What state_load() says; `text` is what it must load, NULL: nothing. */
static int load(int folder, const char *text)
{
    struct error err;
    uint8_t *data = NULL;
    size_t length;
    int rc = state_load(folder, &data, &length, &err);

    if (text == NULL) {
        assert_null(data);
    } else {
        assert_non_null(data);
        assert_int_equal(length, strlen(text));
        assert_memory_equal(data, text, length);
    }
    free(data);
    return rc;
}

static void put(int folder, const char *name, const void *bytes, size_t length)
{
    int fd = openat(folder, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, length), length);
    close(fd);
}

static size_t get(int folder, const char *name, uint8_t *out, size_t size)
{
    int fd = openat(folder, name, O_RDONLY | O_CLOEXEC);
    ssize_t n;

    assert_true(fd >= 0);
    n = read(fd, out, size);
    assert_true(n >= 0);
    close(fd);
    return (size_t)n;
}

static void an_empty_folder_has_nothing_to_load(void **state)
{
    assert_int_equal(load(*(int *)*state, NULL), 0);
}

static void what_was_saved_is_loaded_from_private_files(void **state)
{
    int folder = *(int *)*state;
    struct stat about;

    umask(0);
    save(folder, "first");
    assert_int_equal(load(folder, "first"), 0);
    save(folder, "second");
    assert_int_equal(load(folder, "second"), 0);
    assert_int_equal(fstatat(folder, STATE_FILE, &about, 0), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    assert_int_equal(fstatat(folder, STATE_PREVIOUS, &about, 0), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
}

static void a_missing_file_is_made_up_for_by_the_previous_copy(void **state)
{
    int folder = *(int *)*state;

    save(folder, "first");
    save(folder, "second");
    unlinkat(folder, STATE_FILE, 0);
    assert_int_equal(load(folder, "first"), 1);
}

/* Cut at each length, and each byte in turn changed. */
static void every_damage_is_found_and_the_previous_copy_used(void **state)
{
    int folder = *(int *)*state;
    uint8_t good[256];
    size_t length;

    save(folder, "first");
    save(folder, "second");
    length = get(folder, STATE_FILE, good, sizeof good);
    for (size_t i = 0; i < length; i++) {
        put(folder, STATE_FILE, good, i);
        assert_int_equal(load(folder, "first"), 1);
        good[i] ^= 0x20;
        put(folder, STATE_FILE, good, length);
        assert_int_equal(load(folder, "first"), 1);
        good[i] ^= 0x20;
    }
    good[length] = 0;
    put(folder, STATE_FILE, good, length + 1);
    assert_int_equal(load(folder, "first"), 1);
    memset(good, 0, length);
    put(folder, STATE_FILE, good, length);
    assert_int_equal(load(folder, "first"), 1);
}

static void both_damaged_is_an_error_that_names_both(void **state)
{
    int folder = *(int *)*state;
    struct error err;
    uint8_t *data;
    size_t length;

    save(folder, "first");
    put(folder, STATE_FILE, "torn", 4);
    assert_int_equal(load(folder, NULL), -EBADMSG);
    save(folder, "second");
    put(folder, STATE_FILE, "", 0);
    put(folder, STATE_PREVIOUS, "\0\0\0", 3);
    assert_int_equal(state_load(folder, &data, &length, &err), -EBADMSG);
    assert_string_equal(err.code, "torn-state");
    assert_non_null(strstr(err.message, STATE_FILE));
    assert_non_null(strstr(err.message, STATE_PREVIOUS));
}

static void a_damaged_file_does_not_push_the_good_copy_out(void **state)
{
    int folder = *(int *)*state;

    save(folder, "first");
    save(folder, "second");
    put(folder, STATE_FILE, "torn", 4);
    save(folder, "third");
    put(folder, STATE_FILE, "torn", 4);
    assert_int_equal(load(folder, "first"), 1);
}

static void links_are_not_followed_and_not_taken_for_missing(void **state)
{
    int folder = *(int *)*state;
    uint8_t bytes[256];
    size_t length;

    save(folder, "first");
    length = get(folder, STATE_FILE, bytes, sizeof bytes);
    put(folder, "elsewhere", bytes, length);
    unlinkat(folder, STATE_FILE, 0);
    assert_int_equal(symlinkat("elsewhere", folder, STATE_FILE), 0);
    assert_int_equal(load(folder, NULL), -EBADMSG);
    save(folder, "second");
    assert_int_equal(load(folder, "second"), 0);
    assert_int_equal(get(folder, "elsewhere", bytes, sizeof bytes), length);
    assert_null(memmem(bytes, length, "second", 6));
}

/* No file can grow: as on a full disk. */
static void a_full_disk_leaves_both_files_as_they_were(void **state)
{
    struct rlimit old, none = {.rlim_cur = 10, .rlim_max = RLIM_INFINITY};
    int folder = *(int *)*state;
    struct error err;

    save(folder, "first");
    save(folder, "second");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    none.rlim_max = old.rlim_max;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    assert_int_equal(state_save(folder, (const uint8_t *)"third", 5, &err), -EFBIG);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_non_null(strstr(err.message, STATE_PREVIOUS));
    assert_int_equal(load(folder, "second"), 0);
    unlinkat(folder, STATE_FILE, 0);
    assert_int_equal(load(folder, "first"), 1);
    assert_int_equal(faccessat(folder, "." STATE_FILE ".new", F_OK, 0), -1);
}

static void a_folder_that_cannot_be_written_is_an_error(void **state)
{
    int folder = open("/proc/self", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct error err;

    (void)state;
    assert_true(state_save(folder, (const uint8_t *)"x", 1, &err) < 0);
    assert_non_null(strstr(err.message, STATE_FILE));
    close(folder);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, folder_new, folder_free)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(an_empty_folder_has_nothing_to_load),
        TEST(what_was_saved_is_loaded_from_private_files),
        TEST(a_missing_file_is_made_up_for_by_the_previous_copy),
        TEST(every_damage_is_found_and_the_previous_copy_used),
        TEST(both_damaged_is_an_error_that_names_both),
        TEST(a_damaged_file_does_not_push_the_good_copy_out),
        TEST(links_are_not_followed_and_not_taken_for_missing),
        TEST(a_full_disk_leaves_both_files_as_they_were),
        TEST(a_folder_that_cannot_be_written_is_an_error),
    };

    signal(SIGXFSZ, SIG_IGN);
    log_open("test_state", false);
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
