/* Reads an operator's request about many events, works through them, audits it once, answers. */
#include "batch.h"

#include <stdlib.h>
#include <string.h>

#include <pointsman/log.h>

#include "fields.h"
#include "handlers.h"
#include "row_filter.h"

#define NOTE_TIMEOUT_MS 5000

const char *const batch_names[BATCHES] = {
    [BATCH_REPLAY] = "dead replay",
    [BATCH_DROP] = "dead drop",
    [BATCH_SETTLE_DONE] = "doubt done",
    [BATCH_SETTLE_RETRY] = "doubt retry",
};

const char *const batch_store_away = "the store does not answer; nothing was changed";

static void batch_free(struct batch *b) {
    json_decref(b->events);
    json_decref(b->refused);
    free(b->evidence);
    free(b);
}

/* ---- the end ---- */

static void batch_reply(struct batch *b, bool audited) {
    if (request_is_gone(b->x)) {
        reply_problem(b->x, 503, NULL, "pointsman stops");
    } else {
        json_t *json = json_pack("{s:i, s:o, s:b}", "done", (int)b->done_count, "refused",
                                 b->refused, "audited", (int)audited);
        b->refused = NULL;
        if (json && b->store_away)
            json_object_set_new(json, "store_away", json_true());
        reply_json(b->x, 200, json);
    }
    batch_free(b);
}

static void batch_log(const struct batch *b, bool audited) {
    struct jsonw *w = log_begin(audited ? LOG_INFO : LOG_WARN, "operator");
    if (!w)
        return;
    jsonw_strz(w, "action", batch_names[b->kind]);
    jsonw_strz(w, "actor", b->x->from_cli ? "cli" : "api");
    jsonw_u64(w, "done", b->done_count);
    jsonw_u64(w, "refused", b->refused_count);
    jsonw_strz(w, "reason", b->reason);
    if (!audited)
        jsonw_strz(w, "problem", "the store did not take it into the audit");
    log_end(w);
}

static void note_done(struct store_call *call) {
    struct batch *b = call->arg;
    bool audited = call->result == STORE_OK;
    batch_log(b, audited);
    batch_reply(b, audited);
}

static char *evidence_text(const struct batch *b) {
    json_t *json = json_pack("{s:i, s:i, s:s%, s:s%, s:o}", "count", (int)b->done_count, "refused",
                             (int)b->refused_count, "first", b->first.ptr, b->first.len, "last",
                             b->last.ptr, b->last.len, "to",
                             b->to == SIDE_NONE ? json_null() : json_string(side_names[b->to]));
    char *text = json ? json_dumps(json, JSON_COMPACT) : NULL;
    json_decref(json);
    return text;
}

/* What changed nothing is not in the audit. */
static void batch_finish(struct batch *b) {
    if (b->done_count == 0 || request_is_gone(b->x)) {
        batch_reply(b, false);
        return;
    }
    b->evidence = evidence_text(b);
    b->note = (struct store_note){
        .call = {.done = note_done, .arg = b, .timeout_ms = NOTE_TIMEOUT_MS},
        .actor = slice_of(b->x->from_cli ? "cli" : "api"),
        .action = slice_of(batch_names[b->kind]),
        .reason = slice_of(b->reason[0] ? b->reason : "manual"),
        .evidence = slice_of(b->evidence ? b->evidence : ""),
    };
    store_note(proxy_store_client(b->x->proxy), &b->note);
}

/* ---- event by event ---- */

static struct slice text_of(const json_t *json, const char *name) {
    const json_t *value = json_object_get(json, name);
    return slice(json_string_value(value), json_string_length(value));
}

static void refuse(struct batch *b, struct slice source, struct slice id, const char *why) {
    json_t *entry = json_pack("{s:s%, s:s%, s:s}", "event", id.ptr, id.len, "source", source.ptr,
                              source.len, "why", why);
    b->refused_count++;
    if (json_array_append_new(b->refused, entry) != 0)
        log_say(LOG_ERROR, "operator", "no memory to name what was refused: %s", why);
}

static void batch_go_on(struct batch *b) {
    while (b->store_away && b->next < json_array_size(b->events)) {
        const json_t *event = json_array_get(b->events, b->next++);
        refuse(b, text_of(event, "source"), text_of(event, "event"), batch_store_away);
    }
    for (unsigned i = 0; i < BATCH_OPEN && b->next < json_array_size(b->events); i++) {
        struct batch_item *item = &b->items[i];
        if (item->batch)
            continue;
        const json_t *event = json_array_get(b->events, b->next++);
        item->batch = b;
        item->source = text_of(event, "source");
        item->id = text_of(event, "event");
        item->settled = false;
        b->open++;
        batch_item_begin(item);
    }
}

void batch_item_end(struct batch_item *item, const char *why) {
    struct batch *b = item->batch;
    item->batch = NULL;
    b->open--;
    if (why) {
        refuse(b, item->source, item->id, why);
    } else {
        b->first = b->done_count++ ? b->first : item->id;
        b->last = item->id;
    }
    if (!request_is_gone(b->x))
        batch_go_on(b);
    if (b->open == 0)
        batch_finish(b);
}

/* ---- the request ---- */

static bool event_ok(const json_t *event, size_t index, struct err *err) {
    struct slice source = text_of(event, "source");
    struct slice id = text_of(event, "event");
    if (json_object_size(event) == 2 && source.len && source.len <= SOURCE_NAME_MAX && id.len &&
        id.len <= EVENT_ID_MAX)
        return true;
    err_set(err,
            "\"events\"[%zu] has to be {\"source\", \"event\"}: texts of 1 to %d and 1 to %d bytes",
            index, SOURCE_NAME_MAX, EVENT_ID_MAX);
    return false;
}

static bool take_events(const json_t *fields, json_t **ret, struct err *err) {
    json_t *events = json_object_get(fields, "events");
    size_t count = json_array_size(events);
    if (count < 1 || count > BATCH_MAX) {
        err_set(err, "\"events\" has to be a list of 1 to %d of {\"source\", \"event\"}%s",
                BATCH_MAX, count ? "" : "; there is none");
        return false;
    }
    for (size_t i = 0; i < count; i++) {
        if (!event_ok(json_array_get(events, i), i, err))
            return false;
    }
    *ret = json_incref(events);
    return true;
}

static bool take_as(const json_t *fields, enum batch_kind *kind, struct err *err) {
    char as[32] = "";
    if (*kind != BATCH_SETTLE_DONE)
        return true;
    if (!field_text(fields, "as", as, sizeof as, err))
        return false;
    if (strcmp(as, "retry") == 0)
        *kind = BATCH_SETTLE_RETRY;
    else if (strcmp(as, "done") != 0) {
        err_set(err, "\"as\" is \"%s\"; allowed are done and retry", as);
        return false;
    }
    return true;
}

static void batch(struct request *x, enum batch_kind kind, const char *const *allowed) {
    struct err err = {""};
    json_t *fields = NULL;
    struct batch *b = calloc(1, sizeof *b);
    json_t *refused = json_array();
    if (!b || !refused) {
        json_decref(refused);
        free(b);
        reply_problem(x, 503, NULL, "no memory");
        return;
    }
    *b = (struct batch){.x = x, .kind = kind, .to = SIDE_NONE, .refused = refused};
    bool ok = fields_of_body(x, allowed, &fields, &err) &&
              field_text(fields, "reason", b->reason, sizeof b->reason, &err) &&
              field_side(fields, "to", proxy_conf(x->proxy), &b->to, &err) &&
              field_bool(fields, "again", &b->again, &err) && take_as(fields, &b->kind, &err) &&
              take_events(fields, &b->events, &err);
    json_decref(fields);
    if (!ok) {
        reply_problem(x, 400, NULL, "%s", err.text);
        batch_free(b);
        return;
    }
    batch_go_on(b);
}

void handle_dead_replay(struct request *x) {
    static const char *const allowed[] = {"events", "to", "again", "reason", NULL};
    batch(x, BATCH_REPLAY, allowed);
}

void handle_dead_drop(struct request *x) {
    static const char *const allowed[] = {"events", "reason", NULL};
    batch(x, BATCH_DROP, allowed);
}

void handle_doubt_resolve(struct request *x) {
    static const char *const allowed[] = {"events", "as", "reason", NULL};
    batch(x, BATCH_SETTLE_DONE, allowed);
}
