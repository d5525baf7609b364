/* The operator's word on a row, and the settlement by a delivery past the journal. */
#include "journal_work.h"

static bool requeue(struct journal_work *w, const struct journal_turn *c,
                    const struct journal_slim *row) {
    sqlite3_stmt *s = w->sql->statements[JS_REQUEUE];
    uint64_t first;
    journal_bind(s, 1, row->seq);
    journal_bind(s, 2, REASON_OPERATOR);
    journal_bind(s, 3, w->now_us);
    journal_bind(s, 4, c->side);
    journal_bind(s, 5, !row->ordered);
    if (!journal_sql_run(w->sql, JS_REQUEUE))
        return false;
    journal_count(w, row->state, -1, 0);
    journal_count(w, ROW_QUEUED, 1, 0);
    w->look = true;
    return !row->ordered || journal_line(w, row->source, row->entity, &first);
}

static bool write_copy(struct journal_work *w, const struct journal_turn *c,
                       const struct journal_slim *row) {
    sqlite3_stmt *s = w->sql->statements[JS_COPY];
    uint64_t first;
    journal_bind(s, 1, row->seq);
    journal_bind(s, 2, REASON_OPERATOR);
    journal_bind_text(s, 3, c->new_id);
    journal_bind(s, 4, c->side);
    journal_bind(s, 5, w->now_us);
    if (!journal_sql_run(w->sql, JS_COPY))
        return false;
    s = w->sql->statements[JS_PAYLOAD_COPY];
    journal_bind(s, 1, row->seq);
    journal_bind(s, 2, (uint64_t)sqlite3_last_insert_rowid(w->sql->db));
    if (!journal_sql_run(w->sql, JS_PAYLOAD_COPY))
        return false;
    journal_count(w, ROW_QUEUED, 1, (int64_t)(row->bytes - row->answer_len));
    w->look = w->grows = true;
    return !row->ordered || journal_line(w, row->source, row->entity, &first);
}

static bool copy(struct journal_work *w, struct journal_turn *c, const struct journal_slim *row) {
    struct journal_slim other;
    bool found, fits = false;
    c->call.result = JOURNAL_FAILED;
    if (!c->new_id.len || c->new_id.len > EVENT_ID_MAX)
        return true;
    if (!journal_find(w, c->source, c->new_id, &other, &found))
        return false;
    c->call.result = found ? JOURNAL_EXISTS : JOURNAL_FULL;
    if (found || w->full)
        return true;
    if (!journal_make_room(w, (int64_t)(row->bytes - row->answer_len), row->seq, &fits))
        return false;
    if (!fits)
        return true;
    c->call.result = JOURNAL_OK;
    return write_copy(w, c, row) &&
           (row->state == ROW_DONE || journal_end(w, row, ROW_DONE, REASON_OPERATOR));
}

bool journal_execute_turn(struct journal_work *w, struct journal_turn *c) {
    struct journal_slim row;
    bool found;
    if (!journal_find(w, c->source, c->id, &row, &found))
        return false;
    c->call.result = JOURNAL_ABSENT;
    if (!found)
        return true;
    bool over = row.state == ROW_PARKED || row.state == ROW_DEAD ||
                (row.state == ROW_DONE && c->turn == TURN_COPY);
    c->call.result = row.state == c->from && over ? JOURNAL_OK : JOURNAL_STALE;
    if (c->call.result != JOURNAL_OK)
        return true;
    switch (c->turn) {
    case TURN_QUEUE:
        return requeue(w, c, &row);
    case TURN_DONE:
        return journal_end(w, &row, ROW_DONE, REASON_OPERATOR);
    case TURN_DROP:
        return journal_remove(w, &row);
    case TURN_COPY:
        return copy(w, c, &row);
    }
    return true;
}

bool journal_execute_settle(struct journal_work *w, struct journal_settle *c) {
    struct journal_slim row;
    bool found;
    if (!journal_find(w, c->source, c->id, &row, &found))
        return false;
    c->call.result = found ? JOURNAL_OK : JOURNAL_ABSENT;
    if (!found || row.state == ROW_DONE || hand_has(&w->hand, row.seq))
        return true;
    return journal_end(w, &row, ROW_DONE, REASON_NONE);
}
