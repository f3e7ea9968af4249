/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "ice-agent/hairpin.h"

void hairpin_init(struct hairpin *hairpin)
{
    *hairpin = (struct hairpin){.first = -1, .second = -1, .open = -1, .ways = {-1, -1}};
}

void hairpin_begin(struct hairpin *hairpin, struct asker *asker, int socket,
                   const struct endpoint *local, const struct endpoint *public,
                   const struct endpoint *server, int64_t now)
{
    struct asker_question question = {.hears = -1, .to = *server, .from = *server};

    hairpin->public = *public;
    hairpin->local = *local;
    hairpin->local.port = 0;
    hairpin->first = socket;
    hairpin->second = question.socket = asker_open(asker, &hairpin->local);
    if (hairpin->second >= 0)
        hairpin->open = asker_ask(asker, &question, now);
}

void hairpin_advance(struct hairpin *hairpin, struct asker *asker, int answered, int64_t now)
{
    struct asker_question there = {.socket = hairpin->first, .hears = hairpin->second};
    struct asker_question back = {.socket = hairpin->second, .hears = hairpin->first};

    if (answered != hairpin->open)
        return;
    there.to = asker_question(asker, answered)->response.mapped;
    back.to = hairpin->public;
    hairpin->ways[0] = asker_ask(asker, &there, now);
    hairpin->ways[1] = asker_ask(asker, &back, now);
}

static enum asker_state way_state(const struct hairpin *hairpin, const struct asker *asker, int way)
{
    return hairpin->ways[way] < 0 ? ASKER_PENDING
                                  : asker_question(asker, hairpin->ways[way])->state;
}

bool hairpin_is_tried(const struct hairpin *hairpin, const struct asker *asker)
{
    return hairpin_works(hairpin, asker) || (way_state(hairpin, asker, 0) == ASKER_SILENT &&
                                             way_state(hairpin, asker, 1) == ASKER_SILENT);
}

bool hairpin_works(const struct hairpin *hairpin, const struct asker *asker)
{
    return way_state(hairpin, asker, 0) == ASKER_ANSWERED ||
           way_state(hairpin, asker, 1) == ASKER_ANSWERED;
}
