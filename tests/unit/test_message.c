/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <errno.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "protocol/line.h"
#include "protocol/message.h"
#include "tests/unit/walk.h"

static struct error err;

static int decode_as(const struct walk_message *shape, const char *text, struct message *message)
{
    memset(&err, 0, sizeof err);
    return message_decode(text, strlen(text), walk_role(shape), walk_direction(shape), message,
                          NULL, &err);
}

/* The object is given away. */
static int decode_object(const struct walk_message *shape, json_t *object, struct message *message)
{
    char *text = json_dumps(object, JSON_COMPACT);
    int rc;

    assert_non_null(text);
    rc = decode_as(shape, text, message);
    free(text);
    json_decref(object);
    return rc;
}

static void expect_error(const char *code, const char *type, const char *field)
{
    char named[120];

    snprintf(named, sizeof named, "%s: the field '%s' ", type, field);
    if (strcmp(err.code, code) != 0 || strncmp(err.message, named, strlen(named)) != 0)
        fail_msg("%s: %s, not %s: %s…", err.code, err.message, code, named);
}

/* With the field set to a value, which is given away, the error has one of two codes and names the
 * field. */
static void expect_refused(const struct walk_message *shape, const struct walk_field *field,
                           json_t *value, const char *code)
{
    json_t *object = walk_object(shape, true, true);
    struct message message;

    json_object_set_new(object, field->name, value);
    assert_int_equal(decode_object(shape, object, &message), -EINVAL);
    expect_error(code, shape->type, field->name);
}

#define FOR_EACH_MESSAGE(shape)                                                                    \
    for (const struct walk_message *shape = walk_messages; shape < walk_messages + walk_count;     \
         shape++)
#define FOR_EACH_FIELD(shape, field)                                                               \
    for (const struct walk_field *field = (shape)->fields;                                         \
         field < (shape)->fields + (shape)->count; field++)

/* The object is given away. */
static void expect_round_trip(const struct walk_message *shape, json_t *object)
{
    struct message message;
    json_t *back;
    size_t length;
    char *line;

    assert_int_equal(decode_object(shape, json_incref(object), &message), 0);
    assert_int_equal(message.type, shape->id);
    line = message_encode(&message, &length, &err);
    assert_non_null(line);
    assert_int_equal(strlen(line), length);
    assert_int_equal(line[length - 1], '\n');
    assert_true(length <= LINE_MAX_BYTES);
    back = json_loadb(line, length, JSON_REJECT_DUPLICATES, NULL);
    assert_true(json_equal(object, back));
    free(line);
    json_decref(back);
    json_decref(object);
    message_clear(&message);
}

static void every_message_comes_back_as_it_went(void **state)
{
    (void)state;
    FOR_EACH_MESSAGE(shape)
    {
        expect_round_trip(shape, walk_object(shape, true, true));
        expect_round_trip(shape, walk_object(shape, false, true));
        expect_round_trip(shape, walk_object(shape, false, false));
    }
}

static void a_message_is_known_to_its_own_roles_and_directions_only(void **state)
{
    (void)state;
    FOR_EACH_MESSAGE(shape)
    {
        json_t *object = walk_object(shape, true, false);
        char *text = json_dumps(object, JSON_COMPACT);

        for (unsigned role = ROLE_SIGNAL; role <= ROLE_CONTROL; role *= 2) {
            for (unsigned way = TO_HELPER; way <= FROM_HELPER; way++) {
                bool its_own = (shape->roles & role) && (shape->directions & way);
                struct message message;
                int rc = message_decode(text, strlen(text), role, way, &message, NULL, NULL);

                assert_true((rc == 0 && message.type == shape->id) == its_own);
                if (rc == 0)
                    message_clear(&message);
            }
        }
        free(text);
        json_decref(object);
    }
}

static void a_missing_field_is_named(void **state)
{
    (void)state;
    FOR_EACH_MESSAGE(shape)
    FOR_EACH_FIELD(shape, field)
    {
        json_t *object = walk_object(shape, true, true);
        struct message message;

        json_object_del(object, field->name);
        if (field->required) {
            assert_int_equal(decode_object(shape, object, &message), -EINVAL);
            expect_error("missing-field", shape->type, field->name);
        } else {
            expect_round_trip(shape, json_incref(object));
            assert_int_equal(decode_object(shape, object, &message), 0);
            message_clear(&message);
        }
    }
}

static bool has_type(const struct walk_field *field, const json_t *value)
{
    switch (field->kind) {
    case FIELD_INTEGER:
        return json_is_integer(value);
    case FIELD_BOOLEAN:
        return json_is_boolean(value);
    case FIELD_ENDPOINT:
        return false;
    case FIELD_STRINGS:
        return json_is_array(value) && json_array_size(value) == 0;
    case FIELD_DOCUMENT:
        return field->document == 'o' ? json_is_object(value) : json_is_array(value);
    default:
        return json_is_string(value);
    }
}

static void a_wrong_type_is_named(void **state)
{
    static const char values[] =
        "[null, true, 7, 0.5, \"text\", [], [null], [[]], {}, {\"address\":1,\"port\":1},"
        " {\"address\":\"192.0.2.1\"}, {\"address\":\"192.0.2.1\",\"port\":\"1\"}]";
    json_t *list = json_loads(values, 0, NULL), *value;
    size_t i;

    (void)state;
    assert_non_null(list);
    FOR_EACH_MESSAGE(shape)
    FOR_EACH_FIELD(shape, field)
    json_array_foreach(list, i, value)
    {
        if (!has_type(field, value))
            expect_refused(shape, field, json_incref(value), "wrong-type");
    }
    json_decref(list);
}

static void refuse_wrong_texts(const struct walk_message *shape, const struct walk_field *field)
{
    if (field->max + 1 < LINE_MAX_BYTES)
        expect_refused(shape, field, walk_text((size_t)field->max + 1), "too-long");
    if (field->min > 0)
        expect_refused(shape, field, walk_text((size_t)field->min - 1), "too-short");
}

static void refuse_wrong_words(const struct walk_message *shape, const struct walk_field *field)
{
    char longer[200];

    expect_refused(shape, field, json_string(""), "bad-value");
    expect_refused(shape, field, json_string("nonesuch"), "bad-value");
    expect_refused(shape, field, json_string("|"), "bad-value");
    expect_refused(shape, field, json_string(field->words), "bad-value");
    snprintf(longer, sizeof longer, "%.*sx", (int)strcspn(field->words, "|"), field->words);
    expect_refused(shape, field, json_string(longer), "bad-value");
    longer[strlen(longer) - 2] = '\0';
    expect_refused(shape, field, json_string(longer), "bad-value");
    expect_refused(shape, field, json_string(strchr(field->words, '|')), "bad-value");
}

static void refuse_wrong_hex(const struct walk_message *shape, const struct walk_field *field)
{
    size_t digits = (size_t)field->min * 2;
    char text[200];

    memset(text, '0', sizeof text);
    expect_refused(shape, field, json_stringn(text, digits - 1), "bad-value");
    expect_refused(shape, field, json_stringn(text, digits + 1), "bad-value");
    expect_refused(shape, field, json_stringn(text, digits + 2), "bad-value");
    expect_refused(shape, field, json_string(""), "bad-value");
    text[digits - 1] = 'g';
    expect_refused(shape, field, json_stringn(text, digits), "bad-value");
}

static void refuse_wrong_keys(const struct walk_message *shape, const struct walk_field *field)
{
    static const char *const wrong[] = {
        "",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAB=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA==",
        "-_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
        "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
    };

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_refused(shape, field, json_string(wrong[i]), "bad-value");
}

static void refuse_wrong_endpoints(const struct walk_message *shape, const struct walk_field *field)
{
    static const struct {
        const char *address;
        int port;
        const char *code;
    } wrong[] = {{"192.0.2.1", 0, "out-of-range"},
                 {"192.0.2.1", 65536, "out-of-range"},
                 {"192.0.2.1", -1, "out-of-range"},
                 {"example.org", 1, "bad-value"},
                 {"", 1, "bad-value"},
                 {"fe80::1%lo", 1, "bad-value"}};

    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        expect_refused(shape, field,
                       json_pack("{s:s, s:i}", "address", wrong[i].address, "port", wrong[i].port),
                       wrong[i].code);
}

static void refuse_wrong_lists(const struct walk_message *shape, const struct walk_field *field)
{
    json_t *many = json_array();

    for (size_t i = 0; i < field->items + 1; i++)
        json_array_append_new(many, json_string("x"));
    expect_refused(shape, field, many, "too-many");
    expect_refused(shape, field, json_pack("[s, o]", "x", walk_text((size_t)field->max + 1)),
                   "too-long");
    assert_non_null(strstr(err.message, "item 1"));
    expect_refused(shape, field, json_pack("[s]", ""), "too-short");
    expect_refused(shape, field, json_pack("[s, i]", "x", 1), "wrong-type");
}

static void a_value_outside_its_bounds_is_named(void **state)
{
    (void)state;
    FOR_EACH_MESSAGE(shape)
    FOR_EACH_FIELD(shape, field)
    {
        switch (field->kind) {
        case FIELD_STRING:
            refuse_wrong_texts(shape, field);
            break;
        case FIELD_CHOICE:
            refuse_wrong_words(shape, field);
            break;
        case FIELD_HEX:
            refuse_wrong_hex(shape, field);
            break;
        case FIELD_KEY:
            refuse_wrong_keys(shape, field);
            break;
        case FIELD_INTEGER:
            expect_refused(shape, field, json_integer(field->min - 1), "out-of-range");
            if (field->max < INT64_MAX)
                expect_refused(shape, field, json_integer(field->max + 1), "out-of-range");
            break;
        case FIELD_ENDPOINT:
            refuse_wrong_endpoints(shape, field);
            break;
        case FIELD_STRINGS:
            refuse_wrong_lists(shape, field);
            break;
        default:
            break;
        }
    }
}

static void unknown_fields_are_ignored(void **state)
{
    (void)state;
    FOR_EACH_MESSAGE(shape)
    {
        json_t *object = walk_object(shape, true, true);
        struct message message;

        json_object_set_new(object, "a-field-of-tomorrow", json_pack("{s:[n]}", "x"));
        assert_int_equal(decode_object(shape, object, &message), 0);
        assert_int_equal(message.type, shape->id);
        message_clear(&message);
    }
}

static void a_field_that_comes_twice_is_named(void **state)
{
    (void)state;
    FOR_EACH_MESSAGE(shape)
    FOR_EACH_FIELD(shape, field)
    {
        json_t *object = walk_object(shape, true, false), *value = walk_value(field, true);
        char *text = json_dumps(object, JSON_COMPACT);
        char *again = json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY), *twice = NULL;
        struct message message;

        text[strlen(text) - 1] = '\0';
        assert_true(asprintf(&twice, "%s,\"%s\":%s}", text, field->name, again) > 0);
        assert_int_equal(decode_as(shape, twice, &message), -EINVAL);
        assert_string_equal(err.code, "duplicate-key");
        assert_non_null(strstr(err.message, field->name));
        free(twice);
        free(again);
        free(text);
        json_decref(value);
        json_decref(object);
    }
}

static void unknown_types_are_ignored(void **state)
{
    static const char text[] = "{\"type\":\"of-tomorrow\",\"ref\":7,\"peer\":{}}";
    struct message message;
    int64_t ref;

    (void)state;
    assert_int_equal(message_decode(text, strlen(text), ROLE_WG, TO_HELPER, &message, &ref, &err),
                     0);
    assert_int_equal(message.type, MESSAGE_NONE);
    assert_int_equal(ref, 7);
    message_clear(&message);
}

static void the_ref_of_a_bad_message_is_told(void **state)
{
    static const char bad[] = "{\"type\":\"status\",\"ref\":7.5}",
                      below[] = "{\"type\":\"status\",\"ref\":-3}",
                      late[] = "{\"type\":\"peer-remove\",\"ref\":12,\"peer\":7}";
    struct message message;
    int64_t ref;

    (void)state;
    assert_int_equal(message_decode(late, strlen(late), ROLE_WG, TO_HELPER, &message, &ref, &err),
                     -EINVAL);
    assert_int_equal(ref, 12);
    assert_int_equal(message_decode(bad, strlen(bad), ROLE_WG, TO_HELPER, &message, &ref, &err),
                     -EINVAL);
    assert_int_equal(ref, MESSAGE_ABSENT);
    assert_int_equal(message_decode(below, strlen(below), ROLE_WG, TO_HELPER, &message, &ref, &err),
                     -EINVAL);
    assert_int_equal(ref, MESSAGE_ABSENT);
}

static void what_is_no_message_is_refused(void **state)
{
    static const struct {
        const char *text, *code, *says;
    } bad[] = {
        {"", "bad-json", "one JSON object"},
        {"x", "bad-json", "one JSON object"},
        {"[]", "bad-json", "one JSON object"},
        {"{\"type\":\"ping\",\"ref\":1} {}", "bad-json", "one JSON object"},
        {"{}", "missing-field", "'type'"},
        {"{\"type\":7}", "wrong-type", "'type'"},
        {"{\"type\":\"ping\",\"ref\":1,\"x\":\"\xff\"}", "bad-json", "UTF-8"},
        {"{\"type\":\"ping\",\"ref\":1,\"x\":\"\\u0000\"}", "bad-json", "\\u0000"},
        {"{\"type\":\"ping\",\"ref\":9223372036854775808}", "bad-json", "9223372036854775808"},
        {"{\"type\":\"ping\",\"ref\":1,\"type\":\"ping\"}", "duplicate-key", "type"},
    };
    struct message message;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_int_equal(message_decode(bad[i].text, strlen(bad[i].text), ROLE_WG, TO_HELPER,
                                        &message, NULL, &err),
                         -EINVAL);
        assert_string_equal(err.code, bad[i].code);
        if (strstr(err.message, bad[i].says) == NULL)
            fail_msg("'%s' does not say '%s'", err.message, bad[i].says);
    }
}

static void a_nul_byte_is_refused_wherever_it_is(void **state)
{
    static const char good[] = "{\"type\":\"ping\",\"ref\":1}";
    struct message message;
    char line[sizeof good];

    (void)state;
    for (size_t at = 0; at < sizeof good; at++) {
        memcpy(line, good, at);
        line[at] = '\0';
        memcpy(line + at + 1, good + at, sizeof good - 1 - at);
        assert_int_equal(
            message_decode(line, sizeof line, ROLE_WG, TO_HELPER, &message, NULL, &err), -EINVAL);
        assert_string_equal(err.code, "bad-json");
    }
}

static void endless_nesting_costs_nothing(void **state)
{
    static char text[LINE_MAX_BYTES];
    struct message message;

    (void)state;
    memset(text, '[', sizeof text);
    memcpy(text, "{\"type\":\"ping\",\"ref\":1,\"x\":", 27);
    assert_int_equal(message_decode(text, sizeof text, ROLE_WG, TO_HELPER, &message, NULL, &err),
                     -EINVAL);
    assert_string_equal(err.code, "bad-json");
    assert_non_null(strstr(err.message, "depth"));
}

/* A stand-in for what a program would put into the field: what decoding gave, then spoiled. */
static void spoil(struct message *message, const struct message_field *field, char *text)
{
    void *at = (char *)message + field->offset;

    switch (field->kind) {
    case FIELD_INTEGER:
        *(int64_t *)at = field->min - 1;
        break;
    case FIELD_ENDPOINT:
        *(struct endpoint *)at = (struct endpoint){.address = "192.0.2.1", .port = 0};
        break;
    case FIELD_STRINGS:
        *(struct strings *)at = (struct strings){.items = (char *[]){text}, .count = 1};
        break;
    default:
        *(char **)at = text;
        break;
    }
}

static void no_field_is_sent_that_would_be_refused(void **state)
{
    static char wrong[] = "not UTF-8: \xff";

    (void)state;
    FOR_EACH_MESSAGE(shape)
    for (size_t i = 0; i < shape->count; i++) {
        const struct message_field *field = &message_shape(shape->id)->fields[i];
        struct message message, spoiled;
        char *line;
        size_t length;

        assert_string_equal(field->name, shape->fields[i].name);
        if (field->kind == FIELD_BOOLEAN)
            continue;
        assert_int_equal(decode_object(shape, walk_object(shape, true, false), &message), 0);
        spoiled = message;
        if (field->kind == FIELD_STRINGS) {
            struct strings strings = {.items = (char *[]){wrong}, .count = 1};

            memcpy((char *)&spoiled + field->offset, &strings, sizeof strings);
            line = message_encode(&spoiled, &length, &err);
        } else {
            spoil(&spoiled, field, wrong);
            line = message_encode(&spoiled, &length, &err);
        }
        if (line != NULL)
            fail_msg("%s: '%s' was sent: %s", shape->type, field->name, line);
        assert_non_null(strstr(err.message, field->name));
        message_clear(&message);
    }
}

static void a_required_field_that_was_not_set_is_named(void **state)
{
    (void)state;
    FOR_EACH_MESSAGE(shape)
    {
        const struct message_shape *table = message_shape(shape->id);
        struct message message;
        size_t length;
        char *line;

        message_init(&message, shape->id);
        line = message_encode(&message, &length, &err);
        for (size_t i = 0; line == NULL && i < shape->count; i++) {
            if (!table->fields[i].required || table->fields[i].kind == FIELD_BOOLEAN ||
                table->fields[i].kind == FIELD_STRINGS)
                continue;
            expect_error("missing-field", shape->type, table->fields[i].name);
            break;
        }
        free(line);
    }
}

/* A program puts a struct error there as it is. */
static void the_longest_error_fits_where_errors_are_told(void **state)
{
    struct message event;
    char text[2 * sizeof err.message];
    size_t length;
    char *line;

    (void)state;
    memset(text, 'x', sizeof text - 1);
    text[sizeof text - 1] = '\0';
    error_set(&err, "some-code", "%s", text);
    message_init(&event, MESSAGE_event_helper);
    event.event_helper.time = event.event_helper.helper = (char *)(uintptr_t) "x";
    event.event_helper.mono_ms = 1;
    event.event_helper.state = (char *)(uintptr_t) "down";
    event.event_helper.reason = err.message;
    line = message_encode(&event, &length, NULL);
    assert_non_null(line);
    free(line);
    message_init(&event, MESSAGE_event_path);
    event.event_path.time = event.event_path.peer = (char *)(uintptr_t) "x";
    event.event_path.mono_ms = 1;
    event.event_path.kind = (char *)(uintptr_t) "none";
    event.event_path.reason = err.message;
    line = message_encode(&event, &length, NULL);
    assert_non_null(line);
    free(line);
}

static struct message send_message(char *data)
{
    struct message message;

    message_init(&message, MESSAGE_send);
    message.send.ref = INT64_MAX;
    message.send.peer = (char *)(uintptr_t) "home";
    message.send.data = data;
    return message;
}

static void data_of_16_kib_fits_a_line_unless_it_is_control_characters(void **state)
{
    static char data[MESSAGE_DATA_MAX + 1];
    struct message message = send_message(data);
    size_t length;
    char *line;

    (void)state;
    memset(data, '"', MESSAGE_DATA_MAX);
    line = message_encode(&message, &length, &err);
    assert_non_null(line);
    assert_true(length <= LINE_MAX_BYTES);
    free(line);
    memset(data, '\x01', MESSAGE_DATA_MAX);
    assert_null(message_encode(&message, &length, &err));
    assert_string_equal(err.code, "too-long");
    assert_non_null(strstr(err.message, "send: "));
    assert_non_null(strstr(err.message, "65536"));
}

static void describe_names_every_message_and_field(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    json_t *list;

    (void)state;
    message_describe(out, ~0u, ~0u);
    fclose(out);
    list = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
    assert_int_equal(json_array_size(list), walk_count);
    for (size_t i = 0; i < walk_count; i++) {
        json_t *shown = json_array_get(list, i), *fields = json_object_get(shown, "fields");

        assert_string_equal(json_string_value(json_object_get(shown, "type")),
                            walk_messages[i].type);
        assert_int_equal(json_array_size(fields), walk_messages[i].count);
        for (size_t f = 0; f < walk_messages[i].count; f++) {
            const struct walk_field *field = &walk_messages[i].fields[f];
            json_t *row = json_array_get(fields, f);

            assert_string_equal(json_string_value(json_object_get(row, "name")), field->name);
            assert_int_equal(json_is_true(json_object_get(row, "required")), field->required);
            if (field->kind == FIELD_STRING || field->kind == FIELD_INTEGER) {
                assert_int_equal(json_integer_value(json_object_get(row, "min")), field->min);
                assert_int_equal(json_integer_value(json_object_get(row, "max")), field->max);
            }
            if (field->kind == FIELD_STRINGS) {
                assert_int_equal(json_integer_value(json_object_get(row, "items")), field->items);
                assert_int_equal(json_integer_value(json_object_get(row, "max")), field->max);
            }
            if (field->kind == FIELD_HEX)
                assert_int_equal(json_integer_value(json_object_get(row, "bytes")), field->min);
        }
    }
    json_decref(list);
    free(text);
}

static void describe_leaves_other_roles_out(void **state)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    (void)state;
    message_describe(out, ROLE_WG, TO_HELPER);
    fclose(out);
    assert_non_null(strstr(text, "\"path-set\""));
    assert_null(strstr(text, "\"peer-status\""));
    assert_null(strstr(text, "\"datagrams-open\""));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_message_comes_back_as_it_went),
        cmocka_unit_test(a_message_is_known_to_its_own_roles_and_directions_only),
        cmocka_unit_test(a_missing_field_is_named),
        cmocka_unit_test(a_wrong_type_is_named),
        cmocka_unit_test(a_value_outside_its_bounds_is_named),
        cmocka_unit_test(unknown_fields_are_ignored),
        cmocka_unit_test(a_field_that_comes_twice_is_named),
        cmocka_unit_test(unknown_types_are_ignored),
        cmocka_unit_test(the_ref_of_a_bad_message_is_told),
        cmocka_unit_test(what_is_no_message_is_refused),
        cmocka_unit_test(a_nul_byte_is_refused_wherever_it_is),
        cmocka_unit_test(endless_nesting_costs_nothing),
        cmocka_unit_test(no_field_is_sent_that_would_be_refused),
        cmocka_unit_test(a_required_field_that_was_not_set_is_named),
        cmocka_unit_test(the_longest_error_fits_where_errors_are_told),
        cmocka_unit_test(data_of_16_kib_fits_a_line_unless_it_is_control_characters),
        cmocka_unit_test(describe_names_every_message_and_field),
        cmocka_unit_test(describe_leaves_other_roles_out),
    };

    if (sodium_init() < 0)
        return 99;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
