/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "broker/config.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "broker/config_read.h"
#include "broker/control_socket.h"
#include "protocol/file.h"
#include "protocol/log.h"

#define STATE_DIR_DEFAULT "/var/lib/punchguard"
#define NAME_BYTES_MAX    64
/* Of PATH_MAX something is left for the files in it. */
#define STATE_DIR_BYTES_MAX 3072
/* RFC 8200 section 5. */
#define IPV6_MTU_MIN 1280

int config_note(struct config_reader *reader, const struct error *err)
{
    struct config_errors *errors = reader->errors;

    if (errors->count < CONFIG_ERRORS_MAX) {
        struct error *item = &errors->items[errors->count++];

        *item = *err;
        error_prefix(item, "%.200s: ", reader->config->path);
    }
    return -EINVAL;
}

int config_fail(struct config_reader *reader, const struct json_at *at, const char *code,
                const char *format, ...)
{
    char text[400];
    struct error err;
    va_list args;

    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    json_fail(at, &err, code, "%s", text);
    return config_note(reader, &err);
}

int config_no_memory(struct config_reader *reader)
{
    struct error err;

    error_set(&err, "no-memory", "out of memory");
    config_note(reader, &err);
    return -ENOMEM;
}

static bool has_control_characters(const char *text)
{
    for (; *text != '\0'; text++)
        if ((unsigned char)*text < 0x20 || *text == 0x7f)
            return true;
    return false;
}

int config_string(struct config_reader *reader, const struct json_at *at, size_t min, size_t max,
                  char **out)
{
    const char *text;
    struct error err;

    if (json_as_string(at, &text, &err) < 0)
        return config_note(reader, &err);
    if (strlen(text) < min || strlen(text) > max)
        return config_fail(reader, at, "wrong-length", "%zu bytes, %zu to %zu are right",
                           strlen(text), min, max);
    if (has_control_characters(text))
        return config_fail(reader, at, "bad-character",
                           "there is a control character in it; printable text is right");
    *out = strdup(text);
    return *out != NULL ? 0 : config_no_memory(reader);
}

static int read_path(struct config_reader *reader, const struct json_at *at, size_t max,
                     const char *example, char **out)
{
    const char *text;
    struct error err;

    if (json_as_string(at, &text, &err) < 0)
        return config_note(reader, &err);
    if (text[0] != '/' || text[1] == '\0')
        return config_fail(reader, at, "bad-path", "'%.100s' is not an absolute path, such as %s",
                           text, example);
    return config_string(reader, at, 2, max, out);
}

static int default_name(struct config_reader *reader)
{
    char name[NAME_BYTES_MAX + 1];

    if (gethostname(name, sizeof name) < 0 || has_control_characters(name) || name[0] == '\0')
        strcpy(name, "device");
    name[NAME_BYTES_MAX] = '\0';
    reader->config->name = strdup(name);
    return reader->config->name != NULL ? 0 : config_no_memory(reader);
}

static int default_control(struct config_reader *reader)
{
    struct config *config = reader->config;

    if (asprintf(&config->control, CONTROL_FOLDER "/%s.sock", config->interface.name) < 0) {
        config->control = NULL;
        return config_no_memory(reader);
    }
    return 0;
}

static int default_state_dir(struct config_reader *reader)
{
    reader->config->state_dir = strdup(STATE_DIR_DEFAULT);
    return reader->config->state_dir != NULL ? 0 : config_no_memory(reader);
}

static void check_mtu(struct config_reader *reader, const struct json_at *at)
{
    const struct interface *interface = &reader->config->interface;
    bool ipv6 = interface->address_count == 0; /* an overlay address of ours is */
    struct json_at mtu;

    for (size_t i = 0; i < interface->address_count; i++)
        ipv6 = ipv6 || interface->addresses[i].family == AF_INET6;
    if (ipv6 && interface->mtu < IPV6_MTU_MIN && json_member(at, "mtu", &mtu))
        config_fail(reader, &mtu, "out-of-range",
                    "%d is too small for the interface's IPv6 address; %d or more is right",
                    interface->mtu, IPV6_MTU_MIN);
}

static void read_interface(struct config_reader *reader, const struct json_at *at)
{
    struct error err;

    if (interface_read(&reader->config->interface, at, &err) < 0)
        config_note(reader, &err);
    else
        check_mtu(reader, at);
}

static void read_introductions(struct config_reader *reader, const struct json_at *at)
{
    static const char *const words[] = {[INTRODUCTIONS_ASK] = "ask",
                                        [INTRODUCTIONS_ACCEPT] = "accept",
                                        [INTRODUCTIONS_IGNORE] = "ignore"};
    const char *text;
    struct error err;

    if (json_as_string(at, &text, &err) < 0) {
        config_note(reader, &err);
        return;
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++) {
        if (strcmp(words[i], text) == 0) {
            reader->config->introductions = (enum config_introductions)i;
            return;
        }
    }
    config_fail(reader, at, "bad-value", "'%.40s': one of ask, accept, ignore is right", text);
}

static void read_scalars(struct config_reader *reader, const struct json_at *root)
{
    struct config *config = reader->config;
    struct json_at at;
    struct error err;

    config->names = true;
    if (json_member(root, "interface", &at))
        read_interface(reader, &at);
    if (json_member(root, "names", &at) && json_as_boolean(&at, &config->names, &err) < 0)
        config_note(reader, &err);
    if (json_member(root, "name", &at))
        config_string(reader, &at, 1, NAME_BYTES_MAX, &config->name);
    else
        default_name(reader);
    if (json_member(root, "state_dir", &at))
        read_path(reader, &at, STATE_DIR_BYTES_MAX, STATE_DIR_DEFAULT, &config->state_dir);
    else
        default_state_dir(reader);
    if (json_member(root, "introductions", &at))
        read_introductions(reader, &at);
    if (json_member(root, "control", &at))
        read_path(reader, &at, sizeof((struct sockaddr_un *)0)->sun_path - 1,
                  CONTROL_FOLDER "/pg0.sock", &config->control);
    else
        default_control(reader);
}

static void read_root(struct config_reader *reader, const struct json_at *root)
{
    static const char *const known[] = {"name",  "state_dir",     "control", "interface", "signalling",
                                        "ice",   "introductions", "hooks",   "names",     "peers",
                                        NULL};
    struct error err;
    struct json_at at;

    if (json_as_object(root, known, &err) < 0) {
        config_note(reader, &err);
        if (json_as_object(root, NULL, NULL) < 0)
            return;
    }
    read_scalars(reader, root);
    if (json_member(root, "signalling", &at))
        reader->transports_wrong = config_read_signalling(reader, &at) < 0;
    else
        reader->transports_wrong = config_default_signalling(reader, root) < 0;
    if (json_member(root, "ice", &at))
        config_read_ice(reader, &at);
    if (json_member(root, "hooks", &at))
        config_read_hooks(reader, &at);
    if (json_require(root, "peers", &at, &err) < 0) {
        error_set(&err, "missing-field",
                  "$: the field 'peers' is missing; \"peers\": [] is right while there are none");
        config_note(reader, &err);
        return;
    }
    config_read_peers(reader, &at);
}

/* The file decides what is run and what a peer may reach. */
static void warn_of_writers(int fd, const char *path)
{
    struct stat about;

    if (fstat(fd, &about) < 0)
        return;
    if ((about.st_mode & S_IWOTH) != 0)
        log_warn("%s can be written by everybody: chmod o-w is right", path);
    else if ((about.st_mode & S_IWGRP) != 0 && about.st_gid != 0)
        log_warn("%s can be written by its group: chmod g-w is right", path);
    else if (geteuid() == 0 && about.st_uid != 0)
        log_warn("%s is not root's, but decides what root does: chown root is right", path);
}

/* A descriptor, or -EINVAL with the error noted. */
static int open_file(struct config_reader *reader)
{
    char folder_path[PATH_MAX];
    char *slash;
    struct error err;
    int folder, fd;

    snprintf(folder_path, sizeof folder_path, "%s", reader->config->path);
    slash = strrchr(folder_path, '/');
    *slash = '\0';
    folder = open(folder_path[0] ? folder_path : "/", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (folder < 0) {
        error_set(&err, "no-file", "cannot open its folder: %s", strerror(errno));
        return config_note(reader, &err);
    }
    fd = openat(folder, slash + 1, O_RDONLY | O_NOFOLLOW | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        error_set(&err, "no-file", "cannot open %s: %s", slash + 1, strerror(errno));
    close(folder);
    return fd < 0 ? config_note(reader, &err) : fd;
}

static int resolve_path(struct config_reader *reader, const char *path)
{
    struct error err;
    int saved;

    reader->config->path = realpath(path, NULL);
    if (reader->config->path != NULL)
        return 0;
    saved = errno;
    reader->config->path = strdup(path);
    if (reader->config->path == NULL)
        return config_no_memory(reader);
    error_set(&err, "no-file", "cannot open the configuration: %s", strerror(saved));
    return config_note(reader, &err);
}

/* Some editors write one, and nobody sees it in "invalid token near". */
static bool begins_with_mark(const char *text, size_t length, struct error *err)
{
    if (length < 3 || memcmp(text, "\xef\xbb\xbf", 3) != 0)
        return false;
    error_set(err, "byte-order-mark",
              "line 1, column 1: a byte order mark (EF BB BF); JSON (RFC 8259 section 8.1) begins "
              "without one");
    return true;
}

static void read_document(struct config_reader *reader, int fd)
{
    const char *slash = strrchr(reader->config->path, '/');
    struct json *document = NULL;
    struct json_at root;
    struct error err;
    size_t length;
    void *text;

    if (file_read_open(fd, slash ? slash + 1 : reader->config->path, CONFIG_BYTES_MAX, &text,
                       &length, &err) < 0) {
        config_note(reader, &err);
        return;
    }
    warn_of_writers(fd, reader->config->path);
    if (!begins_with_mark(text, length, &err))
        document = json_parse(text, length, &err);
    sodium_memzero(text, length); /* a TURN server's password may be in it */
    free(text);
    if (document == NULL) {
        config_note(reader, &err);
        return;
    }
    root = json_root(document);
    read_root(reader, &root);
    json_destroy(document);
}

static struct config_reader begin(const char *path, struct config_errors *errors)
{
    struct config_reader reader = {.config = calloc(1, sizeof *reader.config), .errors = errors};

    errors->count = 0;
    if (reader.config == NULL)
        error_set(&errors->items[errors->count++], "no-memory", "%.200s: out of memory", path);
    else
        interface_init(&reader.config->interface);
    return reader;
}

static struct config *finish(struct config_reader *reader)
{
    if (reader->errors->count == 0)
        return reader->config;
    config_destroy(reader->config);
    return NULL;
}

struct config *config_load(const char *path, struct config_errors *errors)
{
    struct config_reader reader = begin(path, errors);
    int fd = -1;

    if (reader.config != NULL && resolve_path(&reader, path) == 0)
        fd = open_file(&reader);
    if (fd >= 0) {
        read_document(&reader, fd);
        close(fd);
    }
    return finish(&reader);
}

struct config *config_load_open(const char *path, int fd, struct config_errors *errors)
{
    struct config_reader reader = begin(path, errors);

    if (reader.config != NULL) {
        reader.config->path = strdup(path);
        if (reader.config->path == NULL)
            config_no_memory(&reader);
        else
            read_document(&reader, fd);
    }
    return finish(&reader);
}

static void free_strings(char **strings, size_t count)
{
    for (size_t i = 0; strings != NULL && i < count; i++)
        free(strings[i]);
    free(strings);
}

static void free_command(char **command)
{
    size_t count = 0;

    while (command != NULL && command[count] != NULL)
        count++;
    free_strings(command, count);
}

static void transport_clear(struct config_transport *transport)
{
    free_command(transport->command);
    free(transport->name);
    if (transport->options != NULL)
        sodium_memzero(transport->options, strlen(transport->options));
    free(transport->options);
}

void config_destroy(struct config *config)
{
    if (config == NULL)
        return;
    for (size_t i = 0; i < config->peer_count; i++) {
        grant_clear(&config->peers[i].grant);
        free_strings(config->peers[i].addresses, config->transport_count);
    }
    free(config->peers);
    free(config->collisions);
    for (size_t i = 0; i < config->transport_count; i++)
        transport_clear(&config->transports[i]);
    free(config->transports);
    for (size_t i = 0; i < config->hook_count; i++)
        free_command(config->hooks[i].command);
    free(config->hooks);
    free_strings(config->stun, config->stun_count);
    if (config->turn != NULL)
        sodium_memzero(config->turn, strlen(config->turn));
    free(config->turn);
    free(config->path);
    free(config->name);
    free(config->state_dir);
    free(config->control);
    free(config);
}
