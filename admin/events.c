/* What store and journal know about an event or an entity, and forgetting an event. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "handlers.h"
#include "record_view.h"
#include "request.h"
#include "row_view.h"

#define LOOK_TIMEOUT_MS 5000

/* One source after the other is asked until one knows it. */
struct look_ask {
    struct store_look look;
    struct store_settle settle;
    struct journal_look row; /* of an event that is explained; asked before the store */
    struct request *x;
    bool by_entity;
    bool forget;
    unsigned next;                    /* index of the source to ask then */
    char source[SOURCE_NAME_MAX + 1]; /* asked now */
    char only[SOURCE_NAME_MAX + 1];   /* empty: every source */
};

static void ask_next(struct look_ask *ask);

static void ask_free(struct look_ask *ask) {
    if (ask->row.ret_row)
        journal_row_free(ask->row.ret_row);
    free(ask);
}

/* What the journal alone knows of it, as far as the store would. */
static struct store_look look_of_row(const struct journal_row *row) {
    struct store_look look = {.ret_pin = SIDE_NONE, .ret_at_wall_us = row->at_wall_us};
    snprintf(look.ret_entity, sizeof look.ret_entity, "%.*s", SLICE_ARG(row->event.entity));
    snprintf(look.ret_digest, sizeof look.ret_digest, "%.*s", SLICE_ARG(row->event.digest));
    return look;
}

static void reply_event(struct look_ask *ask, bool on_record) {
    const struct journal_row *row = ask->row.ret_row;
    if (!on_record) {
        ask->look = look_of_row(row);
        snprintf(ask->source, sizeof ask->source, "%.*s", SLICE_ARG(row->event.source));
    }
    json_t *json = record_event_view(ask->x->proxy, ask->source, ask->x->arg, &ask->look);
    if (json && row && json_object_set_new(json, "journal", row_view_place(row)) != 0) {
        json_decref(json);
        json = NULL;
    }
    reply_json(ask->x, 200, json);
}

static void look_done(struct store_call *call) {
    struct look_ask *ask = call->arg;
    struct request *x = ask->x;
    struct store_look *look = &ask->look;
    if (request_is_gone(x)) {
        reply_problem(x, 503, NULL, "pointsman stops");
    } else if (call->result == STORE_ABSENT ||
               (call->result == STORE_OK &&
                !(ask->by_entity ? look->ret_has_entity : look->ret_has_event))) {
        ask_next(ask);
        return;
    } else if (call->result != STORE_OK && ask->row.ret_row) {
        reply_event(ask, false);
    } else if (call->result != STORE_OK) {
        reply_problem(x, 503, NULL, "the store does not answer");
    } else if (ask->by_entity) {
        reply_json(x, 200, record_entity_view(x->proxy, ask->source, x->arg, look));
    } else {
        reply_event(ask, true);
    }
    ask_free(ask);
}

static void row_done(struct journal_call *call) {
    struct look_ask *ask = call->arg;
    const struct journal_row *row = ask->row.ret_row;
    if (request_is_gone(ask->x)) {
        reply_problem(ask->x, 503, NULL, "pointsman stops");
        ask_free(ask);
        return;
    }
    if (row) /* the source may be one that the configuration no longer has */
        snprintf(ask->only, sizeof ask->only, "%.*s", SLICE_ARG(row->event.source));
    ask_next(ask);
}

static void row_submit(struct look_ask *ask) {
    ask->row =
        (struct journal_look){.call = {.done = row_done, .arg = ask}, .id = slice_of(ask->x->arg)};
    if (ask->only[0])
        ask->row.source = slice_of(ask->only);
    journal_look(proxy_journal_client(ask->x->proxy), &ask->row);
}

static void settle_done(struct store_call *call) {
    struct look_ask *ask = call->arg;
    struct request *x = ask->x;
    if (request_is_gone(x)) {
        reply_problem(x, 503, NULL, "pointsman stops");
    } else if (call->result == STORE_ABSENT) {
        ask_next(ask);
        return;
    } else if (call->result == STORE_STALE) {
        reply_problem(x, 409, NULL,
                      "an attempt of this event is in flight; it can be forgotten once that ended");
    } else if (call->result != STORE_OK) {
        reply_problem(x, 503, NULL, "the store does not answer: nothing is known to be forgotten");
    } else {
        reply_json(
            x, 200,
            json_pack("{s:b, s:s, s:s}", "forgotten", 1, "event", x->arg, "source", ask->source));
    }
    ask_free(ask);
}

static void ask_submit(struct look_ask *ask) {
    struct store_client *client = proxy_store_client(ask->x->proxy);
    struct slice source = slice_of(ask->source);
    struct slice arg = slice_of(ask->x->arg);
    struct store_call call = {
        .done = ask->forget ? settle_done : look_done, .arg = ask, .timeout_ms = LOOK_TIMEOUT_MS};
    if (ask->forget) {
        ask->settle = (struct store_settle){.call = call, .source = source, .id = arg};
        store_settle(client, &ask->settle);
        return;
    }
    ask->look = (struct store_look){.call = call, .source = source};
    if (ask->by_entity)
        ask->look.entity = arg;
    else
        ask->look.id = arg;
    store_look(client, &ask->look);
}

static void ask_nothing_found(struct look_ask *ask) {
    struct request *x = ask->x;
    if (ask->by_entity)
        reply_json(x, 200, record_entity_view(x->proxy, NULL, x->arg, NULL));
    else if (ask->row.ret_row)
        reply_event(ask, false);
    else
        reply_problem(x, 404, NULL, "no event \"%s\" is on record%s%s", x->arg,
                      ask->only[0] ? " for source " : "", ask->only);
    ask_free(ask);
}

static void ask_next(struct look_ask *ask) {
    const struct conf *conf = proxy_conf(ask->x->proxy);
    while (ask->next < conf->source_count) {
        const char *name = conf->sources[ask->next++].name;
        if (ask->only[0] && strcmp(ask->only, name) != 0)
            continue;
        snprintf(ask->source, sizeof ask->source, "%s", name);
        ask_submit(ask);
        return;
    }
    ask_nothing_found(ask);
}

static void look(struct request *x, bool by_entity, bool forget) {
    static const char *const allowed[] = {"source", NULL};
    struct err err = {""};
    json_t *fields = NULL;
    struct look_ask *ask = calloc(1, sizeof *ask);
    if (!ask) {
        reply_problem(x, 503, NULL, "no memory");
        return;
    }
    bool ok = fields_of_query(x, allowed, &fields, &err) &&
              field_text(fields, "source", ask->only, sizeof ask->only, &err);
    json_decref(fields);
    if (ok && !by_entity && strlen(x->arg) > EVENT_ID_MAX) {
        err_set(&err, "an event id has at most %d bytes", EVENT_ID_MAX);
        ok = false;
    }
    if (!ok) {
        reply_problem(x, 400, NULL, "%s", err.text);
        free(ask);
        return;
    }
    ask->x = x;
    ask->by_entity = by_entity;
    ask->forget = forget;
    if (by_entity || forget)
        ask_next(ask);
    else
        row_submit(ask);
}

void handle_event(struct request *x) {
    look(x, false, false);
}

void handle_entity(struct request *x) {
    look(x, true, false);
}

void handle_forget(struct request *x) {
    look(x, false, true);
}
