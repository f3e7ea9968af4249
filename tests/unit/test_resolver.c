/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib-unix.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "ice-agent/resolver.h"

/* sendto() refuses it at once, as it does where there is no route. */
#define UNREACHABLE "255.255.255.255:9"

static const struct endpoint local = {.address = "127.0.0.1"};

struct asker {
    struct endpoint winner; /* "" where there is none */
    unsigned decided;
    char answer[INET6_ADDRSTRLEN]; /* "" for an error */
    unsigned answered;
    bool answered_first; /* libnice was told before resolver_decided was called */
};

static void on_decided(void *data, const struct endpoint *winner)
{
    struct asker *asker = data;

    asker->decided++;
    memset(&asker->winner, 0, sizeof asker->winner);
    if (winner != NULL)
        asker->winner = *winner;
}

static void on_answer(GObject *object, GAsyncResult *result, gpointer data)
{
    struct asker *asker = data;
    GList *list = g_resolver_lookup_by_name_finish(G_RESOLVER(object), result, NULL);

    asker->answered++;
    asker->answered_first |= asker->decided == 0;
    asker->answer[0] = '\0';
    if (list != NULL) {
        char *text = g_inet_address_to_string(list->data);

        assert_int_equal(g_list_length(list), 1);
        g_strlcpy(asker->answer, text, sizeof asker->answer);
        g_free(text);
    }
    g_resolver_free_addresses(list);
}

/* As libnice asks. */
static void ask(struct asker *asker)
{
    GResolver *resolver = g_resolver_get_default();

    g_resolver_lookup_by_name_async(resolver, RESOLVER_NAME, NULL, on_answer, asker);
    g_object_unref(resolver);
}

static gboolean on_late(gpointer data)
{
    *(bool *)data = true;
    return G_SOURCE_CONTINUE;
}

static void run_until(const unsigned *count, unsigned wanted)
{
    bool late = false;
    guint timer = g_timeout_add(2000, on_late, &late);

    while (*count < wanted && !late)
        g_main_context_iteration(NULL, TRUE);
    g_source_remove(timer);
    assert_int_equal(*count, wanted);
}

static gboolean on_request(gint fd, GIOCondition condition, gpointer data)
{
    struct sockaddr_storage from;
    socklen_t length = sizeof from;
    uint8_t packet[20];

    (void)condition;
    (void)data;
    if (recvfrom(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, &length) ==
        sizeof packet) {
        packet[0] = 1;
        sendto(fd, packet, sizeof packet, 0, (struct sockaddr *)&from, length);
    }
    return G_SOURCE_REMOVE;
}

/* A STUN server on loopback that answers once. */
static int server_open(char text[ENDPOINT_TEXT_SIZE])
{
    struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof at;
    struct endpoint endpoint;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);

    assert_int_equal(bind(fd, (struct sockaddr *)&at, length), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at, &length), 0);
    endpoint_from_sockaddr(&endpoint, (struct sockaddr *)&at);
    endpoint_format(&endpoint, text);
    g_source_set_callback(source, G_SOURCE_FUNC(on_request), NULL, NULL);
    g_source_attach(source, NULL);
    g_source_unref(source);
    return fd;
}

static void any_name_gets_the_winner(void **state)
{
    char text[ENDPOINT_TEXT_SIZE], *servers[] = {text};
    struct asker asker = {.decided = 0};
    int fd = server_open(text);
    struct resolver *resolver = resolver_install(servers, 1, &local, 1, on_decided, &asker, NULL);

    (void)state;
    assert_non_null(resolver);
    assert_int_equal(asker.decided, 0);
    ask(&asker);
    run_until(&asker.answered, 1);
    assert_int_equal(asker.decided, 1);
    assert_false(asker.answered_first);
    assert_string_equal(asker.winner.address, "127.0.0.1");
    assert_string_equal(asker.answer, "127.0.0.1");
    ask(&asker);
    run_until(&asker.answered, 2);
    assert_string_equal(asker.answer, "127.0.0.1");
    resolver_destroy(resolver);
    close(fd);
}

static void without_a_winner_the_name_does_not_exist(void **state)
{
    char text[] = UNREACHABLE, *servers[] = {text};
    struct asker asker = {.decided = 0};
    struct resolver *resolver = resolver_install(servers, 1, &local, 1, on_decided, &asker, NULL);

    (void)state;
    ask(&asker);
    run_until(&asker.answered, 1);
    assert_int_equal(asker.decided, 1);
    assert_string_equal(asker.winner.address, "");
    assert_string_equal(asker.answer, "");
    resolver_destroy(resolver);
}

static void a_question_open_at_the_end_is_answered_with_an_error(void **state)
{
    char text[ENDPOINT_TEXT_SIZE], *servers[] = {text};
    struct asker asker = {.decided = 1};
    int fd = server_open(text);
    struct resolver *resolver = resolver_install(servers, 1, &local, 1, on_decided, &asker, NULL);

    (void)state;
    ask(&asker);
    resolver_destroy(resolver);
    run_until(&asker.answered, 1);
    assert_string_equal(asker.answer, "");
    assert_int_equal(asker.decided, 1);
    resolver_destroy(NULL);
    close(fd);
}

static void a_bad_server_is_named(void **state)
{
    char text[] = "203.0.113.1:0", *servers[] = {text};
    struct error err;

    (void)state;
    assert_null(resolver_install(servers, 1, &local, 1, on_decided, NULL, &err));
    assert_non_null(strstr(err.message, text));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_name_gets_the_winner),
        cmocka_unit_test(without_a_winner_the_name_does_not_exist),
        cmocka_unit_test(a_question_open_at_the_end_is_answered_with_an_error),
        cmocka_unit_test(a_bad_server_is_named),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
