/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * An identity that is exported and imported is the same one, and nothing leads out of the folder.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
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

#include "punchguard/archive.h"

static char from[64], to[64], path[256];
static struct archive archive;
static struct error err;
static char *text;
static size_t length;

static void put(const char *folder, const char *name, const char *content)
{
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "w");
    assert_non_null(file);
    fputs(content, file);
    fchmod(fileno(file), 0600);
    fclose(file);
}

static void make_folder(const char *folder, const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void holds(const char *name, const char *content)
{
    char got[2000] = "";
    struct stat about;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", to, name);
    file = fopen(path, "r");
    if (content == NULL) {
        assert_null(file);
        return;
    }
    assert_non_null(file);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    assert_string_equal(got, content);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
}

static int begin(void **state)
{
    (void)state;
    strcpy(from, "/tmp/punchguard-archive-XXXXXX");
    strcpy(to, from);
    if (mkdtemp(from) == NULL || mkdtemp(to) == NULL)
        return -1;
    snprintf(path, sizeof path, "%s/tox", from);
    mkdir(path, 0700);
    put(from, "identity.key", "me\n");
    put(from, "identity.key.previous", "me\n");
    put(from, "peers.json", "{}");
    put(from, "wg.key", "never leaves");
    put(from, "tox/tox.save", "\x01\x02 address");
    put(from, "tox/.tox.new", "half");
    return 0;
}

static int end(void **state)
{
    (void)state;
    archive_clear(&archive);
    free(text);
    text = NULL;
    snprintf(path, sizeof path, "rm -r %s %s", from, to);
    return system(path) == 0 ? 0 : -1;
}

static void export_it(void)
{
    FILE *out = open_memstream(&text, &length);

    assert_int_equal(archive_gather(&archive, from, &err), 0);
    assert_int_equal(archive_write(&archive, out), 0);
    fclose(out);
    archive_clear(&archive);
}

static int import_it(bool replace)
{
    int rc = archive_parse(&archive, text, length, &err);

    if (rc < 0)
        fail_msg("%s", err.message);
    rc = archive_restore(&archive, to, replace, NULL, NULL, &err);
    archive_clear(&archive);
    return rc;
}

static void what_makes_a_device_itself_is_moved(void **state)
{
    (void)state;
    export_it();
    assert_null(strstr(text, "wg.key"));
    assert_int_equal(import_it(false), 0);
    holds("identity.key", "me\n");
    holds("peers.json", "{}");
    holds("tox/tox.save", "\x01\x02 address");
    holds("wg.key", NULL);
    holds("tox/.tox.new", NULL);
    assert_int_equal(import_it(false), 0); /* the same one */
}

static void another_identity_is_lost_only_where_it_was_asked_for(void **state)
{
    /* What the broker puts aside, and what a power failure leaves. */
    static const char *const aside[] = {"peers.json.broken", ".identity.key.new", ".peers.json.new",
                                        ".identity.key.previous.new", ".peers.json.previous.new"};

    (void)state;
    export_it();
    put(to, "identity.key", "you\n");
    put(to, "identity.key.previous", "you\n");
    put(to, "peers.json.previous", "{you}");
    put(to, "resume", "x");
    for (size_t i = 0; i < sizeof aside / sizeof aside[0]; i++)
        put(to, aside[i], "you");
    assert_int_equal(import_it(false), -EEXIST);
    assert_string_equal(err.code, "exists");
    snprintf(path, sizeof path, "%s/identity.key.previous", to);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(import_it(true), 0);
    holds("identity.key", "me\n");
    holds("identity.key.previous", NULL);
    holds("peers.json.previous", NULL);
    holds("resume", NULL);
    for (size_t i = 0; i < sizeof aside / sizeof aside[0]; i++)
        holds(aside[i], NULL);
}

static void without_peers_an_identity_is_whole(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/peers.json", from);
    unlink(path);
    export_it();
    put(to, "peers.json", "{others}");
    assert_int_equal(import_it(true), 0);
    holds("peers.json", NULL);
}

static void without_an_identity_there_is_nothing_to_export(void **state)
{
    (void)state;
    assert_int_equal(archive_gather(&archive, to, &err), -ENOENT);
    assert_non_null(strstr(err.message, to));
    archive_clear(&archive);
    assert_int_equal(archive_gather(&archive, "/nowhere", &err), -ENOENT);
}

static void nothing_leads_out_of_the_folder(void **state)
{
    static const char *const wrong[] = {
        "",
        "{}",
        "[]",
        "{\"type\":\"x\",\"version\":1,\"files\":{}}",
        "{\"type\":\"punchguard-identity\",\"version\":2,\"files\":{}}",
        "{\"type\":\"punchguard-identity\",\"version\":1,\"files\":{}}",
        "{\"type\":\"punchguard-identity\",\"version\":1,\"files\":{\"identity.key\":\"!\"}}",
        "{\"type\":\"punchguard-identity\",\"version\":1,\"files\":{\"identity.key\":1}}",
#define WITH(name)                                                                                 \
    "{\"type\":\"punchguard-identity\",\"version\":1,\"files\":{\"identity.key\":\"\",\"" name     \
    "\":\"\"}}"
        WITH("../x"),
        WITH("/etc/passwd"),
        WITH("wg.key"),
        WITH("tox/../x"),
        WITH("tox/.x"),
        WITH(".ssh/x"),
        WITH("a/b/c"),
        WITH("tox/"),
        WITH(""),
        WITH("a\\u0000b/c"),
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        memset(&err, 0, sizeof err);
        assert_true(archive_parse(&archive, wrong[i], strlen(wrong[i]), &err) < 0);
        assert_string_not_equal(err.message, "");
        archive_clear(&archive);
    }
}

/* As on a disk that is full: whatever is longer than that can't be written. */
static void limit_files_to(rlim_t bytes)
{
    struct rlimit limit;

    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &limit), 0);
    limit.rlim_cur = bytes;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
}

static void where_not_all_can_be_written_all_is_as_it_was(void **state)
{
    char big[1000];

    (void)state;
    memset(big, 'x', sizeof big - 1);
    big[sizeof big - 1] = '\0';
    put(from, "tox/zzz", big);
    export_it();
    put(to, "identity.key", "you\n");
    put(to, "identity.key.previous", "you\n");
    put(to, "peers.json", "{you}");
    put(to, "peers.json.previous", "{you}");
    put(to, "resume", "x");
    make_folder(to, "tox");
    put(to, "tox/tox.save", "yours");
    limit_files_to(sizeof big / 2);
    assert_true(import_it(true) < 0);
    limit_files_to(RLIM_INFINITY);
    holds("identity.key", "you\n");
    holds("identity.key.previous", "you\n");
    holds("peers.json", "{you}");
    holds("peers.json.previous", "{you}");
    holds("resume", "x");
    holds("tox/tox.save", "yours");
    snprintf(path, sizeof path, "test $(find %s | wc -l) = 8", to);
    assert_int_equal(system(path), 0);
    assert_int_equal(import_it(true), 0);
    holds("tox/zzz", big);
    snprintf(path, sizeof path, "test $(find %s | wc -l) = 6", to);
    assert_int_equal(system(path), 0);
}

/* A folder, which no file can be written over and which is not removed as one. */
static void where_it_ends_early_the_identity_is_not_the_new_one(void **state)
{
    static const char *const in_the_way[] = {"resume", "peers.json", "tox/tox.save"};

    (void)state;
    export_it();
    make_folder(to, "tox");
    for (size_t i = 0; i < sizeof in_the_way / sizeof in_the_way[0]; i++) {
        put(to, "identity.key", "you\n");
        make_folder(to, in_the_way[i]);
        assert_true(import_it(true) < 0);
        holds("identity.key", "you\n");
        snprintf(path, sizeof path, "%s/%s", to, in_the_way[i]);
        assert_int_equal(rmdir(path), 0);
        assert_int_equal(import_it(true), 0);
        holds("identity.key", "me\n");
        snprintf(path, sizeof path, "rm %s/peers.json %s/tox/tox.save", to, to);
        assert_int_equal(system(path), 0);
    }
}

static void nothing_of_a_transport_outlasts_the_identity_that_is_replaced(void **state)
{
    (void)state;
    export_it();
    put(to, "identity.key", "you\n");
    put(to, "wg.key", "the machine's");
    make_folder(to, "tox");
    put(to, "tox/tox.save.previous", "yours");
    make_folder(to, "lan");
    put(to, "lan/key", "yours");
    assert_int_equal(import_it(true), 0);
    holds("tox/tox.save", "\x01\x02 address");
    holds("tox/tox.save.previous", NULL);
    holds("lan/key", NULL);
    holds("wg.key", "the machine's");
    /* What came since stays where it is the same device. */
    put(to, "lan/key", "mine");
    assert_int_equal(import_it(false), 0);
    holds("lan/key", "mine");
}

static void belongs_to_the_broker(const char *name, uid_t owner, gid_t group, mode_t mode)
{
    struct stat about;

    snprintf(path, sizeof path, "%s/%s", to, name);
    assert_int_equal(stat(path, &about), 0);
    assert_int_equal(about.st_uid, owner);
    assert_int_equal(about.st_gid, group);
    assert_int_equal(about.st_mode & 07777, mode);
}

/* The broker takes no folder that is root's with something in it. */
static void a_folder_that_root_makes_is_the_brokers_own(void **state)
{
    static const char *const folders[] = {"new", "empty"};
    uid_t user = 64711;
    gid_t group = 64712;

    (void)state;
    if (geteuid() != 0)
        skip();
    export_it();
    make_folder(to, "empty");
    for (size_t i = 0; i < 2; i++) {
        char folder[96], name[32];

        snprintf(folder, sizeof folder, "%s/%s", to, folders[i]);
        assert_int_equal(archive_parse(&archive, text, length, &err), 0);
        assert_int_equal(archive_restore(&archive, folder, false, &user, &group, &err), 0);
        belongs_to_the_broker(folders[i], user, 0, 01770);
        snprintf(name, sizeof name, "%s/tox", folders[i]);
        belongs_to_the_broker(name, user, group, 0700);
        snprintf(name, sizeof name, "%s/tox/tox.save", folders[i]);
        belongs_to_the_broker(name, user, group, 0600);
        snprintf(name, sizeof name, "%s/identity.key", folders[i]);
        belongs_to_the_broker(name, user, group, 0600);
        archive_clear(&archive);
    }
    /* One that is somebody's already stays that one's. */
    assert_int_equal(import_it(false), 0);
    belongs_to_the_broker("", geteuid(), getegid(), 0700);
}

static int import_for_the_broker(void)
{
    uid_t user = 64711;
    gid_t group = 64712;
    int rc;

    assert_int_equal(archive_parse(&archive, text, length, &err), 0);
    rc = archive_restore(&archive, to, true, &user, &group, &err);
    archive_clear(&archive);
    return rc;
}

/* The state folder is the broker's user's, who may put anything there. */
static void what_is_in_the_way_of_an_import_is_not_used(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    export_it();
    make_folder(to, ".import");
    put(to, ".import/0", "left by one that was cut short");
    put(to, ".import/.1.new", "left by one that was cut short");
    assert_int_equal(import_for_the_broker(), 0);
    make_folder(to, ".import");
    put(to, ".import/own", "theirs");
    assert_int_equal(chown(path, 64711, 64712), 0);
    assert_true(import_for_the_broker() < 0);
    assert_non_null(strstr(err.message, ".import"));
    snprintf(path, sizeof path, "rm -r %s/.import && ln -s %s %s/.import", to, from, to);
    assert_int_equal(system(path), 0);
    assert_int_equal(import_for_the_broker(), 0);
    holds(".import", NULL);
    snprintf(path, sizeof path, "%s/identity.key", from);
    assert_int_equal(access(path, F_OK), 0);
}

static void a_link_in_the_way_is_not_followed(void **state)
{
    (void)state;
    export_it();
    snprintf(path, sizeof path, "%s/tox", to);
    assert_int_equal(symlink(from, path), 0);
    assert_true(import_it(false) < 0);
    unlink(path);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_makes_a_device_itself_is_moved),
        TEST(another_identity_is_lost_only_where_it_was_asked_for),
        TEST(without_peers_an_identity_is_whole),
        TEST(without_an_identity_there_is_nothing_to_export),
        TEST(nothing_leads_out_of_the_folder),
        TEST(where_not_all_can_be_written_all_is_as_it_was),
        TEST(where_it_ends_early_the_identity_is_not_the_new_one),
        TEST(nothing_of_a_transport_outlasts_the_identity_that_is_replaced),
        TEST(a_folder_that_root_makes_is_the_brokers_own),
        TEST(what_is_in_the_way_of_an_import_is_not_used),
        TEST(a_link_in_the_way_is_not_followed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
