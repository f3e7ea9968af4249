/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/resolver.h"

#include <glib-unix.h>

#include "ice-agent/stun_race.h"

/* GLib's side: it knows the answer, or keeps the question until there is one. */
struct race_resolver {
    GResolver parent;
    GTask *question; /* owned, and holds this object; libnice asks once */
    GInetAddress *answer;
    gboolean decided;
};

struct race_resolver_class {
    GResolverClass parent;
};

typedef struct race_resolver RaceResolver;
typedef struct race_resolver_class RaceResolverClass;

static GType race_resolver_get_type(void);

G_DEFINE_TYPE(RaceResolver, race_resolver, G_TYPE_RESOLVER)

static void addresses_free(gpointer list)
{
    g_list_free_full(list, g_object_unref);
}

static void question_refuse(RaceResolver *self)
{
    if (self->question != NULL)
        g_task_return_new_error(self->question, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND,
                                "no STUN server answered");
    g_clear_object(&self->question);
}

static void question_answer(RaceResolver *self)
{
    if (self->question == NULL || !self->decided)
        return;
    if (self->answer == NULL) {
        question_refuse(self);
        return;
    }
    g_task_return_pointer(self->question, g_list_append(NULL, g_object_ref(self->answer)),
                          addresses_free);
    g_clear_object(&self->question);
}

static void lookup_begin(GResolver *resolver, const gchar *name, GCancellable *cancellable,
                         GAsyncReadyCallback callback, gpointer data)
{
    RaceResolver *self = (RaceResolver *)resolver;

    (void)name;
    question_refuse(self);
    self->question = g_task_new(resolver, cancellable, callback, data);
    question_answer(self);
}

static GList *lookup_finish(GResolver *resolver, GAsyncResult *result, GError **error)
{
    (void)resolver;
    return g_task_propagate_pointer(G_TASK(result), error);
}

static void race_resolver_dispose(GObject *object)
{
    RaceResolver *self = (RaceResolver *)object;

    g_clear_object(&self->answer);
    G_OBJECT_CLASS(race_resolver_parent_class)->dispose(object);
}

static void race_resolver_class_init(RaceResolverClass *class)
{
    G_OBJECT_CLASS(class)->dispose = race_resolver_dispose;
    class->parent.lookup_by_name_async = lookup_begin;
    class->parent.lookup_by_name_finish = lookup_finish;
}

static void race_resolver_init(RaceResolver *self)
{
    self->decided = FALSE;
}

struct resolver {
    RaceResolver *object;
    struct stun_race *race; /* NULL once it is decided */
    GSource *source;
    resolver_decided decided;
    void *data;
};

static int64_t now_ms(void)
{
    return g_get_monotonic_time() / 1000;
}

static void race_end(struct resolver *resolver)
{
    if (resolver->source != NULL) {
        g_source_destroy(resolver->source);
        g_source_unref(resolver->source);
        resolver->source = NULL;
    }
    stun_race_destroy(resolver->race);
    resolver->race = NULL;
}

static gboolean on_race(gint fd, GIOCondition condition, gpointer data)
{
    struct resolver *resolver = data;
    struct endpoint winner;
    enum stun_race_result result = stun_race_advance(resolver->race, now_ms(), &winner);

    (void)fd;
    (void)condition;
    if (result == STUN_RACE_RUNNING) {
        g_source_set_ready_time(resolver->source, stun_race_deadline(resolver->race) * 1000);
        return G_SOURCE_CONTINUE;
    }
    race_end(resolver);
    resolver->object->decided = TRUE;
    if (result == STUN_RACE_WON)
        resolver->object->answer = g_inet_address_new_from_string(winner.address);
    resolver->decided(resolver->data, result == STUN_RACE_WON ? &winner : NULL);
    question_answer(resolver->object);
    return G_SOURCE_REMOVE;
}

struct resolver *resolver_install(char *const *servers, size_t count, const struct endpoint *locals,
                                  size_t local_count, resolver_decided decided, void *data,
                                  struct error *err)
{
    struct stun_race *race = stun_race_new(servers, count, locals, local_count, now_ms(), err);
    struct resolver *resolver;

    if (race == NULL)
        return NULL;
    resolver = g_new0(struct resolver, 1);
    resolver->race = race;
    resolver->decided = decided;
    resolver->data = data;
    resolver->object = g_object_new(race_resolver_get_type(), NULL);
    g_resolver_set_default(G_RESOLVER(resolver->object));
    resolver->source = g_unix_fd_source_new(stun_race_fd(race), G_IO_IN);
    g_source_set_callback(resolver->source, G_SOURCE_FUNC(on_race), resolver, NULL);
    g_source_set_ready_time(resolver->source, 0);
    g_source_attach(resolver->source, NULL);
    return resolver;
}

void resolver_destroy(struct resolver *resolver)
{
    if (resolver == NULL)
        return;
    race_end(resolver);
    question_refuse(resolver->object);
    g_object_unref(resolver->object);
    g_free(resolver);
}
