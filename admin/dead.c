/* Dead events and those in doubt: a page of them, or one with everything. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <pointsman/clock.h>

#include "fields.h"
#include "handlers.h"
#include "request.h"
#include "row_filter.h"
#include "row_view.h"

#define NEXT_MAX (8 * 1024)

static const char *state_word(enum row_state state) {
    return state == ROW_PARKED ? "in doubt" : row_state_names[state];
}

/* ---- a page ---- */

struct list_ask {
    struct journal_list call;
    struct row_filter filter;
    struct request *x;
};

static void rows_free(struct journal_row *row) {
    while (row) {
        struct journal_row *next = row->next;
        journal_row_free(row);
        row = next;
    }
}

/* NULL: no memory. */
static json_t *page_view(const struct list_ask *ask, uint32_t *ret_count, uint64_t *ret_last) {
    json_t *list = json_array();
    uint32_t count = 0;
    uint64_t last = 0;
    for (const struct journal_row *row = ask->call.ret_rows; list && row; row = row->next) {
        if (json_array_append_new(list, row_view(row)) != 0) {
            json_decref(list);
            list = NULL;
        }
        last = row->seq;
        count++;
    }
    *ret_count = count;
    *ret_last = last;
    return list;
}

static void page_reply(struct list_ask *ask) {
    struct buf lines;
    struct buf next;
    uint32_t count;
    uint64_t last;
    char path[64];
    json_t *list = page_view(ask, &count, &last);
    buf_init(&lines, NEXT_MAX + 256);
    buf_init(&next, NEXT_MAX);
    snprintf(path, sizeof path, "%.*s", SLICE_ARG(request_path(ask->x)));
    bool ok = list != NULL;
    if (ok && count == ask->filter.limit)
        ok = row_filter_next(&ask->filter, path, last, &next) &&
             buf_printf(&lines, "Link: <%.*s>; rel=\"next\"\r\nX-Pointsman-Next: %llu\r\n",
                        SLICE_ARG(buf_slice(&next)), (unsigned long long)last);
    if (ok && ask->filter.count)
        ok = buf_printf(&lines, "X-Pointsman-Total: %llu\r\n",
                        (unsigned long long)ask->call.ret_matching);
    ok = ok && buf_append(&lines, "", 1);
    if (ok) {
        reply_json_with(ask->x, 200, buf_at(&lines), list);
    } else {
        json_decref(list);
        reply_problem(ask->x, 503, NULL, "no memory");
    }
    buf_free(&lines);
    buf_free(&next);
}

static void list_done(struct journal_call *call) {
    struct list_ask *ask = call->arg;
    if (call->result == JOURNAL_OK)
        page_reply(ask);
    else
        reply_problem(ask->x, 503, NULL, "the journal can not be read now");
    rows_free(ask->call.ret_rows);
    free(ask);
}

static void list(struct request *x, enum row_state state) {
    struct err err = {""};
    json_t *fields = NULL;
    struct list_ask *ask = calloc(1, sizeof *ask);
    if (!ask) {
        reply_problem(x, 503, NULL, "no memory");
        return;
    }
    bool ok = fields_of_query(x, row_filter_members, &fields, &err) &&
              row_filter_read(fields, proxy_conf(x->proxy), clock_wall_us(), &ask->filter, &err);
    json_decref(fields);
    if (!ok) {
        reply_problem(x, 400, NULL, "%s", err.text);
        free(ask);
        return;
    }
    const struct row_filter *f = &ask->filter;
    ask->x = x;
    ask->call.call.done = list_done;
    ask->call.call.arg = ask;
    ask->call.filter.state = state;
    if (f->source[0])
        ask->call.filter.source = slice_of(f->source);
    if (f->type[0])
        ask->call.filter.type = slice_of(f->type);
    if (f->entity[0])
        ask->call.filter.entity = slice_of(f->entity);
    ask->call.filter.side = f->side;
    ask->call.filter.reason = f->reason;
    ask->call.filter.from_wall_us = f->since_us;
    ask->call.filter.to_wall_us = f->until_us;
    ask->call.after = f->after;
    ask->call.limit = f->limit;
    ask->call.count = f->count;
    journal_list(proxy_journal_client(x->proxy), &ask->call);
}

void handle_dead_list(struct request *x) {
    list(x, ROW_DEAD);
}

void handle_doubt_list(struct request *x) {
    list(x, ROW_PARKED);
}

/* ---- one ---- */

struct show_ask {
    struct journal_look call;
    struct request *x;
    enum row_state state;
    bool body;
    char source[SOURCE_NAME_MAX + 1];
};

static void show_done(struct journal_call *call) {
    struct show_ask *ask = call->arg;
    struct request *x = ask->x;
    const struct journal_row *row = ask->call.ret_row;
    bool found = call->result == JOURNAL_OK && row;
    if (found && row->mark.state == ask->state)
        reply_json(x, 200, row_view_whole(row, ask->body));
    else if (found)
        reply_problem(x, 404, NULL, "event \"%s\" (source %.*s) is not %s: it is %s", x->arg,
                      SLICE_ARG(row->event.source), state_word(ask->state),
                      state_word(row->mark.state));
    else if (call->result == JOURNAL_ABSENT)
        reply_problem(x, 404, NULL, "no event \"%s\" is on this instance's disk%s%s", x->arg,
                      ask->source[0] ? " for source " : "", ask->source);
    else
        reply_problem(x, 503, NULL, "the journal can not be read now");
    if (row)
        journal_row_free(ask->call.ret_row);
    free(ask);
}

static void show(struct request *x, enum row_state state) {
    static const char *const allowed[] = {"source", "body", NULL};
    struct err err = {""};
    json_t *fields = NULL;
    struct show_ask *ask = calloc(1, sizeof *ask);
    if (!ask) {
        reply_problem(x, 503, NULL, "no memory");
        return;
    }
    bool ok = fields_of_query(x, allowed, &fields, &err) &&
              field_text(fields, "source", ask->source, sizeof ask->source, &err) &&
              field_bool(fields, "body", &ask->body, &err);
    json_decref(fields);
    if (ok && strlen(x->arg) > EVENT_ID_MAX) {
        err_set(&err, "an event id has at most %d bytes", EVENT_ID_MAX);
        ok = false;
    }
    if (!ok) {
        reply_problem(x, 400, NULL, "%s", err.text);
        free(ask);
        return;
    }
    ask->x = x;
    ask->state = state;
    ask->call.call.done = show_done;
    ask->call.call.arg = ask;
    if (ask->source[0])
        ask->call.source = slice_of(ask->source);
    ask->call.id = slice_of(x->arg);
    journal_look(proxy_journal_client(x->proxy), &ask->call);
}

void handle_dead_show(struct request *x) {
    show(x, ROW_DEAD);
}

void handle_doubt_show(struct request *x) {
    show(x, ROW_PARKED);
}
