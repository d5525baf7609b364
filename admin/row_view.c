/* Shows a row of the journal: identity, where it stands, and on demand what was sent and answered.
 */
#include "row_view.h"

#include <string.h>

#include "view.h"

static json_t *side_view(enum side side) {
    return side == SIDE_NONE ? json_null() : json_string(side_names[side]);
}

static json_t *status_view(uint16_t status) {
    return status ? json_integer(status) : json_null();
}

json_t *row_view(const struct journal_row *row) {
    const struct journal_event *e = &row->event;
    const struct journal_mark *m = &row->mark;
    return json_pack("{s:o, s:o, s:o, s:o, s:o, s:o, s:I, s:s, s:o, s:s, s:o, s:o, s:I}", "event",
                     view_slice(e->id), "source", view_slice(e->source), "type",
                     view_slice(e->type), "action", view_slice(e->action), "entity",
                     view_slice(e->entity), "backend", side_view(m->side), "attempts",
                     (json_int_t)m->attempt, "reason", row_reason_names[m->reason], "status",
                     status_view(m->status), "state", row_state_names[m->state], "at",
                     view_time(row->changed_wall_us), "first_at", view_time(row->at_wall_us), "seq",
                     (json_int_t)row->seq);
}

json_t *row_view_place(const struct journal_row *row) {
    const struct journal_mark *m = &row->mark;
    bool waits = m->state == ROW_QUEUED && m->due_wall_us;
    return json_pack("{s:s, s:s, s:o, s:I, s:I, s:o, s:o, s:o, s:I}", "state",
                     row_state_names[m->state], "reason", row_reason_names[m->reason], "backend",
                     side_view(m->side), "attempts", (json_int_t)m->attempt, "tries",
                     (json_int_t)m->tries, "due", waits ? view_time(m->due_wall_us) : json_null(),
                     "status", status_view(m->status), "at", view_time(row->changed_wall_us), "seq",
                     (json_int_t)row->seq);
}

/* Fields whose value lets somebody in. A signature does not: it is of this body only. */
static bool is_secret(struct slice name) {
    static const char *const parts[] = {"authorization", "cookie", "token",
                                        "secret",        "apikey", "api-key"};
    for (size_t i = 0; i < ARRAY_LEN(parts); i++) {
        size_t n = strlen(parts[i]);
        for (size_t at = 0; at + n <= name.len; at++) {
            if (slice_ieq(slice(name.ptr + at, n), slice(parts[i], n)))
                return true;
        }
    }
    return false;
}

static struct slice take_line(struct slice *rest) {
    const char *end = memchr(rest->ptr, '\n', rest->len);
    size_t n = end ? (size_t)(end - rest->ptr) : rest->len;
    struct slice line = slice(rest->ptr, n);
    *rest = slice(rest->ptr + n, rest->len - n);
    if (end)
        *rest = slice(rest->ptr + 1, rest->len - 1);
    return slice_trim_space(line);
}

static json_t *headers_view(struct slice head) {
    json_t *list = json_array();
    while (list && head.len) {
        struct slice line = take_line(&head);
        const char *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
        if (!colon)
            continue;
        struct slice name = slice(line.ptr, (size_t)(colon - line.ptr));
        struct slice value = slice(colon + 1, line.len - name.len - 1);
        value = is_secret(name) ? slice_of("(not shown)") : slice_trim_ows(value);
        json_t *pair =
            json_pack("{s:o, s:o}", "name", view_slice(name), "value", view_slice(value));
        if (json_array_append_new(list, pair) != 0) {
            json_decref(list);
            return NULL;
        }
    }
    return list;
}

/* null where it is no text or too long. */
static json_t *body_view(const struct blob *body) {
    struct slice text = body ? blob_slice(body) : slice_of("");
    if (text.len > ROW_VIEW_BODY_MAX || memchr(text.ptr, 0, text.len))
        return json_null();
    json_t *json = json_stringn(text.ptr, text.len);
    return json ? json : json_null();
}

/* The journal cuts at a length: a character that was cut in two is left out. */
static struct slice without_cut(struct slice text) {
    size_t n = text.len;
    size_t behind = 0;
    while (behind < 3 && n > behind + 1 && ((unsigned char)text.ptr[n - behind - 1] & 0xC0) == 0x80)
        behind++;
    if (n <= behind)
        return text;
    unsigned char first = (unsigned char)text.ptr[n - behind - 1];
    size_t wanted = first >= 0xF0 ? 3 : first >= 0xE0 ? 2 : first >= 0xC0 ? 1 : 0;
    return wanted > behind ? slice(text.ptr, n - behind - 1) : text;
}

static json_t *answer_view(const struct journal_mark *mark) {
    if (!mark->status && !mark->answer.ptr)
        return json_null();
    return json_pack("{s:o, s:I, s:o}", "status", status_view(mark->status), "bytes",
                     (json_int_t)mark->answer.len, "body", view_slice(without_cut(mark->answer)));
}

json_t *row_view_whole(const struct journal_row *row, bool body) {
    json_t *json = row_view(row);
    const struct blob *bytes = row->event.body;
    json_t *more = json_pack(
        "{s:o, s:I, s:o, s:o, s:I, s:o, s:o, s:o}", "target", view_slice(row->event.target),
        "fence", (json_int_t)row->mark.fence, "place", row_view_place(row), "headers",
        headers_view(row->event.head), "body_bytes", (json_int_t)(bytes ? bytes->len : 0),
        "body_digest", view_slice(row->event.digest), "body", body ? body_view(bytes) : json_null(),
        "answer", answer_view(&row->mark));
    if (json && (!more || json_object_update(json, more) != 0)) {
        json_decref(json);
        json = NULL;
    }
    json_decref(more);
    return json;
}
