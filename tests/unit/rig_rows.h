/* The rig's journal: what is on disk, and ways to make it slow, full or fail. Layer: tests. */
#ifndef POINTSMAN_TESTS_RIG_ROWS_H
#define POINTSMAN_TESTS_RIG_ROWS_H

#include "../../proxy/queue.h"
#include "rig.h"

/* What is on disk of an event. */
struct rig_row {
    bool there;
    uint64_t seq;
    struct journal_mark mark; /* without the answer */
    char answer[64];          /* its beginning */
    size_t answer_len;
    size_t body_len;
};

static inline void rig_asked(struct journal_call *call) {
    *(bool *)call->arg = true;
}

/* Asked on a client of its own: the worker's may be waiting. */
static inline struct rig_row rig_row(struct rig *r, const char *id) {
    struct rig_row ret = {.there = false};
    struct journal_client *client = journal_client_new(r->proxy->journal, r->worker->loop);
    bool done = false;
    struct journal_look l = {.call = {.done = rig_asked, .arg = &done}, .id = slice_of(id)};
    assert_non_null(client);
    journal_look(client, &l);
    RIG_UNTIL(r, done);
    journal_client_free(client);
    if (!l.ret_row)
        return ret;
    struct slice answer = l.ret_row->mark.answer;
    ret.there = true;
    ret.seq = l.ret_row->seq;
    ret.mark = l.ret_row->mark;
    ret.answer_len = answer.len;
    ret.body_len = l.ret_row->event.body->len;
    if (answer.len)
        memcpy(ret.answer, answer.ptr, answer.len < 63 ? answer.len : 63);
    ret.mark.answer = (struct slice){0};
    journal_row_free(l.ret_row);
    return ret;
}

/* Waits until the event's row is in that state. */
static inline struct rig_row rig_until_row(struct rig *r, const char *id, enum row_state state) {
    uint64_t end_us = rig_real_us(CLOCK_MONOTONIC) + RIG_REAL_US;
    for (;;) {
        struct rig_row row = rig_row(r, id);
        if (row.there && row.mark.state == state)
            return row;
        if (rig_real_us(CLOCK_MONOTONIC) > end_us)
            fail_msg("%s is %s, not %s", id,
                     row.there ? row_state_names[row.mark.state] : "not on disk",
                     row_state_names[state]);
        rig_turn(r);
    }
}

/* Whether the journal gives the event out now: it is due, and nobody holds it. It is taken and not
 * given back. */
static inline bool rig_is_due(struct rig *r, const char *id) {
    struct journal_client *client = journal_client_new(r->proxy->journal, r->worker->loop);
    bool done = false, found = false;
    assert_non_null(client);
    struct journal_take t = {.call = {.done = rig_asked, .arg = &done},
                             .sides = {true, true},
                             .limit = 256,
                             .retries = 256};
    journal_take(client, &t);
    journal_nudge(client);
    RIG_UNTIL(r, done);
    for (struct journal_row *row = t.ret_rows, *next; row; row = next) {
        next = row->next;
        found = found || slice_is(row->event.id, id);
        journal_row_free(row);
    }
    journal_client_free(client);
    return found;
}

/* As above, in an hour at the latest. */
static inline bool rig_is_free(struct rig *r, const char *id) {
    atomic_fetch_add(&rig_offset_us, 3600 * RIG_SECOND_US);
    return rig_is_due(r, id);
}

static inline struct journal_state rig_journal_state(const struct rig *r) {
    struct journal_state state;
    journal_state(r->proxy->journal, &state);
    return state;
}

/* ---- rows put by the test ---- */

static inline void rig_put_row(struct rig *r, const char *id, const struct journal_mark *mark,
                               bool ordered) {
    static const char body[] = "{\"a\":1}";
    struct journal_client *client = journal_client_new(r->proxy->journal, r->worker->loop);
    struct blob *blob = blob_new(sizeof body - 1);
    bool done = false;
    assert_true(client && blob);
    memcpy(blob->data, body, sizeof body - 1);
    blob->len = sizeof body - 1;
    struct journal_put p = {.call = {.done = rig_asked, .arg = &done},
                            .event = {.source = slice_of("github"),
                                      .id = slice_of(id),
                                      .type = slice_of("issues"),
                                      .entity = slice_of(ordered ? "o/r#1" : id),
                                      .head = slice_of("Content-Type: application/json\r\n"),
                                      .target = slice_of("/w"),
                                      .body = blob},
                            .mark = *mark,
                            .ordered = ordered};
    journal_put(client, &p);
    RIG_UNTIL(r, done);
    assert_int_equal(p.call.result, JOURNAL_OK);
    journal_client_free(client);
    blob_unref(blob);
}

static inline void rig_queued(struct rig *r, const char *id, enum side side) {
    struct journal_mark mark = {.state = ROW_QUEUED, .reason = REASON_STORE, .side = side};
    rig_put_row(r, id, &mark, false);
}

/* Tried before. */
static inline void rig_retried(struct rig *r, const char *id, enum side side, uint32_t tries) {
    struct journal_mark mark = {.state = ROW_QUEUED,
                                .reason = REASON_NOT_DONE,
                                .side = side,
                                .tries = tries,
                                .retry = true};
    rig_put_row(r, id, &mark, false);
}

static inline void rig_turns(struct rig *r, int count) {
    while (count--)
        rig_turn(r);
}

/* ---- faults ---- */

static inline sqlite3 *rig_open_db(const struct rig *r) {
    char path[128];
    sqlite3 *db = NULL;
    snprintf(path, sizeof path, "%s/journal.db", r->directory);
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    sqlite3_busy_timeout(db, 10000);
    return db;
}

/* From here on the journal writes nothing, until it is let go. After two real seconds its calls
 * fail. */
static inline sqlite3 *rig_hold_journal(const struct rig *r) {
    sqlite3 *db = rig_open_db(r);
    assert_int_equal(sqlite3_exec(db, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    return db;
}

static inline void rig_let_journal_go(sqlite3 *holder) {
    assert_int_equal(sqlite3_close(holder), SQLITE_OK);
}

/* Somebody else changes the file. */
static inline void rig_sql(const struct rig *r, const char *text) {
    sqlite3 *db = rig_open_db(r);
    assert_int_equal(sqlite3_exec(db, text, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

/* Nothing new is taken in from the next put on. */
static inline void rig_fill_journal(const struct rig *r) {
    struct conf full = {.journal_max_bytes = 1, .journal_keep_ms = 3600000};
    journal_reload(r->proxy->journal, &full);
}

static inline void rig_empty_journal(const struct rig *r) {
    journal_reload(r->proxy->journal, r->proxy->rules->conf);
}

/* ---- moments ---- */

/* An event whose request has come to its backend and is not answered. */
static inline struct sender *rig_open_at(struct rig *r, enum side side, const char *id,
                                         unsigned number) {
    unsigned before = r->stubs[side].requests;
    struct sender *s = rig_post(r, id, number);
    RIG_UNTIL(r, r->stubs[side].requests == before + 1);
    return s;
}

/* The deadline of the event that came last is near. */
static inline void rig_near(struct rig *r) {
    struct delivery *d = rig_delivery(r);
    assert_false(d->near);
    flow_deadline(d);
    assert_true(d->near);
}

/* No event is under way; connections may be. */
#define RIG_UNTIL_OVER(r) RIG_UNTIL(r, (r)->proxy->deliveries == 0 && (r)->proxy->recording == 0)

static inline void rig_drain(struct rig *r) {
    r->worker->draining = true;
    queue_close(r->worker);
}

#define FAILED_ANSWER         REFUSAL("503 Service Unavailable", "busy")
#define REFUSAL(status, text) "HTTP/1.1 " status "\r\nContent-Length: 4\r\n\r\n" text

#endif
