/* SPDX-License-Identifier: GPL-3.0-or-later
 *
 * What was learned by invitations comes back as it was; a broken file loses nothing.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <sodium.h>

#include "broker/learned.h"
#include "protocol/log.h"

#define ID "PG1AAAQEAYEAUDAOCAJBIFQYDIOB4IBCEQTCQKRMFYYDENBWHA5DYPQNTDNSA"

#define PEER(fields) "{\"version\":1,\"peers\":[{" fields "}],\"invitations\":[]}"
#define MADE(fields) "{\"version\":1,\"peers\":[],\"invitations\":[{" fields "}]}"

static char folder[64], path[128];
static struct learned learned;
static struct error err;

static const char *in_folder(const char *name)
{
    snprintf(path, sizeof path, "%s/%s", folder, name);
    return path;
}

static int begin(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/punchguard-learned-XXXXXX");
    memset(&learned, 0, sizeof learned);
    memset(&err, 0, sizeof err);
    return mkdtemp(folder) != NULL ? 0 : -1;
}

static int end(void **state)
{
    static const char *const names[] = {"peers.json", "peers.json.previous", "peers.json.broken"};

    (void)state;
    learned_clear(&learned);
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        unlink(in_folder(names[i]));
    return rmdir(folder);
}

static void write_file(const char *name, const char *text)
{
    FILE *file = fopen(in_folder(name), "w");

    assert_non_null(file);
    fputs(text, file);
    fclose(file);
}

static bool is_there(const char *name)
{
    return access(in_folder(name), F_OK) == 0;
}

static struct learned_peer *add(const char *name, uint8_t seed)
{
    struct contact contact = {.count = 0};
    uint8_t key[ID_KEY_BYTES];

    memset(key, seed, sizeof key);
    contact_set_name(&contact, name);
    assert_int_equal(contact_add(&contact, "tox", "ABCD", NULL), 0);
    return learned_peer_add(&learned, key, &contact, NULL, &err);
}

static void read_again(void)
{
    learned_clear(&learned);
    assert_int_equal(learned_read(&learned, folder, &err), 0);
}

static void what_is_written_is_read_again(void **state)
{
    struct learned_invitation *made;
    char text[INVITATION_TEXT_SIZE];
    struct invitation invitation;
    struct contact contact = {.count = 0};
    uint8_t secret[INVITATION_SECRET_BYTES];
    struct stat about;

    (void)state;
    memset(&invitation, 0, sizeof invitation);
    contact_set_name(&invitation.inviter, "carol");
    invitation_encode(&invitation, text);
    contact_set_name(&contact, "carol");
    assert_non_null(add("bob", 1));
    assert_non_null(learned_peer_add(&learned, invitation.key, &contact, text, &err));
    made = learned_invitation_add(&learned, "dave", 1000, 10, &err);
    memcpy(secret, made->secret, sizeof secret);
    made = learned_invitation_add(&learned, "", 2000, 10, &err);
    made->used = true;
    memset(made->used_by, 1, sizeof made->used_by);
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    assert_int_equal(stat(in_folder("peers.json"), &about), 0);
    assert_int_equal(about.st_mode & 07777, 0600);
    read_again();
    assert_int_equal(learned.peer_count, 2);
    assert_string_equal(learned.peers[0].contact.name, "bob");
    assert_string_equal(learned.peers[0].contact.items[0].address, "ABCD");
    assert_null(learned.peers[0].invitation);
    assert_string_equal(learned.peers[1].invitation, text);
    assert_int_equal(learned.invitation_count, 2);
    assert_string_equal(learned.invitations[0].name, "dave");
    assert_memory_equal(learned.invitations[0].secret, secret, sizeof secret);
    assert_int_equal(learned.invitations[0].expires, 1000);
    assert_false(learned.invitations[0].used);
    assert_true(learned.invitations[1].used);
    assert_memory_equal(learned.invitations[1].used_by, learned.peers[0].key, ID_KEY_BYTES);
}

static void what_a_peer_may_begin_is_read_again(void **state)
{
    static const char *const said[] = {"none", "tcp/22,udp/60000-61000,icmp", "all"};
    struct learned_invitation *made;
    char text[INBOUND_TEXT_SIZE];

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(
            inbound_parse(&add(said[i][0] == 't' ? "bob" : said[i], (uint8_t)i)->inbound, said[i],
                          &err),
            0);
        made = learned_invitation_add(&learned, "", 1000, 10, &err);
        made->says_inbound = true;
        assert_int_equal(inbound_parse(&made->inbound, said[i], &err), 0);
    }
    assert_non_null(learned_invitation_add(&learned, "", 1000, 10, &err));
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    read_again();
    for (size_t i = 0; i < 3; i++) {
        assert_string_equal(inbound_format(&learned.peers[i].inbound, text), said[i]);
        assert_true(learned.invitations[i].says_inbound);
        assert_string_equal(inbound_format(&learned.invitations[i].inbound, text), said[i]);
    }
    assert_false(learned.invitations[3].says_inbound);
}

/* As brokers wrote it that knew of no `inbound`. */
static void a_file_without_it_lets_peers_begin_everything(void **state)
{
    (void)state;
    write_file(
        "peers.json",
        "{\"version\":1,\"peers\":[{\"name\":\"b\",\"id\":\"" ID "\",\"addresses\":{}}],"
        "\"invitations\":[{\"secret\":\"00112233445566778899aabbccddeeff\",\"expires\":1}]}");
    read_again();
    assert_int_equal(learned.peers[0].inbound.kind, INBOUND_ALL);
    assert_false(learned.invitations[0].says_inbound);
}

static void one_that_was_taken_out_comes_back_as_it_was(void **state)
{
    struct learned_peer before;

    (void)state;
    strcpy(add("bob", 1)->introduced_by, "carol");
    learned.peers[0].inbound.kind = INBOUND_NONE;
    assert_non_null(add("dave", 2));
    before = learned_peer_take(&learned, 0);
    assert_int_equal(learned.peer_count, 1);
    assert_string_equal(learned.peers[0].contact.name, "dave");
    learned_peer_put(&learned, 0, &before);
    assert_int_equal(learned.peer_count, 2);
    assert_string_equal(learned.peers[0].introduced_by, "carol");
    assert_int_equal(learned.peers[0].inbound.kind, INBOUND_NONE);
    assert_string_equal(learned.peers[0].contact.name, "bob");
}

static void without_a_file_nothing_is_known(void **state)
{
    (void)state;
    assert_int_equal(learned_read(&learned, folder, &err), 0);
    assert_int_equal(learned.peer_count + learned.invitation_count, 0);
}

static void a_broken_file_gives_its_previous_copy_and_is_kept(void **state)
{
    (void)state;
    assert_non_null(add("bob", 1));
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    assert_non_null(add("carol", 2));
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    write_file("peers.json", "{\"version\": 1, \"pee");
    read_again();
    assert_int_equal(learned.peer_count, 2);
    assert_string_equal(learned.peers[1].contact.name, "carol");
    assert_true(is_there("peers.json.broken"));
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    assert_true(is_there("peers.json.previous"));
    read_again();
    assert_int_equal(learned.peer_count, 2);
}

/* In peers.json or its copy. */
static bool is_kept(const char *name, const char *text)
{
    char got[4096] = "";
    FILE *file = fopen(in_folder(name), "r");

    assert_non_null(file);
    got[fread(got, 1, sizeof got - 1, file)] = '\0';
    fclose(file);
    return strstr(got, text) != NULL;
}

static void what_was_taken_back_does_not_come_back_with_the_copy(void **state)
{
    struct learned_invitation *made;
    char secret[2 * INVITATION_SECRET_BYTES + 1];

    (void)state;
    assert_non_null(add("bob", 1));
    made = learned_invitation_add(&learned, "", 1000, 10, &err);
    sodium_bin2hex(secret, sizeof secret, made->secret, sizeof made->secret);
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    assert_true(is_kept("peers.json", "bob") && is_kept("peers.json", secret));
    learned_peer_remove(&learned, &learned.peers[0]);
    learned_invitation_remove(&learned, made);
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    assert_false(is_kept("peers.json.previous", "bob") || is_kept("peers.json.previous", secret));
    write_file("peers.json", "{");
    read_again();
    assert_int_equal(learned.peer_count + learned.invitation_count, 0);
}

static void a_copy_that_is_older_than_the_file_is_made_good(void **state)
{
    (void)state;
    assert_non_null(add("bob", 1));
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    learned_peer_remove(&learned, &learned.peers[0]);
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    write_file("peers.json.previous", PEER("\"name\":\"bob\",\"id\":\"" ID "\",\"addresses\":{}"));
    read_again();
    assert_int_equal(learned.peer_count, 0);
    assert_false(is_kept("peers.json.previous", "bob"));
}

static void where_no_copy_can_be_written_no_older_one_stays(void **state)
{
    (void)state;
    assert_non_null(add("bob", 1));
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    learned_peer_remove(&learned, &learned.peers[0]);
    assert_int_equal(mkdir(in_folder(".peers.json.previous.new"), 0700), 0);
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    assert_false(is_there("peers.json.previous"));
    assert_int_equal(rmdir(in_folder(".peers.json.previous.new")), 0);
    read_again();
    assert_int_equal(learned.peer_count, 0);
    assert_true(is_there("peers.json.previous"));
}

static void a_file_that_is_gone_gives_its_previous_copy(void **state)
{
    (void)state;
    assert_non_null(add("bob", 1));
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    unlink(in_folder("peers.json"));
    read_again();
    assert_int_equal(learned.peer_count, 1);
}

static void two_broken_copies_are_an_error_and_stay(void **state)
{
    (void)state;
    write_file("peers.json", "x");
    write_file("peers.json.previous", "");
    assert_true(learned_read(&learned, folder, &err) < 0);
    assert_string_equal(err.code, "bad-peers");
    assert_non_null(strstr(err.message, "mended or removed"));
    assert_true(is_there("peers.json") && is_there("peers.json.previous"));
    assert_false(is_there("peers.json.broken"));
}

static void a_first_file_that_is_broken_is_an_error_too(void **state)
{
    (void)state;
    write_file("peers.json", "{}");
    assert_true(learned_read(&learned, folder, &err) < 0);
    assert_true(is_there("peers.json"));
}

static void each_wrong_place_is_told(void **state)
{
    static const struct {
        const char *text, *why;
    } wrong[] = {
        {"{\"version\":2,\"peers\":[],\"invitations\":[]}", "$.version"},
        {PEER("\"name\":\"b\",\"id\":\"" ID "\",\"addresses\":{},\"allowed_ips\":[\"0.0.0.0/0\"]"),
         "allowed_ips"},
        {PEER("\"name\":\"b\",\"id\":\"" ID "\",\"addresses\":{},\"command\":[\"sh\"]"), "command"},
        {PEER("\"name\":\"b c\",\"id\":\"" ID "\",\"addresses\":{}"), "$.peers[0].name"},
        {PEER("\"name\":\"b\",\"id\":\"PG1\",\"addresses\":{}"), "$.peers[0].id"},
        {PEER("\"name\":\"b\",\"id\":\"" ID "\",\"addresses\":{\"Tox\":\"a\"}"),
         "$.peers[0].addresses"},
        {PEER("\"name\":\"b\",\"id\":\"" ID "\",\"addresses\":{},\"invitation\":\"PGI1-AAAAB\""),
         "$.peers[0].invitation"},
        {PEER("\"name\":\"b\",\"id\":\"" ID "\",\"addresses\":{}},{\"name\":\"b\",\"id\":\"" ID
              "\",\"addresses\":{}"),
         "$.peers[1]"},
        {MADE("\"secret\":\"00\",\"expires\":1"), "$.invitations[0].secret"},
        {MADE("\"secret\":\"00112233445566778899aabbccddeeff\""), "expires"},
        {MADE("\"secret\":\"00112233445566778899aabbccddeeff\",\"expires\":1,\"used_by\":\"x\""),
         "$.invitations[0].used_by"},
        {PEER("\"name\":\"b\",\"id\":\"" ID "\",\"addresses\":{},\"inbound\":\"some\""),
         "$.peers[0].inbound: 'some' is neither"},
        {MADE("\"secret\":\"00112233445566778899aabbccddeeff\",\"expires\":1,\"inbound\":[]"),
         "$.invitations[0].inbound"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        write_file("peers.json", wrong[i].text);
        assert_true(learned_read(&learned, folder, &err) < 0);
        if (strstr(err.message, wrong[i].why) == NULL)
            fail_msg("'%s' does not say '%s'", err.message, wrong[i].why);
        learned_clear(&learned);
    }
}

static void a_name_or_an_id_stands_for_one_peer_only(void **state)
{
    (void)state;
    assert_non_null(add("bob", 1));
    assert_null(add("bob", 2));
    assert_string_equal(err.code, "duplicate");
    assert_null(add("carol", 1));
    assert_non_null(strstr(err.message, "'bob'"));
    learned_peer_remove(&learned, learned_peer_named(&learned, "bob"));
    assert_non_null(add("bob", 2));
}

static void invitations_make_room_by_expiry_and_use(void **state)
{
    (void)state;
    for (int i = 0; i < LEARNED_INVITATIONS_MAX; i++)
        assert_non_null(learned_invitation_add(&learned, "", 1000, 10, &err));
    assert_null(learned_invitation_add(&learned, "", 1000, 10, &err));
    assert_string_equal(err.code, "too-many");
    learned.invitations[7].used = true;
    assert_non_null(learned_invitation_add(&learned, "new", 5000, 10, &err));
    assert_string_equal(learned.invitations[LEARNED_INVITATIONS_MAX - 1].name, "new");
    assert_null(learned_invitation_add(&learned, "", 1000, 10, &err));
    /* The expired are told of until there is no room, or long after. */
    assert_non_null(learned_invitation_add(&learned, "", 9000, 2000, &err));
    assert_int_equal(learned.invitation_count, LEARNED_INVITATIONS_MAX);
    assert_non_null(learned_invitation_add(&learned, "", 900000, 1000 + LEARNED_KEEP_S, &err));
    assert_int_equal(learned.invitation_count, 3);
}

static void a_folder_that_can_not_be_written_to_keeps_the_file(void **state)
{
    (void)state;
    assert_non_null(add("bob", 1));
    assert_int_equal(learned_write(&learned, folder, &err), 0);
    assert_true(learned_write(&learned, "/proc/self/fd", &err) < 0);
    assert_string_not_equal(err.message, "");
    read_again();
    assert_int_equal(learned.peer_count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    static const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_read_again),
        TEST(what_a_peer_may_begin_is_read_again),
        TEST(a_file_without_it_lets_peers_begin_everything),
        TEST(one_that_was_taken_out_comes_back_as_it_was),
        TEST(without_a_file_nothing_is_known),
        TEST(a_broken_file_gives_its_previous_copy_and_is_kept),
        TEST(what_was_taken_back_does_not_come_back_with_the_copy),
        TEST(a_copy_that_is_older_than_the_file_is_made_good),
        TEST(where_no_copy_can_be_written_no_older_one_stays),
        TEST(a_file_that_is_gone_gives_its_previous_copy),
        TEST(two_broken_copies_are_an_error_and_stay),
        TEST(a_first_file_that_is_broken_is_an_error_too),
        TEST(each_wrong_place_is_told),
        TEST(a_name_or_an_id_stands_for_one_peer_only),
        TEST(invitations_make_room_by_expiry_and_use),
        TEST(a_folder_that_can_not_be_written_to_keeps_the_file),
    };

    log_open("test_learned", false);
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
