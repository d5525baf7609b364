/* Takes read the index of due rows side by side; what is in hand is stepped over. */
#include "journal_take.h"

#include <stdlib.h>

#include "journal_row.h"

#define FILL_MAX     256
#define FILL_BYTES   (8 << 20) /* of bodies; one row always */
#define WALK_PIECE   500
#define WAIT_MAX_US  (UINT64_C(25) * 3600 * 1000000) /* no ladder waits longer */
#define SIDES_WANTED (SIDES + 1)

static const enum side sides[SIDES_WANTED] = {SIDE_LEGACY, SIDE_NEW, SIDE_NONE};

static bool wants(const struct journal_take *take, unsigned i) {
    return sides[i] == SIDE_NONE || take->sides[sides[i]];
}

/* ---- which ---- */

struct cursor {
    sqlite3_stmt *s;
    uint64_t seq; /* 0: at its end */
    uint64_t due_us;
};

static bool cursor_next(struct journal_work *w, unsigned i, struct cursor *c) {
    bool row = true;
    do {
        if (!journal_sql_step(w->sql, JS_DUE + i, &row))
            return false;
        c->seq = row ? journal_column(c->s, 0) : 0;
    } while (c->seq && hand_has(&w->hand, c->seq));
    c->due_us = row ? journal_column(c->s, 1) : 0;
    return true;
}

static bool cursors_open(struct journal_work *w, const struct journal_take *take, bool retry,
                         struct cursor cursors[SIDES_WANTED]) {
    for (unsigned i = 0; i < SIDES_WANTED; i++) {
        cursors[i] = (struct cursor){.s = w->sql->statements[JS_DUE + i]};
        journal_bind(cursors[i].s, 1, retry);
        journal_bind(cursors[i].s, 2, sides[i]);
        journal_bind(cursors[i].s, 3, w->now_us);
        if (wants(take, i) && !cursor_next(w, i, &cursors[i]))
            return false;
    }
    return true;
}

/* The numbers of due rows, in order. */
static bool choose(struct journal_work *w, const struct journal_take *take, bool retry,
                   uint32_t most, uint64_t *seqs, uint32_t *ret_count) {
    struct cursor cursors[SIDES_WANTED];
    uint32_t count = 0;
    bool ok = cursors_open(w, take, retry, cursors);
    while (ok && count < most) {
        unsigned best = SIDES_WANTED;
        for (unsigned i = 0; i < SIDES_WANTED; i++)
            if (cursors[i].seq &&
                (best == SIDES_WANTED || cursors[i].due_us < cursors[best].due_us))
                best = i;
        if (best == SIDES_WANTED)
            break;
        seqs[count++] = cursors[best].seq;
        ok = cursor_next(w, best, &cursors[best]);
    }
    for (unsigned i = 0; i < SIDES_WANTED; i++)
        sqlite3_reset(w->sql->statements[JS_DUE + i]);
    *ret_count = count;
    return ok;
}

/* ---- what ---- */

static bool read_row(struct journal_work *w, uint64_t seq, struct journal_row **ret,
                     bool *ret_sound) {
    sqlite3_stmt *s = w->sql->statements[JS_ROW];
    bool found = false;
    journal_bind(s, 1, seq);
    if (!journal_sql_step(w->sql, JS_ROW, &found))
        return false;
    *ret = found ? journal_row_read(s, ROW_PAYLOAD, ret_sound) : NULL;
    sqlite3_reset(s);
    if (found && !*ret) {
        w->sql->trouble = TROUBLE_CALL;
        return false;
    }
    return true;
}

static bool mark_damaged(struct journal_work *w, uint64_t seq) {
    if (journal_work_begin(w) && journal_damaged(w, seq) && journal_work_commit(w))
        return true;
    journal_work_rollback(w);
    return false;
}

bool journal_fill(struct journal_work *w, struct journal_take *take, uint32_t most) {
    uint64_t seqs[FILL_MAX], bytes = 0;
    uint32_t count = 0, retries = 0;
    struct journal_row **end = &take->ret_rows;
    most = most < FILL_MAX ? most : FILL_MAX;
    w->sql->trouble = TROUBLE_NONE;
    if (!choose(w, take, false, most, seqs, &count))
        return false;
    most -= count;
    if (!choose(w, take, true, most < take->retries ? most : take->retries, seqs + count, &retries))
        return false;
    for (uint32_t i = 0; i < count + retries && bytes < FILL_BYTES; i++) {
        struct journal_row *row = NULL;
        bool sound = true;
        if (!read_row(w, seqs[i], &row, &sound))
            return false;
        if (row && sound && hand_add(&w->hand, row->seq)) {
            hand_commit(&w->hand);
            bytes += row->event.body->len;
            *end = row;
            end = &row->next;
            continue;
        }
        journal_row_free(row);
        if (!sound && !mark_damaged(w, seqs[i]))
            return false;
        w->look = true;
    }
    return true;
}

bool journal_next_due(struct journal_work *w, const struct journal_take *take, uint64_t *ret_us) {
    sqlite3_stmt *s = w->sql->statements[JS_DUE_NEXT];
    uint64_t next = UINT64_MAX;
    w->sql->trouble = TROUBLE_NONE;
    for (unsigned retry = 0; retry <= (take->retries > 0); retry++) {
        for (unsigned i = 0; i < SIDES_WANTED; i++) {
            bool row = false;
            if (!wants(take, i))
                continue;
            journal_bind(s, 1, retry);
            journal_bind(s, 2, sides[i]);
            journal_bind(s, 3, w->now_us);
            if (!journal_sql_step(w->sql, JS_DUE_NEXT, &row))
                return false;
            if (sqlite3_column_type(s, 0) != SQLITE_NULL && journal_column(s, 0) < next)
                next = journal_column(s, 0);
            sqlite3_reset(s);
        }
    }
    *ret_us = next;
    return true;
}

/* ---- what ran when the last process ended ---- */

bool journal_execute_sending(struct journal_work *w, struct journal_sending *c) {
    sqlite3_stmt *s = w->sql->statements[JS_SENDING];
    bool found = true, sound, ok = true;
    journal_rows_free(c->ret_rows); /* of a batch that was rolled back */
    c->ret_rows = NULL;
    struct journal_row **end = &c->ret_rows;
    journal_bind(s, 1, c->after);
    for (uint32_t count = 0; count < c->limit && ok;) {
        ok = journal_sql_step(w->sql, JS_SENDING, &found);
        if (!ok || !found)
            break;
        if (hand_has(&w->hand, journal_column(s, 0)))
            continue;
        *end = journal_row_read(s, ROW_SLIM, &sound);
        ok = *end && hand_add(&w->hand, (*end)->seq);
        if (!ok && w->sql->trouble == TROUBLE_NONE)
            w->sql->trouble = TROUBLE_CALL;
        if (*end)
            end = &(*end)->next;
        count++;
    }
    sqlite3_reset(s);
    c->call.result = JOURNAL_OK;
    return ok;
}

/* ---- walks ---- */

bool journal_walk_begin(struct journal_work *w, enum side side, struct journal_walk *ret) {
    bool row = false;
    w->sql->trouble = TROUBLE_NONE;
    if (!journal_sql_step(w->sql, JS_LAST, &row))
        return false;
    *ret =
        (struct journal_walk){.side = side, .last = journal_column(w->sql->statements[JS_LAST], 0)};
    sqlite3_reset(w->sql->statements[JS_LAST]);
    return true;
}

struct queued {
    uint64_t seq;
    uint64_t due_us;
    uint64_t changed_us;
    enum side side;
    bool retry;
};

/* What the row was to wait from its last change on, it waits from now on. */
static bool put_right(const struct journal_work *w, struct queued *q) {
    if (q->changed_us <= w->now_us && q->due_us <= w->now_us + WAIT_MAX_US)
        return false;
    uint64_t wait_us = q->due_us > q->changed_us ? q->due_us - q->changed_us : 0;
    q->due_us = w->now_us + (wait_us < WAIT_MAX_US ? wait_us : 0);
    q->changed_us = w->now_us;
    return true;
}

static bool hasten(const struct journal_work *w, struct queued *q) {
    if (!q->retry && q->due_us <= w->now_us)
        return false;
    q->retry = false;
    q->due_us = q->due_us < w->now_us ? q->due_us : w->now_us;
    return true;
}

static bool write_queued(struct journal_work *w, const struct journal_walk *walk,
                         struct queued *q) {
    if (hand_has(&w->hand, q->seq))
        return true; /* its holder decides */
    bool changes =
        walk->side == SIDE_NONE ? put_right(w, q) : q->side == walk->side && hasten(w, q);
    if (!changes)
        return true;
    sqlite3_stmt *s = w->sql->statements[JS_HASTEN];
    journal_bind(s, 1, q->seq);
    journal_bind(s, 2, q->due_us);
    journal_bind(s, 3, q->retry);
    journal_bind(s, 4, q->changed_us);
    w->look = true;
    return journal_sql_run(w->sql, JS_HASTEN);
}

static bool piece(struct journal_work *w, struct journal_walk *walk, unsigned *ret_count) {
    struct queued queued[WALK_PIECE];
    sqlite3_stmt *s = w->sql->statements[JS_WALK];
    unsigned count = 0;
    bool row = true;
    journal_bind(s, 1, walk->after);
    journal_bind(s, 2, walk->last);
    journal_bind(s, 3, WALK_PIECE);
    while (row) {
        if (!journal_sql_step(w->sql, JS_WALK, &row))
            return false;
        if (row)
            queued[count++] = (struct queued){.seq = journal_column(s, 0),
                                              .side = (enum side)journal_column(s, 1),
                                              .retry = journal_column(s, 2) != 0,
                                              .due_us = journal_column(s, 3),
                                              .changed_us = journal_column(s, 4)};
    }
    sqlite3_reset(s);
    for (unsigned i = 0; i < count; i++)
        if (!write_queued(w, walk, &queued[i]))
            return false;
    if (count)
        walk->after = queued[count - 1].seq;
    *ret_count = count;
    return true;
}

bool journal_walk_on(struct journal_work *w, struct journal_walk *walk, bool *ret_over) {
    unsigned count = 0;
    uint64_t after = walk->after;
    if (!journal_work_begin(w) || !piece(w, walk, &count) || !journal_work_commit(w)) {
        journal_work_rollback(w);
        walk->after = after;
        return false;
    }
    *ret_over = count < WALK_PIECE;
    return true;
}
