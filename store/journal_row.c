/* One allocation holds a row and its texts; the body is a blob of its own. */
#include "journal_row.h"

#include <stdlib.h>
#include <string.h>

#include <pointsman/digest.h>

#include "journal_sql.h"
#include "pack.h"

enum column {
    COLUMN_SEQ = 0,
    COLUMN_VER,
    COLUMN_STATE,
    COLUMN_REASON,
    COLUMN_SOURCE,
    COLUMN_ID,
    COLUMN_TYPE,
    COLUMN_ACTION,
    COLUMN_ENTITY,
    COLUMN_REPOSITORY,
    COLUMN_OWNER,
    COLUMN_DIGEST,
    COLUMN_NUMBER,
    COLUMN_CLOSES,
    COLUMN_SIDE,
    COLUMN_ORDERED,
    COLUMN_RETRY,
    COLUMN_TRIES,
    COLUMN_ATTEMPT,
    COLUMN_FENCE,
    COLUMN_TOKEN,
    COLUMN_DUE,
    COLUMN_AT,
    COLUMN_CHANGED,
    COLUMN_STATUS,
    COLUMN_STICKY,
    COLUMN_ANSWER,
    COLUMN_PAYLOAD
};

/* Of PAYLOAD_COLUMNS. */
enum { PAYLOAD_HEAD = 0, PAYLOAD_TARGET, PAYLOAD_BODY, PAYLOAD_SUM, PAYLOAD_SIZE };

#define TEXTS 11

uint64_t journal_payload_sum(struct slice head, struct slice target, struct slice body) {
    uint64_t sum = digest_xxh3(head.ptr, head.len, 0);
    sum = digest_xxh3(target.ptr, target.len, sum);
    return digest_xxh3(body.ptr, body.len, sum);
}

/* A number outside of an enum can only be damage; the row stays usable. */
static unsigned within(sqlite3_stmt *s, int column, unsigned end, unsigned other) {
    sqlite3_int64 value = sqlite3_column_int64(s, column);
    return value >= 0 && value < (sqlite3_int64)end ? (unsigned)value : other;
}

static void read_numbers(sqlite3_stmt *s, struct journal_row *row) {
    struct journal_event *event = &row->event;
    struct journal_mark *mark = &row->mark;
    row->seq = journal_column(s, COLUMN_SEQ);
    row->ver = journal_column(s, COLUMN_VER);
    row->at_wall_us = journal_column(s, COLUMN_AT);
    row->changed_wall_us = journal_column(s, COLUMN_CHANGED);
    row->ordered = journal_column(s, COLUMN_ORDERED) != 0;
    event->has_number = sqlite3_column_type(s, COLUMN_NUMBER) != SQLITE_NULL;
    event->number = journal_column(s, COLUMN_NUMBER);
    event->closes = journal_column(s, COLUMN_CLOSES) != 0;
    mark->state = within(s, COLUMN_STATE, ROW_STATES, ROW_DEAD);
    mark->reason = within(s, COLUMN_REASON, ROW_REASONS, REASON_NONE);
    mark->side = within(s, COLUMN_SIDE, SIDES, SIDE_NONE);
    mark->retry = journal_column(s, COLUMN_RETRY) != 0;
    mark->tries = (uint32_t)journal_column(s, COLUMN_TRIES);
    mark->attempt = (uint32_t)journal_column(s, COLUMN_ATTEMPT);
    mark->fence = journal_column(s, COLUMN_FENCE);
    mark->due_wall_us = journal_column(s, COLUMN_DUE);
    mark->status = (uint16_t)journal_column(s, COLUMN_STATUS);
    mark->sticky_ms = journal_column(s, COLUMN_STICKY);
    struct slice token = journal_column_slice(s, COLUMN_TOKEN);
    if (token.len == TOKEN_LEN)
        memcpy(mark->token.text, token.ptr, TOKEN_LEN);
}

/* *ret_whole: it could be unpacked; else it is empty. */
static struct blob *read_body(sqlite3_stmt *s, int at, bool *ret_whole) {
    struct slice bytes = journal_column_slice(s, at + PAYLOAD_BODY);
    bool packed = sqlite3_column_type(s, at + PAYLOAD_SIZE) != SQLITE_NULL;
    uint64_t size = packed ? journal_column(s, at + PAYLOAD_SIZE) : bytes.len;
    *ret_whole = !packed || pack_holds(bytes.len, size);
    struct blob *body = blob_new(*ret_whole ? size : 0);
    if (!body)
        return NULL;
    if (packed)
        *ret_whole = *ret_whole && pack_open(bytes, size, body->data);
    else if (size)
        memcpy(body->data, bytes.ptr, size);
    body->len = *ret_whole ? size : 0;
    memset(body->data + body->len, 0, BLOB_PADDING);
    return body;
}

struct blob *journal_payload_read(sqlite3_stmt *s, int at, bool *ret_sound) {
    bool whole = false;
    struct blob *body = read_body(s, at, &whole);
    if (!body)
        return NULL;
    struct slice head = journal_column_slice(s, at + PAYLOAD_HEAD);
    struct slice target = journal_column_slice(s, at + PAYLOAD_TARGET);
    *ret_sound =
        whole && sqlite3_column_type(s, at + PAYLOAD_SUM) == SQLITE_INTEGER &&
        journal_column(s, at + PAYLOAD_SUM) == journal_payload_sum(head, target, blob_slice(body));
    return body;
}

struct journal_row *journal_row_read(sqlite3_stmt *s, int what, bool *ret_sound) {
    struct slice from[TEXTS] = {{NULL, 0}};
    size_t room = 0;
    for (int i = 0; i < TEXTS - 3; i++)
        from[i] = journal_column_slice(s, COLUMN_SOURCE + i);
    if (what & ROW_ANSWER)
        from[TEXTS - 3] = journal_column_slice(s, COLUMN_ANSWER);
    if (what & ROW_PAYLOAD) {
        from[TEXTS - 2] = journal_column_slice(s, COLUMN_PAYLOAD + PAYLOAD_HEAD);
        from[TEXTS - 1] = journal_column_slice(s, COLUMN_PAYLOAD + PAYLOAD_TARGET);
    }
    for (int i = 0; i < TEXTS; i++)
        room += from[i].len + 1;
    struct journal_row *row = calloc(1, sizeof(*row) + room);
    if (!row)
        return NULL;
    struct journal_event *event = &row->event;
    struct slice *to[TEXTS] = {&event->source,    &event->id,         &event->type,  &event->action,
                               &event->entity,    &event->repository, &event->owner, &event->digest,
                               &row->mark.answer, &event->head,       &event->target};
    char *at = (char *)(row + 1);
    for (int i = 0; i < TEXTS; i++) {
        if (!from[i].ptr)
            continue;
        memcpy(at, from[i].ptr, from[i].len);
        *to[i] = slice(at, from[i].len);
        at += from[i].len + 1;
    }
    read_numbers(s, row);
    *ret_sound = true;
    if (!(what & ROW_PAYLOAD))
        return row;
    event->body = journal_payload_read(s, COLUMN_PAYLOAD, ret_sound);
    if (!event->body) {
        free(row);
        return NULL;
    }
    return row;
}

void journal_row_free(struct journal_row *row) {
    if (!row)
        return;
    blob_unref(row->event.body);
    free(row);
}

void journal_rows_free(struct journal_row *rows) {
    while (rows) {
        struct journal_row *next = rows->next;
        journal_row_free(rows);
        rows = next;
    }
}
