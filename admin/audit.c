/* The audit, a page at a time, newest first. */
#include <stdlib.h>
#include <string.h>

#include "fields.h"
#include "handlers.h"
#include "request.h"
#include "view.h"

#define AUDIT_TIMEOUT_MS 5000

struct audit_ask {
    struct store_audit call;
    struct request *x;
    struct audit_entry entries[AUDIT_PAGE];
};

/* Where the next page begins: an epoch, or "<epoch>-<nth>" among what was noted under one. */
static json_t *place_of(const struct audit_entry *entry) {
    return entry->nth ? json_sprintf("%llu-%llu", (unsigned long long)entry->epoch,
                                     (unsigned long long)entry->nth)
                      : json_integer((json_int_t)entry->epoch);
}

static bool read_place(const char *text, struct store_audit *ret) {
    const char *dash = strchr(text, '-');
    struct slice epoch = dash ? slice(text, (size_t)(dash - text)) : slice_of(text);
    return slice_to_u64(epoch, &ret->before) &&
           (!dash || slice_to_u64(slice_of(dash + 1), &ret->before_nth));
}

static void audit_done(struct store_call *call) {
    struct audit_ask *ask = call->arg;
    struct request *x = ask->x;
    if (call->result != STORE_OK) {
        reply_problem(x, 503, NULL, "the store does not answer: the audit can not be read now");
        free(ask);
        return;
    }
    json_t *list = json_array();
    for (uint32_t i = 0; list && i < ask->call.ret_count; i++) {
        if (json_array_append_new(list, view_transition(&ask->entries[i])) != 0) {
            json_decref(list);
            list = NULL;
        }
    }
    json_t *next = ask->call.ret_count == ask->call.limit
                       ? place_of(&ask->entries[ask->call.ret_count - 1])
                       : json_null();
    reply_json(x, 200, json_pack("{s:o, s:o}", "audit", list, "next_before", next));
    free(ask);
}

void handle_audit(struct request *x) {
    static const char *const allowed[] = {"before", "limit", NULL};
    struct err err = {""};
    json_t *fields = NULL;
    char before[48] = "0";
    struct store_audit place = {.before = 0};
    uint64_t limit = AUDIT_PAGE;
    bool ok = fields_of_query(x, allowed, &fields, &err) &&
              field_text(fields, "before", before, sizeof before, &err) &&
              field_u64(fields, "limit", &limit, &err);
    json_decref(fields);
    if (!ok) {
        reply_problem(x, 400, NULL, "%s", err.text);
        return;
    }
    if (!read_place(before, &place)) {
        reply_problem(x, 400, NULL,
                      "\"before\" is \"%s\"; allowed are an epoch, as 12, or a \"next_before\"",
                      before);
        return;
    }
    if (limit < 1 || limit > AUDIT_PAGE) {
        reply_problem(x, 400, NULL, "\"limit\" has to be 1 to %d", AUDIT_PAGE);
        return;
    }
    struct audit_ask *ask = calloc(1, sizeof *ask);
    if (!ask) {
        reply_problem(x, 503, NULL, "no memory");
        return;
    }
    ask->x = x;
    ask->call.call.done = audit_done;
    ask->call.call.arg = ask;
    ask->call.call.timeout_ms = AUDIT_TIMEOUT_MS;
    ask->call.before = place.before;
    ask->call.before_nth = place.before_nth;
    ask->call.limit = (uint32_t)limit;
    ask->call.ret_entries = ask->entries;
    store_audit(proxy_store_client(x->proxy), &ask->call);
}
